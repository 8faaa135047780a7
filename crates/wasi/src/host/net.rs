//! The network: rules for it, the one gate that applies them, and sockets, the embedder's and the guest's.
//!
//! [`Listener`] and [`Stream`] are what every connection is made of, whoever opened it.

mod address;
mod gate;
mod http;
mod lookup;
mod name;
mod names;
mod options;
mod rule;
mod tcp;
mod udp;

use std::io::IoSlice;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketFlags, accept_with, recv, sendmsg,
};

pub use address::{Block, Scope, canonical, scope};
pub use gate::{NetGrants, Network, Operation, SOCKETS_MAX};
pub use http::{Host, HttpRule, HttpTarget, Scheme, TargetError};
pub use lookup::{Lookup, Resolver, SystemResolver};
pub use name::{Name, NameError};
pub use names::{NAMES_MAX, NAMES_TTL};
pub use options::{Family, KeepAlive, Options};
pub use rule::{Hosts, ListenRule, NetRule, Ports, Protocol, ResolveRule, RuleError};
pub use tcp::{Awaits, TcpSocket};
pub use udp::{DATAGRAM_MAX, UdpSocket};

use gate::Place;

use super::Error;
use super::fs::{CHUNK, FileKind, Metadata, uninterrupted};
use super::poll::{Interest, Wait};

/// A socket that takes connections.
///
/// It is set not to block, also for whoever else holds it.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener(listener.into())
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        Listener(listener.into())
    }
}

impl Listener {
    /// Takes the next connection, or waits for one.
    pub fn accept(&self, wait: Wait<'_>) -> Result<Stream, Error> {
        // The kernel has no flag for one call: a connection may be gone again when it is asked.
        rustix::io::ioctl_fionbio(&self.0, true)?;
        loop {
            match uninterrupted(|| accept_with(&self.0, SocketFlags::CLOEXEC)) {
                Ok(fd) => return Ok(Stream::new(fd)),
                Err(Error::Again) if wait.blocking => wait.ready(self.0.as_fd(), Interest::Read)?,
                Err(Error::ConnectionAborted) => wait.interrupt.check()?,
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// What is known about the socket.
    pub fn metadata(&self) -> Metadata {
        Metadata::of_kind(FileKind::StreamSocket)
    }
}

/// A connected socket.
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    /// Whether nothing is to be received any more, not even what is there.
    ended: AtomicBool,
    /// Its place among the sockets of a guest that made it itself.
    _place: Option<Place>,
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream::new(stream.into())
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Stream {
        Stream::new(stream.into())
    }
}

/// How to receive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receive {
    /// Leave what is received in the queue.
    pub peek: bool,
    /// Wait until the whole buffer is full, or the stream at its end.
    pub all: bool,
}

impl Stream {
    fn new(fd: OwnedFd) -> Stream {
        Stream { fd, ended: AtomicBool::new(false), _place: None }
    }

    /// One that counts among the sockets of a guest.
    fn of_guest(fd: OwnedFd, place: Place) -> Stream {
        Stream { _place: Some(place), ..Stream::new(fd) }
    }

    /// Makes what was received and not read disappear, and what comes after it.
    fn discard(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Receives what is there, or waits for something.
    pub fn receive(&self, buffer: &mut [u8], how: Receive, wait: Wait<'_>) -> Result<usize, Error> {
        if self.ended.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let mut flags = RecvFlags::DONTWAIT;
        flags.set(RecvFlags::PEEK, how.peek);
        let all = how.all && wait.blocking && !how.peek;
        let patient = wait.interrupt.patient();
        let mut wait = wait;
        let mut done = 0usize;
        loop {
            let rest = buffer.get_mut(done..).unwrap_or_default();
            let size = rest.len().min(CHUNK);
            let rest = rest.get_mut(..size).unwrap_or_default();
            let got = match uninterrupted(|| recv(&self.fd, &mut *rest, flags)) {
                Ok((_, got)) => got,
                Err(Error::Again) if wait.blocking => {
                    wait.ready(self.fd.as_fd(), Interest::Read)?;
                    continue;
                }
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            };
            done = done.saturating_add(got);
            if !all || got == 0 || done >= buffer.len() {
                return Ok(done);
            }
            wait.interrupt.check()?;
            // What was received cannot be given back to be received again.
            wait.interrupt = &patient;
        }
    }

    /// Sends what there is room for, or waits for room.
    pub fn send(&self, buffers: &[IoSlice<'_>], wait: Wait<'_>) -> Result<usize, Error> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let sent = uninterrupted(|| {
                sendmsg(&self.fd, buffers, &mut SendAncillaryBuffer::default(), flags)
            });
            match sent {
                Err(Error::Again) if wait.blocking => {
                    wait.ready(self.fd.as_fd(), Interest::Write)?
                }
                result => return result,
            }
        }
    }

    /// How many bytes could be received at once.
    pub(crate) fn available(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.fd).unwrap_or(0)
    }

    /// Ends one direction or both.
    pub fn shutdown(&self, receive: bool, send: bool) -> Result<(), Error> {
        let how = match (receive, send) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => return Err(Error::Invalid),
        };
        Ok(rustix::net::shutdown(&self.fd, how)?)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What is known about the socket.
    pub fn metadata(&self) -> Metadata {
        Metadata::of_kind(FileKind::StreamSocket)
    }
}
