//! Several threads: what may be shared, and stopping a guest from elsewhere.

use std::sync::{Mutex, mpsc};
use std::thread;

use dunlin_engine::{
    Engine, Error, Func, Instance, InterruptHandle, Linker, Memory, Module, Store, Trap, TypedFunc,
};

use crate::{configured, module};

#[test]
fn what_is_shared_and_what_is_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Engine>();
    shared::<Module>();
    shared::<Linker<u32>>();
    shared::<InterruptHandle>();
    shared::<Error>();
    shared::<(Func, Memory, Instance)>();
    shared::<TypedFunc<(i32, f64), ()>>();
    sent::<Store<u32>>();
}

#[test]
fn one_module_runs_on_many_threads() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module
             (func $fib (export "fib") (param i32) (result i32)
               (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                 (then (local.get 0))
                 (else (i32.add
                   (call $fib (i32.sub (local.get 0) (i32.const 1)))
                   (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    );
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let fib = instance.get_typed_func::<u32, u32>(&mut store, "fib").unwrap();
                assert_eq!(fib.call(&mut store, 15).unwrap(), 610);
            });
        }
    });
}

#[test]
fn a_guest_is_interrupted_from_another_thread() {
    for engine in configured(|config| config.execution.interruptible = true) {
        let (started, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let mut store = Store::new(&engine, started);
        let start =
            Func::wrap(&mut store, |caller: dunlin_engine::Caller<'_, mpsc::Sender<()>>| {
                caller.data().send(())?;
                Ok(())
            });
        let wat = r#"(module (import "" "" (func $start))
            (func (export "f") (call $start) (loop br 0))
            (func (export "g")))"#;
        let instance = Instance::new(&mut store, &module(&engine, wat), &[start.into()]).unwrap();
        let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        let g = instance.get_typed_func::<(), ()>(&mut store, "g").unwrap();
        for _ in 0..3 {
            let handle = store.interrupt_handle().unwrap();
            let error = thread::scope(|scope| {
                scope.spawn(|| {
                    wait.lock().unwrap().recv().unwrap();
                    handle.interrupt();
                });
                f.call(&mut store, ()).unwrap_err()
            });
            assert_eq!(error.trap(), Some(Trap::Interrupted));
            // It stopped one call, and the next one runs.
            g.call(&mut store, ()).unwrap();
        }
    }
}

#[test]
fn a_handle_may_outlive_its_store() {
    let engine = configured(|config| config.execution.interruptible = true).remove(0);
    let store = Store::new(&engine, ());
    let handle = store.interrupt_handle().unwrap();
    drop(store);
    handle.interrupt();
}
