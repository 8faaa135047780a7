//! Makes, composes and shows components, without running any.
//!
//! - **In:** components, core modules, WIT and WAC text.
//! - **Out:** components, WIT text.
//! - **Never knows about:** engines, stores, instances; what a component does when it runs.
//! - **Start reading at:** [`Wit`], then [`make`] and [`wac`].
//!
//! This is the only crate that names the tools for WIT, for encoding components and for composing
//! them. They read what strangers wrote: each call runs on a stack of its own, large enough for
//! every nesting they accept, and a panic in them is an [`Error`] here.

#![forbid(unsafe_code)]

mod contained;
mod deps;
mod error;
pub mod make;
mod plug;
mod reading;
pub mod wac;
mod wit;

pub use deps::Deps;
pub use error::{Error, ErrorKind};
pub use plug::{Plug, plug};
pub use reading::Reading;
pub use wit::{Direction, Item, Origin, Wit};
