//! The other side of a connection resets it, in each state that a socket can be in: the guest is told once,
//! nobody waits for ever, and what is left can be used for nothing and dropped in any order.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::tcp::{self, ShutdownType, This};
use super::tests::{address, network, v4, wait_for, world};
use super::*;
use crate::host::net::TcpSocket;
use crate::p2::poll::{self, Pollable};
use crate::p2::streams::{self, StreamError};
use crate::p2::{InputStream, OutputStream};

/// Closes a connection with a reset.
fn reset(stream: TcpStream) {
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// A guest that is connected to the test.
struct Connected {
    ctx: WasiCtx,
    socket: This,
    input: Resource<InputStream>,
    output: Resource<OutputStream>,
    peer: Option<TcpStream>,
}

fn connected() -> Connected {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut ctx = world(&format!("tcp://{to}"), "");
    let (network, socket) = (network(&mut ctx), v4(&mut ctx));
    tcp::start_connect(&mut ctx, (socket, network, to.into())).unwrap().unwrap();
    let peer = Some(listener.accept().unwrap().0);
    wait_for(&mut ctx, socket);
    let (input, output) = tcp::finish_connect(&mut ctx, (socket,)).unwrap().unwrap();
    Connected { ctx, socket, input, output, peer }
}

/// A guest that takes connections, and where.
fn listening() -> (WasiCtx, This, SocketAddr) {
    let mut ctx = world("", "tcp://127.0.0.1:0");
    let (network, socket) = (network(&mut ctx), v4(&mut ctx));
    tcp::start_bind(&mut ctx, (socket, network, address("127.0.0.1:0"))).unwrap().unwrap();
    for step in [TcpSocket::finish_bind, TcpSocket::start_listen, TcpSocket::finish_listen] {
        tcp::on_mut(&mut ctx, (socket,), step).unwrap().unwrap();
    }
    let at = ctx.p2.table.get(socket).unwrap().local_address().unwrap();
    (ctx, socket, at)
}

/// Fails unless an error of a stream is that of a reset connection.
fn assert_reset(ctx: &mut WasiCtx, error: StreamError) {
    let StreamError::LastOperationFailed(error) = error else { panic!("{error:?}") };
    assert_eq!(error_code(ctx, (error,)).unwrap(), Some(ErrorCode::ConnectionReset));
    ctx.p2.table.remove(error).unwrap();
}

/// Reads to the end; how many bytes came before it.
fn read_all(ctx: &mut WasiCtx, input: Resource<InputStream>) -> (usize, StreamError) {
    let mut came = 0;
    loop {
        match streams::read(ctx, (input, 1 << 20), true).unwrap() {
            Ok(bytes) => came += bytes.len(),
            Err(error) => return (came, error),
        }
    }
}

fn wait_for_stream(ctx: &mut WasiCtx, input: Resource<InputStream>) {
    let pollable = Pollable::subscribe(&mut ctx.p2.table, input).unwrap();
    poll::block(ctx, (pollable,)).unwrap();
    ctx.p2.table.remove(pollable).unwrap();
}

impl Connected {
    fn reset(&mut self) {
        reset(self.peer.take().unwrap());
        wait_for_stream(&mut self.ctx, self.input);
    }

    /// Whatever a guest may still try fails or does nothing, and everything can be dropped.
    fn is_over(mut self) {
        let ctx = &mut self.ctx;
        for _ in 0..2 {
            let read = streams::read(ctx, (self.input, 10), true).unwrap();
            assert!(matches!(read, Err(StreamError::Closed)), "{read:?}");
            let write = streams::blocking_write_and_flush(ctx, (self.output, vec![1])).unwrap();
            assert!(write.is_err());
        }
        for which in [ShutdownType::Receive, ShutdownType::Send, ShutdownType::Both] {
            tcp::shutdown(ctx, (self.socket, which)).unwrap().unwrap();
        }
        let socket = ctx.p2.table.get(self.socket).unwrap();
        assert!(socket.local_address().is_ok());
        assert!(socket.remote_address().is_err());
        let _ = (socket.keep_alive().unwrap().enabled(), socket.options().unwrap().hop_limit());
        let pollables = [
            Pollable::subscribe(&mut ctx.p2.table, self.socket).unwrap(),
            Pollable::subscribe(&mut ctx.p2.table, self.input).unwrap(),
            Pollable::subscribe(&mut ctx.p2.table, self.output).unwrap(),
        ];
        ctx.p2.table.remove(self.socket).unwrap();
        for pollable in pollables {
            poll::block(ctx, (pollable,)).unwrap();
        }
        ctx.p2.table.remove(self.input).unwrap();
        ctx.p2.table.remove(self.output).unwrap();
        pollables.into_iter().for_each(|pollable| ctx.p2.table.remove(pollable).unwrap());
    }
}

#[test]
fn while_bound() {
    let mut ctx = world("", "tcp://127.0.0.1:0");
    let (network, socket) = (network(&mut ctx), v4(&mut ctx));
    tcp::start_bind(&mut ctx, (socket, network, address("127.0.0.1:0"))).unwrap().unwrap();
    let refused = |ctx: &mut WasiCtx| {
        let at = ctx.p2.table.get(socket).unwrap().local_address().unwrap();
        assert!(TcpStream::connect(at).is_err(), "nobody listens");
    };
    tcp::on_mut(&mut ctx, (socket,), TcpSocket::finish_bind).unwrap().unwrap();
    refused(&mut ctx);
    tcp::on_mut(&mut ctx, (socket,), TcpSocket::start_listen).unwrap().unwrap();
    tcp::on_mut(&mut ctx, (socket,), TcpSocket::finish_listen).unwrap().unwrap();
    assert_eq!(tcp::accept(&mut ctx, (socket,)).unwrap().err(), Some(ErrorCode::WouldBlock));
}

#[test]
fn before_it_is_accepted() {
    let (mut ctx, listener, at) = listening();
    let mut early = TcpStream::connect(at).unwrap();
    early.write_all(b"lost").unwrap();
    reset(early);
    reset(TcpStream::connect(at).unwrap());
    let mut last = TcpStream::connect(at).unwrap();
    last.write_all(b"here").unwrap();
    // The system hands out those that are gone too, or leaves them out.
    loop {
        wait_for(&mut ctx, listener);
        let (_, input, _) = match tcp::accept(&mut ctx, (listener,)).unwrap() {
            Ok(accepted) => accepted,
            Err(error) => {
                assert_eq!(error, ErrorCode::ConnectionAborted);
                continue;
            }
        };
        match streams::read(&mut ctx, (input, 10), true).unwrap() {
            Ok(bytes) if bytes == b"here" => return,
            Ok(bytes) => {
                assert_eq!(bytes, b"lost");
                let (_, error) = read_all(&mut ctx, input);
                assert_reset(&mut ctx, error);
            }
            Err(error) => assert_reset(&mut ctx, error),
        }
    }
}

#[test]
fn while_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let mut ctx = world(&format!("tcp://{to}"), "");
    let (network, socket) = (network(&mut ctx), v4(&mut ctx));
    tcp::start_connect(&mut ctx, (socket, network, to.into())).unwrap().unwrap();
    reset(listener.accept().unwrap().0);
    wait_for(&mut ctx, socket);
    let failed = tcp::finish_connect(&mut ctx, (socket,)).unwrap().err();
    assert_eq!(failed, Some(ErrorCode::ConnectionReset));
    let again = tcp::finish_connect(&mut ctx, (socket,)).unwrap().err();
    assert_eq!(again, Some(ErrorCode::NotInProgress));
    wait_for(&mut ctx, socket);
    for which in [ShutdownType::Receive, ShutdownType::Send, ShutdownType::Both] {
        let state = tcp::shutdown(&mut ctx, (socket, which)).unwrap();
        assert_eq!(state, Err(ErrorCode::InvalidState));
    }
    let again = tcp::start_connect(&mut ctx, (socket, network, to.into())).unwrap();
    assert_eq!(again, Err(ErrorCode::InvalidState));
    assert!(ctx.p2.table.get(socket).unwrap().options().is_err());
    ctx.p2.table.remove(socket).unwrap();
}

