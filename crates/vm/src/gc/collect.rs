//! The two collections. Both copy: objects that live move, and what they were in is free.
//!
//! The algorithm is Cheney's: copied objects that were not looked at yet are between `scan` and `top`
//! of the destination, so that there is neither recursion nor a stack.

use std::time::Instant;

use dunlin_code::Trap;
use dunlin_code::object::{
    HEADER_BYTES, HOST_SHIFT, HOST_TAG, LENGTH_OFFSET, OBJECT_ALIGN, Storage, is_object,
};

use super::frames;
use super::heap::{Collection, FORWARDED, GRAIN_BYTES, NUMBER, NURSERY_BYTES, REMEMBERED};
use super::roots::HostValues;
use super::types::{Shape, TypeInfo, TypeTable};
use crate::budget::Resource;
use crate::bug::bug;
use crate::fiber::FiberId;
use crate::frames::{Place, Walk};
use crate::store::{Misuse, Store, StoreError};
use crate::sys::Pages;

/// Where suspended continuations have no frames.
const NO_BOUNDS: (*mut u64, *mut u64) = (std::ptr::null_mut(), std::ptr::null_mut());

/// What is left in the nursery after a collection, in debug builds.
const POISON: u8 = 0xe6;

/// One collection under way.
pub(crate) struct Collector<'s> {
    source: *mut u8,
    source_len: u64,
    target: *mut u8,
    target_len: u64,
    /// End of the objects copied so far.
    top: u32,
    /// Objects from here on stay where they are.
    moves_below: u32,
    types: &'s TypeTable,
    /// Values of the host that are referred to, if that is of interest.
    hosts: Option<&'s mut HostValues>,
    /// Fibers of continuations that were found, if that is of interest, and those of them whose
    /// frames were not looked at yet.
    fibers: Vec<bool>,
    found_fibers: Vec<FiberId>,
    /// Something read from the heap made no sense.
    corrupt: bool,
}

impl Collector<'_> {
    /// Makes a root, or any other slot, follow the object it refers to.
    ///
    /// # Safety
    ///
    /// It is a slot nobody else uses, which holds a traced reference.
    #[inline]
    pub(crate) unsafe fn slot(&mut self, slot: *mut u64) {
        // SAFETY: the caller's promise.
        unsafe {
            let old = *slot as u32;
            if old != 0 {
                *slot = u64::from(self.forward(old));
            }
        }
    }

    /// Where what `reference` refers to is now, copying it if this is the first one to it.
    #[inline]
    pub(crate) fn forward(&mut self, reference: u32) -> u32 {
        if !is_object(reference) {
            if reference & (OBJECT_ALIGN - 1) == HOST_TAG
                && let Some(hosts) = &mut self.hosts
            {
                hosts.mark(reference >> HOST_SHIFT);
            }
            return reference;
        }
        if reference >= self.moves_below {
            return reference;
        }
        if u64::from(reference) + u64::from(HEADER_BYTES) > self.source_len {
            self.corrupt = true;
            return 0;
        }
        // SAFETY: V11: the header is inside the heap that is collected, which nobody else uses.
        unsafe {
            let from = self.source.add(reference as usize);
            let word = from.cast::<u32>().read();
            let second = from.add(LENGTH_OFFSET as usize).cast::<u32>().read();
            if word & FORWARDED != 0 {
                return second;
            }
            let Some(bytes) = self.size(word, second) else {
                self.corrupt = true;
                return 0;
            };
            let end = u64::from(self.top) + bytes;
            if u64::from(reference) + bytes > self.source_len || end > self.target_len {
                self.corrupt = true;
                return 0;
            }
            let at = self.top;
            let to = self.target.add(at as usize);
            copy_words(from, to, bytes as usize);
            to.cast::<u32>().write(word & NUMBER);
            from.cast::<u32>().write(word | FORWARDED);
            from.add(LENGTH_OFFSET as usize).cast::<u32>().write(at);
            self.top = end as u32;
            at
        }
    }

    /// Bytes of an object with this header.
    #[inline]
    fn size(&self, word: u32, second: u32) -> Option<u64> {
        let info = self.types.get(word & NUMBER)?;
        Some(if info.shape == Shape::Array { info.array_bytes(second) } else { info.size.into() })
    }

    /// Follows the references in the objects from `scan` on, and in those copied on the way.
    fn scan(&mut self, mut scan: u32) {
        while scan < self.top && !self.corrupt {
            match self.object(scan) {
                Some(bytes) => scan += bytes as u32,
                None => self.corrupt = true,
            }
        }
    }

    /// Follows the references in the object at `at` of the target; its size, if it makes sense.
    fn object(&mut self, at: u32) -> Option<u64> {
        let types = self.types;
        let room = self.target_len.checked_sub(at.into())?;
        // SAFETY: V11: the header is inside the target, and so is all of the object: checked below.
        unsafe {
            let object = self.target.add(at as usize);
            if room < HEADER_BYTES.into() {
                return None;
            }
            let word = object.cast::<u32>().read();
            let second = object.add(LENGTH_OFFSET as usize).cast::<u32>().read();
            let info: &TypeInfo = types.get(word & NUMBER)?;
            let bytes = self.size(word, second)?;
            if bytes > room {
                return None;
            }
            match info.shape {
                Shape::Struct | Shape::Exception => {
                    for offset in &info.traced {
                        self.field(object.add(*offset as usize).cast());
                    }
                }
                Shape::Array if info.element == Storage::Ref => {
                    let first = object.add(HEADER_BYTES as usize).cast::<u32>();
                    for element in 0..second as usize {
                        self.field(first.add(element));
                    }
                }
                Shape::Continuation => self.continuation(second),
                Shape::Array => {}
            }
            Some(bytes)
        }
    }

    /// A continuation on `fiber`, if it was not used, is alive.
    fn continuation(&mut self, fiber: FiberId) {
        if let Some(found) = self.fibers.get_mut(fiber as usize)
            && fiber != 0
            && !std::mem::replace(found, true)
        {
            self.found_fibers.push(fiber);
        }
    }

    /// # Safety
    ///
    /// The field of an object, a traced reference.
    #[inline]
    unsafe fn field(&mut self, field: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe {
            let old = *field;
            if old != 0 {
                *field = self.forward(old);
            }
        }
    }
}

