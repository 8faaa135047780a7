//! Instances: exports by name and by order, imports by position.

use dunlin_engine::{Engine, Extern, ExternType, Func, Instance, Store, Val};

use crate::{engines, instance, module};

const MODULE: &str = r#"
    (module
      (func (export "f") (result i32) (i32.const 1))
      (memory (export "m") 1)
      (table (export "t") 1 externref)
      (global (export "g") i32 (i32.const 4))
      (tag (export "e") (param i64))
      (export "f again" (func 0)))"#;

#[test]
fn exports_have_names_kinds_and_an_order() {
    let (mut store, instance) = instance(&Engine::default(), MODULE);
    let exports: Vec<_> = instance.exports(&mut store).collect();
    let names: Vec<_> = exports.iter().map(|export| export.name()).collect();
    assert_eq!(names, ["f", "m", "t", "g", "e", "f again"]);
    assert_eq!(exports[0].item(), exports[5].item());
    for export in instance.exports(&mut store) {
        let item = export.item();
        assert_eq!(instance.get_export(&mut store, export.name()), Some(item));
        let kinds = (
            item.into_func().is_some(),
            item.into_memory().is_some(),
            item.into_table().is_some(),
            item.into_global().is_some(),
            item.into_tag().is_some(),
        );
        let expected = match (item.ty(&store), item) {
            (ExternType::Func { .. }, Extern::Func(_)) => (true, false, false, false, false),
            (ExternType::Memory(_), Extern::Memory(_)) => (false, true, false, false, false),
            (ExternType::Table(_), Extern::Table(_)) => (false, false, true, false, false),
            (ExternType::Global(_), Extern::Global(_)) => (false, false, false, true, false),
            (ExternType::Tag { ty, .. }, Extern::Tag(tag)) => {
                assert_eq!(*ty, tag.ty(&store));
                (false, false, false, false, true)
            }
            (ty, _) => panic!("{} is {ty:?}", export.name()),
        };
        assert_eq!(kinds, expected);
    }
    assert!(instance.get_export(&mut store, "nothing").is_none());
    assert!(instance.get_func(&mut store, "m").is_none());
    assert!(instance.get_memory(&mut store, "f").is_none());
    assert!(instance.get_table(&mut store, "g").is_none());
    assert!(instance.get_global(&mut store, "t").is_none());
    assert!(instance.get_func(&mut store, "f again").is_some());
}

#[test]
fn instances_of_one_module_share_nothing() {
    for engine in engines() {
        let module = module(
            &engine,
            r#"(module
                 (memory 1)
                 (global $g (mut i32) (i32.const 0))
                 (func (export "next") (result i32)
                   (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 10)))
                   (global.set $g (i32.add (global.get $g) (i32.const 1)))
                   (i32.add (global.get $g) (i32.load (i32.const 0)))))"#,
        );
        let mut store = Store::new(&engine, ());
        let mut make = || {
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.get_typed_func::<(), i32>(&mut store, "next").unwrap()
        };
        let (a, b) = (make(), make());
        assert_eq!(a.call(&mut store, ()).unwrap(), 11);
        assert_eq!(a.call(&mut store, ()).unwrap(), 22);
        assert_eq!(b.call(&mut store, ()).unwrap(), 11);
    }
}

#[test]
fn an_instance_exports_what_it_imports() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, || 3i32);
    let module =
        module(&engine, r#"(module (import "" "" (func (result i32))) (export "same" (func 0)))"#);
    let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
    assert_eq!(instance.get_func(&mut store, "same"), Some(func));
}

#[test]
fn the_start_function_runs_once_and_first() {
    let (mut store, instance) = instance(
        &Engine::default(),
        r#"(module
             (global $g (export "g") (mut i32) (i32.const 1))
             (func $start (global.set $g (i32.mul (global.get $g) (i32.const 2))))
             (start $start))"#,
    );
    let g = instance.get_global(&mut store, "g").unwrap();
    assert_eq!(g.get(&mut store), Val::I32(2));
}
