//! `wasi:sockets/udp` and `udp-create-socket`: datagrams.

use std::result;

use dunlin_component::{ComponentType, Resource};
use dunlin_engine::{Result, Trap};

use super::types::{ErrorCode, IpAddressFamily, IpSocketAddress};
use super::{DefaultNetwork, Told};
use crate::WasiCtx;
use crate::host::net::{Awaits, DATAGRAM_MAX, Options, UdpSocket};
use crate::host::{Error, Interest, Wait};
use crate::p2::error::told;
use crate::p2::poll::Pollable;
use crate::p2::{Get, ResourceTable, Wasi};

/// How many datagrams one call sends or receives.
const BATCH: u64 = 16;

/// A `udp-socket`.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) socket: UdpSocket,
    /// How often streams were made of it: those made last work.
    streams: u64,
}

/// An `incoming-datagram-stream`.
#[derive(Debug)]
pub(super) struct Incoming {
    socket: This,
    stream: u64,
}

/// An `outgoing-datagram-stream`.
#[derive(Debug)]
pub(super) struct Outgoing {
    socket: This,
    stream: u64,
    /// How many datagrams the guest may send without asking.
    permit: u64,
}

pub(super) type This = Resource<Socket>;

/// A datagram that came.
#[derive(ComponentType, Clone, Debug)]
pub(super) struct IncomingDatagram {
    pub(super) data: Vec<u8>,
    pub(super) remote_address: IpSocketAddress,
}

/// A datagram to send.
#[derive(ComponentType, Clone, Debug)]
pub(super) struct OutgoingDatagram {
    pub(super) data: Vec<u8>,
    pub(super) remote_address: Option<IpSocketAddress>,
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("sockets", "udp-create-socket")?.func("create-udp-socket", create)?;
    wasi.interface("sockets", "udp")?
        .resource::<Socket>("udp-socket")?
        .resource::<Incoming>("incoming-datagram-stream")?
        .resource::<Outgoing>("outgoing-datagram-stream")?
        .func("[method]udp-socket.start-bind", start_bind)?
        .func("[method]udp-socket.finish-bind", |ctx, (this,): (This,)| {
            told(ctx.p2.table.get_mut(this)?.socket.finish_bind()) as Told<()>
        })?
        .func("[method]udp-socket.stream", stream)?
        .func("[method]udp-socket.local-address", |ctx, p| {
            on(ctx, p, |this| Ok(IpSocketAddress::from(this.local_address()?)))
        })?
        .func("[method]udp-socket.remote-address", |ctx, p| {
            on(ctx, p, |this| Ok(IpSocketAddress::from(this.remote_address()?)))
        })?
        .func("[method]udp-socket.address-family", |ctx, (this,): (This,)| {
            Ok(IpAddressFamily::from(ctx.p2.table.get(this)?.socket.family()))
        })?
        .func("[method]udp-socket.unicast-hop-limit", |ctx, p| {
            option(ctx, p, |all| all.hop_limit())
        })?
        .func("[method]udp-socket.set-unicast-hop-limit", |ctx, (this, hops): (This, u8)| {
            option(ctx, (this,), |all| all.set_hop_limit(hops))
        })?
        .func("[method]udp-socket.receive-buffer-size", |ctx, p| {
            option(ctx, p, |all| all.receive_buffer_size())
        })?
        .func("[method]udp-socket.set-receive-buffer-size", |ctx, (this, size): (This, u64)| {
            option(ctx, (this,), |all| all.set_receive_buffer_size(size))
        })?
        .func("[method]udp-socket.send-buffer-size", |ctx, p| {
            option(ctx, p, |all| all.send_buffer_size())
        })?
        .func("[method]udp-socket.set-send-buffer-size", |ctx, (this, size): (This, u64)| {
            option(ctx, (this,), |all| all.set_send_buffer_size(size))
        })?
        .func("[method]udp-socket.subscribe", |ctx, (this,): (This,)| {
            // Nothing that it begins goes on for a while.
            Pollable::subscribe_through(&mut ctx.p2.table, this, |_, _| Ok(Awaits::Nothing))
        })?
        .func("[method]incoming-datagram-stream.receive", receive)?
        .func("[method]incoming-datagram-stream.subscribe", subscribe_incoming)?
        .func("[method]outgoing-datagram-stream.check-send", check_send)?
        .func("[method]outgoing-datagram-stream.send", send)?
        .func("[method]outgoing-datagram-stream.subscribe", subscribe_outgoing)?;
    Ok(())
}

pub(super) fn subscribe_incoming(
    ctx: &mut WasiCtx,
    (this,): (Resource<Incoming>,),
) -> Result<Resource<Pollable>> {
    Pollable::subscribe_through(&mut ctx.p2.table, this, |table, rep| {
        let this = table.get(Resource::<Incoming>::new_borrow(rep))?;
        awaits(table, this.socket, Interest::Read)
    })
}

fn subscribe_outgoing(
    ctx: &mut WasiCtx,
    (this,): (Resource<Outgoing>,),
) -> Result<Resource<Pollable>> {
    Pollable::subscribe_through(&mut ctx.p2.table, this, |table, rep| {
        let this = table.get(Resource::<Outgoing>::new_borrow(rep))?;
        awaits(table, this.socket, Interest::Write)
    })
}

fn awaits(table: &ResourceTable, socket: This, interest: Interest) -> Result<Awaits<'_>> {
    Ok(Awaits::Fd(table.get(socket)?.socket.fd(), interest))
}

