//! Objects of the garbage-collected heap in the host's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin_engine::{
    AnyKind, AnyRef, ArrayRef, Config, Engine, ExternRef, FieldType, Func, HeapType, Instance,
    Limits, Module, ObjectType, RefType, StorageType, Store, StructRef, StructType, Trap, Val,
    ValType,
};

fn field(storage: StorageType, mutable: bool) -> FieldType {
    FieldType { storage, mutable }
}

fn any() -> ValType {
    ValType::Ref(RefType { nullable: true, heap: HeapType::Any })
}

/// Stores that never collect by themselves, at every allocation, and at every third.
fn stores() -> impl Iterator<Item = Store<()>> {
    [None, Some(1), Some(3)].into_iter().map(|zeal| {
        let mut config = Config::default();
        config.execution.gc_zeal = zeal;
        Store::new(&Engine::new(&config).unwrap(), ())
    })
}

fn instance(store: &mut Store<()>, text: &str) -> Instance {
    let module = Module::new(store.engine(), wat::parse_str(text).unwrap()).unwrap();
    Instance::new(store, &module, &[]).unwrap()
}

#[test]
fn structs_keep_their_fields_when_they_move() {
    for mut store in stores() {
        let fields = [
            field(StorageType::I8, true),
            field(StorageType::Val(ValType::I64), false),
            field(StorageType::Val(any()), true),
            field(StorageType::Val(ValType::FUNCREF), true),
            field(StorageType::Val(ValType::V128), true),
        ];
        let ty = StructType { fields: fields.into() };
        let ty = ObjectType::new_struct(store.engine(), &ty).unwrap();
        let func = Func::wrap(&mut store, || 7);
        let small = AnyRef::from_i31(&mut store, -5).unwrap();
        let all = [
            Val::I32(0x1ff),
            Val::I64(-3),
            small.clone().into(),
            func.into(),
            Val::V128(u128::MAX - 1),
        ];
        let made = StructRef::new(&mut store, &ty, &all).unwrap();
        for round in 0..3 {
            let get = |store: &mut Store<()>, at| made.field(store, at).unwrap();
            assert_eq!(get(&mut store, 0), Some(Val::I32(0xff)), "round {round}");
            assert_eq!(get(&mut store, 1), Some(Val::I64(-3)));
            assert_eq!(get(&mut store, 2), Some(small.clone().into()));
            assert_eq!(get(&mut store, 3), Some(func.into()));
            assert_eq!(get(&mut store, 4), Some(Val::V128(u128::MAX - 1)));
            assert_eq!(get(&mut store, 5), None);
            store.collect_garbage().unwrap();
        }
        assert_eq!(small.kind(&store).unwrap(), AnyKind::I31(-5));
        // To itself: a cycle, which lives as long as the reference.
        made.set_field(&mut store, 2, made.clone()).unwrap();
        store.collect_garbage().unwrap();
        assert_eq!(made.field(&mut store, 2).unwrap(), Some(made.clone().into()));
        let error = made.set_field(&mut store, 1, 4i64).unwrap_err().to_string();
        assert!(error.contains("immutable"), "{error}");
        let error = made.set_field(&mut store, 2, 4i64).unwrap_err().to_string();
        assert!(error.contains("expected anyref, found i64"), "{error}");
        assert!(made.set_field(&mut store, 9, 4i64).is_err());
        let live = store.gc_stats().live_bytes;
        drop(made);
        store.collect_garbage().unwrap();
        assert!(store.gc_stats().live_bytes < live);
    }
}

#[test]
fn arrays_of_references_are_followed() {
    for mut store in stores() {
        let ty = field(StorageType::Val(any()), true);
        let ty = ObjectType::new_array(store.engine(), ty).unwrap();
        let inner = ArrayRef::new(&mut store, &ty, &[]).unwrap();
        let elements = vec![Val::from(inner.clone()); 10_000];
        let outer = ArrayRef::new(&mut store, &ty, &elements).unwrap();
        drop((elements, inner));
        store.collect_garbage().unwrap();
        assert_eq!(outer.len(&store).unwrap(), 10_000);
        let first = outer.get(&mut store, 0).unwrap().unwrap();
        assert_eq!(outer.get(&mut store, 9_999).unwrap(), Some(first.clone()));
        assert_eq!(outer.get(&mut store, 10_000).unwrap(), None);
        let AnyKind::Array(inner) = first.unwrap_any_ref().unwrap().kind(&store).unwrap() else {
            panic!("an array")
        };
        assert!(inner.is_empty(&store).unwrap());
        outer.set(&mut store, 5, Val::AnyRef(None)).unwrap();
        assert_eq!(outer.get(&mut store, 5).unwrap(), Some(Val::AnyRef(None)));
    }
}

