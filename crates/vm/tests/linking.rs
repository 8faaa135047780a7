//! Instantiation: imports against types, segments, start functions, and what failure leaves behind.

mod world;

use dunlin_module::{GlobalType, MemoryType, RefType, TableType, ValType};
use dunlin_vm::{
    Extern, InstantiateError, Limits, LinkError, LinkErrorKind, MemoryKind, Misuse, Resource, Trap,
};

use crate::world::{World, kinds, on_small_stack, settings};

/// What a module that imports `wanted` says to `item`, `Ok` if it takes it.
fn link(w: &mut World, wanted: &str, item: Extern) -> Result<(), String> {
    let text = format!(r#"(module (import "env" "it" {wanted}))"#);
    match w.try_instance(&text, &[item]) {
        Ok(_) => Ok(()),
        Err(InstantiateError::Link(error)) => {
            assert_eq!(error.kind(), LinkErrorKind::Incompatible);
            Err(error.to_string())
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn imports_must_be_of_the_type_that_is_wanted() {
    let mut w = World::new(MemoryKind::Compact);
    let func = w.host(&[ValType::I64], &[], |_| Ok(()));
    let memory = |min, max, index64, page_size_log2| MemoryType {
        min,
        max,
        index64,
        shared: false,
        page_size_log2,
    };
    let m = Extern::Memory(w.store.memory_new(memory(1, Some(3), false, 16)).unwrap());
    let m64 = Extern::Memory(w.store.memory_new(memory(1, None, true, 16)).unwrap());
    let m1 = Extern::Memory(w.store.memory_new(memory(9, None, false, 0)).unwrap());
    let ty = TableType { elem: RefType::FUNC, min: 2, max: Some(4), index64: false, shared: false };
    let t = Extern::Table(w.store.table_new(ty, 0).unwrap());
    let global = |val, mutable| GlobalType { val, mutable, shared: false };
    let g = Extern::Global(w.store.global_new(global(ValType::I32, false), [1, 0]).unwrap());
    let v = Extern::Global(w.store.global_new(global(ValType::I32, true), [1, 0]).unwrap());
    let e =
        Extern::Tag(w.store.tag_new(&dunlin_module::FuncType::new([ValType::I32], [])).unwrap());

    let fits = [
        ("(func (param i64))", func),
        ("(memory 1 3)", m),
        ("(memory 0)", m),
        ("(memory 1 4)", m),
        ("(memory i64 1)", m64),
        ("(memory 4 (pagesize 1))", m1),
        ("(table 2 4 funcref)", t),
        ("(table 0 funcref)", t),
        ("(global i32)", g),
        ("(global (mut i32))", v),
        ("(tag (param i32))", e),
    ];
    for (wanted, item) in fits {
        assert_eq!(link(&mut w, wanted, item), Ok(()), "{wanted}");
    }
    let refused = [
        (
            "(func (param i32 i32))",
            func,
            "expected (func (param i32 i32)), found (func (param i64))",
        ),
        ("(func)", m, "expected (func), found (memory 1 3)"),
        ("(memory 2)", m, "expected (memory 2), found (memory 1 3)"),
        ("(memory 1 2)", m, "expected (memory 1 2), found (memory 1 3)"),
        ("(memory 1 2)", m64, "expected (memory 1 2), found (memory i64 1)"),
        ("(memory 0)", m1, "expected (memory 0), found (memory 9 (pagesize 1))"),
        ("(memory i64 1)", m, "expected (memory i64 1), found (memory 1 3)"),
        ("(memory 1 3 shared)", m, "expected (memory 1 3 shared), found (memory 1 3)"),
        ("(table 3 funcref)", t, "expected (table 3 funcref), found (table 2 4 funcref)"),
        ("(table 2 externref)", t, "expected (table 2 externref), found (table 2 4 funcref)"),
        ("(table i64 2 funcref)", t, "expected (table i64 2 funcref), found (table 2 4 funcref)"),
        ("(global i64)", g, "expected (global i64), found (global i32)"),
        ("(global (mut i32))", g, "expected (global (mut i32)), found (global i32)"),
        ("(global i32)", v, "expected (global i32), found (global (mut i32))"),
        ("(tag)", e, "expected (tag), found (tag (param i32))"),
        ("(tag (param i64))", e, "expected (tag (param i64)), found (tag (param i32))"),
    ];
    for (wanted, item, text) in refused {
        let expected = Err(format!("cannot link import `env::it`: {text}"));
        assert_eq!(link(&mut w, wanted, item), expected);
    }
    // The current size counts, not the declared one.
    let Extern::Memory(memory) = m else { panic!() };
    w.store.memory_grow(memory, 1).unwrap();
    assert_eq!(link(&mut w, "(memory 2)", m), Ok(()));
}

#[test]
fn the_message_for_a_missing_import() {
    let w = World::new(MemoryKind::Compact);
    let code = w.code(r#"(module (import "env" "log\0a" (func (param i32 i32))))"#);
    let error = LinkError::unknown(&code.module().imports[0]);
    assert_eq!(error.kind(), LinkErrorKind::Unknown);
    assert_eq!(
        error.to_string(),
        "cannot link import `env::log\\u{a}`: expected (func (param i32 i32)), found nothing of \
         that name"
    );
}

#[test]
fn functions_and_constant_globals_may_be_subtypes() {
    let mut w = World::new(MemoryKind::Compact);
    let types = "(type $top (sub (func))) (type $sub (sub $top (func))) (type $other (func))";
    let i = w.instance(
        &format!(
            r#"(module {types} (func $f (export "f") (type $sub))
                (global (export "g") (ref $sub) (ref.func $f)))"#
        ),
        &[],
    );
    let (f, g) = (w.export(i, "f"), w.export(i, "g"));
    for (wanted, item, ok) in [
        ("(func (type $top))", f, true),
        ("(func (type $sub))", f, true),
        ("(func (type $other))", f, false),
        ("(global (ref $top))", g, true),
        ("(global funcref)", g, true),
        ("(global (ref null $sub))", g, true),
        ("(global externref)", g, false),
    ] {
        let text = format!(r#"(module {types} (import "env" "it" {wanted}))"#);
        assert_eq!(w.try_instance(&text, &[item]).is_ok(), ok, "{wanted}");
    }
}

#[test]
fn one_extern_for_each_import() {
    let mut w = World::new(MemoryKind::Compact);
    let f = w.host(&[], &[], |_| Ok(()));
    let text = r#"(module (import "" "a" (func)) (import "" "b" (func)))"#;
    let error = w.try_instance(text, &[f]).unwrap_err();
    let expected = Misuse::ImportCount { expected: 2, found: 1 };
    assert!(matches!(&error, InstantiateError::Misuse(found) if *found == expected));
    assert_eq!(error.to_string(), "expected 2 imports, found 1");
}

#[test]
fn globals_are_evaluated_in_order_and_shared() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let ty = GlobalType { val: ValType::I64, mutable: true, shared: false };
        let shared = w.store.global_new(ty, [5, 0]).unwrap();
        let ty = GlobalType { val: ValType::I32, mutable: false, shared: false };
        let base = w.store.global_new(ty, [40, 0]).unwrap();
        let i = w.instance(
            r#"(module (import "" "shared" (global $s (mut i64))) (import "" "base" (global $b i32))
                (global $c (export "c") i32 (i32.add (global.get $b) (i32.const 2)))
                (global (export "d") i32 (i32.mul (i32.sub (global.get $c) (i32.const 2))
                                                  (global.get $b)))
                (global (export "v") v128 (v128.const i64x2 1 2))
                (global (export "l") i64 (i64.mul (i64.const -1) (i64.const 3)))
                (global (export "again") (mut i64) (i64.const 1))
                (export "s" (global $s))
                (func (export "bump") (global.set $s (i64.add (global.get $s) (i64.const 1)))))"#,
            &[shared.into(), base.into()],
        );
        let get = |w: &mut World, name: &str| match w.export(i, name) {
            Extern::Global(global) => (global, w.store.global_get(global).unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!(get(&mut w, "c").1, [42, 0]);
        assert_eq!(get(&mut w, "d").1, [1600, 0]);
        assert_eq!(get(&mut w, "v").1, [1, 2]);
        assert_eq!(get(&mut w, "l").1, [-3i64 as u64, 0]);
        w.run(i, "bump", &[]);
        assert_eq!(w.store.global_get(shared).unwrap(), [6, 0]);
        assert_eq!(get(&mut w, "s").0, shared, "the same global has the same handle");
        let constant = get(&mut w, "c").0;
        assert_eq!(w.store.global_set(constant, [1, 0]), Err(Misuse::ImmutableGlobal));
        let again = get(&mut w, "again").0;
        w.store.global_set(again, [77, 0]).unwrap();
        assert_eq!(get(&mut w, "again").1, [77, 0]);
    }
}

#[test]
fn tables_are_filled_and_functions_keep_their_identity() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module (type $t (func (result i32)))
            (func $a (export "a") (result i32) i32.const 1)
            (func $b (export "b") (result i32) i32.const 2)
            (table $t (export "t") 4 funcref (ref.func $a))
            (elem (table $t) (i32.const 1) func $b $a)
            (elem $p func $b $b $b)
            (elem (table $t) (i32.const 3) funcref (ref.null func))
            (func (export "call") (param i32) (result i32)
                (call_indirect $t (type $t) (local.get 0)))
            (func (export "init") (param i32 i32 i32)
                (table.init $t $p (local.get 0) (local.get 1) (local.get 2)))
            (func (export "drop") (elem.drop $p)))"#,
        &[],
    );
    let called: Vec<u64> = (0..3).map(|at| w.run(i, "call", &[at])).collect();
    assert_eq!(called, [1, 2, 1]);
    assert_eq!(w.trap(i, "call", &[3]), Trap::UninitializedElement);
    assert_eq!(w.trap(i, "call", &[4]), Trap::UndefinedElement);
    let Extern::Table(table) = w.export(i, "t") else { panic!() };
    let element = w.store.table_get(table, 1).unwrap().unwrap();
    assert_eq!(w.store.func_from_slot(element).unwrap(), Some(w.func(i, "b")));
    w.run(i, "init", &[0, 1, 2]);
    assert_eq!(w.run(i, "call", &[0]), 2);
    for (dst, src, len) in [(3, 0, 2), (0, 2, 2), (5, 0, 0), (0, 4, 0)] {
        assert_eq!(w.trap(i, "init", &[dst, src, len]), Trap::TableOutOfBounds);
    }
    w.run(i, "drop", &[]);
    w.run(i, "drop", &[]);
    w.run(i, "init", &[4, 0, 0]);
    assert_eq!(w.trap(i, "init", &[0, 0, 1]), Trap::TableOutOfBounds);
}

#[test]
fn a_segment_that_does_not_fit_leaves_what_came_before() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let ty =
            MemoryType { min: 1, max: None, index64: false, shared: false, page_size_log2: 16 };
        let memory = w.store.memory_new(ty).unwrap();
        let text = r#"(module (import "" "m" (memory 1))
            (data (i32.const 0) "abc") (data (i32.const 65534) "xyz") (data (i32.const 8) "def"))"#;
        let Err(InstantiateError::Trap(report)) = w.try_instance(text, &[memory.into()]) else {
            panic!()
        };
        assert_eq!(report.trap, Trap::MemoryOutOfBounds);
        assert_eq!(
            report.to_string(),
            "out of bounds memory access: data segment 1 writes 3 bytes at 65534 to memory 0, \
             which has 65536"
        );
        let bytes = w.store.memory_data(memory).unwrap();
        assert_eq!(&bytes[..3], b"abc");
        assert_eq!(bytes[65534..], [0, 0], "a segment is written whole or not at all");
        assert_eq!(bytes[8], 0);
        let text = r#"(module (table 2 funcref) (func $f) (elem (i32.const -1) func $f))"#;
        let error = w.try_instance(text, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "out of bounds table access: element segment 0 writes 1 elements at 4294967295 to \
             table 0, which has 2"
        );
    }
}

