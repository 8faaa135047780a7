//! Connections a guest makes and takes: a socket of its own from its making to its end.
//!
//! The states are those of the operational semantics of WASI's TCP sockets. Binding and listening never wait
//! here, but have a start and a finish all the same, because a guest may ask for them in two steps.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, bind, connect, getpeername, getsockname, listen, sockopt};

use super::address::{Scope, scope};
use super::gate::{Network, Operation, Place};
use super::options::{self, Family, KeepAlive, Options};
use super::rule::Protocol;
use super::{Listener, Stream};
use crate::host::poll::{Interest, Wait};
use crate::host::{Error, Interrupt};

/// How many connections wait to be taken, unless the guest says otherwise, and at most.
const BACKLOG: i32 = 128;
const BACKLOG_MAX: i32 = 4096;

/// A TCP socket.
#[derive(Debug)]
pub struct TcpSocket {
    network: Network,
    family: Family,
    backlog: i32,
    state: State,
}

#[derive(Debug)]
enum State {
    Unbound(Socket),
    /// Bound, and the guest has not heard of it.
    Binding(Socket, SocketAddr),
    /// Bound to the address that was asked for.
    Bound(Socket, SocketAddr),
    /// Listening, and the guest has not heard of it.
    Opening(Taking),
    Listening(Taking),
    Connecting(Socket),
    Connected(Arc<Stream>),
    /// A connection failed. What is left is to drop the socket.
    Closed,
}

/// A descriptor with its place among those a guest may have.
#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    place: Place,
}

/// A listener with its place.
#[derive(Debug)]
struct Taking {
    listener: Listener,
    _place: Place,
}

/// What has to happen before the next step of a socket can be made.
#[derive(Clone, Copy, Debug)]
pub enum Awaits<'a> {
    /// Nothing.
    Nothing,
    /// The descriptor becomes ready.
    Fd(BorrowedFd<'a>, Interest),
}

impl Network {
    /// Makes a TCP socket. That alone takes no grant.
    pub fn tcp_socket(&self, family: Family) -> Result<TcpSocket, Error> {
        let place = self.place()?;
        let fd = options::open(Protocol::Tcp, family)?;
        let state = State::Unbound(Socket { fd, place });
        Ok(TcpSocket { network: self.clone(), family, backlog: BACKLOG, state })
    }
}

impl TcpSocket {
    /// Which addresses it has.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Begins to give it an address.
    pub fn start_bind(&mut self, address: SocketAddr) -> Result<(), Error> {
        let State::Unbound(socket) = &self.state else { return Err(Error::InvalidState) };
        check_local(self.family, address)?;
        self.network.ask(Operation::Bind { protocol: Protocol::Tcp, address })?;
        // A connection closed a minute ago must not keep a server from its port.
        sockopt::set_socket_reuseaddr(&socket.fd, true)?;
        bound(&socket.fd, address)?;
        self.state = match self.take() {
            State::Unbound(socket) => State::Binding(socket, address),
            state => state,
        };
        Ok(())
    }

    /// Ends [`TcpSocket::start_bind`].
    pub fn finish_bind(&mut self) -> Result<(), Error> {
        self.finish(|state| match state {
            State::Binding(socket, address) => Ok(State::Bound(socket, address)),
            state => Err(state),
        })
    }

    /// Begins to take connections. The socket has to be bound.
    pub fn start_listen(&mut self) -> Result<(), Error> {
        let State::Bound(socket, address) = &self.state else { return Err(Error::InvalidState) };
        self.network.ask(Operation::Listen { address: *address })?;
        let listening = listen(&socket.fd, self.backlog);
        let state = self.take();
        listening?;
        self.state = match state {
            State::Bound(Socket { fd, place }, _) => {
                State::Opening(Taking { listener: Listener(fd), _place: place })
            }
            state => state,
        };
        Ok(())
    }

    /// Ends [`TcpSocket::start_listen`].
    pub fn finish_listen(&mut self) -> Result<(), Error> {
        self.finish(|state| match state {
            State::Opening(taking) => Ok(State::Listening(taking)),
            state => Err(state),
        })
    }

