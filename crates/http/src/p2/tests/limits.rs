//! What a guest may not do: send elsewhere, say two things at once, have more than there is.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dunlin_engine::ErrorKind;
use dunlin_wasi::host::net::{Name, Resolver};
use dunlin_wasi::host::{self, Event, Observer, Verdict};

use super::*;
use crate::limits::{OPEN_MAX, ROOM};

/// How a request ends before it begins.
fn refused(ctx: &mut WasiCtx, request: Request) -> ErrorCode {
    handle(ctx, (request, None)).unwrap().unwrap_err()
}

#[test]
fn where_requests_go_is_granted() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = server.port();
    let mut ctx = world(&format!("http://127.0.0.1:{port}/v1 http://elsewhere.example"));
    for (authority, path) in [
        (format!("127.0.0.1:{port}"), "/"),
        (format!("127.0.0.1:{port}"), "/v10"),
        (format!("127.0.0.1:{port}"), "/v1/../v2"),
        (format!("127.0.0.1:{port}"), "/v1/%2e%2e/v2"),
        (format!("[::ffff:127.0.0.2]:{port}"), "/v1"),
        ("127.0.0.1".to_owned(), "/v1"),
        ("169.254.169.254".to_owned(), "/v1"),
        ("elsewhere.example:81".to_owned(), "/"),
    ] {
        let request = request(&mut ctx, &authority, path, &[]);
        let code = handle(&mut ctx, (request, None)).unwrap().err();
        assert_eq!(code, Some(ErrorCode::HttpRequestDenied), "{authority}{path}");
    }
    assert_eq!(server.connections(), 0);
    // An address in another form is the same address.
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
        let authority = format!("{host}:{port}");
        let request = request(&mut ctx, &authority, "/v1/x?y", &[]);
        assert_eq!(fetch(&mut ctx, request).unwrap().status, 200);
    }
    assert_clean(&mut ctx);
}

#[test]
fn what_is_no_target_goes_nowhere() {
    let mut ctx = world("*");
    let this = request(&mut ctx, "a.example", "/", &[]);
    for path in ["http://evil.example/", "a", "/a b", "/a#b", "/a\r\nx: y", "*", "/\u{7f}"] {
        let set = outgoing::set_path(&mut ctx, (this, Some(path.to_owned()))).unwrap();
        assert_eq!(set, Err(()), "{path:?}");
    }
    let long = format!("/{}", "x".repeat(1 << 20));
    assert_eq!(outgoing::set_path(&mut ctx, (this, Some(long))).unwrap(), Err(()));
    for authority in ["", "a b", "a/b", "a\r\n", "a?b", "[::1"] {
        let set = outgoing::set_authority(&mut ctx, (this, Some(authority.to_owned()))).unwrap();
        assert_eq!(set, Err(()), "{authority:?}");
    }
    for scheme in ["", "1a", "a b", "http:"] {
        let scheme = Scheme::Other(scheme.to_owned());
        let set = outgoing::set_scheme(&mut ctx, (this, Some(scheme.clone()))).unwrap();
        assert_eq!(set, Err(()), "{scheme:?}");
    }
    for method in ["", "a b", "GET\r\n"] {
        let method = Method::Other(method.to_owned());
        let set = outgoing::set_method(&mut ctx, (this, method.clone())).unwrap();
        assert_eq!(set, Err(()), "{method:?}");
    }
    for (authority, path) in [
        ("u@a.example", "/"),
        ("u:p@a.example", "/"),
        ("a.example:0", "/"),
        ("127.1", "/"),
        ("a.example", "//b"),
    ] {
        let request = request(&mut ctx, authority, path, &[]);
        assert_eq!(
            refused(&mut ctx, request),
            ErrorCode::HttpRequestUriInvalid,
            "{authority}{path}"
        );
    }
    outgoing::set_authority(&mut ctx, (this, None)).unwrap().unwrap();
    assert_eq!(refused(&mut ctx, this), ErrorCode::HttpRequestUriInvalid);
    let other = request(&mut ctx, "a.example", "/", &[]);
    outgoing::set_scheme(&mut ctx, (other, Some(Scheme::Other("ftp".into())))).unwrap().unwrap();
    assert_eq!(refused(&mut ctx, other), ErrorCode::HttpRequestUriInvalid);
    for method in [Method::Connect, Method::Other("CONNECT".to_owned())] {
        let request = request(&mut ctx, "a.example", "/", &[]);
        outgoing::set_method(&mut ctx, (request, method)).unwrap().unwrap();
        assert_eq!(refused(&mut ctx, request), ErrorCode::HttpRequestMethodInvalid);
    }
    assert_clean(&mut ctx);
}

