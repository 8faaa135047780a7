//! From Rust into guest code and back.

use std::sync::atomic::Ordering;

use dunlin_code::Trap;
use dunlin_code::op::{Op, PlainOp};

use super::dispatch::{DONE, start};
use super::table;
use crate::host_call;
use crate::native;
use crate::vmctx::{CodeEntry, FrameHeader, FuncRecord, Rt, VmCtx};

/// How guest code ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// It returned; the results are at the base of the frame.
    Done,
    /// It trapped: `trap`, `exit_ip`, `exit_fp` and `exit_vmctx` of the runtime record say why
    /// and where.
    Trap,
}

/// What the entry of a host function names as code: a trap, as host functions are called by their
/// record and never entered.
pub(crate) fn host_code() -> *const u64 {
    static CODE: std::sync::OnceLock<[u64; 2]> = std::sync::OnceLock::new();
    let code = CODE.get_or_init(|| {
        let trap = table::handler_word(Op::plain(PlainOp::Trap), dunlin_code::MemoryKind::Compact);
        [trap, dunlin_code::bytecode::field::ab_hi(0, 0, Trap::Bug as u32)]
    });
    code.as_ptr()
}

/// The code the outermost frame returns to: one `exit` instruction.
pub(crate) fn exit_code() -> *const u64 {
    static CODE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    CODE.get_or_init(|| {
        table::handler_word(Op::plain(PlainOp::Exit), dunlin_code::MemoryKind::Compact)
    })
}

/// The code that branches back go to when something is wanted of the guest: one `look` instruction.
pub(crate) fn look_code() -> *const u64 {
    static CODE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    CODE.get_or_init(|| {
        table::handler_word(Op::plain(PlainOp::Look), dunlin_code::MemoryKind::Compact)
    })
}

/// The code the outermost frame of a fiber returns to: one `cont.return` instruction.
pub(crate) fn return_code() -> *const u64 {
    static CODE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    CODE.get_or_init(|| {
        table::handler_word(Op::plain(PlainOp::ContReturn), dunlin_code::MemoryKind::Compact)
    })
}

/// Calls `func` with its arguments at `fp`, where the results are left.
///
/// # Safety
///
/// `rt` is the runtime record of the store that `func` lives in, nothing else uses the store, and
/// from `fp` on the value stack is free.
pub(crate) unsafe fn run(rt: *mut Rt, func: *const FuncRecord, fp: *mut u64) -> Exit {
    // SAFETY: V2, V4: records and contexts live as long as the store.
    unsafe {
        let cx = (*func).vmctx;
        if (*func).host {
            return match host_call::call(rt, func, std::ptr::null_mut(), fp) {
                Ok(()) => Exit::Done,
                Err(trap) => fail(rt, trap),
            };
        }
        let entry = (*func).code;
        let code = (*entry).native.load(Ordering::Acquire);
        if !code.is_null()
            && let Some(returned) = native::call_record(rt, func, code, fp)
        {
            return if returned { Exit::Done } else { Exit::Trap };
        }
        (*(*rt).store).watch();
        run_linked(rt, entry, cx, fp, std::ptr::null_mut())
    }
}

/// Calls the function of `entry` in the interpreter, with its arguments at `fp`, where the results are
/// left; from native code at `link`, which may be left with another call instead, or from the host if that
/// is null.
///
/// # Safety
///
/// As for [`run`], for an entry of the module of `cx`.
pub(crate) unsafe fn run_linked(
    rt: *mut Rt,
    entry: *const CodeEntry,
    cx: *mut VmCtx,
    fp: *mut u64,
    link: *mut native::Link,
) -> Exit {
    // SAFETY: V2, V4: records and contexts live as long as the store.
    unsafe {
        let mut ip = (*entry).ip.load(Ordering::Acquire).cast_const();
        if ip.is_null() {
            ip = match (*(*cx).module).lower_entry(entry) {
                Ok(ip) => ip,
                Err(trap) => return fail(rt, trap),
            };
        }
        let slots = (*entry).frame_slots.load(Ordering::Relaxed) as usize;
        let free = ((*rt).stack_end as usize).saturating_sub(fp as usize);
        if free / size_of::<u64>() < slots {
            return fail(rt, Trap::StackOverflow);
        }
        let header_slot = (*entry).header_slot.load(Ordering::Relaxed) as usize;
        let header = fp.add(header_slot).cast::<FrameHeader>();
        header.write(FrameHeader { ip: exit_code(), fp: link.cast(), vmctx: cx });
        let zero = (*entry).zero_slots.load(Ordering::Relaxed) as usize;
        let locals = header.add(1).cast::<u64>();
        for local in 0..zero {
            locals.add(local).write(0);
        }
        match enter(ip, fp, cx, (*(*cx).mem0).base, 0, rt) {
            DONE => Exit::Done,
            _ => Exit::Trap,
        }
    }
}

