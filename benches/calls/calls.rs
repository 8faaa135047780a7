//! Dunlin's calls between host and guest.

mod measure;

use std::cell::RefCell;
use std::hint::black_box;

use dunlin_engine::{Config, Engine, Instance, Linker, Module, Result, Store, Tier};
use measure::{BATCH, Case, GUEST, INSTANCES};

fn main() -> Result<()> {
    let mut config = Config::default();
    config.execution.tier = Tier::Opt;
    measure("dunlin", &config)?;
    config.execution.tier = Tier::Auto;
    measure("dunlin-auto", &config)?;
    config.execution.tier = Tier::Interp;
    measure("dunlin-interp", &config)
}

fn measure(name: &str, config: &Config) -> Result<()> {
    if !measure::wanted(name) {
        return Ok(());
    }
    let engine = Engine::new(config)?;
    let binary = dunlin_script::wat_to_wasm(GUEST, None).expect("text of a module");
    let module = Module::new(&engine, binary)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "nothing", || {})?;
    linker.func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let nothing = instance.get_typed_func::<(), ()>(&mut store, "nothing")?;
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    let loops = ["loop", "call_nothing", "call_add"]
        .map(|name| instance.get_typed_func::<i32, i32>(&mut store, name));
    let store = &RefCell::new(store);
    let loops = |index: usize| {
        let func = loops[index].as_ref().expect("exported").clone();
        Box::new(move || drop(black_box(func.call(&mut *store.borrow_mut(), BATCH as i32))))
    };
    let cases: Vec<Case<'_>> = vec![
        (
            "host-to-guest()",
            BATCH,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for _ in 0..BATCH {
                    nothing.call(&mut *store, ()).expect("returns");
                }
            }),
        ),
        (
            "host-to-guest(i32,i32)->i32",
            BATCH,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for i in 0..BATCH as i32 {
                    black_box(add.call(&mut *store, (i, 1)).expect("returns"));
                }
            }),
        ),
        ("loop", BATCH, loops(0)),
        ("guest-to-host()", BATCH, loops(1)),
        ("guest-to-host(i32,i32)->i32", BATCH, loops(2)),
        (
            "instantiate+call+drop",
            INSTANCES,
            Box::new(|| {
                for _ in 0..INSTANCES {
                    let mut store = Store::new(&engine, ());
                    let instance: Instance =
                        linker.instantiate(&mut store, &module).expect("links");
                    let nothing =
                        instance.get_typed_func::<(), ()>(&mut store, "nothing").expect("exported");
                    nothing.call(&mut store, ()).expect("returns");
                }
            }),
        ),
    ];
    measure::print(name, &measure::nanoseconds(cases));
    Ok(())
}