/// Copies a small object faster than `memcpy` is called.
///
/// # Safety
///
/// Both are `bytes` long, a multiple of 8, aligned to 8, and do not overlap.
#[inline]
unsafe fn copy_words(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if bytes <= 64 {
            for word in 0..bytes / 8 {
                to.cast::<u64>().add(word).write(from.cast::<u64>().add(word).read());
            }
        } else {
            to.copy_from_nonoverlapping(from, bytes);
        }
    }
}

impl Store {
    /// Frees what nobody can reach any more: in the nursery, or everywhere.
    ///
    /// # Errors
    ///
    /// If there is no memory to copy to.
    pub(crate) fn collect(&mut self, what: Collection) -> Result<(), Trap> {
        let started = Instant::now();
        self.roots.prune(&mut self.budget);
        let (rt, bounds) = (self.rt(), self.stack_bounds());
        // SAFETY: the record is alive; V1.
        let (def, exit) = unsafe { (&mut (*rt).heap, Place::exit(rt)) };
        let young = def.top.saturating_sub(OBJECT_ALIGN);
        let room = match what {
            // Behind the old objects there is always room for all young ones.
            Collection::Minor => Ok(None),
            Collection::Major => self.heap.another(young).map(Some),
        };
        let room = room.map_err(|limit| self.exhausted(limit))?;
        let (source, source_len) = (self.heap.pages.base(), self.heap.pages.size() as u64);
        let target = room.as_ref().unwrap_or(&self.heap.pages);
        let first = if room.is_some() { NURSERY_BYTES } else { self.heap.top };
        let mut remembered = std::mem::take(&mut self.heap.remembered);
        if room.is_some() {
            // Not needed, and memory is at its most now.
            remembered = Vec::new();
        }
        let recent = self.fibers.take_recent();
        if room.is_some() {
            self.host_values.begin_marking();
        }
        let mut collector = Collector {
            source,
            source_len,
            target: target.base(),
            target_len: target.size() as u64,
            top: first,
            moves_below: if room.is_some() { u32::MAX } else { NURSERY_BYTES },
            types: &self.heap.types,
            hosts: room.is_some().then_some(&mut self.host_values),
            fibers: vec![false; if room.is_some() { self.fibers.len() } else { 0 }],
            // Frames that did not change since the last collection refer to nothing young.
            found_fibers: if room.is_some() { Vec::new() } else { recent },
            corrupt: false,
        };
        for global in &self.traced_globals {
            // SAFETY: V2: storage of a global of traced type; no guest code runs.
            unsafe { collector.slot(global.cast()) };
        }
        for table in &mut self.tables {
            for element in table.traced_elements_mut() {
                // SAFETY: an element of a table with traced elements.
                unsafe { collector.slot(element) };
            }
        }
        for instance in &mut self.instances {
            for element in instance.traced_elements_mut() {
                // SAFETY: an element of a segment with traced elements.
                unsafe { collector.slot(element) };
            }
        }
        self.roots.each(|bits| collector.forward(bits));
        // SAFETY: `with_operands`: slots that hold traced references.
        self.operand_roots.each(|slot| unsafe { collector.slot(slot) });
        let mut trap = Ok(());
        if let Some(bounds) = bounds {
            let mut walk = Walk::within(&self.instances, &self.fibers, bounds);
            for place in self.suspended.iter().copied().chain([exit]) {
                // SAFETY: V6: slots of live frames, named by the root maps of their functions.
                let found = frames::each_root(&mut walk, place, |slot| unsafe {
                    collector.slot(slot);
                });
                trap = trap.and(found);
            }
        }
        if room.is_none() {
            for at in &remembered {
                // An old object, which stays where it is; it is looked at like one just copied.
                collector.corrupt |= collector.object(*at).is_none();
            }
        }
        let mut scan = first;
        loop {
            collector.scan(scan);
            scan = collector.top;
            let Some(fiber) = collector.found_fibers.pop().filter(|_| !collector.corrupt) else {
                break;
            };
            if self.fibers.is_suspended(fiber) {
                let mut walk = Walk::within(&self.instances, &self.fibers, NO_BOUNDS);
                // SAFETY: V6: slots of live frames, named by the root maps of their functions.
                let found =
                    frames::each_suspended_root(&mut walk, &self.fibers, fiber, |slot| unsafe {
                        collector.slot(slot);
                    });
                trap = trap.and(found);
            }
        }
        let alive = std::mem::take(&mut collector.fibers);
        if collector.corrupt {
            trap = Err(bug!("the heap makes no sense"));
        }
        let top = collector.top;
        if trap.is_err() {
            // Half of it has moved: nothing may run any more that could look at it.
            self.poison();
        }
        trap?;
        if !alive.is_empty() {
            self.fibers.sweep(|fiber| alive[fiber as usize], &mut self.budget);
        }
        self.replace_heap(room, top, &remembered);
        let stats = &mut self.heap.stats;
        stats.allocated_bytes += u64::from(young);
        match what {
            Collection::Minor => stats.minor += 1,
            Collection::Major => stats.major += 1,
        }
        stats.pauses.add(started.elapsed());
        Ok(())
    }

