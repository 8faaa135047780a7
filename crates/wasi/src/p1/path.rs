//! `path_*`: operations that name a file below a directory.

use std::borrow::Cow;
use std::sync::Arc;

use super::abi::{Errno, FdFlags, FstFlags, LookupFlags, OFlags, Revision, Rights};
use super::descriptor::{Descriptor, Object};
use super::fd::store_filestat;
use super::io::store_count;
use super::memory::GuestMemory;
use super::outcome::{Fail, Outcome};
use crate::WasiCtx;
use crate::host::{OpenOptions, Opened, PATH_MAX};

/// The path in a range of guest memory.
fn path<M: GuestMemory + ?Sized>(mem: &M, addr: u32, len: u32) -> Result<Cow<'_, str>, Fail> {
    mem.check(u64::from(addr), u64::from(len))?;
    if len as usize > PATH_MAX {
        return Err(Errno::NAMETOOLONG.into());
    }
    let text = match mem.bytes(u64::from(addr), u64::from(len))? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    };
    text.ok_or_else(|| Errno::ILSEQ.into())
}

fn follows(flags: u32) -> Result<bool, Errno> {
    Ok(LookupFlags::checked(flags)?.has(LookupFlags::SYMLINK_FOLLOW))
}

/// `path_create_directory`
pub(crate) fn path_create_directory<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    addr: u32,
    len: u32,
) -> Outcome {
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_CREATE_DIRECTORY)?;
    Ok(dir.create_dir(&path(mem, addr, len)?)?)
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
    filestat(ctx, mem, fd, flags, (addr, len), stat, Revision::Preview1)
}

pub(super) fn filestat<M: GuestMemory + ?Sized>(
    ctx: &WasiCtx,
    mem: &mut M,
    fd: u32,
    flags: u32,
    (addr, len): (u32, u32),
    stat: u32,
    revision: Revision,
) -> Outcome {
    let follow = follows(flags)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_FILESTAT_GET)?;
    let metadata = dir.metadata_at(&path(mem, addr, len)?, follow)?;
    store_filestat(mem, stat, &metadata, revision)
}

/// `path_filestat_set_times`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn path_filestat_set_times<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    flags: u32,
    addr: u32,
    len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Outcome {
    let follow = follows(flags)?;
    let (accessed, modified) = FstFlags::checked(fst_flags)?.times(atim, mtim)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_FILESTAT_SET_TIMES)?;
    Ok(dir.set_times_at(&path(mem, addr, len)?, follow, accessed, modified)?)
}

/// `path_link`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn path_link<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    old_fd: u32,
    old_flags: u32,
    old_addr: u32,
    old_len: u32,
    new_fd: u32,
    new_addr: u32,
    new_len: u32,
) -> Outcome {
    // A link that is followed can be changed between the check and the use.
    if follows(old_flags)? {
        return Err(Errno::INVAL.into());
    }
    let old = ctx.fds.get(old_fd)?.dir(Rights::PATH_LINK_SOURCE)?;
    let new = ctx.fds.get(new_fd)?.dir(Rights::PATH_LINK_TARGET)?;
    Ok(old.link(&path(mem, old_addr, old_len)?, new, &path(mem, new_addr, new_len)?)?)
}

