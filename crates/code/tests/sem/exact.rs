//! The second definitions: lanes as exact integers, floats as mantissa and exponent.

use dunlin_code::Trap;

pub(crate) fn mask(width: u32) -> u128 {
    (1 << width) - 1
}

#[derive(Clone, Copy)]
pub(crate) struct Lane {
    pub(crate) width: u32,
    /// Read as an unsigned integer.
    pub(crate) u: i128,
    /// Read as a signed integer.
    pub(crate) s: i128,
}

pub(crate) fn lane_of(bits: u64, width: u32) -> Lane {
    let u = i128::from(bits);
    let s = if u >> (width - 1) == 1 { u - (1 << width) } else { u };
    Lane { width, u, s }
}

pub(crate) fn lane(v: u128, width: u32, i: u32) -> Lane {
    lane_of(((v >> (width * i)) & mask(width)) as u64, width)
}

/// The vector whose lane `i` is `f(i)` modulo the width.
pub(crate) fn build(width: u32, mut f: impl FnMut(u32) -> i128) -> u128 {
    (0..128 / width).fold(0, |v, i| v | (f(i) as u128 & mask(width)) << (width * i))
}

pub(crate) fn truth(holds: bool) -> i128 {
    i128::from(holds)
}

pub(crate) fn clamp_s(x: i128, width: u32) -> i128 {
    x.max(-(1 << (width - 1))).min((1 << (width - 1)) - 1)
}

pub(crate) fn clamp_u(x: i128, width: u32) -> i128 {
    x.max(0).min((1 << width) - 1)
}

pub(crate) fn count_from(a: Lane, bit: impl Fn(u32) -> u32) -> i128 {
    (0..a.width).take_while(|&i| (a.u >> bit(i)) & 1 == 0).count() as i128
}

pub(crate) type Int1 = fn(Lane) -> i128;
pub(crate) type Int2 = fn(Lane, Lane) -> i128;

pub(crate) const ADD: Int2 = |a, b| a.u + b.u;
pub(crate) const SUB: Int2 = |a, b| a.u - b.u;
pub(crate) const MUL: Int2 = |a, b| a.s * b.s;
pub(crate) const NEG: Int1 = |a| -a.s;
pub(crate) const ABS: Int1 = |a| a.s.abs();
pub(crate) const SHL: Int2 = |a, b| a.u << (b.u % i128::from(a.width));
pub(crate) const SHR_S: Int2 = |a, b| a.s >> (b.u % i128::from(a.width));
pub(crate) const SHR_U: Int2 = |a, b| a.u >> (b.u % i128::from(a.width));
pub(crate) const ROTL: Int2 = |a, b| {
    let n = b.u as u32 % a.width;
    (0..a.width).map(|i| ((a.u >> i) & 1) << ((i + n) % a.width)).sum()
};
pub(crate) const ROTR: Int2 = |a, b| {
    let n = b.u as u32 % a.width;
    (0..a.width).map(|i| ((a.u >> ((i + n) % a.width)) & 1) << i).sum()
};
pub(crate) const AND: Int2 =
    |a, b| (0..a.width).map(|i| (((a.u >> i) & 1) * ((b.u >> i) & 1)) << i).sum();
pub(crate) const OR: Int2 = |a, b| a.u + b.u - AND(a, b);
pub(crate) const XOR: Int2 = |a, b| a.u + b.u - 2 * AND(a, b);
pub(crate) const EQ: Int2 = |a, b| truth(a.u == b.u);
pub(crate) const NE: Int2 = |a, b| truth(a.u != b.u);
pub(crate) const LT_S: Int2 = |a, b| truth(a.s < b.s);
pub(crate) const LT_U: Int2 = |a, b| truth(a.u < b.u);
pub(crate) const GT_S: Int2 = |a, b| truth(a.s > b.s);
pub(crate) const GT_U: Int2 = |a, b| truth(a.u > b.u);
pub(crate) const LE_S: Int2 = |a, b| truth(a.s <= b.s);
pub(crate) const LE_U: Int2 = |a, b| truth(a.u <= b.u);
pub(crate) const GE_S: Int2 = |a, b| truth(a.s >= b.s);
pub(crate) const GE_U: Int2 = |a, b| truth(a.u >= b.u);
pub(crate) const MIN_S: Int2 = |a, b| a.s.min(b.s);
pub(crate) const MIN_U: Int2 = |a, b| a.u.min(b.u);
pub(crate) const MAX_S: Int2 = |a, b| a.s.max(b.s);
pub(crate) const MAX_U: Int2 = |a, b| a.u.max(b.u);
pub(crate) const ADD_SAT_S: Int2 = |a, b| clamp_s(a.s + b.s, a.width);
pub(crate) const ADD_SAT_U: Int2 = |a, b| clamp_u(a.u + b.u, a.width);
pub(crate) const SUB_SAT_S: Int2 = |a, b| clamp_s(a.s - b.s, a.width);
pub(crate) const SUB_SAT_U: Int2 = |a, b| clamp_u(a.u - b.u, a.width);
pub(crate) const AVGR_U: Int2 = |a, b| (a.u + b.u + 1) / 2;
pub(crate) const Q15MULR: Int2 = |a, b| clamp_s((a.s * b.s + 0x4000).div_euclid(0x8000), 16);
pub(crate) const CLZ: Int1 = |a| count_from(a, |i| a.width - 1 - i);
pub(crate) const CTZ: Int1 = |a| count_from(a, |i| i);
pub(crate) const POPCNT: Int1 = |a| (0..a.width).map(|i| (a.u >> i) & 1).sum();
pub(crate) const EQZ: Int1 = |a| truth(a.u == 0);
pub(crate) const EXTEND8: Int1 = |a| lane_of(a.u as u64 & 0xff, 8).s;
pub(crate) const EXTEND16: Int1 = |a| lane_of(a.u as u64 & 0xffff, 16).s;
pub(crate) const EXTEND32: Int1 = |a| lane_of(a.u as u64 & 0xffff_ffff, 32).s;

