//! `random_get`.

use super::memory::GuestMemory;
use super::outcome::Outcome;
use crate::WasiCtx;

/// `random_get`
pub(crate) fn random_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    buf: u32,
    buf_len: u32,
) -> Outcome {
    let buffer = mem.slice_mut(u64::from(buf), u64::from(buf_len))?;
    Ok(ctx.random.fill(buffer, &ctx.interrupt)?)
}
