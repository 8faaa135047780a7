//! Requests and responses that a guest makes, their bodies, and options of requests.

use std::sync::Arc;
use std::time::Duration;

use dunlin_component::Resource;
use dunlin_engine::{Error, Result};
use dunlin_wasi::WasiCtx;
use dunlin_wasi::host::Writer;
use dunlin_wasi::p2::{Get, Interface, OutputStream, Wasi};
use hyper::StatusCode;
use hyper::http::uri::{Authority, PathAndQuery};

use super::Maybe;
use super::fields::{self, FieldsHandle};
use super::types::{Method, Scheme};
use crate::body::{Outgoing, Sent};
use crate::client::Timeouts;
use crate::error::ErrorCode;
use crate::fields::Fields;
use crate::guest::{Share, place};
use crate::limits::{AUTHORITY_MAX, BODY_BYTES, PATH_MAX};

/// What is charged for the texts of a request.
const TEXTS: u64 = 1 << 10;

/// An `outgoing-request`.
#[derive(Debug)]
pub(super) struct OutgoingRequest {
    pub(super) headers: Arc<Fields>,
    pub(super) method: Method,
    pub(super) path: Option<String>,
    pub(super) scheme: Option<Scheme>,
    pub(super) authority: Option<String>,
    /// What the guest writes, if it took the body.
    pub(super) body: Option<Sent>,
    /// How much of a path is charged.
    charged: usize,
}

/// An `outgoing-response`.
#[derive(Debug)]
pub struct OutgoingResponse {
    headers: Arc<Fields>,
    status: u16,
    body: Option<Sent>,
}

impl OutgoingResponse {
    /// The headers.
    pub fn headers(&self) -> &Fields {
        &self.headers
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }
}

/// An `outgoing-body`.
#[derive(Debug)]
pub(super) struct OutgoingBody {
    body: Outgoing,
    written: bool,
}

/// `request-options`
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestOptions {
    pub(super) connect: Option<u64>,
    pub(super) first_byte: Option<u64>,
    pub(super) between_bytes: Option<u64>,
}

impl From<RequestOptions> for Timeouts {
    fn from(options: RequestOptions) -> Timeouts {
        let or =
            |nanoseconds: Option<u64>, default| nanoseconds.map_or(default, Duration::from_nanos);
        let usual = Timeouts::default();
        Timeouts {
            connect: or(options.connect, usual.connect),
            first_byte: or(options.first_byte, usual.first_byte),
            between_bytes: or(options.between_bytes, usual.between_bytes),
        }
    }
}

type Request = Resource<OutgoingRequest>;
type Response = Resource<OutgoingResponse>;
type Options = Resource<RequestOptions>;

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    let types = &mut wasi.interface("http", "types")?;
    add_request(types)?;
    add_options(types)?;
    types
        .resource::<OutgoingResponse>("outgoing-response")?
        .func("[constructor]outgoing-response", new_response)?
        .func("[method]outgoing-response.status-code", |ctx, (this,): (Response,)| {
            Ok(ctx.table().get(this)?.status)
        })?
        .func("[method]outgoing-response.set-status-code", set_status)?
        .func("[method]outgoing-response.headers", |ctx, (this,): (Response,)| {
            let headers = Arc::clone(&ctx.table().get(this)?.headers);
            fields::give(ctx, &headers)
        })?
        .func("[method]outgoing-response.body", response_body)?
        .resource::<OutgoingBody>("outgoing-body")?
        .func("[method]outgoing-body.write", write)?
        .func("[static]outgoing-body.finish", finish)?;
    Ok(())
}

