//! Linkers: definitions, names, and what is said about imports that do not fit.

use dunlin_engine::{
    Caller, Engine, ErrorKind, Extern, FuncType, Global, GlobalType, Instance, Linker, Memory,
    Result, Store, Table, Trap, Val, ValType,
};

use crate::limits::{memory_type, table_type};
use crate::{check_snapshot, engines, module};

const PLUGIN: &str = r#"
    (module $plugin
      (import "env" "add" (func $add (param i32 i32) (result i32)))
      (import "env" "memory" (memory 1 4))
      (import "env" "table" (table 2 funcref))
      (import "env" "seed" (global $seed (mut i64)))
      (import "other" "log" (func $log (param f64)))
      (func (export "run") (result i32)
        (call $log (f64.const 2.5))
        (global.set $seed (i64.const 9))
        (i32.store (i32.const 0) (i32.const 3))
        (call $add (i32.const 1) (i32.load (i32.const 0)))))"#;

#[test]
fn imports_are_found_by_name() {
    for engine in engines() {
        let mut store = Store::new(&engine, Vec::<f64>::new());
        let seed = GlobalType { val: ValType::I64, mutable: true, shared: false };
        let seed = Global::new(&mut store, seed, 1i64).unwrap();
        let memory = Memory::new(&mut store, memory_type(1, Some(4))).unwrap();
        let table = Table::new(&mut store, table_type(2, None), Val::FuncRef(None)).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("env", "add", |a: i32, b: i32| a + b)
            .and_then(|linker| linker.define("env", "memory", memory))
            .and_then(|linker| linker.define("env", "table", table))
            .and_then(|linker| linker.define("env", "seed", seed))
            .unwrap();
        let log = FuncType::new([ValType::F64], []);
        linker
            .func_new("other", "log", log, |mut caller: Caller<'_, Vec<f64>>, params, _| {
                caller.data_mut().push(params[0].unwrap_f64());
                Ok(())
            })
            .unwrap();
        let instance = linker.instantiate(&mut store, &module(&engine, PLUGIN)).unwrap();
        let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 4);
        assert_eq!(seed.get(&mut store), Val::I64(9));
        assert_eq!(memory.data(&store)[0], 3);
        assert_eq!(store.data(), &[2.5]);
    }
}

