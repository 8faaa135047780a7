//! What was declared, in terms of WIT, if it has such.

use proc_macro2::{Ident, Span, TokenStream as Tokens};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Generics, Member, Result, Token, Type, Variant};

use crate::attributes::{self, OfType};
use crate::names::Names;

/// A kind of type that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Record,
    Tuple,
    Variant,
    Enum,
}

impl Kind {
    const ALL: [(&str, Kind); 4] = [
        ("record", Kind::Record),
        ("tuple", Kind::Tuple),
        ("variant", Kind::Variant),
        ("enum", Kind::Enum),
    ];

    pub(crate) fn named(word: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    }

    fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// A type with all that implementations have to know.
pub(crate) struct Declared<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// The path of the crate that code uses.
    pub(crate) runtime: Tokens,
    /// Whether values come from guests too.
    pub(crate) is_lifted: bool,
    pub(crate) shape: Shape<'a>,
}

/// What a type consists of.
pub(crate) enum Shape<'a> {
    /// A record, whose fields have names, or a tuple.
    Fields { names: Option<Vec<String>>, fields: Vec<Field<'a>> },
    /// Another type, which this one only wraps.
    Same(Field<'a>),
    /// A variant.
    Variant(Vec<Case<'a>>),
    /// An enum.
    Enum(Vec<Case<'a>>),
}

/// A field of a struct.
pub(crate) struct Field<'a> {
    pub(crate) member: Member,
    pub(crate) ty: &'a Type,
}

/// A case of an enum.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) ident: &'a Ident,
    pub(crate) held: Option<&'a Type>,
}

impl<'a> Declared<'a> {
    pub(crate) fn new(input: &'a DeriveInput, runtime: &Tokens) -> Result<Declared<'a>> {
        let of = OfType::new(&input.attrs)?;
        let shape = match &input.data {
            Data::Struct(data) => struct_(&input.ident, &data.fields, of.kind)?,
            Data::Enum(data) => enum_(&input.ident, &data.variants, of.kind)?,
            Data::Union(data) => {
                let message = "WIT has no unions: use an enum, which is a variant there";
                return Err(Error::new(data.union_token.span, message));
            }
        };
        Ok(Declared {
            ident: &input.ident,
            generics: &input.generics,
            runtime: of.runtime.unwrap_or_else(|| runtime.clone()),
            is_lifted: !of.lower_only && input.generics.lifetimes().next().is_none(),
            shape,
        })
    }
}

fn struct_<'a>(ident: &Ident, fields: &'a Fields, kind: Option<(Kind, Span)>) -> Result<Shape<'a>> {
    if fields.is_empty() {
        return Err(Error::new(ident.span(), "WIT has no types without fields"));
    }
    let natural = match fields {
        Fields::Named(_) => Kind::Record,
        _ => Kind::Tuple,
    };
    check_kind(kind, &[natural], "struct")?;
    let mut all = Collected::default();
    let mut names = Names::default();
    let members = fields.members();
    let parts = fields.iter().zip(members).map(|(field, member)| {
        let name = match &field.ident {
            Some(ident) => names.add(ident, &field.attrs)?,
            None => {
                no_attributes(&field.attrs, "fields of a tuple have no names")?;
                String::new()
            }
        };
        Ok((name, Field { member, ty: &field.ty }))
    });
    let parts = parts.filter_map(|part| all.ok(part)).collect::<Vec<_>>();
    all.finish()?;
    let (names, mut fields): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let wraps = natural == Kind::Tuple && kind.is_none() && fields.len() == 1;
    Ok(match fields.pop() {
        Some(only) if wraps => Shape::Same(only),
        last => {
            fields.extend(last);
            Shape::Fields { names: (natural == Kind::Record).then_some(names), fields }
        }
    })
}

fn enum_<'a>(
    ident: &Ident,
    cases: &'a Punctuated<Variant, Token![,]>,
    kind: Option<(Kind, Span)>,
) -> Result<Shape<'a>> {
    if cases.is_empty() {
        return Err(Error::new(ident.span(), "WIT has no types without cases"));
    }
    let holds = cases.iter().any(|case| !matches!(case.fields, Fields::Unit));
    let possible = if holds { &[Kind::Variant][..] } else { &[Kind::Enum, Kind::Variant] };
    check_kind(kind, possible, "enum")?;
    let mut all = Collected::default();
    let mut names = Names::default();
    let parts = cases.iter().map(|case| {
        let name = names.add(&case.ident, &case.attrs)?;
        Ok(Case { name, ident: &case.ident, held: held(case)? })
    });
    let parts = parts.filter_map(|part| all.ok(part)).collect::<Vec<_>>();
    all.finish()?;
    let kind = kind.map_or(if holds { Kind::Variant } else { Kind::Enum }, |(kind, _)| kind);
    Ok(if kind == Kind::Enum { Shape::Enum(parts) } else { Shape::Variant(parts) })
}

/// What a case holds.
fn held(case: &Variant) -> Result<Option<&Type>> {
    for field in &case.fields {
        no_attributes(&field.attrs, "what a case holds has no name")?;
    }
    let wrong = |message: &str| Err(Error::new(case.fields.span(), message));
    match &case.fields {
        Fields::Unit => Ok(None),
        Fields::Unnamed(fields) => {
            let mut fields = fields.unnamed.iter();
            match (fields.next(), fields.next()) {
                (Some(only), None) => Ok(Some(&only.ty)),
                (None, _) => wrong("a case that holds nothing has no parentheses"),
                _ => {
                    wrong("a case holds one value: a tuple, in parentheses of its own, or a struct")
                }
            }
        }
        Fields::Named(_) => wrong("a case holds one value: a struct of its own"),
    }
}

fn check_kind(said: Option<(Kind, Span)>, possible: &[Kind], what: &str) -> Result<()> {
    match said {
        Some((kind, span)) if !possible.contains(&kind) => {
            let names = possible.iter().map(|kind| format!("`{}`", kind.name()));
            let possible = names.collect::<Vec<_>>().join(" or ");
            let message = format!("this {what} can be {possible} of WIT, not `{}`", kind.name());
            Err(Error::new(span, message))
        }
        _ => Ok(()),
    }
}

fn no_attributes(attributes: &[syn::Attribute], why: &str) -> Result<()> {
    match attributes.iter().find(|attribute| attributes::is_ours(attribute)) {
        Some(attribute) => Err(Error::new_spanned(attribute.to_token_stream(), why)),
        None => Ok(()),
    }
}

/// Errors, all of which are told at once.
#[derive(Default)]
pub(crate) struct Collected(Option<Error>);

impl Collected {
    pub(crate) fn ok<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(all) => all.combine(error),
                    none => *none = Some(error),
                }
                None
            }
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
