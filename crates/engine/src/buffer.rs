//! Slots on the Rust stack when they are few, on the heap when they are many.

/// Up to this many slots need no allocation.
const INLINE: usize = 32;

/// A number of slots decided at run time, all zero at first.
pub(crate) struct Buffer {
    inline: [u64; INLINE],
    heap: Vec<u64>,
    len: usize,
}

impl Buffer {
    #[inline]
    pub(crate) fn new(len: usize) -> Buffer {
        let heap = if len > INLINE { vec![0; len] } else { Vec::new() };
        Buffer { inline: [0; INLINE], heap, len }
    }

    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u64] {
        match self.inline.get_mut(..self.len) {
            Some(slots) => slots,
            None => &mut self.heap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_length_it_was_given() {
        for len in [0, 1, 31, 32, 33, 1000] {
            assert_eq!(Buffer::new(len).as_mut_slice(), vec![0; len]);
        }
    }
}
