//! Oracles: each takes a module and says whether there is a bug.

use std::fmt;

use crate::matrix::{Configuration, configurations};

mod customs;
mod ours;
mod text;
mod wasmi;

pub use text::{round_trip, text};

/// How much of a table is looked at.
const TABLE_ELEMENTS: u64 = 64;

/// Everything a module did that an embedder can see.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Observation {
    steps: Vec<Step>,
}

/// One thing that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Instantiated,
    Returned { function: String, results: Vec<Value> },
    Trapped { function: String, trap: Stop },
    Memory { name: String, bytes: usize, digest: u64 },
    Table { name: String, size: u64, nulls: Vec<bool> },
    Global { name: String, value: Value },
}

/// A value that means the same in every store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    Ref { null: bool },
}

/// Why a call ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    NullElement,
    BadSignature,
    IntegerOverflow,
    DivisionByZero,
    BadConversion,
    StackOverflow,
    /// Something that depends on the engine, such as a limit.
    Engine,
}

/// Two engines disagree about a module.
#[derive(Debug)]
pub struct Disagreement {
    engines: [&'static str; 2],
    /// The step both were at, from 0.
    step: usize,
    steps: [Option<Step>; 2],
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}:", self.step)?;
        for (engine, step) in self.engines.iter().zip(&self.steps) {
            match step {
                Some(step) => write!(f, "\n  {engine}: {step:?}")?,
                None => write!(f, "\n  {engine}: nothing")?,
            }
        }
        Ok(())
    }
}

impl Value {
    /// Engines may choose the payload of a NaN.
    fn canonical(self) -> Value {
        match self {
            Value::F32(bits) if f32::from_bits(bits).is_nan() => Value::F32(0x7fc0_0000),
            Value::F64(bits) if f64::from_bits(bits).is_nan() => Value::F64(0x7ff8 << 48),
            value => value,
        }
    }

    /// An argument of the same type as `self`, for parameter number `param` of call number `call`.
    fn argument(self, call: usize, param: usize) -> Value {
        const COUNT: usize = 7;
        const I32: [i32; COUNT] = [1, 0, -1, i32::MIN, 0x1234_5678, 33, i32::MAX];
        const I64: [i64; COUNT] = [0, 1, -1, i64::MIN, 0x0123_4567_89ab_cdef, 65_536, i64::MAX];
        const F64: [f64; COUNT] = [1.5, -0.0, f64::NAN, -1e10, f64::INFINITY, 0.0, 1e300];
        // Every pair of arguments comes up in the first 49 calls.
        let n = (call + (call / COUNT + 1) * param) % COUNT;
        match self {
            Value::I32(_) => Value::I32(I32[n]),
            Value::I64(_) => Value::I64(I64[n]),
            Value::F32(_) => Value::F32((F64[n] as f32).to_bits()),
            Value::F64(_) => Value::F64(F64[n].to_bits()),
            Value::V128(_) => Value::V128(
                u128::from(I64[n] as u64) << 64 | u128::from(I64[(n + 4) % COUNT] as u64),
            ),
            Value::Ref { .. } => Value::Ref { null: true },
        }
    }
}

/// A digest of the contents of a memory (FNV-1a on words, so that large ones are quick).
fn digest(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words
        .chain(rest.iter().map(|&byte| u64::from(byte)))
        .fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The first difference, looking no further than a step that depends on the engine if
/// `same_engine` is not set.
fn compare(
    engines: [&'static str; 2],
    a: &Observation,
    b: &Observation,
    same_engine: bool,
) -> Result<(), Disagreement> {
    for step in 0..a.steps.len().max(b.steps.len()) {
        let steps = [a.steps.get(step), b.steps.get(step)];
        let gave_up = |step: &Option<&Step>| {
            matches!(step, Some(Step::Trapped { trap: Stop::StackOverflow | Stop::Engine, .. }))
        };
        if !same_engine && steps.iter().any(gave_up) {
            return Ok(());
        }
        if steps[0] != steps[1] {
            return Err(Disagreement { engines, step, steps: steps.map(|step| step.cloned()) });
        }
    }
    Ok(())
}

/// What comparing a module came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compared {
    /// All our configurations agree, and the other engine with them.
    WithOther,
    /// All our configurations agree; the other engine does not accept the module.
    OursOnly,
}

/// Runs a valid module in all our configurations and in another engine, and compares what they do
/// when each exported function is called `calls` times.
///
/// # Errors
///
/// What they disagree about; or, as text, that one of ours does not accept the module.
pub fn differential(module: &[u8], calls: usize) -> Result<Compared, String> {
    let reference = ours_agree(module, calls)?;
    let Some(other) = wasmi::observe(module, calls) else {
        return Ok(Compared::OursOnly);
    };
    compare(["ours", "wasmi"], &reference, &other, false).map_err(|d| d.to_string())?;
    Ok(Compared::WithOther)
}

/// Runs two valid modules that should do the same in all our configurations, and compares.
///
/// # Errors
///
/// What they disagree about; or, as text, that one of ours does not accept a module.
pub fn same(a: &[u8], b: &[u8], calls: usize) -> Result<(), String> {
    let (a, b) = (ours_agree(a, calls)?, ours_agree(b, calls)?);
    compare(["first module", "second module"], &a, &b, true).map_err(|d| d.to_string())
}

fn ours_agree(module: &[u8], calls: usize) -> Result<Observation, String> {
    let mut reference: Option<(&'static str, Observation)> = None;
    for Configuration { name, config, .. } in configurations() {
        let observation =
            ours::observe(&config, module, calls).map_err(|error| format!("{name}: {error}"))?;
        match &reference {
            None => reference = Some((name, observation)),
            Some((first, reference)) => {
                compare([first, name], reference, &observation, true).map_err(|d| d.to_string())?;
            }
        }
    }
    reference.map(|(_, observation)| observation).ok_or_else(|| "no configurations".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trapped(trap: Stop) -> Observation {
        let function = "f".to_string();
        Observation { steps: vec![Step::Instantiated, Step::Trapped { function, trap }] }
    }

    #[test]
    fn differences_are_found() {
        let a = trapped(Stop::Unreachable);
        let b = trapped(Stop::DivisionByZero);
        assert!(compare(["a", "a"], &a, &a, false).is_ok());
        assert_eq!(compare(["a", "b"], &a, &b, false).unwrap_err().step, 1);
        assert_eq!(compare(["a", "b"], &a, &Observation::default(), false).unwrap_err().step, 0);
    }

    #[test]
    fn limits_of_other_engines_are_no_differences() {
        let a = trapped(Stop::Unreachable);
        let b = trapped(Stop::StackOverflow);
        assert!(compare(["a", "b"], &a, &b, false).is_ok());
        assert!(compare(["a", "b"], &a, &b, true).is_err());
    }
}
