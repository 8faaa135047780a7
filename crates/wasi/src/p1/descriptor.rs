//! A guest's descriptor: an object of the host, with the rights and flags the ABI gives it.

use std::sync::Arc;

use super::abi::{Errno, FdFlags, Rights};
use super::outcome::Fail;
use crate::host::{
    Dir, Error, File, FileKind, Input, Interest, Interrupt, Listener, Metadata, Output, Stream,
    Table, Wait,
};

/// The descriptors of one guest.
pub(crate) type Descriptors = Table<Descriptor>;

/// What a descriptor stands for.
#[derive(Debug)]
pub(crate) enum Object {
    Input(Input),
    Output(Output),
    File(File),
    Dir(Arc<Dir>),
    Listener(Listener),
    Stream(Stream),
}

impl Object {
    pub(crate) fn kind(&self) -> FileKind {
        match self {
            Object::Input(input) => input.kind(),
            Object::Output(output) => output.kind(),
            Object::File(_) => FileKind::Regular,
            Object::Dir(_) => FileKind::Directory,
            Object::Listener(_) | Object::Stream(_) => FileKind::StreamSocket,
        }
    }

    pub(crate) fn metadata(&self) -> Result<Metadata, Error> {
        match self {
            Object::Input(input) => input.metadata(),
            Object::Output(output) => output.metadata(),
            Object::File(file) => file.metadata(),
            Object::Dir(dir) => dir.metadata(),
            Object::Listener(listener) => Ok(listener.metadata()),
            Object::Stream(stream) => Ok(stream.metadata()),
        }
    }

    /// What makes sense for it.
    fn rights(&self) -> Rights {
        const SEEKS: Rights = Rights::FD_SEEK.or(Rights::FD_TELL);
        const SYNCS: Rights = Rights::FD_DATASYNC.or(Rights::FD_SYNC);
        match self {
            Object::Input(input) => {
                let rights = Rights::STREAM.without(Rights::FD_WRITE);
                if input.kind() == FileKind::Regular { rights.or(SEEKS) } else { rights }
            }
            Object::Output(output) => {
                let rights = Rights::STREAM.without(Rights::FD_READ);
                let regular = output.kind() == FileKind::Regular;
                if regular { rights.or(SEEKS).or(SYNCS) } else { rights }
            }
            Object::File(_) => Rights::FILE,
            Object::Dir(_) => Rights::DIRECTORY,
            Object::Listener(_) => Rights::LISTENER,
            Object::Stream(_) => Rights::SOCKET,
        }
    }
}

/// One entry of the table.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
    pub(crate) flags: FdFlags,
    /// The name of a directory that was open from the start.
    pub(crate) preopen: Option<String>,
}

impl Descriptor {
    /// A descriptor with every right that makes sense for its object.
    pub(crate) fn new(object: Object) -> Descriptor {
        let base = object.rights();
        let inheriting = match &object {
            Object::Dir(_) => Rights::DIRECTORY.or(Rights::FILE),
            Object::Listener(_) => Rights::SOCKET,
            _ => Rights::default(),
        };
        Descriptor { object, base, inheriting, flags: FdFlags::default(), preopen: None }
    }

    /// The same with no more than these rights.
    pub(crate) fn limited(self, base: Rights, inheriting: Rights) -> Descriptor {
        Descriptor {
            base: self.base.and(base),
            inheriting: self.inheriting.and(inheriting),
            ..self
        }
    }

    /// Fails when a right is missing.
    ///
    /// For reading and writing the code is the one POSIX has for it.
    pub(crate) fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.base.has(rights) {
            return Ok(());
        }
        let missing = rights.without(self.base);
        if missing.is_in(Rights::FD_READ.or(Rights::FD_WRITE)) {
            return Err(Errno::BADF);
        }
        Err(Errno::NOTCAPABLE)
    }

    /// The directory, to use it with these rights.
    pub(crate) fn dir(&self, rights: Rights) -> Result<&Dir, Fail> {
        let Object::Dir(dir) = &self.object else {
            return Err(Errno::NOTDIR.into());
        };
        self.require(rights)?;
        Ok(dir)
    }

    /// The regular file, to use it with these rights; `other` for anything else but directories.
    pub(crate) fn file(&self, rights: Rights, other: Errno) -> Result<&File, Fail> {
        match &self.object {
            Object::File(file) => {
                self.require(rights)?;
                Ok(file)
            }
            Object::Dir(_) => Err(Errno::ISDIR.into()),
            _ => Err(other.into()),
        }
    }

    /// How its operations wait.
    pub(crate) fn wait<'a>(&self, interrupt: &'a Interrupt) -> Wait<'a> {
        Wait { blocking: !self.flags.has(FdFlags::NONBLOCK), interrupt }
    }

    /// The rights that waiting for it takes.
    pub(crate) fn poll_rights(interest: Interest) -> Rights {
        Rights::POLL_FD_READWRITE.or(match interest {
            Interest::Read => Rights::FD_READ,
            Interest::Write => Rights::FD_WRITE,
        })
    }
}
