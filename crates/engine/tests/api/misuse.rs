//! Handles of one store used with another, of every kind and in every operation: always an error
//! or a documented panic that says so.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dunlin_engine::{
    Engine, Error, ErrorKind, Extern, ExternRef, Func, FuncType, Global, GlobalType, Instance,
    Linker, Memory, Module, Ref, Store, Table, Tag, Val, ValType,
};

use crate::limits::{memory_type, table_type};
use crate::{check_snapshot, module};

struct Handles {
    instance: Instance,
    func: Func,
    memory: Memory,
    table: Table,
    global: Global,
    funcref: Global,
    tag: Tag,
    item: ExternRef,
}

const MODULE: &str = r#"
    (module
      (memory (export "memory") 1)
      (table (export "table") 3 funcref)
      (global (export "global") (mut i32) (i32.const 1))
      (global (export "funcref") (mut funcref) (ref.null func))
      (tag (export "tag") (param i32))
      (func (export "func") (param funcref)))"#;

fn handles(store: &mut Store<()>, module: &Module) -> Handles {
    let instance = Instance::new(&mut *store, module, &[]).unwrap();
    let mut get = |name| instance.get_export(&mut *store, name).unwrap();
    let (Extern::Tag(tag), Extern::Global(funcref)) = (get("tag"), get("funcref")) else {
        panic!("another kind of export");
    };
    Handles {
        func: get("func").into_func().unwrap(),
        memory: get("memory").into_memory().unwrap(),
        table: get("table").into_table().unwrap(),
        global: get("global").into_global().unwrap(),
        funcref,
        tag,
        item: ExternRef::new(&mut *store, ()).unwrap(),
        instance,
    }
}

#[track_caller]
fn refused<T: Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
    assert!(error.to_string().contains("belongs to another store"), "{error}");
}

#[track_caller]
fn panics<T: Debug>(f: impl FnOnce() -> T) {
    let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
    let text = payload.downcast::<String>().unwrap();
    assert!(text.contains("belongs to another store"), "{text}");
}

#[test]
fn handles_of_another_store_are_refused_everywhere() {
    let engine = Engine::default();
    let module = module(&engine, MODULE);
    let mut one = Store::new(&engine, ());
    let mut two = Store::new(&engine, ());
    // More in the first store, so that its handles are also out of range in the second.
    handles(&mut one, &module);
    let theirs = handles(&mut one, &module);
    let ours = handles(&mut two, &module);
    let s = &mut two;
    let null = Ref::Func(None);

    refused(theirs.func.call(&mut *s, &[Val::FuncRef(None)], &mut []));
    refused(theirs.func.typed::<Option<Func>, ()>(&*s));
    let typed = theirs.func.typed::<Option<Func>, ()>(&one).unwrap();
    refused(typed.call(&mut *s, None));
    panics(|| theirs.func.ty(&*s));

    refused(theirs.memory.grow(&mut *s, 1));
    let read = theirs.memory.read(&*s, 0, &mut [0]).unwrap_err();
    let write = theirs.memory.write(&mut *s, 0, &[0]).unwrap_err();
    assert!(read.to_string().contains("belongs to another store"));
    assert_eq!(read, write);
    panics(|| theirs.memory.ty(&*s));
    panics(|| theirs.memory.size(&*s));
    panics(|| theirs.memory.data_size(&*s));
    panics(|| theirs.memory.data(&*s).len());
    panics(|| theirs.memory.data_mut(&mut *s).len());
    panics(|| theirs.memory.data_and_store_mut(&mut *s).0.len());

    refused(theirs.table.set(&mut *s, 0, null.clone()));
    refused(theirs.table.grow(&mut *s, 1, null.clone()));
    refused(theirs.table.fill(&mut *s, 0, null, 1));
    refused(Table::copy(&mut *s, &theirs.table, 0, &ours.table, 0, 1));
    refused(Table::copy(&mut *s, &ours.table, 0, &theirs.table, 0, 1));
    panics(|| theirs.table.ty(&*s));
    panics(|| theirs.table.size(&*s));
    panics(|| theirs.table.get(&mut *s, 0));

    refused(theirs.global.set(&mut *s, 1i32));
    panics(|| theirs.global.ty(&*s));
    panics(|| theirs.global.get(&mut *s));
    panics(|| theirs.tag.ty(&*s));

    refused(theirs.item.data(&*s).map(|_| ()));
    refused(Val::from(theirs.func).ty(&*s));
    refused(Val::from(theirs.item).ty(&*s));

    refused(theirs.instance.get_typed_func::<(), ()>(&mut *s, "func"));
    panics(|| theirs.instance.get_export(&mut *s, "func"));
    panics(|| theirs.instance.get_func(&mut *s, "func"));
    panics(|| theirs.instance.get_memory(&mut *s, "memory"));
    panics(|| theirs.instance.get_table(&mut *s, "table"));
    panics(|| theirs.instance.get_global(&mut *s, "global"));
    panics(|| theirs.instance.exports(&mut *s).len());
    for item in [
        Extern::Func(theirs.func),
        theirs.memory.into(),
        theirs.table.into(),
        theirs.global.into(),
        theirs.tag.into(),
    ] {
        panics(|| item.ty(&*s));
    }
}

