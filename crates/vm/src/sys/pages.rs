//! Zeroed memory of any size that costs nothing until touched, and grows.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use super::{NoMemory, map, page_rounded};

/// From this size on memory is mapped; below, the allocator does it with less overhead. One page
/// of wasm: linear memories are always mapped.
const MAP_BYTES_MIN: usize = 64 << 10;

/// Alignment of everything: that of a `v128`.
const ALIGN: usize = 16;

/// Owned zeroed memory, aligned to 16 bytes.
#[derive(Debug)]
pub(crate) struct Pages {
    base: NonNull<u8>,
    size: usize,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Nowhere,
    Heap,
    Map,
}

// SAFETY: owned memory without interior references, as a `Box<[u8]>` is.
unsafe impl Send for Pages {}

impl Pages {
    /// No memory.
    pub(crate) const EMPTY: Pages = Pages { base: DANGLING, size: 0, origin: Origin::Nowhere };

    /// At least `size` zero bytes.
    pub(crate) fn new(size: usize) -> Result<Pages, NoMemory> {
        if size == 0 {
            return Ok(Pages::EMPTY);
        }
        if map::AVAILABLE && size >= MAP_BYTES_MIN {
            let size = page_rounded(size)?;
            return Ok(Pages { base: map::map(size, true)?, size, origin: Origin::Map });
        }
        // SAFETY: the size is not zero.
        let base = unsafe { alloc::alloc_zeroed(heap_layout(size)?) };
        let base = NonNull::new(base).ok_or(NoMemory)?;
        Ok(Pages { base, size, origin: Origin::Heap })
    }

    /// Where the memory is; moves when it grows.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// How much memory there is.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Grows to at least `size` bytes. The new bytes are zero; the old ones may have moved.
    pub(crate) fn grow(&mut self, size: usize) -> Result<(), NoMemory> {
        if size <= self.size {
            return Ok(());
        }
        if self.origin == Origin::Map {
            let size = page_rounded(size)?;
            // SAFETY: a whole mapping of ours; `&mut self` shows that nobody uses the memory.
            self.base = unsafe { map::remap(self.base, self.size, size) }?;
            self.size = size;
            return Ok(());
        }
        let grown = Pages::new(size)?;
        // SAFETY: different allocations, the new one is larger.
        unsafe { self.base().copy_to_nonoverlapping(grown.base(), self.size) };
        *self = grown;
        Ok(())
    }
}

impl Pages {
    /// Gives back what is beyond `size` bytes, if that can be done without copying; the rest may have
    /// moved.
    pub(crate) fn shrink(&mut self, size: usize) {
        let Ok(size) = page_rounded(size) else { return };
        if self.origin != Origin::Map || size == 0 || size >= self.size || !map::SHRINKS {
            return;
        }
        // SAFETY: a whole mapping of ours; `&mut self` shows that nobody uses the memory.
        if let Ok(base) = unsafe { map::remap(self.base, self.size, size) } {
            self.base = base;
            self.size = size;
        }
    }
}

const DANGLING: NonNull<u8> = NonNull::<Aligned>::dangling().cast();

#[repr(align(16))]
struct Aligned;

const _: () = assert!(align_of::<Aligned>() == ALIGN && align_of::<u128>() <= ALIGN);

fn heap_layout(size: usize) -> Result<Layout, NoMemory> {
    Layout::from_size_align(size, ALIGN).map_err(|_| NoMemory)
}

impl Drop for Pages {
    fn drop(&mut self) {
        match self.origin {
            Origin::Nowhere => {}
            Origin::Heap => {
                if let Ok(layout) = heap_layout(self.size) {
                    // SAFETY: allocated in `new` with this layout.
                    unsafe { alloc::dealloc(self.base(), layout) };
                }
            }
            // SAFETY: a whole mapping of ours, of this size since `new` or the last `grow`.
            Origin::Map => unsafe { map::unmap(self.base, self.size) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pages: &Pages) -> &[u8] {
        // SAFETY: `size` owned, initialised bytes.
        unsafe { std::slice::from_raw_parts(pages.base(), pages.size()) }
    }

    #[test]
    fn growth_keeps_contents_and_adds_zeroes() {
        let mut pages = Pages::new(0).unwrap();
        for size in [24, 4096, MAP_BYTES_MIN - 8, MAP_BYTES_MIN, MAP_BYTES_MIN + 1, 1 << 20] {
            let before = pages.size();
            pages.grow(size).unwrap();
            assert!(pages.size() >= size);
            assert_eq!(pages.base().addr() % ALIGN, 0);
            assert!(bytes(&pages)[before..].iter().all(|b| *b == 0), "grown to {size}");
            assert!(bytes(&pages)[..before].iter().all(|b| *b == 0xa5), "grown to {size}");
            // SAFETY: owned.
            unsafe { pages.base().write_bytes(0xa5, pages.size()) };
        }
    }

    #[test]
    fn what_is_given_back_was_behind_the_rest() {
        let mut pages = Pages::new(1 << 20).unwrap();
        // SAFETY: owned.
        unsafe { pages.base().write_bytes(0xa5, pages.size()) };
        pages.shrink(MAP_BYTES_MIN);
        assert!(pages.size() == MAP_BYTES_MIN || !map::SHRINKS);
        assert!(bytes(&pages).iter().all(|b| *b == 0xa5));
        let size = pages.size();
        pages.grow(1 << 20).unwrap();
        assert!(bytes(&pages)[..size].iter().all(|b| *b == 0xa5));
        assert!(bytes(&pages)[size..].iter().all(|b| *b == 0));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [usize::MAX, usize::MAX - 4095, isize::MAX as usize + 1] {
            assert!(Pages::new(size).is_err());
            assert!(Pages::new(1).unwrap().grow(size).is_err());
        }
    }
}