pub(crate) fn dot(a: u128, b: u128, i: u32) -> i128 {
    [2 * i, 2 * i + 1].map(|k| lane(a, 16, k).s * lane(b, 16, k).s).iter().sum()
}

pub(crate) const ALL_TRUE: fn(&[Lane]) -> u32 = |lanes| u32::from(lanes.iter().all(|x| x.u != 0));
pub(crate) const BITMASK: fn(&[Lane]) -> u32 =
    |lanes| lanes.iter().rev().fold(0, |mask, x| 2 * mask + u32::from(x.s < 0));

pub(crate) const COPYSIGN: Int2 =
    |a, b| a.u % (1 << (a.width - 1)) + if b.s < 0 { 1 << (a.width - 1) } else { 0 };
pub(crate) type Divide = fn(Lane, Lane) -> Result<i128, Trap>;
pub(crate) const DIV_S: Divide = |a, b| match b.s {
    0 => Err(Trap::IntegerDivisionByZero),
    _ if clamp_s(a.s / b.s, a.width) != a.s / b.s => Err(Trap::IntegerOverflow),
    _ => Ok(a.s / b.s),
};
pub(crate) const DIV_U: Divide = |a, b| a.u.checked_div(b.u).ok_or(Trap::IntegerDivisionByZero);
pub(crate) const REM_S: Divide = |a, b| a.s.checked_rem(b.s).ok_or(Trap::IntegerDivisionByZero);
pub(crate) const REM_U: Divide = |a, b| a.u.checked_rem(b.u).ok_or(Trap::IntegerDivisionByZero);

// Floats taken apart. A lane of either width is computed as `f64`, which holds every `f32`;
// rounding the `f64` result of an operation on two `f32` once more gives the `f32` result.

/// Sign, mantissa and exponent: the magnitude is mantissa × 2^exponent, infinity 2^1024.
pub(crate) fn parts(x: f64) -> (bool, u64, i32) {
    let (fraction, field) = (x.to_bits() & ((1 << 52) - 1), (x.to_bits() >> 52) & 0x7ff);
    let hidden = if field == 0 { 0 } else { 1 << 52 };
    (x.to_bits() >> 63 == 1, fraction | hidden, field.max(1) as i32 - 1075)
}

#[derive(Clone, Copy)]
pub(crate) enum Rounding {
    Nearest,
    Zero,
    Down,
    Up,
}

