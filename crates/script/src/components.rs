//! Components in scripts.

use dunlin_module::component::Component;
use dunlin_module::{Error, Features, Module, TypeRegistry};

/// Checks a component completely, the bodies of functions included.
pub(crate) fn decode(bytes: &[u8], features: &Features) -> Result<Component, Error> {
    let component = Component::decode(bytes, features)?;
    let types = TypeRegistry::new();
    for range in &component.modules {
        if let Some(module) = component.bytes.get(range.clone()) {
            Module::decode(module, features, &types)?;
        }
    }
    Ok(component)
}
