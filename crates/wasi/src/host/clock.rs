//! The four clocks.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::Error;

/// A clock of the host.
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

    /// The clock's time, in nanoseconds.
    pub fn now(self) -> Result<u64, Error> {
        nanoseconds(clock_gettime(self.id())).ok_or(Error::Overflow)
    }

    /// The smallest step the clock shows, in nanoseconds.
    pub fn resolution(self) -> Result<u64, Error> {
        nanoseconds(clock_getres(self.id())).ok_or(Error::Overflow)
    }
}

/// Nanoseconds of a time that is not negative and fits.
fn nanoseconds(time: Timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u64::try_from(time.tv_nsec).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}
