//! Memories: access from the host, growth, and what is said about bytes outside.

use dunlin_engine::{
    Caller, Engine, ErrorKind, Extern, Func, Instance, Memory, MemoryType, Result, Store,
};

use crate::limits::memory_type;
use crate::{check_snapshot, engines, instance, module};

const MODULE: &str = r#"
    (module
      (memory (export "memory") 1 3)
      (data (i32.const 10) "dunlin")
      (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "size") (result i32) memory.size)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

#[test]
fn host_and_guest_see_the_same_bytes() {
    for engine in engines() {
        let (mut store, instance) = instance(&engine, MODULE);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let load = instance.get_typed_func::<u32, u32>(&mut store, "load").unwrap();
        let set = instance.get_typed_func::<(u32, u32), ()>(&mut store, "store").unwrap();
        assert_eq!(&memory.data(&store)[9..17], b"\0dunlin\0");
        memory.write(&mut store, 65_530, b"tail66").unwrap();
        assert_eq!(load.call(&mut store, 65_535).unwrap(), u32::from(b'6'));
        memory.data_mut(&mut store)[3] = 200;
        assert_eq!(load.call(&mut store, 3).unwrap(), 200);
        set.call(&mut store, (3, 201)).unwrap();
        let mut byte = [0];
        memory.read(&store, 3, &mut byte).unwrap();
        assert_eq!(byte, [201]);
    }
}

#[test]
fn bytes_outside_are_an_error_and_nothing_changes() {
    for engine in engines() {
        let (mut store, instance) = instance(&engine, MODULE);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let before = memory.data(&store).to_vec();
        let mut texts = Vec::new();
        for (offset, len) in [(65_533, 4), (65_536, 1), (usize::MAX, 1), (1, 65_536)] {
            let mut buffer = vec![7; len];
            let read = memory.read(&store, offset, &mut buffer).unwrap_err();
            assert_eq!(buffer, vec![7; len]);
            let write = memory.write(&mut store, offset, &buffer).unwrap_err();
            assert_eq!(read, write);
            texts.push(read.to_string());
        }
        assert_eq!(memory.data(&store), before);
        memory.read(&store, 65_536, &mut []).unwrap();
        memory.write(&mut store, 65_536, &[]).unwrap();
        check_snapshot("memory_access", texts.join("\n"));
    }
}

#[test]
fn growth_keeps_contents_and_stops_at_the_maximum() {
    for engine in engines() {
        let (mut store, instance) = instance(&engine, MODULE);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let grow = instance.get_typed_func::<u32, i32>(&mut store, "grow").unwrap();
        let size = instance.get_typed_func::<(), i32>(&mut store, "size").unwrap();
        let load = instance.get_typed_func::<u32, u32>(&mut store, "load").unwrap();
        assert_eq!(memory.ty(&store).to_string(), "(memory 1 3)");
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
        assert_eq!(grow.call(&mut store, 1).unwrap(), 2);
        assert_eq!(size.call(&mut store, ()).unwrap(), 3);
        assert_eq!((memory.size(&store), memory.data_size(&store)), (3, 3 << 16));
        assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
        let error = memory.grow(&mut store, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        check_snapshot("memory_grow_maximum", error.report());
        assert_eq!(&memory.data(&store)[10..16], b"dunlin");
        memory.data_mut(&mut store)[(3 << 16) - 1] = 9;
        assert_eq!(load.call(&mut store, (3 << 16) - 1).unwrap(), 9);
        load.call(&mut store, 3 << 16).unwrap_err();
    }
}

#[test]
fn a_host_function_grows_the_memory_of_its_caller() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let wat = r#"(module
            (import "" "" (func $host))
            (memory (export "memory") 1)
            (func (export "f") (result i32)
              (local i32)
              (i32.store (i32.const 8) (i32.const 5))
              (call $host)
              (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 0x100000)))))"#;
        let host = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<()> {
            let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
            memory.grow(&mut caller, 100)?;
            memory.write(&mut caller, 0x10_0000, &[37])?;
            Ok(())
        });
        let instance = Instance::new(&mut store, &module(&engine, wat), &[host.into()]).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 42);
    }
}

#[test]
fn bytes_and_data_can_be_borrowed_together() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, Vec::new());
    let memory = Memory::new(&mut store, memory_type(1, Some(1))).unwrap();
    let log = Func::wrap(&mut store, move |mut caller: Caller<'_, Vec<u8>>, at: u32, len: u32| {
        let (bytes, data) = memory.data_and_store_mut(&mut caller);
        let range = at as usize..(at + len) as usize;
        data.extend_from_slice(&bytes[range.clone()]);
        bytes[range].fill(b'-');
    });
    memory.write(&mut store, 4, b"hello").unwrap();
    let log = log.typed::<(u32, u32), ()>(&store).unwrap();
    log.call(&mut store, (5, 3)).unwrap();
    assert_eq!(store.data(), b"ell");
    assert_eq!(&memory.data(&store)[4..9], b"h---o");
}

#[test]
fn memories_of_the_host_are_imported_by_many() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, memory_type(1, Some(5))).unwrap();
        let wat = r#"(module
            (import "env" "memory" (memory 1 5))
            (func (export "f") (param i32) (result i32)
              (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get 0)))
              (i32.load (i32.const 0))))"#;
        let module = module(&engine, wat);
        let mut call = |n| {
            let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
            let f = instance.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
            f.call(&mut store, n).unwrap()
        };
        assert_eq!([call(1), call(10), call(100)], [1, 11, 111]);
    }
}

#[test]
fn other_pages_and_addresses() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let bytes = MemoryType { page_size_log2: 0, ..memory_type(3, Some(100)) };
        let memory = Memory::new(&mut store, bytes).unwrap();
        assert_eq!((memory.size(&store), memory.data_size(&store)), (3, 3));
        assert_eq!(memory.grow(&mut store, 90).unwrap(), 3);
        assert_eq!(memory.data(&store).len(), 93);
        let wide = MemoryType { index64: true, ..memory_type(1, None) };
        let memory = Memory::new(&mut store, wide).unwrap();
        assert_eq!(memory.ty(&store).to_string(), "(memory i64 1)");
        memory.grow(&mut store, 1).unwrap();
        memory.grow(&mut store, 1 << 40).unwrap_err();
    }
}

#[test]
fn types_that_make_no_sense_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    let mut texts = Vec::new();
    for ty in [
        memory_type(2, Some(1)),
        memory_type(65_537, None),
        memory_type(1, Some(65_537)),
        MemoryType { index64: true, ..memory_type(1 << 49, None) },
        MemoryType { page_size_log2: 3, ..memory_type(1, None) },
        MemoryType { page_size_log2: 64, ..memory_type(1, None) },
        MemoryType { shared: true, ..memory_type(1, None) },
    ] {
        let error = Memory::new(&mut store, ty).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{ty:?}");
        texts.push(error.to_string());
    }
    check_snapshot("memory_types", texts.join("\n"));
}
