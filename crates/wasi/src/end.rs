//! How a guest comes to its end inside a call of the host.

use std::fmt;

/// The guest ended itself with this code, by `proc_exit` or `wasi:cli/exit`.
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
