//! Bitwise operations on `v128` and the integer arithmetic of its lanes.

use super::{V128, i8x16, i16x8, i32x4, i64x2, lanewise, u8x16, u16x8, u32x4, u64x2};

// Bitwise.
lanewise! {
    v128_not(a) = u64x2::map(a, |x| !x);
    v128_and(a, b) = u64x2::zip(a, b, |x, y| x & y);
    v128_andnot(a, b) = u64x2::zip(a, b, |x, y| x & !y);
    v128_or(a, b) = u64x2::zip(a, b, |x, y| x | y);
    v128_xor(a, b) = u64x2::zip(a, b, |x, y| x ^ y);
    v128_bitselect(a, b, c) = v128_or(v128_and(a, c), v128_andnot(b, c));
}

// Comparisons.
lanewise! {
    i8x16_eq(a, b) = u8x16::test(a, b, u8::eq);
    i8x16_ne(a, b) = u8x16::test(a, b, u8::ne);
    i8x16_lt_s(a, b) = i8x16::test(a, b, i8::lt);
    i8x16_lt_u(a, b) = u8x16::test(a, b, u8::lt);
    i8x16_gt_s(a, b) = i8x16::test(a, b, i8::gt);
    i8x16_gt_u(a, b) = u8x16::test(a, b, u8::gt);
    i8x16_le_s(a, b) = i8x16::test(a, b, i8::le);
    i8x16_le_u(a, b) = u8x16::test(a, b, u8::le);
    i8x16_ge_s(a, b) = i8x16::test(a, b, i8::ge);
    i8x16_ge_u(a, b) = u8x16::test(a, b, u8::ge);

    i16x8_eq(a, b) = u16x8::test(a, b, u16::eq);
    i16x8_ne(a, b) = u16x8::test(a, b, u16::ne);
    i16x8_lt_s(a, b) = i16x8::test(a, b, i16::lt);
    i16x8_lt_u(a, b) = u16x8::test(a, b, u16::lt);
    i16x8_gt_s(a, b) = i16x8::test(a, b, i16::gt);
    i16x8_gt_u(a, b) = u16x8::test(a, b, u16::gt);
    i16x8_le_s(a, b) = i16x8::test(a, b, i16::le);
    i16x8_le_u(a, b) = u16x8::test(a, b, u16::le);
    i16x8_ge_s(a, b) = i16x8::test(a, b, i16::ge);
    i16x8_ge_u(a, b) = u16x8::test(a, b, u16::ge);

    i32x4_eq(a, b) = u32x4::test(a, b, u32::eq);
    i32x4_ne(a, b) = u32x4::test(a, b, u32::ne);
    i32x4_lt_s(a, b) = i32x4::test(a, b, i32::lt);
    i32x4_lt_u(a, b) = u32x4::test(a, b, u32::lt);
    i32x4_gt_s(a, b) = i32x4::test(a, b, i32::gt);
    i32x4_gt_u(a, b) = u32x4::test(a, b, u32::gt);
    i32x4_le_s(a, b) = i32x4::test(a, b, i32::le);
    i32x4_le_u(a, b) = u32x4::test(a, b, u32::le);
    i32x4_ge_s(a, b) = i32x4::test(a, b, i32::ge);
    i32x4_ge_u(a, b) = u32x4::test(a, b, u32::ge);

    i64x2_eq(a, b) = u64x2::test(a, b, u64::eq);
    i64x2_ne(a, b) = u64x2::test(a, b, u64::ne);
    i64x2_lt_s(a, b) = i64x2::test(a, b, i64::lt);
    i64x2_gt_s(a, b) = i64x2::test(a, b, i64::gt);
    i64x2_le_s(a, b) = i64x2::test(a, b, i64::le);
    i64x2_ge_s(a, b) = i64x2::test(a, b, i64::ge);
}

