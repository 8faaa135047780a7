//! Guests that go from tier to tier, where the host is in between or the native stack is almost used up.

use std::time::Duration;

use dunlin_engine::{
    AsContextMut, Caller, Config, Engine, ExternType, Func, FuncType, Instance, MemoryKind, Store,
    Tier, Trap, Val,
};

use crate::{instance, module};

/// Each tier that this build has, with a configuration changed.
fn tiers(change: impl Fn(&mut Config)) -> Vec<(Tier, Engine)> {
    let mut tiers = vec![Tier::Interp];
    if Engine::default().has_tiers() {
        tiers.extend([Tier::Opt, Tier::Eager, Tier::Loops]);
    }
    let engine = |tier| {
        let mut config = Config::default();
        config.memory.kind = MemoryKind::Compact;
        config.execution.tier = tier;
        change(&mut config);
        (tier, Engine::new(&config).unwrap())
    };
    tiers.into_iter().map(engine).collect()
}

/// How deep a guest and the host call each other until the value stack of so many slots is used up.
fn depth_through_host(slots: usize, params: &str, locals: usize) -> Vec<(Tier, u32)> {
    let wat = format!(
        r#"(module
             (import "host" "again" (func $again (param i32 {params}) (result i32)))
             (func (export "f") (param i32 {params}) (result i32) (local {locals})
               (call $again (i32.add (local.get 0) (i32.const 1)) {args})))"#,
        locals = "i64 ".repeat(locals),
        args = (1..=params.split_whitespace().count())
            .map(|at| format!("(local.get {at})"))
            .collect::<String>(),
    );
    let engines = tiers(|config| {
        config.execution.deterministic = true;
        config.limits.value_stack_slots = slots;
    });
    let depth = |(tier, engine): (Tier, Engine)| {
        let mut store = Store::new(&engine, 0);
        let module = module(&engine, &wat);
        let import = module.imports().next().unwrap();
        let ty = match import.ty() {
            ExternType::Func { ty, .. } => FuncType::clone(ty),
            other => panic!("{other}"),
        };
        let again =
            Func::new(&mut store, ty.clone(), |mut caller: Caller<'_, u32>, args, results| {
                *caller.data_mut() = args[0].i32().unwrap() as u32;
                let f = caller.get_export("f").and_then(|f| f.into_func()).unwrap();
                f.call(&mut caller, args, results)
            });
        let instance = Instance::new(&mut store, &module, &[again.into()]).unwrap();
        let f = instance.get_func(&mut store, "f").unwrap();
        let args: Vec<_> = ty.params.iter().map(|ty| Val::default_for(*ty).unwrap()).collect();
        let error = f.call(&mut store, &args, &mut [Val::I32(0)]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
        (tier, *store.data())
    };
    engines.into_iter().map(depth).collect()
}

#[test]
fn calls_through_the_host_are_as_deep_in_every_tier() {
    for slots in 1000..1060 {
        for params in ["", "i32 i64", "i32 i64 i32 i32 i32", "f64"] {
            let depths = depth_through_host(slots, params, 30);
            assert!(depths[0].1 > 10, "{depths:?}");
            assert!(depths.iter().all(|d| d.1 == depths[0].1), "{slots}, {params}: {depths:?}");
        }
    }
}

