//! Where machine state changes hands: into native code and out of it, for x86-64.
//!
//! Cranelift's `tail` convention keeps the registers that System V's callees keep, and takes arguments in
//! the registers in which System V does; only results come in more of them.
//!
//! ```text
//!  frame of `call`:   [rbp + 8] return address     [rbp - 48] header of the frame that called, or 0
//!                     [rbp]     frame pointer      [rbp - 56] the runtime record
//!                     [rbp - 8 ...] rbx, r12-r15   [rbp - 64] the former `Rt::native_sp`
//!                                                  [rbp - 72] where results go
//!                                                  [rbp - 80] whether there are more than one
//! ```

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin_code::native::Builtin;

use super::bridge::{call_host, call_out, fault, thrown};
use super::builtins;
use super::registers::{Outgoing, Registers};
use crate::vmctx::{FrameHeader, Rt, VmCtx};

/// Whether there is native code.
pub const AVAILABLE: bool = true;

/// Where the header is, below the frame pointer of [`call`].
pub(super) const HEADER_BELOW: usize = 48;
/// Where the runtime record is, below the frame pointer of [`call`].
pub(super) const RT_BELOW: usize = 56;

/// Where the address of results is, below the frame pointer of [`call`].
const RESULTS_BELOW: usize = 72;
/// Where it is kept whether all registers are of use, below the frame pointer of [`call`].
const WIDE_BELOW: usize = 80;

/// What [`call`] returns when native code returned.
pub(super) const RETURNED: u32 = 0;

/// Loads the float registers from [`Registers`] at an address.
macro_rules! load_floats {
    ($at:literal) => {
        concat!(
            "movaps xmm0, xmmword ptr [",
            $at,
            " + 64]\n",
            "movaps xmm1, xmmword ptr [",
            $at,
            " + 80]\n",
            "movaps xmm2, xmmword ptr [",
            $at,
            " + 96]\n",
            "movaps xmm3, xmmword ptr [",
            $at,
            " + 112]\n",
            "movaps xmm4, xmmword ptr [",
            $at,
            " + 128]\n",
            "movaps xmm5, xmmword ptr [",
            $at,
            " + 144]\n",
            "movaps xmm6, xmmword ptr [",
            $at,
            " + 160]\n",
            "movaps xmm7, xmmword ptr [",
            $at,
            " + 176]\n",
        )
    };
}

/// Stores the float registers to [`Registers`] at an address.
macro_rules! store_floats {
    ($at:literal) => {
        concat!(
            "movaps xmmword ptr [",
            $at,
            " + 64], xmm0\n",
            "movaps xmmword ptr [",
            $at,
            " + 80], xmm1\n",
            "movaps xmmword ptr [",
            $at,
            " + 96], xmm2\n",
            "movaps xmmword ptr [",
            $at,
            " + 112], xmm3\n",
            "movaps xmmword ptr [",
            $at,
            " + 128], xmm4\n",
            "movaps xmmword ptr [",
            $at,
            " + 144], xmm5\n",
            "movaps xmmword ptr [",
            $at,
            " + 160], xmm6\n",
            "movaps xmmword ptr [",
            $at,
            " + 176], xmm7\n",
        )
    };
}

/// Notes the place of native code that just called, with its context in `rdi`, using two registers. The
/// operands of the assembly are named as the fields.
macro_rules! note_place {
    ($rt:literal, $pc:literal) => {
        concat!(
            "mov ",
            $rt,
            ", qword ptr [rdi + {rt}]\n",
            "mov ",
            $pc,
            ", qword ptr [rsp]\n",
            "dec ",
            $pc,
            "\n",
            "mov qword ptr [",
            $rt,
            " + {exit_ip}], ",
            $pc,
            "\n",
            "mov qword ptr [",
            $rt,
            " + {exit_fp}], rbp\n",
            "mov qword ptr [",
            $rt,
            " + {exit_vmctx}], 0\n",
        )
    };
}

/// Calls native code with the register ABI: `code` with context `cx`, parameters and results in
/// `registers`. 0 if it returned, 1 if it stopped, which the runtime record tells more of. Unless `wide`,
/// `registers` are only those for integer parameters, and the one result is left in the first.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn call(
    registers: *mut Registers,
    rt: *mut Rt,
    code: *const u8,
    cx: *mut VmCtx,
    header: *const FrameHeader,
    wide: bool,
) -> u32 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push r8",
        "push rsi",
        "push qword ptr [rsi + {native_sp}]",
        "push rdi",
        "push r9",
        "mov qword ptr [rsi + {native_sp}], rsp",
        "mov rax, rdx",
        "mov r10, rdi",
        "mov rdi, rcx",
        "test r9b, r9b",
        "jz 2f",
        load_floats!("r10"),
        "2:",
        "mov rsi, qword ptr [r10]",
        "mov rdx, qword ptr [r10 + 8]",
        "mov rcx, qword ptr [r10 + 16]",
        "mov r8, qword ptr [r10 + 24]",
        "mov r9, qword ptr [r10 + 32]",
        "call rax",
        "mov r11, qword ptr [rbp - {results}]",
        "mov qword ptr [r11], rax",
        "cmp byte ptr [rbp - {wide}], 0",
        "je 3f",
        "mov qword ptr [r11 + 8], rcx",
        "mov qword ptr [r11 + 16], rdx",
        "mov qword ptr [r11 + 24], rsi",
        "mov qword ptr [r11 + 32], rdi",
        "mov qword ptr [r11 + 40], r8",
        "mov qword ptr [r11 + 48], r9",
        "mov qword ptr [r11 + 56], r10",
        store_floats!("r11"),
        "3:",
        "xor eax, eax",
        "jmp {leave}",
        native_sp = const offset_of!(Rt, native_sp),
        results = const RESULTS_BELOW,
        wide = const WIDE_BELOW,
        leave = sym leave,
    )
}

