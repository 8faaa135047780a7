//! Values in scripts: arguments, and what is expected of results.

mod component;
mod reference;
mod show;

use dunlin_engine::{HeapType, Store, Val};

pub(crate) use component::ComponentValue;
pub(crate) use reference::{Reference, value_of};
pub(crate) use show::{Found, Shown, Wanted};

/// A value a script passes to a function.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A null of an abstract type.
    Null(HeapType),
    /// `(ref.extern n)`: the host value `n`, as an `externref`.
    Extern(u32),
    /// `(ref.host n)`: the host value `n`, as an `anyref`.
    Host(u32),
    /// A value of a component.
    Component(ComponentValue),
}

/// What a script expects of one result.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    I32(i32),
    I64(i64),
    F32(FloatPattern<u32>),
    F64(FloatPattern<u64>),
    V128(Lanes),
    /// A null, of any type if none is named.
    Null(Option<HeapType>),
    /// Anything of this abstract type but null.
    NonNull(HeapType),
    /// The host value passed as `(ref.extern n)`; any `externref` but null if no number is given.
    Extern(Option<u32>),
    /// The host value passed as `(ref.host n)`.
    Host(u32),
    Either(Vec<Expected>),
    /// A value of a component.
    Component(ComponentValue),
}

/// A float, or a set of NaNs (spec interpreter, "NaN patterns").
#[derive(Clone, Copy, Debug)]
pub(crate) enum FloatPattern<B> {
    Bits(B),
    /// Only the top bit of the payload is set.
    CanonicalNan,
    /// At least the top bit of the payload is set.
    ArithmeticNan,
}

/// A vector as the script spells it.
#[derive(Clone, Debug)]
pub(crate) enum Lanes {
    I8x16([i8; 16]),
    I16x8([i16; 8]),
    I32x4([i32; 4]),
    I64x2([i64; 2]),
    F32x4([FloatPattern<u32>; 4]),
    F64x2([FloatPattern<u64>; 2]),
}

const F32_QUIET: u32 = 0x7fc0_0000;
const F64_QUIET: u64 = 0x7ff8_0000_0000_0000;

impl FloatPattern<u32> {
    pub(crate) fn matches(self, found: u32) -> bool {
        match self {
            FloatPattern::Bits(bits) => found == bits,
            FloatPattern::CanonicalNan => found & 0x7fff_ffff == F32_QUIET,
            FloatPattern::ArithmeticNan => found & F32_QUIET == F32_QUIET,
        }
    }
}

impl FloatPattern<u64> {
    pub(crate) fn matches(self, found: u64) -> bool {
        match self {
            FloatPattern::Bits(bits) => found == bits,
            FloatPattern::CanonicalNan => found & (u64::MAX >> 1) == F64_QUIET,
            FloatPattern::ArithmeticNan => found & F64_QUIET == F64_QUIET,
        }
    }
}

impl Lanes {
    fn matches(&self, found: u128) -> bool {
        let bytes = found.to_le_bytes();
        match self {
            Lanes::I8x16(lanes) => *lanes == lanes_of(bytes, i8::from_le_bytes),
            Lanes::I16x8(lanes) => *lanes == lanes_of(bytes, i16::from_le_bytes),
            Lanes::I32x4(lanes) => *lanes == lanes_of(bytes, i32::from_le_bytes),
            Lanes::I64x2(lanes) => *lanes == lanes_of(bytes, i64::from_le_bytes),
            Lanes::F32x4(lanes) => {
                let found: [u32; 4] = lanes_of(bytes, u32::from_le_bytes);
                lanes.iter().zip(found).all(|(lane, found)| lane.matches(found))
            }
            Lanes::F64x2(lanes) => {
                let found: [u64; 2] = lanes_of(bytes, u64::from_le_bytes);
                lanes.iter().zip(found).all(|(lane, found)| lane.matches(found))
            }
        }
    }
}

impl Lanes {
    /// `bits` in the shape of `self`.
    fn of_same_shape(&self, bits: u128) -> Lanes {
        let bytes = bits.to_le_bytes();
        let f32 = |lane| FloatPattern::Bits(u32::from_le_bytes(lane));
        let f64 = |lane| FloatPattern::Bits(u64::from_le_bytes(lane));
        match self {
            Lanes::I8x16(_) => Lanes::I8x16(lanes_of(bytes, i8::from_le_bytes)),
            Lanes::I16x8(_) => Lanes::I16x8(lanes_of(bytes, i16::from_le_bytes)),
            Lanes::I32x4(_) => Lanes::I32x4(lanes_of(bytes, i32::from_le_bytes)),
            Lanes::I64x2(_) => Lanes::I64x2(lanes_of(bytes, i64::from_le_bytes)),
            Lanes::F32x4(_) => Lanes::F32x4(lanes_of(bytes, f32)),
            Lanes::F64x2(_) => Lanes::F64x2(lanes_of(bytes, f64)),
        }
    }
}

