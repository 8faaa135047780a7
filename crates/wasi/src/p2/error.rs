//! `wasi:io/error`: what went wrong with a stream, and how calls end.

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::{Get, Wasi};
use crate::host::Error;
use crate::{Interrupted, WasiCtx};

/// What went wrong with a stream.
#[derive(Clone, Copy, Debug)]
pub struct IoError {
    pub(super) error: Error,
    pub(super) of: Origin,
}

/// Whose error it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A file's or standard stream's.
    Files,
    /// A connection's.
    Network,
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("io", "error")?
        .resource::<IoError>("error")?
        .func("[method]error.to-debug-string", to_debug_string)?;
    Ok(())
}

fn to_debug_string(ctx: &mut WasiCtx, (this,): (Resource<IoError>,)) -> Result<String> {
    Ok(ctx.p2.table.get(this)?.error.to_string())
}

/// The end of a call that the host failed in a way no guest is told about.
pub(super) fn fatal(error: Error) -> dunlin_engine::Error {
    match error {
        Error::Interrupted => dunlin_engine::Error::host(Interrupted),
        error => dunlin_engine::Error::host(error),
    }
}

/// A result for the guest, with its own codes for errors; an interruption ends it.
pub(super) fn told<V, C: From<Error>>(
    result: std::result::Result<V, Error>,
) -> Result<std::result::Result<V, C>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Interrupted) => Err(fatal(Error::Interrupted)),
        Err(error) => Ok(Err(error.into())),
    }
}
