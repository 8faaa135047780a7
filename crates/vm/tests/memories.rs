//! Memories and tables of both kinds: bounds, growth, laziness, faults that are not the guest's.

mod world;

use dunlin_module::MemoryType;
use dunlin_vm::{CallError, Extern, Limits, MemoryKind, Settings, Trap};

use crate::world::{World, child, is_child, kinds, on_small_stack, settings};

const PAGE: u64 = 65536;

#[test]
fn the_last_byte_is_inside_and_the_next_is_not() {
    on_small_stack(|| {
        for kind in kinds() {
            let mut w = World::new(kind);
            let i = w.instance(
                r#"(module (memory (export "m") 1 3)
                    (func (export "load") (param i32) (result i64) (i64.load (local.get 0)))
                    (func (export "far") (param i32) (result i32)
                        (i32.load offset=4294967295 (local.get 0)))
                    (func (export "store") (param i32 i64)
                        (i64.store (local.get 0) (local.get 1)))
                    (func (export "grow") (result i32) (memory.grow (i32.const 1))))"#,
                &[],
            );
            for pages in 1..=3 {
                let end = pages * PAGE;
                w.run(i, "store", &[end - 8, 7]);
                assert_eq!(w.run(i, "load", &[end - 8]), 7);
                for bad in [end - 7, end - 1, end, end + 1, 1 << 31, u32::MAX.into()] {
                    assert_eq!(w.trap(i, "load", &[bad]), Trap::MemoryOutOfBounds, "{bad:#x}");
                    assert_eq!(w.trap(i, "store", &[bad, !0]), Trap::MemoryOutOfBounds);
                }
                assert_eq!(w.run(i, "load", &[end - 8]), 7, "a store is whole or not at all");
                for bad in [0, 1, end, u32::MAX.into()] {
                    assert_eq!(w.trap(i, "far", &[bad]), Trap::MemoryOutOfBounds, "{bad:#x}");
                }
                let old = w.run(i, "grow", &[]);
                assert_eq!(old, if pages < 3 { pages } else { u32::MAX.into() });
            }
        }
    });
}

#[test]
fn an_instance_without_bytes_traps_everywhere() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let i = w.instance(
            r#"(module (memory 0) (func (export "load") (param i32) (result i32)
                (i32.load8_u (local.get 0))))"#,
            &[],
        );
        for at in [0, 1, 65535, u32::MAX.into()] {
            assert_eq!(w.trap(i, "load", &[at]), Trap::MemoryOutOfBounds);
        }
    }
}

#[test]
fn growth_by_the_host_is_seen_by_the_guest() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let text = r#"(module (memory (export "m") 1)
            (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "size") (result i32) (memory.size)))"#;
        let i = w.instance(text, &[]);
        let Extern::Memory(memory) = w.export(i, "m") else { panic!() };
        w.store.memory_data_mut(memory).unwrap()[5] = 55;
        assert_eq!(w.store.memory_grow(memory, 100).unwrap(), 1);
        w.store.memory_data_mut(memory).unwrap()[100 << 16] = 66;
        assert_eq!(w.run(i, "size", &[]), 101);
        assert_eq!(w.run(i, "get", &[5]), 55);
        assert_eq!(w.run(i, "get", &[100 << 16]), 66);
        // Another memory in between, so that a compact one has to move.
        for _ in 0..20 {
            w.instance(text, &[]);
            w.store.memory_grow(memory, 10).unwrap();
        }
        assert_eq!(w.run(i, "size", &[]), 301);
        assert_eq!(w.run(i, "get", &[5]), 55);
        assert_eq!(w.run(i, "get", &[100 << 16]), 66);
        let Extern::Memory(same) = w.export(i, "m") else { panic!() };
        assert_eq!(same, memory);
        assert_eq!(w.store.memory_size(memory).unwrap(), 301);
        assert_eq!(w.store.memory_type(memory).unwrap().min, 1);
    }
}

#[test]
fn a_host_function_may_grow_the_memory_of_its_caller() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let grow = w.host(&[], &[], |call| {
            let caller = call.caller.ok_or("no caller")?;
            let Some(Extern::Memory(memory)) = call.store.export(caller, "m")? else {
                return Err("no memory".into());
            };
            call.store.memory_grow(memory, 1000)?;
            call.store.memory_data_mut(memory)?[1000 << 16] = 9;
            Ok(())
        });
        let i = w.instance(
            r#"(module (import "" "grow" (func $grow)) (memory (export "m") 1)
                (func (export "f") (result i32)
                    (i32.store8 (i32.const 1) (i32.const 33))
                    (call $grow)
                    (i32.add (i32.load8_u (i32.const 1)) (i32.load8_u (i32.const 65536000)))))"#,
            &[grow],
        );
        assert_eq!(w.run(i, "f", &[]), 42);
    }
}

