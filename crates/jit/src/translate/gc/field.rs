//! Fields and elements: where they are, how they are read and written, the write barrier.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use dunlin_code::Trap;
use dunlin_code::layout::{self, func_record, heap, rt};
use dunlin_code::native::Builtin;
use dunlin_code::object::{HEADER_BYTES, LENGTH_OFFSET, Storage, offsets};
use dunlin_module::FieldType;

use crate::translate::access::Region;
use crate::translate::stack::clif_type;
use crate::translate::{Result, Translator};

/// A field or element that is inside the heap.
#[derive(Clone, Copy, Debug)]
pub(in crate::translate) struct FieldPlace {
    pub(in crate::translate) address: Value,
    pub(in crate::translate) offset: u32,
    pub(in crate::translate) storage: Storage,
    pub(in crate::translate) region: Region,
}

impl Translator<'_, '_> {
    /// A field of the store's `HeapDef`, zero-extended.
    pub(super) fn heap_field(&mut self, offset: i32) -> Value {
        let rt = self.rt();
        let offset = rt::HEAP + offset;
        match offset - rt::HEAP {
            heap::TOP | heap::LIMIT | heap::TYPES_LEN | heap::FUNCS_LEN => {
                let flags = self.flags(Region::HeapDef);
                self.b.ins().uload32(flags, rt, offset)
            }
            _ => self.load_field(types::I64, Region::HeapDef, rt, offset),
        }
    }

    /// The address of the object that `reference`, not null, refers to, whose first `bytes` bytes are
    /// inside the heap.
    pub(in crate::translate) fn object(&mut self, reference: Value, bytes: u64) -> Value {
        let end = self.b.ins().iadd_imm_u(reference, bytes as i64);
        let len = self.heap_field(heap::LEN);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        self.trap_if(outside, Trap::Bug);
        let base = self.heap_field(heap::BASE);
        self.b.ins().iadd(base, reference)
    }

    /// Offset and storage of the fields of struct type `ty`.
    pub(super) fn struct_layout(&mut self, ty: u32) -> Rc<[(u32, Storage)]> {
        let module = self.module;
        let layout = self.layouts.entry(ty).or_insert_with(|| {
            let fields = module.type_fields(ty).iter();
            offsets(fields.map(|field| Storage::of(field.storage))).collect()
        });
        layout.clone()
    }

    /// Field `index` of struct `object`, of type `ty`.
    pub(super) fn field(&mut self, object: Value, ty: u32, index: u32) -> FieldPlace {
        let (offset, storage) = self.struct_layout(ty)[index as usize];
        self.trap_unless(object, Trap::NullStruct);
        let address = self.object(object, u64::from(offset + storage.size()));
        FieldPlace { address, offset, storage, region: Region::Fields(storage) }
    }

    /// The address of an array, and its length.
    pub(super) fn length(&mut self, array: Value) -> (Value, Value) {
        self.trap_unless(array, Trap::NullArray);
        let address = self.object(array, HEADER_BYTES.into());
        let length = self.load_field(types::I32, Region::Headers, address, LENGTH_OFFSET as i32);
        (address, length)
    }

    /// Element `index` of `array`, of type `ty`.
    pub(super) fn item(&mut self, array: Value, index: Value, ty: u32) -> FieldPlace {
        let storage = Storage::of(self.module.type_fields(ty)[0].storage);
        let (address, length) = self.length(array);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.trap_if(outside, Trap::ArrayOutOfBounds);
        let index = self.widened(index);
        let distance = self.b.ins().ishl_imm_u(index, i64::from(storage.size().trailing_zeros()));
        let end = self.b.ins().iadd(array, distance);
        let end = self.b.ins().iadd_imm_u(end, i64::from(HEADER_BYTES + storage.size()));
        let len = self.heap_field(heap::LEN);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        self.trap_if(outside, Trap::Bug);
        let address = self.b.ins().iadd(address, distance);
        FieldPlace { address, offset: HEADER_BYTES, storage, region: Region::Items(storage) }
    }

