//! The model of the canonical ABI against cases computed by hand from its definition.

use std::cell::RefCell;
use std::rc::Rc;

use dunlin_script::wat_to_wasm;
use dunlin_testing::canonical::flat::Flats;
use dunlin_testing::canonical::guest;
use dunlin_testing::canonical::instance::{Handle, Instance, Memory, Realloc, Request, Trap};
use dunlin_testing::canonical::load::Lift;
use dunlin_testing::canonical::types::{Core, MAX_FLAT_PARAMS, flatten_all};
use dunlin_testing::canonical::{
    Encoding, FuncType, Options, Pointer, Text, Type, Value, component_text,
};

fn boxed(ty: Type) -> Box<Type> {
    Box::new(ty)
}

fn record(types: &[Type]) -> Type {
    Type::Tuple(types.to_vec())
}

fn variant(cases: &[Option<Type>]) -> Type {
    let label = |(number, case): (usize, &Option<Type>)| (format!("c{number}"), case.clone());
    Type::Variant(cases.iter().enumerate().map(label).collect())
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("l{number}")).collect()
}

#[test]
fn sizes_and_alignments() {
    let wide = Pointer::I64;
    let cases = [
        (Type::Bool, 1, 1),
        (Type::Char, 4, 4),
        (Type::F64, 8, 8),
        (Type::String, 8, 4),
        (Type::List(boxed(Type::U64)), 8, 4),
        (Type::Map(boxed(Type::U8), boxed(Type::U64)), 8, 4),
        (Type::FixedList(boxed(Type::U16), 3), 6, 2),
        (record(&[Type::U8, Type::U32, Type::U8]), 12, 4),
        (record(&[Type::U8, Type::U16, Type::U8]), 6, 2),
        (Type::Option(boxed(Type::U8)), 2, 1),
        (Type::Option(boxed(Type::U64)), 16, 8),
        (Type::Result(None, None), 1, 1),
        (Type::Result(Some(boxed(Type::U8)), Some(boxed(Type::U32))), 8, 4),
        (variant(&[Some(Type::F32), None, Some(Type::U16)]), 8, 4),
        (Type::Enum(labels(256)), 1, 1),
        (Type::Enum(labels(257)), 2, 2),
        (Type::Enum(labels(65_536)), 2, 2),
        (Type::Enum(labels(65_537)), 4, 4),
        (Type::Flags(labels(8)), 1, 1),
        (Type::Flags(labels(9)), 2, 2),
        (Type::Flags(labels(16)), 2, 2),
        (Type::Flags(labels(17)), 4, 4),
        (Type::Own(0), 4, 4),
    ];
    for (ty, size, alignment) in &cases {
        let found = (ty.elem_size(Pointer::I32), ty.alignment(Pointer::I32));
        assert_eq!(found, (*size, *alignment), "{ty:?}");
    }
    assert_eq!((Type::String.elem_size(wide), Type::String.alignment(wide)), (16, 8));
}

#[test]
fn flat_types() {
    use Core::{F32, F64, I32, I64};
    let cases: [(Type, &[Core]); 9] = [
        (Type::S64, &[I64]),
        (Type::String, &[I32, I32]),
        (Type::FixedList(boxed(Type::F32), 3), &[F32, F32, F32]),
        (record(&[Type::F64, Type::Char]), &[F64, I32]),
        (variant(&[Some(Type::F32), Some(Type::U32)]), &[I32, I32]),
        (variant(&[Some(Type::F32), Some(Type::U64)]), &[I32, I64]),
        (variant(&[Some(Type::F64), Some(Type::F32)]), &[I32, I64]),
        (
            variant(&[Some(Type::F32), None, Some(record(&[Type::F32, Type::F64]))]),
            &[I32, F32, F64],
        ),
        (Type::Option(boxed(Type::Option(boxed(Type::U8)))), &[I32, I32, I32]),
    ];
    for (ty, flat) in &cases {
        assert_eq!(ty.flatten(Pointer::I32), *flat, "{ty:?}");
    }
    let ty = FuncType { params: vec![Type::U64; 17], result: Some(Type::String) };
    assert_eq!(ty.lifted(Pointer::I32), (vec![I32], vec![I32]));
    assert_eq!(ty.lowered(Pointer::I32), (vec![I32, I32], vec![]));
    let ty = FuncType { params: vec![Type::U64; 16], result: Some(Type::F32) };
    assert_eq!(ty.lifted(Pointer::I32), (vec![I64; 16], vec![F32]));
    assert_eq!(flatten_all(&[Type::String, Type::Bool], Pointer::I64), [I64, I64, I32]);
}

