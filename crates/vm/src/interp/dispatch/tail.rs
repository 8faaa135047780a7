//! Tail dispatch: a handler ends by jumping to the next one, with the registers as its arguments.
//!
//! All eight registers fit the argument registers of the C calling convention of the targets this
//! is enabled for (six integer and two float registers on x86-64). Rust does not promise that the
//! call in tail position becomes a jump; `scripts/check-dispatch` checks a release
//! build that it did.

use super::super::regs::{Exec, Flow, Regs};
use super::{DONE, STOPPED};
use crate::vmctx::{Rt, VmCtx};

macro_rules! abi {
    (@with $abi:literal type) => {
        /// A handler.
        pub(in crate::interp) type Handler = unsafe extern $abi fn(
            *const u64, *mut u64, *mut VmCtx, *mut u8, u64, *mut Rt, f32, f64,
        ) -> u32;
    };
    (@with $abi:literal run) => {
        unsafe extern $abi fn run<E: Exec>(
            ip: *const u64,
            fp: *mut u64,
            cx: *mut VmCtx,
            mem: *mut u8,
            acc: u64,
            rt: *mut Rt,
            single: f32,
            double: f64,
        ) -> u32 {
            let mut r = Regs { ip, fp, cx, mem, acc, rt, single, double };
            // SAFETY: V7, by whoever jumped here.
            match unsafe { E::exec(&mut r) } {
                Flow::Next => {
                    // SAFETY: V7: `ip` is at an instruction of published code, whose opcode word
                    // is the address of its handler.
                    unsafe {
                        let next = *r.ip.cast::<Handler>();
                        next(r.ip, r.fp, r.cx, r.mem, r.acc, r.rt, r.single, r.double)
                    }
                }
                Flow::Stop => STOPPED,
                Flow::Done => DONE,
            }
        }
    };
    (@with $abi:literal start) => {
        /// Runs from the instruction at `ip` until an exit.
        ///
        /// # Safety
        ///
        /// V7 holds for the instruction at `ip` with this state.
        pub(in crate::interp) unsafe extern $abi fn start(
            ip: *const u64,
            fp: *mut u64,
            cx: *mut VmCtx,
            mem: *mut u8,
            acc: u64,
            rt: *mut Rt,
        ) -> u32 {
            // SAFETY: the caller's promise.
            unsafe { (*ip.cast::<Handler>())(ip, fp, cx, mem, acc, rt, 0.0, 0.0) }
        }
    };
    ($item:ident) => {
        #[cfg(target_arch = "x86_64")]
        abi!(@with "sysv64" $item);
        #[cfg(not(target_arch = "x86_64"))]
        abi!(@with "C" $item);
    };
}

abi!(type);
abi!(run);
abi!(start);

/// The handler that executes `E`.
pub(in crate::interp) const fn handler<E: Exec>() -> Handler {
    run::<E>
}
