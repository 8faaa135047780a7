//! `fd_*`: what is known and can be changed about a descriptor.

use super::abi::{self, Errno, FdFlags, FstFlags, Revision, Rights};
use super::descriptor::{Descriptor, Object};
use super::memory::GuestMemory;
use super::outcome::{Fail, Outcome};
use crate::WasiCtx;
use crate::host::{Expectation, Metadata, Whence};

/// `fd_advise`
pub(crate) fn fd_advise<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Outcome {
    let expectation = match advice {
        0 => Expectation::Normal,
        1 => Expectation::Sequential,
        2 => Expectation::Random,
        3 => Expectation::WillNeed,
        4 => Expectation::DontNeed,
        5 => Expectation::NoReuse,
        _ => return Err(Errno::INVAL.into()),
    };
    let descriptor = ctx.fds.get(fd)?;
    if let Object::Dir(_) = descriptor.object {
        return Err(Errno::BADF.into());
    }
    let file = descriptor.file(Rights::FD_ADVISE, Errno::SPIPE)?;
    Ok(file.advise(offset, len, expectation)?)
}

/// `fd_allocate`
pub(crate) fn fd_allocate<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    offset: u64,
    len: u64,
) -> Outcome {
    let file = ctx.fds.get(fd)?.file(Rights::FD_ALLOCATE, Errno::SPIPE)?;
    Ok(file.allocate(offset, len)?)
}

/// `fd_close`
pub(crate) fn fd_close<M: GuestMemory + ?Sized>(ctx: &mut WasiCtx, _: &mut M, fd: u32) -> Outcome {
    ctx.fds.remove(fd)?;
    Ok(())
}

/// `fd_datasync`
pub(crate) fn fd_datasync<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
) -> Outcome {
    sync(ctx, fd, Rights::FD_DATASYNC, false)
}

/// `fd_sync`
pub(crate) fn fd_sync<M: GuestMemory + ?Sized>(ctx: &mut WasiCtx, _: &mut M, fd: u32) -> Outcome {
    sync(ctx, fd, Rights::FD_SYNC, true)
}

fn sync(ctx: &WasiCtx, fd: u32, right: Rights, metadata: bool) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    match &descriptor.object {
        Object::File(file) => {
            descriptor.require(right)?;
            Ok(file.sync(metadata)?)
        }
        Object::Dir(dir) => {
            descriptor.require(right)?;
            Ok(dir.sync(metadata)?)
        }
        Object::Output(output) => Ok(output.sync(metadata)?),
        Object::Input(_) | Object::Listener(_) | Object::Stream(_) => Err(Errno::INVAL.into()),
    }
}

/// `fd_fdstat_get`
pub(crate) fn fd_fdstat_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    stat: u32,
) -> Outcome {
    let d = ctx.fds.get(fd)?;
    let record = abi::fdstat(d.object.kind(), d.flags, d.base, d.inheriting);
    Ok(mem.write(u64::from(stat), record.bytes())?)
}

/// `fd_fdstat_set_flags`
pub(crate) fn fd_fdstat_set_flags<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    flags: u32,
) -> Outcome {
    let flags = FdFlags::checked(flags)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
    // How writes reach the disk was settled when the file was opened.
    if flags.and(FdFlags::SYNCS) != descriptor.flags.and(FdFlags::SYNCS) {
        return Err(Errno::NOTSUP.into());
    }
    if let Object::File(file) = &descriptor.object
        && flags.has(FdFlags::APPEND) != descriptor.flags.has(FdFlags::APPEND)
    {
        file.set_append(flags.has(FdFlags::APPEND))?;
    }
    descriptor.flags = flags;
    Ok(())
}

/// `fd_fdstat_set_rights`
pub(crate) fn fd_fdstat_set_rights<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Outcome {
    let (base, inheriting) = (Rights(base), Rights(inheriting));
    let descriptor = ctx.fds.get_mut(fd)?;
    if !base.is_in(descriptor.base) || !inheriting.is_in(descriptor.inheriting) {
        return Err(Errno::NOTCAPABLE.into());
    }
    descriptor.base = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

/// `fd_filestat_get`
pub(crate) fn fd_filestat_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    stat: u32,
) -> Outcome {
    filestat(ctx, mem, fd, stat, Revision::Preview1)
}

