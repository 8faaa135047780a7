//! Native code from validated wasm: the one translation to CLIF, and Cranelift behind it.
//!
//! - *In*: a [`Request`](dunlin_code::native::Request): a module, one of its functions, where it is entered.
//! - *Out*: [`NativeCode`](dunlin_code::native::NativeCode), as the contract in
//!   [`dunlin_code::native`] says.
//! - *Never knows about*: stores, instances, addresses; it finds everything through the layouts of
//!   [`dunlin_code::layout`].
//! - *Start reading at*: [`Jit`], then `translate.rs`.
//!
//! This is the only crate that names the code generator.

#![forbid(unsafe_code)]

mod compile;
mod extract;
mod flags;
mod inline;
mod limits;
mod liveness;
mod translate;
mod traps;
mod unroll;

pub use compile::Jit;
