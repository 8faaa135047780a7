//! Open files, and what is known about any file: its kind, identity, size and times.

use std::io::IoSlice;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{
    Advice, FallocateFlags, FileType, OFlags, SeekFrom, Stat, Timespec, Timestamps, UTIME_NOW,
    UTIME_OMIT,
};
use rustix::io::{Errno, ReadWriteFlags};

use super::dir::Grant;
use super::interrupt::Interrupt;
use super::{Denial, Error};

/// The most that is read or written in one call to the kernel, so that a stop is not missed.
pub(crate) const CHUNK: usize = 4 << 20;

/// What sort of thing a descriptor or a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// None of the others, or not known.
    Unknown,
    /// A block device.
    BlockDevice,
    /// A character device.
    CharacterDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A regular file.
    Regular,
    /// A datagram socket.
    DatagramSocket,
    /// A stream socket.
    StreamSocket,
    /// A symbolic link.
    SymbolicLink,
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> FileKind {
        match kind {
            FileType::RegularFile => FileKind::Regular,
            FileType::Directory => FileKind::Directory,
            FileType::Fifo => FileKind::Fifo,
            FileType::Symlink => FileKind::SymbolicLink,
            FileType::CharacterDevice => FileKind::CharacterDevice,
            FileType::BlockDevice => FileKind::BlockDevice,
            FileType::Socket => FileKind::StreamSocket,
            _ => FileKind::Unknown,
        }
    }
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of(fd: impl AsFd) -> Result<FileId, Error> {
        Ok(FileId::from(&rustix::fs::fstat(fd)?))
    }

    /// The number of the file on its device.
    pub fn inode(&self) -> u64 {
        self.inode
    }
}

