//! A generated module that looks at the bits of NaNs does the same in every configuration.
#![no_main]

use dunlin_testing::generator::{SETS, module};
use dunlin_testing::oracle::deterministic;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for set in SETS.iter().filter(|set| set.executed && set.deterministic) {
        if let Some(module) = module(data, set) {
            deterministic(&module, 2).unwrap();
        }
    }
});