/// The old place and size, the alignment and the new size.
type Call = (u64, u64, u64, u64);

/// Gives out memory from 16 on without ever giving any again, and remembers what it was asked.
#[derive(Default)]
struct Recorder(RefCell<Vec<Call>>);

impl Realloc for Recorder {
    fn realloc(&self, memory: &mut Memory, request: Request) -> Result<u64, Trap> {
        let Request { old, old_size, alignment, new_size } = request;
        let mut calls = self.0.borrow_mut();
        let at = 16 * (1 + calls.len() as u64);
        calls.push((old, old_size, alignment, new_size));
        let kept = memory.read(old, old_size.min(new_size)).to_vec();
        memory.write(at, &kept);
        Ok(at)
    }
}

/// Lowers a string and gives its pointer, its length, its bytes and the calls of `realloc`.
fn stored(text: &Text, to: Encoding) -> (Vec<u64>, Vec<u8>, Vec<Call>) {
    let recorder = Rc::new(Recorder::default());
    let mut instance = Instance::new(vec![0; 128], to, Rc::<Recorder>::clone(&recorder));
    let value = [Value::String(text.clone())];
    let flats = instance.lower_values(16, &value, &[Type::String], None).expect("it fits");
    let units = flats[1] & 0x7fff_ffff;
    let wide = to == Encoding::Utf16 || flats[1] != units;
    let bytes = instance.memory.read(flats[0], units * if wide { 2 } else { 1 }).to_vec();
    drop(instance);
    let calls = recorder.0.borrow().clone();
    (flats, bytes, calls)
}

#[test]
fn strings_of_the_host() {
    let tag = 0x8000_0000;
    let e = Text::from("é");
    let (flats, bytes, calls) = stored(&e, Encoding::Utf8);
    assert_eq!(
        (flats, &bytes[..], &calls[..]),
        (vec![16, 2], &[0xc3, 0xa9][..], &[(0, 0, 1, 2)][..])
    );
    // Twice the bytes are asked for, and half of them given back.
    let (flats, bytes, calls) = stored(&e, Encoding::Utf16);
    assert_eq!((flats, &bytes[..]), (vec![32, 1], &[0xe9, 0][..]));
    assert_eq!(calls, [(0, 0, 2, 4), (16, 4, 2, 2)]);
    let (flats, bytes, calls) = stored(&e, Encoding::Latin1OrUtf16);
    assert_eq!((flats, &bytes[..]), (vec![32, 1], &[0xe9][..]));
    assert_eq!(calls, [(0, 0, 2, 2), (16, 2, 2, 1)]);
    // What was written as Latin-1 is spread once a character does not fit.
    let (flats, bytes, calls) = stored(&Text::from("aéΩ"), Encoding::Latin1OrUtf16);
    assert_eq!((flats, &bytes[..]), (vec![48, 3 | tag], &[0x61, 0, 0xe9, 0, 0xa9, 0x03][..]));
    assert_eq!(calls, [(0, 0, 2, 5), (16, 5, 2, 10), (32, 10, 2, 6)]);
    // All ASCII: nothing to give back.
    let (flats, _, calls) = stored(&Text::from("ab"), Encoding::Utf16);
    assert_eq!((flats, &calls[..]), (vec![16, 2], &[(0, 0, 2, 4)][..]));
}

