//! Native code beside the interpreter, with machine code written by hand: what a compiler can rely on.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(dunlin_portable)))]

mod world;

use dunlin_code::artifact::Packed;
use dunlin_code::native::{
    CallSite, Entry, NativeCode, NativeHandler, Position, Reloc, RelocTarget, TrapCause, TrapSite,
};
use dunlin_module::{DefinedFuncIndex, ValType};
use dunlin_vm::{CallError, MemoryKind, ModuleCode, Trap};

use crate::world::World;

const OUTER: DefinedFuncIndex = DefinedFuncIndex(0);
const INNER: DefinedFuncIndex = DefinedFuncIndex(1);

/// `push rbp; mov rbp, rsp; lea esi, [rsi + 1]; call inner; lea eax, [rax + 1]; mov rsp, rbp; pop rbp;
/// ret`: one more than what `inner` makes of one more.
fn outer() -> NativeCode {
    NativeCode {
        bytes: vec![
            0x55, 0x48, 0x89, 0xe5, 0x8d, 0x76, 1, 0xe8, 0, 0, 0, 0, 0x8d, 0x40, 1, 0x48, 0x89,
            0xec, 0x5d, 0xc3,
        ],
        align: 16,
        relocs: vec![Reloc { offset: 8, target: RelocTarget::Func(INNER) }],
        calls: vec![CallSite {
            ret: 12,
            frame: 0,
            roots: Box::default(),
            handlers: Box::default(),
        }],
        positions: vec![(0, Position { offset: 77, inlined: 0 })],
        ..NativeCode::default()
    }
}

/// `push rbp; mov rbp, rsp; ud2`.
fn trap(trap: Trap) -> NativeCode {
    NativeCode {
        bytes: vec![0x55, 0x48, 0x89, 0xe5, 0x0f, 0x0b],
        align: 1,
        traps: vec![TrapSite { offset: 4, cause: TrapCause::Trap(trap) }],
        positions: vec![(0, Position { offset: 99, inlined: 0 })],
        ..NativeCode::default()
    }
}

fn install(code: &ModuleCode, func: DefinedFuncIndex, native: &NativeCode) {
    let packed = Packed::new(native).unwrap();
    code.install(&[packed.function(func, Entry::Function)]).unwrap();
    assert!(code.is_native(func));
}

const TWICE: &str = r#"(module
    (func $outer (export "outer") (param i32) (result i32)
        (i32.add (i32.const 1) (call $inner (i32.add (local.get 0) (i32.const 1)))))
    (func $inner (param i32) (result i32)
        (if (result i32) (i32.eq (local.get 0) (i32.const 13))
            (then (unreachable))
            (else (i32.mul (local.get 0) (i32.const 2)))))
    (func (export "around") (param i32) (result i32) (call $outer (local.get 0))))"#;

#[test]
fn native_code_and_the_interpreter_call_each_other() {
    let mut w = World::new(MemoryKind::Compact);
    let code = w.code(TWICE);
    let i = w.store.instantiate(&code, &[]).unwrap();
    assert_eq!(w.run(i, "around", &[4]), 11, "interpreted");
    install(&code, OUTER, &outer());
    for name in ["outer", "around"] {
        assert_eq!(w.run(i, name, &[4]), 11, "{name}");
        assert_eq!(w.trap(i, name, &[12]), Trap::Unreachable);
        assert_eq!(w.run(i, name, &[u32::MAX.into()]), 1, "results are zero-extended");
    }
}

