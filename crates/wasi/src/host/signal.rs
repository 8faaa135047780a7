//! A descriptor that another thread makes readable, so that waiting for it is like waiting for anything else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use super::Error;
use super::net::Awaits;
use super::poll::Interest;

/// Something that is raised or not, and can be waited for until it is.
#[derive(Debug)]
pub struct Signal(OwnedFd);

impl Signal {
    /// One that is not raised.
    pub fn new() -> Result<Signal, Error> {
        Ok(Signal(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Raises it, from any thread.
    pub fn raise(&self) {
        // Fails only if it was raised 2^64 times, and then it is.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Makes it as it was when it was new.
    pub fn clear(&self) {
        // Fails only if it is not raised.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    /// What a guest waits for until it is raised.
    pub fn awaits(&self) -> Awaits<'_> {
        Awaits::Fd(self.fd(), Interest::Read)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
