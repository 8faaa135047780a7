//! Calls between host and guest, both ways: results, errors, panics, interruption, backtraces.

mod world;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dunlin_module::{GlobalType, RefType, TableType, ValType};
use dunlin_vm::{CallError, Extern, Limits, MemoryKind, Misuse, Settings, Trap};

use crate::world::{World, child, is_child, kinds, on_small_stack, settings};

const ADD: &str = r#"(module
    (func (export "add") (param i32 i32) (result i32)
        (i32.add (local.get 0) (local.get 1))))"#;

#[test]
fn arguments_go_in_and_results_come_out() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let i = w.instance(ADD, &[]);
        assert_eq!(w.run(i, "add", &[40, 2]), 42);
        assert_eq!(w.run(i, "add", &[u32::MAX.into(), 2]), 1, "results are zero-extended");
        let many = w.instance(
            r#"(module (func (export "f") (param v128 i64) (result i64 v128 f32)
                (local.get 1) (local.get 0) (f32.const 1.5)))"#,
            &[],
        );
        let func = w.func(many, "f");
        let mut slots = [1, 2, 3, 0];
        w.store.call(func, &mut slots).unwrap();
        assert_eq!(slots, [3, 1, 2, 1.5f32.to_bits().into()]);
    }
}

#[test]
fn misuse_is_an_error_with_a_text() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(ADD, &[]);
    let func = w.func(i, "add");
    match w.store.call(func, &mut [1]) {
        Err(CallError::Misuse(misuse)) => {
            assert_eq!(misuse.to_string(), "expected 2 slots for parameters and results, found 1")
        }
        other => panic!("{other:?}"),
    }
    let mut other = w.sibling();
    assert!(matches!(other.call(func, &mut [1, 2]), Err(CallError::Misuse(Misuse::OtherStore))));
    let stranger = World::new(MemoryKind::Compact).code(ADD);
    let refused = w.store.instantiate(&stranger, &[]).unwrap_err();
    assert_eq!(refused.to_string(), "the module belongs to another engine");
    let fueled = World { settings: Settings { fuel: true, ..w.settings }, ..w }.code(ADD);
    assert!(fueled.settings().fuel);
}

#[test]
fn every_handle_is_checked_against_its_store() {
    let mut w = World::new(MemoryKind::Compact);
    let text = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref)
        (global (export "g") i32 (i32.const 1)) (tag (export "e")) (func (export "f")))"#;
    let i = w.instance(text, &[]);
    let mut other = w.sibling();
    for name in ["m", "t", "g", "e", "f"] {
        let item = w.export(i, name);
        assert_eq!(other.extern_type(item), Err(Misuse::OtherStore));
        let wanted = w.code(&format!(
            r#"(module (import "" "" {}))"#,
            match name {
                "m" => "(memory 1)",
                "t" => "(table 1 funcref)",
                "g" => "(global i32)",
                "e" => "(tag)",
                _ => "(func)",
            }
        ));
        assert!(other.instantiate(&wanted, &[item]).is_err(), "{name}");
        assert!(w.store.instantiate(&wanted, &[item]).is_ok(), "{name}");
    }
    assert_eq!(other.export(i, "m"), Err(Misuse::OtherStore));
    let Extern::Memory(memory) = w.export(i, "m") else { panic!() };
    assert!(other.memory_data(memory).is_err() && other.memory_grow(memory, 1).is_err());
    let Extern::Table(table) = w.export(i, "t") else { panic!() };
    assert!(other.table_get(table, 0).is_err() && other.table_set(table, 0, 0).is_err());
    let Extern::Global(global) = w.export(i, "g") else { panic!() };
    assert!(other.global_get(global).is_err() && other.global_set(global, [0; 2]).is_err());
    let value = w.store.extern_new(Box::new(7), 0).unwrap();
    assert!(other.extern_data(&value).is_err() && other.root_slot(&value).is_err());
    let Extern::Func(func) = w.export(i, "f") else { panic!() };
    assert!(other.func_to_slot(func).is_err() && other.func_type(func).is_err());
    let raw = w.store.func_to_slot(func).unwrap();
    assert!(other.func_from_slot(raw).is_err(), "a raw reference of another store");
}

