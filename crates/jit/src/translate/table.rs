//! Tables, globals and references (core spec §4.4.3, §4.4.5, §4.4.6).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use dunlin_code::Trap;
use dunlin_code::layout::{GLOBAL_BYTES, table};
use dunlin_code::native::Builtin;
use dunlin_module::op::Operator;
use dunlin_module::{RefType, ValType};

use super::access::Region;
use super::stack::clif_type;
use super::{Result, Translator};
use crate::traps;

impl Translator<'_, '_> {
    /// Translates a table, global or reference instruction; false if `op` is none.
    pub(super) fn table(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::GlobalGet { global_index } => self.global_get(global_index),
            Operator::GlobalSet { global_index } => self.global_set(global_index),
            Operator::TableGet { table } => {
                let index = self.pop();
                let (address, flags) = self.element(table, index, Trap::TableOutOfBounds);
                let value = self.b.ins().load(types::I64, flags, address, 0);
                self.push_ty(value, ValType::Ref(self.module.tables[table as usize].elem));
            }
            Operator::TableSet { table } => {
                let (index, value) = self.pop2();
                let (address, flags) = self.element(table, index, Trap::TableOutOfBounds);
                self.b.ins().store(flags, value, address, 0);
            }
            Operator::TableSize { table } => {
                let len = self.table_len(table);
                let wide = self.module.tables[table as usize].index64;
                let len = if wide { len } else { self.b.ins().ireduce(types::I32, len) };
                self.push(len);
            }
            Operator::TableGrow { table } => {
                let args = self.pop_many(2);
                let ty = self.type_of(args[1]);
                self.builtin(Builtin::TableGrow, &args, table.into(), 0);
                let old = self.builtin_result(ty, 0);
                self.push(old);
            }
            Operator::TableFill { table } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::TableFill, &args, table.into(), 0);
            }
            Operator::TableCopy { dst_table, src_table } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::TableCopy, &args, dst_table.into(), src_table.into());
            }
            Operator::TableInit { elem_index, table } => {
                let args = self.pop_many(3);
                self.builtin(Builtin::TableInit, &args, elem_index.into(), table.into());
            }
            Operator::ElemDrop { elem_index } => {
                self.builtin_silent(Builtin::ElemDrop, &[], elem_index.into(), 0);
            }
            _ => return Ok(self.reference(op)),
        }
        Ok(true)
    }

    fn reference(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::RefNull { hty } => {
                let heap = self.module.heap_type(hty);
                let null = self.i64(0);
                self.push_ty(null, ValType::Ref(RefType { nullable: true, heap }));
            }
            Operator::RefFunc { function_index } => self.ref_func(function_index),
            Operator::RefIsNull => {
                let value = self.pop();
                let null = self.compare(IntCC::Equal, value, 0);
                self.push_bool(null);
            }
            Operator::RefAsNonNull => {
                let value = self.top(1)[0];
                self.trap_unless(value, Trap::NullReference);
            }
            _ => return false,
        }
        true
    }

    /// Pushes the result of a comparison as `i32`.
    pub(super) fn push_bool(&mut self, value: Value) {
        let value = self.b.ins().uextend(types::I32, value);
        self.push(value);
    }

    fn ref_func(&mut self, index: u32) {
        let at = (self.layout.func_refs + 8 * u64::from(index)) as i32;
        let known = self.load_field(types::I64, Region::Records, self.vmctx, at);
        let next = self.b.create_block();
        let record = self.b.append_block_param(next, types::I64);
        let cold = self.b.create_block();
        self.b.set_cold_block(cold);
        self.b.ins().brif(known, next, &[known.into()], cold, &[]);
        self.go_on(cold);
        let (index, none) = (self.i64(index.into()), self.i64(0));
        let made = self.builtin_value(Builtin::RefFunc, &[], index, none);
        self.jump(next, &[made]);
        self.go_on(next);
        self.push(record);
    }

    /// The address of the `TableDef`.
    fn table_def(&mut self, table: u32) -> Value {
        self.context_entry(self.layout.tables, table)
    }

    /// The number of elements that a table has for ever, if it can neither grow nor be of another size.
    fn fixed_len(&self, table: u32) -> Option<u64> {
        let ty = &self.module.tables[table as usize];
        let stays = ty.max == Some(ty.min) || self.module.fixed_table(table).is_some();
        stays.then_some(ty.min)
    }

    fn table_len(&mut self, table: u32) -> Value {
        if let Some(len) = self.fixed_len(table) {
            return self.i64(len);
        }
        let def = self.table_def(table);
        self.load_field(types::I64, Region::Definitions, def, table::LEN)
    }

    /// Where element `index` of a table is: an access there is `trap` if there is no such element.
    pub(super) fn element(
        &mut self,
        table: u32,
        index: Value,
        trap: Trap,
    ) -> (Value, cranelift_codegen::ir::MemFlagsData) {
        let index = self.widened(index);
        let def = self.table_def(table);
        let fixed = self.fixed_len(table);
        let base = match fixed {
            Some(_) => self.load_constant(types::I64, def, table::BASE),
            None => self.load_field(types::I64, Region::Definitions, def, table::BASE),
        };
        let at = self.b.ins().ishl_imm_u(index, 3);
        let address = self.b.ins().iadd(base, at);
        let flags = self.flags(Region::Elements);
        if self.constant_of(index).zip(fixed).is_some_and(|(index, len)| index < len) {
            return (address, flags);
        }
        let len = self.table_len(table);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        // As for memories: outside is address 0, where accesses fault.
        let nowhere = self.i64(0);
        let address = self.b.ins().select_spectre_guard(outside, nowhere, address);
        (address, flags.with_trap_code(Some(traps::code(trap))))
    }

    /// Where a global is: base, offset, and the region it is in; `None` for what never changes.
    fn global(&mut self, index: u32) -> (Value, i32, Option<Region>) {
        let ty = &self.module.globals[index as usize];
        // A collector changes references where they are.
        let constant = !ty.mutable && !ty.val.is_traced();
        let (base, offset, region) = match index.checked_sub(self.module.imported.globals) {
            Some(defined) => {
                let at = self.layout.global_storage + u64::from(GLOBAL_BYTES * defined);
                (self.vmctx, at as i32, Region::Global(defined))
            }
            None => {
                let storage = self.context_entry(self.layout.globals, index);
                (storage, 0, Region::ImportedGlobals)
            }
        };
        (base, offset, (!constant).then_some(region))
    }

    fn global_get(&mut self, index: u32) {
        let ty = self.module.globals[index as usize].val;
        let (base, offset, region) = self.global(index);
        let value = match region {
            None => self.load_constant(clif_type(ty), base, offset),
            Some(region) => self.load_field(clif_type(ty), region, base, offset),
        };
        self.push_ty(value, ty);
    }

    fn global_set(&mut self, index: u32) {
        let value = self.pop();
        let (base, offset, region) = self.global(index);
        // The upper half of the storage of an `i32` or `f32` is zero from the beginning.
        self.store_field(region.unwrap_or(Region::ImportedGlobals), value, base, offset);
    }
}
