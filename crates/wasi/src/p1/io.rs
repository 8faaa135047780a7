//! `fd_read`, `fd_write` and their kind: bytes between guest memory and the host's objects.

use super::abi::{self, Errno, Rights};
use super::descriptor::{Descriptor, Object};
use super::iovec::Spans;
use super::memory::GuestMemory;
use super::outcome::{Fail, Outcome};
use crate::WasiCtx;
use crate::host::{CHUNK, Error, Interrupt, Receive};

/// A first buffer this long is filled alone; shorter ones share a read, through `SCRATCH`.
const ALONE: u64 = 4096;
const SCRATCH: u64 = 64 * 1024;

/// Reads at an offset.
type ReadAt<'a> = dyn Fn(&mut [u8], u64) -> Result<usize, Error> + 'a;

/// `fd_read`
pub(crate) fn fd_read<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nread: u32,
) -> Outcome {
    let spans = Spans::read(mem, iovs, iovs_len)?;
    mem.check(u64::from(nread), 4)?;
    let interrupt = &ctx.interrupt;
    let descriptor = ctx.fds.get_mut(fd)?;
    if let Object::Dir(_) = descriptor.object {
        return Err(Errno::ISDIR.into());
    }
    descriptor.require(Rights::FD_READ)?;
    let wait = descriptor.wait(interrupt);
    let done = match &mut descriptor.object {
        Object::Dir(_) => return Err(Errno::ISDIR.into()),
        Object::Output(_) => return Err(Errno::BADF.into()),
        Object::Listener(_) => return Err(Errno::NOTCONN.into()),
        Object::File(file) => read_file(mem, &spans, |buffer, _| file.read(buffer, interrupt))?,
        Object::Input(input) => read_once(mem, &spans, |buffer| input.read(buffer, wait))?,
        Object::Stream(stream) => {
            let how = Receive::default();
            read_once(mem, &spans, |buffer| stream.receive(buffer, how, wait))?
        }
    };
    store_count(mem, nread, done)
}

/// `fd_pread`
pub(crate) fn fd_pread<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nread: u32,
) -> Outcome {
    let spans = Spans::read(mem, iovs, iovs_len)?;
    mem.check(u64::from(nread), 4)?;
    let interrupt = &ctx.interrupt;
    let descriptor = ctx.fds.get(fd)?;
    let read: &ReadAt<'_> = match &descriptor.object {
        Object::Dir(_) => return Err(Errno::ISDIR.into()),
        Object::Output(_) => return Err(Errno::BADF.into()),
        Object::Listener(_) | Object::Stream(_) => return Err(Errno::SPIPE.into()),
        Object::File(file) => &|buffer, at| file.read_at(buffer, at, interrupt),
        Object::Input(input) => &|buffer, at| input.read_at(buffer, at, interrupt),
    };
    descriptor.require(Rights::FD_READ.or(Rights::FD_SEEK))?;
    let done = read_file(mem, &spans, |buffer, done| read(buffer, offset.saturating_add(done)))?;
    store_count(mem, nread, done)
}

