//! The code generator for this machine: its flags, and a fingerprint of all that code depends on.

use std::sync::Arc;

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags, SetError};

/// For each flag of the code generator that is not left alone: its value, and why.
const FLAGS: &[(&str, &str)] = &[
    ("opt_level", "speed"),
    // Stacks are walked by frame pointers.
    ("preserve_frame_pointers", "true"),
    ("unwind_info", "false"),
    // Frames are small, and what is free below them is large: see `native::FRAME_BYTES_MAX`.
    ("enable_probestack", "false"),
    // Constants and traps are reached relative to the instruction: code lies anywhere.
    ("is_pic", "true"),
    ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    // Read by us alone, see `translate/table.rs` and `translate/memory.rs`.
    ("enable_heap_access_spectre_mitigation", "true"),
    ("enable_table_access_spectre_mitigation", "true"),
];

/// What every processor must have that native code is made for: with less, vector instructions and the
/// rounding of floats would have to call functions of a library. Together they are x86-64-v2.
const BASELINE: [&str; 5] = ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"];

/// For which processors code is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Processor {
    /// For the one that this runs on.
    This,
    /// For all that have [`BASELINE`].
    Baseline,
}

/// A code generator; `deterministic` for code whose NaNs are canonical.
pub(crate) fn target(processor: Processor, deterministic: bool) -> Result<OwnedTargetIsa, String> {
    let this = processor == Processor::This;
    let mut builder = cranelift_native::builder_with_options(this).map_err(str::to_owned)?;
    if !this {
        for feature in BASELINE {
            builder.enable(feature).map_err(|e| e.to_string())?;
        }
    }
    let flags = flags(deterministic).map_err(|e| e.to_string())?;
    let isa = builder.finish(flags).map_err(|e| e.to_string())?;
    match missing(&isa) {
        None => Ok(isa),
        Some(feature) => Err(format!(
            "native code is made for processors with SSE4.2 and POPCNT (x86-64-v2); this one lacks \
             `{}`",
            feature.trim_start_matches("has_")
        )),
    }
}

/// The first feature of [`BASELINE`] that code must not use.
fn missing(isa: &OwnedTargetIsa) -> Option<&'static str> {
    let values = isa.isa_flags();
    let has = |feature: &str| values.iter().any(|v| v.name == feature && v.as_bool() == Some(true));
    BASELINE.into_iter().find(|feature| !has(feature))
}

fn flags(deterministic: bool) -> Result<Flags, SetError> {
    let mut flags = settings::builder();
    for (name, value) in FLAGS {
        flags.set(name, value)?;
    }
    let canonical = if deterministic { "true" } else { "false" };
    flags.set("enable_nan_canonicalization", canonical)?;
    Ok(Flags::new(flags))
}

/// Names the version of the code generator, its flags and the features of the processor.
pub(crate) fn fingerprint(isa: &OwnedTargetIsa) -> String {
    let mut all = format!(
        "cranelift {}; dunlin {}; {}",
        cranelift_codegen::VERSION,
        env!("CARGO_PKG_VERSION"),
        isa.triple()
    );
    for value in isa.flags().iter().chain(isa.isa_flags()) {
        all += "; ";
        all += &value.to_string();
    }
    all
}

/// A code generator that can be used from several threads.
pub(crate) type Target = Arc<dyn cranelift_codegen::isa::TargetIsa>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_baseline_is_noticed() {
        let baseline = target(Processor::Baseline, false).expect("it has the baseline");
        assert_eq!(missing(&baseline), None);
        let builder = cranelift_native::builder_with_options(false).expect("this is x86-64");
        let less =
            builder.finish(flags(false).expect("flags are valid")).expect("flags go together");
        assert_eq!(missing(&less), Some("has_sse3"));
    }
}
