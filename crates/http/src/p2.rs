//! `wasi:http` 0.2: what guests call, translated.
//!
//! Semantics are those of the comments in version 0.2.12 of the WIT. Where the text lets a guest trap that drops
//! a parent before its children, nothing happens here: what they share stays until the last is gone.

mod fields;
mod handler;
mod incoming;
mod outgoing;
mod types;

use dunlin_component::{Linker, Resource};
use dunlin_engine::Result;
use dunlin_wasi::WasiCtx;
use dunlin_wasi::p2::{IoError, Wasi};

pub use incoming::{IncomingRequest, ResponseOutparam};
pub use outgoing::OutgoingResponse;
pub use types::{Method, Scheme};

use crate::error::ErrorCode;

/// What a call gives that says nothing about its failure.
type Maybe<V> = Result<std::result::Result<V, ()>>;

/// Defines the interfaces of `wasi:http` 0.2 in a linker, beside those that [`dunlin_wasi::p2`] defines.
///
/// `get` finds the guest's [`WasiCtx`] in the store's data.
///
/// # Errors
///
/// If one of the names is defined already.
pub fn add_to_linker<T, G>(linker: &mut Linker<T>, get: G) -> Result<()>
where
    T: 'static,
    G: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
{
    let wasi = &mut Wasi::new(linker, get);
    fields::add(wasi)?;
    outgoing::add(wasi)?;
    incoming::add(wasi)?;
    wasi.interface("http", "types")?.func("http-error-code", http_error_code)?;
    handler::add(wasi)
}

fn http_error_code(ctx: &mut WasiCtx, (error,): (Resource<IoError>,)) -> Result<Option<ErrorCode>> {
    Ok(ctx.table().get(error)?.cause().cloned())
}

#[cfg(test)]
mod tests;
