//! Faults of guests: the handler of SIGSEGV, SIGBUS, SIGILL and SIGFPE, for x86-64 Linux.
//!
//! A fault is the guest's if the instruction is one of those that access guest memory, and the
//! address is one that memory 0 of the running instance has reserved. Then the handler moves the
//! instruction pointer to the interpreter's landing pad, and nothing else. A fault in native code is the
//! guest's too: it goes on at the landing of `native`, which looks for the meaning. Every other fault
//! goes to whoever handled them before.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::NoMemory;
use crate::interp;
#[cfg(dunlin_native)]
use crate::native;
use crate::vmctx::VmCtx;

pub(super) const AVAILABLE: bool = true;

/// The handlers that were there before, for each of [`SIGNALS`].
static PREVIOUS: [Previous; 4] = [const { Previous(UnsafeCell::new(MaybeUninit::zeroed())) }; 4];

struct Previous(UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written once, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// Installs the handler, once per process.
pub(crate) fn install() -> Result<(), NoMemory> {
    static ONCE: Once = Once::new();
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    ONCE.call_once(|| {
        // The first call makes the table that later ones, in the handler, only read.
        interp::is_guest_access(0);
        let installed = SIGNALS.iter().zip(&PREVIOUS).all(|(signal, previous)| {
            // SAFETY: `previous` is only read by the handler, which is not installed yet.
            // All-zero bytes are a `sigaction` with an empty mask.
            unsafe {
                let previous = (*previous.0.get()).as_mut_ptr();
                if libc::sigaction(*signal, ptr::null(), previous) != 0 {
                    return false;
                }
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
                action.sa_sigaction = handler as *const () as usize;
                // On the alternate stack, because the fault may be an overflow of the normal one.
                // Not blocked meanwhile, so that a previous handler may leave by a jump.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
                libc::sigaction(*signal, &action, ptr::null_mut()) == 0
            }
        });
        INSTALLED.store(installed, Ordering::Release);
    });
    if INSTALLED.load(Ordering::Acquire) { Ok(()) } else { Err(NoMemory) }
}

/// The handler. Async-signal-safe: it reads memory, and may call `sigaction`.
extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers to a handler with SA_SIGINFO, the third to the
    // saved registers of the interrupted code.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let pc = registers[libc::REG_RIP as usize] as usize;
        let vmctx = registers[libc::REG_RDX as usize] as *const VmCtx;
        if interp::is_guest_access(pc) && is_reserved(vmctx, (*info).si_addr().addr()) {
            registers[libc::REG_RIP as usize] = interp::landing_pad() as i64;
            return;
        }
        #[cfg(dunlin_native)]
        if native::is_native(pc) {
            let fp = registers[libc::REG_RBP as usize];
            registers[libc::REG_RDI as usize] = pc as i64;
            registers[libc::REG_RSI as usize] = fp;
            registers[libc::REG_RSP as usize] &= !15;
            registers[libc::REG_RIP as usize] = native::fault_landing() as i64;
            return;
        }
        chain(signal, info, context);
    }
}

/// Whether memory 0 of `vmctx` has set `address` aside, so that an access to it is in bounds of
/// what the guest may touch, if only to trap.
///
/// # Safety
///
/// `vmctx` is the context of running code.
unsafe fn is_reserved(vmctx: *const VmCtx, address: usize) -> bool {
    // SAFETY: V5: at a guest access the context is in this register; V3: its memory 0 exists.
    let (base, guarded) = unsafe {
        let memory = (*vmctx).mem0;
        ((*memory).base.addr(), (*memory).guarded)
    };
    (address.wrapping_sub(base) as u64) < guarded
}

/// Hands the signal to whoever handled it before.
///
/// # Safety
///
/// The arguments are those of the handler.
unsafe fn chain(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let which = SIGNALS.iter().position(|known| *known == signal).unwrap_or(0);
    // SAFETY: written before the handler was installed, never after.
    let previous = unsafe { (*PREVIOUS[which].0.get()).assume_init_ref() };
    match previous.sa_sigaction {
        // SAFETY: restores what the process had; the instruction faults again and meets it. A
        // fault that is ignored would repeat forever, so that ignoring counts as the default.
        libc::SIG_DFL | libc::SIG_IGN => unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &action, ptr::null_mut());
        },
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Action = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: with SA_SIGINFO the address is that of such a function.
            let handler: Action = unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without SA_SIGINFO the address is that of such a function.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}
