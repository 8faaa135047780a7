//! Values as text: the arguments and results of `--invoke`.
//!
//! What is printed can be read back, except references that are not null.

use dunlin::{HeapType, Val, ValType};

/// Canonical NaNs (core spec §2.2.3): positive, with only the top bit of the fraction set.
const F32_NAN: u32 = 0x7fc0_0000;
const F64_NAN: u64 = 0x7ff8_0000_0000_0000;

/// Reads `text` as a value of type `ty`; an error says what was expected.
pub(crate) fn parse(text: &str, ty: ValType) -> Result<Val, String> {
    let value = match ty {
        ValType::I32 => integer(text, 32).map(|bits| Val::I32(bits as i32)),
        ValType::I64 => integer(text, 64).map(|bits| Val::I64(bits as i64)),
        ValType::F32 => f32_bits(text).map(Val::F32),
        ValType::F64 => f64_bits(text).map(Val::F64),
        ValType::V128 => vector(text).map(Val::V128),
        ValType::Ref(r) if r.nullable && text == "null" => match r.heap {
            HeapType::Extern | HeapType::NoExtern => Some(Val::ExternRef(None)),
            HeapType::Func | HeapType::NoFunc | HeapType::Concrete(_) => Some(Val::FuncRef(None)),
            _ => None,
        },
        ValType::Ref(_) => None,
    };
    value.ok_or_else(|| match ty {
        ValType::I32 => "an integer from -2147483648 to 4294967295, decimal or hex".to_owned(),
        ValType::I64 => "a 64-bit integer, decimal or hex".to_owned(),
        ValType::F32 | ValType::F64 => {
            "a number as in `1.5`, `-2e3`, `0x1.8p1`, `inf`, `nan`".to_owned()
        }
        ValType::V128 => "lanes as in `i32x4:1,2,3,4`, or one hex number".to_owned(),
        ValType::Ref(r) if r.nullable => "`null`".to_owned(),
        ValType::Ref(_) => "a reference, which cannot be typed".to_owned(),
    })
}

/// The text of a value.
pub(crate) fn print(value: &Val) -> String {
    match value {
        Val::I32(v) => v.to_string(),
        Val::I64(v) => v.to_string(),
        Val::F32(bits) => f32_text(*bits),
        Val::F64(bits) => f64_text(*bits),
        Val::V128(bits) => {
            let lane = |at: u32| (bits >> (32 * at)) as i32;
            format!("i32x4:{},{},{},{}", lane(0), lane(1), lane(2), lane(3))
        }
        Val::FuncRef(None) | Val::ExternRef(None) => "null".to_owned(),
        Val::FuncRef(Some(_)) => "funcref".to_owned(),
        Val::ExternRef(Some(_)) => "externref".to_owned(),
        _ => "reference".to_owned(),
    }
}

fn f32_text(bits: u32) -> String {
    let value = f32::from_bits(bits);
    if value.is_nan() {
        return nan_text(
            bits >> 31 != 0,
            u64::from(bits & 0x7f_ffff),
            u64::from(F32_NAN & 0x7f_ffff),
        );
    }
    match value.abs() {
        size if size.is_finite() && (size >= 1e16 || (size < 1e-5 && size > 0.0)) => {
            format!("{value:e}")
        }
        _ => value.to_string(),
    }
}

fn f64_text(bits: u64) -> String {
    const FRACTION: u64 = (1 << 52) - 1;
    let value = f64::from_bits(bits);
    if value.is_nan() {
        return nan_text(bits >> 63 != 0, bits & FRACTION, F64_NAN & FRACTION);
    }
    match value.abs() {
        size if size.is_finite() && (size >= 1e16 || (size < 1e-5 && size > 0.0)) => {
            format!("{value:e}")
        }
        _ => value.to_string(),
    }
}

fn nan_text(negative: bool, payload: u64, canonical: u64) -> String {
    let sign = if negative { "-" } else { "" };
    if payload == canonical { format!("{sign}nan") } else { format!("{sign}nan:{payload:#x}") }
}

