//! Objects of the garbage-collected heap (core spec §4.4.3, §4.4.4): structs, arrays, `i31`, casts.
//!
//! What allocates is a safepoint: its operands are in their home slots, where a collection finds and
//! changes them. They are named by the first of these slots, with 32 bits, and never moved to scratch
//! slots, where nobody would look for them.

use dunlin_module::op::{self, Operator};
use dunlin_module::{FieldType, HeapType, TypeKind};

use crate::bytecode::field;
use crate::object::{Storage, offsets};
use crate::op::{BinOp, CastTarget, Class, Dst, FieldOp, FieldSetOp, Op, PlainOp, Src};

use super::Lower;
use super::emit::{Arg, Cond};
use super::stack::{NONE, Place, class_of};

/// The class of a field's values, and the load for it where that is one instruction.
fn load(storage: Storage, class: Class, signed: bool) -> Option<FieldOp> {
    Some(match (storage, class) {
        (Storage::B8, _) if signed => FieldOp::S8,
        (Storage::B8, _) => FieldOp::U8,
        (Storage::B16, _) if signed => FieldOp::S16,
        (Storage::B16, _) => FieldOp::U16,
        (Storage::B32, Class::F32) => FieldOp::F32,
        (Storage::B32 | Storage::Ref, _) => FieldOp::W32,
        (Storage::B64, Class::F64) => FieldOp::F64,
        (Storage::B64, _) => FieldOp::W64,
        (Storage::B128 | Storage::Func, _) => return None,
    })
}

/// The store to a field, where that is one instruction.
fn store(storage: Storage, class: Class) -> Option<FieldSetOp> {
    Some(match (storage, class) {
        (Storage::B8, _) => FieldSetOp::B8,
        (Storage::B16, _) => FieldSetOp::B16,
        (Storage::B32, Class::F32) => FieldSetOp::F32,
        (Storage::B32, _) => FieldSetOp::W32,
        (Storage::B64, Class::F64) => FieldSetOp::F64,
        (Storage::B64, _) => FieldSetOp::W64,
        (Storage::Ref, _) => FieldSetOp::Ref,
        (Storage::B128 | Storage::Func, _) => return None,
    })
}

/// The class of the values of a field.
fn field_class(field: &FieldType) -> Class {
    field.val().map_or(Class::Int, class_of)
}

