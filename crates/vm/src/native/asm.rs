//! Where machine state changes hands: into native code and out of it, for x86-64.
//!
//! Cranelift's `tail` convention keeps the registers that System V's callees keep, and takes arguments in
//! the registers in which System V does; only results come in more of them.
//!
//! ```text
//!  frame of an entry:   [rbp + 8] return address     [rbp - 16] header of the frame that called, or 0
//!                       [rbp]     frame pointer      [rbp - 24] the runtime record
//!                       [rbp - 8] rbx                [rbp - 32] former `Rt::native_sp`: where it is now
//!  of the wide one:                                  [rbp - 40] where results go
//! ```
//!
//! An entry says that it changes all registers, so that whoever contains it saves what it needs, once.

use std::arch::{asm, naked_asm};
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin_code::native::{Builtin, FLOAT_PARAMS, INT_PARAMS};

use super::bridge::{call_out, fault, thrown};
use super::builtins;
use super::host::{call_host, stop_at_host};
use super::registers::{Outgoing, Registers};
use crate::func::{Blind, NumberFunction, Numbers, Seeing};
use crate::vmctx::{FrameHeader, Rt, VmCtx};

/// Whether there is native code.
pub const AVAILABLE: bool = true;

/// Where the header is, below the frame pointer of an entry.
pub(super) const HEADER_BELOW: usize = 16;
/// Where the runtime record is, below the frame pointer of an entry.
pub(super) const RT_BELOW: usize = 24;

/// Where the former `Rt::native_sp` is, below the frame pointer of an entry.
const SAVED_BELOW: usize = 32;
/// Where the address of results is, below the frame pointer of [`wide_entry`].
const RESULTS_BELOW: usize = 40;

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

/// Leaves an entry, with `Rt::native_sp` in `rsp`.
macro_rules! leave {
    () => {
        concat!(
            "pop rcx\n",
            "pop rdx\n",
            "mov qword ptr [rdx + {native_sp}], rcx\n",
            "pop rcx\n",
            "pop rbx\n",
            "pop rbp\n",
            "ret\n",
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
/// `registers`. 0 if it returned, 1 if it stopped, which the runtime record tells more of.
///
/// # Safety
///
/// V13: there is such code, for this context, and room on the native stack.
pub(super) unsafe fn call(
    registers: *mut Registers,
    rt: *mut Rt,
    code: *const u8,
    cx: *mut VmCtx,
    header: *const FrameHeader,
) -> u32 {
    let ended;
    // SAFETY: the caller's promise; the entry keeps the stack and `rbx`, and all else is said to change.
    unsafe {
        asm!(
            "call {entry}",
            entry = sym wide_entry,
            inout("rdi") registers => _,
            inout("rsi") rt => _,
            inout("rdx") code => _,
            inout("rcx") cx => _,
            inout("r8") header => _,
            lateout("r11") ended,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("C"),
        );
    }
    ended
}

/// The entry of [`call`], with its arguments in `rdi` to `r8`; how it ended is left in `r11`.
#[unsafe(naked)]
unsafe extern "C" fn wide_entry() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r8",
        "push rsi",
        "push qword ptr [rsi + {native_sp}]",
        "mov qword ptr [rsi + {native_sp}], rsp",
        "push rdi",
        "sub rsp, 8",
        "mov rax, rdx",
        "mov r10, rdi",
        "mov rdi, rcx",
        load_floats!("r10"),
        "mov rsi, qword ptr [r10]",
        "mov rdx, qword ptr [r10 + 8]",
        "mov rcx, qword ptr [r10 + 16]",
        "mov r8, qword ptr [r10 + 24]",
        "mov r9, qword ptr [r10 + 32]",
        "call rax",
        "mov r11, qword ptr [rbp - {results}]",
        "mov qword ptr [r11], rax",
        "mov qword ptr [r11 + 8], rcx",
        "mov qword ptr [r11 + 16], rdx",
        "mov qword ptr [r11 + 24], rsi",
        "mov qword ptr [r11 + 32], rdi",
        "mov qword ptr [r11 + 40], r8",
        "mov qword ptr [r11 + 48], r9",
        "mov qword ptr [r11 + 56], r10",
        store_floats!("r11"),
        "lea rsp, [rbp - {saved}]",
        "xor r11d, r11d",
        leave!(),
        native_sp = const offset_of!(Rt, native_sp),
        results = const RESULTS_BELOW,
        saved = const SAVED_BELOW,
    )
}

/// What native code gave that was called with numbers.
pub(crate) struct Given {
    /// [`RETURNED`], or it stopped.
    pub(super) ended: u32,
    /// An integer result.
    pub(super) int: u64,
    /// A float result.
    pub(super) float: f64,
}

/// As [`call`], from the host, with parameters and one result that are numbers in registers. `FLOATS`:
/// whether there are floats among the parameters.
///
/// # Safety
///
/// As for [`call`].
#[inline(always)]
pub(super) unsafe fn call_numbers<const FLOATS: bool>(
    rt: *mut Rt,
    code: *const u8,
    cx: *mut VmCtx,
    numbers: &Numbers,
) -> Given {
    let [a, b, c, d, e] = numbers.ints;
    let [s, t, u, v, w, x, y, z] = numbers.floats;
    let (ended, int, float);
    macro_rules! enter {
        ($($floats:tt)*) => {
            asm!(
                "call {entry}",
                entry = sym numbers_entry,
                inout("rax") code => int,
                inout("r10") rt => _,
                inout("rdi") cx => _,
                inout("rsi") a => _,
                inout("rdx") b => _,
                inout("rcx") c => _,
                inout("r8") d => _,
                inout("r9") e => _,
                lateout("r11") ended,
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
                $($floats)*
                clobber_abi("C"),
            )
        };
    }
    // SAFETY: as in `call`.
    unsafe {
        if FLOATS {
            enter! {
                inout("xmm0") s => float,
                inout("xmm1") t => _,
                inout("xmm2") u => _,
                inout("xmm3") v => _,
                inout("xmm4") w => _,
                inout("xmm5") x => _,
                inout("xmm6") y => _,
                inout("xmm7") z => _,
            }
        } else {
            enter! { lateout("xmm0") float, }
        }
    }
    Given { ended, int, float }
}

/// The entry of [`call_numbers`]: the code in `rax`, the record in `r10`, all else where the code wants it
/// and leaves it; how it ended is left in `r11`.
#[unsafe(naked)]
unsafe extern "C" fn numbers_entry() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push 0",
        "push r10",
        "push qword ptr [r10 + {native_sp}]",
        "mov qword ptr [r10 + {native_sp}], rsp",
        "call rax",
        "xor r11d, r11d",
        leave!(),
        native_sp = const offset_of!(Rt, native_sp),
    )
}

