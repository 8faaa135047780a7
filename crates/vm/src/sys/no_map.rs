//! The portable build maps nothing: [`AVAILABLE`] is false and nobody gets to the rest.

use std::ptr::NonNull;

use super::{Access, NoMemory};

pub(super) const AVAILABLE: bool = false;

/// Nor is anything made smaller.
pub(super) const SHRINKS: bool = false;

pub(super) fn page_size() -> usize {
    4096
}

pub(super) fn map(_size: usize, _accessible: bool) -> Result<NonNull<u8>, NoMemory> {
    Err(NoMemory)
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn commit(_start: *mut u8, _size: usize) -> Result<(), NoMemory> {
    Err(NoMemory)
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn protect(
    _start: *mut u8,
    _size: usize,
    _access: Access,
) -> Result<(), NoMemory> {
    Err(NoMemory)
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn discard(_start: *mut u8, _size: usize) -> Result<(), NoMemory> {
    Err(NoMemory)
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn remap(
    _start: NonNull<u8>,
    _old: usize,
    _new: usize,
) -> Result<NonNull<u8>, NoMemory> {
    Err(NoMemory)
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn unmap(_start: NonNull<u8>, _size: usize) {}
