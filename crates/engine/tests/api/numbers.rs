//! Calls in both directions that pass numbers, which are made without slots where code is native: the same
//! as in the interpreter, whatever comes of them.

use std::sync::{Arc, OnceLock};

use dunlin_engine::{
    Caller, Config, Engine, Error, ErrorKind, Func, Instance, InterruptHandle, Linker, Store, Tier,
    Trap, TypedFunc,
};

use crate::module;

/// Engines that interpret, and that compile everything.
fn tiers() -> impl Iterator<Item = Engine> {
    [Tier::Interp, Tier::Opt].into_iter().map(|tier| {
        let mut config = Config::default();
        config.execution.tier = tier;
        config.execution.interruptible = true;
        Engine::new(&config).unwrap()
    })
}

/// An instance of a module whose imports are in `linker`.
fn linked(linker: &Linker<u32>, wat: &str) -> (Store<u32>, Instance) {
    let mut store = Store::new(linker.engine(), 0);
    let instance = linker.instantiate(&mut store, &module(linker.engine(), wat)).unwrap();
    // The first calls of a store are made in another way.
    if let Some(warm) = instance.get_func(&mut store, "warm") {
        for _ in 0..8 {
            warm.typed::<(), ()>(&store).unwrap().call(&mut store, ()).unwrap();
        }
    }
    (store, instance)
}

