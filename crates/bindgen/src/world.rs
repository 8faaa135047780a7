//! A world as a module: its interfaces in their places, and a struct for the world itself.

use std::collections::HashMap;

use wit_parser::{
    AccessorKind, Function, FunctionKind, InterfaceId, Resolve, TypeDefKind, TypeId, World,
    WorldId, WorldItem, WorldKey,
};

use crate::naming::{Distinct, docs, snake, type_name};
use crate::source::Source;
use crate::tree::{Place, Tree, path};
use crate::types::{TUPLE_MAX, Types, indent_items};
use crate::{Error, Options, export, import};

/// Functions and types that belong together: an interface, or what a world has outside of all.
pub(crate) struct Scope<'a> {
    /// What components call the interface; `None` outside of all.
    pub(crate) name: Option<String>,
    /// Its module.
    pub(crate) place: Place,
    pub(crate) functions: Vec<&'a Function>,
    /// The resources that are declared in it.
    pub(crate) resources: Vec<TypeId>,
    /// The world's name.
    world: &'a str,
}

impl Scope<'_> {
    /// As documentation calls it.
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("`{name}`"),
            None => format!("what world `{}` has outside of interfaces", self.world),
        }
    }

    /// The name of the function that gives it to linkers.
    pub(crate) fn add_name(&self) -> &'static str {
        if self.name.is_some() { "add_to_linker" } else { "add_functions_to_linker" }
    }
}

/// A function as Rust has it.
pub(crate) struct Signature {
    /// Its name in components.
    pub(crate) wit: String,
    /// Its name in Rust; methods without their resource.
    pub(crate) name: String,
    pub(crate) docs: String,
    pub(crate) params: Vec<Param>,
    /// `()` for none.
    pub(crate) result: String,
}

/// A parameter as Rust has it.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) owned: String,
    pub(crate) borrowed: String,
}

/// A function as code in the module `from` has it.
pub(crate) fn signature(
    types: &Types<'_>,
    function: &Function,
    from: &[String],
) -> Result<Signature, Error> {
    let at = |error: Error| error.at(&format!("function `{}`", function.name));
    if function.kind.is_async() {
        return Err(at(Error::unsupported("an `async func`")));
    }
    if function.params.len() > TUPLE_MAX {
        let what = format!("a function with more than {TUPLE_MAX} parameters");
        return Err(at(Error::unsupported(&what)));
    }
    let name = match function.kind {
        FunctionKind::Constructor(_) => "new".to_owned(),
        _ => match function.kind.accessor() {
            Some(AccessorKind::Getter) => snake(&format!("get-{}", function.item_name())),
            Some(AccessorKind::Setter) => snake(&format!("set-{}", function.item_name())),
            None => snake(function.item_name()),
        },
    };
    let mut names = Distinct::default();
    let params = function.params.iter().map(|param| {
        let name = if param.name == "self" { "this".to_owned() } else { snake(&param.name) };
        Ok(Param {
            name: names.pick(name),
            owned: types.owned(&param.ty, from)?,
            borrowed: types.borrowed(&param.ty, from)?,
        })
    });
    let params = params.collect::<Result<_, Error>>().map_err(at)?;
    let result = match &function.result {
        Some(ty) => types.owned(ty, from).map_err(at)?,
        None => "()".to_owned(),
    };
    let docs = docs(function.docs.contents.as_deref(), &format!("`{}`", function.name));
    Ok(Signature { wit: function.name.clone(), name, docs, params, result })
}

/// The source for a world.
pub(crate) fn generate(source: Source, options: &Options) -> Result<String, Error> {
    let Source { mut resolve, world: id } = source;
    // An interface that is both imported and exported is two from here on.
    resolve.generate_nominal_type_ids(id);
    let world = &resolve.worlds[id];
    let types = Types {
        resolve: &resolve,
        runtime: &options.runtime,
        interfaces: places(&resolve, world),
        with: &options.with,
    };
    let mut tree = Tree::default();
    let mut writer = Writer { types: &types, world, tree: &mut tree };
    let hosts = writer.imports()?;
    let guests = writer.exports()?;
    writer.own(id, &hosts, &guests)?;
    let title = title(&resolve, world);
    Ok(format!("// Made by dunlin-bindgen from world `{title}`.\n\n{}", tree.to_source(0)))
}

/// Where the modules of interfaces are, and whether they are exported.
fn places(resolve: &Resolve, world: &World) -> HashMap<InterfaceId, (Place, bool)> {
    let mut places = HashMap::new();
    let imports = world.imports.iter().map(|item| (item, false));
    let exports = world.exports.iter().map(|item| (item, true));
    for ((key, item), exported) in imports.chain(exports) {
        let WorldItem::Interface { id, .. } = item else { continue };
        let mut place = if exported { vec!["exports".to_owned()] } else { Vec::new() };
        place.extend(place_of(resolve, key, *id));
        places.insert(*id, (place, exported));
    }
    places
}