#[test]
fn strings_from_one_memory_to_another() {
    let read = |bytes: &[u8], encoding, units| {
        let mut memory = vec![0; 64];
        memory[..bytes.len()].copy_from_slice(bytes);
        let mut from = Instance::new(memory, encoding, Rc::new(Recorder::default()));
        let mut lift = Lift { from: &mut from, lenders: Vec::new() };
        let lifted = lift.values(16, &mut Flats::new(&[0, units]), &[Type::String]);
        match lifted.expect("it is a string").remove(0) {
            Value::String(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let tag = 0x8000_0000;
    let wide = read(&[0x61, 0, 0xe9, 0], Encoding::Utf16, 2);
    assert_eq!(wide.characters, "aé");
    // The first character is ASCII, the second makes room for three bytes each.
    let (flats, bytes, calls) = stored(&wide, Encoding::Utf8);
    assert_eq!((flats, &bytes[..]), (vec![48, 3], &[0x61, 0xc3, 0xa9][..]));
    assert_eq!(calls, [(0, 0, 1, 2), (16, 2, 1, 6), (32, 6, 1, 3)]);
    let latin = read(&[0x61, 0xe9], Encoding::Latin1OrUtf16, 2);
    let (flats, _, calls) = stored(&latin, Encoding::Utf8);
    assert_eq!(
        (flats, &calls[..]),
        (vec![48, 3], &[(0, 0, 1, 2), (16, 2, 1, 4), (32, 4, 1, 3)][..])
    );
    let (flats, bytes, calls) = stored(&latin, Encoding::Utf16);
    assert_eq!((flats, &bytes[..]), (vec![16, 2], &[0x61, 0, 0xe9, 0][..]));
    assert_eq!(calls, [(0, 0, 2, 4)]);
    let (flats, _, calls) = stored(&latin, Encoding::Latin1OrUtf16);
    assert_eq!((flats, &calls[..]), (vec![16, 2], &[(0, 0, 2, 2)][..]));
    // It was tagged as wide without need: it is narrowed on the way.
    let tagged = read(&[0x61, 0, 0xe9, 0], Encoding::Latin1OrUtf16, 2 | tag);
    let (flats, bytes, calls) = stored(&tagged, Encoding::Latin1OrUtf16);
    assert_eq!((flats, &bytes[..]), (vec![32, 2], &[0x61, 0xe9][..]));
    assert_eq!(calls, [(0, 0, 2, 4), (16, 4, 1, 2)]);
}

/// Lifts one value from flat ones, out of a memory that begins with `bytes`.
fn lifted(bytes: &[u8], flats: &[u64], ty: &Type, encoding: Encoding) -> Result<Value, Trap> {
    let mut memory = vec![0; 256];
    memory[..bytes.len()].copy_from_slice(bytes);
    let mut from = Instance::new(memory, encoding, Rc::new(Recorder::default()));
    let mut lift = Lift { from: &mut from, lenders: Vec::new() };
    let types = std::slice::from_ref(ty);
    Ok(lift.values(MAX_FLAT_PARAMS, &mut Flats::new(flats), types)?.remove(0))
}

#[test]
fn scalars_lose_the_bits_they_have_no_use_for() {
    let cases = [
        (Type::Bool, 2, Value::Bool(true)),
        (Type::U8, 0x1ff, Value::Integer(255)),
        (Type::S8, 0x80, Value::Integer(-128)),
        (Type::S16, 0x1_8000, Value::Integer(-0x8000)),
        (Type::S64, u64::MAX, Value::Integer(-1)),
        (Type::Flags(labels(3)), 0xfff9, Value::Flags(1)),
        (Type::F32, 0xffc0_0001, Value::F32(0x7fc0_0000)),
        (Type::F64, 0x7ff0_0000_0000_0001, Value::F64(0x7ff8_0000_0000_0000)),
    ];
    for (ty, bits, value) in cases {
        assert_eq!(lifted(&[], &[bits], &ty, Encoding::Utf8), Ok(value), "{ty:?}");
    }
    // A float in the upper end of what is wide enough for its neighbour as well.
    let joined = variant(&[Some(Type::F32), Some(Type::U64)]);
    let value = Value::Variant(0, Some(Box::new(Value::F32(0x3f80_0000))));
    assert_eq!(lifted(&[], &[0, 0xdead_beef_3f80_0000], &joined, Encoding::Utf8), Ok(value));
}

#[test]
fn what_traps() {
    let text = Type::String;
    let list = |ty| Type::List(boxed(ty));
    let tag = 0x8000_0000;
    let utf8 = Encoding::Utf8;
    type Case<'a> = (&'a [u8], &'a [u64], Type, Encoding, Trap);
    let cases: [Case<'_>; 16] = [
        (&[], &[0xd800], Type::Char, utf8, Trap::NotACharacter),
        (&[], &[0x11_0000], Type::Char, utf8, Trap::NotACharacter),
        (&[], &[2, 0], Type::Option(boxed(Type::U8)), utf8, Trap::NoSuchCase),
        (&[], &[3], Type::Enum(labels(3)), utf8, Trap::NoSuchCase),
        (&[], &[256, 1], text.clone(), utf8, Trap::OutOfBounds),
        (&[], &[257, 0], text.clone(), utf8, Trap::OutOfBounds),
        (&[], &[0xffff_ffff, 1], text.clone(), utf8, Trap::OutOfBounds),
        (&[], &[0, 1 << 28], text.clone(), utf8, Trap::TooLong),
        (&[0xff], &[0, 1], text.clone(), utf8, Trap::NotUnicode),
        (&[0, 0xd8], &[0, 1], text.clone(), Encoding::Utf16, Trap::NotUnicode),
        (&[], &[1, 0], text.clone(), Encoding::Utf16, Trap::Misaligned),
        (&[], &[1, 1], text.clone(), Encoding::Latin1OrUtf16, Trap::Misaligned),
        (&[], &[0, tag | 129], text, Encoding::Latin1OrUtf16, Trap::OutOfBounds),
        (&[], &[2, 1], list(Type::U32), utf8, Trap::Misaligned),
        (&[], &[0, 65], list(Type::U32), utf8, Trap::OutOfBounds),
        (&[], &[0, 0x8000_0000], list(Type::U64), utf8, Trap::TooLong),
    ];
    for (bytes, flats, ty, encoding, trap) in cases {
        assert_eq!(lifted(bytes, flats, &ty, encoding), Err(trap), "{ty:?} {flats:x?}");
    }
    let end: &[u64] = &[256, 0];
    assert!(
        lifted(&[], end, &Type::String, utf8).is_ok(),
        "an empty string at the very end is inside"
    );
}

#[test]
fn a_bad_realloc_is_found_before_anything_is_written() {
    struct Gives(u64);
    impl Realloc for Gives {
        fn realloc(&self, _: &mut Memory, _: Request) -> Result<u64, Trap> {
            Ok(self.0)
        }
    }
    let lowered = |at, ty: Type, value: Value| {
        let mut to = Instance::new(vec![7; 64], Encoding::Utf16, Rc::new(Gives(at)));
        let result = to.lower_values(16, &[value], &[ty], None);
        (result.err(), to.memory.bytes == [7; 64])
    };
    let list = Type::List(boxed(Type::U32));
    let words = Value::List(vec![Value::Integer(1), Value::Integer(2)]);
    let text = Value::String(Text::from("abc"));
    for (at, trap) in
        [(2, Trap::Misaligned), (60, Trap::OutOfBounds), (u64::MAX - 3, Trap::OutOfBounds)]
    {
        assert_eq!(lowered(at, list.clone(), words.clone()), (Some(trap), true));
    }
    for (at, trap) in [(1, Trap::Misaligned), (60, Trap::OutOfBounds)] {
        assert_eq!(lowered(at, Type::String, text.clone()), (Some(trap), true));
    }
    // 0 is as good as any other.
    assert_eq!(lowered(0, list, words), (None, false));
}

#[test]
fn parameters_that_are_too_many_go_through_memory() {
    let types = vec![Type::U8; 17];
    let values: Vec<Value> = (1..=17).map(Value::Integer).collect();
    let mut to = Instance::new(vec![0; 64], Encoding::Utf8, Rc::new(Recorder::default()));
    let flats = to.lower_values(MAX_FLAT_PARAMS, &values, &types, None).expect("it fits");
    assert_eq!(flats, [16]);
    assert_eq!(to.memory.read(16, 17), (1..=17).collect::<Vec<u8>>());
    let mut lift = Lift { from: &mut to, lenders: Vec::new() };
    assert_eq!(lift.values(MAX_FLAT_PARAMS, &mut Flats::new(&flats), &types), Ok(values.clone()));
    // A place for results is the caller's.
    assert_eq!(to.lower_values(1, &values, &types, Some(40)), Ok(vec![]));
    assert_eq!(to.lower_values(1, &values, &types, Some(48)), Err(Trap::OutOfBounds));
}

#[test]
fn handles() {
    let mut instance = Instance::new(vec![0; 64], Encoding::Utf8, Rc::new(Recorder::default()));
    let own = |rep| Handle { resource: 0, rep, lent_to: None, lends: 0 };
    let lift = |instance: &mut Instance, ty: Type, index: u32| {
        let mut lift = Lift { from: instance, lenders: Vec::new() };
        (lift.handle(&ty, index), lift.lenders)
    };
    assert_eq!(instance.resource_new(0, 70), Ok(1), "0 is no index");
    assert_eq!(instance.resource_new(0, 71), Ok(2));
    assert_eq!(lift(&mut instance, Type::Own(1), 2).0, Err(Trap::WrongResource));
    assert_eq!(instance.handles.add(own(72)), 2, "a free index is used again");
    assert_eq!(lift(&mut instance, Type::Own(0), 0).0, Err(Trap::NoSuchHandle));
    assert_eq!(lift(&mut instance, Type::Own(0), 9).0, Err(Trap::NoSuchHandle));
    let (value, lenders) = lift(&mut instance, Type::Borrow(0), 1);
    assert_eq!((value, &lenders[..]), (Ok(Value::Handle(70)), &[1][..]));
    assert_eq!(instance.clone().resource_drop(0, 1), Err(Trap::Lent));
    assert_eq!(lift(&mut instance.clone(), Type::Own(0), 1).0, Err(Trap::Lent));
    Lift { from: &mut instance, lenders }.give_back();
    assert_eq!(lift(&mut instance, Type::Own(0), 1).0, Ok(Value::Handle(70)));
    assert_eq!(instance.resource_rep(0, 2), Ok(72));
    assert_eq!(instance.resource_rep(1, 2), Err(Trap::WrongResource));

    instance.borrows.push(0);
    let index = instance.lower_handle(&Type::Borrow(3), 80);
    assert_eq!(instance.borrows, [1]);
    assert_eq!(lift(&mut instance.clone(), Type::Own(3), index).0, Err(Trap::NotOwned));
    assert_eq!(instance.resource_drop(3, index), Ok(None));
    assert_eq!(instance.borrows, [0]);
    instance.own_resources.push(3);
    assert_eq!(instance.lower_handle(&Type::Borrow(3), 80), 80, "its owner gets the thing itself");
    assert_eq!(instance.resource_drop(0, 2), Ok(Some(72)));
    instance.may_leave = false;
    assert_eq!(instance.resource_new(0, 1), Err(Trap::MayNotLeave));
}

#[test]
fn components_of_any_function_type_can_be_written() {
    let everything = FuncType {
        params: vec![
            Type::Record(vec![("f0".into(), Type::List(boxed(Type::Enum(labels(2)))))]),
            Type::Map(boxed(Type::String), boxed(Type::FixedList(boxed(Type::Char), 2))),
            Type::Result(None, Some(boxed(Type::Flags(labels(3))))),
            variant(&[None, Some(Type::Option(boxed(Type::Borrow(1))))]),
            record(&[Type::S8, Type::F64]),
        ],
        result: Some(Type::List(boxed(Type::Own(0)))),
    };
    let nothing = FuncType { params: vec![], result: None };
    for ty in [everything, nothing] {
        for inner in [None, Some(Encoding::Utf16)] {
            let options = Options { encoding: Encoding::Latin1OrUtf16, inner, post_return: true };
            let text = component_text(&ty, options);
            assert!(!text.contains('%'), "a placeholder is left");
            wat_to_wasm(&text, None).unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
    }
    assert_eq!(guest::fresh_memory().len() as u64, guest::PAGE);
}
