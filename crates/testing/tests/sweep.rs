//! No access leaves its memory: a round of the sweep; `examples/sweep.rs` does as many as you like.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use dunlin_testing::matrix::configurations;
use dunlin_testing::sweep;

#[test]
fn one_round() {
    let tally = sweep::round(&configurations(), 0, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{} accesses, {} of them trapped", tally.accesses, tally.trapped);
    assert!(tally.trapped > 1000 && tally.accesses > 1000 + tally.trapped);
}
