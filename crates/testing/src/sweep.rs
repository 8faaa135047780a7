//! Accesses to memories around every bound: each instruction in memories of every kind, in all
//! configurations at once, against a formula and against each other.
//!
//! A round takes each instruction once for each kind of memory, with an offset and a form of address
//! picked by chance; the more rounds, the more of all combinations. After each call, all configurations
//! must have done the same, to the bytes around; a call outside must have trapped.

mod accesses;
mod shapes;
mod widening;

use dunlin_engine::{Engine, Extern, Instance, Memory, Module, Store, Tier, Trap, TypedFunc};
use dunlin_script::wat_to_wasm;

use crate::matrix::{Configuration, ahead, at_loops, configurations, native};
use crate::random::Random;
use accesses::Case;
use shapes::Shape;
pub use widening::widening;

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Calls that access memory, in all configurations together.
    pub accesses: u64,
    /// Those that trapped, as they should.
    pub trapped: u64,
}

/// The configurations in which accesses may differ: all but those that differ in the collector.
pub fn all() -> Vec<Configuration> {
    let all = configurations().into_iter().chain(native()).chain(at_loops()).chain(ahead());
    all.filter(|c| c.config.execution.gc_zeal.is_none()).collect()
}

/// Some of [`all`], with every kind of memory in every tier.
pub fn some() -> Vec<Configuration> {
    let mut all = all();
    all.retain(|c| {
        let execution = &c.config.execution;
        !execution.deterministic && execution.fuel == (execution.tier == Tier::Eager)
            || c.name == "opt-compact-metered"
            || c.name == "loops-compact-metered"
    });
    all
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Outcome {
    /// With a digest of what was read.
    Returned(i64),
    Trapped(Trap),
    Failed(String),
}

/// Does round number `round`, with one in `share` of the instructions in each kind of memory: others in
/// each.
///
/// # Errors
///
/// The first access that did not do what it should.
pub fn round(configurations: &[Configuration], round: u64, share: usize) -> Result<Tally, String> {
    let mut random = Random::new(round);
    let mut tally = Tally::default();
    for (number, shape) in shapes::all().iter().enumerate() {
        let all = accesses::all().into_iter().skip(number % share).step_by(share);
        let cases = all.map(|access| Case::pick(access, shape, &mut random));
        let cases: Vec<Case> = cases.collect();
        sweep(configurations, shape, &cases, &mut tally)
            .map_err(|wrong| format!("round {round}, {shape}: {wrong}"))?;
    }
    Ok(tally)
}

fn sweep(
    configurations: &[Configuration],
    shape: &Shape,
    cases: &[Case],
    tally: &mut Tally,
) -> Result<(), String> {
    let modules = |prelude| {
        let functions: String =
            cases.iter().enumerate().map(|(n, case)| case.function(n, prelude, shape)).collect();
        shape.modules(&functions).map(assemble)
    };
    let (plain, looped) = (modules(""), modules(PRELUDE));
    let mut all = Vec::new();
    for configuration in configurations {
        let modules = if is_at_loops(configuration) { &looped } else { &plain };
        all.push(Running::new(configuration, modules, cases.len()).map_err(|e| e.to_string())?);
    }
    for bytes in shape.sizes() {
        for running in &mut all {
            running.resize(bytes)?;
        }
        for (number, case) in cases.iter().enumerate() {
            for index in case.indices(bytes, shape) {
                let expected = case.expected(index, bytes);
                tally.accesses += all.len() as u64;
                tally.trapped += if expected.is_err() { all.len() as u64 } else { 0 };
                check(&mut all, number, case, index, bytes, expected).map_err(|wrong| {
                    format!("{} of {bytes:#x} bytes at {index:#x}: {wrong}", case.text(shape))
                })?;
            }
        }
    }
    Ok(())
}

/// What functions begin with where native code is entered at loops alone: a loop of two iterations, so that
/// all that follows is native. There is a local `$n`.
const PRELUDE: &str = "(loop $enter (br_if $enter
    (i32.eq (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1))))
    (local.set $n (i32.const 0))";

fn is_at_loops(configuration: &Configuration) -> bool {
    configuration.config.execution.tier == Tier::Loops
}

