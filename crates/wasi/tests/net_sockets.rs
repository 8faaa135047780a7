//! Sockets a guest makes itself, over the loopback interface: states, grants, options, limits.

use std::io::{IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::net::{
    Awaits, DATAGRAM_MAX, Family, Lookup, Name, NetGrants, Network, Resolver, TcpSocket, UdpSocket,
};
use dunlin_wasi::host::{Error, Event, Interrupt, Observer, Receive, Stream, Verdict, Wait};

fn network(net: &str, listen: &str) -> Network {
    Network::new(grants(net, listen))
}

fn grants(net: &str, listen: &str) -> NetGrants {
    let net = net.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    let listen = listen.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    NetGrants { net, listen, ..NetGrants::default() }
}

fn ip(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Waits as long as it takes, which on this interface is not long.
fn patiently<T>(call: impl FnOnce(Wait<'_>) -> T) -> T {
    call(Wait { blocking: true, interrupt: &Interrupt::default() })
}

fn at_once<T>(call: impl FnOnce(Wait<'_>) -> T) -> T {
    call(Wait { blocking: false, interrupt: &Interrupt::default() })
}

fn bind(socket: &mut TcpSocket, address: &str) -> Result<SocketAddr, Error> {
    socket.start_bind(ip(address))?;
    socket.finish_bind()?;
    socket.local_address()
}

fn listening(network: &Network, family: Family, address: &str) -> (TcpSocket, SocketAddr) {
    let mut socket = network.tcp_socket(family).unwrap();
    let address = bind(&mut socket, address).unwrap();
    socket.start_listen().unwrap();
    socket.finish_listen().unwrap();
    (socket, address)
}

fn connected(network: &Network, to: SocketAddr) -> (TcpSocket, Arc<Stream>) {
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let mut socket = network.tcp_socket(family).unwrap();
    socket.start_connect(to).unwrap();
    let stream = patiently(|wait| socket.finish_connect(wait)).unwrap();
    (socket, stream)
}

fn send(stream: &Stream, bytes: &[u8]) {
    let sent = patiently(|wait| stream.send(&[IoSlice::new(bytes)], wait));
    assert_eq!(sent, Ok(bytes.len()));
}

fn receive(stream: &Stream) -> Result<Vec<u8>, Error> {
    let mut buffer = vec![0; 64];
    let got = patiently(|wait| stream.receive(&mut buffer, Receive::default(), wait))?;
    buffer.truncate(got);
    Ok(buffer)
}

#[test]
fn a_conversation() {
    for (family, any) in [(Family::V4, "127.0.0.1:0"), (Family::V6, "[::1]:0")] {
        let network = network("tcp://localhost:*", "tcp://localhost:0");
        let (mut server, address) = listening(&network, family, any);
        assert!(server.is_listening() && address.port() != 0);
        assert_eq!(at_once(|wait| server.accept(wait)).err(), Some(Error::Again));
        assert!(matches!(server.awaits(), Awaits::Fd(..)));
        assert_eq!(server.is_ready(), Ok(false));

        let (client, near) = connected(&network, address);
        let (peer, far) = patiently(|wait| server.accept(wait)).unwrap();
        assert_eq!(client.remote_address(), Ok(address));
        assert_eq!(peer.remote_address(), client.local_address());
        assert_eq!(peer.local_address(), Ok(address));
        assert_eq!((client.family(), peer.family()), (family, family));

        send(&near, b"question");
        assert_eq!(receive(&far), Ok(b"question".into()));
        send(&far, b"answer");
        assert_eq!(receive(&near), Ok(b"answer".into()));

        client.shutdown(false, true).unwrap();
        assert_eq!(receive(&far), Ok(vec![]), "the end of the stream");
        send(&far, b"still there");
        assert_eq!(receive(&near), Ok(b"still there".into()));
        for _ in 0..2 {
            assert_eq!(client.shutdown(true, true), Ok(()), "again is no error");
            assert_eq!(peer.shutdown(true, true), Ok(()));
        }
        let sent = at_once(|wait| near.send(&[IoSlice::new(b"x")], wait));
        assert_eq!(sent, Err(Error::Pipe));
    }
}

/// What was received before the direction was closed is gone.
#[test]
fn closing_discards() {
    let network = network("tcp://localhost:*", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, near) = connected(&network, listener.local_addr().unwrap());
    let (mut far, _) = listener.accept().unwrap();
    far.write_all(b"too late").unwrap();
    let mut buffer = [0; 8];
    let peek = Receive { peek: true, all: false };
    patiently(|wait| near.receive(&mut buffer, peek, wait)).unwrap();
    client.shutdown(true, false).unwrap();
    assert_eq!(receive(&near), Ok(vec![]));
    send(&near, b"hello");
    drop((client, near));
    let mut heard = Vec::new();
    // The end may come as a reset, because there was something nobody read.
    let _ = far.read_to_end(&mut heard);
}

#[test]
fn each_operation_in_each_state() {
    type Op = fn(&mut TcpSocket, SocketAddr) -> Result<(), Error>;
    const OPS: &[(&str, Op)] = &[
        ("start_bind", |s, _| s.start_bind(ip("127.0.0.1:0"))),
        ("finish_bind", |s, _| s.finish_bind()),
        ("start_listen", |s, _| s.start_listen()),
        ("finish_listen", |s, _| s.finish_listen()),
        ("start_connect", |s, to| s.start_connect(to)),
        ("finish_connect", |s, _| patiently(|wait| s.finish_connect(wait)).map(drop)),
        ("accept", |s, _| at_once(|wait| s.accept(wait)).map(drop)),
        ("shutdown", |s, _| s.shutdown(true, true)),
        ("local_address", |s, _| s.local_address().map(drop)),
        ("remote_address", |s, _| s.remote_address().map(drop)),
        ("set_backlog", |s, _| s.set_backlog(5)),
        ("options", |s, _| s.options().map(drop)),
    ];
    let states: &[(&str, &[&str], &[&str])] = &[
        ("unbound", &[], &["start_bind", "start_connect", "set_backlog", "options"]),
        ("binding", &["start_bind"], &["finish_bind", "set_backlog", "options"]),
        (
            "bound",
            &["start_bind", "finish_bind"],
            &["start_listen", "start_connect", "local_address", "set_backlog", "options"],
        ),
        (
            "opening",
            &["start_bind", "finish_bind", "start_listen"],
            &["finish_listen", "local_address", "set_backlog", "options"],
        ),
        (
            "listening",
            &["start_bind", "finish_bind", "start_listen", "finish_listen"],
            &["accept", "local_address", "set_backlog", "options"],
        ),
        ("connecting", &["start_connect"], &["finish_connect", "local_address", "options"]),
        (
            "connected",
            &["start_connect", "finish_connect"],
            &["shutdown", "local_address", "remote_address", "options"],
        ),
    ];
    let network = network("tcp://localhost:*", "tcp://localhost:0");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = target.local_addr().unwrap();
    let op = |name: &str| OPS.iter().find(|(known, _)| *known == name).unwrap().1;
    for (state, way, works) in states {
        for (name, operation) in OPS {
            let mut socket = network.tcp_socket(Family::V4).unwrap();
            for step in *way {
                assert_eq!(op(step)(&mut socket, to), Ok(()), "{state}: {step}");
            }
            let want = match works.contains(name) {
                // Nobody connected.
                true if *name == "accept" => Err(Error::Again),
                true => Ok(()),
                false if name.starts_with("finish") => Err(Error::NotInProgress),
                false => Err(Error::InvalidState),
            };
            assert_eq!(operation(&mut socket, to), want, "{name} when {state}");
            if want.is_err() && !works.is_empty() && !works.contains(name) {
                // A refused operation leaves the socket as it was.
                let next = works[0];
                let result = op(next)(&mut socket, to);
                assert!(
                    matches!(result, Ok(()) | Err(Error::Again)),
                    "{next} after {name}, {state}"
                );
            }
        }
    }
}

#[test]
fn addresses_that_are_none() {
    let network = network("tcp://0.0.0.0/0:* tcp://[::]/0:*", "tcp://*:*");
    for (family, to) in [
        (Family::V4, "0.0.0.0:80"),
        (Family::V6, "[::]:80"),
        (Family::V4, "127.0.0.1:0"),
        (Family::V4, "224.0.0.1:80"),
        (Family::V4, "255.255.255.255:80"),
        (Family::V6, "[ff02::1]:80"),
        (Family::V4, "[::1]:80"),
        (Family::V6, "127.0.0.1:80"),
        (Family::V6, "[::ffff:127.0.0.1]:80"),
        (Family::V6, "[::127.0.0.1]:80"),
    ] {
        let mut socket = network.tcp_socket(family).unwrap();
        assert_eq!(socket.start_connect(ip(to)), Err(Error::Invalid), "{to}");
    }
    for (family, at) in [
        (Family::V4, "[::1]:0"),
        (Family::V6, "127.0.0.1:0"),
        (Family::V6, "[::ffff:127.0.0.1]:0"),
        (Family::V4, "224.0.0.1:0"),
        (Family::V4, "255.255.255.255:0"),
        (Family::V6, "[ff02::1]:0"),
    ] {
        let mut tcp = network.tcp_socket(family).unwrap();
        assert_eq!(tcp.start_bind(ip(at)), Err(Error::Invalid), "{at}");
        let mut udp = network.udp_socket(family).unwrap();
        assert_eq!(udp.start_bind(ip(at)), Err(Error::Invalid), "{at}");
    }
    let mut socket = network.tcp_socket(Family::V4).unwrap();
    assert_eq!(socket.start_bind(ip("203.0.113.7:0")), Err(Error::AddressUnavailable));
    assert!(bind(&mut socket, "127.0.0.1:0").is_ok(), "another try after a failed one");

    // No IPv6 socket takes IPv4 connections.
    let (_server, address) = listening(&network, Family::V6, "[::]:0");
    assert!(TcpStream::connect(("127.0.0.1", address.port())).is_err());
    assert!(TcpStream::connect(("::1", address.port())).is_ok());
}

#[test]
fn nothing_without_a_grant() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let to = listener.local_addr().unwrap();
    let none = network("", "");
    let mut socket = none.tcp_socket(Family::V4).unwrap();
    assert_eq!(socket.start_connect(to), Err(Error::Access));
    assert_eq!(socket.start_bind(ip("127.0.0.1:0")), Err(Error::Access));
    assert_eq!(socket.local_address(), Err(Error::InvalidState));
    let heard = listener.accept().unwrap_err();
    assert_eq!(heard.kind(), std::io::ErrorKind::WouldBlock, "nothing was sent");
    let texts: Vec<String> = none.denials().list().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            format!(
                "the guest was denied `tcp://{to}`: it is a loopback address; grant it with `--allow-net tcp://{to}`"
            ),
            "the guest was denied `tcp://127.0.0.1:0`: a socket that only sends needs an address to send to granted \
             instead; grant it with `--allow-listen tcp://127.0.0.1:0`"
                .into(),
        ]
    );

    // To connect is not to listen: the address is one of its own, but nobody may come to it.
    let client = network("tcp://localhost:*", "");
    let mut socket = client.tcp_socket(Family::V4).unwrap();
    let address = bind(&mut socket, "127.0.0.1:0").unwrap();
    assert_eq!(socket.start_listen(), Err(Error::Access));
    assert!(TcpStream::connect(address).is_err());
    // Nor does it take away that it can connect.
    socket.start_connect(to).unwrap();
    patiently(|wait| socket.finish_connect(wait)).unwrap();
    assert_eq!(socket.local_address(), Ok(address));
}

#[test]
fn connections_that_fail() {
    let network = network("tcp://localhost:*", "");
    // A port that was just free.
    let to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut socket = network.tcp_socket(Family::V4).unwrap();
    socket.start_connect(to).unwrap();
    let failed = patiently(|wait| socket.finish_connect(wait)).err();
    assert_eq!(failed, Some(Error::ConnectionRefused));
    assert_eq!(socket.start_connect(to), Err(Error::InvalidState), "it is of no further use");
    assert_eq!(socket.options().err(), Some(Error::InvalidState));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, near) = connected(&network, listener.local_addr().unwrap());
    let (far, _) = listener.accept().unwrap();
    rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
    drop(far);
    assert_eq!(receive(&near), Err(Error::ConnectionReset));
    assert_eq!(receive(&near), Ok(vec![]));
    assert_eq!(client.shutdown(true, true), Ok(()));
    assert_eq!(client.remote_address(), Err(Error::NotConnected));
}