/// Answers every name with the loopback address, and counts how often.
#[derive(Debug, Default)]
struct Rebinding(AtomicUsize);

impl Resolver for Rebinding {
    fn resolve(&self, _: &Name) -> Result<Vec<IpAddr>, host::Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

/// What was asked for and how it was answered.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        let verdict = if event.verdict == Verdict::Denied { "no" } else { "yes" };
        let line = format!("{} {} {verdict}", event.source.function, event.operation);
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn a_name_that_leads_inside_leads_nowhere() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = server.port();
    let (resolver, heard) = (Arc::new(Rebinding::default()), Arc::new(Heard::default()));
    let builder = WasiCtx::builder().resolver(resolver.clone()).observer(heard.clone());
    let mut ctx = charged(builder, &format!("http://evil.example:{port}"), 64 << 20);
    let request = request(&mut ctx, &format!("evil.example:{port}"), "/", &[]);
    assert_eq!(fetch(&mut ctx, request).err(), Some(ErrorCode::DestinationIpProhibited));
    assert_eq!((server.connections(), resolver.0.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(*heard.0.lock().unwrap(), [" http yes", " connect no"]);
    assert_clean(&mut ctx);
}

#[test]
fn bodies_are_as_long_as_announced() {
    let server = Server::new(|stream, _| server::hold(stream));
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[("content-length", "5")]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    assert!(write(&mut ctx, stream, b"hello"));
    let more = call::blocking_write_and_flush(&mut ctx, (stream, b"!".to_vec())).unwrap();
    let Err(StreamError::LastOperationFailed(error)) = more else { panic!("{more:?}") };
    let code = ErrorCode::HttpRequestBodySize(Some(6));
    assert_eq!(http_error_code(&mut ctx, (error,)).unwrap(), Some(code.clone()));
    ctx.table().remove(error).unwrap();
    assert_eq!(outgoing::finish(&mut ctx, (body, None)).unwrap(), Err(code));
    ctx.table().remove(stream).unwrap();
    drop(ctx.table().remove(future));
    assert_clean(&mut ctx);

    let (request, body) = post(&mut ctx, &server.authority(), &[("content-length", "5")]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    assert!(write(&mut ctx, stream, b"hell"));
    let code = ErrorCode::HttpRequestBodySize(Some(4));
    assert_eq!(outgoing::finish(&mut ctx, (body, None)).unwrap(), Err(code.clone()));
    assert_eq!(wait(&mut ctx, future).err(), Some(code));
    assert!(!write(&mut ctx, stream, b"o"), "the end is the end");
    ctx.table().remove(stream).unwrap();

    let none = super::request(&mut ctx, &server.authority(), "/", &[("content-length", "5")]);
    assert_eq!(refused(&mut ctx, none), ErrorCode::HttpRequestBodySize(Some(0)));
    for list in
        [&[("content-length", "+5")][..], &[("content-length", "5"), ("content-length", "5")]]
    {
        let twice = super::request(&mut ctx, &server.authority(), "/", list);
        assert_eq!(refused(&mut ctx, twice), ErrorCode::HttpProtocolError);
    }
    assert_clean(&mut ctx);
}

#[test]
fn a_body_that_is_dropped_is_no_body() {
    let server = Server::new(|stream, _| server::hold(stream));
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    assert!(write(&mut ctx, stream, b"half"));
    ctx.table().remove(body).unwrap();
    assert!(matches!(wait(&mut ctx, future), Err(ErrorCode::InternalError(_))));
    assert!(!write(&mut ctx, stream, b"rest"));
    ctx.table().remove(stream).unwrap();

    let (request, body) = post(&mut ctx, &server.authority(), &[]);
    let future = start(&mut ctx, request);
    let framing = field::new(&mut ctx, ()).unwrap();
    field::append(&mut ctx, (framing, "content-length".to_owned(), b"0".to_vec()))
        .unwrap()
        .unwrap();
    let finished = outgoing::finish(&mut ctx, (body, Some(framing))).unwrap();
    assert_eq!(finished, Err(ErrorCode::HttpProtocolError));
    assert_eq!(wait(&mut ctx, future).err(), Some(ErrorCode::HttpProtocolError));
    assert_clean(&mut ctx);
}

#[test]
fn what_nobody_reads_is_not_written() {
    let server = Server::new(|stream, _| {
        std::thread::sleep(Duration::from_secs(30));
        drop(stream);
    });
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    // Before it is sent there is room for this much.
    let room = call::check_write(&mut ctx, (stream,)).unwrap().unwrap();
    assert_eq!(room, ROOM as u64);
    call::write(&mut ctx, (stream, vec![0; ROOM])).unwrap().unwrap();
    assert_eq!(call::check_write(&mut ctx, (stream,)).unwrap().unwrap(), 0);
    let pollable = Pollable::subscribe(ctx.table(), stream).unwrap();
    assert!(!call::ready(&mut ctx, (pollable,)).unwrap());
    let future = start(&mut ctx, request);
    call::block(&mut ctx, (pollable,)).unwrap();
    let (mut sent, mut idle) = (0, 0);
    while idle < 10 {
        match call::check_write(&mut ctx, (stream,)).unwrap().unwrap() {
            0 => {
                idle += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            room => {
                idle = 0;
                sent += room;
                call::write(&mut ctx, (stream, vec![0; room as usize])).unwrap().unwrap();
            }
        }
    }
    assert!(sent < 32 << 20, "{sent}");
    assert!(!call::ready(&mut ctx, (pollable,)).unwrap());
    ctx.table().remove(future).unwrap();
    // With the request its body is over.
    call::block(&mut ctx, (pollable,)).unwrap();
    assert!(matches!(call::check_write(&mut ctx, (stream,)).unwrap(), Err(StreamError::Closed)));
    ctx.table().remove(stream).unwrap();
    ctx.table().remove(pollable).unwrap();
    ctx.table().remove(body).unwrap();
    assert_clean(&mut ctx);
}

#[test]
fn there_is_an_end_to_what_is_open() {
    let mut ctx = world("http://a.example");
    let mut open = Vec::new();
    for _ in 0..OPEN_MAX {
        open.push(post(&mut ctx, "a.example", &[]));
    }
    let one_more = request(&mut ctx, "a.example", "/", &[]);
    assert!(outgoing::body(&mut ctx, (one_more,)).unwrap_err().trap().is_some());
    assert_eq!(refused(&mut ctx, one_more), ErrorCode::ConnectionLimitReached);
    for (request, body) in open {
        ctx.table().remove(request).unwrap();
        ctx.table().remove(body).unwrap();
    }
    assert_clean(&mut ctx);
}

#[test]
fn what_a_store_does_not_have_is_not_taken() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let mut ctx = charged(WasiCtx::builder(), &server.rule(), 200 << 10);
    let (request, body) = post(&mut ctx, &server.authority(), &[]);
    let error = handle(&mut ctx, (request, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    ctx.table().remove(body).unwrap();
    let used = ctx.table().budget().unwrap().used(Charge::Bytes);
    assert_eq!((used, server.connections()), (0, 0));
    assert_clean(&mut ctx);
}
