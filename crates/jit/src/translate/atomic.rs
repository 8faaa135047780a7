//! Translation of atomic instructions: accesses, fence, wait and notify.
//!
//! All orderings are the strongest. Addresses must be multiples of the size of what is accessed: that is
//! found out first, and only then whether they are inside of the memory.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Type, Value, types};
use dunlin_code::Trap;
use dunlin_code::native::Builtin;
use dunlin_code::op::AtomicShape;
use dunlin_module::op::{MemArg, Operator};

use super::memory::{Address, memory_of};
use super::{Result, Translator};

/// An atomic access: what it does, to a number of which type in memory, as which type of operands.
struct Access {
    shape: AtomicShape,
    memory: Type,
    value: Type,
    /// What it computes, if it computes.
    op: Option<AtomicRmwOp>,
}

macro_rules! ty {
    (u8) => {
        types::I8
    };
    (u16) => {
        types::I16
    };
    (u32) => {
        types::I32
    };
    (u64) => {
        types::I64
    };
}

macro_rules! atomic_access {
    ($($name:ident $shape:ident $memory:tt $value:tt $fun:ident,)*) => {
        fn atomic_access<'o>(op: &'o Operator<'_>) -> Option<(Access, &'o MemArg)> {
            Some(match op {
                $(Operator::$name { memarg } => (
                    Access {
                        shape: AtomicShape::$shape,
                        memory: ty!($memory),
                        value: ty!($value),
                        op: computation(stringify!($fun)),
                    },
                    memarg,
                ),)*
                _ => return None,
            })
        }
    };
}
dunlin_code::for_each_atomic_op!(atomic_access);

fn computation(name: &str) -> Option<AtomicRmwOp> {
    Some(match name {
        "add" => AtomicRmwOp::Add,
        "sub" => AtomicRmwOp::Sub,
        "and" => AtomicRmwOp::And,
        "or" => AtomicRmwOp::Or,
        "xor" => AtomicRmwOp::Xor,
        "xchg" => AtomicRmwOp::Xchg,
        _ => return None,
    })
}

impl Translator<'_, '_> {
    /// Translates an atomic instruction; false if `op` is none.
    pub(super) fn atomic(&mut self, op: &Operator<'_>) -> Result<bool> {
        if let Some((access, memarg)) = atomic_access(op) {
            if memory_of(memarg).is_none() {
                return Ok(false);
            }
            self.access_atomically(&access, memarg);
            return Ok(true);
        }
        let (builtin, memarg, operands) = match op {
            Operator::AtomicFence { .. } => {
                self.b.ins().fence();
                return Ok(true);
            }
            Operator::MemoryAtomicNotify { memarg } => (Builtin::Notify, memarg, 2),
            Operator::MemoryAtomicWait32 { memarg } => (Builtin::Wait32, memarg, 3),
            Operator::MemoryAtomicWait64 { memarg } => (Builtin::Wait64, memarg, 3),
            _ => return Ok(false),
        };
        let Some(memory) = memory_of(memarg) else { return Ok(false) };
        let args = self.pop_many(operands);
        self.builtin(builtin, &args, memory.into(), memarg.offset);
        let result = self.builtin_result(types::I32, 0);
        self.push(result);
        Ok(true)
    }

    fn access_atomically(&mut self, access: &Access, memarg: &MemArg) {
        let &Access { shape, memory, value, op } = access;
        let operands = self.pop_many(shape.operands());
        let (at, flags) = self.atomic_address(memarg, operands[0], memory);
        let old = match (shape, op) {
            (AtomicShape::Store, _) => {
                let stored = self.reduced(operands[1], memory);
                self.b.ins().atomic_store(flags, stored, at);
                return;
            }
            (AtomicShape::Rmw, Some(op)) => {
                let operand = self.reduced(operands[1], memory);
                self.b.ins().atomic_rmw(memory, flags, op, at, operand)
            }
            (AtomicShape::Cmpxchg, _) => {
                let (expected, replacement) = self.exchanged(operands[1], operands[2], memory);
                self.b.ins().atomic_cas(flags, at, expected, replacement)
            }
            _ => self.b.ins().atomic_load(memory, flags, at),
        };
        let old = if memory == value { old } else { self.b.ins().uextend(value, old) };
        self.push(old);
    }

    /// Where an access is, which instructions for atomic accesses take without an offset.
    fn atomic_address(
        &mut self,
        memarg: &MemArg,
        index: Value,
        memory: Type,
    ) -> (Value, MemFlagsData) {
        if memory != types::I8 {
            let low = i64::from(memory.bytes() - 1);
            let at = self.b.ins().iadd_imm_s(index, memarg.offset as i64 & low);
            let rest = self.b.ins().band_imm_u(at, low);
            self.trap_if(rest, Trap::UnalignedAtomic);
        }
        let Address { base, offset, flags } = self.address(memarg, index, memory.bytes());
        let at = match offset {
            0 => base,
            _ => self.b.ins().iadd_imm_s(base, i64::from(offset)),
        };
        (at, flags)
    }

    /// The low bits of an operand, those that go to memory.
    fn reduced(&mut self, operand: Value, memory: Type) -> Value {
        match self.type_of(operand) == memory {
            true => operand,
            false => self.b.ins().ireduce(memory, operand),
        }
    }

    /// What memory is compared with and what replaces it. An expected value that is too large for the
    /// memory is compared whole, and so never found: then what is found in its place replaces itself.
    fn exchanged(&mut self, expected: Value, replacement: Value, memory: Type) -> (Value, Value) {
        let low = self.reduced(expected, memory);
        let replacement = self.reduced(replacement, memory);
        let ty = self.type_of(expected);
        if ty == memory {
            return (low, replacement);
        }
        let whole = self.b.ins().uextend(ty, low);
        let fits = self.b.ins().icmp(IntCC::Equal, whole, expected);
        (low, self.b.ins().select(fits, replacement, low))
    }
}
