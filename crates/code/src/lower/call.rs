//! Calls and tail calls, direct, through tables and through references (core spec §4.4.8).

use dunlin_module::op::Operator;
use dunlin_module::{FuncIndex, FuncType};

use crate::bytecode::field;
use crate::op::{Class, PlainOp, Src};

use super::Lower;
use super::emit::Acc;
use super::stack::{NONE, Place, class_of};

impl Lower<'_> {
    /// Lowers a call; false if `op` is none.
    pub(super) fn call(&mut self, op: &Operator<'_>) -> bool {
        let module = self.module;
        match *op {
            Operator::Call { function_index } => {
                let (defined, index) = self.callee(function_index);
                let op = if defined { PlainOp::Call } else { PlainOp::CallImport };
                let ty = module.func_type(FuncIndex(function_index));
                let base = self.arguments(ty);
                let at = self.code.plain(op, &[field::lo_hi(index, base)]);
                self.call_results(at, ty);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let (src, slot) = self.pop_src();
                let ty = module.type_func(type_index);
                let base = self.arguments(ty);
                let op = match src {
                    Src::R => PlainOp::CallIndirectR,
                    Src::S => PlainOp::CallIndirectS,
                };
                let callee = field::lo_hi(table_index, type_index);
                let at = self.code.plain(op, &[field::ab_hi(slot, 0, base), callee]);
                self.call_results(at, ty);
            }
            Operator::CallRef { type_index } => {
                let slot = self.pop_slot();
                let slot = self.code.read(slot, 1);
                let ty = module.type_func(type_index);
                let base = self.arguments(ty);
                let at = self.code.plain(PlainOp::CallRef, &[field::ab_hi(slot, 0, base)]);
                self.call_results(at, ty);
            }
            Operator::ReturnCall { function_index } => {
                let (defined, index) = self.callee(function_index);
                let op = if defined { PlainOp::ReturnCall } else { PlainOp::ReturnCallImport };
                let (base, frame) =
                    self.tail_arguments(module.func_type(FuncIndex(function_index)));
                let at = self.code.plain(op, &[field::lo_hi(index, base), frame]);
                self.leave_by_call(at);
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let slot = self.pop_slot();
                let slot = self.code.read(slot, 1);
                let (base, frame) = self.tail_arguments(module.type_func(type_index));
                let callee = field::lo_hi(table_index, type_index);
                let words = [field::ab_hi(slot, 0, base), callee, frame];
                let at = self.code.plain(PlainOp::ReturnCallIndirect, &words);
                self.leave_by_call(at);
            }
            Operator::ReturnCallRef { type_index } => {
                let slot = self.pop_slot();
                let slot = self.code.read(slot, 1);
                let (base, frame) = self.tail_arguments(module.type_func(type_index));
                let words = [field::ab_hi(slot, 0, base), frame];
                let at = self.code.plain(PlainOp::ReturnCallRef, &words);
                self.leave_by_call(at);
            }
            _ => return false,
        }
        true
    }

    /// Whether the function has a body here, and its index among those that do or do not.
    fn callee(&self, index: u32) -> (bool, u32) {
        match self.module.defined_func(FuncIndex(index)) {
            Some(defined) => (true, defined.0),
            None => (false, index),
        }
    }

    /// Puts the arguments in their home slots, everything else out of the accumulators, and gives
    /// the base of the callee's frame.
    fn arguments(&mut self, ty: &FuncType) -> u32 {
        let count = ty.params.len();
        self.settle_top(count);
        let height = self.stack.len() - count;
        let base = self.stack.home_at(height);
        self.stack.truncate(height);
        base
    }

    /// Goes on after the call at word `at`.
    fn call_results(&mut self, at: usize, ty: &FuncType) {
        self.safepoint(at);
        self.code.forget();
        for &result in &ty.results {
            self.stack.push_ty(result, Place::Home);
        }
        // A single result is in the accumulator as well: see `ReturnIntR` and its kin.
        if let [result] = *ty.results
            && class_of(result) != Class::Vec
        {
            let slot = self.stack.entry(self.stack.len() - 1).home;
            self.code.acc[class_of(result) as usize] = Acc { slot, pending: NONE };
        }
    }

    /// Goes on after the tail call at word `at`, which is a safepoint because a function of the host
    /// is called before the frame is left.
    fn leave_by_call(&mut self, at: usize) {
        self.safepoint(at);
        self.unreachable = true;
    }

    fn tail_arguments(&mut self, ty: &FuncType) -> (u32, u64) {
        let base = self.arguments(ty);
        (base, field::lo_hi(ty.param_slots(), self.layout.header))
    }
}
