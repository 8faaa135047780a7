//! The numbers and records of the binary interface, each written field by field.

use crate::host::{Error, FileKind, Metadata, SetTime};

macro_rules! numbers {
    ($(#[$doc:meta])* $type:ident($repr:ty) { $($name:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type(pub $repr);

        impl $type {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: $type = $type($value);
            )*
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $(if self.0 == $value { return f.write_str(stringify!($name)); })*
                write!(f, concat!(stringify!($type), "({})"), self.0)
            }
        }
    };
}

numbers! {
    /// An error code.
    Errno(u16) {
        SUCCESS = 0; TOO_BIG = 1; ACCES = 2; ADDRINUSE = 3; ADDRNOTAVAIL = 4; AFNOSUPPORT = 5;
        AGAIN = 6; ALREADY = 7; BADF = 8; BADMSG = 9; BUSY = 10; CANCELED = 11; CHILD = 12;
        CONNABORTED = 13; CONNREFUSED = 14; CONNRESET = 15; DEADLK = 16; DESTADDRREQ = 17;
        DOM = 18; DQUOT = 19; EXIST = 20; FAULT = 21; FBIG = 22; HOSTUNREACH = 23; IDRM = 24;
        ILSEQ = 25; INPROGRESS = 26; INTR = 27; INVAL = 28; IO = 29; ISCONN = 30; ISDIR = 31;
        LOOP = 32; MFILE = 33; MLINK = 34; MSGSIZE = 35; MULTIHOP = 36; NAMETOOLONG = 37;
        NETDOWN = 38; NETRESET = 39; NETUNREACH = 40; NFILE = 41; NOBUFS = 42; NODEV = 43;
        NOENT = 44; NOEXEC = 45; NOLCK = 46; NOLINK = 47; NOMEM = 48; NOMSG = 49;
        NOPROTOOPT = 50; NOSPC = 51; NOSYS = 52; NOTCONN = 53; NOTDIR = 54; NOTEMPTY = 55;
        NOTRECOVERABLE = 56; NOTSOCK = 57; NOTSUP = 58; NOTTY = 59; NXIO = 60; OVERFLOW = 61;
        OWNERDEAD = 62; PERM = 63; PIPE = 64; PROTO = 65; PROTONOSUPPORT = 66; PROTOTYPE = 67;
        RANGE = 68; ROFS = 69; SPIPE = 70; SRCH = 71; STALE = 72; TIMEDOUT = 73; TXTBSY = 74;
        XDEV = 75; NOTCAPABLE = 76;
    }
}

impl From<Error> for Errno {
    fn from(error: Error) -> Errno {
        match error {
            Error::Access => Errno::ACCES,
            Error::AddressInUse => Errno::ADDRINUSE,
            Error::AddressUnavailable => Errno::ADDRNOTAVAIL,
            Error::Again => Errno::AGAIN,
            Error::BadDescriptor => Errno::BADF,
            Error::Busy => Errno::BUSY,
            Error::ConnectionAborted => Errno::CONNABORTED,
            Error::ConnectionRefused => Errno::CONNREFUSED,
            Error::ConnectionReset => Errno::CONNRESET,
            Error::CrossDevice => Errno::XDEV,
            Error::Deadlock => Errno::DEADLK,
            Error::DirectoryNotEmpty => Errno::NOTEMPTY,
            Error::Exists => Errno::EXIST,
            Error::FileTooLarge => Errno::FBIG,
            Error::Interrupted => Errno::INTR,
            Error::Invalid => Errno::INVAL,
            Error::IllegalSequence => Errno::ILSEQ,
            Error::Io => Errno::IO,
            Error::IsDirectory => Errno::ISDIR,
            Error::InvalidState | Error::NotInProgress => Errno::INVAL,
            Error::Loop => Errno::LOOP,
            Error::MessageTooLarge => Errno::MSGSIZE,
            Error::NameTooLong => Errno::NAMETOOLONG,
            Error::NameUnknown => Errno::NOENT,
            Error::ResolverBusy => Errno::AGAIN,
            Error::ResolverFailed => Errno::IO,
            Error::NoDevice => Errno::NODEV,
            Error::NoDeviceOrAddress => Errno::NXIO,
            Error::NoEntry => Errno::NOENT,
            Error::NoMemory => Errno::NOMEM,
            Error::NoBuffers => Errno::NOBUFS,
            Error::NoLock => Errno::NOLCK,
            Error::NoSpace => Errno::NOSPC,
            Error::NotCapable => Errno::NOTCAPABLE,
            Error::NotConnected => Errno::NOTCONN,
            Error::NotDirectory => Errno::NOTDIR,
            Error::NotPermitted => Errno::PERM,
            Error::NotSocket => Errno::NOTSOCK,
            Error::NotSupported => Errno::NOTSUP,
            Error::NotTerminal => Errno::NOTTY,
            Error::Overflow => Errno::OVERFLOW,
            Error::Pipe => Errno::PIPE,
            Error::Quota => Errno::DQUOT,
            Error::ReadOnly => Errno::ROFS,
            Error::Seek => Errno::SPIPE,
            Error::Stale => Errno::STALE,
            Error::TableFull => Errno::MFILE,
            Error::TextBusy => Errno::TXTBSY,
            Error::TimedOut => Errno::TIMEDOUT,
            Error::TooManyLinks => Errno::MLINK,
            Error::TooManyFiles => Errno::NFILE,
            Error::Unreachable => Errno::HOSTUNREACH,
        }
    }
}