impl From<&Stat> for FileId {
    fn from(stat: &Stat) -> FileId {
        FileId { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// What is known about a file. Times are nanoseconds since 1970; earlier ones are shown as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The device the file is on.
    pub device: u64,
    /// The number of the file on its device.
    pub inode: u64,
    /// What sort of file it is.
    pub kind: FileKind,
    /// How many names it has.
    pub links: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last read.
    pub accessed: u64,
    /// When its contents last changed.
    pub modified: u64,
    /// When anything about it last changed.
    pub changed: u64,
}

impl Metadata {
    /// What there is to say about something that is no file.
    pub(crate) fn of_kind(kind: FileKind) -> Metadata {
        Metadata {
            device: 0,
            inode: 0,
            kind,
            links: 1,
            size: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        }
    }

    pub(crate) fn of(fd: impl AsFd) -> Result<Metadata, Error> {
        Ok(Metadata::from(&rustix::fs::fstat(fd)?))
    }
}

impl From<&Stat> for Metadata {
    #[allow(clippy::useless_conversion, reason = "the field's type differs by processor")]
    fn from(stat: &Stat) -> Metadata {
        Metadata {
            device: stat.st_dev,
            inode: stat.st_ino,
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            links: u64::from(stat.st_nlink),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            accessed: nanoseconds(stat.st_atime, stat.st_atime_nsec),
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// A file's time as the guest sees it: clamped to what an unsigned number of nanoseconds holds.
fn nanoseconds(seconds: impl TryInto<i128>, nanoseconds: impl TryInto<i128>) -> u64 {
    let seconds: i128 = seconds.try_into().unwrap_or(0);
    let nanoseconds: i128 = nanoseconds.try_into().unwrap_or(0);
    let total = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    if total < 0 { 0 } else { u64::try_from(total).unwrap_or(u64::MAX) }
}

/// A new value for one of a file's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// Leave it.
    Keep,
    /// The present.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

impl SetTime {
    fn timespec(self) -> Timespec {
        match self {
            SetTime::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
            SetTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ },
            SetTime::At(time) => Timespec {
                tv_sec: i64::try_from(time / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: (time % 1_000_000_000) as _,
            },
        }
    }
}

pub(crate) fn timestamps(accessed: SetTime, modified: SetTime) -> Timestamps {
    Timestamps { last_access: accessed.timespec(), last_modification: modified.timespec() }
}

/// Repeats a call the kernel broke off for a signal.
pub(crate) fn uninterrupted<T>(call: impl FnMut() -> Result<T, Errno>) -> Result<T, Error> {
    rustix::io::retry_on_intr(call).map_err(Error::from)
}

/// Where a new position is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    /// The start of the file.
    Start,
    /// The present position.
    Current,
    /// The end of the file.
    End,
}

pub(crate) fn seek(fd: impl AsFd, offset: i64, whence: Whence) -> Result<u64, Error> {
    let to = match whence {
        Whence::Start => SeekFrom::Start(u64::try_from(offset).map_err(|_| Error::Invalid)?),
        Whence::Current => SeekFrom::Current(offset),
        Whence::End => SeekFrom::End(offset),
    };
    Ok(rustix::fs::seek(fd, to)?)
}

/// What an access will probably look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing in particular.
    Normal,
    /// From lower to higher offsets.
    Sequential,
    /// In no order.
    Random,
    /// Soon.
    WillNeed,
    /// Not soon.
    DontNeed,
    /// Once.
    NoReuse,
}

/// Fills a buffer by repeated reads, as far as the file reaches and nobody asks to stop.
pub(crate) fn read_chunks(
    buffer: &mut [u8],
    interrupt: &Interrupt,
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize, Errno>,
) -> Result<usize, Error> {
    let mut done = 0usize;
    for chunk in buffer.chunks_mut(CHUNK) {
        let wanted = chunk.len();
        let got = interrupt.check().and_then(|()| {
            let at = done as u64;
            uninterrupted(|| read(&mut *chunk, at))
        });
        match got {
            Ok(got) => done = done.saturating_add(got),
            Err(_) if done > 0 => return Ok(done),
            Err(error) => return Err(error),
        }
        if got != Ok(wanted) {
            break;
        }
    }
    Ok(done)
}

/// An open regular file below a granted directory.
#[derive(Debug)]
pub struct File {
    fd: OwnedFd,
    read: bool,
    write: bool,
    grant: Arc<Grant>,
}

impl File {
    pub(crate) fn new(fd: OwnedFd, read: bool, write: bool, grant: Arc<Grant>) -> File {
        File { fd, read, write, grant }
    }

    fn readable(&self) -> Result<BorrowedFd<'_>, Error> {
        if self.read { Ok(self.fd.as_fd()) } else { Err(Error::BadDescriptor) }
    }

    fn writable(&self) -> Result<BorrowedFd<'_>, Error> {
        if self.write { Ok(self.fd.as_fd()) } else { Err(Error::BadDescriptor) }
    }

    /// Reads at the file's position, which moves on.
    pub fn read(&self, buffer: &mut [u8], interrupt: &Interrupt) -> Result<usize, Error> {
        let fd = self.readable()?;
        read_chunks(buffer, interrupt, |chunk, _| rustix::io::read(fd, chunk))
    }

    /// Reads at an offset.
    pub fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
        interrupt: &Interrupt,
    ) -> Result<usize, Error> {
        let fd = self.readable()?;
        check_offset(offset)?;
        read_chunks(buffer, interrupt, |chunk, done| {
            match offset.checked_add(done).filter(|at| check_offset(*at).is_ok()) {
                Some(at) => rustix::io::pread(fd, chunk, at),
                None => Ok(0),
            }
        })
    }

    /// Writes at the file's position, or at its end when it was opened to append.
    pub fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Error> {
        let fd = self.writable()?;
        uninterrupted(|| rustix::io::writev(fd, buffers))
    }

    /// Writes at an offset. A file opened to append is written at its end all the same.
    pub fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> Result<usize, Error> {
        let fd = self.writable()?;
        if check_offset(offset).is_err() {
            return Err(Error::FileTooLarge);
        }
        uninterrupted(|| rustix::io::pwritev(fd, buffers, offset))
    }

    /// Writes at the end, wherever that is by then.
    pub fn append(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Error> {
        let fd = self.writable()?;
        uninterrupted(|| rustix::io::pwritev2(fd, buffers, 0, ReadWriteFlags::APPEND))
    }

    /// Whether it was opened for reading, and for writing.
    pub fn access(&self) -> (bool, bool) {
        (self.read, self.write)
    }

    /// Moves the file's position.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Error> {
        seek(&self.fd, offset, whence)
    }

