//! `wasi:io/streams`: bytes in and out.

use std::result;
use std::sync::Arc;

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::{Error, Result, Trap};

use super::error::{IoError, Origin, fatal};
use super::poll::{Pollable, Waits};
use super::state::Place;
use super::{Get, Wasi};
use crate::WasiCtx;
use crate::host::net::Awaits;
use crate::host::{self, Interrupt, Reader, Wait, Writer};

/// The most that one call reads.
const READ_MAX: u64 = 1 << 20;

/// What one call reads of something that has no known size.
const READ: u64 = 64 << 10;

/// What the blocking calls write at most.
const BLOCKING_WRITE_MAX: u64 = 4096;

/// Why a stream does not give or take anything.
#[derive(ComponentType, Debug)]
pub enum StreamError {
    /// The last operation failed, and the stream is closed.
    LastOperationFailed(Resource<IoError>),
    /// The stream is at its end.
    Closed,
}

/// What a call of a stream gives: a value, what the guest is told, or the guest's end.
pub(super) type Told<V> = Result<result::Result<V, StreamError>>;

/// An `input-stream`.
#[derive(Debug)]
pub struct InputStream {
    reader: Reader,
    closed: bool,
    _place: Option<Arc<Place>>,
}

/// An `output-stream`.
#[derive(Debug)]
pub struct OutputStream {
    writer: Writer,
    /// How many bytes the guest may still write without asking.
    permit: u64,
    /// What the guest has written and the writer did not take yet.
    pending: Vec<u8>,
    closed: bool,
    _place: Option<Arc<Place>>,
}

/// Why an operation on a stream did not succeed.
enum Fail {
    Closed,
    Host(host::Error),
    Trap(Error),
}

impl From<host::Error> for Fail {
    fn from(error: host::Error) -> Fail {
        Fail::Host(error)
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Trap(error)
    }
}

impl InputStream {
    /// A stream of what a reader gives.
    pub fn new(reader: Reader) -> InputStream {
        InputStream { reader, closed: false, _place: None }
    }

    /// The same with the place of the file that it reads.
    pub(super) fn of_file(reader: Reader, place: Arc<Place>) -> InputStream {
        InputStream { _place: Some(place), ..InputStream::new(reader) }
    }

    fn origin(&self) -> Origin {
        match self.reader {
            Reader::Socket(_) => Origin::Network,
            Reader::Other(_) => Origin::Other,
            _ => Origin::Files,
        }
    }

    /// Reads up to so many bytes.
    fn read(&mut self, length: usize, wait: Wait<'_>) -> result::Result<Vec<u8>, Fail> {
        if self.closed {
            return Err(Fail::Closed);
        }
        let mut buffer = vec![0; length];
        if length == 0 {
            return Ok(buffer);
        }
        match self.reader.read(&mut buffer, wait) {
            Ok(0) => {
                self.closed = true;
                Err(Fail::Closed)
            }
            Ok(got) => {
                buffer.truncate(got);
                Ok(buffer)
            }
            Err(host::Error::Again) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn skip(&mut self, length: u64, wait: Wait<'_>) -> result::Result<u64, Fail> {
        if self.closed {
            return Err(Fail::Closed);
        }
        if length == 0 {
            return Ok(0);
        }
        match self.reader.skip(length, wait) {
            Ok(0) => {
                self.closed = true;
                Err(Fail::Closed)
            }
            Err(host::Error::Again) => Ok(0),
            result => Ok(result?),
        }
    }

    /// How many bytes to read if the guest wants so many.
    fn worth(&self, wanted: u64) -> usize {
        let most = match self.reader.remaining() {
            _ if wanted <= READ => wanted,
            Some(remaining) => remaining.clamp(1, READ_MAX),
            None => READ,
        };
        // Both fit: they are no more than `READ_MAX`.
        usize::try_from(wanted.min(most)).unwrap_or(0)
    }
}

impl Waits for InputStream {
    fn awaits(&self) -> Awaits<'_> {
        if self.closed { Awaits::Nothing } else { self.reader.awaits() }
    }

    fn advance(&mut self) -> bool {
        self.closed || self.reader.is_ready()
    }
}

impl OutputStream {
    /// A stream to a writer.
    pub fn new(writer: Writer) -> OutputStream {
        OutputStream { writer, permit: 0, pending: Vec::new(), closed: false, _place: None }
    }

