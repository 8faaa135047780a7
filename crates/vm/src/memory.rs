//! Linear memories: their two kinds, their limits, and access to their bytes by the host.

mod compact;
mod guard;
mod parking;
pub(crate) mod racy;
mod shared;

use std::sync::atomic::AtomicU64;

use dunlin_code::MemoryKind;
use dunlin_module::MemoryType;

use self::compact::Compact;
use self::guard::Guarded;
pub use self::parking::Woken;
pub use self::shared::SharedMemory;
use crate::budget::{Budget, LimitError, Resource};
use crate::store::Fixed;
use crate::sys;
use crate::vmctx::MemoryDef;

/// Whether this build can have memories of `kind`.
pub(crate) fn supports(kind: MemoryKind) -> bool {
    match kind {
        MemoryKind::Guard => sys::FAULTS_TRAP,
        MemoryKind::Compact => true,
    }
}

/// Whether a memory of type `ty` is kept in bounds by guard pages, so that code need not check.
///
/// Only 32-bit memories with pages of 64 KiB can be: no address of theirs leaves the reservation,
/// and their size always ends where pages of the host end.
pub fn is_guarded(kind: MemoryKind, ty: &MemoryType) -> bool {
    kind == MemoryKind::Guard && !ty.index64 && ty.page_size_log2 == 16
}

/// The most pages a memory of type `ty` can ever have.
pub(crate) fn pages_max(ty: &MemoryType) -> u64 {
    let addressable = match (ty.index64, ty.page_size_log2) {
        (false, 16) => 1 << 16,
        // With one-byte pages the size itself must be an address.
        (false, 0) => u64::from(u32::MAX),
        (false, log2) => (1u64 << 32) >> log2,
        (true, 0) => u64::MAX,
        (true, log2) => 1u64 << 64u32.saturating_sub(log2.into()).min(63),
    };
    ty.max.map_or(addressable, |max| max.min(addressable))
}

/// `pages` in bytes, if that can be a size at all.
fn byte_size(ty: &MemoryType, pages: u64) -> Option<usize> {
    let bytes = u128::from(pages) << ty.page_size_log2;
    usize::try_from(bytes).ok().filter(|b| *b <= isize::MAX as usize)
}

/// `pages` in bytes, or the largest number.
fn byte_count(ty: &MemoryType, pages: u64) -> u64 {
    pages.saturating_mul(1 << ty.page_size_log2)
}

/// The size in pages of a memory of `old` bytes grown by `delta` pages.
fn grown_pages(ty: &MemoryType, old: u64, delta: u64) -> Result<u64, LimitError> {
    let most = pages_max(ty);
    let pages = (old >> ty.page_size_log2).checked_add(delta).filter(|pages| *pages <= most);
    pages.ok_or_else(|| {
        let (wanted, most) = (byte_count(ty, delta), byte_count(ty, most));
        LimitError::declared(Resource::MemoryBytes, wanted, most)
    })
}

/// The definition of a memory without bytes.
pub(crate) fn empty_def() -> MemoryDef {
    let base = std::ptr::NonNull::dangling().as_ptr();
    MemoryDef { base, len: AtomicU64::new(0), guarded: 0, shared: false }
}

/// The bytes of a memory.
#[derive(Debug)]
enum Storage {
    Guarded(Guarded),
    Compact(Compact),
}

impl Storage {
    /// Charges for and makes the bytes of a memory of `ty.min` pages; how many they are.
    fn charged(
        ty: &MemoryType,
        kind: MemoryKind,
        budget: &mut Budget,
    ) -> Result<(Storage, usize), LimitError> {
        let refused = |bytes| LimitError::system(Resource::MemoryBytes, bytes);
        let size = byte_size(ty, ty.min).ok_or(refused(byte_count(ty, ty.min)))?;
        let bytes = size as u64;
        budget.charge(Resource::Memories, 1)?;
        let made = budget.charged(Resource::MemoryBytes, bytes, || {
            if is_guarded(kind, ty) {
                let guarded = Guarded::new(size).map_err(|_| LimitError::addresses(bytes))?;
                return Ok(Storage::Guarded(guarded));
            }
            let max = byte_size(ty, pages_max(ty));
            let compact = Compact::new(size, max, ty.shared).map_err(|_| refused(bytes))?;
            Ok(Storage::Compact(compact))
        });
        let storage = made.inspect_err(|_| budget.release(Resource::Memories, 1))?;
        Ok((storage, size))
    }

