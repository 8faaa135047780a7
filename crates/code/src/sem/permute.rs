//! Moving lanes: shuffles, splats, single lanes, and what loads and stores make of their bytes.

use std::array::from_fn;

use super::convert_lanes::{
    i16x8_extend_low_i8x16_s, i16x8_extend_low_i8x16_u, i32x4_extend_low_i16x8_s,
    i32x4_extend_low_i16x8_u, i64x2_extend_low_i32x4_s, i64x2_extend_low_i32x4_u,
};
use super::{V128, f32x4, f64x2, i8x16, i16x8, lanewise, u8x16, u16x8, u32x4, u64x2};

/// The value whose byte `i` is `byte(i)`, put together in two registers.
#[inline(always)]
fn gather(byte: impl Fn(usize) -> u8) -> V128 {
    let half = |from: usize| u64::from_le_bytes(from_fn(|i| byte(from + i)));
    u64x2::pack([half(0), half(8)])
}

/// Byte `i` of the result is byte `lanes[i]` of the 32 bytes `a`, `b`.
#[inline(always)]
pub fn i8x16_shuffle(a: V128, b: V128, lanes: [u8; 16]) -> V128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&a.0);
    bytes[16..].copy_from_slice(&b.0);
    gather(|i| bytes[usize::from(lanes[i] % 32)])
}

/// Byte `i` of the result is byte `s[i]` of `a`, or zero if there is none. Clearing the rest of a
/// table that any index fits costs less than comparing every index.
#[inline(always)]
pub fn i8x16_swizzle(a: V128, s: V128) -> V128 {
    let mut bytes = [0; 256];
    bytes[..16].copy_from_slice(&a.0);
    gather(|i| bytes[usize::from(s.0[i])])
}

/// For each lane of `width` bytes, the value that has all ones there and zeros elsewhere.
///
/// A lane is replaced by selecting with one of these, and not by storing to one element: loading
/// the whole value back would have to wait for that store to leave the store buffer.
const fn lane_masks<const LANES: usize>(width: usize) -> [V128; LANES] {
    let mut masks = [V128::ZERO; LANES];
    let mut i = 0;
    while i < 16 {
        masks[i / width].0[i] = 0xff;
        i += 1;
    }
    masks
}

/// Splats, lane reads and lane writes. `$value` is the scalar type on the operand stack, `$lane`
/// the integer type of the lane.
macro_rules! lanes {
    ($($shape:ident: $splat:ident, $replace:ident, $value:ty => $lane:ty, $to_lane:expr;)*) => {$(
        #[inline(always)]
        pub fn $splat(x: $value) -> V128 {
            let x: $lane = $to_lane(x);
            $shape::make(|_| x)
        }

        #[inline(always)]
        pub fn $replace(v: V128, lane: u8, x: $value) -> V128 {
            const MASKS: [V128; 16 / size_of::<$lane>()] = lane_masks(size_of::<$lane>());
            let mask = $shape::unpack(MASKS[usize::from(lane) % MASKS.len()]);
            let v = $shape::unpack(v);
            let x: $lane = $to_lane(x);
            $shape::make(|i| (v[i] & !mask[i]) | (x & mask[i]))
        }
    )*};
    (extract: $($name:ident = $shape:ident -> $value:ty;)*) => {$(
        #[inline(always)]
        pub fn $name(v: V128, lane: u8) -> $value {
            let v = $shape::unpack(v);
            v[usize::from(lane) % v.len()] as $value
        }
    )*};
}

lanes! {
    u8x16: i8x16_splat, i8x16_replace_lane, u32 => u8, |x| x as u8;
    u16x8: i16x8_splat, i16x8_replace_lane, u32 => u16, |x| x as u16;
    u32x4: i32x4_splat, i32x4_replace_lane, u32 => u32, |x| x;
    u64x2: i64x2_splat, i64x2_replace_lane, u64 => u64, |x| x;
    u32x4: f32x4_splat, f32x4_replace_lane, f32 => u32, f32::to_bits;
    u64x2: f64x2_splat, f64x2_replace_lane, f64 => u64, f64::to_bits;
}

lanes! {
    extract:
    i8x16_extract_lane_s = i8x16 -> u32;
    i8x16_extract_lane_u = u8x16 -> u32;
    i16x8_extract_lane_s = i16x8 -> u32;
    i16x8_extract_lane_u = u16x8 -> u32;
    i32x4_extract_lane = u32x4 -> u32;
    i64x2_extract_lane = u64x2 -> u64;
    f32x4_extract_lane = f32x4 -> f32;
    f64x2_extract_lane = f64x2 -> f64;
}

// Loads that extend take the eight bytes read in the low half of their operand: from there they
// are extended in a vector register, if they were also read as bytes and not as one integer.
lanewise! {
    v128_load8x8_s(low) = i16x8_extend_low_i8x16_s(low);
    v128_load8x8_u(low) = i16x8_extend_low_i8x16_u(low);
    v128_load16x4_s(low) = i32x4_extend_low_i16x8_s(low);
    v128_load16x4_u(low) = i32x4_extend_low_i16x8_u(low);
    v128_load32x2_s(low) = i64x2_extend_low_i32x4_s(low);
    v128_load32x2_u(low) = i64x2_extend_low_i32x4_u(low);
}

#[inline(always)]
pub fn v128_load8_splat(x: u8) -> V128 {
    i8x16_splat(u32::from(x))
}

#[inline(always)]
pub fn v128_load16_splat(x: u16) -> V128 {
    i16x8_splat(u32::from(x))
}

#[inline(always)]
pub fn v128_load32_splat(x: u32) -> V128 {
    i32x4_splat(x)
}

#[inline(always)]
pub fn v128_load64_splat(x: u64) -> V128 {
    i64x2_splat(x)
}

#[inline(always)]
pub fn v128_load32_zero(x: u32) -> V128 {
    u32x4::pack([x, 0, 0, 0])
}

#[inline(always)]
pub fn v128_load64_zero(x: u64) -> V128 {
    u64x2::pack([x, 0])
}

/// Loads into one lane, given the integer read, and stores of one lane, giving it.
macro_rules! lane_access {
    ($($load:ident $store:ident $lane:ty = $replace:ident $extract:ident;)*) => {$(
        #[inline(always)]
        pub fn $load(x: $lane, v: V128, lane: u8) -> V128 {
            $replace(v, lane, x.into())
        }

        #[inline(always)]
        pub fn $store(v: V128, lane: u8) -> $lane {
            $extract(v, lane) as $lane
        }
    )*};
}

lane_access! {
    v128_load8_lane v128_store8_lane u8 = i8x16_replace_lane i8x16_extract_lane_u;
    v128_load16_lane v128_store16_lane u16 = i16x8_replace_lane i16x8_extract_lane_u;
    v128_load32_lane v128_store32_lane u32 = i32x4_replace_lane i32x4_extract_lane;
    v128_load64_lane v128_store64_lane u64 = i64x2_replace_lane i64x2_extract_lane;
}
