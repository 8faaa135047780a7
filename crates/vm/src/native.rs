//! Native code: where it lives, how it is entered and left, and how it calls what is not native.
//!
//! ```text
//!             enter (asm)                     bridge (asm)
//!  interpreter ─────────► native frames ──────────────────► interpreter, host
//!  or host     ◄───────── on the native   ◄────────────────
//!             return,     stack            results, or goes on at a handler, or leaves
//!             stopped
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`memory`] | code memory of a module: never writable and executable at once |
//! | [`module`] | the native code of a module: installing it |
//! | [`known`] | what is known of native code, found by address |
//! | [`registry`] | all code memory of the process, for the fault handler |
//! | [`asm`] | the places where machine state changes hands |
//! | [`enter`] | from the interpreter and the host into native code |
//! | [`registers`] | values between slots and registers |
//! | [`bridge`] | calls out of native code, faults in it, and how it is unwound |
//! | [`host`] | calls of host functions that take numbers |
//! | [`builtins`] | what native code calls of the runtime |
//! | [`poll`] | the page whose protection stops loops |
//!
//! Native frames are linked by frame pointers; the outermost returns to [`asm::call`], whose frame says
//! which frame of the interpreter called. What the interpreter runs for native code has a frame header
//! that leads back to the native frame ([`Link`]). So a walk over frames goes through both kinds.

#![cfg_attr(not(dunlin_native), allow(dead_code, reason = "nobody has native code to use it for"))]

#[cfg(dunlin_native)]
mod asm;
#[cfg(not(dunlin_native))]
#[path = "native/no_asm.rs"]
mod asm;
mod bridge;
mod builtins;
mod enter;
#[cfg(dunlin_native)]
mod host;
mod known;
mod memory;
mod module;
mod poll;
mod registers;
mod registry;

pub use asm::AVAILABLE;
#[cfg(dunlin_native)]
pub(crate) use asm::fault_landing;
pub(crate) use asm::{blind_bridge, bridge, builtin_stubs, seeing_bridge};
pub(crate) use bridge::{Caller, Link, caller, find_handler, function, is_replaced};
pub(crate) use enter::{
    EnterCode, Entered, call_numbers, call_record, enter, enter_loop, is_in_room, room_below,
};
pub(crate) use known::NativeFunc;
pub use module::Batch;
pub(crate) use module::NativeModule;
pub(crate) use poll::PollPage;
#[cfg(dunlin_native)]
pub(crate) use registry::is_native;
