//! `args_*` and `environ_*`: lists of strings, each ended by a zero byte.

use super::abi::Errno;
use super::memory::GuestMemory;
use super::outcome::Outcome;
use crate::WasiCtx;

/// `args_get`
pub(crate) fn args_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    argv: u32,
    argv_buf: u32,
) -> Outcome {
    get(&ctx.args, mem, argv, argv_buf)
}

/// `args_sizes_get`
pub(crate) fn args_sizes_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    count: u32,
    size: u32,
) -> Outcome {
    sizes_get(&ctx.args, mem, count, size)
}

/// `environ_get`
pub(crate) fn environ_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    environ: u32,
    environ_buf: u32,
) -> Outcome {
    get(ctx.realm.read_env(), mem, environ, environ_buf)
}

/// `environ_sizes_get`
pub(crate) fn environ_sizes_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    count: u32,
    size: u32,
) -> Outcome {
    sizes_get(&ctx.realm.env, mem, count, size)
}

fn get<M: GuestMemory + ?Sized>(list: &[String], mem: &mut M, ptrs: u32, buf: u32) -> Outcome {
    let mut ptr = u64::from(ptrs);
    let mut at = u64::from(buf);
    mem.check(ptr, (list.len() as u64).saturating_mul(4))?;
    for text in list {
        mem.store_u32(ptr, u32::try_from(at).map_err(|_| Errno::FAULT)?)?;
        mem.write(at, text.as_bytes())?;
        at = at.saturating_add(text.len() as u64);
        mem.write(at, &[0])?;
        at = at.saturating_add(1);
        ptr = ptr.saturating_add(4);
    }
    Ok(())
}

fn sizes_get<M: GuestMemory + ?Sized>(
    list: &[String],
    mem: &mut M,
    count: u32,
    size: u32,
) -> Outcome {
    let bytes = list.iter().fold(0u64, |sum, text| sum.saturating_add(text.len() as u64 + 1));
    let len = u32::try_from(list.len()).map_err(|_| Errno::OVERFLOW)?;
    let bytes = u32::try_from(bytes).map_err(|_| Errno::OVERFLOW)?;
    mem.check(u64::from(size), 4)?;
    mem.store_u32(u64::from(count), len)?;
    Ok(mem.store_u32(u64::from(size), bytes)?)
}