/// Growing page by page moves a memory a logarithmic number of times, so that the whole is linear.
#[test]
fn growth_page_by_page_moves_rarely() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let ty =
            MemoryType { min: 0, max: None, index64: false, shared: false, page_size_log2: 16 };
        let memory = w.store.memory_new(ty).unwrap();
        let mut address = std::ptr::null();
        let mut moves = 0;
        for page in 0..8192 {
            assert_eq!(w.store.memory_grow(memory, 1).unwrap(), page);
            let bytes = w.store.memory_data_mut(memory).unwrap();
            bytes[(page as usize) << 16] = page as u8;
            moves += usize::from(bytes.as_ptr() != address);
            address = bytes.as_ptr();
        }
        let most = if kind == MemoryKind::Guard { 1 } else { 15 };
        assert!(moves <= most, "{kind:?}: {moves}");
        let bytes = w.store.memory_data(memory).unwrap();
        assert!((0..8192).all(|page| bytes[page << 16] == page as u8));
    }
}

#[test]
fn guests_are_told_where_growth_ends() {
    for kind in kinds() {
        let limits = Limits { memory_bytes: 10 * PAGE, table_elements: 50, ..Limits::default() };
        let mut w = World::with(settings(kind), limits);
        let i = w.instance(
            r#"(module (memory 1) (table 10 funcref)
                (func (export "m") (param i32) (result i32) (memory.grow (local.get 0)))
                (func (export "t") (param i32) (result i32)
                    (table.grow (ref.null func) (local.get 0))))"#,
            &[],
        );
        let failed = u32::MAX.into();
        assert_eq!(w.run(i, "m", &[failed]), failed);
        assert_eq!(w.run(i, "m", &[10]), failed);
        assert_eq!(w.run(i, "m", &[9]), 1);
        assert_eq!(w.run(i, "m", &[1]), failed);
        assert_eq!(w.run(i, "m", &[0]), 10);
        assert_eq!(w.run(i, "t", &[failed]), failed);
        assert_eq!(w.run(i, "t", &[41]), failed);
        assert_eq!(w.run(i, "t", &[40]), 10);
    }
}

#[test]
fn sizes_beyond_all_reason_are_limit_errors() {
    for kind in kinds() {
        let mut w = World::new(kind);
        for text in [
            "(module (memory i64 0x1_0000_0000))",
            "(module (memory i64 0x1_0000_0000_0000))",
            "(module (memory 65536) (memory 1))",
            "(module (memory 0xffff_ffff (pagesize 1)) (memory 1))",
            "(module (memory i64 0xffff_ffff_ffff_ffff (pagesize 1)))",
            "(module (table 0xffff_ffff funcref))",
            "(module (table i64 0x8000_0000_0000_0000 funcref))",
            "(module (table i64 0xffff_ffff_ffff_ffff funcref) (table 1 funcref))",
        ] {
            let error = w.try_instance(text, &[]).unwrap_err();
            assert!(matches!(error, dunlin_vm::InstantiateError::Limit(_)), "{text}: {error:?}");
        }
        // What failed took nothing: a full memory still fits.
        w.instance("(module (memory 65536) (table 10000000 funcref))", &[]);
    }
}

#[test]
fn the_message_names_the_limit() {
    let mut w = World::new(MemoryKind::Compact);
    let error = w.try_instance("(module (table 0xffff_ffff funcref))", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot allocate 4294967295 table elements: expected at most 16777216 in all, found 0 in \
         use already"
    );
    let dunlin_vm::InstantiateError::Limit(limit) = error else { panic!() };
    assert_eq!(limit.help().as_deref(), Some("raise `Limits::table_elements`"));
}

#[test]
fn a_hundred_full_memories_cost_nothing_or_end_cleanly() {
    for kind in kinds() {
        let limits = Limits { memory_bytes: 401 << 30, ..Limits::default() };
        let mut w = World::with(settings(kind), limits);
        let text = format!("(module {})", "(memory 65536)".repeat(100));
        if let Err(error) = w.try_instance(&text, &[]) {
            assert!(matches!(error, dunlin_vm::InstantiateError::Limit(_)), "{error:?}");
        }
        w.instance("(module (memory 1))", &[]);
    }
}

/// Resident bytes of this process.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn untouched_tables_and_memories_take_no_room() {
    if !is_child() {
        let output = child("untouched_tables_and_memories_take_no_room");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    for kind in kinds() {
        let mut w = World::new(kind);
        let before = resident();
        let i = w.instance(
            r#"(module (table 10000000 funcref) (memory 65536)
                (func (export "t") (param i32) (result i32) (ref.is_null (table.get (local.get 0))))
                (func (export "m") (param i32) (result i32) (i32.load (local.get 0))))"#,
            &[],
        );
        assert_eq!(w.run(i, "t", &[9_999_999]), 1);
        assert_eq!(w.run(i, "m", &[u64::from(u32::MAX) - 3]), 0);
        let taken = resident() - before;
        assert!(taken < 16 << 20, "{kind:?}: {taken} bytes");
    }
}