fn add_request<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .resource::<OutgoingRequest>("outgoing-request")?
        .func("[constructor]outgoing-request", new_request)?
        .func("[method]outgoing-request.body", body)?
        .func("[method]outgoing-request.method", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.method.clone())
        })?
        .func("[method]outgoing-request.set-method", set_method)?
        .func("[method]outgoing-request.path-with-query", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.path.clone())
        })?
        .func("[method]outgoing-request.set-path-with-query", set_path)?
        .func("[method]outgoing-request.scheme", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.scheme.clone())
        })?
        .func("[method]outgoing-request.set-scheme", set_scheme)?
        .func("[method]outgoing-request.authority", |ctx, (this,): (Request,)| {
            Ok(ctx.table().get(this)?.authority.clone())
        })?
        .func("[method]outgoing-request.set-authority", set_authority)?
        .func("[method]outgoing-request.headers", |ctx, (this,): (Request,)| {
            let headers = Arc::clone(&ctx.table().get(this)?.headers);
            fields::give(ctx, &headers)
        })?;
    Ok(())
}

fn add_options<T: 'static, G: Get<T>>(types: &mut Interface<'_, T, G>) -> Result<()> {
    types
        .resource::<RequestOptions>("request-options")?
        .func("[constructor]request-options", |ctx, ()| {
            ctx.table().push(RequestOptions::default(), 0)
        })?
        .func("[method]request-options.connect-timeout", |ctx, (this,): (Options,)| {
            Ok(ctx.table().get(this)?.connect)
        })?
        .func("[method]request-options.set-connect-timeout", |ctx, p| {
            set_timeout(ctx, p, |options| &mut options.connect)
        })?
        .func("[method]request-options.first-byte-timeout", |ctx, (this,): (Options,)| {
            Ok(ctx.table().get(this)?.first_byte)
        })?
        .func("[method]request-options.set-first-byte-timeout", |ctx, p| {
            set_timeout(ctx, p, |options| &mut options.first_byte)
        })?
        .func("[method]request-options.between-bytes-timeout", |ctx, (this,): (Options,)| {
            Ok(ctx.table().get(this)?.between_bytes)
        })?
        .func("[method]request-options.set-between-bytes-timeout", |ctx, p| {
            set_timeout(ctx, p, |options| &mut options.between_bytes)
        })?;
    Ok(())
}

pub(super) fn set_timeout(
    ctx: &mut WasiCtx,
    (this, nanoseconds): (Options, Option<u64>),
    which: fn(&mut RequestOptions) -> &mut Option<u64>,
) -> Maybe<()> {
    *which(ctx.table().get_mut(this)?) = nanoseconds;
    Ok(Ok(()))
}

pub(super) fn new_request(
    ctx: &mut WasiCtx,
    (headers,): (Resource<FieldsHandle>,),
) -> Result<Request> {
    let headers = fields::take(ctx, headers)?;
    let request = OutgoingRequest {
        headers,
        method: Method::Get,
        path: None,
        scheme: None,
        authority: None,
        body: None,
        charged: 0,
    };
    ctx.table().push(request, TEXTS + AUTHORITY_MAX as u64)
}

pub(super) fn set_method(ctx: &mut WasiCtx, (this, method): (Request, Method)) -> Maybe<()> {
    if method.sent().is_none() {
        return Ok(Err(()));
    }
    ctx.table().get_mut(this)?.method = method;
    Ok(Ok(()))
}

pub(super) fn set_path(ctx: &mut WasiCtx, (this, path): (Request, Option<String>)) -> Maybe<()> {
    let size = path.as_ref().map_or(0, String::len);
    let is_path = |path: &String| {
        let begins = path.is_empty() || path.starts_with(['/', '?']);
        begins && !path.contains('#') && PathAndQuery::try_from(path.as_str()).is_ok()
    };
    if size > PATH_MAX || !path.as_ref().is_none_or(is_path) {
        return Ok(Err(()));
    }
    let more = size.saturating_sub(ctx.table().get(this)?.charged);
    ctx.table().charge(this, more as u64)?;
    let request = ctx.table().get_mut(this)?;
    request.charged = request.charged.saturating_add(more);
    request.path = path;
    Ok(Ok(()))
}

