//! Limits of stores: each is kept, and says what to raise.

use dunlin_engine::{
    Config, Engine, ErrorKind, ExternRef, Func, Instance, Limits, Memory, MemoryType, Ref, RefType,
    Store, Table, TableType, Tier, Trap,
};

use crate::{check_snapshot, engines, module};

fn limited(engine: &Engine, change: impl FnOnce(&mut Limits)) -> Store<()> {
    let mut limits = engine.limits().clone();
    change(&mut limits);
    Store::with_limits(engine, (), limits).unwrap()
}

pub(crate) fn memory_type(min: u64, max: Option<u64>) -> MemoryType {
    MemoryType { min, max, index64: false, shared: false, page_size_log2: 16 }
}

pub(crate) fn table_type(min: u64, max: Option<u64>) -> TableType {
    TableType { elem: RefType::FUNC, min, max, index64: false, shared: false }
}

#[test]
fn memory_is_limited_for_host_and_guest() {
    for engine in engines() {
        let mut store = limited(&engine, |limits| limits.memory_bytes = 3 << 16);
        let module = module(
            &engine,
            r#"(module
                 (memory (export "memory") 2)
                 (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
        );
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let grow = instance.get_typed_func::<u32, i32>(&mut store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, 2).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 1).unwrap(), 2);
        assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let error = memory.grow(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        check_snapshot("limit_memory_grow", error.report());
        let error = Memory::new(&mut store, memory_type(1, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        check_snapshot("limit_instantiate", error.report());
    }
}

#[test]
fn tables_are_limited() {
    let mut store = limited(&Engine::default(), |limits| limits.table_elements = 10);
    let table = Table::new(&mut store, table_type(6, None), Ref::Func(None)).unwrap();
    assert_eq!(table.grow(&mut store, 4, Ref::Func(None)).unwrap(), 6);
    let error = table.grow(&mut store, 1, Ref::Func(None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(table.size(&store), 10);
    let error = Table::new(&mut store, table_type(1, None), Ref::Func(None)).unwrap_err();
    check_snapshot("limit_table", error.report());
}

#[test]
fn instances_are_limited() {
    let engine = Engine::default();
    let mut store = limited(&engine, |limits| limits.instances = 2);
    let module = module(&engine, "(module)");
    Instance::new(&mut store, &module, &[]).unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    check_snapshot("limit_instances", error.report());
}

#[test]
fn handles_are_limited() {
    let mut store = limited(&Engine::default(), |limits| limits.handles = 3);
    Func::try_wrap(&mut store, || ()).unwrap();
    // The value counts, and the reference to it; both only while somebody has it.
    let held = ExternRef::new(&mut store, ()).unwrap();
    assert_eq!(ExternRef::new(&mut store, ()).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!(Func::try_wrap(&mut store, || ()).unwrap_err().kind(), ErrorKind::Limit);
    drop(held);
    let again = ExternRef::new(&mut store, ()).unwrap();
    assert_eq!(ExternRef::new(&mut store, ()).unwrap_err().kind(), ErrorKind::Limit);
    drop(again);
}

/// In the interpreter, and in native code too if it is deterministic: frames of native code, of which
/// otherwise more fit, then count as much.
#[test]
fn the_value_stack_bounds_recursion_exactly() {
    let bounds = |tier, deterministic| {
        let mut config = Config::default();
        config.execution.tier = tier;
        config.execution.deterministic = deterministic;
        value_stack_bounds(&Engine::new(&config).unwrap())
    };
    let interpreted = bounds(Tier::Interp, false);
    assert_eq!(bounds(Tier::Interp, true), interpreted);
    if Engine::default().has_tiers() {
        assert_eq!(bounds(Tier::Opt, true), interpreted);
        assert_eq!(bounds(Tier::Eager, true), interpreted);
    }
}

/// How many calls fit into two sizes of value stack.
fn value_stack_bounds(engine: &Engine) -> [u32; 2] {
    let module = module(
        engine,
        r#"(module
             (func $down (export "down") (param i32) (result i32)
               (if (result i32) (local.get 0)
                 (then (i32.add
                   (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                 (else (i32.const 0)))))"#,
    );
    let deepest = |slots: usize| {
        let mut store = limited(engine, |limits| limits.value_stack_slots = slots);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let down = instance.get_typed_func::<u32, u32>(&mut store, "down").unwrap();
        let mut fits = |n| match down.call(&mut store, n) {
            Ok(result) => {
                assert_eq!(result, n);
                true
            }
            Err(error) => {
                assert_eq!(error.trap(), Some(Trap::StackOverflow));
                false
            }
        };
        assert!(fits(0) && !fits(1 << 20));
        (0..20).rev().fold(0, |n, bit| if fits(n | 1 << bit) { n | 1 << bit } else { n })
    };
    let (small, large) = (deepest(1000), deepest(10_000));
    assert_eq!(small, deepest(1000));
    // Every frame takes the same number of slots, whatever the size of the stack.
    let more = large - small;
    let frame_slots = 9000 / more;
    assert_eq!(frame_slots * more, 9000, "{small} calls in 1000 slots, {large} in 10000");
    assert!((980..1000).contains(&(small * frame_slots)), "{small} calls of {frame_slots} slots");
    [small, large]
}
