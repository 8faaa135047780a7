//! `wasi:http` for Dunlin: requests of guests, sent by the host as far as they are granted.
//!
//! - *In*: a guest's requests, and the grants of its [`WasiCtx`](dunlin_wasi::WasiCtx).
//! - *Out*: responses, as streams and pollables like any other of WASI.
//! - *Never knows about*: what a rule says, and who is told; that is [`host::net`](dunlin_wasi::host::net), which is
//!   asked before anything is sent.
//! - *Start reading at*: `p2/handler.rs`, then `client/exchange.rs`.
//!
//! ```text
//!   the guest's thread                         the one thread of the client
//!   p2 ── fields, requests ── handle ────────► client: look up, ask, connect, send
//!    ▲                                            ▲
//!    ├──────── body::outgoing, a bounded buffer ──┘
//!    └──────── body::incoming, polled by the guest: nothing is read that it does not ask for
//! ```
//!
//! The thread starts with the first request of the process. Redirects are not followed: the guest is told
//! of them, and what it asks for then is checked like everything else.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod body;
mod client;
mod error;
mod fields;
mod guest;
mod limits;
mod p2;
mod wake;

pub use body::{BoxBody, Incoming, Outgoing};
pub use error::{DnsErrorPayload, ErrorCode, FieldSizePayload, TlsAlertReceivedPayload};
pub use fields::{FieldError, Fields};
pub use guest::trust;
pub use limits::{BODY_BYTES, EXCHANGE_BYTES, FIELDS_BYTES_MAX, FIELDS_MAX, OPEN_MAX};
pub use p2::{IncomingRequest, Method, OutgoingResponse, ResponseOutparam, Scheme, add_to_linker};
