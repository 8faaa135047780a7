//! Shared memories: what several stores, on several threads, have in common.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dunlin_code::{MemoryKind, Trap};
use dunlin_module::MemoryType;

use super::parking::{ParkingLot, Woken};
use super::{Storage, grown_pages, racy};
use crate::budget::{Budget, LimitError, Limits};
use crate::store::Misuse;
use crate::vmctx::MemoryDef;

/// A memory that stores on several threads may use at the same time; cloning it gives another name
/// for the same memory.
///
/// Its maximum is reserved when it is made, so that it never moves.
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    /// What code of all stores sees. The base never changes, the length grows under the lock.
    def: MemoryDef,
    ty: MemoryType,
    kind: MemoryKind,
    growth: Mutex<Growth>,
    lot: ParkingLot,
}

/// What changes when the memory grows.
#[derive(Debug)]
struct Growth {
    storage: Storage,
    /// Pays for the memory as long as it lives.
    budget: Budget,
}

// SAFETY: V12: the base never changes and leads to memory that `growth` owns; the bytes there are
// only touched as any thread may touch them, and all other parts are `Send` and `Sync`.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl SharedMemory {
    /// A memory that pays from an account of its own.
    ///
    /// # Errors
    ///
    /// If `ty` is not shared, a limit is reached, or the system refuses the address space.
    pub fn new(ty: MemoryType, kind: MemoryKind, limits: Limits) -> Result<Self, LimitError> {
        SharedMemory::charged(ty, kind, &Budget::new(limits))
    }

    /// A memory that pays from the account of `payer`, also when it outlives it.
    pub(super) fn charged(
        ty: MemoryType,
        kind: MemoryKind,
        payer: &Budget,
    ) -> Result<Self, LimitError> {
        let mut budget = payer.share();
        let (storage, size) = Storage::charged(&ty, kind, &mut budget)?;
        let def = storage.def(size, true);
        let growth = Mutex::new(Growth { storage, budget });
        let lot = ParkingLot::default();
        Ok(SharedMemory(Arc::new(Inner { def, ty, kind, growth, lot })))
    }

    /// Whether both are names of one memory.
    pub fn same(a: &SharedMemory, b: &SharedMemory) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// What code reads, at an address that stays while one of the names lives.
    pub(crate) fn def_ptr(&self) -> *mut MemoryDef {
        (&raw const self.0.def).cast_mut()
    }

    /// The type it was made with.
    pub fn ty(&self) -> &MemoryType {
        &self.0.ty
    }

    /// How it is kept in bounds.
    pub(crate) fn kind(&self) -> MemoryKind {
        self.0.kind
    }

    /// Its size in bytes, as of now.
    pub fn byte_size(&self) -> u64 {
        self.0.def.len.load(Ordering::SeqCst)
    }

    /// Its size in pages, as of now.
    pub fn pages(&self) -> u64 {
        self.byte_size() >> self.0.ty.page_size_log2
    }

    fn lock(&self) -> MutexGuard<'_, Growth> {
        // Nothing panics under the lock; if it did, the storage would still be whole.
        self.0.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows by `delta` pages; the old size in pages.
    ///
    /// # Errors
    ///
    /// If its type, a limit or the system does not allow it. Then nothing has changed.
    pub fn grow(&self, delta: u64) -> Result<u64, LimitError> {
        let Inner { def, ty, .. } = &*self.0;
        let mut growth = self.lock();
        let Growth { storage, budget } = &mut *growth;
        let old = def.byte_len();
        let pages = grown_pages(ty, old, delta)?;
        let size = storage.grow(ty, old, pages, budget)?;
        // After the bytes are there, which growth in the system itself has made visible to all.
        def.len.store(size as u64, Ordering::SeqCst);
        Ok(old >> ty.page_size_log2)
    }

    /// Where `len` bytes from `offset` on are, if all are inside.
    fn place(&self, offset: u64, len: u64) -> Result<*mut u8, Misuse> {
        let size = self.0.def.byte_len();
        match offset.checked_add(len) {
            // SAFETY: inside the memory, which never shrinks (V12).
            Some(end) if end <= size => Ok(unsafe { self.0.def.base.add(offset as usize) }),
            end => Err(Misuse::OutOfBounds { end: end.unwrap_or(u64::MAX), len: size }),
        }
    }

    /// Copies the bytes from `offset` on to `buffer`. While another thread writes them, each byte may
    /// be an old or a new one.
    ///
    /// # Errors
    ///
    /// If they are not all inside.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Misuse> {
        let from = self.place(offset, buffer.len() as u64)?;
        // SAFETY: checked to be inside; V12.
        unsafe { racy::copy(buffer.as_mut_ptr(), from, buffer.len()) };
        Ok(())
    }

    /// Copies `bytes` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// If they are not all inside.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Misuse> {
        let to = self.place(offset, bytes.len() as u64)?;
        // SAFETY: checked to be inside; V12.
        unsafe { racy::copy(to, bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Checks an atomic access of `size` bytes, a power of two.
    fn atomic_place(&self, address: u64, size: u64) -> Result<*mut u8, Trap> {
        if !address.is_multiple_of(size) {
            return Err(Trap::UnalignedAtomic);
        }
        self.place(address, size).map_err(|_| Trap::MemoryOutOfBounds)
    }

    /// The four bytes at `address` as an atomic number, in the byte order of the guest.
    ///
    /// # Errors
    ///
    /// If they are not inside, or not aligned.
    pub fn atomic_u32(&self, address: u64) -> Result<&AtomicU32, Trap> {
        let at = self.atomic_place(address, 4)?;
        // SAFETY: inside, aligned as the base is; V12. It lives as long as `self`.
        Ok(unsafe { AtomicU32::from_ptr(at.cast()) })
    }

    /// The eight bytes at `address` as an atomic number, in the byte order of the guest.
    ///
    /// # Errors
    ///
    /// If they are not inside, or not aligned.
    pub fn atomic_u64(&self, address: u64) -> Result<&AtomicU64, Trap> {
        let at = self.atomic_place(address, 8)?;
        // SAFETY: as above.
        Ok(unsafe { AtomicU64::from_ptr(at.cast()) })
    }

    /// `memory.atomic.notify`: wakes up to `count` threads that wait at `address`; how many.
    ///
    /// # Errors
    ///
    /// If the address is not inside, or not aligned to 4 bytes.
    pub fn notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        self.atomic_place(address, 4)?;
        Ok(self.0.lot.notify(address, count))
    }

    /// `memory.atomic.wait32`: waits at `address` while nobody notifies it, for at most `timeout`,
    /// if the number there is `expected`.
    ///
    /// # Errors
    ///
    /// If the address is not inside, or not aligned to 4 bytes.
    pub fn wait32(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<Woken, Trap> {
        let number = self.atomic_u32(address)?;
        let is_expected = || u32::from_le(number.load(Ordering::SeqCst)) == expected;
        Ok(self.0.lot.wait(address, deadline(timeout), is_expected, is_stopped))
    }

    /// `memory.atomic.wait64`, as [`SharedMemory::wait32`].
    ///
    /// # Errors
    ///
    /// If the address is not inside, or not aligned to 8 bytes.
    pub fn wait64(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<Woken, Trap> {
        let number = self.atomic_u64(address)?;
        let is_expected = || u64::from_le(number.load(Ordering::SeqCst)) == expected;
        Ok(self.0.lot.wait(address, deadline(timeout), is_expected, is_stopped))
    }
}

/// A time too far away to express is none.
fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|time| Instant::now().checked_add(time))
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("ty", &self.0.ty)
            .field("bytes", &self.byte_size())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("ty", &self.ty).finish_non_exhaustive()
    }
}
