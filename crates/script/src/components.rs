//! Components in scripts: what can be decoded, instantiated and called.

use dunlin_component::{Component, Instance, Linker, Val};
use dunlin_engine::{Engine, Error, Store, Trap};
use dunlin_module::{Features, Module, TypeRegistry, component};

use crate::value::{Argument, ComponentValue, Expected};

/// Checks a component completely, the bodies of functions included.
pub(crate) fn validate(bytes: &[u8], features: &Features) -> Result<(), dunlin_module::Error> {
    let component = component::Component::decode(bytes, features)?;
    let types = TypeRegistry::new();
    for range in &component.modules {
        if let Some(module) = component.bytes.get(range.clone()) {
            Module::decode(module, features, &types)?;
        }
    }
    Ok(())
}

/// Instantiates `component`; `given` has the instances that its imports of these names are.
pub(crate) fn instantiate(
    engine: &Engine,
    store: &mut Store<()>,
    component: &Component,
    given: impl Iterator<Item = (String, Instance)>,
) -> Result<Instance, Error> {
    let mut linker = Linker::new(engine);
    for (name, instance) in given {
        let mut interface = linker.instance(&name)?;
        for (name, export) in instance.exports() {
            interface.define(name, export)?;
        }
    }
    linker.instantiate(store, component)
}

/// The arguments as values of components, if they are.
pub(crate) fn arguments(arguments: &[Argument]) -> Option<Vec<Val>> {
    let value = |argument: &Argument| match argument {
        Argument::Component(value) => value.to_val(),
        // Floats are spelled as those of core functions are.
        Argument::F32(bits) => Some(Val::F32(f32::from_bits(*bits))),
        Argument::F64(bits) => Some(Val::F64(f64::from_bits(*bits))),
        _ => None,
    };
    arguments.iter().map(value).collect()
}

/// Whether the result of a component's function is what a script expects.
pub(crate) fn matches(expected: &[Expected], found: Option<&Val>) -> bool {
    match (expected, found) {
        ([], None) => true,
        ([Expected::Component(expected)], Some(found)) => {
            expected.matches(&ComponentValue::of(found))
        }
        ([Expected::F32(expected)], Some(Val::F32(found))) => expected.matches(found.to_bits()),
        ([Expected::F64(expected)], Some(Val::F64(found))) => expected.matches(found.to_bits()),
        _ => false,
    }
}

/// Shows the result of a component's function as scripts spell it.
pub(crate) fn show(found: Option<&Val>) -> String {
    found.map_or_else(|| "no result".to_string(), |found| ComponentValue::of(found).to_string())
}

/// The feature without which a component could not be instantiated or called.
pub(crate) fn missing_feature(error: &Error) -> Option<&'static str> {
    const SAYS: [(&str, &str); 2] =
        [("asynchronous ABI", "cm-async"), ("64-bit memories of components", "cm64")];
    let text = error.to_string();
    SAYS.iter().find(|(says, _)| text.contains(says)).map(|(_, feature)| *feature)
}

/// Whether `message` in a script stands for `error`, a trap. Suites of components call traps as
/// Wasmtime does.
pub(crate) fn calls(trap: Trap, error: &Error, message: &str) -> bool {
    let message = message.strip_prefix("wasm trap: ").unwrap_or(message);
    match trap {
        Trap::Component => error.to_string().contains(message),
        Trap::Unreachable => message == "wasm `unreachable` instruction executed",
        _ => false,
    }
}
