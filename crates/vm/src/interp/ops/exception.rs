//! Throwing exceptions.

use dunlin_code::Trap;

use super::numeric::plain;
use crate::exception;
use crate::fiber;
use crate::interp::regs::{Exec, Flow, Regs};

/// Tells the runtime record where this instruction is.
#[inline(always)]
pub(super) unsafe fn mark_place(r: &Regs) {
    // SAFETY: V2.
    unsafe {
        (*r.rt).exit_ip = r.ip;
        (*r.rt).exit_fp = r.fp;
        (*r.rt).exit_vmctx = r.cx;
    }
}

/// Goes on where the runtime record says, or stops there.
#[inline(always)]
pub(super) unsafe fn land(r: &mut Regs, thrown: Result<(), Trap>) -> Flow {
    match thrown {
        // SAFETY: V2; V7: handlers lead to instructions of the function whose frame it is.
        Ok(()) => unsafe {
            r.ip = (*r.rt).exit_ip;
            r.fp = (*r.rt).exit_fp;
            r.cx = (*r.rt).exit_vmctx;
            r.reload_memory();
            Flow::Next
        },
        // SAFETY: V2.
        Err(trap) => unsafe {
            (*r.rt).trap = trap;
            Flow::Stop
        },
    }
}

/// Traps because a call could not be made, or makes room for it and begins it once more.
#[inline(always)]
pub(super) unsafe fn refused(r: &mut Regs, trap: Trap) -> Flow {
    // SAFETY: V2, V7: a call that does not fit has changed nothing.
    unsafe {
        if trap == Trap::StackOverflow && (*r.rt).fiber != 0 {
            mark_place(r);
            let grown = fiber::grow(r.rt);
            return land(r, grown);
        }
        r.trap(trap)
    }
}

plain! {
    Throw(r) {
        mark_place(r);
        let payload = r.fp.add(r.hi(1) as usize);
        let thrown = exception::throw_new(r.rt, r.lo(1), payload);
        land(r, thrown)
    }
    ThrowRef(r) {
        let exception = *r.fp.add(r.hi(1) as usize) as u32;
        if exception == 0 {
            return r.trap(Trap::NullException);
        }
        mark_place(r);
        let thrown = exception::throw(r.rt, exception);
        land(r, thrown)
    }
}
