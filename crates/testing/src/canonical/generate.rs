//! Random function types and random values of them.

use crate::random::Random;

use super::guest;
use super::text::RESOURCES;
use super::types::{FuncType, Pointer, Type, flatten_all};
use super::value::{CANONICAL_NAN32, CANONICAL_NAN64, Text, Value};

/// How many flat values the parameters of a function may be, if they were all flat.
const FLAT_MAX: usize = 80;

/// What an engine can take part in.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Maps.
    pub maps: bool,
    /// Lists of one length.
    pub fixed_lists: bool,
    /// Handles.
    pub handles: bool,
}

impl Allowed {
    /// Everything.
    pub const ALL: Allowed = Allowed { maps: true, fixed_lists: true, handles: true };
}

/// A function type whose parameters and result fit where the guest keeps them.
pub(crate) fn func_type(random: &mut Random, allowed: Allowed) -> FuncType {
    loop {
        let count = random.pick(&[0, 1, 1, 1, 2, 2, 3, 5, 18]);
        let depth = if count == 18 { 0 } else { random.pick(&[1, 2, 3, 4]) };
        let params: Vec<Type> = (0..count).map(|_| ty(random, depth, allowed, true)).collect();
        let result = (random.below(5) != 0).then(|| {
            let depth = random.pick(&[0, 1, 2, 3, 4]);
            ty(random, depth, allowed, false)
        });
        let ty = FuncType { params, result };
        let area = guest::HEAP - guest::RESULT_AREA;
        let fits = |types: &[Type]| {
            flatten_all(types, Pointer::I32).len() <= FLAT_MAX
                && types.iter().all(|ty| ty.elem_size(Pointer::I32) <= area)
        };
        if fits(&ty.params) && fits(ty.results()) {
            return ty;
        }
    }
}

const SCALARS: &[Type] = &[
    Type::Bool,
    Type::S8,
    Type::U8,
    Type::S16,
    Type::U16,
    Type::S32,
    Type::U32,
    Type::S64,
    Type::U64,
    Type::F32,
    Type::F64,
    Type::Char,
];
const KEYS: &[Type] =
    &[Type::Bool, Type::U8, Type::S16, Type::U32, Type::S64, Type::Char, Type::String];

fn ty(random: &mut Random, depth: u32, allowed: Allowed, borrows: bool) -> Type {
    let kinds = if depth == 0 { 4 } else { 16 };
    match random.below(kinds) {
        0 | 1 => SCALARS[random.below(SCALARS.len())].clone(),
        2 => Type::String,
        3 => leaf(random, allowed, borrows),
        kind => composite(random, kind, depth - 1, allowed, borrows),
    }
}

fn leaf(random: &mut Random, allowed: Allowed, borrows: bool) -> Type {
    let labels = |random: &mut Random, sizes: &[usize], letter: char| {
        let count = random.pick(sizes);
        (0..count).map(|number| format!("{letter}{number}")).collect()
    };
    match random.below(4) {
        0 => Type::Enum(labels(random, &[1, 2, 3, 7, 255, 256, 257], 'e')),
        1 => Type::Flags(labels(random, &[1, 2, 7, 8, 9, 15, 16, 17, 31, 32], 'g')),
        2 if allowed.handles => Type::Own(random.below(RESOURCES as usize) as u32),
        3 if allowed.handles && borrows => Type::Borrow(random.below(RESOURCES as usize) as u32),
        _ => Type::Char,
    }
}

fn composite(
    random: &mut Random,
    kind: usize,
    depth: u32,
    allowed: Allowed,
    borrows: bool,
) -> Type {
    let inner = |random: &mut Random| ty(random, depth, allowed, borrows);
    let maybe = |random: &mut Random| (random.below(3) != 0).then(|| inner(random));
    match kind {
        4 | 5 => Type::List(Box::new(inner(random))),
        6 if allowed.fixed_lists => {
            Type::FixedList(Box::new(inner(random)), random.pick(&[1, 2, 3, 7]))
        }
        7 | 8 => {
            let fields = 0..random.pick(&[1, 2, 3, 4, 9]);
            Type::Record(fields.map(|number| (format!("f{number}"), inner(random))).collect())
        }
        9 | 10 => Type::Tuple((0..random.pick(&[1, 2, 3, 5])).map(|_| inner(random)).collect()),
        11 | 12 => {
            let cases = 0..random.pick(&[1, 2, 3, 4, 6]);
            Type::Variant(cases.map(|number| (format!("c{number}"), maybe(random))).collect())
        }
        13 => Type::Option(Box::new(inner(random))),
        14 => Type::Result(maybe(random).map(Box::new), maybe(random).map(Box::new)),
        15 if allowed.maps => {
            let key = KEYS[random.below(KEYS.len())].clone();
            // A map may not hold handles.
            let of = ty(random, depth, Allowed { handles: false, ..allowed }, false);
            Type::Map(Box::new(key), Box::new(of))
        }
        _ => Type::Option(Box::new(inner(random))),
    }
}

