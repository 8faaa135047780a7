//! `descriptor`: what can be done with an open file.

use std::io::IoSlice;
use std::result;
use std::sync::Arc;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::types::Advice;
use super::{Descriptor, Told, on, told};
use crate::WasiCtx;
use crate::host::{Error, File, Reader, Writer};
use crate::p2::state::Place;
use crate::p2::{Get, InputStream, Interface, OutputStream};

/// The most that one call reads.
const READ_MAX: u64 = 1 << 20;

/// What one call reads without looking at the size of the file.
const READ: u64 = 64 << 10;

pub(super) fn add<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .func("[method]descriptor.read-via-stream", read_via_stream)?
        .func("[method]descriptor.write-via-stream", write_via_stream)?
        .func("[method]descriptor.append-via-stream", append_via_stream)?
        .func("[method]descriptor.read", read)?
        .func("[method]descriptor.write", write)?
        .func("[method]descriptor.advise", advise)?
        .func("[method]descriptor.set-size", set_size)?;
    Ok(())
}

/// A file that is open for writing, or for reading.
fn opened(this: &Descriptor, to_write: bool) -> result::Result<&Arc<File>, Error> {
    let file = this.file()?;
    let (read, write) = file.access();
    if if to_write { write } else { read } { Ok(file) } else { Err(Error::BadDescriptor) }
}

/// The same with its place.
fn kept(this: &Descriptor, to_write: bool) -> result::Result<(Arc<File>, Arc<Place>), Error> {
    let file = Arc::clone(opened(this, to_write)?);
    match this {
        Descriptor::File { place, .. } => Ok((file, Arc::clone(place))),
        Descriptor::Dir { .. } => Err(Error::IsDirectory),
    }
}

pub(super) fn read_via_stream(
    ctx: &mut WasiCtx,
    (this, at): (Resource<Descriptor>, u64),
) -> Told<Resource<InputStream>> {
    match on(ctx, (this,), |this| kept(this, false))? {
        Ok((file, place)) => {
            let stream = InputStream::of_file(Reader::File { file, at }, place);
            ctx.p2.table.push(stream, 0).map(Ok)
        }
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn write_via_stream(
    ctx: &mut WasiCtx,
    (this, at): (Resource<Descriptor>, u64),
) -> Told<Resource<OutputStream>> {
    write_stream(ctx, this, |file| Writer::File { file, at })
}

pub(super) fn append_via_stream(
    ctx: &mut WasiCtx,
    (this,): (Resource<Descriptor>,),
) -> Told<Resource<OutputStream>> {
    write_stream(ctx, this, Writer::Append)
}

fn write_stream(
    ctx: &mut WasiCtx,
    this: Resource<Descriptor>,
    writer: impl FnOnce(Arc<File>) -> Writer,
) -> Told<Resource<OutputStream>> {
    match on(ctx, (this,), |this| kept(this, true))? {
        Ok((file, place)) => {
            ctx.p2.table.push(OutputStream::of_file(writer(file), place), 0).map(Ok)
        }
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn read(
    ctx: &mut WasiCtx,
    (this, length, offset): (Resource<Descriptor>, u64, u64),
) -> Told<(Vec<u8>, bool)> {
    let length = match on(ctx, (this,), |this| {
        let file = opened(this, false)?;
        if length <= READ {
            return Ok(length);
        }
        let remaining = file.metadata()?.size.saturating_sub(offset);
        Ok(length.min(remaining.clamp(1, READ_MAX)))
    })? {
        Ok(length) => length,
        Err(code) => return Ok(Err(code)),
    };
    ctx.p2.table.afford(length)?;
    on(ctx, (this,), |this| {
        // No more than `READ_MAX`.
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(0)];
        let got = this.file()?.read_at(&mut buffer, offset, &ctx.interrupt)?;
        buffer.truncate(got);
        Ok((buffer, got == 0 && length > 0))
    })
}

pub(super) fn write(
    ctx: &mut WasiCtx,
    (this, bytes, offset): (Resource<Descriptor>, Vec<u8>, u64),
) -> Told<u64> {
    on(ctx, (this,), |this| {
        let done = opened(this, true)?.write_at(&[IoSlice::new(&bytes)], offset)?;
        Ok(done as u64)
    })
}

fn advise(
    ctx: &mut WasiCtx,
    (this, offset, length, advice): (Resource<Descriptor>, u64, u64, Advice),
) -> Told<()> {
    on(ctx, (this,), |this| match this {
        Descriptor::File { file, .. } => file.advise(offset, length, advice.into()),
        Descriptor::Dir { .. } => Err(Error::BadDescriptor),
    })
}

fn set_size(ctx: &mut WasiCtx, (this, size): (Resource<Descriptor>, u64)) -> Told<()> {
    told(ctx.p2.table.get(this)?.file().and_then(|file| file.set_size(size)))
}