/// Splits a vector into lanes of `SIZE` bytes.
fn lanes_of<T, const SIZE: usize, const COUNT: usize>(
    bytes: [u8; 16],
    lane: impl Fn([u8; SIZE]) -> T,
) -> [T; COUNT] {
    std::array::from_fn(|i| lane(std::array::from_fn(|byte| bytes[i * SIZE + byte])))
}

impl Expected {
    /// Whether `found` is what the script wants.
    pub(crate) fn matches(&self, found: &Val, store: &Store<()>) -> bool {
        match (self, found) {
            (Expected::I32(expected), Val::I32(found)) => expected == found,
            (Expected::I64(expected), Val::I64(found)) => expected == found,
            (Expected::F32(expected), Val::F32(found)) => expected.matches(*found),
            (Expected::F64(expected), Val::F64(found)) => expected.matches(*found),
            (Expected::V128(expected), Val::V128(found)) => expected.matches(*found),
            (Expected::Either(choices), found) => {
                choices.iter().any(|choice| choice.matches(found, store))
            }
            (expected, found) => {
                Reference::of(found, store).is_some_and(|found| expected.matches_reference(found))
            }
        }
    }

    fn matches_reference(&self, found: Reference) -> bool {
        match (self, found) {
            (Expected::Null(None), Reference::Null(_)) => true,
            (Expected::Null(Some(heap)), Reference::Null(found)) => heap.hierarchy() == found,
            (Expected::NonNull(heap), found) => found.is_a(*heap),
            (Expected::Extern(None), Reference::Extern(_)) => true,
            (Expected::Extern(wanted), Reference::Extern(found)) => found == *wanted,
            (Expected::Host(wanted), Reference::Host(found)) => found == Some(*wanted),
            _ => false,
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns_hold_the_spec_sets() {
        let canonical = FloatPattern::<u32>::CanonicalNan;
        let arithmetic = FloatPattern::<u32>::ArithmeticNan;
        for (bits, is_canonical, is_arithmetic) in [
            (0x7fc0_0000, true, true),
            (0xffc0_0000, true, true),
            (0x7fc0_0001, false, true),
            (0x7fa0_0000, false, false),
            (0x7f80_0000, false, false),
        ] {
            assert_eq!(canonical.matches(bits), is_canonical, "{bits:#x}");
            assert_eq!(arithmetic.matches(bits), is_arithmetic, "{bits:#x}");
        }
        assert!(FloatPattern::<u64>::CanonicalNan.matches(0xfff8_0000_0000_0000));
        assert!(!FloatPattern::<u64>::CanonicalNan.matches(0xfff8_0000_0000_0001));
        assert!(FloatPattern::<u64>::ArithmeticNan.matches(0xfff8_0000_0000_0001));
        assert!(!FloatPattern::<u64>::ArithmeticNan.matches(0x7ff0_0000_0000_0001));
    }

    #[test]
    fn lanes_are_little_endian() {
        let value = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
        let bytes = std::array::from_fn(|i| i as i8);
        assert!(Lanes::I8x16(bytes).matches(value));
        assert!(Lanes::I32x4([0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c]).matches(value));
        assert!(!Lanes::I64x2([0, 0x0f0e_0d0c_0b0a_0908]).matches(value));
    }

    #[test]
    fn references_are_told_apart() {
        use HeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExtern, Struct};
        use dunlin_module::Hierarchy;
        let references = [
            Reference::Null(Hierarchy::Any),
            Reference::Null(Hierarchy::Extern),
            Reference::Func,
            Reference::Extern(None),
            Reference::Extern(Some(1)),
            Reference::Host(Some(1)),
            Reference::Host(None),
            Reference::I31,
            Reference::Struct,
            Reference::Array,
            Reference::Exn,
        ];
        for (expected, wanted) in [
            (Expected::Null(None), vec![0, 1]),
            (Expected::Null(Some(Struct)), vec![0]),
            (Expected::Null(Some(NoExtern)), vec![1]),
            (Expected::NonNull(Func), vec![2]),
            (Expected::NonNull(Extern), vec![3, 4]),
            (Expected::Extern(None), vec![3, 4]),
            (Expected::Extern(Some(1)), vec![4]),
            (Expected::Host(1), vec![5]),
            (Expected::NonNull(Any), vec![5, 6, 7, 8, 9]),
            (Expected::NonNull(Eq), vec![7, 8, 9]),
            (Expected::NonNull(I31), vec![7]),
            (Expected::NonNull(Struct), vec![8]),
            (Expected::NonNull(Array), vec![9]),
            (Expected::NonNull(Exn), vec![10]),
        ] {
            let matching = (0..references.len())
                .filter(|&i| expected.matches_reference(references[i]))
                .collect::<Vec<_>>();
            assert_eq!(matching, wanted, "{expected}");
        }
    }
}
