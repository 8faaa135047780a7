//! Functions with static types: what fits, and what is said when it does not.

use dunlin_engine::{Engine, ErrorKind, ExternRef, Func, Store};

use crate::{check_snapshot, instance};

const MODULE: &str = r#"
    (module
      (func $f (export "f") (param i32) (result i64) (i64.extend_i32_u (local.get 0)))
      (func (export "refs") (param funcref externref))
      (memory (export "memory") 1))"#;

#[test]
fn signs_are_the_hosts_choice() {
    let (mut store, instance) = instance(&Engine::default(), MODULE);
    let signed = instance.get_typed_func::<i32, i64>(&mut store, "f").unwrap();
    let unsigned = instance.get_typed_func::<(u32,), (u64,)>(&mut store, "f").unwrap();
    assert_eq!(signed.call(&mut store, -1).unwrap(), 0xffff_ffff);
    assert_eq!(unsigned.call(&mut store, (u32::MAX,)).unwrap(), (0xffff_ffff,));
    instance.get_typed_func::<(Option<Func>, Option<ExternRef>), ()>(&mut store, "refs").unwrap();
    // What is never null may be given where null is allowed.
    instance.get_typed_func::<(Func, ExternRef), ()>(&mut store, "refs").unwrap();
}

#[test]
fn types_that_do_not_fit_are_refused() {
    let (mut store, instance) = instance(&Engine::default(), MODULE);
    let f = instance.get_func(&mut store, "f").unwrap();
    let host = Func::wrap(&mut store, || 1i32);
    let errors = [
        instance.get_typed_func::<i64, i64>(&mut store, "f").unwrap_err(),
        instance.get_typed_func::<i32, ()>(&mut store, "f").unwrap_err(),
        instance.get_typed_func::<(i32, i32), i64>(&mut store, "f").unwrap_err(),
        instance
            .get_typed_func::<(Option<ExternRef>, Option<Func>), ()>(&mut store, "refs")
            .unwrap_err(),
        f.typed::<(), ()>(&store).unwrap_err(),
        host.typed::<(), f32>(&store).unwrap_err(),
    ];
    let texts = errors.map(|error| {
        assert_eq!(error.kind(), ErrorKind::Misuse);
        error.to_string()
    });
    check_snapshot("typed_mismatch", texts.join("\n"));
}

#[test]
fn exports_that_are_no_functions_are_link_errors() {
    let (mut store, with) = instance(&Engine::default(), MODULE);
    let mut empty = Store::new(&Engine::default(), ());
    let none = crate::module(&empty.engine().clone(), "(module $none)");
    let none = dunlin_engine::Instance::new(&mut empty, &none, &[]).unwrap();
    let errors = [
        with.get_typed_func::<(), ()>(&mut store, "missing").unwrap_err(),
        with.get_typed_func::<(), ()>(&mut store, "memory").unwrap_err(),
        with.get_typed_func::<(), ()>(&mut store, "\u{1b}[31m").unwrap_err(),
        none.get_typed_func::<(), ()>(&mut empty, "missing").unwrap_err(),
    ];
    let texts = errors.map(|error| {
        assert_eq!(error.kind(), ErrorKind::Link);
        error.to_string()
    });
    check_snapshot("export_missing", texts.join("\n"));
}
