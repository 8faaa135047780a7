//! Calls of host functions that take numbers, which never leave the registers: for each such function
//! there is code of its own, which the function is inlined into.

use std::ptr;
use std::sync::atomic::Ordering;

use dunlin_code::Trap;

use super::bridge::stop_running;
use crate::exception;
use crate::func::sealed::Way;
use crate::func::{NumberFunction, Numbers};
use crate::host_call::host_func;
use crate::store::Shared;
use crate::vmctx::{FuncRecord, Rt, VmCtx};

/// What a host function gave.
#[repr(C)]
pub(super) struct Given {
    /// Null, or the runtime record, which says in `trap` why there is no result.
    failed: *mut Rt,
    /// The result.
    bits: u64,
}

/// Calls the host function that `VmCtx::callee` of its context `cx` names, with what native code passes:
/// the registers for parameters of the register ABI are those of System V.
///
/// # Safety
///
/// V13: called by a bridge to functions of type `F`; the host function is one, and takes and gives numbers.
pub(super) unsafe extern "C" fn call_host<F: NumberFunction>(
    cx: *mut VmCtx,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
    s: f64,
    t: f64,
    u: f64,
    v: f64,
    w: f64,
    x: f64,
    y: f64,
    z: f64,
) -> Given {
    // SAFETY: V13; V2, V4: a bridge's context names its record, and the record its host function, which
    // stays where it is whatever is done to the store meanwhile.
    unsafe {
        let rt = (*cx).rt;
        let func = &*host_func((*cx).callee as *const FuncRecord);
        let numbers = Numbers { ints: [a, b, c, d, e], floats: [s, t, u, v, w, x, y, z] };
        // Loops look for this themselves, but the system may have refused to close their page.
        let called = match (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS {
            0 => <F::Sees as Way>::call(cx, func.call.function::<F>(), numbers),
            _ => interrupted(),
        };
        match called {
            Ok(bits) => Given { failed: ptr::null_mut(), bits },
            Err(trap) => {
                (*rt).trap = trap;
                Given { failed: rt, bits: 0 }
            }
        }
    }
}

#[cold]
fn interrupted() -> Result<u64, Trap> {
    Err(Trap::Interrupted)
}

/// Prepares to go on from where native code called a host function that failed with `Rt::trap`, as the
/// exit fields say.
///
/// # Safety
///
/// V13: called by a bridge to a host function.
#[cold]
pub(super) unsafe extern "C" fn stop_at_host(rt: *mut Rt) -> *mut Rt {
    // SAFETY: V2; V13.
    unsafe {
        if (*rt).trap == Trap::Exception {
            (*rt).trap = exception::throw_from(rt, (*rt).exception);
        }
        stop_running(rt)
    }
}
