//! Objects from outside guest code: making them, their types, fields and elements.
//!
//! Values are bits, a `v128` in one `u128`; a reference is what a slot holds.

use std::sync::Arc;

use dunlin_code::Trap;
use dunlin_code::object::{
    HEADER_BYTES, HOST_TAG, I31_TAG, LENGTH_OFFSET, OBJECT_ALIGN, Storage, is_object,
};
use dunlin_module::{HeapType, TypeHold, TypeId};

use super::heap::{NUMBER, crosses};
use super::roots::Root;
use super::types::{Shape, TypeInfo};
use crate::bug::bug;
use crate::store::{Misuse, Store, StoreError};
use crate::vmctx::{FuncRecord, HeapDef};

/// After so many elements, less one, the host looks whether it should stop.
const INTERRUPT_MASK: usize = (1 << 20) - 1;

/// What a reference of the any, extern, exn or cont hierarchy refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectKind {
    /// A 31-bit integer, sign-extended.
    I31(i32),
    /// A struct of a canonical type.
    Struct(TypeId),
    /// An array of a canonical type.
    Array(TypeId),
    /// An exception, with the function type of its tag.
    Exception(TypeId),
    /// A continuation of a canonical type.
    Continuation(TypeId),
    /// A value of the host.
    Host,
}

impl HeapDef {
    /// The address of the type word of the object at `at`, if a header there is inside the heap.
    #[inline(always)]
    pub(crate) fn word(&self, at: u32) -> Option<*mut u32> {
        let end = u64::from(at) + u64::from(HEADER_BYTES);
        // SAFETY: V11: inside the heap.
        (is_object(at) && end <= self.len).then(|| unsafe { self.base.add(at as usize) }.cast())
    }

    /// The type of the object at `at`.
    #[inline(always)]
    pub(crate) fn info(&self, at: u32) -> Option<&TypeInfo> {
        let word = self.word(at)?;
        // SAFETY: V11: the word is inside the heap; the table holds as many addresses as it says, of
        // types that stay where they are.
        unsafe {
            let number = *word & NUMBER;
            (number < self.types_len).then(|| &**self.types.add(number as usize))
        }
    }

    /// The address of `bytes` bytes at `offset` in the object at `at`, if they are inside the heap.
    #[inline(always)]
    pub(crate) fn bytes(&self, at: u32, offset: u64, bytes: u32) -> Option<*mut u8> {
        let start = u64::from(at) + offset;
        // SAFETY: V11: inside the heap.
        (start + u64::from(bytes) <= self.len).then(|| unsafe { self.base.add(start as usize) })
    }

    /// The function record with a number in the heap, null for zero.
    #[inline(always)]
    pub(crate) fn func(&self, number: u32) -> Option<*const FuncRecord> {
        match number.checked_sub(1) {
            None => Some(std::ptr::null()),
            // SAFETY: V11: the table holds as many records as it says.
            Some(at) if at < self.funcs_len => Some(unsafe { *self.funcs.add(at as usize) }),
            Some(_) => None,
        }
    }
}

/// The number that stands for a function record in the heap.
///
/// # Safety
///
/// V4: `record` is the address of a record, or 0.
#[inline(always)]
pub(crate) unsafe fn func_number(record: u64) -> u32 {
    let record = record as *const FuncRecord;
    if record.is_null() {
        return 0;
    }
    // SAFETY: V4 (caller).
    unsafe { (*record).number + 1 }
}

/// Writes the bits of a value to a field; of references without the barrier.
///
/// # Safety
///
/// `at` is where such a field is, and `bits` are of a value it may hold.
pub(crate) unsafe fn write_field(at: *mut u8, storage: Storage, bits: u128) {
    // SAFETY: the caller's promise.
    unsafe {
        match storage {
            Storage::B8 => at.write(bits as u8),
            Storage::B16 => at.cast::<u16>().write_unaligned(bits as u16),
            Storage::B32 | Storage::Ref => at.cast::<u32>().write_unaligned(bits as u32),
            Storage::B64 => at.cast::<u64>().write_unaligned(bits as u64),
            Storage::B128 => at.cast::<u128>().write_unaligned(bits),
            Storage::Func => at.cast::<u32>().write_unaligned(func_number(bits as u64)),
        }
    }
}