#[test]
fn options() {
    let network = network("tcp://localhost:* udp://localhost:*", "tcp://localhost:0");
    for (family, any) in [(Family::V4, "127.0.0.1:0"), (Family::V6, "[::1]:0")] {
        let (mut server, address) = listening(&network, family, any);
        let keep = server.keep_alive().unwrap();
        assert_eq!(keep.enabled(), Ok(false));
        keep.set_enabled(true).unwrap();
        keep.set_idle_time(Duration::from_millis(41_001)).unwrap();
        keep.set_interval(Duration::from_nanos(1)).unwrap();
        keep.set_count(7).unwrap();
        assert_eq!(keep.set_idle_time(Duration::ZERO), Err(Error::Invalid));
        assert_eq!(keep.set_interval(Duration::ZERO), Err(Error::Invalid));
        assert_eq!(keep.set_count(0), Err(Error::Invalid));
        let options = server.options().unwrap();
        options.set_hop_limit(42).unwrap();
        assert_eq!(options.set_hop_limit(0), Err(Error::Invalid));
        options.set_receive_buffer_size(20_000).unwrap();
        options.set_send_buffer_size(30_000).unwrap();
        assert_eq!(options.set_receive_buffer_size(0), Err(Error::Invalid));
        assert_eq!(options.set_send_buffer_size(0), Err(Error::Invalid));
        assert_eq!(server.set_backlog(0), Err(Error::Invalid));
        server.set_backlog(u64::MAX).unwrap();

        // What the listener has, its connections have.
        let _client = connected(&network, address);
        let (peer, _stream) = patiently(|wait| server.accept(wait)).unwrap();
        let (keep, options) = (peer.keep_alive().unwrap(), peer.options().unwrap());
        assert_eq!(keep.enabled(), Ok(true));
        assert_eq!(keep.idle_time(), Ok(Duration::from_secs(42)));
        assert_eq!(keep.interval(), Ok(Duration::from_secs(1)));
        assert_eq!(keep.count(), Ok(7));
        assert_eq!(options.hop_limit(), Ok(42));
        assert_eq!(options.receive_buffer_size(), Ok(20_000));
        assert_eq!(options.send_buffer_size(), Ok(30_000));

        // No other value is an error.
        let udp = network.udp_socket(family).unwrap();
        for options in [options, udp.options()] {
            for size in [1, u64::from(u32::MAX), u64::MAX] {
                assert_eq!(options.set_receive_buffer_size(size), Ok(()), "{size}");
                assert_eq!(options.set_send_buffer_size(size), Ok(()), "{size}");
            }
            assert!(options.receive_buffer_size().unwrap() > 0);
            options.set_hop_limit(255).unwrap();
            assert_eq!(options.hop_limit(), Ok(255));
        }
        keep.set_idle_time(Duration::MAX).unwrap();
        keep.set_interval(Duration::MAX).unwrap();
        keep.set_count(u32::MAX).unwrap();
    }
}

