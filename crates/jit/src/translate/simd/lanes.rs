//! Vector instructions that compute lane by lane, or with two lanes at once.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
use cranelift_codegen::ir::{Endianness, ValueDef};
use cranelift_codegen::ir::{InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value};
use cranelift_frontend::FunctionBuilder;
use dunlin_code::op::SimdOp;

macro_rules! lanes {
    ($($name:ident $fun:ident $shape:ident,)*) => {
        /// The lanes in which an op computes: those that its name begins with.
        pub(super) fn lanes(op: SimdOp) -> Type {
            let name = match op {
                $(SimdOp::$name => stringify!($fun),)*
            };
            match name.split('_').next() {
                Some("i16x8") => I16X8,
                Some("i32x4") => I32X4,
                Some("i64x2") => I64X2,
                Some("f32x4") => F32X4,
                Some("f64x2") => F64X2,
                // Bytes, and all 128 bits as one.
                _ => I8X16,
            }
        }
    };
}
dunlin_code::for_each_simd_op!(lanes);

/// The vector in lanes of type `ty`. Lane 0 is in the low bits always.
pub(super) fn cast(b: &mut FunctionBuilder<'_>, v: Value, ty: Type) -> Value {
    if b.func.dfg.value_type(v) == ty {
        return v;
    }
    // What the code generator recognizes, it recognizes without casts there and back.
    let original = uncast(b, v);
    if b.func.dfg.value_type(original) == ty {
        return original;
    }
    b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), v)
}

/// The vector in the lanes in which it was computed.
fn uncast(b: &FunctionBuilder<'_>, v: Value) -> Value {
    match b.func.dfg.value_def(v) {
        ValueDef::Result(inst, _) => match b.func.dfg.insts[inst] {
            InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. }
                if b.func.dfg.value_type(arg).is_vector() =>
            {
                arg
            }
            _ => v,
        },
        _ => v,
    }
}

/// A vector constant with lane 0 in the low bits.
pub(super) fn constant(b: &mut FunctionBuilder<'_>, ty: Type, bits: u128) -> Value {
    let bytes = b.func.dfg.constants.insert(bits.to_le_bytes().to_vec().into());
    b.ins().vconst(ty, bytes)
}

/// From one vector to one; `None` if `op` is of another kind, here and below.
pub(super) fn unary(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value) -> Option<Value> {
    use SimdOp::*;
    let ty = lanes(op);
    let x = cast(b, v, ty);
    Some(match op {
        V128Not => b.ins().bnot(x),
        I8x16Abs | I16x8Abs | I32x4Abs | I64x2Abs => b.ins().iabs(x),
        I8x16Neg | I16x8Neg | I32x4Neg | I64x2Neg => b.ins().ineg(x),
        I8x16Popcnt => b.ins().popcnt(x),
        F32x4Abs | F64x2Abs => b.ins().fabs(x),
        F32x4Neg | F64x2Neg => b.ins().fneg(x),
        F32x4Sqrt | F64x2Sqrt => b.ins().sqrt(x),
        F32x4Ceil | F64x2Ceil => b.ins().ceil(x),
        F32x4Floor | F64x2Floor => b.ins().floor(x),
        F32x4Trunc | F64x2Trunc => b.ins().trunc(x),
        F32x4Nearest | F64x2Nearest => b.ins().nearest(x),
        _ => return None,
    })
}

