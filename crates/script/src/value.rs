//! Values in scripts: arguments, expected results, and how both print, always in wat syntax.

use std::fmt;

use dunlin_engine::{ExternRef, HeapType, Store, Val};

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
    /// `(ref.host n)`: a host value as an `anyref`.
    Host,
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
    /// Anything of this type but null.
    NonNull(HeapType),
    /// The host value passed as `(ref.extern n)`; any if no number is given.
    Extern(Option<u32>),
    /// The host value passed as `(ref.host n)`.
    Host(u32),
    Either(Vec<Expected>),
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
    fn matches(self, found: u32) -> bool {
        match self {
            FloatPattern::Bits(bits) => found == bits,
            FloatPattern::CanonicalNan => found & 0x7fff_ffff == F32_QUIET,
            FloatPattern::ArithmeticNan => found & F32_QUIET == F32_QUIET,
        }
    }
}

impl FloatPattern<u64> {
    fn matches(self, found: u64) -> bool {
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
            (Expected::Null(heap), Val::FuncRef(None)) => {
                matches!(heap, None | Some(HeapType::Func | HeapType::NoFunc))
            }
            (Expected::Null(heap), Val::ExternRef(None)) => {
                matches!(heap, None | Some(HeapType::Extern | HeapType::NoExtern))
            }
            (Expected::Null(heap), Val::ExnRef(None)) => {
                matches!(heap, None | Some(HeapType::Exn | HeapType::NoExn))
            }
            (Expected::Null(heap), Val::ContRef(None)) => {
                matches!(heap, None | Some(HeapType::Cont | HeapType::NoCont))
            }
            (Expected::NonNull(heap), Val::FuncRef(Some(_))) => *heap == HeapType::Func,
            (Expected::NonNull(heap), Val::ExnRef(Some(_))) => *heap == HeapType::Exn,
            (Expected::NonNull(heap), Val::ContRef(Some(_))) => *heap == HeapType::Cont,
            (Expected::Extern(None), Val::ExternRef(Some(_))) => true,
            (Expected::Extern(Some(number)), Val::ExternRef(Some(found))) => {
                host_number(found, store) == Some(*number)
            }
            (Expected::Either(choices), found) => {
                choices.iter().any(|choice| choice.matches(found, store))
            }
            _ => false,
        }
    }
}

/// The number a script gave to a host value.
pub(crate) fn host_number(reference: &ExternRef, store: &Store<()>) -> Option<u32> {
    reference.data(store).ok()??.downcast_ref().copied()
}

/// Shows what was found, in wat syntax; vectors in the shape in which they were expected.
pub(crate) struct Found<'a> {
    pub(crate) values: &'a [Val],
    pub(crate) expected: &'a [Expected],
    pub(crate) store: &'a Store<()>,
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values.is_empty() {
            return f.write_str("no results");
        }
        for (i, value) in self.values.iter().enumerate() {
            f.write_str(if i > 0 { " " } else { "" })?;
            match value {
                Val::ExternRef(Some(reference)) => match host_number(reference, self.store) {
                    Some(number) => write!(f, "(ref.extern {number})")?,
                    None => f.write_str("(ref.extern)")?,
                },
                Val::V128(bits) => match self.expected.get(i) {
                    Some(Expected::V128(lanes)) => {
                        write!(f, "(v128.const {})", lanes.of_same_shape(*bits))?;
                    }
                    _ => Shown(value).fmt(f)?,
                },
                value => Shown(value).fmt(f)?,
            }
        }
        Ok(())
    }
}

/// Shows one value in wat syntax, without looking into references.
pub(crate) struct Shown<'a>(pub(crate) &'a Val);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Val::I32(value) => write!(f, "(i32.const {value})"),
            Val::I64(value) => write!(f, "(i64.const {value})"),
            Val::F32(bits) => write!(f, "(f32.const {})", Float32(*bits)),
            Val::F64(bits) => write!(f, "(f64.const {})", Float64(*bits)),
            Val::V128(bits) => {
                f.write_str("(v128.const i32x4")?;
                for lane in lanes_of::<u32, 4, 4>(bits.to_le_bytes(), u32::from_le_bytes) {
                    write!(f, " {lane:#010x}")?;
                }
                f.write_str(")")
            }
            Val::FuncRef(None) => f.write_str("(ref.null func)"),
            Val::FuncRef(Some(_)) => f.write_str("(ref.func)"),
            Val::ExternRef(None) => f.write_str("(ref.null extern)"),
            Val::ExternRef(Some(_)) => f.write_str("(ref.extern)"),
            Val::ExnRef(None) => f.write_str("(ref.null exn)"),
            Val::ExnRef(Some(_)) => f.write_str("(ref.exn)"),
            Val::ContRef(None) => f.write_str("(ref.null cont)"),
            Val::ContRef(Some(_)) => f.write_str("(ref.cont)"),
            _ => f.write_str("(ref)"),
        }
    }
}

