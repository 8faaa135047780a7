//! Deadlines: guests that run on are stopped, all others are left alone.

use std::time::{Duration, Instant};

use dunlin_engine::{AsContextMut, Caller, Engine, ErrorKind, Func, Instance, Result, Store, Trap};

use crate::{check_snapshot, configured, module};

/// Guests that never end by themselves, each in another way.
const ENDLESS: &[&str] = &[
    r#"(module (func (export "f") (loop br 0)))"#,
    r#"(module (func $f (export "f") (return_call $f)))"#,
    r#"(module (func $f (export "f") (loop (call $g) (br 0))) (func $g))"#,
    r#"(module (func (export "f") (loop (br_table 0 0 (i32.const 1)))))"#,
    r#"(module (func (export "f") (loop (br_if 0 (i32.const 1)))))"#,
    r#"(module (memory 256) (func (export "f")
         (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 0xff_0000)) (br 0))))"#,
];

/// Generous, for machines with much to do: the point is that it ends at all.
const LATE: Duration = Duration::from_secs(20);

#[test]
fn endless_guests_are_stopped() {
    for engine in configured(|config| config.execution.interruptible = true) {
        for wat in ENDLESS {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module(&engine, wat), &[]).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            let start = Instant::now();
            store.set_deadline(Duration::from_millis(10)).unwrap();
            let error = f.call(&mut store, ()).unwrap_err();
            let took = start.elapsed();
            assert_eq!(error.trap(), Some(Trap::Interrupted), "{wat}");
            assert!(took >= Duration::from_millis(10) && took < LATE, "{wat}: {took:?}");
            // It has passed for every later call too, until it is cleared or set again.
            assert_eq!(f.call(&mut store, ()).unwrap_err().trap(), Some(Trap::Interrupted));
            store.set_deadline(Duration::from_millis(1)).unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap_err().trap(), Some(Trap::Interrupted));
        }
    }
}

#[test]
fn a_deadline_that_does_not_pass_changes_nothing() {
    let engine = configured(|config| config.execution.interruptible = true).remove(0);
    let mut store = Store::new(&engine, ());
    let wat = r#"(module (func (export "f") (result i32) (i32.const 3)))"#;
    let instance = Instance::new(&mut store, &module(&engine, wat), &[]).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    store.set_deadline(Duration::from_secs(3600)).unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 3);
    store.set_deadline(Duration::MAX).unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 3);
    store.set_deadline(Duration::ZERO).unwrap();
    let start = Instant::now();
    while f.call(&mut store, ()).is_ok() {
        assert!(start.elapsed() < LATE);
        std::thread::yield_now();
    }
    store.clear_deadline();
    assert_eq!(f.call(&mut store, ()).unwrap(), 3);
}

#[test]
fn a_host_function_that_waits_sees_the_deadline_pass() {
    let engine = configured(|config| config.execution.interruptible = true).remove(0);
    let mut store = Store::new(&engine, ());
    let wait = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<u32> {
        assert!(!caller.is_interrupted());
        caller.as_context_mut().set_deadline(Duration::from_millis(1))?;
        let start = Instant::now();
        while !caller.is_interrupted() && start.elapsed() < LATE {
            std::thread::yield_now();
        }
        Ok(u32::from(caller.is_interrupted()))
    });
    store.set_deadline(Duration::from_secs(3600)).unwrap();
    let wait = wait.typed::<(), u32>(&store).unwrap();
    assert_eq!(wait.call(&mut store, ()).unwrap(), 1);
}

#[test]
fn an_engine_whose_code_cannot_be_stopped_says_so() {
    let mut store = Store::new(&Engine::default(), ());
    let deadline = store.set_deadline(Duration::from_secs(1)).unwrap_err();
    let handle = store.interrupt_handle().unwrap_err();
    assert_eq!(deadline.kind(), ErrorKind::Misuse);
    check_snapshot("interruption_off", format!("{}\n{}", deadline.report(), handle.report()));
}
