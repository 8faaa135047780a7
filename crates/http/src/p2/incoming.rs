//! Requests and responses that a guest is given, their bodies and trailers.

use std::sync::Arc;
use std::task::Poll;

use dunlin_component::Resource;
use dunlin_engine::Result;
use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::Reader;
use dunlin_wasi::host::net::Awaits;
use dunlin_wasi::p2::{Get, InputStream, Interface, Pollable, Waits, Wasi};
use tokio::sync::oneshot;

use super::Maybe;
use super::fields::{self, FieldsHandle};
use super::outgoing::OutgoingResponse;
use super::types::{Method, Scheme};
use crate::body::Incoming;
use crate::error::ErrorCode;
use crate::fields::{FieldError, Fields};

/// An `incoming-request`.
#[derive(Debug)]
pub struct IncomingRequest {
    /// The method.
    pub method: Method,
    /// The path with the query.
    pub path: Option<String>,
    /// The scheme.
    pub scheme: Option<Scheme>,
    /// The authority.
    pub authority: Option<String>,
    /// The headers.
    pub headers: Arc<Fields>,
    /// What comes after them, until the guest takes it.
    pub body: Option<Incoming>,
}

/// A `response-outparam`: to whom a response goes.
#[derive(Debug)]
pub struct ResponseOutparam(pub oneshot::Sender<std::result::Result<OutgoingResponse, ErrorCode>>);

/// An `incoming-response`.
#[derive(Debug)]
pub(super) struct IncomingResponse {
    status: u16,
    headers: Arc<Fields>,
    body: Option<Incoming>,
}

/// An `incoming-body`.
#[derive(Debug)]
pub(super) struct IncomingBody {
    body: Incoming,
    read: bool,
}

/// A `future-trailers`.
#[derive(Debug)]
pub(super) struct FutureTrailers {
    body: Incoming,
    told: bool,
}

impl Waits for FutureTrailers {
    fn awaits(&self) -> Awaits<'_> {
        if self.told { Awaits::Nothing } else { self.body.awaits() }
    }

    fn advance(&mut self) -> bool {
        matches!(self.awaits(), Awaits::Nothing)
    }
}

type Request = Resource<IncomingRequest>;
type Response = Resource<IncomingResponse>;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    let types = &mut wasi.interface("http", "types")?;
    add_request(types)?;
    types
        .resource::<IncomingResponse>("incoming-response")?
        .func("[method]incoming-response.status", status)?
        .func("[method]incoming-response.headers", headers)?
        .func("[method]incoming-response.consume", consume)?
        .resource::<IncomingBody>("incoming-body")?
        .func("[method]incoming-body.stream", stream)?
        .func("[static]incoming-body.finish", finish)?
        .resource::<FutureTrailers>("future-trailers")?
        .func("[method]future-trailers.subscribe", |ctx, (this,): (Resource<FutureTrailers>,)| {
            Pollable::subscribe(ctx.table(), this)
        })?
        .func("[method]future-trailers.get", get_trailers)?;
    Ok(())
}

fn add_request<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .resource::<IncomingRequest>("incoming-request")?
        .func("[method]incoming-request.method", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.method.clone())
        })?
        .func("[method]incoming-request.path-with-query", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.path.clone())
        })?
        .func("[method]incoming-request.scheme", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.scheme.clone())
        })?
        .func("[method]incoming-request.authority", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.authority.clone())
        })?
        .func("[method]incoming-request.headers", |ctx, (this,): (Request,)| {
            let headers = Arc::clone(&ctx.table().get(this)?.headers);
            fields::give(ctx, &headers)
        })?
        .func("[method]incoming-request.consume", |ctx, (this,): (Request,)| {
            let body = ctx.table().get_mut(this)?.body.take();
            give_body(ctx, body)
        })?
        .resource::<ResponseOutparam>("response-outparam")?
        .func("[method]response-outparam.send-informational", send_informational)?
        .func("[static]response-outparam.set", set_response)?;
    Ok(())
}

fn send_informational(
    ctx: &mut WasiCtx,
    (this, status, headers): (Resource<ResponseOutparam>, u16, Resource<FieldsHandle>),
) -> Result<std::result::Result<(), ErrorCode>> {
    ctx.table().get(this)?;
    ctx.table().take(headers)?;
    Ok(Err(match status {
        100..=199 => ErrorCode::InternalError(None),
        _ => ErrorCode::HttpProtocolError,
    }))
}

