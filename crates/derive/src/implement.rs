//! Implementations of the traits for what was declared.

use proc_macro2::{Span, TokenStream as Tokens};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Type, WherePredicate, parse_quote};

use crate::declared::{Case, Declared, Field, Shape};

/// All traits.
pub(crate) fn all(declared: &Declared<'_>) -> Tokens {
    let (lift, lower) = (lift(declared), lower(declared));
    let mut all = declared.implement("ComponentType", &component_type(declared));
    if declared.is_lifted {
        all.extend(declared.implement("Lift", &lift));
    }
    all.extend(declared.implement("Lower", &lower));
    all
}

impl Declared<'_> {
    /// An implementation, for type parameters that implement the same.
    fn implement(&self, name: &str, body: &Tokens) -> Tokens {
        let (ident, runtime) = (self.ident, &self.runtime);
        let name = syn::Ident::new(name, Span::call_site());
        let mut generics = self.generics.clone();
        let bounds: Vec<WherePredicate> = generics
            .type_params()
            .map(|param| {
                let param = &param.ident;
                parse_quote!(#param: #runtime::#name)
            })
            .collect();
        if !bounds.is_empty() {
            generics.make_where_clause().predicates.extend(bounds);
        }
        let (params, args, conditions) = generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #params #runtime::#name for #ident #args #conditions {
                #body
            }
        }
    }
}

/// Where code is that is about a type: errors show the type, and names are those of the macro.
fn at(ty: &Type) -> Span {
    ty.span().resolved_at(Span::mixed_site())
}

