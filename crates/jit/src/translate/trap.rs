//! Traps.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use dunlin_code::Trap;

use super::Translator;
use crate::traps;

impl Translator<'_, '_> {
    /// Traps here; what follows is unreachable.
    pub(super) fn trap(&mut self, trap: Trap) {
        self.b.ins().trap(traps::code(trap));
        self.unreachable = true;
    }

    /// Traps unless `condition` is zero.
    pub(super) fn trap_if(&mut self, condition: Value, trap: Trap) {
        self.b.ins().trapnz(condition, traps::code(trap));
    }

    /// Traps if `condition` is zero.
    pub(super) fn trap_unless(&mut self, condition: Value, trap: Trap) {
        self.b.ins().trapz(condition, traps::code(trap));
    }

    /// Compares with a constant.
    pub(super) fn compare(&mut self, cc: IntCC, value: Value, constant: i64) -> Value {
        let constant = self.constant_like(self.type_of(value), constant);
        self.b.ins().icmp(cc, value, constant)
    }

    /// A constant of an integer type.
    pub(super) fn constant_like(&mut self, ty: Type, constant: i64) -> Value {
        // Constants are written as if unsigned.
        let bits = if ty.bits() < 64 { constant & ((1 << ty.bits()) - 1) } else { constant };
        self.b.ins().iconst(ty, bits)
    }
}
