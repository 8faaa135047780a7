//! Anonymous private mappings, through `mmap` and its relatives.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::{Access, NoMemory};

pub(super) const AVAILABLE: bool = true;

/// Whether a mapping can be made smaller without copying it.
pub(super) const SHRINKS: bool = cfg!(target_os = "linux");

pub(super) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Maps `size` bytes, a positive multiple of the page size, accessible or not. Zero when first
/// touched; nothing is set aside before that.
pub(super) fn map(size: usize, accessible: bool) -> Result<NonNull<u8>, NoMemory> {
    let access = match accessible {
        true => ProtFlags::READ | ProtFlags::WRITE,
        false => ProtFlags::empty(),
    };
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: without a fixed address the kernel picks a range that nobody uses.
    let mapped = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), size, access, flags) };
    mapped.ok().and_then(|p| NonNull::new(p.cast())).ok_or(NoMemory)
}

/// Makes pages readable and writable.
///
/// # Safety
///
/// `start .. start + size` are whole pages of one mapping made by [`map`].
pub(super) unsafe fn commit(start: *mut u8, size: usize) -> Result<(), NoMemory> {
    let access = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: the pages are ours (caller), and gaining access invalidates nothing.
    unsafe { rustix::mm::mprotect(start.cast::<c_void>(), size, access) }.map_err(|_| NoMemory)
}

/// Changes what may be done with pages.
///
/// # Safety
///
/// `start .. start + size` are whole pages of one mapping made by [`map`], and nobody does with them
/// what is not allowed any more, but for who wants the fault.
pub(super) unsafe fn protect(start: *mut u8, size: usize, access: Access) -> Result<(), NoMemory> {
    let access = match access {
        Access::None => MprotectFlags::empty(),
        Access::Read => MprotectFlags::READ,
        Access::Execute => MprotectFlags::READ | MprotectFlags::EXEC,
    };
    // SAFETY: as for this function.
    unsafe { rustix::mm::mprotect(start.cast::<c_void>(), size, access) }.map_err(|_| NoMemory)
}

/// Makes pages as they were before they were touched: zero, without memory.
///
/// # Safety
///
/// `start .. start + size` are whole pages of one mapping made by [`map`] that nobody uses meanwhile.
#[cfg(all(target_os = "linux", not(dunlin_portable)))]
pub(super) unsafe fn discard(start: *mut u8, size: usize) -> Result<(), NoMemory> {
    let advice = rustix::mm::Advice::LinuxDontNeed;
    // SAFETY: the pages are ours, and nobody relies on their contents (caller).
    unsafe { rustix::mm::madvise(start.cast::<c_void>(), size, advice) }.map_err(|_| NoMemory)
}

/// As above, where nothing is known to do that.
///
/// # Safety
///
/// As above.
#[cfg(not(all(target_os = "linux", not(dunlin_portable))))]
pub(super) unsafe fn discard(_start: *mut u8, _size: usize) -> Result<(), NoMemory> {
    Err(NoMemory)
}

/// Changes the size of an accessible mapping, which may move. Contents are kept, new bytes zero.
///
/// # Safety
///
/// `start .. start + old` is a whole mapping made by [`map`] that nobody refers to; if the result
/// is `Ok`, it is gone. Both sizes are positive multiples of the page size.
#[cfg(all(target_os = "linux", not(dunlin_portable)))]
pub(super) unsafe fn remap(
    start: NonNull<u8>,
    old: usize,
    new: usize,
) -> Result<NonNull<u8>, NoMemory> {
    let flags = rustix::mm::MremapFlags::MAYMOVE;
    // SAFETY: the mapping is ours, and nobody holds addresses in it (caller).
    let moved = unsafe { rustix::mm::mremap(start.as_ptr().cast(), old, new, flags) };
    moved.ok().and_then(|p| NonNull::new(p.cast())).ok_or(NoMemory)
}

/// As above, without `mremap`.
///
/// # Safety
///
/// As above.
#[cfg(not(all(target_os = "linux", not(dunlin_portable))))]
pub(super) unsafe fn remap(
    start: NonNull<u8>,
    old: usize,
    new: usize,
) -> Result<NonNull<u8>, NoMemory> {
    let moved = map(new, true)?;
    // SAFETY: two mappings of at least `min(old, new)` accessible bytes; nobody refers to the old
    // one (caller).
    unsafe {
        ptr::copy_nonoverlapping(start.as_ptr(), moved.as_ptr(), old.min(new));
        unmap(start, old);
    }
    Ok(moved)
}

/// Gives a mapping back.
///
/// # Safety
///
/// `start .. start + size` is a whole mapping made by [`map`], and nobody refers to it any more.
pub(super) unsafe fn unmap(start: NonNull<u8>, size: usize) {
    // SAFETY: by the contract above. It can fail only where the kernel merged this mapping with
    // neighbours and has no room to split them; then the address space stays taken, no more.
    let result = unsafe { rustix::mm::munmap(start.as_ptr().cast(), size) };
    debug_assert!(result.is_ok() || result == Err(rustix::io::Errno::NOMEM));
}
