//! Requests over the loopback interface, without a guest.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod faults;
mod limits;
mod orders;
mod secure;
mod server;

use std::time::{Duration, Instant};

use dunlin_engine::raw::{Resource as Charge, raw};
use dunlin_engine::{AsContextMut, Config, Engine, Store};
use dunlin_wasi::WasiCtxBuilder;
use dunlin_wasi::host::NetGrants;
use dunlin_wasi::p2::call::{self, StreamError};
use dunlin_wasi::p2::{InputStream, OutputStream, Pollable};

use super::fields as field;
use super::handler::{Future, get, handle};
use super::incoming::{self, IncomingBody, IncomingResponse};
use super::outgoing::{self, OutgoingBody, OutgoingRequest};
use super::*;
use server::Server;

type Request = Resource<OutgoingRequest>;

/// A world whose guest may send what these rules cover, and have so many bytes of the host.
fn charged(builder: WasiCtxBuilder, http: &str, bytes: u64) -> WasiCtx {
    let mut config = Config::default();
    config.limits.budget_bytes = bytes;
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    let http = http.split_whitespace().map(|rule| rule.parse().unwrap()).collect();
    let mut ctx = builder.net(NetGrants { http, ..NetGrants::default() }).build().unwrap();
    ctx.table().charge_to(raw(store.as_context_mut()).budget().share());
    ctx
}

fn world(http: &str) -> WasiCtx {
    charged(WasiCtx::builder(), http, 64 << 20)
}

/// A request to an authority, in the clear.
fn request(ctx: &mut WasiCtx, authority: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let list = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let headers = field::from_list(ctx, (list.collect(),)).unwrap().unwrap();
    let request = outgoing::new_request(ctx, (headers,)).unwrap();
    outgoing::set_scheme(ctx, (request, Some(Scheme::Http))).unwrap().unwrap();
    outgoing::set_authority(ctx, (request, Some(authority.to_owned()))).unwrap().unwrap();
    outgoing::set_path(ctx, (request, Some(path.to_owned()))).unwrap().unwrap();
    request
}

fn post(
    ctx: &mut WasiCtx,
    to: &str,
    headers: &[(&str, &str)],
) -> (Request, Resource<OutgoingBody>) {
    let request = request(ctx, to, "/", headers);
    outgoing::set_method(ctx, (request, Method::Post)).unwrap().unwrap();
    let body = outgoing::body(ctx, (request,)).unwrap().unwrap();
    (request, body)
}

/// Begins a request that may be sent.
fn start(ctx: &mut WasiCtx, request: Request) -> Future {
    handle(ctx, (request, None)).unwrap().unwrap()
}

/// Waits for a response.
fn wait(ctx: &mut WasiCtx, future: Future) -> Result<Resource<IncomingResponse>, ErrorCode> {
    let pollable = Pollable::subscribe(ctx.table(), future).unwrap();
    call::block(ctx, (pollable,)).unwrap();
    ctx.table().remove(pollable).unwrap();
    let response = get(ctx, (future,)).unwrap().unwrap().unwrap();
    assert!(matches!(get(ctx, (future,)).unwrap(), Some(Err(()))), "it is told once");
    ctx.table().remove(future).unwrap();
    response
}

/// What a response came to: the status, and the body or what ended it.
struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    failed: Option<ErrorCode>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn stream(ctx: &mut WasiCtx, body: Resource<IncomingBody>) -> Resource<InputStream> {
    let stream = incoming::stream(ctx, (body,)).unwrap().unwrap();
    assert!(incoming::stream(ctx, (body,)).unwrap().is_err(), "there is one");
    stream
}

/// Reads a stream to its end.
fn read(ctx: &mut WasiCtx, stream: Resource<InputStream>) -> (Vec<u8>, Option<ErrorCode>) {
    let mut all = Vec::new();
    loop {
        match call::read(ctx, (stream, 1 << 16), true).unwrap() {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return (all, None),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(ctx, (error,)).unwrap();
                ctx.table().remove(error).unwrap();
                assert!(matches!(
                    call::read(ctx, (stream, 1), true).unwrap(),
                    Err(StreamError::Closed)
                ));
                return (all, Some(code.unwrap()));
            }
        }
    }
}

