//! Ownership of things whose address code knows.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Owns a `T` at an address that stays the same until it is dropped. Unlike a `Box`, it may be
/// moved while raw pointers to its contents are in use.
#[derive(Debug)]
pub(crate) struct Fixed<T>(NonNull<T>);

// SAFETY: owns its contents, as a `Box` does.
unsafe impl<T: Send> Send for Fixed<T> {}

impl<T> Fixed<T> {
    pub(crate) fn new(value: T) -> Fixed<T> {
        Fixed(NonNull::from(Box::leak(Box::new(value))))
    }

    /// The address, for code to use while the owner lives.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Deref for Fixed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: owned and initialised. V9: code that writes through the address does not run
        // while a reference derived from the store is alive.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for Fixed<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: came from a `Box` in `new`, and is dropped once. V2: nothing runs that knows the
        // address.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