#[test]
fn guests_and_hosts_pass_objects_to_each_other() {
    for mut store in stores() {
        let text = r#"(module
          (type $node (sub (struct (field $value i32) (field $next (mut (ref null $node))))))
          (func (export "cons") (param i32 (ref null $node)) (result (ref $node))
            (struct.new $node (local.get 0) (local.get 1)))
          (func (export "total") (param $n structref) (result i32) (local $sum i32)
            (local $at (ref null $node))
            (local.set $at (ref.cast (ref null $node) (local.get $n)))
            (block $end
              (loop $again
                (br_if $end (ref.is_null (local.get $at)))
                (local.set $sum (i32.add (local.get $sum)
                  (struct.get $node $value (local.get $at))))
                (local.set $at (struct.get $node $next (local.get $at)))
                (br $again)))
            (local.get $sum)))"#;
        let instance = instance(&mut store, text);
        let cons = instance.get_func(&mut store, "cons").unwrap();
        let mut list = Val::AnyRef(None);
        for value in 1..=100 {
            let mut made = [Val::I32(0)];
            cons.call(&mut store, &[Val::I32(value), list], &mut made).unwrap();
            let [made] = made;
            list = made;
        }
        let AnyKind::Struct(list) = list.unwrap_any_ref().unwrap().kind(&store).unwrap() else {
            panic!("a struct")
        };
        let total = instance.get_typed_func::<Option<StructRef>, i32>(&mut store, "total").unwrap();
        assert_eq!(total.call(&mut store, Some(list.clone())).unwrap(), 5050);
        assert_eq!(total.call(&mut store, None).unwrap(), 0);
        store.collect_garbage().unwrap();
        assert_eq!(total.call(&mut store, Some(list.clone())).unwrap(), 5050);
        assert_eq!(list.field(&mut store, 0).unwrap(), Some(Val::I32(100)));
    }
}

/// Counts how often values of it are dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn values_of_the_host_are_dropped_once_when_nobody_refers_to_them() {
    for mut store in stores() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let text = r#"(module
          (table (export "t") 1 externref)
          (global $hidden (mut anyref) (ref.null any))
          (type $box (struct (field anyref)))
          (func (export "hide") (param externref)
            (global.set $hidden (struct.new $box (any.convert_extern (local.get 0)))))
          (func (export "show") (result externref)
            (extern.convert_any (struct.get $box 0 (ref.cast (ref $box) (global.get $hidden))))))"#;
        let instance = instance(&mut store, text);
        let hide = instance.get_typed_func::<ExternRef, ()>(&mut store, "hide").unwrap();
        let show = instance.get_typed_func::<(), Option<ExternRef>>(&mut store, "show").unwrap();
        let table = instance.get_table(&mut store, "t").unwrap();
        let counted =
            |store: &mut Store<()>| ExternRef::new(store, Counted(dropped.clone())).unwrap();
        let (held, hidden, in_table) =
            (counted(&mut store), counted(&mut store), counted(&mut store));
        hide.call(&mut store, hidden).unwrap();
        table.set(&mut store, 0, in_table).unwrap();
        for _ in 0..1000 {
            counted(&mut store);
        }
        store.collect_garbage().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1000);
        let shown = show.call(&mut store, ()).unwrap().unwrap();
        assert!(shown.data(&store).unwrap().unwrap().downcast_ref::<Counted>().is_some());
        drop((held, shown));
        table.set(&mut store, 0, Val::ExternRef(None)).unwrap();
        store.collect_garbage().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1002);
        drop(store);
        assert_eq!(dropped.load(Ordering::Relaxed), 1003);
    }
}

#[test]
fn a_host_function_may_collect_while_guests_hold_references() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module
      (import "host" "collect" (func $collect (param anyref) (result anyref)))
      (type $node (struct (field i32) (field (ref null $node))))
      (func $deep (export "deep") (param $n i32) (param $above (ref null $node)) (result i32)
        (local $mine (ref $node))
        (local.set $mine (struct.new $node (local.get $n) (local.get $above)))
        (if (i32.eqz (local.get $n))
          (then (return (struct.get $node 0
            (ref.cast (ref $node) (call $collect (local.get $mine)))))))
        (i32.add
          (struct.get $node 0 (local.get $mine))
          (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $mine)))))"#;
    let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let collect = Func::wrap(
        &mut store,
        |mut caller: dunlin_engine::Caller<'_, ()>, value: Option<AnyRef>| {
            caller.collect_garbage()?;
            dunlin_engine::Result::Ok(value)
        },
    );
    let instance = Instance::new(&mut store, &module, &[collect.into()]).unwrap();
    let deep = instance.get_func(&mut store, "deep").unwrap();
    for _ in 0..3 {
        let mut found = [Val::I32(0)];
        deep.call(&mut store, &[Val::I32(1000), Val::AnyRef(None)], &mut found).unwrap();
        assert_eq!(found, [Val::I32(500_500)]);
    }
}

