//! The four clocks, of the host or made up.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::Error;

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time of day, which can be set back.
    Realtime,
    /// Time that only goes forward, from an arbitrary start.
    Monotonic,
    /// Processor time of the whole process.
    ProcessCpu,
    /// Processor time of the thread that asks.
    ThreadCpu,
}

impl Clock {
    fn id(self) -> ClockId {
        match self {
            Clock::Realtime => ClockId::Realtime,
            Clock::Monotonic => ClockId::Monotonic,
            Clock::ProcessCpu => ClockId::ProcessCPUTime,
            Clock::ThreadCpu => ClockId::ThreadCPUTime,
        }
    }
}

/// Where the time on a guest's clocks comes from.
#[derive(Debug, Default)]
pub enum Time {
    /// The host's clocks.
    #[default]
    Host,
    /// Made up: see [`VirtualTime`].
    Virtual(VirtualTime),
}

/// Time that passes because of what the guest does and nothing else.
///
/// Each look at a clock takes a microsecond, and a wait takes as long as was asked for, at once.
/// The time of day starts at the first second of the year 2000, all other clocks at zero.
#[derive(Debug, Default)]
pub struct VirtualTime {
    nanoseconds: AtomicU64,
}

/// How much virtual time a look at a clock takes, in nanoseconds.
const LOOK: u64 = 1000;

/// What the virtual time of day starts at: 1 January 2000, in nanoseconds.
const START_OF_DAYS: u64 = 946_684_800_000_000_000;

impl Time {
    /// The time on a clock, in nanoseconds.
    pub fn now(&self, clock: Clock) -> Result<u64, Error> {
        let Time::Virtual(time) = self else {
            return nanoseconds(clock_gettime(clock.id())).ok_or(Error::Overflow);
        };
        let passed = time.nanoseconds.fetch_add(LOOK, Ordering::Relaxed);
        passed.checked_add(offset(clock)).ok_or(Error::Overflow)
    }

    /// The smallest step a clock shows, in nanoseconds.
    pub fn resolution(&self, clock: Clock) -> Result<u64, Error> {
        match self {
            Time::Host => nanoseconds(clock_getres(clock.id())).ok_or(Error::Overflow),
            Time::Virtual(_) => Ok(LOOK),
        }
    }

    /// How long until a clock shows `at`, in nanoseconds. Takes no time itself.
    pub fn left_until(&self, clock: Clock, at: u64) -> Result<u64, Error> {
        let now = match self {
            Time::Host => self.now(clock)?,
            Time::Virtual(time) => {
                time.nanoseconds.load(Ordering::Relaxed).saturating_add(offset(clock))
            }
        };
        Ok(at.saturating_sub(now))
    }

    /// Lets virtual time pass; the host's does so by itself.
    pub fn pass(&self, nanoseconds: u64) {
        if let Time::Virtual(time) = self {
            time.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }
}

/// What a clock shows at the start of virtual time.
fn offset(clock: Clock) -> u64 {
    if clock == Clock::Realtime { START_OF_DAYS } else { 0 }
}

/// Nanoseconds of a time that is not negative and fits.
fn nanoseconds(time: Timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u64::try_from(time.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}
