//! The slow paths of guest code: what one instruction needs of the store beyond its context.
//!
//! All are called while guest code runs: raw pointers in, and no reference to anything of the store
//! is left behind (V9). Indices come from validated code (V3). Bulk operations work in steps,
//! between which they look for interruption; it can only end the guest, so that nobody sees what is
//! half done.

use std::slice;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dunlin_code::Trap;
use dunlin_module::{DataIndex, ElemIndex, FuncIndex, TypeId};

use crate::budget::LimitError;
use crate::instance::element;
use crate::memory::{SharedMemory, Woken, racy};
use crate::store::{Shared, Store};
use crate::vmctx::{FuncRecord, Rt, TableDef, VmCtx};

/// Bytes of a bulk operation between two looks for interruption: some tens of microseconds.
pub(crate) const STEP_BYTES: usize = 1 << 20;
/// The same in elements of 8 bytes.
const STEP_ELEMENTS: usize = STEP_BYTES / 8;

pub(crate) use dunlin_code::layout::FUEL_BYTES;

/// What growing gives when it fails: -1 to the guest.
const NOT_GROWN: u64 = u64::MAX;
/// What growing gives when the guest must stop instead, because only this host is short of memory.
const GROW_TRAPS: u64 = u64::MAX - 1;

/// The store of a context.
///
/// # Safety
///
/// `vmctx` is the context of running code. The reference is gone before that code goes on.
pub(crate) unsafe fn store<'a>(vmctx: *mut VmCtx) -> &'a mut Store {
    // SAFETY: V2: while guest code runs, its store is reached through `rt.store` alone.
    unsafe { &mut *(*(*vmctx).rt).store }
}

/// Ends a bulk operation that somebody wants to stop.
///
/// # Safety
///
/// `vmctx` is the context of running code.
pub(crate) unsafe fn check_interrupt(vmctx: *mut VmCtx) -> Result<(), Trap> {
    // SAFETY: V2.
    match unsafe { (*(*vmctx).rt).interrupt.load(Ordering::Relaxed) } & Shared::STOPS {
        0 => Ok(()),
        _ => Err(Trap::Interrupted),
    }
}

/// Pays for a bulk operation on `bytes` bytes, which are in bounds.
unsafe fn spend(vmctx: *mut VmCtx, bytes: u64) -> Result<(), Trap> {
    // SAFETY: V2.
    unsafe { store(vmctx) }.spend(bytes / FUEL_BYTES)
}

/// Pays for a search of so many steps.
///
/// # Safety
///
/// `vmctx` is the context of running code, and no reference to the store is used afterwards that was
/// there before.
pub(crate) unsafe fn spend_steps(vmctx: *mut VmCtx, steps: u64) -> Result<(), Trap> {
    // SAFETY: V2 (caller).
    unsafe { spend(vmctx, steps.saturating_mul(FUEL_BYTES)) }
}

/// Makes up for fuel that was spent and not there, if stores with the same budget have some left.
///
/// # Safety
///
/// `rt` is the runtime record of running code.
#[cold]
#[inline(never)]
pub(crate) unsafe fn refuel(rt: *mut Rt) -> bool {
    // SAFETY: V2 (caller).
    unsafe { (*(*rt).store).refuel() }
}

/// `start` as an array index, if `count` items from there on are among `len`.
fn in_bounds(start: u64, count: u64, len: u64) -> Option<usize> {
    let end = start.checked_add(count)?;
    // What is in bounds of something in memory fits an index.
    (end <= len).then_some(start as usize)
}

/// What a guest is told of growing: the old size, [`NOT_GROWN`] or [`GROW_TRAPS`].
fn grown(store: &mut Store, result: Result<u64, LimitError>) -> u64 {
    result.unwrap_or_else(|error| {
        let stops = store.settings().deterministic && error.is_system();
        store.refused = stops.then_some(error);
        if stops { GROW_TRAPS } else { NOT_GROWN }
    })
}

/// What growing leaves as its result, of 64 bits if `wide`; `None` if the guest must stop.
#[inline(always)]
pub(crate) fn grow_result(grown: u64, wide: bool) -> Option<u64> {
    match grown {
        GROW_TRAPS => None,
        old if wide => Some(old),
        old => Some(u64::from(old as u32)),
    }
}

/// Grows memory `memory` by `delta` pages: the old size in pages, `u64::MAX` on failure, or
/// [`GROW_TRAPS`].
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory.
pub(crate) unsafe fn memory_grow(vmctx: *mut VmCtx, memory: u32, delta: u64) -> u64 {
    // SAFETY: V2, V3 (caller).
    let store = unsafe { store(vmctx) };
    // SAFETY: as above.
    let position = unsafe { store.instance_of(vmctx) }.memories[memory as usize];
    let memory = &mut store.memories[position as usize];
    let result = memory.grow(delta, &mut store.budget);
    grown(store, result)
}