/// Fills one buffer after the other, as far as a file reaches; reads never wait.
fn read_file<M: GuestMemory + ?Sized>(
    mem: &mut M,
    spans: &Spans,
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize, Error>,
) -> Result<u64, Fail> {
    if spans.list().is_empty() {
        return Ok(read(&mut [], 0).map(|_| 0)?);
    }
    let mut done = 0u64;
    for span in spans.list() {
        let mut filled = 0u64;
        while filled < span.len {
            let len = span.len.saturating_sub(filled).min(mem.piece());
            let at = span.addr.saturating_add(filled);
            match mem.fill(at, len, |buffer| read(buffer, done))? {
                Ok(got) => {
                    done = done.saturating_add(got as u64);
                    filled = filled.saturating_add(got as u64);
                    if (got as u64) < len {
                        return Ok(done);
                    }
                }
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(done)
}

/// Reads once, because a second read could wait; short buffers get their share of it.
pub(super) fn read_once<M: GuestMemory + ?Sized>(
    mem: &mut M,
    spans: &Spans,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Error>,
) -> Result<u64, Fail> {
    match spans.list() {
        [] => Ok(0),
        [first, rest @ ..] if rest.is_empty() || first.len >= ALONE => {
            Ok(mem.fill(first.addr, first.len, read)?? as u64)
        }
        _ => {
            let size = spans.total().min(SCRATCH);
            let mut scratch = vec![0; usize::try_from(size).map_err(|_| Errno::NOMEM)?];
            let got = read(&mut scratch)?;
            spans.scatter(mem, scratch.get(..got).unwrap_or_default())?;
            Ok(got as u64)
        }
    }
}

/// `fd_write`
pub(crate) fn fd_write<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nwritten: u32,
) -> Outcome {
    let spans = Spans::read(mem, iovs, iovs_len)?;
    mem.check(u64::from(nwritten), 4)?;
    let descriptor = ctx.fds.get_mut(fd)?;
    let done = write(descriptor, mem, &spans, &ctx.interrupt)?;
    store_count(mem, nwritten, done)
}

fn write<M: GuestMemory + ?Sized>(
    descriptor: &mut Descriptor,
    mem: &M,
    spans: &Spans,
    interrupt: &Interrupt,
) -> Result<u64, Fail> {
    if let Object::Dir(_) = descriptor.object {
        return Err(Errno::ISDIR.into());
    }
    descriptor.require(Rights::FD_WRITE)?;
    let wait = descriptor.wait(interrupt);
    match &mut descriptor.object {
        Object::Dir(_) => Err(Errno::ISDIR.into()),
        Object::Input(_) => Err(Errno::BADF.into()),
        Object::Listener(_) => Err(Errno::NOTCONN.into()),
        Object::File(file) => {
            write_all(mem, spans, CHUNK, interrupt, |buffers, _| file.write(buffers))
        }
        Object::Output(output) => {
            let chunk = output.chunk(interrupt);
            write_all(mem, spans, chunk, interrupt, |buffers, _| output.write(buffers, wait))
        }
        Object::Stream(stream) => {
            write_all(mem, spans, CHUNK, interrupt, |buffers, _| stream.send(buffers, wait))
        }
    }
}

/// `fd_pwrite`
pub(crate) fn fd_pwrite<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nwritten: u32,
) -> Outcome {
    let spans = Spans::read(mem, iovs, iovs_len)?;
    mem.check(u64::from(nwritten), 4)?;
    let descriptor = ctx.fds.get(fd)?;
    if let Object::Input(_) = descriptor.object {
        return Err(Errno::BADF.into());
    }
    let file = descriptor.file(Rights::FD_WRITE.or(Rights::FD_SEEK), Errno::SPIPE)?;
    let done = write_all(mem, &spans, CHUNK, &ctx.interrupt, |buffers, done| {
        file.write_at(buffers, offset.checked_add(done).ok_or(Error::FileTooLarge)?)
    })?;
    store_count(mem, nwritten, done)
}

/// Writes until everything is written, or a write falls short, or nobody waits any longer.
pub(super) fn write_all<M: GuestMemory + ?Sized>(
    mem: &M,
    spans: &Spans,
    chunk: usize,
    interrupt: &Interrupt,
    mut write: impl FnMut(&[std::io::IoSlice<'_>], u64) -> Result<usize, Error>,
) -> Result<u64, Fail> {
    let mut done = 0u64;
    loop {
        let (wrote, shown) = spans.gather(mem, done, chunk, |buffers| write(buffers, done))?;
        match wrote {
            Ok(0) => break,
            Ok(wrote) => done = done.saturating_add(wrote as u64),
            // A wait that was put off is none of what was done before it.
            Err(Error::Interrupted) if done > 0 && interrupt.take_deferred().is_some() => break,
            Err(Error::Interrupted) => return Err(Error::Interrupted.into()),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error.into()),
        }
        if shown == 0 || done >= spans.total() {
            break;
        }
        interrupt.check()?;
    }
    Ok(done)
}

/// `fd_readdir`
pub(crate) fn fd_readdir<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    bufused: u32,
) -> Outcome {
    mem.check(u64::from(bufused), 4)?;
    mem.check(u64::from(buf), u64::from(buf_len))?;
    let dir = ctx.fds.get(fd)?.dir(Rights::FD_READDIR)?;
    let wanted = usize::try_from(buf_len).map_err(|_| Errno::NOMEM)?;
    let mut used = 0usize;
    if wanted > 0 {
        dir.list(cookie, wanted, &ctx.interrupt, |entry| {
            let head = abi::dirent(entry.next, entry.inode, entry.name.len(), entry.kind);
            for part in [head.bytes(), entry.name] {
                let len = part.len().min(wanted.saturating_sub(used));
                let at = u64::from(buf).saturating_add(used as u64);
                if mem.write(at, part.get(..len).unwrap_or_default()).is_err() {
                    return false;
                }
                used = used.saturating_add(len);
            }
            used < wanted
        })?;
    }
    store_count(mem, bufused, used as u64)
}

pub(super) fn store_count<M: GuestMemory + ?Sized>(mem: &mut M, addr: u32, count: u64) -> Outcome {
    let count = u32::try_from(count).map_err(|_| Errno::OVERFLOW)?;
    Ok(mem.store_u32(u64::from(addr), count)?)
}
