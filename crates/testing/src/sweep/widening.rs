//! Loads of the last bytes of a memory that are operands of an instruction: where the two become one
//! machine instruction, it must read no more than the load did.

use dunlin_engine::Trap;

use super::accesses::digest;
use super::{Outcome, PRELUDE, Running, Tally, assemble, is_at_loops};
use crate::forms::{self, Instruction};
use crate::matrix::Configuration;

/// What gives a value of a type from memory: how many bytes it reads, and its text, with `@` for the
/// memory argument and the address.
fn loads(ty: &str) -> &'static [(u64, &'static str)] {
    match ty {
        "i32" => &[
            (4, "(i32.load @)"),
            (1, "(i32.load8_s @)"),
            (1, "(i32.load8_u @)"),
            (2, "(i32.load16_s @)"),
            (2, "(i32.load16_u @)"),
            (8, "(i32.wrap_i64 (i64.load @))"),
            (4, "(i32.reinterpret_f32 (f32.load @))"),
        ],
        "i64" => &[
            (8, "(i64.load @)"),
            (1, "(i64.load8_s @)"),
            (1, "(i64.load8_u @)"),
            (2, "(i64.load16_s @)"),
            (2, "(i64.load16_u @)"),
            (4, "(i64.load32_s @)"),
            (4, "(i64.load32_u @)"),
            (4, "(i64.extend_i32_u (i32.load @))"),
            (8, "(i64.reinterpret_f64 (f64.load @))"),
        ],
        "f32" => &[
            (4, "(f32.load @)"),
            (4, "(f32.reinterpret_i32 (i32.load @))"),
            (8, "(f32.demote_f64 (f64.load @))"),
            (1, "(f32.convert_i32_s (i32.load8_s @))"),
        ],
        "f64" => &[
            (8, "(f64.load @)"),
            (8, "(f64.reinterpret_i64 (i64.load @))"),
            (4, "(f64.promote_f32 (f32.load @))"),
            (2, "(f64.convert_i32_u (i32.load16_u @))"),
        ],
        _ => &[
            (16, "(v128.load @)"),
            (8, "(v128.load8x8_s @)"),
            (8, "(v128.load8x8_u @)"),
            (8, "(v128.load16x4_s @)"),
            (8, "(v128.load16x4_u @)"),
            (8, "(v128.load32x2_s @)"),
            (8, "(v128.load32x2_u @)"),
            (1, "(v128.load8_splat @)"),
            (2, "(v128.load16_splat @)"),
            (4, "(v128.load32_splat @)"),
            (8, "(v128.load64_splat @)"),
            (4, "(v128.load32_zero @)"),
            (8, "(v128.load64_zero @)"),
            (1, "(v128.load8_lane align=1 3 (local.get 0) (global.get $v128))"),
            (2, "(v128.load16_lane align=1 0 (local.get 0) (global.get $v128))"),
            (4, "(v128.load32_lane align=1 1 (local.get 0) (global.get $v128))"),
            (8, "(v128.load64_lane align=1 0 (local.get 0) (global.get $v128))"),
            (1, "(i8x16.splat (i32.load8_u @))"),
            (2, "(i16x8.splat (i32.load16_u @))"),
            (4, "(i32x4.splat (i32.load @))"),
            (8, "(i64x2.splat (i64.load @))"),
            (4, "(f32x4.splat (f32.load @))"),
            (8, "(f64x2.splat (f64.load @))"),
            (4, "(f32x4.replace_lane 1 (global.get $v128) (f32.load @))"),
            (8, "(f64x2.replace_lane 0 (global.get $v128) (f64.load @))"),
            (8, "(f64x2.promote_low_f32x4 (v128.load64_zero @))"),
            (8, "(f64x2.convert_low_i32x4_s (v128.load64_zero @))"),
            (8, "(i32x4.extend_low_i16x8_s (v128.load64_zero @))"),
        ],
    }
}

struct Case {
    text: String,
    width: u64,
    result: &'static str,
}

