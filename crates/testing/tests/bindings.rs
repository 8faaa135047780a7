//! Rust made of WIT, compiled, and used with a component.

#![allow(clippy::print_stdout, reason = "tests report what they looked at")]

use std::path::Path;

use dunlin_bindgen::Options;
use dunlin_component::declare::Result;
use dunlin_component::{Component, Linker, Resource};
use dunlin_compose::make::{self, Strings};
use dunlin_compose::{Reading, Wit};
use dunlin_engine::{Engine, Store};

mod market {
    //! Resources, records, variants and flags, both ways.
    dunlin_bindgen_macro::bindgen!({
        path: "tests/bindings/market.wit",
        world: "market",
        with: { "test:market/goods/basket": crate::Basket },
        runtime: ::dunlin_component,
    });
}

mod small {
    //! The same from text, with a name of each kind that is taken or is no name in Rust.
    dunlin_bindgen_macro::bindgen!({
        inline: "package a:b;
            interface %option { record %result { %type: u8, self: string } }
            world %string {
                use %option.{%result};
                import vec: func(some: option<list<u8>>) -> %result;
                export new: func(store: result<%result, string>) -> tuple<u8>;
                export instance: func();
            }",
        runtime: ::dunlin_component,
    });
}

mod built {
    //! What `build.rs` has made.
    include!(concat!(env!("OUT_DIR"), "/shop.rs"));
}

mod shop {
    //! What the command's tests compose.
    dunlin_bindgen_macro::bindgen!({
        path: "../cli/tests/cases/data/shop/shop.wit",
        world: "seller",
        unstable: ["discounts"],
        runtime: ::dunlin_component,
    });
}

use market::exports::test::market::till;
use market::test::market::goods::{Host, HostBasket, Item, Level, Marks, Problem};

/// What stands for a basket: how much it holds, and what is in it.
#[derive(Debug)]
pub struct Basket {
    size: u32,
    held: u32,
}

/// The host.
#[derive(Default)]
struct Market {
    baskets: Vec<Option<Basket>>,
    notes: Vec<String>,
}

impl Host for Market {
    fn double(&mut self, it: Item) -> Result<std::result::Result<Item, Problem>> {
        if it.marks.is_empty() {
            return Ok(Err(Problem::SoldOut));
        }
        Ok(Ok(Item { name: it.name.repeat(2), ..it }))
    }
}

impl HostBasket for Market {
    fn new(&mut self, size: u32) -> Result<Resource<Basket>> {
        self.baskets.push(Some(Basket { size, held: 0 }));
        Ok(Resource::new_own(self.baskets.len() as u32 - 1))
    }

    fn put(&mut self, this: Resource<Basket>, amount: u32) -> Result<bool> {
        let basket = self.baskets[this.rep() as usize].as_mut().expect("it is there");
        let fits = basket.held + amount <= basket.size;
        basket.held += if fits { amount } else { 0 };
        Ok(fits)
    }

    fn total(&mut self, of: Vec<u64>) -> Result<u64> {
        Ok(of.iter().sum())
    }

    fn drop(&mut self, this: Resource<Basket>) -> Result<()> {
        self.baskets[this.rep() as usize] = None;
        Ok(())
    }
}

impl market::MarketImports for Market {
    fn note(&mut self, text: String) -> Result<()> {
        self.notes.push(text);
        Ok(())
    }
}

fn component(engine: &Engine) -> Component {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bindings");
    let wit = Wit::of_source(&folder.join("market.wit"), &Reading::new()).expect("it is WIT");
    let text = std::fs::read_to_string(folder.join("market.wat")).expect("it can be read");
    let module = dunlin_script::wat_to_wasm(&text, None).expect("the text is well-formed");
    let module = make::embed(&module, &wit, None, Strings::Utf8).expect("there is one world");
    let bytes = make::component(&module, &make::Options::default()).expect("it fits");
    Component::new(engine, bytes).expect("it is valid")
}