#[test]
fn every_missing_import_is_reported_at_once() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let plugin = module(&engine, PLUGIN);
    let error = linker.instantiate(&mut store, &plugin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    check_snapshot("link_all_missing", error.report());
    check_snapshot("link_all_missing_line", error);
    linker.define_unknown_imports_as_traps(&plugin).unwrap();
    let error = linker.instantiate(&mut store, &plugin).unwrap_err();
    check_snapshot("link_items_missing", error.report());

    let one = module(&engine, r#"(module (import "env" "log" (func (param i32 i32))))"#);
    let error = Linker::new(&engine).instantiate(&mut store, &one).unwrap_err();
    check_snapshot("link_one_missing", error.report());
    let wasi = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;
    let error = Linker::new(&engine).instantiate(&mut store, &module(&engine, wasi)).unwrap_err();
    check_snapshot("link_wasi_missing", error.report());
    let tag = module(&engine, r#"(module (import "a" "t" (tag (param i32))))"#);
    let error = Linker::new(&engine).instantiate(&mut store, &tag).unwrap_err();
    check_snapshot("link_tag_missing", error.report());
    let hostile = module(&engine, r#"(module (import "a\1b[2J" "\e2\80\aeb\0a" (func)))"#);
    let error = Linker::new(&engine).instantiate(&mut store, &hostile).unwrap_err();
    check_snapshot("link_hostile_names", error.report());
}

#[test]
fn a_long_list_of_missing_imports_is_cut() {
    let engine = Engine::default();
    let imports: String = (0..70).map(|i| format!(r#"(import "m" "f{i}" (func))"#)).collect();
    let module = module(&engine, &format!("(module {imports})"));
    let mut store = Store::new(&engine, ());
    let error = Linker::new(&engine).instantiate(&mut store, &module).unwrap_err();
    let report = error.report().to_string();
    assert!(report.starts_with("error: cannot link module: 70 imports are not defined\n"));
    assert!(report.contains("\n  `m::f63`: expected (func)\n  … and 6 more\n"), "{report}");
}

#[test]
fn imports_of_another_type_do_not_fit() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let constant = GlobalType { val: ValType::I32, mutable: false, shared: false };
    let found: [(&str, Extern); 4] = [
        ("f", dunlin_engine::Func::wrap(&mut store, |_: i64| ()).into()),
        ("m", Memory::new(&mut store, memory_type(1, None)).unwrap().into()),
        ("t", Table::new(&mut store, table_type(1, Some(2)), Val::FuncRef(None)).unwrap().into()),
        ("g", Global::new(&mut store, constant, 1i32).unwrap().into()),
    ];
    let mut linker = Linker::new(&engine);
    for (name, item) in found {
        linker.define("env", name, item).unwrap();
    }
    let wanted = [
        r#"(import "env" "f" (func (param i32 i32)))"#,
        r#"(import "env" "f" (func (param i64) (result i32)))"#,
        r#"(import "env" "f" (memory 1))"#,
        r#"(import "env" "m" (memory 2))"#,
        r#"(import "env" "m" (memory 1 3))"#,
        r#"(import "env" "m" (memory i64 1))"#,
        r#"(import "env" "t" (table 1 1 funcref))"#,
        r#"(import "env" "t" (table 1 2 externref))"#,
        r#"(import "env" "g" (global (mut i32)))"#,
        r#"(import "env" "g" (global i64))"#,
    ];
    let texts = wanted.map(|import| {
        let module = module(&engine, &format!("(module {import})"));
        let error = linker.instantiate(&mut store, &module).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Link, "{import}");
        error.report().to_string()
    });
    check_snapshot("link_types", texts.join("\n"));
}

#[test]
fn names_are_defined_once_unless_shadowing_is_allowed() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("env", "f", || 1i32).unwrap();
    let error = linker.func_wrap("env", "f", || 2i32).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    check_snapshot("link_shadowing", error.report());
    let before = linker.clone();
    linker.allow_shadowing(true).func_wrap("env", "f", || 2i32).unwrap();
    let mut store = Store::new(&engine, ());
    let mut call = |linker: &Linker<()>| {
        let f = linker.get(&mut store, "env", "f").unwrap().into_func().unwrap();
        f.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap()
    };
    assert_eq!((call(&before), call(&linker)), (1, 2));
}

#[test]
fn what_is_not_defined_is_said_to_be_so() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "a", || ()).unwrap();
    linker.func_wrap("env", "b", || ()).unwrap();
    let errors = [
        linker.get(&mut store, "env", "c").unwrap_err(),
        linker.get(&mut store, "enw", "a").unwrap_err(),
        linker.alias("env", "c", "x", "y").unwrap_err(),
        linker.alias_module("enw", "x").unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Link));
    let reports = errors.map(|error| error.report().to_string());
    check_snapshot("link_undefined", reports.join("\n"));
}

#[test]
fn aliases_are_the_same_by_another_name() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let memory = Memory::new(&mut store, memory_type(1, None)).unwrap();
    linker.define("env", "memory", memory).unwrap();
    linker.func_wrap("env", "f", || 8i32).unwrap();
    linker.alias("env", "memory", "env", "heap").unwrap();
    linker.alias_module("env", "old").unwrap();
    for (module, name) in [("env", "heap"), ("old", "heap"), ("old", "memory")] {
        let found = linker.get(&mut store, module, name).unwrap();
        assert_eq!(found, Extern::Memory(memory));
    }
    let f = linker.get(&mut store, "old", "f").unwrap().into_func().unwrap();
    assert_eq!(f.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 8);
}

const COUNTER: &str = r#"
    (global $n (mut i32) (i32.const 0))
    (func (export "next") (result i32)
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (global.get $n))"#;

const CALLS_TWICE: &str = r#"
    (module
      (import "counter" "next" (func $next (result i32)))
      (func (export "run") (result i32)
        (i32.add (i32.mul (i32.const 100) (call $next)) (call $next))))"#;

