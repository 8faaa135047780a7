//! Address space set aside, of which parts are made accessible and never move.

use std::ptr::NonNull;

use super::{Access, NoMemory, map, page_rounded};

/// An owned range of addresses, inaccessible except for what was committed.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: owned memory without interior references.
unsafe impl Send for Reservation {}

impl Reservation {
    /// Sets aside `size` bytes, rounded up to pages.
    pub(crate) fn new(size: usize) -> Result<Reservation, NoMemory> {
        let size = page_rounded(size.max(1))?;
        Ok(Reservation { base: map::map(size, false)?, size })
    }

    /// The first address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Makes `size` bytes from `offset` on readable and writable, zero when first touched. Both
    /// are multiples of the page size of the host.
    pub(crate) fn commit(&mut self, offset: usize, size: usize) -> Result<(), NoMemory> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.size);
        let page = map::page_size();
        if !inside || !offset.is_multiple_of(page) || !size.is_multiple_of(page) {
            return Err(NoMemory);
        }
        if size == 0 {
            return Ok(());
        }
        // SAFETY: whole pages inside the mapping, checked above.
        unsafe { map::commit(self.base().add(offset), size) }
    }

    /// Makes `size` bytes from `offset` on, which were committed, executable and read-only, for good.
    pub(crate) fn make_executable(&mut self, offset: usize, size: usize) -> Result<(), NoMemory> {
        self.protect(offset, size, Access::Execute)
    }

    /// Makes `size` bytes from `offset` on readable, or inaccessible.
    pub(crate) fn protect(
        &mut self,
        offset: usize,
        size: usize,
        access: Access,
    ) -> Result<(), NoMemory> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.size);
        if !inside || !offset.is_multiple_of(map::page_size()) {
            return Err(NoMemory);
        }
        // SAFETY: whole pages inside the mapping, checked above.
        unsafe { map::protect(self.base().add(offset), size, access) }
    }

    /// Makes `size` bytes from `offset` on, which were committed, zero, and gives back what memory they
    /// take.
    pub(crate) fn discard(&mut self, offset: usize, size: usize) -> Result<(), NoMemory> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.size);
        if !inside || !offset.is_multiple_of(map::page_size()) {
            return Err(NoMemory);
        }
        if size == 0 {
            return Ok(());
        }
        // SAFETY: whole pages inside the mapping, checked above; `&mut self` shows that nobody uses them.
        unsafe { map::discard(self.base().add(offset), size) }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: a whole mapping of ours, made in `new` with this size.
        unsafe { map::unmap(self.base, self.size) };
    }
}
