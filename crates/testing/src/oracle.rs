//! Oracles: each takes a module and says whether there is a bug.

use std::fmt;

use crate::matrix::{Configuration, ahead, configurations, native, zealous};

mod customs;
mod external;
mod known;
mod ours;
mod probe;
mod text;
mod wasmi;

use external::External;
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
    Null,
    Cast,
    ArrayOutOfBounds,
    Unaligned,
    /// An exception that nobody caught.
    Exception,
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

impl Stop {
    /// The reason as V8 tells it: its messages make fewer distinctions.
    fn in_v8(self) -> Stop {
        match self {
            Stop::NullElement => Stop::BadSignature,
            Stop::BadConversion => Stop::IntegerOverflow,
            stop => stop,
        }
    }
}

impl Step {
    /// Whether an engine went as far as it can, which is no matter of the specification.
    fn gives_up(&self) -> bool {
        matches!(self, Step::Trapped { trap: Stop::StackOverflow | Stop::Engine, .. })
    }
}

impl Observation {
    /// The same with the reasons of traps as an engine tells them.
    fn told_by(mut self, engine: Rival) -> Observation {
        for step in &mut self.steps {
            if let (Step::Trapped { trap, .. }, Rival::Node) = (step, engine) {
                *trap = trap.in_v8();
            }
        }
        self
    }

    /// The same without what engines may choose: the bits of NaNs.
    fn canonical(mut self) -> Observation {
        for step in &mut self.steps {
            match step {
                Step::Returned { results, .. } => {
                    results.iter_mut().for_each(|value| *value = value.canonical());
                }
                Step::Global { value, .. } => *value = value.canonical(),
                _ => {}
            }
        }
        self
    }
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
        if !same_engine && steps.iter().flatten().any(|step| step.gives_up()) {
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

/// Runs a valid module in our configurations and in another engine, and compares what they do when each
/// exported function is called `calls` times.
///
/// # Errors
///
/// What they disagree about; or, as text, that one of ours does not accept the module.
pub fn differential(module: &[u8], calls: usize, ours: Ours) -> Result<Compared, String> {
    let reference = ours_agree(module, calls, ours)?.canonical();
    let Some(other) = wasmi::observe(module, calls) else {
        return Ok(Compared::OursOnly);
    };
    match compare(["ours", "wasmi"], &reference, &other.canonical(), false) {
        Ok(()) => Ok(Compared::WithOther),
        Err(_) if known::differs_knowingly(module, Rival::Wasmi) => Ok(Compared::OursOnly),
        Err(disagreement) => Err(disagreement.to_string()),
    }
}

/// Another engine to compare with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rival {
    /// wasmi, in this process.
    Wasmi,
    /// V8, through `node` on `PATH`.
    Node,
    /// Wasmtime, through its package for `python3`.
    Wasmtime,
}

impl Rival {
    /// All of them.
    pub const ALL: [Rival; 3] = [Rival::Wasmi, Rival::Node, Rival::Wasmtime];

    /// What it is called in messages and on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Rival::Wasmi => "wasmi",
            Rival::Node => "node",
            Rival::Wasmtime => "wasmtime",
        }
    }

    /// Whether it has the deterministic profile.
    fn has_profile(self) -> bool {
        self == Rival::Wasmtime
    }

    /// Whether it can be run here.
    pub fn is_there(self) -> bool {
        External::of(self).is_none_or(External::is_there)
    }
}

/// Which of our configurations are compared, and how closely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ours {
    /// Those of the interpreter.
    Interpreted,
    /// All that are usual, up to the bits of NaNs.
    Usual,
    /// The same, and those with a collector that leaves nothing where it was.
    Zealous,
    /// The deterministic form of each, to the bit.
    Deterministic,
}

impl Ours {
    fn configurations(self) -> Vec<Configuration> {
        // Modules may see bits of NaNs that are canonical in the deterministic ones alone: the
        // generator overlooks those of `demote` and `promote`.
        let mut usual = configurations();
        if self != Ours::Interpreted {
            let native = native().into_iter().chain(ahead());
            usual.extend(native.filter(|c| c.config.execution.gc_zeal.is_none()));
        }
        usual.retain(|configuration| !configuration.config.execution.deterministic);
        match self {
            Ours::Usual | Ours::Interpreted => usual,
            Ours::Zealous => {
                let native = native().into_iter().chain(ahead());
                let native = native.filter(|c| c.config.execution.gc_zeal.is_some());
                usual.into_iter().chain(zealous()).chain(native).collect()
            }
            Ours::Deterministic => usual.into_iter().map(Configuration::deterministic).collect(),
        }
    }
}

