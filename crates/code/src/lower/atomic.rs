//! Atomics: accesses, fence, wait and notify (threads proposal).

use dunlin_module::op::Operator;

use crate::bytecode::field;
use crate::op::{AtomicOp, Class, Op, PlainOp};

use super::Lower;
use super::memory::Address;
use super::stack::Place;

macro_rules! atomic_op {
    ($($name:ident $shape:ident $memory:tt $value:tt $fun:ident,)*) => {
        fn atomic_op(op: &Operator<'_>) -> Option<(AtomicOp, Address)> {
            match op {
                $(Operator::$name { memarg } => Some((AtomicOp::$name, Address::new(memarg)?)),)*
                _ => None,
            }
        }
    };
}
crate::for_each_atomic_op!(atomic_op);

impl Lower<'_> {
    /// Lowers an atomic instruction; false if `op` is none.
    ///
    /// All orderings are executed as the strongest, which allows the least.
    pub(super) fn atomic(&mut self, op: &Operator<'_>) -> bool {
        if let Some((op, at)) = atomic_op(op) {
            let shape = op.shape();
            self.atomic_access(Op::atomic(op), at, shape.operands(), shape.has_result());
            return true;
        }
        let (op, memarg, operands) = match op {
            Operator::AtomicFence { .. } => {
                self.code.plain(PlainOp::AtomicFence, &[0]);
                return true;
            }
            Operator::MemoryAtomicNotify { memarg } => (PlainOp::MemoryAtomicNotify, memarg, 2),
            Operator::MemoryAtomicWait32 { memarg } => (PlainOp::MemoryAtomicWait32, memarg, 3),
            Operator::MemoryAtomicWait64 { memarg } => (PlainOp::MemoryAtomicWait64, memarg, 3),
            _ => return false,
        };
        let Some(at) = Address::new(memarg) else { return false };
        self.atomic_access(Op::plain(op), at, operands, true);
        true
    }

    /// Emits an instruction on `operands` home slots that leaves its result in the first of them.
    fn atomic_access(&mut self, op: Op, at: Address, operands: usize, has_result: bool) {
        self.settle_top(operands);
        let base = self.stack.home_at(self.stack.len() - operands);
        for _ in 0..operands {
            let entry = self.stack.pop();
            self.arg(entry);
        }
        let near = self.code.write(base, operands as u32);
        if u32::from(near) != base {
            self.code.copy(u32::from(near), base, operands as u32);
        }
        self.code.op(op, &[field::abcd(near, at.memory, 0, 0), at.offset]);
        if has_result {
            self.stack.push(Class::Int, Place::Home);
            self.code.wrote(near, base, 1);
        }
    }
}
