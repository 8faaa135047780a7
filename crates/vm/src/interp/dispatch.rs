//! From one instruction to the next: two back-ends behind the same three names.
//!
//! `Handler` is what an opcode word holds in published code, `handler` makes one from a body, and
//! `start` runs from an instruction to an exit.

#[cfg(dunlin_tail_dispatch)]
mod tail;
#[cfg(dunlin_tail_dispatch)]
pub(super) use tail::{Handler, handler, start};

#[cfg(not(dunlin_tail_dispatch))]
mod looped;
#[cfg(not(dunlin_tail_dispatch))]
pub(super) use looped::{Handler, handler, start};

/// What `start` returns when the outermost frame returned.
pub(super) const DONE: u32 = 0;
/// What `start` returns when guest code stopped.
pub(super) const STOPPED: u32 = 1;
