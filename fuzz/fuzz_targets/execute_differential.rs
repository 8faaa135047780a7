//! A generated module, in every configuration and on another engine; the first byte picks what it may use.
#![no_main]

use dunlin_testing::generator::{SETS, module};
use dunlin_testing::oracle::{Ours, Rival, differential};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let mut sets = SETS.iter().filter(|set| set.executed && set.engines.contains(&Rival::Wasmi));
    let count = sets.clone().count();
    if let Some(set) = sets.nth(usize::from(*first) % count)
        && let Some(module) = module(data, set)
    {
        differential(&module, 2, Ours::Usual).unwrap();
    }
});
