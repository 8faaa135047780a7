//! `directory-entry-stream`: what is in a directory, one after the other.

use std::collections::VecDeque;
use std::result;
use std::sync::Arc;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::types::DirectoryEntry;
use super::{Descriptor, Told, on, told};
use crate::WasiCtx;
use crate::host::{Dir, Error, FileKind, Interrupt};
use crate::p2::state::Place;
use crate::p2::{Get, Interface};

/// About how many bytes of names are read at once.
const BATCH: usize = 4096;

/// A `directory-entry-stream`.
#[derive(Debug)]
pub(super) struct DirectoryEntries {
    dir: Arc<Dir>,
    /// Where reading goes on.
    cookie: u64,
    read: VecDeque<(FileKind, Box<[u8]>)>,
    _place: Option<Arc<Place>>,
}

pub(super) fn add<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .func("[method]descriptor.read-directory", read_directory)?
        .func("[method]directory-entry-stream.read-directory-entry", read_directory_entry)?;
    Ok(())
}

pub(super) fn read_directory_entry(
    ctx: &mut WasiCtx,
    (this,): (Resource<DirectoryEntries>,),
) -> Told<Option<DirectoryEntry>> {
    told(ctx.p2.table.get_mut(this)?.next(&ctx.interrupt))
}

pub(super) fn read_directory(
    ctx: &mut WasiCtx,
    this: (Resource<Descriptor>,),
) -> Told<Resource<DirectoryEntries>> {
    let opened = on(ctx, this, |this| match this {
        Descriptor::Dir { dir, place } => Ok((Arc::clone(dir), place.clone())),
        Descriptor::File { .. } => Err(Error::NotDirectory),
    })?;
    let (dir, place) = match opened {
        Ok(opened) => opened,
        Err(code) => return Ok(Err(code)),
    };
    let entries = DirectoryEntries { dir, cookie: 0, read: VecDeque::new(), _place: place };
    // Each name takes some room of its own beside its bytes.
    ctx.p2.table.push(entries, 4 * BATCH as u64).map(Ok)
}

impl DirectoryEntries {
    fn next(&mut self, interrupt: &Interrupt) -> result::Result<Option<DirectoryEntry>, Error> {
        if self.read.is_empty() {
            self.fill(interrupt)?;
        }
        let Some((kind, name)) = self.read.pop_front() else { return Ok(None) };
        let name = String::from_utf8(name.into()).map_err(|_| Error::IllegalSequence)?;
        Ok(Some(DirectoryEntry { r#type: kind.into(), name }))
    }

    fn fill(&mut self, interrupt: &Interrupt) -> result::Result<(), Error> {
        let mut bytes = 0usize;
        let (read, cookie) = (&mut self.read, &mut self.cookie);
        self.dir.list(*cookie, BATCH, interrupt, |entry| {
            *cookie = entry.next;
            if entry.name != b"." && entry.name != b".." {
                bytes = bytes.saturating_add(entry.name.len()).saturating_add(32);
                read.push_back((entry.kind, entry.name.into()));
            }
            bytes < BATCH
        })
    }
}