/// Reads the bits of a field; packed ones zero-extended. `None` if the heap makes no sense.
///
/// # Safety
///
/// `at` is where such a field is, in the heap of `def`.
pub(crate) unsafe fn read_field(def: &HeapDef, at: *const u8, storage: Storage) -> Option<u128> {
    // SAFETY: the caller's promise.
    unsafe {
        Some(match storage {
            Storage::B8 => at.read().into(),
            Storage::B16 => at.cast::<u16>().read_unaligned().into(),
            Storage::B32 | Storage::Ref => at.cast::<u32>().read_unaligned().into(),
            Storage::B64 => at.cast::<u64>().read_unaligned().into(),
            Storage::B128 => at.cast::<u128>().read_unaligned(),
            Storage::Func => def.func(at.cast::<u32>().read_unaligned())?.addr() as u128,
        })
    }
}

/// Copies the fields of an object from slots, or from where they are listed.
///
/// # Safety
///
/// `object` is room for an object of type `info`, `slots` hold values of its fields in order.
pub(crate) unsafe fn write_fields(object: *mut u8, info: &TypeInfo, mut slots: *const u64) {
    for (offset, storage) in &info.fields {
        // SAFETY: the caller's promise.
        unsafe {
            let mut bits = u128::from(*slots);
            if *storage == Storage::B128 {
                bits |= u128::from(*slots.add(1)) << 64;
            }
            write_field(object.add(*offset as usize), *storage, bits);
            slots = slots.add(storage.slots() as usize);
        }
    }
}

/// Writes the header of an object.
///
/// # Safety
///
/// `object` is room for it.
#[inline(always)]
pub(crate) unsafe fn write_header(object: *mut u8, info: &TypeInfo, second: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        object.cast::<u32>().write(info.number);
        object.add(LENGTH_OFFSET as usize).cast::<u32>().write(second);
    }
}

impl Store {
    /// What code knows of the heap.
    pub(crate) fn heap_def(&self) -> &HeapDef {
        // SAFETY: the record is alive; V1.
        unsafe { &(*self.rt()).heap }
    }

    /// The type of objects of canonical type `id`. The caller keeps the type alive.
    pub(crate) fn type_info(&mut self, id: TypeId) -> Result<*const TypeInfo, Trap> {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        let registry = self.types().clone();
        let info = self.heap.types.intern(id, &registry, def);
        info.ok_or_else(|| bug!("type {} is not alive", id.place()))
    }

    /// What the reference in a slot refers to; `None` for null, and for what is no reference of
    /// these hierarchies.
    pub fn object_kind(&self, slot: u64) -> Option<ObjectKind> {
        let bits = u32::try_from(slot).ok().filter(|bits| *bits != 0)?;
        if bits & I31_TAG != 0 {
            return Some(ObjectKind::I31(bits as i32 >> 1));
        }
        if bits & (OBJECT_ALIGN - 1) == HOST_TAG {
            return self.host_value(slot).map(|_| ObjectKind::Host);
        }
        let info = self.heap_def().info(bits)?;
        Some(match info.shape {
            Shape::Struct => ObjectKind::Struct(info.id),
            Shape::Array => ObjectKind::Array(info.id),
            Shape::Exception => ObjectKind::Exception(info.id),
            Shape::Continuation => ObjectKind::Continuation(info.id),
        })
    }

    /// Whether the reference in a slot, not null, is of a heap type outside the func hierarchy.
    pub(crate) fn is_object_of(&self, slot: u64, heap: HeapType) -> bool {
        let Some(kind) = self.object_kind(slot) else { return false };
        let any = !matches!(kind, ObjectKind::Exception(_) | ObjectKind::Continuation(_));
        match heap {
            HeapType::Any | HeapType::Extern => any,
            HeapType::Eq => any && kind != ObjectKind::Host,
            HeapType::I31 => matches!(kind, ObjectKind::I31(_)),
            HeapType::Struct => matches!(kind, ObjectKind::Struct(_)),
            HeapType::Array => matches!(kind, ObjectKind::Array(_)),
            HeapType::Exn => matches!(kind, ObjectKind::Exception(_)),
            HeapType::Cont => matches!(kind, ObjectKind::Continuation(_)),
            HeapType::Concrete(id) => match kind {
                ObjectKind::Struct(found)
                | ObjectKind::Array(found)
                | ObjectKind::Continuation(found) => {
                    found == id || self.types().is_subtype(found, id)
                }
                _ => false,
            },
            // Functions are no objects, and the bottom types have no members.
            _ => false,
        }
    }

