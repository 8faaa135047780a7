//! How values of scripts print, always in wat syntax.

use std::fmt;

use dunlin_engine::{Store, Val};
use dunlin_module::Hierarchy;

use super::{Expected, FloatPattern, Lanes, Reference, lanes_of};

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
                Val::V128(bits) => match self.expected.get(i) {
                    Some(Expected::V128(lanes)) => {
                        write!(f, "(v128.const {})", lanes.of_same_shape(*bits))?;
                    }
                    _ => Shown(value).fmt(f)?,
                },
                value => match Reference::of(value, self.store) {
                    Some(reference) => reference.fmt(f)?,
                    None => Shown(value).fmt(f)?,
                },
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
            Expected::Null(Some(heap)) => {
                write!(f, "(ref.null {})", heap.name().unwrap_or("(type)"))
            }
            Expected::NonNull(heap) => write!(f, "(ref.{})", heap.name().unwrap_or("(type)")),
            Expected::Extern(None) => f.write_str("(ref.extern)"),
            Expected::Extern(Some(number)) => write!(f, "(ref.extern {number})"),
            Expected::Host(number) => write!(f, "(ref.host {number})"),
            Expected::Either(choices) => write!(f, "(either {})", Wanted(choices)),
            Expected::Component(value) => value.fmt(f),
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

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Null(Hierarchy::Func) => f.write_str("(ref.null func)"),
            Reference::Null(Hierarchy::Extern) => f.write_str("(ref.null extern)"),
            Reference::Null(Hierarchy::Any) => f.write_str("(ref.null any)"),
            Reference::Null(Hierarchy::Exn) => f.write_str("(ref.null exn)"),
            Reference::Null(Hierarchy::Cont) => f.write_str("(ref.null cont)"),
            Reference::Extern(Some(number)) => write!(f, "(ref.extern {number})"),
            Reference::Host(Some(number)) => write!(f, "(ref.host {number})"),
            Reference::Extern(None) => f.write_str("(ref.extern)"),
            Reference::Host(None) => f.write_str("(ref.host)"),
            Reference::Func => f.write_str("(ref.func)"),
            Reference::I31 => f.write_str("(ref.i31)"),
            Reference::Struct => f.write_str("(ref.struct)"),
            Reference::Array => f.write_str("(ref.array)"),
            Reference::Exn => f.write_str("(ref.exn)"),
            Reference::Cont => f.write_str("(ref.cont)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_the_text_format_reads_them() {
        assert_eq!(Float32(0xffc0_0001).to_string(), "-nan:0x400001");
        assert_eq!(Float64(f64::NEG_INFINITY.to_bits()).to_string(), "-inf");
        assert_eq!(Float32(1.0e30f32.to_bits()).to_string(), "1e30");
        assert_eq!(Float64((-0.0f64).to_bits()).to_string(), "-0.0");
    }
}
