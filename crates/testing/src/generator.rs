//! Random modules that are valid, terminate, and use only what every engine compared here executes.

use arbitrary::Unstructured;
use wasm_smith::{Config, MemoryOffsetChoices, Module};

use crate::oracle::{Ours, Rival};

/// How often a generated module may enter a function or a loop before it traps.
const STEPS: u32 = 1000;

/// How much randomness a module is made from.
const SEED_BYTES: usize = 2048;

/// Bytes that look random and depend on `seed` only (SplitMix64).
pub fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..SEED_BYTES / 8).flat_map(|_| next().to_le_bytes()).collect()
}

/// What modules of a kind may use, and who can say whether we run them rightly.
#[derive(Clone, Copy, Debug)]
pub struct FeatureSet {
    /// What it is called on a command line.
    pub name: &'static str,
    /// The engines that execute all of it.
    pub engines: &'static [Rival],
    /// Whether ours does; until then there is nothing to compare.
    pub executed: bool,
    /// What is compared of ours.
    pub ours: Ours,
    enable: fn(&mut Config),
}

use Rival::{Node, Wasmi, Wasmtime};

/// All there are, the plainest first. V8 chooses otherwise than we do in relaxed SIMD and the bits of
/// NaNs; wasmi has no relaxed dot products of one kind, no collector and no exceptions.
pub const SETS: &[FeatureSet] = &[
    set("core", &[Wasmi, Node, Wasmtime], |_| {}),
    set("wide", &[Wasmi, Wasmtime], |config| {
        config.wide_arithmetic_enabled = true;
        config.custom_page_sizes_enabled = true;
    }),
    set("relaxed", &[Wasmi, Wasmtime], |config| config.relaxed_simd_enabled = true),
    FeatureSet {
        ours: Ours::Deterministic,
        ..set("nans", &[Wasmtime], |config| {
            config.canonicalize_nans = false;
            config.relaxed_simd_enabled = true;
            config.wide_arithmetic_enabled = true;
        })
    },
    objects("gc", |config| config.gc_enabled = true),
    objects("exceptions", |config| config.exceptions_enabled = true),
    objects("gc-exceptions", |config| {
        config.gc_enabled = true;
        config.exceptions_enabled = true;
    }),
];

const fn set(name: &'static str, engines: &'static [Rival], enable: fn(&mut Config)) -> FeatureSet {
    FeatureSet { name, engines, executed: true, ours: Ours::Usual, enable }
}

/// Modules that make objects.
const fn objects(name: &'static str, enable: fn(&mut Config)) -> FeatureSet {
    FeatureSet { ours: Ours::Zealous, ..set(name, &[Node, Wasmtime], enable) }
}

/// A module made from `data`, in binary form; `None` if there is not enough of it.
pub fn module(data: &[u8], set: &FeatureSet) -> Option<Vec<u8>> {
    let mut config = config();
    (set.enable)(&mut config);
    let mut module = Module::new(config, &mut Unstructured::new(data)).ok()?;
    module.ensure_termination(STEPS).ok()?;
    Some(module.to_bytes())
}

/// What is common to all sets.
fn config() -> Config {
    Config {
        allow_start_export: true,
        // Engines may differ in the payload of a NaN, and code that looks at it would tell.
        canonicalize_nans: true,
        export_everything: true,
        min_funcs: 1,
        max_imports: 0,
        max_funcs: 12,
        max_instructions: 200,
        max_types: 12,
        max_globals: 8,
        max_memories: 3,
        max_tables: 3,
        max_memory32_bytes: 1 << 18,
        max_memory64_bytes: 1 << 18,
        max_table_elements: 1000,
        // Mostly near the start, some around 64 KiB, and a few that cannot be inside.
        memory_offset_choices: MemoryOffsetChoices(90, 9, 1),
        memory_max_size_required: true,
        table_max_size_required: true,
        bulk_memory_enabled: true,
        multi_value_enabled: true,
        reference_types_enabled: true,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: true,
        tail_call_enabled: true,
        memory64_enabled: true,
        extended_const_enabled: true,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        relaxed_simd_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_depend_on_the_seed_only() {
        for set in SETS {
            let modules: Vec<_> = (0..8).map(|seed| module(&bytes(seed), set)).collect();
            assert!(modules.iter().all(Option::is_some));
            assert!(modules.windows(2).all(|pair| pair[0] != pair[1]));
            assert_eq!(modules[0], module(&bytes(0), set));
        }
    }
}
