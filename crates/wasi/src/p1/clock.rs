//! `clock_*`: the four clocks.

use super::abi::Errno;
use super::memory::GuestMemory;
use super::outcome::Outcome;
use crate::WasiCtx;
use crate::host::Clock;

/// The clock of a number.
pub(super) fn clock(id: u32) -> Result<Clock, Errno> {
    match id {
        0 => Ok(Clock::Realtime),
        1 => Ok(Clock::Monotonic),
        2 => Ok(Clock::ProcessCpu),
        3 => Ok(Clock::ThreadCpu),
        _ => Err(Errno::INVAL),
    }
}

/// `clock_res_get`
pub(crate) fn clock_res_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    id: u32,
    resolution: u32,
) -> Outcome {
    Ok(mem.store_u64(u64::from(resolution), ctx.time.resolution(clock(id)?)?)?)
}

/// `clock_time_get`
pub(crate) fn clock_time_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    id: u32,
    _precision: u64,
    time: u32,
) -> Outcome {
    Ok(mem.store_u64(u64::from(time), ctx.time.now(clock(id)?)?)?)
}
