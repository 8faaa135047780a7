//! What a component exports: structs with a method for each function.

use crate::Error;
use crate::naming::Distinct;
use crate::types::{Types, tuple};
use crate::world::{Scope, Signature, signature};

/// The methods for what a scope exports; `reserved` are names that they cannot have.
pub(crate) fn methods(
    types: &Types<'_>,
    scope: &Scope<'_>,
    reserved: &[&str],
) -> Result<Vec<Signature>, Error> {
    let mut names = Distinct::default();
    for name in reserved {
        names.pick((*name).to_owned());
    }
    let methods = scope.functions.iter().map(|function| {
        let mut method = signature(types, function, &scope.place)?;
        if let Some(id) = function.kind.resource() {
            // Those of all resources are methods of one struct.
            let resource = types.resolve.types[id].name.as_deref().unwrap_or_default();
            let resource = crate::naming::snake(resource);
            let (resource, name) = (resource.trim_start_matches("r#"), &method.name);
            method.name = match name.as_str() {
                "new" => format!("new_{resource}"),
                name => format!("{resource}_{}", name.trim_start_matches("r#")),
            };
        }
        method.name = names.pick(method.name);
        Ok(method)
    });
    methods.collect()
}

/// The struct for an interface, if it has functions.
pub(crate) fn guest(types: &Types<'_>, scope: &Scope<'_>) -> Result<Option<String>, Error> {
    let methods = methods(types, scope, &["new"])?;
    if methods.is_empty() {
        return Ok(None);
    }
    let runtime = types.runtime;
    let title = scope.title();
    let mut source = format!("/// {title}, as a component exports it.\n");
    source += "#[derive(Clone, Debug)]\npub struct Guest {\n";
    source += &fields(types, &methods);
    source += &format!(
        "}}\n\nimpl Guest {{\n\
         /// Finds it in a component that was instantiated.\n\
         ///\n\
         /// # Errors\n\
         ///\n\
         /// If something of it is not there, or of another type.\n\
         pub fn new(instance: &{runtime}::Instance) -> {runtime}::declare::Result<Guest> {{\n\
         Ok(Guest {{\n{}}})\n}}\n",
        found(scope, &methods)
    );
    for method in &methods {
        source.push('\n');
        source += &call(types, method);
    }
    source += "}\n";
    Ok(Some(crate::types::indent_items(&source)))
}

/// The fields that hold functions.
pub(crate) fn fields(types: &Types<'_>, methods: &[Signature]) -> String {
    let fields = methods.iter().map(|method| {
        let owned = tuple(method.params.iter().map(|param| param.owned.clone()));
        let (name, result, runtime) = (&method.name, &method.result, types.runtime);
        format!("{name}: {runtime}::TypedFunc<{owned}, {result}>,\n")
    });
    fields.collect()
}

/// How those fields are filled from an instance.
pub(crate) fn found(scope: &Scope<'_>, methods: &[Signature]) -> String {
    let found = methods.iter().map(|method| match &scope.name {
        Some(interface) => {
            let (name, wit) = (&method.name, &method.wit);
            format!("{name}: instance.get_typed_func_in({interface:?}, {wit:?})?,\n")
        }
        None => format!("{}: instance.get_typed_func({:?})?,\n", method.name, method.wit),
    });
    found.collect()
}

/// The method that calls a function.
pub(crate) fn call(types: &Types<'_>, method: &Signature) -> String {
    let params: String =
        method.params.iter().map(|p| format!(", {}: {}", p.name, p.borrowed)).collect();
    let values = tuple(method.params.iter().map(|param| param.name.clone()));
    let (name, result, runtime) = (&method.name, &method.result, types.runtime);
    // What the store is called must not be the name of a parameter.
    let mut store = "store".to_owned();
    while method.params.iter().any(|param| param.name == store) {
        store.push('_');
    }
    format!(
        "{}\
         pub fn {name}(&self, {store}: impl {runtime}::declare::AsContextMut{params}) \
         -> {runtime}::declare::Result<{result}> {{\n\
         self.{name}.call_as({store}, {values})\n}}\n",
        method.docs,
    )
}