#[test]
fn passive_data_is_copied_until_it_is_dropped() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let i = w.instance(
            r#"(module (memory (export "m") 1) (data $active (i32.const 100) "active")
                (data $d "hello")
                (func (export "init") (param i32 i32 i32)
                    (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
                (func (export "active") (memory.init $active (i32.const 0) (i32.const 0) (i32.const 1)))
                (func (export "drop") (data.drop $d)))"#,
            &[],
        );
        w.run(i, "init", &[10, 1, 4]);
        let Extern::Memory(memory) = w.export(i, "m") else { panic!() };
        assert_eq!(&w.store.memory_data(memory).unwrap()[10..14], b"ello");
        assert_eq!(w.trap(i, "active", &[]), Trap::MemoryOutOfBounds, "dropped after use");
        for (dst, src, len) in [(65534, 0, 3), (0, 3, 3), (0, 6, 0), (65537, 0, 0)] {
            assert_eq!(w.trap(i, "init", &[dst, src, len]), Trap::MemoryOutOfBounds);
        }
        w.run(i, "drop", &[]);
        w.run(i, "init", &[65536, 0, 0]);
        assert_eq!(w.trap(i, "init", &[0, 0, 1]), Trap::MemoryOutOfBounds);
    }
}

#[test]
fn start_functions_run_and_may_stop() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module (global $g (export "g") (mut i32) (i32.const 1))
            (func $start (global.set $g (i32.const 9))) (start $start))"#,
        &[],
    );
    let Extern::Global(g) = w.export(i, "g") else { panic!() };
    assert_eq!(w.store.global_get(g).unwrap()[0], 9);
    let text = "(module (func $boom (unreachable)) (start $boom))";
    let Err(InstantiateError::Trap(report)) = w.try_instance(text, &[]) else { panic!() };
    assert_eq!(report.backtrace.frames[0].func_name(), Some("boom"));
    let fail = w.host(&[], &[], |_| Err("no".into()));
    let text = r#"(module (import "" "fail" (func $f)) (start $f))"#;
    let error = w.try_instance(text, &[fail]).unwrap_err();
    assert!(matches!(&error, InstantiateError::Host(e, _) if e.to_string() == "no"));
}

