//! Any bytes: accepted or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = dunlin_engine::Module::new(&dunlin_engine::Engine::default(), bytes);
});
