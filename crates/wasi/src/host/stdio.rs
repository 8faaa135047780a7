//! The three standard streams: inherited, a file, bytes in memory, or nothing.

use std::io::{IoSlice, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::fs::{CHUNK, FileKind, Metadata, Whence, read_chunks, seek, uninterrupted};
use super::interrupt::Interrupt;
use super::poll::{Interest, Wait};
use super::terminal::TerminalFilter;
use super::{Error, fs};

/// What a pipe takes without blocking once it is ready for anything at all.
const PIPE_BUF: usize = 4096;

/// A descriptor of the host that stands behind a stream.
#[derive(Debug)]
struct Handle {
    fd: HandleFd,
    kind: HandleKind,
}

#[derive(Debug)]
enum HandleFd {
    /// One of this process's own, which must stay open.
    Inherited(BorrowedFd<'static>),
    Owned(OwnedFd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandleKind {
    Regular,
    Terminal,
    Socket,
    /// A pipe, or a device that is no terminal.
    Other,
}

impl Handle {
    /// Fails when the descriptor is not open.
    fn new(fd: HandleFd) -> Result<Handle, Error> {
        let kind = match Metadata::of(fd.as_fd())?.kind {
            FileKind::Regular => HandleKind::Regular,
            FileKind::StreamSocket => HandleKind::Socket,
            FileKind::CharacterDevice if fd.as_fd().is_terminal() => HandleKind::Terminal,
            _ => HandleKind::Other,
        };
        Ok(Handle { fd, kind })
    }

    fn metadata(&self) -> Result<Metadata, Error> {
        Ok(Metadata { kind: self.kind.file_kind(), ..Metadata::of(self)? })
    }

    /// Makes sure that a read or write will not block, unless nobody minds.
    fn ready(&self, wait: Wait<'_>, interest: Interest) -> Result<(), Error> {
        let patient = wait.blocking && !wait.interrupt.is_set();
        if patient || self.kind == HandleKind::Regular {
            return wait.interrupt.check();
        }
        wait.ready(self.as_fd(), interest)
    }

    /// Repeats a read or write while the descriptor, set so by someone else, does not block.
    fn insist<T>(
        &self,
        wait: Wait<'_>,
        interest: Interest,
        mut call: impl FnMut() -> Result<T, Errno>,
    ) -> Result<T, Error> {
        loop {
            self.ready(wait, interest)?;
            match uninterrupted(&mut call) {
                Err(Error::Again) if wait.blocking => wait.ready(self.as_fd(), interest)?,
                result => return result,
            }
        }
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for HandleFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            HandleFd::Inherited(fd) => *fd,
            HandleFd::Owned(fd) => fd.as_fd(),
        }
    }
}

impl HandleKind {
    fn file_kind(self) -> FileKind {
        match self {
            HandleKind::Regular => FileKind::Regular,
            HandleKind::Terminal => FileKind::CharacterDevice,
            HandleKind::Socket => FileKind::StreamSocket,
            HandleKind::Other => FileKind::Unknown,
        }
    }
}

/// Where a guest's standard input comes from. A clone is another handle on the same stream.
#[derive(Clone, Debug)]
pub struct Input(Arc<InputKind>);

#[derive(Debug)]
enum InputKind {
    Null,
    Bytes { data: Arc<[u8]>, at: AtomicUsize },
    Handle(Handle),
}

impl Input {
    /// Nothing: at its end from the start.
    pub fn null() -> Input {
        Input(Arc::new(InputKind::Null))
    }

    /// This process's own standard input; nothing, if that is closed.
    pub fn inherit() -> Input {
        Handle::new(HandleFd::Inherited(rustix::stdio::stdin()))
            .map_or(Input::null(), |handle| Input(Arc::new(InputKind::Handle(handle))))
    }

    /// An open file, pipe or socket; nothing, if it cannot be looked at.
    pub fn file(file: impl Into<OwnedFd>) -> Input {
        Handle::new(HandleFd::Owned(file.into()))
            .map_or(Input::null(), |handle| Input(Arc::new(InputKind::Handle(handle))))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Input {
        Input(Arc::new(InputKind::Bytes { data: bytes.into(), at: AtomicUsize::new(0) }))
    }

    /// Reads what is there, or waits for something.
    pub fn read(&self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize, Error> {
        match &*self.0 {
            InputKind::Null => Ok(0),
            InputKind::Bytes { data, at } => {
                let take = |at: usize| Some(at.saturating_add(buffer.len()).min(data.len()));
                let from = at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
                let rest = from.ok().and_then(|from| data.get(from..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(rest) {
                    *to = *from;
                }
                Ok(count)
            }
            InputKind::Handle(handle) if handle.kind == HandleKind::Regular => {
                read_chunks(buffer, wait.interrupt, |chunk, _| rustix::io::read(&handle.fd, chunk))
            }
            InputKind::Handle(handle) => {
                let size = buffer.len().min(CHUNK);
                let buffer = buffer.get_mut(..size).ok_or(Error::Invalid)?;
                handle.insist(wait, Interest::Read, || rustix::io::read(&handle.fd, &mut *buffer))
            }
        }
    }

    /// Reads a file at an offset.
    pub fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
        interrupt: &Interrupt,
    ) -> Result<usize, Error> {
        fs::check_offset(offset)?;
        match &*self.0 {
            InputKind::Handle(handle) if handle.kind == HandleKind::Regular => {
                read_chunks(buffer, interrupt, |chunk, done| {
                    rustix::io::pread(&handle.fd, chunk, offset.saturating_add(done))
                })
            }
            _ => Err(Error::Seek),
        }
    }

    /// Moves the position of a file.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Error> {
        match &*self.0 {
            InputKind::Handle(handle) => seek(handle, offset, whence),
            _ => Err(Error::Seek),
        }
    }

    /// What sort of thing stands behind the stream.
    pub fn kind(&self) -> FileKind {
        match &*self.0 {
            InputKind::Handle(handle) => handle.kind.file_kind(),
            _ => FileKind::Unknown,
        }
    }

    /// What is known about it.
    pub fn metadata(&self) -> Result<Metadata, Error> {
        match &*self.0 {
            InputKind::Handle(handle) => handle.metadata(),
            _ => Ok(Metadata::of_kind(FileKind::Unknown)),
        }
    }

    /// The descriptor to wait for; none if a read never waits.
    pub(crate) fn waits_on(&self) -> Option<BorrowedFd<'_>> {
        match &*self.0 {
            InputKind::Handle(handle) if handle.kind != HandleKind::Regular => Some(handle.as_fd()),
            _ => None,
        }
    }

    /// How many bytes could be read at once.
    pub(crate) fn remaining(&self) -> u64 {
        match &*self.0 {
            InputKind::Null => 0,
            InputKind::Bytes { data, at } => {
                data.len().saturating_sub(at.load(Ordering::Relaxed)) as u64
            }
            InputKind::Handle(handle) if handle.kind == HandleKind::Regular => {
                let size = handle.metadata().map_or(0, |metadata| metadata.size);
                size.saturating_sub(seek(handle, 0, Whence::Current).unwrap_or(0))
            }
            InputKind::Handle(handle) => rustix::io::ioctl_fionread(handle).unwrap_or(0),
        }
    }
}

/// A stream kept in memory, up to a limit; a clone is another handle on the same bytes.
#[derive(Clone, Debug)]
pub struct OutputPipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    limit: usize,
}

impl OutputPipe {
    /// Takes up to `limit` bytes; a write beyond that fails for lack of space.
    pub fn new(limit: usize) -> OutputPipe {
        OutputPipe { bytes: Arc::default(), limit }
    }

    /// What has been written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what has been written so far, which makes room for more.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize, Error> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = bytes.len();
        for buffer in buffers {
            let room = self.limit.saturating_sub(bytes.len());
            let taken = buffer.get(..room.min(buffer.len())).unwrap_or_default();
            bytes.try_reserve(taken.len()).map_err(|_| Error::NoMemory)?;
            bytes.extend_from_slice(taken);
        }
        let written = bytes.len().saturating_sub(before);
        if written == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            return Err(Error::NoSpace);
        }
        Ok(written)
    }
}

/// Where a guest's standard output or error goes. A clone is another handle on the same stream.
#[derive(Clone, Debug)]
pub struct Output(Arc<OutputKind>);

#[derive(Debug)]
enum OutputKind {
    Null,
    Pipe(OutputPipe),
    Handle(Arc<Handle>),
    Terminal(Terminal),
}

/// A terminal behind a filter.
#[derive(Debug)]
struct Terminal {
    handle: Arc<Handle>,
    filter: Mutex<Filtering>,
}

/// The filter, and room for what it lets through.
#[derive(Debug, Default)]
struct Filtering {
    filter: TerminalFilter,
    scratch: Vec<u8>,
}

impl Output {
    /// Nowhere.
    pub fn null() -> Output {
        Output(Arc::new(OutputKind::Null))
    }

    /// This process's own standard output; nowhere, if that is closed.
    pub fn inherit_stdout() -> Output {
        Output::handle(HandleFd::Inherited(rustix::stdio::stdout()))
    }

    /// This process's own standard error; nowhere, if that is closed.
    pub fn inherit_stderr() -> Output {
        Output::handle(HandleFd::Inherited(rustix::stdio::stderr()))
    }

    /// An open file, pipe or socket; nowhere, if it cannot be looked at.
    pub fn file(file: impl Into<OwnedFd>) -> Output {
        Output::handle(HandleFd::Owned(file.into()))
    }

    /// Memory.
    pub fn pipe(pipe: OutputPipe) -> Output {
        Output(Arc::new(OutputKind::Pipe(pipe)))
    }

    /// Guest bytes reach a terminal as they are, escape sequences and all.
    ///
    /// Without this, [`TerminalFilter`] stands before every terminal.
    pub fn unfiltered(self) -> Output {
        match &*self.0 {
            OutputKind::Terminal(terminal) => {
                Output(Arc::new(OutputKind::Handle(Arc::clone(&terminal.handle))))
            }
            _ => self,
        }
    }

    fn handle(fd: HandleFd) -> Output {
        let kind = match Handle::new(fd).map(Arc::new) {
            Ok(handle) if handle.kind == HandleKind::Terminal => {
                OutputKind::Terminal(Terminal { handle, filter: Mutex::default() })
            }
            Ok(handle) => OutputKind::Handle(handle),
            Err(_) => OutputKind::Null,
        };
        Output(Arc::new(kind))
    }

    /// How much to give to one call of [`Output::write`].
    pub(crate) fn chunk(&self, interrupt: &Interrupt) -> usize {
        match &*self.0 {
            OutputKind::Handle(_) if !interrupt.is_set() => CHUNK,
            _ => self.room(),
        }
    }

    /// How much a write takes without waiting, once it is ready for anything at all.
    pub(crate) fn room(&self) -> usize {
        match &*self.0 {
            OutputKind::Handle(handle) if handle.kind != HandleKind::Regular => PIPE_BUF,
            OutputKind::Terminal(_) => PIPE_BUF,
            _ => CHUNK,
        }
    }

    /// Writes what there is room for, or waits for room.
    pub fn write(&self, buffers: &[IoSlice<'_>], wait: Wait<'_>) -> Result<usize, Error> {
        match &*self.0 {
            OutputKind::Null => {
                Ok(buffers.iter().fold(0usize, |sum, buffer| sum.saturating_add(buffer.len())))
            }
            OutputKind::Pipe(pipe) => pipe.write(buffers),
            OutputKind::Handle(handle) => {
                handle.insist(wait, Interest::Write, || rustix::io::writev(&handle.fd, buffers))
            }
            OutputKind::Terminal(terminal) => terminal.write(buffers, wait),
        }
    }

    /// Moves the position of a file.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Error> {
        match &*self.0 {
            OutputKind::Handle(handle) => seek(handle, offset, whence),
            _ => Err(Error::Seek),
        }
    }

    /// Brings a file to the disk.
    pub fn sync(&self, metadata: bool) -> Result<(), Error> {
        match &*self.0 {
            OutputKind::Handle(handle) => fs::sync(handle, metadata),
            _ => Err(Error::Invalid),
        }
    }

    /// What sort of thing stands behind the stream.
    pub fn kind(&self) -> FileKind {
        match &*self.0 {
            OutputKind::Handle(handle) | OutputKind::Terminal(Terminal { handle, .. }) => {
                handle.kind.file_kind()
            }
            _ => FileKind::Unknown,
        }
    }

    /// What is known about it.
    pub fn metadata(&self) -> Result<Metadata, Error> {
        match &*self.0 {
            OutputKind::Handle(handle) | OutputKind::Terminal(Terminal { handle, .. }) => {
                handle.metadata()
            }
            _ => Ok(Metadata::of_kind(FileKind::Unknown)),
        }
    }

    /// The descriptor to wait for; none if a write never waits.
    pub(crate) fn waits_on(&self) -> Option<BorrowedFd<'_>> {
        match &*self.0 {
            OutputKind::Handle(handle) if handle.kind == HandleKind::Regular => None,
            OutputKind::Handle(handle) | OutputKind::Terminal(Terminal { handle, .. }) => {
                Some(handle.as_fd())
            }
            _ => None,
        }
    }
}

