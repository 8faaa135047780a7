//! Memories whose bounds the hardware checks.
//!
//! ```text
//!  │ front guard │ accessible pages │ reserved, inaccessible ... │
//!                ▲ base: never moves                             ▲ base + REACH_BYTES
//! ```

use crate::sys::{NoMemory, Reservation};

/// Bytes after the base that an access can touch: a 32-bit address plus a 32-bit constant offset
/// is below 8 GiB − 1, and the widest access is 16 bytes. One wasm page holds that margin.
pub(super) const REACH_BYTES: u64 = (8 << 30) + (64 << 10);

/// Inaccessible bytes before the base. No access goes there; they catch one whose address was
/// wrongly taken as signed, for offsets that small.
const FRONT_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(super) struct Guarded {
    reservation: Reservation,
}

impl Guarded {
    /// A memory of `size` bytes, a multiple of 64 KiB of at most 4 GiB.
    pub(super) fn new(size: usize) -> Result<Guarded, NoMemory> {
        let reach = usize::try_from(REACH_BYTES).map_err(|_| NoMemory)?;
        let reservation = Reservation::new(FRONT_BYTES + reach)?;
        let mut guarded = Guarded { reservation };
        guarded.grow(0, size)?;
        Ok(guarded)
    }

    pub(super) fn base(&self) -> *mut u8 {
        // The reservation is larger than this.
        self.reservation.base().wrapping_add(FRONT_BYTES)
    }

    pub(super) fn grow(&mut self, from: usize, to: usize) -> Result<(), NoMemory> {
        self.reservation.commit(FRONT_BYTES + from, to - from)
    }
}