/// A function that recurs so often before it calls `$end`.
const DEEP: &str = r#"
  (global $g (mut i64) (i64.const 0))
  (func $deep (export "deep") (param i32) (result i32)
    (global.get $g) (global.get $g) (global.get $g) (global.get $g) (global.get $g)
    (global.set $g (i64.add (global.get $g) (i64.const 1)))
    (global.get $g) (global.get $g) (global.get $g) (global.get $g) (global.get $g)
    (global.set $g (i64.add (global.get $g) (i64.const 2)))
    (global.get $g) (global.get $g) (global.get $g) (global.get $g) (global.get $g)
    (global.set $g (i64.add (global.get $g) (i64.const 3)))
    (global.get $g) (global.get $g) (global.get $g) (global.get $g) (global.get $g)
    (global.set $g (i64.add (global.get $g) (i64.const 4)))
    (global.get $g) (global.get $g) (global.get $g) (global.get $g) (global.get $g)
    (if (result i32) (local.get 0)
      (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
      (else (call $end)))
    (local.set 0)
    i64.add i64.xor i64.add i64.sub i64.mul i64.xor i64.add i64.sub i64.add i64.xor i64.add i64.sub
    i64.mul i64.xor i64.add i64.sub i64.add i64.xor i64.add i64.sub i64.mul i64.xor i64.add i64.sub
    (global.set $g)
    (local.get 0))"#;

/// How deep two functions call each other, of which one is interpreted in the deterministic profile.
fn depth_between_tiers(slots: usize) -> Vec<(Tier, i32)> {
    let wat = r#"(module
        (type $f (func (param i64 f64) (result i64)))
        (table funcref (elem $interpreted))
        (global $depth (export "depth") (mut i32) (i32.const 0))
        (func $interpreted (export "f") (type $f) (local i64 i64)
          (if (i64.lt_s (local.get 0) (i64.const 0))
            (then (return_call_indirect (type $f) (local.get 0) (local.get 1) (i32.const 0))))
          (call $native (local.get 0) (local.get 1)))
        (func $native (param i64 f64) (result i64) (local v128)
          (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
          (loop $again
            (if (i32.rem_u (global.get $depth) (i32.const 3))
              (then (return (call $native (local.get 0) (local.get 1))))))
          (call $interpreted (local.get 0) (local.get 1))))"#;
    let engines = tiers(|config| {
        config.execution.deterministic = true;
        config.limits.value_stack_slots = slots;
    });
    let depth = |(tier, engine): (Tier, Engine)| {
        let (mut store, instance) = instance(&engine, wat);
        let f = instance.get_typed_func::<(i64, f64), i64>(&mut store, "f").unwrap();
        let global = instance.get_global(&mut store, "depth").unwrap();
        let mut depth = 0;
        for _ in 0..3 {
            global.set(&mut store, Val::I32(0)).unwrap();
            let error = f.call(&mut store, (1, 1.0)).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
            depth = depth * 1000 + global.get(&mut store).i32().unwrap();
        }
        (tier, depth)
    };
    engines.into_iter().map(depth).collect()
}

#[test]
fn calls_between_tiers_are_as_deep_as_in_one() {
    for slots in 1000..1040 {
        let depths = depth_between_tiers(slots);
        assert!(depths[0].1 > 10, "{depths:?}");
        assert!(depths.iter().all(|d| d.1 == depths[0].1), "{slots}: {depths:?}");
    }
}

#[test]
fn a_deadline_that_the_host_puts_off_leaves_the_end_of_the_native_stack_where_it_is() {
    let wat = format!(
        r#"(module (import "host" "wait" (func $wait))
             (func (export "f") (param i32) (result i32) (call $wait) (call $deep (local.get 0)))
             (func $end (result i32) (i32.const 0)) {DEEP})"#
    );
    for (tier, engine) in tiers(|config| {
        config.execution.interruptible = true;
        config.limits.value_stack_slots = 1 << 24;
    }) {
        let mut store = Store::new(&engine, ());
        let wait = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| {
            let mut store = caller.as_context_mut();
            store.set_deadline(Duration::ZERO).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            store.set_deadline(Duration::from_secs(3600)).unwrap();
        });
        let instance = Instance::new(&mut store, &module(&engine, &wat), &[wait.into()]).unwrap();
        let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        for _ in 0..3 {
            assert_eq!(f.call(&mut store, 200_000).unwrap(), 200_000, "{tier:?}");
        }
    }
}

/// A function that takes the compiler some stack.
fn costly() -> String {
    let mut body = String::new();
    for at in 0..400 {
        body += &format!(
            "(local.set {} (i64.add (i64.mul (local.get {}) (i64.extend_i32_s (i32.wrap_i64 \
             (local.get {})))) (i64.const {at})))",
            at % 7,
            (at + 1) % 7,
            (at + 3) % 7,
        );
    }
    format!(
        "(func $end (result i32) (local i64 i64 i64 i64 i64 i64 i64) {body} (i32.wrap_i64 \
         (i64.and (local.get 0) (i64.const 0))))"
    )
}