impl Lower<'_> {
    /// Lowers an instruction on objects; false if `op` is none.
    pub(super) fn gc(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::StructGet { struct_type_index: ty, field_index }
            | Operator::StructGetU { struct_type_index: ty, field_index } => {
                self.struct_get(ty, field_index, false);
            }
            Operator::StructGetS { struct_type_index: ty, field_index } => {
                self.struct_get(ty, field_index, true);
            }
            Operator::StructSet { struct_type_index: ty, field_index } => {
                self.struct_set(ty, field_index);
            }
            Operator::ArrayGet { array_type_index: ty }
            | Operator::ArrayGetU { array_type_index: ty } => self.array_get(ty, false),
            Operator::ArrayGetS { array_type_index: ty } => self.array_get(ty, true),
            Operator::ArraySet { array_type_index: ty } => self.array_set(ty),
            Operator::ArrayLen => {
                let slot = self.pop_slot();
                let slot = self.code.read(slot, 1);
                let word = field::abcd(0, slot, 0, 0);
                self.produce(Op::plain(PlainOp::ArrayLen), &[word], Class::Int);
            }
            Operator::RefEq => self.binary(BinOp::I64Eq),
            // References of both hierarchies look the same.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            _ => return self.gc_new(op) || self.gc_bulk(op) || self.gc_cast(op),
        }
        true
    }

    /// Instructions that make objects.
    fn gc_new(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::StructNew { struct_type_index: ty } => {
                let count = self.module.type_fields(ty).len();
                self.allocate(PlainOp::StructNew, count, ty, None);
            }
            Operator::StructNewDefault { struct_type_index: ty } => {
                self.allocate(PlainOp::StructNewDefault, 0, ty, None);
            }
            Operator::ArrayNew { array_type_index: ty } => {
                self.allocate(PlainOp::ArrayNew, 2, ty, None);
            }
            Operator::ArrayNewDefault { array_type_index: ty } => {
                self.allocate(PlainOp::ArrayNewDefault, 1, ty, None);
            }
            Operator::ArrayNewFixed { array_type_index: ty, array_size } => {
                self.allocate(PlainOp::ArrayNewFixed, array_size as usize, ty, Some(array_size));
            }
            Operator::ArrayNewData { array_type_index: ty, array_data_index } => {
                self.allocate(PlainOp::ArrayNewData, 2, ty, Some(array_data_index));
            }
            Operator::ArrayNewElem { array_type_index: ty, array_elem_index } => {
                self.allocate(PlainOp::ArrayNewElem, 2, ty, Some(array_elem_index));
            }
            _ => return false,
        }
        true
    }

    /// Instructions on many elements.
    fn gc_bulk(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::ArrayFill { array_type_index: ty } => {
                self.on_elements(PlainOp::ArrayFill, 4, ty, None);
            }
            Operator::ArrayCopy { array_type_index_dst: ty, .. } => {
                self.on_elements(PlainOp::ArrayCopy, 5, ty, None);
            }
            Operator::ArrayInitData { array_type_index: ty, array_data_index } => {
                self.on_elements(PlainOp::ArrayInitData, 4, ty, Some(array_data_index));
            }
            Operator::ArrayInitElem { array_type_index: ty, array_elem_index } => {
                self.on_elements(PlainOp::ArrayInitElem, 4, ty, Some(array_elem_index));
            }
            _ => return false,
        }
        true
    }

    fn gc_cast(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::RefTestNonNull { hty } => self.ref_test(hty, false),
            Operator::RefTestNullable { hty } => self.ref_test(hty, true),
            Operator::RefCastNonNull { hty } => self.ref_cast(hty, false),
            Operator::RefCastNullable { hty } => self.ref_cast(hty, true),
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, false);
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                self.br_on_cast(relative_depth, to_ref_type, true);
            }
            _ => return false,
        }
        true
    }

    /// Offset and storage of a field, and its type.
    fn field_of(&mut self, ty: u32, index: u32) -> (u32, Storage, FieldType) {
        let fields = self.module.type_fields(ty);
        let layout = self.layouts.entry(ty).or_insert_with(|| {
            offsets(fields.iter().map(|field| Storage::of(field.storage))).collect()
        });
        let (offset, storage) = layout[index as usize];
        (offset, storage, fields[index as usize])
    }

    fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let (offset, storage, field) = self.field_of(ty, index);
        let class = field_class(&field);
        match load(storage, class, signed) {
            Some(op) => {
                let (src, slot) = self.pop_src();
                let word = field::ab_hi(0, slot, offset);
                self.produce(Op::field_get(op, src, Dst::Acc), &[word], class);
            }
            None => {
                let op = match storage {
                    Storage::Func => PlainOp::StructGetFunc,
                    _ => PlainOp::StructGetVec,
                };
                let slot = self.pop_slot();
                let slot = self.code.read(slot, 1);
                self.slot_result(class, |dst| {
                    (Op::plain(op), [field::ab_hi(dst, slot, offset), 0, 0])
                });
            }
        }
        self.stack.set_top_traced(storage == Storage::Ref);
    }

    fn struct_set(&mut self, ty: u32, index: u32) {
        let (offset, storage, field) = self.field_of(ty, index);
        let value = self.stack.pop();
        match store(storage, field_class(&field)) {
            Some(op) => {
                let (src, value) = self.src_of(value);
                let object = self.pop_slot();
                let object = self.code.read(object, 1);
                let word = field::ab_hi(object, value, offset);
                self.code.op(Op::field_set(op, src), &[word]);
            }
            None => {
                let (op, slots) = match storage {
                    Storage::Func => (PlainOp::StructSetFunc, 1),
                    _ => (PlainOp::StructSetVec, 2),
                };
                let value = self.slot_of(value);
                let value = self.code.read(value, slots);
                let object = self.pop_slot();
                let object = self.code.read(object, 1);
                self.code.plain(op, &[field::ab_hi(object, value, offset)]);
            }
        }
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let field = self.module.type_fields(ty)[0];
        let (storage, class) = (Storage::of(field.storage), field_class(&field));
        match load(storage, class, signed) {
            Some(op) => {
                let (src, index) = self.pop_src();
                let array = self.pop_slot();
                let array = self.code.read(array, 1);
                let word = field::abcd(0, array, index, 0);
                self.produce(Op::elem_get(op, src, Dst::Acc), &[word], class);
            }
            None => {
                let op = match storage {
                    Storage::Func => PlainOp::ArrayGetFunc,
                    _ => PlainOp::ArrayGetVec,
                };
                let index = self.pop_slot();
                let index = self.code.read(index, 1);
                let array = self.pop_slot();
                let array = self.code.read(array, 1);
                self.slot_result(class, |dst| {
                    (Op::plain(op), [field::abcd(dst, array, index, 0), 0, 0])
                });
            }
        }
        self.stack.set_top_traced(storage == Storage::Ref);
    }

    fn array_set(&mut self, ty: u32) {
        let field = self.module.type_fields(ty)[0];
        let storage = Storage::of(field.storage);
        let value = self.stack.pop();
        let direct = store(storage, field_class(&field));
        let (src, value) = match direct {
            Some(_) => self.src_of(value),
            None => {
                let slot = self.slot_of(value);
                (Src::S, self.code.read(slot, storage.slots()))
            }
        };
        let index = self.pop_slot();
        let index = self.code.read(index, 1);
        let array = self.pop_slot();
        let array = self.code.read(array, 1);
        let word = field::abcd(array, index, value, 0);
        let op = match (direct, storage) {
            (Some(op), _) => Op::elem_set(op, src),
            (None, Storage::Func) => Op::plain(PlainOp::ArraySetFunc),
            (None, _) => Op::plain(PlainOp::ArraySetVec),
        };
        self.code.op(op, &[word]);
    }

    /// Emits an instruction that makes an object of module type `ty` from the top `count` operands.
    fn allocate(&mut self, op: PlainOp, count: usize, ty: u32, more: Option<u32>) {
        let at = self.on_home_slots(op, count, ty, more);
        self.safepoint(at);
        self.stack.truncate(self.stack.len() - count);
        // Where a reference was in an accumulator, it may have moved.
        self.code.forget();
        self.stack.push(Class::Int, Place::Home);
        self.stack.set_top_traced(true);
    }

    /// Emits an instruction on elements of an array of module type `ty`, whose `count` operands are
    /// on top.
    fn on_elements(&mut self, op: PlainOp, count: usize, ty: u32, more: Option<u32>) {
        self.on_home_slots(op, count, ty, more);
        for _ in 0..count {
            let entry = self.stack.pop();
            self.arg(entry);
        }
    }

    fn on_home_slots(&mut self, op: PlainOp, count: usize, ty: u32, more: Option<u32>) -> usize {
        self.settle_top(count);
        let base = self.stack.home_at(self.stack.len() - count);
        let first = field::lo_hi(ty, base);
        match more {
            None => self.code.plain(op, &[first]),
            Some(more) => self.code.plain(op, &[first, field::lo_hi(more, 0)]),
        }
    }

    /// How a cast to a heap type is decided, and the module type index where that is needed.
    fn cast_target(&self, ty: op::HeapType, nullable: bool) -> (u32, u32) {
        let target = match self.module.heap_type(ty) {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn | HeapType::Cont => {
                CastTarget::Top
            }
            HeapType::None
            | HeapType::NoFunc
            | HeapType::NoExtern
            | HeapType::NoExn
            | HeapType::NoCont => CastTarget::Bottom,
            HeapType::Eq => CastTarget::Eq,
            HeapType::I31 => CastTarget::I31,
            HeapType::Struct => CastTarget::Struct,
            HeapType::Array => CastTarget::Array,
            HeapType::Concrete(id) if id.kind() == TypeKind::Func => CastTarget::Func,
            HeapType::Concrete(_) => CastTarget::Object,
        };
        let index = self.module.heap_type_index(ty);
        (target.encode(nullable), index.unwrap_or_default())
    }

    fn ref_test(&mut self, ty: op::HeapType, nullable: bool) {
        let (target, index) = self.cast_target(ty, nullable);
        let slot = self.pop_slot();
        let slot = self.code.read(slot, 1);
        let words = [field::ab_hi(0, slot, index), field::lo_hi(target, 0)];
        self.produce(Op::plain(PlainOp::RefTest), &words, Class::Int);
    }

    fn ref_cast(&mut self, ty: op::HeapType, nullable: bool) {
        let (target, index) = self.cast_target(ty, nullable);
        // The operand stays what it is, and where it is.
        let entry = self.stack.entry(self.stack.len() - 1);
        let slot = match entry.place {
            Place::Local { index, .. } => self.layout.local(index),
            _ => {
                self.settle_top(1);
                entry.home
            }
        };
        let slot = self.code.read(slot, 1);
        let words = [field::ab_hi(slot, 0, index), field::lo_hi(target, 0)];
        self.code.plain(PlainOp::RefCast, &words);
    }

    fn br_on_cast(&mut self, depth: u32, to: op::RefType, on_failure: bool) {
        let (target, index) = self.cast_target(to.heap_type(), to.is_nullable());
        let arity = self.branch_arity(depth);
        self.settle_top(arity.max(1));
        self.code.store_all_pending();
        let home = self.stack.entry(self.stack.len() - 1).home;
        let slot = self.code.read(home, 1);
        let words = [field::ab_hi(0, slot, index), field::lo_hi(target, 0)];
        self.code.plain(PlainOp::RefTest, &words);
        self.code.forget();
        let arg = Arg::Acc(NONE, false);
        self.branch_if(depth, Cond::Zero { wide: false, arg, when_zero: on_failure });
    }
}
