//! Shared memories: several stores on several threads, waiting, and what they may take together.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dunlin_engine::{
    AsContextMut, Config, Engine, ErrorKind, Instance, Limits, Linker, Memory, MemoryKind,
    MemoryType, Module, Resource, SharedMemory, Store, Trap, Woken,
};

use crate::{configured, engines, module};

fn shared(min: u64, max: u64) -> MemoryType {
    MemoryType { min, max: Some(max), index64: false, shared: true, page_size_log2: 16 }
}

const MODULE: &str = r#"
    (module
      (import "host" "memory" (memory 1 200 shared))
      (export "memory" (memory 0))
      (func (export "count") (param i32)
        (loop
          (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "wait") (param i64) (result i32)
        (memory.atomic.wait32 (i32.const 16) (i32.const 0) (local.get 0)))
      (func (export "notify") (param i32) (result i32)
        (memory.atomic.notify (i32.const 16) (local.get 0)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"#;

fn instance(store: &mut Store<()>, module: &Module, memory: &SharedMemory) -> Instance {
    let memory = memory.attach(&mut *store).unwrap();
    Instance::new(store, module, &[memory.into()]).unwrap()
}

fn interruptible() -> Vec<Engine> {
    configured(|config| config.execution.interruptible = true)
}

#[test]
fn stores_on_several_threads_use_one_memory() {
    for engine in engines() {
        let module = module(&engine, MODULE);
        let memory = SharedMemory::new(&engine, shared(1, 200)).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut store = Store::new(&engine, ());
                    let instance = instance(&mut store, &module, &memory);
                    let count = instance.get_typed_func::<u32, ()>(&mut store, "count").unwrap();
                    count.call(&mut store, 10_000).unwrap();
                });
            }
        });
        assert_eq!(memory.atomic_u32(8).unwrap().load(Ordering::SeqCst).to_le(), 40_000);
    }
}

#[test]
fn the_host_copies_and_counts_but_borrows_nothing() {
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared(1, 2)).unwrap();
        let mut store = Store::new(&engine, ());
        let here = memory.attach(&mut store).unwrap();
        assert!(here.data(&store).is_empty());
        assert!(here.data_mut(&mut store).is_empty());
        assert!(here.data_and_store_mut(&mut store).0.is_empty());
        assert_eq!(here.data_size(&store), 1 << 16);
        here.write(&mut store, 65_530, b"dunlin").unwrap();
        let mut bytes = [0; 8];
        memory.read(65_528, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0\0dunlin");
        let outside = memory.write(65_531, b"dunlin").unwrap_err();
        assert_eq!(outside, here.write(&mut store, 65_531, b"dunlin").unwrap_err());
        assert!(memory.read(usize::MAX, &mut bytes).is_err());
        assert_eq!(memory.grow(1).unwrap(), 1);
        assert_eq!(here.size(&store), 2);
        assert_eq!(here.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(memory.atomic_u32(2).unwrap_err(), Trap::UnalignedAtomic);
        assert_eq!(memory.atomic_u64(1 << 17).unwrap_err(), Trap::MemoryOutOfBounds);
        assert_eq!(memory.wait32(0, 1, None), Ok(Woken::Mismatch));
        assert_eq!(memory.wait64(0, 0, Some(Duration::ZERO)), Ok(Woken::TimedOut));
        assert_eq!(memory.notify(1 << 17, 1), Err(Trap::MemoryOutOfBounds));
    }
}