    /// Charges for and makes room for `pages` pages, where there are `from` bytes; their size.
    fn grow(
        &mut self,
        ty: &MemoryType,
        from: u64,
        pages: u64,
        budget: &mut Budget,
    ) -> Result<usize, LimitError> {
        let more = byte_count(ty, pages) - from;
        // What is no size on this machine is for the budget to refuse first, as on every other.
        budget.charged(Resource::MemoryBytes, more, || {
            let refused = LimitError::system(Resource::MemoryBytes, more);
            let to = byte_size(ty, pages).ok_or(refused)?;
            let grown = match self {
                Storage::Guarded(guarded) => guarded.grow(to),
                Storage::Compact(compact) => compact.grow(to, byte_size(ty, pages_max(ty))),
            };
            grown.map(|()| to).map_err(|_| refused)
        })
    }

    /// What code needs to know, with `size` bytes accessible.
    fn def(&self, size: usize, shared: bool) -> MemoryDef {
        let (base, guarded) = match self {
            Storage::Guarded(guarded) => (guarded.base(), guard::REACH_BYTES),
            Storage::Compact(compact) => (compact.base(), 0),
        };
        MemoryDef { base, len: AtomicU64::new(size as u64), guarded, shared }
    }
}

/// A memory of a store, at a fixed address, so that code can refer to its definition.
#[derive(Debug)]
pub(crate) struct MemoryInstance(Place);

#[derive(Debug)]
enum Place {
    /// The store's alone.
    Own(OwnMemory),
    /// Used by other stores too, perhaps.
    Shared(SharedMemory),
}

#[derive(Debug)]
struct OwnMemory {
    /// What code sees; always agrees with `storage`.
    def: MemoryDef,
    ty: MemoryType,
    storage: Storage,
}

impl MemoryInstance {
    /// Charges for and makes a memory of `ty.min` pages.
    pub(crate) fn new(
        ty: MemoryType,
        kind: MemoryKind,
        budget: &mut Budget,
    ) -> Result<MemoryInstance, LimitError> {
        if ty.shared {
            let memory = SharedMemory::charged(ty, kind, budget)?;
            return Ok(MemoryInstance(Place::Shared(memory)));
        }
        let (storage, size) = Storage::charged(&ty, kind, budget)?;
        let def = storage.def(size, false);
        Ok(MemoryInstance(Place::Own(OwnMemory { def, ty, storage })))
    }

    /// The place of `memory` in one store.
    pub(crate) fn attached(memory: SharedMemory) -> MemoryInstance {
        MemoryInstance(Place::Shared(memory))
    }

    /// The memory, if it is shared.
    pub(crate) fn shared(&self) -> Option<&SharedMemory> {
        match &self.0 {
            Place::Own(_) => None,
            Place::Shared(memory) => Some(memory),
        }
    }

    /// What code sees, where it finds it as long as `memory` lives and stays where it is.
    pub(crate) fn def_ptr(memory: &Fixed<MemoryInstance>) -> *mut MemoryDef {
        match &memory.0 {
            // Code only reads it.
            Place::Own(own) => (&raw const own.def).cast_mut(),
            Place::Shared(shared) => shared.def_ptr(),
        }
    }

    /// The type it was declared with.
    pub(crate) fn ty(&self) -> &MemoryType {
        match &self.0 {
            Place::Own(own) => &own.ty,
            Place::Shared(shared) => shared.ty(),
        }
    }

    /// The current size in bytes.
    pub(crate) fn byte_size(&self) -> u64 {
        match &self.0 {
            Place::Own(own) => own.def.byte_len(),
            Place::Shared(shared) => shared.byte_size(),
        }
    }