#[test]
fn failure_takes_nothing_from_the_budget() {
    let mut w = World::new(MemoryKind::Compact);
    w.instance("(module (memory 1) (table 5 funcref))", &[]);
    let all = [
        Resource::MemoryBytes,
        Resource::Memories,
        Resource::TableElements,
        Resource::Tables,
        Resource::Instances,
        Resource::Handles,
        Resource::Bytes,
    ];
    let used = |w: &World| all.map(|resource| w.store.budget().used(resource));
    let before = used(&w);
    let text = "(module (memory 2) (memory 3) (table 7 funcref) (tag) (table 0xffffffff funcref))";
    assert!(w.try_instance(text, &[]).is_err());
    assert_eq!(used(&w), before);
    assert_eq!(before[..5], [65536, 1, 5, 1, 1]);
}

#[test]
fn instances_and_handles_are_counted() {
    let limits = Limits { instances: 3, handles: 5, ..Limits::default() };
    let mut w = World::with(settings(MemoryKind::Compact), limits);
    for _ in 0..3 {
        w.instance("(module)", &[]);
    }
    let error = w.try_instance("(module)", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot allocate 1 instances: expected at most 3 in all, found 3 in use already"
    );
    // A value counts, and the reference to it.
    let held: Vec<_> = (0..2).map(|n| w.store.extern_new(Box::new(n), 0).unwrap()).collect();
    assert!(w.store.extern_new(Box::new(5), 0).is_err());
    drop(held);
    assert!(w.store.extern_new(Box::new(5), 0).is_ok(), "what nobody needs does not count");
    let limits = Limits { budget_bytes: 10_000, ..Limits::default() };
    let mut w = World::with(settings(MemoryKind::Compact), limits);
    let big = format!("(module {})", "(global i32 (i32.const 0))".repeat(1000));
    assert!(matches!(w.try_instance(&big, &[]), Err(InstantiateError::Limit(_))));
}

