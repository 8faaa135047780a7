//! `wasi:random`: random bytes.

use dunlin_engine::Result;

use super::error::fatal;
use super::{Get, Wasi};
use crate::WasiCtx;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("random", "random")?
        .func("get-random-bytes", bytes)?
        .func("get-random-u64", number)?;
    wasi.interface("random", "insecure")?
        .func("get-insecure-random-bytes", bytes)?
        .func("get-insecure-random-u64", number)?;
    wasi.interface("random", "insecure-seed")?
        .func("insecure-seed", |ctx, ()| Ok((number(ctx, ())?, number(ctx, ())?)))?;
    Ok(())
}

fn bytes(ctx: &mut WasiCtx, (length,): (u64,)) -> Result<Vec<u8>> {
    ctx.p2.table.afford(length)?;
    // No budget is larger than memory, and what could not be afforded ended above.
    let mut bytes = Vec::new();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(length).map_err(|_| fatal(crate::host::Error::NoMemory))?;
    bytes.resize(length, 0);
    ctx.random.fill(&mut bytes, &ctx.interrupt).map_err(fatal)?;
    Ok(bytes)
}

fn number(ctx: &mut WasiCtx, (): ()) -> Result<u64> {
    let mut bytes = [0; 8];
    ctx.random.fill(&mut bytes, &ctx.interrupt).map_err(fatal)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests;
