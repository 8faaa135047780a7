//! Instructions on arrays that take a while: those that make one, fill it, or copy to it. The
//! interpreter and native code come here with the same operands.

use std::slice;

use dunlin_code::Trap;
use dunlin_code::object::{HEADER_BYTES, Storage};
use dunlin_module::{DataIndex, ElemIndex};

use super::access::{func_number, write_field, write_header};
use super::heap::{NURSERY_BYTES, crosses};
use super::operands::OperandRoots;
use super::types::{Shape, TypeInfo};
use crate::bug::bug;
use crate::builtins::{FUEL_BYTES, STEP_BYTES, check_interrupt};
use crate::instance::element;
use crate::store::Store;
use crate::vmctx::VmCtx;

/// An instruction, what it is executed on, and the store it is executed in.
pub(crate) struct ArrayCall<'s> {
    store: &'s mut Store,
    /// The context of the running code.
    cx: *mut VmCtx,
    /// The first operand slot.
    operands: *const u64,
    /// The module type index of the instruction.
    ty: u32,
    /// A count, or the index of a segment.
    more: u32,
}

/// What an instruction makes or does.
pub(crate) type Outcome<T = ()> = Result<T, Trap>;

/// Room for an object of `bytes`. In a heap that is almost full each may take a collection, so that
/// code without loops or calls could go on for long.
///
/// # Safety
///
/// `cx` is the context of running code of the store, all of whose references are in roots.
pub(crate) unsafe fn allocate(store: &mut Store, cx: *mut VmCtx, bytes: u64) -> Outcome<u32> {
    // SAFETY: the caller's promise.
    unsafe { check_interrupt(cx) }?;
    store.allocate(bytes)
}

/// What the heap knows of module type `ty`.
///
/// # Safety
///
/// `cx` is the context of running code, which has such a type of objects, and does not outlive the
/// result.
unsafe fn type_info(cx: *mut VmCtx, ty: u32) -> &'static TypeInfo {
    // SAFETY: V3: the index was validated; V11: types stay where they are until the store is dropped,
    // which is not while its code runs.
    unsafe { &**(*cx).type_infos.add(ty as usize) }
}

/// The first `count` operands, elements of arrays of module type `ty`, if they are traced references.
///
/// # Safety
///
/// `cx` is the context of running code, which has such a type.
pub(crate) unsafe fn element_roots(
    cx: *mut VmCtx,
    operands: *mut u64,
    ty: u32,
    count: usize,
) -> OperandRoots {
    // SAFETY: the caller's promise.
    match unsafe { type_info(cx, ty) }.element {
        Storage::Ref => OperandRoots::Slots(operands, count),
        _ => OperandRoots::None,
    }
}