#[test]
fn instances_and_modules_are_linked_to_others() {
    let engine = Engine::default();
    let run = |define: &dyn Fn(&mut Linker<()>, &mut Store<()>)| -> i32 {
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        define(&mut linker, &mut store);
        let instance = linker.instantiate(&mut store, &module(&engine, CALLS_TWICE)).unwrap();
        let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
        run.call(&mut store, ()).unwrap()
    };
    let plain = module(&engine, &format!("(module {COUNTER})"));
    let by_instance = run(&|linker, store| {
        let instance = Instance::new(&mut *store, &plain, &[]).unwrap();
        linker.instance(&mut *store, "counter", instance).unwrap();
    });
    assert_eq!(by_instance, 102);
    let by_module = run(&|linker, store| {
        linker.module(&mut *store, "counter", &plain).unwrap();
    });
    assert_eq!(by_module, 102);
    let reactor = format!(
        r#"(module {COUNTER} (func (export "_initialize") (global.set $n (i32.const 5))))"#
    );
    let by_reactor = run(&|linker, store| {
        linker.module(&mut *store, "counter", &module(&engine, &reactor)).unwrap();
    });
    assert_eq!(by_reactor, 607);
    // Each call of a command's function has an instance of its own.
    let command = format!(r#"(module {COUNTER} (func (export "_start")))"#);
    let by_command = run(&|linker, store| {
        linker.module(&mut *store, "counter", &module(&engine, &command)).unwrap();
    });
    assert_eq!(by_command, 101);
}

#[test]
fn unknown_functions_can_trap_when_called() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = module(
        &engine,
        r#"(module
             (import "env" "missing" (func $missing (param i32) (result i64)))
             (import "env" "missing" (func (param i32) (result i64)))
             (func (export "fine") (result i32) (i32.const 1))
             (func $calls (export "calls") (drop (call $missing (i32.const 0)))))"#,
    );
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let fine = instance.get_typed_func::<(), i32>(&mut store, "fine").unwrap();
    assert_eq!(fine.call(&mut store, ()).unwrap(), 1);
    let calls = instance.get_typed_func::<(), ()>(&mut store, "calls").unwrap();
    let error = calls.call(&mut store, ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
    check_snapshot("unknown_import_called", error.report());
}

#[test]
fn unknown_imports_can_have_default_values() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = module(
        &engine,
        r#"(module
             (import "env" "f" (func $f (param i32) (result i64 funcref v128)))
             (import "env" "m" (memory 1))
             (import "env" "t" (table 2 externref))
             (import "env" "g" (global $g f32))
             (func (export "run") (result i32)
               (call $f (i32.const 1))
               drop
               ref.is_null
               (i32.add (i32.load (i32.const 0)))
               (i32.add (i32.trunc_f32_s (global.get $g)))
               (i32.add (ref.is_null (table.get 0 (i32.const 1))))
               (i32.add (i32.wrap_i64 (i64.const 0)))
               (return)))"#,
    );
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_default_values(&mut store, &module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 2);

    let none =
        crate::module(&engine, r#"(module (import "env" "never" (func (result (ref func)))))"#);
    let mut linker = Linker::new(&engine);
    let error = linker.define_unknown_imports_as_default_values(&mut store, &none).unwrap_err();
    check_snapshot("link_no_default", error.report());
}

#[test]
fn one_linker_serves_many_stores() {
    let engine = Engine::default();
    let mut linker = Linker::<u32>::new(&engine);
    linker
        .func_wrap("env", "count", |mut caller: Caller<'_, u32>| -> Result<u32> {
            *caller.data_mut() += 1;
            Ok(*caller.data())
        })
        .unwrap();
    let module = module(
        &engine,
        r#"(module (import "env" "count" (func (result i32))) (export "f" (func 0)))"#,
    );
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (engine, linker, module) = (&engine, &linker, &module);
            scope.spawn(move || {
                let mut store = Store::new(engine, start * 10);
                for round in 1..=3 {
                    let instance = linker.instantiate(&mut store, module).unwrap();
                    let f = instance.get_typed_func::<(), u32>(&mut store, "f").unwrap();
                    assert_eq!(f.call(&mut store, ()).unwrap(), start * 10 + round);
                }
            });
        }
    });
}

#[test]
fn errors_in_a_start_function_come_out_of_the_linker() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("", "", || -> Result<()> { Err(Trap::Unreachable.into()) }).unwrap();
    let module = module(&engine, r#"(module $m (import "" "" (func $f)) (start $f))"#);
    let error = linker.instantiate(Store::new(&engine, ()), &module).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Unreachable));
    assert_eq!(error.to_string(), "cannot instantiate module `m`: trap: unreachable");
}
