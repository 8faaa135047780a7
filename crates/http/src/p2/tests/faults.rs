//! Servers that are slow, lie, or stop.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;

use super::*;

/// What a server that answers like this makes of a request.
fn fate(answer: &str) -> Result<Answer, ErrorCode> {
    let server = Server::answering(answer);
    let mut ctx = world(&server.rule());
    let request = request(&mut ctx, &server.authority(), "/", &[]);
    let fate = fetch(&mut ctx, request);
    assert_clean(&mut ctx);
    fate
}

/// A request that waits no longer than so many milliseconds: to connect, for a response, and for more of it.
fn hurried(ctx: &mut WasiCtx, server: &Server, times: [Option<u64>; 3]) -> Future {
    let request = request(ctx, &server.authority(), "/", &[]);
    let options = ctx.table().push(outgoing::RequestOptions::default(), 0).unwrap();
    let [connect, first, between] = times.map(|time| time.map(|time| time * 1_000_000));
    outgoing::set_timeout(ctx, (options, connect), |o| &mut o.connect).unwrap().unwrap();
    outgoing::set_timeout(ctx, (options, first), |o| &mut o.first_byte).unwrap().unwrap();
    outgoing::set_timeout(ctx, (options, between), |o| &mut o.between_bytes).unwrap().unwrap();
    handle(ctx, (request, Some(options))).unwrap().unwrap()
}

#[test]
fn headers_have_an_end() {
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    assert_eq!(fate(&large).err(), Some(ErrorCode::HttpResponseHeaderSectionSize(None)));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    assert_eq!(fate(&many).err(), Some(ErrorCode::HttpResponseHeaderSectionSize(None)));
    let fits = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(fate(&fits).unwrap().headers.len(), 1001);
}

#[test]
fn trailers_have_an_end() {
    let many = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{}\r\n",
        "a: b\r\n".repeat(100_000)
    );
    assert!(fate(&many).unwrap().failed.is_some());
}

#[test]
fn what_is_no_response_is_an_error() {
    for wrong in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\na",
        "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(fate(wrong).err(), Some(ErrorCode::HttpProtocolError), "{wrong:?}");
    }
    for short in ["", "HTTP/1.1", "HTTP/1.1 200 OK\r\na: b"] {
        assert_eq!(fate(short).err(), Some(ErrorCode::HttpResponseIncomplete), "{short:?}");
    }
}

#[test]
fn a_body_is_as_long_as_announced_or_an_error() {
    let head = "HTTP/1.1 200 OK\r\n";
    let long = fate(&format!("{head}content-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n")).unwrap();
    assert_eq!((long.text(), long.failed.is_none()), ("abc", true));
    let short = fate(&format!("{head}content-length: 9\r\n\r\nabc")).unwrap();
    assert_eq!((short.text(), &short.failed), ("abc", &Some(ErrorCode::HttpResponseIncomplete)));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    for (rest, text) in [("3\r\nabc\r\n", "abc"), ("5\r\nabc", "abc"), ("", "")] {
        let short = fate(&format!("{chunked}{rest}")).unwrap();
        assert_eq!((short.text(), short.failed.is_some()), (text, true), "{rest:?}");
    }
    for rest in ["g\r\n", "-1\r\nab", "fffffffffffffffff\r\n", "1\r\nab\r\n0\r\n\r\n"] {
        let wrong = fate(&format!("{chunked}{rest}")).unwrap();
        assert!(wrong.failed.is_some(), "{rest:?}: {}", wrong.text());
    }
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut ctx = world(&format!("http://{to}"));
    let request = request(&mut ctx, &to, "/", &[]);
    assert_eq!(fetch(&mut ctx, request).err(), Some(ErrorCode::ConnectionRefused));
    assert_clean(&mut ctx);
}

