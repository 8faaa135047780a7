//! Wasmtime's calls between host and component, and between components.

mod measure;

use std::cell::RefCell;
use std::hint::black_box;

use measure::{BATCH, BYTES, CITY, Case, GUEST, LARGE, NAME};
use wasmtime::component::{
    Component, ComponentType, Instance, Lift, Linker, Lower, ResourceAny, TypedFunc,
};
use wasmtime::{Config, Engine, Result, Store};

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Person {
    name: String,
    city: String,
    age: u32,
}

fn main() -> Result<()> {
    // Tasks cost every call something, and nothing here waits: the setting that favours the rival.
    let mut config = Config::new();
    config.concurrency_support(false);
    measure("wasmtime", &config)?;
    measure("wasmtime-concurrent", &Config::new())
}

fn measure(name: &str, config: &Config) -> Result<()> {
    if !measure::is_wanted(name) {
        return Ok(());
    }
    let engine = Engine::new(config)?;
    let component = Component::new(&engine, GUEST)?;
    let mut linker = Linker::<()>::new(&engine);
    linker.root().func_wrap("nothing", |_, ()| Ok(()))?;
    linker.root().func_wrap("take", |_, (bytes,): (Vec<u8>,)| Ok((bytes.len() as u32,)))?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component)?;
    let loops = ["loop", "host-nothing", "host-take", "nothing", "add", "take"]
        .map(|name| ("caller", name))
        .into_iter()
        .chain([("taker", "nothing"), ("taker", "echo")])
        .map(|(from, name)| find::<(u32,), (u32,)>(&instance, &mut store, from, name))
        .collect::<Vec<_>>();
    let nothing = find::<(), ()>(&instance, &mut store, "callee", "nothing");
    let take = find::<(&[u8],), (u32,)>(&instance, &mut store, "callee", "take");
    let give = find::<(), (Vec<u8>,)>(&instance, &mut store, "callee", "give");
    let echo = find::<(Person,), (Person,)>(&instance, &mut store, "callee", "echo");
    let make =
        find::<(u32,), (ResourceAny,)>(&instance, &mut store, "callee", "[constructor]counter");
    let next =
        find::<(ResourceAny,), (u32,)>(&instance, &mut store, "callee", "[method]counter.next");
    let counter = make.call(&mut store, (7,))?.0;
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

fn find<P, R>(
    instance: &Instance,
    store: &mut Store<()>,
    interface: &str,
    name: &str,
) -> TypedFunc<P, R>
where
    P: wasmtime::component::ComponentNamedList + Lower,
    R: wasmtime::component::ComponentNamedList + Lift,
{
    let interface = instance.get_export_index(&mut *store, None, interface).expect("exported");
    let index = instance.get_export_index(&mut *store, Some(&interface), name).expect("exported");
    instance.get_typed_func(&mut *store, &index).expect("of this type")
}
