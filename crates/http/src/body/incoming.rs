//! A body that a guest reads: it polls the connection itself, so that nothing is taken that it does not ask for.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use dunlin_wasi::host::net::Awaits;
use dunlin_wasi::host::{ByteSource, Cause, Error, Wait};
use http_body::Body;
use hyper::header::HeaderMap;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::error::ErrorCode;
use crate::guest::Share;
use crate::limits::Place;
use crate::wake::WakeSignal;

/// What there is to read, from wherever it comes.
pub type BoxBody = Pin<Box<dyn Body<Data = Bytes, Error = ErrorCode> + Send>>;

/// How many frames are thrown away before others have their turn.
const FRAMES_MAX: usize = 64;

/// A body that is received. A clone is another handle on the same.
#[derive(Clone, Debug)]
pub struct Incoming(Arc<Shared>);

/// The guest's stream out of it.
#[derive(Debug)]
pub(crate) struct Source(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Raised when polling is worth another try.
    more: WakeSignal,
    _place: Option<Place>,
    _share: Share,
}

struct State {
    /// None once it has ended.
    body: Option<BoxBody>,
    buffered: Bytes,
    trailers: Option<HeaderMap>,
    failed: Option<ErrorCode>,
    /// Whether what is left is thrown away, to get to the trailers.
    discard: bool,
    patience: Option<Patience>,
}

/// How long to wait for the next frame.
struct Patience {
    timeout: Duration,
    client: Handle,
    left: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("more", &self.more).finish_non_exhaustive()
    }
}

impl Incoming {
    /// A body that is not waited for longer than `timeout` at a time, by the client's clock.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor for it.
    pub(crate) fn new(
        body: BoxBody,
        timeout: Option<(Duration, Handle)>,
        place: Option<Place>,
        share: Share,
    ) -> Result<Incoming, Error> {
        let patience = timeout.map(|(timeout, client)| Patience { timeout, client, left: None });
        let state = State {
            body: Some(body),
            buffered: Bytes::new(),
            trailers: None,
            failed: None,
            discard: false,
            patience,
        };
        let (state, more) = (Mutex::new(state), WakeSignal::new()?);
        Ok(Incoming(Arc::new(Shared { state, more, _place: place, _share: share })))
    }

    /// The stream out of it.
    pub(crate) fn source(&self) -> Source {
        Source(Arc::clone(&self.0))
    }

    /// From now on only the trailers count.
    pub(crate) fn discard(&self) {
        self.0.lock().discard = true;
        // Whoever reads is at the end.
        self.0.more.raise();
    }

    /// The trailers, if there are any, once everything before them has come.
    pub(crate) fn trailers(&self) -> Poll<Result<Option<HeaderMap>, ErrorCode>> {
        let mut state = self.0.lock();
        if state.poll(&self.0.more).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(match &state.failed {
            Some(code) => Err(code.clone()),
            None => Ok(state.trailers.take()),
        })
    }

    /// What to wait for before there are trailers.
    pub(crate) fn awaits(&self) -> Awaits<'_> {
        self.0.awaits()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A body that panicked has failed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awaits(&self) -> Awaits<'_> {
        match self.lock().poll(&self.more) {
            Poll::Ready(()) => Awaits::Nothing,
            Poll::Pending => self.more.awaits(),
        }
    }
}

impl State {
    /// Goes on until something is there to be taken, or the end.
    fn poll(&mut self, more: &WakeSignal) -> Poll<()> {
        for _ in 0..FRAMES_MAX {
            if self.discard {
                self.buffered = Bytes::new();
            } else if self.buffered.has_remaining() {
                return Poll::Ready(());
            }
            let Some(body) = &mut self.body else { return Poll::Ready(()) };
            let mut cx = more.context();
            match body.as_mut().poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => self.buffered = bytes,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(code))) => self.end(Some(code)),
                Poll::Ready(None) => self.end(None),
                Poll::Pending => match self.patience.as_mut().map(|p| p.poll(&mut cx)) {
                    Some(Poll::Ready(())) => self.end(Some(ErrorCode::ConnectionReadTimeout)),
                    _ => return Poll::Pending,
                },
            }
            if let Some(patience) = &mut self.patience {
                patience.left = None;
            }
        }
        more.raise();
        Poll::Pending
    }

    fn end(&mut self, failed: Option<ErrorCode>) {
        self.body = None;
        self.failed = failed;
    }
}

impl Patience {
    /// Ready when it has come to its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.left.get_or_insert_with(|| {
            let _client = self.client.enter();
            Box::pin(tokio::time::sleep(self.timeout))
        });
        left.as_mut().poll(cx)
    }
}

impl Source {
    fn try_read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut state = self.0.lock();
        if state.discard {
            return Ok(0);
        }
        if state.poll(&self.0.more).is_pending() {
            return Err(Error::Again);
        }
        let size = buffer.len().min(state.buffered.remaining());
        if size == 0 && state.failed.is_some() {
            return Err(Error::Io);
        }
        state.buffered.copy_to_slice(buffer.get_mut(..size).unwrap_or_default());
        Ok(size)
    }
}

impl ByteSource for Source {
    fn read(&mut self, buffer: &mut [u8], wait: Wait<'_>) -> Result<usize, Error> {
        loop {
            match self.try_read(buffer) {
                Err(Error::Again) if wait.blocking => self.0.more.awaits().wait(wait.interrupt)?,
                result => return result,
            }
        }
    }

    fn awaits(&self) -> Awaits<'_> {
        if self.0.lock().discard { Awaits::Nothing } else { self.0.awaits() }
    }

    fn cause(&self) -> Option<Arc<dyn Cause>> {
        let code = self.0.lock().failed.clone()?;
        Some(Arc::new(code))
    }
}
