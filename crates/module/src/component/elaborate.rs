//! Declared types against what is given for them: what is seen of an import or an export.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::{
    ComponentAlias, ComponentExternName, ComponentType, ComponentTypeDeclaration, ComponentTypeRef,
    CoreType, InstanceTypeDeclaration, TypeBounds,
};

use super::link::Linker;
use super::scope::{
    ComponentValue, CoreTypeValue, Declarations, Declared, Exports, Instance, ModuleValue, ScopeId,
    Type, Value,
};
use super::types::{FuncTypeIndex, InstanceType, ItemType, TypeItem};
use super::{FuncRef, Leaf, LeafIndex, LeafKind, Resource, ResourceIndex, ResourceOrigin};
use crate::error::Error;

/// What a component is instantiated with, by name.
pub(super) type Args<'a> = HashMap<&'a str, Value<'a>>;

/// Where what is declared comes from.
#[derive(Clone, Copy)]
pub(super) enum Given<'v, 'a> {
    /// From outside of the component: each thing in it is a leaf of an import.
    Outside,
    /// From here.
    Value(&'v Value<'a>),
}

/// One declaration of an instance or component type.
enum Declaration<'a> {
    CoreType(&'a CoreType<'a>),
    Type(&'a ComponentType<'a>),
    Alias(&'a ComponentAlias<'a>),
    Export(&'a ComponentExternName<'a>, ComponentTypeRef),
    Import(&'a str, ComponentTypeRef),
}

impl<'a> Linker<'a> {
    /// What is seen of `given` as something of the type `ty`, which `scope` knows.
    pub(super) fn bind(
        &mut self,
        scope: ScopeId,
        ty: ComponentTypeRef,
        given: Given<'_, 'a>,
    ) -> Result<Value<'a>, Error> {
        match given {
            Given::Outside => self.outside(scope, ty),
            Given::Value(value) => self.inside(scope, ty, value),
        }
    }

    fn inside(
        &mut self,
        scope: ScopeId,
        ty: ComponentTypeRef,
        value: &Value<'a>,
    ) -> Result<Value<'a>, Error> {
        Ok(match (ty, value) {
            (ComponentTypeRef::Func(at), Value::Func(func, _)) => {
                Value::Func(*func, self.func_type(scope, at)?)
            }
            (ComponentTypeRef::Instance(at), Value::Instance(instance)) => {
                let declared = self.declared(scope, at)?;
                let exports = self.elaborate(declared, None, Some(&instance.exports))?;
                Value::Instance(Instance { exports: Rc::new(exports), made_by: instance.made_by })
            }
            (ComponentTypeRef::Component(at), Value::Component(component)) => {
                let seen_as = Some(self.declared(scope, at)?);
                Value::Component(ComponentValue { seen_as, ..*component })
            }
            (ComponentTypeRef::Type(_), Value::Type(_))
            | (ComponentTypeRef::Module(_), Value::Module(_)) => value.clone(),
            _ => return Err(self.unexpected("kind of argument")),
        })
    }

    fn outside(&mut self, scope: ScopeId, ty: ComponentTypeRef) -> Result<Value<'a>, Error> {
        Ok(match ty {
            ComponentTypeRef::Func(at) => {
                let ty = self.func_type(scope, at)?;
                Value::Func(FuncRef::Imported(self.leaf(LeafKind::Func(ty))?), ty)
            }
            ComponentTypeRef::Instance(at) => {
                let declared = self.declared(scope, at)?;
                let exports = Rc::new(self.elaborate(declared, None, None)?);
                Value::Instance(Instance { exports, made_by: None })
            }
            ComponentTypeRef::Type(TypeBounds::Eq(at)) => {
                Value::Type(self.scope(scope).types[at as usize])
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => {
                self.check_room(self.resources.len(), "resource types")?;
                let resource = ResourceIndex(self.resources.len() as u32);
                let leaf = self.leaf(LeafKind::Resource(resource))?;
                let name = self.path.last().map(|name| self.types.name(name));
                let origin = ResourceOrigin::Imported(leaf);
                self.resources.push(Resource { name, wide: false, origin });
                Value::Type(Type::Resource(resource))
            }
            ComponentTypeRef::Module(at) => match self.scope(scope).core_types[at as usize] {
                CoreTypeValue::Module(ty) => {
                    let leaf = self.leaf(LeafKind::Module(ty))?;
                    Value::Module(ModuleValue::Imported(leaf, ty))
                }
                _ => return Err(self.unexpected("core type")),
            },
            ComponentTypeRef::Component(_) => {
                return Err(self.unsupported("imports of components"));
            }
            ComponentTypeRef::Value(_) => return Err(self.unsupported("imports of values")),
        })
    }

    /// A leaf of the import that is being read.
    fn leaf(&mut self, kind: LeafKind) -> Result<LeafIndex, Error> {
        self.check_room(self.leaves.len(), "imports")?;
        self.charge(self.path.len())?;
        let leaf = LeafIndex(self.leaves.len() as u32);
        // The first name is that of the import itself, which comes to be once it has been read.
        let path = self.path.iter().skip(1).map(|name| self.types.name(name)).collect();
        let import = self.imports.len() as u32;
        self.leaves.push(Leaf { import, path, kind, used: false });
        Ok(leaf)
    }

    /// What `declared` says is there: of `imports` and `exports`, or, without the latter, from
    /// outside of the component.
    pub(super) fn elaborate(
        &mut self,
        declared: Declared<'a>,
        imports: Option<&Args<'a>>,
        exports: Option<&Exports<'a>>,
    ) -> Result<Exports<'a>, Error> {
        let scope = self.open_scope(Some(declared.scope));
        let mut seen = Exports::default();
        for at in 0..declared.list.len() {
            self.charge(1)?;
            match declared.list.get(at) {
                Declaration::CoreType(ty) => self.core_type(scope, ty)?,
                Declaration::Type(ty) => {
                    let ty = self.define(scope, ty)?;
                    self.scope_mut(scope).types.push(ty);
                }
                Declaration::Alias(alias) => self.alias(scope, alias)?,
                Declaration::Import(name, ty) => {
                    let value = imports.and_then(|imports| imports.get(name));
                    let value = value.ok_or_else(|| self.unexpected("import of a component"))?;
                    let value = self.inside(scope, ty, value)?;
                    self.scope_mut(scope).push(value);
                }
                Declaration::Export(name, ty) => {
                    let given = match exports {
                        None => Given::Outside,
                        Some(exports) => Given::Value(
                            exports.get(name.name).ok_or_else(|| self.unexpected("export"))?,
                        ),
                    };
                    self.path.push(name.name);
                    self.check_depth(self.path.len())?;
                    let value = self.bind(scope, ty, given)?;
                    self.path.pop();
                    self.scope_mut(scope).push(value.clone());
                    seen.push(name.name, name.implements, value);
                }
            }
        }
        Ok(seen)
    }

    /// The instance or component type with the index `at`.
    fn declared(&self, scope: ScopeId, at: u32) -> Result<Declared<'a>, Error> {
        match self.scope(scope).types[at as usize] {
            Type::Declared(declared) => Ok(declared),
            _ => Err(self.unexpected("type where one of instances belongs")),
        }
    }

    pub(super) fn func_type(&self, scope: ScopeId, at: u32) -> Result<FuncTypeIndex, Error> {
        match self.scope(scope).types[at as usize] {
            Type::Func(ty) => Ok(ty),
            _ => Err(self.unexpected("type where one of functions belongs")),
        }
    }

    /// The type of a value that is imported. Nests as deep as instances do.
    pub(super) fn item_type(&mut self, value: &Value<'a>) -> ItemType {
        match value {
            Value::Func(_, ty) => ItemType::Func(*ty),
            Value::Type(ty) => ItemType::Type(type_item(*ty)),
            Value::Module(ModuleValue::Imported(_, ty)) => ItemType::Module(*ty),
            Value::Module(ModuleValue::Static(_)) | Value::Component(_) => ItemType::Component,
            Value::Instance(instance) => {
                let exports = instance.exports.list.iter();
                let exports = exports
                    .map(|export| (self.types.name(export.name), self.item_type(&export.value)))
                    .collect();
                ItemType::Instance(self.types.instance(InstanceType { exports }))
            }
        }
    }
}

