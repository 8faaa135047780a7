//! The tables: an instruction, the width of its lanes, and its second definition.

use dunlin_code::Trap;
use dunlin_code::sem::{self, V128};

use crate::exact::*;

/// Rows `name width definition` as `(name, function, width, definition)`.
macro_rules! table {
    ($table:ident: $fun:ty, $definition:ty; $($name:ident $width:literal $reference:expr;)*) => {
        pub(crate) const $table: &[(&str, $fun, u32, $definition)] =
            &[$((stringify!($name), sem::$name, $width, $reference)),*];
    };
}

pub(crate) type V1 = fn(V128) -> V128;
pub(crate) type V2 = fn(V128, V128) -> V128;
table! { LANES_1: V1, Int1;
    i8x16_abs 8 ABS;
    i8x16_neg 8 NEG;
    i16x8_abs 16 ABS;
    i16x8_neg 16 NEG;
    i32x4_abs 32 ABS;
    i32x4_neg 32 NEG;
    i64x2_abs 64 ABS;
    i64x2_neg 64 NEG;
    i8x16_popcnt 8 POPCNT;
    v128_not 64 |a| -1 - a.u;
}

table! { LANES_2: V2, Int2;
    v128_and 64 AND;
    v128_or 64 OR;
    v128_xor 64 XOR;
    v128_andnot 64 |a, b| a.u - AND(a, b);
    i8x16_add 8 ADD;
    i8x16_sub 8 SUB;
    i8x16_min_s 8 MIN_S;
    i8x16_min_u 8 MIN_U;
    i8x16_max_s 8 MAX_S;
    i8x16_max_u 8 MAX_U;
    i8x16_add_sat_s 8 ADD_SAT_S;
    i8x16_add_sat_u 8 ADD_SAT_U;
    i8x16_sub_sat_s 8 SUB_SAT_S;
    i8x16_sub_sat_u 8 SUB_SAT_U;
    i8x16_avgr_u 8 AVGR_U;
    i16x8_add 16 ADD;
    i16x8_sub 16 SUB;
    i16x8_mul 16 MUL;
    i16x8_min_s 16 MIN_S;
    i16x8_min_u 16 MIN_U;
    i16x8_max_s 16 MAX_S;
    i16x8_max_u 16 MAX_U;
    i16x8_add_sat_s 16 ADD_SAT_S;
    i16x8_add_sat_u 16 ADD_SAT_U;
    i16x8_sub_sat_s 16 SUB_SAT_S;
    i16x8_sub_sat_u 16 SUB_SAT_U;
    i16x8_avgr_u 16 AVGR_U;
    i32x4_add 32 ADD;
    i32x4_sub 32 SUB;
    i32x4_mul 32 MUL;
    i32x4_min_s 32 MIN_S;
    i32x4_min_u 32 MIN_U;
    i32x4_max_s 32 MAX_S;
    i32x4_max_u 32 MAX_U;
    i64x2_add 64 ADD;
    i64x2_sub 64 SUB;
    i64x2_mul 64 MUL;
    i16x8_q15mulr_sat_s 16 Q15MULR;
}

table! { LANE_TESTS: V2, Int2;
    i8x16_eq 8 EQ;
    i8x16_ne 8 NE;
    i8x16_lt_s 8 LT_S;
    i8x16_lt_u 8 LT_U;
    i8x16_gt_s 8 GT_S;
    i8x16_gt_u 8 GT_U;
    i8x16_le_s 8 LE_S;
    i8x16_le_u 8 LE_U;
    i8x16_ge_s 8 GE_S;
    i8x16_ge_u 8 GE_U;
    i16x8_eq 16 EQ;
    i16x8_ne 16 NE;
    i16x8_lt_s 16 LT_S;
    i16x8_lt_u 16 LT_U;
    i16x8_gt_s 16 GT_S;
    i16x8_gt_u 16 GT_U;
    i16x8_le_s 16 LE_S;
    i16x8_le_u 16 LE_U;
    i16x8_ge_s 16 GE_S;
    i16x8_ge_u 16 GE_U;
    i32x4_eq 32 EQ;
    i32x4_ne 32 NE;
    i32x4_lt_s 32 LT_S;
    i32x4_lt_u 32 LT_U;
    i32x4_gt_s 32 GT_S;
    i32x4_gt_u 32 GT_U;
    i32x4_le_s 32 LE_S;
    i32x4_le_u 32 LE_U;
    i32x4_ge_s 32 GE_S;
    i32x4_ge_u 32 GE_U;
    i64x2_eq 64 EQ;
    i64x2_ne 64 NE;
    i64x2_lt_s 64 LT_S;
    i64x2_gt_s 64 GT_S;
    i64x2_le_s 64 LE_S;
    i64x2_ge_s 64 GE_S;
}

