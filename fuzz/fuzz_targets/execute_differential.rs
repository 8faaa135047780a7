//! A generated module, in every configuration and on another engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(module) = dunlin_testing::generator::module(data) {
        dunlin_testing::oracle::differential(&module, 2).unwrap();
    }
});