/// A socket counts until the last of what it was made of is gone.
#[test]
fn there_is_a_limit() {
    let limited =
        NetGrants { sockets_max: Some(3), ..grants("tcp://localhost:*", "tcp://localhost:0") };
    let network = Network::new(limited);
    let (mut server, address) = listening(&network, Family::V4, "127.0.0.1:0");
    let (client, near) = connected(&network, address);
    let (peer, far) = patiently(|wait| server.accept(wait)).unwrap();
    assert_eq!(network.udp_socket(Family::V4).err(), Some(Error::TableFull));
    assert_eq!(network.tcp_socket(Family::V4).err(), Some(Error::TableFull));
    let more = TcpStream::connect(address).unwrap();
    assert_eq!(at_once(|wait| server.accept(wait)).err(), Some(Error::TableFull));
    drop(client);
    assert_eq!(network.udp_socket(Family::V4).err(), Some(Error::TableFull), "its stream is there");
    drop(near);
    let udp = network.udp_socket(Family::V4).unwrap();
    assert_eq!(network.udp_socket(Family::V4).err(), Some(Error::TableFull));
    drop((udp, peer, far));
    assert!(patiently(|wait| server.accept(wait)).is_ok(), "the connection has waited");
    drop(more);
    for _ in 0..10_000 {
        network.tcp_socket(Family::V6).unwrap();
    }
}