    pub(super) fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let field = self.module.type_fields(ty)[index as usize];
        let object = self.pop();
        let place = self.field(object, ty, index);
        self.push_read(place, field, signed);
    }

    pub(super) fn array_get(&mut self, ty: u32, signed: bool) {
        let field = self.module.type_fields(ty)[0];
        let (array, index) = self.pop2();
        let place = self.item(array, index, ty);
        self.push_read(place, field, signed);
    }

    /// Flags of an access. Not all vectors are aligned.
    fn place_flags(&mut self, place: FieldPlace) -> MemFlagsData {
        let region = self.region(place.region);
        let flags = match place.storage {
            Storage::B128 => MemFlagsData::new().with_notrap(),
            _ => MemFlagsData::trusted(),
        };
        flags.with_alias_region(Some(region))
    }

    /// Reads a field of type `field` and pushes its value.
    fn push_read(&mut self, place: FieldPlace, field: FieldType, signed: bool) {
        let ty = field.val().map_or(types::I32, clif_type);
        let value = self.read(place, ty, signed);
        match place.storage {
            Storage::Ref => self.push_traced(value),
            _ => self.push(value),
        }
    }

    /// Reads a value of type `ty`; of packed ones says whether they are signed.
    pub(in crate::translate) fn read(
        &mut self,
        place: FieldPlace,
        ty: Type,
        signed: bool,
    ) -> Value {
        let FieldPlace { address, offset, storage, .. } = place;
        let (flags, offset) = (self.place_flags(place), offset as i32);
        let ins = self.b.ins();
        match storage {
            Storage::B8 if signed => ins.sload8(types::I32, flags, address, offset),
            Storage::B8 => ins.uload8(types::I32, flags, address, offset),
            Storage::B16 if signed => ins.sload16(types::I32, flags, address, offset),
            Storage::B16 => ins.uload16(types::I32, flags, address, offset),
            Storage::B32 | Storage::B64 | Storage::B128 => ins.load(ty, flags, address, offset),
            Storage::Ref => ins.uload32(flags, address, offset),
            Storage::Func => {
                let number = ins.uload32(flags, address, offset);
                self.func_of(number)
            }
        }
    }

    /// The function reference that has a number in the heap.
    fn func_of(&mut self, number: Value) -> Value {
        let len = self.heap_field(heap::FUNCS_LEN);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, number, len);
        self.trap_if(outside, Trap::Bug);
        let table = self.heap_field(heap::FUNCS);
        let distance = self.b.ins().ishl_imm_u(number, 3);
        let entry = self.b.ins().iadd(table, distance);
        let entry = self.b.ins().iadd_imm_s(entry, -8);
        // For null something else is read, which costs less than a branch.
        let entry = self.b.ins().select(number, entry, self.vmctx);
        // The table is that of `HeapDef`, which changes together with it.
        let record = self.load_field(types::I64, Region::HeapDef, entry, 0);
        self.b.ins().select(number, record, number)
    }

    /// Writes a value, of a reference without the barrier.
    pub(super) fn write(&mut self, place: FieldPlace, value: Value) {
        let FieldPlace { address, offset, storage, .. } = place;
        let value = match storage {
            Storage::Func => self.func_number(value),
            _ => value,
        };
        let (flags, offset) = (self.place_flags(place), offset as i32);
        match storage {
            Storage::B8 => self.b.ins().istore8(flags, value, address, offset),
            Storage::B16 => self.b.ins().istore16(flags, value, address, offset),
            Storage::Ref => self.b.ins().istore32(flags, value, address, offset),
            _ => self.b.ins().store(flags, value, address, offset),
        };
    }

    /// The number of a function reference in the heap, 32 bits.
    pub(super) fn func_number(&mut self, func: Value) -> Value {
        // For null something else is read, which costs less than a branch.
        let record = self.b.ins().select(func, func, self.vmctx);
        let number = self.load_known(types::I32, record, func_record::NUMBER);
        let number = self.b.ins().iadd_imm_u(number, 1);
        let null = self.i32(0);
        self.b.ins().select(func, number, null)
    }

    /// Follows a write of `value` into `object`: an old object that now refers to a young one is
    /// remembered.
    pub(super) fn barrier(&mut self, place: FieldPlace, object: Value, value: Value) -> Result {
        if place.storage != Storage::Ref || self.constant_of(value) == Some(0) {
            return Ok(());
        }
        let (old, done) = (self.inner_block(0)?, self.inner_block(0)?);
        let nursery = i64::from(layout::NURSERY_BYTES);
        let is_old = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, object, nursery);
        self.b.set_cold_block(old);
        self.b.ins().brif(is_old, old, [], done, []);
        self.go_on(old);
        // Young ones are at 8 and above, and no references but those to objects are multiples of 8:
        // rotated by their lowest three bits, they are the small numbers but for 0.
        let remember = self.inner_block(0)?;
        let rotated = self.b.ins().rotr_imm_u(value, 3);
        let less = self.b.ins().iadd_imm_s(rotated, -1);
        let young = i64::from(layout::NURSERY_BYTES / 8 - 1);
        let is_young = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, less, young);
        let crosses = self.inner_block(0)?;
        self.b.ins().brif(is_young, crosses, [], done, []);
        self.go_on(crosses);
        let base = self.heap_field(heap::BASE);
        let header = self.b.ins().iadd(base, object);
        let header = self.load_field(types::I32, Region::Headers, header, 0);
        let known = self.b.ins().band_imm_u(header, i64::from(layout::REMEMBERED));
        self.b.ins().brif(known, done, [], remember, []);
        self.go_on(remember);
        self.remember(object);
        self.b.ins().jump(done, []);
        self.go_on(done);
        Ok(())
    }

    /// Loads what never changes, but only where the address is known to be one.
    pub(super) fn load_known(&mut self, ty: Type, base: Value, offset: i32) -> Value {
        self.b.ins().load(ty, MemFlagsData::trusted().with_readonly(), base, offset)
    }

    /// Has an old object remembered.
    pub(super) fn remember(&mut self, object: Value) {
        let none = self.i64(0);
        self.builtin_value(Builtin::Remember, &[], object, none);
    }
}
