//! Values: conversions, defaults, and what host references refer to.

use std::sync::Arc;

use dunlin_engine::{Engine, ExternRef, Func, HeapType, Ref, RefType, Store, Val, ValType};

#[test]
fn conversions_keep_values() {
    assert_eq!(Val::from(-1i32).i32(), Some(-1));
    assert_eq!(Val::from(u32::MAX), Val::I32(-1));
    assert_eq!(Val::from(u64::MAX).unwrap_i64(), -1);
    assert_eq!(Val::from(1.5f32), Val::F32(1.5f32.to_bits()));
    assert_eq!(Val::from(-0.0f64).unwrap_f64().to_bits(), (-0.0f64).to_bits());
    assert_eq!(Val::from(u128::MAX).v128(), Some(u128::MAX));
    assert_eq!(Val::I32(1).i64(), None);
    assert_eq!(Val::FuncRef(None).func_ref(), Some(None));
    assert_eq!(Val::ExternRef(None).as_ref(), Some(Ref::Extern(None)));
    assert_eq!(Val::F32(0).as_ref(), None);
    assert!(Ref::Func(None).is_null());
    assert_eq!(Val::from(Ref::Func(None)), Val::FuncRef(None));
}

#[test]
#[should_panic(expected = "expected I64, found I32(3)")]
fn unwrapping_another_type_panics() {
    Val::I32(3).unwrap_i64();
}

#[test]
fn defaults_are_zero_or_null() {
    let defaults = [
        (ValType::I32, Some(Val::I32(0))),
        (ValType::I64, Some(Val::I64(0))),
        (ValType::F32, Some(Val::F32(0))),
        (ValType::F64, Some(Val::F64(0))),
        (ValType::V128, Some(Val::V128(0))),
        (ValType::FUNCREF, Some(Val::FuncRef(None))),
        (ValType::EXTERNREF, Some(Val::ExternRef(None))),
        (ValType::Ref(RefType { nullable: false, heap: HeapType::Func }), None),
    ];
    for (ty, val) in defaults {
        assert_eq!(Val::default_for(ty), val);
    }
}

#[test]
fn types_are_as_precise_as_can_be() {
    let mut store = Store::new(&Engine::default(), ());
    let func = Func::wrap(&mut store, || ());
    let item = ExternRef::new(&mut store, ()).unwrap();
    assert_eq!(Val::I32(0).ty(&store).unwrap(), ValType::I32);
    assert_eq!(Val::FuncRef(None).ty(&store).unwrap().to_string(), "nullfuncref");
    assert_eq!(Val::ExternRef(None).ty(&store).unwrap().to_string(), "nullexternref");
    let ValType::Ref(ty) = Val::from(func).ty(&store).unwrap() else { panic!() };
    assert!(!ty.nullable && matches!(ty.heap, HeapType::Concrete(_)));
    let ValType::Ref(ty) = Val::from(item).ty(&store).unwrap() else { panic!() };
    assert_eq!(ty, RefType { nullable: false, heap: HeapType::Extern });
}

#[test]
fn references_refer_to_what_they_were_made_with() {
    let value = Arc::new(String::from("shared"));
    let mut store = Store::new(&Engine::default(), ());
    let item = ExternRef::new(&mut store, value.clone()).unwrap();
    let other = ExternRef::new(&mut store, 3u8).unwrap();
    assert_ne!(item, other);
    let found = item.data(&store).unwrap().unwrap().downcast_ref::<Arc<String>>().unwrap();
    assert!(Arc::ptr_eq(found, &value));
    assert!(item.data(&store).unwrap().unwrap().downcast_ref::<u8>().is_none());
    assert_eq!(other.data(&store).unwrap().unwrap().downcast_ref(), Some(&3u8));
    drop(store);
    assert_eq!(Arc::strong_count(&value), 1);
}
