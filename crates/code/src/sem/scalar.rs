//! The scalar numeric instructions.

use crate::Trap;
use crate::object::I31_TAG;

/// Defines functions that always inline, one per line.
macro_rules! scalar {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $result:ty = $body:expr;)*) => {$(
        #[inline(always)]
        pub fn $name($($arg: $ty),*) -> $result {
            $body
        }
    )*};
}

scalar! {
    i32_clz(x: u32) -> u32 = x.leading_zeros();
    i32_ctz(x: u32) -> u32 = x.trailing_zeros();
    i32_popcnt(x: u32) -> u32 = x.count_ones();
    i32_extend8_s(x: u32) -> u32 = x as i8 as u32;
    i32_extend16_s(x: u32) -> u32 = x as i16 as u32;
    i32_add(a: u32, b: u32) -> u32 = a.wrapping_add(b);
    i32_sub(a: u32, b: u32) -> u32 = a.wrapping_sub(b);
    i32_mul(a: u32, b: u32) -> u32 = a.wrapping_mul(b);
    i32_and(a: u32, b: u32) -> u32 = a & b;
    i32_or(a: u32, b: u32) -> u32 = a | b;
    i32_xor(a: u32, b: u32) -> u32 = a ^ b;
    i32_shl(a: u32, b: u32) -> u32 = a.wrapping_shl(b);
    i32_shr_s(a: u32, b: u32) -> u32 = (a as i32).wrapping_shr(b) as u32;
    i32_shr_u(a: u32, b: u32) -> u32 = a.wrapping_shr(b);
    i32_rotl(a: u32, b: u32) -> u32 = a.rotate_left(b & 31);
    i32_rotr(a: u32, b: u32) -> u32 = a.rotate_right(b & 31);
    i32_and_nz(a: u32, b: u32) -> bool = a & b != 0;
    i32_eqz(x: u32) -> bool = x == 0;
    i32_eq(a: u32, b: u32) -> bool = a == b;
    i32_ne(a: u32, b: u32) -> bool = a != b;
    i32_lt_s(a: u32, b: u32) -> bool = (a as i32) < b as i32;
    i32_lt_u(a: u32, b: u32) -> bool = a < b;
    i32_gt_s(a: u32, b: u32) -> bool = a as i32 > b as i32;
    i32_gt_u(a: u32, b: u32) -> bool = a > b;
    i32_le_s(a: u32, b: u32) -> bool = a as i32 <= b as i32;
    i32_le_u(a: u32, b: u32) -> bool = a <= b;
    i32_ge_s(a: u32, b: u32) -> bool = a as i32 >= b as i32;
    i32_ge_u(a: u32, b: u32) -> bool = a >= b;

    i64_clz(x: u64) -> u64 = u64::from(x.leading_zeros());
    i64_ctz(x: u64) -> u64 = u64::from(x.trailing_zeros());
    i64_popcnt(x: u64) -> u64 = u64::from(x.count_ones());
    i64_extend8_s(x: u64) -> u64 = x as i8 as u64;
    i64_extend16_s(x: u64) -> u64 = x as i16 as u64;
    i64_extend32_s(x: u64) -> u64 = x as i32 as u64;
    i64_add(a: u64, b: u64) -> u64 = a.wrapping_add(b);
    i64_sub(a: u64, b: u64) -> u64 = a.wrapping_sub(b);
    i64_mul(a: u64, b: u64) -> u64 = a.wrapping_mul(b);
    i64_and(a: u64, b: u64) -> u64 = a & b;
    i64_or(a: u64, b: u64) -> u64 = a | b;
    i64_xor(a: u64, b: u64) -> u64 = a ^ b;
    i64_shl(a: u64, b: u64) -> u64 = a.wrapping_shl(b as u32);
    i64_shr_s(a: u64, b: u64) -> u64 = (a as i64).wrapping_shr(b as u32) as u64;
    i64_shr_u(a: u64, b: u64) -> u64 = a.wrapping_shr(b as u32);
    i64_rotl(a: u64, b: u64) -> u64 = a.rotate_left(b as u32 & 63);
    i64_rotr(a: u64, b: u64) -> u64 = a.rotate_right(b as u32 & 63);
    i64_eqz(x: u64) -> bool = x == 0;
    ref_i31(x: u32) -> u32 = x << 1 | I31_TAG;
    i31_get_s(x: u32) -> Result<u32, Trap> =
        if x == 0 { Err(Trap::NullI31) } else { Ok((x as i32 >> 1) as u32) };
    i31_get_u(x: u32) -> Result<u32, Trap> =
        if x == 0 { Err(Trap::NullI31) } else { Ok(x >> 1) };
    i64_eq(a: u64, b: u64) -> bool = a == b;
    i64_ne(a: u64, b: u64) -> bool = a != b;
    i64_lt_s(a: u64, b: u64) -> bool = (a as i64) < b as i64;
    i64_lt_u(a: u64, b: u64) -> bool = a < b;
    i64_gt_s(a: u64, b: u64) -> bool = a as i64 > b as i64;
    i64_gt_u(a: u64, b: u64) -> bool = a > b;
    i64_le_s(a: u64, b: u64) -> bool = a as i64 <= b as i64;
    i64_le_u(a: u64, b: u64) -> bool = a <= b;
    i64_ge_s(a: u64, b: u64) -> bool = a as i64 >= b as i64;
    i64_ge_u(a: u64, b: u64) -> bool = a >= b;
}

