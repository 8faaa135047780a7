//! Vectors: all instructions on `v128` (core spec §4.4.3, vector instructions).

use dunlin_module::op::Operator;

use crate::bytecode::field;
use crate::op::{Class, Op, PlainOp, Scalar, SimdImmediate, SimdOp, SimdShape};

use super::Lower;
use super::memory::Address;

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
        let Some((op, immediate)) = SimdOp::decode(op) else { return false };
        if self.vector(op, immediate).is_none() {
            return false;
        }
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

    /// `None`, and nothing done, if it names what is no memory.
    fn vector(&mut self, op: SimdOp, immediate: SimdImmediate) -> Option<()> {
        use SimdImmediate as I;
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
            (S::Shuffle, I::Lanes(lanes)) => {
                c = self.pop_near();
                b = self.pop_near();
                let lanes = u128::from_le_bytes(lanes);
                words = [lanes as u64, (lanes >> 64) as u64];
            }
            (S::ReplaceU32 | S::ReplaceU64 | S::ReplaceF32 | S::ReplaceF64, I::Lane(lane)) => {
                c = self.pop_near();
                b = self.pop_near();
                d = u16::from(lane);
            }
            (S::Load, I::Memory(memarg)) => {
                let at = Address::new(&memarg)?;
                b = self.pop_near();
                c = at.memory;
                words = [at.offset, 0];
            }
            (S::LoadLane, I::MemoryLane(memarg, lane)) => {
                let at = Address::new(&memarg)?;
                d = self.pop_near();
                b = self.pop_near();
                c = at.memory;
                words = [at.offset, u64::from(lane)];
            }
            (S::Store, I::Memory(memarg)) => {
                self.vector_store(code, Address::new(&memarg)?, 0);
                return Some(());
            }
            (S::StoreLane, I::MemoryLane(memarg, lane)) => {
                self.vector_store(code, Address::new(&memarg)?, lane);
                return Some(());
            }
            (_, I::Lane(lane)) => {
                b = self.pop_near();
                c = u16::from(lane);
            }
            _ => b = self.pop_near(),
        }
        self.slot_result(result, |a| (code, [field::abcd(a, b, c, d), words[0], words[1]]));
        Some(())
    }

    fn vector_store(&mut self, code: Op, at: Address, lane: u8) {
        let a = self.pop_near();
        let b = self.pop_near();
        let words = [field::abcd(a, b, at.memory, 0), at.offset, u64::from(lane)];
        self.code.op(code, &words[..code.words() - 1]);
    }
}
