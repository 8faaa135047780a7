//! Tables, globals and function references (core spec §4.4.3, §4.4.5, §4.4.6).

use dunlin_module::op::Operator;
use dunlin_module::{RefType, ValType};

use crate::bytecode::field;
use crate::op::{Class, Dst, Op, PlainOp, Src, UnOp};

use super::Lower;
use super::stack::{Place, class_of};

impl Lower<'_> {
    /// Lowers a table, global or reference instruction; false if `op` is none.
    pub(super) fn table(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::GlobalGet { global_index } => self.global_get(global_index),
            Operator::GlobalSet { global_index } => self.global_set(global_index),
            Operator::TableGet { table } => {
                self.based(PlainOp::TableGet, 1, &[Class::Int], |base| {
                    field::abcd(base, table as u16, 0, 0)
                });
                let elem = ValType::Ref(self.module.tables[table as usize].elem);
                self.stack.set_top_traced(elem.is_traced());
            }
            Operator::TableSet { table } => {
                self.based(PlainOp::TableSet, 2, &[], |b| field::abcd(b, table as u16, 0, 0));
            }
            Operator::TableSize { table } => {
                self.slot_result(Class::Int, |dst| {
                    (Op::plain(PlainOp::TableSize), [field::abcd(dst, table as u16, 0, 0), 0, 0])
                });
            }
            Operator::TableGrow { table } => {
                let wide = u16::from(self.module.tables[table as usize].index64);
                self.based(PlainOp::TableGrow, 2, &[Class::Int], |base| {
                    field::abcd(base, table as u16, wide, 0)
                });
            }
            Operator::TableFill { table } => {
                self.based(PlainOp::TableFill, 3, &[], |b| field::abcd(b, table as u16, 0, 0));
            }
            Operator::TableCopy { dst_table, src_table } => {
                self.based(PlainOp::TableCopy, 3, &[], |base| {
                    field::abcd(base, dst_table as u16, src_table as u16, 0)
                });
            }
            Operator::TableInit { elem_index, table } => {
                self.based(PlainOp::TableInit, 3, &[], |base| {
                    field::ab_hi(base, table as u16, elem_index)
                });
            }
            Operator::ElemDrop { elem_index } => {
                self.code.plain(PlainOp::ElemDrop, &[field::ab_hi(0, 0, elem_index)]);
            }
            Operator::RefNull { hty } => {
                // Traced though it is null: as a parameter of a loop it may be something else when
                // the loop begins again.
                let heap = self.module.heap_type(hty);
                self.stack.push_ty(ValType::Ref(RefType { nullable: true, heap }), Place::Const(0));
            }
            Operator::RefFunc { function_index } => {
                self.slot_result(Class::Int, |dst| {
                    (Op::plain(PlainOp::RefFunc), [field::ab_hi(dst, 0, function_index), 0, 0])
                });
            }
            Operator::RefIsNull => {
                let (src, slot) = self.pop_src();
                let word = field::abcd(0, slot, 0, 0);
                self.produce(Op::un(UnOp::I64Eqz, src, Dst::Acc), &[word], Class::Int);
            }
            Operator::RefAsNonNull => {
                self.settle_top(1);
                let home = self.stack.entry(self.stack.len() - 1).home;
                let slot = self.code.read(home, 1);
                self.code.plain(PlainOp::RefAsNonNull, &[field::abcd(slot, 0, 0, 0)]);
            }
            _ => return false,
        }
        true
    }

    fn global_get(&mut self, index: u32) {
        let ty = self.module.globals[index as usize].val;
        let class = class_of(ty);
        let op = match class {
            Class::Int => PlainOp::GlobalGetInt,
            Class::F32 => PlainOp::GlobalGetF32,
            Class::F64 => PlainOp::GlobalGetF64,
            Class::Vec => {
                self.slot_result(class, |dst| {
                    (Op::plain(PlainOp::GlobalGetVec), [field::ab_hi(dst, 0, index), 0, 0])
                });
                return;
            }
        };
        self.produce(Op::plain(op), &[field::ab_hi(0, 0, index)], class);
        self.stack.set_top_traced(ty.is_traced());
    }

    fn global_set(&mut self, index: u32) {
        let class = class_of(self.module.globals[index as usize].val);
        if class == Class::Vec {
            let slot = self.pop_slot();
            let slot = self.code.read(slot, 2);
            self.code.plain(PlainOp::GlobalSetVec, &[field::ab_hi(slot, 0, index)]);
            return;
        }
        let (src, slot) = self.pop_src();
        let op = match (src, class) {
            (Src::S, _) => PlainOp::GlobalSet,
            (Src::R, Class::Int) => PlainOp::GlobalSetInt,
            (Src::R, Class::F32) => PlainOp::GlobalSetF32,
            (Src::R, _) => PlainOp::GlobalSetF64,
        };
        self.code.plain(op, &[field::ab_hi(slot, 0, index)]);
    }
}
