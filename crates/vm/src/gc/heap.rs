//! The memory of the heap: allocation, growth, and the write barrier.

use dunlin_code::object::{OBJECT_ALIGN, is_object};
use dunlin_code::{Trap, layout};

use super::stats::GcStats;
use super::types::TypeTable;
use crate::budget::{Budget, LimitError, Resource};
use crate::store::Store;
use crate::sys::Pages;
use crate::vmctx::{HeapDef, Rt};

/// End of the nursery: objects at lower offsets are young.
pub(crate) const NURSERY_BYTES: u32 = layout::NURSERY_BYTES;

/// Objects from this size on begin their life in the old part.
pub(crate) const LARGE_BYTES: u64 = 32 << 10;

/// The heap grows by multiples of this.
pub(super) const GRAIN_BYTES: u64 = 64 << 10;

/// The size of the largest heap there can be: offsets have 32 bits.
const HEAP_BYTES_MAX: u64 = (1 << 32) - GRAIN_BYTES;

/// So many bytes of old objects are always worth waiting for before the next major collection.
const MAJOR_BYTES_MIN: u64 = 4 << 20;

/// In the type word of an object's header: it was copied, the next word says where to.
pub(super) const FORWARDED: u32 = 1 << 31;
/// In the type word of an object's header: it is in the remembered set.
pub(super) const REMEMBERED: u32 = layout::REMEMBERED;
/// The rest of the type word.
pub(crate) const NUMBER: u32 = layout::TYPE_NUMBER_MASK;

/// The heap of a store. What code reads of it is in the runtime record ([`HeapDef`]).
#[derive(Debug)]
pub(crate) struct Heap {
    pub(super) pages: Pages,
    /// End of the old objects.
    pub(super) top: u32,
    /// Old objects that may refer to young ones, each once.
    pub(super) remembered: Vec<u32>,
    /// The old part may grow to here before everything is collected.
    pub(super) major_at: u64,
    /// Collect at every so many allocations.
    zeal: Option<u32>,
    since_zeal: u32,
    pub(crate) types: TypeTable,
    pub(super) stats: GcStats,
}

/// What is collected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Collection {
    /// The nursery.
    Minor,
    /// Everything.
    Major,
}

impl Default for Heap {
    /// A heap that takes no memory before the first object is made.
    fn default() -> Heap {
        Heap {
            pages: Pages::EMPTY,
            top: NURSERY_BYTES,
            remembered: Vec::new(),
            major_at: u64::from(NURSERY_BYTES) + MAJOR_BYTES_MIN,
            zeal: None,
            since_zeal: 0,
            types: TypeTable::default(),
            stats: GcStats::default(),
        }
    }
}

impl Heap {
    /// Collects at every `every`-th allocation from now on.
    pub(crate) fn set_zeal(&mut self, every: Option<u32>, def: &mut HeapDef) {
        self.zeal = every.map(|n| n.max(1));
        self.since_zeal = 0;
        self.publish(def);
    }

    /// Whether there ever was an object.
    pub(super) fn is_made(&self) -> bool {
        self.pages.size() > 0
    }

    /// Where the nursery ends: so far that all young objects always have room behind the old ones, and
    /// in a copy of the heap that is as large as this one.
    fn young_limit(&self) -> u32 {
        // What is no more than the nursery fits 32 bits.
        (self.pages.size() as u64).saturating_sub(self.top.into()).min(NURSERY_BYTES.into()) as u32
    }

    /// Tells code where the heap is now.
    pub(super) fn publish(&mut self, def: &mut HeapDef) {
        def.base = self.pages.base();
        def.len = self.pages.size() as u64;
        // With zeal, every allocation takes the slow path, which counts.
        def.limit = if self.zeal.is_some() { 0 } else { self.young_limit() };
        self.stats.peak_bytes = self.stats.peak_bytes.max(def.len);
    }

    /// When to collect everything next, after the old part has become as small as it gets.
    pub(super) fn plan_major(&mut self) {
        let live = u64::from(self.top - NURSERY_BYTES);
        self.major_at = u64::from(NURSERY_BYTES) + live + live.max(MAJOR_BYTES_MIN);
    }

    /// Makes the heap at least `bytes` large. The new part is charged twice: what a collection copies
    /// to is paid for in advance, so that a full heap can always be collected.
    pub(super) fn reserve(
        &mut self,
        bytes: u64,
        budget: &mut Budget,
        def: &mut HeapDef,
    ) -> Result<(), LimitError> {
        let size = self.pages.size() as u64;
        if bytes <= size {
            return Ok(());
        }
        if bytes > HEAP_BYTES_MAX {
            return Err(LimitError::declared(Resource::HeapBytes, bytes, HEAP_BYTES_MAX));
        }
        let mut grow = |to: u64| {
            let to = to.next_multiple_of(GRAIN_BYTES).min(HEAP_BYTES_MAX);
            budget.charged(Resource::HeapBytes, 2 * (to - size), || {
                let refused = LimitError::system(Resource::HeapBytes, to - size);
                self.pages.grow(to as usize).map_err(|_| refused)
            })
        };
        // A quarter more, so that growing step by step does not cost a copy each.
        if grow(bytes.max(size + size / 4)).is_err() {
            grow(bytes)?;
        }
        self.publish(def);
        Ok(())
    }

    /// Room for another heap with place for all that may be alive in this one. It is paid for.
    pub(super) fn another(&self, young: u32) -> Result<Pages, LimitError> {
        let bytes = match self.is_made() {
            true => u64::from(self.top) + u64::from(young),
            false => 0,
        };
        let bytes = bytes.next_multiple_of(GRAIN_BYTES).min(self.pages.size() as u64);
        Pages::new(bytes as usize).map_err(|_| LimitError::system(Resource::HeapBytes, bytes))
    }