    /// Begins to connect. A socket whose connection could not be begun is of no further use, unless the
    /// address was none to connect to or not granted.
    pub fn start_connect(&mut self, to: SocketAddr) -> Result<(), Error> {
        let (State::Unbound(socket) | State::Bound(socket, _)) = &self.state else {
            return Err(Error::InvalidState);
        };
        check_peer(self.family, to, Protocol::Tcp)?;
        self.network.ask(Operation::Connect { protocol: Protocol::Tcp, to })?;
        let connecting = loop {
            match connect(&socket.fd, &to) {
                Err(Errno::INTR) => {}
                result => break result,
            }
        };
        let state = self.take();
        match connecting {
            Ok(()) | Err(Errno::INPROGRESS | Errno::ALREADY | Errno::ISCONN) => {}
            // All ports are taken: the socket would have been bound by the way.
            Err(Errno::ADDRNOTAVAIL | Errno::AGAIN) => return Err(Error::AddressInUse),
            Err(errno) => return Err(errno.into()),
        }
        self.state = match state {
            State::Unbound(socket) | State::Bound(socket, _) => State::Connecting(socket),
            state => state,
        };
        Ok(())
    }

    /// Ends [`TcpSocket::start_connect`], or waits for the end, or fails with [`Error::Again`].
    pub fn finish_connect(&mut self, wait: Wait<'_>) -> Result<Arc<Stream>, Error> {
        let State::Connecting(socket) = &self.state else { return Err(Error::NotInProgress) };
        wait.ready(socket.fd.as_fd(), Interest::Write)?;
        let result = sockopt::socket_error(&socket.fd)?;
        let State::Connecting(socket) = self.take() else { return Err(Error::NotInProgress) };
        result?;
        let stream = Arc::new(Stream::of_guest(socket.fd, socket.place));
        self.state = State::Connected(Arc::clone(&stream));
        Ok(stream)
    }

    /// Takes the next connection, or waits for one, or fails with [`Error::Again`].
    pub fn accept(&mut self, wait: Wait<'_>) -> Result<(TcpSocket, Arc<Stream>), Error> {
        let State::Listening(taking) = &self.state else { return Err(Error::InvalidState) };
        let place = self.network.place()?;
        let Stream { fd, .. } = taking.listener.accept(wait)?;
        let stream = Arc::new(Stream::of_guest(fd, place));
        let state = State::Connected(Arc::clone(&stream));
        let (network, family) = (self.network.clone(), self.family);
        Ok((TcpSocket { network, family, backlog: BACKLOG, state }, stream))
    }

