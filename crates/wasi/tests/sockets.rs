//! Connections of granted listeners and streams, over TCP and over a Unix path.

mod guest;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::Access;
use dunlin_wasi::p1::{Errno, call};
use guest::*;

const SOCKET: u8 = 6;

trait Client: Read + Write {}
impl<T: Read + Write> Client for T {}

fn accept(guest: &mut Guest, fd: u32, flags: u32) -> Res<u32> {
    guest.call(|c, m| call::sock_accept(c, m, fd, flags, OUT))?;
    Ok(guest.u32(OUT))
}

fn recv(guest: &mut Guest, fd: u32, list: &[(u32, u32)], flags: u32) -> Res<u32> {
    let count = guest.iovs(0x2000, list);
    guest.put(OUT + 4, &[0xaa; 4]);
    guest.call(|c, m| call::sock_recv(c, m, fd, 0x2000, count, flags, OUT, OUT + 4))?;
    assert_eq!(guest.bytes(OUT + 4, 4), [0, 0, 0xaa, 0xaa], "no flag ever comes back");
    Ok(guest.u32(OUT))
}

fn send(guest: &mut Guest, fd: u32, bytes: &[u8], flags: u32) -> Res<u32> {
    let len = guest.put(DATA, bytes);
    guest.iovs(0x2000, &[(DATA, len)]);
    guest.call(|c, m| call::sock_send(c, m, fd, 0x2000, 1, flags, OUT))?;
    Ok(guest.u32(OUT))
}

fn shutdown(guest: &mut Guest, fd: u32, how: u32) -> Res<()> {
    guest.call(|c, m| call::sock_shutdown(c, m, fd, how))
}

/// One conversation, whatever the sockets are made of.
fn converse(guest: &mut Guest, mut connect: impl FnMut() -> Box<dyn Client>) {
    // The listener does not wait; the flag given here is that of the new socket.
    assert_eq!(accept(guest, ROOT, 0), Err(Errno::AGAIN));
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, ROOT, 0)).unwrap();
    let mut client = connect();
    let fd = accept(guest, ROOT, 0).unwrap();
    assert_eq!(fd, 4);
    assert_eq!((guest.stat(ROOT).unwrap().kind, guest.stat(fd).unwrap().kind), (SOCKET, SOCKET));

    client.write_all(b"hello").unwrap();
    assert_eq!(recv(guest, fd, &[(DATA, 100)], 1), Ok(5), "a look only");
    assert_eq!(recv(guest, fd, &[(DATA, 2), (DATA + 50, 100)], 0), Ok(5));
    assert_eq!((guest.bytes(DATA, 2), guest.bytes(DATA + 50, 3)), (b"he".into(), b"llo".into()));

    client.write_all(b"123456").unwrap();
    assert_eq!(recv(guest, fd, &[(DATA, 6)], 2), Ok(6));
    assert_eq!(send(guest, fd, b"answer", 0), Ok(6));
    assert_eq!(guest.write(fd, b"!"), Ok(1));
    let mut got = [0; 7];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"answer!");

    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, fd, NONBLOCK)).unwrap();
    assert_eq!(recv(guest, fd, &[(DATA, 1)], 0), Err(Errno::AGAIN));
    assert_eq!(guest.read(fd, 1), Err(Errno::AGAIN));
    let big = vec![7; 500_000];
    let mut sent = 0;
    loop {
        match send(guest, fd, &big, 0) {
            Ok(some) => sent += some as usize,
            Err(errno) => {
                assert_eq!(errno, Errno::AGAIN);
                break;
            }
        }
    }
    let mut all = vec![0; sent];
    client.read_exact(&mut all).unwrap();

    assert_eq!(recv(guest, fd, &[(DATA, 1)], 4), Err(Errno::INVAL));
    assert_eq!(send(guest, fd, b"x", 1), Err(Errno::INVAL));
    assert_eq!(accept(guest, fd, 0), Err(Errno::INVAL));
    assert_eq!(accept(guest, ROOT, 1), Err(Errno::INVAL));
    assert_eq!(guest.seek(fd, 0, 0), Err(Errno::SPIPE));
    assert_eq!(guest.pread(fd, 1, 0), Err(Errno::SPIPE));
    for how in [0, 4, 0x101] {
        assert_eq!(shutdown(guest, fd, how), Err(Errno::INVAL), "{how}");
    }
    assert_eq!(shutdown(guest, fd, 2), Ok(()));
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "the guest will send no more");
    assert_eq!(send(guest, fd, b"x", 0), Err(Errno::PIPE));
    drop(client);
    assert_eq!(guest.read(fd, 10), Ok(Vec::new()));
    let twice = shutdown(guest, fd, 3);
    assert!(matches!(twice, Ok(()) | Err(Errno::NOTCONN)), "{twice:?}");
    assert_eq!(guest.close(fd), Ok(()));
    assert_eq!(recv(guest, fd, &[(DATA, 1)], 0), Err(Errno::BADF));
}

