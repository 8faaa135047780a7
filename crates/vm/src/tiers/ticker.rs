//! The ticker: one thread per process, awake while guests run, that asks their stores for samples.
//!
//! Each thread that runs guests has a *slot*, which says in which store it does: set by the outermost
//! call, and by nobody else. The ticker goes through the slots. It *holds* a slot while it sets the
//! bit, by a mark in the slot's pointer, so that the call cannot end, and the store not go, meanwhile.
//!
//! A bit that is still there when its time comes again says that nothing is interpreted: the guest is
//! in native code, in the host, or waits. Then ticks come more and more seldom, until somebody takes
//! one. While no thread runs a guest the ticker sleeps, and the next call wakes it.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::store::Shared;

/// The interpreted time that a sample stands for.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// The longest time between two ticks, while nobody takes them.
const TICK_MAX: Duration = Duration::from_millis(16);

/// How long no guest must have run before the ticker sleeps.
const IDLE: Duration = Duration::from_millis(50);

/// How long after it decided to sleep it looks for guests once more.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// What one thread runs.
#[derive(Debug)]
struct Slot {
    /// The store; null if it runs no guest. The lowest bit is set while the ticker holds the slot.
    running: AtomicPtr<Shared>,
}

impl Slot {
    /// Sets what runs; gives what ran before. Waits while the ticker holds the slot.
    fn replace(&self, new: *mut Shared) -> *mut Shared {
        let mut old = self.running.load(Ordering::Relaxed);
        loop {
            if is_held(old) {
                // It sets a bit: some nanoseconds, unless its thread had to stop there.
                thread::yield_now();
                old = self.running.load(Ordering::Relaxed);
                continue;
            }
            // Acquire: after the ticker let go. Release: the store is as it is now.
            let exchanged =
                self.running.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return old,
                Err(found) => old = found,
            }
        }
    }

    /// Calls `f` with what runs, if something does.
    fn hold<R>(&self, f: impl FnOnce(&Shared) -> R) -> Option<R> {
        let running = self.running.load(Ordering::Relaxed);
        if running.is_null() || is_held(running) {
            return None;
        }
        let held = running.map_addr(|address| address | 1);
        self.running.compare_exchange(running, held, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: a store that is in a slot is in the middle of a call, which cannot end before the
        // slot is let go, because it takes the store out first (`Running::drop`).
        let result = f(unsafe { &*running });
        self.running.store(running, Ordering::Release);
        Some(result)
    }
}

fn is_held(running: *mut Shared) -> bool {
    running.addr() & 1 != 0
}

/// A call that is going on, from [`begin`] until it is dropped, on the same thread.
#[derive(Debug)]
pub(crate) struct Running {
    /// What ran before: the store that called the host, which called this one.
    before: *mut Shared,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A slot that is gone was emptied then.
        let _ = SLOT.try_with(|slot| slot.0.replace(self.before));
    }
}

/// The slot of a thread.
struct ThreadSlot(Arc<Slot>);

impl Drop for ThreadSlot {
    fn drop(&mut self) {
        self.0.replace(ptr::null_mut());
    }
}

thread_local! {
    static SLOT: ThreadSlot = ThreadSlot(TICKER.slot());
}

/// Says that this thread runs a guest of `shared` until the result is dropped, and wakes the ticker.
pub(crate) fn begin(shared: &Arc<Shared>) -> Running {
    let running = Arc::as_ptr(shared).cast_mut();
    // A thread that is ending gets no samples.
    let before = SLOT.try_with(|slot| slot.0.replace(running)).unwrap_or(ptr::null_mut());
    if TICKER.asleep.load(Ordering::Relaxed) {
        TICKER.wake();
    }
    Running { before }
}

struct Ticker {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the next call has to wake the thread.
    asleep: AtomicBool,
}

struct State {
    slots: Vec<Arc<Slot>>,
    started: bool,
}

static TICKER: Ticker = Ticker {
    state: Mutex::new(State { slots: Vec::new(), started: false }),
    changed: Condvar::new(),
    asleep: AtomicBool::new(true),
};

impl Ticker {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for this thread.
    fn slot(&self) -> Arc<Slot> {
        let slot = Arc::new(Slot { running: AtomicPtr::new(ptr::null_mut()) });
        self.lock().slots.push(slot.clone());
        slot
    }

    #[cold]
    fn wake(&self) {
        let mut state = self.lock();
        self.asleep.store(false, Ordering::Relaxed);
        if !state.started {
            // Without a thread there are no samples, and guests stay interpreted.
            let thread = thread::Builder::new().name("dunlin-ticker".into()).stack_size(64 << 10);
            let _ = thread.spawn(|| TICKER.run());
            state.started = true;
        }
        drop(state);
        self.changed.notify_one();
    }

    fn run(&self) {
        let (mut interval, mut idle) = (TICK, Duration::ZERO);
        loop {
            thread::sleep(interval);
            match self.tick(interval) {
                Ticked::Taken => (interval, idle) = (TICK, Duration::ZERO),
                Ticked::Left => (interval, idle) = ((interval * 2).min(TICK_MAX), Duration::ZERO),
                Ticked::Nobody if idle < IDLE => idle += interval,
                Ticked::Nobody => {
                    self.sleep();
                    (interval, idle) = (TICK, Duration::ZERO);
                }
            }
        }
    }

    /// Asks all stores that run guests for a sample.
    fn tick(&self, interval: Duration) -> Ticked {
        let mut state = self.lock();
        // Those of threads that ended.
        state.slots.retain(|slot| Arc::strong_count(slot) > 1);
        let mut ticked = Ticked::Nobody;
        for slot in &state.slots {
            match slot.hold(|shared| shared.tick(interval)) {
                Some(true) => ticked = Ticked::Taken,
                Some(false) if ticked == Ticked::Nobody => ticked = Ticked::Left,
                _ => {}
            }
        }
        ticked
    }

    /// Returns when a guest runs.
    ///
    /// A call puts its store into a slot before it looks whether it has to wake the ticker, but the
    /// processor may look first, and a fence in every call would cost more than all the rest. So there
    /// is another look at the slots when all that is long over.
    fn sleep(&self) {
        let mut state = self.lock();
        self.asleep.store(true, Ordering::SeqCst);
        let woken = self.changed.wait_timeout(state, LAST_LOOK);
        state = woken.unwrap_or_else(PoisonError::into_inner).0;
        let runs = |slot: &Arc<Slot>| !slot.running.load(Ordering::SeqCst).is_null();
        while self.asleep.load(Ordering::SeqCst) {
            if state.slots.iter().any(runs) {
                self.asleep.store(false, Ordering::SeqCst);
                return;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What became of the ticks before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ticked {
    /// One was taken.
    Taken,
    /// They are all still there.
    Left,
    /// There were none, as no guest runs.
    Nobody,
}
