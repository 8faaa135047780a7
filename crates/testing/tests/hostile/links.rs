//! Imports that do not fit, and modules that mix imported and own items of every kind.

use dunlin_engine::{
    Engine, ErrorKind, Extern, FuncType, Global, GlobalType, Instance, Linker, Memory, MemoryType,
    Module, RefType, Store, Table, TableType, Val, ValType,
};
use dunlin_script::wat_to_wasm;

use super::on_small_stack;

fn load(engine: &Engine, text: &str) -> Module {
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    Module::new(engine, &wasm).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the host offers under the name `x`, and which imports of that fit.
const OFFERS: [(&str, &str, &[&str]); 8] = [
    ("(func (export \"x\") (param i32))", "func", &["(func (param i32))"]),
    (
        "(memory (export \"x\") 2 4)",
        "memory",
        &["(memory 2 4)", "(memory 1)", "(memory 0 5)", "(memory 2)"],
    ),
    ("(memory (export \"x\") i64 1)", "memory", &["(memory i64 1)", "(memory i64 0)"]),
    ("(memory (export \"x\") 9 (pagesize 1))", "memory", &["(memory 9 (pagesize 1))"]),
    ("(table (export \"x\") 3 5 funcref)", "table", &["(table 3 5 funcref)", "(table 0 funcref)"]),
    ("(table (export \"x\") i64 3 externref)", "table", &["(table i64 3 externref)"]),
    ("(global (export \"x\") (mut i32) (i32.const 1))", "global", &["(global (mut i32))"]),
    ("(global (export \"x\") i64 (i64.const 1))", "global", &["(global i64)"]),
];

/// Imports of every kind; each fits where `OFFERS` says so, and nowhere else.
const IMPORTS: [&str; 22] = [
    "(func)",
    "(func (param i32))",
    "(func (param i64))",
    "(func (param i32) (result i32))",
    "(memory 0)",
    "(memory 1)",
    "(memory 2)",
    "(memory 2 4)",
    "(memory 2 3)",
    "(memory 0 5)",
    "(memory i64 0)",
    "(memory i64 1)",
    "(memory 9 (pagesize 1))",
    "(memory 0 1 shared)",
    "(table 0 funcref)",
    "(table 3 5 funcref)",
    "(table 4 5 funcref)",
    "(table i64 3 externref)",
    "(table 3 externref)",
    "(global (mut i32))",
    "(global i32)",
    "(global i64)",
];

#[test]
fn imports_fit_or_are_link_errors() {
    on_small_stack(|| {
        let engine = Engine::default();
        for (offer, kind, fitting) in OFFERS {
            for import in IMPORTS {
                let mut store = Store::new(&engine, ());
                let offering = load(&engine, &format!("(module {})", offer));
                let offering = Instance::new(&mut store, &offering, &[]).unwrap();
                let mut linker = Linker::new(&engine);
                linker.instance(&mut store, "m", offering).unwrap();
                let importing = format!("(module (import \"m\" \"x\" {import}))");
                let linked = linker.instantiate(&mut store, &load(&engine, &importing));
                let fits = fitting.contains(&import) || lax(offer, import);
                match linked {
                    Ok(_) => assert!(fits, "{import} takes {offer}"),
                    Err(error) => {
                        assert!(!fits, "{import} refuses {offer}: {error}");
                        assert_eq!(error.kind(), ErrorKind::Link);
                        let text = error.report().to_string();
                        assert!(text.contains("`m::x`"), "{text}");
                        assert!(text.contains(kind), "{text}");
                    }
                }
            }
        }
    });
}

/// Imports that are less than what `fitting` lists but follow from it.
fn lax(offer: &str, import: &str) -> bool {
    offer.starts_with("(memory (export \"x\") 2 4)") && import == "(memory 0)"
}

/// Own items come after imported ones in every index space, and segments go where they say.
#[test]
fn imported_and_own_items() {
    let text = r#"(module
      (import "m" "f" (func $f0 (result i32)))
      (import "m" "m" (memory $m0 1))
      (import "m" "t" (table $t0 2 funcref))
      (import "m" "g" (global $g0 i32))
      (memory $m1 1) (table $t1 2 funcref) (global $g1 i32 (i32.const 21))
      (data (memory $m1) (i32.const 0) "\0b") (data (memory $m0) (global.get $g0) "\0c")
      (elem (table $t1) (i32.const 1) func $f1) (elem (table $t0) (i32.const 0) func $f0)
      (func $f1 (result i32) (i32.const 31))
      (type $t (func (result i32)))
      (func (export "all") (result i32 i32 i32 i32 i32 i32 i32 i32)
        (i32.load8_u $m0 (i32.const 0)) (i32.load8_u $m1 (i32.const 0))
        (global.get $g0) (global.get $g1)
        (call $f0) (call $f1)
        (call_indirect $t0 (type $t) (i32.const 0)) (call_indirect $t1 (type $t) (i32.const 1))))"#;
    on_small_stack(|| {
        let engine = Engine::default();
        let module = load(&engine, text);
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new([], [ValType::I32]);
        let f = dunlin_engine::Func::new(&mut store, ty, |_, _, results| {
            results[0] = Val::I32(30);
            Ok(())
        });
        let ty =
            MemoryType { min: 1, max: None, index64: false, shared: false, page_size_log2: 16 };
        let memory = Memory::new(&mut store, ty).unwrap();
        let elem = RefType::FUNC;
        let ty = TableType { elem, min: 2, max: None, index64: false, shared: false };
        let table = Table::new(&mut store, ty, dunlin_engine::Ref::Func(None)).unwrap();
        let ty = GlobalType { val: ValType::I32, mutable: false, shared: false };
        let global = Global::new(&mut store, ty, Val::I32(5)).unwrap();
        let imports: [Extern; 4] = [f.into(), memory.into(), table.into(), global.into()];
        let instance = Instance::new(&mut store, &module, &imports).unwrap();
        let all = instance.get_func(&mut store, "all").unwrap();
        let mut results = [const { Val::I32(0) }; 8];
        all.call(&mut store, &[], &mut results).unwrap();
        let expected = [0, 11, 5, 21, 30, 31, 30, 31].map(Val::I32);
        assert_eq!(results, expected);
        assert_eq!(memory.data(&store)[5], 12);
        // Imports of a wrong kind, too few and too many.
        let wrong: [Extern; 4] = [f.into(), table.into(), memory.into(), global.into()];
        let five: [Extern; 5] = [f.into(), memory.into(), table.into(), global.into(), f.into()];
        for imports in [&wrong[..], &imports[..3], &five] {
            let error = Instance::new(&mut store, &module, imports).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Link | ErrorKind::Misuse), "{error}");
        }
    });
}
