//! `wasi:sockets/ip-name-lookup`: addresses of names.

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::types::{ErrorCode, IpAddress};
use super::{DefaultNetwork, Told};
use crate::WasiCtx;
use crate::host::net::{Awaits, Lookup};
use crate::host::{Error, Interest, Wait};
use crate::p2::error::told;
use crate::p2::poll::{Pollable, Waits};
use crate::p2::{Get, Wasi};

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("sockets", "ip-name-lookup")?
        .resource::<Lookup>("resolve-address-stream")?
        .func("resolve-addresses", resolve_addresses)?
        .func("[method]resolve-address-stream.resolve-next-address", resolve_next_address)?
        .func("[method]resolve-address-stream.subscribe", |ctx, (this,): (Resource<Lookup>,)| {
            Pollable::subscribe(&mut ctx.p2.table, this)
        })?;
    Ok(())
}

pub(super) fn resolve_addresses(
    ctx: &mut WasiCtx,
    (_, name): (Resource<DefaultNetwork>, String),
) -> Told<Resource<Lookup>> {
    match told(ctx.realm.network.look_up(&name))? {
        Ok(lookup) => ctx.p2.table.push(lookup, 0).map(Ok),
        // Too many go on at once: some will be over soon.
        Err(ErrorCode::NewSocketLimit) => Ok(Err(ErrorCode::TemporaryResolverFailure)),
        Err(code) => Ok(Err(code)),
    }
}

pub(super) fn resolve_next_address(
    ctx: &mut WasiCtx,
    (this,): (Resource<Lookup>,),
) -> Told<Option<IpAddress>> {
    let wait = Wait { blocking: false, interrupt: &ctx.interrupt };
    let next: Result<_, Error> = ctx.p2.table.get_mut(this)?.next(wait);
    told(next.map(|address| address.map(IpAddress::from)))
}

impl Waits for Lookup {
    fn awaits(&self) -> Awaits<'_> {
        self.fd().map_or(Awaits::Nothing, |fd| Awaits::Fd(fd, Interest::Read))
    }
}
