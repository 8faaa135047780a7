//! Dunlin's calls between host and component, and between components.

mod measure;

use std::cell::RefCell;
use std::hint::black_box;

use dunlin_component::{
    Component, ComponentType, Instance, Lift, Linker, LowerParams, ResourceAny, TypedFunc,
};
use dunlin_engine::{Config, Engine, Result, Store, Tier};
use measure::{BATCH, BYTES, CITY, Case, GUEST, LARGE, NAME};

#[derive(ComponentType)]
struct Person {
    name: String,
    city: String,
    age: u32,
}

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
    if !measure::is_wanted(name) {
        return Ok(());
    }
    let engine = Engine::new(config)?;
    let binary = dunlin_script::wat_to_wasm(GUEST, None).expect("text of a component");
    let component = Component::new(&engine, binary)?;
    let mut linker = Linker::<()>::new(&engine);
    linker.root().func_wrap("nothing", |_, (): ()| Ok(()))?;
    linker.root().func_wrap("take", |_, (bytes,): (Vec<u8>,)| Ok(bytes.len() as u32))?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component)?;
    let loops = ["loop", "host-nothing", "host-take", "nothing", "add", "take"]
        .map(|name| ("caller", name))
        .into_iter()
        .chain([("taker", "nothing"), ("taker", "echo")])
        .map(|(from, name)| find::<(u32,), u32>(&instance, from, name))
        .collect::<Vec<_>>();
    let nothing = find::<(), ()>(&instance, "callee", "nothing");
    let take = find::<(&[u8],), u32>(&instance, "callee", "take");
    let give = find::<(), Vec<u8>>(&instance, "callee", "give");
    let echo = find::<(Person,), Person>(&instance, "callee", "echo");
    let make = find::<(u32,), ResourceAny>(&instance, "callee", "[constructor]counter");
    let next = find::<(ResourceAny,), u32>(&instance, "callee", "[method]counter.next");
    let counter = make.call(&mut store, (7,))?;
    let bytes = vec![1_u8; BYTES];
    let store = &RefCell::new(store);
    let in_guest = |index: usize, count: u32| {
        let func = loops[index].clone();
        Box::new(move || drop(black_box(func.call(&mut *store.borrow_mut(), (count,)))))
    };
    let cases: Vec<Case<'_>> = vec![
        ("loop", BATCH, in_guest(0, BATCH)),
        (
            "host-to-component()",
            BATCH,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for _ in 0..BATCH {
                    nothing.call(&mut *store, ()).expect("returns");
                }
            }),
        ),
        ("component-to-host()", BATCH, in_guest(1, BATCH)),
        ("component-to-component()", BATCH, in_guest(3, BATCH)),
        ("component-to-component(u32,u32)->u32", BATCH, in_guest(4, BATCH)),
        ("component-to-component()-that-may-call-out", BATCH, in_guest(6, BATCH)),
        ("component-to-component(record)->record", BATCH, in_guest(7, BATCH)),
        (
            "host-to-component(list<u8>)-1MiB",
            LARGE,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for _ in 0..LARGE {
                    black_box(take.call(&mut *store, (&bytes,)).expect("returns"));
                }
            }),
        ),
        (
            "host-to-component()->list<u8>-1MiB",
            LARGE,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for _ in 0..LARGE {
                    black_box(give.call(&mut *store, ()).expect("returns"));
                }
            }),
        ),
        ("component-to-host(list<u8>)-1MiB", LARGE, in_guest(2, LARGE)),
        ("component-to-component(list<u8>)-1MiB", LARGE, in_guest(5, LARGE)),
        (
            "host-to-component(record)->record",
            BATCH,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for age in 0..BATCH {
                    let person = Person { name: NAME.into(), city: CITY.into(), age };
                    black_box(echo.call(&mut *store, (person,)).expect("returns"));
                }
            }),
        ),
        (
            "resource-method",
            BATCH,
            Box::new(|| {
                let store = &mut *store.borrow_mut();
                for _ in 0..BATCH {
                    black_box(next.call(&mut *store, (counter,)).expect("returns"));
                }
            }),
        ),
    ];
    measure::print(name, &measure::nanoseconds(cases));
    Ok(())
}

fn find<P: LowerParams, R: Lift>(
    instance: &Instance,
    interface: &str,
    name: &str,
) -> TypedFunc<P, R> {
    instance.get_typed_func_in(interface, name).expect("exported")
}