#[test]
fn external_values_come_back() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module (table (export "t") 1 externref)
            (func (export "put") (param externref) (table.set (i32.const 0) (local.get 0)))
            (func (export "get") (result externref) (table.get (i32.const 0))))"#,
        &[],
    );
    assert_eq!(w.run(i, "get", &[]), 0);
    let value = w.store.extern_new(Box::new(String::from("host")), 0).unwrap();
    let slot = w.store.root_slot(&value).unwrap();
    w.run(i, "put", &[slot]);
    let back = w.run(i, "get", &[]);
    let back = w.store.root(back).unwrap();
    assert_eq!(back, value);
    let data = w.store.extern_data(&back).unwrap();
    assert_eq!(data.unwrap().downcast_ref::<String>().map(String::as_str), Some("host"));
}

#[test]
fn a_million_globals_and_functions() {
    on_small_stack(|| {
        for kind in kinds() {
            let mut w = World::new(kind);
            let count = 1_000_000u32;
            let leb = |mut n: usize| {
                let mut bytes = Vec::new();
                loop {
                    let low = (n & 0x7f) as u8;
                    n >>= 7;
                    bytes.push(if n > 0 { low | 0x80 } else { low });
                    if n == 0 {
                        return bytes;
                    }
                }
            };
            let mut bytes = b"\0asm\x01\0\0\0".to_vec();
            let mut section = |id: u8, head: Vec<u8>, item: &[u8]| {
                let body = [head, item.repeat(count as usize)].concat();
                bytes.push(id);
                bytes.extend(leb(body.len()));
                bytes.extend(body);
            };
            let n = leb(count as usize);
            section(3, n.clone(), &[0]);
            section(6, n.clone(), &[0x7f, 0, 0x41, 1, 0x0b]);
            section(10, n, &[2, 0, 0x0b]);
            // The type section comes first.
            bytes.splice(8..8, [1, 4, 1, 0x60, 0, 0]);
            let code = w.code_of(bytes);
            let begin = std::time::Instant::now();
            w.store.instantiate(&code, &[]).unwrap();
            assert!(begin.elapsed().as_secs() < 2, "{:?}", begin.elapsed());
        }
    });
}

