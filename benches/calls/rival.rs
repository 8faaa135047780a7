//! Wasmtime's calls between host and guest, and what its pool of instances takes.

mod measure;

use std::cell::RefCell;
use std::hint::black_box;

use measure::{BATCH, Case, GUEST, INSTANCES};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, Linker, Module, PoolingAllocationConfig, Result,
    Store,
};

fn main() -> Result<()> {
    let mut pooled = Config::new();
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(100).total_memories(100).total_tables(100);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    measure("wasmtime", &Config::new())?;
    measure("wasmtime-pooled", &pooled)
}

fn measure(name: &str, config: &Config) -> Result<()> {
    if !measure::wanted(name) {
        return Ok(());
    }
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, GUEST)?;
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
    let prepared = linker.instantiate_pre(&module)?;
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
                    let instance = prepared.instantiate(&mut store).expect("links");
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
