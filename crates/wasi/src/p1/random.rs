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
    let (mut at, mut left) = (u64::from(buf), u64::from(buf_len));
    mem.check(at, left)?;
    while left > 0 {
        let len = left.min(mem.piece());
        mem.fill(at, len, |bytes| ctx.random.fill(bytes, &ctx.interrupt).map(|()| bytes.len()))??;
        at = at.saturating_add(len);
        left = left.saturating_sub(len);
    }
    Ok(())
}