table! { SHIFTS: fn(V128, u32) -> V128, Int2;
    i8x16_shl 8 SHL;
    i8x16_shr_s 8 SHR_S;
    i8x16_shr_u 8 SHR_U;
    i16x8_shl 16 SHL;
    i16x8_shr_s 16 SHR_S;
    i16x8_shr_u 16 SHR_U;
    i32x4_shl 32 SHL;
    i32x4_shr_s 32 SHR_S;
    i32x4_shr_u 32 SHR_U;
    i64x2_shl 64 SHL;
    i64x2_shr_s 64 SHR_S;
    i64x2_shr_u 64 SHR_U;
}

table! { WIDENING_1: V1, fn(u128, u32) -> i128;
    i16x8_extend_low_i8x16_s 8 |v, i| lane(v, 8, i).s;
    i16x8_extend_low_i8x16_u 8 |v, i| lane(v, 8, i).u;
    i16x8_extend_high_i8x16_s 8 |v, i| lane(v, 8, 8 + i).s;
    i16x8_extend_high_i8x16_u 8 |v, i| lane(v, 8, 8 + i).u;
    i32x4_extend_low_i16x8_s 16 |v, i| lane(v, 16, i).s;
    i32x4_extend_low_i16x8_u 16 |v, i| lane(v, 16, i).u;
    i32x4_extend_high_i16x8_s 16 |v, i| lane(v, 16, 4 + i).s;
    i32x4_extend_high_i16x8_u 16 |v, i| lane(v, 16, 4 + i).u;
    i64x2_extend_low_i32x4_s 32 |v, i| lane(v, 32, i).s;
    i64x2_extend_low_i32x4_u 32 |v, i| lane(v, 32, i).u;
    i64x2_extend_high_i32x4_s 32 |v, i| lane(v, 32, 2 + i).s;
    i64x2_extend_high_i32x4_u 32 |v, i| lane(v, 32, 2 + i).u;
    i16x8_extadd_pairwise_i8x16_s 8 |v, i| lane(v, 8, 2 * i).s + lane(v, 8, 2 * i + 1).s;
    i16x8_extadd_pairwise_i8x16_u 8 |v, i| lane(v, 8, 2 * i).u + lane(v, 8, 2 * i + 1).u;
    i32x4_extadd_pairwise_i16x8_s 16 |v, i| lane(v, 16, 2 * i).s + lane(v, 16, 2 * i + 1).s;
    i32x4_extadd_pairwise_i16x8_u 16 |v, i| lane(v, 16, 2 * i).u + lane(v, 16, 2 * i + 1).u;
}

