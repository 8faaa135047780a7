//! WebAssembly modules as validated, immutable data.
//!
//! *In*: bytes, a set of [`Features`], the engine's [`TypeRegistry`]. *Out*: a [`Module`], every
//! type of which is canonical in that registry. *Never knows about*: instances, memory contents,
//! bytecode, the operating system. *Start reading at*: [`Module`], then `decode.rs`.
//!
//! This is the only crate that names the parser; function bodies are read through [`op`].

#![forbid(unsafe_code)]

mod body;
pub mod component;
mod customs;
mod decode;
mod error;
mod escape;
mod features;
mod fixed;
mod hints;
mod index;
mod init;
pub mod limits;
mod module;
mod names;
pub mod op;
mod registry;
mod text;
mod typed;
mod types;

pub use body::BlockSig;
pub use component::is_component;
pub use customs::Producer;
pub use error::{Error, ErrorKind};
pub use escape::{Escaped, escape};
pub use features::{Features, FeaturesError, Proposal};
pub use fixed::FixedTable;
pub use hints::BranchHint;
pub use index::*;
pub use init::*;
pub use module::*;
pub use names::{NameSpace, Names};
pub use registry::{TypeHold, TypeRegistry};
pub use text::{Place, TextError, decode_text};
pub use typed::Typed;
pub use types::*;