/// From two vectors to one.
pub(super) fn binary(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value, w: Value) -> Option<Value> {
    use SimdOp::*;
    let ty = lanes(op);
    let (x, y) = (cast(b, v, ty), cast(b, w, ty));
    if let Some(condition) = int_condition(op) {
        return Some(b.ins().icmp(condition, x, y));
    }
    if let Some(condition) = float_condition(op) {
        return Some(b.ins().fcmp(condition, x, y));
    }
    Some(match op {
        V128And => b.ins().band(x, y),
        V128AndNot => b.ins().band_not(x, y),
        V128Or => b.ins().bor(x, y),
        V128Xor => b.ins().bxor(x, y),
        I8x16Swizzle => b.ins().swizzle(x, y),
        I8x16Add | I16x8Add | I32x4Add | I64x2Add => b.ins().iadd(x, y),
        I8x16Sub | I16x8Sub | I32x4Sub | I64x2Sub => b.ins().isub(x, y),
        I16x8Mul | I32x4Mul | I64x2Mul => b.ins().imul(x, y),
        I8x16AddSatS | I16x8AddSatS => b.ins().sadd_sat(x, y),
        I8x16AddSatU | I16x8AddSatU => b.ins().uadd_sat(x, y),
        I8x16SubSatS | I16x8SubSatS => b.ins().ssub_sat(x, y),
        I8x16SubSatU | I16x8SubSatU => b.ins().usub_sat(x, y),
        I8x16AvgrU | I16x8AvgrU => b.ins().avg_round(x, y),
        I8x16MinS | I16x8MinS | I32x4MinS => b.ins().smin(x, y),
        I8x16MinU | I16x8MinU | I32x4MinU => b.ins().umin(x, y),
        I8x16MaxS | I16x8MaxS | I32x4MaxS => b.ins().smax(x, y),
        I8x16MaxU | I16x8MaxU | I32x4MaxU => b.ins().umax(x, y),
        I16x8Q15MulrSatS => b.ins().sqmul_round_sat(x, y),
        F32x4Add | F64x2Add => b.ins().fadd(x, y),
        F32x4Sub | F64x2Sub => b.ins().fsub(x, y),
        F32x4Mul | F64x2Mul => b.ins().fmul(x, y),
        F32x4Div | F64x2Div => b.ins().fdiv(x, y),
        F32x4Min | F64x2Min => b.ins().fmin(x, y),
        F32x4Max | F64x2Max => b.ins().fmax(x, y),
        F32x4PMin | F64x2PMin => if_less(b, y, x, y, x),
        F32x4PMax | F64x2PMax => if_less(b, x, y, y, x),
        _ => return None,
    })
}

/// The lanes of `then` where `x < y`, and those of `otherwise` elsewhere. The code generator knows the
/// minimum and the maximum by this form.
fn if_less(
    b: &mut FunctionBuilder<'_>,
    x: Value,
    y: Value,
    then: Value,
    otherwise: Value,
) -> Value {
    let mask = b.ins().fcmp(FloatCC::LessThan, x, y);
    let ty = b.func.dfg.value_type(then);
    let mask = cast(b, mask, ty);
    b.ins().bitselect(mask, then, otherwise)
}

/// From three vectors to one. What is multiplied and added is rounded twice, also where the machine
/// could round once.
pub(super) fn ternary(
    b: &mut FunctionBuilder<'_>,
    op: SimdOp,
    [u, v, w]: [Value; 3],
) -> Option<Value> {
    use SimdOp::*;
    if op == V128Bitselect {
        // In the lanes of a comparison, the code generator knows that it need not look at bits.
        let mask = uncast(b, w);
        let ty = b.func.dfg.value_type(mask);
        let (x, y) = (cast(b, u, ty), cast(b, v, ty));
        return Some(b.ins().bitselect(mask, x, y));
    }
    let ty = lanes(op);
    let (x, y, z) = (cast(b, u, ty), cast(b, v, ty), cast(b, w, ty));
    Some(match op {
        F32x4RelaxedMadd | F64x2RelaxedMadd => {
            let product = b.ins().fmul(x, y);
            b.ins().fadd(product, z)
        }
        F32x4RelaxedNmadd | F64x2RelaxedNmadd => {
            let product = b.ins().fmul(x, y);
            b.ins().fsub(z, product)
        }
        _ => return None,
    })
}

/// All lanes by the same amount, an `i32` of which only the bits count that say less than a lane.
pub(super) fn shift(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value, by: Value) -> Option<Value> {
    use SimdOp::*;
    let x = cast(b, v, lanes(op));
    Some(match op {
        I8x16Shl | I16x8Shl | I32x4Shl | I64x2Shl => b.ins().ishl(x, by),
        I8x16ShrS | I16x8ShrS | I32x4ShrS | I64x2ShrS => b.ins().sshr(x, by),
        I8x16ShrU | I16x8ShrU | I32x4ShrU | I64x2ShrU => b.ins().ushr(x, by),
        _ => return None,
    })
}