/// Reads a response to its end.
fn answer(ctx: &mut WasiCtx, response: Resource<IncomingResponse>) -> Answer {
    let status = incoming::status(ctx, (response,)).unwrap();
    let headers = incoming::headers(ctx, (response,)).unwrap();
    let list = field::entries(ctx, (headers,)).unwrap();
    let change = field::append(ctx, (headers, "a".to_owned(), Vec::new())).unwrap();
    assert_eq!(change, Err(field::HeaderError::Immutable));
    ctx.table().remove(headers).unwrap();
    let body = incoming::consume(ctx, (response,)).unwrap().unwrap();
    assert!(incoming::consume(ctx, (response,)).unwrap().is_err(), "there is one");
    let stream = stream(ctx, body);
    let (bytes, failed) = read(ctx, stream);
    ctx.table().remove(stream).unwrap();
    ctx.table().remove(body).unwrap();
    ctx.table().remove(response).unwrap();
    Answer { status, headers: list, body: bytes, failed }
}

/// Sends and reads.
fn fetch(ctx: &mut WasiCtx, request: Request) -> Result<Answer, ErrorCode> {
    let future = start(ctx, request);
    let response = wait(ctx, future)?;
    Ok(answer(ctx, response))
}

fn write(ctx: &mut WasiCtx, stream: Resource<OutputStream>, bytes: &[u8]) -> bool {
    match call::blocking_write_and_flush(ctx, (stream, bytes.to_vec())).unwrap() {
        Ok(()) => return true,
        Err(StreamError::LastOperationFailed(error)) => ctx.table().remove(error).unwrap(),
        Err(StreamError::Closed) => {}
    }
    false
}

