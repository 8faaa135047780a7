//! The values of `wasi:sockets/network`, and what they are to the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use dunlin_component::ComponentType;

use crate::host::Error;
use crate::host::net::Family;

/// Why an operation failed.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "the host has no use for some")]
pub(super) enum ErrorCode {
    Unknown,
    AccessDenied,
    NotSupported,
    InvalidArgument,
    OutOfMemory,
    Timeout,
    ConcurrencyConflict,
    NotInProgress,
    WouldBlock,
    InvalidState,
    NewSocketLimit,
    AddressNotBindable,
    AddressInUse,
    RemoteUnreachable,
    ConnectionRefused,
    ConnectionReset,
    ConnectionAborted,
    DatagramTooLarge,
    NameUnresolvable,
    TemporaryResolverFailure,
    PermanentResolverFailure,
}

/// Which addresses a socket has.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IpAddressFamily {
    Ipv4,
    Ipv6,
}

type Ipv4Address = (u8, u8, u8, u8);
type Ipv6Address = (u16, u16, u16, u16, u16, u16, u16, u16);

/// An address.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IpAddress {
    Ipv4(Ipv4Address),
    Ipv6(Ipv6Address),
}

/// An address and a port.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ipv4SocketAddress {
    pub(super) port: u16,
    pub(super) address: Ipv4Address,
}

/// An address and a port, with what else there is in IPv6.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ipv6SocketAddress {
    pub(super) port: u16,
    pub(super) flow_info: u32,
    pub(super) address: Ipv6Address,
    pub(super) scope_id: u32,
}

/// An address and a port.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IpSocketAddress {
    Ipv4(Ipv4SocketAddress),
    Ipv6(Ipv6SocketAddress),
}

impl From<IpAddressFamily> for Family {
    fn from(family: IpAddressFamily) -> Family {
        match family {
            IpAddressFamily::Ipv4 => Family::V4,
            IpAddressFamily::Ipv6 => Family::V6,
        }
    }
}

impl From<Family> for IpAddressFamily {
    fn from(family: Family) -> IpAddressFamily {
        match family {
            Family::V4 => IpAddressFamily::Ipv4,
            Family::V6 => IpAddressFamily::Ipv6,
        }
    }
}

fn v4(address: Ipv4Addr) -> Ipv4Address {
    address.octets().into()
}

fn v6(address: Ipv6Addr) -> Ipv6Address {
    address.segments().into()
}

impl From<IpAddr> for IpAddress {
    fn from(address: IpAddr) -> IpAddress {
        match address {
            IpAddr::V4(address) => IpAddress::Ipv4(v4(address)),
            IpAddr::V6(address) => IpAddress::Ipv6(v6(address)),
        }
    }
}

impl From<SocketAddr> for IpSocketAddress {
    fn from(address: SocketAddr) -> IpSocketAddress {
        match address {
            SocketAddr::V4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: v4(*address.ip()),
            }),
            SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: v6(*address.ip()),
                scope_id: address.scope_id(),
            }),
        }
    }
}

impl From<IpSocketAddress> for SocketAddr {
    fn from(address: IpSocketAddress) -> SocketAddr {
        match address {
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }) => {
                let ip = Ipv4Addr::from(<[u8; 4]>::from(address));
                SocketAddrV4::new(ip, port).into()
            }
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address, scope_id }) => {
                let ip = Ipv6Addr::from(<[u16; 8]>::from(address));
                SocketAddrV6::new(ip, port, flow_info, scope_id).into()
            }
        }
    }
}

impl From<Error> for ErrorCode {
    fn from(error: Error) -> ErrorCode {
        match error {
            Error::Access | Error::NotPermitted | Error::NotCapable => ErrorCode::AccessDenied,
            Error::AddressInUse => ErrorCode::AddressInUse,
            Error::AddressUnavailable => ErrorCode::AddressNotBindable,
            Error::Again => ErrorCode::WouldBlock,
            Error::ConnectionAborted => ErrorCode::ConnectionAborted,
            Error::ConnectionRefused => ErrorCode::ConnectionRefused,
            Error::ConnectionReset => ErrorCode::ConnectionReset,
            Error::Invalid => ErrorCode::InvalidArgument,
            Error::InvalidState | Error::NotConnected => ErrorCode::InvalidState,
            Error::MessageTooLarge => ErrorCode::DatagramTooLarge,
            Error::NameUnknown => ErrorCode::NameUnresolvable,
            Error::NoMemory | Error::NoBuffers => ErrorCode::OutOfMemory,
            Error::NotInProgress => ErrorCode::NotInProgress,
            Error::NotSupported => ErrorCode::NotSupported,
            Error::ResolverBusy => ErrorCode::TemporaryResolverFailure,
            Error::ResolverFailed => ErrorCode::PermanentResolverFailure,
            Error::TableFull | Error::TooManyFiles => ErrorCode::NewSocketLimit,
            Error::TimedOut => ErrorCode::Timeout,
            Error::Unreachable => ErrorCode::RemoteUnreachable,
            _ => ErrorCode::Unknown,
        }
    }
}