#[test]
fn a_component_is_called_and_calls_back() {
    let engine = Engine::default();
    let mut linker = Linker::<Market>::new(&engine);
    market::Market::add_to_linker(&mut linker, |market| market).expect("nothing is defined yet");
    let mut store = Store::new(&engine, Market::default());
    let guest = market::Market::instantiate(&mut store, &component(&engine), &linker);
    let guest = guest.expect("all is there");

    assert_eq!(guest.sum(&mut store, &[1, 2, 3], "four").expect("it returns"), 10);

    let till: &till::Guest = guest.till();
    let item = Item {
        name: "tea".to_owned(),
        tags: vec!["dry".to_owned(), "größer".to_owned()],
        level: Level::High,
        marks: Marks::ON_SALE | Marks::TYPE,
        weight: Some(0.25),
    };
    let echoed = till.echo(&mut store, &item).expect("it returns");
    assert_eq!(echoed, Item { name: "teatea".to_owned(), ..item.clone() });
    assert_eq!(echoed.tags, item.tags);

    // Three of five fit, and the basket is gone after it.
    assert_eq!(till.fill(&mut store, 5).expect("it returns"), 3);
    assert_eq!(store.data().notes, ["filled"]);
    assert!(matches!(store.data().baskets[..], [None]));

    let receipt = till.new_receipt(&mut store, 42).expect("it returns");
    assert_eq!(till.receipt_number(&mut store, receipt).expect("it returns"), 42);

    // The host says that it is sold out, which the guest takes for the end.
    let sold_out = Item { marks: Marks::empty(), ..item };
    till.echo(&mut store, &sold_out).expect_err("it traps");
}

#[test]
fn what_is_not_of_the_world_is_an_error() {
    let engine = Engine::default();
    let component = component(&engine);
    let mut store = Store::new(&engine, Market::default());
    let nothing = Linker::<Market>::new(&engine);
    let error = market::Market::instantiate(&mut store, &component, &nothing);
    let error = error.expect_err("imports are missing").to_string();
    assert!(error.contains("test:market/goods@0.1.0"), "{error}");

    let mut linker = Linker::<Market>::new(&engine);
    market::Market::add_to_linker(&mut linker, |market| market).expect("nothing is defined yet");
    let error = shop::Seller::instantiate(&mut store, &component, &linker);
    let error = error.expect_err("it is of another world").to_string();
    assert!(error.contains("acme:shop/prices@1.2.0"), "{error}");
}

/// Code that nobody calls compiles, and has the names that it should.
#[test]
fn names_are_names() {
    let result = small::a::b::option::Result_ { r#type: 1, self_: String::new() };
    assert_eq!(result.clone().r#type, 1);
    fn exported(world: &small::String_, store: &mut Store<()>) -> Result<(u8,)> {
        world.instance_(&mut *store)?;
        world.new_(store, Err("x"))
    }
    let _ = exported;
    fn of_main(world: &built::Main, store: &mut Store<()>) -> Result<u64> {
        world.run(store)
    }
    let _ = of_main;
}

#[test]
fn what_has_no_form_in_rust_is_an_error() {
    let refused = |text: &str| {
        let text = format!("package a:b;\n{text}");
        Options::new().generate_text(&text).expect_err("it is not understood").to_string()
    };
    assert_eq!(
        refused("world w { import f: async func(); }"),
        "function `f`: an `async func` cannot be used from Rust yet"
    );
    assert_eq!(
        refused("interface i { type t = stream<u8>; f: func(x: t); } world w { export i; }"),
        "interface `a:b/i`: `stream` cannot be used from Rust yet"
    );
    assert!(refused("world w { import e; }").contains("<text>:2:18"));
    assert!(refused("").contains("no worlds"));
}

/// Every component of the suites has bindings, unless it has what they cannot have yet. That they compile
/// is checked by hand, with the example `broad` of `dunlin-bindgen`.
#[test]
fn every_component_is_written_or_refused() {
    let Some(root) = dunlin_testing::suite::suites_folder() else {
        println!("skipped: components of the suites");
        return;
    };
    let (mut written, mut refused) = (0, 0);
    let mut folders = vec![root.join("jco-components"), root.join("wasi-testsuite")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_wasm = path.extension().is_some_and(|ending| ending == "wasm");
            if !is_wasm || std::fs::read(&path).expect("it can be read").get(6) != Some(&1) {
                continue;
            }
            match Options::new().generate(&path) {
                Ok(bindings) => {
                    assert!(bindings.source.contains("pub struct Root"), "{}", path.display());
                    written += 1;
                }
                Err(error) => {
                    let error = error.to_string();
                    let known = ["async func", "stream", "future", "error-context"];
                    let known = known.iter().any(|what| error.contains(&format!("`{what}`")));
                    assert!(known, "{}: {error}", path.display());
                    refused += 1;
                }
            }
        }
    }
    println!("{written} written, {refused} refused");
    assert!(written >= 50 && refused <= 60, "{written} written, {refused} refused");
}
