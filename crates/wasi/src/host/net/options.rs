//! Options that sockets of both sorts have, as rounding and clamping leave them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};

use super::rule::Protocol;
use crate::host::Error;

/// Which addresses a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6, and nothing else: no socket takes both.
    V6,
}

/// The longest time, in seconds, and the greatest number that Linux takes for keeping connections alive.
const KEEP_ALIVE_SECONDS_MAX: u64 = 32767;
const KEEP_ALIVE_COUNT_MAX: u32 = 127;

/// What buffers are asked for at most; the system has limits of its own below.
const BUFFER_MAX: usize = 1 << 30;

/// Opens a socket that does not block.
pub(super) fn open(protocol: Protocol, family: Family) -> Result<OwnedFd, Error> {
    let domain = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
    };
    let fd = socket_with(domain, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, Some(number))?;
    if family == Family::V6 {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    Ok(fd)
}

/// The options of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub(super) fd: BorrowedFd<'a>,
    pub(super) family: Family,
}

impl Options<'_> {
    /// How many routers a packet passes at most.
    pub fn hop_limit(&self) -> Result<u8, Error> {
        match self.family {
            Family::V4 => u8::try_from(sockopt::ip_ttl(self.fd)?).map_err(|_| Error::Overflow),
            Family::V6 => Ok(sockopt::ipv6_unicast_hops(self.fd)?),
        }
    }

    /// Sets [`Options::hop_limit`], which is not 0.
    pub fn set_hop_limit(&self, hops: u8) -> Result<(), Error> {
        not_zero(hops.into())?;
        match self.family {
            Family::V4 => sockopt::set_ip_ttl(self.fd, hops.into())?,
            Family::V6 => sockopt::set_ipv6_unicast_hops(self.fd, Some(hops))?,
        }
        Ok(())
    }

    /// How many bytes are kept for what was not received yet.
    pub fn receive_buffer_size(&self) -> Result<u64, Error> {
        Ok(as_asked(sockopt::socket_recv_buffer_size(self.fd)?))
    }

    /// Sets [`Options::receive_buffer_size`], roughly.
    pub fn set_receive_buffer_size(&self, bytes: u64) -> Result<(), Error> {
        Ok(sockopt::set_socket_recv_buffer_size(self.fd, buffer(bytes)?)?)
    }

    /// How many bytes are kept for what was not sent yet.
    pub fn send_buffer_size(&self) -> Result<u64, Error> {
        Ok(as_asked(sockopt::socket_send_buffer_size(self.fd)?))
    }

    /// Sets [`Options::send_buffer_size`], roughly.
    pub fn set_send_buffer_size(&self, bytes: u64) -> Result<(), Error> {
        Ok(sockopt::set_socket_send_buffer_size(self.fd, buffer(bytes)?)?)
    }
}

/// The options that connections alone have. Times are rounded up to seconds.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive<'a>(pub(super) BorrowedFd<'a>);

impl KeepAlive<'_> {
    /// Whether an idle connection is probed at all.
    pub fn enabled(&self) -> Result<bool, Error> {
        Ok(sockopt::socket_keepalive(self.0)?)
    }

    /// Sets [`KeepAlive::enabled`].
    pub fn set_enabled(&self, enabled: bool) -> Result<(), Error> {
        Ok(sockopt::set_socket_keepalive(self.0, enabled)?)
    }

    /// How long a connection is idle before the first probe.
    pub fn idle_time(&self) -> Result<Duration, Error> {
        Ok(sockopt::tcp_keepidle(self.0)?)
    }

    /// Sets [`KeepAlive::idle_time`].
    pub fn set_idle_time(&self, time: Duration) -> Result<(), Error> {
        Ok(sockopt::set_tcp_keepidle(self.0, seconds(time)?)?)
    }

    /// How long after a probe the next one is sent.
    pub fn interval(&self) -> Result<Duration, Error> {
        Ok(sockopt::tcp_keepintvl(self.0)?)
    }

    /// Sets [`KeepAlive::interval`].
    pub fn set_interval(&self, time: Duration) -> Result<(), Error> {
        Ok(sockopt::set_tcp_keepintvl(self.0, seconds(time)?)?)
    }

    /// After how many probes without an answer the connection is given up.
    pub fn count(&self) -> Result<u32, Error> {
        Ok(sockopt::tcp_keepcnt(self.0)?)
    }

    /// Sets [`KeepAlive::count`].
    pub fn set_count(&self, count: u32) -> Result<(), Error> {
        not_zero(count.into())?;
        Ok(sockopt::set_tcp_keepcnt(self.0, count.min(KEEP_ALIVE_COUNT_MAX))?)
    }
}

/// The options of a descriptor that something owns.
pub(super) fn options(fd: &impl AsFd, family: Family) -> Options<'_> {
    Options { fd: fd.as_fd(), family }
}

fn not_zero(value: u64) -> Result<(), Error> {
    if value == 0 { Err(Error::Invalid) } else { Ok(()) }
}

fn seconds(time: Duration) -> Result<Duration, Error> {
    not_zero(u64::from(!time.is_zero()))?;
    let up = u64::from(time.subsec_nanos() > 0);
    Ok(Duration::from_secs(time.as_secs().saturating_add(up).min(KEEP_ALIVE_SECONDS_MAX)))
}

fn buffer(bytes: u64) -> Result<usize, Error> {
    not_zero(bytes)?;
    Ok(usize::try_from(bytes).unwrap_or(BUFFER_MAX).min(BUFFER_MAX))
}

/// Linux takes twice of what is asked for, for its own books, and says so.
fn as_asked(bytes: usize) -> u64 {
    (bytes as u64) / 2
}