/// Does something with a socket.
fn on<V>(
    ctx: &WasiCtx,
    (this,): (This,),
    act: impl FnOnce(&UdpSocket) -> result::Result<V, Error>,
) -> Told<V> {
    told(act(&ctx.p2.table.get(this)?.socket))
}

/// Reads or sets one of the options that all sockets have.
fn option<V>(
    ctx: &WasiCtx,
    this: (This,),
    act: impl FnOnce(Options<'_>) -> result::Result<V, Error>,
) -> Told<V> {
    on(ctx, this, |this| act(this.options()))
}

pub(super) fn create(ctx: &mut WasiCtx, (family,): (IpAddressFamily,)) -> Told<This> {
    match told(ctx.realm.network.udp_socket(family.into()))? {
        Ok(socket) => ctx.p2.table.push(Socket { socket, streams: 0 }, 0).map(Ok),
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn start_bind(
    ctx: &mut WasiCtx,
    (this, _, address): (This, Resource<DefaultNetwork>, IpSocketAddress),
) -> Told<()> {
    told(ctx.p2.table.get_mut(this)?.socket.start_bind(address.into()))
}

pub(super) fn stream(
    ctx: &mut WasiCtx,
    (this, peer): (This, Option<IpSocketAddress>),
) -> Told<(Resource<Incoming>, Resource<Outgoing>)> {
    let entry = ctx.p2.table.get_mut(this)?;
    let mut associate = || {
        let socket = &mut entry.socket;
        if !socket.is_bound() {
            return Err(Error::InvalidState);
        }
        match peer {
            Some(peer) => socket.connect(peer.into()),
            None if socket.remote_address().is_ok() => socket.disconnect(),
            None => Ok(()),
        }
    };
    if let Err(code) = told(associate())? {
        return Ok(Err(code));
    }
    entry.streams = entry.streams.saturating_add(1);
    let stream = entry.streams;
    let table = &mut ctx.p2.table;
    let incoming = table.push_child(Incoming { socket: this, stream }, this)?;
    let outgoing = table.push_child(Outgoing { socket: this, stream, permit: 0 }, this)?;
    Ok(Ok((incoming, outgoing)))
}

/// The socket of a stream, if that still works.
fn socket(table: &mut ResourceTable, socket: This, stream: u64) -> Told<&mut UdpSocket> {
    let entry = table.get_mut(socket)?;
    if entry.streams != stream {
        return Ok(Err(ErrorCode::InvalidState));
    }
    Ok(Ok(&mut entry.socket))
}

pub(super) fn receive(
    ctx: &mut WasiCtx,
    (this, most): (Resource<Incoming>, u64),
) -> Told<Vec<IncomingDatagram>> {
    let most = most.min(BATCH);
    ctx.p2.table.afford(most.saturating_add(1).saturating_mul(DATAGRAM_MAX as u64))?;
    let &Incoming { socket: from, stream } = ctx.p2.table.get(this)?;
    let socket = match socket(&mut ctx.p2.table, from, stream)? {
        Ok(socket) => socket,
        Err(code) => return Ok(Err(code)),
    };
    let wait = Wait { blocking: false, interrupt: &ctx.interrupt };
    let mut buffer = vec![0; if most > 0 { DATAGRAM_MAX } else { 0 }];
    let mut found = Vec::new();
    while (found.len() as u64) < most {
        match socket.receive(&mut buffer, wait) {
            Ok((length, from)) => found.push(IncomingDatagram {
                data: buffer.get(..length).unwrap_or_default().to_vec(),
                remote_address: from.into(),
            }),
            Err(Error::Again) => break,
            Err(_) if !found.is_empty() => break,
            Err(error) => return told(Err(error)),
        }
    }
    Ok(Ok(found))
}

pub(super) fn check_send(ctx: &mut WasiCtx, (this,): (Resource<Outgoing>,)) -> Told<u64> {
    let &Outgoing { socket: to, stream, .. } = ctx.p2.table.get(this)?;
    let ready = match socket(&mut ctx.p2.table, to, stream)? {
        Ok(socket) => told(socket.is_writable())?,
        Err(code) => Err(code),
    };
    let permit = ready.map(|ready| if ready { BATCH } else { 0 });
    ctx.p2.table.get_mut(this)?.permit = permit.unwrap_or(0);
    Ok(permit)
}

pub(super) fn send(
    ctx: &mut WasiCtx,
    (this, datagrams): (Resource<Outgoing>, Vec<OutgoingDatagram>),
) -> Told<u64> {
    let outgoing = ctx.p2.table.get_mut(this)?;
    let &mut Outgoing { socket: to, stream, permit } = outgoing;
    match permit.checked_sub(datagrams.len() as u64) {
        Some(left) => outgoing.permit = left,
        None => {
            let count = datagrams.len();
            return Err(dunlin_engine::Error::trap_because(
                Trap::Component,
                format!(
                    "cannot send {count} datagrams to a stream that permitted {permit}: \
                     `check-send` comes first"
                ),
            ));
        }
    }
    let socket = match socket(&mut ctx.p2.table, to, stream)? {
        Ok(socket) => socket,
        Err(code) => return Ok(Err(code)),
    };
    let wait = Wait { blocking: false, interrupt: &ctx.interrupt };
    let mut sent = 0u64;
    for datagram in &datagrams {
        let to = datagram.remote_address.map(Into::into);
        match socket.send(&datagram.data, to, wait) {
            Ok(()) => sent = sent.saturating_add(1),
            Err(Error::Again) => break,
            Err(_) if sent > 0 => break,
            Err(error) => return told(Err(error)),
        }
    }
    Ok(Ok(sent))
}
