//! A plugin host: each plugin has a store of its own, with limits, a deadline, and one capability.

use std::time::Duration;

use dunlin::{Caller, Config, Engine, Extern, Linker, Module, Result, Store, Trap};

/// What the host knows about one plugin.
struct Plugin {
    name: &'static str,
    log: Vec<String>,
}

/// What plugins do with a number; each is a module as it would come from a file.
const PLUGINS: [(&str, &str); 4] = [
    (
        "double",
        r#"(module
             (import "host" "log" (func $log (param i32 i32)))
             (memory (export "memory") 1)
             (data (i32.const 0) "doubling")
             (func (export "run") (param i64) (result i64)
               (call $log (i32.const 0) (i32.const 8))
               (i64.mul (local.get 0) (i64.const 2))))"#,
    ),
    (
        "endless",
        r#"(module (func (export "run") (param i64) (result i64) (loop br 0) unreachable))"#,
    ),
    (
        "greedy",
        r#"(module
             (memory 1)
             (func (export "run") (param i64) (result i64)
               (i64.extend_i32_s (memory.grow (i32.const 1000)))))"#,
    ),
    (
        "curious",
        r#"(module
             (import "host" "open" (func $open (param i32) (result i32)))
             (func (export "run") (param i64) (result i64) (i64.const 0)))"#,
    ),
];

fn main() -> Result<()> {
    let mut config = Config::default();
    config.execution.interruptible = true;
    config.limits.memory_bytes = 1 << 20;
    let engine = Engine::new(&config)?;

    let mut linker = Linker::<Plugin>::new(&engine);
    linker.func_wrap("host", "log", log)?;

    for (name, text) in PLUGINS {
        let module = Module::new(&engine, wat::parse_str(text)?)?;
        let mut store = Store::new(&engine, Plugin { name, log: Vec::new() });
        store.set_deadline(Duration::from_millis(50))?;
        match run(&linker, &mut store, &module, 21) {
            Ok(result) => say(format_args!("{name}: 21 became {result}")),
            Err(error) if error.trap() == Some(Trap::Interrupted) => {
                say(format_args!("{name}: did not end in time"));
            }
            Err(error) => say(error.report()),
        }
        for line in store.into_data().log {
            say(line);
        }
    }
    Ok(())
}

fn run(linker: &Linker<Plugin>, store: &mut Store<Plugin>, plugin: &Module, n: i64) -> Result<i64> {
    let instance = linker.instantiate(&mut *store, plugin)?;
    let run = instance.get_typed_func::<i64, i64>(&mut *store, "run")?;
    run.call(store, n)
}

/// Keeps a line of a plugin's text.
fn log(mut caller: Caller<'_, Plugin>, at: u32, len: u32) -> Result<()> {
    if let Some(Extern::Memory(memory)) = caller.get_export("memory") {
        let mut text = vec![0; len.min(200) as usize];
        memory.read(&caller, at as usize, &mut text)?;
        let plugin = caller.data_mut();
        plugin.log.push(format!("{}: says {:?}", plugin.name, String::from_utf8_lossy(&text)));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
