//! Translation of instructions on objects (core spec §4.4.3, §4.4.4): structs, arrays, `i31`, casts.
//!
//! | part | what |
//! |---|---|
//! | [`field`] | where fields and elements are, how they are read and written |
//! | [`allocate`] | what makes objects |
//! | [`cast`] | tests of types |
//!
//! What is read from the heap is not trusted: an access is compared with the heap's length, and a
//! number with the length of the table that it is used for. What was computed from a reference, an
//! address above all, is never used behind a call: the object may be elsewhere then.

mod allocate;
mod cast;
mod field;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, types};
use dunlin_code::Trap;
use dunlin_code::native::Builtin;
use dunlin_code::object::I31_TAG;
use dunlin_module::op::Operator;

pub(super) use self::field::FieldPlace;
use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Translates one of this family; false if `op` is none that is translated.
    pub(super) fn gc(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::RefI31 => {
                let value = self.pop();
                let shifted = self.b.ins().ishl_imm_u(value, 1);
                let tagged = self.b.ins().bor_imm_u(shifted, i64::from(I31_TAG));
                let reference = self.b.ins().uextend(types::I64, tagged);
                self.push_traced(reference);
            }
            Operator::I31GetS | Operator::I31GetU => {
                let reference = self.pop();
                self.trap_unless(reference, Trap::NullI31);
                let value = self.b.ins().ireduce(types::I32, reference);
                let value = match op {
                    Operator::I31GetS => self.b.ins().sshr_imm_u(value, 1),
                    _ => self.b.ins().ushr_imm_u(value, 1),
                };
                self.push(value);
            }
            Operator::RefEq => {
                let (a, b) = self.pop2();
                let equal = self.b.ins().icmp(IntCC::Equal, a, b);
                let equal = self.b.ins().uextend(types::I32, equal);
                self.push(equal);
            }
            // References of both hierarchies look the same.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            _ => {
                return Ok(self.gc_access(op)?
                    || self.gc_new(op)?
                    || self.gc_bulk(op)
                    || self.gc_cast(op)?);
            }
        }
        Ok(true)
    }

    /// Translates what reads or writes one field or element.
    fn gc_access(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::StructGet { struct_type_index: ty, field_index }
            | Operator::StructGetU { struct_type_index: ty, field_index } => {
                self.struct_get(ty, field_index, false);
            }
            Operator::StructGetS { struct_type_index: ty, field_index } => {
                self.struct_get(ty, field_index, true);
            }
            Operator::StructSet { struct_type_index: ty, field_index } => {
                let (object, value) = self.pop2();
                let place = self.field(object, ty, field_index);
                self.write(place, value);
                self.barrier(place, object, value)?;
            }
            Operator::ArrayGet { array_type_index: ty }
            | Operator::ArrayGetU { array_type_index: ty } => self.array_get(ty, false),
            Operator::ArrayGetS { array_type_index: ty } => self.array_get(ty, true),
            Operator::ArraySet { array_type_index: ty } => {
                let value = self.pop();
                let (array, index) = self.pop2();
                let place = self.item(array, index, ty);
                self.write(place, value);
                self.barrier(place, array, value)?;
            }
            Operator::ArrayLen => {
                let array = self.pop();
                let (_, length) = self.length(array);
                self.push(length);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Translates what the runtime does with many elements.
    fn gc_bulk(&mut self, op: &Operator<'_>) -> bool {
        let (builtin, count, a, b) = match *op {
            Operator::ArrayFill { array_type_index: ty } => (Builtin::ArrayFill, 4, ty, 0),
            Operator::ArrayCopy { array_type_index_dst: to, array_type_index_src: from } => {
                (Builtin::ArrayCopy, 5, to, from)
            }
            Operator::ArrayInitData { array_type_index: ty, array_data_index: data } => {
                (Builtin::ArrayInitData, 4, ty, data)
            }
            Operator::ArrayInitElem { array_type_index: ty, array_elem_index: elem } => {
                (Builtin::ArrayInitElem, 4, ty, elem)
            }
            _ => return false,
        };
        let operands = self.pop_many(count);
        self.builtin(builtin, &operands, a.into(), b.into());
        true
    }

    /// A block inside an instruction, counted as work.
    fn inner_block(&mut self, values: usize) -> Result<Block> {
        self.work.edge(values)?;
        Ok(self.b.create_block())
    }
}