/// Division, which traps on a zero divisor and where the quotient is not representable.
macro_rules! division {
    ($($unsigned:ident $signed:ident: $div_s:ident $div_u:ident $rem_s:ident $rem_u:ident;)*) => {$(
        #[inline(always)]
        pub fn $div_s(a: $unsigned, b: $unsigned) -> Result<$unsigned, Trap> {
            if b == 0 {
                return Err(Trap::IntegerDivisionByZero);
            }
            match (a as $signed).checked_div(b as $signed) {
                Some(quotient) => Ok(quotient as $unsigned),
                None => Err(Trap::IntegerOverflow),
            }
        }

        #[inline(always)]
        pub fn $div_u(a: $unsigned, b: $unsigned) -> Result<$unsigned, Trap> {
            a.checked_div(b).ok_or(Trap::IntegerDivisionByZero)
        }

        #[inline(always)]
        pub fn $rem_s(a: $unsigned, b: $unsigned) -> Result<$unsigned, Trap> {
            if b == 0 {
                return Err(Trap::IntegerDivisionByZero);
            }
            Ok((a as $signed).wrapping_rem(b as $signed) as $unsigned)
        }

        #[inline(always)]
        pub fn $rem_u(a: $unsigned, b: $unsigned) -> Result<$unsigned, Trap> {
            a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero)
        }
    )*};
}

division! {
    u32 i32: i32_div_s i32_div_u i32_rem_s i32_rem_u;
    u64 i64: i64_div_s i64_div_u i64_rem_s i64_rem_u;
}

scalar! {
    f32_abs(x: f32) -> f32 = x.abs();
    f32_neg(x: f32) -> f32 = -x;
    f32_sqrt(x: f32) -> f32 = x.sqrt();
    f32_add(a: f32, b: f32) -> f32 = a + b;
    f32_sub(a: f32, b: f32) -> f32 = a - b;
    f32_mul(a: f32, b: f32) -> f32 = a * b;
    f32_div(a: f32, b: f32) -> f32 = a / b;
    f32_copysign(a: f32, b: f32) -> f32 = a.copysign(b);
    f32_eq(a: f32, b: f32) -> bool = a == b;
    f32_ne(a: f32, b: f32) -> bool = a != b;
    f32_lt(a: f32, b: f32) -> bool = a < b;
    f32_gt(a: f32, b: f32) -> bool = a > b;
    f32_le(a: f32, b: f32) -> bool = a <= b;
    f32_ge(a: f32, b: f32) -> bool = a >= b;

    f64_abs(x: f64) -> f64 = x.abs();
    f64_neg(x: f64) -> f64 = -x;
    f64_sqrt(x: f64) -> f64 = x.sqrt();
    f64_add(a: f64, b: f64) -> f64 = a + b;
    f64_sub(a: f64, b: f64) -> f64 = a - b;
    f64_mul(a: f64, b: f64) -> f64 = a * b;
    f64_div(a: f64, b: f64) -> f64 = a / b;
    f64_copysign(a: f64, b: f64) -> f64 = a.copysign(b);
    f64_eq(a: f64, b: f64) -> bool = a == b;
    f64_ne(a: f64, b: f64) -> bool = a != b;
    f64_lt(a: f64, b: f64) -> bool = a < b;
    f64_gt(a: f64, b: f64) -> bool = a > b;
    f64_le(a: f64, b: f64) -> bool = a <= b;
    f64_ge(a: f64, b: f64) -> bool = a >= b;
}

