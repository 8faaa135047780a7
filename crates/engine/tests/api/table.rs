//! Tables: elements from host and guest, bounds and types.

use dunlin_engine::{
    Engine, ErrorKind, ExternRef, Func, Instance, Ref, RefType, Store, Table, TableType, Val,
};

use crate::limits::table_type;
use crate::{check_snapshot, instance, module};

#[test]
fn host_and_guest_see_the_same_elements() {
    let (mut store, instance) = instance(
        &Engine::default(),
        r#"(module
             (table (export "table") 3 5 funcref)
             (elem (i32.const 1) func $seven)
             (func $seven (result i32) (i32.const 7))
             (func (export "call") (param i32) (result i32)
               (call_indirect (result i32) (local.get 0))))"#,
    );
    let table = instance.get_table(&mut store, "table").unwrap();
    let call = instance.get_typed_func::<u32, i32>(&mut store, "call").unwrap();
    assert_eq!(table.ty(&store).to_string(), "(table 3 5 funcref)");
    assert_eq!(table.get(&mut store, 0), Some(Ref::Func(None)));
    assert_eq!(table.get(&mut store, 3), None);
    assert_eq!(table.get(&mut store, u64::MAX), None);
    assert_eq!(call.call(&mut store, 1).unwrap(), 7);
    let nine = Func::wrap(&mut store, || 9i32);
    table.set(&mut store, 2, nine).unwrap();
    assert_eq!(call.call(&mut store, 2).unwrap(), 9);
    assert_eq!(table.get(&mut store, 2).unwrap().as_func(), Some(nine));
    table.set(&mut store, 1, Val::FuncRef(None)).unwrap();
    call.call(&mut store, 1).unwrap_err();
    assert_eq!(table.grow(&mut store, 2, nine).unwrap(), 3);
    assert_eq!(call.call(&mut store, 4).unwrap(), 9);
    assert_eq!(table.size(&store), 5);
    table.grow(&mut store, 1, nine).unwrap_err();
}

#[test]
fn elements_are_filled_and_copied() {
    let mut store = Store::new(&Engine::default(), ());
    let (a, b) = (Func::wrap(&mut store, || 1), Func::wrap(&mut store, || 2));
    let table = Table::new(&mut store, table_type(5, None), a).unwrap();
    let other = Table::new(&mut store, table_type(2, None), Ref::Func(None)).unwrap();
    table.fill(&mut store, 1, b, 3).unwrap();
    let read = |store: &mut Store<()>, table: Table| -> Vec<_> {
        (0..table.size(&*store)).map(|i| table.get(&mut *store, i).unwrap().as_func()).collect()
    };
    assert_eq!(read(&mut store, table), [a, b, b, b, a].map(Some));
    Table::copy(&mut store, &table, 0, &table, 3, 2).unwrap();
    assert_eq!(read(&mut store, table), [b, a, b, b, a].map(Some));
    Table::copy(&mut store, &other, 0, &table, 1, 2).unwrap();
    assert_eq!(read(&mut store, other), [a, b].map(Some));

    let errors = [
        table.fill(&mut store, 4, b, 2).unwrap_err(),
        table.fill(&mut store, u64::MAX, b, 2).unwrap_err(),
        table.set(&mut store, 5, b).unwrap_err(),
        Table::copy(&mut store, &other, 1, &table, 0, 2).unwrap_err(),
        Table::copy(&mut store, &table, 0, &other, 2, 1).unwrap_err(),
    ];
    assert_eq!(read(&mut store, table), [b, a, b, b, a].map(Some));
    check_snapshot("table_bounds", errors.map(|error| error.to_string()).join("\n"));
}

#[test]
fn elements_have_the_type_of_the_table() {
    let mut store = Store::new(&Engine::default(), ());
    let item = ExternRef::new(&mut store, 1u8).unwrap();
    let func = Func::wrap(&mut store, || ());
    let table = Table::new(&mut store, table_type(1, None), func).unwrap();
    let externs = TableType { elem: RefType::EXTERN, ..table_type(1, None) };
    let others = Table::new(&mut store, externs, item.clone()).unwrap();
    assert_eq!(others.get(&mut store, 0).unwrap().as_extern(), Some(item.clone()));
    let errors = [
        Table::new(&mut store, externs, func).unwrap_err(),
        table.set(&mut store, 0, item).unwrap_err(),
        table.set(&mut store, 0, 1i32).unwrap_err(),
        table.fill(&mut store, 0, Ref::Extern(None), 1).unwrap_err(),
        others.grow(&mut store, 1, Ref::Func(None)).unwrap_err(),
        Table::copy(&mut store, &table, 0, &others, 0, 1).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Misuse));
    check_snapshot("table_types", errors.map(|error| error.to_string()).join("\n"));
}

#[test]
fn types_that_make_no_sense_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    let types = [
        table_type(2, Some(1)),
        table_type(1 << 32, None),
        table_type(1, Some(1 << 32)),
        TableType { elem: RefType { nullable: false, ..RefType::FUNC }, ..table_type(1, None) },
    ];
    let texts = types.map(|ty| {
        let error = Table::new(&mut store, ty, Ref::Func(None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{ty:?}");
        error.to_string()
    });
    check_snapshot("table_type", texts.join("\n"));
}

#[test]
fn functions_of_a_table_keep_their_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let table = Table::new(&mut store, table_type(2, None), Ref::Func(None)).unwrap();
    for n in 0..2 {
        let wat = format!(
            r#"(module
                 (import "" "" (table 2 funcref))
                 (global $n i32 (i32.const {n}))
                 (elem (i32.const {n}) func $f)
                 (func $f (result i32) (i32.add (i32.const 40) (global.get $n))))"#
        );
        Instance::new(&mut store, &module(&engine, &wat), &[table.into()]).unwrap();
    }
    for n in 0..2 {
        let f = table.get(&mut store, n).unwrap().as_func().unwrap();
        let f = f.typed::<(), i32>(&store).unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 40 + n as i32);
    }
}
