//! The handlers, one file per family of instructions.

pub(super) mod atomic;
pub(super) mod call;
pub(super) mod continuation;
pub(super) mod control;
pub(super) mod exception;
pub(super) mod gc;
pub(super) mod memory;
pub(super) mod numeric;
pub(super) mod simd;
pub(super) mod table;
