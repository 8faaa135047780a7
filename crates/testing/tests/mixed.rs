//! Random guests between tiers, instances and the host do the same everywhere: some of them;
//! `examples/mixed.rs` runs more.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::time::{Duration, Instant};

use dunlin_testing::mixed::{self, Tally};

#[test]
fn guests_do_the_same_in_all_tiers() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = number("DUNLIN_FUZZ_SECONDS").unwrap_or(1);
    let first = number("DUNLIN_FUZZ_SEED").unwrap_or(0);
    let start = Instant::now();
    let configurations = mixed::some();
    let mut tally = Tally::default();
    for seed in first.. {
        mixed::round(&configurations, seed, &mut tally)
            .unwrap_or_else(|wrong| panic!("DUNLIN_FUZZ_SEED={seed}: {wrong}"));
        if start.elapsed() > Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{tally:?}");
    assert!(tally.calls > 0);
}

/// What is compared must be worth it.
#[test]
fn guests_end_in_every_way() {
    let mut tally = Tally::default();
    for seed in 0..40 {
        mixed::round(&mixed::all()[..1], seed, &mut tally)
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    println!("{tally:?}");
    let Tally { calls, traps, spent, overflows, exceptions, host_errors, .. } = tally;
    assert!(
        spent > 0
            && overflows > 0
            && exceptions > 0
            && host_errors > 0
            && traps > spent + overflows
    );
    assert!(traps + exceptions + host_errors < calls, "none goes well");
}
