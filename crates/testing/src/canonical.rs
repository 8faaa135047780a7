//! The canonical ABI of components, written a second time: plain, slow, and like its definition.
//!
//! - [`types`], [`value`]: what is passed, and how it lies in memory and in flat parameters.
//! - [`instance`], [`load`], [`store`], [`strings`], [`flat`]: lifting and lowering, step by step as the
//!   definition has them (component-model commit 6d281648, of 2026-08-21; synchronous calls).
//! - [`generate`]: random function types and values.
//! - [`guest`], [`text`]: a component that passes whatever it is given, with a `realloc` that can be told
//!   to misbehave; as text for an engine, and [`model`] of the same.
//! - [`differential`]: an engine and the model side by side; [`ours`] is the engine.
//!
//! The model shares no code with the engine, so that what both say is right by two accounts.

pub mod differential;
pub mod flat;
pub mod generate;
pub mod guest;
pub mod instance;
pub mod load;
pub mod model;
pub mod ours;
pub mod store;
pub mod strings;
pub mod text;
pub mod types;
pub mod value;

pub use text::{Options, component_text};
pub use types::{Core, FuncType, Pointer, Type};
pub use value::{Encoding, Text, Value};
