//! What other engines are known to do otherwise: each difference that was found, looked into and
//! explained. A module that could show one and does differ is
//! not held against us.
//!
//! - Every engine here fuses relaxed multiply-add into one rounding. Ours rounds twice, as the
//!   deterministic profile of the specification does. `tests/wast/relaxed-simd.wast` has it.
//! - wasmi 2.0.0 ignores the condition of a `select` that tests an `i32` against zero.
//!   `tests/wast/control.wast` has it.
//! - The generator makes the NaNs of most instructions canonical, but not those of relaxed minimum and
//!   maximum, so a module may look at bits that engines choose: of `+0` and a NaN with a payload, ours
//!   gives the payload and Wasmtime the NaN of its processor. A module with one is compared once more in
//!   the deterministic profile, which leaves no choice, and has to agree there.
//!
//! Besides, V8's messages do not tell a null element of a table from one of the wrong type, nor a
//! NaN from a number that is too large (`Stop::in_v8`), and NaNs are compared by their bits in the
//! deterministic profile only. One module in some hundred thousand meets another fault of wasmi, so
//! a difference from it has to be looked into with a third engine before it is believed.

use dunlin_script::{PrintOptions, print};

use super::Rival;

/// Whether `module` may meet one of them in an engine for which there is no other way to tell.
pub(super) fn differs_knowingly(module: &[u8], rival: Rival) -> bool {
    let Ok(text) = print(module, &PrintOptions::default()) else {
        return false;
    };
    let mut before = "";
    text.lines().map(str::trim).any(|line| {
        let condition = std::mem::replace(&mut before, line);
        let fuses = ["relaxed_madd", "relaxed_nmadd"].iter().any(|name| line.ends_with(name));
        let selects =
            line.starts_with("select") && ["i32.eqz", "i32.eq", "i32.ne"].contains(&condition);
        fuses || selects && rival == Rival::Wasmi
    })
}

/// Whether `module` may look at the bits of a NaN that the generator left as the engine made it.
pub(super) fn may_see_nans(module: &[u8]) -> bool {
    let chooses = |line: &str| line.ends_with("relaxed_min") || line.ends_with("relaxed_max");
    print(module, &PrintOptions::default()).is_ok_and(|text| text.lines().any(chooses))
}
