//! Bytes one after the other, from whatever gives them and to whatever takes them.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::io::IoSlice;
use std::sync::Arc;

use super::fs::CHUNK;
use super::net::Awaits;
use super::{Error, File, Input, Interest, Interrupt, Output, Receive, Stream, Wait};

/// What a socket is given at once.
const SOCKET_ROOM: usize = 64 << 10;

/// What is read at once to be thrown away.
const SKIPPED: usize = 16 << 10;

/// Where bytes come from that this crate knows nothing about.
pub trait ByteSource: Debug + Send {
    /// Reads what is there, or waits for something, or fails with [`Error::Again`]; nothing at the end.
    fn read(&mut self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize, Error>;

    /// What to wait for before there is something, or the end. That it has happened may turn out to be
    /// wrong; it is asked again then.
    fn awaits(&self) -> Awaits<'_>;

    /// What is known of an error that it gave.
    fn cause(&self) -> Option<Arc<dyn Cause>>;
}

/// Where bytes go that this crate knows nothing about.
pub trait ByteSink: Debug + Send {
    /// How much a write takes without waiting, or why none takes anything any more.
    fn room(&self) -> Result<usize, Error>;

    /// Writes what there is room for, or waits for room, or fails with [`Error::Again`]. It fails with
    /// [`Error::Pipe`] when nobody takes anything any more.
    fn write(&mut self, bytes: &[u8], wait: Wait<'_>) -> Result<usize, Error>;

    /// What to wait for before there is room. That it has happened may turn out to be wrong.
    fn awaits(&self) -> Awaits<'_>;

    /// What is known of an error that it gave.
    fn cause(&self) -> Option<Arc<dyn Cause>>;
}

/// What is known of an error beside what all errors have.
pub trait Cause: Any + Debug + Display + Send + Sync {}

impl<E: Any + Debug + Display + Send + Sync> Cause for E {}

/// Where bytes come from.
#[derive(Debug)]
pub enum Reader {
    /// Standard input.
    Input(Input),
    /// A file, from a position of its own on.
    File {
        /// The file.
        file: Arc<File>,
        /// The position.
        at: u64,
    },
    /// A connection.
    Socket(Arc<Stream>),
    /// Anything else.
    Other(Box<dyn ByteSource>),
}

impl Reader {
    /// Reads what is there, or waits for something, or fails with [`Error::Again`]; nothing at the end.
    pub fn read(&mut self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize, Error> {
        match self {
            Reader::Input(input) => input.read(buffer, wait),
            Reader::File { file, at } => {
                let got = file.read_at(buffer, *at, wait.interrupt)?;
                *at = at.saturating_add(got as u64);
                Ok(got)
            }
            Reader::Socket(stream) => stream.receive(buffer, Receive::default(), wait),
            Reader::Other(source) => source.read(buffer, wait),
        }
    }

    /// The same without keeping what was read: how much that was.
    pub fn skip(&mut self, length: u64, wait: Wait<'_>) -> Result<u64, Error> {
        if let Reader::File { file, at } = self {
            let skipped = length.min(file.metadata()?.size.saturating_sub(*at));
            *at = at.saturating_add(skipped);
            return Ok(skipped);
        }
        let mut scratch = [0; SKIPPED];
        let size = usize::try_from(length).unwrap_or(SKIPPED).min(SKIPPED);
        Ok(self.read(scratch.get_mut(..size).unwrap_or_default(), wait)? as u64)
    }

    /// How much there is at most, if that can be known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Reader::File { file, at } => Some(file.metadata().ok()?.size.saturating_sub(*at)),
            Reader::Input(_) | Reader::Socket(_) | Reader::Other(_) => None,
        }
    }

