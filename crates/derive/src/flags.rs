//! Sets of flags: the type itself, which is a number, and its implementations.

use proc_macro2::{Ident, Span, TokenStream as Tokens};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Path, Result, Token, Visibility, braced};

use crate::attributes;
use crate::declared::Collected;
use crate::names::Names;

/// The most flags that a type of WIT has.
const FLAGS_MAX: usize = 32;

/// A declaration of flags.
pub(crate) struct Set {
    runtime: Tokens,
    attributes: Vec<Attribute>,
    visibility: Visibility,
    ident: Ident,
    flags: Punctuated<Flag, Token![,]>,
}

struct Flag {
    attributes: Vec<Attribute>,
    ident: Ident,
}

impl Parse for Set {
    fn parse(input: ParseStream<'_>) -> Result<Set> {
        let runtime = input.call(Path::parse_mod_style)?.into_token_stream();
        input.parse::<Token![;]>()?;
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let ident = input.parse()?;
        let flags;
        braced!(flags in input);
        let flags = flags.parse_terminated(Flag::parse, Token![,])?;
        Ok(Set { runtime, attributes, visibility, ident, flags })
    }
}

impl Parse for Flag {
    fn parse(input: ParseStream<'_>) -> Result<Flag> {
        Ok(Flag { attributes: input.call(Attribute::parse_outer)?, ident: input.parse()? })
    }
}

impl Set {
    /// The declaration and what belongs to it.
    pub(crate) fn declare(&self) -> Result<Tokens> {
        let Set { runtime, attributes, visibility, ident, flags } = self;
        if flags.is_empty() {
            return Err(Error::new(ident.span(), "WIT has no types without flags"));
        }
        if let Some(flag) = flags.iter().nth(FLAGS_MAX) {
            let message = format!("a type of WIT has at most {FLAGS_MAX} flags");
            return Err(Error::new(flag.ident.span(), message));
        }
        let (mut all, mut names) = (Collected::default(), Names::default());
        let names = flags.iter().map(|flag| names.add(&flag.ident, &flag.attributes));
        let names: Vec<String> = names.filter_map(|name| all.ok(name)).collect();
        all.finish()?;
        let constants = (0_u32..).zip(flags).map(|(index, flag)| flag.constant(index));
        let here = Span::mixed_site();
        let declaration = quote_spanned! {here=>
            #(#attributes)*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
            #visibility struct #ident(u32);

            #[allow(dead_code, reason = "a type of WIT is declared whole")]
            #[allow(non_upper_case_globals, reason = "it is called as whoever wrote it likes")]
            impl #ident {
                #(#constants)*

                /// No flag.
                pub const fn empty() -> Self {
                    Self(0)
                }

                /// Whether no flag is set.
                pub const fn is_empty(self) -> bool {
                    self.0 == 0
                }

                /// Whether all of these are set.
                pub const fn contains(self, all: Self) -> bool {
                    self.0 & all.0 == all.0
                }

                /// As a number, the first flag lowest.
                pub const fn bits(self) -> u32 {
                    self.0
                }
            }

            impl ::core::ops::BitOr for #ident {
                type Output = Self;

                fn bitor(self, other: Self) -> Self {
                    Self(self.0 | other.0)
                }
            }

            impl ::core::ops::BitOrAssign for #ident {
                fn bitor_assign(&mut self, other: Self) {
                    self.0 |= other.0;
                }
            }
        };
        let implementations = quote_spanned! {here=>
            impl #runtime::ComponentType for #ident {
                fn mismatch(
                    ty: &#runtime::Type,
                ) -> ::core::option::Option<::std::string::String> {
                    #runtime::declare::flags_mismatch(ty, &[#(#names),*])
                }
            }

            impl #runtime::Lift for #ident {
                fn lift(
                    cx: &mut #runtime::LiftContext<'_>,
                    plan: #runtime::PlanId,
                    place: #runtime::Place,
                ) -> #runtime::declare::Result<Self> {
                    ::core::result::Result::Ok(Self(cx.flags(plan, place)?))
                }
            }

            impl #runtime::Lower for #ident {
                fn lower(
                    &self,
                    cx: &mut #runtime::LowerContext<'_>,
                    plan: #runtime::PlanId,
                    place: #runtime::Place,
                ) -> #runtime::declare::Result<()> {
                    cx.flags(plan, place, self.0)
                }
            }
        };
        Ok(declaration.into_iter().chain(implementations).collect())
    }
}

impl Flag {
    fn constant(&self, index: u32) -> Tokens {
        let ident = &self.ident;
        let attributes = self.attributes.iter().filter(|attribute| !attributes::is_ours(attribute));
        let title = format!("`{ident}`");
        quote_spanned! {Span::mixed_site()=>
            #(#attributes)*
            #[doc = #title]
            pub const #ident: Self = Self(1 << #index);
        }
    }
}
