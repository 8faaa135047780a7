//! Threads that wait at addresses of a shared memory until another notifies them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// Somebody notified the address.
    Notified,
    /// It did not begin: the value was another.
    Mismatch,
    /// Its time passed.
    TimedOut,
    /// The thread was asked to stop.
    Interrupted,
}

/// The waiting threads of one memory, by address, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct ParkingLot {
    queues: Mutex<HashMap<u64, VecDeque<Arc<Waiter>>>>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    notified: AtomicBool,
}

impl ParkingLot {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, VecDeque<Arc<Waiter>>>> {
        // Nothing panics under the lock; if it did, the queues would still be whole.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at `address` if `is_expected` says so, until notified, until `deadline`, or until
    /// `is_stopped` says so; whoever makes it say so unparks this thread.
    ///
    /// Comparing and queueing are one step for those who notify: who changes the value first and
    /// notifies then, cannot miss a thread that saw the value before.
    pub(super) fn wait(
        &self,
        address: u64,
        deadline: Option<Instant>,
        is_expected: impl FnOnce() -> bool,
        is_stopped: impl Fn() -> bool,
    ) -> Woken {
        let waiter =
            Arc::new(Waiter { thread: thread::current(), notified: AtomicBool::new(false) });
        {
            let mut queues = self.lock();
            if !is_expected() {
                return Woken::Mismatch;
            }
            queues.entry(address).or_default().push_back(waiter.clone());
        }
        let gave_up = loop {
            if waiter.notified.load(Ordering::Acquire) {
                return Woken::Notified;
            }
            if is_stopped() {
                break Woken::Interrupted;
            }
            match deadline.map(|time| time.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => break Woken::TimedOut,
                Some(left) => thread::park_timeout(left),
            }
        };
        let mut queues = self.lock();
        // Who was counted as notified was notified, even if it gave up at the same time.
        if waiter.notified.load(Ordering::Acquire) {
            return if gave_up == Woken::Interrupted { gave_up } else { Woken::Notified };
        }
        if let Some(queue) = queues.get_mut(&address) {
            queue.retain(|other| !Arc::ptr_eq(other, &waiter));
            if queue.is_empty() {
                queues.remove(&address);
            }
        }
        gave_up
    }

    /// Wakes up to `count` of the threads that wait at `address`; how many.
    pub(super) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut queues = self.lock();
        let Some(queue) = queues.get_mut(&address) else { return 0 };
        let count = (count as usize).min(queue.len());
        for waiter in queue.drain(..count) {
            waiter.notified.store(true, Ordering::Release);
            waiter.thread.unpark();
        }
        if queue.is_empty() {
            queues.remove(&address);
        }
        count as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn waiters_are_woken_in_order_and_leave_nothing_behind() {
        let lot = ParkingLot::default();
        let woken = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..4 {
                let (lot, woken) = (&lot, &woken);
                scope.spawn(move || {
                    assert_eq!(lot.wait(8, None, || true, || false), Woken::Notified);
                    woken.lock().unwrap().push(number);
                });
                while lot.lock().get(&8).map_or(0, VecDeque::len) <= number {
                    thread::yield_now();
                }
            }
            assert_eq!(lot.notify(4, u32::MAX), 0);
            assert_eq!(lot.notify(8, 0), 0);
            for number in 0..2 {
                assert_eq!(lot.notify(8, 1), 1);
                while woken.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
            }
            assert_eq!(*woken.lock().unwrap(), [0, 1]);
            assert_eq!(lot.notify(8, u32::MAX), 2);
        });
        assert!(lot.lock().is_empty());
    }

    #[test]
    fn waits_end_by_time_by_request_and_by_value() {
        let lot = ParkingLot::default();
        let now = Instant::now();
        assert_eq!(lot.wait(0, None, || false, || false), Woken::Mismatch);
        assert_eq!(lot.wait(0, Some(now), || true, || false), Woken::TimedOut);
        let soon = now + Duration::from_millis(20);
        assert_eq!(lot.wait(0, Some(soon), || true, || false), Woken::TimedOut);
        assert!(Instant::now() >= soon);
        assert_eq!(lot.wait(0, None, || true, || true), Woken::Interrupted);
        assert!(lot.lock().is_empty());
    }
}