/// A value of each of the types.
pub(crate) fn values(random: &mut Random, types: &[Type]) -> Vec<Value> {
    types.iter().map(|ty| value(random, ty)).collect()
}

/// A value of a type.
pub(crate) fn value(random: &mut Random, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(random.below(2) == 1),
        Type::U8 => Value::Integer(i128::from(integer(random) as u8)),
        Type::S8 => Value::Integer(i128::from(integer(random) as i8)),
        Type::U16 => Value::Integer(i128::from(integer(random) as u16)),
        Type::S16 => Value::Integer(i128::from(integer(random) as i16)),
        Type::U32 => Value::Integer(i128::from(integer(random) as u32)),
        Type::S32 => Value::Integer(i128::from(integer(random) as i32)),
        Type::U64 => Value::Integer(i128::from(integer(random))),
        Type::S64 => Value::Integer(i128::from(integer(random) as i64)),
        Type::F32 => {
            let bits = integer(random) as u32;
            Value::F32(if f32::from_bits(bits).is_nan() { CANONICAL_NAN32 } else { bits })
        }
        Type::F64 => {
            let bits = integer(random);
            Value::F64(if f64::from_bits(bits).is_nan() { CANONICAL_NAN64 } else { bits })
        }
        Type::Char => Value::Char(character(random)),
        Type::String => Value::String(Text::from(string(random).as_str())),
        Type::List(element) => {
            let length = random.pick(&[0, 0, 1, 1, 2, 3, 5, 9]);
            Value::List((0..length).map(|_| value(random, element)).collect())
        }
        Type::FixedList(element, length) => {
            Value::List((0..*length).map(|_| value(random, element)).collect())
        }
        Type::Record(fields) => Value::Record(fields.iter().map(|f| value(random, &f.1)).collect()),
        Type::Tuple(types) => Value::Record(values(random, types)),
        Type::Variant(cases) => {
            let case = random.below(cases.len());
            Value::Variant(case, cases[case].1.as_ref().map(|ty| Box::new(value(random, ty))))
        }
        Type::Enum(labels) => Value::Variant(random.below(labels.len()), None),
        Type::Option(some) => match random.below(3) {
            0 => Value::Variant(0, None),
            _ => Value::Variant(1, Some(Box::new(value(random, some)))),
        },
        Type::Result(ok, error) => {
            let case = random.below(2);
            let carried = [ok, error][case];
            Value::Variant(case, carried.as_ref().map(|ty| Box::new(value(random, ty))))
        }
        Type::Map(key, of) => pairs(random, key, of),
        Type::Flags(labels) => Value::Flags((random.next() & ((1 << labels.len()) - 1)) as u32),
        Type::Own(_) | Type::Borrow(_) => Value::Handle(integer(random) as u32),
    }
}

/// Pairs of which no two have the same key.
fn pairs(random: &mut Random, key: &Type, of: &Type) -> Value {
    let mut pairs: Vec<Value> = Vec::new();
    let mut keys: Vec<Value> = Vec::new();
    for _ in 0..random.pick(&[0, 1, 2, 4]) {
        let key = value(random, key);
        if !keys.contains(&key) {
            keys.push(key.clone());
            pairs.push(Value::Record(vec![key, value(random, of)]));
        }
    }
    Value::List(pairs)
}

fn integer(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 1 << 31, 1 << 63]),
        1 => random.pick(&[u64::MAX, 0x7fff_ffff, 0xffff_ffff, 0x7fc0_0001, 0xfff8_0000_0000_0001]),
        2 => random.next() >> random.below(64),
        _ => random.next(),
    }
}

fn character(random: &mut Random) -> char {
    loop {
        let limit = random.pick(&[0x80, 0x100, 0x800, 0x1_0000, 0x11_0000]);
        if let Some(character) = char::from_u32(random.below(limit) as u32) {
            return character;
        }
    }
}

/// Strings of which each encoding has its own easy and hard ones.
fn string(random: &mut Random) -> String {
    let length = random.pick(&[0, 1, 2, 3, 7, 12, 30, 100]);
    let length = if length == 100 && random.below(8) != 0 { 4 } else { length };
    let limit = random.pick(&[0x80, 0x80, 0x100, 0x800, 0x11_0000]);
    let mut text: String =
        (0..length).filter_map(|_| char::from_u32(random.below(limit) as u32)).collect();
    if random.below(4) == 0 {
        text.push(character(random));
    }
    text
}