#[test]
fn references_from_outside_are_checked() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module (type $v (func)) (type $i (func (result i32)))
            (func (export "any") (param funcref externref))
            (func (export "typed") (param (ref null $i)))
            (func (export "some") (param (ref func)))
            (func $v (export "v")) (func (export "i") (result i32) i32.const 1))"#,
        &[],
    );
    let (v, f) = (w.func(i, "v"), w.func(i, "i"));
    let (v, f) = (w.store.func_to_slot(v).unwrap(), w.store.func_to_slot(f).unwrap());
    let e = w.store.extern_new(Box::new("host"), 0).unwrap();
    let e = w.store.root_slot(&e).unwrap();
    w.run(i, "any", &[v, e]);
    w.run(i, "any", &[0, 0]);
    w.run(i, "typed", &[f]);
    w.run(i, "typed", &[0]);
    w.run(i, "some", &[v]);
    let bad: [(&str, &[u64]); 9] = [
        ("any", &[1, 0]),
        ("any", &[v + 8, 0]),
        ("any", &[u64::MAX, 0]),
        ("any", &[0, e + 2]),
        ("any", &[0, e + (1 << 3)]),
        ("any", &[0, 1 << 20]),
        ("any", &[0, u64::MAX]),
        ("typed", &[v]),
        ("some", &[0]),
    ];
    for (name, args) in bad {
        let result = w.call(i, name, args);
        assert!(
            matches!(result, Err(CallError::Misuse(Misuse::WrongType(_)))),
            "{name} {args:x?}: {result:?}"
        );
    }
    let ty = GlobalType { val: ValType::FUNCREF, mutable: true, shared: false };
    assert!(w.store.global_new(ty, [12345, 0]).is_err());
    let global = w.store.global_new(ty, [v, 0]).unwrap();
    assert!(w.store.global_set(global, [12345, 0]).is_err());
    let ty = TableType { elem: RefType::FUNC, min: 1, max: None, index64: false, shared: false };
    assert!(w.store.table_new(ty, 12345).is_err());
    let table = w.store.table_new(ty, v).unwrap();
    assert!(w.store.table_set(table, 0, 12345).is_err());
    assert!(w.store.table_grow(table, 1, 12345).is_err());
    assert_eq!(w.store.table_get(table, 0), Ok(Some(v)));
    assert_eq!(w.store.table_get(table, 1), Ok(None));
    let lying = w.host(&[], &[ValType::FUNCREF], |call| {
        call.args[0] = 12345;
        Ok(())
    });
    let i = w.instance(
        r#"(module (import "" "lie" (func $lie (result funcref)))
            (func (export "f") (drop (call $lie))))"#,
        &[lying],
    );
    match w.call(i, "f", &[]) {
        Err(CallError::Host(error, _)) => {
            assert_eq!(error.to_string(), "expected a value of type funcref, found another");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn host_functions_see_caller_and_data() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let double = w.host(&[ValType::I64], &[ValType::I64, ValType::I32], |call| {
            let caller = call.caller.expect("a guest calls");
            let Some(Extern::Memory(memory)) = call.store.export(caller, "m")? else {
                return Err("no memory".into());
            };
            call.args[0] *= 2;
            call.args[1] = call.store.memory_data(memory)?[3].into();
            Ok(())
        });
        let i = w.instance(
            r#"(module (import "" "double" (func $double (param i64) (result i64 i32)))
                (memory (export "m") 1) (data (i32.const 3) "\2a")
                (func (export "f") (param i64) (result i64)
                    (call $double (local.get 0)) (i64.extend_i32_u) (i64.add)))"#,
            &[double],
        );
        assert_eq!(w.run(i, "f", &[100]), 242);
        let Extern::Func(double) = double else { panic!() };
        let error =
            w.store.call(double, &mut [1, 0]).is_err_and(|e| matches!(e, CallError::Trap(_)));
        assert!(error, "the host is no caller with a memory, and panics");
    }
}

#[test]
fn host_errors_come_out_as_they_are() {
    let mut w = World::new(MemoryKind::Compact);
    let fail = w.host(&[], &[], |_| Err(Box::new(std::fmt::Error)));
    let i = w.instance(
        r#"(module $m (import "" "fail" (func $fail)) (func $inner (call $fail))
            (func (export "outer") (call $inner)))"#,
        &[fail],
    );
    let Err(CallError::Host(error, backtrace)) = w.call(i, "outer", &[]) else { panic!() };
    assert!(error.is::<std::fmt::Error>());
    let names: Vec<_> = backtrace.frames.iter().map(|f| f.func_name().unwrap()).collect();
    assert_eq!(names, ["inner", "outer"]);
    assert!(matches!(w.call(i, "outer", &[]), Err(CallError::Host(..))), "the store goes on");
}

