//! Datagrams a guest sends and takes.
//!
//! A socket that nobody was granted to listen on has an address all the same, because whom it sends to has to
//! answer somewhere. It is given datagrams only from those it could send to. A socket that listens takes all, and
//! may answer who was heard.

use std::collections::{HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvFlags, SendFlags, connect, connect_unspec, getsockname, recvfrom, send, sendto,
};

use super::gate::{Ground, Network, Operation, Place};
use super::options::{self, Family, Options};
use super::rule::Protocol;
use super::tcp::{bound, check_local, check_peer, socket_address};
use crate::host::Error;
use crate::host::fs::uninterrupted;
use crate::host::poll::{Interest, Wait};

/// The longest datagram there is.
pub const DATAGRAM_MAX: usize = 65535;

/// How many peers of a socket that listens are remembered, so that they can be answered.
const HEARD_MAX: usize = 1024;

/// How many datagrams that are not for the guest are dropped in one call.
const DROPPED_MAX: usize = 64;

/// A UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    network: Network,
    fd: OwnedFd,
    family: Family,
    state: State,
    peer: Option<SocketAddr>,
    /// Whether it may take datagrams from anybody.
    listens: bool,
    heard: Heard,
    _place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unbound,
    /// Bound, and the guest has not heard of it.
    Binding,
    Bound,
}

/// Who sent something lately.
#[derive(Debug, Default)]
struct Heard {
    peers: HashSet<SocketAddr>,
    order: VecDeque<SocketAddr>,
}

impl Heard {
    fn note(&mut self, peer: SocketAddr) {
        if !self.peers.insert(peer) {
            return;
        }
        self.order.push_back(peer);
        if self.order.len() > HEARD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.peers.remove(&oldest);
        }
    }
}

impl Network {
    /// Makes a UDP socket. That alone takes no grant.
    pub fn udp_socket(&self, family: Family) -> Result<UdpSocket, Error> {
        let place = self.place()?;
        let fd = options::open(Protocol::Udp, family)?;
        Ok(UdpSocket {
            network: self.clone(),
            fd,
            family,
            state: State::Unbound,
            peer: None,
            listens: false,
            heard: Heard::default(),
            _place: place,
        })
    }
}

impl UdpSocket {
    /// Which addresses it has.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Begins to give it an address.
    pub fn start_bind(&mut self, address: SocketAddr) -> Result<(), Error> {
        if self.state != State::Unbound {
            return Err(Error::InvalidState);
        }
        check_local(self.family, address)?;
        let ground = self.network.ask(Operation::Bind { protocol: Protocol::Udp, address })?;
        let listens = matches!(ground, Ground::Listen(_) | Ground::Allowed);
        bound(&self.fd, address)?;
        self.listens = listens;
        self.state = State::Binding;
        Ok(())
    }

    /// Ends [`UdpSocket::start_bind`].
    pub fn finish_bind(&mut self) -> Result<(), Error> {
        if self.state != State::Binding {
            return Err(Error::NotInProgress);
        }
        self.state = State::Bound;
        Ok(())
    }

    /// Whether it has an address.
    pub fn is_bound(&self) -> bool {
        self.state == State::Bound
    }

