//! What makes objects. Small ones are bumped into the nursery here, as long as there is room.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value, types};
use dunlin_code::layout::{FUEL_BYTES, NURSERY_BYTES, heap, rt, type_info};
use dunlin_code::native::Builtin;
use dunlin_code::object::{HEADER_BYTES, LENGTH_OFFSET, OBJECT_ALIGN, Storage, object_size};
use dunlin_module::op::Operator;

use super::field::FieldPlace;
use crate::translate::access::Region;
use crate::translate::{Result, Translator};

/// Objects up to this size are zeroed word by word, larger ones by a loop.
const UNROLLED_BYTES: u32 = 128;

/// Arrays up to this size are made here.
const SMALL_ARRAY_BYTES: u32 = 512;

impl Translator<'_, '_> {
    /// Translates what makes an object.
    pub(super) fn gc_new(&mut self, op: &Operator<'_>) -> Result<bool> {
        let (builtin, count, ty, more) = match *op {
            Operator::StructNew { struct_type_index: ty } => {
                self.struct_new(ty)?;
                return Ok(true);
            }
            Operator::StructNewDefault { struct_type_index: ty } => {
                self.struct_new_default(ty)?;
                return Ok(true);
            }
            Operator::ArrayNew { array_type_index: ty } => {
                let (value, len) = self.pop2();
                self.array_new(ty, Some(value), len)?;
                return Ok(true);
            }
            Operator::ArrayNewDefault { array_type_index: ty } => {
                let len = self.pop();
                self.array_new(ty, None, len)?;
                return Ok(true);
            }
            Operator::ArrayNewFixed { array_type_index: ty, array_size } => {
                if self.array_new_fixed(ty, array_size)? {
                    return Ok(true);
                }
                (Builtin::ArrayNewFixed, array_size as usize, ty, array_size)
            }
            Operator::ArrayNewData { array_type_index: ty, array_data_index: data } => {
                (Builtin::ArrayNewData, 2, ty, data)
            }
            Operator::ArrayNewElem { array_type_index: ty, array_elem_index: elem } => {
                (Builtin::ArrayNewElem, 2, ty, elem)
            }
            _ => return Ok(false),
        };
        let operands = self.pop_many(count);
        let array = self.builtin(builtin, &operands, ty.into(), more.into());
        self.push_traced(array);
        Ok(true)
    }

    /// Bytes of a struct of type `ty`.
    fn struct_bytes(&mut self, ty: u32) -> u32 {
        let layout = self.struct_layout(ty);
        object_size(layout.last().map_or(HEADER_BYTES, |(offset, storage)| offset + storage.size()))
    }

    fn struct_new(&mut self, ty: u32) -> Result {
        let bytes = self.struct_bytes(ty);
        let layout = self.struct_layout(ty);
        let values = self.pop_many(layout.len());
        let (reference, address) = self.allocate(bytes)?;
        self.struct_header(ty, address);
        for ((offset, storage), value) in layout.iter().copied().zip(values) {
            let region = Region::Fields(storage);
            self.write(FieldPlace { address, offset, storage, region }, value);
        }
        if layout.iter().any(|field| field.1 == Storage::Ref) {
            self.remember_if_old(reference)?;
        }
        self.push_traced(reference);
        Ok(())
    }

    fn struct_new_default(&mut self, ty: u32) -> Result {
        let bytes = self.struct_bytes(ty);
        let (reference, address) = self.allocate(bytes)?;
        self.struct_header(ty, address);
        self.zero_fields(address, bytes)?;
        self.push_traced(reference);
        Ok(())
    }

    /// How an array of type `ty` stores its elements, and how many there may be for it to be made here:
    /// nobody pays for so few bytes.
    fn small_array(&self, ty: u32) -> (Storage, u32) {
        let storage = Storage::of(self.module.type_fields(ty)[0].storage);
        let bytes = if self.settings.fuel { FUEL_BYTES as u32 - 8 } else { SMALL_ARRAY_BYTES };
        (storage, (bytes - HEADER_BYTES) / storage.size())
    }

