//! Random guests that go to and fro between tiers, instances and the host, with exact fuel, exceptions and
//! objects: they do the same in every tier.
//!
//! Each seed makes a module, of which two instances share a table. In the deterministic profile the value
//! stack is small, so that recursion ends where it does in the interpreter; otherwise it never does.

mod program;

use std::fmt::Write;

use dunlin_engine::{
    Caller, Engine, Error, ErrorKind, Extern, ExternRef, Func, Global, GlobalType, HeapType,
    Instance, Module, RefType, Store, Table, TableType, Val, ValType,
};
use dunlin_script::wat_to_wasm;

use crate::matrix::{Configuration, ahead, at_loops, configurations, native, zealous};
use crate::random::Random;
use program::EXPORTS;

/// What came of some seeds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Modules.
    pub modules: u64,
    /// Calls, in all configurations together.
    pub calls: u64,
    /// Calls in the interpreter that ended with a trap, without fuel, with no stack left, with an
    /// exception, and with an error of the host.
    pub traps: u64,
    /// See above.
    pub spent: u64,
    /// See above.
    pub overflows: u64,
    /// See above.
    pub exceptions: u64,
    /// See above.
    pub host_errors: u64,
}

/// The module with a seed, as text.
pub fn text(seed: u64) -> String {
    program::text(seed)
}

/// The configurations that are compared: the interpreter first.
pub fn all() -> Vec<Configuration> {
    let all = configurations().into_iter().chain(zealous()).chain(native()).chain(at_loops());
    all.chain(ahead()).collect()
}

/// Some of [`all`]: the first, and some of every tier that there is, with the collector at work in most.
pub fn some() -> Vec<Configuration> {
    let names = ["opt-guard-zeal-1", "eager-compact-zeal-3", "loops-compact-zeal-3", "ahead-guard"];
    let mut all = all();
    let mut first = true;
    all.retain(|c| std::mem::take(&mut first) || names.contains(&c.name));
    all
}

/// The first of some configurations, and a few that depend on the seed.
pub fn pick(all: &[Configuration], seed: u64) -> Vec<Configuration> {
    let mut random = Random::new(!seed);
    let picked = all.iter().skip(1).filter(|_| random.below(4) == 0);
    all.iter().take(1).chain(picked).cloned().collect()
}

/// Runs the module with a seed in all configurations.
///
/// # Errors
///
/// What two of them disagree about.
///
/// # Panics
///
/// If the system gives no thread.
pub fn round(configurations: &[Configuration], seed: u64, tally: &mut Tally) -> Result<(), String> {
    compare(configurations, &text(seed), seed, tally)
}

