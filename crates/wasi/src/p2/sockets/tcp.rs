//! `wasi:sockets/tcp` and `tcp-create-socket`: connections.

use std::result;
use std::sync::Arc;
use std::time::Duration;

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::Result;

use super::types::{IpAddressFamily, IpSocketAddress};
use super::{DefaultNetwork, Told};
use crate::WasiCtx;
use crate::host::net::{Awaits, KeepAlive, Options, TcpSocket};
use crate::host::{Error, Reader, Stream, Wait, Writer};
use crate::p2::error::told;
use crate::p2::poll::{Pollable, Waits};
use crate::p2::{Get, InputStream, Interface, OutputStream, ResourceTable, Wasi};

pub(super) type This = Resource<TcpSocket>;

/// Which direction is ended.
#[derive(ComponentType, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ShutdownType {
    Receive,
    Send,
    Both,
}

impl Waits for TcpSocket {
    fn awaits(&self) -> Awaits<'_> {
        TcpSocket::awaits(self)
    }
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("sockets", "tcp-create-socket")?.func("create-tcp-socket", create)?;
    let mut tcp = wasi.interface("sockets", "tcp")?;
    tcp.resource::<TcpSocket>("tcp-socket")?
        .func("[method]tcp-socket.start-bind", start_bind)?
        .func("[method]tcp-socket.finish-bind", |ctx, p| on_mut(ctx, p, TcpSocket::finish_bind))?
        .func("[method]tcp-socket.start-connect", start_connect)?
        .func("[method]tcp-socket.finish-connect", finish_connect)?
        .func("[method]tcp-socket.start-listen", |ctx, p| on_mut(ctx, p, TcpSocket::start_listen))?
        .func("[method]tcp-socket.finish-listen", |ctx, p| {
            on_mut(ctx, p, TcpSocket::finish_listen)
        })?
        .func("[method]tcp-socket.accept", accept)?
        .func("[method]tcp-socket.local-address", |ctx, p| {
            on(ctx, p, |this| Ok(IpSocketAddress::from(this.local_address()?)))
        })?
        .func("[method]tcp-socket.remote-address", |ctx, p| {
            on(ctx, p, |this| Ok(IpSocketAddress::from(this.remote_address()?)))
        })?
        .func("[method]tcp-socket.is-listening", |ctx, (this,): (This,)| {
            Ok(ctx.p2.table.get(this)?.is_listening())
        })?
        .func("[method]tcp-socket.address-family", |ctx, (this,): (This,)| {
            Ok(IpAddressFamily::from(ctx.p2.table.get(this)?.family()))
        })?
        .func("[method]tcp-socket.subscribe", |ctx, (this,): (This,)| {
            Pollable::subscribe(&mut ctx.p2.table, this)
        })?
        .func("[method]tcp-socket.shutdown", shutdown)?;
    add_options(&mut tcp)
}

fn add_options<T: 'static, G: Get<T>>(tcp: &mut Interface<'_, T, G>) -> Result<()> {
    tcp.func("[method]tcp-socket.set-listen-backlog-size", |ctx, (this, size): (This, u64)| {
        on_mut(ctx, (this,), |this| this.set_backlog(size))
    })?
    .func("[method]tcp-socket.keep-alive-enabled", |ctx, p| kept(ctx, p, |keep| keep.enabled()))?
    .func("[method]tcp-socket.set-keep-alive-enabled", |ctx, (this, on): (This, bool)| {
        kept(ctx, (this,), |keep| keep.set_enabled(on))
    })?
    .func("[method]tcp-socket.keep-alive-idle-time", |ctx, p| {
        kept(ctx, p, |keep| Ok(nanoseconds(keep.idle_time()?)))
    })?
    .func("[method]tcp-socket.set-keep-alive-idle-time", |ctx, (this, time): (This, u64)| {
        kept(ctx, (this,), |keep| keep.set_idle_time(Duration::from_nanos(time)))
    })?
    .func("[method]tcp-socket.keep-alive-interval", |ctx, p| {
        kept(ctx, p, |keep| Ok(nanoseconds(keep.interval()?)))
    })?
    .func("[method]tcp-socket.set-keep-alive-interval", |ctx, (this, time): (This, u64)| {
        kept(ctx, (this,), |keep| keep.set_interval(Duration::from_nanos(time)))
    })?
    .func("[method]tcp-socket.keep-alive-count", |ctx, p| kept(ctx, p, |keep| keep.count()))?
    .func("[method]tcp-socket.set-keep-alive-count", |ctx, (this, count): (This, u32)| {
        kept(ctx, (this,), |keep| keep.set_count(count))
    })?
    .func("[method]tcp-socket.hop-limit", |ctx, p| option(ctx, p, |all| all.hop_limit()))?
    .func("[method]tcp-socket.set-hop-limit", |ctx, (this, hops): (This, u8)| {
        option(ctx, (this,), |all| all.set_hop_limit(hops))
    })?
    .func("[method]tcp-socket.receive-buffer-size", |ctx, p| {
        option(ctx, p, |all| all.receive_buffer_size())
    })?
    .func("[method]tcp-socket.set-receive-buffer-size", |ctx, (this, size): (This, u64)| {
        option(ctx, (this,), |all| all.set_receive_buffer_size(size))
    })?
    .func("[method]tcp-socket.send-buffer-size", |ctx, p| {
        option(ctx, p, |all| all.send_buffer_size())
    })?
    .func("[method]tcp-socket.set-send-buffer-size", |ctx, (this, size): (This, u64)| {
        option(ctx, (this,), |all| all.set_send_buffer_size(size))
    })?;
    Ok(())
}