#[test]
fn a_panic_ends_its_store_and_no_other() {
    let mut w = World::new(MemoryKind::Compact);
    let inner = w.host(&[], &[], |_| panic!("the host is {}", "broken"));
    let i = w.instance(
        r#"(module (import "" "panic" (func $panic)) (func (export "f") (call $panic)))"#,
        &[inner],
    );
    let func = w.func(i, "f");
    // A host function that ignores what happened inside cannot save the guest that called it.
    let went_on = Arc::new(AtomicU32::new(0));
    let seen = went_on.clone();
    let forgiving = w.host(&[], &[], move |call| {
        assert!(call.store.call(func, &mut []).is_err());
        seen.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let outer = w.instance(
        r#"(module (import "" "f" (func $f)) (func (export "f") (call $f) (call $f)))"#,
        &[forgiving],
    );
    let Err(CallError::Trap(report)) = w.call(outer, "f", &[]) else { panic!() };
    assert_eq!(report.to_string(), "host function panicked: the host is broken");
    assert_eq!(went_on.load(Ordering::Relaxed), 1);
    assert!(w.store.is_poisoned());
    match w.call(i, "f", &[]) {
        Err(CallError::Misuse(misuse)) => assert_eq!(
            misuse.to_string(),
            "the store is unusable since a host function panicked in it"
        ),
        other => panic!("{other:?}"),
    }
    let code = w.code(ADD);
    assert!(w.store.instantiate(&code, &[]).is_err());
    assert!(w.sibling().instantiate(&code, &[]).is_ok());
}

#[test]
fn backtraces_name_functions_and_offsets() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module $demo
            (func $inner (param i32) (if (local.get 0) (then (unreachable))))
            (func (call $inner (i32.const 0)) (call $inner (i32.const 1)))
            (func (export "outer") (call 1)))"#,
        &[],
    );
    let Err(CallError::Trap(report)) = w.call(i, "outer", &[]) else { panic!() };
    assert_eq!(report.trap, Trap::Unreachable);
    assert_eq!(
        report.backtrace.to_string(),
        "  0: `inner` (offset 0x2c of `demo`)\n  \
           1: function 1 (offset 0x37 of `demo`)\n  \
           2: `outer` (offset 0x3c of `demo`)"
    );
}

#[test]
fn backtraces_use_line_tables() {
    // A version 4 table for `a.c`: line 7, column 9 from address 1 on. The instruction is at
    // address 3 of the code section.
    let table = concat!(
        r"\32\00\00\00\04\00\1b\00\00\00\01\01\01\fb\0e\0d\00\01\01\01\01\00\00\00\01\00\00\01",
        r"\00a.c\00\00\00\00\00",
        r"\00\05\02\01\00\00\00\03\06\05\09\01\02\20\00\01\01"
    );
    let mut w = World::new(MemoryKind::Compact);
    let text = format!(
        r#"(module (func $f (export "f") (unreachable)) (@custom ".debug_line" "{table}"))"#
    );
    let i = w.instance(&text, &[]);
    let Err(CallError::Trap(report)) = w.call(i, "f", &[]) else { panic!() };
    let line = report.backtrace.to_string();
    assert!(line.starts_with("  0: `f` at a.c:7:9 (offset 0x"), "{line}");
}

#[test]
fn names_are_escaped() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(r#"(module (func (export "\1b[2Jx") (unreachable)))"#, &[]);
    let Err(CallError::Trap(report)) = w.call(i, "\x1b[2Jx", &[]) else { panic!() };
    let line = report.backtrace.to_string();
    assert!(line.starts_with("  0: `\\u{1b}[2Jx` (offset"), "{line}");
}

