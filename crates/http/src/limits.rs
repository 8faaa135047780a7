//! How much a guest may have of everything that has to do with HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many bytes of names and values a set of fields may have.
pub const FIELDS_BYTES_MAX: usize = 128 << 10;

/// How many fields a set may have.
pub const FIELDS_MAX: usize = 1024;

/// What a field is charged beside its bytes.
pub(crate) const FIELD_BYTES: usize = 64;

/// How many requests that go on, and bodies of them, a guest may have at once.
pub const OPEN_MAX: usize = 256;

/// How many bytes of a body may wait to be sent.
pub(crate) const ROOM: usize = 64 << 10;

/// What a body that is written is charged: what waits to be sent, and what is being sent.
pub const BODY_BYTES: u64 = 2 * ROOM as u64;

/// What is charged for a request that goes on, until its response is gone: buffers of the connection in both
/// directions and the window of a stream.
pub const EXCHANGE_BYTES: u64 = 512 << 10;

/// The most that a connection buffers, in each direction; what a response has before its body has to fit.
pub(crate) const CONNECTION_BUFFER: usize = 128 << 10;

/// How many bytes of a body a server may send before they are asked for.
pub(crate) const WINDOW: u32 = 256 << 10;

/// The longest path and query, authority, and method or scheme of a name of its own.
pub(crate) const PATH_MAX: usize = 32 << 10;
pub(crate) const AUTHORITY_MAX: usize = 1 << 10;
pub(crate) const TOKEN_MAX: usize = 256;

/// How long to wait, unless the guest says otherwise: for a connection, for the response after the last progress of
/// the request, and for more of it.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
pub(crate) const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(600);
pub(crate) const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(600);

/// Counts what a guest has open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open(Arc<AtomicUsize>);

/// One of what is open, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Open {
    /// Takes a place, if there is one.
    pub(crate) fn take(&self) -> Option<Place> {
        let take = |taken: usize| (taken < OPEN_MAX).then(|| taken.saturating_add(1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Place(Arc::clone(&self.0)))
    }

    /// How many are taken.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