/// Every load as every operand of every instruction.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Instruction { name, params, result } in forms::scalar().into_iter().chain(forms::vector()) {
        for place in 0..params.len() {
            for (width, load) in loads(params[place]) {
                let load = load.replace('@', "align=1 (local.get 0)");
                let operand = |(n, ty): (usize, &&str)| match n == place {
                    true => format!(" {load}"),
                    false => format!(" (global.get ${ty})"),
                };
                let operands: String = params.iter().enumerate().map(operand).collect();
                cases.push(Case { text: format!("({name}{operands})"), width: *width, result });
            }
        }
    }
    cases
}

/// Checks one in `share` of all pairs of a load and an instruction, from number `first` on.
///
/// # Errors
///
/// The first that did not do what it should.
pub fn widening(
    configurations: &[Configuration],
    first: usize,
    share: usize,
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let cases: Vec<Case> = cases().into_iter().skip(first).step_by(share).collect();
    // Modules of some size, so that not all code is there at once.
    for cases in cases.chunks(500) {
        check(configurations, cases, &mut tally)?;
    }
    Ok(tally)
}

fn check(
    configurations: &[Configuration],
    cases: &[Case],
    tally: &mut Tally,
) -> Result<(), String> {
    const BYTES: u64 = 1 << 16;
    let modules = |prelude| ["(module)".to_owned(), module(cases, prelude)].map(assemble);
    let (plain, looped) = (modules(""), modules(PRELUDE));
    let mut reference: Option<(bool, Vec<Outcome>)> = None;
    for configuration in configurations {
        let modules = if is_at_loops(configuration) { &looped } else { &plain };
        let running = Running::new(configuration, modules, cases.len());
        let mut running = running.map_err(|error| error.to_string())?;
        running.resize(BYTES)?;
        let deterministic = configuration.config.execution.deterministic;
        let mut outcomes = Vec::with_capacity(cases.len());
        for (number, case) in cases.iter().enumerate() {
            tally.accesses += 2;
            tally.trapped += 1;
            let wrong = |what: &Outcome| {
                let at =
                    if *what == Outcome::Trapped(Trap::MemoryOutOfBounds) { "in" } else { "out" };
                format!("{}: {} {at}side: {what:?}", configuration.name, case.text)
            };
            let inside = running.call(number, BYTES - case.width);
            if inside == Outcome::Trapped(Trap::MemoryOutOfBounds) {
                return Err(wrong(&inside));
            }
            let outside = running.call(number, BYTES - case.width + 1);
            if outside != Outcome::Trapped(Trap::MemoryOutOfBounds) {
                return Err(wrong(&outside));
            }
            outcomes.push(inside);
        }
        let (exact, reference) = reference.get_or_insert((deterministic, outcomes.clone()));
        for ((case, expected), found) in cases.iter().zip(reference).zip(&outcomes) {
            // The bits of NaNs are the same in one profile only.
            let same = match (&*expected, found) {
                (Outcome::Returned(_), Outcome::Returned(_)) => {
                    expected == found || !(deterministic && *exact) && case.text.starts_with("(f")
                }
                _ => expected == found,
            };
            if !same {
                let name = configuration.name;
                return Err(format!(
                    "{name}: {}: expected {expected:?}, found {found:?}",
                    case.text
                ));
            }
        }
    }
    Ok(())
}

/// The module with functions for these.
fn module(cases: &[Case], prelude: &str) -> String {
    let functions: String =
        cases.iter().enumerate().map(|(n, case)| case.function(n, prelude)).collect();
    format!(
        "(module (memory $m (export \"memory\") 1 1)
         (global $i32 (mut i32) (i32.const 7)) (global $i64 (mut i64) (i64.const 0x123456789abc))
         (global $f32 (mut f32) (f32.const 1.5)) (global $f64 (mut f64) (f64.const -2.25))
         (global $v128 (mut v128) (v128.const i32x4 0x3fc00000 0x80000001 0x41200000 0x12345678))
         (func (export \"grow\") (param i64) (result i64) (i64.const -1))\n{functions})"
    )
}

impl Case {
    fn function(&self, number: usize, prelude: &str) -> String {
        let digest = digest(self.result, self.text.clone());
        format!(
            "(func (export \"{number}\") (param i32) (result i64) (local $v v128) (local $n i32)
             {prelude} {digest})\n"
        )
    }
}
