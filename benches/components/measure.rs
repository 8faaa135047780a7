//! What is measured of every engine, and how: batches in turn, the least of their times per call, as
//! what others took besides is of the machine.

use std::time::Instant;

/// The component: `callee` is called by the host and by `caller`, which calls as often as it is told.
pub const GUEST: &str = include_str!("guest.wat");

/// Calls in a batch.
pub const BATCH: u32 = 20_000;

/// Calls in a batch that pass a mebibyte.
pub const LARGE: u32 = 20;

/// Bytes that are passed at once.
pub const BYTES: usize = 1 << 20;

/// What the strings of the record are: long enough to be copied, not to hide the rest.
pub const NAME: &str = "Calidris alpina";
/// The other one.
pub const CITY: &str = "Westerhever, Nordfriesland — am Watt";

const BATCHES: usize = 40;

/// One thing to measure: its name, how many there are in a batch, and a batch.
pub type Case<'a> = (&'static str, u32, Box<dyn FnMut() + 'a>);

/// Whether an engine is to be measured: each, or the one that the program's second argument names.
pub fn is_wanted(engine: &str) -> bool {
    std::env::args().nth(2).is_none_or(|wanted| wanted == engine)
}

/// Measures all cases in turn, or those whose names hold the program's argument: nanoseconds of each.
pub fn nanoseconds(mut cases: Vec<Case<'_>>) -> Vec<(&'static str, f64)> {
    if let Some(wanted) = std::env::args().nth(1) {
        cases.retain(|(name, ..)| *name == "loop" || name.contains(&wanted));
    }
    let mut least = vec![f64::INFINITY; cases.len()];
    for _ in 0..BATCHES {
        for ((_, count, batch), least) in cases.iter_mut().zip(&mut least) {
            let start = Instant::now();
            batch();
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(*count));
        }
    }
    cases.iter().zip(least).map(|((name, ..), least)| (*name, least)).collect()
}

/// Prints what was measured; calls that a loop in the guest makes are what they take beyond the loop.
pub fn print(engine: &str, measured: &[(&'static str, f64)]) {
    let around = measured.iter().find(|(name, _)| *name == "loop").map_or(0.0, |(_, time)| *time);
    for (name, time) in measured {
        match *name {
            "loop" => {}
            name if name.starts_with("component-to") => {
                println!("{engine} {name} {:.2}", time - around)
            }
            name => println!("{engine} {name} {time:.2}"),
        }
    }
}