pub(super) fn set_scheme(
    ctx: &mut WasiCtx,
    (this, scheme): (Request, Option<Scheme>),
) -> Maybe<()> {
    if !scheme.as_ref().is_none_or(Scheme::is_valid) {
        return Ok(Err(()));
    }
    ctx.table().get_mut(this)?.scheme = scheme;
    Ok(Ok(()))
}

pub(super) fn set_authority(
    ctx: &mut WasiCtx,
    (this, authority): (Request, Option<String>),
) -> Maybe<()> {
    let is_one = |text: &String| text.len() <= AUTHORITY_MAX && text.parse::<Authority>().is_ok();
    if !authority.as_ref().is_none_or(is_one) {
        return Ok(Err(()));
    }
    ctx.table().get_mut(this)?.authority = authority;
    Ok(Ok(()))
}

/// A body with these headers, and what will be sent of it.
fn new_body(ctx: &mut WasiCtx, headers: &Fields) -> Result<(Resource<OutgoingBody>, Sent)> {
    // A length that is none is refused when the request is sent.
    let length = headers.content_length().unwrap_or(None);
    let place = place(ctx)?;
    let share = Share::take(ctx, BODY_BYTES)?;
    let body = Outgoing::new(length, Some(place), share).map_err(Error::host)?;
    let sent = body.sent();
    let body = ctx.table().push(OutgoingBody { body, written: false }, 0)?;
    Ok((body, sent))
}

pub(super) fn body(ctx: &mut WasiCtx, (this,): (Request,)) -> Maybe<Resource<OutgoingBody>> {
    let request = ctx.table().get(this)?;
    if request.body.is_some() {
        return Ok(Err(()));
    }
    let headers = Arc::clone(&request.headers);
    let (body, sent) = new_body(ctx, &headers)?;
    ctx.table().get_mut(this)?.body = Some(sent);
    Ok(Ok(body))
}

pub(super) fn new_response(
    ctx: &mut WasiCtx,
    (headers,): (Resource<FieldsHandle>,),
) -> Result<Response> {
    let headers = fields::take(ctx, headers)?;
    ctx.table().push(OutgoingResponse { headers, status: 200, body: None }, 0)
}

pub(super) fn set_status(ctx: &mut WasiCtx, (this, status): (Response, u16)) -> Maybe<()> {
    if StatusCode::from_u16(status).is_err() {
        return Ok(Err(()));
    }
    ctx.table().get_mut(this)?.status = status;
    Ok(Ok(()))
}

pub(super) fn response_body(
    ctx: &mut WasiCtx,
    (this,): (Response,),
) -> Maybe<Resource<OutgoingBody>> {
    let response = ctx.table().get(this)?;
    if response.body.is_some() {
        return Ok(Err(()));
    }
    let headers = Arc::clone(&response.headers);
    let (body, sent) = new_body(ctx, &headers)?;
    ctx.table().get_mut(this)?.body = Some(sent);
    Ok(Ok(body))
}

pub(super) fn write(
    ctx: &mut WasiCtx,
    (this,): (Resource<OutgoingBody>,),
) -> Maybe<Resource<OutputStream>> {
    let body = ctx.table().get_mut(this)?;
    if std::mem::replace(&mut body.written, true) {
        return Ok(Err(()));
    }
    let writer = Writer::Other(Box::new(body.body.sink()));
    ctx.table().push(OutputStream::new(writer), 0).map(Ok)
}

pub(super) fn finish(
    ctx: &mut WasiCtx,
    (this, trailers): (Resource<OutgoingBody>, Option<Resource<FieldsHandle>>),
) -> Result<std::result::Result<(), ErrorCode>> {
    let body = ctx.table().take(this)?.body;
    let Some(trailers) = trailers else { return Ok(body.finish(None)) };
    let trailers = fields::take(ctx, trailers)?;
    let Some(map) = trailers.trailers() else {
        body.fail(ErrorCode::HttpProtocolError);
        return Ok(Err(ErrorCode::HttpProtocolError));
    };
    Ok(body.finish((!map.is_empty()).then_some(map)))
}
