//! Components: instantiated, linked by name, and called with any values of WIT.
//!
//! - *In*: a [`Component`] as bytes, definitions of the host in a [`Linker`].
//! - *Out*: an [`Instance`] in a store, and typed calls of what it exports.
//! - *Never knows about*: how core code runs, WASI, what text formats there are.
//! - *Start reading at*: `plan.rs`, then `call.rs`.
//!
//! ```text
//!  bytes ─► Component ─┐
//!                      ├─► Instance ─► Func ─► TypedFunc
//!  Linker ─────────────┘
//! ```
//!
//! Values travel as copy plans say, which are made once for each type: see `plan` and `abi`. Between two
//! instances of one component, short plans become core functions: see `adapter`. What is kept of instances in
//! a store, handles above all, is in `state`; what is going on in them in `flags`.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod abi;
mod adapter;
mod call;
mod component;
#[doc(hidden)]
pub mod declare;
mod flags;
mod func;
mod handles;
mod host;
mod instance;
mod instantiate;
mod link;
mod linker;
mod plan;
mod resource;
mod state;
mod traits;
mod trampoline;
mod types;
mod val;
mod wit_type;

pub use abi::{LiftContext, LowerContext, Place};
pub use call::Source;
pub use component::Component;
pub use dunlin_derive::ComponentType;
pub use func::{Func, TypedFunc};
pub use host::{Caller, HostFunc};
pub use instance::{Export, Exports, Instance, ResourceType};
pub use linker::{Linker, LinkerInstance};
pub use plan::PlanId;
pub use resource::{Resource, ResourceAny};
pub use types::{FuncType, Type, TypeKind};
pub use val::Val;
pub use wit_type::{ComponentType, Lift, Lower, LowerParams, Map, Params, ReturnedToGuest};