/// From a vector to an `i32`.
pub(super) fn test(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value) -> Option<Value> {
    use SimdOp::*;
    let x = if op == V128AnyTrue { uncast(b, v) } else { cast(b, v, lanes(op)) };
    let truth = match op {
        I8x16Bitmask | I16x8Bitmask | I32x4Bitmask | I64x2Bitmask => {
            return Some(b.ins().vhigh_bits(I32, x));
        }
        V128AnyTrue => b.ins().vany_true(x),
        I8x16AllTrue | I16x8AllTrue | I32x4AllTrue | I64x2AllTrue => b.ins().vall_true(x),
        _ => return None,
    };
    Some(b.ins().uextend(I32, truth))
}

/// Every lane from a scalar.
pub(super) fn splat(b: &mut FunctionBuilder<'_>, op: SimdOp, scalar: Value) -> Value {
    let ty = lanes(op);
    let lane = to_lane(b, ty, scalar);
    b.ins().splat(ty, lane)
}

/// A scalar of the operand stack as it is in a lane of `ty`.
fn to_lane(b: &mut FunctionBuilder<'_>, ty: Type, scalar: Value) -> Value {
    match ty.lane_type() {
        lane @ (I8 | I16) => b.ins().ireduce(lane, scalar),
        _ => scalar,
    }
}

/// One lane as a scalar of the operand stack.
pub(super) fn extract(b: &mut FunctionBuilder<'_>, op: SimdOp, v: Value, lane: u8) -> Value {
    let x = cast(b, v, lanes(op));
    let scalar = b.ins().extractlane(x, lane);
    match op {
        SimdOp::I8x16ExtractLaneS | SimdOp::I16x8ExtractLaneS => b.ins().sextend(I32, scalar),
        SimdOp::I8x16ExtractLaneU | SimdOp::I16x8ExtractLaneU => b.ins().uextend(I32, scalar),
        _ => scalar,
    }
}

/// The vector with one lane from a scalar.
pub(super) fn replace(
    b: &mut FunctionBuilder<'_>,
    op: SimdOp,
    v: Value,
    scalar: Value,
    lane: u8,
) -> Value {
    let ty = lanes(op);
    let x = cast(b, v, ty);
    let scalar = to_lane(b, ty, scalar);
    b.ins().insertlane(x, scalar, lane)
}

/// Bytes of two vectors.
pub(super) fn shuffle(b: &mut FunctionBuilder<'_>, v: Value, w: Value, lanes: [u8; 16]) -> Value {
    let (x, y) = (cast(b, v, I8X16), cast(b, w, I8X16));
    let lanes = b.func.dfg.immediates.push(lanes.to_vec().into());
    b.ins().shuffle(x, y, lanes)
}

fn int_condition(op: SimdOp) -> Option<IntCC> {
    use SimdOp::*;
    Some(match op {
        I8x16Eq | I16x8Eq | I32x4Eq | I64x2Eq => IntCC::Equal,
        I8x16Ne | I16x8Ne | I32x4Ne | I64x2Ne => IntCC::NotEqual,
        I8x16LtS | I16x8LtS | I32x4LtS | I64x2LtS => IntCC::SignedLessThan,
        I8x16GtS | I16x8GtS | I32x4GtS | I64x2GtS => IntCC::SignedGreaterThan,
        I8x16LeS | I16x8LeS | I32x4LeS | I64x2LeS => IntCC::SignedLessThanOrEqual,
        I8x16GeS | I16x8GeS | I32x4GeS | I64x2GeS => IntCC::SignedGreaterThanOrEqual,
        I8x16LtU | I16x8LtU | I32x4LtU => IntCC::UnsignedLessThan,
        I8x16GtU | I16x8GtU | I32x4GtU => IntCC::UnsignedGreaterThan,
        I8x16LeU | I16x8LeU | I32x4LeU => IntCC::UnsignedLessThanOrEqual,
        I8x16GeU | I16x8GeU | I32x4GeU => IntCC::UnsignedGreaterThanOrEqual,
        _ => return None,
    })
}

fn float_condition(op: SimdOp) -> Option<FloatCC> {
    use SimdOp::*;
    Some(match op {
        F32x4Eq | F64x2Eq => FloatCC::Equal,
        F32x4Ne | F64x2Ne => FloatCC::NotEqual,
        F32x4Lt | F64x2Lt => FloatCC::LessThan,
        F32x4Gt | F64x2Gt => FloatCC::GreaterThan,
        F32x4Le | F64x2Le => FloatCC::LessThanOrEqual,
        F32x4Ge | F64x2Ge => FloatCC::GreaterThanOrEqual,
        _ => return None,
    })
}
