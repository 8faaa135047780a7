//! Component instances: what they export.

use std::fmt;
use std::sync::Arc;

use dunlin_engine::raw::StoreId;
use dunlin_engine::{Error, Module, Result};

use crate::component::Component;
use crate::func::{Func, TypedFunc};
use crate::host::HostFunc;
use crate::link::compatible;
use crate::state::ResourceTypeId;
use crate::types::Type;
use crate::wit_type::{Lift, LowerParams};

/// A component brought to life in a store. It lives as long as that.
#[derive(Clone)]
pub struct Instance(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) component: Component,
    pub(crate) exports: Exports,
}

/// Exports by name, in order of declaration.
pub type Exports = Vec<(Arc<str>, Export)>;

/// Something a component instance exports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Export {
    /// A function.
    Func(Func),
    /// A function of the host that it imports, and hands on.
    HostFunc(HostFunc),
    /// An interface.
    Instance(Exports),
    /// A resource type.
    Resource(ResourceType),
    /// A type of values.
    Type(Type),
    /// A core module.
    Module(Module),
    /// A component, which cannot be used from the outside.
    Component,
}

/// A resource type in a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResourceType {
    pub(crate) store: StoreId,
    pub(crate) ty: ResourceTypeId,
}

impl Instance {
    /// The component it is an instance of.
    pub fn component(&self) -> &Component {
        &self.0.component
    }

    /// Everything it exports.
    pub fn exports(&self) -> &[(Arc<str>, Export)] {
        &self.0.exports
    }

    /// What it exports as `name`; interfaces are also found in another version that is compatible.
    pub fn get_export(&self, name: &str) -> Option<&Export> {
        let exports = &self.0.exports;
        let exact = exports.iter().find(|(known, _)| &**known == name);
        let found = exact.or_else(|| exports.iter().find(|(known, _)| compatible(known, name)));
        found.map(|(_, export)| export)
    }

    /// The function it exports as `name`.
    pub fn get_func(&self, name: &str) -> Option<Func> {
        match self.get_export(name)? {
            Export::Func(func) => Some(func.clone()),
            _ => None,
        }
    }

    /// The function `name` of an interface that it exports.
    pub fn get_func_in(&self, interface: &str, name: &str) -> Option<Func> {
        let Export::Instance(exports) = self.get_export(interface)? else { return None };
        exports.iter().find_map(|(known, export)| match export {
            Export::Func(func) if &**known == name => Some(func.clone()),
            _ => None,
        })
    }

    /// The function it exports as `name`, with its type known to Rust: parameters as a tuple, and the
    /// result, or `()`.
    ///
    /// # Errors
    ///
    /// If there is no such function, or it has another type.
    pub fn get_typed_func<P: LowerParams, R: Lift>(&self, name: &str) -> Result<TypedFunc<P, R>> {
        match self.get_func(name) {
            Some(func) => func.typed(),
            None => Err(self.missing(name)),
        }
    }

    /// As [`Instance::get_typed_func`], for the function `name` of an interface.
    ///
    /// # Errors
    ///
    /// If there is no such function, or it has another type.
    pub fn get_typed_func_in<P: LowerParams, R: Lift>(
        &self,
        interface: &str,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        match self.get_func_in(interface, name) {
            Some(func) => func.typed(),
            None => Err(self.missing(&format!("{interface}#{name}"))),
        }
    }

    /// All functions it exports: the interface, none if it is exported by itself, and the function.
    pub fn funcs(&self) -> Vec<(Option<Arc<str>>, Arc<str>, Func)> {
        let mut found = Vec::new();
        for (name, export) in &self.0.exports {
            match export {
                Export::Func(func) => found.push((None, name.clone(), func.clone())),
                Export::Instance(exports) => {
                    found.extend(exports.iter().filter_map(|(inner, export)| match export {
                        Export::Func(func) => {
                            Some((Some(name.clone()), inner.clone(), func.clone()))
                        }
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        found
    }

    #[cold]
    fn missing(&self, name: &str) -> Error {
        let names: Vec<String> = self
            .funcs()
            .into_iter()
            .take(16)
            .map(|(interface, name, _)| match interface {
                Some(interface) => format!("`{interface}#{name}`"),
                None => format!("`{name}`"),
            })
            .collect();
        let available = match names.is_empty() {
            true => "it exports no functions".to_owned(),
            false => format!("available: {}", names.join(", ")),
        };
        let name = dunlin_module::escape(name);
        Error::link(format!("export `{name}` not found in component; {available}"))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("component", &self.0.component).finish_non_exhaustive()
    }
}