// Arithmetic within a lane.
lanewise! {
    i8x16_abs(a) = i8x16::map(a, i8::wrapping_abs);
    i8x16_neg(a) = i8x16::map(a, i8::wrapping_neg);
    i8x16_popcnt(a) = u8x16::map(a, |x| x.count_ones() as u8);
    i8x16_add(a, b) = u8x16::zip(a, b, u8::wrapping_add);
    i8x16_add_sat_s(a, b) = i8x16::zip(a, b, i8::saturating_add);
    i8x16_add_sat_u(a, b) = u8x16::zip(a, b, u8::saturating_add);
    i8x16_sub(a, b) = u8x16::zip(a, b, u8::wrapping_sub);
    i8x16_sub_sat_s(a, b) = i8x16::zip(a, b, i8::saturating_sub);
    i8x16_sub_sat_u(a, b) = u8x16::zip(a, b, u8::saturating_sub);
    i8x16_min_s(a, b) = i8x16::zip(a, b, i8::min);
    i8x16_min_u(a, b) = u8x16::zip(a, b, u8::min);
    i8x16_max_s(a, b) = i8x16::zip(a, b, i8::max);
    i8x16_max_u(a, b) = u8x16::zip(a, b, u8::max);
    i8x16_avgr_u(a, b) = u8x16::zip(a, b, |x, y| ((u16::from(x) + u16::from(y) + 1) >> 1) as u8);

    i16x8_abs(a) = i16x8::map(a, i16::wrapping_abs);
    i16x8_neg(a) = i16x8::map(a, i16::wrapping_neg);
    i16x8_add(a, b) = u16x8::zip(a, b, u16::wrapping_add);
    i16x8_add_sat_s(a, b) = i16x8::zip(a, b, i16::saturating_add);
    i16x8_add_sat_u(a, b) = u16x8::zip(a, b, u16::saturating_add);
    i16x8_sub(a, b) = u16x8::zip(a, b, u16::wrapping_sub);
    i16x8_sub_sat_s(a, b) = i16x8::zip(a, b, i16::saturating_sub);
    i16x8_sub_sat_u(a, b) = u16x8::zip(a, b, u16::saturating_sub);
    i16x8_mul(a, b) = u16x8::zip(a, b, u16::wrapping_mul);
    i16x8_min_s(a, b) = i16x8::zip(a, b, i16::min);
    i16x8_min_u(a, b) = u16x8::zip(a, b, u16::min);
    i16x8_max_s(a, b) = i16x8::zip(a, b, i16::max);
    i16x8_max_u(a, b) = u16x8::zip(a, b, u16::max);
    i16x8_avgr_u(a, b) = u16x8::zip(a, b, |x, y| ((u32::from(x) + u32::from(y) + 1) >> 1) as u16);
    // Only -1 * -1 leaves the range, and wraps to where no other product comes.
    i16x8_q15mulr_sat_s(a, b) = i16x8::zip(a, b, |x, y| {
        let wrapped = ((i32::from(x) * i32::from(y) + 0x4000) >> 15) as i16;
        wrapped ^ if wrapped == i16::MIN { !0 } else { 0 }
    });

    i32x4_abs(a) = i32x4::map(a, i32::wrapping_abs);
    i32x4_neg(a) = i32x4::map(a, i32::wrapping_neg);
    i32x4_add(a, b) = u32x4::zip(a, b, u32::wrapping_add);
    i32x4_sub(a, b) = u32x4::zip(a, b, u32::wrapping_sub);
    i32x4_mul(a, b) = u32x4::zip(a, b, u32::wrapping_mul);
    i32x4_min_s(a, b) = i32x4::zip(a, b, i32::min);
    i32x4_min_u(a, b) = u32x4::zip(a, b, u32::min);
    i32x4_max_s(a, b) = i32x4::zip(a, b, i32::max);
    i32x4_max_u(a, b) = u32x4::zip(a, b, u32::max);

    i64x2_abs(a) = i64x2::map(a, i64::wrapping_abs);
    i64x2_neg(a) = i64x2::map(a, i64::wrapping_neg);
    i64x2_add(a, b) = u64x2::zip(a, b, u64::wrapping_add);
    i64x2_sub(a, b) = u64x2::zip(a, b, u64::wrapping_sub);
    i64x2_mul(a, b) = u64x2::zip(a, b, u64::wrapping_mul);
}

/// Shifts of every lane by the same amount, modulo the lane width.
macro_rules! shifts {
    ($($name:ident = $shape:ident $lane:ident $op:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(v: V128, amount: u32) -> V128 {
            $shape::map(v, |x| $lane::$op(x, amount))
        }
    )*};
}

shifts! {
    i8x16_shl = u8x16 u8 wrapping_shl;
    i8x16_shr_s = i8x16 i8 wrapping_shr;
    i8x16_shr_u = u8x16 u8 wrapping_shr;
    i16x8_shl = u16x8 u16 wrapping_shl;
    i16x8_shr_s = i16x8 i16 wrapping_shr;
    i16x8_shr_u = u16x8 u16 wrapping_shr;
    i32x4_shl = u32x4 u32 wrapping_shl;
    i32x4_shr_s = i32x4 i32 wrapping_shr;
    i32x4_shr_u = u32x4 u32 wrapping_shr;
    i64x2_shl = u64x2 u64 wrapping_shl;
    i64x2_shr_s = i64x2 i64 wrapping_shr;
    i64x2_shr_u = u64x2 u64 wrapping_shr;
}