#[test]
fn with_nothing_unread() {
    let mut all = connected();
    all.reset();
    let (came, error) = read_all(&mut all.ctx, all.input);
    assert_eq!(came, 0);
    assert_reset(&mut all.ctx, error);
    all.is_over();
}

#[test]
fn with_unread_data() {
    let mut all = connected();
    all.peer.as_mut().unwrap().write_all(&[7; 10_000]).unwrap();
    wait_for_stream(&mut all.ctx, all.input);
    all.reset();
    // What came before may be there still.
    let (came, error) = read_all(&mut all.ctx, all.input);
    assert!(came == 0 || came == 10_000, "{came}");
    assert_reset(&mut all.ctx, error);
    all.is_over();
}

/// Writes without waiting until nothing more is permitted, nor is after a while.
fn fill(ctx: &mut WasiCtx, output: Resource<OutputStream>) {
    let mut refused = 0;
    while refused < 5 {
        match streams::check_write(ctx, (output,)).unwrap().unwrap() {
            0 => {
                thread::sleep(Duration::from_millis(5));
                refused += 1;
            }
            permit => {
                refused = 0;
                let bytes = vec![0; usize::try_from(permit).unwrap()];
                streams::write(ctx, (output, bytes)).unwrap().unwrap();
            }
        }
    }
}