#[test]
fn recursion_without_end_stops_quickly_and_is_counted() {
    on_small_stack(|| {
        for kind in kinds() {
            let mut w = World::new(kind);
            let i = w.instance(
                r#"(module (func $f (export "f") (param i32) (result i32)
                    (i32.add (i32.const 1) (call $f (local.get 0))))
                    (func (export "one") (result i32) i32.const 1))"#,
                &[],
            );
            let begin = Instant::now();
            let Err(CallError::Trap(report)) = w.call(i, "f", &[0]) else { panic!() };
            assert_eq!(report.trap, Trap::StackOverflow);
            assert_eq!(report.backtrace.frames.len(), 64);
            assert!(report.backtrace.omitted > 10_000, "{}", report.backtrace.omitted);
            let text = report.backtrace.to_string();
            assert!(text.ends_with(&format!("  and {} more", report.backtrace.omitted)));
            assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
            assert_eq!(w.run(i, "one", &[]), 1);
        }
    });
}

/// Calls that go from guest to host to guest, until one fails: how, and how often the host was called.
fn nest(settings: Settings, limits: Limits) -> Vec<(String, u32)> {
    let mut w = World::with(settings, limits);
    let again = Arc::new(Mutex::new(None));
    let deepest = Arc::new(AtomicU32::new(0));
    let (to_call, depth) = (again.clone(), deepest.clone());
    let host = w.host(&[], &[], move |call| {
        depth.fetch_add(1, Ordering::Relaxed);
        let func = to_call.lock().unwrap().unwrap();
        call.store.call(func, &mut []).map_err(|error| error.to_string().into())
    });
    let i = w.instance(
        r#"(module (import "" "again" (func $again)) (func (export "f") (call $again)))"#,
        &[host],
    );
    *again.lock().unwrap() = Some(w.func(i, "f"));
    let call = |_| {
        let Err(CallError::Host(error, backtrace)) = w.call(i, "f", &[]) else { panic!() };
        assert_eq!(backtrace.frames.len(), 1, "of the outermost call alone");
        (error.to_string(), deepest.swap(0, Ordering::Relaxed))
    };
    (0..3).map(call).collect()
}

const TOO_DEEP: &str =
    "call stack exhausted: too many calls between guest and host inside one another";

#[test]
fn calls_inside_one_another_are_counted() {
    on_small_stack(|| {
        for nested_calls in [0, 1, 30, Limits::default().nested_calls] {
            let limits = Limits { nested_calls, ..Limits::default() };
            for end in nest(settings(MemoryKind::Compact), limits) {
                assert_eq!(end, (TOO_DEEP.to_string(), nested_calls as u32 + 1));
            }
        }
    });
}

#[test]
fn calls_inside_one_another_end_before_the_native_stack() {
    on_small_stack(|| {
        let settings = settings(MemoryKind::Compact);
        let limits = Limits { nested_calls: usize::MAX, ..Limits::default() };
        for (message, depth) in nest(settings, limits.clone()) {
            assert_eq!(message, TOO_DEEP);
            assert!((100..2000).contains(&depth), "{depth}");
        }
        for (message, _) in nest(Settings { deterministic: true, ..settings }, limits) {
            assert_eq!(message, "resource limit exceeded: host functions took all native stack");
        }
    });
}

#[test]
fn guests_are_interrupted_once() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let i = w
            .instance(r#"(module (func (export "spin") (loop (br 0))) (func (export "ok")))"#, &[]);
        let handle = w.store.interrupt_handle();
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        });
        assert_eq!(w.trap(i, "spin", &[]), Trap::Interrupted);
        stopper.join().unwrap();
        w.run(i, "ok", &[]);
        w.store.interrupt_handle().interrupt();
        assert!(w.store.is_interrupted());
        assert_eq!(w.trap(i, "ok", &[]), Trap::Interrupted, "asked before the call");
        w.run(i, "ok", &[]);
    }
}

