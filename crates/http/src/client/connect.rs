//! From a target to a connection: the addresses that are granted, and no other.

use std::net::SocketAddr;
use std::time::Duration;

use dunlin_wasi::host::net::{Host, HttpTarget, Network, Scheme};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::exchange::RequestBody;
use super::runtime::Task;
use super::tls::Tls;
use crate::error::ErrorCode;
use crate::limits::{CONNECTION_BUFFER, FIELDS_BYTES_MAX, FIELDS_MAX, WINDOW};

/// A connection that takes a request. It ends with the task.
pub(super) struct Connection {
    sender: Sender,
    _task: Task<()>,
}

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Connection {
    /// Whether requests have the whole target in them, and no `host`.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, ErrorCode> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        response.map_err(ErrorCode::from)
    }
}

/// Looks up, asks, connects, and agrees on what to speak, within a time.
pub(super) async fn connect(
    network: Network,
    target: &HttpTarget,
    tls: Tls,
    within: Duration,
) -> Result<Connection, ErrorCode> {
    if within.is_zero() {
        // Clocks are too coarse to show that this time is over.
        return Err(ErrorCode::ConnectionTimeout);
    }
    // A time beyond all clocks is no limit.
    let until = Instant::now().checked_add(within);
    let connect = async {
        let wanted = target.clone();
        // Asking may take its time too: there may be somebody at a terminal.
        let found = spawn_blocking(move || network.http_addresses(&wanted)).await;
        let addresses = found.map_err(ErrorCode::internal)??;
        let stream = reach(&addresses, until).await?;
        let _ = stream.set_nodelay(true);
        match target.scheme {
            Scheme::Http => over(stream, false).await,
            Scheme::Https => secure(stream, target, tls).await,
        }
    };
    match timeout(within, connect).await {
        Ok(result) => result,
        Err(_) => Err(ErrorCode::ConnectionTimeout),
    }
}

/// Connects to the first address that answers. Each has its share of the time.
async fn reach(addresses: &[SocketAddr], until: Option<Instant>) -> Result<TcpStream, ErrorCode> {
    let mut failed = ErrorCode::DestinationUnavailable;
    for (index, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len().saturating_sub(index)).unwrap_or(u32::MAX);
        let left = until.map_or(Duration::MAX, |until| until.duration_since(Instant::now()));
        let share = left.checked_div(others).unwrap_or(left);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = ErrorCode::from(&error),
            Err(_) => failed = ErrorCode::ConnectionTimeout,
        }
    }
    Err(failed)
}

/// Speaks TLS with whoever is there, if it can show that it is who was asked for.
async fn secure(stream: TcpStream, target: &HttpTarget, tls: Tls) -> Result<Connection, ErrorCode> {
    let name = match &target.host {
        Host::Name(name) => {
            let name = name.as_str().trim_end_matches('.').to_owned();
            ServerName::try_from(name).map_err(|_| ErrorCode::HttpRequestUriInvalid)?
        }
        Host::Address(ip) => ServerName::IpAddress((*ip).into()),
    };
    let config = spawn_blocking(move || tls.config()).await.map_err(ErrorCode::internal)??;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|error| match ErrorCode::from(&error) {
        ErrorCode::HttpResponseIncomplete => ErrorCode::ConnectionTerminated,
        ErrorCode::HttpProtocolError => ErrorCode::TlsProtocolError,
        code => code,
    })?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    over(stream, is_http2).await
}

/// Speaks HTTP over something.
async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    is_http2: bool,
) -> Result<Connection, ErrorCode> {
    let stream = TokioIo::new(stream);
    if is_http2 {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(FIELDS_BYTES_MAX as u32)
            .max_send_buf_size(CONNECTION_BUFFER)
            .handshake(stream)
            .await?;
        let _task = Task(tokio::spawn(async move { drop(connection.await) }));
        return Ok(Connection { sender: Sender::Http2(sender), _task });
    }
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(CONNECTION_BUFFER)
        .max_headers(FIELDS_MAX)
        .handshake(stream)
        .await?;
    let _task = Task(tokio::spawn(async move { drop(connection.await) }));
    Ok(Connection { sender: Sender::Http1(sender), _task })
}