/// Where `len` bytes of a memory are.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory.
unsafe fn bytes(vmctx: *mut VmCtx, memory: u32, start: u64, len: u64) -> Result<*mut u8, Trap> {
    // SAFETY: V3: the array covers all memories, and definitions are true.
    unsafe {
        let def = *(*vmctx).memories.add(memory as usize);
        let start = in_bounds(start, len, (*def).byte_len()).ok_or(Trap::MemoryOutOfBounds)?;
        Ok((*def).base.add(start))
    }
}

/// `memory.copy`; regions may overlap.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such memories.
#[inline(never)]
pub(crate) unsafe fn memory_copy(
    vmctx: *mut VmCtx,
    dst_memory: u32,
    src_memory: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: both regions are checked to be inside their memories before anything is copied.
    unsafe {
        let from = bytes(vmctx, src_memory, src, len)?;
        let to = bytes(vmctx, dst_memory, dst, len)?;
        spend(vmctx, len)?;
        let copy = match is_shared(vmctx, src_memory) || is_shared(vmctx, dst_memory) {
            true => racy::copy,
            false => copy_plain,
        };
        copy_steps(vmctx, to, from, len as usize, STEP_BYTES, copy)
    }
}

/// Whether other threads may use a memory.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory.
unsafe fn is_shared(vmctx: *mut VmCtx, memory: u32) -> bool {
    // SAFETY: V3.
    unsafe { (**(*vmctx).memories.add(memory as usize)).shared }
}

/// # Safety
///
/// Both regions hold that many items, and no other thread uses them.
unsafe fn copy_plain<T>(to: *mut T, from: *const T, count: usize) {
    // SAFETY: as for this function.
    unsafe { to.copy_from(from, count) };
}

/// Copies `count` items in steps, in the order in which none is overwritten before it is read.
///
/// # Safety
///
/// Both regions hold that many items, which `copy` may copy; `vmctx` is the context of running code.
unsafe fn copy_steps<T>(
    vmctx: *mut VmCtx,
    to: *mut T,
    from: *const T,
    count: usize,
    step: usize,
    copy: unsafe fn(*mut T, *const T, usize),
) -> Result<(), Trap> {
    let forward = to.cast_const() <= from;
    let mut done = 0;
    while done < count {
        let now = step.min(count - done);
        let at = if forward { done } else { count - done - now };
        // SAFETY: `at + now <= count` (caller).
        unsafe { copy(to.add(at), from.add(at), now) };
        done += now;
        if done < count {
            // SAFETY: as for the caller.
            unsafe { check_interrupt(vmctx) }?;
        }
    }
    Ok(())
}

/// `memory.fill`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory.
#[inline(never)]
pub(crate) unsafe fn memory_fill(
    vmctx: *mut VmCtx,
    memory: u32,
    dst: u64,
    value: u8,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: the region is checked to be inside the memory before anything is written.
    unsafe {
        let to = bytes(vmctx, memory, dst, len)?;
        spend(vmctx, len)?;
        let shared = is_shared(vmctx, memory);
        let (mut done, len) = (0, len as usize);
        while done < len {
            let now = STEP_BYTES.min(len - done);
            match shared {
                true => racy::fill(to.add(done), value, now),
                false => to.add(done).write_bytes(value, now),
            }
            done += now;
            if done < len {
                check_interrupt(vmctx)?;
            }
        }
    }
    Ok(())
}

/// `memory.init`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a segment and memory.
#[inline(never)]
pub(crate) unsafe fn memory_init(
    vmctx: *mut VmCtx,
    data: u32,
    memory: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: as for this function.
    unsafe {
        write_data(store(vmctx), vmctx, data, memory, dst, src, len)?;
        spend(vmctx, len)
    }
}

/// Copies from a data segment to a memory of the instance of `vmctx`.
///
/// # Safety
///
/// `vmctx` is the context of an instance of `store`, which has such a segment and memory.
pub(crate) unsafe fn write_data(
    store: &mut Store,
    vmctx: *mut VmCtx,
    data: u32,
    memory: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    let data = DataIndex(data);
    // SAFETY: an instance of this store (caller).
    let instance = unsafe { store.instance_of(vmctx) };
    let segment = match instance.data_is_dropped(data) {
        true => &[],
        false => instance.module().data_bytes(data),
    };
    let start = in_bounds(src, len, segment.len() as u64).ok_or(Trap::MemoryOutOfBounds)?;
    let segment = &segment[start..start + len as usize];
    // SAFETY: V3 (caller); the region is checked to be inside the memory. Segments are bytes of
    // a module, never of a memory.
    unsafe {
        let to = bytes(vmctx, memory, dst, len)?;
        match is_shared(vmctx, memory) {
            true => racy::copy(to, segment.as_ptr(), segment.len()),
            false => to.copy_from_nonoverlapping(segment.as_ptr(), segment.len()),
        }
    }
    Ok(())
}

