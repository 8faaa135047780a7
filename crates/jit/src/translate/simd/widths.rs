//! Vector instructions from lanes of one width, or of one sort, to another.

use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::FunctionBuilder;
use dunlin_code::op::SimdOp;

use super::lanes::{cast, constant, lanes};

/// From one vector to one; `None` if `op` is of another kind, here and below.
pub(super) fn unary(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value) -> Option<Value> {
    extension(b, op, v).or_else(|| conversion(b, op, v))
}

/// From lanes to lanes of twice the width.
fn extension(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value) -> Option<Value> {
    use SimdOp::*;
    let x = match lanes(op).split_lanes() {
        Some(half @ (I8X16 | I16X8 | I32X4)) => cast(b, v, half),
        _ => return None,
    };
    Some(match op {
        I16x8ExtendLowI8x16S | I32x4ExtendLowI16x8S | I64x2ExtendLowI32x4S => b.ins().swiden_low(x),
        I16x8ExtendLowI8x16U | I32x4ExtendLowI16x8U | I64x2ExtendLowI32x4U => b.ins().uwiden_low(x),
        I16x8ExtendHighI8x16S | I32x4ExtendHighI16x8S | I64x2ExtendHighI32x4S => {
            b.ins().swiden_high(x)
        }
        I16x8ExtendHighI8x16U | I32x4ExtendHighI16x8U | I64x2ExtendHighI32x4U => {
            b.ins().uwiden_high(x)
        }
        I16x8ExtAddPairwiseI8x16S | I32x4ExtAddPairwiseI16x8S => add_pairs(b, x),
        I16x8ExtAddPairwiseI8x16U | I32x4ExtAddPairwiseI16x8U => {
            let (low, high) = (b.ins().uwiden_low(x), b.ins().uwiden_high(x));
            b.ins().iadd_pairwise(low, high)
        }
        _ => return None,
    })
}

/// Sums of pairs of signed lanes, in lanes of twice the width.
fn add_pairs(b: &mut FunctionBuilder<'_>, x: Value) -> Value {
    let (low, high) = (b.ins().swiden_low(x), b.ins().swiden_high(x));
    b.ins().iadd_pairwise(low, high)
}

/// Between integers and floats, and between floats. The code generator has some of these only in the
/// very form that is used here.
fn conversion(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value) -> Option<Value> {
    use SimdOp::*;
    Some(match op {
        I32x4TruncSatF32x4S => {
            let x = cast(b, v, F32X4);
            b.ins().fcvt_to_sint_sat(I32X4, x)
        }
        I32x4TruncSatF32x4U => {
            let x = cast(b, v, F32X4);
            b.ins().fcvt_to_uint_sat(I32X4, x)
        }
        I32x4TruncSatF64x2SZero => {
            let x = cast(b, v, F64X2);
            let wide = b.ins().fcvt_to_sint_sat(I64X2, x);
            let zero = constant(b, I64X2, 0);
            b.ins().snarrow(wide, zero)
        }
        I32x4TruncSatF64x2UZero => {
            let x = cast(b, v, F64X2);
            let wide = b.ins().fcvt_to_uint_sat(I64X2, x);
            let zero = constant(b, I64X2, 0);
            b.ins().uunarrow(wide, zero)
        }
        F32x4ConvertI32x4S => {
            let x = cast(b, v, I32X4);
            b.ins().fcvt_from_sint(F32X4, x)
        }
        F32x4ConvertI32x4U => {
            let x = cast(b, v, I32X4);
            b.ins().fcvt_from_uint(F32X4, x)
        }
        F64x2ConvertLowI32x4S => {
            let x = cast(b, v, I32X4);
            let wide = b.ins().swiden_low(x);
            b.ins().fcvt_from_sint(F64X2, wide)
        }
        F64x2ConvertLowI32x4U => {
            let x = cast(b, v, I32X4);
            let wide = b.ins().uwiden_low(x);
            b.ins().fcvt_from_uint(F64X2, wide)
        }
        F32x4DemoteF64x2Zero => {
            let x = cast(b, v, F64X2);
            b.ins().fvdemote(x)
        }
        F64x2PromoteLowF32x4 => {
            let x = cast(b, v, F32X4);
            b.ins().fvpromote_low(x)
        }
        _ => return None,
    })
}

