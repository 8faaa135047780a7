//! What a world imports and exports, item by item.

use wit_component::{OutputToString, WitPrinter};
use wit_parser::{Function, Resolve, Type, WorldId, WorldItem, WorldKey};

/// Which way an item goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The component needs it.
    Import,
    /// The component offers it.
    Export,
}

/// Something that a component imports or exports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Which way it goes.
    pub direction: Direction,
    /// Its name, such as `wasi:io/streams@0.2.0`, or that of a function.
    pub name: String,
    /// The functions of an interface by name, or one function; none for a type. Each with its
    /// signature, such as `func(x: u32) -> string`.
    pub functions: Vec<(String, String)>,
    /// Whether it is an interface.
    pub is_interface: bool,
}

/// The items of a world in order.
pub(super) fn of_world(resolve: &Resolve, world: WorldId) -> Vec<Item> {
    let world = &resolve.worlds[world];
    let imports = world.imports.iter().map(|item| (Direction::Import, item));
    let exports = world.exports.iter().map(|item| (Direction::Export, item));
    imports
        .chain(exports)
        .map(|(direction, (key, item))| of(resolve, direction, key, item))
        .collect()
}

fn of(resolve: &Resolve, direction: Direction, key: &WorldKey, item: &WorldItem) -> Item {
    let name = resolve.name_world_key(key);
    let (functions, is_interface) = match item {
        WorldItem::Interface { id, .. } => {
            let functions = resolve.interfaces[*id].functions.values();
            (functions.map(|function| signature(resolve, function)).collect(), true)
        }
        WorldItem::Function(function) => (vec![signature(resolve, function)], false),
        WorldItem::Type { .. } => (Vec::new(), false),
    };
    Item { direction, name, functions, is_interface }
}

/// The name and the type of a function.
fn signature(resolve: &Resolve, function: &Function) -> (String, String) {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, type_name(resolve, &param.ty)))
        .collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", type_name(resolve, ty)));
    let word = if function.kind.is_async() { "async func" } else { "func" };
    let text = format!("{word}({}){}", params.join(", "), result.unwrap_or_default());
    (function.name.clone(), text)
}

/// A type as WIT writes it.
fn type_name(resolve: &Resolve, ty: &Type) -> String {
    let mut printer = WitPrinter::<OutputToString>::default();
    match printer.print_type_name(resolve, ty) {
        Ok(()) => printer.output.to_string(),
        // A type without a name that can only have one.
        Err(_) => "_".to_owned(),
    }
}