impl ArrayCall<'_> {
    /// Instruction on type `ty` with the immediate `more`.
    ///
    /// # Safety
    ///
    /// `cx` is the context of running code of the store, which has such a type. From `operands` on
    /// there are the operands of whatever instruction is executed with this, and its immediates are
    /// valid; if it makes an array, all references are in roots, those operands included.
    pub(crate) unsafe fn new(
        store: &mut Store,
        cx: *mut VmCtx,
        operands: *const u64,
        ty: u32,
        more: u32,
    ) -> ArrayCall<'_> {
        ArrayCall { store, cx, operands, ty, more }
    }

    fn info(&self) -> &'static TypeInfo {
        // SAFETY: the caller of `new`.
        unsafe { type_info(self.cx, self.ty) }
    }

    fn operand(&self, n: usize) -> u64 {
        // SAFETY: the caller of `new`: all operands are there.
        unsafe { *self.operands.add(n) }
    }

    /// An operand of the element type, in one slot or two.
    fn value(&self, n: usize, storage: Storage) -> u128 {
        let mut bits = u128::from(self.operand(n));
        if storage == Storage::B128 {
            bits |= u128::from(self.operand(n + 1)) << 64;
        }
        bits
    }

    /// Pays for work on `bytes` bytes.
    fn spend(&mut self, bytes: u64) -> Outcome {
        self.store.spend(bytes / FUEL_BYTES)
    }

    fn check_interrupt(&self) -> Outcome {
        // SAFETY: V2: the context of the guest.
        unsafe { check_interrupt(self.cx) }
    }

    /// Room for an array of `len` elements: its reference, and the address of its first element. It
    /// has no header yet, which [`ArrayCall::finish`] writes when the elements are there.
    fn new_array(&mut self, info: &TypeInfo, len: u32) -> Outcome<(u32, *mut u8)> {
        let bytes = info.array_bytes(len);
        self.spend(bytes)?;
        // SAFETY: the caller of `new`.
        let at = unsafe { allocate(self.store, self.cx, bytes) }?;
        let object = self.store.room(at, bytes)?;
        // SAFETY: V11: room for the whole array.
        Ok((at, unsafe { object.add(HEADER_BYTES as usize) }))
    }

    fn finish(&mut self, info: &TypeInfo, at: u32, first: *mut u8, len: u32) -> u32 {
        // SAFETY: V11: the header is before the first element.
        unsafe { write_header(first.sub(HEADER_BYTES as usize), info, len) };
        if at >= NURSERY_BYTES && info.is_traced() {
            self.store.remember(at);
        }
        at
    }

    /// Writes `bits` to `count` elements.
    ///
    /// # Safety
    ///
    /// There is room for them from `first` on.
    unsafe fn fill(&self, first: *mut u8, storage: Storage, bits: u128, count: usize) -> Outcome {
        let size = storage.size() as usize;
        let step = STEP_BYTES / size;
        let mut done = 0;
        while done < count {
            let now = step.min(count - done);
            // SAFETY: V11: inside the room that the caller promises.
            unsafe {
                let to = first.add(done * size);
                match storage {
                    Storage::B8 => to.write_bytes(bits as u8, now),
                    Storage::B16 => fill_with(to, bits as u16, now),
                    Storage::B32 | Storage::Ref => fill_with(to, bits as u32, now),
                    Storage::Func => fill_with(to, func_number(bits as u64), now),
                    Storage::B64 => fill_with(to, bits as u64, now),
                    Storage::B128 => fill_with(to, bits, now),
                }
            }
            done += now;
            if done < count {
                self.check_interrupt()?;
            }
        }
        Ok(())
    }

    /// `array.new`
    pub(crate) fn array_new(&mut self) -> Outcome<u32> {
        let info = self.info();
        let slots = info.element.slots() as usize;
        let len = self.operand(slots) as u32;
        let (at, first) = self.new_array(info, len)?;
        // The value is read after the allocation, which may have changed a reference.
        let bits = self.value(0, info.element);
        // SAFETY: V11: room for `len` elements.
        unsafe { self.fill(first, info.element, bits, len as usize) }?;
        Ok(self.finish(info, at, first, len))
    }

    /// `array.new_default`
    pub(crate) fn array_new_default(&mut self) -> Outcome<u32> {
        let info = self.info();
        let len = self.operand(0) as u32;
        let (at, first) = self.new_array(info, len)?;
        if at < NURSERY_BYTES {
            let bytes = info.array_bytes(len) - u64::from(HEADER_BYTES);
            // SAFETY: V11: room for all elements. What is not young begins its life zeroed.
            unsafe { first.write_bytes(0, bytes as usize) };
        }
        Ok(self.finish(info, at, first, len))
    }

    /// `array.new_fixed`
    pub(crate) fn array_new_fixed(&mut self) -> Outcome<u32> {
        let info = self.info();
        let len = self.more;
        let (at, first) = self.new_array(info, len)?;
        let slots = info.element.slots() as usize;
        for index in 0..len as usize {
            let bits = self.value(index * slots, info.element);
            // SAFETY: V11: room for `len` elements.
            unsafe { write_field(first.add(index * info.size as usize), info.element, bits) };
        }
        Ok(self.finish(info, at, first, len))
    }

    /// The bytes of `len` elements in data segment `data`, from `start` on.
    fn data(&mut self, data: u32, info: &TypeInfo, start: u32, len: u32) -> Outcome<*const u8> {
        let data = DataIndex(data);
        // SAFETY: V3: the context of an instance of the store, which has such a segment.
        let instance = unsafe { self.store.instance_of(self.cx) };
        let segment = match instance.data_is_dropped(data) {
            true => &[][..],
            false => instance.module().data_bytes(data),
        };
        let bytes = u64::from(len) * u64::from(info.size);
        let end = u64::from(start) + bytes;
        if end > segment.len() as u64 {
            return Err(Trap::MemoryOutOfBounds);
        }
        Ok(segment[start as usize..].as_ptr())
    }

    /// Copies elements from a data segment, where they are little-endian.
    ///
    /// # Safety
    ///
    /// `from` is where so many are, `to` has room for them.
    unsafe fn copy_data(&self, to: *mut u8, from: *const u8, info: &TypeInfo, len: u32) -> Outcome {
        let size = info.size as usize;
        let bytes = len as usize * size;
        let mut done = 0;
        while done < bytes {
            let now = STEP_BYTES.min(bytes - done);
            // SAFETY: the caller's promise; segments are no part of the heap.
            unsafe {
                to.add(done).copy_from_nonoverlapping(from.add(done), now);
                if cfg!(target_endian = "big") {
                    let copied = slice::from_raw_parts_mut(to.add(done), now);
                    copied.chunks_exact_mut(size).for_each(<[u8]>::reverse);
                }
            }
            done += now;
            if done < bytes {
                self.check_interrupt()?;
            }
        }
        Ok(())
    }

    /// `array.new_data`
    pub(crate) fn array_new_data(&mut self) -> Outcome<u32> {
        let info = self.info();
        let (start, len) = (self.operand(0) as u32, self.operand(1) as u32);
        let from = self.data(self.more, info, start, len)?;
        let (at, first) = self.new_array(info, len)?;
        // SAFETY: V11: room for `len` elements; the module outlives this call.
        unsafe { self.copy_data(first, from, info, len) }?;
        Ok(self.finish(info, at, first, len))
    }

    /// Writes elements of a segment to the heap. None of them is young unless it was in the segment.
    fn copy_elements(
        &mut self,
        to: *mut u8,
        storage: Storage,
        elem: u32,
        start: u32,
        len: u32,
    ) -> Outcome {
        let elem = ElemIndex(elem);
        // SAFETY: V3: the context of an instance of the store, which has such a segment.
        let instance = unsafe { self.store.instance_of(self.cx) };
        let module = instance.module().clone();
        let items = &module.elems[elem.index()].items;
        let size = storage.size() as usize;
        for index in 0..len as usize {
            let at = start as usize + index;
            // SAFETY: as above.
            let known = unsafe { self.store.instance_of(self.cx) }.elem_values(elem);
            let bits = match known.get(at) {
                Some(value) => *value,
                None => element(self.store, self.cx, items, at)?,
            };
            // SAFETY: V11: room for `len` elements.
            unsafe { write_field(to.add(index * size), storage, bits.into()) };
            if (index + 1).is_multiple_of(STEP_BYTES / 8) {
                self.check_interrupt()?;
            }
        }
        Ok(())
    }

    /// Checks a range of an element segment.
    fn check_elements(&mut self, elem: u32, start: u32, len: u32) -> Outcome {
        let elem = ElemIndex(elem);
        // SAFETY: V3: the context of an instance of the store, which has such a segment.
        let instance = unsafe { self.store.instance_of(self.cx) };
        let items = instance.module().elems[elem.index()].items.len();
        let count = if instance.elem_is_dropped(elem) { 0 } else { items };
        match u64::from(start) + u64::from(len) <= count as u64 {
            true => Ok(()),
            false => Err(Trap::TableOutOfBounds),
        }
    }

    /// `array.new_elem`
    pub(crate) fn array_new_elem(&mut self) -> Outcome<u32> {
        let info = self.info();
        let (start, len, elem) = (self.operand(0) as u32, self.operand(1) as u32, self.more);
        self.check_elements(elem, start, len)?;
        let (at, first) = self.new_array(info, len)?;
        self.copy_elements(first, info.element, elem, start, len)?;
        Ok(self.finish(info, at, first, len))
    }

    /// The address of `count` elements from `start` on of the array in operand slot `n`; how they are
    /// stored.
    fn elements(&self, n: usize, start: u64, count: u64) -> Outcome<(*mut u8, Storage)> {
        let array = self.operand(n);
        if array == 0 {
            return Err(Trap::NullArray);
        }
        let def = self.store.heap_def();
        let info = def.info(array as u32).filter(|info| info.shape == Shape::Array);
        let (Some(info), Some(len)) = (info, self.store.array_len(array)) else {
            return Err(bug!("a reference to an array is to something else"));
        };
        if start + count > len.into() {
            return Err(Trap::ArrayOutOfBounds);
        }
        let size = u64::from(info.size);
        let offset = u64::from(HEADER_BYTES) + start * size;
        let end = def.bytes(array as u32, offset + count * size, 0);
        let end = end.ok_or_else(|| bug!("an array ends outside the heap"))?;
        // SAFETY: V11: the end is inside the heap, so the beginning is.
        Ok((unsafe { end.sub((count * size) as usize) }, info.element))
    }

    /// `array.fill`
    pub(crate) fn array_fill(&mut self) -> Outcome<u32> {
        let slots = self.info().element.slots() as usize;
        let (start, count) = (self.operand(1) as u32, self.operand(2 + slots) as u32);
        let (first, storage) = self.elements(0, start.into(), count.into())?;
        if storage != self.info().element {
            return Err(bug!("an array is of another type than its instruction"));
        }
        self.spend(u64::from(count) * u64::from(storage.size()))?;
        let bits = self.value(2, storage);
        let array = self.operand(0) as u32;
        // First, because filling may be interrupted, and then the store goes on with what is done.
        if storage == Storage::Ref && count > 0 && crosses(array, bits as u32) {
            self.store.remember(array);
        }
        // SAFETY: V11: `elements` found so many inside the heap.
        unsafe { self.fill(first, storage, bits, count as usize) }?;
        Ok(1)
    }

    /// `array.copy`
    pub(crate) fn array_copy(&mut self) -> Outcome<u32> {
        let (to, from) = (self.operand(1) as u32, self.operand(3) as u32);
        let count = self.operand(4) as u32;
        if self.operand(2) == 0 {
            // Before any bounds; `elements` says the same of the other array.
            return Err(Trap::NullArray);
        }
        let (to, storage) = self.elements(0, to.into(), count.into())?;
        let (from, same) = self.elements(2, from.into(), count.into())?;
        if storage != same {
            return Err(bug!("arrays of different types are copied"));
        }
        let bytes = count as usize * storage.size() as usize;
        self.spend(bytes as u64)?;
        self.remember_elements(storage, count);
        // Where the regions overlap, nothing is overwritten before it is read.
        let forward = to.cast_const() <= from.cast_const();
        let mut done = 0;
        while done < bytes {
            let now = STEP_BYTES.min(bytes - done);
            let at = if forward { done } else { bytes - done - now };
            // SAFETY: V11: `elements` found both regions inside the heap.
            unsafe { to.add(at).copy_from(from.add(at), now) };
            done += now;
            if done < bytes {
                self.check_interrupt()?;
            }
        }
        Ok(1)
    }

    /// Remembers the array in operand slot 0, if it is old, before `count` of its elements become any
    /// references. Not afterwards: that may be interrupted, and the store goes on with what is done.
    fn remember_elements(&mut self, storage: Storage, count: u32) {
        let array = self.operand(0) as u32;
        if storage == Storage::Ref && array >= NURSERY_BYTES && count > 0 {
            self.store.remember(array);
        }
    }

    /// `array.init_data`
    pub(crate) fn array_init_data(&mut self) -> Outcome<u32> {
        let info = self.info();
        let (start, from, len) =
            (self.operand(1) as u32, self.operand(2) as u32, self.operand(3) as u32);
        let (to, storage) = self.elements(0, start.into(), len.into())?;
        if storage != info.element {
            return Err(bug!("an array is of another type than its instruction"));
        }
        let from = self.data(self.more, info, from, len)?;
        self.spend(u64::from(len) * u64::from(info.size))?;
        // SAFETY: V11: `elements` found so many inside the heap; the module outlives this call.
        unsafe { self.copy_data(to, from, info, len) }?;
        Ok(1)
    }

    /// `array.init_elem`
    pub(crate) fn array_init_elem(&mut self) -> Outcome<u32> {
        let (start, from, len) =
            (self.operand(1) as u32, self.operand(2) as u32, self.operand(3) as u32);
        let (to, storage) = self.elements(0, start.into(), len.into())?;
        self.check_elements(self.more, from, len)?;
        self.spend(u64::from(len) * 8)?;
        self.remember_elements(storage, len);
        self.copy_elements(to, storage, self.more, from, len)?;
        Ok(1)
    }
}

/// Fills with copies of a value.
///
/// # Safety
///
/// `to` has room for `count` values.
unsafe fn fill_with<T: Copy>(to: *mut u8, value: T, count: usize) {
    let to = to.cast::<T>();
    for index in 0..count {
        // SAFETY: the caller's promise.
        unsafe { to.add(index).write_unaligned(value) };
    }
}
