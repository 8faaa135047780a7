//! Tier 0: the interpreter of the bytecode in [`dunlin_code::op`].
//!
//! An instruction is executed by its *handler*. A handler's body ([`regs::Exec::exec`]) is written
//! once over the machine registers ([`regs::Regs`]); a back-end ([`dispatch`]) makes a function of it:
//! with tail dispatch the registers are arguments and the next handler is jumped to, with loop
//! dispatch a loop calls one handler after the other. [`table`] gives the handler of each op.
//!
//! | part | what |
//! |---|---|
//! | [`regs`] | the registers, reading operands, writing results |
//! | [`access`] | guest memory: guarded and checked |
//! | `ops` | the handlers, one file per family |
//! | [`dispatch`] [`table`] | back-ends, opcode → handler |
//! | [`entry`] | from Rust into guest code and back, also after a fault |

mod access;
mod dispatch;
mod entry;
mod ops;
mod regs;
mod table;

#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use access::is_guest_access;
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use entry::landing_pad;
pub(crate) use entry::{Exit, exit_code, host_code, look_code, return_code, run, run_linked};
pub(crate) use table::publish;

/// What the opcode word of `op`, which accesses no memory, holds in published code.
pub(crate) fn handler(op: dunlin_code::op::Op) -> u64 {
    table::handler_word(op, dunlin_code::MemoryKind::Compact)
}
