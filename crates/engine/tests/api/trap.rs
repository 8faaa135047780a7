//! Traps: every reason the guest can give, and the way back that is reported.

use dunlin_engine::{
    Caller, Config, Engine, Error, ErrorKind, Features, Func, Instance, Module, Proposal, Result,
    Store, Trap,
};

use crate::{check_snapshot, engines, instance, module};

#[test]
fn each_fault_has_its_trap() {
    const MODULE: &str = r#"
        (module
          (memory 1)
          (table $t 2 funcref)
          (elem (table $t) (i32.const 1) func $nothing)
          (type $i (func (param i32)))
          (func $nothing)
          (func (export "unreachable") unreachable)
          (func (export "load") (drop (i32.load (i32.const 65533))))
          (func (export "store") (i64.store offset=0xffff_ffff (i32.const -1) (i64.const 1)))
          (func (export "fill") (memory.fill (i32.const 65536) (i32.const 0) (i32.const 1)))
          (func (export "table") (drop (table.get $t (i32.const 2))))
          (func (export "undefined") (call_indirect (i32.const 2)))
          (func (export "null") (call_indirect (i32.const 0)))
          (func (export "type") (call_indirect (type $i) (i32.const 0) (i32.const 1)))
          (func (export "zero") (drop (i32.div_u (i32.const 1) (i32.const 0))))
          (func (export "overflow")
            (drop (i64.div_s (i64.const 0x8000_0000_0000_0000) (i64.const -1))))
          (func (export "nan") (drop (i32.trunc_f32_s (f32.const nan))))
          (func $deep (export "deep") (call $deep)))"#;
    let cases = [
        ("unreachable", Trap::Unreachable),
        ("load", Trap::MemoryOutOfBounds),
        ("store", Trap::MemoryOutOfBounds),
        ("fill", Trap::MemoryOutOfBounds),
        ("table", Trap::TableOutOfBounds),
        ("undefined", Trap::UndefinedElement),
        ("null", Trap::UninitializedElement),
        ("type", Trap::BadSignature),
        ("zero", Trap::IntegerDivisionByZero),
        ("overflow", Trap::IntegerOverflow),
        ("nan", Trap::BadConversionToInteger),
        ("deep", Trap::StackOverflow),
    ];
    for engine in engines() {
        let (mut store, instance) = instance(&engine, MODULE);
        // Twice: a store goes on after a trap.
        for (name, trap) in cases.into_iter().chain(cases) {
            let f = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
            let error = f.call(&mut store, ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Trap, "{name}");
            assert_eq!(error.trap(), Some(trap), "{name}");
            assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}");
            let frames = &error.backtrace().unwrap().frames;
            assert!(!frames.is_empty(), "{name}");
        }
    }
}

const NESTED: &str = r#"
    (module $inner
      (memory 1)
      (func $leaf (param i32) (result i32)
        (i32.load (i32.mul (local.get 0) (i32.const 40000))))
      (func $middle (param i32) (result i32)
        (i32.add (i32.const 1) (call $leaf (local.get 0))))
      (func (export "run") (param i32) (result i32)
        (call $middle (local.get 0))
        (call $middle (i32.const 0))
        (i32.add)))"#;

#[test]
fn a_trap_in_nested_calls_names_each_of_them() {
    for engine in engines() {
        let (mut store, instance) = instance(&engine, NESTED);
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, 1).unwrap(), 2);
        let error = run.call(&mut store, 2).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
        check_snapshot("trap_nested", error.report());
        check_snapshot("trap_nested_line", &error);
    }
}

#[test]
fn a_trap_under_a_host_function_names_the_frames_on_both_sides() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let inner = Instance::new(&mut store, &module(&engine, NESTED), &[]).unwrap();
    let run = inner.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    let call = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> Result<()> {
        run.call(&mut caller, 3).map(drop)
    });
    let outer = module(
        &engine,
        r#"(module $outer
             (import "host" "call" (func $host))
             (func $step (call $host))
             (func (export "go") (call $step)))"#,
    );
    let outer = Instance::new(&mut store, &outer, &[call.into()]).unwrap();
    let go = outer.get_typed_func::<(), ()>(&mut store, "go").unwrap();
    let error = go.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    check_snapshot("trap_under_host", error.report());
    let outermost = error.backtrace().unwrap().frames.len();
    assert_eq!(outermost, 5, "{error:?}");
}

#[test]
fn a_trap_in_a_start_function_fails_instantiation() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = module(&engine, "(module $m (func $boom unreachable) (start $boom))");
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    assert_eq!(error.trap(), Some(Trap::Unreachable));
    check_snapshot("trap_in_start", error.report());
}

#[test]
fn a_segment_that_does_not_fit_fails_instantiation() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for (wat, trap) in [
        (r#"(module (memory 1) (data (i32.const 65535) "ab"))"#, Trap::MemoryOutOfBounds),
        ("(module (table 1 funcref) (elem (i32.const 1) func 0) (func))", Trap::TableOutOfBounds),
    ] {
        let error = Instance::new(&mut store, &module(&engine, wat), &[]).unwrap_err();
        assert_eq!(error.trap(), Some(trap));
    }
}

/// What is switched on but not executed says which proposal it is, and so does what is switched off.
#[test]
fn missing_features_are_named() {
    let text = "(module (memory 1) (func (export \"f\")
        (memory.discard (i32.const 0) (i32.const 65536))))";
    let wasm = wat::parse_str(text).unwrap();
    let error = Module::new(&Engine::default(), &wasm).unwrap_err();
    assert_eq!(error.missing_feature(), Some(Proposal::memory_control));
    let features = Features { memory_control: true, ..Features::default() };
    let engine = Engine::new(&Config { features, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &Module::new(&engine, &wasm).unwrap(), &[]).unwrap();
    let f = instance.get_func(&mut store, "f").unwrap();
    let error = f.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Unsupported));
    assert_eq!(error.missing_feature(), Some(Proposal::memory_control));
    assert_eq!(Error::from(Trap::Unreachable).missing_feature(), None);
}
