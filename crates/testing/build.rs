//! Makes bindings as build scripts of embedders do, for `tests/bindings.rs`.

use std::path::Path;

fn main() -> Result<(), dunlin_bindgen::Error> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/cases/data/shop/shop.wit");
    dunlin_bindgen::Options::new().world("main").runtime("::dunlin_component").build(&wit, "shop")
}