const ALL: &str = r#"(module
  (import "host" "all" (func $all
    (param f32 i32 f64 i64 f64 i32 f32 f64 i64 f64 f64 i32 f32) (result f64)))
  (import "host" "more" (func $more (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "host" "half" (func $half (param f32) (result f32)))
  (import "host" "wide" (func $wide (param i64) (result i64)))
  (import "host" "narrow" (func $narrow (param i32) (result i32)))
  (func (export "warm"))
  (func (export "all")
    (param f32 i32 f64 i64 f64 i32 f32 f64 i64 f64 f64 i32 f32) (result f64)
    (call $all (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
      (local.get 12)))
  (func (export "more") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $more (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
  (func (export "half") (param f32) (result f32) (call $half (local.get 0)))
  (func (export "wide") (param i64) (result i64) (call $wide (local.get 0)))
  (func (export "narrow") (param i64) (result i64)
    (i64.extend_i32_u (call $narrow (i32.wrap_i64 (local.get 0))))))"#;

#[test]
fn all_kinds_of_numbers_arrive() {
    type Many = (f32, i32, f64, i64, f64, u32, f32, f64, u64, f64, f64, i32, f32);
    for engine in tiers() {
        let mut linker = Linker::new(&engine);
        let all = |a: f32,
                   b: i32,
                   c: f64,
                   d: i64,
                   e: f64,
                   f: u32,
                   g: f32,
                   h: f64,
                   i: u64,
                   j: f64,
                   k: f64,
                   l: i32,
                   m: f32|
         -> f64 {
            let floats = [f64::from(a), c, e, f64::from(g), h, j, k, f64::from(m)];
            let ints = [i128::from(b), d.into(), f.into(), i.into(), l.into()];
            let weighed = (1..).zip(floats).map(|(at, float)| f64::from(at) * float).sum::<f64>();
            weighed + (1..).zip(ints).map(|(at, int)| at * int).sum::<i128>() as f64 / 1024.0
        };
        linker.func_wrap("host", "all", all).unwrap();
        linker
            .func_wrap("host", "more", |a: i32, b: i32, c: i32, d: i32, e: i32, f: i32| {
                a - b + c - d + e - f
            })
            .unwrap();
        linker.func_wrap("host", "half", |x: f32| f32::from_bits(x.to_bits() ^ 1)).unwrap();
        linker
            .func_wrap("host", "wide", |mut caller: Caller<'_, u32>, x: i64| {
                *caller.data_mut() += 1;
                !x
            })
            .unwrap();
        linker.func_wrap("host", "narrow", |x: i32| -x).unwrap();
        let (mut store, instance) = linked(&linker, ALL);
        let many =
            (0.5, -7, 1e300, i64::MIN, -2.25, u32::MAX, 3.5, 1e-3, u64::MAX, 8.0, 9.0, 77, -0.125);
        let call: TypedFunc<Many, f64> = instance.get_typed_func(&mut store, "all").unwrap();
        let (a, b, c, d, e, f, g, h, i, j, k, l, m) = many;
        assert_eq!(
            call.call(&mut store, many).unwrap(),
            all(a, b, c, d, e, f, g, h, i, j, k, l, m)
        );
        let many: TypedFunc<(i32, i32, i32, i32, i32, i32), i32> =
            instance.get_typed_func(&mut store, "more").unwrap();
        assert_eq!(many.call(&mut store, (1, 20, 300, 4000, 50000, 600000)).unwrap(), -553_719);
        let half = instance.get_typed_func::<f32, f32>(&mut store, "half").unwrap();
        for bits in [0, 0x7fc1_2345, 0xffa0_0001, 0x3f80_0000] {
            let result = half.call(&mut store, f32::from_bits(bits)).unwrap();
            assert_eq!(result.to_bits(), bits ^ 1, "bits of {bits:x} are passed on");
        }
        let wide = instance.get_typed_func::<i64, i64>(&mut store, "wide").unwrap();
        assert_eq!(wide.call(&mut store, 0x1234_5678_9abc_def0).unwrap(), !0x1234_5678_9abc_def0);
        assert_eq!(*store.data(), 1);
        let narrow = instance.get_typed_func::<u64, u64>(&mut store, "narrow").unwrap();
        assert_eq!(narrow.call(&mut store, 0xffff_ffff_0000_0001).unwrap(), 0xffff_ffff);
    }
}

const FAILS: &str = r#"(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "warm"))
  (func $inner (param i32) (result i32)
    (i32.add (call $f (local.get 0)) (i32.const 1)))
  (func (export "outer") (param i32) (result i32)
    (i32.add (call $inner (local.get 0)) (i32.const 1)))
  (func (export "spin") (param i32)
    (loop (drop (call $f (local.get 0))) (br 0)))
  (func (export "tail") (param i32) (result i32) (return_call $f (local.get 0)))
  (func (export "trap") (param i32) (result i32)
    (i32.div_u (i32.const 1) (local.get 0))))"#;

/// Calls `outer`, which must fail where `$inner` called the host.
fn fails(linker: &Linker<u32>, param: i32) -> (Store<u32>, Instance, Error) {
    let (mut store, instance) = linked(linker, FAILS);
    let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
    assert_eq!(outer.call(&mut store, 1).unwrap(), 3);
    let error = outer.call(&mut store, param).unwrap_err();
    let names: Vec<_> =
        error.backtrace().unwrap().frames.iter().map(|frame| frame.func().0).collect();
    assert_eq!(names, [2, 3], "{error}");
    (store, instance, error)
}

#[test]
fn errors_and_panics_of_functions_that_see_nothing_are_contained() {
    for engine in tiers() {
        let mut linker = Linker::new(&engine);
        let f = |x: i32| if x == 1 { Ok(x) } else { Err(Error::msg("no")) };
        linker.func_wrap("host", "f", f).unwrap();
        let (mut store, instance, error) = fails(&linker, 2);
        assert_eq!(error.to_string(), "no");
        let tail = instance.get_typed_func::<i32, i32>(&mut store, "tail").unwrap();
        assert_eq!(tail.call(&mut store, 1).unwrap(), 1);
        tail.call(&mut store, 2).unwrap_err();
        let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
        assert_eq!(outer.call(&mut store, 1).unwrap(), 3, "the store goes on");

        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "f", |x: i32| if x == 1 { x } else { panic!("found {x}") })
            .unwrap();
        let (mut store, instance, error) = fails(&linker, 2);
        assert_eq!(error.trap(), Some(Trap::HostPanic));
        assert!(error.to_string().contains("found 2"), "{error}");
        let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
        let error = outer.call(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "the store does not go on");
    }
}

#[test]
fn guests_trap_and_are_called_again() {
    for engine in tiers() {
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "f", |x: i32| x).unwrap();
        let (mut store, instance) = linked(&linker, FAILS);
        let trap = instance.get_typed_func::<i32, i32>(&mut store, "trap").unwrap();
        for _ in 0..3 {
            assert_eq!(trap.call(&mut store, 1).unwrap(), 1);
            let error = trap.call(&mut store, 0).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
            assert_eq!(error.backtrace().unwrap().frames.len(), 1);
        }
    }
}

