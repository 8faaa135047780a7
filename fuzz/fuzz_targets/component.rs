//! Any bytes: a component is accepted or refused, and shown if accepted, never a panic.
#![no_main]

use dunlin_component::Component;
use dunlin_engine::Engine;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(component) = Component::new(&Engine::default(), bytes) {
        for (_, _, ty) in component.imported_funcs() {
            let _ = ty.to_string();
        }
    }
});