/// Does something with a socket.
fn on<V>(
    ctx: &WasiCtx,
    (this,): (This,),
    act: impl FnOnce(&TcpSocket) -> result::Result<V, Error>,
) -> Told<V> {
    told(act(ctx.p2.table.get(this)?))
}

/// Does something with a socket that changes it.
pub(super) fn on_mut<V>(
    ctx: &mut WasiCtx,
    (this,): (This,),
    act: impl FnOnce(&mut TcpSocket) -> result::Result<V, Error>,
) -> Told<V> {
    told(act(ctx.p2.table.get_mut(this)?))
}

/// Reads or sets one of the options that all sockets have.
fn option<V>(
    ctx: &WasiCtx,
    this: (This,),
    act: impl FnOnce(Options<'_>) -> result::Result<V, Error>,
) -> Told<V> {
    on(ctx, this, |this| act(this.options()?))
}

/// Reads or sets how a connection is kept alive.
fn kept<V>(
    ctx: &WasiCtx,
    this: (This,),
    act: impl FnOnce(KeepAlive<'_>) -> result::Result<V, Error>,
) -> Told<V> {
    on(ctx, this, |this| act(this.keep_alive()?))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn create(ctx: &mut WasiCtx, (family,): (IpAddressFamily,)) -> Told<This> {
    match told(ctx.realm.network.tcp_socket(family.into()))? {
        Ok(socket) => ctx.p2.table.push(socket, 0).map(Ok),
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn start_bind(
    ctx: &mut WasiCtx,
    (this, _, address): (This, Resource<DefaultNetwork>, IpSocketAddress),
) -> Told<()> {
    on_mut(ctx, (this,), |this| this.start_bind(address.into()))
}

pub(super) fn start_connect(
    ctx: &mut WasiCtx,
    (this, _, address): (This, Resource<DefaultNetwork>, IpSocketAddress),
) -> Told<()> {
    on_mut(ctx, (this,), |this| this.start_connect(address.into()))
}

/// The two streams of a connection.
type Streams = (Resource<InputStream>, Resource<OutputStream>);

fn streams(table: &mut ResourceTable, stream: Arc<Stream>) -> Result<Streams> {
    let input = table.push(InputStream::new(Reader::Socket(Arc::clone(&stream))), 0)?;
    let output = table.push(OutputStream::new(Writer::Socket(stream)), 0)?;
    Ok((input, output))
}

pub(super) fn finish_connect(ctx: &mut WasiCtx, (this,): (This,)) -> Told<Streams> {
    let wait = Wait { blocking: false, interrupt: &ctx.interrupt };
    match told(ctx.p2.table.get_mut(this)?.finish_connect(wait))? {
        Ok(stream) => streams(&mut ctx.p2.table, stream).map(Ok),
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn accept(
    ctx: &mut WasiCtx,
    (this,): (This,),
) -> Told<(This, Resource<InputStream>, Resource<OutputStream>)> {
    let wait = Wait { blocking: false, interrupt: &ctx.interrupt };
    match told(ctx.p2.table.get_mut(this)?.accept(wait))? {
        Ok((socket, stream)) => {
            let socket = ctx.p2.table.push(socket, 0)?;
            let (input, output) = streams(&mut ctx.p2.table, stream)?;
            Ok(Ok((socket, input, output)))
        }
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn shutdown(ctx: &mut WasiCtx, (this, which): (This, ShutdownType)) -> Told<()> {
    let receive = which != ShutdownType::Send;
    let send = which != ShutdownType::Receive;
    on(ctx, (this,), |this| this.shutdown(receive, send))
}
