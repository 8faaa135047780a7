//! `wasi:sockets`: connections, datagrams and names, as far as the network is granted.

mod names;
mod tcp;
mod types;
mod udp;

use std::result;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::error::{IoError, Origin};
use super::{Get, Wasi};
use crate::WasiCtx;
use types::ErrorCode;

/// What a call gives: a value, an error code, or the guest's end.
type Told<V> = Result<result::Result<V, ErrorCode>>;

/// A `network`: the one of the guest. What of it is granted is known elsewhere.
#[derive(Debug)]
struct DefaultNetwork;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("sockets", "network")?
        .resource::<DefaultNetwork>("network")?
        .func("network-error-code", error_code)?;
    wasi.interface("sockets", "instance-network")?
        .func("instance-network", |ctx, ()| ctx.p2.table.push(DefaultNetwork, 0))?;
    names::add(wasi)?;
    tcp::add(wasi)?;
    udp::add(wasi)
}

fn error_code(ctx: &mut WasiCtx, (error,): (Resource<IoError>,)) -> Result<Option<ErrorCode>> {
    let error = ctx.p2.table.get(error)?;
    Ok((error.of == Origin::Network).then(|| error.error.into()))
}

#[cfg(test)]
mod resets;
#[cfg(test)]
mod tests;
