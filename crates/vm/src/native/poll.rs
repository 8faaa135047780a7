//! The pages that loops of native code read, one for each store: reading traps while the store shall stop.

use std::sync::{Mutex, PoisonError};

use crate::sys::{NoMemory, Reservation};

/// Pages that are set aside at once.
const CHUNK_PAGES: usize = 256;

static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// A page that is readable unless it was closed.
#[derive(Debug)]
pub(crate) struct PollPage {
    address: usize,
}

impl PollPage {
    /// An open page.
    pub(crate) fn new() -> Result<PollPage, NoMemory> {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.is_empty() {
            let page = rustix::param::page_size();
            let mut chunk = Reservation::new(CHUNK_PAGES * page)?;
            chunk.open(0, CHUNK_PAGES * page)?;
            let base = chunk.base().expose_provenance();
            // Pages are used again and never given back.
            std::mem::forget(chunk);
            free.extend((0..CHUNK_PAGES).map(|at| base + at * page));
        }
        free.pop().map(|address| PollPage { address }).ok_or(NoMemory)
    }

    /// Where native code reads.
    pub(crate) fn address(&self) -> *const u8 {
        std::ptr::with_exposed_provenance(self.address)
    }

    /// From now on reading traps, or not any more.
    pub(crate) fn set_open(&self, open: bool) {
        use rustix::mm::{MprotectFlags, mprotect};
        let access = if open { MprotectFlags::READ } else { MprotectFlags::empty() };
        let address = std::ptr::with_exposed_provenance_mut(self.address);
        // SAFETY: a whole page that belongs to this value and holds nothing. If the system cannot
        // split the mapping the page stays as it is: the guest stops at its next call.
        let _ = unsafe { mprotect(address, rustix::param::page_size(), access) };
    }
}

impl Drop for PollPage {
    fn drop(&mut self) {
        self.set_open(true);
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.address);
    }
}