table! { WIDENING_2: V2, fn(u128, u128, u32) -> i128;
    i16x8_extmul_low_i8x16_s 8 |a, b, i| lane(a, 8, i).s * lane(b, 8, i).s;
    i16x8_extmul_low_i8x16_u 8 |a, b, i| lane(a, 8, i).u * lane(b, 8, i).u;
    i16x8_extmul_high_i8x16_s 8 |a, b, i| lane(a, 8, 8 + i).s * lane(b, 8, 8 + i).s;
    i16x8_extmul_high_i8x16_u 8 |a, b, i| lane(a, 8, 8 + i).u * lane(b, 8, 8 + i).u;
    i32x4_extmul_low_i16x8_s 16 |a, b, i| lane(a, 16, i).s * lane(b, 16, i).s;
    i32x4_extmul_low_i16x8_u 16 |a, b, i| lane(a, 16, i).u * lane(b, 16, i).u;
    i32x4_extmul_high_i16x8_s 16 |a, b, i| lane(a, 16, 4 + i).s * lane(b, 16, 4 + i).s;
    i32x4_extmul_high_i16x8_u 16 |a, b, i| lane(a, 16, 4 + i).u * lane(b, 16, 4 + i).u;
    i64x2_extmul_low_i32x4_s 32 |a, b, i| lane(a, 32, i).s * lane(b, 32, i).s;
    i64x2_extmul_low_i32x4_u 32 |a, b, i| lane(a, 32, i).u * lane(b, 32, i).u;
    i64x2_extmul_high_i32x4_s 32 |a, b, i| lane(a, 32, 2 + i).s * lane(b, 32, 2 + i).s;
    i64x2_extmul_high_i32x4_u 32 |a, b, i| lane(a, 32, 2 + i).u * lane(b, 32, 2 + i).u;
    i16x8_relaxed_dot_i8x16_i7x16_s 8 |a, b, i| {
        let product = |i| lane(a, 8, i).s * lane(b, 8, i).s;
        clamp_s(product(2 * i) + product(2 * i + 1), 16)
    };
    i32x4_dot_i16x8_s 16 dot;
}

table! { NARROWING: V2, fn(i128, u32) -> i128;
    i8x16_narrow_i16x8_s 16 clamp_s;
    i8x16_narrow_i16x8_u 16 clamp_u;
    i16x8_narrow_i32x4_s 32 clamp_s;
    i16x8_narrow_i32x4_u 32 clamp_u;
}

table! { FLOATS_1: V1, Float1;
    f32x4_sqrt 32 SQRT;
    f32x4_ceil 32 CEIL;
    f32x4_floor 32 FLOOR;
    f32x4_trunc 32 TRUNC;
    f32x4_nearest 32 NEAREST;
    f64x2_sqrt 64 SQRT;
    f64x2_ceil 64 CEIL;
    f64x2_floor 64 FLOOR;
    f64x2_trunc 64 TRUNC;
    f64x2_nearest 64 NEAREST;
}

table! { FLOATS_2: V2, Float2;
    f32x4_add 32 |a, b| a + b;
    f32x4_sub 32 |a, b| a - b;
    f32x4_mul 32 |a, b| a * b;
    f32x4_div 32 |a, b| a / b;
    f32x4_min 32 FMIN;
    f32x4_max 32 FMAX;
    f64x2_add 64 |a, b| a + b;
    f64x2_sub 64 |a, b| a - b;
    f64x2_mul 64 |a, b| a * b;
    f64x2_div 64 |a, b| a / b;
    f64x2_min 64 FMIN;
    f64x2_max 64 FMAX;
}

table! { FLOAT_TESTS: V2, fn(f64, f64) -> bool;
    f32x4_eq 32 |a, b| a == b;
    f32x4_ne 32 |a, b| a != b;
    f32x4_lt 32 |a, b| a < b;
    f32x4_gt 32 |a, b| a > b;
    f32x4_le 32 |a, b| a <= b;
    f32x4_ge 32 |a, b| a >= b;
    f64x2_eq 64 |a, b| a == b;
    f64x2_ne 64 |a, b| a != b;
    f64x2_lt 64 |a, b| a < b;
    f64x2_gt 64 |a, b| a > b;
    f64x2_le 64 |a, b| a <= b;
    f64x2_ge 64 |a, b| a >= b;
}

table! { FLOAT_CHOICES: V2, fn(f64, f64) -> bool;
    f32x4_pmin 32 PMIN;
    f32x4_pmax 32 PMAX;
    f64x2_pmin 64 PMIN;
    f64x2_pmax 64 PMAX;
}

