//! What one component exports is what another imports.

use dunlin_component::{Component, Export, Linker};
use dunlin_engine::{Engine, Result, Store};

/// A function of the host that a component hands on is the host's for whoever is given it.
#[test]
fn functions_of_the_host_are_handed_on() -> Result<()> {
    let engine = Engine::default();
    let component = |text: &str| Component::new(&engine, wat::parse_str(text).expect("text"));
    let gate = component(
        r#"(component
          (import "acme:host/math@1.0.0" (instance $math
            (export "double" (func (param "x" u32) (result u32)))))
          (import "now" (func $now (result u64)))
          (export "acme:gate/math@1.0.0" (instance $math))
          (export "time" (func $now)))"#,
    )?;
    let user = component(
        r#"(component
          (import "acme:gate/math@1.0.0" (instance $math
            (export "double" (func (param "x" u32) (result u32)))))
          (core func $double (canon lower (func $math "double")))
          (core module $m
            (import "" "double" (func $double (param i32) (result i32)))
            (func (export "quadruple") (param i32) (result i32)
              (call $double (call $double (local.get 0)))))
          (core instance $i (instantiate $m (with "" (instance (export "double" (func $double))))))
          (func (export "quadruple") (param "x" u32) (result u32)
            (canon lift (core func $i "quadruple"))))"#,
    )?;
    let mut store = Store::new(&engine, 0_u32);
    let mut linker = Linker::new(&engine);
    linker.instance("acme:host/math@1.0.0")?.func_wrap("double", |mut caller, (x,): (u32,)| {
        *caller.data_mut() += 1;
        Ok(x * 2)
    })?;
    linker.root().func_wrap("now", |_, (): ()| Ok(7_u64))?;
    let gate = linker.instantiate(&mut store, &gate)?;
    assert!(gate.funcs().is_empty());
    let Some(Export::HostFunc(time)) = gate.get_export("time") else { panic!("not handed on") };
    assert_eq!(time.ty().to_string(), "func() -> u64");
    let exported = gate.get_export("acme:gate/math@1.0.0").expect("exported");
    linker.root().define("acme:gate/math@1.0.0", exported)?;
    let user = linker.instantiate(&mut store, &user)?;
    let quadruple = user.get_typed_func::<(u32,), u32>("quadruple")?;
    assert_eq!(quadruple.call(&mut store, (5,))?, 20);
    assert_eq!(*store.data(), 2);
    Ok(())
}

/// It has to be of the type that it is imported with all the same.
#[test]
fn functions_handed_on_are_checked() -> Result<()> {
    let engine = Engine::default();
    let component = |text: &str| Component::new(&engine, wat::parse_str(text).expect("text"));
    let gate = component(r#"(component (import "f" (func $f)) (export "g" (func $f)))"#)?;
    let user = component(r#"(component (import "g" (func $g (result u32))))"#)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.root().func_wrap("f", |_, (): ()| Ok(()))?;
    let gate = linker.instantiate(&mut store, &gate)?;
    linker.root().define("g", gate.get_export("g").expect("exported"))?;
    let wrong = linker.instantiate(&mut store, &user).expect_err("another type");
    assert!(wrong.to_string().contains('g'), "{wrong}");
    Ok(())
}