    /// Gives it an address by the way, where the guest did not.
    fn bind_by_the_way(&mut self) -> Result<(), Error> {
        match self.state {
            State::Bound => Ok(()),
            State::Binding => Err(Error::InvalidState),
            State::Unbound => {
                let any = match self.family {
                    Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                self.start_bind(SocketAddr::new(any, 0))?;
                self.finish_bind()
            }
        }
    }

    /// Sets the one peer the socket has from now on. An unbound socket is bound.
    pub fn connect(&mut self, to: SocketAddr) -> Result<(), Error> {
        check_peer(self.family, to, Protocol::Udp)?;
        self.network.ask(Operation::Connect { protocol: Protocol::Udp, to })?;
        self.bind_by_the_way()?;
        uninterrupted(|| connect(&self.fd, &to))?;
        self.peer = Some(to);
        Ok(())
    }

    /// Lets the socket have any peer again.
    pub fn disconnect(&mut self) -> Result<(), Error> {
        if self.peer.take().is_none() {
            return Err(Error::InvalidState);
        }
        let local = self.local_address()?;
        uninterrupted(|| connect_unspec(&self.fd))?;
        // A port that the system picked is given back with the peer.
        let now = socket_address(getsockname(&self.fd)?)?;
        if now.port() == 0 {
            bound(&self.fd, SocketAddr::new(now.ip(), local.port()))
        } else {
            Ok(())
        }
    }

    /// Sends one datagram, to the peer or to whom is said, or waits for room, or fails with [`Error::Again`].
    /// An unbound socket is bound.
    pub fn send(
        &mut self,
        data: &[u8],
        to: Option<SocketAddr>,
        wait: Wait<'_>,
    ) -> Result<(), Error> {
        let to = match (self.peer, to) {
            (Some(peer), Some(to)) if peer != to => return Err(Error::Invalid),
            (Some(_), _) => None,
            (None, Some(to)) => Some(to),
            (None, None) => return Err(Error::Invalid),
        };
        if data.len() > DATAGRAM_MAX {
            return Err(Error::MessageTooLarge);
        }
        if let Some(to) = to {
            check_peer(self.family, to, Protocol::Udp)?;
            let answers = self.listens && self.heard.peers.contains(&to);
            self.network.ask(Operation::Send { to, answers })?;
            self.bind_by_the_way()?;
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            let sent = uninterrupted(|| match to {
                Some(to) => sendto(&self.fd, data, flags, &to),
                None => send(&self.fd, data, flags),
            });
            match sent {
                Err(Error::Again) if wait.blocking => {
                    wait.ready(self.fd.as_fd(), Interest::Write)?
                }
                result => return result.map(drop),
            }
        }
    }

    /// Receives one datagram, or waits for one, or fails with [`Error::Again`]. Gives how long it is and who
    /// sent it. A buffer of [`DATAGRAM_MAX`] bytes has room for every datagram; what does not fit is lost.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        wait: Wait<'_>,
    ) -> Result<(usize, SocketAddr), Error> {
        if self.state != State::Bound {
            return Err(Error::InvalidState);
        }
        let mut dropped = 0usize;
        loop {
            let got = uninterrupted(|| recvfrom(&self.fd, &mut *buffer, RecvFlags::DONTWAIT));
            let (length, from) = match got {
                Ok((_, length, Some(from))) => (length, socket_address(from)?),
                Ok((_, _, None)) => continue,
                Err(Error::Again) if wait.blocking => {
                    wait.ready(self.fd.as_fd(), Interest::Read)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if self.takes(from) {
                if self.listens {
                    self.heard.note(from);
                }
                return Ok((length, from));
            }
            dropped = dropped.saturating_add(1);
            if dropped >= DROPPED_MAX {
                wait.interrupt.check()?;
                if !wait.blocking {
                    return Err(Error::Again);
                }
                dropped = 0;
            }
        }
    }

    /// Whether a datagram is for the guest.
    fn takes(&self, from: SocketAddr) -> bool {
        match self.peer {
            // It may have come before there was a peer.
            Some(peer) => peer.ip() == from.ip() && peer.port() == from.port(),
            None => self.listens || self.network.ask(Operation::Receive { from }).is_ok(),
        }
    }

    /// The address the socket has on this side.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        match self.state {
            State::Bound => socket_address(getsockname(&self.fd)?),
            _ => Err(Error::InvalidState),
        }
    }

    /// The one peer.
    pub fn remote_address(&self) -> Result<SocketAddr, Error> {
        self.peer.ok_or(Error::InvalidState)
    }

    /// Options that all sockets have.
    pub fn options(&self) -> Options<'_> {
        options::options(&self.fd, self.family)
    }

    /// What becomes readable with a datagram, and writable with room for one.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether there is room to send.
    pub fn is_writable(&self) -> Result<bool, Error> {
        let wait = Wait { blocking: false, interrupt: &crate::host::Interrupt::default() };
        match wait.ready(self.fd.as_fd(), Interest::Write) {
            Ok(()) => Ok(true),
            Err(Error::Again) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heard_is_bounded() {
        let mut heard = Heard::default();
        for port in 1..=3000u16 {
            heard.note(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
            heard.note(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        }
        assert_eq!((heard.peers.len(), heard.order.len()), (HEARD_MAX, HEARD_MAX));
        assert!(heard.peers.contains(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000)));
    }
}