    /// Frees everything nobody can reach any more, at the host's request.
    ///
    /// # Errors
    ///
    /// If there is no memory to copy to.
    pub fn collect_all(&mut self) -> Result<(), StoreError> {
        self.collect(Collection::Major).map_err(|_| match self.heap_limit.take() {
            Some(limit) => limit.into(),
            None => Misuse::Poisoned.into(),
        })
    }

    /// Goes on with what was copied: to `room`, or to the end of the old part, which is `top` now.
    fn replace_heap(&mut self, room: Option<Pages>, top: u32, remembered: &[u32]) {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        let heap = &mut self.heap;
        heap.top = top;
        let Some(pages) = room else {
            for at in remembered {
                if let Some(word) = def.word(*at) {
                    // SAFETY: V11: the word is inside the heap.
                    unsafe { *word &= !REMEMBERED };
                }
            }
            if cfg!(debug_assertions) && def.top > OBJECT_ALIGN {
                // What was not found as a root makes no sense any more.
                // SAFETY: V11: the nursery is part of the heap.
                unsafe { def.base.write_bytes(POISON, def.top as usize) };
            }
            def.top = OBJECT_ALIGN;
            heap.publish(def);
            return;
        };
        let old = std::mem::replace(&mut heap.pages, pages);
        let room = u64::from(top) + u64::from(NURSERY_BYTES);
        heap.pages.shrink(room.next_multiple_of(GRAIN_BYTES) as usize);
        heap.stats.peak_bytes =
            heap.stats.peak_bytes.max(old.size() as u64 + heap.pages.size() as u64);
        // It is no larger than the old one, and its own copy is paid for as well.
        let given_back = old.size() as u64 - heap.pages.size() as u64;
        self.budget.release(Resource::HeapBytes, 2 * given_back);
        heap.stats.live_bytes = u64::from(top - NURSERY_BYTES);
        heap.plan_major();
        heap.publish(def);
        def.top = OBJECT_ALIGN;
        let dead = self.host_values.sweep(&mut self.budget);
        // Values of the host may do anything when they are dropped, but not with this store.
        drop((old, dead));
    }
}
