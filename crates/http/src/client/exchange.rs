//! A request and its response: a task of the client, and what the guest has of it.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dunlin_wasi::host;
use dunlin_wasi::host::net::{Awaits, HttpTarget, Network};
use http_body::{Body, Frame, SizeHint};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::connect::{Connection, connect};
use super::runtime::{Task, client};
use super::tls::Tls;
use crate::body::{Incoming, Sent};
use crate::error::ErrorCode;
use crate::guest::Share;
use crate::limits::{BETWEEN_BYTES_TIMEOUT, CONNECT_TIMEOUT, FIRST_BYTE_TIMEOUT, Place};
use crate::wake::WakeSignal;

/// A request that may be sent, with all that it takes.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) network: Network,
    pub(crate) tls: Tls,
    pub(crate) target: HttpTarget,
    pub(crate) path: PathAndQuery,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Sent>,
    pub(crate) timeouts: Timeouts,
    /// What is kept until the response is gone.
    pub(crate) place: Place,
    pub(crate) share: Share,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: CONNECT_TIMEOUT,
            first_byte: FIRST_BYTE_TIMEOUT,
            between_bytes: BETWEEN_BYTES_TIMEOUT,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
}

/// A request that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// Raised when it is over.
    done: WakeSignal,
}

#[derive(Debug)]
enum State {
    Running(Task<Result<Response, ErrorCode>>),
    Over(Box<Result<Response, ErrorCode>>),
    /// The guest has been told.
    Told,
}

/// What is sent after the headers, which may be nothing.
pub(super) struct RequestBody(Option<Sent>);

impl Exchange {
    /// Begins.
    ///
    /// # Errors
    ///
    /// If the system has no thread or descriptor for it.
    pub(crate) fn start(order: Order) -> Result<Exchange, ErrorCode> {
        let done = WakeSignal::new()?;
        let client = client().map_err(ErrorCode::internal)?;
        let task = Task(client.spawn(run(order, client.clone())));
        Ok(Exchange { state: Mutex::new(State::Running(task)), done })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees whether it is over.
    fn poll(&self, state: &mut State) -> Poll<()> {
        let State::Running(task) = state else { return Poll::Ready(()) };
        match Pin::new(&mut task.0).poll(&mut self.done.context()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                let result = result.unwrap_or_else(|error| Err(ErrorCode::internal(error)));
                *state = State::Over(Box::new(result));
                Poll::Ready(())
            }
        }
    }

    /// What came of it, once; an error if that was told before.
    pub(crate) fn take(&self) -> Option<Result<Result<Response, ErrorCode>, ()>> {
        let mut state = self.lock();
        if self.poll(&mut state).is_pending() {
            return None;
        }
        match std::mem::replace(&mut *state, State::Told) {
            State::Over(result) => Some(Ok(*result)),
            State::Running(_) | State::Told => Some(Err(())),
        }
    }

    /// What to wait for before it is over.
    pub(crate) fn awaits(&self) -> Awaits<'_> {
        match self.poll(&mut self.lock()) {
            Poll::Ready(()) => Awaits::Nothing,
            Poll::Pending => self.done.awaits(),
        }
    }
}

/// Everything from the look-up to the headers of the response.
async fn run(order: Order, client: Handle) -> Result<Response, ErrorCode> {
    let Order { network, tls, target, path, method, headers, body, timeouts, place, share } = order;
    let mut connection = connect(network, &target, tls, timeouts.connect).await?;
    let progress = body.as_ref().map(Sent::progress);
    let mut request = Request::new(RequestBody(body));
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    *request.uri_mut() = if connection.is_http2() {
        let absolute = format!("{}{path}", target.origin());
        absolute.parse().map_err(|_| ErrorCode::HttpRequestUriInvalid)?
    } else {
        let origin = target.origin();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        let host = HeaderValue::from_str(authority);
        let host = host.map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
        request.headers_mut().insert(HOST, host);
        Uri::from(path)
    };
    let begun = Instant::now();
    let last = || {
        let taken = progress.as_ref().map(|progress| Instant::from_std(progress.last()));
        taken.map_or(begun, |taken| taken.max(begun))
    };
    let response = {
        let mut sending = pin!(connection.send(request));
        loop {
            let since = last();
            let Some(until) = since.checked_add(timeouts.first_byte) else { break sending.await };
            match timeout_at(until, &mut sending).await {
                Ok(response) => break response,
                // More of the body was sent meanwhile.
                Err(_) if last() > since => {}
                Err(_) => break Err(ErrorCode::ConnectionReadTimeout),
            }
        }
    }?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for that.
        return Err(ErrorCode::HttpProtocolError);
    }
    let (parts, body) = response.into_parts();
    let body = Box::pin(Received { body, _connection: connection });
    let timeout = Some((timeouts.between_bytes, client));
    let body = Incoming::new(body, timeout, Some(place), share)?;
    Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// A body with the connection it comes by, which ends with it.
struct Received {
    body: hyper::body::Incoming,
    _connection: Connection,
}

impl Body for Received {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(ErrorCode::from)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        match &mut self.0 {
            Some(sent) => Pin::new(sent).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestBody").field(&self.0).finish()
    }
}

impl From<host::net::TargetError> for ErrorCode {
    fn from(_: host::net::TargetError) -> ErrorCode {
        ErrorCode::HttpRequestUriInvalid
    }
}
