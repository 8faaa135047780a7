//! Random modules do the same in every configuration and on another engine.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::time::{Duration, Instant};

use dunlin_script::wat_to_wasm;
use dunlin_testing::campaign::{Campaign, Difference, Tally};
use dunlin_testing::forms::{self, Instruction, Place};
use dunlin_testing::generator::{self, SETS};
use dunlin_testing::oracle::{Compared, Ours, Rival, agree, compare_all, differential, same};

/// A number from the environment, to look longer or elsewhere than usual.
fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Batches of modules of each kind that ours and `rival` execute, until the time is over.
fn compare_with(rival: Rival, batch: u64) {
    let first = setting("DUNLIN_FUZZ_SEED", 0);
    let time = Duration::from_secs(setting("DUNLIN_FUZZ_SECONDS", 1));
    if !rival.is_there() {
        println!("skipped: {} (not found)", rival.name());
        return;
    }
    let start = Instant::now();
    let sets = || SETS.iter().filter(|set| set.executed && set.engines.contains(&rival));
    let mut tallies: Vec<(&str, Tally)> = sets().map(|s| (s.name, Tally::default())).collect();
    for seed in (first..).step_by(batch as usize) {
        for (set, (name, tally)) in sets().zip(&mut tallies) {
            let campaign = Campaign { set, rival, seed, count: batch, attempts: 100 };
            let more = campaign.run(|_| {}).unwrap_or_else(|error| panic!("{error}"));
            if let Some(difference) = more.differences.first() {
                let Difference { seed, message, smallest } = difference;
                panic!("{name}, DUNLIN_FUZZ_SEED={seed}: {message}\nsmallest: {smallest}");
            }
            tally.modules += more.modules;
            tally.compared += more.compared;
        }
        if start.elapsed() > time {
            break;
        }
    }
    for (name, Tally { modules, compared, .. }) in tallies {
        println!("{name}: {modules} modules, {compared} of them compared with {}", rival.name());
        // An old engine may not know all that modules use.
        let expected = if rival == Rival::Wasmi { modules / 2 } else { 0 };
        assert!(compared > expected, "{} accepts too few modules", rival.name());
    }
}

#[test]
fn random_modules() {
    compare_with(Rival::Wasmi, 20);
}

#[test]
fn random_modules_in_v8() {
    compare_with(Rival::Node, 200);
}

#[test]
fn random_modules_in_wasmtime() {
    compare_with(Rival::Wasmtime, 100);
}

/// Modules that no engine in this process can judge do the same in all our configurations: to the bit in
/// the deterministic profile if they look at the bits of NaNs, and wherever objects are if they make any.
#[test]
fn random_modules_agree() {
    let first = setting("DUNLIN_FUZZ_SEED", 0);
    for set in SETS.iter().filter(|set| set.executed && set.ours != Ours::Usual) {
        for seed in first..first + 100 {
            let Some(module) = generator::module(&generator::bytes(seed), set) else { continue };
            agree(&module, 2, set.ours)
                .unwrap_or_else(|difference| panic!("{}, seed {seed}: {difference}", set.name));
        }
    }
}

/// A module that looks at the bits of a NaN left by a relaxed minimum is judged where they are fixed; one
/// that looks at those of an ordinary minimum was not made by the generator, and is not excused.
#[test]
fn nans_of_relaxed_instructions_are_judged_without_choice() {
    if !Rival::Wasmtime.is_there() {
        println!("skipped: {} (not found)", Rival::Wasmtime.name());
        return;
    }
    let compared = |minimum: &str| {
        let text = format!(
            "(module (func (export \"payload\") (result i64) (i64x2.extract_lane 0
               ({minimum} (v128.const i64x2 0 0) (v128.const i64x2 0x7fffffffffffffff 0)))))"
        );
        let module = wat_to_wasm(&text, None).expect("the text is well-formed");
        compare_all(&[module], 1, Rival::Wasmtime, Ours::Usual).expect("it runs").remove(0)
    };
    assert_eq!(compared("f64x2.relaxed_min"), Ok(Compared::WithOther));
    // On this processor Wasmtime gives the NaN that the processor has for its own.
    assert!(cfg!(not(target_arch = "x86_64")) || compared("f64x2.min").is_err());
}

/// The text of the function that `difference` names.
fn function_in<'a>(text: &'a str, difference: &str) -> &'a str {
    let is_it = |function: &&str| {
        let name = function.split('"').nth(1);
        name.is_some_and(|name| difference.contains(&format!("\"{name}\"")))
    };
    text.lines().find(is_it).unwrap_or("no function")
}

/// Compares what each instruction does in all its forms, which are the interpreter's: what it is fused
/// with and where its operands are.
fn check_forms(instructions: &[Instruction]) {
    for instruction in instructions {
        let text = forms::module(instruction, Place::Near, 1);
        // The other engine is wrong about a `select` on these; `tests/wast/control.wast` has it.
        let selects = ["i32.eqz", "i32.eq", "i32.ne"].contains(&instruction.name.as_str());
        let is_left_out =
            |line: &&str| selects && line.contains("(select (i32.const 1) (i32.const 2)");
        let text: String = text.split_inclusive('\n').filter(|line| !is_left_out(line)).collect();
        let module = wat_to_wasm(&text, None).expect("the text is well-formed");
        // Wasmi fuses these; vectors of ours are compared among our configurations.
        let fuses = instruction.name.ends_with("madd");
        match differential(&module, 7, Ours::Interpreted) {
            Ok(Compared::WithOther) => {}
            Ok(Compared::OursOnly) if fuses => {}
            Ok(Compared::OursOnly) => panic!("{}: the other engine refused", instruction.name),
            Err(difference) => panic!("{difference}\n{}", function_in(&text, &difference)),
        }
    }
}

#[test]
fn forms_of_scalar_instructions() {
    check_forms(&forms::scalar());
}

#[test]
fn forms_of_vector_instructions() {
    check_forms(&forms::vector());
}

/// Instructions do the same wherever their operands lie.
#[test]
fn forms_far_away() {
    let mut found = 0;
    for instruction in forms::scalar().iter().chain(&forms::vector()) {
        // One of each shape: how far an operand lies has nothing to do with what is computed.
        let names = "i32.sub i64.shr_s f32.div f64.lt i32.lt_u i64.eqz i32.clz i64.extend_i32_u \
                     f32.demote_f64 i64.trunc_f64_s v128.andnot i8x16.swizzle i32x4.shl \
                     v128.bitselect f64x2.splat i16x8.bitmask";
        if !names.split_whitespace().any(|name| name == instruction.name) {
            continue;
        }
        found += 1;
        for (place, stride) in [(Place::FarLocals, 13), (Place::FarOperands, 3)] {
            let wasm = |place| {
                let text = forms::module(instruction, place, stride);
                wat_to_wasm(&text, None).expect("the text is well-formed")
            };
            same(&wasm(Place::Near), &wasm(place), 2).unwrap_or_else(|difference| {
                let text = forms::module(instruction, Place::Near, stride);
                panic!("{place:?}: {difference}\n{}", function_in(&text, &difference))
            });
        }
    }
    assert_eq!(found, 16);
}
