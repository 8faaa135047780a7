//! Sockets over the loopback interface, without a guest.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use super::names::{resolve_addresses, resolve_next_address};
use super::tcp::{self, ShutdownType};
use super::types::{IpAddress, IpAddressFamily, IpSocketAddress};
use super::udp::{self, OutgoingDatagram};
use super::*;
use crate::host::NetGrants;
use crate::host::net::TcpSocket;
use crate::p2::poll::{self, Pollable};
use crate::p2::testing::charged;
use crate::p2::{InputStream, OutputStream, streams};

pub(super) fn world(net: &str, listen: &str) -> WasiCtx {
    let net = net.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    let listen = listen.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    let grants = NetGrants { net, listen, ..NetGrants::default() };
    charged(WasiCtx::builder().net(grants), 64 << 20)
}

pub(super) fn network(ctx: &mut WasiCtx) -> Resource<DefaultNetwork> {
    ctx.p2.table.push(DefaultNetwork, 0).unwrap()
}

pub(super) fn address(text: &str) -> IpSocketAddress {
    text.parse::<SocketAddr>().unwrap().into()
}

pub(super) fn v4(ctx: &mut WasiCtx) -> tcp::This {
    tcp::create(ctx, (IpAddressFamily::Ipv4,)).unwrap().unwrap()
}

/// Waits until a socket is ready.
pub(super) fn wait_for(ctx: &mut WasiCtx, socket: tcp::This) {
    let pollable = Pollable::subscribe(&mut ctx.p2.table, socket).unwrap();
    poll::block(ctx, (pollable,)).unwrap();
    ctx.p2.table.remove(pollable).unwrap();
}

fn read(ctx: &mut WasiCtx, stream: Resource<InputStream>) -> Option<Vec<u8>> {
    streams::read(ctx, (stream, 100), true).unwrap().ok()
}

fn write(ctx: &mut WasiCtx, stream: Resource<OutputStream>, bytes: &[u8]) -> bool {
    streams::blocking_write_and_flush(ctx, (stream, bytes.to_vec())).unwrap().is_ok()
}

#[test]
fn a_client_talks() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer).unwrap();
        stream.write_all(&buffer).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let mut ctx = world(&format!("tcp://{to}"), "");
    let network = network(&mut ctx);
    let socket = v4(&mut ctx);
    tcp::start_connect(&mut ctx, (socket, network, to.into())).unwrap().unwrap();
    wait_for(&mut ctx, socket);
    let (input, output) = tcp::finish_connect(&mut ctx, (socket,)).unwrap().unwrap();
    assert!(write(&mut ctx, output, b"hello"));
    assert_eq!(read(&mut ctx, input).unwrap(), b"hello");
    tcp::shutdown(&mut ctx, (socket, ShutdownType::Send)).unwrap().unwrap();
    tcp::shutdown(&mut ctx, (socket, ShutdownType::Send)).unwrap().unwrap();
    assert!(!write(&mut ctx, output, b"more"), "it is closed");
    assert_eq!(echo.join().unwrap(), b"");
    assert_eq!(read(&mut ctx, input), None);
    let again = tcp::start_connect(&mut ctx, (socket, network, to.into())).unwrap();
    assert_eq!(again, Err(ErrorCode::InvalidState));
    // The socket goes first, as far as the guest is concerned.
    ctx.p2.table.remove(socket).unwrap();
    ctx.p2.table.remove(input).unwrap();
    ctx.p2.table.remove(output).unwrap();
}