/// What `memory.atomic.wait` leaves: notified, another value, time passed.
const WAIT_RESULTS: [(Woken, u64); 3] =
    [(Woken::Notified, 0), (Woken::Mismatch, 1), (Woken::TimedOut, 2)];

/// `memory.atomic.wait32` and, if `wide`, `memory.atomic.wait64`. Operands are address, expected
/// value and timeout at `at`, where the result is left.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory; there are three slots at `at`.
#[inline(never)]
pub(crate) unsafe fn memory_wait(
    vmctx: *mut VmCtx,
    memory: u32,
    offset: u64,
    at: *mut u64,
    wide: bool,
) -> Result<(), Trap> {
    // SAFETY: V7 (caller).
    let (address, expected, timeout) = unsafe { (*at, *at.add(1), *at.add(2) as i64) };
    let size = if wide { 8 } else { 4 };
    // SAFETY: as for this function.
    let (address, shared_memory) = unsafe { atomic_place(vmctx, memory, address, offset, size) }?;
    let shared_memory = shared_memory.ok_or(Trap::ExpectedSharedMemory)?;
    // SAFETY: V2. The reference ends here: while the guest waits, nothing of the store is borrowed.
    let shared = unsafe { store(vmctx) }.shared().clone();
    // A negative time never passes.
    let timeout = u64::try_from(timeout).ok().map(Duration::from_nanos);
    let woken = shared.sleep(|| match wide {
        true => shared_memory.wait64(address, expected, timeout, || shared.is_interrupted()),
        false => {
            shared_memory.wait32(address, expected as u32, timeout, || shared.is_interrupted())
        }
    })?;
    let result = WAIT_RESULTS.iter().find(|(how, _)| *how == woken).ok_or(Trap::Interrupted)?;
    // SAFETY: V7 (caller).
    unsafe { at.write(result.1) };
    Ok(())
}

/// `memory.atomic.notify`. Operands are address and count at `at`, where the result is left.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory; there are two slots at `at`.
#[inline(never)]
pub(crate) unsafe fn memory_notify(
    vmctx: *mut VmCtx,
    memory: u32,
    offset: u64,
    at: *mut u64,
) -> Result<(), Trap> {
    // SAFETY: V7 (caller).
    let (address, count) = unsafe { (*at, *at.add(1) as u32) };
    // SAFETY: as for this function.
    let (address, memory) = unsafe { atomic_place(vmctx, memory, address, offset, 4) }?;
    let woken = memory.map_or(Ok(0), |memory| memory.notify(address, count))?;
    // SAFETY: V7 (caller).
    unsafe { at.write(u64::from(woken)) };
    Ok(())
}

/// The checked address of an atomic operation of `size` bytes, and its memory if that is shared.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a memory.
unsafe fn atomic_place(
    vmctx: *mut VmCtx,
    memory: u32,
    address: u64,
    offset: u64,
    size: u64,
) -> Result<(u64, Option<SharedMemory>), Trap> {
    if !address.wrapping_add(offset).is_multiple_of(size) {
        return Err(Trap::UnalignedAtomic);
    }
    let address = address.checked_add(offset).ok_or(Trap::MemoryOutOfBounds)?;
    // SAFETY: as for this function.
    unsafe { bytes(vmctx, memory, address, size) }?;
    // SAFETY: V2, V3 (caller).
    let store = unsafe { store(vmctx) };
    // SAFETY: as above.
    let position = unsafe { store.instance_of(vmctx) }.memories[memory as usize];
    Ok((address, store.memories[position as usize].shared().cloned()))
}

/// `data.drop`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a segment.
pub(crate) unsafe fn data_drop(vmctx: *mut VmCtx, data: u32) {
    // SAFETY: V2, V3 (caller).
    unsafe { store(vmctx).instance_of(vmctx).drop_data(DataIndex(data)) };
}

/// Grows table `table` by `delta` elements that are all `init`: the old length, `u64::MAX` on
/// failure, or [`GROW_TRAPS`].
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a table, and `init` is of its type.
pub(crate) unsafe fn table_grow(vmctx: *mut VmCtx, table: u32, init: u64, delta: u64) -> u64 {
    // SAFETY: V2, V3 (caller).
    let store = unsafe { store(vmctx) };
    // SAFETY: as above.
    let position = unsafe { store.instance_of(vmctx) }.tables[table as usize];
    let table = &mut store.tables[position as usize];
    let result = table.grow(delta, init, &mut store.budget);
    grown(store, result)
}