#[test]
fn a_memory_goes_from_store_to_store() {
    for engine in engines() {
        let exporting = module(&engine, r#"(module (memory (export "memory") 1 9 shared))"#);
        let mut first = Store::new(&engine, ());
        let exported = Instance::new(&mut first, &exporting, &[]).unwrap();
        let here = exported.get_memory(&mut first, "memory").unwrap();
        let memory = here.shared(&first).unwrap();
        assert!(SharedMemory::same(&memory, &here.shared(&first).unwrap()));
        assert_eq!(memory.attach(&mut first).unwrap(), here, "it is there already");

        let importing = module(
            &engine,
            r#"(module
                 (import "a" "b" (memory 1 9 shared))
                 (func (export "load") (result i32) (i32.load (i32.const 0))))"#,
        );
        let mut linker = Linker::new(&engine);
        linker.define_shared("a", "b", &memory).unwrap();
        memory.write(0, &7u32.to_le_bytes()).unwrap();
        drop(first);
        for _ in 0..2 {
            let mut store = Store::new(&engine, ());
            let instance = linker.instantiate(&mut store, &importing).unwrap();
            let load = instance.get_typed_func::<(), u32>(&mut store, "load").unwrap();
            assert_eq!(load.call(&mut store, ()).unwrap(), 7);
        }
        let unshared = MemoryType { shared: false, ..shared(1, 9) };
        let mut store = Store::new(&engine, ());
        let wrong = Memory::new(&mut store, unshared).unwrap();
        assert!(wrong.shared(&store).is_none());
        let error = Instance::new(&mut store, &importing, &[wrong.into()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link);
        assert_eq!(SharedMemory::new(&engine, unshared).unwrap_err().kind(), ErrorKind::Misuse);
    }
}

#[test]
fn kinds_of_memory_do_not_mix() {
    let [guard, compact] = [MemoryKind::Guard, MemoryKind::Compact].map(|kind| {
        let mut config = Config::default();
        config.memory.kind = kind;
        Engine::new(&config)
    });
    let (Ok(guard), Ok(compact)) = (guard, compact) else { return };
    let memory = SharedMemory::new(&guard, shared(1, 1)).unwrap();
    let error = memory.attach(&mut Store::new(&compact, ())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
}

#[test]
fn a_wait_ends_by_notification_time_deadline_and_request() {
    for engine in interruptible() {
        let module = module(&engine, MODULE);
        let memory = SharedMemory::new(&engine, shared(1, 200)).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = instance(&mut store, &module, &memory);
        let wait = instance.get_typed_func::<i64, u32>(&mut store, "wait").unwrap();
        assert_eq!(wait.call(&mut store, 1_000_000).unwrap(), 2);

        thread::scope(|scope| {
            scope.spawn(|| while memory.notify(16, 1).unwrap() == 0 {});
            assert_eq!(wait.call(&mut store, -1).unwrap(), 0);
        });

        let start = Instant::now();
        store.set_deadline(Duration::from_millis(30)).unwrap();
        let error = wait.call(&mut store, -1).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupted));
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert_eq!(wait.call(&mut store, -1).unwrap_err().trap(), Some(Trap::Interrupted));
        store.clear_deadline();

        let handle = store.interrupt_handle().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(20));
                handle.interrupt();
            });
            let error = wait.call(&mut store, i64::MAX).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::Interrupted));
        });
        // Nobody is left waiting.
        assert_eq!(memory.notify(16, u32::MAX), Ok(0));
        assert_eq!(wait.call(&mut store, 0).unwrap(), 2);
    }
}

#[test]
fn all_who_wait_are_notified_by_the_largest_count() {
    for engine in interruptible() {
        let module = module(&engine, MODULE);
        let memory = SharedMemory::new(&engine, shared(1, 200)).unwrap();
        let (sender, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..20 {
                let (engine, module, memory) = (&engine, &module, &memory);
                let sender = sender.clone();
                scope.spawn(move || {
                    let mut store = Store::new(engine, ());
                    let instance = instance(&mut store, module, memory);
                    let wait = instance.get_typed_func::<i64, u32>(&mut store, "wait").unwrap();
                    sender.send(wait.call(&mut store, -1).unwrap()).unwrap();
                });
            }
            let mut store = Store::new(&engine, ());
            let instance = instance(&mut store, &module, &memory);
            let notify = instance.get_typed_func::<u32, u32>(&mut store, "notify").unwrap();
            let mut woken = 0;
            while woken < 20 {
                woken += notify.call(&mut store, u32::MAX).unwrap();
            }
            assert_eq!(woken, 20);
        });
        assert!(results.try_iter().take(20).all(|result| result == 0));
    }
}