pub(super) fn type_item(ty: Type<'_>) -> TypeItem {
    match ty {
        Type::Value(ty) => TypeItem::Value(ty),
        Type::Resource(resource) => TypeItem::Resource(resource),
        Type::Func(_) | Type::Declared(_) => TypeItem::Other,
    }
}

impl<'a> Declarations<'a> {
    fn len(self) -> usize {
        match self {
            Declarations::Instance(list) => list.len(),
            Declarations::Component(list) => list.len(),
        }
    }

    fn get(self, at: usize) -> Declaration<'a> {
        match self {
            Declarations::Instance(list) => match &list[at] {
                InstanceTypeDeclaration::CoreType(ty) => Declaration::CoreType(ty),
                InstanceTypeDeclaration::Type(ty) => Declaration::Type(ty),
                InstanceTypeDeclaration::Alias(alias) => Declaration::Alias(alias),
                InstanceTypeDeclaration::Export { name, ty } => Declaration::Export(name, *ty),
            },
            Declarations::Component(list) => match &list[at] {
                ComponentTypeDeclaration::CoreType(ty) => Declaration::CoreType(ty),
                ComponentTypeDeclaration::Type(ty) => Declaration::Type(ty),
                ComponentTypeDeclaration::Alias(alias) => Declaration::Alias(alias),
                ComponentTypeDeclaration::Export { name, ty } => Declaration::Export(name, *ty),
                ComponentTypeDeclaration::Import(import) => {
                    Declaration::Import(import.name.name, import.ty)
                }
            },
        }
    }
}
