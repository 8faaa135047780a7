//! Loop dispatch: a loop calls one handler after the other. Works with every compiler and target.

use super::super::regs::{Exec, Flow, Regs};
use super::{DONE, STOPPED};
use crate::vmctx::{Rt, VmCtx};

/// A handler.
pub(in crate::interp) type Handler = unsafe fn(&mut Regs) -> Flow;

unsafe fn run<E: Exec>(r: &mut Regs) -> Flow {
    // SAFETY: V7, by `start`.
    unsafe { E::exec(r) }
}

/// The handler that executes `E`.
pub(in crate::interp) const fn handler<E: Exec>() -> Handler {
    run::<E>
}

macro_rules! start {
    ($abi:literal) => {
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
            let mut r = Regs { ip, fp, cx, mem, acc, rt, single: 0.0, double: 0.0 };
            loop {
                // SAFETY: V7: `ip` is at an instruction of published code, whose opcode word is
                // its handler.
                let flow = unsafe { (*r.ip.cast::<Handler>())(&mut r) };
                match flow {
                    Flow::Next => {}
                    Flow::Stop => return STOPPED,
                    Flow::Done => return DONE,
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
start!("sysv64");
#[cfg(not(target_arch = "x86_64"))]
start!("C");
