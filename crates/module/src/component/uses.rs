//! Which leaves of imports a component has a use for.

use super::types::{DefinedType, FuncTypeIndex, TypeItem, ValueType};
use super::{
    AsyncBuiltin, Component, ComponentExport, ComponentItem, FuncRef, LeafIndex, LeafKind,
    ModuleArgs, ResourceIndex, Step, TrampolineKind,
};

/// Marks the leaves that are used: functions that are lowered or exported, modules that are
/// instantiated or exported, and resources that a builtin or a type of such a function names.
pub(super) fn mark(component: &mut Component) {
    let mut uses = Uses {
        component,
        leaves: vec![false; component.leaves.len()],
        defined: vec![false; component.types.defined.len()],
        resources: vec![false; component.resources.len()],
    };
    uses.steps();
    uses.trampolines();
    for lift in &component.lifts {
        uses.func_type(lift.ty);
    }
    uses.exports(&component.exports);
    uses.spread();
    let Uses { leaves, resources, .. } = uses;
    for (leaf, used) in component.leaves.iter_mut().zip(leaves) {
        leaf.used = match leaf.kind {
            LeafKind::Resource(resource) => resources[resource.index()],
            LeafKind::Func(_) | LeafKind::Module(_) => used,
        };
    }
}

struct Uses<'c> {
    component: &'c Component,
    leaves: Vec<bool>,
    defined: Vec<bool>,
    resources: Vec<bool>,
}

impl Uses<'_> {
    fn steps(&mut self) {
        for step in &self.component.steps {
            if let Step::Instantiate { module: ModuleArgs::Imported(leaf, _), .. } = step {
                self.leaf(*leaf);
            }
        }
    }

    fn trampolines(&mut self) {
        use AsyncBuiltin as B;
        for trampoline in &self.component.trampolines {
            match &trampoline.kind {
                TrampolineKind::Lower { func, ty, .. } => {
                    self.func(*func);
                    self.func_type(*ty);
                }
                TrampolineKind::ResourceNew(resource)
                | TrampolineKind::ResourceRep(resource)
                | TrampolineKind::ResourceDrop(resource) => self.resource(*resource),
                TrampolineKind::Async(builtin) => match builtin {
                    B::TaskReturn { result, .. } => self.optional(*result),
                    B::StreamNew(ty) | B::FutureNew(ty) => self.value(ValueType::Defined(*ty)),
                    _ => {}
                },
            }
        }
    }

    /// Nests as deep as instances do.
    fn exports(&mut self, exports: &[ComponentExport]) {
        for export in exports {
            match &export.item {
                ComponentItem::Func(func, ty) => {
                    self.func(*func);
                    self.func_type(*ty);
                }
                ComponentItem::Instance(exports) => self.exports(exports),
                ComponentItem::Type(TypeItem::Resource(resource)) => self.resource(*resource),
                ComponentItem::Type(TypeItem::Value(ty)) => self.value(*ty),
                ComponentItem::ImportedModule(leaf) => self.leaf(*leaf),
                ComponentItem::Type(TypeItem::Other)
                | ComponentItem::Module(_)
                | ComponentItem::Component => {}
            }
        }
    }

    fn func(&mut self, func: FuncRef) {
        if let FuncRef::Imported(leaf) = func {
            self.leaf(leaf);
        }
    }

    fn leaf(&mut self, leaf: LeafIndex) {
        self.leaves[leaf.index()] = true;
    }

    fn resource(&mut self, resource: ResourceIndex) {
        self.resources[resource.index()] = true;
    }

    fn func_type(&mut self, ty: FuncTypeIndex) {
        let ty = &self.component.types.funcs[ty.index()];
        ty.params.iter().for_each(|(_, ty)| self.value(*ty));
        self.optional(ty.result);
    }

    fn optional(&mut self, ty: Option<ValueType>) {
        if let Some(ty) = ty {
            self.value(ty);
        }
    }

    fn value(&mut self, ty: ValueType) {
        if let ValueType::Defined(ty) = ty {
            self.defined[ty.index()] = true;
        }
    }

    /// From types to what they consist of, which comes before them.
    fn spread(&mut self) {
        let component = self.component;
        for (at, ty) in component.types.defined.iter().enumerate().rev() {
            if !self.defined[at] {
                continue;
            }
            match ty {
                DefinedType::Own(resource) | DefinedType::Borrow(resource) => {
                    self.resource(*resource);
                }
                _ => ty.parts().for_each(|ty| self.value(ty)),
            }
        }
    }
}
