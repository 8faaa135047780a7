//! Bodies: what a guest writes and the client sends, what the client receives and a guest reads.

mod incoming;
mod outgoing;

pub use incoming::{BoxBody, Incoming};
pub use outgoing::Outgoing;
pub(crate) use outgoing::Sent;
