//! Listing a directory in bounded memory, from any entry on.

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom};
use rustix::io::Errno;

use super::Error;
use super::fs::{FileId, FileKind};
use super::interrupt::Interrupt;

/// Bounds of the kernel's buffer: one entry of the longest name must fit.
const BUFFER: std::ops::RangeInclusive<usize> = 1024..=32 * 1024;

/// One entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// Where the listing goes on after this entry.
    pub next: u64,
    /// The number of the file on its device.
    pub inode: u64,
    /// What sort of file it is.
    pub kind: FileKind,
    /// Its name, which need not be UTF-8.
    pub name: &'a [u8],
}

/// Lists a directory from a cookie on until `each` has had enough, which it says by `false`.
///
/// A cookie is the kernel's own position, so it stays good while the directory changes. One
/// that no entry ever had gives what the file system makes of it, usually nothing. `wanted` is
/// about how many bytes of names the caller can take. The root's `..` is the root itself.
pub(crate) fn list(
    dir: BorrowedFd<'_>,
    cookie: u64,
    wanted: usize,
    root: FileId,
    interrupt: &Interrupt,
    mut each: impl FnMut(DirEntry<'_>) -> bool,
) -> Result<(), Error> {
    if i64::try_from(cookie).is_err() {
        return Ok(());
    }
    match rustix::fs::seek(dir, SeekFrom::Start(cookie)) {
        Ok(_) => {}
        Err(Errno::INVAL) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let is_root = FileId::of(dir)? == root;
    let size = wanted.clamp(*BUFFER.start(), *BUFFER.end());
    let mut buffer: Vec<MaybeUninit<u8>> = Vec::new();
    buffer.try_reserve_exact(size).map_err(|_| Error::NoMemory)?;
    buffer.resize(size, MaybeUninit::uninit());
    let mut entries = RawDir::new(dir, &mut buffer);
    loop {
        if entries.is_buffer_empty() {
            interrupt.check()?;
        }
        let entry = match entries.next() {
            None => return Ok(()),
            Some(Err(Errno::INTR)) => continue,
            // The directory was removed while it was open: it has no entries any more.
            Some(Err(Errno::NOENT)) => return Ok(()),
            Some(entry) => entry?,
        };
        let name = entry.file_name();
        let inode = if is_root && name.to_bytes() == b".." { root.inode() } else { entry.ino() };
        let kind = match entry.file_type() {
            FileType::Unknown => rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            kind => kind,
        };
        let more = each(DirEntry {
            next: entry.next_entry_cookie(),
            inode,
            kind: kind.into(),
            name: name.to_bytes(),
        });
        if !more {
            return Ok(());
        }
    }
}