#[test]
fn objects_in_constant_expressions_are_made_once() {
    let mut w = World::new(MemoryKind::Compact);
    let text = r#"(module (type $s (struct (field i32)))
        (global $g (ref $s) (struct.new $s (i32.const 7)))
        (table $t 3 3 (ref null $s) (struct.new $s (i32.const 8)))
        (elem $e (ref $s) (struct.new $s (i32.const 9)))
        (func (export "same") (result i32)
            (ref.eq (table.get $t (i32.const 0)) (table.get $t (i32.const 2))))
        (func (export "twice") (result i32)
            (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))
            (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 1))
            (ref.eq (table.get $t (i32.const 0)) (table.get $t (i32.const 1))))
        (func (export "sum") (result i32)
            (i32.add (struct.get $s 0 (global.get $g))
                (struct.get $s 0 (table.get $t (i32.const 0))))))"#;
    let i = w.instance(text, &[]);
    assert_eq!(w.run(i, "same", &[]), 1);
    assert_eq!(w.run(i, "twice", &[]), 1);
    assert_eq!(w.run(i, "sum", &[]), 16);
}

#[test]
fn a_constant_array_that_does_not_fit_the_heap_is_a_trap() {
    let limits = Limits { heap_bytes: 8 << 20, ..Limits::default() };
    let mut w = World::with(settings(MemoryKind::Compact), limits);
    let text = r#"(module (type $a (array i8))
        (global (ref $a) (array.new $a (i32.const 1) (i32.const -1))))"#;
    let error = w.try_instance(text, &[]).unwrap_err();
    assert!(error.to_string().starts_with("garbage-collected heap exhausted: "), "{error}");
}