    /// What is known about the file.
    pub fn metadata(&self) -> Result<Metadata, Error> {
        Metadata::of(&self.fd)
    }

    /// Cuts the file off, or lengthens it with zeros.
    pub fn set_size(&self, size: u64) -> Result<(), Error> {
        self.changeable()?;
        let fd = self.writable()?;
        if check_offset(size).is_err() {
            return Err(Error::FileTooLarge);
        }
        uninterrupted(|| rustix::fs::ftruncate(fd, size))
    }

    /// Makes sure that a range of the file has room on the disk.
    pub fn allocate(&self, offset: u64, length: u64) -> Result<(), Error> {
        self.changeable()?;
        let fd = self.writable()?;
        if length == 0 {
            return Err(Error::Invalid);
        }
        let end = offset.checked_add(length).ok_or(Error::FileTooLarge)?;
        if check_offset(end).is_err() {
            return Err(Error::FileTooLarge);
        }
        uninterrupted(|| rustix::fs::fallocate(fd, FallocateFlags::empty(), offset, length))
    }

    /// Sets the file's times.
    pub fn set_times(&self, accessed: SetTime, modified: SetTime) -> Result<(), Error> {
        self.changeable()?;
        let times = timestamps(accessed, modified);
        uninterrupted(|| rustix::fs::futimens(&self.fd, &times))
    }

    /// Tells the kernel what to expect.
    pub fn advise(&self, offset: u64, length: u64, what: Expectation) -> Result<(), Error> {
        check_offset(offset)?;
        check_offset(length)?;
        let advice = match what {
            Expectation::Normal => Advice::Normal,
            Expectation::Sequential => Advice::Sequential,
            Expectation::Random => Advice::Random,
            Expectation::WillNeed => Advice::WillNeed,
            Expectation::DontNeed => Advice::DontNeed,
            Expectation::NoReuse => Advice::NoReuse,
        };
        Ok(rustix::fs::fadvise(&self.fd, offset, NonZeroU64::new(length), advice)?)
    }

    /// Whether changes are granted where it is.
    pub fn is_writable(&self) -> bool {
        self.grant.is_writable()
    }

    /// Brings contents, and with `metadata` everything else, to the disk.
    pub fn sync(&self, metadata: bool) -> Result<(), Error> {
        sync(&self.fd, metadata)
    }

    /// Writes at the end from now on, or no longer.
    pub fn set_append(&self, append: bool) -> Result<(), Error> {
        let mut flags = rustix::fs::fcntl_getfl(&self.fd)?;
        flags.set(OFlags::APPEND, append);
        Ok(rustix::fs::fcntl_setfl(&self.fd, flags)?)
    }

    /// How many bytes are left to read from the file's position.
    pub fn remaining(&self) -> Result<u64, Error> {
        let at = self.seek(0, Whence::Current)?;
        Ok(self.metadata()?.size.saturating_sub(at))
    }

    /// Fails when the file was opened below a directory granted for reading only, unless somebody let it be
    /// opened for writing.
    fn changeable(&self) -> Result<(), Error> {
        if self.write || self.grant.is_writable() {
            return Ok(());
        }
        self.grant.tell_unchanged();
        self.grant.witness.deny(Denial::ReadOnly {
            path: self.grant.guest.clone(),
            host: self.grant.host.clone(),
            granted: self.grant.guest.clone(),
        });
        Err(Error::ReadOnly)
    }
}

pub(crate) fn sync(fd: impl AsFd, metadata: bool) -> Result<(), Error> {
    let fd = fd.as_fd();
    uninterrupted(|| if metadata { rustix::fs::fsync(fd) } else { rustix::fs::fdatasync(fd) })
}

/// Offsets are signed in the kernel.
pub(crate) fn check_offset(offset: u64) -> Result<(), Error> {
    i64::try_from(offset).map(drop).map_err(|_| Error::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_clamped() {
        assert_eq!(nanoseconds(0i64, 7i64), 7);
        assert_eq!(nanoseconds(-1i64, 999_999_999i64), 0);
        assert_eq!(nanoseconds(i64::MAX, 0i64), u64::MAX);
        assert_eq!(nanoseconds(i64::MIN, 0i64), 0);
        assert_eq!(nanoseconds(2i64, 5u64), 2_000_000_005);
    }
}