/// Bytes of address space of this process; terabytes with a sanitizer.
#[cfg(target_os = "linux")]
fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn thousands_of_stores_with_compact_memories_fit_in_4_gib() {
    if !is_child() {
        let output = child("thousands_of_stores_with_compact_memories_fit_in_4_gib");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    #[cfg(target_os = "linux")]
    if address_space() < 4 << 30 {
        let limit = libc::rlimit { rlim_cur: 4 << 30, rlim_max: 4 << 30 };
        // SAFETY: a valid structure.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
    }
    let w = World::new(MemoryKind::Compact);
    let code = w.code(
        r#"(module (memory 1 16) (table 10 funcref) (func (export "f") (result i32)
            (i32.store (i32.const 0) (i32.const 1)) (memory.grow (i32.const 1))))"#,
    );
    let mut stores = Vec::new();
    for _ in 0..3000 {
        let mut store = w.sibling();
        let i = store.instantiate(&code, &[]).unwrap();
        let Some(Extern::Func(f)) = store.export(i, "f").unwrap() else { panic!() };
        let mut slots = [0];
        store.call(f, &mut slots).unwrap();
        assert_eq!(slots, [1]);
        stores.push(store);
    }
}

/// What the system refuses is -1 to a guest, unless results may not depend on the system.
#[test]
fn growth_that_only_the_system_refuses() {
    let text = r#"(module (memory i64 1) (table i64 1 funcref)
        (func (export "memory") (param i64) (result i64) (memory.grow (local.get 0)))
        (func (export "table") (param i64) (result i64)
            (table.grow (ref.null func) (local.get 0))))"#;
    for kind in kinds() {
        for deterministic in [false, true] {
            let most = u64::MAX;
            let endless = Limits { memory_bytes: most, table_elements: most, ..Limits::default() };
            for (limits, refused_by_system) in [(Limits::default(), false), (endless, true)] {
                for (name, delta) in
                    [("memory", 1 << 40), ("memory", 1 << 47), ("table", 1 << 50), ("table", most)]
                {
                    let settings = Settings { deterministic, ..settings(kind) };
                    let mut w = World::with(settings, limits.clone());
                    let i = w.instance(text, &[]);
                    let outcome = w.call(i, name, &[delta]);
                    // No table has so many elements, whoever is asked.
                    if !deterministic || !refused_by_system || delta == most {
                        assert_eq!(outcome.unwrap(), u64::MAX, "{name} {delta:x}");
                        continue;
                    }
                    let Err(CallError::Trap(report)) = outcome else { panic!("{outcome:?}") };
                    assert_eq!(report.trap, Trap::LimitExceeded);
                    let text = report.to_string();
                    assert!(text.ends_with(": the system refused"), "{text}");
                    assert_eq!(w.run(i, name, &[1]), 1, "the store goes on");
                    assert_eq!(w.run(i, name, &[0]), 2);
                }
            }
        }
    }
}

