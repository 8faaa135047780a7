//! Hostile modules: what each is, and how loading or running it must end.

use std::time::Duration;

use dunlin_engine::{
    Config, Engine, Error, ErrorKind, Instance, MemoryKind, Module, Store, Trap, Val,
};

use crate::matrix::memory_kinds;

pub mod binary;
mod execution;
mod flow;
mod structure;

pub use execution::{endless, execution};
pub use structure::structure;

/// How a case must end.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It loads and can be instantiated, if it imports nothing.
    Loads,
    /// `f` returns this.
    Returns(Vec<Val>),
    /// It does not load, for a reason that contains this text.
    Rejected(&'static str),
    /// Instantiating it or calling `f` ends in this trap.
    Traps(Trap),
    /// It loads, but is refused its resources, with an error that contains this text.
    Limited(&'static str),
    /// It never ends by itself: fuel and deadline both stop it.
    Endless,
}

/// A module and its verdict.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is.
    pub name: &'static str,
    /// The module in binary.
    pub wasm: Vec<u8>,
    /// What `f` is called with; nothing is called if the verdict is about less.
    pub arguments: Vec<Val>,
    /// How it must end.
    pub verdict: Verdict,
}

impl Case {
    fn new(name: &'static str, wasm: Vec<u8>, verdict: Verdict) -> Case {
        Case { name, wasm, arguments: Vec::new(), verdict }
    }

    fn with(mut self, arguments: impl IntoIterator<Item = Val>) -> Case {
        self.arguments = arguments.into_iter().collect();
        self
    }
}

/// What stops a guest that runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// So much fuel.
    Fuel(u64),
    /// A deadline this far away.
    Deadline(Duration),
}

/// How a guest may run: a kind of memory, and what stops it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// The kind of memories.
    pub kind: MemoryKind,
    /// What stops it.
    pub stop: Stop,
}

/// Every kind of memory with each way to stop a guest: by `fuel`, or after `time`.
pub fn modes(fuel: u64, time: Duration) -> Vec<Mode> {
    let stops = [Stop::Fuel(fuel), Stop::Deadline(time)];
    memory_kinds().iter().flat_map(|kind| stops.map(|stop| Mode { kind: *kind, stop })).collect()
}

impl Mode {
    /// The engine's configuration.
    pub fn config(self) -> Config {
        let mut config = Config::default();
        config.memory.kind = self.kind;
        config.features.legacy_exceptions = true;
        config.features.stack_switching = true;
        config.execution.fuel = matches!(self.stop, Stop::Fuel(_));
        config.execution.interruptible = matches!(self.stop, Stop::Deadline(_));
        config
    }

    /// Limits what runs in `store`.
    pub fn limit<T: 'static>(self, store: &mut Store<T>) {
        let set = match self.stop {
            Stop::Fuel(fuel) => store.set_fuel(fuel),
            Stop::Deadline(time) => store.set_deadline(time),
        };
        set.expect("the engine is configured for it");
    }

    /// The trap with which a guest ends that is stopped so.
    pub fn trap(self) -> Trap {
        match self.stop {
            Stop::Fuel(_) => Trap::OutOfFuel,
            Stop::Deadline(_) => Trap::Interrupted,
        }
    }
}

/// Loads and runs a case; says what is not as it should be.
///
/// # Errors
///
/// What happened instead, in words.
pub fn run(case: &Case, mode: Mode) -> Result<(), String> {
    let engine = Engine::new(&mode.config()).map_err(|e| e.to_string())?;
    let found = found(case, mode, &engine);
    let expected = match &case.verdict {
        Verdict::Endless => Verdict::Traps(mode.trap()),
        other => other.clone(),
    };
    let fits = match (&expected, &found) {
        (Verdict::Loads, Ok(_)) => true,
        (Verdict::Returns(values), Ok(found)) => values == found,
        (Verdict::Rejected(text), Err(e)) => {
            e.kind() == ErrorKind::Invalid && e.to_string().contains(text)
        }
        (Verdict::Traps(trap), Err(e)) => e.trap() == Some(*trap),
        (Verdict::Limited(text), Err(e)) => {
            e.kind() == ErrorKind::Limit && e.report().to_string().contains(text)
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(match found {
            Ok(values) => format!("{}: expected {expected:?}, found {values:?}", case.name),
            Err(e) => format!("{}: expected {expected:?}, found {}", case.name, e.report()),
        }),
    }
}

fn found(case: &Case, mode: Mode, engine: &Engine) -> Result<Vec<Val>, Error> {
    let module = Module::new(engine, &case.wasm)?;
    if module.imports().len() > 0 {
        return Ok(Vec::new());
    }
    let mut store = Store::new(engine, ());
    mode.limit(&mut store);
    let instance = Instance::new(&mut store, &module, &[])?;
    if matches!(case.verdict, Verdict::Loads | Verdict::Limited(_)) {
        return Ok(Vec::new());
    }
    let Some(func) = instance.get_func(&mut store, "f") else {
        return Ok(Vec::new());
    };
    let mut results = vec![Val::I32(0); func.ty(&store).results.len()];
    func.call(&mut store, &case.arguments, &mut results)?;
    Ok(results)
}

/// Bytes of memory that this process has in use now, where the system tells.
pub fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