#[test]
fn references_of_another_store_do_not_get_in() {
    let engine = Engine::default();
    let module = module(&engine, MODULE);
    let mut one = Store::new(&engine, ());
    let mut two = Store::new(&engine, ());
    let theirs = handles(&mut one, &module);
    let ours = handles(&mut two, &module);
    let s = &mut two;

    refused(ours.func.call(&mut *s, &[theirs.func.into()], &mut []));
    let typed = ours.func.typed::<Option<Func>, ()>(&*s).unwrap();
    refused(typed.call(&mut *s, Some(theirs.func)));
    refused(ours.table.set(&mut *s, 0, theirs.func));
    refused(ours.table.grow(&mut *s, 1, theirs.func));
    refused(ours.table.fill(&mut *s, 0, theirs.func, 1));
    refused(Table::new(&mut *s, table_type(1, None), theirs.func));
    refused(ours.funcref.set(&mut *s, theirs.func));
    let ty = GlobalType { val: ValType::EXTERNREF, mutable: true, shared: false };
    refused(Global::new(&mut *s, ty, theirs.item.clone()));

    // Nor as what a host function returns.
    let item = theirs.item;
    let returns = Func::wrap(&mut *s, move || item.clone());
    refused(returns.typed::<(), ExternRef>(&*s).unwrap().call(&mut *s, ()));
    let func = theirs.func;
    let ty = FuncType::new([], [ValType::FUNCREF]);
    let returns = Func::new(&mut *s, ty, move |_, _, results| {
        results[0] = func.into();
        Ok(())
    });
    refused(returns.call(&mut *s, &[], &mut [Val::I32(0)]));
}

#[test]
fn imports_of_another_store_are_refused() {
    let engine = Engine::default();
    let mut one = Store::new(&engine, ());
    let mut two = Store::new(&engine, ());
    let theirs = handles(&mut one, &module(&engine, MODULE));
    let cases: [(&str, Extern); 5] = [
        ("(func (param funcref))", theirs.func.into()),
        ("(memory 1)", theirs.memory.into()),
        ("(table 3 funcref)", theirs.table.into()),
        ("(global (mut i32))", theirs.global.into()),
        ("(tag (param i32))", theirs.tag.into()),
    ];
    for (ty, item) in cases {
        let importer = module(&engine, &format!(r#"(module (import "m" "x" {ty}))"#));
        refused(Instance::new(&mut two, &importer, &[item]));
        let mut linker = Linker::new(&engine);
        linker.define("m", "x", item).unwrap();
        refused(linker.instantiate(&mut two, &importer));
        linker.instantiate(&mut one, &importer).unwrap();
    }
}

#[test]
fn engines_do_not_mix() {
    let (here, there) = (Engine::default(), Engine::default());
    let foreign = module(&there, "(module $m)");
    let mut store = Store::new(&here, ());
    let instance = Instance::new(&mut store, &foreign, &[]).unwrap_err();
    let linker = Linker::new(&there).instantiate(&mut store, &foreign).unwrap_err();
    let own = module(&here, "(module $m)");
    let other = Linker::new(&there).instantiate(&mut store, &own).unwrap_err();
    for error in [&instance, &linker, &other] {
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
    check_snapshot("engines", format!("{}\n{}", instance.report(), other.report()));
}

#[test]
fn one_import_for_each_that_is_needed() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, memory_type(1, None)).unwrap();
    let module = module(&engine, r#"(module (import "" "" (memory 1)))"#);
    for imports in [&[][..], &[memory.into(), memory.into()]] {
        let error = Instance::new(&mut store, &module, imports).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
    }
    Instance::new(&mut store, &module, &[memory.into()]).unwrap();
}
