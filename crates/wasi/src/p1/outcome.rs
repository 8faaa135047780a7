//! How a call ends: with an error code for the guest, or with the end of the guest.

use super::abi::Errno;
use super::memory::Fault;
use crate::host::Error;
use crate::{Exit, Interrupted};

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
