//! Files and directories below granted ones, without a guest.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::symlink;

use super::at::{link_at, metadata_hash_at, open_at, rename_at, stat_at};
use super::entries::{read_directory, read_directory_entry};
use super::file::{append_via_stream, read, read_via_stream, write, write_via_stream};
use super::types::{DirectoryEntry, OpenFlags, PathFlags};
use super::*;
use crate::WasiCtxBuilder;
use crate::host::Access;
use crate::p2::clocks::Datetime;
use crate::p2::streams;
use crate::p2::testing::{Scratch, charged};

type This = Resource<Descriptor>;

const NOTHING: DescriptorFlags = DescriptorFlags::empty();
const AS_IT_IS: OpenFlags = OpenFlags::empty();

/// Directories `rw` and `ro`, granted so, each with a file `f` and a link `l` out of it.
fn tree() -> (Scratch, WasiCtxBuilder) {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("secret"), "secret").unwrap();
    for name in ["rw", "ro"] {
        let dir = scratch.0.join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("f"), "contents").unwrap();
        fs::create_dir(dir.join("d")).unwrap();
        symlink("../secret", dir.join("l")).unwrap();
        symlink("/etc/passwd", dir.join("abs")).unwrap();
    }
    let builder = WasiCtx::builder().dir(scratch.0.join("rw"), "/rw", Access::ReadWrite).dir(
        scratch.0.join("ro"),
        "/ro",
        Access::ReadOnly,
    );
    (scratch, builder)
}

fn world() -> (Scratch, WasiCtx, This, This) {
    let (scratch, builder) = tree();
    let mut ctx = charged(builder, 16 << 20);
    let dirs = get_directories(&mut ctx, ()).unwrap();
    let [(rw, first), (ro, second)] = &dirs[..] else { panic!("{dirs:?}") };
    assert_eq!((&**first, &**second), ("/rw", "/ro"));
    (scratch, ctx, *rw, *ro)
}