type Answer = std::result::Result<Resource<OutgoingResponse>, ErrorCode>;

fn set_response(
    ctx: &mut WasiCtx,
    (this, answer): (Resource<ResponseOutparam>, Answer),
) -> Result<()> {
    let ResponseOutparam(sender) = ctx.table().take(this)?;
    let answer = match answer {
        Ok(response) => Ok(ctx.table().take(response)?),
        Err(code) => Err(code),
    };
    // Whoever asked may be gone.
    let _ = sender.send(answer);
    Ok(())
}

/// Gives a response to the guest.
pub(super) fn give(
    ctx: &mut WasiCtx,
    response: crate::client::Response,
) -> Result<std::result::Result<Response, ErrorCode>> {
    let headers = match Fields::received(&response.headers, ctx.table().budget()) {
        Ok(headers) => Arc::new(headers),
        Err(FieldError::Budget(error)) => return Err(error),
        Err(_) => return Ok(Err(ErrorCode::HttpResponseHeaderSectionSize(None))),
    };
    let (status, body) = (response.status, Some(response.body));
    ctx.table().push(IncomingResponse { status, headers, body }, 0).map(Ok)
}

pub(super) fn status(ctx: &mut WasiCtx, (this,): (Response,)) -> Result<u16> {
    Ok(ctx.table().get(this)?.status)
}

pub(super) fn headers(ctx: &mut WasiCtx, (this,): (Response,)) -> Result<Resource<FieldsHandle>> {
    let headers = Arc::clone(&ctx.table().get(this)?.headers);
    fields::give(ctx, &headers)
}

pub(super) fn consume(ctx: &mut WasiCtx, (this,): (Response,)) -> Maybe<Resource<IncomingBody>> {
    let body = ctx.table().get_mut(this)?.body.take();
    give_body(ctx, body)
}

fn give_body(ctx: &mut WasiCtx, body: Option<Incoming>) -> Maybe<Resource<IncomingBody>> {
    let Some(body) = body else { return Ok(Err(())) };
    ctx.table().push(IncomingBody { body, read: false }, 0).map(Ok)
}

pub(super) fn stream(
    ctx: &mut WasiCtx,
    (this,): (Resource<IncomingBody>,),
) -> Maybe<Resource<InputStream>> {
    let body = ctx.table().get_mut(this)?;
    if std::mem::replace(&mut body.read, true) {
        return Ok(Err(()));
    }
    let reader = Reader::Other(Box::new(body.body.source()));
    ctx.table().push(InputStream::new(reader), 0).map(Ok)
}

pub(super) fn finish(
    ctx: &mut WasiCtx,
    (this,): (Resource<IncomingBody>,),
) -> Result<Resource<FutureTrailers>> {
    let body = ctx.table().take(this)?.body;
    body.discard();
    ctx.table().push(FutureTrailers { body, told: false }, 0)
}

/// Perhaps not yet; perhaps no more; perhaps an error; perhaps none.
type Trailers =
    Option<std::result::Result<std::result::Result<Option<Resource<FieldsHandle>>, ErrorCode>, ()>>;

pub(super) fn get_trailers(
    ctx: &mut WasiCtx,
    (this,): (Resource<FutureTrailers>,),
) -> Result<Trailers> {
    let future = ctx.table().get_mut(this)?;
    if future.told {
        return Ok(Some(Err(())));
    }
    let trailers = match future.body.trailers() {
        Poll::Pending => return Ok(None),
        Poll::Ready(trailers) => trailers,
    };
    future.told = true;
    let trailers = match trailers {
        Ok(Some(trailers)) => trailers,
        Ok(None) => return Ok(Some(Ok(Ok(None)))),
        Err(code) => return Ok(Some(Ok(Err(code)))),
    };
    match Fields::received(&trailers, ctx.table().budget()) {
        Ok(trailers) => {
            let trailers = fields::give(ctx, &Arc::new(trailers))?;
            Ok(Some(Ok(Ok(Some(trailers)))))
        }
        Err(FieldError::Budget(error)) => Err(error),
        Err(_) => Ok(Some(Ok(Err(ErrorCode::HttpResponseTrailerSectionSize(None))))),
    }
}
