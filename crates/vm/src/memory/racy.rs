//! Bytes that other threads may read and write at the same time.
//!
//! To Rust, a plain access to such a byte is a data race, whatever comes of it. WebAssembly promises
//! the guest that some value comes of it and nothing else. So these bytes are touched in ways that
//! are no races in Rust: by instructions the compiler knows nothing about (x86-64), or by relaxed
//! atomics. Neither is slower than a plain access.

/// Sixteen bytes at once: what a copy moves at a time, and a `v128`.
pub(crate) type Block = [u8; 16];

/// Reads sixteen bytes.
///
/// # Safety
///
/// They are owned, initialised memory.
#[inline(always)]
pub(crate) unsafe fn load_block(at: *const u8) -> Block {
    #[cfg(not(dunlin_portable))]
    {
        let value: std::arch::x86_64::__m128i;
        // SAFETY: the bytes may be read (caller).
        unsafe {
            std::arch::asm!(
                "movups {value}, xmmword ptr [{at}]",
                value = out(xmm_reg) value,
                at = in(reg) at,
                options(nostack, preserves_flags, readonly),
            );
            std::mem::transmute(value)
        }
    }
    #[cfg(dunlin_portable)]
    {
        // SAFETY: as for this function.
        unsafe { portable::load(at) }
    }
}

/// Writes sixteen bytes.
///
/// # Safety
///
/// They are owned memory.
#[inline(always)]
pub(crate) unsafe fn store_block(at: *mut u8, value: Block) {
    #[cfg(not(dunlin_portable))]
    // SAFETY: the bytes may be written (caller).
    unsafe {
        let value: std::arch::x86_64::__m128i = std::mem::transmute(value);
        std::arch::asm!(
            "movups xmmword ptr [{at}], {value}",
            value = in(xmm_reg) value,
            at = in(reg) at,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(dunlin_portable)]
    // SAFETY: as for this function.
    unsafe {
        portable::store(at, value)
    }
}

/// Copies `len` bytes; regions may overlap.
///
/// # Safety
///
/// Both regions are owned memory of that size, the source initialised.
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    const STEP: usize = size_of::<Block>();
    let blocks = len - len % STEP;
    // SAFETY: all offsets are below `len` (caller). What is read in one step has not been written in
    // an earlier one: those were nearer to the end at which both regions overlap.
    unsafe {
        if to.cast_const() <= from {
            for i in (0..blocks).step_by(STEP) {
                store_block(to.add(i), load_block(from.add(i)));
            }
            for i in blocks..len {
                store_byte(to.add(i), load_byte(from.add(i)));
            }
        } else {
            for i in (blocks..len).rev() {
                store_byte(to.add(i), load_byte(from.add(i)));
            }
            for i in (0..blocks).step_by(STEP).rev() {
                store_block(to.add(i), load_block(from.add(i)));
            }
        }
    }
}

/// Sets `len` bytes to `value`.
///
/// # Safety
///
/// They are owned memory.
pub(crate) unsafe fn fill(to: *mut u8, value: u8, len: usize) {
    const STEP: usize = size_of::<Block>();
    let blocks = len - len % STEP;
    // SAFETY: all offsets are below `len` (caller).
    unsafe {
        for i in (0..blocks).step_by(STEP) {
            store_block(to.add(i), [value; STEP]);
        }
        for i in blocks..len {
            store_byte(to.add(i), value);
        }
    }
}

/// # Safety
///
/// The byte is owned, initialised memory.
unsafe fn load_byte(at: *const u8) -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    // SAFETY: the byte may be read (caller), and a shared byte is never accessed otherwise (V12).
    unsafe { &*at.cast::<AtomicU8>() }.load(Ordering::Relaxed)
}

/// # Safety
///
/// The byte is owned memory.
unsafe fn store_byte(at: *mut u8, value: u8) {
    use std::sync::atomic::{AtomicU8, Ordering};
    // SAFETY: the byte may be written (caller), and a shared byte is never accessed otherwise (V12).
    unsafe { AtomicU8::from_ptr(at) }.store(value, Ordering::Relaxed);
}

/// The same by relaxed atomics, as wide ones as the address allows.
#[cfg(any(test, dunlin_portable))]
pub(crate) mod portable {
    use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

