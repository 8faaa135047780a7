//! The embedder's way to stop a guest that waits in the host.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use super::poll::Deferred;

/// The longest wait between two questions to the embedder.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// Asks the embedder whether the guest should stop waiting.
///
/// Without a question to ask, waits are plain blocking calls.
#[derive(Clone, Default)]
pub struct Interrupt {
    stop: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    deferral: Option<Arc<Mutex<Deferral>>>,
}

/// How a wait is put off, so that it does not hold up others who want the same world.
#[derive(Debug, Default)]
struct Deferral {
    /// When the operation was tried first, if this is not the first time, on the monotonic clock.
    began: Option<u64>,
    deferred: Option<Deferred>,
}

impl Interrupt {
    /// Stops waits as soon as `stop` says so; it is asked every few milliseconds.
    pub fn new(stop: Arc<dyn Fn() -> bool + Send + Sync>) -> Interrupt {
        Interrupt { stop: Some(stop), deferral: None }
    }

    /// The same, but waits are not waited: the operation ends as if it was interrupted, and leaves
    /// what it would have waited for in [`Interrupt::take_deferred`]. Whoever called it waits for that
    /// and tries again.
    pub(crate) fn deferring(&self) -> Interrupt {
        Interrupt { deferral: Some(Arc::default()), ..self.clone() }
    }

    /// The same, and waits are waited.
    pub(crate) fn patient(&self) -> Interrupt {
        Interrupt { deferral: None, ..self.clone() }
    }

    fn deferral(&self) -> Option<MutexGuard<'_, Deferral>> {
        // Nothing panics under the lock.
        Some(self.deferral.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An operation begins, or began at that time and is tried again.
    pub(crate) fn begin(&self, began: Option<u64>) {
        if let Some(mut deferral) = self.deferral() {
            *deferral = Deferral { began, deferred: None };
        }
    }

    /// When the operation that goes on began, on the monotonic clock: `now`, unless it was tried
    /// before.
    pub(crate) fn begun_at(&self, now: impl FnOnce() -> Result<u64, Error>) -> Result<u64, Error> {
        let Some(mut deferral) = self.deferral() else { return now() };
        match deferral.began {
            Some(began) => Ok(began),
            None => Ok(*deferral.began.insert(now()?)),
        }
    }

    /// When the operation that goes on began, if it asked for that.
    pub(crate) fn began(&self) -> Option<u64> {
        self.deferral()?.began
    }

    /// Whether waits are put off.
    pub(crate) fn defers(&self) -> bool {
        self.deferral.is_some()
    }

    /// Puts a wait off.
    pub(crate) fn defer(&self, wait: Deferred) {
        if let Some(mut deferral) = self.deferral() {
            deferral.deferred = Some(wait);
        }
    }

    /// The wait that was put off.
    pub(crate) fn take_deferred(&self) -> Option<Deferred> {
        self.deferral()?.deferred.take()
    }

    /// Whether there is a question to ask at all.
    pub(crate) fn is_set(&self) -> bool {
        self.stop.is_some() || self.deferral.is_some()
    }

    /// Fails when the guest should stop.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.stop {
            Some(stop) if stop() => Err(Error::Interrupted),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.is_set()).finish()
    }
}
