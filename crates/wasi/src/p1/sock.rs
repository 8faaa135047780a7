//! `sock_*`: connections of listeners and streams the embedder opened.

use super::abi::{Errno, FdFlags, RiFlags, Rights, SdFlags};
use super::descriptor::{Descriptor, Object};
use super::io::{read_once, store_count, write_all};
use super::iovec::Spans;
use super::memory::GuestMemory;
use super::outcome::{Fail, Outcome};
use crate::WasiCtx;
use crate::host::{CHUNK, Denial, Receive, Stream};

/// `sock_accept`
pub(crate) fn sock_accept<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    flags: u32,
    accepted: u32,
) -> Outcome {
    mem.check(u64::from(accepted), 4)?;
    let flags = FdFlags::checked(flags)?;
    if !flags.is_in(FdFlags::NONBLOCK) {
        return Err(Errno::INVAL.into());
    }
    let Ok(descriptor) = ctx.fds.get(fd) else {
        ctx.realm.witness.deny(Denial::Listener { descriptor: fd });
        return Err(Errno::BADF.into());
    };
    let listener = match &descriptor.object {
        Object::Listener(listener) => listener,
        Object::Stream(_) => return Err(Errno::INVAL.into()),
        _ => return Err(Errno::NOTSOCK.into()),
    };
    descriptor.require(Rights::SOCK_ACCEPT)?;
    ctx.fds.check_room()?;
    let stream = listener.accept(descriptor.wait(&ctx.interrupt))?;
    let inheriting = descriptor.inheriting;
    let mut new = Descriptor::new(Object::Stream(stream)).limited(inheriting, Rights::ALL);
    new.flags = flags;
    let number = ctx.fds.insert(new)?;
    Ok(mem.store_u32(u64::from(accepted), number)?)
}

/// The stream of a descriptor, to use it with these rights.
fn stream(descriptor: &Descriptor, rights: Rights) -> Result<&Stream, Fail> {
    match &descriptor.object {
        Object::Stream(stream) => {
            descriptor.require(rights)?;
            Ok(stream)
        }
        Object::Listener(_) => Err(Errno::NOTCONN.into()),
        _ => Err(Errno::NOTSOCK.into()),
    }
}

/// `sock_recv`
#[expect(clippy::too_many_arguments, reason = "the interface has that many")]
pub(crate) fn sock_recv<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    ri_data: u32,
    ri_data_len: u32,
    ri_flags: u32,
    ro_datalen: u32,
    ro_flags: u32,
) -> Outcome {
    let flags = RiFlags::checked(ri_flags)?;
    let spans = Spans::read(mem, ri_data, ri_data_len)?;
    mem.check(u64::from(ro_datalen), 4)?;
    mem.check(u64::from(ro_flags), 2)?;
    let descriptor = ctx.fds.get(fd)?;
    let stream = stream(descriptor, Rights::FD_READ)?;
    let wait = descriptor.wait(&ctx.interrupt);
    let how = Receive { peek: flags.has(RiFlags::PEEK), all: flags.has(RiFlags::WAITALL) };
    let done = if how.all && !how.peek && spans.list().len() > 1 {
        let mut done = 0u64;
        for span in spans.list() {
            match mem.fill(span.addr, span.len, |buffer| stream.receive(buffer, how, wait))? {
                Ok(got) => done = done.saturating_add(got as u64),
                Err(_) if done > 0 => break,
                Err(error) => return Err(error.into()),
            }
            if done < span.len {
                break;
            }
        }
        done
    } else {
        read_once(mem, &spans, |buffer| stream.receive(buffer, how, wait))?
    };
    store_count(mem, ro_datalen, done)?;
    // Nothing is ever cut off on a stream.
    Ok(mem.write(u64::from(ro_flags), &[0, 0])?)
}

/// `sock_send`
pub(crate) fn sock_send<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    mem: &mut M,
    fd: u32,
    si_data: u32,
    si_data_len: u32,
    si_flags: u32,
    so_datalen: u32,
) -> Outcome {
    if si_flags != 0 {
        return Err(Errno::INVAL.into());
    }
    let spans = Spans::read(mem, si_data, si_data_len)?;
    mem.check(u64::from(so_datalen), 4)?;
    let descriptor = ctx.fds.get(fd)?;
    let stream = stream(descriptor, Rights::FD_WRITE)?;
    let wait = descriptor.wait(&ctx.interrupt);
    let done =
        write_all(mem, &spans, CHUNK, &ctx.interrupt, |buffers, _| stream.send(buffers, wait))?;
    store_count(mem, so_datalen, done)
}

/// `sock_shutdown`
pub(crate) fn sock_shutdown<M: GuestMemory + ?Sized>(
    ctx: &mut WasiCtx,
    _: &mut M,
    fd: u32,
    how: u32,
) -> Outcome {
    let descriptor = ctx.fds.get(fd)?;
    let stream = stream(descriptor, Rights::SOCK_SHUTDOWN)?;
    let how = SdFlags::checked(how)?;
    Ok(stream.shutdown(how.has(SdFlags::RD), how.has(SdFlags::WR))?)
}