    /// Makes a small array from the top `len` operands; false if it is not small.
    fn array_new_fixed(&mut self, ty: u32, len: u32) -> Result<bool> {
        let (storage, most) = self.small_array(ty);
        if len > most {
            return Ok(false);
        }
        let values = self.pop_many(len as usize);
        let (reference, address) =
            self.allocate(object_size(HEADER_BYTES + len * storage.size()))?;
        let length = self.i32(len);
        self.array_header(ty, address, length);
        for (at, value) in (0..len).zip(values) {
            let offset = HEADER_BYTES + at * storage.size();
            let region = Region::Items(storage);
            self.write(FieldPlace { address, offset, storage, region }, value);
        }
        if storage == Storage::Ref {
            self.remember_if_old(reference)?;
        }
        self.push_traced(reference);
        Ok(true)
    }

    /// Makes an array of `len` elements, all of them `value` or else zero: here if it is small and
    /// there is room in the nursery.
    fn array_new(&mut self, ty: u32, value: Option<Value>, len: Value) -> Result {
        let (storage, most) = self.small_array(ty);
        let (small, fast) = (self.inner_block(0)?, self.inner_block(0)?);
        let (slow, done) = (self.inner_block(0)?, self.inner_block(1)?);
        let reference = self.b.append_block_param(done, types::I64);
        self.b.set_cold_block(slow);
        let is_small = self.compare(IntCC::UnsignedLessThanOrEqual, len, most.into());
        self.b.ins().brif(is_small, small, [], slow, []);
        self.go_on(small);
        let count = self.widened(len);
        let bytes = self.b.ins().ishl_imm_u(count, i64::from(storage.size().trailing_zeros()));
        let bytes = self.b.ins().iadd_imm_u(bytes, i64::from(HEADER_BYTES + OBJECT_ALIGN - 1));
        let bytes = self.b.ins().band_imm_s(bytes, -i64::from(OBJECT_ALIGN));
        let (top, address) = self.bump(bytes, fast, slow);
        self.array_header(ty, address, len);
        let end = self.b.ins().iadd(address, bytes);
        self.fill_array(address, end, storage, value)?;
        self.b.ins().jump(done, &[top.into()]);
        self.go_on(slow);
        let builtin = match value {
            Some(_) => Builtin::ArrayNew,
            None => Builtin::ArrayNewDefault,
        };
        let operands: Vec<Value> = value.into_iter().chain([len]).collect();
        let made = self.builtin(builtin, &operands, ty.into(), 0);
        self.b.ins().jump(done, &[made.into()]);
        self.go_on(done);
        self.push_traced(reference);
        Ok(())
    }