fn open(
    ctx: &mut WasiCtx,
    dir: This,
    path: &str,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> result::Result<This, ErrorCode> {
    open_at(ctx, (dir, PathFlags::SYMLINK_FOLLOW, path.to_owned(), how, flags)).unwrap()
}

#[test]
fn a_file_is_read_and_written() {
    let (scratch, mut ctx, rw, _) = world();
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let file = open(&mut ctx, rw, "f", AS_IT_IS, flags).unwrap();
    let found = read(&mut ctx, (file, u64::MAX, 3)).unwrap();
    assert_eq!(found, Ok((b"tents".to_vec(), false)));
    assert_eq!(read(&mut ctx, (file, 1, 8)).unwrap(), Ok((Vec::new(), true)));
    assert_eq!(read(&mut ctx, (file, 0, 0)).unwrap(), Ok((Vec::new(), false)));
    assert_eq!(read(&mut ctx, (file, 1, u64::MAX)).unwrap(), Err(ErrorCode::Invalid));
    assert_eq!(write(&mut ctx, (file, b"C".to_vec(), 0)).unwrap(), Ok(1));
    let too_far = write(&mut ctx, (file, b"C".to_vec(), 1 << 63)).unwrap();
    assert_eq!(too_far, Err(ErrorCode::FileTooLarge));
    assert_eq!(fs::read(scratch.0.join("rw/f")).unwrap(), b"Contents");
    assert_eq!(get_type(&mut ctx, (file,)).unwrap(), Ok(DescriptorType::RegularFile));
    assert_eq!(on(&ctx, (file,), |this| Ok(this.flags())).unwrap(), Ok(flags));
    assert_eq!(stat(&mut ctx, (file,)).unwrap().unwrap().size, 8);
}

#[test]
fn streams_of_a_file_do_not_disturb_each_other() {
    let (scratch, mut ctx, rw, _) = world();
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let file = open(&mut ctx, rw, "f", AS_IT_IS, flags).unwrap();
    let one = read_via_stream(&mut ctx, (file, 0)).unwrap().unwrap();
    let two = read_via_stream(&mut ctx, (file, 4)).unwrap().unwrap();
    let end = append_via_stream(&mut ctx, (file,)).unwrap().unwrap();
    let start = write_via_stream(&mut ctx, (file, 1)).unwrap().unwrap();
    // They keep the file open.
    ctx.p2.table.remove(file).unwrap();
    for (stream, bytes) in [(end, "!"), (start, "ON"), (end, "?"), (start, "T")] {
        let written =
            streams::blocking_write_and_flush(&mut ctx, (stream, bytes.as_bytes().to_vec()));
        written.unwrap().unwrap();
    }
    assert_eq!(fs::read(scratch.0.join("rw/f")).unwrap(), b"cONTents!?");
    let mut next = |stream, length| streams::read(&mut ctx, (stream, length), true).unwrap();
    assert_eq!(next(one, 4).unwrap(), b"cONT");
    assert_eq!(next(two, 100).unwrap(), b"ents!?");
    assert_eq!(next(one, 100).unwrap(), b"ents!?");
    assert!(next(one, 100).is_err());
}

#[test]
fn nothing_changes_below_what_is_granted_for_reading() {
    let (scratch, mut ctx, rw, ro) = world();
    let read_only = Some(ErrorCode::ReadOnly);
    for (how, flags) in [
        (OpenFlags::CREATE, NOTHING),
        (OpenFlags::TRUNCATE, DescriptorFlags::READ),
        (AS_IT_IS, DescriptorFlags::WRITE),
        (AS_IT_IS, DescriptorFlags::MUTATE_DIRECTORY),
        (OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE),
    ] {
        assert_eq!(open(&mut ctx, ro, "f", how, flags).err(), read_only, "{how:?} {flags:?}");
        assert_eq!(open(&mut ctx, ro, "new", how, flags).err(), read_only, "{how:?} {flags:?}");
    }
    let now = NewTimestamp::Now;
    let file = open(&mut ctx, ro, "f", AS_IT_IS, DescriptorFlags::READ).unwrap();
    let inner = open(&mut ctx, ro, "d", OpenFlags::DIRECTORY, DescriptorFlags::READ).unwrap();
    assert_eq!(set_times(&mut ctx, (file, now, now)).unwrap().err(), read_only);
    assert_eq!(set_times(&mut ctx, (inner, now, now)).unwrap().err(), read_only);
    assert_eq!(write(&mut ctx, (file, vec![1], 0)).unwrap(), Err(ErrorCode::BadDescriptor));
    assert!(append_via_stream(&mut ctx, (file,)).unwrap().is_err());
    assert_eq!(open(&mut ctx, inner, "x", OpenFlags::CREATE, NOTHING).err(), read_only);
    for (from, to) in [(ro, rw), (rw, ro)] {
        let link = (from, PathFlags::empty(), "f".into(), to, "g".into());
        assert_eq!(link_at(&mut ctx, link).unwrap().err(), read_only);
        let rename = (from, "f".into(), to, "g".into());
        assert_eq!(rename_at(&mut ctx, rename).unwrap().err(), read_only);
    }
    let flags = on(&ctx, (ro,), |this| Ok(this.flags())).unwrap().unwrap();
    assert!(!flags.contains(DescriptorFlags::MUTATE_DIRECTORY));
    assert_eq!(fs::read(scratch.0.join("ro/f")).unwrap(), b"contents");
    assert!(!ctx.denials().list().is_empty());
}

#[test]
fn nothing_is_reached_outside() {
    let (_scratch, mut ctx, rw, _) = world();
    for path in ["l", "abs", "../secret", "/etc/passwd", "d/../../secret", "d/../l", "l/", ".."] {
        let opened = open(&mut ctx, rw, path, AS_IT_IS, DescriptorFlags::READ);
        assert_eq!(opened.err(), Some(ErrorCode::NotPermitted), "{path}");
        let path = path.to_owned();
        let stat = stat_at(&mut ctx, (rw, PathFlags::SYMLINK_FOLLOW, path)).unwrap();
        assert_eq!(stat.err(), Some(ErrorCode::NotPermitted));
    }
    let link = |ctx: &WasiCtx, path| {
        told::<_, ErrorCode>(at::read_link(ctx.p2.table.get(rw).unwrap().dir().unwrap(), path))
    };
    assert_eq!(link(&ctx, "abs").unwrap(), Err(ErrorCode::NotPermitted));
    assert_eq!(link(&ctx, "l").unwrap(), Ok("../secret".to_owned()));
}

#[test]
fn entries_are_listed_once_each() {
    let (scratch, mut ctx, rw, _) = world();
    for i in 0..1000 {
        fs::write(scratch.0.join(format!("rw/file-with-a-long-name-{i}")), "").unwrap();
    }
    let names = |ctx: &mut WasiCtx, stream| {
        let mut found = Vec::new();
        while let Some(DirectoryEntry { name, .. }) =
            read_directory_entry(ctx, (stream,)).unwrap().unwrap()
        {
            found.push(name);
        }
        found.sort();
        found
    };
    let one = read_directory(&mut ctx, (rw,)).unwrap().unwrap();
    let two = read_directory(&mut ctx, (rw,)).unwrap().unwrap();
    let first = read_directory_entry(&mut ctx, (one,)).unwrap().unwrap().unwrap();
    let all = names(&mut ctx, two);
    let mut rest = names(&mut ctx, one);
    rest.push(first.name);
    rest.sort();
    assert_eq!(all.len(), 1004);
    assert_eq!(rest, all);
    assert!(!all.contains(&".".to_owned()) && !all.contains(&"..".to_owned()));
}

#[test]
fn hashes_tell_files_apart_and_nothing_else() {
    let (scratch, mut ctx, rw, ro) = world();
    fs::hard_link(scratch.0.join("rw/f"), scratch.0.join("rw/again")).unwrap();
    let hash = |ctx: &mut WasiCtx, dir, path: &str| {
        metadata_hash_at(ctx, (dir, PathFlags::empty(), path.to_owned())).unwrap().unwrap()
    };
    let one = hash(&mut ctx, rw, "f");
    assert_eq!(one, hash(&mut ctx, rw, "again"));
    assert_ne!(one, hash(&mut ctx, ro, "f"));
    assert_ne!(one.lower, one.upper);
    let file = open(&mut ctx, rw, "f", AS_IT_IS, DescriptorFlags::READ).unwrap();
    assert_eq!(metadata_hash(&mut ctx, (file,)).unwrap(), Ok(one));
    let again = open(&mut ctx, rw, "again", AS_IT_IS, DescriptorFlags::READ).unwrap();
    assert!(is_same_object(&mut ctx, (file, again)).unwrap());
    assert!(!is_same_object(&mut ctx, (file, rw)).unwrap());

    let builder = WasiCtx::builder().dir(scratch.0.join("rw"), "/", Access::ReadOnly);
    let mut other = charged(builder, 1 << 20);
    let dir = get_directories(&mut other, ()).unwrap()[0].0;
    assert_ne!(one, hash(&mut other, dir, "f"), "another guest's");
}

#[test]
fn times_are_checked() {
    let (_scratch, mut ctx, rw, _) = world();
    let at = |seconds, nanoseconds| NewTimestamp::Timestamp(Datetime { seconds, nanoseconds });
    let keep = NewTimestamp::NoChange;
    for wrong in [at(0, 1_000_000_000), at(u64::MAX, 0), at(1 << 40, u32::MAX)] {
        assert_eq!(set_times(&mut ctx, (rw, wrong, keep)).unwrap(), Err(ErrorCode::Invalid));
    }
    set_times(&mut ctx, (rw, keep, at(7, 8))).unwrap().unwrap();
    let stat = stat(&mut ctx, (rw,)).unwrap().unwrap();
    let modified = stat.data_modification_timestamp.unwrap();
    assert_eq!((modified.seconds, modified.nanoseconds), (7, 8));
}

#[test]
fn open_files_are_counted_as_long_as_they_are_open() {
    let (_scratch, builder) = tree();
    let mut ctx = charged(builder.descriptors_max(8), 16 << 20);
    let rw = get_directories(&mut ctx, ()).unwrap()[0].0;
    let mut streams = Vec::new();
    let full = loop {
        match open(&mut ctx, rw, "f", AS_IT_IS, DescriptorFlags::READ) {
            Ok(file) => {
                streams.push(read_via_stream(&mut ctx, (file, 0)).unwrap().unwrap());
                ctx.p2.table.remove(file).unwrap();
            }
            Err(code) => break code,
        }
    };
    assert_eq!((full, streams.len()), (ErrorCode::InsufficientMemory, 8));
    ctx.p2.table.remove(streams[0]).unwrap();
    open(&mut ctx, rw, "f", AS_IT_IS, DescriptorFlags::READ).unwrap();
}

#[test]
fn what_is_no_directory_is_told_so() {
    let (_scratch, mut ctx, rw, _) = world();
    let file = open(&mut ctx, rw, "f", AS_IT_IS, DescriptorFlags::READ).unwrap();
    let inside = open(&mut ctx, file, "x", AS_IT_IS, DescriptorFlags::READ);
    assert_eq!(inside.err(), Some(ErrorCode::NotDirectory));
    let listed = read_directory(&mut ctx, (file,)).unwrap();
    assert_eq!(listed.err(), Some(ErrorCode::NotDirectory));
    assert_eq!(read(&mut ctx, (rw, 1, 0)).unwrap(), Err(ErrorCode::IsDirectory));
    let link = (rw, PathFlags::SYMLINK_FOLLOW, "f".into(), rw, "g".into());
    assert_eq!(link_at(&mut ctx, link).unwrap(), Err(ErrorCode::Invalid));
    // Every number of a rejected path is a code, never a panic.
    for path in ["", "\0", &"x".repeat(256), &"x/".repeat(3000), "f/", "f/x", "no", "no/"] {
        assert!(open(&mut ctx, rw, path, AS_IT_IS, DescriptorFlags::READ).is_err(), "{path}");
    }
}
