//! Builtins as native code would call them, from a host function that a guest calls: the exit fields
//! are then the place of guest code.

use std::sync::{Arc, Mutex};

use dunlin_code::native::Builtin;
use dunlin_code::{MemoryKind, Settings, Trap};
use dunlin_module::{Features, FuncType, HeapType, Module, RefType, TypeRegistry, ValType};

use super::{DONE, TABLE};
use crate::{Extern, HostCall, HostFn, Limits, ModuleCode, Store};

const GUEST: &str = r#"
(module
  (type $item (struct (field i32)))
  (type $list (array (mut anyref)))
  (type $bytes (array (mut i8)))
  (import "" "try" (func $try (param anyref)))
  (memory 1 3)
  (memory i64 1 3)
  (table 2 5 funcref)
  (tag $plain (param i32))
  (tag $mixed (param i32 anyref v128 anyref))
  (data "abcdef")
  (func $run (export "run")
    (call $try (struct.new $item (i32.const 7))))
  (elem declare func $run))
"#;

/// The module type indices above.
const LIST: u64 = 1;
const BYTES: u64 = 2;

/// A host function, with builtins to call.
struct Guest<'a, 'b>(&'a mut HostCall<'b>);

impl Guest<'_, '_> {
    fn call(&mut self, builtin: Builtin, args: &mut [u64], a: u64, b: u64) -> u64 {
        let cx = self.context();
        // SAFETY: the exit fields are the place of the guest, whose module has what the tests name.
        unsafe { TABLE[builtin as usize](cx, args.as_mut_ptr(), a, b) }
    }

    fn context(&self) -> *mut crate::vmctx::VmCtx {
        // SAFETY: the record is alive; V1.
        unsafe { (*self.0.store.rt()).exit_vmctx }
    }

    fn trap(&self) -> Trap {
        // SAFETY: the record is alive; V1.
        unsafe { (*self.0.store.rt()).trap }
    }

    /// Whether the reference is to what the guest made, wherever it is now.
    fn is_item(&self, reference: u64) -> bool {
        self.0.store.object_get(reference, 0) == Some(7)
    }
}

/// Calls `test` in a guest whose every allocation collects garbage.
fn guest(test: impl Fn(&mut Guest<'_, '_>) + Send + Sync + 'static) {
    let types = TypeRegistry::new();
    let memory_kind = MemoryKind::Compact;
    let settings = Settings { memory_kind, fuel: false, interruptible: true, deterministic: false };
    let limits = Limits::default();
    let mut store = Store::new(types.clone(), settings, limits, Box::new(())).unwrap();
    store.set_gc_zeal(Some(1));
    let bytes = wat::parse_str(GUEST).unwrap();
    let module = Module::decode(bytes, &Features::default(), &types).unwrap();
    let code = ModuleCode::new(Arc::new(module), settings);
    let any = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });
    // A panic does not leave the host function, but is told of.
    let failed = Arc::new(Mutex::new(true));
    let passed = failed.clone();
    let host = store
        .host_func(
            &FuncType::new([any], []),
            HostFn::new(move |call: &mut HostCall<'_>| {
                test(&mut Guest(call));
                *passed.lock().unwrap() = false;
                Ok(())
            }),
        )
        .unwrap();
    let instance = store.instantiate(&code, &[Extern::Func(host)]).unwrap();
    let Some(Extern::Func(run)) = store.export(instance, "run").unwrap() else { panic!() };
    let outcome = store.call(run, &mut [0]);
    assert!(!*failed.lock().unwrap(), "{outcome:?}");
}

#[test]
fn references_among_operands_follow_what_they_refer_to() {
    guest(|guest| {
        let mut item = guest.0.args[0];
        let mut moves = 0;
        for _ in 0..4 {
            let mut args = [item, 3];
            let made = guest.call(Builtin::ArrayNew, &mut args, LIST, 0);
            assert_eq!(guest.0.store.array_len(made), Some(3));
            let element = guest.0.store.object_get(made, 2).unwrap() as u64;
            assert!(guest.is_item(element));
            moves += u32::from(element != item);
            item = element;
        }
        assert!(moves > 0);
        let mut args = [item, item, 0, item];
        let made = guest.call(Builtin::ArrayNewFixed, &mut args, LIST, 4);
        let elements: Vec<u64> =
            (0..4).map(|at| guest.0.store.object_get(made, at).unwrap() as u64).collect();
        assert!(guest.is_item(elements[0]));
        assert_eq!(elements, [elements[0], elements[0], 0, elements[0]]);
    });
}