/// From two vectors to one.
pub(super) fn binary(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value, w: Value) -> Option<Value> {
    use SimdOp::*;
    match op {
        I8x16NarrowI16x8S | I16x8NarrowI32x4S => {
            let (x, y) = both(b, lanes(op).merge_lanes()?, v, w);
            return Some(b.ins().snarrow(x, y));
        }
        I8x16NarrowI16x8U | I16x8NarrowI32x4U => {
            let (x, y) = both(b, lanes(op).merge_lanes()?, v, w);
            return Some(b.ins().unarrow(x, y));
        }
        I16x8RelaxedDotI8x16I7x16S => return Some(dot_bytes(b, v, w)),
        _ => {}
    }
    let (x, y) = match lanes(op).split_lanes() {
        Some(half @ (I8X16 | I16X8 | I32X4)) => both(b, half, v, w),
        _ => return None,
    };
    let (x, y) = match op {
        I16x8ExtMulLowI8x16S | I32x4ExtMulLowI16x8S | I64x2ExtMulLowI32x4S => {
            (b.ins().swiden_low(x), b.ins().swiden_low(y))
        }
        I16x8ExtMulHighI8x16S | I32x4ExtMulHighI16x8S | I64x2ExtMulHighI32x4S => {
            (b.ins().swiden_high(x), b.ins().swiden_high(y))
        }
        I16x8ExtMulLowI8x16U | I32x4ExtMulLowI16x8U | I64x2ExtMulLowI32x4U => {
            (b.ins().uwiden_low(x), b.ins().uwiden_low(y))
        }
        I16x8ExtMulHighI8x16U | I32x4ExtMulHighI16x8U | I64x2ExtMulHighI32x4U => {
            (b.ins().uwiden_high(x), b.ins().uwiden_high(y))
        }
        I32x4DotI16x8S => return Some(dot(b, x, y)),
        _ => return None,
    };
    Some(b.ins().imul(x, y))
}

/// From three vectors to one.
pub(super) fn ternary(
    b: &mut FunctionBuilder<'_>,
    op: SimdOp,
    [u, v, w]: [Value; 3],
) -> Option<Value> {
    if op != SimdOp::I32x4RelaxedDotI8x16I7x16AddS {
        return None;
    }
    let products = dot_bytes(b, u, v);
    let sums = add_pairs(b, products);
    let term = cast(b, w, I32X4);
    Some(b.ins().iadd(sums, term))
}

fn both(b: &mut FunctionBuilder<'_>, ty: Type, v: Value, w: Value) -> (Value, Value) {
    (cast(b, v, ty), cast(b, w, ty))
}

/// Sums of products of pairs of signed lanes, in lanes of twice the width.
fn dot(b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
    let low = (b.ins().swiden_low(x), b.ins().swiden_low(y));
    let low = b.ins().imul(low.0, low.1);
    let high = (b.ins().swiden_high(x), b.ins().swiden_high(y));
    let high = b.ins().imul(high.0, high.1);
    b.ins().iadd_pairwise(low, high)
}

/// Sums of products of pairs of signed bytes, saturated to 16 bits: made in 32 bits and narrowed, since
/// twice -128 * -128 leaves the range.
fn dot_bytes(b: &mut FunctionBuilder<'_>, v: Value, w: Value) -> Value {
    let (x, y) = both(b, I8X16, v, w);
    let low = (b.ins().swiden_low(x), b.ins().swiden_low(y));
    let low = dot(b, low.0, low.1);
    let high = (b.ins().swiden_high(x), b.ins().swiden_high(y));
    let high = dot(b, high.0, high.1);
    b.ins().snarrow(low, high)
}