/// Runs any such module in all configurations, with calls that depend on the seed.
///
/// # Errors
///
/// What two of them disagree about.
///
/// # Panics
///
/// If the system gives no thread.
pub fn compare(
    configurations: &[Configuration],
    text: &str,
    seed: u64,
    tally: &mut Tally,
) -> Result<(), String> {
    let thread = std::thread::Builder::new().stack_size(NATIVE_STACK_BYTES + (16 << 20));
    std::thread::scope(|scope| {
        let round = || compare_here(configurations, text, seed, tally);
        let thread = thread.spawn_scoped(scope, round).expect("a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn compare_here(
    configurations: &[Configuration],
    text: &str,
    seed: u64,
    tally: &mut Tally,
) -> Result<(), String> {
    let module = wat_to_wasm(text, None).map_err(|error| error.to_string())?;
    tally.modules += 1;
    for deterministic in [false, true] {
        let mut reference: Option<(&str, Vec<String>)> = None;
        for configuration in configurations {
            let mut configuration = configuration.clone();
            let execution = &mut configuration.config.execution;
            // Fuel is exact, and ends what goes on for too long.
            (execution.fuel, execution.deterministic) = (true, deterministic);
            let seen = observe(&configuration, &module, seed)
                .map_err(|error| format!("{}: {error}", configuration.name))?;
            tally.calls += seen.len() as u64;
            match &reference {
                None => {
                    if std::env::var_os("DUNLIN_MIXED_SHOW").is_some() {
                        for s in &seen {
                            eprintln!("{s}");
                        }
                    }
                    tally.count(&seen);
                    reference = Some((configuration.name, seen));
                }
                Some((first, expected)) if *expected != seen => {
                    let at = expected.iter().zip(&seen).position(|(a, b)| a != b);
                    let at = at.unwrap_or(expected.len().min(seen.len()));
                    return Err(format!(
                        "deterministic: {deterministic}, call {at}:\n  {first}: {:?}\n  {}: {:?}",
                        expected.get(at),
                        configuration.name,
                        seen.get(at)
                    ));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

impl Tally {
    fn count(&mut self, seen: &[String]) {
        let with = |word: &str| seen.iter().filter(|line| line.contains(word)).count() as u64;
        self.spent += with("trap OutOfFuel");
        self.overflows += with("trap StackOverflow");
        self.traps += with("trap ");
        self.exceptions += with("exception");
        self.host_errors += with("host error");
    }
}

/// What the host keeps of a guest.
struct Host {
    log: Vec<i32>,
    /// The exports that the host calls, of both instances.
    exports: Vec<Func>,
    calls: usize,
}

/// The smallest and the largest value stack of a deterministic run.
const SLOTS: (usize, usize) = (300, 6000);

/// What each call does that can be seen.
fn observe(configuration: &Configuration, module: &[u8], seed: u64) -> Result<Vec<String>, Error> {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut config = configuration.config.clone();
    let deterministic = config.execution.deterministic;
    let slots = SLOTS.0 + random.below(SLOTS.1 - SLOTS.0);
    config.limits.value_stack_slots = if deterministic { slots } else { 1 << 22 };
    // How much of it calls through the host take depends on the tier.
    config.limits.native_stack_bytes = NATIVE_STACK_BYTES;
    let engine = Engine::new(&config)?;
    let module = match configuration.load {
        None => Module::new(&engine, module)?,
        Some(load) => load(&engine, module)?,
    };
    let mut store = Store::new(&engine, Host { log: Vec::new(), exports: Vec::new(), calls: 0 });
    store.set_fuel(1 << 40)?;
    let functions = host_functions(&mut store);
    let elem = RefType { nullable: true, heap: HeapType::Func };
    let ty = TableType { elem, min: 16, max: None, index64: false, shared: false };
    let null = Val::default_for(ValType::Ref(elem)).expect("it is nullable");
    let shared = Table::new(&mut store, ty, null)?;
    let mut instances = Vec::new();
    for base in [0, 8] {
        let ty = GlobalType { val: ValType::I32, mutable: false, shared: false };
        let base = Global::new(&mut store, ty, Val::I32(base))?;
        let mut imports: Vec<Extern> = functions.iter().map(|func| (*func).into()).collect();
        imports.extend([Extern::Table(shared), Extern::Global(base)]);
        let instance = Instance::new(&mut store, &module, &imports)?;
        let fill = instance.get_typed_func::<(), ()>(&mut store, "fill")?;
        fill.call(&mut store, ())?;
        for export in 0..EXPORTS {
            let func = instance.get_func(&mut store, &format!("e{export}"));
            store.data_mut().exports.extend(func);
        }
        instances.push(instance);
    }
    let mut seen = Vec::new();
    for number in 0..CALLS {
        let at = random.below(2 * EXPORTS);
        let instance = instances[at / EXPORTS];
        let left = [40, 300, 2000][random.below(3)];
        for instance in &instances {
            let global = instance.get_global(&mut store, "left").expect("it is exported");
            global.set(&mut store, Val::I32(left))?;
        }
        let fuel = if random.below(2) == 0 { 1 << 40 } else { random.next() % 5000 };
        store.set_fuel(fuel)?;
        let func = store.data().exports[at];
        let mut results = [Val::I32(0)];
        let called = func.call(&mut store, &[Val::I32(number)], &mut results);
        let mut line = match called {
            Ok(()) => format!("{:?}", results[0]),
            Err(error) => outcome(&error),
        };
        let _ = write!(line, " fuel {}", store.fuel()?);
        let log = std::mem::take(&mut store.data_mut().log);
        let _ = write!(line, " log {log:?} {}", state(&mut store, instance));
        seen.push(line);
    }
    Ok(seen)
}

/// More than calls between guest and host may take inside one another.
const NATIVE_STACK_BYTES: usize = 48 << 20;

/// How often something is called.
const CALLS: i32 = 8;

/// What can be seen of an instance.
fn state(store: &mut Store<Host>, instance: Instance) -> String {
    let mut text = String::new();
    for name in ["left", "gi"] {
        let global = instance.get_global(&mut *store, name).expect("it is exported");
        let _ = write!(text, "{:?} ", global.get(&mut *store));
    }
    for name in ["m0", "m1"] {
        let memory = instance.get_memory(&mut *store, name).expect("it is exported");
        let bytes = memory.data(&*store);
        let sum = bytes.chunks_exact(8).fold(0u64, |sum, word| {
            let word = word.try_into().map_or(0, u64::from_le_bytes);
            (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(7)
        });
        let _ = write!(text, "{}: {sum:x} ", bytes.len());
    }
    let table = instance.get_table(&mut *store, "nodes").expect("it is exported");
    for at in 0..table.size(&*store) {
        let null = table.get(&mut *store, at).is_none_or(|node| node.is_null());
        text.push(if null { '0' } else { '1' });
    }
    text
}

/// How a call ended, in words that mean the same everywhere.
fn outcome(error: &Error) -> String {
    match error.trap() {
        Some(trap) => format!("trap {trap:?}"),
        None if error.kind() == ErrorKind::Exception => "exception".to_string(),
        None if error.kind() == ErrorKind::Host => "host error".to_string(),
        None => format!("{:?}", error.kind()),
    }
}

/// In the order in which modules import them.
fn host_functions(store: &mut Store<Host>) -> [Func; 5] {
    let note = Func::wrap(&mut *store, |mut caller: Caller<'_, Host>, value: i32| {
        caller.data_mut().log.push(value);
    });
    let mix = Func::wrap(&mut *store, |a: i64, b: f64| if b > 1.0 { b / 2.0 } else { a as f64 });
    let again = Func::wrap(&mut *store, again);
    let fail = Func::wrap(&mut *store, |value: i32| match value % 3 {
        0 => Err(Error::host(std::io::Error::other("no"))),
        _ => Ok(value),
    });
    let pass = Func::wrap(&mut *store, pass);
    [note, mix, again, fail, pass]
}

/// Calls a guest again, and hands on what it throws, but not always.
fn again(mut caller: Caller<'_, Host>, number: i32) -> Result<i32, Error> {
    let exports = &caller.data().exports;
    let func = exports[number as u32 as usize % exports.len()];
    let mut results = [Val::I32(0)];
    match func.call(&mut caller, &[Val::I32(number / 2)], &mut results) {
        Ok(()) => Ok(results[0].i32().unwrap_or_default()),
        Err(error) if number & 4 == 0 => Err(error),
        Err(error) => {
            let kind = outcome(&error);
            caller.data_mut().log.push(-(kind.len() as i32));
            Ok(-1)
        }
    }
}

/// Gives a reference back, or a new one, and collects garbage now and then.
fn pass(
    mut caller: Caller<'_, Host>,
    value: Option<ExternRef>,
) -> Result<Option<ExternRef>, Error> {
    caller.data_mut().calls += 1;
    let calls = caller.data().calls;
    if calls.is_multiple_of(3) {
        caller.collect_garbage()?;
    }
    match value {
        None => ExternRef::new(&mut caller, calls).map(Some),
        some => Ok(some),
    }
}