/// Where native code is left when it stopped: with `Rt::native_sp` in `rsp`.
#[unsafe(naked)]
unsafe extern "C" fn stopped() {
    naked_asm!("mov r11d, 1", leave!(), native_sp = const offset_of!(Rt, native_sp))
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

/// The bridge to a host function that sees its store.
#[unsafe(naked)]
unsafe extern "C" fn seeing_code<F: NumberFunction<Sees = Seeing>>() {
    naked_asm!(
        note_place!("rax", "r10"),
        "sub rsp, 8",
        "call {call_host}",
        "test rax, rax",
        "jnz {failed}",
        "mov rax, rdx",
        "movq xmm0, rdx",
        "add rsp, 8",
        "ret",
        rt = const offset_of!(VmCtx, rt),
        exit_ip = const offset_of!(Rt, exit_ip),
        exit_fp = const offset_of!(Rt, exit_fp),
        exit_vmctx = const offset_of!(Rt, exit_vmctx),
        call_host = sym call_host::<F>,
        failed = sym host_failed,
    )
}

/// The bridge to a host function that sees nothing: where it was called is noted only if it failed.
#[unsafe(naked)]
unsafe extern "C" fn blind_code<F: NumberFunction<Sees = Blind>>() {
    naked_asm!(
        "sub rsp, 8",
        "call {call_host}",
        "test rax, rax",
        "jnz {failed}",
        "mov rax, rdx",
        "movq xmm0, rdx",
        "add rsp, 8",
        "ret",
        call_host = sym call_host::<F>,
        failed = sym host_failed,
    )
}

/// Goes on after a host function that failed, with the record in `rax` and the stack as its bridge left it.
#[unsafe(naked)]
unsafe extern "C" fn host_failed() {
    naked_asm!(
        "mov r10, qword ptr [rsp + 8]",
        "dec r10",
        "mov qword ptr [rax + {exit_ip}], r10",
        "mov qword ptr [rax + {exit_fp}], rbp",
        "mov qword ptr [rax + {exit_vmctx}], 0",
        "mov rdi, rax",
        "call {stop}",
        "jmp {resume}",
        exit_ip = const offset_of!(Rt, exit_ip),
        exit_fp = const offset_of!(Rt, exit_fp),
        exit_vmctx = const offset_of!(Rt, exit_vmctx),
        stop = sym stop_at_host,
        resume = sym resume,
    )
}

/// Code with the register ABI that calls the host function of type `F` which `VmCtx::callee` names, one
/// that sees its store.
pub(crate) fn seeing_bridge<F: NumberFunction<Sees = Seeing>>() -> *const u8 {
    seeing_code::<F> as *const () as *const u8
}

/// As [`seeing_bridge`], for one that sees nothing.
pub(crate) fn blind_bridge<F: NumberFunction<Sees = Blind>>() -> *const u8 {
    blind_code::<F> as *const () as *const u8
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

/// Where code that the entries call returns to.
static RETURN_ADDRESSES: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// Finds out where native code that is entered returns to. To be called before there is any.
pub(super) fn prepare() {
    let mut registers = Registers::ZERO;
    let numbers = Numbers { ints: [0; INT_PARAMS], floats: [0.0; FLOAT_PARAMS] };
    let mut rt = std::mem::MaybeUninit::<Rt>::zeroed();
    let (rt, code) = (rt.as_mut_ptr(), (probe as *const ()).cast());
    // SAFETY: of the record entries touch only `native_sp`; the code is `probe`, which uses nothing.
    let given = unsafe {
        call(&mut registers, rt, code, std::ptr::null_mut(), std::ptr::null());
        call_numbers::<false>(rt, code, std::ptr::null_mut(), &numbers)
    };
    for (known, found) in RETURN_ADDRESSES.iter().zip([registers.ints[0], given.int]) {
        known.store(found as usize, Ordering::Relaxed);
    }
}

/// Whether a frame that returns to `ret` is the outermost that an entry called.
pub(super) fn is_outermost(ret: usize) -> bool {
    RETURN_ADDRESSES.iter().any(|known| known.load(Ordering::Relaxed) == ret)
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