#[test]
fn a_server_answers() {
    let mut ctx = world("", "tcp://127.0.0.1:0");
    let network = network(&mut ctx);
    let socket = v4(&mut ctx);
    let early = tcp::on_mut(&mut ctx, (socket,), |socket| socket.start_listen()).unwrap();
    assert_eq!(early, Err(ErrorCode::InvalidState));
    tcp::start_bind(&mut ctx, (socket, network, address("127.0.0.1:0"))).unwrap().unwrap();
    for step in [TcpSocket::finish_bind, TcpSocket::start_listen, TcpSocket::finish_listen] {
        tcp::on_mut(&mut ctx, (socket,), step).unwrap().unwrap();
    }
    assert_eq!(tcp::accept(&mut ctx, (socket,)).unwrap().err(), Some(ErrorCode::WouldBlock));
    let at = ctx.p2.table.get(socket).unwrap().local_address().unwrap();
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"question").unwrap();
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).unwrap();
        answer
    });
    wait_for(&mut ctx, socket);
    let (_, input, output) = tcp::accept(&mut ctx, (socket,)).unwrap().unwrap();
    assert_eq!(read(&mut ctx, input).unwrap(), b"question");
    assert!(write(&mut ctx, output, b"answer"));
    assert_eq!(&client.join().unwrap(), b"answer");
}

#[test]
fn what_is_not_granted_is_denied() {
    let mut ctx = world("tcp://127.0.0.1:1", "");
    let network = network(&mut ctx);
    let socket = v4(&mut ctx);
    for to in ["127.0.0.1:2", "169.254.169.254:80", "10.0.0.1:1", "8.8.8.8:53"] {
        let denied = tcp::start_connect(&mut ctx, (socket, network, address(to))).unwrap();
        assert_eq!(denied, Err(ErrorCode::AccessDenied), "{to}");
    }
    for to in ["0.0.0.0:1", "127.0.0.1:0", "255.255.255.255:1", "224.0.0.1:1", "[::1]:1"] {
        let wrong = tcp::start_connect(&mut ctx, (socket, network, address(to))).unwrap();
        assert_eq!(wrong, Err(ErrorCode::InvalidArgument), "{to}");
    }
    let denied = tcp::start_bind(&mut ctx, (socket, network, address("0.0.0.0:8080"))).unwrap();
    assert_eq!(denied, Err(ErrorCode::AccessDenied));
    let denied = resolve_addresses(&mut ctx, (network, "example.com".into())).unwrap();
    assert_eq!(denied.err(), Some(ErrorCode::AccessDenied));
    let wrong = resolve_addresses(&mut ctx, (network, "exa mple".into())).unwrap();
    assert_eq!(wrong.err(), Some(ErrorCode::InvalidArgument));
    assert!(!ctx.denials().list().is_empty());
}

#[test]
fn a_failed_connection_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut ctx = world(&format!("tcp://{free}"), "");
    let network = network(&mut ctx);
    let socket = v4(&mut ctx);
    assert_eq!(
        tcp::finish_connect(&mut ctx, (socket,)).unwrap().err(),
        Some(ErrorCode::NotInProgress)
    );
    tcp::start_connect(&mut ctx, (socket, network, free.into())).unwrap().unwrap();
    wait_for(&mut ctx, socket);
    let refused = tcp::finish_connect(&mut ctx, (socket,)).unwrap().err();
    assert_eq!(refused, Some(ErrorCode::ConnectionRefused));
}