table! { FLOAT_SIGNS: V1, Int1;
    f32x4_abs 32 |a| a.u % (1 << (a.width - 1));
    f32x4_neg 32 |a| a.u + (1 << (a.width - 1));
    f64x2_abs 64 |a| a.u % (1 << (a.width - 1));
    f64x2_neg 64 |a| a.u + (1 << (a.width - 1));
}

table! { LANE_TRUNCATIONS: V1, fn(f64) -> Result<i128, Trap>;
    i32x4_trunc_sat_f32x4_s 32 |x| saturating(x, clamp_s, 32);
    i32x4_trunc_sat_f32x4_u 32 |x| saturating(x, clamp_u, 32);
    i32x4_trunc_sat_f64x2_s_zero 64 |x| saturating(x, clamp_s, 32);
    i32x4_trunc_sat_f64x2_u_zero 64 |x| saturating(x, clamp_u, 32);
}

// The width is that of the result.
table! { LANE_CONVERSIONS: V1, Int1;
    f32x4_convert_i32x4_s 32 |a| a.s;
    f32x4_convert_i32x4_u 32 |a| a.u;
    f64x2_convert_low_i32x4_s 64 |a| a.s;
    f64x2_convert_low_i32x4_u 64 |a| a.u;
}

table! { WHOLE_TESTS: fn(V128) -> u32, fn(&[Lane]) -> u32;
    v128_any_true 64 |lanes| u32::from(lanes.iter().any(|x| x.u != 0));
    i8x16_all_true 8 ALL_TRUE;
    i16x8_all_true 16 ALL_TRUE;
    i32x4_all_true 32 ALL_TRUE;
    i64x2_all_true 64 ALL_TRUE;
    i8x16_bitmask 8 BITMASK;
    i16x8_bitmask 16 BITMASK;
    i32x4_bitmask 32 BITMASK;
    i64x2_bitmask 64 BITMASK;
}

/// A scalar as bits.
pub(crate) trait Scalar {
    fn of(bits: u64) -> Self;
    fn bits(self) -> u64;
}

macro_rules! scalar_types {
    ($($ty:ty: |$bits:ident| $of:expr, |$x:ident| $to:expr;)*) => {$(
        impl Scalar for $ty {
            fn of($bits: u64) -> $ty {
                $of
            }
            fn bits(self) -> u64 {
                let $x = self;
                $to
            }
        }
    )*};
}

scalar_types! {
    bool: |bits| bits != 0, |x| u64::from(x);
    u8: |bits| bits as u8, |x| u64::from(x);
    u16: |bits| bits as u16, |x| u64::from(x);
    u32: |bits| bits as u32, |x| u64::from(x);
    u64: |bits| bits, |x| x;
    f32: |bits| f32::from_bits(bits as u32), |x| u64::from(x.to_bits());
    f64: |bits| f64::from_bits(bits), |x| x.to_bits();
}

pub(crate) trait Outcome {
    fn outcome(self) -> Result<u64, Trap>;
}

impl<T: Scalar> Outcome for T {
    fn outcome(self) -> Result<u64, Trap> {
        Ok(self.bits())
    }
}

impl<T: Scalar> Outcome for Result<T, Trap> {
    fn outcome(self) -> Result<u64, Trap> {
        self.map(Scalar::bits)
    }
}

/// Rows `name from to definition`: the function on bits, the widths of its operands and result.
macro_rules! scalar_table {
    ($table:ident: (a), $definition:ty; $($row:tt)*) => {
        scalar_table! { @rows $table: fn(u64) -> Result<u64, Trap>, (a), $definition; $($row)* }
    };
    ($table:ident: (a, b), $definition:ty; $($row:tt)*) => {
        scalar_table! {
            @rows $table: fn(u64, u64) -> Result<u64, Trap>, (a, b), $definition; $($row)*
        }
    };
    (@rows $table:ident: $fun:ty, $args:tt, $definition:ty;
        $($name:ident $from:literal $to:literal $reference:expr;)*) => {
        pub(crate) const $table: &[(&str, $fun, (u32, u32), $definition)] = &[
            $((stringify!($name), scalar_table!(@call $name $args), ($from, $to), $reference)),*
        ];
    };
    (@call $name:ident (a)) => { |a| sem::$name(Scalar::of(a)).outcome() };
    (@call $name:ident (a, b)) => { |a, b| sem::$name(Scalar::of(a), Scalar::of(b)).outcome() };
}