/// Lanes of `$to` made from pairs or halves of lanes of `$from`, in the wider type.
macro_rules! widening {
    (extmul: $($low:ident $high:ident = $from:ident $to:ident $wide:ident;)*) => {$(
        #[inline(always)]
        pub fn $low(a: V128, b: V128) -> V128 {
            let (a, b) = ($from::unpack(a), $from::unpack(b));
            $to::make(|i| $wide::from(a[i]) * $wide::from(b[i]))
        }

        #[inline(always)]
        pub fn $high(a: V128, b: V128) -> V128 {
            let (a, b) = ($from::unpack(a), $from::unpack(b));
            let half = a.len() / 2;
            $to::make(|i| $wide::from(a[half + i]) * $wide::from(b[half + i]))
        }
    )*};
    (extadd_pairwise: $($name:ident = $from:ident $to:ident $wide:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(v: V128) -> V128 {
            let v = $from::unpack(v);
            $to::make(|i| $wide::from(v[2 * i]) + $wide::from(v[2 * i + 1]))
        }
    )*};
}

widening! {
    extmul:
    i16x8_extmul_low_i8x16_s i16x8_extmul_high_i8x16_s = i8x16 i16x8 i16;
    i16x8_extmul_low_i8x16_u i16x8_extmul_high_i8x16_u = u8x16 u16x8 u16;
    i32x4_extmul_low_i16x8_s i32x4_extmul_high_i16x8_s = i16x8 i32x4 i32;
    i32x4_extmul_low_i16x8_u i32x4_extmul_high_i16x8_u = u16x8 u32x4 u32;
    i64x2_extmul_low_i32x4_s i64x2_extmul_high_i32x4_s = i32x4 i64x2 i64;
    i64x2_extmul_low_i32x4_u i64x2_extmul_high_i32x4_u = u32x4 u64x2 u64;
}

widening! {
    extadd_pairwise:
    i16x8_extadd_pairwise_i8x16_s = i8x16 i16x8 i16;
    i16x8_extadd_pairwise_i8x16_u = u8x16 u16x8 u16;
    i32x4_extadd_pairwise_i16x8_s = i16x8 i32x4 i32;
    i32x4_extadd_pairwise_i16x8_u = u16x8 u32x4 u32;
}

/// Sums of products of the two halves of each lane; four times -32768 wraps.
#[inline(always)]
pub fn i32x4_dot_i16x8_s(a: V128, b: V128) -> V128 {
    i32x4::zip(a, b, |x, y| {
        let low = i32::from(x as i16) * i32::from(y as i16);
        let high = (x >> 16) * (y >> 16);
        low.wrapping_add(high)
    })
}

// Tests of a whole value. Each works on two 64-bit halves, many lanes at a time.

#[inline(always)]
pub fn v128_any_true(v: V128) -> u32 {
    let [low, high] = u64x2::unpack(v);
    u32::from(low | high != 0)
}

/// Whether no lane is zero, where `low_bits` has all bits but the top one of each lane: adding it
/// to a lane's low bits carries into the top bit exactly if one of them is set.
#[inline(always)]
fn all_true(v: V128, low_bits: u64) -> u32 {
    let nonzero = |x: u64| ((x & low_bits) + low_bits) | x;
    let [low, high] = u64x2::unpack(v);
    u32::from((nonzero(low) & nonzero(high)) | low_bits == !0)
}

#[inline(always)]
pub fn i8x16_all_true(v: V128) -> u32 {
    all_true(v, 0x7f7f_7f7f_7f7f_7f7f)
}

#[inline(always)]
pub fn i16x8_all_true(v: V128) -> u32 {
    all_true(v, 0x7fff_7fff_7fff_7fff)
}

#[inline(always)]
pub fn i32x4_all_true(v: V128) -> u32 {
    all_true(v, 0x7fff_ffff_7fff_ffff)
}

#[inline(always)]
pub fn i64x2_all_true(v: V128) -> u32 {
    let [low, high] = u64x2::unpack(v);
    u32::from((low != 0) & (high != 0))
}

/// The product moves the sign of byte `i`, brought to bit `8 * i`, to bit `56 + i`.
#[inline(always)]
pub fn i8x16_bitmask(v: V128) -> u32 {
    let signs = |x: u64| {
        (((x >> 7) & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    };
    let [low, high] = u64x2::unpack(v);
    signs(low) | signs(high) << 8
}

/// The product moves the sign of lane `i`, brought to bit `16 * i`, to bit `48 + i`.
#[inline(always)]
pub fn i16x8_bitmask(v: V128) -> u32 {
    let signs = |x: u64| {
        (((x >> 15) & 0x0001_0001_0001_0001).wrapping_mul(0x0001_0002_0004_0008) >> 48) as u32
    };
    let [low, high] = u64x2::unpack(v);
    signs(low) | signs(high) << 4
}

#[inline(always)]
pub fn i32x4_bitmask(v: V128) -> u32 {
    let signs = |x: u64| ((x >> 31) & 1 | (x >> 62) & 2) as u32;
    let [low, high] = u64x2::unpack(v);
    signs(low) | signs(high) << 2
}

#[inline(always)]
pub fn i64x2_bitmask(v: V128) -> u32 {
    let [low, high] = u64x2::unpack(v);
    ((low >> 63) | (high >> 62) & 2) as u32
}
