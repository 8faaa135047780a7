//! `wasi:io/error`: what went wrong with a stream, and how calls end.

use std::any::Any;
use std::sync::Arc;

use dunlin_component::Resource;
use dunlin_engine::Result;

use super::{Get, Wasi};
use crate::host::{Cause, Error};
use crate::{Interrupted, WasiCtx};

/// What went wrong with a stream.
#[derive(Clone, Debug)]
pub struct IoError {
    pub(super) error: Error,
    pub(super) of: Origin,
    pub(super) cause: Option<Arc<dyn Cause>>,
}

impl IoError {
    /// What is known of it beside what all errors have, if that is a `C`.
    pub fn cause<C: Cause>(&self) -> Option<&C> {
        let cause: &dyn Any = self.cause.as_deref()?;
        cause.downcast_ref()
    }
}

/// Whose error it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A file's or standard stream's.
    Files,
    /// A connection's.
    Network,
    /// Of what this crate knows nothing about.
    Other,
}

pub(super) fn add<T: 'static, G: Get<T>>(wasi: &mut Wasi<'_, T, G>) -> Result<()> {
    wasi.interface("io", "error")?
        .resource::<IoError>("error")?
        .func("[method]error.to-debug-string", to_debug_string)?;
    Ok(())
}

fn to_debug_string(ctx: &mut WasiCtx, (this,): (Resource<IoError>,)) -> Result<String> {
    let IoError { error, cause, .. } = ctx.p2.table.get(this)?;
    Ok(cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string))
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