scalar_table! { SCALARS_1: (a), Int1;
    i32_clz 32 32 CLZ;
    i32_ctz 32 32 CTZ;
    i32_popcnt 32 32 POPCNT;
    i32_eqz 32 32 EQZ;
    i32_extend8_s 32 32 EXTEND8;
    i32_extend16_s 32 32 EXTEND16;
    i64_clz 64 64 CLZ;
    i64_ctz 64 64 CTZ;
    i64_popcnt 64 64 POPCNT;
    i64_eqz 64 64 EQZ;
    i64_extend8_s 64 64 EXTEND8;
    i64_extend16_s 64 64 EXTEND16;
    i64_extend32_s 64 64 EXTEND32;
    i32_wrap_i64 64 32 |a| a.u;
    i64_extend_i32_s 32 64 |a| a.s;
    i64_extend_i32_u 32 64 |a| a.u;
    i32_reinterpret_f32 32 32 |a| a.u;
    i64_reinterpret_f64 64 64 |a| a.u;
    f32_reinterpret_i32 32 32 |a| a.u;
    f64_reinterpret_i64 64 64 |a| a.u;
    f32_abs 32 32 |a| a.u % (1 << (a.width - 1));
    f32_neg 32 32 |a| a.u + (1 << (a.width - 1));
    f64_abs 64 64 |a| a.u % (1 << (a.width - 1));
    f64_neg 64 64 |a| a.u + (1 << (a.width - 1));
}

scalar_table! { SCALARS_2: (a, b), Int2;
    i32_add 32 32 ADD;
    i32_sub 32 32 SUB;
    i32_mul 32 32 MUL;
    i32_and 32 32 AND;
    i32_or 32 32 OR;
    i32_xor 32 32 XOR;
    i32_shl 32 32 SHL;
    i32_shr_s 32 32 SHR_S;
    i32_shr_u 32 32 SHR_U;
    i32_rotl 32 32 ROTL;
    i32_rotr 32 32 ROTR;
    i32_eq 32 32 EQ;
    i32_ne 32 32 NE;
    i32_lt_s 32 32 LT_S;
    i32_lt_u 32 32 LT_U;
    i32_gt_s 32 32 GT_S;
    i32_gt_u 32 32 GT_U;
    i32_le_s 32 32 LE_S;
    i32_le_u 32 32 LE_U;
    i32_ge_s 32 32 GE_S;
    i32_ge_u 32 32 GE_U;
    i64_add 64 64 ADD;
    i64_sub 64 64 SUB;
    i64_mul 64 64 MUL;
    i64_and 64 64 AND;
    i64_or 64 64 OR;
    i64_xor 64 64 XOR;
    i64_shl 64 64 SHL;
    i64_shr_s 64 64 SHR_S;
    i64_shr_u 64 64 SHR_U;
    i64_rotl 64 64 ROTL;
    i64_rotr 64 64 ROTR;
    i64_eq 64 64 EQ;
    i64_ne 64 64 NE;
    i64_lt_s 64 64 LT_S;
    i64_lt_u 64 64 LT_U;
    i64_gt_s 64 64 GT_S;
    i64_gt_u 64 64 GT_U;
    i64_le_s 64 64 LE_S;
    i64_le_u 64 64 LE_U;
    i64_ge_s 64 64 GE_S;
    i64_ge_u 64 64 GE_U;
    f32_copysign 32 32 COPYSIGN;
    f64_copysign 64 64 COPYSIGN;
    i32_and_nz 32 32 |a, b| truth(AND(a, b) != 0);
}