fn place_of(resolve: &Resolve, key: &WorldKey, id: InterfaceId) -> Place {
    let apart = |name: String| if name == "exports" { name + "_" } else { name };
    let interface = &resolve.interfaces[id];
    let (WorldKey::Interface(_), Some(package), Some(name)) =
        (key, interface.package, &interface.name)
    else {
        return vec![apart(snake(&resolve.name_world_key(key)))];
    };
    let package = &resolve.packages[package].name;
    let same = |other: &wit_parser::PackageName| {
        (&other.namespace, &other.name) == (&package.namespace, &package.name)
    };
    let versions = resolve.package_names.keys().filter(|other| same(other)).count();
    let mut folder = snake(&package.name);
    if let (Some(version), true) = (&package.version, versions > 1) {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let version: String = version.to_string().chars().map(plain).collect();
        folder = format!("{}_v{version}", folder.trim_start_matches("r#"));
    }
    vec![apart(snake(&package.namespace)), folder, snake(name)]
}

/// An imported interface's trait, or an exported one's struct, and where it is.
struct Item {
    /// As the world calls it.
    name: String,
    place: Place,
    /// The trait; the struct is always `Guest`.
    host: String,
}

struct Writer<'a, 't> {
    types: &'a Types<'a>,
    world: &'a World,
    tree: &'t mut Tree,
}