#[test]
fn payloads_follow_too_and_come_back_as_they_were() {
    guest(|guest| {
        let item = guest.0.args[0];
        let mut args = [1, item, 2, 3, item];
        assert_eq!(guest.call(Builtin::Throw, &mut args, 1, 0), 0);
        assert_eq!(guest.trap(), Trap::Exception);
        // SAFETY: the record is alive; V1.
        let exception = unsafe { (*guest.0.store.rt()).exception };
        let mut payload = Vec::new();
        crate::exception::read(guest.0.store, exception, |bits| payload.push(bits)).unwrap();
        let [number, first, low, high, second] = payload[..] else { panic!("{payload:?}") };
        assert_eq!((number, low, high), (1, 2, 3));
        assert!(first == second && first != item && guest.is_item(first));
    });
}

#[test]
fn what_nobody_catches_is_a_trap() {
    guest(|guest| {
        assert_eq!(guest.call(Builtin::Throw, &mut [5], 0, 0), 0);
        assert_eq!(guest.trap(), Trap::Exception);
        assert_eq!(guest.call(Builtin::ThrowRef, &mut [0], 0, 0), 0);
        assert_eq!(guest.trap(), Trap::NullException);
    });
}

#[test]
fn growing_leaves_a_number_as_wide_as_the_index() {
    guest(|guest| {
        let mut grow = |builtin, operands: &[u64], what| {
            let mut args = [0; 2];
            args[..operands.len()].copy_from_slice(operands);
            assert_eq!(guest.call(builtin, &mut args, what, 0), DONE);
            args[0]
        };
        assert_eq!(grow(Builtin::MemoryGrow, &[1], 0), 1);
        assert_eq!(grow(Builtin::MemoryGrow, &[9], 0), u32::MAX.into());
        assert_eq!(grow(Builtin::MemoryGrow, &[1], 1), 1);
        assert_eq!(grow(Builtin::MemoryGrow, &[9], 1), u64::MAX);
        assert_eq!(grow(Builtin::TableGrow, &[0, 2], 0), 2);
        assert_eq!(grow(Builtin::TableGrow, &[0, 9], 0), u32::MAX.into());
    });
}

#[test]
fn bulk_operations_do_their_work_or_say_which_trap() {
    guest(|guest| {
        let mut args = [1, 4];
        let bytes = guest.call(Builtin::ArrayNewData, &mut args, BYTES, 0);
        assert_eq!(guest.0.store.object_get(bytes, 3), Some(b'e'.into()));
        assert_eq!(guest.call(Builtin::ArrayFill, &mut [bytes, 1, 9, 2], BYTES, 0), DONE);
        assert_eq!(
            guest.call(Builtin::ArrayCopy, &mut [bytes, 2, bytes, 0, 2], BYTES, BYTES),
            DONE
        );
        let found: Vec<u128> =
            (0..4).map(|at| guest.0.store.object_get(bytes, at).unwrap()).collect();
        assert_eq!(found, [b'b'.into(), 9, b'b'.into(), 9]);
        assert_eq!(guest.call(Builtin::ArrayInitData, &mut [bytes, 3, 0, 1], BYTES, 0), DONE);
        assert_eq!(guest.0.store.object_get(bytes, 3), Some(b'a'.into()));
        assert_eq!(guest.call(Builtin::ArrayFill, &mut [bytes, 3, 9, 2], BYTES, 0), 0);
        assert_eq!(guest.trap(), Trap::ArrayOutOfBounds);
        assert_eq!(guest.call(Builtin::ArrayFill, &mut [0, 3, 9, 2], BYTES, 0), 0);
        assert_eq!(guest.trap(), Trap::NullArray);
        assert_eq!(guest.call(Builtin::MemoryFill, &mut [65535, 1, 1], 0, 0), DONE);
        assert_eq!(guest.call(Builtin::MemoryFill, &mut [65535, 1, 2], 0, 0), 0);
        assert_eq!(guest.trap(), Trap::MemoryOutOfBounds);
        assert_eq!(guest.call(Builtin::DataDrop, &mut [], 0, 0), DONE);
        assert_eq!(guest.call(Builtin::MemoryInit, &mut [0, 0, 1], 0, 0), 0);
        let func = guest.call(Builtin::RefFunc, &mut [], 1, 0);
        assert_eq!(guest.call(Builtin::TableFill, &mut [0, func, 2], 0, 0), DONE);
        assert_eq!(guest.call(Builtin::TableFill, &mut [1, func, 2], 0, 0), 0);
        assert_eq!(guest.trap(), Trap::TableOutOfBounds);
        assert_eq!(guest.call(Builtin::Wait32, &mut [0, 0, 0], 0, 0), 0);
        assert_eq!(guest.trap(), Trap::ExpectedSharedMemory);
        let mut args = [0, 5];
        assert_eq!(guest.call(Builtin::Notify, &mut args, 0, 4), DONE);
        assert_eq!(args[0], 0);
    });
}