    /// What to wait for before there is something, or the end.
    pub fn awaits(&self) -> Awaits<'_> {
        match self {
            Reader::Input(input) => match input.waits_on() {
                Some(fd) => Awaits::Fd(fd, Interest::Read),
                None => Awaits::Nothing,
            },
            Reader::File { .. } => Awaits::Nothing,
            Reader::Socket(stream) => Awaits::Fd(stream.fd(), Interest::Read),
            Reader::Other(source) => source.awaits(),
        }
    }

    /// What was waited for has happened: whether it is so.
    pub(crate) fn is_ready(&self) -> bool {
        !matches!(self, Reader::Other(source) if matches!(source.awaits(), Awaits::Fd(..)))
    }

    /// What is known of an error beside the error.
    pub(crate) fn cause(&self) -> Option<Arc<dyn Cause>> {
        if let Reader::Other(source) = self { source.cause() } else { None }
    }
}

/// Where bytes go.
#[derive(Debug)]
pub enum Writer {
    /// Standard output or error.
    Output(Output),
    /// A file, from a position of its own on.
    File {
        /// The file.
        file: Arc<File>,
        /// The position.
        at: u64,
    },
    /// The end of a file.
    Append(Arc<File>),
    /// A connection.
    Socket(Arc<Stream>),
    /// Anything else.
    Other(Box<dyn ByteSink>),
}

impl Writer {
    /// How much a write takes without waiting, once it is ready for anything at all.
    pub fn room(&self) -> Result<usize, Error> {
        Ok(match self {
            Writer::Output(output) => output.room(),
            Writer::File { .. } | Writer::Append(_) => CHUNK,
            Writer::Socket(_) => SOCKET_ROOM,
            Writer::Other(sink) => sink.room()?,
        })
    }

    /// Writes what there is room for, or waits for room, or fails with [`Error::Again`].
    pub fn write(&mut self, bytes: &[u8], wait: Wait<'_>) -> Result<usize, Error> {
        let buffers = [IoSlice::new(bytes)];
        match self {
            Writer::Output(output) => output.write(&buffers, wait),
            Writer::File { file, at } => {
                wait.interrupt.check()?;
                let done = file.write_at(&buffers, *at)?;
                *at = at.saturating_add(done as u64);
                Ok(done)
            }
            Writer::Append(file) => {
                wait.interrupt.check()?;
                file.append(&buffers)
            }
            Writer::Socket(stream) => stream.send(&buffers, wait),
            Writer::Other(sink) => sink.write(bytes, wait),
        }
    }

    /// What to wait for before there is room.
    pub fn awaits(&self) -> Awaits<'_> {
        match self {
            Writer::Output(output) => match output.waits_on() {
                Some(fd) => Awaits::Fd(fd, Interest::Write),
                None => Awaits::Nothing,
            },
            Writer::File { .. } | Writer::Append(_) => Awaits::Nothing,
            Writer::Socket(stream) => Awaits::Fd(stream.fd(), Interest::Write),
            Writer::Other(sink) => sink.awaits(),
        }
    }

    /// What was waited for has happened: whether it is so.
    pub(crate) fn is_ready(&self) -> bool {
        !matches!(self, Writer::Other(sink) if matches!(sink.awaits(), Awaits::Fd(..)))
    }

    /// What is known of an error beside the error.
    pub(crate) fn cause(&self) -> Option<Arc<dyn Cause>> {
        if let Writer::Other(sink) = self { sink.cause() } else { None }
    }
}

impl Awaits<'_> {
    /// Whether it has happened.
    pub fn is_over(&self) -> Result<bool, Error> {
        let Awaits::Fd(fd, interest) = self else { return Ok(true) };
        let wait = Wait { blocking: false, interrupt: &Interrupt::default() };
        match wait.ready(*fd, *interest) {
            Ok(()) => Ok(true),
            Err(Error::Again) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until it has happened.
    pub fn wait(&self, interrupt: &Interrupt) -> Result<(), Error> {
        match self {
            Awaits::Fd(fd, interest) => Wait { blocking: true, interrupt }.ready(*fd, *interest),
            Awaits::Nothing => Ok(()),
        }
    }
}