impl<'a> Writer<'a, '_> {
    fn scope(&self, key: &WorldKey, id: InterfaceId) -> Scope<'a> {
        let resolve = self.types.resolve;
        let interface = &resolve.interfaces[id];
        let place = self.types.interfaces.get(&id).map(|(place, _)| place.clone());
        let is_resource = |id: &TypeId| matches!(resolve.types[*id].kind, TypeDefKind::Resource);
        Scope {
            name: Some(resolve.name_world_key(key)),
            place: place.unwrap_or_default(),
            functions: interface.functions.values().collect(),
            resources: interface.types.values().copied().filter(is_resource).collect(),
            world: &self.world.name,
        }
    }

    /// Describes an interface's module, and declares its types there.
    fn declare(&mut self, scope: &Scope<'_>, id: InterfaceId) -> Result<(), Error> {
        let interface = &self.types.resolve.interfaces[id];
        let name = scope.name.as_deref().unwrap_or_default();
        let comments = docs(interface.docs.contents.as_deref(), &format!("`{name}`"));
        self.tree.at(&scope.place).describe(comments);
        for ty in interface.types.values() {
            let declared = self.types.declare(*ty, &scope.place, name);
            let declared = declared.map_err(|error| error.at(&format!("interface `{name}`")))?;
            self.tree.at(&scope.place).push(&declared);
        }
        Ok(())
    }

    /// Writes all interfaces that are imported.
    fn imports(&mut self) -> Result<Vec<Item>, Error> {
        let mut hosts = Vec::new();
        for (key, item) in &self.world.imports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let scope = self.scope(key, *id);
            self.declare(&scope, *id)?;
            let name = scope.name.clone().unwrap_or_default();
            let code = import::code(self.types, &scope, "Host");
            let code = code.map_err(|error| error.at(&format!("interface `{name}`")))?;
            if let Some((code, host)) = code {
                self.tree.at(&scope.place).push(&indent_items(&code));
                hosts.push(Item { name, place: scope.place, host });
            }
        }
        Ok(hosts)
    }

    /// Writes all interfaces that are exported.
    fn exports(&mut self) -> Result<Vec<Item>, Error> {
        let mut guests = Vec::new();
        for (key, item) in &self.world.exports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let scope = self.scope(key, *id);
            self.declare(&scope, *id)?;
            let name = scope.name.clone().unwrap_or_default();
            let code = export::guest(self.types, &scope);
            if let Some(code) = code.map_err(|error| error.at(&format!("interface `{name}`")))? {
                self.tree.at(&scope.place).push(&code);
                guests.push(Item { name, place: scope.place, host: String::new() });
            }
        }
        Ok(guests)
    }

    /// Writes what the world has outside of interfaces, and the struct for it.
    fn own(&mut self, id: WorldId, hosts: &[Item], guests: &[Item]) -> Result<(), Error> {
        let resolve = self.types.resolve;
        let mut names = Distinct::default();
        let mut declared = Vec::new();
        let all = self.world.imports.values().chain(self.world.exports.values());
        for ty in all.filter_map(|item| match item {
            WorldItem::Type { id, .. } => Some(*id),
            _ => None,
        }) {
            let name = type_name(resolve.types[ty].name.as_deref().unwrap_or_default());
            if !declared.contains(&name) {
                let code = self.types.declare(ty, &[], &title(resolve, &resolve.worlds[id]))?;
                self.tree.push(&code);
                names.pick(name.clone());
                declared.push(name);
            }
        }
        let name = names.pick(type_name(&self.world.name));
        let imports = self.outside(&self.world.imports);
        let host = names.pick(format!("{name}Imports"));
        let functions = import::code(self.types, &imports, &host)?;
        if let Some((code, _)) = &functions {
            self.tree.push(&indent_items(code));
        }
        let mut bounds: Vec<String> =
            hosts.iter().map(|item| path(&[], &item.place, &item.host)).collect();
        let mut adders: Vec<String> =
            hosts.iter().map(|item| path(&[], &item.place, "add_to_linker")).collect();
        if let Some((_, host)) = functions {
            bounds.push(host);
            adders.push(imports.add_name().to_owned());
        }
        let code = self.of_world(&name, guests, &bounds, &adders)?;
        self.tree.push(&code);
        Ok(())
    }

    /// What is outside of interfaces.
    fn outside(&self, items: &'a wit_parser::IndexMap<WorldKey, WorldItem>) -> Scope<'a> {
        let resolve = self.types.resolve;
        let mut scope = Scope {
            name: None,
            place: Vec::new(),
            functions: Vec::new(),
            resources: Vec::new(),
            world: &self.world.name,
        };
        for item in items.values() {
            match item {
                WorldItem::Function(function) => scope.functions.push(function),
                WorldItem::Type { id, .. }
                    if matches!(resolve.types[*id].kind, TypeDefKind::Resource) =>
                {
                    scope.resources.push(*id);
                }
                _ => {}
            }
        }
        scope
    }

    /// The struct for the world.
    fn of_world(
        &self,
        name: &str,
        guests: &[Item],
        bounds: &[String],
        adders: &[String],
    ) -> Result<String, Error> {
        let runtime = self.types.runtime;
        let reserved = ["instantiate", "new", "instance", "add_to_linker"];
        let scope = self.outside(&self.world.exports);
        let methods = export::methods(self.types, &scope, &reserved)?;
        let mut names = Distinct::default();
        for taken in reserved.into_iter().chain(methods.iter().map(|method| method.name.as_str())) {
            names.pick(taken.to_owned());
        }
        let guests: Vec<(String, String, &str)> = guests
            .iter()
            .map(|item| {
                let field = item.place.last().cloned().unwrap_or_default();
                (names.pick(field), path(&[], &item.place, "Guest"), item.name.as_str())
            })
            .collect();
        let title = format!("A component of world `{}`.", self.world.name);
        let mut source = docs(self.world.docs.contents.as_deref(), &title);
        source += &format!("#[derive(Clone, Debug)]\npub struct {name} {{\n");
        source += &format!("instance: {runtime}::Instance,\n");
        source += &export::fields(self.types, &methods);
        for (field, guest, _) in &guests {
            source += &format!("{field}: {guest},\n");
        }
        source += &format!("}}\n\nimpl {name} {{\n");
        if !adders.is_empty() {
            source += &format!(
                "/// Gives components all that the world imports: what is done by that part of a store's \
                 data which\n/// `get` returns.\n\
                 ///\n/// # Errors\n///\n/// If something of it is defined already.\n\
                 pub fn add_to_linker<T, H>(\n\
                 linker: &mut {runtime}::Linker<T>,\n\
                 get: impl Fn(&mut T) -> &mut H + Copy + Send + Sync + 'static,\n\
                 ) -> {runtime}::declare::Result<()>\n\
                 where\n    T: 'static,\n    H: {} + 'static,\n{{\n",
                bounds.join(" + ")
            );
            for adder in adders {
                source += &format!("{adder}(linker, get)?;\n");
            }
            source += "Ok(())\n}\n\n";
        }
        source += &format!(
            "/// Instantiates a component, and finds what it exports.\n\
             ///\n/// # Errors\n///\n\
             /// If something that it imports is not in `linker`, or it is not of this world.\n\
             pub fn instantiate<T: 'static>(\n\
             store: impl {runtime}::declare::AsContextMut<Data = T>,\n\
             component: &{runtime}::Component,\n\
             linker: &{runtime}::Linker<T>,\n\
             ) -> {runtime}::declare::Result<{name}> {{\n\
             {name}::new(linker.instantiate(store, component)?)\n}}\n\n\
             /// Finds what a component exports that was instantiated.\n\
             ///\n/// # Errors\n///\n\
             /// If something is not there, or of another type.\n\
             pub fn new(instance: {runtime}::Instance) -> {runtime}::declare::Result<{name}> {{\n\
             Ok({name} {{\n{}",
            export::found(&scope, &methods)
        );
        for (field, guest, _) in &guests {
            source += &format!("{field}: {guest}::new(&instance)?,\n");
        }
        source += &format!(
            "instance,\n}})\n}}\n\n\
             /// The instance.\n\
             pub fn instance(&self) -> &{runtime}::Instance {{\n&self.instance\n}}\n"
        );
        for method in &methods {
            source.push('\n');
            source += &export::call(self.types, method);
        }
        for (field, guest, title) in &guests {
            source += &format!(
                "\n/// `{title}`.\npub fn {field}(&self) -> &{guest} {{\n&self.{field}\n}}\n"
            );
        }
        source += "}\n";
        Ok(indent_items(&source))
    }
}

/// A world in messages.
fn title(resolve: &Resolve, world: &World) -> String {
    match world.package {
        Some(package) => resolve.id_of_name(package, &world.name),
        None => world.name.clone(),
    }
}
