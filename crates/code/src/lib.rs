//! Code at rest: nothing here runs.
//!
//! - *In*: a validated function body of a [`Module`](dunlin_module::Module).
//! - *Out*: [`Bytecode`], and the contracts between code, native code ([`native`]) and the runtime
//!   that executes both.
//! - *Never knows about*: stores, instances, memories, handlers, addresses.
//! - *Start reading at*: [`op`], the table of instructions, then [`lower`].

#![forbid(unsafe_code)]

pub mod artifact;
pub mod bytecode;
pub mod check;
pub mod frame;
pub mod fuel;
pub mod layout;
pub mod lower;
pub mod native;
pub mod object;
pub mod op;
pub mod roots;
pub mod sem;
mod settings;
mod trap;
pub mod unreachable;

pub use bytecode::{Bytecode, Clause, Handler};
pub use check::check;
pub use lower::{LowerError, lower};
pub use settings::{MemoryKind, Settings};
pub use trap::Trap;
