//! What a component imports: traits for the host to implement, and functions that give it to linkers.

use wit_parser::{Function, TypeId};

use crate::Error;
use crate::naming::{Distinct, docs, type_name};
use crate::types::{Types, tuple};
use crate::world::{Scope, Signature, signature};

/// A trait of the host's.
struct Trait {
    name: String,
    docs: String,
    /// The resource that it is about, and what the method is called that ends one.
    resource: Option<(String, String, String)>,
    methods: Vec<Signature>,
}

/// The code for what a scope imports, and the trait a host needs for it; `None` without functions and
/// resources. `host` is what that trait shall be called.
pub(crate) fn code(
    types: &Types<'_>,
    scope: &Scope<'_>,
    host: &str,
) -> Result<Option<(String, String)>, Error> {
    let mut traits = Vec::new();
    let mut names = Distinct::default();
    let host = names.pick(host.to_owned());
    for id in &scope.resources {
        traits.push(of_resource(types, scope, *id, &mut names)?);
    }
    let free = scope.functions.iter().filter(|f| f.kind.resource().is_none());
    let methods = methods(types, scope, free, &mut Distinct::default())?;
    if traits.is_empty() && methods.is_empty() {
        return Ok(None);
    }
    let supertraits: Vec<String> = traits.iter().map(|of| of.name.clone()).collect();
    let docs = format!("/// What the host does for {}.\n", scope.title());
    traits.push(Trait { name: host.clone(), docs, resource: None, methods });
    let mut source = String::new();
    for of in &traits {
        let supertraits = match of.resource.is_none() && !supertraits.is_empty() {
            true => format!(": {}", supertraits.join(" + ")),
            false => String::new(),
        };
        source += &declaration(types, of, &supertraits, scope);
        source.push('\n');
    }
    source += &adding(types, scope, &traits, &host);
    Ok(Some((source, host)))
}

fn of_resource(
    types: &Types<'_>,
    scope: &Scope<'_>,
    id: TypeId,
    names: &mut Distinct,
) -> Result<Trait, Error> {
    let def = &types.resolve.types[id];
    let wit = def.name.clone().unwrap_or_default();
    let rust = type_name(&wit);
    let mut taken = Distinct::default();
    let of = scope.functions.iter().filter(|f| f.kind.resource() == Some(id));
    let methods = methods(types, scope, of, &mut taken)?;
    let end = taken.pick("drop".to_owned());
    let docs = docs(def.docs.contents.as_deref(), &format!("What the host does for `{wit}`."));
    let name = names.pick(format!("Host{rust}"));
    Ok(Trait { name, docs, resource: Some((wit, rust, end)), methods })
}

fn methods<'f>(
    types: &Types<'_>,
    scope: &Scope<'_>,
    functions: impl Iterator<Item = &'f &'f Function>,
    names: &mut Distinct,
) -> Result<Vec<Signature>, Error> {
    let methods = functions.map(|function| {
        let mut method = signature(types, function, &scope.place)?;
        method.name = names.pick(method.name);
        Ok(method)
    });
    methods.collect()
}

fn declaration(types: &Types<'_>, of: &Trait, supertraits: &str, scope: &Scope<'_>) -> String {
    let runtime = types.runtime;
    let mut source = format!("{}pub trait {}{supertraits} {{\n", of.docs, of.name);
    for method in &of.methods {
        let params: String = method
            .params
            .iter()
            .map(|param| format!(", {}: {}", param.name, param.owned))
            .collect();
        let (name, result) = (&method.name, &method.result);
        source += &method.docs;
        source +=
            &format!("fn {name}(&mut self{params}) -> {runtime}::declare::Result<{result}>;\n");
    }
    if let Some((_, rust, end)) = &of.resource {
        let marker = crate::tree::path(&scope.place, &scope.place, rust);
        source += "/// Ends one: no guest has a handle of it any more.\n";
        source += &format!(
            "fn {end}(&mut self, this: {runtime}::Resource<{marker}>) \
             -> {runtime}::declare::Result<()>;\n"
        );
    }
    source += "}\n";
    source
}

/// The function that gives all of it to a linker.
fn adding(types: &Types<'_>, scope: &Scope<'_>, traits: &[Trait], host: &str) -> String {
    let runtime = types.runtime;
    let mut source = format!(
        "/// Gives components {}: what is done by that part of a store's data which `get` returns.\n\
         ///\n\
         /// # Errors\n\
         ///\n\
         /// If something of it is defined already.\n\
         pub fn {}<T: 'static, H: {host} + 'static>(\n\
         linker: &mut {runtime}::Linker<T>,\n\
         get: impl Fn(&mut T) -> &mut H + Copy + Send + Sync + 'static,\n\
         ) -> {runtime}::declare::Result<()> {{\n",
        scope.title(),
        scope.add_name(),
    );
    source += &match &scope.name {
        Some(name) => format!("let mut at = linker.instance({name:?})?;\n"),
        None => "let mut at = linker.root();\n".to_owned(),
    };
    for of in traits {
        let name = &of.name;
        if let Some((wit, rust, end)) = &of.resource {
            let marker = crate::tree::path(&scope.place, &scope.place, rust);
            source += &format!(
                "at.resource::<{marker}>({wit:?}, move |mut store, rep| {{\n\
                 <H as {name}>::{end}(get(store.data_mut()), {runtime}::Resource::new_own(rep))\n\
                 }})?;\n"
            );
        }
        for method in &of.methods {
            let owned = method.params.iter().map(|param| param.owned.clone());
            let names: Vec<String> = (0..method.params.len()).map(|i| format!("p{i}")).collect();
            source += &format!(
                "at.func_wrap({:?}, move |mut caller: {runtime}::Caller<'_, T>, {}: {}| {{\n\
                 <H as {name}>::{}(get(caller.data_mut()){})\n\
                 }})?;\n",
                method.wit,
                tuple(names.iter().cloned()),
                tuple(owned),
                method.name,
                names.iter().map(|name| format!(", {name}")).collect::<String>(),
            );
        }
    }
    source += "Ok(())\n}\n";
    source
}