macro_rules! flags {
    ($(#[$doc:meta])* $type:ident($repr:ty) { $($name:ident = $bit:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $type(pub $repr);

        impl $type {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: $type = $type(1 << $bit);
            )*

            /// Every flag there is.
            pub const ALL: $type = $type(0 $(| 1 << $bit)*);

            /// The flags in a number the guest gave; none if it has others.
            pub fn checked(raw: u32) -> Result<$type, Errno> {
                match <$repr>::try_from(raw) {
                    Ok(raw) if $type(raw).is_in($type::ALL) => Ok($type(raw)),
                    _ => Err(Errno::INVAL),
                }
            }

            /// Whether all of `flags` are set.
            pub const fn has(self, flags: $type) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// Whether none is set that is not in `flags`.
            pub const fn is_in(self, flags: $type) -> bool {
                self.0 & !flags.0 == 0
            }

            /// All of both.
            pub const fn or(self, flags: $type) -> $type {
                $type(self.0 | flags.0)
            }

            /// What both have.
            pub const fn and(self, flags: $type) -> $type {
                $type(self.0 & flags.0)
            }

            /// These without `flags`.
            pub const fn without(self, flags: $type) -> $type {
                $type(self.0 & !flags.0)
            }
        }
    };
}

flags! {
    /// What may be done with a descriptor, or with descriptors opened through it.
    Rights(u64) {
        FD_DATASYNC = 0; FD_READ = 1; FD_SEEK = 2; FD_FDSTAT_SET_FLAGS = 3; FD_SYNC = 4;
        FD_TELL = 5; FD_WRITE = 6; FD_ADVISE = 7; FD_ALLOCATE = 8; PATH_CREATE_DIRECTORY = 9;
        PATH_CREATE_FILE = 10; PATH_LINK_SOURCE = 11; PATH_LINK_TARGET = 12; PATH_OPEN = 13;
        FD_READDIR = 14; PATH_READLINK = 15; PATH_RENAME_SOURCE = 16; PATH_RENAME_TARGET = 17;
        PATH_FILESTAT_GET = 18; PATH_FILESTAT_SET_SIZE = 19; PATH_FILESTAT_SET_TIMES = 20;
        FD_FILESTAT_GET = 21; FD_FILESTAT_SET_SIZE = 22; FD_FILESTAT_SET_TIMES = 23;
        PATH_SYMLINK = 24; PATH_REMOVE_DIRECTORY = 25; PATH_UNLINK_FILE = 26;
        POLL_FD_READWRITE = 27; SOCK_SHUTDOWN = 28; SOCK_ACCEPT = 29;
    }
}