#[test]
fn a_trap_in_native_code_tells_where_it_was() {
    let mut w = World::new(MemoryKind::Compact);
    let code = w.code(TWICE);
    let i = w.store.instantiate(&code, &[]).unwrap();
    install(&code, OUTER, &outer());
    install(&code, INNER, &trap(Trap::CastFailure));
    for _ in 0..3 {
        match w.call(i, "around", &[4]) {
            Err(CallError::Trap(report)) => {
                assert_eq!(report.trap, Trap::CastFailure);
                let frames: Vec<_> =
                    report.backtrace.frames.iter().map(|f| (f.func().0, f.offset())).collect();
                assert_eq!(frames[..2], [(1, 99), (0, 77)]);
                assert_eq!(frames[2].0, 2);
                assert_eq!(frames.len(), 3);
            }
            other => panic!("{other:?}"),
        }
    }
    // What the interpreter calls for native code stops too, and both kinds of frames are told.
    let code = w.code(TWICE);
    let i = w.store.instantiate(&code, &[]).unwrap();
    install(&code, OUTER, &outer());
    match w.call(i, "around", &[12]) {
        Err(CallError::Trap(report)) => {
            let frames: Vec<_> = report.backtrace.frames.iter().map(|f| f.func().0).collect();
            assert_eq!(frames, [1, 0, 2]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn host_functions_are_called_and_call_back() {
    let mut w = World::new(MemoryKind::Compact);
    let ty = [ValType::I32];
    let host = w.host(&ty, &ty, |call| {
        match call.args[0] {
            0 => return Err("no".into()),
            n => call.args[0] = n * 10,
        }
        Ok(())
    });
    let code = w.code(
        r#"(module (import "" "" (func $host (param i32) (result i32)))
            (func $outer (export "outer") (param i32) (result i32) (unreachable))
            (func $inner (param i32) (result i32)
                (call $host (i32.sub (local.get 0) (i32.const 1)))))"#,
    );
    let i = w.store.instantiate(&code, &[host]).unwrap();
    install(&code, OUTER, &outer());
    assert_eq!(w.run(i, "outer", &[4]), 41);
    assert!(matches!(w.call(i, "outer", &[0]), Err(CallError::Host(..))));
    assert_eq!(w.run(i, "outer", &[5]), 51);
}

/// Calls the function at `record` in `times` turns with the last result and -1, with all 64 bits set:
/// `push rbp; mov rbp, rsp; push rbx; push r12; mov rbx, rdi; mov r12d, esi; xor eax, eax;
/// again: mov ecx, eax; mov rax, [rbx + record]; mov rdi, [rax + 8]; mov [rdi + 56], rax;
/// mov [rdi + 72], rbx; mov esi, ecx; mov rdx, -1; call [rax]; dec r12d; jnz again;
/// pop r12; pop rbx; pop rbp; ret`.
fn call_in_turns(record: u32) -> NativeCode {
    let mut bytes = vec![
        0x55, 0x48, 0x89, 0xe5, 0x53, 0x41, 0x54, 0x48, 0x89, 0xfb, 0x41, 0x89, 0xf4, 0x31, 0xc0,
        0x89, 0xc1, 0x48, 0x8b, 0x83,
    ];
    bytes.extend(record.to_le_bytes());
    bytes.extend([
        0x48, 0x8b, 0x78, 0x08, 0x48, 0x89, 0x47, 0x38, 0x48, 0x89, 0x5f, 0x48, 0x89, 0xce, 0x48,
        0xc7, 0xc2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10, 0x41, 0xff, 0xcc, 0x75, 0xdb, 0x41, 0x5c,
        0x5b, 0x5d, 0xc3,
    ]);
    let call = CallSite { ret: 47, frame: 16, roots: Box::default(), handlers: Box::default() };
    let positions = vec![(0, Position { offset: 55, inlined: 0 })];
    NativeCode { bytes, align: 16, calls: vec![call], positions, ..NativeCode::default() }
}

#[test]
fn native_code_calls_the_host_with_integers() {
    let mut w = World::new(MemoryKind::Compact);
    let ty = [ValType::I32, ValType::I32];
    let host = w.host(&ty, &ty[..1], |call| {
        assert!(call.caller.is_some(), "the caller is known");
        let [a, b] = *call.args else { panic!("there are two arguments") };
        assert_eq!(b, 0xffff_ffff, "arguments are zero-extended");
        match a as u32 {
            0xffff_fff0 => return Err("enough".into()),
            a => call.args[0] = u64::from(a.wrapping_add(b as u32)),
        }
        Ok(())
    });
    let text = r#"(module (import "" "" (func (param i32 i32) (result i32)))
        (func $turns (export "turns") (param i32) (result i32) (unreachable))
        (func (export "interpreted") (param i32) (result i32) (call $turns (local.get 0))))"#;
    let code = w.code(text);
    let i = w.store.instantiate(&code, &[host]).unwrap();
    install(&code, OUTER, &call_in_turns(dunlin_code::layout::vmctx::SIZE as u32));
    for _ in 0..5 {
        for name in ["turns", "interpreted"] {
            assert_eq!(w.run(i, name, &[7]), 0xffff_fff9);
            match w.call(i, name, &[17]) {
                Err(CallError::Host(error, backtrace)) => {
                    assert_eq!(error.to_string(), "enough");
                    assert_eq!(backtrace.frames[0].offset(), 55);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    w.store.interrupt_handle().interrupt();
    assert_eq!(w.trap(i, "turns", &[7]), Trap::Interrupted);
}

#[test]
fn a_panic_in_a_host_function_that_native_code_called_poisons_the_store() {
    let mut w = World::new(MemoryKind::Compact);
    let ty = [ValType::I32, ValType::I32];
    let host = w.host(&ty, &ty[..1], |_| panic!("as it happens"));
    let code = w.code(
        r#"(module (import "" "" (func (param i32 i32) (result i32)))
            (func (export "turns") (param i32) (result i32) (unreachable)))"#,
    );
    let i = w.store.instantiate(&code, &[host]).unwrap();
    install(&code, OUTER, &call_in_turns(dunlin_code::layout::vmctx::SIZE as u32));
    assert_eq!(w.trap(i, "turns", &[1]), Trap::HostPanic);
    assert!(w.store.is_poisoned());
}

#[test]
fn exceptions_pass_native_frames() {
    let mut w = World::new(MemoryKind::Compact);
    let code = w.code(
        r#"(module (tag $t (param i32))
            (func $outer (export "outer") (param i32) (result i32) (unreachable))
            (func $inner (param i32) (result i32) (throw $t (local.get 0)))
            (func (export "catch") (param i32) (result i32)
                (block $caught (result i32)
                    (try_table (catch $t $caught)
                        (return (call $outer (local.get 0))))
                    (unreachable))))"#,
    );
    let i = w.store.instantiate(&code, &[]).unwrap();
    assert_eq!(w.trap(i, "catch", &[4]), Trap::Unreachable);
    install(&code, OUTER, &outer());
    for _ in 0..3 {
        assert_eq!(w.run(i, "catch", &[4]), 5, "the interpreter catches what went through");
        assert!(matches!(w.call(i, "outer", &[4]), Err(CallError::Exception(_))));
    }
}

#[test]
fn native_code_catches() {
    let mut w = World::new(MemoryKind::Compact);
    let code = w.code(
        r#"(module (tag $t (param i32)) (tag $other)
            (func $outer (export "outer") (param i32) (result i32) (unreachable))
            (func $inner (param i32) (result i32)
                (if (i32.eq (local.get 0) (i32.const 9)) (then (throw $other)))
                (throw $t (local.get 0))))"#,
    );
    let i = w.store.instantiate(&code, &[]).unwrap();
    // With the context kept in its frame, and a handler that returns whether there was an exception.
    let catching = NativeCode {
        bytes: vec![
            0x55, 0x48, 0x89, 0xe5, // push rbp; mov rbp, rsp
            0x57, 0x57, // push rdi, twice
            0xe8, 0, 0, 0, 0, // call inner
            0xb8, 0, 0, 0, 0, // mov eax, 0
            0x48, 0x89, 0xec, 0x5d, 0xc3, // mov rsp, rbp; pop rbp; ret
            0x85, 0xc0, 0x0f, 0x95, 0xc0, 0x0f, 0xb6, 0xc0, // test, setne, movzx eax
            0x48, 0x89, 0xec, 0x5d, 0xc3,
        ],
        align: 16,
        relocs: vec![Reloc { offset: 7, target: RelocTarget::Func(INNER) }],
        calls: vec![CallSite {
            ret: 11,
            frame: 16,
            roots: Box::default(),
            handlers: [NativeHandler { context: 0, tag: Some(0), landing: 21 }].into(),
        }],
        positions: vec![(0, Position { offset: 77, inlined: 0 })],
        ..NativeCode::default()
    };
    install(&code, OUTER, &catching);
    for _ in 0..3 {
        assert_eq!(w.run(i, "outer", &[4]), 1);
        assert!(matches!(w.call(i, "outer", &[9]), Err(CallError::Exception(_))));
    }
}

/// Runs `body` with the native stack pointer in memory of our own.
fn on_own_stack(mut body: impl FnMut()) {
    extern "C" fn run(body: &mut &mut dyn FnMut()) {
        body();
    }
    let mut stack = vec![0u128; 1 << 16];
    let top = stack.as_mut_ptr_range().end;
    let mut body: &mut dyn FnMut() = &mut body;
    let run: extern "C" fn(&mut &mut dyn FnMut()) = run;
    // SAFETY: a megabyte, aligned, is enough for what runs, which does not unwind unless the test
    // fails; the stack pointer comes back from a register that callees keep.
    unsafe {
        std::arch::asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {run}",
            "mov rsp, r12",
            top = in(reg) top,
            run = in(reg) run,
            in("rdi") &raw mut body,
            out("r12") _,
            clobber_abi("C"),
        );
    }
}

#[test]
fn on_a_stack_that_is_not_the_threads_everything_is_interpreted() {
    let mut w = World::new(MemoryKind::Compact);
    let code = w.code(TWICE);
    let i = w.store.instantiate(&code, &[]).unwrap();
    install(&code, OUTER, &trap(Trap::CastFailure));
    let mut results = Vec::new();
    on_own_stack(|| results.push(w.run(i, "around", &[4])));
    assert_eq!(results, [11]);
    assert_eq!(w.trap(i, "around", &[4]), Trap::CastFailure, "native again");
}
