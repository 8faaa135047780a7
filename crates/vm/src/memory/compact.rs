//! Memories whose bounds code checks, taking little more address space than they have bytes.

use crate::sys::{NoMemory, Pages};

/// A declared maximum is reserved at once if that adds at most this much to the initial size, so
/// that thousands of small memories never move and still fit in a few GiB of address space.
const RESERVED_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Compact {
    pages: Pages,
}

impl Compact {
    /// A memory of `size` bytes that may grow to `max`, the latter unknown if it is not
    /// addressable. A `pinned` one never moves.
    pub(super) fn new(size: usize, max: Option<usize>, pinned: bool) -> Result<Compact, NoMemory> {
        let capacity = match max {
            Some(max) if pinned || max.saturating_sub(size) <= RESERVED_BYTES_MAX => max.max(size),
            None if pinned => return Err(NoMemory),
            _ => size,
        };
        Ok(Compact { pages: Pages::new(capacity)? })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.pages.base()
    }

    /// Makes room for `to` bytes. Address space doubles, so that growing page by page moves or
    /// copies each byte a constant number of times; what is not used yet costs no memory.
    pub(super) fn grow(&mut self, to: usize, max: Option<usize>) -> Result<(), NoMemory> {
        if to <= self.pages.size() {
            return Ok(());
        }
        let doubled = self.pages.size().saturating_mul(2).min(max.unwrap_or(usize::MAX));
        if doubled > to && self.pages.grow(doubled).is_ok() {
            return Ok(());
        }
        self.pages.grow(to)
    }
}
