//! Counts of collections, and how long they took.

use std::time::Duration;

/// What the collector of a store did so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GcStats {
    /// Collections of the nursery alone.
    pub minor: u64,
    /// Collections of the whole heap.
    pub major: u64,
    /// Bytes of all objects ever made, headers included; exact after a collection.
    pub allocated_bytes: u64,
    /// Bytes of the objects that outlived the last collection of the whole heap.
    pub live_bytes: u64,
    /// Bytes of the objects in the heap now, dead ones included.
    pub used_bytes: u64,
    /// Bytes the heap takes now.
    pub heap_bytes: u64,
    /// The most bytes the heap ever took, collections included.
    pub peak_bytes: u64,
    /// How long collections took.
    pub pauses: Pauses,
}

/// How many buckets a doubling is split into.
const STEPS: u32 = 8;

/// Durations, counted in buckets whose bounds are at most an eighth apart.
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    counts: Vec<u64>,
    total: Duration,
    max: Duration,
}

impl Pauses {
    pub(super) fn add(&mut self, pause: Duration) {
        let bucket = bucket(pause.as_nanos().min(u64::MAX.into()) as u64);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += pause;
        self.max = self.max.max(pause);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All together.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// A time that `percent` of a hundred did not exceed, up to an eighth too long; zero if there
    /// were none.
    pub fn percentile(&self, percent: u32) -> Duration {
        let wanted = (self.count() * u64::from(percent)).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return Duration::from_nanos(bound(bucket)).min(self.max);
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a number: exact below eight, then eight for each power of two.
fn bucket(n: u64) -> usize {
    let steps = u64::from(STEPS);
    if n < steps {
        return n as usize;
    }
    let exponent = n.ilog2() - STEPS.ilog2();
    (u64::from(exponent) * steps + (n >> exponent)) as usize
}

/// The highest number in a bucket.
fn bound(bucket: usize) -> u64 {
    let (steps, bucket) = (STEPS as usize, bucket);
    if bucket < 2 * steps {
        return bucket as u64;
    }
    let exponent = (bucket / steps - 1) as u32;
    let step = (bucket % steps + steps) as u64;
    ((step + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_a_bucket_that_is_close_to_it() {
        for n in (0..2000).chain([1 << 20, (1 << 40) + 12345, u64::MAX >> 1]) {
            let bound = bound(bucket(n));
            assert!(bound >= n && bound - n <= n / 8, "{n} in a bucket up to {bound}");
            assert!(bound == 0 || bucket(n) == 0 || super::bound(bucket(n) - 1) < n);
        }
    }

    #[test]
    fn percentiles_of_known_pauses() {
        let mut pauses = Pauses::default();
        for micros in 1..=100 {
            pauses.add(Duration::from_micros(micros));
        }
        let close = |found: Duration, micros: u64| {
            let found = found.as_nanos() as u64;
            (micros * 1000..=micros * 1125).contains(&found)
        };
        assert!(close(pauses.percentile(50), 50));
        assert!(close(pauses.percentile(99), 99));
        assert_eq!(pauses.max(), Duration::from_micros(100));
        assert_eq!(pauses.count(), 100);
    }
}