#[test]
fn a_function_that_sees_its_store_calls_the_guest_again() {
    for engine in tiers() {
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, u32>, depth: i32| -> Result<i32, Error> {
            *caller.data_mut() += 1;
            match depth {
                0 => Err(Error::msg("deep enough")),
                1 => Ok(100),
                _ => {
                    let outer = caller.get_export("outer").and_then(|it| it.into_func());
                    outer.unwrap().typed::<i32, i32>(&caller)?.call(&mut caller, depth - 2)
                }
            }
        };
        linker.func_wrap("host", "f", f).unwrap();
        let (mut store, instance) = linked(&linker, FAILS);
        let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
        assert_eq!(outer.call(&mut store, 7).unwrap(), 108);
        assert_eq!(*store.data(), 4);
        let error = outer.call(&mut store, 6).unwrap_err();
        assert!(error.to_string().contains("deep enough"), "{error}");
        assert_eq!(error.backtrace().unwrap().frames.len(), 8, "of all calls inside one another");
        assert_eq!(outer.call(&mut store, 7).unwrap(), 108);
    }
}

#[test]
fn who_was_asked_to_stop_calls_nobody() {
    for engine in tiers() {
        let mut linker = Linker::new(&engine);
        let handle = Arc::new(OnceLock::<InterruptHandle>::new());
        let asked = handle.clone();
        let f = move |x: i32| {
            if let (2, Some(handle)) = (x, asked.get()) {
                handle.interrupt();
            }
            x
        };
        linker.func_wrap("host", "f", f).unwrap();
        let (mut store, instance) = linked(&linker, FAILS);
        let outer = instance.get_typed_func::<i32, i32>(&mut store, "outer").unwrap();
        let spin = instance.get_typed_func::<i32, ()>(&mut store, "spin").unwrap();
        assert_eq!(outer.call(&mut store, 1).unwrap(), 3);
        let handle = handle.get_or_init(|| store.interrupt_handle().unwrap());
        handle.interrupt();
        let error = outer.call(&mut store, 1).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupted));
        assert_eq!(outer.call(&mut store, 1).unwrap(), 3, "once");
        let error = spin.call(&mut store, 2).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupted));
        assert_eq!(outer.call(&mut store, 1).unwrap(), 3, "once");
    }
}

#[test]
fn host_functions_of_numbers_are_called_through_tables_and_by_the_host() {
    for engine in tiers() {
        let mut store = Store::new(&engine, ());
        let add = Func::wrap(&mut store, |a: i64, b: f64| a as f64 + b);
        let module = module(
            &engine,
            r#"(module
                 (type $add (func (param i64 f64) (result f64)))
                 (import "host" "add" (func $add (type $add)))
                 (table funcref (elem $add))
                 (func (export "call") (param i64 f64) (result f64)
                   (call_indirect (type $add) (local.get 0) (local.get 1) (i32.const 0))))"#,
        );
        let instance = Instance::new(&mut store, &module, &[add.into()]).unwrap();
        let call = instance.get_typed_func::<(i64, f64), f64>(&mut store, "call").unwrap();
        let add = add.typed::<(i64, f64), f64>(&store).unwrap();
        for _ in 0..8 {
            assert_eq!(call.call(&mut store, (-3, 0.5)).unwrap(), -2.5);
            assert_eq!(add.call(&mut store, (-3, 0.5)).unwrap(), -2.5);
        }
        let mut other = Store::new(&engine, ());
        assert_eq!(call.call(&mut other, (1, 1.0)).unwrap_err().kind(), ErrorKind::Misuse);
    }
}
