//! What is not a type of WIT is an error that says so, in the right words.

use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{DeriveInput, parse_str};

use crate::declared::Declared;
use crate::flags::Set;

/// The errors about a declaration.
fn errors(source: &str) -> Vec<String> {
    let input: DeriveInput = parse_str(source).expect("it is Rust");
    let errors = Declared::new(&input, &quote!(::somewhere)).err().expect("it is refused");
    errors.into_iter().map(|error| error.to_string()).collect()
}

fn written(source: &str) -> String {
    let input: DeriveInput = parse_str(source).expect("it is Rust");
    let tokens = super::component_type(&input, &quote!(::somewhere));
    let file: Result<syn::DeriveInput, _> = syn::parse2(tokens.clone());
    assert!(file.is_err(), "implementations are no declarations");
    tokens.to_string().replace(' ', "")
}

#[test]
fn what_wit_does_not_have() {
    for (source, error) in [
        ("union U { a: u8 }", "WIT has no unions: use an enum, which is a variant there"),
        ("struct S;", "WIT has no types without fields"),
        ("struct S {}", "WIT has no types without fields"),
        ("struct S();", "WIT has no types without fields"),
        ("enum E {}", "WIT has no types without cases"),
        (
            "enum E { A(u8, u8) }",
            "a case holds one value: a tuple, in parentheses of its own, or a struct",
        ),
        ("enum E { A { a: u8 } }", "a case holds one value: a struct of its own"),
        ("enum E { A() }", "a case that holds nothing has no parentheses"),
        (
            "struct S { größe: u8 }",
            "`größe` is no name of WIT\n\
             help: say which it has there: `#[component(name = \"…\")]`",
        ),
        (
            "struct S { #[component(name = \"a_b\")] a: u8 }",
            "`a_b` is no name of WIT\n\
             help: words of ASCII letters and digits with `-` between them, as in `dark-green`",
        ),
        ("struct S { a_b: u8, aB: u8 }", "there is a `a-b` already"),
        ("enum E { A, #[component(name = \"A\")] B(u8) }", "there is a `A` already"),
    ] {
        assert_eq!(errors(source), [error], "{source}");
    }
}

#[test]
fn what_attributes_do_not_say() {
    for (source, error) in [
        (
            "#[component(variant)] struct S { a: u8 }",
            "this struct can be `record` of WIT, not `variant`",
        ),
        ("#[component(record)] struct S(u8);", "this struct can be `tuple` of WIT, not `record`"),
        ("#[component(enum)] enum E { A(u8) }", "this enum can be `variant` of WIT, not `enum`"),
        (
            "#[component(tuple)] enum E { A }",
            "this enum can be `enum` or `variant` of WIT, not `tuple`",
        ),
        ("#[component(record, record)] struct S { a: u8 }", "it can only be one of these"),
        ("#[component(flags)] struct S { a: bool }", "flags are declared with the macro `flags!`"),
        (
            "#[component(name = \"s\")] struct S { a: u8 }",
            "a type needs no name, only its fields or cases do",
        ),
        (
            "#[component(records)] struct S { a: u8 }",
            "expected `record`, `tuple`, `variant`, `enum`, `lower_only` or `crate = \"path\"`",
        ),
        ("struct S { #[component(rename = \"b\")] a: u8 }", "expected `name = \"…\"`"),
        ("struct S { #[component(name = b)] a: u8 }", "expected string literal"),
        ("struct S { #[component(name = \"b\", name = \"c\")] a: u8 }", "a part has one name"),
        ("struct S(#[component(name = \"b\")] u8, u8);", "fields of a tuple have no names"),
        ("enum E { A(#[component(name = \"b\")] u8) }", "what a case holds has no name"),
    ] {
        assert_eq!(errors(source), [error], "{source}");
    }
}

#[test]
fn all_errors_are_told_at_once() {
    let all = errors(
        "struct S { ä: u8, b: u8, #[component(name = \"b\")] c: u8, #[component(x)] d: u8 }",
    );
    assert_eq!(all.len(), 3, "{all:?}");
}

/// The errors about flags, if they are refused.
fn flags(source: &str) -> Result<Tokens, String> {
    let set = parse_str::<Set>(source).map_err(|error| error.to_string())?;
    set.declare().map_err(|error| error.to_string())
}

#[test]
fn flags_that_wit_does_not_have() {
    let error = |source: &str| flags(source).expect_err("it is refused");
    assert_eq!(error("p; struct F {}"), "WIT has no types without flags");
    assert_eq!(
        error("p; struct F { A_B, AB, #[component(name = \"ab\")] C }"),
        "there is a `ab` already"
    );
    assert_eq!(error("p; struct F { Ä }").lines().next(), Some("`ä` is no name of WIT"));
    assert_eq!(error("p; enum F { A }"), "expected `struct`");
    let many: String = (0..33).map(|i| format!("F{i}, ")).collect();
    assert_eq!(error(&format!("p; struct F {{ {many} }}")), "a type of WIT has at most 32 flags");
    let as_many: String = (0..32).map(|i| format!("F{i}, ")).collect();
    assert!(flags(&format!("p; struct F {{ {as_many} }}")).is_ok());
}

#[test]
fn what_only_goes_to_guests_is_not_lifted() {
    assert!(written("struct S { a: u8 }").contains("impl::somewhere::LiftforS"));
    for source in ["struct S<'a> { a: &'a str }", "#[component(lower_only)] struct S { a: u8 }"] {
        let written = written(source);
        assert!(written.contains("::somewhere::LowerforS"), "{written}");
        assert!(!written.contains("::somewhere::LiftforS"), "{written}");
    }
}

#[test]
fn the_crate_is_where_it_is_said_to_be() {
    for source in [
        "#[component(crate = \"crate::b\")] struct S { a: u8 }",
        "#[component(crate = crate::b)] struct S { a: u8 }",
    ] {
        let written = written(source);
        assert!(written.contains("implcrate::b::LiftforS"), "{written}");
        assert!(!written.contains("somewhere"), "{written}");
    }
}
