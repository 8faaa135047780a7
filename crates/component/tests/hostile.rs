//! Components that mean harm, and hosts that carry on after them: who may be entered, what is charged,
//! and what can be stopped. What needs no host is in `tests/wast/component`.

#[path = "hostile/bounds.rs"]
mod bounds;
#[path = "hostile/entering.rs"]
mod entering;
#[path = "hostile/handles.rs"]
mod handles;
#[path = "hostile/types.rs"]
mod types;

use dunlin_component::{Component, Instance, Linker, LowerParams};
use dunlin_engine::{
    Config, Engine, Error, ErrorKind, Limits, MemoryKind, Result, Store, Tier, Trap,
};

/// Interpreted and native, with either kind of memory; all with fuel and deadlines.
fn engines() -> Vec<Engine> {
    let all = [(Tier::Interp, MemoryKind::Guard), (Tier::Opt, MemoryKind::Compact)];
    let engine = |(tier, kind)| {
        let mut config = Config::default();
        config.execution.tier = tier;
        config.execution.fuel = true;
        config.execution.interruptible = true;
        config.memory.kind = kind;
        Engine::new(&config).unwrap()
    };
    all.into_iter().map(engine).collect()
}

fn component(engine: &Engine, text: &str) -> Component {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    Component::new(engine, bytes).unwrap()
}

/// A store with more fuel than anything here needs.
fn store<T: Send + 'static>(engine: &Engine, data: T) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.set_fuel(1 << 40).unwrap();
    store
}

/// A store that may keep no more than so many bytes beside memories.
fn small_store(engine: &Engine, bytes: u64) -> Store<()> {
    let limits = Limits { budget_bytes: bytes, ..Limits::default() };
    let mut store = Store::with_limits(engine, (), limits).unwrap();
    store.set_fuel(1 << 40).unwrap();
    store
}

/// A component that imports nothing, instantiated in a store of its own.
fn alone(engine: &Engine, text: &str) -> (Store<()>, Instance) {
    let mut store = store(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &component(engine, text)).unwrap();
    (store, instance)
}

/// Calls an export that returns a number.
fn number<T: 'static>(
    store: &mut Store<T>,
    of: &Instance,
    name: &str,
    params: impl LowerParams,
) -> Result<u32> {
    of.get_typed_func::<_, u32>(name).unwrap().call(store, params)
}

/// Calls an export that returns nothing.
fn run<T: 'static>(
    store: &mut Store<T>,
    of: &Instance,
    name: &str,
    params: impl LowerParams,
) -> Result<()> {
    of.get_typed_func::<_, ()>(name).unwrap().call(store, params)
}

/// Fails unless a component trapped for this reason.
#[track_caller]
fn assert_trapped<V: std::fmt::Debug>(result: Result<V>, why: &str) {
    let error: Error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap, "{error}");
    assert!(error.to_string().contains(why), "expected {why}: {error}");
}

/// Fails unless a component was stopped in this way.
#[track_caller]
fn assert_stopped<V: std::fmt::Debug>(result: Result<V>, by: Trap) {
    let error = result.unwrap_err();
    assert_eq!(error.trap(), Some(by), "{error}");
}

/// Fails unless a component wanted more than its store may keep, and whoever runs it is told the limit.
#[track_caller]
fn assert_limited<V: std::fmt::Debug>(result: Result<V>) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Trap), "{error}");
    assert!(error.help().is_some_and(|help| help.contains("budget_bytes")), "{}", error.report());
}
