//! `descriptor`: what can be done with a path below an open directory.

use std::result;
use std::sync::Arc;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::types::{
    DescriptorFlags, DescriptorStat, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use super::{Descriptor, Told, hash, on, told};
use crate::WasiCtx;
use crate::host::{Dir, Error, OpenOptions, Opened};
use crate::p2::{Get, Interface};

type This = Resource<Descriptor>;

pub(super) fn add<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .func("[method]descriptor.open-at", open_at)?
        .func("[method]descriptor.create-directory-at", |ctx, (this, path): (This, String)| {
            on(ctx, (this,), |this| this.dir()?.create_dir(&path))
        })?
        .func("[method]descriptor.stat-at", stat_at)?
        .func("[method]descriptor.set-times-at", set_times_at)?
        .func("[method]descriptor.link-at", link_at)?
        .func("[method]descriptor.readlink-at", |ctx, (this, path): (This, String)| {
            on(ctx, (this,), |this| read_link(this.dir()?, &path))
        })?
        .func("[method]descriptor.remove-directory-at", |ctx, (this, path): (This, String)| {
            on(ctx, (this,), |this| this.dir()?.remove_dir(&path))
        })?
        .func("[method]descriptor.rename-at", rename_at)?
        .func("[method]descriptor.symlink-at", |ctx, (this, to, path): (This, String, String)| {
            on(ctx, (this,), |this| this.dir()?.symlink(&to, &path))
        })?
        .func("[method]descriptor.unlink-file-at", |ctx, (this, path): (This, String)| {
            on(ctx, (this,), |this| this.dir()?.unlink(&path))
        })?
        .func("[method]descriptor.metadata-hash-at", metadata_hash_at)?;
    Ok(())
}

fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

pub(super) fn open_at(
    ctx: &mut WasiCtx,
    (this, path_flags, path, open_flags, flags): (
        This,
        PathFlags,
        String,
        OpenFlags,
        DescriptorFlags,
    ),
) -> Told<This> {
    let syncs = |which| flags.contains(which);
    let options = OpenOptions {
        follow: follows(path_flags),
        read: flags.contains(DescriptorFlags::READ),
        write: flags.contains(DescriptorFlags::WRITE),
        append: false,
        create: open_flags.contains(OpenFlags::CREATE),
        exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
        truncate: open_flags.contains(OpenFlags::TRUNCATE),
        directory: open_flags.contains(OpenFlags::DIRECTORY),
        data_sync: syncs(DescriptorFlags::DATA_INTEGRITY_SYNC),
        sync: syncs(DescriptorFlags::FILE_INTEGRITY_SYNC)
            || syncs(DescriptorFlags::REQUESTED_WRITE_SYNC),
    };
    let files = &ctx.p2.files;
    let opened = on(ctx, (this,), |this| {
        let dir = this.dir()?;
        if flags.contains(DescriptorFlags::MUTATE_DIRECTORY) {
            dir.check_writable(&path)?;
        }
        let place = files.take()?;
        Ok((dir.open(&path, &options)?, place))
    })?;
    let descriptor = match opened {
        Ok((Opened::Dir(dir), place)) => {
            Descriptor::Dir { dir: Arc::new(dir), place: Some(Arc::new(place)) }
        }
        Ok((Opened::File(file), place)) => {
            let mut kept = DescriptorFlags::empty();
            for flag in [
                DescriptorFlags::DATA_INTEGRITY_SYNC,
                DescriptorFlags::FILE_INTEGRITY_SYNC,
                DescriptorFlags::REQUESTED_WRITE_SYNC,
            ] {
                if syncs(flag) {
                    kept |= flag;
                }
            }
            Descriptor::File { file: Arc::new(file), syncs: kept, place: Arc::new(place) }
        }
        Err(code) => return Ok(Err(code)),
    };
    ctx.p2.table.push(descriptor, 0).map(Ok)
}

pub(super) fn stat_at(
    ctx: &mut WasiCtx,
    (this, flags, path): (This, PathFlags, String),
) -> Told<DescriptorStat> {
    on(ctx, (this,), |this| Ok(this.dir()?.metadata_at(&path, follows(flags))?.into()))
}

fn set_times_at(
    ctx: &mut WasiCtx,
    (this, flags, path, accessed, modified): (This, PathFlags, String, NewTimestamp, NewTimestamp),
) -> Told<()> {
    on(ctx, (this,), |this| {
        let (accessed, modified) = (accessed.to_host()?, modified.to_host()?);
        this.dir()?.set_times_at(&path, follows(flags), accessed, modified)
    })
}

pub(super) fn link_at(
    ctx: &mut WasiCtx,
    (this, flags, path, to, new_path): (This, PathFlags, String, This, String),
) -> Told<()> {
    between(ctx, this, to, |from, to| {
        // A link that is followed can be changed between the check and the use.
        if follows(flags) {
            return Err(Error::Invalid);
        }
        from.link(&path, to, &new_path)
    })
}

pub(super) fn rename_at(
    ctx: &mut WasiCtx,
    (this, path, to, new_path): (This, String, This, String),
) -> Told<()> {
    between(ctx, this, to, |from, to| from.rename(&path, to, &new_path))
}

/// Does something with two directories.
fn between(
    ctx: &WasiCtx,
    from: This,
    to: This,
    act: impl FnOnce(&Dir, &Dir) -> result::Result<(), Error>,
) -> Told<()> {
    let (from, to) = (ctx.p2.table.get(from)?, ctx.p2.table.get(to)?);
    told(from.dir().and_then(|from| act(from, to.dir()?)))
}

pub(super) fn read_link(dir: &Dir, path: &str) -> result::Result<String, Error> {
    let target = String::from_utf8(dir.read_link(path)?).map_err(|_| Error::IllegalSequence)?;
    if target.starts_with('/') { Err(Error::NotPermitted) } else { Ok(target) }
}

pub(super) fn metadata_hash_at(
    ctx: &mut WasiCtx,
    (this, flags, path): (This, PathFlags, String),
) -> Told<MetadataHashValue> {
    let dir = ctx.p2.table.get(this)?.dir();
    let metadata = dir.and_then(|dir| dir.metadata_at(&path, follows(flags)));
    told(metadata.and_then(|metadata| hash(ctx, &metadata)))
}
