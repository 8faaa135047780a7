//! Code memory of one module: address space set aside, of which pages become first writable, then
//! executable, and never change again.
//!
//! ```text
//!  │ slots: one address for each function, writable │ code, read and execute only ... │ not used yet │
//! ```
//!
//! All code of a module is near its other code and the slots, so that distances fit into 32 bits.

use crate::sys::{self, NoMemory, Reservation};

/// Code begins at multiples of this: a line of the cache.
const CODE_ALIGN: usize = 64;

/// No area is larger, so that any distance in it fits into 32 bits.
const AREA_BYTES_MAX: usize = 1 << 30;

/// Pages of the smallest host, and a multiple of those of others.
const PAGE_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct CodeMemory {
    reservation: Reservation,
    slots: usize,
    /// Bytes in use, whole pages.
    used: usize,
    size: usize,
    page: usize,
}

impl CodeMemory {
    /// Memory for `slots` slots and at least `code` bytes of code.
    pub(super) fn new(slots: usize, code: usize) -> Result<CodeMemory, NoMemory> {
        let page = sys::page_size();
        let table = (slots * 8).next_multiple_of(page);
        let size = table.saturating_add(code).min(AREA_BYTES_MAX).next_multiple_of(PAGE_BYTES);
        let mut reservation = Reservation::new(size)?;
        reservation.commit(0, table)?;
        Ok(CodeMemory { reservation, slots, used: table, size, page })
    }

    /// The first address, and the one behind the last.
    pub(super) fn range(&self) -> (usize, usize) {
        let start = self.reservation.base().addr();
        (start, start + self.size)
    }

    /// The slot of a function: an address that stubs jump to.
    pub(super) fn slot(&self, func: u32) -> *mut usize {
        assert!((func as usize) < self.slots, "a function of another module");
        // SAFETY: inside the table.
        unsafe { self.reservation.base().cast::<usize>().add(func as usize) }
    }

    /// Where the next code will be.
    pub(super) fn next(&self) -> usize {
        self.reservation.base().addr() + self.used
    }

    /// Has `write` put `size` bytes of code where the next is to be, and makes them executable.
    pub(super) fn add(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), NoMemory>,
    ) -> Result<(), NoMemory> {
        let size = size.checked_next_multiple_of(self.page).ok_or(NoMemory)?;
        if size > self.size - self.used {
            return Err(NoMemory);
        }
        self.reservation.commit(self.used, size)?;
        // SAFETY: V13: just committed and writable, and nobody else knows of it: what is used begins
        // and ends before it.
        let pages =
            unsafe { std::slice::from_raw_parts_mut(self.reservation.base().add(self.used), size) };
        write(pages)?;
        self.reservation.make_executable(self.used, size)?;
        self.used += size;
        Ok(())
    }

    /// A copy of the code between two addresses.
    pub(super) fn read(&self, start: usize, end: usize) -> Vec<u8> {
        let base = self.reservation.base();
        let table = (self.slots * 8).next_multiple_of(self.page);
        let (from, to) = (start.wrapping_sub(base.addr()), end.wrapping_sub(base.addr()));
        if from < table || from > to || to > self.used {
            return Vec::new();
        }
        // SAFETY: V13: behind the slots and within what is used lies code, which is readable and
        // never changes.
        unsafe { std::slice::from_raw_parts(base.add(from), to - from) }.to_vec()
    }

    /// Bytes of code.
    pub(super) fn used(&self) -> usize {
        self.used - (self.slots * 8).next_multiple_of(self.page)
    }
}

/// The next place for code from `at` on.
pub(super) fn align_code(at: usize) -> usize {
    at.next_multiple_of(CODE_ALIGN)
}
