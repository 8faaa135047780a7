//! The interface of a component, a package or a module, as WIT.

use std::path::Path;

use dunlin_module::escape;
use wit_component::{DecodedWasm, OutputToString, WitPrinter};
use wit_parser::{LiveTypes, PackageId, Resolve, WorldId, WorldItem};

use crate::contained::contained;
use crate::error::{Error, ErrorKind};
use crate::reading::Reading;

mod source;
mod summary;

pub(crate) use source::unreadable;
pub use summary::{Direction, Item};

/// What an interface was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A component.
    Component,
    /// A WIT package in binary form.
    Package,
    /// A core module with WIT embedded in it.
    Module,
    /// WIT text.
    Text,
}

/// Interfaces and worlds, with everything they refer to.
#[derive(Clone)]
pub struct Wit {
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
    /// The world that a component or a module is of.
    world: Option<WorldId>,
    origin: Origin,
}

impl Wit {
    /// The interface of a component, of a WIT package in binary form, or of a core module that has WIT
    /// embedded in it.
    ///
    /// # Errors
    ///
    /// When the binary is not valid, or is a module without WIT.
    pub fn of_binary(bytes: &[u8]) -> Result<Wit, Error> {
        contained(|| match is_component(bytes) {
            true => of_component(bytes),
            false => of_module(bytes),
        })
    }

    /// The package that a file or a directory of WIT text holds; with the packages it uses in the
    /// directory `deps` beside or below it.
    ///
    /// # Errors
    ///
    /// When the text is wrong, with the place, or cannot be read.
    pub fn of_source(path: &Path, reading: &Reading) -> Result<Wit, Error> {
        contained(|| {
            let (resolve, package) = source::load(path, reading)?;
            Ok(Wit { resolve, package, world: None, origin: Origin::Text })
        })
    }

    /// The package that a text holds; `path` only names it.
    ///
    /// # Errors
    ///
    /// When the text is wrong, with the place.
    pub fn of_text(text: &str, path: &Path, reading: &Reading) -> Result<Wit, Error> {
        contained(|| {
            let (resolve, package) = source::parse(text, path, reading)?;
            Ok(Wit { resolve, package, world: None, origin: Origin::Text })
        })
    }

    /// What it was read from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// All of it as WIT text, other packages in braces after the main one. It can be read back with
    /// [`Wit::of_text`], and cannot steer a terminal.
    ///
    /// # Errors
    ///
    /// When something in it has no form as text.
    pub fn text(&self) -> Result<String, Error> {
        contained(|| print(&self.resolve, self.package))
    }

    /// One world and what it refers to, as WIT text.
    ///
    /// # Errors
    ///
    /// When there is no such world.
    pub fn world_text(&self, world: &str) -> Result<String, Error> {
        contained(|| {
            let world = self.select(Some(world))?;
            let (resolve, package) = only(&self.resolve, world);
            print(&resolve, package)
        })
    }

    /// All of it as JSON, in the form in which the tools of the Bytecode Alliance write it: lists of
    /// worlds, interfaces, types and packages that refer to each other by position. Beyond ASCII,
    /// everything is escaped.
    ///
    /// # Errors
    ///
    /// When something in it has no form as JSON.
    pub fn json(&self) -> Result<String, Error> {
        contained(|| {
            let json = serde_json::to_string_pretty(&self.resolve).map_err(|error| {
                Error::new(ErrorKind::Fault, "cannot write the interface as JSON")
                    .because_of([error.to_string()])
            })?;
            Ok(ascii(&json))
        })
    }

    /// The main package in binary form, as a component that holds nothing but types.
    ///
    /// # Errors
    ///
    /// When something in it has no binary form.
    pub fn binary(&self) -> Result<Vec<u8>, Error> {
        contained(|| {
            wit_component::encode(&self.resolve, self.package, false).map_err(|error| {
                let message = "the package has no binary form";
                Error::new(ErrorKind::Invalid, message).because(&error)
            })
        })
    }

    /// What the component or module imports and exports; nothing for a package.
    pub fn items(&self) -> Vec<Item> {
        self.world.map_or(Vec::new(), |world| summary::of_world(&self.resolve, world))
    }

    /// What a world of the main package imports and exports; nothing if there is no such world.
    pub fn world_items(&self, world: &str) -> Vec<Item> {
        let world = self.resolve.packages[self.package].worlds.get(world);
        world.map_or(Vec::new(), |world| summary::of_world(&self.resolve, *world))
    }

    /// The names of the worlds of the main package.
    pub fn worlds(&self) -> impl Iterator<Item = &str> {
        self.resolve.packages[self.package].worlds.keys().map(String::as_str)
    }