#[test]
fn tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut guest = Guest::new(WasiCtx::builder().listener(listener));
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, ROOT, NONBLOCK)).unwrap();
    converse(&mut guest, || Box::new(TcpStream::connect(addr).unwrap()));
}

#[test]
fn unix() {
    let tree = TempTree::new();
    let path = tree.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut guest = Guest::new(WasiCtx::builder().listener(listener));
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, ROOT, NONBLOCK)).unwrap();
    converse(&mut guest, || Box::new(UnixStream::connect(&path).unwrap()));
}

#[test]
fn a_granted_stream() {
    let (mut mine, yours) = UnixStream::pair().unwrap();
    let mut guest = Guest::new(WasiCtx::builder().stream(yours));
    assert_eq!(guest.write(ROOT, b"hi"), Ok(2));
    let mut got = [0; 2];
    mine.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hi");
    // Waiting for everything, over two buffers and two sends.
    let sending = std::thread::spawn(move || {
        mine.write_all(b"abc").unwrap();
        std::thread::sleep(Duration::from_millis(30));
        mine.write_all(b"defg").unwrap();
        mine
    });
    assert_eq!(recv(&mut guest, ROOT, &[(DATA, 2), (DATA + 50, 5)], 2), Ok(7));
    assert_eq!((guest.bytes(DATA, 2), guest.bytes(DATA + 50, 5)), (b"ab".into(), b"cdefg".into()));
    drop(sending.join().unwrap());
    assert_eq!(recv(&mut guest, ROOT, &[(DATA, 9)], 2), Ok(0));
}

#[test]
fn a_peer_that_resets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut guest = Guest::new(WasiCtx::builder().listener(listener));
    let fd = accept(&mut guest, ROOT, 0).unwrap();
    send(&mut guest, fd, b"unread", 0).unwrap();
    // Unread bytes turn the close into a reset.
    std::thread::sleep(Duration::from_millis(20));
    drop(client);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(recv(&mut guest, fd, &[(DATA, 1)], 0), Err(Errno::CONNRESET));
    assert_eq!(send(&mut guest, fd, b"x", 0), Err(Errno::PIPE));
}

#[test]
fn only_sockets() {
    let tree = TempTree::new();
    let mut guest = Guest::new(
        WasiCtx::builder()
            .dir(tree.path(), "/", Access::ReadWrite)
            .listener(TcpListener::bind("127.0.0.1:0").unwrap()),
    );
    let file = guest.open(ROOT, "f", Open::WRITE.with(CREAT)).unwrap();
    for fd in [0, 1, ROOT, file] {
        assert_eq!(shutdown(&mut guest, fd, 1), Err(Errno::NOTSOCK), "{fd}");
        assert_eq!(accept(&mut guest, fd, 0), Err(Errno::NOTSOCK), "{fd}");
        assert_eq!(recv(&mut guest, fd, &[(DATA, 1)], 0), Err(Errno::NOTSOCK), "{fd}");
        assert_eq!(send(&mut guest, fd, b"x", 0), Err(Errno::NOTSOCK), "{fd}");
    }
    assert_eq!(shutdown(&mut guest, 99, 1), Err(Errno::BADF));
    let listener = ROOT + 1;
    assert_eq!(guest.read(listener, 1), Err(Errno::NOTCONN));
    assert_eq!(guest.write(listener, b"x"), Err(Errno::BADF));
    assert_eq!(send(&mut guest, listener, b"x", 0), Err(Errno::NOTCONN));
}

#[test]
fn no_room_for_another() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut guest = Guest::new(WasiCtx::builder().listener(listener).descriptors_max(5));
    let _clients = [TcpStream::connect(addr).unwrap(), TcpStream::connect(addr).unwrap()];
    let fd = accept(&mut guest, ROOT, 0).unwrap();
    assert_eq!(accept(&mut guest, ROOT, 0), Err(Errno::MFILE));
    // The connection still waits until there is room.
    guest.close(fd).unwrap();
    guest.call(|c, m| call::fd_fdstat_set_flags(c, m, ROOT, NONBLOCK)).unwrap();
    assert_eq!(accept(&mut guest, ROOT, 0), Ok(fd));
}