fn udp(network: &Network, address: &str) -> (UdpSocket, SocketAddr) {
    let mut socket = network.udp_socket(Family::V4).unwrap();
    socket.start_bind(ip(address)).unwrap();
    assert_eq!(socket.local_address(), Err(Error::InvalidState));
    socket.finish_bind().unwrap();
    let address = socket.local_address().unwrap();
    (socket, address)
}

fn take(socket: &mut UdpSocket) -> Result<(Vec<u8>, SocketAddr), Error> {
    let mut buffer = vec![0; DATAGRAM_MAX];
    let (length, from) = at_once(|wait| socket.receive(&mut buffer, wait))?;
    Ok((buffer[..length].to_vec(), from))
}

fn give(socket: &mut UdpSocket, data: &[u8], to: Option<SocketAddr>) -> Result<(), Error> {
    patiently(|wait| socket.send(data, to, wait))
}

#[test]
fn datagrams() {
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let known = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (strange, friend) = (stranger.local_addr().unwrap(), known.local_addr().unwrap());

    // A client hears those it may talk to, and nobody else.
    let client = network(&format!("udp://{friend}"), "");
    let (mut socket, address) = udp(&client, "127.0.0.1:0");
    assert_eq!(take(&mut socket), Err(Error::Again));
    for _ in 0..100 {
        stranger.send_to(b"buy", address).unwrap();
    }
    known.send_to(b"hello", address).unwrap();
    let heard = loop {
        match take(&mut socket) {
            Err(Error::Again) => {}
            heard => break heard,
        }
    };
    assert_eq!(heard, Ok((b"hello".into(), friend)));
    assert_eq!(client.denials().list(), [], "what others do is none of the guest's denials");
    assert_eq!(give(&mut socket, b"x", Some(strange)), Err(Error::Access));
    assert_eq!(give(&mut socket, b"x", None), Err(Error::Invalid));
    assert_eq!(give(&mut socket, b"hi", Some(friend)), Ok(()));
    assert_eq!(give(&mut socket, &[0; DATAGRAM_MAX], Some(friend)), Err(Error::MessageTooLarge));
    assert_eq!(
        give(&mut socket, &[0; DATAGRAM_MAX + 1], Some(friend)),
        Err(Error::MessageTooLarge)
    );

    // Connecting is asked for as well, and holds for what is sent.
    assert_eq!(socket.connect(strange), Err(Error::Access));
    assert_eq!(socket.disconnect(), Err(Error::InvalidState));
    socket.connect(friend).unwrap();
    assert_eq!(socket.remote_address(), Ok(friend));
    assert_eq!(give(&mut socket, b"1", None), Ok(()));
    assert_eq!(give(&mut socket, b"2", Some(friend)), Ok(()));
    assert_eq!(give(&mut socket, b"3", Some(strange)), Err(Error::Invalid));
    socket.disconnect().unwrap();
    assert_eq!(socket.remote_address(), Err(Error::InvalidState));
    assert_eq!(socket.local_address(), Ok(address), "the port stays");
    assert_eq!(give(&mut socket, b"4", None), Err(Error::Invalid));

    // Without an address it gets one, if it may have any.
    let mut socket = client.udp_socket(Family::V4).unwrap();
    assert_eq!(take(&mut socket), Err(Error::InvalidState));
    assert_eq!(give(&mut socket, b"5", Some(friend)), Ok(()));
    assert!(socket.is_bound());
    let mut socket = client.udp_socket(Family::V4).unwrap();
    socket.connect(friend).unwrap();
    assert!(socket.local_address().unwrap().port() != 0);
    let mut socket = network("", "udp://127.0.0.1:9").udp_socket(Family::V4).unwrap();
    assert_eq!(socket.connect(friend), Err(Error::Access));
    assert_eq!(give(&mut socket, b"6", Some(friend)), Err(Error::Access));
    assert!(!socket.is_bound());
}