scalar_table! { DIVISIONS: (a, b), fn(Lane, Lane) -> Result<i128, Trap>;
    i32_div_s 32 32 DIV_S;
    i32_div_u 32 32 DIV_U;
    i32_rem_s 32 32 REM_S;
    i32_rem_u 32 32 REM_U;
    i64_div_s 64 64 DIV_S;
    i64_div_u 64 64 DIV_U;
    i64_rem_s 64 64 REM_S;
    i64_rem_u 64 64 REM_U;
}

scalar_table! { FLOAT_SCALARS_1: (a), Float1;
    f32_sqrt 32 32 SQRT;
    f32_ceil 32 32 CEIL;
    f32_floor 32 32 FLOOR;
    f32_trunc 32 32 TRUNC;
    f32_nearest 32 32 NEAREST;
    f64_sqrt 64 64 SQRT;
    f64_ceil 64 64 CEIL;
    f64_floor 64 64 FLOOR;
    f64_trunc 64 64 TRUNC;
    f64_nearest 64 64 NEAREST;
    f32_demote_f64 64 32 |a| a;
    f64_promote_f32 32 64 |a| a;
}

scalar_table! { FLOAT_SCALARS_2: (a, b), Float2;
    f32_add 32 32 |a, b| a + b;
    f32_sub 32 32 |a, b| a - b;
    f32_mul 32 32 |a, b| a * b;
    f32_div 32 32 |a, b| a / b;
    f32_min 32 32 FMIN;
    f32_max 32 32 FMAX;
    f64_add 64 64 |a, b| a + b;
    f64_sub 64 64 |a, b| a - b;
    f64_mul 64 64 |a, b| a * b;
    f64_div 64 64 |a, b| a / b;
    f64_min 64 64 FMIN;
    f64_max 64 64 FMAX;
}

scalar_table! { FLOAT_SCALAR_TESTS: (a, b), fn(f64, f64) -> bool;
    f32_eq 32 32 |a, b| a == b;
    f32_ne 32 32 |a, b| a != b;
    f32_lt 32 32 |a, b| a < b;
    f32_gt 32 32 |a, b| a > b;
    f32_le 32 32 |a, b| a <= b;
    f32_ge 32 32 |a, b| a >= b;
    f64_eq 64 64 |a, b| a == b;
    f64_ne 64 64 |a, b| a != b;
    f64_lt 64 64 |a, b| a < b;
    f64_gt 64 64 |a, b| a > b;
    f64_le 64 64 |a, b| a <= b;
    f64_ge 64 64 |a, b| a >= b;
}

scalar_table! { CONVERSIONS: (a), Int1;
    f32_convert_i32_s 32 32 |a| a.s;
    f32_convert_i32_u 32 32 |a| a.u;
    f32_convert_i64_s 64 32 |a| a.s;
    f32_convert_i64_u 64 32 |a| a.u;
    f64_convert_i32_s 32 64 |a| a.s;
    f64_convert_i32_u 32 64 |a| a.u;
    f64_convert_i64_s 64 64 |a| a.s;
    f64_convert_i64_u 64 64 |a| a.u;
}

scalar_table! { TRUNCATIONS: (a), fn(f64) -> Result<i128, Trap>;
    i32_trunc_f32_s 32 32 |x| trapping(x, clamp_s, 32);
    i32_trunc_f32_u 32 32 |x| trapping(x, clamp_u, 32);
    i32_trunc_f64_s 64 32 |x| trapping(x, clamp_s, 32);
    i32_trunc_f64_u 64 32 |x| trapping(x, clamp_u, 32);
    i64_trunc_f32_s 32 64 |x| trapping(x, clamp_s, 64);
    i64_trunc_f32_u 32 64 |x| trapping(x, clamp_u, 64);
    i64_trunc_f64_s 64 64 |x| trapping(x, clamp_s, 64);
    i64_trunc_f64_u 64 64 |x| trapping(x, clamp_u, 64);
    i32_trunc_sat_f32_s 32 32 |x| saturating(x, clamp_s, 32);
    i32_trunc_sat_f32_u 32 32 |x| saturating(x, clamp_u, 32);
    i32_trunc_sat_f64_s 64 32 |x| saturating(x, clamp_s, 32);
    i32_trunc_sat_f64_u 64 32 |x| saturating(x, clamp_u, 32);
    i64_trunc_sat_f32_s 32 64 |x| saturating(x, clamp_s, 64);
    i64_trunc_sat_f32_u 32 64 |x| saturating(x, clamp_u, 64);
    i64_trunc_sat_f64_s 64 64 |x| saturating(x, clamp_s, 64);
    i64_trunc_sat_f64_u 64 64 |x| saturating(x, clamp_u, 64);
}