/// Minimum, maximum and rounding, in operations every machine has and no library call.
///
/// Rounding: the magnitude plus and minus `$integral`, the least value above which all floats are
/// integers, is the magnitude rounded to nearest, ties to even; comparing it with the operand
/// gives the directed roundings. The copied sign makes zeros right, and a NaN takes the path of
/// the sum, which quiets it.
macro_rules! float {
    ($($float:ident, $integral:literal: $min:ident $max:ident
        $nearest:ident $trunc:ident $floor:ident $ceil:ident;)*) => {$(
        /// Both selections agree unless the operands are zeros, whose signs the union merges.
        #[inline(always)]
        pub fn $min(a: $float, b: $float) -> $float {
            let first = if a < b { a } else { b };
            let second = if b < a { b } else { a };
            let least = $float::from_bits(first.to_bits() | second.to_bits());
            if a.is_nan() | b.is_nan() { a + b } else { least }
        }

        /// As the minimum, with the signs of zeros intersected.
        #[inline(always)]
        pub fn $max(a: $float, b: $float) -> $float {
            let first = if a > b { a } else { b };
            let second = if b > a { b } else { a };
            let greatest = $float::from_bits(first.to_bits() & second.to_bits());
            if a.is_nan() | b.is_nan() { a + b } else { greatest }
        }

        #[inline(always)]
        pub fn $nearest(x: $float) -> $float {
            let magnitude = x.abs();
            let nearest = (magnitude + $integral) - $integral;
            if magnitude >= $integral { x } else { nearest.copysign(x) }
        }

        #[inline(always)]
        pub fn $trunc(x: $float) -> $float {
            let magnitude = x.abs();
            let nearest = (magnitude + $integral) - $integral;
            let trunc = nearest - if nearest > magnitude { 1.0 } else { 0.0 };
            if magnitude >= $integral { x } else { trunc.copysign(x) }
        }

        #[inline(always)]
        pub fn $floor(x: $float) -> $float {
            let nearest = $nearest(x);
            let floor = nearest - if nearest > x { 1.0 } else { 0.0 };
            floor.copysign(x)
        }

        #[inline(always)]
        pub fn $ceil(x: $float) -> $float {
            let nearest = $nearest(x);
            let ceil = nearest - if nearest < x { -1.0 } else { 0.0 };
            ceil.copysign(x)
        }
    )*};
}

float! {
    f32, 8_388_608.0: f32_min f32_max f32_nearest f32_trunc f32_floor f32_ceil;
    f64, 4_503_599_627_370_496.0: f64_min f64_max f64_nearest f64_trunc f64_floor f64_ceil;
}

