//! When compiling pays: heat against cost.
//!
//! *Heat* is interpreted time that was seen in a function since something was last compiled for it.
//! *Cost* is how long compiling it is going to take. Compiling is asked for when the heat exceeds the
//! cost, and asking uses the heat up. So thresholds grow with functions, and all compiling together
//! takes no longer than interpreting did before.

use std::time::Duration;

use super::pool;

/// Units of heat for a microsecond of interpreted time.
const HEAT_PER_MICRO: u32 = 16;

/// Units of heat for a millisecond of interpreted time.
pub const HEAT_PER_MILLISECOND: u64 = 1000 * HEAT_PER_MICRO as u64;

/// The most heat that is counted: some minutes.
const HEAT_MAX: u32 = 1 << 30;

/// What a call from native code to an interpreted function is worth: both crossings of the border,
/// and a little of what is done behind it, in units of heat.
pub(super) const HEAT_PER_CROSSING: u32 = 4;

/// Compiling anything costs this, in microseconds.
const COST_BASE: u64 = 40;

/// A byte of a function body costs so many sixteenths of a microsecond: 2.6 µs for an operator,
/// which has 2.1 bytes.
const COST_PER_BYTE: u64 = 20;

/// Heat of a sample that stands for `time`.
pub(super) const fn heat_of(time: Duration) -> u32 {
    let heat = time.as_micros() * HEAT_PER_MICRO as u128;
    if heat > HEAT_MAX as u128 { HEAT_MAX } else { heat as u32 }
}

/// How much interpreted time some heat stands for.
pub(super) const fn time_of(heat: u32) -> Duration {
    Duration::from_nanos(heat as u64 * 1000 / HEAT_PER_MICRO as u64)
}

/// `heat` and `more`.
pub(super) const fn warmer(heat: u32, more: u32) -> u32 {
    let sum = heat.saturating_add(more);
    if sum > HEAT_MAX { HEAT_MAX } else { sum }
}

/// How functions come to be compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TierMode {
    /// In the background, what the interpreter spends its time with.
    Auto,
    /// Each function before its first call.
    Opt,
    /// For tests: each function before its second call, and each loop before its second iteration.
    Eager,
    /// For tests: each loop before its second iteration, and no function as a whole.
    Loops,
    /// For tests: nothing is compiled, but every back edge and call looks whether something should be.
    Looking,
}

impl TierMode {
    /// Whether back edges look for ticks.
    pub(super) fn looks(self) -> bool {
        self != TierMode::Opt
    }

    /// Whether loops are taken over before their second iteration.
    pub(super) fn takes_loops_at_once(self) -> bool {
        matches!(self, TierMode::Eager | TierMode::Loops)
    }

    /// Whether the tick bit is always set.
    pub(crate) fn always_ticks(self) -> bool {
        matches!(self, TierMode::Eager | TierMode::Loops | TierMode::Looking)
    }
}

/// When something is compiled, and how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TierPolicy {
    /// How functions come to be compiled.
    pub mode: TierMode,
    /// How much interpreted time, in percent of what compiling a function is estimated to take, must
    /// have been spent in it before it is compiled ([`TierMode::Auto`]).
    pub patience: u32,
    /// The most native code of one module, in bytes.
    pub native_bytes: u64,
    /// Whether to remember each thing that was compiled, for [`Tiers::report`](super::Tiers::report).
    pub record: bool,
}

impl TierPolicy {
    /// The usual policy for a mode.
    pub fn new(mode: TierMode) -> TierPolicy {
        // Alone, a processor that compiles does not run the guest.
        let patience = if pool::processors() == 1 { 200 } else { 100 };
        TierPolicy { mode, patience, native_bytes: 256 << 20, record: false }
    }

    /// The heat that a function with a body of so many bytes must have to be compiled.
    pub(super) fn price(&self, body_bytes: usize) -> u32 {
        match self.mode {
            TierMode::Looking => u32::MAX,
            // Two samples: one for each call.
            TierMode::Eager | TierMode::Loops | TierMode::Opt => 2 * SAMPLE_EAGER,
            TierMode::Auto => {
                let cost = cost(body_bytes).saturating_mul(self.patience.into()) / 100;
                u32::try_from(cost).map_or(HEAT_MAX, |cost| cost.clamp(1, HEAT_MAX))
            }
        }
    }
}

/// Heat of a sample in [`TierMode::Eager`].
pub(super) const SAMPLE_EAGER: u32 = 1;

/// What compiling a function with a body of so many bytes takes, in units of heat.
pub(super) fn cost(body_bytes: usize) -> u64 {
    let body = (body_bytes as u64).saturating_mul(COST_PER_BYTE);
    body.saturating_add(COST_BASE * u64::from(HEAT_PER_MICRO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_grow_with_functions_and_patience() {
        let auto = TierPolicy::new(TierMode::Auto);
        let auto = TierPolicy { patience: 100, ..auto };
        let (small, large) = (auto.price(40), auto.price(40_000));
        assert!(time_of(small) < Duration::from_micros(100), "{:?}", time_of(small));
        assert!(time_of(large) > Duration::from_millis(45), "{:?}", time_of(large));
        let patient = TierPolicy { patience: 300, ..auto };
        assert_eq!(patient.price(40), small * 3);
        assert_eq!(patient.price(usize::MAX), HEAT_MAX, "even the largest is compiled some day");
    }

    #[test]
    fn nothing_is_ever_hot_enough_for_a_mode_that_only_looks() {
        assert!(TierPolicy::new(TierMode::Looking).price(0) > HEAT_MAX);
    }

    #[test]
    fn heat_is_time_and_does_not_wrap() {
        let tick = Duration::from_millis(1);
        assert_eq!(time_of(heat_of(tick)), tick);
        assert_eq!(warmer(u32::MAX - 1, 5), HEAT_MAX);
        assert_eq!(heat_of(Duration::MAX), HEAT_MAX);
    }
}