#[test]
fn what_is_called_first_where_little_of_the_stack_is_left_is_compiled_all_the_same() {
    let wat = format!("(module {} {DEEP})", costly());
    for (tier, engine) in tiers(|config| config.limits.value_stack_slots = 1 << 24) {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module(&engine, &wat), &[]).unwrap();
        let f = instance.get_typed_func::<i32, i32>(&mut store, "deep").unwrap();
        assert_eq!(f.call(&mut store, 200_000).unwrap(), 200_000, "{tier:?}");
    }
}

#[test]
fn tail_calls_between_tiers_take_no_stack() {
    // The smallest frame that can be called takes more than the value stack holds a thousand times.
    let params = "i64 ".repeat(998);
    let rest: String = (1..=998).map(|at| format!("(local.get {at})")).collect();
    let start = "(i64.const 5)".repeat(998);
    let ty = format!("(type $f (func (param i32 {params}) (result i32)))");
    let native = format!(
        r#"(func $native (type $f)
             (if (i32.eqz (local.get 0)) (then (return (i32.wrap_i64 (local.get 998)))))
             (return_call $interpreted (local.get 0) {rest}))
           (func (export "f") (param i32) (result i32)
             (call $interpreted (local.get 0) {start}))"#
    );
    // What has such instructions is interpreted.
    let switching = format!(
        r#"(module {ty} (type $n (func)) (type $c (cont $n)) {native}
             (func $interpreted (type $f)
               (if (i32.lt_s (local.get 0) (i32.const 0))
                 (then (drop (cont.new $c (ref.null $n)))))
               (return_call $native (i32.sub (local.get 0) (i32.const 1)) {rest})))"#
    );
    // And these in the deterministic profile.
    let indirect = format!(
        r#"(module {ty} (table funcref (elem $native)) {native}
             (func $interpreted (type $f)
               (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) {rest}
                 (i32.const 0))))"#
    );
    let call = |wat: &str, deterministic| {
        let engines = tiers(|config| {
            config.features.stack_switching = true;
            config.execution.deterministic = deterministic;
        });
        for (tier, engine) in engines {
            let (mut store, instance) = instance(&engine, wat);
            let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
            for _ in 0..3 {
                let result = f.call(&mut store, 5_000);
                assert_eq!(result.map_err(|e| e.to_string()), Ok(5), "{tier:?} {deterministic}");
            }
        }
    };
    // With so much native stack that it is not used up first.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(64 << 20);
        let work = || {
            call(&switching, false);
            call(&indirect, true);
        };
        thread.spawn_scoped(scope, work).unwrap().join().unwrap();
    });
}

/// The largest frame that native code may have, on the smallest stacks.
#[test]
fn small_threads_run_large_functions() {
    // More vectors than registers, all of them there at once.
    let count = 3000;
    let loads: String =
        (0..count).map(|at| format!("(v128.load offset={} (local.get 0))", at * 16)).collect();
    let adds = "(i64x2.add)".repeat(count - 1);
    let wat = format!(
        r#"(module (memory (export "m") 1)
             (func (export "f") (param i32) (result i64)
               {loads} {adds} (i64x2.extract_lane 0)))"#
    );
    for (tier, engine) in tiers(|_| ()) {
        let module = module(&engine, &wat);
        for kilobytes in [64, 96, 128, 192, 256, 512] {
            let (engine, module) = (&engine, &module);
            std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().stack_size(kilobytes << 10);
                let work = move || {
                    let mut store = Store::new(engine, ());
                    let instance = Instance::new(&mut store, module, &[]).unwrap();
                    let f = instance.get_typed_func::<i32, i64>(&mut store, "f").unwrap();
                    for _ in 0..3 {
                        assert_eq!(f.call(&mut store, 0).unwrap(), 0, "{tier:?}");
                    }
                };
                thread.spawn_scoped(scope, work).unwrap().join().unwrap();
            });
        }
    }
}