#[test]
fn with_a_blocked_write() {
    let mut all = connected();
    fill(&mut all.ctx, all.output);
    let pollable = Pollable::subscribe(&mut all.ctx.p2.table, all.output).unwrap();
    assert!(!poll::ready(&mut all.ctx, (pollable,)).unwrap());
    let peer = all.peer.take().unwrap();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        reset(peer);
    });
    poll::block(&mut all.ctx, (pollable,)).unwrap();
    late.join().unwrap();
    all.ctx.p2.table.remove(pollable).unwrap();
    // That it can be written to is all the system says, until somebody does.
    let error = loop {
        let permit = match streams::check_write(&mut all.ctx, (all.output,)).unwrap() {
            Ok(permit) => permit,
            Err(error) => break error,
        };
        let bytes = vec![0; usize::try_from(permit.min(1)).unwrap()];
        if let Err(error) = streams::write(&mut all.ctx, (all.output, bytes)).unwrap() {
            break error;
        }
    };
    assert_reset(&mut all.ctx, error);
    let (_, error) = read_all(&mut all.ctx, all.input);
    // The system tells of it once.
    assert!(matches!(error, StreamError::Closed), "{error:?}");
    all.is_over();
}

#[test]
fn while_a_write_waits() {
    let mut all = connected();
    fill(&mut all.ctx, all.output);
    let peer = all.peer.take().unwrap();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        reset(peer);
    });
    // There is room for some, even where the system says that there is none.
    let error = loop {
        let bytes = vec![1; 4096];
        let written = streams::blocking_write_and_flush(&mut all.ctx, (all.output, bytes)).unwrap();
        if let Err(error) = written {
            break error;
        }
    };
    assert_reset(&mut all.ctx, error);
    late.join().unwrap();
    let (_, error) = read_all(&mut all.ctx, all.input);
    assert!(matches!(error, StreamError::Closed), "{error:?}");
    all.is_over();
}

#[test]
fn while_a_read_waits() {
    let mut all = connected();
    let peer = all.peer.take().unwrap();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        reset(peer);
    });
    let (came, error) = read_all(&mut all.ctx, all.input);
    late.join().unwrap();
    assert_eq!(came, 0);
    assert_reset(&mut all.ctx, error);
    all.is_over();
}

#[test]
fn after_either_direction_was_ended() {
    for which in [ShutdownType::Receive, ShutdownType::Send, ShutdownType::Both] {
        let mut all = connected();
        tcp::shutdown(&mut all.ctx, (all.socket, which)).unwrap().unwrap();
        all.reset();
        let (came, error) = read_all(&mut all.ctx, all.input);
        assert_eq!(came, 0);
        match which {
            ShutdownType::Send => assert_reset(&mut all.ctx, error),
            _ => assert!(matches!(error, StreamError::Closed), "{which:?}: {error:?}"),
        }
        all.is_over();
    }
}