#[test]
fn many_threads_grow_access_and_wait_at_once() {
    const THREADS: u32 = 64;
    for engine in interruptible() {
        let module = module(&engine, MODULE);
        let memory = SharedMemory::new(&engine, shared(1, 200)).unwrap();
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (engine, module, memory) = (&engine, &module, &memory);
                let run = move || {
                    let mut store = Store::new(engine, ());
                    let instance = instance(&mut store, module, memory);
                    let grow = instance.get_typed_func::<u32, i32>(&mut store, "grow").unwrap();
                    let set = instance.get_typed_func::<(u32, u32), ()>(&mut store, "store");
                    let (set, get) = (set.unwrap(), "load");
                    let get = instance.get_typed_func::<u32, u32>(&mut store, get).unwrap();
                    let wait = instance.get_typed_func::<i64, u32>(&mut store, "wait").unwrap();
                    let notify = instance.get_typed_func::<u32, u32>(&mut store, "notify").unwrap();
                    for round in 0..5 {
                        let page = grow.call(&mut store, 1).unwrap();
                        if let Ok(page @ 0..) = u32::try_from(page) {
                            // Nobody else was given this page.
                            let at = page * 65_536 + 65_532;
                            assert_eq!(get.call(&mut store, at).unwrap(), 0);
                            set.call(&mut store, (at, number << 8 | round)).unwrap();
                            assert_eq!(get.call(&mut store, at).unwrap(), number << 8 | round);
                        }
                        let beyond = get.call(&mut store, 200 * 65_536 - 1).unwrap_err();
                        assert_eq!(beyond.trap(), Some(Trap::MemoryOutOfBounds));
                        notify.call(&mut store, u32::MAX).unwrap();
                        assert_ne!(wait.call(&mut store, 200_000).unwrap(), 1);
                    }
                };
                let builder = thread::Builder::new().stack_size(256 << 10);
                builder.spawn_scoped(scope, run).unwrap();
            }
        });
        // 320 pages were asked for.
        assert_eq!(memory.size(), 200);
    }
}

