//! Conversions between lane shapes: narrowing, extension, and between integers and floats.

use super::{V128, f32x4, f64x2, i8x16, i16x8, i32x4, i64x2, u8x16, u16x8, u32x4, u64x2};

/// Both operands' lanes, saturated to lanes of half the width; the sources are signed.
macro_rules! narrow {
    ($($name:ident = $from:ident $to:ident $lane:ident $wide:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            let (a, b) = ($from::unpack(a), $from::unpack(b));
            let count = a.len();
            $to::make(|i| {
                let x = if i < count { a[i] } else { b[i - count] };
                x.clamp($wide::from($lane::MIN), $wide::from($lane::MAX)) as $lane
            })
        }
    )*};
}

narrow! {
    i8x16_narrow_i16x8_s = i16x8 i8x16 i8 i16;
    i8x16_narrow_i16x8_u = i16x8 u8x16 u8 i16;
    i16x8_narrow_i32x4_s = i32x4 i16x8 i16 i32;
    i16x8_narrow_i32x4_u = i32x4 u16x8 u16 i32;
}

/// One half's lanes, extended to twice the width.
macro_rules! extend {
    ($($low:ident $high:ident = $from:ident $to:ident $wide:ident;)*) => {$(
        #[inline(always)]
        pub fn $low(v: V128) -> V128 {
            let v = $from::unpack(v);
            $to::make(|i| $wide::from(v[i]))
        }

        #[inline(always)]
        pub fn $high(v: V128) -> V128 {
            let v = $from::unpack(v);
            $to::make(|i| $wide::from(v[v.len() / 2 + i]))
        }
    )*};
}

extend! {
    i16x8_extend_low_i8x16_s i16x8_extend_high_i8x16_s = i8x16 i16x8 i16;
    i16x8_extend_low_i8x16_u i16x8_extend_high_i8x16_u = u8x16 u16x8 u16;
    i32x4_extend_low_i16x8_s i32x4_extend_high_i16x8_s = i16x8 i32x4 i32;
    i32x4_extend_low_i16x8_u i32x4_extend_high_i16x8_u = u16x8 u32x4 u32;
    i64x2_extend_low_i32x4_s i64x2_extend_high_i32x4_s = i32x4 i64x2 i64;
    i64x2_extend_low_i32x4_u i64x2_extend_high_i32x4_u = u32x4 u64x2 u64;
}

/// Lane `i` of `$to` is lane `i` of `$from` as `$lane`; lanes without a source are zero.
macro_rules! convert {
    ($($name:ident = $from:ident $to:ident $lane:ident $count:literal;)*) => {$(
        #[inline(always)]
        pub fn $name(v: V128) -> V128 {
            let v = $from::unpack(v);
            $to::make(|i| if i < $count { v[i] as $lane } else { 0 as $lane })
        }
    )*};
}

convert! {
    i32x4_trunc_sat_f32x4_s = f32x4 i32x4 i32 4;
    i32x4_trunc_sat_f32x4_u = f32x4 u32x4 u32 4;
    i32x4_trunc_sat_f64x2_s_zero = f64x2 i32x4 i32 2;
    i32x4_trunc_sat_f64x2_u_zero = f64x2 u32x4 u32 2;
    f32x4_convert_i32x4_s = i32x4 f32x4 f32 4;
    f32x4_convert_i32x4_u = u32x4 f32x4 f32 4;
    f64x2_convert_low_i32x4_s = i32x4 f64x2 f64 2;
    f64x2_convert_low_i32x4_u = u32x4 f64x2 f64 2;
    f32x4_demote_f64x2_zero = f64x2 f32x4 f32 2;
    f64x2_promote_low_f32x4 = f32x4 f64x2 f64 2;
}
