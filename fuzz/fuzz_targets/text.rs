//! Any text, translated and printed again: see the oracle.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| dunlin_testing::oracle::text(text).unwrap());
