//! The thread of the client, which starts when it is needed first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

/// How many look-ups of all guests go on at once.
const LOOKUPS_MAX: usize = 256;

/// How long a thread for look-ups waits for the next.
const LOOKUP_IDLE: Duration = Duration::from_secs(2);

static CLIENT: Mutex<Option<Handle>> = Mutex::new(None);

/// The runtime of the client.
pub(crate) fn client() -> io::Result<Handle> {
    // Nothing panics under the lock.
    let mut client = CLIENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*client {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(LOOKUPS_MAX)
        .thread_keep_alive(LOOKUP_IDLE)
        .build()?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new().name("dunlin-http".into());
    thread.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *client = Some(handle.clone());
    Ok(handle)
}

/// A task that ends with this.
#[derive(Debug)]
pub(crate) struct Task<V>(pub(crate) JoinHandle<V>);

impl<V> Drop for Task<V> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