#[test]
fn a_connection_that_breaks_in_the_middle() {
    let server = Server::new(|mut stream, _| {
        // The rest of the request is not read, so that the end of this is a reset.
        sleep(Duration::from_millis(100));
        server::send(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    });
    let mut ctx = world(&server.rule());
    let (request, body) = post(&mut ctx, &server.authority(), &[]);
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    for _ in 0..8 {
        assert!(write(&mut ctx, stream, &[b'x'; 4096]));
    }
    let ended = wait(&mut ctx, future).map(|response| answer(&mut ctx, response));
    let failed = ended.map_or_else(Some, |answer| answer.failed).unwrap();
    let known = [ErrorCode::HttpResponseIncomplete, ErrorCode::ConnectionTerminated];
    assert!(known.contains(&failed), "{failed:?}");
    ctx.table().remove(stream).unwrap();
    ctx.table().remove(body).unwrap();
    assert_clean(&mut ctx);
}

#[test]
fn waits_have_an_end() {
    let mut drips = Server::new(|mut stream, _| {
        server::send(&mut stream, "HTTP/1.1 200 OK\r\na: ");
        while stream.write_all(b"x").is_ok() {
            sleep(Duration::from_millis(5));
        }
    });
    let mut ctx = world(&drips.rule());
    let begun = Instant::now();
    let future = hurried(&mut ctx, &drips, [None, Some(100), None]);
    assert_eq!(wait(&mut ctx, future).err(), Some(ErrorCode::ConnectionReadTimeout));
    let future = hurried(&mut ctx, &drips, [Some(0), None, None]);
    assert_eq!(wait(&mut ctx, future).err(), Some(ErrorCode::ConnectionTimeout));
    assert_clean(&mut ctx);

    drips = Server::new(|mut stream, _| {
        server::send(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
        sleep(Duration::from_millis(20));
        server::send(&mut stream, "de");
        server::hold(stream);
    });
    ctx = world(&drips.rule());
    // As long as there are clocks is as good as for ever.
    let future = hurried(&mut ctx, &drips, [Some(u64::MAX / 1_000_000); 3]);
    let response = wait(&mut ctx, future).unwrap();
    ctx.table().remove(response).unwrap();
    let future = hurried(&mut ctx, &drips, [None, None, Some(150)]);
    let response = wait(&mut ctx, future).unwrap();
    let answer = answer(&mut ctx, response);
    assert_eq!((answer.text(), &answer.failed), ("abcde", &Some(ErrorCode::ConnectionReadTimeout)));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_clean(&mut ctx);
}

#[test]
fn a_body_without_end_waits_for_its_reader() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let server = Server::new(move |mut stream, _| {
        server::send(&mut stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        while stream.write_all(chunk.as_bytes()).is_ok() {
            count.fetch_add(4096, Ordering::Relaxed);
        }
    });
    let mut ctx = world(&server.rule());
    let request = request(&mut ctx, &server.authority(), "/", &[]);
    let future = start(&mut ctx, request);
    let response = wait(&mut ctx, future).unwrap();
    let body = incoming::consume(&mut ctx, (response,)).unwrap().unwrap();
    let stream = stream(&mut ctx, body);
    let mut got = 0;
    while got < 1 << 20 {
        got += call::read(&mut ctx, (stream, 1 << 20), true).unwrap().unwrap().len();
    }
    // What the system buffers fills up, and then nothing moves.
    let mut before = 0;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        sleep(Duration::from_millis(200));
    }
    got += call::read(&mut ctx, (stream, 1 << 20), true).unwrap().unwrap().len();
    assert!(got < 2 << 20);
    // To find the end of what has none takes for ever, but holds up nobody else.
    let trailers = incoming::finish(&mut ctx, (body,)).unwrap();
    assert!(matches!(call::read(&mut ctx, (stream, 1), true).unwrap(), Err(StreamError::Closed)));
    for _ in 0..100 {
        assert!(incoming::get_trailers(&mut ctx, (trailers,)).unwrap().is_none());
    }
    ctx.table().remove(trailers).unwrap();
    ctx.table().remove(stream).unwrap();
    ctx.table().remove(response).unwrap();
    assert_clean(&mut ctx);
}
