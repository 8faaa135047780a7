//! What a world imports and exports, item by item.

use wit_component::{OutputToString, WitPrinter};
use wit_parser::{Function, FunctionKind, Resolve, Type, WorldId, WorldItem, WorldKey};

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

/// The name and the type of a function; methods as `resource.method`, without what they are of.
fn signature(resolve: &Resolve, function: &Function) -> (String, String) {
    let of = function.kind.resource().and_then(|id| resolve.types[id].name.as_deref());
    let is_async = if function.kind.is_async() { "async " } else { "" };
    let (word, skipped) = match function.kind {
        FunctionKind::Constructor(_) => ("constructor", 0),
        FunctionKind::Method(_) | FunctionKind::AsyncMethod(_) => ("func", 1),
        FunctionKind::Static(_) | FunctionKind::AsyncStatic(_) => ("static func", 0),
        _ => ("func", 0),
    };
    let params: Vec<String> = function
        .params
        .iter()
        .skip(skipped)
        .map(|param| format!("{}: {}", param.name, type_name(resolve, &param.ty)))
        .collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", type_name(resolve, ty)));
    let (name, result) = match (of, word) {
        // What a constructor makes is known, unless it can fail.
        (Some(of), "constructor") => {
            (of.to_owned(), result.filter(|result| result.starts_with(" -> result")))
        }
        (Some(of), _) => (format!("{of}.{}", function.item_name()), result),
        (None, _) => (function.name.clone(), result),
    };
    let result = result.unwrap_or_default();
    (name, format!("{is_async}{word}({}){result}", params.join(", ")))
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
