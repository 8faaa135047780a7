//! Requests over TLS, and by HTTP/2 where the server speaks it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server that knows itself by a certificate of its own.
struct Secure {
    address: SocketAddr,
    certificate: Vec<u8>,
}

/// A body of one piece and trailers that say how long the request was.
struct Echo {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Echo {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        std::task::Poll::Ready(frame.map(Ok))
    }
}

/// Answers with the request: how it came, to what, and its body.
async fn echo(
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response<Echo>, Infallible> {
    let (parts, mut body) = request.into_parts();
    let mut data = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(Ok(frame)) =
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
    {
        match frame.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap(),
        }
    }
    trailers.insert("x-length", data.len().into());
    let host = parts.headers.contains_key("host");
    let mut text = format!("{:?} {} host: {host} ", parts.version, parts.uri).into_bytes();
    text.extend(&data);
    Ok(Response::new(Echo { data: Some(text.into()), trailers: Some(trailers) }))
}

impl Secure {
    /// One with a certificate for this name, which speaks these protocols.
    fn new(name: &str, protocols: &'static [&'static str]) -> Secure {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([name.to_owned()]).unwrap();
        Secure::with(cert.der().to_vec(), &signing_key, protocols)
    }

    fn with(certificate: Vec<u8>, key: &KeyPair, protocols: &'static [&'static str]) -> Secure {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone().into()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        let stream = TokioIo::new(stream);
                        if is_http2 {
                            let server =
                                hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                            let _ = server.serve_connection(stream, service_fn(echo)).await;
                        } else {
                            let server = hyper::server::conn::http1::Builder::new();
                            let _ = server.serve_connection(stream, service_fn(echo)).await;
                        }
                    });
                }
            });
        });
        Secure { address, certificate }
    }

    /// A world that may send to it, and trusts it.
    fn world(&self) -> WasiCtx {
        let port = self.address.port();
        let mut ctx =
            world(&format!("https://localhost:{port},https://127.0.0.1:{port}").replace(',', " "));
        crate::trust(&mut ctx, std::slice::from_ref(&self.certificate)).unwrap();
        ctx
    }

    fn request(&self, ctx: &mut WasiCtx, host: &str) -> Request {
        let authority = format!("{host}:{}", self.address.port());
        let request = request(ctx, &authority, "/p?q", &[]);
        outgoing::set_scheme(ctx, (request, None)).unwrap().unwrap();
        request
    }
}

#[test]
fn both_protocols() {
    for (protocols, version, scheme) in [
        (&["http/1.1"][..], "HTTP/1.1", false),
        (&[], "HTTP/1.1", false),
        (&["h2", "http/1.1"], "HTTP/2.0", true),
    ] {
        let server = Secure::new("localhost", protocols);
        let mut ctx = server.world();
        let request = server.request(&mut ctx, "localhost");
        let answer = fetch(&mut ctx, request).unwrap();
        let port = server.address.port();
        let uri = if scheme { format!("https://localhost:{port}/p?q") } else { "/p?q".to_owned() };
        assert_eq!(answer.text(), format!("{version} {uri} host: {} ", !scheme));
        assert_clean(&mut ctx);
    }
}

#[test]
fn bodies_and_trailers_by_http2() {
    let server = Secure::new("localhost", &["h2"]);
    let mut ctx = server.world();
    let request = server.request(&mut ctx, "localhost");
    outgoing::set_method(&mut ctx, (request, Method::Post)).unwrap().unwrap();
    let body = outgoing::body(&mut ctx, (request,)).unwrap().unwrap();
    let stream = outgoing::write(&mut ctx, (body,)).unwrap().unwrap();
    let future = start(&mut ctx, request);
    // More than fits into any window.
    for _ in 0..256 {
        assert!(write(&mut ctx, stream, &[b'x'; 4096]));
    }
    let trailers = field::new(&mut ctx, ()).unwrap();
    field::append(&mut ctx, (trailers, "x-mine".to_owned(), b"1".to_vec())).unwrap().unwrap();
    assert_eq!(outgoing::finish(&mut ctx, (body, Some(trailers))).unwrap(), Ok(()));
    ctx.table().remove(stream).unwrap();
    let response = wait(&mut ctx, future).unwrap();
    let body = incoming::consume(&mut ctx, (response,)).unwrap().unwrap();
    let stream = super::stream(&mut ctx, body);
    let (bytes, failed) = read(&mut ctx, stream);
    assert_eq!((bytes.ends_with(&[b'x'; 1 << 20]), failed), (true, None));
    let future = incoming::finish(&mut ctx, (body,)).unwrap();
    let trailers = incoming::get_trailers(&mut ctx, (future,)).unwrap();
    let trailers = trailers.unwrap().unwrap().unwrap().unwrap();
    let mut list = field::entries(&mut ctx, (trailers,)).unwrap();
    list.sort();
    assert_eq!(list[0], ("x-length".to_owned(), b"1048576".to_vec()));
    assert_eq!(list[1], ("x-mine".to_owned(), b"1".to_vec()));
    ctx.table().remove(stream).unwrap();
    ctx.table().remove(trailers).unwrap();
    ctx.table().remove(future).unwrap();
    ctx.table().remove(response).unwrap();
    assert_clean(&mut ctx);
}

#[test]
fn servers_are_who_they_should_be() {
    let server = Secure::new("localhost", &[]);
    let mut ctx = server.world();
    let other = server.request(&mut ctx, "127.0.0.1");
    assert_eq!(fetch(&mut ctx, other).err(), Some(ErrorCode::TlsCertificateError));

    let stranger = Secure::new("localhost", &[]);
    crate::trust(&mut ctx, std::slice::from_ref(&stranger.certificate)).unwrap();
    let request = server.request(&mut ctx, "localhost");
    assert_eq!(fetch(&mut ctx, request).err(), Some(ErrorCode::TlsCertificateError));

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = params.self_signed(&key).unwrap();
    let expired = Secure::with(expired.der().to_vec(), &key, &[]);
    let mut ctx = expired.world();
    let request = expired.request(&mut ctx, "localhost");
    assert_eq!(fetch(&mut ctx, request).err(), Some(ErrorCode::TlsCertificateError));
    assert_clean(&mut ctx);
    assert!(crate::trust(&mut ctx, &[b"nonsense".to_vec()]).is_err());
}

#[test]
fn what_speaks_no_tls_is_told_apart() {
    let plain = Server::answering("HTTP/1.1 400 Bad\r\n\r\n");
    let mut ctx = world(&format!("https://{}", plain.authority()));
    crate::trust(&mut ctx, &[Secure::new("localhost", &[]).certificate]).unwrap();
    let request = request(&mut ctx, &plain.authority(), "/", &[]);
    outgoing::set_scheme(&mut ctx, (request, Some(Scheme::Https))).unwrap().unwrap();
    // The server takes it for a head that does not end, and waits, until it is told to hurry.
    let options = ctx.table().push(outgoing::RequestOptions::default(), 0).unwrap();
    let time = Some(500_000_000);
    outgoing::set_timeout(&mut ctx, (options, time), |o| &mut o.connect).unwrap().unwrap();
    let future = handle(&mut ctx, (request, Some(options))).unwrap().unwrap();
    assert_eq!(wait(&mut ctx, future).err(), Some(ErrorCode::ConnectionTimeout));
    assert_clean(&mut ctx);
}
