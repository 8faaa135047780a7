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

/// A code generator for the processor that this runs on; `deterministic` for code whose NaNs are
/// canonical.
pub(crate) fn target(deterministic: bool) -> Result<OwnedTargetIsa, String> {
    let builder = cranelift_native::builder().map_err(str::to_owned)?;
    builder.finish(flags(deterministic).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
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
