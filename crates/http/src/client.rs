//! The client: one thread of the process on which all requests of all guests go on.

mod connect;
mod exchange;
mod runtime;
mod tls;

pub(crate) use exchange::{Exchange, Order, Response, Timeouts};
pub(crate) use tls::Tls;