/// What was taken is given back.
fn assert_clean(ctx: &mut WasiCtx) {
    assert!(ctx.table().is_empty(), "{:?}", ctx.table());
    let budget = ctx.table().budget().unwrap();
    let guest = ctx.extension::<crate::guest::Guest>().unwrap();
    let begun = Instant::now();
    // What was given up ends on the other thread.
    while guest.open.count() > 0 || budget.used(Charge::Bytes) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "something is left");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_request_and_its_response() {
    let server = Server::answering("HTTP/1.1 203 Fine\r\nX-A: 1\r\nconnection: close\r\n\r\nhello");
    let mut ctx = world(&server.rule());
    let to = server.authority();
    let request = request(&mut ctx, &to, "/p?q=1", &[("X-B", "2"), ("accept", "*/*")]);
    let answer = fetch(&mut ctx, request).unwrap();
    assert_eq!((answer.status, answer.text(), &answer.failed), (203, "hello", &None));
    assert_eq!(answer.headers, [("x-a".to_owned(), b"1".to_vec())]);
    let sent = server.received();
    let mut lines: Vec<&str> = sent.lines().collect();
    assert_eq!(lines.remove(0), "GET /p?q=1 HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(lines, ["", "accept: */*", &format!("host: {to}"), "x-b: 2"]);
    assert_clean(&mut ctx);
}

#[test]
fn a_body_of_an_announced_length() {
    let server = Server::answering("HTTP/1.1 204 No\r\n\r\n");
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[("content-length", "5")]);
    assert!(outgoing::body(&mut ctx, (request,)).unwrap().is_err(), "there is one");
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    assert!(outgoing::write(&mut ctx, (body,)).unwrap().is_err(), "there is one");
    let future = start(&mut ctx, request);
    assert!(write(&mut ctx, stream, b"he"));
    assert!(write(&mut ctx, stream, b"llo"));
    let sent = server.received();
    // All is sent, which is no failure of the stream.
    call::check_write(&mut ctx, (stream,)).unwrap().unwrap();
    ctx.table().remove(stream).unwrap();
    assert_eq!(outgoing::finish(&mut ctx, (body, None)).unwrap(), Ok(()));
    let response = wait(&mut ctx, future).unwrap();
    assert_eq!(answer(&mut ctx, response).status, 204);
    assert!(sent.contains("content-length: 5\r\n") && sent.ends_with("\r\n\r\nhello"), "{sent}");
    assert!(!sent.contains("transfer-encoding"), "{sent}");
    assert_clean(&mut ctx);
}

#[test]
fn trailers_both_ways() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: yes\r\n\r\n",
    );
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[("trailer", "x-sum")]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    assert!(write(&mut ctx, stream, b"data"));
    ctx.table().remove(stream).unwrap();
    let sum = field::new(&mut ctx, ()).unwrap();
    field::append(&mut ctx, (sum, "x-sum".to_owned(), b"42".to_vec())).unwrap().unwrap();
    assert_eq!(outgoing::finish(&mut ctx, (body, Some(sum))).unwrap(), Ok(()));
    let response = wait(&mut ctx, future).unwrap();
    let sent = server.received();
    assert!(sent.ends_with("4\r\ndata\r\n0\r\nx-sum: 42\r\n\r\n"), "{sent}");
    // Unread, the body is no obstacle.
    let body = incoming::consume(&mut ctx, (response,)).unwrap().unwrap();
    let trailers = incoming::finish(&mut ctx, (body,)).unwrap();
    let pollable = Pollable::subscribe(ctx.table(), trailers).unwrap();
    call::block(&mut ctx, (pollable,)).unwrap();
    let fields = incoming::get_trailers(&mut ctx, (trailers,)).unwrap();
    let fields = fields.unwrap().unwrap().unwrap().unwrap();
    let list = field::entries(&mut ctx, (fields,)).unwrap();
    assert_eq!(list, [("x-end".to_owned(), b"yes".to_vec())]);
    assert!(matches!(incoming::get_trailers(&mut ctx, (trailers,)).unwrap(), Some(Err(()))));
    for drop in [
        ctx.table().remove(trailers),
        ctx.table().remove(pollable),
        ctx.table().remove(fields),
        ctx.table().remove(response),
    ] {
        drop.unwrap();
    }
    assert_clean(&mut ctx);
}

#[test]
fn redirects_are_the_guests_to_follow() {
    let other = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let location = format!("http://{}/secret", other.authority());
    let server = Server::answering(&format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    ));
    let mut ctx = world(&server.rule());
    let first = request(&mut ctx, &server.authority(), "/", &[]);
    let answer = fetch(&mut ctx, first).unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(answer.headers[0], ("location".to_owned(), location.into_bytes()));
    let next = request(&mut ctx, &other.authority(), "/secret", &[]);
    assert_eq!(handle(&mut ctx, (next, None)).unwrap().unwrap_err(), ErrorCode::HttpRequestDenied);
    assert_eq!(other.connections(), 0);
    let denied = ctx.denials().list().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(denied[0].contains("--allow-http"), "{denied:?}");
    assert_clean(&mut ctx);
}

#[test]
fn many_at_once_are_polled_with_a_clock() {
    let server = Server::new(|mut stream, head| {
        let n: u64 = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_millis(30 * n));
        server::send(&mut stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{n}"));
    });
    let mut ctx = world(&server.rule());
    let mut waiting: Vec<(Future, Resource<Pollable>)> = Vec::new();
    for n in [2, 1, 0, 3] {
        let request = request(&mut ctx, &server.authority(), &format!("/{n}"), &[]);
        let future = start(&mut ctx, request);
        let pollable = Pollable::subscribe(ctx.table(), future).unwrap();
        waiting.push((future, pollable));
    }
    let mut order = String::new();
    while !waiting.is_empty() {
        let list = waiting.iter().map(|(_, pollable)| *pollable).collect();
        let ready = call::poll(&mut ctx, (list,)).unwrap();
        let (future, pollable) = waiting.remove(ready[0] as usize);
        ctx.table().remove(pollable).unwrap();
        let response = wait(&mut ctx, future).unwrap();
        order += answer(&mut ctx, response).text();
    }
    assert_eq!(order, "0123");
    assert_clean(&mut ctx);
}

#[test]
fn an_interruption_ends_a_wait() {
    let server = Server::new(|stream, _| server::hold(stream));
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = stop.clone();
    let builder = WasiCtx::builder()
        .interrupt(std::sync::Arc::new(move || asked.load(std::sync::atomic::Ordering::Relaxed)));
    let mut ctx = charged(builder, &server.rule(), 64 << 20);
    let request = request(&mut ctx, &server.authority(), "/", &[]);
    let future = start(&mut ctx, request);
    let pollable = Pollable::subscribe(ctx.table(), future).unwrap();
    assert!(!call::ready(&mut ctx, (pollable,)).unwrap());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = call::block(&mut ctx, (pollable,)).unwrap_err();
    assert!(error.downcast_ref::<dunlin_wasi::Interrupted>().is_some(), "{error}");
}
