//! Where the native stack of a thread is.

use std::ops::Range;

/// The addresses of the native stack of this thread; `None` if that is not known.
#[cfg(dunlin_native)]
pub(crate) fn native_stack() -> Option<Range<usize>> {
    use std::mem::MaybeUninit;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the attributes are initialised by the first call if it succeeds, and given back.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let (mut start, mut size) = (std::ptr::null_mut(), 0);
        let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (found == 0).then(|| start.addr()..start.addr() + size)
    }
}

/// Not known here.
#[cfg(not(dunlin_native))]
pub(crate) fn native_stack() -> Option<Range<usize>> {
    None
}