    /// Makes a struct, or the object of an exception, from the bits of its fields. Does not collect:
    /// what the bits refer to need not be in roots.
    pub(crate) fn make_struct(
        &mut self,
        info: *const TypeInfo,
        fields: impl Iterator<Item = u128>,
    ) -> Result<u32, Trap> {
        // SAFETY: V11: types stay where they are.
        let info = unsafe { &*info };
        let at = self.allocate_old(info.size.into())?;
        let object = self.room(at, info.size.into())?;
        // SAFETY: V11: room for the whole object, which begins its life zeroed.
        unsafe {
            write_header(object, info, 0);
            for ((offset, storage), bits) in info.fields.iter().zip(fields) {
                write_field(object.add(*offset as usize), *storage, bits);
            }
        }
        if info.is_traced() {
            self.remember(at);
        }
        Ok(at)
    }

    /// Makes an array of `len` elements, from as many bits. Does not collect, as
    /// [`Store::make_struct`].
    pub(crate) fn make_array(
        &mut self,
        info: *const TypeInfo,
        len: u32,
        elements: impl Iterator<Item = u128>,
    ) -> Result<u32, Trap> {
        // SAFETY: V11: types stay where they are.
        let info = unsafe { &*info };
        let bytes = info.array_bytes(len);
        let at = self.allocate_old(bytes)?;
        let object = self.room(at, bytes)?;
        // SAFETY: V11: room for the whole object, which begins its life zeroed.
        unsafe {
            write_header(object, info, len);
            let first = object.add(HEADER_BYTES as usize);
            for (index, bits) in elements.take(len as usize).enumerate() {
                write_field(first.add(index * info.size as usize), info.element, bits);
                if index & INTERRUPT_MASK == INTERRUPT_MASK && self.is_interrupted() {
                    return Err(Trap::Interrupted);
                }
            }
        }
        if info.is_traced() {
            self.remember(at);
        }
        Ok(at)
    }

    /// The address of an object just allocated.
    pub(crate) fn room(&self, at: u32, bytes: u64) -> Result<*mut u8, Trap> {
        let room = self.heap_def().bytes(at, bytes, 0);
        let room = room.ok_or_else(|| bug!("an object was allocated outside the heap"))?;
        // SAFETY: V11: the end is inside the heap, so the beginning is.
        Ok(unsafe { room.sub(bytes as usize) })
    }

    /// Where field or element `index` of an object is, and how it is stored; `None` beyond the last,
    /// and for what is neither struct, exception nor array.
    fn place_of(&self, slot: u64, index: u32) -> Option<(*mut u8, Storage)> {
        let at = u32::try_from(slot).ok()?;
        let def = self.heap_def();
        let info = def.info(at)?;
        let (offset, storage) = match info.shape {
            Shape::Struct | Shape::Exception => {
                let (offset, storage) = *info.fields.get(index as usize)?;
                (u64::from(offset), storage)
            }
            Shape::Array if index < self.array_len(slot)? => {
                let offset = u64::from(HEADER_BYTES) + u64::from(index) * u64::from(info.size);
                (offset, info.element)
            }
            Shape::Array | Shape::Continuation => return None,
        };
        Some((def.bytes(at, offset, storage.size())?, storage))
    }

    /// The length of an array; `None` for what is none.
    pub fn array_len(&self, slot: u64) -> Option<u32> {
        let at = u32::try_from(slot).ok()?;
        let def = self.heap_def();
        def.info(at).filter(|info| info.shape == Shape::Array)?;
        let len = def.bytes(at, LENGTH_OFFSET.into(), 4)?;
        // SAFETY: V11: inside the heap, aligned like all headers.
        Some(unsafe { len.cast::<u32>().read() })
    }

