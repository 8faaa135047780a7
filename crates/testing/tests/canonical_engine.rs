//! The engine's canonical ABI agrees with the model of it: random types and values, images of memory that
//! guests get wrong, and a `realloc` that does what it should not.

use std::thread;

use dunlin_engine::Engine;
use dunlin_testing::canonical::differential::{Comparison, Tally};
use dunlin_testing::canonical::generate::Allowed;
use dunlin_testing::canonical::ours::Ours;
use dunlin_testing::canonical::value::Nans;
use dunlin_testing::matrix::{Configuration, configurations, native};

/// How many types, if `DUNLIN_ABI_TYPES` does not say.
const TYPES: u64 = 400;
/// How many calls of each.
const VALUES: u64 = 12;

fn run(configuration: &Configuration, seed: u64, types: u64) -> Tally {
    let engine = Engine::new(&configuration.config).expect("the configuration works");
    let all = Allowed::ALL;
    Comparison { seed, types, values: VALUES, allowed: all, nans: Nans::Kept }
        .run(&mut Ours(engine))
}

#[test]
fn engine_and_model_agree() {
    let asked = std::env::var("DUNLIN_ABI_TYPES").ok().and_then(|text| text.parse().ok());
    let types = asked.unwrap_or(TYPES);
    let all: Vec<Configuration> = configurations().into_iter().chain(native()).collect();
    let each = types.div_ceil(all.len() as u64);
    thread::scope(|scope| {
        let tasks: Vec<_> = all
            .iter()
            .enumerate()
            .map(|(n, one)| (one, scope.spawn(move || run(one, n as u64 * each, each))))
            .collect();
        for (configuration, task) in tasks {
            let tally = task.join().expect("it does not panic");
            let name = &configuration.name;
            assert!(tally.differences.is_empty(), "{name}: {}", tally.differences.join("\n\n"));
            assert!(tally.calls > 0 && tally.traps < tally.calls, "{name}: {tally:?}");
        }
    });
}