    /// The world by its name, `world` or `namespace:package/world@version`; the only one there is,
    /// without a name.
    pub(crate) fn select(&self, name: Option<&str>) -> Result<WorldId, Error> {
        if let (None, Some(world)) = (name, self.world) {
            return Ok(world);
        }
        self.resolve.select_world(&[self.package], name).map_err(|error| {
            let package = &self.resolve.packages[self.package].name;
            let known: Vec<String> = self.worlds().map(|world| format!("`{world}`")).collect();
            let (message, advice) = match (name, &known[..]) {
                (_, []) => (format!("there is no world in package `{package}`"), None),
                (None, _) => (
                    format!("package `{package}` has more than one world"),
                    Some(format!("say which: {}", known.join(", "))),
                ),
                (Some(name), _) => (
                    format!("there is no world `{}` in package `{package}`", escape(name)),
                    Some(format!("there is {}", known.join(", "))),
                ),
            };
            let error = match name.is_some_and(|name| name.contains([':', '/'])) {
                true => Error::new(ErrorKind::Missing, message).because(&error),
                false => Error::new(ErrorKind::Missing, message),
            };
            advice.into_iter().fold(error, Error::help)
        })
    }
}

/// Whether a binary is a component, or a package as one.
pub(crate) fn is_component(bytes: &[u8]) -> bool {
    // The layer, after magic and version: 1 for components.
    bytes.starts_with(b"\0asm") && bytes.get(6..8) == Some(&[1, 0])
}

fn of_component(bytes: &[u8]) -> Result<Wit, Error> {
    let decoded = wit_component::decode(bytes).map_err(|error| {
        Error::new(ErrorKind::Invalid, "cannot read the interface of the component").because(&error)
    })?;
    let package = decoded.package();
    Ok(match decoded {
        DecodedWasm::WitPackage(resolve, _) => {
            Wit { resolve, package, world: None, origin: Origin::Package }
        }
        DecodedWasm::Component(resolve, world) => {
            Wit { resolve, package, world: Some(world), origin: Origin::Component }
        }
    })
}

fn of_module(bytes: &[u8]) -> Result<Wit, Error> {
    // The tool below counts on sections that end where they say.
    crate::make::decode(bytes)?;
    let (without, embedded) = wit_component::metadata::decode(bytes).map_err(|error| {
        Error::new(ErrorKind::Invalid, "cannot read the WIT in the module").because(&error)
    })?;
    if without.is_none() {
        return Err(Error::new(ErrorKind::Missing, "there is no WIT in the module")
            .help("`dunlin inspect` shows the imports and exports of a module without WIT")
            .help("`dunlin component embed` puts WIT into a module"));
    }
    let package = embedded.resolve.worlds[embedded.world].package;
    let package = package.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "the WIT in the module belongs to no package")
    })?;
    let world = Some(embedded.world);
    Ok(Wit { resolve: embedded.resolve, package, world, origin: Origin::Module })
}

/// The text of a package, and of the others after it.
fn print(resolve: &Resolve, package: PackageId) -> Result<String, Error> {
    let mut printer = WitPrinter::<OutputToString>::default();
    let mut others: Vec<PackageId> = resolve.packages.iter().map(|(id, _)| id).collect();
    others.retain(|id| {
        let other = &resolve.packages[*id];
        *id != package && !(other.interfaces.is_empty() && other.worlds.is_empty())
    });
    // Text may name what comes later; in this order it is the same after reading it back.
    others.sort_by_key(|id| &resolve.packages[*id].name);
    printer.print(resolve, package, &others).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the interface has no form as text").because(&error)
    })?;
    let mut text = String::new();
    let (mut blank, mut closed) = (true, false);
    for line in printer.output.to_string().lines() {
        let line = escape(line.trim_end()).limit(usize::MAX).to_string();
        let closes = line.trim_start().starts_with('}');
        // One blank line after what is in braces, and never two in a row.
        if closed && !closes && !line.is_empty() {
            text.push('\n');
        }
        if !(blank && line.is_empty()) {
            text.push_str(&line);
            text.push('\n');
        }
        (blank, closed) = (line.is_empty(), closes);
    }
    Ok(text)
}

/// A copy that holds nothing but one world and what it refers to, and the package that world is in.
fn only(resolve: &Resolve, world: WorldId) -> (Resolve, PackageId) {
    let mut only = resolve.clone();
    let mut live = LiveTypes::default();
    live.add_world(resolve, world);
    let mut todo: Vec<_> = live.iter().filter_map(|id| resolve.type_interface_dep(id)).collect();
    let items = &resolve.worlds[world];
    for (_, item) in items.imports.iter().chain(&items.exports) {
        if let WorldItem::Interface { id, .. } = item {
            todo.push(*id);
        }
    }
    let mut interfaces = Vec::new();
    while let Some(id) = todo.pop() {
        if !interfaces.contains(&id) {
            interfaces.push(id);
            todo.extend(resolve.interface_direct_deps(id));
        }
    }
    for (_, package) in only.packages.iter_mut() {
        package.interfaces.retain(|_, id| interfaces.contains(id));
        package.worlds.retain(|_, id| *id == world);
    }
    let package = resolve.worlds[world].package;
    (only, package.unwrap_or_else(|| unreachable!("a world that was found by name is in one")))
}

/// JSON with everything beyond printable ASCII escaped; such characters are inside of strings only.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | ' '..='~' => text.push(c),
            _ => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    text.push('\n');
    text
}
