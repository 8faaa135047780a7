//! What `--gc-stats` prints when a program has ended.

use std::fmt;
use std::time::Duration;

use dunlin::GcStats;

use crate::quantity::Size;

/// The statistics of a heap, in three lines for people and for `key=value` readers alike.
pub(crate) struct GcReport<'a>(pub(crate) &'a GcStats);

impl fmt::Display for GcReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GcStats { minor, major, pauses, .. } = self.0;
        let [allocated, live, used, heap, peak] = [
            self.0.allocated_bytes,
            self.0.live_bytes,
            self.0.used_bytes,
            self.0.heap_bytes,
            self.0.peak_bytes,
        ];
        writeln!(
            f,
            "gc: collections={} minor={minor} major={major} pause_total_ms={} pause_p50_ms={} \
             pause_p99_ms={} pause_max_ms={}",
            minor + major,
            Millis(pauses.total()),
            Millis(pauses.percentile(50)),
            Millis(pauses.percentile(99)),
            Millis(pauses.max()),
        )?;
        writeln!(
            f,
            "gc: allocated={allocated} live={live} used={used} heap={heap} peak={peak}  (bytes)"
        )?;
        writeln!(
            f,
            "gc: {} made in all; {} lived through the last full collection; {} of heap, {} at most",
            Size(allocated),
            Size(live),
            Size(heap),
            Size(peak),
        )
    }
}

struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0.as_secs_f64() * 1e3)
    }
}
