//! Deadlines: one thread per process, started at the first one, that asks guests to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use crate::store::Shared;

/// Deadlines that have not passed, by time; the number tells equal times apart.
type Key = (Instant, u64);

struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pending: BTreeMap<Key, Weak<Shared>>,
    next: u64,
    running: bool,
}

static WATCHDOG: Watchdog = Watchdog {
    state: Mutex::new(State { pending: BTreeMap::new(), next: 0, running: false }),
    changed: Condvar::new(),
};

/// A deadline of one store; dropping it calls it off.
#[derive(Debug)]
pub(crate) struct Deadline {
    key: Key,
}

impl Deadline {
    /// Sets the deadline bit of `shared` at `time`. Fails if the system gives no thread.
    pub(crate) fn new(time: Instant, shared: &Arc<Shared>) -> Result<Deadline, std::io::Error> {
        let mut state = WATCHDOG.lock();
        if !state.running {
            let thread = thread::Builder::new().name("dunlin-deadlines".into());
            thread.stack_size(64 << 10).spawn(|| WATCHDOG.watch())?;
            state.running = true;
        }
        let key = (time, state.next);
        state.next += 1;
        let first = state.pending.keys().next().is_none_or(|first| key < *first);
        state.pending.insert(key, Arc::downgrade(shared));
        drop(state);
        if first {
            WATCHDOG.changed.notify_one();
        }
        Ok(Deadline { key })
    }

    /// When it passes.
    pub(crate) fn time(&self) -> Instant {
        self.key.0
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        WATCHDOG.lock().pending.remove(&self.key);
    }
}

impl Watchdog {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock; if it did, the map would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            while let Some(entry) = state.pending.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                if let Some(shared) = entry.remove().upgrade() {
                    shared.pass_deadline();
                }
            }
            let next = state.pending.keys().next().map(|key| key.0);
            state = match next {
                Some(time) => {
                    let wait = time.saturating_duration_since(now);
                    let woken = self.changed.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}
