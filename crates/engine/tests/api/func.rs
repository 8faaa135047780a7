//! Functions: types, calls with values, and what is said when they do not fit.

use dunlin_engine::{Engine, ErrorKind, Func, Val};

use crate::{check_snapshot, engines, instance};

const SWAP: &str = r#"
    (module $pairs
      (func $swap (export "swap") (param i32 f64) (result f64 i32)
        (local.get 1) (local.get 0))
      (func (export "nothing")))"#;

#[test]
fn calls_with_values() {
    for engine in engines() {
        let (mut store, instance) = instance(&engine, SWAP);
        let swap = instance.get_func(&mut store, "swap").unwrap();
        assert_eq!(swap.ty(&store).to_string(), "(func (param i32 f64) (result f64 i32))");
        let mut results = [const { Val::I32(0) }; 2];
        swap.call(&mut store, &[Val::I32(-1), Val::from(0.5f64)], &mut results).unwrap();
        assert_eq!(results, [Val::from(0.5f64), Val::I32(-1)]);
        let nothing = instance.get_func(&mut store, "nothing").unwrap();
        nothing.call(&mut store, &[], &mut []).unwrap();
    }
}

#[test]
fn values_that_do_not_fit_are_misuse() {
    let (mut store, instance) = instance(&Engine::default(), SWAP);
    let swap = instance.get_func(&mut store, "swap").unwrap();
    let nothing = instance.get_func(&mut store, "nothing").unwrap();
    let host = Func::wrap(&mut store, |_: i32| ());
    let mut two = [const { Val::I32(0) }; 2];
    let one = Val::I32(1);
    let mut texts = Vec::new();
    for error in [
        swap.call(&mut store, &[one.clone()], &mut two),
        swap.call(&mut store, &[one.clone(), one.clone()], &mut two),
        swap.call(&mut store, &[], &mut two),
        swap.call(&mut store, &[one.clone(), Val::F64(0)], &mut two[..1]),
        swap.call(&mut store, &[one.clone(), Val::F64(0)], &mut []),
        nothing.call(&mut store, &[one], &mut []),
        nothing.call(&mut store, &[], &mut two),
        host.call(&mut store, &[Val::FuncRef(None)], &mut []),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        texts.push(error.to_string());
    }
    check_snapshot("call_mismatch", texts.join("\n"));
}

#[test]
fn a_function_is_the_same_however_it_was_found() {
    let (mut store, instance) = instance(
        &Engine::default(),
        r#"(module
             (func $f (export "a") (export "b"))
             (func (export "get") (result funcref) (ref.func $f)))"#,
    );
    let a = instance.get_func(&mut store, "a").unwrap();
    let b = instance.get_func(&mut store, "b").unwrap();
    let get = instance.get_typed_func::<(), Option<Func>>(&mut store, "get").unwrap();
    assert_eq!(a, b);
    assert_eq!(get.call(&mut store, ()).unwrap(), Some(a));
    assert_ne!(a, *get.func());
}

#[test]
fn references_of_another_hierarchy_are_refused() {
    let (mut store, instance) = instance(
        &Engine::default(),
        r#"(module
             (type $s (struct))
             (func (export "param") (param anyref))
             (func (export "struct") (param (ref null $s)))
             (func (export "exception") (param exnref))
             (func (export "result") (result i31ref) (ref.null i31)))"#,
    );
    let mut texts = Vec::new();
    let vals = [
        ("param", Val::ExternRef(None)),
        ("struct", Val::FuncRef(None)),
        ("exception", Val::AnyRef(None)),
    ];
    for (name, val) in vals {
        let func = instance.get_func(&mut store, name).unwrap();
        texts.push(func.call(&mut store, &[val], &mut []).unwrap_err());
    }
    let func = instance.get_func(&mut store, "result").unwrap();
    let mut result = [Val::I32(0)];
    func.call(&mut store, &[], &mut result).unwrap();
    assert_eq!(result, [Val::AnyRef(None)]);
    assert!(texts.iter().all(|error| error.kind() == ErrorKind::Misuse));
    let texts: Vec<_> = texts.iter().map(|error| error.to_string()).collect();
    check_snapshot("call_types", texts.join("\n"));
}

#[test]
fn calls_repeat_from_any_thread() {
    let (mut store, instance) = instance(&Engine::default(), SWAP);
    let swap = instance.get_typed_func::<(i32, f64), (f64, i32)>(&mut store, "swap").unwrap();
    let mut store = std::thread::spawn(move || {
        assert_eq!(swap.call(&mut store, (1, 2.0)).unwrap(), (2.0, 1));
        store
    })
    .join()
    .unwrap();
    assert_eq!(swap.call(&mut store, (3, 4.0)).unwrap(), (4.0, 3));
}
