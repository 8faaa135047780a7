//! Vectors: all instructions on `v128` (core spec §4.4.3, vector instructions).

use dunlin_module::op::Operator;

use crate::bytecode::field;
use crate::op::{Class, Op, PlainOp, Scalar, SimdOp, SimdShape};

use super::Lower;
use super::memory::Address;

enum Simd {
    Plain,
    Lane(u8),
    Lanes([u8; 16]),
    Memory(Address),
    MemoryLane(Address, u8),
}

macro_rules! simd_op {
    ($($name:ident $fun:ident $shape:ident,)*) => {
        fn simd_op(op: &Operator<'_>) -> Option<(SimdOp, Simd)> {
            use SimdShape as S;
            // Rows are matched by name only; the immediates are read by shape.
            let simd = match op {
                $(Operator::$name { .. } => SimdOp::$name,)*
                _ => relaxed_op(op)?,
            };
            Some((simd, match simd.shape() {
                S::Shuffle => Simd::Lanes(shuffle_lanes(op)),
                S::Load | S::Store => Simd::Memory(address(op)?),
                S::LoadLane | S::StoreLane => Simd::MemoryLane(address(op)?, lane(op)),
                S::ExtractU32 | S::ExtractU64 | S::ExtractF32 | S::ExtractF64
                | S::ReplaceU32 | S::ReplaceU64 | S::ReplaceF32 | S::ReplaceF64 => {
                    Simd::Lane(lane(op))
                }
                _ => Simd::Plain,
            }))
        }
    };
}
crate::for_each_simd_op!(simd_op);

/// The instruction that does what a relaxed one does in the deterministic profile, if there is one;
/// the others are in the list themselves.
fn relaxed_op(op: &Operator<'_>) -> Option<SimdOp> {
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

fn address(op: &Operator<'_>) -> Option<Address> {
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
        | V128Store64Lane { memarg, .. } => Address::new(memarg),
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

impl Lower<'_> {
    /// Lowers a vector instruction; false if `op` is none.
    pub(super) fn simd(&mut self, op: &Operator<'_>) -> bool {
        if let Operator::V128Const { value } = op {
            let bits = u128::from_le_bytes(*value.bytes());
            self.slot_result(Class::Vec, |dst| {
                let op = Op::plain(PlainOp::ConstVec);
                (op, [field::abcd(dst, 0, 0, 0), bits as u64, (bits >> 64) as u64])
            });
            return true;
        }
        let Some((op, immediate)) = simd_op(op) else { return false };
        self.vector(op, immediate);
        match op.nan_lanes() {
            Some(Scalar::F32) => self.canonical_lanes(PlainOp::CanonF32x4),
            Some(_) => self.canonical_lanes(PlainOp::CanonF64x2),
            None => {}
        }
        true
    }

    /// Makes the new top operand, a vector just computed, canonical if the settings ask for it.
    fn canonical_lanes(&mut self, op: PlainOp) {
        if self.settings.deterministic {
            // The operands of the instruction before are done with.
            self.code.begin();
            let from = self.pop_near();
            self.slot_result(Class::Vec, |dst| {
                (Op::plain(op), [field::abcd(dst, from, 0, 0), 0, 0])
            });
        }
    }

    /// Pops an operand to be read from a slot: two slots for a vector.
    fn pop_near(&mut self) -> u16 {
        let entry = self.stack.pop();
        let slot = self.slot_of(entry);
        self.code.read(slot, entry.slots())
    }

    fn vector(&mut self, op: SimdOp, immediate: Simd) {
        use SimdShape as S;
        let code = Op::simd(op);
        let shape = op.shape();
        let result = match shape {
            S::Test | S::ExtractU32 | S::ExtractU64 => Class::Int,
            S::ExtractF32 => Class::F32,
            S::ExtractF64 => Class::F64,
            _ => Class::Vec,
        };
        let b;
        let (mut c, mut d, mut words) = (0, 0, [0, 0]);
        match (shape, immediate) {
            (S::Bin | S::Shift, _) => {
                c = self.pop_near();
                b = self.pop_near();
            }
            (S::Ter, _) => {
                d = self.pop_near();
                c = self.pop_near();
                b = self.pop_near();
            }
            (S::Shuffle, Simd::Lanes(lanes)) => {
                c = self.pop_near();
                b = self.pop_near();
                let lanes = u128::from_le_bytes(lanes);
                words = [lanes as u64, (lanes >> 64) as u64];
            }
            (S::ReplaceU32 | S::ReplaceU64 | S::ReplaceF32 | S::ReplaceF64, Simd::Lane(lane)) => {
                c = self.pop_near();
                b = self.pop_near();
                d = u16::from(lane);
            }
            (S::Load, Simd::Memory(at)) => {
                b = self.pop_near();
                c = at.memory;
                words = [at.offset, 0];
            }
            (S::LoadLane, Simd::MemoryLane(at, lane)) => {
                d = self.pop_near();
                b = self.pop_near();
                c = at.memory;
                words = [at.offset, u64::from(lane)];
            }
            (S::Store, Simd::Memory(at)) => return self.vector_store(code, at, 0),
            (S::StoreLane, Simd::MemoryLane(at, lane)) => {
                return self.vector_store(code, at, lane);
            }
            (_, Simd::Lane(lane)) => {
                b = self.pop_near();
                c = u16::from(lane);
            }
            _ => b = self.pop_near(),
        }
        self.slot_result(result, |a| (code, [field::abcd(a, b, c, d), words[0], words[1]]));
    }

    fn vector_store(&mut self, code: Op, at: Address, lane: u8) {
        let a = self.pop_near();
        let b = self.pop_near();
        let words = [field::abcd(a, b, at.memory, 0), at.offset, u64::from(lane)];
        self.code.op(code, &words[..code.words() - 1]);
    }
}
