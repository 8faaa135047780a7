//! What the definitions of a component or of a type stand for, while they are followed.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::{
    ComponentExternalKind, ComponentTypeDeclaration, ExternalKind, InstanceTypeDeclaration,
};

use super::types::{FuncTypeIndex, ModuleTypeIndex, ValueType};
use super::{
    ComponentInstanceIndex, CoreInstanceIndex, CoreItem, FuncRef, LeafIndex, ResourceIndex,
    StaticModuleIndex,
};
use crate::types::FuncType as CoreFuncType;

/// A place among the scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ScopeId(pub(super) usize);

/// The index spaces of one instance of a component, or of one reading of a type.
#[derive(Default)]
pub(super) struct Scope<'a> {
    /// What outer aliases reach.
    pub parent: Option<ScopeId>,
    pub types: Vec<Type<'a>>,
    pub funcs: Vec<(FuncRef, FuncTypeIndex)>,
    pub instances: Vec<Instance<'a>>,
    pub components: Vec<ComponentValue<'a>>,
    pub modules: Vec<ModuleValue>,
    pub core_types: Vec<CoreTypeValue>,
    pub core_instances: Vec<CoreInstanceValue<'a>>,
    pub core_funcs: Vec<CoreItem>,
    pub core_tables: Vec<CoreItem>,
    pub core_memories: Vec<CoreItem>,
    pub core_globals: Vec<CoreItem>,
    pub core_tags: Vec<CoreItem>,
}

/// Something with an index in a component.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Func(FuncRef, FuncTypeIndex),
    Instance(Instance<'a>),
    Type(Type<'a>),
    Module(ModuleValue),
    Component(ComponentValue<'a>),
}

/// A type, its names resolved.
#[derive(Clone, Copy)]
pub(super) enum Type<'a> {
    Value(ValueType),
    Resource(ResourceIndex),
    Func(FuncTypeIndex),
    /// Of an instance or a component: read anew for each thing of that type.
    Declared(Declared<'a>),
}

/// The declarations of an instance or component type, and what surrounds them.
#[derive(Clone, Copy)]
pub(super) struct Declared<'a> {
    pub list: Declarations<'a>,
    pub scope: ScopeId,
}

#[derive(Clone, Copy)]
pub(super) enum Declarations<'a> {
    Instance(&'a [InstanceTypeDeclaration<'a>]),
    Component(&'a [ComponentTypeDeclaration<'a>]),
}

/// A component instance: its exports.
#[derive(Clone)]
pub(super) struct Instance<'a> {
    pub exports: Rc<Exports<'a>>,
    /// The instance of a nested component that it is, or is an export of.
    pub made_by: Option<ComponentInstanceIndex>,
}

/// Named values, in order.
#[derive(Default)]
pub(super) struct Exports<'a> {
    pub list: Vec<Export<'a>>,
    at: HashMap<&'a str, usize>,
    /// How deep instances nest in it.
    pub depth: usize,
}

/// One of [`Exports`].
pub(super) struct Export<'a> {
    pub name: &'a str,
    pub implements: Option<&'a str>,
    pub value: Value<'a>,
}

/// A component that can be instantiated.
#[derive(Clone, Copy)]
pub(super) struct ComponentValue<'a> {
    /// What it was defined as.
    pub definition: usize,
    /// What outer aliases in it reach.
    pub scope: ScopeId,
    /// The type by which it was imported or exported last: of what it exports, only this is seen.
    pub seen_as: Option<Declared<'a>>,
}

/// A core module that can be instantiated.
#[derive(Clone, Copy)]
pub(super) enum ModuleValue {
    Static(StaticModuleIndex),
    Imported(LeafIndex, ModuleTypeIndex),
}

/// A core type.
#[derive(Clone)]
pub(super) enum CoreTypeValue {
    Func(CoreFuncType),
    Module(ModuleTypeIndex),
    /// One that nothing at the edge of a core module may have here: it names defined types.
    Other,
}

/// A core instance.
#[derive(Clone)]
pub(super) enum CoreInstanceValue<'a> {
    Instantiated(CoreInstanceIndex),
    Bag(Rc<HashMap<&'a str, CoreItem>>),
}

impl<'a> Exports<'a> {
    pub(super) fn push(&mut self, name: &'a str, implements: Option<&'a str>, value: Value<'a>) {
        if let Value::Instance(instance) = &value {
            self.depth = self.depth.max(instance.exports.depth + 1);
        }
        self.at.insert(name, self.list.len());
        self.list.push(Export { name, implements, value });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.at.get(name).map(|at| &self.list[*at].value)
    }
}

impl<'a> Scope<'a> {
    pub(super) fn push(&mut self, value: Value<'a>) {
        match value {
            Value::Func(func, ty) => self.funcs.push((func, ty)),
            Value::Instance(instance) => self.instances.push(instance),
            Value::Type(ty) => self.types.push(ty),
            Value::Module(module) => self.modules.push(module),
            Value::Component(component) => self.components.push(component),
        }
    }

    /// What has the index `at`; nothing for values, which no binary that was accepted has.
    pub(super) fn get(&self, kind: ComponentExternalKind, at: u32) -> Option<Value<'a>> {
        let at = at as usize;
        Some(match kind {
            ComponentExternalKind::Func => {
                let (func, ty) = *self.funcs.get(at)?;
                Value::Func(func, ty)
            }
            ComponentExternalKind::Instance => Value::Instance(self.instances.get(at)?.clone()),
            ComponentExternalKind::Type => Value::Type(*self.types.get(at)?),
            ComponentExternalKind::Module => Value::Module(*self.modules.get(at)?),
            ComponentExternalKind::Component => Value::Component(*self.components.get(at)?),
            ComponentExternalKind::Value => return None,
        })
    }

    /// The index space of core items of this kind.
    pub(super) fn core(&mut self, kind: ExternalKind) -> &mut Vec<CoreItem> {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => &mut self.core_funcs,
            ExternalKind::Table => &mut self.core_tables,
            ExternalKind::Memory => &mut self.core_memories,
            ExternalKind::Global => &mut self.core_globals,
            ExternalKind::Tag => &mut self.core_tags,
        }
    }
}