/// A trap before any guest code ran.
unsafe fn fail(rt: *mut Rt, trap: Trap) -> Exit {
    // SAFETY: V2.
    unsafe {
        (*rt).trap = trap;
        (*rt).exit_ip = std::ptr::null();
        (*rt).exit_fp = std::ptr::null_mut();
        (*rt).exit_vmctx = std::ptr::null_mut();
    }
    Exit::Trap
}

#[cfg(not(all(feature = "guard", target_os = "linux", target_arch = "x86_64")))]
unsafe fn enter(
    ip: *const u64,
    fp: *mut u64,
    cx: *mut VmCtx,
    mem: *mut u8,
    acc: u64,
    rt: *mut Rt,
) -> u32 {
    // SAFETY: V7, by `run`.
    unsafe { start(ip, fp, cx, mem, acc, rt) }
}

#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
use guarded::enter;
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use guarded::landing_pad;

#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
mod guarded {
    //! Entry that remembers the native stack, so that a fault can return to it.

    use std::arch::naked_asm;
    use std::mem::offset_of;

    use super::{Rt, Trap, VmCtx, start};

    /// Runs guest code like `start`, after saving what a return from elsewhere needs: the callee
    /// saved registers are pushed, and the stack pointer is kept in `rt.entry_sp`, whose
    /// former value is pushed too so that entries nest.
    #[unsafe(naked)]
    pub(super) unsafe extern "sysv64" fn enter(
        ip: *const u64,
        fp: *mut u64,
        cx: *mut VmCtx,
        mem: *mut u8,
        acc: u64,
        rt: *mut Rt,
    ) -> u32 {
        naked_asm!(
            "push rbp",
            "mov rbp, rsp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "push r9",
            "push qword ptr [r9 + {entry_sp}]",
            "sub rsp, 8",
            "mov qword ptr [r9 + {entry_sp}], rsp",
            "call {start}",
            "jmp {leave}",
            entry_sp = const offset_of!(Rt, entry_sp),
            start = sym start,
            leave = sym leave,
        )
    }

    /// Undoes `enter`; the result is in `eax`, the stack as `enter` left it.
    #[unsafe(naked)]
    unsafe extern "sysv64" fn leave() {
        naked_asm!(
            "add rsp, 8",
            "pop rcx",
            "pop r9",
            "mov qword ptr [r9 + {entry_sp}], rcx",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
            entry_sp = const offset_of!(Rt, entry_sp),
        )
    }

    /// Where the fault handler lets guest code go on after a fault on guest memory, with `ip`, `fp`
    /// and `cx` in the registers that the access pinned them to.
    #[unsafe(naked)]
    unsafe extern "sysv64" fn landing() {
        naked_asm!(
            "mov r9, qword ptr [rdx + {rt}]",
            "mov qword ptr [r9 + {exit_ip}], rdi",
            "mov qword ptr [r9 + {exit_fp}], rsi",
            "mov qword ptr [r9 + {exit_vmctx}], rdx",
            "mov byte ptr [r9 + {trap}], {out_of_bounds}",
            "mov rsp, qword ptr [r9 + {entry_sp}]",
            "mov eax, {stopped}",
            "jmp {leave}",
            rt = const offset_of!(VmCtx, rt),
            exit_ip = const offset_of!(Rt, exit_ip),
            exit_fp = const offset_of!(Rt, exit_fp),
            exit_vmctx = const offset_of!(Rt, exit_vmctx),
            trap = const offset_of!(Rt, trap),
            out_of_bounds = const Trap::MemoryOutOfBounds as u8,
            entry_sp = const offset_of!(Rt, entry_sp),
            stopped = const super::super::dispatch::STOPPED,
            leave = sym leave,
        )
    }

    /// The address of the landing pad.
    pub(crate) fn landing_pad() -> usize {
        landing as *const () as usize
    }
}
