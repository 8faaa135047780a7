//! Stopping: fuel, interruption, the ends of both stacks.
//!
//! The cost of a stretch ([`dunlin_code::fuel`]) is taken at its beginning.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, types};
use dunlin_code::layout::{POLL_BYTES, rt, vmctx};
use dunlin_code::native::{Builtin, callee_of};
use dunlin_code::{Trap, fuel};
use dunlin_module::op::Operator;

use super::Translator;
use super::access::Region;
use crate::traps;

impl Translator<'_, '_> {
    /// Begins a stretch of instructions that are paid for together.
    pub(super) fn begin_fuel(&mut self) {
        self.end_fuel();
        if !self.settings.fuel {
            return;
        }
        let cost = self.b.ins().iconst(types::I64, 0);
        let inst = self.b.func.dfg.value_def(cost).inst();
        self.body.fuel = inst.map(|inst| (inst, 0));
        let rt = self.rt();
        let had = self.load_field(types::I64, Region::Fuel, rt, rt::FUEL);
        let left = self.b.ins().isub(had, cost);
        self.store_field(Region::Fuel, left, rt, rt::FUEL);
        let spent = self.compare(IntCC::SignedLessThan, left, 0);
        let (cold, next) = self.branch_cold(spent);
        self.b.switch_to_block(cold);
        self.builtin(Builtin::Refuel, &[], 0, 0);
        self.b.ins().jump(next, &[]);
        self.go_on(next);
    }

    /// Writes down what the current stretch costs.
    pub(super) fn end_fuel(&mut self) {
        if let Some((inst, cost)) = self.body.fuel.take() {
            let imm = Imm64::new(i64::from(cost));
            let constant = InstructionData::UnaryImm { opcode: Opcode::Iconst, imm };
            self.b.func.dfg.insts[inst] = constant;
        }
    }

    /// Adds to what the current stretch costs.
    fn add_fuel(&mut self, cost: u32) {
        if let Some((_, sum)) = &mut self.body.fuel {
            *sum = sum.saturating_add(cost);
        }
    }

    pub(super) fn charge_for_locals(&mut self) {
        self.add_fuel(fuel::locals_cost(self.local_slots()));
    }

    pub(super) fn count_fuel(&mut self, op: &Operator<'_>) {
        self.add_fuel(fuel::cost(op));
    }

    /// Looks for interruption.
    pub(super) fn poll(&mut self) {
        if !self.settings.interruptible {
            return;
        }
        let address = self.context_field(vmctx::POLL);
        let flags = self.flags(Region::Poll).with_trap_code(Some(traps::code(Trap::Interrupted)));
        // Each place reads another byte, so that no load makes another redundant.
        let at = self.polls;
        self.polls += 1;
        if at < POLL_BYTES {
            self.b.ins().load(types::I8, flags, address, at as i32);
        } else {
            self.b.ins().atomic_load(types::I8, flags, address);
        }
    }

    /// If little of the native stack is left, lets the interpreter execute the function, whose
    /// parameters in registers, with the context, are `given`.
    pub(super) fn check_native_stack(&mut self, given: &[Value]) {
        let rt = self.rt();
        let limit = self.load_field(types::I64, Region::Runtime, rt, rt::NATIVE_LIMIT);
        let stack = self.b.ins().get_stack_pointer(types::I64);
        let little = self.b.ins().icmp(IntCC::UnsignedLessThan, stack, limit);
        let (cold, next) = self.branch_cold(little);
        self.b.switch_to_block(cold);
        let callee = self.i64(callee_of(self.body.func));
        self.store_field(Region::Runtime, callee, self.vmctx, vmctx::CALLEE);
        let bridge = self.context_field(vmctx::BRIDGE);
        let signature = self.b.func.signature.clone();
        let signature = self.b.import_signature(signature);
        self.b.ins().return_call_indirect(signature, bridge, given);
        self.go_on(next);
    }

    /// In the deterministic profile, where the caller says that the interpreter's frame would be.
    pub(super) fn given_base(&mut self) -> Option<Value> {
        let rt = self.rt();
        let given = |t: &mut Self| t.load_field(types::I64, Region::Runtime, rt, rt::NATIVE_TOP);
        self.settings.deterministic.then(|| given(self))
    }

    /// In the deterministic profile, traps if the interpreter's frame, at `base`, would not fit.
    pub(super) fn check_value_stack(&mut self, base: Value) {
        self.body.frame_base = Some(base);
        let rt = self.rt();
        let end = self.load_field(types::I64, Region::Runtime, rt, rt::STACK_END);
        let size = self.i64(8 * u64::from(self.body.frame_slots));
        let top = self.b.ins().iadd(base, size);
        let over = self.b.ins().icmp(IntCC::UnsignedGreaterThan, top, end);
        self.trap_if(over, Trap::StackOverflow);
    }

    /// In the deterministic profile, says where the interpreter's frame of the function called next
    /// would be: at the slot of height 0 plus `home`, or in place of this one.
    pub(super) fn place_callee(&mut self, home: Option<u32>) {
        let top = match home {
            Some(home) => self.callee_base(home),
            None => self.body.frame_base.filter(|_| self.settings.deterministic),
        };
        let Some(top) = top else { return };
        let rt = self.rt();
        self.store_field(Region::Runtime, top, rt, rt::NATIVE_TOP);
    }
}
