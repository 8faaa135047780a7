//! The API from outside: one module for each of its nouns.

#![allow(clippy::cloned_ref_to_slice_refs, reason = "lists of arguments read better")]

mod config;
mod deadline;
mod error;
mod exception;
mod fuel;
mod func;
mod gc;
mod global;
mod host;
mod instance;
mod js_string;
mod limits;
mod linker;
mod memory;
mod misuse;
mod module;
mod numbers;
mod shared_memory;
mod store;
mod table;
mod threads;
mod tiers;
mod trap;
mod typed;
mod value;

use std::path::PathBuf;

use dunlin_engine::{Config, Engine, Instance, MemoryKind, Module, Store};

/// Engines with the default configuration, one for each kind of memory.
fn engines() -> Vec<Engine> {
    configured(|_| ())
}

/// Engines with a configuration, one for each kind of memory this build has.
fn configured(change: impl Fn(&mut Config)) -> Vec<Engine> {
    let default = Config::default().memory.kind;
    let kinds = [MemoryKind::Guard, MemoryKind::Compact];
    let kinds = kinds.into_iter().filter(|kind| *kind == default || *kind == MemoryKind::Compact);
    let engine = |kind| {
        let mut config = Config::default();
        config.memory.kind = kind;
        change(&mut config);
        Engine::new(&config).unwrap()
    };
    kinds.map(engine).collect()
}

fn module(engine: &Engine, wat: &str) -> Module {
    Module::new(engine, wat::parse_str(wat).unwrap()).unwrap()
}

/// An instance of a module without imports, in a store of its own.
fn instance(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module(engine, wat), &[]).unwrap();
    (store, instance)
}

/// Compares `text` with a file in `tests/api/snapshots`; with `BLESS=1` writes the file.
#[track_caller]
fn check_snapshot(name: &str, text: impl ToString) {
    let text = text.to_string() + "\n";
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/snapshots");
    let path = folder.join(name).with_extension("txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; write it with BLESS=1", path.display()));
    assert_eq!(text, expected, "{}; if it is right now, run with BLESS=1", path.display());
}