impl Rights {
    /// What makes sense for a regular file.
    pub const FILE: Rights = Rights::FD_DATASYNC
        .or(Rights::FD_READ)
        .or(Rights::FD_SEEK)
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_SYNC)
        .or(Rights::FD_TELL)
        .or(Rights::FD_WRITE)
        .or(Rights::FD_ADVISE)
        .or(Rights::FD_ALLOCATE)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::FD_FILESTAT_SET_SIZE)
        .or(Rights::FD_FILESTAT_SET_TIMES)
        .or(Rights::POLL_FD_READWRITE);

    /// What makes sense for a directory.
    pub const DIRECTORY: Rights = Rights::FD_DATASYNC
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_SYNC)
        .or(Rights::FD_ADVISE)
        .or(Rights::PATH_CREATE_DIRECTORY)
        .or(Rights::PATH_CREATE_FILE)
        .or(Rights::PATH_LINK_SOURCE)
        .or(Rights::PATH_LINK_TARGET)
        .or(Rights::PATH_OPEN)
        .or(Rights::FD_READDIR)
        .or(Rights::PATH_READLINK)
        .or(Rights::PATH_RENAME_SOURCE)
        .or(Rights::PATH_RENAME_TARGET)
        .or(Rights::PATH_FILESTAT_GET)
        .or(Rights::PATH_FILESTAT_SET_SIZE)
        .or(Rights::PATH_FILESTAT_SET_TIMES)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::FD_FILESTAT_SET_TIMES)
        .or(Rights::PATH_SYMLINK)
        .or(Rights::PATH_REMOVE_DIRECTORY)
        .or(Rights::PATH_UNLINK_FILE)
        .or(Rights::POLL_FD_READWRITE);

    /// What makes sense for a stream, in either direction.
    pub const STREAM: Rights = Rights::FD_READ
        .or(Rights::FD_WRITE)
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::POLL_FD_READWRITE);

    /// What makes sense for a connected socket.
    pub const SOCKET: Rights = Rights::STREAM.or(Rights::SOCK_SHUTDOWN);

    /// What makes sense for a listener.
    pub const LISTENER: Rights = Rights::FD_READ
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::POLL_FD_READWRITE)
        .or(Rights::SOCK_ACCEPT);
}

flags! {
    /// How a descriptor behaves.
    FdFlags(u16) { APPEND = 0; DSYNC = 1; NONBLOCK = 2; RSYNC = 3; SYNC = 4; }
}

impl FdFlags {
    /// The flags that make writes wait for the disk.
    pub const SYNCS: FdFlags = FdFlags::DSYNC.or(FdFlags::RSYNC).or(FdFlags::SYNC);
}

flags! {
    /// How a path is opened.
    OFlags(u16) { CREAT = 0; DIRECTORY = 1; EXCL = 2; TRUNC = 3; }
}

flags! {
    /// How a path is resolved.
    LookupFlags(u32) { SYMLINK_FOLLOW = 0; }
}

flags! {
    /// Which times of a file are set, and to what.
    FstFlags(u16) { ATIM = 0; ATIM_NOW = 1; MTIM = 2; MTIM_NOW = 3; }
}

impl FstFlags {
    /// What becomes of the two times.
    pub fn times(self, atim: u64, mtim: u64) -> Result<(SetTime, SetTime), Errno> {
        let one = |value, now, at| match (self.has(value), self.has(now)) {
            (false, false) => Ok(SetTime::Keep),
            (true, false) => Ok(SetTime::At(at)),
            (false, true) => Ok(SetTime::Now),
            (true, true) => Err(Errno::INVAL),
        };
        Ok((
            one(FstFlags::ATIM, FstFlags::ATIM_NOW, atim)?,
            one(FstFlags::MTIM, FstFlags::MTIM_NOW, mtim)?,
        ))
    }
}

flags! {
    /// How `sock_recv` receives.
    RiFlags(u16) { PEEK = 0; WAITALL = 1; }
}

flags! {
    /// Which directions `sock_shutdown` ends.
    SdFlags(u8) { RD = 0; WR = 1; }
}

/// The two revisions of the interface, where their records differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// `wasi_unstable`.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

/// The number of a file type.
pub(crate) fn file_type(kind: FileKind) -> u8 {
    match kind {
        FileKind::Unknown | FileKind::Fifo => 0,
        FileKind::BlockDevice => 1,
        FileKind::CharacterDevice => 2,
        FileKind::Directory => 3,
        FileKind::Regular => 4,
        FileKind::DatagramSocket => 5,
        FileKind::StreamSocket => 6,
        FileKind::SymbolicLink => 7,
    }
}