#[test]
fn a_full_heap_is_a_trap_that_says_so() {
    let engine = Engine::default();
    let limits = Limits { heap_bytes: 8 << 20, ..Limits::default() };
    let mut store = Store::with_limits(&engine, (), limits).unwrap();
    let text = r#"(module
      (type $node (struct (field (ref null $node))))
      (type $bytes (array i8))
      (func (export "list") (local $l (ref null $node))
        (loop $again
          (local.set $l (struct.new $node (local.get $l)))
          (br $again)))
      (func (export "big") (param i32) (result (ref $bytes))
        (array.new_default $bytes (local.get 0))))"#;
    let instance = instance(&mut store, text);
    for _ in 0..2 {
        let list = instance.get_func(&mut store, "list").unwrap();
        let error = list.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.trap(), Some(dunlin_engine::Trap::HeapExhausted));
        assert!(error.to_string().contains("of garbage-collected heap"), "{error}");
        let big = instance.get_func(&mut store, "big").unwrap();
        for bytes in [-1, i32::MAX, 1 << 30, 9 << 20] {
            let error = big.call(&mut store, &[Val::I32(bytes)], &mut [Val::I32(0)]).unwrap_err();
            assert_eq!(error.trap(), Some(dunlin_engine::Trap::HeapExhausted), "{bytes}");
        }
        big.call(&mut store, &[Val::I32(1 << 20)], &mut [Val::I32(0)]).unwrap();
    }
}

/// An instance whose function `stop` asks for interruption of the store it runs in.
fn interruptible(text: &str) -> (Store<()>, Instance) {
    let mut config = Config::default();
    config.execution.interruptible = true;
    let engine = Engine::new(&config).unwrap();
    let mut store = Store::new(&engine, ());
    let handle = store.interrupt_handle().unwrap();
    let stop = Func::wrap(&mut store, move || handle.interrupt());
    let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let instance = Instance::new(&mut store, &module, &[stop.into()]).unwrap();
    (store, instance)
}

#[test]
fn what_an_interrupted_instruction_did_is_followed() {
    // A large array is old, and young references get into it by instructions that are interrupted
    // after their first million bytes.
    let text = r#"(module
      (import "" "stop" (func $stop))
      (type $box (struct (field i32)))
      (type $boxes (array (mut (ref null $box))))
      (elem $some (ref null $box) ITEMS)
      (global $old (ref $boxes) (array.new_default $boxes (i32.const 600000)))
      (global $young (mut (ref null $boxes)) (ref.null $boxes))
      (func (export "prepare")
        (global.set $young (array.new_default $boxes (i32.const 600000)))
        (array.set $boxes (global.get $young) (i32.const 0) (struct.new $box (i32.const 77))))
      (func (export "copy")
        (call $stop)
        (array.copy $boxes $boxes (global.get $old) (i32.const 0)
          (global.get $young) (i32.const 0) (i32.const 600000)))
      (func (export "fill") (local $b (ref $box))
        (local.set $b (struct.new $box (i32.const 77)))
        (call $stop)
        (array.fill $boxes (global.get $old) (i32.const 0) (local.get $b) (i32.const 600000)))
      (func (export "lose") (array.set $boxes (global.get $young) (i32.const 0) (ref.null $box)))
      (func (export "first") (param $garbage i32) (result i32)
        (loop $l
          (drop (struct.new $box (i32.const -1)))
          (br_if $l (local.tee $garbage (i32.sub (local.get $garbage) (i32.const 1)))))
        (struct.get $box 0 (array.get $boxes (global.get $old) (i32.const 0)))))"#;
    for name in ["copy", "fill"] {
        let text = text.replace("ITEMS", "(ref.null $box)");
        let (mut store, instance) = interruptible(&text);
        let call = |store: &mut Store<()>, name| {
            instance.get_typed_func::<(), ()>(&mut *store, name).unwrap().call(store, ())
        };
        call(&mut store, "prepare").unwrap();
        let error = call(&mut store, name).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupted), "{name}");
        call(&mut store, "lose").unwrap();
        let first = instance.get_typed_func::<i32, i32>(&mut store, "first").unwrap();
        assert_eq!(first.call(&mut store, 400_000).unwrap(), 77, "{name}");
    }
}

#[test]
fn making_objects_looks_for_interruption() {
    // Without loops or calls, each of these may take a collection.
    let makers = [
        "(array.new_default $bytes (i32.const 2000000))",
        "(array.new $bytes (i32.const 1) (i32.const 40000))",
        "(array.new_data $bytes $d (i32.const 0) (i32.const 2))",
        "(array.new_fixed $bytes 2 (i32.const 1) (i32.const 2))",
    ];
    for maker in makers {
        let text = format!(
            r#"(module (import "" "stop" (func $stop))
              (type $bytes (array (mut i8))) (data $d "ab")
              (func (export "run") (call $stop) (drop {maker})))"#
        );
        let (mut store, instance) = interruptible(&text);
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Interrupted), "{maker}");
        // The next call is not meant.
        assert!(run.call(&mut store, ()).is_err());
    }
}
