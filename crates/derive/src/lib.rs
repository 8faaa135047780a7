//! Rust types as types of WIT: a derive for structs and enums, and a macro for flags.
//!
//! - *In*: the declaration of a type, with attributes.
//! - *Out*: implementations of the traits `ComponentType`, `Lift` and `Lower` of `dunlin_component`.
//! - *Never knows about*: WIT files, plans, how values travel: what it writes calls
//!   `dunlin_component::declare`.
//! - *Start reading at*: `declared.rs`, then `implement.rs`.

#![forbid(unsafe_code)]

mod attributes;
mod declared;
mod flags;
mod implement;
mod names;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use declared::Declared;

#[doc = include_str!("component_type.md")]
#[proc_macro_derive(FacadeComponentType, attributes(component))]
pub fn facade_component_type(input: TokenStream) -> TokenStream {
    component_type(&parse_macro_input!(input as DeriveInput), &quote!(::dunlin::component)).into()
}

/// Makes a struct or enum a type of WIT.
///
/// All of it is said at the same derive of the crate `dunlin`, whose code names `::dunlin::component`
/// where this one's names `::dunlin_component`.
#[proc_macro_derive(ComponentType, attributes(component))]
pub fn direct_component_type(input: TokenStream) -> TokenStream {
    component_type(&parse_macro_input!(input as DeriveInput), &quote!(::dunlin_component)).into()
}

/// What `dunlin_component::flags!` is, which hands on its own path: `path; struct …`.
#[doc(hidden)]
#[proc_macro]
pub fn flags(input: TokenStream) -> TokenStream {
    let set = parse_macro_input!(input as flags::Set);
    set.declare().unwrap_or_else(syn::Error::into_compile_error).into()
}

fn component_type(input: &DeriveInput, runtime: &Tokens) -> Tokens {
    match Declared::new(input, runtime) {
        Ok(declared) => implement::all(&declared),
        Err(error) => error.into_compile_error(),
    }
}
