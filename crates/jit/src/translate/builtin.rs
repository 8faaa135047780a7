//! Calls of the runtime.

use cranelift_codegen::ir::{
    AbiParam, InstBuilder, SigRef, Signature, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use dunlin_code::layout::vmctx;
use dunlin_code::native::Builtin;

use super::Translator;
use super::access::Region;
use super::stack::slots;
use crate::traps;

impl Translator<'_, '_> {
    /// Calls a builtin that cannot trap, with `args` in the slots for operands; gives what it returns.
    pub(super) fn builtin_value(
        &mut self,
        builtin: Builtin,
        args: &[Value],
        a: Value,
        b: Value,
    ) -> Value {
        self.count_live();
        let address = self.args_address(args);
        let table = self.context_field(vmctx::BUILTINS);
        let code = self.load_constant(types::I64, table, 8 * builtin as i32);
        let signature = self.builtin_signature();
        let args = [self.vmctx, address, a, b];
        let call = self.b.ins().call_indirect(signature, code, &args);
        self.b.inst_results(call)[0]
    }

    /// Calls a builtin, which traps if it returns 0.
    pub(super) fn builtin(&mut self, builtin: Builtin, args: &[Value], a: u64, b: u64) -> Value {
        let (a, b) = (self.i64(a), self.i64(b));
        let value = self.builtin_value(builtin, args, a, b);
        self.b.ins().trapz(value, traps::RAISED);
        value
    }

    /// Calls a builtin that cannot trap and returns nothing.
    pub(super) fn builtin_silent(&mut self, builtin: Builtin, args: &[Value], a: u64, b: u64) {
        let (a, b) = (self.i64(a), self.i64(b));
        self.builtin_value(builtin, args, a, b);
    }

    /// Reads a result of the builtin just called, from slot `slot`.
    pub(super) fn builtin_result(&mut self, ty: Type, slot: u32) -> Value {
        let (place, _) = self.reserve_args(slot + slots(ty));
        let address = self.b.ins().stack_addr(types::I64, place, 0);
        self.load_field(ty, Region::Args, address, (8 * slot) as i32)
    }

    /// The signature of all builtins.
    pub(super) fn builtin_signature(&mut self) -> SigRef {
        if let Some(known) = self.builtin_signature {
            return known;
        }
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params = vec![AbiParam::new(types::I64); 4];
        signature.returns = vec![AbiParam::new(types::I64)];
        *self.builtin_signature.insert(self.b.import_signature(signature))
    }

    /// The slots for operands and results of builtins, at least `count`.
    fn reserve_args(&mut self, count: u32) -> (cranelift_codegen::ir::StackSlot, u32) {
        let (slot, known) = match self.args {
            Some(args) => args,
            None => {
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 4);
                (self.b.create_sized_stack_slot(data), 2)
            }
        };
        let count = known.max(count);
        self.b.func.sized_stack_slots[slot].size = 8 * count;
        self.args = Some((slot, count));
        (slot, count)
    }

    /// Puts operands in their slots and gives the address of the first, which may have results too.
    pub(super) fn args_address(&mut self, args: &[Value]) -> Value {
        let count = args.iter().map(|value| slots(self.type_of(*value))).sum();
        let (slot, _) = self.reserve_args(count);
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        let mut at = 0;
        for &value in args {
            let value = self.slot_form(value);
            self.store_field(Region::Args, value, address, (8 * at) as i32);
            at += slots(self.type_of(value));
        }
        address
    }
}
