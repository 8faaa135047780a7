//! How a call ends: with an error code for the guest, or with the end of the guest.

use std::fmt;

use super::abi::Errno;
use super::memory::Fault;
use crate::host::Error;

/// The guest ended itself by `proc_exit`, with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the guest exited with code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// The embedder asked for a stop while the guest was waiting in the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest was stopped while it waited in the host")
    }
}

impl std::error::Error for Interrupted {}

/// Why a call does not return to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The guest ended itself.
    Exit(Exit),
    /// The embedder ended it.
    Interrupted(Interrupted),
}

/// Why a call did not do what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    Errno(Errno),
    Stop(Stop),
}

pub(crate) type Outcome = Result<(), Fail>;

impl From<Errno> for Fail {
    fn from(errno: Errno) -> Fail {
        Fail::Errno(errno)
    }
}

impl From<Fault> for Fail {
    fn from(_: Fault) -> Fail {
        Fail::Errno(Errno::FAULT)
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        match error {
            Error::Interrupted => Fail::Stop(Stop::Interrupted(Interrupted)),
            error => Fail::Errno(error.into()),
        }
    }
}

/// What the guest gets to see.
pub(crate) fn errno(outcome: Outcome) -> Result<Errno, Stop> {
    match outcome {
        Ok(()) => Ok(Errno::SUCCESS),
        Err(Fail::Errno(errno)) => Ok(errno),
        Err(Fail::Stop(stop)) => Err(stop),
    }
}
