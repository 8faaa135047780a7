//! Futures that a guest waits for: their wakers raise a signal, which is polled with everything else.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use dunlin_wasi::host::net::Awaits;
use dunlin_wasi::host::{Error, Signal};

/// A signal that futures raise.
#[derive(Debug)]
pub(crate) struct WakeSignal {
    raised: Arc<Raise>,
    waker: Waker,
}

#[derive(Debug)]
struct Raise(Signal);

impl Wake for Raise {
    fn wake(self: Arc<Self>) {
        self.0.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.raise();
    }
}

impl WakeSignal {
    pub(crate) fn new() -> Result<WakeSignal, Error> {
        let raised = Arc::new(Raise(Signal::new()?));
        let waker = Waker::from(Arc::clone(&raised));
        Ok(WakeSignal { raised, waker })
    }

    /// For polling a future: whatever it was raised for before no longer counts.
    pub(crate) fn context(&self) -> Context<'_> {
        self.raised.0.clear();
        Context::from_waker(&self.waker)
    }

    /// Makes whoever waits poll again.
    pub(crate) fn raise(&self) {
        self.raised.0.raise();
    }

    pub(crate) fn awaits(&self) -> Awaits<'_> {
        self.raised.0.awaits()
    }
}