/// Undoes `call`: `eax` is what it returns, the stack as it left it.
#[unsafe(naked)]
unsafe extern "C" fn leave() {
    naked_asm!(
        "add rsp, 16",
        "pop rcx",
        "pop rdx",
        "mov qword ptr [rdx + {native_sp}], rcx",
        "pop r8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        native_sp = const offset_of!(Rt, native_sp),
    )
}

/// Where native code is left when it stopped: with `Rt::native_sp` in `rsp`.
#[unsafe(naked)]
unsafe extern "C" fn stopped() {
    naked_asm!("mov eax, 1", "jmp {leave}", leave = sym leave)
}

/// The address of [`stopped`].
pub(super) fn stopped_address() -> usize {
    stopped as *const () as usize
}

/// Goes on where `Rt::resume` of the record in `rax` says. Nothing returns to what was below.
#[unsafe(naked)]
unsafe extern "C" fn resume() {
    naked_asm!(
        "mov rsp, qword ptr [rax + {sp}]",
        "mov rbp, qword ptr [rax + {fp}]",
        "mov r11, qword ptr [rax + {pc}]",
        "mov rax, qword ptr [rax + {payload}]",
        "jmp r11",
        sp = const offset_of!(Rt, resume.sp),
        fp = const offset_of!(Rt, resume.fp),
        pc = const offset_of!(Rt, resume.pc),
        payload = const offset_of!(Rt, resume.payload),
    )
}

/// Code with the register ABI of any function: calls what `VmCtx::callee` of the context names.
#[unsafe(naked)]
unsafe extern "C" fn bridge_code() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, {frame}",
        "mov qword ptr [rsp], rsi",
        "mov qword ptr [rsp + 8], rdx",
        "mov qword ptr [rsp + 16], rcx",
        "mov qword ptr [rsp + 24], r8",
        "mov qword ptr [rsp + 32], r9",
        store_floats!("rsp"),
        "mov qword ptr [rsp + {context}], rdi",
        "mov rsi, rsp",
        "mov rdx, qword ptr [rbp + 8]",
        "mov rcx, qword ptr [rbp]",
        "call {call_out}",
        // 0: it returned. 1: native code goes on, at `ints[7]`. Otherwise the record to resume with.
        "cmp rax, 1",
        "ja {resume}",
        "je 2f",
        "mov rax, qword ptr [rsp]",
        "mov rcx, qword ptr [rsp + 8]",
        "mov rdx, qword ptr [rsp + 16]",
        "mov rsi, qword ptr [rsp + 24]",
        "mov rdi, qword ptr [rsp + 32]",
        "mov r8, qword ptr [rsp + 40]",
        "mov r9, qword ptr [rsp + 48]",
        "mov r10, qword ptr [rsp + 56]",
        "jmp 3f",
        "2:",
        "mov rdi, qword ptr [rsp + {context}]",
        "mov rsi, qword ptr [rsp]",
        "mov rdx, qword ptr [rsp + 8]",
        "mov rcx, qword ptr [rsp + 16]",
        "mov r8, qword ptr [rsp + 24]",
        "mov r9, qword ptr [rsp + 32]",
        "mov r11, qword ptr [rsp + 56]",
        "3:",
        load_floats!("rsp"),
        "leave",
        "je 4f",
        "ret",
        "4:",
        "jmp r11",
        frame = const size_of::<Outgoing>(),
        context = const offset_of!(Outgoing, context),
        call_out = sym call_out,
        resume = sym resume,
    )
}

/// The bridge: code with the register ABI of any function.
pub(crate) fn bridge() -> *const u8 {
    bridge_code as *const () as *const u8
}

/// Code with the register ABI of host functions that are passed integers alone and give one result at
/// most: calls what `VmCtx::callee` of the context names.
#[unsafe(naked)]
unsafe extern "C" fn host_code() {
    naked_asm!(
        note_place!("rax", "r10"),
        "push rbp",
        "mov rbp, rsp",
        "call {call_host}",
        // 0: it returned. Otherwise the record to resume with.
        "test rax, rax",
        "jnz {resume}",
        "mov rax, rdx",
        "pop rbp",
        "ret",
        rt = const offset_of!(VmCtx, rt),
        exit_ip = const offset_of!(Rt, exit_ip),
        exit_fp = const offset_of!(Rt, exit_fp),
        exit_vmctx = const offset_of!(Rt, exit_vmctx),
        call_host = sym call_host,
        resume = sym resume,
    )
}