#[test]
fn an_interruption_that_a_host_function_wraps_is_spent_too() {
    let mut w = World::new(MemoryKind::Compact);
    let inner = w.instance(r#"(module (func (export "spin") (loop (br 0))))"#, &[]);
    let spin = w.func(inner, "spin");
    let host = w.host(&[], &[], move |call| {
        call.store.interrupt_handle().interrupt();
        call.store.call(spin, &mut []).map_err(|_| "stopped inside".into())
    });
    let i = w.instance(
        r#"(module (import "" "h" (func $h)) (func (export "f") (call $h)) (func (export "ok")))"#,
        &[host],
    );
    assert!(matches!(w.call(i, "f", &[]), Err(CallError::Host(..))));
    w.run(i, "ok", &[]);
}

#[test]
fn deadlines_pass_and_are_called_off() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(
        r#"(module (memory 2000)
            (func (export "spin") (loop (br 0))) (func (export "ok"))
            (func (export "bulk") (loop
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072000)) (br 0))))"#,
        &[],
    );
    for name in ["spin", "bulk"] {
        let begin = Instant::now();
        w.store.set_deadline(Some(begin + Duration::from_millis(50))).unwrap();
        assert_eq!(w.trap(i, name, &[]), Trap::Interrupted);
        let took = begin.elapsed();
        assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(2), "{took:?}");
        assert_eq!(w.trap(i, "ok", &[]), Trap::Interrupted, "it stays passed");
    }
    w.store.set_deadline(Some(Instant::now() + Duration::from_millis(20))).unwrap();
    w.store.set_deadline(None).unwrap();
    thread::sleep(Duration::from_millis(40));
    w.run(i, "ok", &[]);
    // Many deadlines at once, of which only the store's own counts.
    let mut others: Vec<_> = (0..50).map(|_| w.sibling()).collect();
    for (n, other) in (1..).zip(&mut others) {
        other.set_deadline(Some(Instant::now() + Duration::from_millis(n))).unwrap();
    }
    thread::sleep(Duration::from_millis(100));
    assert!(others.iter().all(|other| other.is_interrupted()));
    w.run(i, "ok", &[]);
}

#[test]
fn fuel_ends_and_bulk_operations_cost_by_size() {
    for kind in kinds() {
        let limits = Limits::default();
        let mut w = World::with(Settings { fuel: true, ..settings(kind) }, limits);
        w.store.set_fuel(1_000);
        let i = w.instance(
            r#"(module (memory 16) (func (export "spin") (loop (br 0)))
                (func (export "fill") (param i32)
                    (memory.fill (i32.const 0) (i32.const 1) (local.get 0))))"#,
            &[],
        );
        assert_eq!(w.trap(i, "spin", &[]), Trap::OutOfFuel);
        assert_eq!(w.store.fuel(), 0);
        let mut cost = |bytes| {
            w.store.set_fuel(1_000_000);
            w.run(i, "fill", &[bytes]);
            1_000_000 - w.store.fuel()
        };
        assert_eq!(cost(1 << 20) - cost(1), (1 << 20) / 64);
        w.store.set_fuel(100);
        assert_eq!(w.trap(i, "fill", &[1 << 20]), Trap::OutOfFuel);
    }
}

#[test]
fn stores_move_between_threads() {
    let mut w = World::new(MemoryKind::Compact);
    let i = w.instance(ADD, &[]);
    assert_eq!(w.run(i, "add", &[1, 2]), 3);
    let mut w = thread::spawn(move || {
        assert_eq!(w.run(i, "add", &[3, 4]), 7);
        w
    })
    .join()
    .unwrap();
    assert_eq!(w.run(i, "add", &[5, 6]), 11);
}

#[test]
fn a_small_value_stack_is_a_smaller_limit() {
    let limits = Limits { value_stack_slots: 1000, ..Limits::default() };
    let mut w = World::with(settings(MemoryKind::Compact), limits);
    let i = w.instance(
        r#"(module (func $down (export "down") (param i32)
            (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))))))"#,
        &[],
    );
    w.run(i, "down", &[20]);
    assert_eq!(w.trap(i, "down", &[2000]), Trap::StackOverflow);
    w.run(i, "down", &[20]);
}

/// A host function that moves its store away ends the process, before anything freed is used.
#[cfg(unix)]
#[test]
fn a_store_stays_where_it_is_during_a_call() {
    use std::os::unix::process::ExitStatusExt;
    const NAME: &str = "a_store_stays_where_it_is_during_a_call";
    if !is_child() {
        let output = child(NAME);
        assert_eq!(output.status.signal(), Some(6), "{:?}", output.status);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("dunlin: a store was dropped during a call in it"), "{text}");
        return;
    }
    let mut w = World::new(MemoryKind::Compact);
    let other = Mutex::new(Some(w.sibling()));
    let host = w.host(&[], &[], move |call| {
        *call.store = other.lock().unwrap().take().unwrap();
        Ok(())
    });
    let i =
        w.instance(r#"(module (import "" "h" (func $h)) (func (export "f") (call $h)))"#, &[host]);
    let _ = w.call(i, "f", &[]);
}