/// Splits off a sign; `true` is minus.
fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn hex_prefixed(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

/// Digits of an integer without a sign: `_` may stand between them.
fn magnitude(text: &str) -> Option<u128> {
    let (digits, radix) = match hex_prefixed(text) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.is_empty() || digits.starts_with('_') || digits.ends_with('_') {
        return None;
    }
    digits.chars().filter(|c| *c != '_').try_fold(0u128, |total, c| {
        total.checked_mul(u128::from(radix))?.checked_add(u128::from(c.to_digit(radix)?))
    })
}

/// An integer of `width` bits, signed or unsigned, as its bits.
fn integer(text: &str, width: u32) -> Option<u64> {
    let (negative, digits) = sign(text);
    let value = magnitude(digits)?;
    let most = if negative { 1 << (width - 1) } else { (1 << width) - 1 };
    if value > most {
        return None;
    }
    let bits = if negative { value.wrapping_neg() } else { value };
    Some((bits & ((1 << width) - 1)) as u64)
}

fn f32_bits(text: &str) -> Option<u32> {
    let (negative, rest) = sign(text);
    let bits = match rest {
        "nan" => F32_NAN,
        _ if rest.starts_with("nan:") => 0x7f80_0000 | payload(rest, 23)? as u32,
        _ if hex_prefixed(rest).is_some() => hex_float(rest, 23, 8)? as u32,
        _ if decimal(rest) => rest.parse::<f32>().ok()?.to_bits(),
        _ => return None,
    };
    Some(bits | u32::from(negative) << 31)
}

fn f64_bits(text: &str) -> Option<u64> {
    let (negative, rest) = sign(text);
    let bits = match rest {
        "nan" => F64_NAN,
        _ if rest.starts_with("nan:") => 0x7ff << 52 | payload(rest, 52)?,
        _ if hex_prefixed(rest).is_some() => hex_float(rest, 52, 11)?,
        _ if decimal(rest) => rest.parse::<f64>().ok()?.to_bits(),
        _ => return None,
    };
    Some(bits | u64::from(negative) << 63)
}

/// Whether std may read it: it would also take a second sign, and `NaN` without its payload.
fn decimal(text: &str) -> bool {
    text == "inf" || text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// The fraction of `nan:0x…`; zero would be an infinity.
fn payload(text: &str, width: u32) -> Option<u64> {
    let value = magnitude(text.strip_prefix("nan:")?)?;
    (value != 0 && value < 1 << width).then_some(value as u64)
}

/// A float without a sign in hex, rounded to nearest, ties to even; `None` beyond the range.
fn hex_float(text: &str, fraction_width: u32, exponent_width: u32) -> Option<u64> {
    let text = hex_prefixed(text)?;
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let mut exponent = i64::from(exponent);
    let (mut mantissa, mut inexact, mut point, mut seen) = (0u64, false, false, false);
    for c in digits.chars() {
        match c {
            '.' if !point => point = true,
            '_' if seen => {}
            _ => {
                let digit = c.to_digit(16)?;
                seen = true;
                if mantissa >> 60 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    exponent -= if point { 4 } else { 0 };
                } else {
                    inexact |= digit != 0;
                    exponent += if point { 0 } else { 4 };
                }
            }
        }
    }
    if mantissa == 0 {
        return seen.then_some(0);
    }
    // From here the value is `mantissa` × 2^(`top` - 63), with the top bit of `mantissa` set.
    let zeros = mantissa.leading_zeros();
    mantissa <<= zeros;
    let top = exponent + 63 - i64::from(zeros);
    let bias = (1i64 << (exponent_width - 1)) - 1;
    let subnormal = (1 - bias - top).clamp(0, 60) as u32;
    let wide = u128::from(mantissa) << 1 | u128::from(inexact);
    let shift = 64 - fraction_width + subnormal;
    let (mut kept, half) = (wide.checked_shr(shift).unwrap_or(0), 1u128 << (shift - 1));
    let rest = wide & ((half << 1).wrapping_sub(1));
    if rest > half || (rest == half && kept & 1 == 1) {
        kept += 1;
    }
    // The hidden bit, or a carry out of the fraction, adds one to the exponent field.
    let field = if subnormal > 0 { 0 } else { top + bias - 1 };
    let bits = u64::try_from(field).ok()?.checked_shl(fraction_width)?.checked_add(kept as u64)?;
    (bits >> fraction_width < (1 << exponent_width) - 1 && field < 1 << exponent_width)
        .then_some(bits)
}

/// `SHAPE:lane,…` from lane 0 on, or one hex number of up to 128 bits.
fn vector(text: &str) -> Option<u128> {
    let Some((shape, lanes)) = text.split_once(':') else {
        return hex_prefixed(text).and_then(|_| magnitude(text));
    };
    let (lane_type, count) = shape.split_once('x')?;
    let width: u32 = lane_type.get(1..)?.parse().ok()?;
    if !matches!(lane_type, "i8" | "i16" | "i32" | "i64" | "f32" | "f64")
        || count.parse() != Ok(128 / width)
    {
        return None;
    }
    let mut bits = 0u128;
    let mut at = 0;
    for lane in lanes.split(',') {
        let lane = lane.trim();
        let lane = match lane_type {
            "f32" => u64::from(f32_bits(lane)?),
            "f64" => f64_bits(lane)?,
            _ => integer(lane, width)?,
        };
        bits |= u128::from(lane).checked_shl(at)?;
        at += width;
    }
    (at == 128).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(integer("0", 32), Some(0));
        assert_eq!(integer("-1", 32), Some(0xffff_ffff));
        assert_eq!(integer("+7", 32), Some(7));
        assert_eq!(integer("0xFFFF_FFFF", 32), Some(0xffff_ffff));
        assert_eq!(integer("-0x80000000", 32), Some(0x8000_0000));
        assert_eq!(integer("4294967295", 32), Some(u64::from(u32::MAX)));
        assert_eq!(integer("18446744073709551615", 64), Some(u64::MAX));
        assert_eq!(integer("-9223372036854775808", 64), Some(1 << 63));
        for wrong in ["", "-", "0x", "1_", "_1", "--1", "1.0", "4294967296", "-2147483649", "x"] {
            assert_eq!(integer(wrong, 32), None, "{wrong:?} is no i32");
        }
    }

    #[test]
    fn floats() {
        let f64_of = |text: &str| f64_bits(text).map(f64::from_bits);
        assert_eq!(f64_of("1.5"), Some(1.5));
        assert_eq!(f64_of("-2e3"), Some(-2000.0));
        assert_eq!(f64_of(".5"), Some(0.5));
        assert_eq!(f64_of("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(f64_bits("-0"), Some(1 << 63));
        assert_eq!(f64_bits("nan"), Some(F64_NAN));
        assert_eq!(f32_bits("-nan"), Some(F32_NAN | 1 << 31));
        assert_eq!(f32_bits("nan:0x200000"), Some(0x7fa0_0000));
        for wrong in ["", "--1", "NaN", "nan:0x0", "nan:0x800000", "infinity", "1,5", "0x", "0x.p"]
        {
            assert_eq!(f32_bits(wrong), None, "{wrong:?} is no f32");
        }
    }

    #[test]
    fn hex_floats() {
        let f64_of = |text: &str| f64_bits(text).map(f64::from_bits);
        let f32_of = |text: &str| f32_bits(text).map(f32::from_bits);
        assert_eq!(f64_of("0x1.8p1"), Some(3.0));
        assert_eq!(f64_of("-0xA"), Some(-10.0));
        assert_eq!(f64_of("0x.8"), Some(0.5));
        assert_eq!(f64_of("0x0p5"), Some(0.0));
        assert_eq!(f64_of("0x1.fffffffffffffp1023"), Some(f64::MAX));
        assert_eq!(f64_of("0x1p1024"), None);
        assert_eq!(f64_of("0x1.fffffffffffff8p1023"), None);
        assert_eq!(f64_of("0x1p-1074"), Some(f64::from_bits(1)));
        assert_eq!(f64_of("0x1p-1022"), Some(f64::MIN_POSITIVE));
        assert_eq!(f64_of("0x0.fffffffffffff8p-1022"), Some(f64::MIN_POSITIVE));
        assert_eq!(f64_of("0x1p-1075"), Some(0.0));
        assert_eq!(f64_of("0x1.8p-1075"), Some(f64::from_bits(1)));
        assert_eq!(f64_of("0x1p-99999"), Some(0.0));
        assert_eq!(f64_of("0x1p99999"), None);
        assert_eq!(f32_of("0x1.fffffep127"), Some(f32::MAX));
        assert_eq!(f32_of("0x1.ffffffp127"), None);
        assert_eq!(f32_of("0x1p-149"), Some(f32::from_bits(1)));
        // A tie goes to even, and a digit far behind breaks it.
        assert_eq!(f32_of("0x1000001"), Some(16777216.0));
        assert_eq!(f32_of("0x1000003"), Some(16777220.0));
        assert_eq!(f32_of("0x1000001.00000000000000000001"), Some(16777218.0));
        assert_eq!(f32_of("0x100000000000000000000p-80"), Some(1.0));
    }

    #[test]
    fn vectors() {
        let four = 4u128 << 96 | 3 << 64 | 2 << 32 | 1;
        assert_eq!(vector("i32x4:1,2,3,4"), Some(four));
        assert_eq!(vector("i32x4: 1, 2, 3, 4"), Some(four));
        assert_eq!(vector("0x00000004000000030000000200000001"), Some(four));
        assert_eq!(vector("i64x2:-1,0"), Some(u128::from(u64::MAX)));
        assert_eq!(vector("f64x2:1,0"), Some(u128::from(1f64.to_bits())));
        assert_eq!(vector("i8x16:1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0x80"), Some(0x80 << 120 | 1));
        for wrong in
            ["", "1", "i32x4:1,2,3", "i32x4:1,2,3,4,5", "i32x2:1,2", "i8x16:256", "u8x16:1"]
        {
            assert_eq!(vector(wrong), None, "{wrong:?} is no v128");
        }
    }

    #[test]
    fn printed_values_read_back() {
        let values = [
            (ValType::I32, Val::I32(-5)),
            (ValType::I64, Val::I64(i64::MIN)),
            (ValType::F32, Val::F32(1.1f32.to_bits())),
            (ValType::F32, Val::F32(f32::MAX.to_bits())),
            (ValType::F32, Val::F32(0xffa0_0001)),
            (ValType::F64, Val::F64((-0.0f64).to_bits())),
            (ValType::F64, Val::F64(f64::INFINITY.to_bits())),
            (ValType::F64, Val::F64(5e-324f64.to_bits())),
            (ValType::F64, Val::F64(F64_NAN | 1 << 63)),
            (ValType::V128, Val::V128(0x8000_0000 << 96 | 7)),
        ];
        for (ty, value) in values {
            let text = print(&value);
            let again = parse(&text, ty).map(|again| print(&again));
            assert_eq!(again.as_deref(), Ok(&*text));
        }
        assert_eq!(print(&Val::F32(f32::MAX.to_bits())), "3.4028235e38");
        assert_eq!(print(&Val::F64(0.1f64.to_bits())), "0.1");
    }
}