    /// Writes elements from the first on up to `end`. That is where the object ends, so that there may be
    /// some behind the last, where nobody looks.
    fn fill_array(
        &mut self,
        address: Value,
        end: Value,
        storage: Storage,
        value: Option<Value>,
    ) -> Result {
        let (storage, region, value) = match (storage, value) {
            (_, None) => (Storage::B64, Region::Zeros, self.i64(0)),
            (Storage::Func, Some(func)) => {
                (Storage::B32, Region::Items(Storage::Func), self.func_number(func))
            }
            (_, Some(value)) => (storage, Region::Items(storage), value),
        };
        let (next, more) = (self.inner_block(1)?, self.inner_block(0)?);
        let done = self.inner_block(0)?;
        let at = self.b.append_block_param(next, types::I64);
        let first = self.b.ins().iadd_imm_u(address, i64::from(HEADER_BYTES));
        self.b.ins().jump(next, &[first.into()]);
        self.b.switch_to_block(next);
        let ended = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, at, end);
        self.b.ins().brif(ended, done, [], more, []);
        self.go_on(more);
        self.write(FieldPlace { address: at, offset: 0, storage, region }, value);
        let following = self.b.ins().iadd_imm_u(at, i64::from(storage.size()));
        self.b.ins().jump(next, &[following.into()]);
        self.b.seal_block(next);
        self.go_on(done);
        Ok(())
    }

    /// Room for an object of `bytes` bytes: its reference, and where it is.
    fn allocate(&mut self, bytes: u32) -> Result<(Value, Value)> {
        let (fast, slow) = (self.inner_block(0)?, self.inner_block(0)?);
        let done = self.inner_block(1)?;
        let reference = self.b.append_block_param(done, types::I64);
        self.b.declare_value_needs_stack_map(reference);
        self.b.set_cold_block(slow);
        let size = self.i64(bytes.into());
        let (top, _) = self.bump(size, fast, slow);
        self.b.ins().jump(done, &[top.into()]);
        self.go_on(slow);
        let made = self.builtin(Builtin::Allocate, &[], bytes.into(), 0);
        self.b.ins().jump(done, &[made.into()]);
        self.go_on(done);
        let base = self.heap_field(heap::BASE);
        Ok((reference, self.b.ins().iadd(base, reference)))
    }

    /// Takes `bytes` bytes of the nursery and goes on in `fast` with the reference and the address of
    /// the object; or goes to `slow`, if there are not so many.
    fn bump(&mut self, bytes: Value, fast: Block, slow: Block) -> (Value, Value) {
        let top = self.heap_field(heap::TOP);
        let end = self.b.ins().iadd(top, bytes);
        let limit = self.heap_field(heap::LIMIT);
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, limit);
        self.b.ins().brif(fits, fast, [], slow, []);
        self.go_on(fast);
        let (rt, flags) = (self.rt(), self.flags(Region::HeapDef));
        self.b.ins().istore32(flags, end, rt, rt::HEAP + heap::TOP);
        let base = self.heap_field(heap::BASE);
        (top, self.b.ins().iadd(base, top))
    }

    /// Writes the header of an array of type `ty` with `len` elements.
    fn array_header(&mut self, ty: u32, address: Value, len: Value) {
        let info = self.type_info(ty);
        let number = self.load_constant(types::I32, info, type_info::NUMBER);
        self.store_field(Region::Headers, number, address, 0);
        self.store_field(Region::Headers, len, address, LENGTH_OFFSET as i32);
    }

    /// Writes the header of a struct of type `ty`.
    fn struct_header(&mut self, ty: u32, address: Value) {
        let info = self.type_info(ty);
        let number = self.load_constant(types::I32, info, type_info::NUMBER);
        // No marks.
        let header = self.b.ins().uextend(types::I64, number);
        self.store_field(Region::Headers, header, address, 0);
    }

    /// What the heap knows of the object type at module type index `ty`.
    pub(super) fn type_info(&mut self, ty: u32) -> Value {
        self.context_entry(self.layout.type_infos, ty)
    }

    /// Zeroes what comes behind the header.
    fn zero_fields(&mut self, address: Value, bytes: u32) -> Result {
        let zero = self.i64(0);
        if bytes <= UNROLLED_BYTES {
            for offset in (HEADER_BYTES..bytes).step_by(8) {
                self.store_field(Region::Zeros, zero, address, offset as i32);
            }
            return Ok(());
        }
        let (again, done) = (self.inner_block(1)?, self.inner_block(0)?);
        let at = self.b.append_block_param(again, types::I64);
        let first = self.b.ins().iadd_imm_u(address, i64::from(HEADER_BYTES));
        let end = self.b.ins().iadd_imm_u(address, i64::from(bytes));
        self.b.ins().jump(again, &[first.into()]);
        self.b.switch_to_block(again);
        self.store_field(Region::Zeros, zero, at, 0);
        let next = self.b.ins().iadd_imm_u(at, 8);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.b.ins().brif(more, again, &[next.into()], done, []);
        self.b.seal_block(again);
        self.go_on(done);
        Ok(())
    }

    /// A new object that is not young and has references is remembered.
    fn remember_if_old(&mut self, reference: Value) -> Result {
        let (old, done) = (self.inner_block(0)?, self.inner_block(0)?);
        let nursery = i64::from(NURSERY_BYTES);
        let is_old = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, reference, nursery);
        self.b.set_cold_block(old);
        self.b.ins().brif(is_old, old, [], done, []);
        self.go_on(old);
        self.remember(reference);
        self.b.ins().jump(done, []);
        self.go_on(done);
        Ok(())
    }
}
