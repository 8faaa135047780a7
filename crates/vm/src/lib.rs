//! Everything that lives, and what runs in it.
//!
//! - *In*: a validated [`Module`](dunlin_module::Module), lowered by [`dunlin_code`].
//! - *Out*: a [`Store`] with instances in it, calls into them, and [`CallError`]s out of them.
//! - *Never knows about*: binary formats, native compilers, Rust types of arguments, files, sockets.
//! - *Start reading at*: [`vmctx`], the structures that running code reads; then `store.rs` for
//!   ownership and `interp.rs` for execution.
//!
//! Order: `vmctx` → `sys` → `budget` → `memory`, `table`, `func` → `instance` → `store` → `builtins`,
//! `host_call` ↔ `interp`, `exception`, `continuation`, `fiber`, `module_code`,
//! `frames` → `backtrace`, `deadline`, `tiers`.
//!
//! Values cross the boundary as *slots*, raw `u64`: an `i32` zero-extended, floats by their bits, a
//! `v128` as two slots with the low one first; a `funcref` is the address of a function record or 0,
//! an `externref` is its position plus one or 0. References from outside are checked.
//!
//! # Invariants
//!
//! This crate is the home of `unsafe`. Its safety comments cite these facts:
//!
//! - **V1, one thread.** A store and all it owns are used by whoever holds a reference to it, under
//!   Rust's rules. Other threads touch only `Rt::interrupt` and `Rt::native_limit`, which are atomics,
//!   through `Shared`, and shared memories (V12).
//! - **V2, everything stays.** Contexts, function records, definitions of memories and tables,
//!   storage of globals, host functions, entry tables and published code keep their address and live
//!   until the store is dropped; so does the runtime record. While guest code runs, the store is
//!   reached only through `Rt::store`, set by `Store::enter` from the one `&mut Store` that there is.
//! - **V3, contexts are complete and true.** Each array of a context has an entry for every item of
//!   the index space it stands for, set before the context is connected. Code is made only from
//!   validated modules, so that indices in it are inside. A `MemoryDef` or `TableDef` describes
//!   owned, initialised memory of exactly that size whenever guest code runs, or of more if it is
//!   shared.
//! - **V4, references are real.** A function reference in a slot, table or global is 0 or the address
//!   of a record of the same store, of the type that validation expects; so it is checked wherever
//!   a value comes from outside (`Store::check_value`).
//! - **V5, guarded accesses stay inside.** Code for guard memories runs only in stores with guard
//!   memories. A guarded access touches the `MemoryDef::guarded` bytes after the base and nothing
//!   else; if it faults, the context is in the register that the handler reads it from.
//! - **V6, frames are inside.** A frame is entered only if it ends before `Rt::stack_end`; all slots
//!   of the value stack and of segments of fibers are initialised; the header of a live frame is at
//!   its header slot, and the outermost one leads to `exit_code`, or to `return_code` on a fiber.
//! - **V7, handlers.** A handler runs with the registers of running code: `ip` at an instruction of
//!   published code that it is the handler of, `fp` the base of a frame (V6) of that function, `cx`
//!   its context (V3), `rt` the runtime record (V2). Operands name slots of that frame.
//! - **V8, publication.** The fields of a code entry and the words of its code are written before its
//!   `ip`, with release ordering, and never change afterwards. The `ip` itself may be taken away, so that
//!   the next call looks for the code again, and replaced: what it ever was stays valid.
//! - **V9, no borrows across.** No Rust reference to anything guest code may change is alive while
//!   guest code runs: slow paths get raw pointers, and end their references before they return.
//! - **V10, no unwinding across.** A panic of a host function ends at `host_call`; nothing else that
//!   guest code calls panics.
//! - **V11, the heap is bounded.** `HeapDef` describes memory that the heap owns: `len` bytes from
//!   `base` on, all initialised, and tables of as many types and function records as it says. What
//!   is read from the heap is not trusted: an access is checked against `len`, a type number and a
//!   number of a function record against their table. No Rust reference leads into the heap, and no
//!   address of it is kept across a safepoint. References in root slots are to objects, unless the
//!   engine has a fault, which then stays inside the heap.
//! - **V12, shared memories.** Other threads may read and write the bytes of a shared memory, and
//!   make it larger, at any time. So no Rust reference to its bytes is ever made, apart from atomics;
//!   they are accessed by the instructions of `interp::access`, by atomics, and by `memory::racy`. It
//!   never moves and never shrinks, and every store that uses it keeps it alive.
//! - **V13, native code.** Code memory holds what a `Compiler` made for this module and these settings,
//!   is never changed once it can be executed, and lives as long as the module's code. It keeps the
//!   contract of `dunlin_code::native`. Every frame begins with the caller's frame pointer and return
//!   address, and the outermost of a stretch is called by an entry of `native::asm`. It is left only by
//!   returning, by calling the bridge or a builtin, or by a fault at a place that its table lists, and no
//!   frame of Rust's is ever skipped.

mod backtrace;
mod budget;
mod bug;
mod builtins;
mod continuation;
mod deadline;
mod exception;
mod fiber;
mod frames;
mod func;
mod gc;
mod host_call;
mod instance;
mod interp;
mod memory;
mod module_code;
#[cfg(target_arch = "x86_64")]
mod native;
mod store;
mod sys;
mod table;
mod tiers;
pub mod vmctx;

pub use dunlin_code::{MemoryKind, Settings, Trap};

pub use self::backtrace::{Backtrace, Frame, Location};
pub use self::budget::{Budget, LimitError, Limits, Resource};
pub use self::func::{
    Blind, HostCall, HostError, HostFn, HostFunction, NumberFunction, Numbers, Seeing, Sight,
    Signature,
};
pub use self::gc::{GcStats, ObjectKind, Pauses, Root};
pub use self::instance::{InstantiateError, LinkError, LinkErrorKind};
pub use self::memory::{SharedMemory, Woken, is_guarded};
pub use self::module_code::{ModuleCode, NativeSource, NoRoom};
pub use self::native::AVAILABLE as NATIVE;
pub use self::native::Batch;
pub use self::store::{
    CallError, Called, ExceptionReport, Extern, Func, Global, InstanceHandle, InterruptHandle,
    Memory, Misuse, Store, StoreError, StoreId, Table, Tag, TrapReport,
};
pub use self::tiers::{
    CompiledCode, HEAT_PER_MILLISECOND, TierMode, TierPolicy, TierReport, Tiers,
};

/// Whether this build has memories of guard kind.
pub const GUARD: bool = sys::FAULTS_TRAP;