    /// The same with the place of the file that it writes.
    pub(super) fn of_file(writer: Writer, place: Arc<Place>) -> OutputStream {
        OutputStream { _place: Some(place), ..OutputStream::new(writer) }
    }

    fn origin(&self) -> Origin {
        match self.writer {
            Writer::Socket(_) => Origin::Network,
            Writer::Other(_) => Origin::Other,
            _ => Origin::Files,
        }
    }

    /// Passes on what is pending, as far as the writer takes it.
    fn flush(&mut self, wait: Wait<'_>) -> result::Result<(), Fail> {
        if self.closed {
            return Err(Fail::Closed);
        }
        while !self.pending.is_empty() {
            match self.writer.write(&self.pending, wait) {
                Ok(taken) => drop(self.pending.drain(..taken.min(self.pending.len()))),
                Err(host::Error::Again) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many bytes the next write may have.
    fn check_write(&mut self) -> result::Result<u64, Fail> {
        self.flush(Wait { blocking: false, interrupt: &Interrupt::default() })?;
        let ready = self.pending.is_empty() && self.writer.awaits().is_over()?;
        self.permit = if ready { self.writer.room()? as u64 } else { 0 };
        Ok(self.permit)
    }

    /// Uses up a part of the permit.
    fn use_permit(&mut self, length: u64) -> result::Result<(), Fail> {
        if self.closed {
            return Err(Fail::Closed);
        }
        match self.permit.checked_sub(length) {
            Some(left) => {
                self.permit = left;
                Ok(())
            }
            None => {
                let permit = self.permit;
                Err(trap(format!(
                    "cannot write {length} bytes to a stream that permitted {permit}: \
                     `check-write` comes first"
                )))
            }
        }
    }

    /// Writes all, waiting if it may; what is not taken without waiting is pending then.
    fn write(&mut self, bytes: &[u8], wait: Wait<'_>) -> result::Result<(), Fail> {
        self.flush(wait)?;
        let mut rest = bytes;
        while !rest.is_empty() && self.pending.is_empty() {
            let piece = rest.get(..rest.len().min(self.writer.room()?)).unwrap_or(rest);
            match self.writer.write(piece, wait) {
                Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                Err(host::Error::Again) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// As [`OutputStream::write`], with zeros.
    fn write_zeroes(&mut self, length: u64, wait: Wait<'_>) -> result::Result<(), Fail> {
        let zeroes = [0; BLOCKING_WRITE_MAX as usize];
        let mut left = length;
        while left > 0 {
            let size = left.min(BLOCKING_WRITE_MAX);
            self.write(zeroes.get(..size as usize).unwrap_or_default(), wait)?;
            left = left.saturating_sub(size);
        }
        Ok(())
    }
}

impl Waits for OutputStream {
    fn awaits(&self) -> Awaits<'_> {
        if self.closed { Awaits::Nothing } else { self.writer.awaits() }
    }

    fn advance(&mut self) -> bool {
        let flushed = self.flush(Wait { blocking: false, interrupt: &Interrupt::default() });
        // An error is for the next call to tell.
        flushed.is_err() || (self.pending.is_empty() && self.writer.is_ready())
    }
}

#[cold]
fn trap(detail: String) -> Fail {
    Fail::Trap(Error::trap_because(Trap::Component, detail))
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("io", "streams")?
        .resource::<InputStream>("input-stream")?
        .resource::<OutputStream>("output-stream")?
        .func("[method]input-stream.read", |ctx, p| read(ctx, p, false))?
        .func("[method]input-stream.blocking-read", |ctx, p| read(ctx, p, true))?
        .func("[method]input-stream.skip", |ctx, p| skip(ctx, p, false))?
        .func("[method]input-stream.blocking-skip", |ctx, p| skip(ctx, p, true))?
        .func("[method]input-stream.subscribe", |ctx, (this,): (Resource<InputStream>,)| {
            Pollable::subscribe(&mut ctx.p2.table, this)
        })?
        .func("[method]output-stream.check-write", check_write)?
        .func("[method]output-stream.write", write)?
        .func("[method]output-stream.blocking-write-and-flush", blocking_write_and_flush)?
        .func("[method]output-stream.flush", |ctx, p| flush(ctx, p, false))?
        .func("[method]output-stream.blocking-flush", |ctx, p| flush(ctx, p, true))?
        .func("[method]output-stream.subscribe", |ctx, (this,): (Resource<OutputStream>,)| {
            Pollable::subscribe(&mut ctx.p2.table, this)
        })?
        .func("[method]output-stream.write-zeroes", write_zeroes)?
        .func(
            "[method]output-stream.blocking-write-zeroes-and-flush",
            blocking_write_zeroes_and_flush,
        )?
        .func("[method]output-stream.splice", |ctx, p| splice(ctx, p, false))?
        .func("[method]output-stream.blocking-splice", |ctx, p| splice(ctx, p, true))?;
    Ok(())
}

/// Does something with an input stream. If that fails, the stream is closed.
fn on_input<V>(
    ctx: &mut WasiCtx,
    this: Resource<InputStream>,
    act: impl FnOnce(&mut InputStream, &Interrupt) -> result::Result<V, Fail>,
) -> Told<V> {
    let stream = ctx.p2.table.get_mut(this)?;
    match act(stream, &ctx.interrupt) {
        Ok(value) => Ok(Ok(value)),
        Err(Fail::Closed) => Ok(Err(StreamError::Closed)),
        Err(Fail::Trap(error)) => Err(error),
        Err(Fail::Host(error)) => {
            stream.closed = true;
            let error = IoError { error, of: stream.origin(), cause: stream.reader.cause() };
            failed(ctx, error)
        }
    }
}

/// Does something with an output stream. If that fails, the stream is closed.
fn on_output<V>(
    ctx: &mut WasiCtx,
    this: Resource<OutputStream>,
    act: impl FnOnce(&mut OutputStream, &Interrupt) -> result::Result<V, Fail>,
) -> Told<V> {
    let stream = ctx.p2.table.get_mut(this)?;
    let before = stream.pending.capacity();
    let result = act(stream, &ctx.interrupt);
    let grown = stream.pending.capacity().saturating_sub(before);
    let of = stream.origin();
    let result = match result {
        Ok(value) => Ok(Ok(value)),
        Err(Fail::Closed) => Ok(Err(StreamError::Closed)),
        Err(Fail::Trap(error)) => Err(error),
        // Either side has ended this direction of a connection.
        Err(Fail::Host(host::Error::Pipe)) if of != Origin::Files => {
            stream.closed = true;
            Ok(Err(StreamError::Closed))
        }
        Err(Fail::Host(error)) => {
            stream.closed = true;
            stream.pending = Vec::new();
            let cause = stream.writer.cause();
            failed(ctx, IoError { error, of, cause })
        }
    };
    if grown > 0 {
        ctx.p2.table.charge(this, grown as u64)?;
    }
    result
}

fn failed<V>(ctx: &mut WasiCtx, error: IoError) -> Told<V> {
    if error.error == host::Error::Interrupted {
        return Err(fatal(error.error));
    }
    let error = ctx.p2.table.push(error, 0)?;
    Ok(Err(StreamError::LastOperationFailed(error)))
}

/// `input-stream.read`, or `blocking-read`
pub fn read(
    ctx: &mut WasiCtx,
    (this, length): (Resource<InputStream>, u64),
    blocking: bool,
) -> Told<Vec<u8>> {
    let length = ctx.p2.table.get(this)?.worth(length);
    ctx.p2.table.afford(length as u64)?;
    on_input(ctx, this, |stream, interrupt| stream.read(length, Wait { blocking, interrupt }))
}

fn skip(
    ctx: &mut WasiCtx,
    (this, length): (Resource<InputStream>, u64),
    blocking: bool,
) -> Told<u64> {
    on_input(ctx, this, |stream, interrupt| stream.skip(length, Wait { blocking, interrupt }))
}

/// `output-stream.check-write`
pub fn check_write(ctx: &mut WasiCtx, (this,): (Resource<OutputStream>,)) -> Told<u64> {
    on_output(ctx, this, |stream, _| stream.check_write())
}

/// `output-stream.write`
pub fn write(ctx: &mut WasiCtx, (this, bytes): (Resource<OutputStream>, Vec<u8>)) -> Told<()> {
    on_output(ctx, this, |stream, interrupt| {
        stream.use_permit(bytes.len() as u64)?;
        stream.write(&bytes, Wait { blocking: false, interrupt })
    })
}

fn write_zeroes(ctx: &mut WasiCtx, (this, length): (Resource<OutputStream>, u64)) -> Told<()> {
    on_output(ctx, this, |stream, interrupt| {
        stream.use_permit(length)?;
        stream.write_zeroes(length, Wait { blocking: false, interrupt })
    })
}

/// Fails for more than a blocking write takes.
fn check_blocking(length: u64) -> result::Result<(), Fail> {
    if length <= BLOCKING_WRITE_MAX {
        return Ok(());
    }
    Err(trap(format!("cannot write {length} bytes at once: expected at most {BLOCKING_WRITE_MAX}")))
}

/// `output-stream.blocking-write-and-flush`
pub fn blocking_write_and_flush(
    ctx: &mut WasiCtx,
    (this, bytes): (Resource<OutputStream>, Vec<u8>),
) -> Told<()> {
    on_output(ctx, this, |stream, interrupt| {
        check_blocking(bytes.len() as u64)?;
        let wait = Wait { blocking: true, interrupt };
        stream.write(&bytes, wait)?;
        stream.flush(wait)
    })
}

fn blocking_write_zeroes_and_flush(
    ctx: &mut WasiCtx,
    (this, length): (Resource<OutputStream>, u64),
) -> Told<()> {
    on_output(ctx, this, |stream, interrupt| {
        check_blocking(length)?;
        let wait = Wait { blocking: true, interrupt };
        stream.write_zeroes(length, wait)?;
        stream.flush(wait)
    })
}

fn flush(ctx: &mut WasiCtx, (this,): (Resource<OutputStream>,), blocking: bool) -> Told<()> {
    on_output(ctx, this, |stream, interrupt| stream.flush(Wait { blocking, interrupt }))
}

fn splice(
    ctx: &mut WasiCtx,
    (this, from, length): (Resource<OutputStream>, Resource<InputStream>, u64),
    blocking: bool,
) -> Told<u64> {
    if blocking && length > 0 {
        let waited = on_output(ctx, this, |stream, interrupt| {
            stream.flush(Wait { blocking, interrupt })?;
            Ok(stream.writer.awaits().wait(interrupt)?)
        })?;
        if let Err(error) = waited {
            return Ok(Err(error));
        }
    }
    let permit = match check_write(ctx, (this,))? {
        Ok(permit) => permit,
        Err(error) => return Ok(Err(error)),
    };
    let bytes = match read(ctx, (from, length.min(permit)), blocking)? {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let moved = bytes.len() as u64;
    Ok(write(ctx, (this, bytes))?.map(|()| moved))
}

#[cfg(test)]
mod tests;
