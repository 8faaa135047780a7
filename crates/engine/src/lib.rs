//! The typed API over the virtual machine: engines, modules, stores, and what lives in them.
//!
//! - *In*: a [`Config`], modules as bytes, closures of the host.
//! - *Out*: typed calls, and errors that say whose fault it is.
//! - *Never knows about*: how code is lowered or executed, raw pointers, WASI, text formats.
//! - *Start reading at*: [`Store`], then [`Func`].
//!
//! ```text
//!  Config ─► Engine ─► Module ─┐
//!               │              ├─► Instance ─► Func, Memory, Table, Global
//!               └────► Store ──┤                 │
//!                      Linker ─┘                 └─► TypedFunc
//! ```
//!
//! Handles to live things are small and `Copy`. They name a place in one store, and every operation
//! takes the store they belong to; with another store it is an error, never undefined behaviour.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod buffer;
#[cfg(feature = "storage")]
mod cache;
mod caller;
mod config;
mod context;
mod engine;
mod error;
mod exception;
mod externs;
mod func;
mod global;
mod instance;
pub mod js_string;
mod linker;
mod memory;
mod module;
#[cfg(feature = "storage")]
mod program;
mod quote;
pub mod raw;
mod reference;
mod shared_memory;
#[cfg(feature = "storage")]
mod storage;
mod store;
mod table;
mod tag;
mod tiers;
mod value;

pub use caller::Caller;
pub use config::{Config, ExecutionConfig, Limits, MemoryConfig, MemoryKind};
pub use context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
pub use dunlin_code::Trap;
pub use dunlin_module::{
    CompositeType, ExternType, Features, FieldType, FuncType, GlobalType, HeapType, Hierarchy,
    MemoryType, Proposal, RefType, StorageType, StructType, TableType, TagType, ValType,
};
pub use dunlin_vm::{Backtrace, Frame, GcStats, LimitError, Location, Pauses, Resource};
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
pub use externs::{Export, Extern};
pub use func::{Func, IntoFunc, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};
pub use global::Global;
pub use instance::Instance;
pub use linker::Linker;
pub use memory::{Memory, MemoryAccessError};
pub use module::{ExportType, ImportType, Module};
#[cfg(feature = "storage")]
pub use program::{Compilation, Interpreted, Mismatch, ProgramInfo};
pub use reference::{AnyKind, AnyRef, ArrayRef, ContRef, ExnRef, ExternRef, ObjectType, StructRef};
pub use shared_memory::{SharedMemory, Woken};
#[cfg(feature = "storage")]
pub use storage::{
    AccessError, CacheEntry, CacheKind, PublicKey, SealedBy, SigningKey, StorageConfig,
    clear_cache, list_cache,
};
pub use store::{InterruptHandle, Store};
pub use table::Table;
pub use tag::Tag;
pub use tiers::{CompiledCode, Entry, Tier, TierReport};
pub use value::{Ref, Val};