    /// The bits of a field or element, packed ones zero-extended, references as in slots; `None`
    /// beyond the last.
    pub fn object_get(&self, slot: u64, index: u32) -> Option<u128> {
        let (at, storage) = self.place_of(slot, index)?;
        // SAFETY: V11: `place_of` found the field inside the heap.
        unsafe { read_field(self.heap_def(), at, storage) }
    }

    /// The address of `count` elements of 16 bits from `start` on; `None` if they are not there.
    fn units_at(&self, slot: u64, start: u32, count: usize) -> Option<*mut u16> {
        let at = u32::try_from(slot).ok()?;
        let def = self.heap_def();
        def.info(at).filter(|info| info.element == Storage::B16)?;
        let end = u64::from(start).checked_add(count as u64)?;
        if end > self.array_len(slot)?.into() {
            return None;
        }
        let end = def.bytes(at, u64::from(HEADER_BYTES) + 2 * end, 0)?;
        // SAFETY: V11: the end is inside the heap, so the beginning is; elements are aligned.
        Some(unsafe { end.cast::<u16>().sub(count) })
    }

    /// Elements `start..start + count` of an array of 16-bit integers; `None` if it is none or has not
    /// so many.
    pub fn array_units(&self, slot: u64, start: u32, count: u32) -> Option<Arc<[u16]>> {
        let first = self.units_at(slot, start, count as usize)?;
        // SAFETY: V11: inside the heap, which nobody changes while the store is borrowed.
        Some(unsafe { std::slice::from_raw_parts(first, count as usize) }.into())
    }

    /// Writes elements of an array of 16-bit integers from `start` on; `None` if it is none or has not
    /// so many.
    pub fn array_set_units(&mut self, slot: u64, start: u32, units: &[u16]) -> Option<()> {
        let first = self.units_at(slot, start, units.len())?;
        // SAFETY: V11: inside the heap; `units` is no part of it.
        unsafe { first.copy_from_nonoverlapping(units.as_ptr(), units.len()) };
        Some(())
    }

    /// Changes a field or element; whether there is one. The caller has checked that `bits` are of a
    /// value it may hold.
    pub fn object_set(&mut self, slot: u64, index: u32, bits: u128) -> bool {
        let Some((at, storage)) = self.place_of(slot, index) else { return false };
        // SAFETY: V11: `place_of` found the field inside the heap.
        unsafe { write_field(at, storage, bits) };
        if storage == Storage::Ref && crosses(slot as u32, bits as u32) {
            self.remember(slot as u32);
        }
        true
    }
}

/// Objects made by the host.
impl Store {
    /// A struct of canonical type `id`, from the bits of its fields, which have its fields' types.
    ///
    /// # Errors
    ///
    /// If the heap or the handles of the store are used up.
    pub fn struct_new(
        &mut self,
        id: TypeId,
        hold: &TypeHold,
        fields: &[u128],
    ) -> Result<Root, StoreError> {
        let info = self.host_type(id, hold)?;
        let made = self.make_struct(info, fields.iter().copied());
        self.hold_made(made)
    }

    /// An array of canonical type `id`, from the bits of its elements, which have its elements' type.
    ///
    /// # Errors
    ///
    /// If the heap or the handles of the store are used up.
    pub fn array_new(
        &mut self,
        id: TypeId,
        hold: &TypeHold,
        elements: &[u128],
    ) -> Result<Root, StoreError> {
        let info = self.host_type(id, hold)?;
        let len = u32::try_from(elements.len()).unwrap_or(u32::MAX);
        let made = self.make_array(info, len, elements.iter().copied());
        self.hold_made(made)
    }

    fn host_type(&mut self, id: TypeId, hold: &TypeHold) -> Result<*const TypeInfo, StoreError> {
        let known = self.heap.types.len();
        let info = self.type_info(id).map_err(|_| Misuse::OtherEngine)?;
        if self.heap.types.len() > known {
            self.type_holds.push(hold.clone());
        }
        Ok(info)
    }

    /// Holds an object that was just made for the host.
    pub(crate) fn hold_made(&mut self, made: Result<u32, Trap>) -> Result<Root, StoreError> {
        match made {
            Ok(at) => Ok(self.root(at.into())?),
            Err(_) => match self.heap_limit.take() {
                Some(limit) => Err(limit.into()),
                None => Err(Misuse::Poisoned.into()),
            },
        }
    }
}
