//! Random types and values, and guests that lie about them: the engine agrees with the model of the
//! canonical ABI in one configuration, which the first byte picks.
#![no_main]

use dunlin_engine::Engine;
use dunlin_testing::canonical::differential::Comparison;
use dunlin_testing::canonical::generate::Allowed;
use dunlin_testing::canonical::ours::Ours;
use dunlin_testing::canonical::value::Nans;
use dunlin_testing::matrix::{configurations, native};

libfuzzer_sys::fuzz_target!(|data: (u8, u32)| {
    let all: Vec<_> = configurations().into_iter().chain(native()).collect();
    let configuration = &all[usize::from(data.0) % all.len()];
    let engine = Engine::new(&configuration.config).unwrap();
    let seed = u64::from(data.1);
    let comparison =
        Comparison { seed, types: 1, values: 12, allowed: Allowed::ALL, nans: Nans::Kept };
    let tally = comparison.run(&mut Ours(engine));
    assert!(tally.differences.is_empty(), "{}", tally.differences.join("\n\n"));
});