/// Writes all of it: what the filter made of a guest's bytes cannot be given back in part.
fn write_all(handle: &Handle, bytes: &[u8], interrupt: &Interrupt) -> Result<(), Error> {
    let wait = Wait { blocking: true, interrupt: &interrupt.patient() };
    let mut rest = bytes;
    while !rest.is_empty() {
        let piece = rest.get(..rest.len().min(PIPE_BUF)).unwrap_or(rest);
        let written = handle.insist(wait, Interest::Write, || rustix::io::write(handle, piece))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

impl Terminal {
    fn write(&self, buffers: &[IoSlice<'_>], wait: Wait<'_>) -> Result<usize, Error> {
        self.handle.ready(wait, Interest::Write)?;
        let mut filtering = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        let Filtering { filter, scratch } = &mut *filtering;
        scratch.clear();
        let mut taken = 0usize;
        for buffer in buffers {
            let room = PIPE_BUF.saturating_sub(taken).min(buffer.len());
            filter.filter(buffer.get(..room).unwrap_or_default(), scratch);
            taken = taken.saturating_add(room);
        }
        write_all(&self.handle, scratch, wait.interrupt)?;
        Ok(taken)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut rest = Vec::new();
        self.filter.get_mut().unwrap_or_else(PoisonError::into_inner).filter.finish(&mut rest);
        // Nobody is left to tell about a failure.
        let _ = write_all(&self.handle, &rest, &Interrupt::default());
    }
}
