//! Types of a component, each kept once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::types::{
    ComponentFuncType, ComponentTypes, DefinedType, DefinedTypeIndex, FuncTypeIndex, InstanceType,
    InstanceTypeIndex, ModuleType, ModuleTypeIndex, ValueType,
};

/// The types met so far, and the names in them.
#[derive(Default)]
pub(super) struct Interner<'a> {
    defined: Unique<DefinedType>,
    funcs: Unique<ComponentFuncType>,
    instances: Unique<InstanceType>,
    modules: Unique<ModuleType>,
    names: HashMap<&'a str, Arc<str>>,
}

impl<'a> Interner<'a> {
    pub(super) fn name(&mut self, name: &'a str) -> Arc<str> {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
    }

    pub(super) fn value(&mut self, ty: DefinedType) -> ValueType {
        ValueType::Defined(DefinedTypeIndex(self.defined.index_of(ty)))
    }

    pub(super) fn func(&mut self, ty: ComponentFuncType) -> FuncTypeIndex {
        FuncTypeIndex(self.funcs.index_of(ty))
    }

    pub(super) fn instance(&mut self, ty: InstanceType) -> InstanceTypeIndex {
        InstanceTypeIndex(self.instances.index_of(ty))
    }

    pub(super) fn module(&mut self, ty: ModuleType) -> ModuleTypeIndex {
        ModuleTypeIndex(self.modules.index_of(ty))
    }

    /// Module and name of each import of a module of type `ty`.
    pub(super) fn imports_of(&self, ty: ModuleTypeIndex) -> Vec<(Arc<str>, Arc<str>)> {
        let imports = self.modules.list[ty.index()].imports.iter();
        imports.map(|(module, name, _)| (module.clone(), name.clone())).collect()
    }

    pub(super) fn finish(self) -> ComponentTypes {
        ComponentTypes {
            defined: self.defined.list.into(),
            funcs: self.funcs.list.into(),
            instances: self.instances.list.into(),
            modules: self.modules.list.into(),
        }
    }
}

/// A list without equal entries.
pub(super) struct Unique<T> {
    pub(super) list: Vec<T>,
    at: HashMap<T, u32>,
}

impl<T> Default for Unique<T> {
    fn default() -> Unique<T> {
        Unique { list: Vec::new(), at: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Unique<T> {
    pub(super) fn index_of(&mut self, entry: T) -> u32 {
        if let Some(at) = self.at.get(&entry) {
            return *at;
        }
        // What makes entries is bounded far below 32 bits.
        let at = self.list.len() as u32;
        self.list.push(entry.clone());
        self.at.insert(entry, at);
        at
    }
}