/// `mantissa` / 2^`shift`, rounded to an integer.
pub(crate) fn shifted(negative: bool, mantissa: u128, shift: u32, rounding: Rounding) -> u128 {
    if shift == 0 {
        return mantissa;
    }
    let (quotient, rest) = (mantissa >> shift, mantissa & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    let away = match rounding {
        Rounding::Nearest => rest > half || (rest == half && quotient % 2 == 1),
        Rounding::Zero => false,
        Rounding::Down => negative && rest != 0,
        Rounding::Up => !negative && rest != 0,
    };
    quotient + u128::from(away)
}

pub(crate) fn integral(x: f64, rounding: Rounding) -> f64 {
    let (negative, mantissa, exponent) = parts(x);
    if exponent >= 0 {
        return x;
    }
    let shift = exponent.unsigned_abs().min(100);
    let magnitude = shifted(negative, u128::from(mantissa), shift, rounding) as f64;
    if negative { -magnitude } else { magnitude }
}

/// The truncated value, or something beyond every integer type.
pub(crate) fn truncated(x: f64) -> i128 {
    let (negative, mantissa, exponent) = parts(x);
    let magnitude = match exponent {
        0.. => i128::from(mantissa) << exponent.min(70),
        _ => i128::from(mantissa) >> exponent.unsigned_abs().min(100),
    };
    if negative { -magnitude } else { magnitude }
}

/// The float of `precision` bits nearest to an integer.
pub(crate) fn nearest_float(x: i128, precision: u32) -> f64 {
    let magnitude = x.unsigned_abs();
    let shift = (128 - magnitude.leading_zeros()).saturating_sub(precision);
    let kept = shifted(false, magnitude, shift, Rounding::Nearest) as f64;
    let magnitude = kept * 2f64.powi(shift as i32);
    if x < 0 { -magnitude } else { magnitude }
}

/// Bits of the `f32` nearest to a number.
pub(crate) fn demoted(x: f64) -> u32 {
    let (negative, mantissa, exponent) = parts(x);
    let length = 64 - mantissa.leading_zeros() as i32;
    let unit = (exponent + length - 24).max(-149);
    let bits = if mantissa == 0 {
        0
    } else if unit > 104 {
        0x7f80_0000
    } else {
        let kept = if unit <= exponent {
            u128::from(mantissa) << (exponent - unit)
        } else {
            let shift = (unit - exponent) as u32;
            shifted(false, u128::from(mantissa), shift.min(100), Rounding::Nearest)
        };
        // A carry out of the mantissa counts the exponent up, to infinity at the end.
        (((unit + 150) as u32) << 23) + kept as u32 - (1 << 23)
    };
    bits | u32::from(negative) << 31
}

pub(crate) fn promoted(bits: u32) -> f64 {
    let (fraction, field) = (bits & 0x7f_ffff, (bits >> 23) & 0xff);
    let magnitude = match field {
        0xff => f64::INFINITY,
        0 => f64::from(fraction) * 2f64.powi(-149),
        _ => f64::from(fraction | 1 << 23) * 2f64.powi(field as i32 - 150),
    };
    if bits >> 31 == 1 { -magnitude } else { magnitude }
}

pub(crate) fn is_nan(bits: u64, width: u32) -> bool {
    bits & (mask(width - 1) as u64) > classes(width).0
}

pub(crate) fn is_canonical(bits: u64, width: u32) -> bool {
    let (infinity, quiet) = classes(width);
    bits & (mask(width - 1) as u64) == infinity | quiet
}

pub(crate) fn number(bits: u64, width: u32) -> f64 {
    if is_nan(bits, width) {
        f64::NAN
    } else if width == 32 {
        promoted(bits as u32)
    } else {
        f64::from_bits(bits)
    }
}

/// Holds `got` to what the specification allows: the bits of the result, or, where it is not a
/// number, a canonical NaN if all NaN operands are canonical, and any quiet NaN otherwise.
pub(crate) fn check_float(name: &str, from: u32, operands: &[u64], to: u32, want: f64, got: u64) {
    let allowed = if want.is_nan() {
        let mut nans = operands.iter().filter(|&&bits| is_nan(bits, from));
        let quiet = got & classes(to).1 != 0;
        is_nan(got, to)
            && if nans.all(|&x| is_canonical(x, from)) { is_canonical(got, to) } else { quiet }
    } else if to == 32 {
        got == u64::from(demoted(want))
    } else {
        got == want.to_bits()
    };
    assert!(allowed, "{name} of {operands:x?}: {got:x}, expected {want:e}");
}

pub(crate) type Float1 = fn(f64) -> f64;
pub(crate) type Float2 = fn(f64, f64) -> f64;

pub(crate) const FMIN: Float2 = |a, b| match a.partial_cmp(&b) {
    None => f64::NAN,
    Some(order) if order.is_lt() => a,
    Some(order) if order.is_gt() => b,
    _ => {
        if a.is_sign_negative() {
            a
        } else {
            b
        }
    }
};
pub(crate) const FMAX: Float2 = |a, b| -FMIN(-a, -b);
pub(crate) const NEAREST: Float1 = |a| if a.is_nan() { a } else { integral(a, Rounding::Nearest) };
pub(crate) const TRUNC: Float1 = |a| if a.is_nan() { a } else { integral(a, Rounding::Zero) };
pub(crate) const FLOOR: Float1 = |a| if a.is_nan() { a } else { integral(a, Rounding::Down) };
pub(crate) const CEIL: Float1 = |a| if a.is_nan() { a } else { integral(a, Rounding::Up) };
pub(crate) const SQRT: Float1 = |a| a.sqrt();
/// What a lane-wise selection takes: the second operand?
pub(crate) const PMIN: fn(f64, f64) -> bool = |a, b| b < a;
pub(crate) const PMAX: fn(f64, f64) -> bool = |a, b| a < b;

pub(crate) type Clamp = fn(i128, u32) -> i128;

pub(crate) fn saturating(x: f64, clamp: Clamp, width: u32) -> Result<i128, Trap> {
    Ok(if x.is_nan() { 0 } else { clamp(truncated(x), width) })
}

pub(crate) fn trapping(x: f64, clamp: Clamp, width: u32) -> Result<i128, Trap> {
    if x.is_nan() {
        return Err(Trap::BadConversionToInteger);
    }
    let whole = truncated(x);
    if clamp(whole, width) == whole { Ok(whole) } else { Err(Trap::IntegerOverflow) }
}

/// Bits of infinity, and the bit that makes a NaN quiet.
pub(crate) fn classes(width: u32) -> (u64, u64) {
    if width == 32 { (0x7f80_0000, 0x40_0000) } else { (0x7ff << 52, 1 << 51) }
}
