//! Bulk instructions at every edge of memories and tables: they do all or nothing.

use dunlin_engine::{Engine, Instance, MemoryKind, Module, Store, Trap, Val};
use dunlin_script::wat_to_wasm;

use super::{ENOUGH, QUIET, on_small_stack};
use dunlin_testing::hostile::{Mode, Stop};

/// Bytes of the memory, and elements of the table.
const MEMORY: u64 = 65536;
const TABLE: u64 = 100;
/// Bytes and elements of the segments.
const SEGMENT: u64 = 8;

struct Operation {
    name: &'static str,
    trap: Trap,
    /// How much there is where it writes, and where it reads, if it does.
    dst: u64,
    src: Option<u64>,
}

const OPERATIONS: [Operation; 8] = {
    const fn memory(name: &'static str, src: Option<u64>) -> Operation {
        Operation { name, trap: Trap::MemoryOutOfBounds, dst: MEMORY, src }
    }
    const fn table(name: &'static str, src: Option<u64>) -> Operation {
        Operation { name, trap: Trap::TableOutOfBounds, dst: TABLE, src }
    }
    [
        memory("memory.fill $m", None),
        memory("memory.copy $m $m", Some(MEMORY)),
        memory("memory.copy $m $small", Some(16)),
        memory("memory.init $m $d", Some(SEGMENT)),
        table("table.fill $t", None),
        table("table.copy $t $t", Some(TABLE)),
        table("table.copy $t $short", Some(3)),
        table("table.init $t $e", Some(SEGMENT)),
    ]
};

/// `wide` memories and tables have 64-bit indices.
fn module(wide: bool) -> String {
    let (index, ty) = if wide { ("i64", "i64") } else { ("", "i32") };
    let mut text = format!(
        r#"(module (memory $m (export "m") {index} 1) (memory $small {index} 16 16 (pagesize 1))
             (table $t {index} {TABLE} funcref) (table $short {index} 3 funcref)
             (data $d "\01\02\03\04\05\06\07\08")
             (elem $e func $f $f $f $f $f $f $f $f) (func $f)"#
    );
    for (at, operation) in OPERATIONS.iter().enumerate() {
        let second = match (operation.src, operation.name.starts_with("table")) {
            (Some(_), _) if operation.name.contains(".init") => "(i32.wrap_i64 (local.get 1))",
            (Some(_), _) if wide => "(local.get 1)",
            (Some(_), _) => "(i32.wrap_i64 (local.get 1))",
            (None, true) => "(ref.func $f)",
            (None, false) => "(i32.wrap_i64 (local.get 1))",
        };
        let index = |n: u32| match ty {
            "i64" => format!("(local.get {n})"),
            _ => format!("(i32.wrap_i64 (local.get {n}))"),
        };
        let length = match operation.name.contains(".init") {
            true => "(i32.wrap_i64 (local.get 2))".to_string(),
            false => index(2),
        };
        text += &format!(
            r#"(func (export "{at}") (param i64 i64 i64) ({} {} {second} {length}))"#,
            operation.name,
            index(0)
        );
    }
    text + ")"
}

/// Positions and lengths around the edges of something of length `len`.
fn edges(len: u64, wide: bool) -> Vec<u64> {
    let max = if wide { u64::MAX } else { u32::MAX.into() };
    let mut edges = vec![0, 1, len / 2, len - 1, len, len + 1, max - len, max - 1, max];
    if wide {
        edges.extend([1 << 32, (1 << 32) + 1, 1 << 63, (1 << 63) - 1]);
    }
    edges
}

#[test]
fn bulk_instructions_at_the_edges() {
    let _shared = QUIET.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    on_small_stack(|| {
        for &kind in dunlin_testing::matrix::memory_kinds() {
            for wide in [false, true] {
                sweep(kind, wide);
            }
        }
    });
}

fn sweep(kind: MemoryKind, wide: bool) {
    let mode = Mode { kind, stop: Stop::Fuel(ENOUGH.0) };
    let engine = Engine::new(&mode.config()).unwrap();
    let wasm = wat_to_wasm(&module(wide), None).expect("the text is well-formed");
    let module = Module::new(&engine, &wasm).unwrap();
    let mut store = Store::new(&engine, ());
    mode.limit(&mut store);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let memory = instance.get_memory(&mut store, "m").unwrap();
    for (at, operation) in OPERATIONS.iter().enumerate() {
        let function = instance.get_func(&mut store, &at.to_string()).unwrap();
        let narrow = operation.name.contains(".init");
        let sources = operation.src.map_or(vec![0x5a], |len| edges(len, wide && !narrow));
        for dst in edges(operation.dst, wide) {
            for &src in &sources {
                let lengths = [edges(operation.dst, wide && !narrow), edges(SEGMENT, false)];
                for len in lengths.concat() {
                    memory.data_mut(&mut store).fill(0x5a);
                    let arguments = [dst, src, len].map(|n| Val::I64(n as i64));
                    let found = function.call(&mut store, &arguments, &mut []);
                    let inside = |start: u64, end: u64| {
                        u128::from(start) + u128::from(len) <= u128::from(end)
                    };
                    let fits = inside(dst, operation.dst)
                        && operation.src.is_none_or(|end| inside(src, end));
                    let what = || {
                        let name = operation.name;
                        format!("{kind:?}: {name} at {dst:#x} from {src:#x}, {len:#x} long")
                    };
                    match found {
                        Ok(()) => assert!(fits, "{}", what()),
                        Err(error) => {
                            assert!(!fits, "{}: {error}", what());
                            assert_eq!(error.trap(), Some(operation.trap), "{}", what());
                            // What traps has written nothing.
                            let data = memory.data(&store);
                            assert!(data.iter().all(|byte| *byte == 0x5a), "{}", what());
                        }
                    }
                }
            }
        }
    }
}
