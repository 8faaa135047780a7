//! Stores: the host's data, and what becomes of a store in which the host panicked.

use std::sync::Arc;

use dunlin_engine::{
    AsContext, AsContextMut, Caller, Engine, ErrorKind, Func, Store, StoreContext, StoreContextMut,
    Trap,
};

use crate::{check_snapshot, instance};

#[test]
fn data_is_reached_through_every_context() {
    fn read<C: AsContext<Data = u32>>(context: C) -> u32 {
        *context.as_context().data()
    }
    fn add<C: AsContextMut<Data = u32>>(mut context: C, n: u32) {
        *context.as_context_mut().data_mut() += n;
    }
    let mut store = Store::new(&Engine::default(), 1u32);
    add(&mut store, 1);
    add(&mut &mut store, 1);
    add(store.as_context_mut(), 1);
    add(StoreContextMut::from(&mut store), 1);
    let through = Func::wrap(&mut store, |mut caller: Caller<'_, u32>| {
        add(&mut caller, 10);
        add(caller.as_context_mut(), 10);
        read(&caller)
    });
    assert_eq!(through.typed::<(), u32>(&store).unwrap().call(&mut store, ()).unwrap(), 25);
    assert_eq!(read(&store), 25);
    assert_eq!(read(store.as_context()), 25);
    assert_eq!(read(StoreContext::from(&store)), 25);
    *store.data_mut() = 7;
    assert_eq!(store.into_data(), 7);
}

#[test]
fn data_and_closures_are_dropped_with_the_store() {
    let token = Arc::new(());
    let mut store = Store::new(&Engine::default(), token.clone());
    let held = token.clone();
    Func::wrap(&mut store, move || {
        let _ = &held;
    });
    assert_eq!(Arc::strong_count(&token), 3);
    drop(store);
    assert_eq!(Arc::strong_count(&token), 1);
    let store = Store::new(&Engine::default(), token.clone());
    let back = store.into_data();
    assert_eq!(Arc::strong_count(&token), 2);
    drop(back);
}

#[test]
fn a_panic_ends_its_store_and_no_other() {
    let engine = Engine::default();
    let (mut good, fine) =
        instance(&engine, r#"(module (func (export "f") (result i32) (i32.const 1)))"#);
    let mut store = Store::new(&engine, ());
    let panics = Func::wrap(&mut store, || -> () { panic!("the host is confused") });
    let harmless = Func::wrap(&mut store, || 5);
    let call = panics.typed::<(), ()>(&store).unwrap();

    let error = call.call(&mut store, ()).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::HostPanic));
    assert_eq!(error.kind(), ErrorKind::Trap);
    check_snapshot("host_panic", error.report());

    let harmless = harmless.typed::<(), i32>(&store).unwrap();
    let error = harmless.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    check_snapshot("poisoned", error.report());

    let f = fine.get_typed_func::<(), i32>(&mut good, "f").unwrap();
    assert_eq!(f.call(&mut good, ()).unwrap(), 1);
}

#[test]
fn a_panic_inside_nested_calls_is_contained() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = crate::module(
        &engine,
        r#"(module (import "" "" (func $h)) (func (export "f") (call $h)))"#,
    );
    let panics = Func::wrap(&mut store, || -> () { std::panic::panic_any(7i32) });
    let inner = dunlin_engine::Instance::new(&mut store, &module, &[panics.into()]).unwrap();
    let inner = inner.get_func(&mut store, "f").unwrap();
    let calls = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
        inner.call(&mut caller, &[], &mut [])
    });
    let outer = dunlin_engine::Instance::new(&mut store, &module, &[calls.into()]).unwrap();
    let error = outer.get_func(&mut store, "f").unwrap().call(&mut store, &[], &mut []);
    assert_eq!(error.unwrap_err().trap(), Some(Trap::HostPanic));
}