/// Where `len` elements of a table are.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a table.
unsafe fn elements(vmctx: *mut VmCtx, table: u32, start: u64, len: u64) -> Result<*mut u64, Trap> {
    // SAFETY: V3: the array covers all tables, and definitions are true.
    unsafe {
        let def: *mut TableDef = *(*vmctx).tables.add(table as usize);
        let start = in_bounds(start, len, (*def).len).ok_or(Trap::TableOutOfBounds)?;
        Ok((*def).base.add(start))
    }
}

/// `table.fill`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a table, and `value` is of its type.
#[inline(never)]
pub(crate) unsafe fn table_fill(
    vmctx: *mut VmCtx,
    table: u32,
    start: u64,
    value: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: the region is checked to be inside the table before anything is written; V3: its
    // elements are initialised.
    unsafe {
        let to = elements(vmctx, table, start, len)?;
        spend(vmctx, len.saturating_mul(8))?;
        let (mut done, len) = (0, len as usize);
        while done < len {
            let now = STEP_ELEMENTS.min(len - done);
            slice::from_raw_parts_mut(to.add(done), now).fill(value);
            done += now;
            if done < len {
                check_interrupt(vmctx)?;
            }
        }
    }
    Ok(())
}

/// `table.copy`; regions may overlap.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such tables with fitting types.
#[inline(never)]
pub(crate) unsafe fn table_copy(
    vmctx: *mut VmCtx,
    dst_table: u32,
    src_table: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: both regions are checked to be inside their tables before anything is copied.
    unsafe {
        let from = elements(vmctx, src_table, src, len)?;
        let to = elements(vmctx, dst_table, dst, len)?;
        spend(vmctx, len.saturating_mul(8))?;
        copy_steps(vmctx, to, from, len as usize, STEP_ELEMENTS, copy_plain)
    }
}

/// `table.init`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a segment and table with fitting types.
#[inline(never)]
pub(crate) unsafe fn table_init(
    vmctx: *mut VmCtx,
    elem: u32,
    table: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    // SAFETY: as for this function.
    unsafe {
        write_elements(store(vmctx), vmctx, elem, table, dst, src, len)?;
        spend(vmctx, len.saturating_mul(8))
    }
}

/// Copies from an element segment to a table of the instance of `vmctx`. Segments hold what they
/// were declared with: their expressions have the same value whenever they are evaluated, because
/// the globals they may read are constant.
///
/// # Safety
///
/// `vmctx` is the context of an instance of `store`, which has such a segment and table with fitting
/// types.
pub(crate) unsafe fn write_elements(
    store: &mut Store,
    vmctx: *mut VmCtx,
    elem: u32,
    table: u32,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), Trap> {
    let elem = ElemIndex(elem);
    // SAFETY: an instance of this store (caller).
    let instance = unsafe { store.instance_of(vmctx) };
    let module = instance.module().clone();
    let items = &module.elems[elem.index()].items;
    let count = if instance.elem_is_dropped(elem) { 0 } else { items.len() as u64 };
    let start = in_bounds(src, len, count).ok_or(Trap::TableOutOfBounds)?;
    // SAFETY: V3 (caller).
    let to = unsafe { elements(vmctx, table, dst, len) }?;
    for i in 0..len as usize {
        // SAFETY: an instance of this store (caller).
        let known = unsafe { store.instance_of(vmctx) }.elem_values(elem).get(start + i).copied();
        let value = match known {
            Some(value) => value,
            None => element(store, vmctx, items, start + i)?,
        };
        // SAFETY: the region is checked to be inside the table; evaluation never moves a table.
        unsafe { to.add(i).write(value) };
        if (i + 1).is_multiple_of(STEP_ELEMENTS) {
            // SAFETY: V2.
            unsafe { check_interrupt(vmctx) }?;
        }
    }
    Ok(())
}

/// `elem.drop`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a segment.
pub(crate) unsafe fn elem_drop(vmctx: *mut VmCtx, elem: u32) {
    // SAFETY: V2, V3 (caller).
    unsafe { store(vmctx).instance_of(vmctx).drop_elem(ElemIndex(elem)) };
}

/// The reference to function `func`.
///
/// # Safety
///
/// `vmctx` is the context of running code, which has such a function.
pub(crate) unsafe fn ref_func(vmctx: *mut VmCtx, func: u32) -> *const FuncRecord {
    // SAFETY: V2, V3 (caller).
    unsafe { store(vmctx) }.record_for(vmctx, FuncIndex(func))
}

/// Whether canonical function type `found` is a subtype of `expected`.
///
/// # Safety
///
/// `vmctx` is the context of running code.
pub(crate) unsafe fn is_func_subtype(vmctx: *mut VmCtx, found: u32, expected: u32) -> bool {
    // SAFETY: V2 (caller).
    unsafe { store(vmctx) }.types().is_subtype(TypeId(found), TypeId(expected))
}
