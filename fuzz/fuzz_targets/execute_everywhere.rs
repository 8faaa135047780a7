//! A generated module of a kind that no other engine in this process can judge does the same in all
//! our configurations; the first byte picks what it may use.
#![no_main]

use dunlin_testing::generator::{SETS, module};
use dunlin_testing::oracle::{Ours, agree};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let mut sets = SETS.iter().filter(|set| set.executed && set.ours != Ours::Usual);
    let count = sets.clone().count();
    if let Some(set) = sets.nth(usize::from(*first) % count)
        && let Some(module) = module(data, set)
    {
        agree(&module, 2, set.ours).unwrap();
    }
});
