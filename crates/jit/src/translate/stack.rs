//! Operands and locals.

use cranelift_codegen::ir::{InstBuilder, Type, Value, types};
use cranelift_frontend::Variable;
use dunlin_module::ValType;

use super::Translator;

/// One operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) value: Value,
    /// Whether it is a reference that the collector follows. Such values are declared to the frontend.
    pub(super) traced: bool,
    /// Its home slot, counted from that of height 0.
    pub(super) home: u32,
    /// The variable that it is at headers of loops, where it is one: see `osr`.
    pub(super) var: Option<Variable>,
}

/// One local.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) var: Variable,
    pub(super) ty: ValType,
}

/// The type of values of a wasm type. References are `i64`; vectors are always kept as `i8x16`.
pub(super) fn clif_type(ty: ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 | ValType::Ref(_) => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => types::I8X16,
    }
}

/// How many slots a value of this type takes.
pub(super) fn slots(ty: Type) -> u32 {
    if ty.is_vector() { 2 } else { 1 }
}

impl Translator<'_, '_> {
    pub(super) fn type_of(&self, value: Value) -> Type {
        self.b.func.dfg.value_type(value)
    }

    /// Pushes a value that is no traced reference: a number, a vector as `i8x16`, a function reference.
    pub(super) fn push(&mut self, value: Value) {
        let home = self.top_slot();
        self.stack.push(Operand { value, traced: false, home, var: None });
    }

    /// Pushes a traced reference, an `i64`.
    pub(super) fn push_traced(&mut self, value: Value) {
        self.b.declare_value_needs_stack_map(value);
        let home = self.top_slot();
        self.stack.push(Operand { value, traced: true, home, var: None });
    }

    /// Pushes a value of a type.
    pub(super) fn push_ty(&mut self, value: Value, ty: ValType) {
        if ty.is_traced() { self.push_traced(value) } else { self.push(value) }
    }

    /// Counts what may have to be found at a call that is made now.
    pub(super) fn count_live(&mut self) {
        self.work.live(self.stack.len() + self.traced_locals);
    }

    /// The home slot of the next operand, counted from that of height 0.
    pub(super) fn top_slot(&self) -> u32 {
        let own = self.stack.get(self.body.stack_base..).and_then(|operands| operands.last());
        own.map_or(0, |top| top.home + slots(self.type_of(top.value)))
    }

    pub(super) fn pop_operand(&mut self) -> Operand {
        self.stack.pop().expect("validated: an operand is there")
    }

    pub(super) fn pop(&mut self) -> Value {
        self.pop_operand().value
    }

    /// Pops two operands, the first pushed first.
    pub(super) fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    /// Pops `count` operands, the first pushed first.
    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let from = self.stack.len() - count;
        self.stack.drain(from..).map(|operand| operand.value).collect()
    }

    /// The top `count` operands, the first pushed first.
    pub(super) fn top(&self, count: usize) -> Vec<Value> {
        let from = self.stack.len() - count;
        self.stack[from..].iter().map(|operand| operand.value).collect()
    }

    /// A constant of type `i64`.
    pub(super) fn i64(&mut self, bits: u64) -> Value {
        self.b.ins().iconst(types::I64, bits as i64)
    }

    /// A constant of type `i32`.
    pub(super) fn i32(&mut self, bits: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(bits))
    }

    /// The constant that `value` is, if it is one.
    pub(super) fn constant_of(&self, value: Value) -> Option<u64> {
        use cranelift_codegen::ir::{InstructionData, Opcode};
        let inst = self.b.func.dfg.value_def(self.b.func.dfg.resolve_aliases(value)).inst()?;
        let bits = match self.b.func.dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
            _ => return None,
        };
        Some(if self.type_of(value) == types::I32 { u64::from(bits as u32) } else { bits })
    }

    /// An address or index as 64 bits: `i32` is zero-extended.
    pub(super) fn widened(&mut self, value: Value) -> Value {
        match self.type_of(value) {
            types::I64 => value,
            _ => match self.constant_of(value) {
                Some(bits) => self.i64(bits),
                None => self.b.ins().uextend(types::I64, value),
            },
        }
    }

    /// The value as the interpreter keeps it in a slot: 64 bits, zero-extended; vectors as they are.
    pub(super) fn slot_form(&mut self, value: Value) -> Value {
        use cranelift_codegen::ir::MemFlagsData;
        match self.type_of(value) {
            types::I32 => self.b.ins().uextend(types::I64, value),
            types::F32 => {
                let bits = self.b.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.b.ins().uextend(types::I64, bits)
            }
            _ => value,
        }
    }
}