    /// Room at the end of the old objects, without collecting anything.
    fn bump_old(
        &mut self,
        bytes: u64,
        budget: &mut Budget,
        def: &mut HeapDef,
    ) -> Result<u32, LimitError> {
        let end = u64::from(self.top).saturating_add(bytes);
        let least = if self.is_made() { def.top } else { NURSERY_BYTES };
        self.reserve(end.saturating_add(least.into()), budget, def)?;
        self.stats.allocated_bytes += bytes;
        // `reserve` fails for what does not fit 32 bits.
        let at = std::mem::replace(&mut self.top, end as u32);
        self.publish(def);
        Ok(at)
    }

    /// Room in the nursery, if there is any.
    fn bump_young(&self, bytes: u64, def: &mut HeapDef) -> Option<u32> {
        let end = u64::from(def.top) + bytes;
        if end > self.young_limit().into() {
            return None;
        }
        Some(std::mem::replace(&mut def.top, end as u32))
    }

    /// What zeal wants collected before the next allocation.
    fn zealous(&mut self) -> Option<Collection> {
        let every = self.zeal?;
        self.since_zeal += 1;
        if self.since_zeal < every {
            return None;
        }
        self.since_zeal = 0;
        // Both kinds, so that objects get old between two of them.
        let minor = self.stats.minor <= self.stats.major;
        Some(if minor { Collection::Minor } else { Collection::Major })
    }

    /// What was collected so far, and what is there now.
    fn stats(&self, def: &HeapDef) -> GcStats {
        let young = u64::from(def.top.saturating_sub(OBJECT_ALIGN));
        let old = u64::from(self.top - NURSERY_BYTES);
        let mut stats = self.stats.clone();
        stats.allocated_bytes += young;
        stats.used_bytes = young + old;
        stats.heap_bytes = self.pages.size() as u64;
        stats
    }
}

impl Store {
    /// What its collector did so far, and what is in its heap.
    pub fn gc_stats(&self) -> GcStats {
        // SAFETY: the record is alive; V1.
        self.heap.stats(unsafe { &(*self.rt()).heap })
    }

    /// Room for an object of `bytes`, a multiple of 8, whose header and contents the caller writes
    /// before anything else happens. May collect: all references must be in roots. An object that is
    /// not young when it is made must be remembered ([`Store::remember`]) if it holds references.
    pub(crate) fn allocate(&mut self, bytes: u64) -> Result<u32, Trap> {
        if let Some(what) = self.heap.zealous() {
            self.collect(what)?;
        }
        if bytes < LARGE_BYTES {
            if let Some(at) = self.allocate_young(bytes) {
                return Ok(at);
            }
            let full = u64::from(self.heap.top) > self.heap.major_at;
            self.collect(if full { Collection::Major } else { Collection::Minor })?;
            if let Some(at) = self.allocate_young(bytes) {
                return Ok(at);
            }
        } else if u64::from(self.heap.top).saturating_add(bytes) <= self.heap.major_at
            && let Ok(at) = self.allocate_old(bytes)
        {
            return Ok(at);
        }
        // So many old objects, or so little room, that all garbage is wanted back.
        self.collect(Collection::Major)?;
        match self.allocate_young(bytes).filter(|_| bytes < LARGE_BYTES) {
            Some(at) => Ok(at),
            None => self.allocate_old(bytes),
        }
    }

    /// Room in the nursery, which is made as large as it may be.
    fn allocate_young(&mut self, bytes: u64) -> Option<u32> {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        let wanted = u64::from(self.heap.top) + u64::from(NURSERY_BYTES);
        // Without room for all of it, a part has to do.
        let _ = self.heap.reserve(wanted, &mut self.budget, def);
        self.heap.bump_young(bytes, def)
    }

    /// As [`Store::allocate`], but without collecting: what is made is not young.
    pub(crate) fn allocate_old(&mut self, bytes: u64) -> Result<u32, Trap> {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        let made = self.heap.bump_old(bytes, &mut self.budget, def);
        made.map_err(|limit| self.exhausted(limit))
    }

    /// Keeps why the heap could not grow, for the report.
    #[cold]
    pub(super) fn exhausted(&mut self, limit: LimitError) -> Trap {
        self.heap_limit = Some(limit);
        Trap::HeapExhausted
    }

    /// Puts old object `at` into the remembered set.
    pub(crate) fn remember(&mut self, at: u32) {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &(*self.rt()).heap };
        let Some(word) = def.word(at) else { return };
        // SAFETY: V11: `word` checked that the address is inside the heap.
        unsafe {
            if *word & REMEMBERED == 0 {
                *word |= REMEMBERED;
                self.heap.remembered.push(at);
            }
        }
    }
}

/// Whether a reference written into object `object` must be remembered: an old object refers to a
/// young one.
#[inline(always)]
pub(crate) fn crosses(object: u32, reference: u32) -> bool {
    object >= NURSERY_BYTES && reference < NURSERY_BYTES && is_object(reference)
}

/// The write barrier: what follows every store of `reference` into a field or element of `object`.
///
/// # Safety
///
/// `rt` is the record of the store whose code runs (V2).
#[inline(always)]
pub(crate) unsafe fn barrier(rt: *mut Rt, object: u32, reference: u32) {
    if crosses(object, reference) {
        // SAFETY: the caller's promise.
        unsafe { remember_slow(rt, object) };
    }
}

/// # Safety
///
/// As for [`barrier`].
#[cold]
#[inline(never)]
unsafe extern "C" fn remember_slow(rt: *mut Rt, object: u32) {
    // SAFETY: V2: while guest code runs, its store is reached through the record alone.
    unsafe { (*(*rt).store).remember(object) };
}