/// Writes a value of up to 7 to the same bytes in every way there is, and gives the bits it saw.
const RACE: &str = r#"
    (module
      (import "host" "memory" (memory 1 200 shared))
      (data $sevens "\07\07\07\07\07\07\07\07\07\07\07\07\07\07\07\07\07\07\07")
      (func (export "race") (param $v i32) (param $n i32) (result i64)
        (local $seen i64) (local $wide i64) (local $at i32)
        (local.set $wide
          (i64.mul (i64.extend_i32_u (local.get $v)) (i64.const 0x0101_0101_0101_0101)))
        (loop
          (local.set $at (i32.and (local.get $n) (i32.const 15)))
          (memory.fill (i32.add (local.get $at) (i32.const 3)) (local.get $v) (i32.const 37))
          (memory.copy (i32.const 5) (local.get $at) (i32.const 33))
          (memory.init $sevens (local.get $at) (i32.const 0) (i32.const 19))
          (i64.store (local.get $at) (local.get $wide))
          (i32.store16 offset=9 (local.get $at) (i32.wrap_i64 (local.get $wide)))
          (v128.store offset=2 (local.get $at) (i64x2.splat (local.get $wide)))
          (drop (i64.atomic.rmw.xchg (i32.const 8) (local.get $wide)))
          (i32.atomic.store8 (local.get $at) (local.get $v))
          (local.set $seen (i64.or (local.get $seen) (i64.load offset=1 (local.get $at))))
          (local.set $seen (i64.or (local.get $seen) (i64.atomic.load (i32.const 16))))
          (local.set $seen (i64.or (local.get $seen)
            (i64x2.extract_lane 1 (v128.load offset=7 (local.get $at)))))
          (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $seen)))"#;

#[test]
fn guests_and_the_host_race_for_the_same_bytes() {
    for engine in engines() {
        let module = module(&engine, RACE);
        let memory = SharedMemory::new(&engine, shared(1, 200)).unwrap();
        thread::scope(|scope| {
            for value in 1..4 {
                let (engine, module, memory) = (&engine, &module, &memory);
                scope.spawn(move || {
                    let mut store = Store::new(engine, ());
                    let instance = instance(&mut store, module, memory);
                    let race = instance.get_typed_func::<(u32, u32), u64>(&mut store, "race");
                    let seen = race.unwrap().call(&mut store, (value, 2_000)).unwrap();
                    // No byte was ever anything that nobody has written.
                    assert_eq!(seen & 0xf8f8_f8f8_f8f8_f8f8, 0, "{seen:x}");
                });
            }
            for round in 0..1_000 {
                let mut bytes = [0xff; 53];
                memory.write(round % 8, &[4; 43]).unwrap();
                memory.read(round % 16, &mut bytes).unwrap();
                assert!(bytes.iter().all(|byte| *byte < 8), "{bytes:?}");
            }
        });
    }
}

#[test]
fn siblings_take_from_one_budget() {
    for engine in engines() {
        let limits = Limits { memory_bytes: 10 << 16, threads: 2, ..Limits::default() };
        let mut first = Store::with_limits(&engine, (), limits).unwrap();
        let memory = Memory::new(&mut first, shared(6, 200)).unwrap().shared(&first).unwrap();
        let mut second = Store::sibling_of(&first, "data of another type").unwrap();
        let here = memory.attach(&mut second).unwrap();
        assert_eq!(here.grow(&mut second, 3).unwrap(), 6);
        let unshared = MemoryType { shared: false, ..shared(2, 2) };
        assert_eq!(Memory::new(&mut first, unshared).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(memory.grow(2).unwrap_err().kind(), ErrorKind::Limit);
        Memory::new(&mut second, MemoryType { min: 1, ..unshared }).unwrap();
        assert!(memory.grow(1).is_err());
        second.charge(Resource::Threads, 1).unwrap();
        assert!(first.charge(Resource::Threads, 2).is_err());
        drop(second);
        first.charge(Resource::Threads, 2).unwrap();
        assert_eq!(memory.grow(1).unwrap(), 9);
        drop(first);
        // The memory still pays for itself.
        assert!(memory.grow(1).is_err());
    }
}

#[test]
fn siblings_share_fuel_and_deadline() {
    for engine in configured(|config| {
        config.execution.fuel = true;
        config.execution.interruptible = true;
    }) {
        let endless = module(&engine, r#"(module (func (export "run") (loop (br 0))))"#);
        let mut first = Store::new(&engine, ());
        first.set_fuel(1_000_000).unwrap();
        first.as_context_mut().share_fuel();
        assert_eq!(first.fuel().unwrap(), 1_000_000);
        let mut second = Store::sibling_of(&first, ()).unwrap();
        let instance = Instance::new(&mut second, &endless, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut second, "run").unwrap();
        assert_eq!(run.call(&mut second, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
        assert!(first.fuel().unwrap() < 1_000, "the other has used it");

        first.set_fuel(u64::MAX).unwrap();
        first.as_context_mut().share_fuel();
        first.set_deadline(Duration::from_millis(20)).unwrap();
        let mut third = Store::sibling_of(&first, ()).unwrap();
        let instance = Instance::new(&mut third, &endless, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut third, "run").unwrap();
        assert_eq!(run.call(&mut third, ()).unwrap_err().trap(), Some(Trap::Interrupted));
    }
}

#[test]
fn work_on_arrays_is_paid_from_shared_fuel_too() {
    for engine in configured(|config| config.execution.fuel = true) {
        let text = r#"(module (type $a (array (mut i8))) (memory 16)
            (func (export "array")
              (array.fill $a (array.new_default $a (i32.const 0x100000))
                (i32.const 0) (i32.const 1) (i32.const 0x100000)))
            (func (export "memory")
              (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))))"#;
        let module = module(&engine, text);
        for name in ["array", "memory"] {
            let mut store = Store::new(&engine, ());
            store.set_fuel(1_000_000).unwrap();
            store.as_context_mut().share_fuel();
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
            // More than is taken from the pool at a time.
            run.call(&mut store, ()).unwrap();
            let used = 1_000_000 - store.fuel().unwrap();
            assert!((16_384..100_000).contains(&used), "{name} used {used}");
        }
    }
}