fn component_type(declared: &Declared<'_>) -> Tokens {
    let runtime = &declared.runtime;
    let here = Span::mixed_site();
    let check = |ty: &Type| quote_spanned!(at(ty)=> <#ty as #runtime::ComponentType>::mismatch);
    let (answer, more) = match &declared.shape {
        Shape::Fields { names: Some(names), fields } => {
            let checks = fields.iter().map(|field| check(field.ty));
            let fields = quote_spanned!(here=> &[#((#names, #checks)),*]);
            (quote_spanned!(here=> #runtime::declare::record_mismatch(ty, #fields)), None)
        }
        Shape::Fields { names: None, fields } => {
            let checks = fields.iter().map(|field| check(field.ty));
            (quote_spanned!(here=> #runtime::declare::tuple_mismatch(ty, &[#(#checks),*])), None)
        }
        Shape::Same(Field { ty: inner, .. }) => {
            let check = check(inner);
            let maybe = quote_spanned! {here=>
                fn mismatch_maybe(
                    ty: ::core::option::Option<&#runtime::Type>,
                ) -> ::core::option::Option<::std::string::String> {
                    <#inner as #runtime::ComponentType>::mismatch_maybe(ty)
                }
            };
            (quote_spanned!(here=> #check(ty)), Some(maybe))
        }
        Shape::Variant(cases) => {
            let cases = cases.iter().map(|Case { name, held, .. }| match held {
                Some(ty) => quote_spanned! {at(ty)=> (
                    #name,
                    ::core::option::Option::Some(<#ty as #runtime::ComponentType>::mismatch_maybe),
                )},
                None => quote!((#name, ::core::option::Option::None)),
            });
            (quote_spanned!(here=> #runtime::declare::variant_mismatch(ty, &[#(#cases),*])), None)
        }
        Shape::Enum(cases) => {
            let names = cases.iter().map(|case| &case.name);
            (quote_spanned!(here=> #runtime::declare::enum_mismatch(ty, &[#(#names),*])), None)
        }
    };
    quote_spanned! {here=>
        fn mismatch(ty: &#runtime::Type) -> ::core::option::Option<::std::string::String> {
            #answer
        }
        #more
    }
}

fn lift(declared: &Declared<'_>) -> Tokens {
    let runtime = &declared.runtime;
    let here = Span::mixed_site();
    let (value, more) = match &declared.shape {
        Shape::Fields { fields, .. } => {
            let fields = fields.iter().enumerate().map(|(index, Field { member, ty })| {
                let get = quote_spanned!(at(ty)=> #runtime::declare::lift_field::<#ty>);
                quote_spanned!(here=> #member: #get(cx, plan, #index, place)?)
            });
            (quote_spanned!(here=> ::core::result::Result::Ok(Self { #(#fields),* })), None)
        }
        Shape::Same(Field { member, ty }) => {
            let lift = quote_spanned!(at(ty)=> <#ty as #runtime::Lift>);
            let more = quote_spanned! {here=>
                fn lift_payload(
                    cx: &mut #runtime::LiftContext<'_>,
                    at: ::core::option::Option<(#runtime::PlanId, #runtime::Place)>,
                ) -> #runtime::declare::Result<Self> {
                    ::core::result::Result::Ok(Self { #member: #lift::lift_payload(cx, at)? })
                }

                fn lift_list(
                    cx: &mut #runtime::LiftContext<'_>,
                    plan: #runtime::PlanId,
                    place: #runtime::Place,
                ) -> #runtime::declare::Result<::std::vec::Vec<Self>> {
                    let items = #lift::lift_list(cx, plan, place)?.into_iter();
                    ::core::result::Result::Ok(items.map(|item| Self { #member: item }).collect())
                }
            };
            let value = quote_spanned!(here=> Self { #member: #lift::lift(cx, plan, place)? });
            (quote_spanned!(here=> ::core::result::Result::Ok(#value)), Some(more))
        }
        Shape::Variant(cases) | Shape::Enum(cases) => {
            let arms = (0_u32..).zip(cases).map(|(index, Case { ident, held, .. })| {
                let value = held.map(|ty| {
                    let lift = quote_spanned!(at(ty)=> <#ty as #runtime::Lift>::lift_payload);
                    quote_spanned!(here=> (#lift(cx, held)?))
                });
                quote_spanned!(here=> #index => ::core::result::Result::Ok(Self::#ident #value))
            });
            let value = quote_spanned! {here=>
                let (case, held) = cx.variant(plan, place)?;
                let _ = held;
                match case {
                    #(#arms,)*
                    _ => ::core::result::Result::Err(#runtime::declare::no_case()),
                }
            };
            (value, None)
        }
    };
    quote_spanned! {here=>
        fn lift(
            cx: &mut #runtime::LiftContext<'_>,
            plan: #runtime::PlanId,
            place: #runtime::Place,
        ) -> #runtime::declare::Result<Self> {
            #value
        }
        #more
    }
}

fn lower(declared: &Declared<'_>) -> Tokens {
    let runtime = &declared.runtime;
    let here = Span::mixed_site();
    let (done, more) = match &declared.shape {
        Shape::Fields { fields, .. } => {
            let fields = fields.iter().enumerate().map(|(index, Field { member, ty })| {
                let set = quote_spanned!(at(ty)=> #runtime::declare::lower_field::<#ty>);
                quote_spanned!(here=> #set(&self.#member, cx, plan, #index, place)?;)
            });
            (quote_spanned!(here=> #(#fields)* ::core::result::Result::Ok(())), None)
        }
        Shape::Same(Field { member, ty }) => {
            let lower = quote_spanned!(at(ty)=> <#ty as #runtime::Lower>);
            let more = quote_spanned! {here=>
                fn lower_payload(
                    &self,
                    cx: &mut #runtime::LowerContext<'_>,
                    at: ::core::option::Option<(#runtime::PlanId, #runtime::Place)>,
                ) -> #runtime::declare::Result<()> {
                    #lower::lower_payload(&self.#member, cx, at)
                }
            };
            (quote_spanned!(here=> #lower::lower(&self.#member, cx, plan, place)), Some(more))
        }
        Shape::Variant(cases) | Shape::Enum(cases) => {
            let arms = (0_u32..).zip(cases).map(|(index, Case { ident, held, .. })| match held {
                Some(ty) => {
                    let lower = quote_spanned!(at(ty)=> <#ty as #runtime::Lower>::lower_payload);
                    quote_spanned! {here=>
                        Self::#ident(held) => {
                            let at = cx.variant(plan, place, #index)?;
                            #lower(held, cx, at)
                        }
                    }
                }
                None => quote_spanned! {here=>
                    Self::#ident => cx.variant(plan, place, #index).map(::core::mem::drop),
                },
            });
            (quote_spanned!(here=> match self { #(#arms)* }), None)
        }
    };
    quote_spanned! {here=>
        fn lower(
            &self,
            cx: &mut #runtime::LowerContext<'_>,
            plan: #runtime::PlanId,
            place: #runtime::Place,
        ) -> #runtime::declare::Result<()> {
            #done
        }
        #more
    }
}
