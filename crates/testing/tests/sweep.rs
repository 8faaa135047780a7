//! No access leaves its memory: a little of each sweep; `examples/sweep.rs` does all of it.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use dunlin_testing::sweep;

#[test]
fn loads_read_no_more_than_they_say() {
    let tally = sweep::widening(&sweep::some(), 0, 11).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{} loads in instructions, {} of them trapped", tally.accesses, tally.trapped);
    assert!(tally.accesses > 1000);
}

#[test]
fn one_round() {
    let tally = sweep::round(&sweep::some(), 0, 4).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{} accesses, {} of them trapped", tally.accesses, tally.trapped);
    assert!(tally.trapped > 1000 && tally.accesses > 1000 + tally.trapped);
}
