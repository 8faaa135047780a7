//! The pages that loops of native code read, one for each store: reading traps while the store shall
//! stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::{self, Access, NoMemory, Reservation};

/// Pages that are set aside at once.
const CHUNK_PAGES: usize = 256;

static PAGES: Mutex<Pages> = Mutex::new(Pages { chunks: Vec::new(), free: Vec::new() });

/// All pages of the process: they are used again and never given back.
struct Pages {
    chunks: Vec<Reservation>,
    /// Chunk, and page in it.
    free: Vec<(usize, usize)>,
}

/// A page that is readable unless it was closed.
#[derive(Debug)]
pub(crate) struct PollPage {
    place: (usize, usize),
    address: usize,
    /// Whether it may be closed now.
    closed: AtomicBool,
}

fn pages() -> MutexGuard<'static, Pages> {
    // Nothing panics under the lock.
    PAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PollPage {
    /// An open page.
    pub(crate) fn new() -> Result<PollPage, NoMemory> {
        let mut pages = pages();
        let page = sys::page_size();
        if pages.free.is_empty() {
            let mut chunk = Reservation::new(CHUNK_PAGES * page)?;
            chunk.protect(0, CHUNK_PAGES * page, Access::Read)?;
            let number = pages.chunks.len();
            pages.chunks.push(chunk);
            pages.free.extend((0..CHUNK_PAGES).map(|at| (number, at)));
        }
        let place = pages.free.pop().ok_or(NoMemory)?;
        let address = pages.chunks[place.0].base().expose_provenance() + place.1 * page;
        Ok(PollPage { place, address, closed: AtomicBool::new(false) })
    }

    /// Where native code reads.
    pub(crate) fn address(&self) -> *const u8 {
        std::ptr::with_exposed_provenance(self.address)
    }

    /// From now on reading traps, or not any more.
    pub(crate) fn set_open(&self, open: bool) {
        let access = if open { Access::Read } else { Access::None };
        let page = sys::page_size();
        // If the system cannot split the mapping the page stays as it is: then the guest stops at
        // its next call.
        self.closed.store(!open, Ordering::Relaxed);
        let _ = pages().chunks[self.place.0].protect(self.place.1 * page, page, access);
    }
}

impl Drop for PollPage {
    fn drop(&mut self) {
        if *self.closed.get_mut() {
            self.set_open(true);
        }
        pages().free.push(self.place);
    }
}
