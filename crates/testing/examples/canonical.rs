//! Compares the engine's canonical ABI with the model of it on as many random types and values as asked:
//! `cargo run --profile tail -p dunlin-testing --example canonical -- TYPES [VALUES [SEED]]`.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::process::ExitCode;
use std::thread;

use dunlin_engine::Engine;
use dunlin_testing::canonical::differential::{Comparison, Tally};
use dunlin_testing::canonical::generate::Allowed;
use dunlin_testing::canonical::ours::Ours;
use dunlin_testing::canonical::value::Nans;
use dunlin_testing::matrix::{configurations, native};

/// How many types one engine is given at most before another configuration has its turn: fewer if not all of
/// them would have one.
const TURN_MAX: u64 = 500;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |otherwise| numbers.next().and_then(Result::ok).unwrap_or(otherwise);
    let (types, values, seed) = (number(10_000), number(100), number(0));
    let workers = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let work = |worker| scope.spawn(move || run(worker, workers, types, values, seed));
        let tasks: Vec<_> = (0..workers).map(work).collect();
        tasks.into_iter().flat_map(|task| task.join().unwrap_or_default()).collect()
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let differences: Vec<&String> = tallies.iter().flat_map(|tally| &tally.differences).collect();
    for difference in &differences {
        println!("{difference}\n");
    }
    println!(
        "{} types, {} calls, of which {} trapped; {} differences",
        sum(|tally| tally.types),
        sum(|tally| tally.calls),
        sum(|tally| tally.traps),
        differences.len()
    );
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every `workers`th turn, the configurations one after the other.
fn run(worker: u64, workers: u64, types: u64, values: u64, seed: u64) -> Vec<Tally> {
    let all: Vec<_> = configurations().into_iter().chain(native()).collect();
    let at_once = (types / all.len() as u64).clamp(1, TURN_MAX);
    let turns = (worker..types.div_ceil(at_once)).step_by(workers as usize);
    let one = |turn: u64| {
        let configuration = &all[turn as usize % all.len()];
        let engine = Engine::new(&configuration.config).ok()?;
        let first = seed + turn * at_once;
        let types = at_once.min(seed + types - first);
        let comparison =
            Comparison { seed: first, types, values, allowed: Allowed::ALL, nans: Nans::Kept };
        let mut tally = comparison.run(&mut Ours(engine));
        for difference in &mut tally.differences {
            *difference = format!("{}: {difference}", configuration.name);
        }
        Some(tally)
    };
    turns.filter_map(one).collect()
}
