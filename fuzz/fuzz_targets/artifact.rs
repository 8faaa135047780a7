//! Any bytes as compiled code and as a sealed file, and compiled code that was tampered with.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dunlin_testing::artifacts::fuzz(bytes));
