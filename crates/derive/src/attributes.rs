//! What `#[component(…)]` says.

use proc_macro2::{Span, TokenStream as Tokens};
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Path, Result};

use crate::declared::Kind;

/// What is said about a type.
#[derive(Default)]
pub(crate) struct OfType {
    pub(crate) kind: Option<(Kind, Span)>,
    pub(crate) lower_only: bool,
    pub(crate) runtime: Option<Tokens>,
}

impl OfType {
    pub(crate) fn new(attributes: &[Attribute]) -> Result<OfType> {
        let mut of = OfType::default();
        each(attributes, |meta| {
            let span = meta.path.get_ident().map_or_else(Span::call_site, |word| word.span());
            let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if let Some(kind) = Kind::named(&word) {
                match of.kind.replace((kind, span)) {
                    Some(_) => Err(meta.error("it can only be one of these")),
                    None => Ok(()),
                }
            } else if word == "lower_only" {
                of.lower_only = true;
                Ok(())
            } else if word == "crate" {
                of.runtime = Some(path(&meta)?);
                Ok(())
            } else if word == "name" {
                Err(meta.error("a type needs no name, only its fields or cases do"))
            } else if word == "flags" {
                Err(meta.error("flags are declared with the macro `flags!`"))
            } else {
                Err(meta.error(
                    "expected `record`, `tuple`, `variant`, `enum`, `lower_only` or `crate = \"path\"`",
                ))
            }
        })?;
        Ok(of)
    }
}

/// The name that is said for a field, case or flag.
pub(crate) fn name(attributes: &[Attribute]) -> Result<Option<LitStr>> {
    let mut name = None;
    each(attributes, |meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("expected `name = \"…\"`"));
        }
        match name.replace(meta.value()?.parse::<LitStr>()?) {
            Some(_) => Err(meta.error("a part has one name")),
            None => Ok(()),
        }
    })?;
    Ok(name)
}

/// Whether it is one of ours.
pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("component")
}

fn each(
    attributes: &[Attribute],
    mut one: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    let mut ours = attributes.iter().filter(|attribute| is_ours(attribute));
    ours.try_for_each(|attribute| attribute.parse_nested_meta(&mut one))
}

/// A path, in quotes or not.
fn path(meta: &ParseNestedMeta<'_>) -> Result<Tokens> {
    let value = meta.value()?;
    let path = match value.peek(syn::LitStr) {
        true => value.parse::<LitStr>()?.parse_with(Path::parse_mod_style)?,
        false => value.call(Path::parse_mod_style)?,
    };
    Ok(path.into_token_stream())
}