#[test]
fn a_server_answers() {
    let network = network("", "udp://127.0.0.1:0");
    let (mut server, address) = udp(&network, "127.0.0.1:0");
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let peer = client.local_addr().unwrap();
    assert_eq!(give(&mut server, b"unasked", Some(peer)), Err(Error::Access));
    client.send_to(b"question", address).unwrap();
    let mut buffer = [0; 64];
    let (length, from) = patiently(|wait| server.receive(&mut buffer, wait)).unwrap();
    assert_eq!((&buffer[..length], from), (&b"question"[..], peer));
    assert_eq!(give(&mut server, b"answer", Some(peer)), Ok(()));
    assert_eq!(client.recv(&mut buffer).unwrap(), 6);
    let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(give(&mut server, b"unasked", Some(other)), Err(Error::Access));
    assert_eq!(server.is_writable(), Ok(true));
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        let verdict = if event.verdict == Verdict::Granted { "yes" } else { "no" };
        let rule = event.rule.map(|rule| format!(" by {rule}")).unwrap_or_default();
        let line = format!("{} {}: {verdict}{rule}", event.operation, event.need.kind());
        self.0.lock().unwrap().push(line);
    }
}

/// Each operation asks once, before it happens, and as what it is.
#[test]
fn every_operation_asks() {
    let log = Arc::new(Log::default());
    let net = grants("tcp://localhost:* udp://localhost:*", "tcp://localhost:0 udp://127.0.0.1:0");
    let ctx = WasiCtx::builder().net(net).observer(log.clone()).build().unwrap();
    let network = ctx.network();
    let (mut server, address) = listening(network, Family::V4, "127.0.0.1:0");
    let _client = connected(network, address);
    patiently(|wait| server.accept(wait)).unwrap();
    let (mut one, at) = udp(network, "127.0.0.1:0");
    let mut other = network.udp_socket(Family::V4).unwrap();
    give(&mut other, b"x", Some(at)).unwrap();
    patiently(|wait| one.receive(&mut [0; 8], wait)).unwrap();
    other.connect(at).unwrap();
    give(&mut other, b"y", None).unwrap();
    network.look_up("localhost").unwrap();
    assert_eq!(network.look_up("example.com").err(), Some(Error::Access));
    assert_eq!(
        network.tcp_socket(Family::V4).unwrap().start_connect(ip("10.0.0.1:1")),
        Err(Error::Access)
    );
    let lines = log.0.lock().unwrap().join("\n");
    assert_eq!(
        lines,
        "bind listen: yes by --allow-listen tcp://localhost:0\n\
         listen listen: yes by --allow-listen tcp://localhost:0\n\
         connect connect: yes by --allow-net tcp://localhost:*\n\
         bind listen: yes by --allow-listen udp://127.0.0.1:0\n\
         send connect: yes by --allow-net udp://localhost:*\n\
         bind-to-send listen: yes by --allow-net udp://localhost:*\n\
         connect connect: yes by --allow-net udp://localhost:*\n\
         resolve resolve: yes by --allow-net tcp://localhost:*\n\
         resolve resolve: no\n\
         connect connect: no"
    );
}

