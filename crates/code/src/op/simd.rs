//! Vector instructions as modules hold them: which op does what each is to do, with which immediates.
//!
//! All tiers ask here, so that a relaxed instruction is the same one everywhere.

use dunlin_module::op::{MemArg, Operator};

use super::{SimdOp, SimdShape};

/// What a vector instruction holds beside its opcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SimdImmediate {
    /// Nothing.
    None,
    /// The number of a lane.
    Lane(u8),
    /// The bytes that a shuffle picks.
    Lanes([u8; 16]),
    /// An address.
    Memory(MemArg),
    /// An address and the number of a lane.
    MemoryLane(MemArg, u8),
}

macro_rules! decode {
    ($($name:ident $fun:ident $shape:ident,)*) => {
        impl SimdOp {
            /// The op for a vector instruction and its immediates; `None` if `op` is none, or is
            /// `v128.const`, which computes nothing.
            pub fn decode(op: &Operator<'_>) -> Option<(SimdOp, SimdImmediate)> {
                use SimdShape as S;
                // Rows are matched by name only; the immediates are read by shape.
                let simd = match op {
                    $(Operator::$name { .. } => SimdOp::$name,)*
                    _ => relaxed(op)?,
                };
                Some((simd, match simd.shape() {
                    S::Shuffle => SimdImmediate::Lanes(shuffle_lanes(op)),
                    S::Load | S::Store => SimdImmediate::Memory(memarg(op)?),
                    S::LoadLane | S::StoreLane => SimdImmediate::MemoryLane(memarg(op)?, lane(op)),
                    S::ExtractU32 | S::ExtractU64 | S::ExtractF32 | S::ExtractF64
                    | S::ReplaceU32 | S::ReplaceU64 | S::ReplaceF32 | S::ReplaceF64 => {
                        SimdImmediate::Lane(lane(op))
                    }
                    _ => SimdImmediate::None,
                }))
            }
        }
    };
}
crate::for_each_simd_op!(decode);

/// The instruction that does what a relaxed one does in the deterministic profile, if there is one;
/// the others are in the list themselves.
fn relaxed(op: &Operator<'_>) -> Option<SimdOp> {
    Some(match op {
        Operator::I8x16RelaxedSwizzle => SimdOp::I8x16Swizzle,
        Operator::I32x4RelaxedTruncF32x4S => SimdOp::I32x4TruncSatF32x4S,
        Operator::I32x4RelaxedTruncF32x4U => SimdOp::I32x4TruncSatF32x4U,
        Operator::I32x4RelaxedTruncF64x2SZero => SimdOp::I32x4TruncSatF64x2SZero,
        Operator::I32x4RelaxedTruncF64x2UZero => SimdOp::I32x4TruncSatF64x2UZero,
        Operator::I8x16RelaxedLaneselect
        | Operator::I16x8RelaxedLaneselect
        | Operator::I32x4RelaxedLaneselect
        | Operator::I64x2RelaxedLaneselect => SimdOp::V128Bitselect,
        Operator::F32x4RelaxedMin => SimdOp::F32x4Min,
        Operator::F32x4RelaxedMax => SimdOp::F32x4Max,
        Operator::F64x2RelaxedMin => SimdOp::F64x2Min,
        Operator::F64x2RelaxedMax => SimdOp::F64x2Max,
        Operator::I16x8RelaxedQ15mulrS => SimdOp::I16x8Q15MulrSatS,
        _ => return None,
    })
}

fn shuffle_lanes(op: &Operator<'_>) -> [u8; 16] {
    match op {
        Operator::I8x16Shuffle { lanes } => *lanes,
        _ => [0; 16],
    }
}

fn memarg(op: &Operator<'_>) -> Option<MemArg> {
    use Operator::*;
    match op {
        V128Load { memarg }
        | V128Load8x8S { memarg }
        | V128Load8x8U { memarg }
        | V128Load16x4S { memarg }
        | V128Load16x4U { memarg }
        | V128Load32x2S { memarg }
        | V128Load32x2U { memarg }
        | V128Load8Splat { memarg }
        | V128Load16Splat { memarg }
        | V128Load32Splat { memarg }
        | V128Load64Splat { memarg }
        | V128Load32Zero { memarg }
        | V128Load64Zero { memarg }
        | V128Store { memarg }
        | V128Load8Lane { memarg, .. }
        | V128Load16Lane { memarg, .. }
        | V128Load32Lane { memarg, .. }
        | V128Load64Lane { memarg, .. }
        | V128Store8Lane { memarg, .. }
        | V128Store16Lane { memarg, .. }
        | V128Store32Lane { memarg, .. }
        | V128Store64Lane { memarg, .. } => Some(*memarg),
        _ => None,
    }
}

fn lane(op: &Operator<'_>) -> u8 {
    use Operator::*;
    match op {
        I8x16ExtractLaneS { lane }
        | I8x16ExtractLaneU { lane }
        | I16x8ExtractLaneS { lane }
        | I16x8ExtractLaneU { lane }
        | I32x4ExtractLane { lane }
        | I64x2ExtractLane { lane }
        | F32x4ExtractLane { lane }
        | F64x2ExtractLane { lane }
        | I8x16ReplaceLane { lane }
        | I16x8ReplaceLane { lane }
        | I32x4ReplaceLane { lane }
        | I64x2ReplaceLane { lane }
        | F32x4ReplaceLane { lane }
        | F64x2ReplaceLane { lane }
        | V128Load8Lane { lane, .. }
        | V128Load16Lane { lane, .. }
        | V128Load32Lane { lane, .. }
        | V128Load64Lane { lane, .. }
        | V128Store8Lane { lane, .. }
        | V128Store16Lane { lane, .. }
        | V128Store32Lane { lane, .. }
        | V128Store64Lane { lane, .. } => *lane,
        _ => 0,
    }
}