/// Compares what modules do in our configurations and in another engine.
///
/// The other engine is not asked about a module that is too large for ours from the start: it may fill
/// arrays for seconds, and there is nothing to compare.
///
/// # Errors
///
/// If the other engine cannot be run at all.
pub fn compare_all(
    modules: &[Vec<u8>],
    calls: usize,
    rival: Rival,
    ours: Ours,
) -> Result<Vec<Result<Compared, String>>, String> {
    let deterministic = ours == Ours::Deterministic;
    let ours = modules.iter().map(|module| ours_agree(module, calls, ours));
    let ours: Vec<Result<Observation, String>> = ours.collect();
    let says_something = |ours: &Result<Observation, String>| {
        ours.as_ref().is_ok_and(|ours| !ours.steps.first().is_some_and(Step::gives_up))
    };
    let asked = modules.iter().zip(&ours).filter(|(_, ours)| says_something(ours));
    let asked: Vec<&[u8]> = asked.map(|(module, _)| module.as_slice()).collect();
    let theirs = match External::of(rival) {
        None => asked.iter().map(|module| wasmi::observe(module, calls)).collect(),
        Some(external) => external.observe(&asked, calls, deterministic)?,
    };
    let mut theirs = theirs.into_iter();
    let normal = |observation: Observation| {
        let told = observation.told_by(rival);
        if deterministic { told } else { told.canonical() }
    };
    let compare_one = |ours: Result<Observation, String>, theirs: Option<Observation>, module| {
        let ours = normal(ours?);
        let Some(theirs) = theirs.map(normal) else { return Ok(Compared::OursOnly) };
        match compare(["ours", rival.name()], &ours, &theirs, false) {
            Ok(()) => Ok(Compared::WithOther),
            Err(_) if known::differs_knowingly(module, rival) => Ok(Compared::OursOnly),
            Err(disagreement) => {
                let agree = !deterministic && agree_without_choice(module, calls, rival);
                if agree { Ok(Compared::WithOther) } else { Err(disagreement.to_string()) }
            }
        }
    };
    let all = ours.into_iter().zip(modules).map(|(ours, module)| {
        let theirs = if says_something(&ours) { theirs.next().flatten() } else { None };
        compare_one(ours, theirs, module)
    });
    Ok(all.collect())
}

/// Whether a module that differs may have looked at the bits of NaNs, and does the same in the
/// deterministic profile of both engines.
fn agree_without_choice(module: &[u8], calls: usize, rival: Rival) -> bool {
    let agree = |compared: &Result<Compared, String>| matches!(compared, Ok(Compared::WithOther));
    rival.has_profile()
        && known::may_see_nans(module)
        && compare_all(&[module.to_vec()], calls, rival, Ours::Deterministic)
            .is_ok_and(|compared| compared.iter().all(agree))
}

/// Runs a valid module in our configurations, and compares.
///
/// # Errors
///
/// What they disagree about; or, as text, that one of ours does not accept the module.
pub fn agree(module: &[u8], calls: usize, ours: Ours) -> Result<(), String> {
    ours_agree(module, calls, ours).map(drop)
}

/// Runs two valid modules that should do the same wherever their values lie in frames of the
/// interpreter, and compares.
///
/// # Errors
///
/// What they disagree about; or, as text, that one of ours does not accept a module.
pub fn same(a: &[u8], b: &[u8], calls: usize) -> Result<(), String> {
    let interpreted = |module| ours_agree(module, calls, Ours::Interpreted);
    let (a, b) = (interpreted(a)?, interpreted(b)?);
    compare(["first module", "second module"], &a, &b, true).map_err(|d| d.to_string())
}

/// What a module does, if it does the same in our configurations.
fn ours_agree(module: &[u8], calls: usize, ours: Ours) -> Result<Observation, String> {
    let deterministic = ours == Ours::Deterministic;
    let mut reference: Option<(&'static str, Observation)> = None;
    let mut fuel: Option<(&'static str, u64)> = None;
    for configuration in ours.configurations() {
        let name = configuration.name;
        let (observation, spent) = ours::observe(&configuration, module, calls)
            .map_err(|error| format!("{name}: {error}"))?;
        // A stack that is full is full elsewhere in another tier.
        let spent = spent.filter(|_| !observation.steps.iter().any(Step::gives_up));
        match (fuel, spent) {
            (None, Some(spent)) => fuel = Some((name, spent)),
            (Some((first, expected)), Some(spent)) if spent != expected => {
                return Err(format!("{first} spent {expected} units of fuel, {name} {spent}"));
            }
            _ => {}
        }
        let observation = if deterministic { observation } else { observation.canonical() };
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
