//! Canonical NaNs: what the deterministic profile makes of every NaN that arithmetic yields.

use super::{f32x4, f64x2, lanewise};

/// The value, or the positive canonical NaN for any NaN.
#[inline(always)]
pub fn f32_canonical(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(0x7fc0_0000) } else { x }
}

/// The value, or the positive canonical NaN for any NaN.
#[inline(always)]
pub fn f64_canonical(x: f64) -> f64 {
    if x.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { x }
}

lanewise! {
    f32x4_canonical(a) = f32x4::map(a, f32_canonical);
    f64x2_canonical(a) = f64x2::map(a, f64_canonical);
}