/// A name server that answers when it is told to.
#[derive(Debug)]
struct Slow(Mutex<std::sync::mpsc::Receiver<Result<Vec<IpAddr>, Error>>>);

impl Resolver for Slow {
    fn resolve(&self, _: &Name) -> Result<Vec<IpAddr>, Error> {
        self.0.lock().unwrap().recv().unwrap_or(Err(Error::ResolverFailed))
    }
}

#[test]
fn look_ups_do_not_hold_up() {
    let (answer, answers) = std::sync::mpsc::channel();
    let slow = Arc::new(Slow(Mutex::new(answers)));
    let resolve = vec!["*".parse().unwrap()];
    let grants = NetGrants { resolve, ..NetGrants::default() };
    let network = Network::with_resolver(grants, slow);
    let next = |lookup: &mut Lookup| at_once(|wait| lookup.next(wait));

    let mut lookup = network.look_up("a.example").unwrap();
    assert_eq!(next(&mut lookup), Err(Error::Again));
    assert_eq!(next(&mut lookup), Err(Error::Again));
    assert!(lookup.fd().is_some());
    let found: Vec<IpAddr> = vec!["8.8.8.8".parse().unwrap(), "::ffff:8.8.4.4".parse().unwrap()];
    answer.send(Ok(found)).unwrap();
    assert_eq!(patiently(|wait| lookup.next(wait)), Ok(Some("8.8.8.8".parse().unwrap())));
    assert!(lookup.fd().is_none());
    assert_eq!(next(&mut lookup), Ok(Some("8.8.4.4".parse().unwrap())), "never a mapped address");
    assert_eq!(next(&mut lookup), Ok(None));
    assert_eq!(next(&mut lookup), Ok(None));

    for error in [Error::NameUnknown, Error::ResolverBusy, Error::ResolverFailed] {
        let mut lookup = network.look_up("a.example").unwrap();
        answer.send(Err(error)).unwrap();
        assert_eq!(patiently(|wait| lookup.next(wait)), Err(error));
        assert_eq!(next(&mut lookup), Err(error));
    }

    // Addresses are there at once, however many look-ups go on. Dropping one does not free its thread.
    while network.look_up("a.example").is_ok() {}
    assert_eq!(network.look_up("a.example").err(), Some(Error::TableFull));
    let mut lookup = network.look_up("::1").unwrap();
    assert_eq!(next(&mut lookup), Ok(Some("::1".parse().unwrap())));
    drop(answer);
    while network.look_up("a.example").is_err() {
        std::thread::yield_now();
    }
}
