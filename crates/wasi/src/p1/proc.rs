//! `proc_*` and `sched_yield`.

use super::abi::Errno;
use super::memory::GuestMemory;
use super::outcome::{Outcome, Stop};
use crate::{Exit, WasiCtx};

/// `proc_exit`
pub fn proc_exit(code: u32) -> Stop {
    Stop::Exit(Exit(code))
}

/// `proc_raise`: a guest has no signals to give itself.
pub(crate) fn proc_raise<M: GuestMemory + ?Sized>(
    _: &mut WasiCtx,
    _: &mut M,
    _signal: u32,
) -> Outcome {
    Err(Errno::NOTSUP.into())
}

/// `sched_yield`
pub(crate) fn sched_yield<M: GuestMemory + ?Sized>(_: &mut WasiCtx, _: &mut M) -> Outcome {
    std::thread::yield_now();
    Ok(())
}