fn assemble(text: impl AsRef<str>) -> Vec<u8> {
    let text = text.as_ref();
    wat_to_wasm(text, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Makes one call in all configurations.
fn check(
    all: &mut [Running],
    number: usize,
    case: &Case,
    index: u64,
    bytes: u64,
    expected: Result<(), Trap>,
) -> Result<(), String> {
    let window = case.window(index, bytes);
    let mut reference: Option<(Outcome, Vec<u8>)> = None;
    for running in all {
        let before = running.read(window.clone());
        let outcome = running.call(number, case.argument(index));
        let as_expected = match (&outcome, expected) {
            (Outcome::Returned(_), Ok(())) => true,
            (Outcome::Trapped(found), Err(trap)) => *found == trap,
            _ => false,
        };
        let name = running.name;
        if !as_expected {
            return Err(format!("{name}: expected {expected:?}, found {outcome:?}"));
        }
        let after = running.read(window.clone());
        let written = case.written(index, bytes, &window);
        let (start, end) = (written.start, written.end);
        if before[..start] != after[..start] || before[end..] != after[end..] {
            return Err(format!("{name}: wrote elsewhere: {before:02x?} became {after:02x?}"));
        }
        running.write(window.start, &before);
        let found = (outcome, after);
        match &reference {
            None => reference = Some(found),
            Some(reference) if *reference != found => {
                return Err(format!("{name}: expected {reference:02x?}, found {found:02x?}"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A module of accesses in one configuration.
struct Running {
    name: &'static str,
    store: Store<()>,
    memory: Memory,
    grow: TypedFunc<i64, i64>,
    functions: Functions,
}

enum Functions {
    By32(Vec<TypedFunc<i32, i64>>),
    By64(Vec<TypedFunc<i64, i64>>),
}

impl Running {
    fn new(
        configuration: &Configuration,
        modules: &[Vec<u8>; 2],
        functions: usize,
    ) -> Result<Running, dunlin_engine::Error> {
        let mut config = configuration.config.clone();
        config.limits.memory_bytes = 32 << 30;
        let engine = Engine::new(&config)?;
        let mut store = Store::new(&engine, ());
        if config.execution.fuel {
            store.set_fuel(u64::MAX)?;
        }
        // Whichever of the two exports the memory; the second has the functions.
        let module = |bytes: &[u8]| match configuration.load {
            None => Module::new(&engine, bytes),
            Some(load) => load(&engine, bytes),
        };
        let first = Instance::new(&mut store, &module(&modules[0])?, &[])?;
        let imports: Vec<Extern> =
            first.get_memory(&mut store, "memory").map(Extern::Memory).into_iter().collect();
        let instance = Instance::new(&mut store, &module(&modules[1])?, &imports)?;
        let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
        let grow = instance.get_typed_func(&mut store, "grow")?;
        let by_32 = instance.get_typed_func::<i32, i64>(&mut store, "0").is_ok();
        let names = (0..functions).map(|n| n.to_string());
        let functions = if by_32 {
            let all = names.map(|name| instance.get_typed_func(&mut store, &name));
            Functions::By32(all.collect::<Result<_, _>>()?)
        } else {
            let all = names.map(|name| instance.get_typed_func(&mut store, &name));
            Functions::By64(all.collect::<Result<_, _>>()?)
        };
        Ok(Running { name: configuration.name, store, memory, grow, functions })
    }

    /// Grows the memory and writes a pattern where accesses will be.
    fn resize(&mut self, bytes: u64) -> Result<(), String> {
        let now = self.memory.data_size(&self.store) as u64;
        if bytes > now {
            let delta = (bytes - now) as i64;
            let grown = self.grow.call(&mut self.store, delta).map_err(|e| e.to_string())?;
            if grown < 0 {
                return Err(format!("{}: the memory does not grow to {bytes:#x}", self.name));
            }
        }
        for start in [0, bytes.saturating_sub(256)] {
            let end = bytes.min(start + 256);
            let pattern: Vec<u8> =
                (start..end).map(|address| (address.wrapping_mul(151) ^ 0xa7) as u8).collect();
            self.write(start, &pattern);
        }
        Ok(())
    }

    fn read(&self, window: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; (window.end - window.start) as usize];
        let read = self.memory.read(&self.store, window.start as usize, &mut bytes);
        read.expect("windows are inside");
        bytes
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        let written = self.memory.write(&mut self.store, at as usize, bytes);
        written.expect("windows are inside");
    }

    fn call(&mut self, number: usize, index: u64) -> Outcome {
        if self.store.fuel().is_ok_and(|fuel| fuel < 1 << 32) {
            self.store.set_fuel(u64::MAX).expect("fuel is counted");
        }
        let called = match &self.functions {
            Functions::By32(all) => all[number].call(&mut self.store, index as u32 as i32),
            Functions::By64(all) => all[number].call(&mut self.store, index as i64),
        };
        match called {
            Ok(digest) => Outcome::Returned(digest),
            Err(error) => match error.trap() {
                Some(trap) => Outcome::Trapped(trap),
                None => Outcome::Failed(error.to_string()),
            },
        }
    }
}