#[test]
fn what_is_thrown_where_a_loop_was_taken_over_passes_native_callers() {
    let again = "(loop (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $n) (i32.const 5))))";
    let wat = format!(
        r#"(module (tag $t (param i32))
             (global $after (export "after") (mut i32) (i32.const 0))
             (func $throw (param i32) (result i32) (local $n i32)
               {again} (throw $t (local.get 0)))
             (func $middle (param i32) (result i32) (local $n i32)
               {again} (drop (call $throw (local.get 0)))
               (global.set $after (i32.const 1)) (i32.const 7))
             (func (export "f") (param i32) (result i32)
               (block $caught (result i32)
                 (try_table (result i32) (catch $t $caught)
                   (i32.add (call $middle (local.get 0)) (i32.const 1000))))))"#
    );
    for (tier, engine) in tiers(|_| ()) {
        let (mut store, instance) = instance(&engine, &wat);
        let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        for number in 0..4 {
            assert_eq!(f.call(&mut store, number).unwrap(), number, "{tier:?}");
        }
        let after = instance.get_global(&mut store, "after").unwrap().get(&mut store);
        assert_eq!(after.i32(), Some(0), "{tier:?}");
    }
}

/// Bodies of endless loops, each of another kind of instruction.
const ENDLESS: &[&str] = &[
    "(loop (br 0))",
    "(loop (drop (memory.size)) (br 0))",
    "(loop (drop (memory.grow (i32.const 0))) (br 0))",
    "(loop (call $empty) (br 0))",
    "(loop (call_ref $f (ref.func $nothing)) (br 0))",
    "(loop (call_indirect (type $f) (i32.const 0)) (br 0))",
    "(return_call_indirect (type $f) (i32.const 1))",
    "(return_call_ref $f (ref.func $endless))",
    "(return_call $endless)",
    "(loop (block (try_table (catch_all 0) (throw $t))) (br 0))",
    "(loop (block (try_table (catch_all 0) (call $throws))) (br 0))",
    "(loop (block (try_table (catch_all 0) (call $fails))) (br 0))",
    "(loop (drop (struct.new_default $s)) (br 0))",
    "(loop (drop (array.new_default $a (i32.const 100000))) (br 0))",
    "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0))",
    "(loop (drop (memory.atomic.wait32 $m (i32.const 0) (i32.const 0) (i64.const 0))) (br 0))",
    "(loop (drop (memory.atomic.wait32 $m (i32.const 0) (i32.const 0) (i64.const -1))) (br 0))",
    "(loop (drop (i32.atomic.rmw.add $m (i32.const 0) (i32.const 1))) (br 0))",
    "(loop (br_table 0 0 0 (i32.const 1)))",
    "(loop (drop (table.grow 0 (ref.null $f) (i32.const 0))) (br 0))",
];

#[test]
fn endless_guests_are_stopped_in_every_tier() {
    let engines = tiers(|config| config.execution.interruptible = true);
    for body in ENDLESS {
        let wat = format!(
            r#"(module
                 (type $f (func)) (type $s (struct (field i64))) (type $a (array (mut i8)))
                 (import "host" "empty" (func $empty)) (import "host" "fails" (func $fails))
                 (tag $t) (memory 1) (memory $m 1 1 shared)
                 (table 2 (ref null $f)) (elem (table 0) (i32.const 0) (ref null $f)
                   (ref.func $nothing) (ref.func $endless))
                 (func $nothing) (func $throws (throw $t))
                 (func $endless (export "f") (type $f) {body}))"#
        );
        for (tier, engine) in &engines {
            let mut store = Store::new(engine, ());
            let empty = Func::wrap(&mut store, || ());
            // What a guest threw into the host comes back as it was.
            let text = r#"(module (tag $t) (func (export "throw") (throw $t)))"#;
            let thrower = Instance::new(&mut store, &module(engine, text), &[]).unwrap();
            let throw = thrower.get_func(&mut store, "throw").unwrap();
            let fails = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
                throw.call(&mut caller, &[], &mut [])
            });
            let imports = [empty.into(), fails.into()];
            let instance = Instance::new(&mut store, &module(engine, &wat), &imports).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            for _ in 0..2 {
                store.set_deadline(Duration::from_millis(10)).unwrap();
                let error = f.call(&mut store, ()).unwrap_err();
                assert_eq!(error.trap(), Some(Trap::Interrupted), "{tier:?}: {body}");
            }
        }
    }
}