/// The bridge to host functions that are passed integers alone.
pub(crate) fn host_bridge() -> *const u8 {
    host_code as *const () as *const u8
}

/// Where the fault handler lets a thread go on that faulted in native code: the address of the
/// instruction in `rdi`, its frame pointer in `rsi` and `rbp`, the stack aligned and free below.
#[unsafe(naked)]
unsafe extern "C" fn faulted() {
    naked_asm!("call {fault}", "jmp {resume}", fault = sym fault, resume = sym resume)
}

/// The address that the fault handler lets a thread go on at.
pub(crate) fn fault_landing() -> usize {
    faulted as *const () as usize
}

/// What all stubs of builtins share: notes the place of the caller, and jumps to builtin `eax`.
#[unsafe(naked)]
unsafe extern "C" fn call_builtin() {
    naked_asm!(
        note_place!("r8", "r9"),
        "lea r9, [rip + {table}]",
        "jmp qword ptr [r9 + rax * 8]",
        rt = const offset_of!(VmCtx, rt),
        exit_ip = const offset_of!(Rt, exit_ip),
        exit_fp = const offset_of!(Rt, exit_fp),
        exit_vmctx = const offset_of!(Rt, exit_vmctx),
        table = sym builtins::TABLE,
    )
}

/// Calls builtin `eax`, which throws, and goes on where the exception leads.
#[unsafe(naked)]
unsafe extern "C" fn call_throwing() {
    naked_asm!(
        note_place!("r8", "r9"),
        "lea r9, [rip + {table}]",
        "push rdi",
        "call qword ptr [r9 + rax * 8]",
        "mov rdi, qword ptr [rsp]",
        "call {thrown}",
        "jmp {resume}",
        rt = const offset_of!(VmCtx, rt),
        exit_ip = const offset_of!(Rt, exit_ip),
        exit_fp = const offset_of!(Rt, exit_fp),
        exit_vmctx = const offset_of!(Rt, exit_vmctx),
        table = sym builtins::TABLE,
        thrown = sym thrown,
        resume = sym resume,
    )
}

/// The stub of builtin `N`.
#[unsafe(naked)]
unsafe extern "C" fn stub<const N: usize>() {
    naked_asm!("mov eax, {n}", "jmp {call}", n = const N, call = sym call_builtin)
}

/// The stub of throwing builtin `N`.
#[unsafe(naked)]
unsafe extern "C" fn throwing_stub<const N: usize>() {
    naked_asm!("mov eax, {n}", "jmp {call}", n = const N, call = sym call_throwing)
}

/// Code with the register ABI that gives the address it returns to.
#[unsafe(naked)]
unsafe extern "C" fn probe() {
    naked_asm!("mov rax, qword ptr [rsp]", "ret")
}

static RETURN_ADDRESS: AtomicUsize = AtomicUsize::new(0);

/// Finds out where native code that [`call`] calls returns to. To be called before there is any.
pub(super) fn prepare() {
    let mut registers = Registers::ZERO;
    // SAFETY: of the record `call` touches only `native_sp`; the code is `probe`, which uses nothing.
    unsafe {
        let mut rt = std::mem::MaybeUninit::<Rt>::zeroed();
        let code = (probe as *const ()).cast();
        call(&mut registers, rt.as_mut_ptr(), code, std::ptr::null_mut(), std::ptr::null(), true);
    }
    RETURN_ADDRESS.store(registers.ints[0] as usize, Ordering::Relaxed);
}

/// Whether a frame that returns to `ret` is the outermost that [`call`] called.
pub(super) fn is_outermost(ret: usize) -> bool {
    ret == RETURN_ADDRESS.load(Ordering::Relaxed)
}

/// What `VmCtx::builtins` points to.
pub(crate) fn builtin_stubs() -> *const usize {
    static STUBS: [Stub; Builtin::COUNT] = stubs();
    STUBS.as_ptr().cast()
}

type Stub = unsafe extern "C" fn();

macro_rules! stubs {
    ($($name:ident)*; $($throwing:ident)*) => {
        const fn stubs() -> [Stub; Builtin::COUNT] {
            let mut all: [Stub; Builtin::COUNT] = [stub::<0>; Builtin::COUNT];
            $(all[Builtin::$name as usize] = stub::<{ Builtin::$name as usize }>;)*
            $(all[Builtin::$throwing as usize] = throwing_stub::<{ Builtin::$throwing as usize }>;)*
            all
        }
    };
}
stubs! {
    MemoryGrow MemoryCopy MemoryFill MemoryInit DataDrop Wait32 Wait64 Notify TableGrow TableFill
    TableCopy TableInit ElemDrop RefFunc IsFuncSubtype Refuel Allocate Remember ArrayNew
    ArrayNewDefault ArrayNewFixed ArrayNewData ArrayNewElem ArrayFill ArrayCopy ArrayInitData
    ArrayInitElem;
    Throw ThrowRef
}
