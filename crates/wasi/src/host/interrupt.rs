//! The embedder's way to stop a guest that waits in the host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Error;

/// The longest wait between two questions to the embedder.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// Asks the embedder whether the guest should stop waiting.
///
/// Without a question to ask, waits are plain blocking calls.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Interrupt {
    /// Stops waits as soon as `stop` says so; it is asked every few milliseconds.
    pub fn new(stop: Arc<dyn Fn() -> bool + Send + Sync>) -> Interrupt {
        Interrupt(Some(stop))
    }

    /// Whether there is a question to ask at all.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Fails when the guest should stop.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.0 {
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