/// Shows what a script expects, in its own syntax.
pub(crate) struct Wanted<'a>(pub(crate) &'a [Expected]);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no results");
        }
        for (i, expected) in self.0.iter().enumerate() {
            write!(f, "{}{expected}", if i > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::I32(value) => write!(f, "(i32.const {value})"),
            Expected::I64(value) => write!(f, "(i64.const {value})"),
            Expected::F32(pattern) => write!(f, "(f32.const {pattern})"),
            Expected::F64(pattern) => write!(f, "(f64.const {pattern})"),
            Expected::V128(lanes) => write!(f, "(v128.const {lanes})"),
            Expected::Null(None) => f.write_str("(ref.null)"),
            Expected::Null(Some(heap)) => write!(f, "(ref.null {})", heap_name(*heap)),
            Expected::NonNull(heap) => write!(f, "(ref.{})", heap_name(*heap)),
            Expected::Extern(None) => f.write_str("(ref.extern)"),
            Expected::Extern(Some(number)) => write!(f, "(ref.extern {number})"),
            Expected::Host(number) => write!(f, "(ref.host {number})"),
            Expected::Either(choices) => write!(f, "(either {})", Wanted(choices)),
        }
    }
}

impl fmt::Display for FloatPattern<u32> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FloatPattern::Bits(bits) => Float32(*bits).fmt(f),
            FloatPattern::CanonicalNan => f.write_str("nan:canonical"),
            FloatPattern::ArithmeticNan => f.write_str("nan:arithmetic"),
        }
    }
}

impl fmt::Display for FloatPattern<u64> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FloatPattern::Bits(bits) => Float64(*bits).fmt(f),
            FloatPattern::CanonicalNan => f.write_str("nan:canonical"),
            FloatPattern::ArithmeticNan => f.write_str("nan:arithmetic"),
        }
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn lanes<T: fmt::Display>(
            f: &mut fmt::Formatter<'_>,
            shape: &str,
            lanes: &[T],
        ) -> fmt::Result {
            f.write_str(shape)?;
            lanes.iter().try_for_each(|lane| write!(f, " {lane}"))
        }
        match self {
            Lanes::I8x16(values) => lanes(f, "i8x16", values),
            Lanes::I16x8(values) => lanes(f, "i16x8", values),
            Lanes::I32x4(values) => lanes(f, "i32x4", values),
            Lanes::I64x2(values) => lanes(f, "i64x2", values),
            Lanes::F32x4(values) => lanes(f, "f32x4", values),
            Lanes::F64x2(values) => lanes(f, "f64x2", values),
        }
    }
}

/// The bits of a float in wat syntax.
struct Float32(u32);
struct Float64(u64);

impl fmt::Display for Float32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = f32::from_bits(self.0);
        if value.is_nan() {
            let sign = if value.is_sign_negative() { "-" } else { "" };
            return write!(f, "{sign}nan:{:#x}", self.0 & 0x007f_ffff);
        }
        write!(f, "{value:?}")
    }
}

impl fmt::Display for Float64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = f64::from_bits(self.0);
        if value.is_nan() {
            let sign = if value.is_sign_negative() { "-" } else { "" };
            return write!(f, "{sign}nan:{:#x}", self.0 & 0x000f_ffff_ffff_ffff);
        }
        write!(f, "{value:?}")
    }
}

/// The name of an abstract heap type.
pub(crate) fn heap_name(heap: HeapType) -> &'static str {
    match heap {
        HeapType::Func => "func",
        HeapType::Extern => "extern",
        HeapType::Any => "any",
        HeapType::None => "none",
        HeapType::NoExtern => "noextern",
        HeapType::NoFunc => "nofunc",
        HeapType::Eq => "eq",
        HeapType::Struct => "struct",
        HeapType::Array => "array",
        HeapType::I31 => "i31",
        HeapType::Exn => "exn",
        HeapType::NoExn => "noexn",
        HeapType::Cont => "cont",
        HeapType::NoCont => "nocont",
        HeapType::Concrete(_) => "(type)",
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
    fn floats_print_as_the_text_format_reads_them() {
        assert_eq!(Float32(0xffc0_0001).to_string(), "-nan:0x400001");
        assert_eq!(Float64(f64::NEG_INFINITY.to_bits()).to_string(), "-inf");
        assert_eq!(Float32(1.0e30f32.to_bits()).to_string(), "1e30");
        assert_eq!(Float64((-0.0f64).to_bits()).to_string(), "-0.0");
    }
}