    /// Expands `$part` for the widest atomic that divides address and size.
    macro_rules! widest {
        ($at:ident, $size:ident, $part:ident) => {
            match ($at.addr() | $size | 8).trailing_zeros() {
                3 => $part!(AtomicU64, u64),
                2 => $part!(AtomicU32, u32),
                1 => $part!(AtomicU16, u16),
                _ => $part!(AtomicU8, u8),
            }
        };
    }

    /// Reads `N` bytes.
    ///
    /// # Safety
    ///
    /// They are owned, initialised memory.
    #[inline(always)]
    pub(crate) unsafe fn load<const N: usize>(at: *const u8) -> [u8; N] {
        let mut bytes = [0; N];
        macro_rules! part {
            ($atomic:ident, $word:ty) => {
                for (i, part) in bytes.chunks_exact_mut(size_of::<$word>()).enumerate() {
                    // SAFETY: inside the `N` bytes (caller), and aligned.
                    let word = unsafe { &*at.cast::<$atomic>().add(i) };
                    part.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
                }
            };
        }
        widest!(at, N, part);
        bytes
    }

    /// Writes `N` bytes.
    ///
    /// # Safety
    ///
    /// They are owned memory.
    #[inline(always)]
    pub(crate) unsafe fn store<const N: usize>(at: *mut u8, bytes: [u8; N]) {
        macro_rules! part {
            ($atomic:ident, $word:ty) => {
                for (i, part) in bytes.chunks_exact(size_of::<$word>()).enumerate() {
                    let mut word = [0; size_of::<$word>()];
                    word.copy_from_slice(part);
                    // SAFETY: inside the `N` bytes (caller), and aligned.
                    let place = unsafe { &*at.cast::<$atomic>().add(i) };
                    place.store(<$word>::from_ne_bytes(word), Ordering::Relaxed);
                }
            };
        }
        widest!(at, N, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_overlap_in_both_directions() {
        for len in [0, 1, 15, 16, 17, 40, 100] {
            for shift in [0, 1, 7, 15, 16, 17, 33] {
                let start: Vec<u8> = (0..200).map(|i| i as u8 ^ 0x5a).collect();
                let (mut up, mut down) = (start.clone(), start.clone());
                let (mut up_wanted, mut down_wanted) = (start.clone(), start.clone());
                up_wanted.copy_within(10..10 + len, 10 + shift);
                down_wanted.copy_within(10 + shift..10 + shift + len, 10);
                // SAFETY: inside the vectors.
                unsafe {
                    let at = up.as_mut_ptr().add(10);
                    copy(at.add(shift), at, len);
                    let at = down.as_mut_ptr().add(10);
                    copy(at, at.add(shift), len);
                }
                assert_eq!(up, up_wanted, "{len} bytes up by {shift}");
                assert_eq!(down, down_wanted, "{len} bytes down by {shift}");
            }
        }
    }

    #[test]
    fn fills_exactly() {
        for len in 0..50 {
            let mut bytes = [1; 64];
            // SAFETY: inside the array.
            unsafe { fill(bytes.as_mut_ptr().add(3), 9, len) };
            assert!(bytes.iter().enumerate().all(|(i, b)| (*b == 9) == (3..3 + len).contains(&i)));
        }
    }

    #[test]
    fn atomics_read_and_write_at_any_address() {
        let mut bytes: [u8; 40] = std::array::from_fn(|i| i as u8);
        for at in 0..24 {
            // SAFETY: inside the array.
            let (two, eight, block) = unsafe {
                let at = bytes.as_ptr().add(at);
                (portable::load::<2>(at), portable::load::<8>(at), portable::load::<16>(at))
            };
            assert_eq!(two, bytes[at..at + 2]);
            assert_eq!(eight, bytes[at..at + 8]);
            assert_eq!(block, bytes[at..at + 16]);
        }
        for at in 0..24 {
            let mut wanted = bytes;
            wanted[at..at + 16].fill(at as u8);
            wanted[at..at + 4].fill(0xee);
            // SAFETY: inside the array.
            unsafe {
                portable::store(bytes.as_mut_ptr().add(at), [at as u8; 16]);
                portable::store(bytes.as_mut_ptr().add(at), [0xee; 4]);
            }
            assert_eq!(bytes, wanted);
        }
    }
}
