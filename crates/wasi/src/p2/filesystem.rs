//! `wasi:filesystem`: files and directories below those that are granted.

mod at;
mod entries;
mod file;
mod types;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::result;
use std::sync::Arc;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::error::{IoError, Origin, told};
use super::state::Place;
use super::{Get, Wasi};
use crate::WasiCtx;
use crate::host::{Dir, Error, File, FileKind, Metadata, SetTime};
use entries::DirectoryEntries;
use types::{
    DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp,
};

/// What a call gives: a value, an error code, or the guest's end.
type Told<V> = Result<result::Result<V, ErrorCode>>;

/// A `descriptor`: an open file or directory.
#[derive(Debug)]
pub(super) enum Descriptor {
    /// A regular file.
    File {
        file: Arc<File>,
        /// How its writes reach the disk.
        syncs: DescriptorFlags,
        place: Arc<Place>,
    },
    /// A directory.
    Dir {
        dir: Arc<Dir>,
        /// None for one that was granted.
        place: Option<Arc<Place>>,
    },
}

impl Descriptor {
    /// The file.
    fn file(&self) -> result::Result<&Arc<File>, Error> {
        match self {
            Descriptor::File { file, .. } => Ok(file),
            Descriptor::Dir { .. } => Err(Error::IsDirectory),
        }
    }

    /// The directory.
    fn dir(&self) -> result::Result<&Dir, Error> {
        match self {
            Descriptor::Dir { dir, .. } => Ok(dir),
            Descriptor::File { .. } => Err(Error::NotDirectory),
        }
    }

    fn metadata(&self) -> result::Result<Metadata, Error> {
        match self {
            Descriptor::File { file, .. } => file.metadata(),
            Descriptor::Dir { dir, .. } => dir.metadata(),
        }
    }

    fn flags(&self) -> DescriptorFlags {
        match self {
            Descriptor::File { file, syncs, .. } => {
                let mut flags = *syncs;
                let (read, write) = file.access();
                if read {
                    flags |= DescriptorFlags::READ;
                }
                if write {
                    flags |= DescriptorFlags::WRITE;
                }
                flags
            }
            Descriptor::Dir { dir, .. } if dir.is_writable() => {
                DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY
            }
            Descriptor::Dir { .. } => DescriptorFlags::READ,
        }
    }
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    let mut types = wasi.interface("filesystem", "types")?;
    types
        .resource::<Descriptor>("descriptor")?
        .resource::<DirectoryEntries>("directory-entry-stream")?
        .func("[method]descriptor.get-flags", |ctx, p| on(ctx, p, |this| Ok(this.flags())))?
        .func("[method]descriptor.get-type", get_type)?
        .func("[method]descriptor.stat", stat)?
        .func("[method]descriptor.set-times", set_times)?
        .func("[method]descriptor.sync", |ctx, p| on(ctx, p, |this| sync(this, true)))?
        .func("[method]descriptor.sync-data", |ctx, p| on(ctx, p, |this| sync(this, false)))?
        .func("[method]descriptor.is-same-object", is_same_object)?
        .func("[method]descriptor.metadata-hash", metadata_hash)?
        .func("filesystem-error-code", error_code)?;
    file::add(&mut types)?;
    at::add(&mut types)?;
    entries::add(&mut types)?;
    wasi.interface("filesystem", "preopens")?.func("get-directories", get_directories)?;
    Ok(())
}

/// Does something with a descriptor.
fn on<V>(
    ctx: &WasiCtx,
    (this,): (Resource<Descriptor>,),
    act: impl FnOnce(&Descriptor) -> result::Result<V, Error>,
) -> Told<V> {
    told(act(ctx.p2.table.get(this)?))
}

fn get_directories(ctx: &mut WasiCtx, (): ()) -> Result<Vec<(Resource<Descriptor>, String)>> {
    if ctx.realm.dirs.is_empty() {
        ctx.realm.witness.denials.record_search();
    }
    let mut found = Vec::with_capacity(ctx.realm.dirs.len());
    for preopen in &ctx.realm.dirs {
        let descriptor = Descriptor::Dir { dir: Arc::clone(&preopen.dir), place: None };
        found.push((ctx.p2.table.push(descriptor, 0)?, preopen.name.clone()));
    }
    Ok(found)
}

fn get_type(ctx: &mut WasiCtx, this: (Resource<Descriptor>,)) -> Told<DescriptorType> {
    on(ctx, this, |this| {
        Ok(match this {
            Descriptor::File { .. } => FileKind::Regular.into(),
            Descriptor::Dir { .. } => FileKind::Directory.into(),
        })
    })
}

fn stat(ctx: &mut WasiCtx, this: (Resource<Descriptor>,)) -> Told<DescriptorStat> {
    on(ctx, this, |this| Ok(this.metadata()?.into()))
}

fn set_times(
    ctx: &mut WasiCtx,
    (this, accessed, modified): (Resource<Descriptor>, NewTimestamp, NewTimestamp),
) -> Told<()> {
    on(ctx, (this,), |this| {
        let (accessed, modified): (SetTime, SetTime) = (accessed.to_host()?, modified.to_host()?);
        match this {
            Descriptor::File { file, .. } => file.set_times(accessed, modified),
            Descriptor::Dir { dir, .. } => dir.set_times(accessed, modified),
        }
    })
}

fn sync(this: &Descriptor, metadata: bool) -> result::Result<(), Error> {
    match this {
        Descriptor::File { file, .. } if !file.access().1 => Ok(()),
        Descriptor::File { file, .. } => file.sync(metadata),
        Descriptor::Dir { dir, .. } => dir.sync(metadata),
    }
}

fn is_same_object(
    ctx: &mut WasiCtx,
    (this, other): (Resource<Descriptor>, Resource<Descriptor>),
) -> Result<bool> {
    let table = &ctx.p2.table;
    let (this, other) = (table.get(this)?.metadata(), table.get(other)?.metadata());
    Ok(matches!((this, other), (Ok(a), Ok(b)) if (a.device, a.inode) == (b.device, b.inode)))
}

fn metadata_hash(ctx: &mut WasiCtx, (this,): (Resource<Descriptor>,)) -> Told<MetadataHashValue> {
    let metadata = ctx.p2.table.get(this)?.metadata();
    told(metadata.and_then(|metadata| hash(ctx, &metadata)))
}

/// Tells files apart, and guests nothing of the numbers that the host tells them apart by: each guest has
/// a key of its own.
fn hash(ctx: &mut WasiCtx, metadata: &Metadata) -> result::Result<MetadataHashValue, Error> {
    let key = match ctx.p2.key {
        Some(key) => key,
        None => {
            let mut key = [0; 16];
            ctx.random.fill(&mut key, &ctx.interrupt)?;
            *ctx.p2.key.insert(key)
        }
    };
    let half = |which: u8| {
        let mut hasher = DefaultHasher::new();
        (key, which, metadata.device, metadata.inode).hash(&mut hasher);
        hasher.finish()
    };
    Ok(MetadataHashValue { lower: half(0), upper: half(1) })
}

fn error_code(ctx: &mut WasiCtx, (error,): (Resource<IoError>,)) -> Result<Option<ErrorCode>> {
    let error = ctx.p2.table.get(error)?;
    Ok((error.of == Origin::Files).then(|| error.error.into()))
}

#[cfg(test)]
mod tests;