pub(super) fn filestat<M: GuestMemory + ?Sized>(
    ctx: &WasiCtx,
    mem: &mut M,
    fd: u32,
    stat: u32,
    revision: Revision,
) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_FILESTAT_GET)?;
    let metadata = descriptor.object.metadata()?;
    store_filestat(mem, stat, &metadata, revision)
}

pub(super) fn store_filestat<M: GuestMemory + ?Sized>(
    mem: &mut M,
    stat: u32,
    metadata: &Metadata,
    revision: Revision,
) -> Outcome {
    let at = u64::from(stat);
    match revision {
        Revision::Preview1 => mem.write(at, abi::filestat(metadata).bytes())?,
        Revision::Unstable => mem.write(at, abi::filestat_unstable(metadata).bytes())?,
    }
    Ok(())
}

/// `fd_filestat_set_size`
pub(crate) fn fd_filestat_set_size<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    size: u64,
) -> Outcome {
    let file = ctx.fds.get(fd)?.file(Rights::FD_FILESTAT_SET_SIZE, Errno::INVAL)?;
    Ok(file.set_size(size)?)
}

/// `fd_filestat_set_times`
pub(crate) fn fd_filestat_set_times<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Outcome {
    let (accessed, modified) = FstFlags::checked(flags)?.times(atim, mtim)?;
    let descriptor = ctx.fds.get(fd)?;
    descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
    match &descriptor.object {
        Object::File(file) => Ok(file.set_times(accessed, modified)?),
        Object::Dir(dir) => Ok(dir.set_times(accessed, modified)?),
        _ => Err(Errno::NOTSUP.into()),
    }
}

/// `fd_prestat_get`
pub(crate) fn fd_prestat_get<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    prestat: u32,
) -> Outcome {
    if ctx.realm.dirs.is_empty() && fd > 2 {
        ctx.realm.witness.denials.record_search();
    }
    let name = preopen(ctx, fd)?;
    let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
    // Tag 0, a directory, and the length of its name.
    Ok(mem.write(u64::from(prestat), abi::Record::<8>::new().u8(0).u32(len).bytes())?)
}

/// `fd_prestat_dir_name`
pub(crate) fn fd_prestat_dir_name<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Outcome {
    let name = preopen(ctx, fd)?;
    if name.len() as u64 > u64::from(path_len) {
        return Err(Errno::NAMETOOLONG.into());
    }
    Ok(mem.write(u64::from(path), name.as_bytes())?)
}

fn preopen(ctx: &WasiCtx, fd: u32) -> Result<&str, Fail> {
    let descriptor = ctx.fds.get(fd)?;
    descriptor.preopen.as_deref().ok_or(Fail::Errno(Errno::BADF))
}

/// `fd_renumber`
pub(crate) fn fd_renumber<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    to: u32,
) -> Outcome {
    Ok(ctx.fds.renumber(fd, to)?)
}

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
        0 => Whence::Start,
        1 => Whence::Current,
        2 => Whence::End,
        _ => return Err(Errno::INVAL.into()),
    };
    seek(ctx, mem, fd, offset, whence, new_offset)
}

pub(super) fn seek<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    offset: i64,
    whence: Whence,
    new_offset: u32,
) -> Outcome {
    mem.check(u64::from(new_offset), 8)?;
    let descriptor = ctx.fds.get(fd)?;
    let only_tells = offset == 0 && whence == Whence::Current;
    let may = |d: &Descriptor| {
        if only_tells && d.base.has(Rights::FD_TELL) {
            return Ok(());
        }
        d.require(Rights::FD_SEEK)
    };
    let at = match &descriptor.object {
        Object::Dir(_) => return Err(Errno::ISDIR.into()),
        Object::Listener(_) | Object::Stream(_) => return Err(Errno::SPIPE.into()),
        Object::File(file) => {
            may(descriptor)?;
            file.seek(offset, whence)?
        }
        // What cannot seek at all says so, whatever its rights.
        Object::Input(input) => {
            input.seek(0, Whence::Current)?;
            may(descriptor)?;
            input.seek(offset, whence)?
        }
        Object::Output(output) => {
            output.seek(0, Whence::Current)?;
            may(descriptor)?;
            output.seek(offset, whence)?
        }
    };
    Ok(mem.store_u64(u64::from(new_offset), at)?)
}

/// `fd_tell`
pub(crate) fn fd_tell<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    offset: u32,
) -> Outcome {
    seek(ctx, mem, fd, 0, Whence::Current, offset)
}
