//! Linear memories: their two kinds, their limits, and access to their bytes by the host.

mod compact;
mod guard;

use dunlin_code::MemoryKind;
use dunlin_module::MemoryType;

use self::compact::Compact;
use self::guard::Guarded;
use crate::budget::{Budget, LimitError, Resource};
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

/// The definition of a memory without bytes.
pub(crate) const EMPTY_DEF: MemoryDef =
    MemoryDef { base: std::ptr::NonNull::dangling().as_ptr(), len: 0, guarded: 0 };

/// A memory at a fixed address, so that code can refer to its definition.
#[derive(Debug)]
pub(crate) struct MemoryInstance {
    /// What code sees; always agrees with `storage`.
    pub(crate) def: MemoryDef,
    ty: MemoryType,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Guarded(Guarded),
    Compact(Compact),
}

impl MemoryInstance {
    /// Charges for and makes a memory of `ty.min` pages.
    pub(crate) fn new(
        ty: MemoryType,
        kind: MemoryKind,
        budget: &mut Budget,
    ) -> Result<MemoryInstance, LimitError> {
        let refused = |bytes| LimitError::system(Resource::MemoryBytes, bytes);
        let size = byte_size(&ty, ty.min).ok_or(refused(byte_count(&ty, ty.min)))?;
        let bytes = size as u64;
        budget.charge(Resource::Memories, 1)?;
        let made = budget.charged(Resource::MemoryBytes, bytes, || {
            let max = byte_size(&ty, pages_max(&ty));
            if is_guarded(kind, &ty) {
                let guarded = Guarded::new(size).map_err(|_| LimitError::addresses(bytes))?;
                return Ok(Storage::Guarded(guarded));
            }
            // A shared memory must not move while other threads use it.
            let compact = Compact::new(size, max, ty.shared).map_err(|_| refused(bytes))?;
            Ok(Storage::Compact(compact))
        });
        let storage = made.inspect_err(|_| budget.release(Resource::Memories, 1))?;
        let mut memory = MemoryInstance { def: EMPTY_DEF, ty, storage };
        memory.publish(size);
        Ok(memory)
    }

    /// The type it was declared with.
    pub(crate) fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// The current size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.def.len >> self.ty.page_size_log2
    }

    /// Grows by `delta` pages; the old size in pages. On failure nothing has changed.
    pub(crate) fn grow(&mut self, delta: u64, budget: &mut Budget) -> Result<u64, LimitError> {
        let old = self.pages();
        let most = pages_max(&self.ty);
        let Some(pages) = old.checked_add(delta).filter(|pages| *pages <= most) else {
            let (wanted, most) = (byte_count(&self.ty, delta), byte_count(&self.ty, most));
            return Err(LimitError::declared(Resource::MemoryBytes, wanted, most));
        };
        let more = byte_count(&self.ty, pages) - self.def.len;
        let (from, most) = (self.def.len as usize, byte_size(&self.ty, most));
        // What is no size on this machine is for the budget to refuse first, as on every other.
        let size = budget.charged(Resource::MemoryBytes, more, || {
            let refused = LimitError::system(Resource::MemoryBytes, more);
            let size = byte_size(&self.ty, pages).ok_or(refused)?;
            let grown = match &mut self.storage {
                Storage::Guarded(guarded) => guarded.grow(from, size),
                Storage::Compact(compact) => compact.grow(size, most),
            };
            grown.map(|()| size).map_err(|_| refused)
        })?;
        self.publish(size);
        Ok(old)
    }

    /// Tells code where the memory is and how large.
    fn publish(&mut self, size: usize) {
        let (base, guarded) = match &self.storage {
            Storage::Guarded(guarded) => (guarded.base(), guard::REACH_BYTES),
            Storage::Compact(compact) => (compact.base(), 0),
        };
        self.def = MemoryDef { base, len: size as u64, guarded };
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: V3 (a definition describes owned, initialised bytes); `&self` is held through a
        // `&Store`, under which no guest code runs.
        unsafe { std::slice::from_raw_parts(self.def.base, self.def.len as usize) }
    }

    /// All bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, with exclusive access.
        unsafe { std::slice::from_raw_parts_mut(self.def.base, self.def.len as usize) }
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
