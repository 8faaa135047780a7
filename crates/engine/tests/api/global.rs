//! Globals: values of every type, shared by host and guests.

use dunlin_engine::{
    Engine, ErrorKind, ExternRef, Func, Global, GlobalType, Instance, Store, Val, ValType,
};

use crate::{check_snapshot, instance, module};

fn ty(val: ValType, mutable: bool) -> GlobalType {
    GlobalType { val, mutable, shared: false }
}

#[test]
fn host_and_guest_see_the_same_value() {
    let (mut store, instance) = instance(
        &Engine::default(),
        r#"(module
             (global $g (export "g") (mut i64) (i64.const 5))
             (global (export "c") f32 (f32.const 1.5))
             (func (export "add") (param i64)
               (global.set $g (i64.add (global.get $g) (local.get 0)))))"#,
    );
    let g = instance.get_global(&mut store, "g").unwrap();
    let add = instance.get_typed_func::<i64, ()>(&mut store, "add").unwrap();
    assert_eq!(g.ty(&store).to_string(), "(global (mut i64))");
    g.set(&mut store, 10i64).unwrap();
    add.call(&mut store, -3).unwrap();
    assert_eq!(g.get(&mut store), Val::I64(7));
    let c = instance.get_global(&mut store, "c").unwrap();
    assert_eq!(c.get(&mut store).f32(), Some(1.5));
}

#[test]
fn values_of_every_type_go_in_and_out() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, || ());
    let item = ExternRef::new(&mut store, ()).unwrap();
    let vals = [
        (ValType::I32, Val::I32(i32::MIN), Val::I32(-1)),
        (ValType::I64, Val::I64(i64::MIN), Val::I64(-1)),
        (ValType::F32, Val::F32(0x7fa0_0001), Val::F32(1)),
        (ValType::F64, Val::F64(0x7ff4_0000_0000_0001), Val::F64(1)),
        (ValType::V128, Val::V128(u128::MAX - 7), Val::V128(1 << 100)),
        (ValType::FUNCREF, Val::FuncRef(Some(func)), Val::FuncRef(None)),
        (ValType::EXTERNREF, Val::ExternRef(Some(item)), Val::ExternRef(None)),
    ];
    for (val_type, first, second) in vals {
        let global = Global::new(&mut store, ty(val_type, true), first.clone()).unwrap();
        assert_eq!(global.get(&mut store), first);
        let wat = format!(
            r#"(module
                 (import "" "" (global $g (mut {val_type})))
                 (func (export "get") (result {val_type}) (global.get $g))
                 (func (export "set") (param {val_type}) (global.set $g (local.get 0))))"#
        );
        let instance = Instance::new(&mut store, &module(&engine, &wat), &[global.into()]).unwrap();
        let [get, set] = ["get", "set"].map(|name| instance.get_func(&mut store, name).unwrap());
        let mut result = [Val::I32(0)];
        get.call(&mut store, &[], &mut result).unwrap();
        assert_eq!(result, [first.clone()]);
        set.call(&mut store, &[second.clone()], &mut []).unwrap();
        assert_eq!(global.get(&mut store), second);
        global.set(&mut store, first.clone()).unwrap();
        get.call(&mut store, &[], &mut result).unwrap();
        assert_eq!(result, [first]);
    }
}

#[test]
fn constants_and_other_types_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    let constant = Global::new(&mut store, ty(ValType::I32, false), 1i32).unwrap();
    let variable = Global::new(&mut store, ty(ValType::I32, true), 1i32).unwrap();
    let errors = [
        constant.set(&mut store, 2i32).unwrap_err(),
        variable.set(&mut store, 2i64).unwrap_err(),
        Global::new(&mut store, ty(ValType::F32, true), Val::FuncRef(None)).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Misuse));
    assert_eq!(constant.get(&mut store), Val::I32(1));
    check_snapshot("global_refused", errors.map(|error| error.to_string()).join("\n"));
}
