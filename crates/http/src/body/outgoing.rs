//! A body that a guest writes: a bounded buffer between its stream and the connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use dunlin_wasi::host::net::Awaits;
use dunlin_wasi::host::{ByteSink, Cause, Error, Signal, Wait};
use http_body::{Body, Frame, SizeHint};
use hyper::header::HeaderMap;

use crate::error::ErrorCode;
use crate::guest::Share;
use crate::limits::{Place, ROOM};

/// The guest's side. If it is dropped before it is finished, the body fails.
#[derive(Debug)]
pub struct Outgoing(Arc<Shared>);

/// The guest's stream into it.
#[derive(Debug)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
}

/// The side of the connection.
#[derive(Debug)]
pub(crate) struct Sent(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Raised when the guest's side should look again.
    room: Signal,
    _place: Option<Place>,
    _share: Share,
}

#[derive(Debug)]
struct State {
    waiting: BytesMut,
    /// How many bytes were written.
    written: u64,
    /// How many should be.
    length: Option<u64>,
    end: End,
    /// Whether nobody takes anything any more.
    abandoned: bool,
    taker: Option<Waker>,
    /// When something was taken last.
    progress: Instant,
}

#[derive(Debug)]
enum End {
    Open,
    Finished(Option<HeaderMap>),
    Failed(ErrorCode),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends it, if it has not ended.
    fn end(&mut self, end: End) {
        if let End::Open = self.end {
            self.end = end;
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.taker.take() {
            waker.wake();
        }
    }

    /// Fails if nothing can be added any more.
    fn check(&self) -> Result<(), Error> {
        match &self.end {
            End::Failed(_) => Err(Error::Io),
            End::Finished(_) => Err(Error::Pipe),
            // Who has all that was announced takes no more, and that is no failure.
            End::Open if self.abandoned && self.length != Some(self.written) => Err(Error::Pipe),
            End::Open => Ok(()),
        }
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.waiting.len())
    }
}

impl Outgoing {
    /// A body of the length that headers announce, if they do.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor for it.
    pub(crate) fn new(
        length: Option<u64>,
        place: Option<Place>,
        share: Share,
    ) -> Result<Outgoing, Error> {
        let state = State {
            waiting: BytesMut::new(),
            written: 0,
            length,
            end: End::Open,
            abandoned: false,
            taker: None,
            progress: Instant::now(),
        };
        let (state, room) = (Mutex::new(state), Signal::new()?);
        Ok(Outgoing(Arc::new(Shared { state, room, _place: place, _share: share })))
    }

    /// The stream into it.
    pub(crate) fn sink(&self) -> Sink {
        Sink { shared: Arc::clone(&self.0) }
    }

    /// What is sent.
    pub(crate) fn sent(&self) -> Sent {
        Sent(Arc::clone(&self.0))
    }

    /// Says that nothing more comes but these.
    ///
    /// # Errors
    ///
    /// If what was written is not as long as announced, or the body had failed.
    pub fn finish(self, trailers: Option<HeaderMap>) -> Result<(), ErrorCode> {
        let mut state = self.0.lock();
        if let End::Failed(code) = &state.end {
            return Err(code.clone());
        }
        if state.length.is_some_and(|length| length != state.written) {
            let code = ErrorCode::HttpRequestBodySize(Some(state.written));
            state.end(End::Failed(code.clone()));
            return Err(code);
        }
        state.end(End::Finished(trailers));
        Ok(())
    }

    /// Says that it cannot be finished.
    pub(crate) fn fail(&self, code: ErrorCode) {
        self.0.lock().end(End::Failed(code));
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.fail(ErrorCode::internal("the body was dropped before it was finished"));
        // The stream, if there is one, has ended too.
        self.0.room.raise();
    }
}

impl Sink {
    /// Writes what there is room for.
    fn try_write(&self, bytes: &[u8]) -> Result<usize, Error> {
        let mut state = self.shared.lock();
        state.check()?;
        let all = state.written.saturating_add(bytes.len() as u64);
        if state.length.is_some_and(|length| all > length) {
            // What the server took for the end of this would be the begin of something else.
            state.end(End::Failed(ErrorCode::HttpRequestBodySize(Some(all))));
            return Err(Error::Io);
        }
        if state.room() == 0 {
            self.shared.room.clear();
            return Err(Error::Again);
        }
        let taken = bytes.get(..bytes.len().min(state.room())).unwrap_or_default();
        state.waiting.extend_from_slice(taken);
        state.written = state.written.saturating_add(taken.len() as u64);
        state.wake();
        Ok(taken.len())
    }
}

impl ByteSink for Sink {
    fn room(&self) -> Result<usize, Error> {
        let state = self.shared.lock();
        state.check()?;
        Ok(state.room())
    }

    fn write(&mut self, bytes: &[u8], wait: Wait<'_>) -> Result<usize, Error> {
        loop {
            match self.try_write(bytes) {
                Err(Error::Again) if wait.blocking => {
                    self.shared.room.awaits().wait(wait.interrupt)?
                }
                result => return result,
            }
        }
    }

    fn awaits(&self) -> Awaits<'_> {
        let state = self.shared.lock();
        if state.room() > 0 || state.check().is_err() {
            return Awaits::Nothing;
        }
        self.shared.room.clear();
        self.shared.room.awaits()
    }

    fn cause(&self) -> Option<Arc<dyn Cause>> {
        match &self.shared.lock().end {
            End::Failed(code) => Some(Arc::new(code.clone())),
            _ => None,
        }
    }
}

impl Sent {
    /// When something was taken last, or the body was made.
    pub(crate) fn progress(&self) -> Progress {
        Progress(Arc::clone(&self.0))
    }
}

/// Tells how long nothing was taken.
#[derive(Debug)]
pub(crate) struct Progress(Arc<Shared>);

impl Progress {
    pub(crate) fn last(&self) -> Instant {
        self.0.lock().progress
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let mut state = self.0.lock();
        if let End::Failed(code) = &state.end {
            return Poll::Ready(Some(Err(code.clone())));
        }
        if !state.waiting.is_empty() {
            let bytes = state.waiting.split().freeze();
            state.progress = Instant::now();
            self.0.room.raise();
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let End::Finished(trailers) = &mut state.end {
            return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        state.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        matches!(state.end, End::Finished(None)) && state.waiting.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.0.lock();
        let waiting = state.waiting.len() as u64;
        match (state.length, &state.end) {
            (_, End::Finished(None)) => SizeHint::with_exact(waiting),
            (Some(length), _) => {
                let passed = state.written.saturating_sub(waiting);
                SizeHint::with_exact(length.saturating_sub(passed))
            }
            (None, _) => SizeHint::default(),
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.0.lock().abandoned = true;
        self.0.room.raise();
    }
}
