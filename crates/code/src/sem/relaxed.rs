//! The relaxed instructions that do something no other instruction does.
//!
//! Of the results the specification leaves open, each instruction gives the one of its deterministic
//! profile, everywhere: a program has one result on every machine and in every tier. For most that
//! is what an instruction with a stricter name does, and lowering uses that one. The price is that
//! multiply-add rounds twice also where the machine could do it in one step.

use super::{V128, f32x4, f64x2, i8x16, i16x8, i32x4, lanewise};

lanewise! {
    f32x4_relaxed_madd(a, b, c) = multiply_add_f32(a, b, c, |product, term| product + term);
    f32x4_relaxed_nmadd(a, b, c) = multiply_add_f32(a, b, c, |product, term| term - product);
    f64x2_relaxed_madd(a, b, c) = multiply_add_f64(a, b, c, |product, term| product + term);
    f64x2_relaxed_nmadd(a, b, c) = multiply_add_f64(a, b, c, |product, term| term - product);
}

#[inline(always)]
fn multiply_add_f32(a: V128, b: V128, c: V128, then: impl Fn(f32, f32) -> f32) -> V128 {
    let (a, b, c) = (f32x4::unpack(a), f32x4::unpack(b), f32x4::unpack(c));
    f32x4::make(|i| then(a[i] * b[i], c[i]))
}

#[inline(always)]
fn multiply_add_f64(a: V128, b: V128, c: V128, then: impl Fn(f64, f64) -> f64) -> V128 {
    let (a, b, c) = (f64x2::unpack(a), f64x2::unpack(b), f64x2::unpack(c));
    f64x2::make(|i| then(a[i] * b[i], c[i]))
}

/// Sums of two products of signed bytes; only twice -128 * -128 leaves the range.
#[inline(always)]
fn dot_lanes(a: V128, b: V128) -> [i16; 8] {
    let (a, b) = (i8x16::unpack(a), i8x16::unpack(b));
    std::array::from_fn(|i| {
        let product = |i: usize| i16::from(a[i]) * i16::from(b[i]);
        product(2 * i).saturating_add(product(2 * i + 1))
    })
}

#[inline(always)]
pub fn i16x8_relaxed_dot_i8x16_i7x16_s(a: V128, b: V128) -> V128 {
    i16x8::pack(dot_lanes(a, b))
}

#[inline(always)]
pub fn i32x4_relaxed_dot_i8x16_i7x16_add_s(a: V128, b: V128, c: V128) -> V128 {
    let (sums, c) = (dot_lanes(a, b), i32x4::unpack(c));
    i32x4::make(|i| (i32::from(sums[2 * i]) + i32::from(sums[2 * i + 1])).wrapping_add(c[i]))
}