/// Reservations end with the address space: an error, after which everything goes on.
#[test]
fn address_space_runs_out_cleanly() {
    if !is_child() {
        let output = child("address_space_runs_out_cleanly");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    if !dunlin_vm::GUARD {
        return;
    }
    let limits = Limits { memory_bytes: u64::MAX, memories: 100_000, ..Limits::default() };
    let mut w = World::with(settings(MemoryKind::Guard), limits);
    let ty = MemoryType { min: 1, max: None, index64: false, shared: false, page_size_log2: 16 };
    let error = loop {
        if let Err(error) = w.store.memory_new(ty) {
            break error;
        }
    };
    assert_eq!(
        error.to_string(),
        "cannot allocate 65536 bytes of memory: the system has no addresses left to guard it"
    );
    let i = w.instance(r#"(module (func (export "f") (result i32) i32.const 7))"#, &[]);
    assert_eq!(w.run(i, "f", &[]), 7);
    assert!(w.try_instance("(module (memory 1))", &[]).is_err());
    drop(w);
    World::new(MemoryKind::Guard).instance("(module (memory 1))", &[]);
}

/// A fault in host code is no trap: the process ends by the signal, as without this engine.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
#[test]
fn faults_of_the_host_are_not_swallowed() {
    use std::os::unix::process::ExitStatusExt;
    if !is_child() {
        let output = child("faults_of_the_host_are_not_swallowed");
        // A sanitizer has a handler of its own, which gets the fault.
        let reported = String::from_utf8_lossy(&output.stderr).contains("AddressSanitizer: SEGV");
        let status = output.status;
        assert!(reported || status.signal() == Some(libc::SIGSEGV), "{status:?}");
        return;
    }
    let mut w = World::new(MemoryKind::Guard);
    let host = w.host(&[], &[], |_| {
        // SAFETY: none: this is the fault.
        unsafe { std::ptr::with_exposed_provenance::<u8>(16).read_volatile() };
        Ok(())
    });
    let i = w.instance(
        r#"(module (import "" "h" (func $h)) (memory 1)
            (func (export "trap") (drop (i32.load (i32.const -1))))
            (func (export "f") (call $h)))"#,
        &[host],
    );
    assert_eq!(w.trap(i, "trap", &[]), Trap::MemoryOutOfBounds);
    let _ = w.call(i, "f", &[]);
    unreachable!("the process should have ended");
}

/// A handler that was there before gets the faults that are not the guest's.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
#[test]
fn earlier_handlers_are_called() {
    extern "C" fn earlier(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: async-signal-safe.
        unsafe { libc::_exit(77) };
    }
    if !is_child() {
        assert_eq!(child("earlier_handlers_are_called").status.code(), Some(77));
        return;
    }
    // SAFETY: a handler with the signature that its flags promise.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = earlier as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
    }
    let mut w = World::new(MemoryKind::Guard);
    let i = w.instance(
        r#"(module (memory 1) (func (export "trap") (drop (i32.load (i32.const -1)))))"#,
        &[],
    );
    assert_eq!(w.trap(i, "trap", &[]), Trap::MemoryOutOfBounds, "the guest's own fault");
    // SAFETY: none: this is the fault.
    unsafe { std::ptr::with_exposed_provenance::<u8>(16).read_volatile() };
    unreachable!("the process should have ended");
}

#[test]
fn memories_made_by_the_host_are_shared_between_instances() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let ty =
            MemoryType { min: 1, max: None, index64: false, shared: false, page_size_log2: 16 };
        let memory = Extern::Memory(w.store.memory_new(ty).unwrap());
        let text = r#"(module (import "" "m" (memory 1))
            (func (export "put") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
            (func (export "get") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "grow") (drop (memory.grow (i32.const 5)))))"#;
        let (a, b) = (w.instance(text, &[memory]), w.instance(text, &[memory]));
        w.run(a, "put", &[100, 1]);
        w.run(b, "grow", &[]);
        w.run(b, "put", &[5 << 16, 2]);
        assert_eq!(w.run(b, "get", &[100]), 1);
        assert_eq!(w.run(a, "get", &[5 << 16]), 2);
    }
}

#[test]
fn bulk_operations_on_overlapping_regions() {
    for kind in kinds() {
        let mut w = World::new(kind);
        let i = w.instance(
            r#"(module (memory (export "m") 80)
                (func (export "copy") (param i32 i32 i32)
                    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
                (func (export "fill") (param i32 i32 i32)
                    (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#,
            &[],
        );
        let Extern::Memory(memory) = w.export(i, "m") else { panic!() };
        let pattern = |at: usize| (at as u32).wrapping_mul(2654435761).to_be_bytes()[0];
        // Steps are of 1 MiB: several, with a rest, in both directions.
        for (dst, src, len) in [
            (0, 1, 5 << 20),
            (1, 0, 5_000_000),
            (4096, 0, 3_333_333),
            (0, 1_500_000, 3_333_333),
            (1_500_000, 0, 3_333_333),
            (7, 7, 4_000_000),
            (5_242_880, 0, 0),
        ] {
            let len = if len > 5_242_879 { 5_242_879 } else { len };
            let mut expected: Vec<u8> = (0..5_242_880).map(pattern).collect();
            w.store.memory_data_mut(memory).unwrap().copy_from_slice(&expected);
            expected.copy_within(src..src + len, dst);
            w.run(i, "copy", &[dst as u64, src as u64, len as u64]);
            assert!(w.store.memory_data(memory).unwrap() == expected, "{dst} {src} {len}");
        }
        let end = 80 * PAGE;
        for (dst, src, len) in [(end, 0, 1), (0, end, 1), (end + 1, 0, 0), (0, 1, end)] {
            assert_eq!(w.trap(i, "copy", &[dst, src, len]), Trap::MemoryOutOfBounds);
        }
        assert_eq!(
            w.trap(i, "fill", &[u32::MAX.into(), 0, u32::MAX.into()]),
            Trap::MemoryOutOfBounds
        );
        w.run(i, "fill", &[1, 0x1ff, end - 1]);
        assert!(w.store.memory_data(memory).unwrap()[1..].iter().all(|byte| *byte == 0xff));
    }
}
