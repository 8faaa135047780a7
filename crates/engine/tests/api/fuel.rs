//! Fuel: counted exactly, and only if the engine counts it.

use dunlin_engine::{Caller, Engine, ErrorKind, Func, Instance, Store, Trap};

use crate::{check_snapshot, configured, module};

const SUM: &str = r#"
    (module
      (func $add (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
      (func (export "sum") (param $n i64) (result i64)
        (local $sum i64)
        (loop $next
          (local.set $sum (call $add (local.get $sum) (local.get $n)))
          (local.set $n (i64.sub (local.get $n) (i64.const 1)))
          (br_if $next (i64.ne (local.get $n) (i64.const 0))))
        (local.get $sum)))"#;

#[test]
fn the_same_work_costs_the_same_to_the_last_unit() {
    for engine in configured(|config| config.execution.fuel = true) {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module(&engine, SUM), &[]).unwrap();
        let sum = instance.get_typed_func::<u64, u64>(&mut store, "sum").unwrap();
        let mut cost = |n: u64| {
            store.set_fuel(1 << 40).unwrap();
            assert_eq!(sum.call(&mut store, n).unwrap(), n * (n + 1) / 2);
            (1 << 40) - store.fuel().unwrap()
        };
        let (one, hundred, thousand) = (cost(1), cost(100), cost(1000));
        assert_eq!(cost(100), hundred);
        assert!(one > 0);
        assert_eq!((hundred - one) % 99, 0);
        assert_eq!(thousand - one, (hundred - one) / 99 * 999, "each iteration costs the same");

        store.set_fuel(thousand).unwrap();
        assert_eq!(sum.call(&mut store, 1000).unwrap(), 500_500);
        assert_eq!(store.fuel().unwrap(), 0);
        store.set_fuel(thousand - 1).unwrap();
        let error = sum.call(&mut store, 1000).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::OutOfFuel));
        check_snapshot("out_of_fuel", error.report());
    }
}

#[test]
fn a_store_starts_without_fuel() {
    for engine in configured(|config| config.execution.fuel = true) {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module(&engine, SUM), &[]).unwrap();
        let sum = instance.get_typed_func::<u64, u64>(&mut store, "sum").unwrap();
        assert_eq!(store.fuel().unwrap(), 0);
        assert_eq!(sum.call(&mut store, 1).unwrap_err().trap(), Some(Trap::OutOfFuel));
    }
}

#[test]
fn endless_loops_and_recursion_run_dry() {
    for engine in configured(|config| config.execution.fuel = true) {
        for wat in [
            r#"(module (func (export "f") (loop br 0)))"#,
            r#"(module (func $f (export "f") (return_call $f)))"#,
            r#"(module (memory 1) (func (export "f")
                 (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0))))"#,
            r#"(module (table 1 funcref) (elem (i32.const 0) func $f)
                 (func $f (export "f") (return_call_indirect (i32.const 0))))"#,
        ] {
            let mut store = Store::new(&engine, ());
            store.set_fuel(100_000).unwrap();
            let instance = Instance::new(&mut store, &module(&engine, wat), &[]).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
        }
    }
}

#[test]
fn a_host_function_can_pay_and_charge() {
    let engine = configured(|config| config.execution.fuel = true).remove(0);
    let mut store = Store::new(&engine, ());
    let charge = Func::wrap(&mut store, |mut caller: Caller<'_, ()>, n: u64| {
        let left = caller.fuel()?.saturating_sub(n);
        caller.set_fuel(left)
    });
    let wat = r#"(module
        (import "" "" (func $charge (param i64)))
        (func (export "f") (param i64)
          (local $n i32)
          (call $charge (local.get 0))
          (loop $next
            (br_if $next
              (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 9))))))"#;
    let instance = Instance::new(&mut store, &module(&engine, wat), &[charge.into()]).unwrap();
    let f = instance.get_typed_func::<u64, ()>(&mut store, "f").unwrap();
    let mut cost = |charged| {
        store.set_fuel(10_000).unwrap();
        f.call(&mut store, charged).unwrap();
        10_000 - store.fuel().unwrap()
    };
    assert_eq!(cost(5000) - cost(0), 5000);
    store.set_fuel(10_000).unwrap();
    let error = f.call(&mut store, 10_000).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
}

#[test]
fn an_engine_that_does_not_count_says_so() {
    let mut store = Store::new(&Engine::default(), ());
    let errors = [store.set_fuel(1).unwrap_err(), store.fuel().unwrap_err()];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Misuse));
    let [set, read] = errors.map(|error| error.report().to_string());
    check_snapshot("fuel_off", format!("{set}\n{read}"));
}