scalar! {
    i32_wrap_i64(x: u64) -> u32 = x as u32;
    i64_extend_i32_s(x: u32) -> u64 = x as i32 as u64;
    i64_extend_i32_u(x: u32) -> u64 = u64::from(x);
    f32_convert_i32_s(x: u32) -> f32 = x as i32 as f32;
    f32_convert_i32_u(x: u32) -> f32 = x as f32;
    f32_convert_i64_s(x: u64) -> f32 = x as i64 as f32;
    f32_convert_i64_u(x: u64) -> f32 = x as f32;
    f64_convert_i32_s(x: u32) -> f64 = f64::from(x as i32);
    f64_convert_i32_u(x: u32) -> f64 = f64::from(x);
    f64_convert_i64_s(x: u64) -> f64 = x as i64 as f64;
    f64_convert_i64_u(x: u64) -> f64 = x as f64;
    f32_demote_f64(x: f64) -> f32 = x as f32;
    f64_promote_f32(x: f32) -> f64 = f64::from(x);
    i32_reinterpret_f32(x: f32) -> u32 = x.to_bits();
    i64_reinterpret_f64(x: f64) -> u64 = x.to_bits();
    f32_reinterpret_i32(x: u32) -> f32 = f32::from_bits(x);
    f64_reinterpret_i64(x: u64) -> f64 = f64::from_bits(x);

    i32_trunc_sat_f32_s(x: f32) -> u32 = x as i32 as u32;
    i32_trunc_sat_f32_u(x: f32) -> u32 = x as u32;
    i32_trunc_sat_f64_s(x: f64) -> u32 = x as i32 as u32;
    i32_trunc_sat_f64_u(x: f64) -> u32 = x as u32;
    i64_trunc_sat_f32_s(x: f32) -> u64 = x as i64 as u64;
    i64_trunc_sat_f32_u(x: f32) -> u64 = x as u64;
    i64_trunc_sat_f64_s(x: f64) -> u64 = x as i64 as u64;
    i64_trunc_sat_f64_u(x: f64) -> u64 = x as u64;
}

/// Truncations that trap on operands not between two bounds; NaN never is.
macro_rules! truncation {
    ($($name:ident: $float:ty => $int:ty as $bits:ty,
        x $above:tt $low:literal, x < $high:literal;)*) => {$(
        #[inline(always)]
        pub fn $name(x: $float) -> Result<$bits, Trap> {
            let (above, below) = (x $above $low, x < $high);
            if above & below {
                Ok(x as $int as $bits)
            } else {
                Err(truncation_trap(x.is_nan()))
            }
        }
    )*};
}

// The lower bound is the integer below the range, or, where that is no float, the least inside.
truncation! {
    i32_trunc_f32_s: f32 => i32 as u32, x >= -2_147_483_648.0, x < 2_147_483_648.0;
    i32_trunc_f32_u: f32 => u32 as u32, x > -1.0, x < 4_294_967_296.0;
    i32_trunc_f64_s: f64 => i32 as u32, x > -2_147_483_649.0, x < 2_147_483_648.0;
    i32_trunc_f64_u: f64 => u32 as u32, x > -1.0, x < 4_294_967_296.0;
    i64_trunc_f32_s: f32 => i64 as u64,
        x >= -9_223_372_036_854_775_808.0, x < 9_223_372_036_854_775_808.0;
    i64_trunc_f32_u: f32 => u64 as u64, x > -1.0, x < 18_446_744_073_709_551_616.0;
    i64_trunc_f64_s: f64 => i64 as u64,
        x >= -9_223_372_036_854_775_808.0, x < 9_223_372_036_854_775_808.0;
    i64_trunc_f64_u: f64 => u64 as u64, x > -1.0, x < 18_446_744_073_709_551_616.0;
}

#[cold]
fn truncation_trap(is_nan: bool) -> Trap {
    if is_nan { Trap::BadConversionToInteger } else { Trap::IntegerOverflow }
}

#[inline(always)]
fn join(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

#[inline(always)]
fn split(x: u128) -> (u64, u64) {
    (x as u64, (x >> 64) as u64)
}

// Wide arithmetic: operands and results are (low, high) halves of 128 bits.
scalar! {
    i64_add128(a_low: u64, a_high: u64, b_low: u64, b_high: u64) -> (u64, u64) =
        split(join(a_low, a_high).wrapping_add(join(b_low, b_high)));
    i64_sub128(a_low: u64, a_high: u64, b_low: u64, b_high: u64) -> (u64, u64) =
        split(join(a_low, a_high).wrapping_sub(join(b_low, b_high)));
    i64_mul_wide_s(a: u64, b: u64) -> (u64, u64) =
        split((i128::from(a as i64) * i128::from(b as i64)) as u128);
    i64_mul_wide_u(a: u64, b: u64) -> (u64, u64) = split(u128::from(a) * u128::from(b));
}
