//! Types of every shape that the derive takes go to a guest, from it to the host, and all the way back.

use std::fmt::Debug;

use dunlin_component::{Component, ComponentType, Lift, Linker, Lower, flags};
use dunlin_engine::{Config, Engine, Result, Store};

#[derive(ComponentType, Clone, PartialEq, Debug)]
struct Cursor(u64);

#[derive(ComponentType, Clone, PartialEq, Debug)]
struct Page<T, U = Cursor> {
    items: Vec<T>,
    #[component(name = "go-on")]
    next: Option<U>,
    r#type: Kind,
}

#[derive(ComponentType, Clone, PartialEq, Debug)]
struct Pair<A, B>(A, B)
where
    A: Clone;

#[derive(ComponentType, Clone, PartialEq, Debug)]
#[component(tuple)]
struct Single<T>(T);

#[derive(ComponentType, Clone, PartialEq, Debug)]
struct Grid<const N: usize> {
    cells: [u16; N],
}

/// Discriminants do not matter.
#[derive(ComponentType, Clone, Copy, PartialEq, Debug)]
enum Kind {
    Low = 7,
    HTTPStatus = -1,
    #[component(name = "x-y")]
    XY = 300,
}

#[derive(ComponentType, Clone, Copy, PartialEq, Debug)]
#[component(variant)]
enum Plain {
    This,
    That,
}

#[derive(ComponentType, Clone, PartialEq, Debug)]
enum Outcome<T, E: Clone> {
    Done(T),
    Failed(Pair<E, u8>),
    #[component(name = "later")]
    Pending,
}

flags! {
    /// What may be done.
    struct Rights {
        READ,
        #[component(name = "change")]
        WRITE,
        RUN_IT,
    }
}

/// A component with types that have a name, the last of which it hands on in a list.
fn relay(types: &[(&str, &str)]) -> String {
    let mut text = String::from("(component");
    for (name, ty) in types {
        text += &format!("(type ${name}' {ty}) (import \"{name}\" (type ${name} (eq ${name}')))\n");
    }
    let last = types.last().map_or("none", |(name, _)| name);
    text += &format!("(type $f (func (param \"x\" (list ${last})) (result (list ${last}))))\n");
    text + r#"
      (import "relay" (func $relay (type $f)))
      (core module $memory
        (memory (export "memory") 1)
        (global $top (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
          (global.get $top)
          (global.set $top (i32.add (global.get $top) (local.get 3)))))
      (core instance $m (instantiate $memory))
      (core func $relay (canon lower (func $relay) (memory (core memory $m "memory"))
        (realloc (core func $m "realloc"))))
      (core module $main
        (import "" "relay" (func $relay (param i32 i32 i32)))
        (func (export "relay") (param i32 i32) (result i32)
          (call $relay (local.get 0) (local.get 1) (i32.const 64))
          (i32.const 64)))
      (core instance $i (instantiate $main (with "" (instance (export "relay" (func $relay))))))
      (func (export "relay") (type $f) (canon lift (core func $i "relay")
        (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))"#
}

/// Hands values of `G` to a guest, which hands them on to the host, where they are `O`, and gets them back.
fn travel<G: Lower, O>(types: &[(&str, &str)], given: &[G], owned: &[O]) -> Result<()>
where
    O: Lift + Lower + Clone + PartialEq + Debug + Send + Sync + 'static,
{
    let engine = engine();
    let component = Component::new(&engine, wat::parse_str(relay(types)).expect("it is text"))?;
    let mut linker = Linker::<Vec<O>>::new(&engine);
    linker.root().func_wrap("relay", |mut caller, (values,): (Vec<O>,)| {
        caller.data_mut().clone_from(&values);
        Ok(values)
    })?;
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component)?;
    let relay = instance.get_typed_func::<(&[G],), Vec<O>>("relay")?;
    assert_eq!(relay.call(&mut store, (given,))?, owned);
    assert_eq!(store.data(), owned);
    Ok(())
}

/// Why values of a type are not those of the last of these.
fn mismatch<T: Lift + Lower>(ty: &str) -> String {
    let engine = engine();
    let component = wat::parse_str(relay(&[("t", ty)])).expect("it is text");
    let component = Component::new(&engine, component).expect("it is valid");
    let mut linker = Linker::<()>::new(&engine);
    linker.root().func_new("relay", |_, _| Ok(None)).expect("nothing is defined yet");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component).expect("nothing is compared");
    let func = instance.get_typed_func::<(&[T],), Vec<T>>("relay");
    let error = func.map(drop).expect_err("it is of another type").to_string();
    let what = error.strip_prefix("cannot call `relay`: parameter `x`: ");
    let what = what.and_then(|error| error.rsplit_once(": it is func("));
    what.map(|(what, _)| what.to_owned()).unwrap_or(error)
}

