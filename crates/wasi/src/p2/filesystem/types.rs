//! The values of `wasi:filesystem/types`, and what they are to the host.

use dunlin_component::ComponentType;

use crate::host::{Error, Expectation, FileKind, Metadata, SetTime};
use crate::p2::clocks::Datetime;

/// What sort of file it is.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DescriptorType {
    Unknown,
    BlockDevice,
    CharacterDevice,
    Directory,
    Fifo,
    SymbolicLink,
    RegularFile,
    Socket,
}

dunlin_component::flags! {
    /// How a descriptor is open.
    pub(in crate::p2) struct DescriptorFlags {
        READ, WRITE, FILE_INTEGRITY_SYNC, DATA_INTEGRITY_SYNC, REQUESTED_WRITE_SYNC,
        MUTATE_DIRECTORY,
    }
}

/// What is known about a file.
#[derive(ComponentType, Clone, Copy, Debug)]
pub(super) struct DescriptorStat {
    pub(super) r#type: DescriptorType,
    pub(super) link_count: u64,
    pub(super) size: u64,
    pub(super) data_access_timestamp: Option<Datetime>,
    pub(super) data_modification_timestamp: Option<Datetime>,
    pub(super) status_change_timestamp: Option<Datetime>,
}

dunlin_component::flags! {
    /// How a path is followed.
    pub(super) struct PathFlags { SYMLINK_FOLLOW }
}

dunlin_component::flags! {
    /// How a file is opened.
    pub(super) struct OpenFlags { CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE }
}

/// A new value for one of a file's times.
#[derive(ComponentType, Clone, Copy, Debug)]
pub(super) enum NewTimestamp {
    NoChange,
    Now,
    Timestamp(Datetime),
}

/// An entry of a directory.
#[derive(ComponentType, Clone, Debug)]
pub(super) struct DirectoryEntry {
    pub(super) r#type: DescriptorType,
    pub(super) name: String,
}

/// Why an operation failed.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "the host has no use for some")]
pub(in crate::p2) enum ErrorCode {
    Access,
    WouldBlock,
    Already,
    BadDescriptor,
    Busy,
    Deadlock,
    Quota,
    Exist,
    FileTooLarge,
    IllegalByteSequence,
    InProgress,
    Interrupted,
    Invalid,
    Io,
    IsDirectory,
    Loop,
    TooManyLinks,
    MessageSize,
    NameTooLong,
    NoDevice,
    NoEntry,
    NoLock,
    InsufficientMemory,
    InsufficientSpace,
    NotDirectory,
    NotEmpty,
    NotRecoverable,
    Unsupported,
    NoTty,
    NoSuchDevice,
    Overflow,
    NotPermitted,
    Pipe,
    ReadOnly,
    InvalidSeek,
    TextFileBusy,
    CrossDevice,
}

/// What an access will probably look like.
#[derive(ComponentType, Clone, Copy, Debug)]
pub(super) enum Advice {
    Normal,
    Sequential,
    Random,
    WillNeed,
    DontNeed,
    NoReuse,
}

/// Which file it is, as a number that tells nothing else.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MetadataHashValue {
    pub(super) lower: u64,
    pub(super) upper: u64,
}

impl From<FileKind> for DescriptorType {
    fn from(kind: FileKind) -> DescriptorType {
        match kind {
            FileKind::Unknown => DescriptorType::Unknown,
            FileKind::BlockDevice => DescriptorType::BlockDevice,
            FileKind::CharacterDevice => DescriptorType::CharacterDevice,
            FileKind::Directory => DescriptorType::Directory,
            FileKind::Fifo => DescriptorType::Fifo,
            FileKind::Regular => DescriptorType::RegularFile,
            FileKind::DatagramSocket | FileKind::StreamSocket => DescriptorType::Socket,
            FileKind::SymbolicLink => DescriptorType::SymbolicLink,
        }
    }
}

impl From<Metadata> for DescriptorStat {
    fn from(metadata: Metadata) -> DescriptorStat {
        DescriptorStat {
            r#type: metadata.kind.into(),
            link_count: metadata.links,
            size: metadata.size,
            data_access_timestamp: Some(Datetime::new(metadata.accessed)),
            data_modification_timestamp: Some(Datetime::new(metadata.modified)),
            status_change_timestamp: Some(Datetime::new(metadata.changed)),
        }
    }
}

impl NewTimestamp {
    /// As the host takes it.
    pub(super) fn to_host(self) -> Result<SetTime, Error> {
        Ok(match self {
            NewTimestamp::NoChange => SetTime::Keep,
            NewTimestamp::Now => SetTime::Now,
            NewTimestamp::Timestamp(time) => {
                SetTime::At(time.in_nanoseconds().ok_or(Error::Invalid)?)
            }
        })
    }
}

impl From<Advice> for Expectation {
    fn from(advice: Advice) -> Expectation {
        match advice {
            Advice::Normal => Expectation::Normal,
            Advice::Sequential => Expectation::Sequential,
            Advice::Random => Expectation::Random,
            Advice::WillNeed => Expectation::WillNeed,
            Advice::DontNeed => Expectation::DontNeed,
            Advice::NoReuse => Expectation::NoReuse,
        }
    }
}

impl From<Error> for ErrorCode {
    fn from(error: Error) -> ErrorCode {
        match error {
            Error::Access => ErrorCode::Access,
            Error::Again => ErrorCode::WouldBlock,
            Error::BadDescriptor => ErrorCode::BadDescriptor,
            Error::Busy => ErrorCode::Busy,
            Error::CrossDevice => ErrorCode::CrossDevice,
            Error::Deadlock => ErrorCode::Deadlock,
            Error::DirectoryNotEmpty => ErrorCode::NotEmpty,
            Error::Exists => ErrorCode::Exist,
            Error::FileTooLarge => ErrorCode::FileTooLarge,
            Error::Interrupted => ErrorCode::Interrupted,
            Error::Invalid => ErrorCode::Invalid,
            Error::IllegalSequence => ErrorCode::IllegalByteSequence,
            Error::IsDirectory => ErrorCode::IsDirectory,
            Error::Loop => ErrorCode::Loop,
            Error::MessageTooLarge => ErrorCode::MessageSize,
            Error::NameTooLong => ErrorCode::NameTooLong,
            Error::NoDevice => ErrorCode::NoDevice,
            Error::NoDeviceOrAddress => ErrorCode::NoSuchDevice,
            Error::NoEntry => ErrorCode::NoEntry,
            Error::NoLock => ErrorCode::NoLock,
            Error::NoSpace => ErrorCode::InsufficientSpace,
            // There is no code for a guest that holds too much.
            Error::NoMemory | Error::NoBuffers | Error::TableFull | Error::TooManyFiles => {
                ErrorCode::InsufficientMemory
            }
            // Leaving what is granted is `not-permitted`, as the head of the WIT says.
            Error::NotCapable | Error::NotPermitted => ErrorCode::NotPermitted,
            Error::NotDirectory => ErrorCode::NotDirectory,
            Error::NotSupported => ErrorCode::Unsupported,
            Error::NotTerminal => ErrorCode::NoTty,
            Error::Overflow => ErrorCode::Overflow,
            Error::Pipe => ErrorCode::Pipe,
            Error::Quota => ErrorCode::Quota,
            Error::ReadOnly => ErrorCode::ReadOnly,
            Error::Seek => ErrorCode::InvalidSeek,
            Error::TextBusy => ErrorCode::TextFileBusy,
            Error::TooManyLinks => ErrorCode::TooManyLinks,
            _ => ErrorCode::Io,
        }
    }
}
