//! Memories whose bounds the hardware checks.
//!
//! ```text
//!  │ front guard │ accessible pages │ reserved, inaccessible ... │
//!                ▲ base: never moves                             ▲ base + REACH_BYTES
//! ```

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::{Access, NoMemory, Reservation};

/// Bytes after the base that an access can touch: a 32-bit address plus a 32-bit constant offset
/// is below 8 GiB − 1, and the widest access is 16 bytes. One wasm page holds that margin.
pub(super) const REACH_BYTES: u64 = (8 << 30) + (64 << 10);

/// Inaccessible bytes before the base. No access goes there; they catch one whose address was
/// wrongly taken as signed, for offsets that small.
const FRONT_BYTES: usize = 32 << 20;

/// Reservations without an owner: to take one costs a tenth of what the system asks for a new one, whose
/// size shows when it is taken apart. Their bytes are zero and take no memory.
static IDLE: Mutex<Vec<Addresses>> = Mutex::new(Vec::new());

/// The most of them: 128 GiB of addresses.
const IDLE_MAX: usize = 16;

/// Bytes of an idle reservation that may stay accessible.
const IDLE_BYTES_MAX: usize = 1 << 20;

/// The addresses of a memory.
#[derive(Debug)]
struct Addresses {
    reservation: Reservation,
    /// How many bytes from the base on are accessible.
    accessible: usize,
}

impl Addresses {
    /// Those of a memory of `size` bytes, all zero.
    fn take(size: usize) -> Result<Addresses, NoMemory> {
        let known = idle().pop();
        let mut taken = match known {
            Some(known) => known,
            None => Addresses { reservation: Addresses::reserve()?, accessible: 0 },
        };
        taken.shrink(size)?;
        taken.grow(size)?;
        Ok(taken)
    }

    fn reserve() -> Result<Reservation, NoMemory> {
        let reach = usize::try_from(REACH_BYTES).map_err(|_| NoMemory)?;
        Reservation::new(FRONT_BYTES + reach)
    }

    fn grow(&mut self, to: usize) -> Result<(), NoMemory> {
        if let Some(more) = to.checked_sub(self.accessible) {
            self.reservation.commit(FRONT_BYTES + self.accessible, more)?;
            self.accessible = to;
        }
        Ok(())
    }

    /// Makes what is beyond `to` bytes inaccessible.
    fn shrink(&mut self, to: usize) -> Result<(), NoMemory> {
        if let Some(less @ 1..) = self.accessible.checked_sub(to) {
            self.reservation.protect(FRONT_BYTES + to, less, Access::None)?;
            self.accessible = to;
        }
        Ok(())
    }

    /// Leaves them to whoever needs some next, unless there are enough.
    fn give_back(mut self) {
        if idle().len() >= IDLE_MAX {
            return;
        }
        let cleared = self
            .reservation
            .discard(FRONT_BYTES, self.accessible)
            .and_then(|()| self.shrink(self.accessible.min(IDLE_BYTES_MAX)));
        if cleared.is_ok() {
            idle().push(self);
        }
    }
}

fn idle() -> MutexGuard<'static, Vec<Addresses>> {
    // Nothing panics under the lock.
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(super) struct Guarded {
    /// There until it is dropped.
    addresses: Option<Addresses>,
}

impl Guarded {
    /// A memory of `size` bytes, a multiple of 64 KiB of at most 4 GiB.
    pub(super) fn new(size: usize) -> Result<Guarded, NoMemory> {
        Ok(Guarded { addresses: Some(Addresses::take(size)?) })
    }

    pub(super) fn base(&self) -> *mut u8 {
        // The reservation is larger than this.
        let base = |it: &Addresses| it.reservation.base().wrapping_add(FRONT_BYTES);
        self.addresses.as_ref().map_or(ptr::null_mut(), base)
    }

    pub(super) fn grow(&mut self, to: usize) -> Result<(), NoMemory> {
        self.addresses.as_mut().ok_or(NoMemory)?.grow(to)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(addresses) = self.addresses.take() {
            addresses.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system says may be done with `address`.
    #[cfg(target_os = "linux")]
    fn access(address: *mut u8) -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let inside = |line: &&str| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let at = |text| usize::from_str_radix(text, 16).unwrap();
            (at(from)..at(to)).contains(&address.addr())
        };
        let line = maps.lines().find(inside).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_used_again_is_zero_and_ends_where_it_should() {
        const PAGE: usize = 64 << 10;
        // Of all sizes, so that each finds what a larger and what a smaller one left.
        for pages in [1, 3, 40, 2, 0, 40, 17, 1] {
            let size = pages * PAGE;
            let mut memory = Guarded::new(size).unwrap();
            for more in 0..3 {
                let size = size + more * PAGE;
                memory.grow(size).unwrap();
                // SAFETY: accessible bytes of the memory, which nobody else uses.
                let bytes = unsafe { std::slice::from_raw_parts_mut(memory.base(), size) };
                let (old, new) = bytes.split_at(size - if more == 0 { size } else { PAGE });
                assert!(old.iter().all(|byte| *byte == 7), "growing keeps what is there");
                assert!(new.iter().all(|byte| *byte == 0), "{pages} pages, {more} more");
                bytes.fill(7);
                let after = memory.base().wrapping_add(size);
                assert_eq!(access(after), "---p", "behind {pages} pages, {more} more");
                assert_eq!(access(memory.base().wrapping_sub(1)), "---p");
            }
        }
    }
}