fn engine() -> Engine {
    let mut config = Config::default();
    config.features.cm_fixed_length_lists = true;
    Engine::new(&config).expect("it can be had")
}

const KIND: (&str, &str) = ("kind", r#"(enum "low" "HTTP-status" "x-y")"#);

#[test]
fn records_enums_and_generic_types() -> Result<()> {
    let types = [
        KIND,
        ("pair", "(tuple string $kind)"),
        (
            "page",
            r#"(record (field "items" (list $pair)) (field "go-on" (option u64)) (field "type" $kind))"#,
        ),
    ];
    let pages = [
        Page { items: vec![], next: None, r#type: Kind::XY },
        Page {
            items: vec![Pair("a".to_owned(), Kind::Low), Pair("日本".to_owned(), Kind::HTTPStatus)],
            next: Some(Cursor(1 << 40)),
            r#type: Kind::HTTPStatus,
        },
    ];
    travel(&types, &pages, &pages)
}

#[test]
fn tuples_and_what_only_wraps() -> Result<()> {
    travel(&[("id", "u64")], &[Cursor(1), Cursor(u64::MAX)], &[Cursor(1), Cursor(u64::MAX)])?;
    let singles = [Single(Cursor(5)), Single(Cursor(6))];
    travel(&[("single", "(tuple u64)")], &singles, &singles)?;
    let grids = [Grid { cells: [1, 2, 3] }];
    travel(&[("grid", r#"(record (field "cells" (list u16 3)))"#)], &grids, &grids)
}

#[test]
fn variants() -> Result<()> {
    let plain = [Plain::That, Plain::This];
    travel(&[("plain", r#"(variant (case "this") (case "that"))"#)], &plain, &plain)?;
    let types = [(
        "outcome",
        r#"(variant (case "done" string) (case "failed" (tuple f32 u8)) (case "later"))"#,
    )];
    let outcomes = [
        Outcome::Pending,
        Outcome::Done("x".repeat(100)),
        Outcome::Failed(Pair(1.5_f32, 9)),
        Outcome::Done(String::new()),
    ];
    travel(&types, &outcomes, &outcomes)?;
    // A case of `()` holds nothing.
    let types =
        [("outcome", r#"(variant (case "done") (case "failed" (tuple f32 u8)) (case "later"))"#)];
    let outcomes = [Outcome::Done(()), Outcome::Pending, Outcome::Failed(Pair(0.5_f32, 1))];
    travel(&types, &outcomes, &outcomes)
}

#[test]
fn what_wraps_nothing_is_nothing() -> Result<()> {
    #[derive(ComponentType, Clone, PartialEq, Debug)]
    struct Done(());
    let results = [Ok::<Done, Cursor>(Done(())), Err(Cursor(4))];
    travel(&[("r", "(result (error u64))")], &results, &results)
}

#[test]
fn flags_by_their_names() -> Result<()> {
    let rights = [Rights::empty(), Rights::WRITE, Rights::READ | Rights::RUN_IT];
    travel(&[("rights", r#"(flags "read" "change" "run-it")"#)], &rights, &rights)
}

#[test]
fn borrowed_values_go_to_guests() -> Result<()> {
    #[derive(ComponentType)]
    struct Query<'a, T: ?Sized> {
        text: &'a str,
        tags: &'a [&'a str],
        rest: &'a T,
    }
    #[derive(ComponentType)]
    enum Choice<'a> {
        All,
        Some(Query<'a, [Kind]>),
    }
    #[derive(ComponentType, Clone, PartialEq, Debug)]
    struct OwnedQuery {
        text: String,
        tags: Vec<String>,
        rest: Vec<Kind>,
    }
    #[derive(ComponentType, Clone, PartialEq, Debug)]
    enum OwnedChoice {
        All,
        Some(OwnedQuery),
    }
    let types = [
        KIND,
        (
            "query",
            r#"(record (field "text" string) (field "tags" (list string)) (field "rest" (list $kind)))"#,
        ),
        ("choice", r#"(variant (case "all") (case "some" $query))"#),
    ];
    let query = Query { text: "tea", tags: &["green", ""], rest: &[Kind::XY][..] };
    let owned = OwnedQuery {
        text: "tea".to_owned(),
        tags: vec!["green".to_owned(), String::new()],
        rest: vec![Kind::XY],
    };
    let owned = [OwnedChoice::All, OwnedChoice::Some(owned)];
    travel(&types, &[Choice::All, Choice::Some(query)], &owned)
}

#[test]
fn what_is_declared_around_does_not_matter() -> Result<()> {
    use around::{Many, Other};
    let types =
        [("many", r#"(record (field "cx" u8) (field "plan" s16) (field "place" (option char)))"#)];
    let many = [Many { cx: 1, plan: -1, place: Some('ß') }];
    travel(&types, &many, &many)?;
    let others = [Other::Ok(3), Other::Err, Other::None];
    travel(&[("o", r#"(variant (case "ok" u8) (case "err") (case "none"))"#)], &others, &others)
}

mod around {
    //! Names that the code a derive writes could be thought to mean.
    #![allow(dead_code, reason = "that is what is tested")]

    use ::dunlin_component as somewhere;

    pub(crate) struct Option;
    pub(crate) struct Result;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) struct Some;
    mod core {}
    mod std {}
    mod dunlin_component {}

    #[derive(::dunlin_component::ComponentType, Clone, PartialEq, Debug)]
    pub(crate) struct Many {
        pub(crate) cx: u8,
        pub(crate) plan: i16,
        pub(crate) place: ::core::option::Option<char>,
    }

    #[derive(::dunlin_component::ComponentType, Clone, PartialEq, Debug)]
    #[component(crate = "crate::around::somewhere")]
    pub(crate) enum Other {
        Ok(u8),
        Err,
        None,
    }

    macro_rules! by_macro {
        ($name:ident, $field:ident: $ty:ty) => {
            #[derive(somewhere::ComponentType)]
            #[component(record, crate = somewhere)]
            struct $name {
                $field: $ty,
            }
        };
    }
    by_macro!(ByMacro, field: u8);
}

#[test]
fn what_is_another_type_is_told() {
    for (found, expected) in [
        (
            mismatch::<Grid<3>>(r#"(record (field "cell" u8))"#),
            "expected record { cell: u8 }, found record of cells",
        ),
        (mismatch::<Single<Cursor>>("(tuple u64 u8)"), "expected tuple<u64, u8>, found tuple of 1"),
        (mismatch::<Single<Cursor>>("(tuple u32)"), "expected u32, found u64"),
        (mismatch::<Cursor>("s64"), "expected s64, found u64"),
        (
            mismatch::<Plain>(r#"(enum "this" "that")"#),
            "expected enum { this, that }, found variant of this, that",
        ),
        (
            mismatch::<Plain>(r#"(variant (case "this" u8) (case "that"))"#),
            "case `this`: expected u8, found nothing",
        ),
        (
            mismatch::<Outcome<u8, u8>>(
                r#"(variant (case "done") (case "failed" (tuple u8 u8)) (case "later"))"#,
            ),
            "case `done`: expected nothing, found a type",
        ),
        (
            mismatch::<Outcome<u8, u8>>(
                r#"(variant (case "done" u8) (case "failed" (tuple u8 u16)) (case "later"))"#,
            ),
            "case `failed`: expected u16, found u8",
        ),
        (
            mismatch::<Rights>(r#"(flags "read" "write" "run-it")"#),
            "expected flags { read, write, run-it }, found flags of read, change, run-it",
        ),
    ] {
        assert_eq!(found, expected);
    }
}
