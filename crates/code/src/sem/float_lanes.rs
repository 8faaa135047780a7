//! The float arithmetic of `v128` lanes: each lane does what the scalar instruction does.

use super::{f32x4, f64x2, lanewise, scalar, u32x4, u64x2};

lanewise! {
    f32x4_eq(a, b) = f32x4::test(a, b, f32::eq);
    f32x4_ne(a, b) = f32x4::test(a, b, f32::ne);
    f32x4_lt(a, b) = f32x4::test(a, b, f32::lt);
    f32x4_gt(a, b) = f32x4::test(a, b, f32::gt);
    f32x4_le(a, b) = f32x4::test(a, b, f32::le);
    f32x4_ge(a, b) = f32x4::test(a, b, f32::ge);

    f64x2_eq(a, b) = f64x2::test(a, b, f64::eq);
    f64x2_ne(a, b) = f64x2::test(a, b, f64::ne);
    f64x2_lt(a, b) = f64x2::test(a, b, f64::lt);
    f64x2_gt(a, b) = f64x2::test(a, b, f64::gt);
    f64x2_le(a, b) = f64x2::test(a, b, f64::le);
    f64x2_ge(a, b) = f64x2::test(a, b, f64::ge);
}

lanewise! {
    f32x4_abs(a) = u32x4::map(a, |x| x & 0x7fff_ffff);
    f32x4_neg(a) = u32x4::map(a, |x| x ^ 0x8000_0000);
    f32x4_sqrt(a) = f32x4::map(a, scalar::f32_sqrt);
    f32x4_ceil(a) = f32x4::map(a, scalar::f32_ceil);
    f32x4_floor(a) = f32x4::map(a, scalar::f32_floor);
    f32x4_trunc(a) = f32x4::map(a, scalar::f32_trunc);
    f32x4_nearest(a) = f32x4::map(a, scalar::f32_nearest);
    f32x4_add(a, b) = f32x4::zip(a, b, |x, y| x + y);
    f32x4_sub(a, b) = f32x4::zip(a, b, |x, y| x - y);
    f32x4_mul(a, b) = f32x4::zip(a, b, |x, y| x * y);
    f32x4_div(a, b) = f32x4::zip(a, b, |x, y| x / y);
    f32x4_min(a, b) = f32x4::zip(a, b, scalar::f32_min);
    f32x4_max(a, b) = f32x4::zip(a, b, scalar::f32_max);
    f32x4_pmin(a, b) = f32x4::zip(a, b, |x, y| if y < x { y } else { x });
    f32x4_pmax(a, b) = f32x4::zip(a, b, |x, y| if x < y { y } else { x });

    f64x2_abs(a) = u64x2::map(a, |x| x & 0x7fff_ffff_ffff_ffff);
    f64x2_neg(a) = u64x2::map(a, |x| x ^ 0x8000_0000_0000_0000);
    f64x2_sqrt(a) = f64x2::map(a, scalar::f64_sqrt);
    f64x2_ceil(a) = f64x2::map(a, scalar::f64_ceil);
    f64x2_floor(a) = f64x2::map(a, scalar::f64_floor);
    f64x2_trunc(a) = f64x2::map(a, scalar::f64_trunc);
    f64x2_nearest(a) = f64x2::map(a, scalar::f64_nearest);
    f64x2_add(a, b) = f64x2::zip(a, b, |x, y| x + y);
    f64x2_sub(a, b) = f64x2::zip(a, b, |x, y| x - y);
    f64x2_mul(a, b) = f64x2::zip(a, b, |x, y| x * y);
    f64x2_div(a, b) = f64x2::zip(a, b, |x, y| x / y);
    f64x2_min(a, b) = f64x2::zip(a, b, scalar::f64_min);
    f64x2_max(a, b) = f64x2::zip(a, b, scalar::f64_max);
    f64x2_pmin(a, b) = f64x2::zip(a, b, |x, y| if y < x { y } else { x });
    f64x2_pmax(a, b) = f64x2::zip(a, b, |x, y| if x < y { y } else { x });
}
