//! `wasi:http/outgoing-handler`: sending requests that are granted, and waiting for what comes of them.

use std::result;

use dunlin_component::Resource;
use dunlin_engine::Result;
use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::net::{Awaits, HttpTarget};
use dunlin_wasi::p2::{Get, Pollable, Waits, Wasi};
use hyper::Method;
use hyper::http::uri::PathAndQuery;

use super::incoming::{self, IncomingResponse};
use super::outgoing::{OutgoingRequest, RequestOptions};
use super::types::Scheme;
use crate::client::{Exchange, Order, Timeouts};
use crate::error::ErrorCode;
use crate::guest::{Guest, Share};
use crate::limits::EXCHANGE_BYTES;

/// A `future-incoming-response`. If it is dropped, the request is given up.
#[derive(Debug)]
pub(super) struct FutureIncomingResponse(Exchange);

impl Waits for FutureIncomingResponse {
    fn awaits(&self) -> Awaits<'_> {
        self.0.awaits()
    }

    fn advance(&mut self) -> bool {
        matches!(self.awaits(), Awaits::Nothing)
    }
}

pub(super) type Future = Resource<FutureIncomingResponse>;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("http", "types")?
        .resource::<FutureIncomingResponse>("future-incoming-response")?
        .func("[method]future-incoming-response.subscribe", |ctx, (this,): (Future,)| {
            Pollable::subscribe(ctx.table(), this)
        })?
        .func("[method]future-incoming-response.get", get)?;
    wasi.interface("http", "outgoing-handler")?.func("handle", handle)?;
    Ok(())
}

/// Where a request goes and what it asks for there.
fn target(request: &OutgoingRequest) -> result::Result<(HttpTarget, PathAndQuery), ErrorCode> {
    let scheme = request.scheme.as_ref().map_or("https", Scheme::as_str);
    let authority = request.authority.as_deref().ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let path = match request.path.as_deref() {
        None | Some("") => "/".to_owned(),
        Some(path) if path.starts_with('?') => format!("/{path}"),
        Some(path) => path.to_owned(),
    };
    let target = HttpTarget::new(scheme, authority, &path)?;
    // What is sent is what was checked.
    match PathAndQuery::try_from(&*target.path) {
        Ok(path) if path.as_str() == target.path => Ok((target, path)),
        _ => Err(ErrorCode::HttpRequestUriInvalid),
    }
}

pub(super) fn handle(
    ctx: &mut WasiCtx,
    (request, options): (Resource<OutgoingRequest>, Option<Resource<RequestOptions>>),
) -> Result<result::Result<Future, ErrorCode>> {
    let request = ctx.table().take(request)?;
    let timeouts = match options {
        Some(options) => Timeouts::from(ctx.table().take(options)?),
        None => Timeouts::default(),
    };
    match order(ctx, request, timeouts)? {
        Ok(order) => match Exchange::start(order) {
            Ok(exchange) => ctx.table().push(FutureIncomingResponse(exchange), 0).map(Ok),
            Err(code) => Ok(Err(code)),
        },
        Err(code) => Ok(Err(code)),
    }
}

/// Checks a request, asks whether it may be sent, and takes what it needs.
fn order(
    ctx: &mut WasiCtx,
    request: OutgoingRequest,
    timeouts: Timeouts,
) -> Result<result::Result<Order, ErrorCode>> {
    let (target, path) = match target(&request) {
        Ok(target) => target,
        Err(code) => return Ok(Err(code)),
    };
    let method = match request.method.sent() {
        Some(method) if method != Method::CONNECT => method,
        _ => return Ok(Err(ErrorCode::HttpRequestMethodInvalid)),
    };
    match request.headers.content_length() {
        Err(()) => return Ok(Err(ErrorCode::HttpProtocolError)),
        Ok(Some(length)) if length > 0 && request.body.is_none() => {
            return Ok(Err(ErrorCode::HttpRequestBodySize(Some(0))));
        }
        Ok(_) => {}
    }
    if ctx.network().check_http(&target, false).is_err() {
        return Ok(Err(ErrorCode::HttpRequestDenied));
    }
    let guest = ctx.extension::<Guest>()?;
    let Some(place) = guest.open.take() else {
        return Ok(Err(ErrorCode::ConnectionLimitReached));
    };
    let tls = guest.tls.clone();
    let share = Share::take(ctx, EXCHANGE_BYTES)?;
    let (headers, body) = (request.headers.headers(), request.body);
    let network = ctx.network().for_later();
    Ok(Ok(Order { network, tls, target, path, method, headers, body, timeouts, place, share }))
}

/// Perhaps not yet; perhaps no more; perhaps an error.
type Got = Option<result::Result<result::Result<Resource<IncomingResponse>, ErrorCode>, ()>>;

pub(super) fn get(ctx: &mut WasiCtx, (this,): (Future,)) -> Result<Got> {
    Ok(match ctx.table().get(this)?.0.take() {
        None => None,
        Some(Err(())) => Some(Err(())),
        Some(Ok(Err(code))) => Some(Ok(Err(code))),
        Some(Ok(Ok(response))) => Some(Ok(incoming::give(ctx, response)?)),
    })
}
