//! Canonical types: what is equal, what is a subtype, and that nothing is left behind.

mod text;

use dunlin_module::{
    CompositeType, ErrorKind, Features, FuncType, HeapType, Module, RefType, TypeId, TypeRegistry,
    ValType, limits,
};
use text::binary;

fn decode(text: &str, registry: &TypeRegistry) -> Module {
    Module::decode(binary(text), &Features::default(), registry).unwrap()
}

fn reference(nullable: bool, heap: HeapType) -> RefType {
    RefType { nullable, heap }
}

#[test]
fn equal_function_types_share_an_id_across_modules() {
    let registry = TypeRegistry::new();
    let a = decode("(module (type (func (param i32))) (type (func (result f64))))", &registry);
    let b = decode("(module (type (func (result f64))) (type (func (param i32))))", &registry);
    assert_eq!([a.types[0], a.types[1]], [b.types[1], b.types[0]]);
    assert_ne!(a.types[0], a.types[1]);
    assert_eq!(registry.len(), 2);
    let (host, _hold) = registry.intern_func(&FuncType::new([ValType::I32], [])).unwrap();
    assert_eq!(host, a.types[0]);
    assert_eq!(registry.func_type(host).as_ref(), a.composite_types[0].as_func());
}

#[test]
fn rec_groups_are_equal_by_structure_not_by_position() {
    let registry = TypeRegistry::new();
    let list = "(rec (type $node (struct (field (ref null $node)) (field (ref $leaf))))
                     (type $leaf (array (mut i8))))";
    let a = decode(&format!("(module {list})"), &registry);
    let again = list.replace("$node", "$node2").replace("$leaf", "$leaf2");
    let b = decode(&format!("(module (type (func)) {list} {again})"), &registry);
    assert_eq!(b.types[1..3], a.types[..]);
    assert_eq!(b.types[3..5], a.types[..]);
    // The same types in another order, and one of them alone, are other types.
    let c = decode(
        "(module (rec (type $leaf (array (mut i8)))
                      (type $node (struct (field (ref null $node)) (field (ref $leaf)))))
                 (type $alone (array (mut i8))))",
        &registry,
    );
    assert!(c.types.iter().all(|id| !a.types.contains(id)));
    assert_ne!(c.types[0], c.types[2]);
    let Some(CompositeType::Struct(node)) = registry.composite_type(a.types[0]) else { panic!() };
    let Some(leaf) = node.fields.get(1) else { panic!() };
    let expected = ValType::Ref(reference(false, HeapType::Concrete(a.types[1])));
    assert_eq!(leaf.storage, dunlin_module::StorageType::Val(expected));
}

#[test]
fn references_out_of_a_group_count_by_what_they_refer_to() {
    let registry = TypeRegistry::new();
    let a = decode(
        "(module (type $f (func)) (type (func)) (type (struct (field (ref $f)))))",
        &registry,
    );
    let b = decode(
        "(module (type (func (param i32))) (type (func)) (type $g (func))
                 (type (struct (field (ref $g)))))",
        &registry,
    );
    assert_eq!(a.types[2], b.types[3]);
}

#[test]
fn finality_supertypes_and_mutability_tell_types_apart() {
    let registry = TypeRegistry::new();
    let module = decode(
        "(module (type (func)) (type $open (sub (func))) (type (sub $open (func)))
                 (type (sub final $open (func))) (type (struct (field i32)))
                 (type (struct (field (mut i32)))) (type (struct (field i8)))
                 (type (struct (field i16))) (type (array i32)) (type (array (mut i32)))
                 (type (func (param i32 i32))) (type (func (param i32) (result i32)))
                 (type (struct (field anyref))) (type (struct (field (ref any)))))",
        &registry,
    );
    let mut ids = module.types.to_vec();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), module.types.len());
    assert!(registry.is_final(module.types[0]) && !registry.is_final(module.types[1]));
}

#[test]
fn subtypes() {
    let registry = TypeRegistry::new();
    let mut text = String::from("(module (type $t0 (sub (struct)))");
    for depth in 1..=63 {
        text += &format!("(type $t{depth} (sub $t{} (struct)))", depth - 1);
    }
    text += "(type $other (sub (struct (field i64)))) (type $f (func)) (type $a (array i8)))";
    let module = decode(&text, &registry);
    let chain = &module.types[..64];
    for (i, a) in chain.iter().enumerate() {
        assert_eq!(registry.supertypes(*a).as_deref().unwrap_or_default(), &chain[..i]);
        for (j, b) in chain.iter().enumerate() {
            assert_eq!(registry.is_subtype(*a, *b), i >= j);
        }
        assert!(!registry.is_subtype(*a, module.types[64]));
    }
    let [structure, function, array] =
        [chain[5], module.types[65], module.types[66]].map(HeapType::Concrete);
    use HeapType::*;
    let holds = [
        (structure, Struct),
        (structure, Eq),
        (structure, Any),
        (None, structure),
        (array, Array),
        (None, array),
        (function, Func),
        (NoFunc, function),
        (NoFunc, Func),
        (NoExtern, Extern),
        (NoExn, Exn),
        (NoCont, Cont),
        (None, I31),
        (I31, Eq),
        (Eq, Any),
        (array, Any),
    ];
    for (a, b) in holds {
        assert!(registry.heap_subtype(a, b), "{a:?} {b:?}");
        assert!(!registry.heap_subtype(b, a), "{b:?} {a:?}");
    }
    for (a, b) in [(structure, Array), (structure, Func), (function, Any), (function, NoFunc)] {
        assert!(!registry.heap_subtype(a, b), "{a:?} {b:?}");
    }
    assert!(registry.ref_subtype(reference(false, Func), RefType::FUNC));
    assert!(!registry.ref_subtype(RefType::FUNC, reference(false, Func)));
    assert!(registry.val_subtype(ValType::I32, ValType::I32));
    assert!(!registry.val_subtype(ValType::I32, ValType::I64));
}

