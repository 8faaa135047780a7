//! `wasi_unstable`, the revision before: the same functions, but for four of them.
//!
//! Its `fd_seek` numbers the origins otherwise, its `filestat` has a shorter number of links, and
//! its subscription to a clock has one field more. There is no `sock_accept`.

use super::abi::{Errno, Revision};
use super::memory::GuestMemory;
use super::outcome::Outcome;
use super::{fd, path, poll};
use crate::WasiCtx;
use crate::host::Whence;

/// `fd_seek`
pub(crate) fn fd_seek<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    offset: i64,
    whence: u32,
    new_offset: u32,
) -> Outcome {
    let whence = match whence {
        0 => Whence::Current,
        1 => Whence::End,
        2 => Whence::Start,
        _ => return Err(Errno::INVAL.into()),
    };
    fd::seek(ctx, mem, fd, offset, whence, new_offset)
}

/// `fd_filestat_get`
pub(crate) fn fd_filestat_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    stat: u32,
) -> Outcome {
    fd::filestat(ctx, mem, fd, stat, Revision::Unstable)
}

/// `path_filestat_get`
pub(crate) fn path_filestat_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    flags: u32,
    addr: u32,
    len: u32,
    stat: u32,
) -> Outcome {
    path::filestat(ctx, mem, fd, flags, (addr, len), stat, Revision::Unstable)
}

/// `poll_oneoff`
pub(crate) fn poll_oneoff<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    subscriptions: u32,
    events: u32,
    count: u32,
    nevents: u32,
) -> Outcome {
    poll::poll(ctx, mem, subscriptions, events, count, nevents, Revision::Unstable)
}