/// A record being written: zeros at first, so that padding never shows host memory.
#[derive(Debug)]
pub(crate) struct Record<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Record<N> {
    pub(crate) fn new() -> Record<N> {
        Record { bytes: [0; N], at: 0 }
    }

    fn put<const M: usize>(mut self, bytes: [u8; M]) -> Record<N> {
        self.at = self.at.next_multiple_of(M.max(1));
        for (to, from) in self.bytes.iter_mut().skip(self.at).zip(bytes) {
            *to = from;
        }
        self.at = self.at.saturating_add(M);
        self
    }

    pub(crate) fn u8(self, value: u8) -> Record<N> {
        self.put([value])
    }

    pub(crate) fn u16(self, value: u16) -> Record<N> {
        self.put(value.to_le_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Record<N> {
        self.put(value.to_le_bytes())
    }

    pub(crate) fn u64(self, value: u64) -> Record<N> {
        self.put(value.to_le_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8; N] {
        &self.bytes
    }
}

/// `fdstat`.
pub(crate) fn fdstat(kind: FileKind, flags: FdFlags, base: Rights, inh: Rights) -> Record<24> {
    Record::new().u8(file_type(kind)).u16(flags.0).u64(base.0).u64(inh.0)
}

/// `filestat`.
pub(crate) fn filestat(metadata: &Metadata) -> Record<64> {
    Record::new()
        .u64(metadata.device)
        .u64(metadata.inode)
        .u8(file_type(metadata.kind))
        .u64(metadata.links)
        .u64(metadata.size)
        .u64(metadata.accessed)
        .u64(metadata.modified)
        .u64(metadata.changed)
}

/// `filestat` of `wasi_unstable`, whose number of links has four bytes.
pub(crate) fn filestat_unstable(metadata: &Metadata) -> Record<56> {
    Record::new()
        .u64(metadata.device)
        .u64(metadata.inode)
        .u8(file_type(metadata.kind))
        .u32(u32::try_from(metadata.links).unwrap_or(u32::MAX))
        .u64(metadata.size)
        .u64(metadata.accessed)
        .u64(metadata.modified)
        .u64(metadata.changed)
}

/// `dirent`, without the name after it.
pub(crate) fn dirent(next: u64, inode: u64, name: usize, kind: FileKind) -> Record<24> {
    let name = u32::try_from(name).unwrap_or(u32::MAX);
    Record::new().u64(next).u64(inode).u32(name).u8(file_type(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_checked() {
        assert_eq!(FdFlags::checked(0b10100), Ok(FdFlags::NONBLOCK.or(FdFlags::SYNC)));
        assert_eq!(FdFlags::checked(0b100000), Err(Errno::INVAL));
        assert_eq!(FdFlags::checked(0x1_0000), Err(Errno::INVAL));
        assert_eq!(SdFlags::checked(0x101), Err(Errno::INVAL));
        assert_eq!(Rights::ALL.0, 0x3fff_ffff);
    }

    #[test]
    fn errors_have_codes() {
        for &error in Error::ALL {
            assert_ne!(Errno::from(error), Errno::SUCCESS, "{error}");
        }
    }

    #[test]
    fn record_layout() {
        let metadata = Metadata {
            device: 1,
            inode: 2,
            kind: FileKind::Regular,
            links: 0x1_0000_0003,
            size: 4,
            accessed: 5,
            modified: 6,
            changed: 7,
        };
        let words = |bytes: &[u8]| -> Vec<u64> {
            bytes
                .chunks_exact(8)
                .map(|word| word.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b)))
                .collect()
        };
        assert_eq!(words(filestat(&metadata).bytes()), [1, 2, 4, 0x1_0000_0003, 4, 5, 6, 7]);
        let unstable = words(filestat_unstable(&metadata).bytes());
        assert_eq!(unstable, [1, 2, 0xffff_ffff_0000_0004, 4, 5, 6, 7]);
        let stat = fdstat(FileKind::Directory, FdFlags::SYNC, Rights(8), Rights(9));
        assert_eq!(words(stat.bytes()), [3 | 16 << 16, 8, 9]);
        let entry = dirent(1, 2, 3, FileKind::SymbolicLink);
        assert_eq!(words(entry.bytes()), [1, 2, 3 | 7 << 32]);
    }
}