#[test]
fn datagrams_come_and_go() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = peer.local_addr().unwrap();
    let mut ctx = world(&format!("udp://{to}"), "udp://127.0.0.1:0");
    let network = network(&mut ctx);
    let socket = udp::create(&mut ctx, (IpAddressFamily::Ipv4,)).unwrap().unwrap();
    assert_eq!(udp::stream(&mut ctx, (socket, None)).unwrap().err(), Some(ErrorCode::InvalidState));
    udp::start_bind(&mut ctx, (socket, network, address("127.0.0.1:0"))).unwrap().unwrap();
    ctx.p2.table.get_mut(socket).unwrap().socket.finish_bind().unwrap();
    let at = ctx.p2.table.get(socket).unwrap().socket.local_address().unwrap();

    let (old_in, old_out) = udp::stream(&mut ctx, (socket, None)).unwrap().unwrap();
    let (incoming, outgoing) = udp::stream(&mut ctx, (socket, Some(to.into()))).unwrap().unwrap();
    let stale = udp::receive(&mut ctx, (old_in, 1)).unwrap().err();
    assert_eq!(stale, Some(ErrorCode::InvalidState));
    assert_eq!(udp::check_send(&mut ctx, (old_out,)).unwrap(), Err(ErrorCode::InvalidState));

    let datagram = |to| OutgoingDatagram { data: b"ping".to_vec(), remote_address: to };
    let unasked = udp::send(&mut ctx, (outgoing, vec![datagram(None)])).unwrap_err();
    assert!(unasked.trap().is_some());
    let permit = udp::check_send(&mut ctx, (outgoing,)).unwrap().unwrap();
    let wrong = datagram(Some(address("127.0.0.1:9")));
    let sent = udp::send(&mut ctx, (outgoing, vec![wrong])).unwrap();
    assert_eq!(sent, Err(ErrorCode::InvalidArgument));
    let large = OutgoingDatagram { data: vec![0; 70_000], remote_address: None };
    let sent = udp::send(&mut ctx, (outgoing, vec![large])).unwrap();
    assert_eq!(sent, Err(ErrorCode::DatagramTooLarge));
    let two = vec![datagram(None), datagram(Some(to.into()))];
    assert_eq!(udp::send(&mut ctx, (outgoing, two)).unwrap(), Ok(2));
    let too_many = vec![datagram(None); usize::try_from(permit).unwrap()];
    assert!(udp::send(&mut ctx, (outgoing, too_many)).is_err());

    let mut buffer = [0; 16];
    assert_eq!(peer.recv_from(&mut buffer).unwrap(), (4, at));
    assert!(udp::receive(&mut ctx, (incoming, 100)).unwrap().unwrap().is_empty());
    peer.send_to(b"pong", at).unwrap();
    peer.send_to(b"", at).unwrap();
    let mut found = Vec::new();
    while found.len() < 2 {
        let pollable = udp::subscribe_incoming(&mut ctx, (incoming,)).unwrap();
        poll::block(&mut ctx, (pollable,)).unwrap();
        ctx.p2.table.remove(pollable).unwrap();
        found.extend(udp::receive(&mut ctx, (incoming, u64::MAX)).unwrap().unwrap());
    }
    let found: Vec<_> = found.iter().map(|one| (&*one.data, one.remote_address)).collect();
    assert_eq!(found, [(&b"pong"[..], to.into()), (&b""[..], to.into())]);
    assert!(udp::receive(&mut ctx, (incoming, 0)).unwrap().unwrap().is_empty());
    ctx.p2.table.remove(socket).unwrap();
    assert!(udp::receive(&mut ctx, (incoming, 1)).unwrap().unwrap().is_empty());
}

#[test]
fn sockets_are_counted() {
    let grants = NetGrants { sockets_max: Some(3), ..NetGrants::default() };
    let mut ctx = charged(WasiCtx::builder().net(grants), 1 << 20);
    let held: Vec<_> = (0..3).map(|_| v4(&mut ctx)).collect();
    let full = tcp::create(&mut ctx, (IpAddressFamily::Ipv6,)).unwrap();
    assert_eq!(full.err(), Some(ErrorCode::NewSocketLimit));
    let full = udp::create(&mut ctx, (IpAddressFamily::Ipv4,)).unwrap();
    assert_eq!(full.err(), Some(ErrorCode::NewSocketLimit));
    ctx.p2.table.remove(held[1]).unwrap();
    v4(&mut ctx);
}

#[test]
fn an_address_is_its_own_name() {
    let mut ctx = world("", "");
    let network = network(&mut ctx);
    let lookup = resolve_addresses(&mut ctx, (network, "::ffff:1.2.3.4".into())).unwrap().unwrap();
    let next = resolve_next_address(&mut ctx, (lookup,)).unwrap();
    assert_eq!(next, Ok(Some(IpAddress::Ipv4((1, 2, 3, 4)))));
    assert_eq!(resolve_next_address(&mut ctx, (lookup,)).unwrap(), Ok(None));
}

#[test]
fn addresses_there_and_back() {
    for text in ["1.2.3.4:5", "[1:2:3:4:5:6:7:8]:9", "[fe80::1%7]:80"] {
        let address: SocketAddr = text.parse().unwrap();
        assert_eq!(SocketAddr::from(IpSocketAddress::from(address)), address);
    }
}