#[test]
fn types_die_with_their_last_module() {
    let registry = TypeRegistry::new();
    let a = decode("(module (type $f (func)) (type $s (struct (field (ref $f)))))", &registry);
    let b = decode("(module (type (func)))", &registry);
    assert_eq!(registry.len(), 2);
    drop(a);
    assert_eq!(registry.len(), 1);
    assert!(registry.func_type(b.types[0]).is_some());
    let hold = b.types_held.clone();
    let id = b.types[0];
    drop(b);
    assert!(registry.func_type(id).is_some());
    drop(hold);
    assert!(registry.is_empty());
    assert_eq!(registry.func_type(id), None);
}

#[test]
fn a_group_keeps_what_it_refers_to_alive() {
    let registry = TypeRegistry::new();
    let inner = decode("(module (type (func (param i64))))", &registry);
    let heap = HeapType::Concrete(inner.types[0]);
    let outer = FuncType::new([ValType::Ref(reference(true, heap))], []);
    let (id, hold) = registry.intern_func(&outer).unwrap();
    drop(inner);
    assert_eq!(registry.len(), 2);
    assert_eq!(registry.func_type(id).as_deref(), Some(&outer));
    drop(hold);
    assert!(registry.is_empty());
}

#[test]
fn a_thousand_modules_leave_nothing_behind() {
    let registry = TypeRegistry::new();
    let (_, _host) = registry.intern_func(&FuncType::new([], [])).unwrap();
    let mut highest = 0;
    let mut kept = std::collections::VecDeque::new();
    for round in 0..1000 {
        let mut text = String::from("(module");
        for i in 0..20 {
            let params = "i32 ".repeat((round * 20 + i) % 331);
            text += &format!("(rec (type (struct (field i{}))) ", if i % 2 == 0 { 32 } else { 64 });
            text += &format!("(type (func (param {params} f64))))");
        }
        kept.push_back(decode(&(text + ")"), &registry));
        if kept.len() > 3 {
            kept.pop_front();
        }
        highest = kept.iter().flat_map(|m| m.types.iter()).map(|id| id.place()).max().unwrap();
    }
    assert!(highest < 300, "ids are used again, highest {highest}");
    kept.clear();
    assert_eq!(registry.len(), 1);
}

#[test]
fn long_chains_of_references_are_dropped_without_recursion() {
    let registry = TypeRegistry::new();
    let mut text = String::from("(module (type (func))");
    for i in 0..50_000 {
        text += &format!("(type (func (param (ref {i}))))");
    }
    let bytes = binary(&(text + ")"));
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let types = registry.clone();
    let run = move || drop(Module::decode(bytes, &Features::default(), &types).unwrap());
    thread.spawn(run).unwrap().join().unwrap();
    assert!(registry.is_empty());
}

#[test]
fn what_fails_to_decode_leaves_nothing_behind() {
    let registry = TypeRegistry::new();
    let bytes = binary("(module (type (func)) (type (func (param i32))) (func i32.add drop))");
    Module::decode(bytes, &Features::default(), &registry).unwrap_err();
    assert!(registry.is_empty());
}

#[test]
fn a_full_registry_refuses_more() {
    let registry = TypeRegistry::new();
    let mut modules = Vec::new();
    let mut refused = Vec::new();
    for params in 0..5 {
        // One recursion group of a quarter of all types, its first one different in each module.
        let count = limits::LIVE_TYPES as u32 / 4;
        let mut types = vec![1, 0x4e];
        leb(&mut types, count);
        types.extend([0x60, params]);
        types.extend(std::iter::repeat_n(0x7f, params.into()));
        types.push(0);
        types.extend([0x60, 0, 0].repeat(count as usize - 1));
        let mut bytes = b"\0asm\x01\0\0\0\x01".to_vec();
        leb(&mut bytes, types.len() as u32);
        bytes.extend(types);
        match Module::decode(bytes, &Features::default(), &registry) {
            Ok(module) => modules.push(module),
            Err(error) => refused.push(error),
        }
    }
    assert_eq!(registry.len(), limits::LIVE_TYPES);
    assert_eq!(modules.len(), 4);
    assert_eq!(refused[0].kind(), ErrorKind::LimitExceeded, "{}", refused[0]);
    let host = FuncType::new(vec![ValType::V128; 3], []);
    assert_eq!(registry.intern_func(&host).unwrap_err().kind(), ErrorKind::LimitExceeded);
    modules.pop();
    registry.intern_func(&host).unwrap();
    modules.clear();
    assert!(registry.is_empty());
}

fn leb(bytes: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

#[test]
fn host_signatures_are_checked() {
    let registry = TypeRegistry::new();
    let unknown = ValType::Ref(reference(true, HeapType::Concrete(TypeId(7))));
    let error = registry.intern_func(&FuncType::new([unknown], [])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let long = FuncType::new(vec![ValType::I32; 1001], []);
    assert_eq!(registry.intern_func(&long).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(registry.is_empty());
}

#[test]
fn threads_may_share_a_registry() {
    let registry = TypeRegistry::new();
    let bytes = binary(
        "(module (type $f (func (param i32))) (rec (type $a (struct (field (ref $b))))
                 (type $b (struct (field (ref $f) (ref null $a))))))",
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let features = Features::default();
                    let module = Module::decode(bytes.clone(), &features, &registry).unwrap();
                    let a = HeapType::Concrete(module.types[1]);
                    assert!(registry.heap_subtype(a, HeapType::Struct));
                    assert!(registry.func_type(module.types[0]).is_some());
                }
            });
        }
    });
    assert!(registry.is_empty());
}