    /// The address the socket has on this side.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        match &self.state {
            State::Unbound(_) | State::Binding(..) | State::Closed => Err(Error::InvalidState),
            _ => socket_address(getsockname(self.fd()?)?),
        }
    }

    /// The address of the other side.
    pub fn remote_address(&self) -> Result<SocketAddr, Error> {
        match &self.state {
            State::Connected(stream) => match getpeername(stream.fd())? {
                Some(address) => socket_address(address),
                None => Err(Error::NotConnected),
            },
            _ => Err(Error::InvalidState),
        }
    }

    /// Whether it takes connections.
    pub fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    /// Whether it has an address, by which way ever.
    pub fn is_bound(&self) -> bool {
        !matches!(self.state, State::Unbound(_) | State::Binding(..) | State::Closed)
    }

    /// Sets how many connections wait to be taken, roughly.
    pub fn set_backlog(&mut self, size: u64) -> Result<(), Error> {
        if size == 0 {
            return Err(Error::Invalid);
        }
        let size = i32::try_from(size).unwrap_or(BACKLOG_MAX).min(BACKLOG_MAX);
        match &self.state {
            State::Connecting(_) | State::Connected(_) | State::Closed => {
                return Err(Error::InvalidState);
            }
            State::Opening(taking) | State::Listening(taking) => {
                listen(taking.listener.fd(), size)?
            }
            State::Unbound(_) | State::Binding(..) | State::Bound(..) => {}
        }
        self.backlog = size;
        Ok(())
    }

    /// Options that all sockets have.
    pub fn options(&self) -> Result<Options<'_>, Error> {
        Ok(Options { fd: self.fd()?, family: self.family })
    }

    /// How the connection is kept alive.
    pub fn keep_alive(&self) -> Result<KeepAlive<'_>, Error> {
        Ok(KeepAlive(self.fd()?))
    }

    /// Ends one direction or both. What was received and not read is gone with the direction it came by.
    /// Doing so again is not an error.
    pub fn shutdown(&self, receive: bool, send: bool) -> Result<(), Error> {
        let State::Connected(stream) = &self.state else { return Err(Error::InvalidState) };
        if receive {
            stream.discard();
        }
        match stream.shutdown(receive, send) {
            // The other side was faster.
            Err(Error::NotConnected) => Ok(()),
            result => result,
        }
    }

    /// What has to happen before an operation that failed with [`Error::Again`] is worth another try.
    pub fn awaits(&self) -> Awaits<'_> {
        match &self.state {
            State::Connecting(socket) => Awaits::Fd(socket.fd.as_fd(), Interest::Write),
            State::Listening(taking) => Awaits::Fd(taking.listener.fd(), Interest::Read),
            _ => Awaits::Nothing,
        }
    }

    /// Whether an operation that failed with [`Error::Again`] is worth another try.
    pub fn is_ready(&self) -> Result<bool, Error> {
        let Awaits::Fd(fd, interest) = self.awaits() else { return Ok(true) };
        let wait = Wait { blocking: false, interrupt: &Interrupt::default() };
        match wait.ready(fd, interest) {
            Ok(()) => Ok(true),
            Err(Error::Again) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Error> {
        match &self.state {
            State::Unbound(socket)
            | State::Binding(socket, _)
            | State::Bound(socket, _)
            | State::Connecting(socket) => Ok(socket.fd.as_fd()),
            State::Opening(taking) | State::Listening(taking) => Ok(taking.listener.fd()),
            State::Connected(stream) => Ok(stream.fd()),
            State::Closed => Err(Error::InvalidState),
        }
    }

    /// Takes the state out, so that what follows from it is its only owner.
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }

    /// Goes on to the state after one that was started.
    fn finish(&mut self, next: impl FnOnce(State) -> Result<State, State>) -> Result<(), Error> {
        let (state, result) = match next(self.take()) {
            Ok(state) => (state, Ok(())),
            Err(state) => (state, Err(Error::NotInProgress)),
        };
        self.state = state;
        result
    }
}

/// Fails for what is no address of a socket of this machine.
pub(super) fn check_local(family: Family, address: SocketAddr) -> Result<(), Error> {
    let multi = matches!(scope(address.ip()), Scope::Multicast | Scope::Broadcast);
    if multi { Err(Error::Invalid) } else { check_family(family, address) }
}

/// Fails for what is no address of somebody else's socket.
pub(super) fn check_peer(family: Family, to: SocketAddr, by: Protocol) -> Result<(), Error> {
    check_family(family, to)?;
    let multi = matches!(scope(to.ip()), Scope::Multicast | Scope::Broadcast);
    if to.ip().is_unspecified() || to.port() == 0 || (multi && by == Protocol::Tcp) {
        return Err(Error::Invalid);
    }
    Ok(())
}

/// Fails for an address of the other family, or one of this family that stands for the other.
fn check_family(family: Family, address: SocketAddr) -> Result<(), Error> {
    let fits = match address.ip() {
        IpAddr::V4(_) => family == Family::V4,
        // Also `::1.2.3.4`, which is long out of use; `::` and `::1` are not of that sort.
        IpAddr::V6(ip) => {
            let is_compatible = ip.to_ipv4().is_some() && !ip.is_unspecified() && !ip.is_loopback();
            family == Family::V6 && !is_compatible
        }
    };
    if fits { Ok(()) } else { Err(Error::Invalid) }
}

/// Binds, with the errors of binding.
pub(super) fn bound(fd: &OwnedFd, address: SocketAddr) -> Result<(), Error> {
    match bind(fd, &address) {
        // The system has no ports left to pick from.
        Err(Errno::NOBUFS) => Err(Error::AddressInUse),
        result => Ok(result?),
    }
}

/// An address of the system as one of the internet.
pub(super) fn socket_address(address: SocketAddrAny) -> Result<SocketAddr, Error> {
    SocketAddr::try_from(address).map_err(|_| Error::NotSupported)
}