/// `path_open`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn path_open<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    dirflags: u32,
    addr: u32,
    len: u32,
    oflags: u32,
    base: u64,
    inheriting: u64,
    fdflags: u32,
    opened: u32,
) -> Outcome {
    mem.check(u64::from(opened), 4)?;
    let follow = follows(dirflags)?;
    let oflags = OFlags::checked(oflags)?;
    let fdflags = FdFlags::checked(fdflags)?;
    // Guests ask for rights of later revisions, or simply for all of them.
    let base = Rights(base).and(Rights::ALL);
    let inheriting = Rights(inheriting).and(Rights::ALL);

    let parent = ctx.fds.get(fd)?;
    let mut needed = Rights::PATH_OPEN;
    if oflags.has(OFlags::CREAT) {
        needed = needed.or(Rights::PATH_CREATE_FILE);
    }
    if oflags.has(OFlags::TRUNC) {
        needed = needed.or(Rights::PATH_FILESTAT_SET_SIZE);
    }
    let dir = parent.dir(needed)?;
    let mut passed_on = base.or(inheriting);
    if fdflags.has(FdFlags::SYNC) || fdflags.has(FdFlags::RSYNC) {
        passed_on = passed_on.or(Rights::FD_SYNC);
    }
    let syncs = parent.inheriting.and(Rights::FD_SYNC.or(Rights::FD_DATASYNC));
    if fdflags.has(FdFlags::DSYNC) && syncs == Rights::default() {
        return Err(Errno::NOTCAPABLE.into());
    }
    if !passed_on.is_in(parent.inheriting) {
        return Err(Errno::NOTCAPABLE.into());
    }
    ctx.fds.check_room()?;

    let options = OpenOptions {
        follow,
        read: base.has(Rights::FD_READ),
        write: base.has(Rights::FD_WRITE),
        append: fdflags.has(FdFlags::APPEND),
        create: oflags.has(OFlags::CREAT),
        exclusive: oflags.has(OFlags::EXCL),
        truncate: oflags.has(OFlags::TRUNC),
        directory: oflags.has(OFlags::DIRECTORY),
        data_sync: fdflags.has(FdFlags::DSYNC),
        sync: fdflags.has(FdFlags::SYNC) || fdflags.has(FdFlags::RSYNC),
    };
    let object = match dir.open(&path(mem, addr, len)?, &options)? {
        Opened::File(file) => Object::File(file),
        Opened::Dir(dir) => Object::Dir(Arc::new(dir)),
    };
    let mut descriptor = Descriptor::new(object).limited(base, inheriting);
    if let Object::File(_) = descriptor.object {
        descriptor.inheriting = inheriting;
    }
    descriptor.flags = fdflags;
    let number = ctx.fds.insert(descriptor)?;
    Ok(mem.store_u32(u64::from(opened), number)?)
}

/// `path_readlink`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn path_readlink<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    addr: u32,
    len: u32,
    buf: u32,
    buf_len: u32,
    bufused: u32,
) -> Outcome {
    mem.check(u64::from(buf), u64::from(buf_len))?;
    mem.check(u64::from(bufused), 4)?;
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_READLINK)?;
    let target = dir.read_link(&path(mem, addr, len)?)?;
    let taken = target.len().min(buf_len as usize);
    mem.write(u64::from(buf), target.get(..taken).unwrap_or_default())?;
    store_count(mem, bufused, taken as u64)
}

/// `path_remove_directory`
pub(crate) fn path_remove_directory<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    addr: u32,
    len: u32,
) -> Outcome {
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_REMOVE_DIRECTORY)?;
    Ok(dir.remove_dir(&path(mem, addr, len)?)?)
}

/// `path_rename`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn path_rename<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    old_fd: u32,
    old_addr: u32,
    old_len: u32,
    new_fd: u32,
    new_addr: u32,
    new_len: u32,
) -> Outcome {
    let old = ctx.fds.get(old_fd)?.dir(Rights::PATH_RENAME_SOURCE)?;
    let new = ctx.fds.get(new_fd)?.dir(Rights::PATH_RENAME_TARGET)?;
    Ok(old.rename(&path(mem, old_addr, old_len)?, new, &path(mem, new_addr, new_len)?)?)
}

/// `path_symlink`
pub(crate) fn path_symlink<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    old_addr: u32,
    old_len: u32,
    fd: u32,
    new_addr: u32,
    new_len: u32,
) -> Outcome {
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_SYMLINK)?;
    Ok(dir.symlink(&path(mem, old_addr, old_len)?, &path(mem, new_addr, new_len)?)?)
}

/// `path_unlink_file`
pub(crate) fn path_unlink_file<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    addr: u32,
    len: u32,
) -> Outcome {
    let dir = ctx.fds.get(fd)?.dir(Rights::PATH_UNLINK_FILE)?;
    Ok(dir.unlink(&path(mem, addr, len)?)?)
}