// Loads that extend, by the width of the bytes read; the vector they take has them in its low half.
table! { LOADS_EXTENDING: V1, Int1;
    v128_load8x8_s 8 |a| a.s;
    v128_load8x8_u 8 |a| a.u;
    v128_load16x4_s 16 |a| a.s;
    v128_load16x4_u 16 |a| a.u;
    v128_load32x2_s 32 |a| a.s;
    v128_load32x2_u 32 |a| a.u;
}

/// Splats, lane reads and lane writes as functions on bits.
pub(crate) type Splat = fn(u64) -> V128;
pub(crate) type Extract = fn(V128, u8) -> u64;
pub(crate) type Replace = fn(V128, u8, u64) -> V128;

/// Rows by width: splats, replacements, extractions and whether they are signed.
macro_rules! lane_table {
    ($($width:literal:
        $($splat:ident)*, $($replace:ident)*, $($extract:ident $signed:literal)*;)*) => {
        pub(crate) const SPLATS: &[(&str, Splat, u32)] =
            &[$($((stringify!($splat), |x| sem::$splat(Scalar::of(x)), $width),)*)*];
        pub(crate) const REPLACES: &[(&str, Replace, u32)] = &[$($(
            (stringify!($replace), |v, i, x| sem::$replace(v, i, Scalar::of(x)), $width),
        )*)*];
        pub(crate) const EXTRACTS: &[(&str, Extract, u32, bool)] = &[$($(
            (stringify!($extract), |v, i| sem::$extract(v, i).bits(), $width, $signed),
        )*)*];
    };
}

lane_table! {
    8: i8x16_splat v128_load8_splat, i8x16_replace_lane,
        i8x16_extract_lane_s true i8x16_extract_lane_u false v128_store8_lane false;
    16: i16x8_splat v128_load16_splat, i16x8_replace_lane,
        i16x8_extract_lane_s true i16x8_extract_lane_u false v128_store16_lane false;
    32: i32x4_splat v128_load32_splat f32x4_splat, i32x4_replace_lane f32x4_replace_lane,
        i32x4_extract_lane false f32x4_extract_lane false v128_store32_lane false;
    64: i64x2_splat v128_load64_splat f64x2_splat, i64x2_replace_lane f64x2_replace_lane,
        i64x2_extract_lane false f64x2_extract_lane false v128_store64_lane false;
}

/// Rows `name width`: loads into one lane, which take the scalar first.
macro_rules! lane_loads {
    ($($name:ident $width:literal;)*) => {
        pub(crate) const LANE_LOADS: &[(&str, Replace, u32)] =
            &[$((stringify!($name), |v, i, x| sem::$name(Scalar::of(x), v, i), $width)),*];
    };
}

lane_loads! {
    v128_load8_lane 8;
    v128_load16_lane 16;
    v128_load32_lane 32;
    v128_load64_lane 64;
}

/// Checked one by one, without a table.
pub(crate) const OTHERS: &[&str] = &[
    "ref_i31",
    "i31_get_s",
    "i31_get_u",
    "v128_load32_zero",
    "v128_load64_zero",
    "v128_bitselect",
    "i8x16_shuffle",
    "i8x16_swizzle",
    "f32x4_demote_f64x2_zero",
    "f64x2_promote_low_f32x4",
    "f32x4_relaxed_madd",
    "f32x4_relaxed_nmadd",
    "f64x2_relaxed_madd",
    "f64x2_relaxed_nmadd",
    "i32x4_relaxed_dot_i8x16_i7x16_add_s",
];