    /// The current size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.byte_size() >> self.ty().page_size_log2
    }

    /// Grows by `delta` pages; the old size in pages. On failure nothing has changed.
    pub(crate) fn grow(&mut self, delta: u64, budget: &mut Budget) -> Result<u64, LimitError> {
        let own = match &mut self.0 {
            Place::Own(own) => own,
            Place::Shared(shared) => return shared.grow(delta),
        };
        let OwnMemory { def, ty, storage } = own;
        let old = def.byte_len();
        let pages = grown_pages(ty, old, delta)?;
        let size = storage.grow(ty, old, pages, budget)?;
        *def = storage.def(size, false);
        Ok(old >> ty.page_size_log2)
    }

    /// All bytes; none of a shared memory, of which nobody may have a reference.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: V3 (a definition describes owned, initialised bytes); `&self` is held through
            // a `&Store`, under which no guest code runs.
            Place::Own(OwnMemory { def, .. }) => unsafe {
                std::slice::from_raw_parts(def.base, def.byte_len() as usize)
            },
            Place::Shared(_) => &[],
        }
    }

    /// All bytes; none of a shared memory.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            // SAFETY: as in `bytes`, with exclusive access.
            Place::Own(OwnMemory { def, .. }) => unsafe {
                std::slice::from_raw_parts_mut(def.base, def.byte_len() as usize)
            },
            Place::Shared(_) => &mut [],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Limits;

    fn memory64(min: u64, page_size_log2: u8) -> MemoryType {
        MemoryType { min, max: None, index64: true, shared: false, page_size_log2 }
    }

    fn memory32(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { min, max, index64: false, shared: false, page_size_log2: 16 }
    }

    fn kinds() -> impl Iterator<Item = MemoryKind> {
        [MemoryKind::Guard, MemoryKind::Compact].into_iter().filter(|kind| supports(*kind))
    }

    #[test]
    fn sizes_that_cannot_be_are_limit_errors() {
        let mut budget = Budget::new(Limits { memory_bytes: u64::MAX, ..Limits::default() });
        for ty in [memory64(1 << 40, 16), memory64(1 << 48, 16), memory64(u64::MAX, 0)] {
            for kind in kinds() {
                let error = MemoryInstance::new(ty, kind, &mut budget).unwrap_err();
                assert_eq!(error.resource(), Resource::MemoryBytes, "{ty}: {error}");
            }
        }
        assert_eq!(budget.used(Resource::MemoryBytes), 0);
        assert_eq!(budget.used(Resource::Memories), 0);
    }

    #[test]
    fn growth_keeps_bytes_and_stops_at_every_limit() {
        for kind in kinds() {
            let mut budget = Budget::new(Limits { memory_bytes: 10 << 16, ..Limits::default() });
            let mut memory = MemoryInstance::new(memory32(1, Some(9)), kind, &mut budget).unwrap();
            memory.bytes_mut().fill(7);
            assert_eq!(memory.grow(2, &mut budget), Ok(1));
            assert_eq!(memory.grow(0, &mut budget), Ok(3));
            assert!(memory.bytes()[..1 << 16].iter().all(|b| *b == 7));
            assert!(memory.bytes()[1 << 16..].iter().all(|b| *b == 0));
            assert_eq!(memory.bytes().len(), 3 << 16);
            assert!(memory.grow(7, &mut budget).is_err(), "beyond the declared maximum");
            assert!(memory.grow(u64::MAX, &mut budget).is_err());
            budget.charge(Resource::MemoryBytes, 5 << 16).unwrap();
            assert!(memory.grow(3, &mut budget).is_err(), "beyond the budget");
            assert_eq!(memory.grow(2, &mut budget), Ok(3));
            assert_eq!(budget.used(Resource::MemoryBytes), 10 << 16);
        }
    }

    #[test]
    fn most_pages_follow_index_and_page_size() {
        assert_eq!(pages_max(&memory32(0, None)), 65536);
        assert_eq!(pages_max(&memory32(0, Some(3))), 3);
        assert_eq!(pages_max(&memory64(0, 16)), 1 << 48);
        assert_eq!(pages_max(&memory64(0, 0)), u64::MAX);
        assert_eq!(pages_max(&MemoryType { index64: false, ..memory64(0, 0) }), (1 << 32) - 1);
    }

    #[test]
    fn sizes_follow_one_byte_pages_exactly() {
        let ty = MemoryType { index64: false, ..memory64(3, 0) };
        for kind in kinds() {
            let mut budget = Budget::new(Limits::default());
            let mut memory = MemoryInstance::new(ty, kind, &mut budget).unwrap();
            for size in 3..200_000 {
                assert_eq!(memory.bytes().len(), size);
                if size % 4099 == 0 {
                    assert!(memory.bytes().iter().all(|b| *b == 0 || *b == 9));
                    memory.bytes_mut().fill(9);
                }
                memory.grow(1, &mut budget).unwrap();
            }
        }
    }
}
