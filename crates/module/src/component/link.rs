//! What following the definitions of components needs everywhere: scopes, types, limits, errors.

use std::sync::Arc;

use wasmparser::{
    ComponentAlias, ComponentDefinedType, ComponentFuncType as ParserFuncType,
    ComponentOuterAliasKind, ComponentType, ComponentValType, CoreType as ParserCoreType,
    ModuleTypeDeclaration, PrimitiveValType,
};

use super::intern::{Interner, Unique};
use super::read::Source;
use super::scope::{
    CoreInstanceValue, CoreTypeValue, Declarations, Declared, Instance, Scope, ScopeId, Type, Value,
};
use super::types::{ComponentFuncType, DefinedType, ModuleType, ValueType};
use super::{
    CanonicalOptions, ComponentImport, ComponentInstance, CoreItem, Leaf, Lift, Resource, Step,
    Trampoline, core_types,
};
use crate::error::{Error, ErrorKind};
use crate::limits;

/// Names and types of fields or parameters.
type Fields = Box<[(Arc<str>, ValueType)]>;

/// Follows definitions, and collects what comes of them.
pub(super) struct Linker<'a> {
    pub source: &'a Source<'a>,
    pub scopes: Vec<Scope<'a>>,
    pub types: Interner<'a>,
    pub options: Unique<CanonicalOptions>,
    pub instances: Vec<ComponentInstance>,
    pub resources: Vec<Resource>,
    pub imports: Vec<ComponentImport>,
    pub leaves: Vec<Leaf>,
    pub steps: Vec<Step>,
    /// How many of the steps make core instances.
    pub core_instances: usize,
    pub trampolines: Vec<Trampoline>,
    pub lifts: Vec<Lift>,
    /// Names that lead to where an import is being read.
    pub path: Vec<&'a str>,
    /// Where in the binary the definition is that is being followed.
    pub at: u64,
    work: u32,
}

impl<'a> Linker<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Linker<'a> {
        Linker {
            source,
            scopes: Vec::new(),
            types: Interner::default(),
            options: Unique::default(),
            instances: Vec::new(),
            resources: Vec::new(),
            imports: Vec::new(),
            leaves: Vec::new(),
            steps: Vec::new(),
            core_instances: 0,
            trampolines: Vec::new(),
            lifts: Vec::new(),
            path: Vec::new(),
            at: 0,
            work: limits::COMPONENT_WORK,
        }
    }

    /// Accounts for `amount` more things to look at.
    pub(super) fn charge(&mut self, amount: usize) -> Result<(), Error> {
        let left = u32::try_from(amount).ok().and_then(|amount| self.work.checked_sub(amount));
        match left {
            Some(left) => {
                self.work = left;
                Ok(())
            }
            None => {
                let limit = limits::COMPONENT_WORK;
                Err(self.too_large(format!(
                    "component comes to more than {limit} definitions, counted as often as they \
                     are instantiated"
                )))
            }
        }
    }

    /// Refuses one more of what there are `count` of.
    pub(super) fn check_room(&self, count: usize, what: &str) -> Result<(), Error> {
        let limit = limits::COMPONENT_ITEMS;
        match count < limit {
            true => Ok(()),
            false => Err(self.too_large(format!(
                "component comes to more than {limit} {what}, counted as often as they are \
                 instantiated"
            ))),
        }
    }

    pub(super) fn check_depth(&self, depth: usize) -> Result<(), Error> {
        let limit = limits::INSTANCE_DEPTH;
        match depth <= limit {
            true => Ok(()),
            false => Err(self.too_large(format!("instances nest more than {limit} deep"))),
        }
    }

    fn too_large(&self, message: String) -> Error {
        Error::new(ErrorKind::LimitExceeded, message, Some(self.at))
    }

    pub(super) fn unsupported(&self, what: &str) -> Error {
        let message = format!("{what} are not supported");
        Error::new(ErrorKind::Unsupported(None), message, Some(self.at))
    }

    /// What cannot be, because the parser's validator has accepted the binary.
    pub(super) fn unexpected(&self, what: &str) -> Error {
        debug_assert!(false, "validated: {what} at {:#x}", self.at);
        Error::new(ErrorKind::Invalid, format!("unexpected {what}"), Some(self.at))
    }

    pub(super) fn scope(&self, id: ScopeId) -> &Scope<'a> {
        &self.scopes[id.0]
    }

    pub(super) fn scope_mut(&mut self, id: ScopeId) -> &mut Scope<'a> {
        &mut self.scopes[id.0]
    }

    pub(super) fn open_scope(&mut self, parent: Option<ScopeId>) -> ScopeId {
        let id = ScopeId(self.scopes.len());
        self.scopes.push(Scope { parent, ..Scope::default() });
        id
    }

    /// Gives `alias` the next index of its kind in `scope`.
    pub(super) fn alias(
        &mut self,
        scope: ScopeId,
        alias: &'a ComponentAlias<'a>,
    ) -> Result<(), Error> {
        match *alias {
            ComponentAlias::InstanceExport { instance_index, name, .. } => {
                let instance = &self.scope(scope).instances[instance_index as usize];
                let mut value = instance.exports.get(name).cloned();
                if let Some(Value::Instance(Instance { made_by: made_by @ None, .. })) = &mut value
                {
                    *made_by = instance.made_by;
                }
                let value = value.ok_or_else(|| self.unexpected("name of an export"))?;
                self.scope_mut(scope).push(value);
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let instance = self.scope(scope).core_instances[instance_index as usize].clone();
                let item = self.core_export(&instance, name)?;
                self.scope_mut(scope).core(kind).push(item);
            }
            ComponentAlias::Outer { kind, count, index } => {
                self.outer(scope, kind, count, index)?
            }
        }
        Ok(())
    }

    pub(super) fn core_export(
        &mut self,
        instance: &CoreInstanceValue<'a>,
        name: &'a str,
    ) -> Result<CoreItem, Error> {
        let name = self.types.name(name);
        self.core_export_shared(instance, name)
    }

    pub(super) fn core_export_shared(
        &self,
        instance: &CoreInstanceValue<'a>,
        name: Arc<str>,
    ) -> Result<CoreItem, Error> {
        match instance {
            CoreInstanceValue::Instantiated(at) => Ok(CoreItem::Export(*at, name)),
            CoreInstanceValue::Bag(items) => {
                items.get(&*name).cloned().ok_or_else(|| self.unexpected("name of a core export"))
            }
        }
    }

    fn outer(
        &mut self,
        scope: ScopeId,
        kind: ComponentOuterAliasKind,
        count: u32,
        index: u32,
    ) -> Result<(), Error> {
        let from = self.surrounding(scope, count)?;
        let (from, index) = (self.scope(from), index as usize);
        match kind {
            ComponentOuterAliasKind::CoreModule => {
                let module = from.modules[index];
                self.scope_mut(scope).modules.push(module);
            }
            ComponentOuterAliasKind::CoreType => {
                let ty = from.core_types[index].clone();
                self.scope_mut(scope).core_types.push(ty);
            }
            ComponentOuterAliasKind::Type => {
                let ty = from.types[index];
                self.scope_mut(scope).types.push(ty);
            }
            ComponentOuterAliasKind::Component => {
                let component = from.components[index];
                self.scope_mut(scope).components.push(component);
            }
        }
        Ok(())
    }

    /// The scope `count` times around `scope`.
    fn surrounding(&self, scope: ScopeId, count: u32) -> Result<ScopeId, Error> {
        let mut from = scope;
        for _ in 0..count {
            from = self.scope(from).parent.ok_or_else(|| self.unexpected("outer alias"))?;
        }
        Ok(from)
    }

    /// A type other than that of a new resource.
    pub(super) fn define(
        &mut self,
        scope: ScopeId,
        ty: &'a ComponentType<'a>,
    ) -> Result<Type<'a>, Error> {
        Ok(match ty {
            ComponentType::Defined(ty) => Type::Value(self.defined(scope, ty)?),
            ComponentType::Func(ty) => self.func(scope, ty)?,
            ComponentType::Component(list) => {
                Type::Declared(Declared { list: Declarations::Component(list), scope })
            }
            ComponentType::Instance(list) => {
                Type::Declared(Declared { list: Declarations::Instance(list), scope })
            }
            ComponentType::Resource { .. } => return Err(self.unexpected("resource type")),
        })
    }

    fn func(&mut self, scope: ScopeId, ty: &'a ParserFuncType<'a>) -> Result<Type<'a>, Error> {
        let params = self.fields(scope, &ty.params)?;
        let result = self.optional(scope, ty.result)?;
        Ok(Type::Func(self.types.func(ComponentFuncType { params, result, async_: ty.async_ })))
    }

    fn fields(
        &mut self,
        scope: ScopeId,
        fields: &'a [(&'a str, ComponentValType)],
    ) -> Result<Fields, Error> {
        self.charge(fields.len())?;
        fields
            .iter()
            .map(|(name, ty)| Ok((self.types.name(name), self.value(scope, *ty)?)))
            .collect()
    }

    fn names(&mut self, names: &'a [&'a str]) -> Result<Box<[Arc<str>]>, Error> {
        self.charge(names.len())?;
        Ok(names.iter().map(|name| self.types.name(name)).collect())
    }

    fn defined(
        &mut self,
        scope: ScopeId,
        ty: &'a ComponentDefinedType<'a>,
    ) -> Result<ValueType, Error> {
        let ty = match ty {
            ComponentDefinedType::Primitive(ty) => return Ok(primitive(*ty)),
            ComponentDefinedType::Record(fields) => {
                DefinedType::Record(self.fields(scope, fields)?)
            }
            ComponentDefinedType::Variant(cases) => {
                self.charge(cases.len())?;
                let cases = cases
                    .iter()
                    .map(|case| Ok((self.types.name(case.name), self.optional(scope, case.ty)?)));
                DefinedType::Variant(cases.collect::<Result<_, Error>>()?)
            }
            ComponentDefinedType::List(ty) => DefinedType::List(self.value(scope, *ty)?),
            ComponentDefinedType::Map(key, value) => {
                DefinedType::Map(self.value(scope, *key)?, self.value(scope, *value)?)
            }
            ComponentDefinedType::FixedLengthList(ty, length) => {
                DefinedType::FixedList(self.value(scope, *ty)?, *length)
            }
            ComponentDefinedType::Tuple(types) => {
                self.charge(types.len())?;
                let types = types.iter().map(|ty| self.value(scope, *ty));
                DefinedType::Tuple(types.collect::<Result<_, Error>>()?)
            }
            ComponentDefinedType::Flags(names) => DefinedType::Flags(self.names(names)?),
            ComponentDefinedType::Enum(names) => DefinedType::Enum(self.names(names)?),
            ComponentDefinedType::Option(ty) => DefinedType::Option(self.value(scope, *ty)?),
            ComponentDefinedType::Result { ok, err } => DefinedType::Result {
                ok: self.optional(scope, *ok)?,
                err: self.optional(scope, *err)?,
            },
            ComponentDefinedType::Own(at) => DefinedType::Own(self.resource(scope, *at)?),
            ComponentDefinedType::Borrow(at) => DefinedType::Borrow(self.resource(scope, *at)?),
            ComponentDefinedType::Future(ty) => DefinedType::Future(self.optional(scope, *ty)?),
            ComponentDefinedType::Stream(ty) => DefinedType::Stream(self.optional(scope, *ty)?),
        };
        Ok(self.types.value(ty))
    }

    pub(super) fn value(&self, scope: ScopeId, ty: ComponentValType) -> Result<ValueType, Error> {
        match ty {
            ComponentValType::Primitive(ty) => Ok(primitive(ty)),
            ComponentValType::Type(at) => match self.scope(scope).types[at as usize] {
                Type::Value(ty) => Ok(ty),
                _ => Err(self.unexpected("type where one of values belongs")),
            },
        }
    }

    pub(super) fn optional(
        &self,
        scope: ScopeId,
        ty: Option<ComponentValType>,
    ) -> Result<Option<ValueType>, Error> {
        ty.map(|ty| self.value(scope, ty)).transpose()
    }

    pub(super) fn resource(&self, scope: ScopeId, at: u32) -> Result<super::ResourceIndex, Error> {
        match self.scope(scope).types[at as usize] {
            Type::Resource(resource) => Ok(resource),
            _ => Err(self.unexpected("type where a resource belongs")),
        }
    }

    /// Gives the core types that `ty` defines the next indices in `scope`.
    pub(super) fn core_type(
        &mut self,
        scope: ScopeId,
        ty: &'a ParserCoreType<'a>,
    ) -> Result<(), Error> {
        match ty {
            ParserCoreType::Rec(group) => {
                self.charge(group.types().len())?;
                for ty in core_types::group(group) {
                    let ty = ty.map_or(CoreTypeValue::Other, CoreTypeValue::Func);
                    self.scope_mut(scope).core_types.push(ty);
                }
            }
            ParserCoreType::Module(declarations) => {
                let ty = self.module_type(scope, declarations)?;
                let ty = CoreTypeValue::Module(self.types.module(ty));
                self.scope_mut(scope).core_types.push(ty);
            }
        }
        Ok(())
    }

    fn module_type(
        &mut self,
        scope: ScopeId,
        declarations: &'a [ModuleTypeDeclaration<'a>],
    ) -> Result<ModuleType, Error> {
        self.charge(declarations.len())?;
        let mut types = Vec::new();
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        for declaration in declarations {
            match declaration {
                ModuleTypeDeclaration::Type(group) => types.extend(core_types::group(group)),
                ModuleTypeDeclaration::OuterAlias { count, index, .. } => {
                    // Counted from the module type itself.
                    let from = self.surrounding(scope, count.saturating_sub(1))?;
                    types.push(match &self.scope(from).core_types[*index as usize] {
                        CoreTypeValue::Func(ty) => Some(ty.clone()),
                        _ => None,
                    });
                }
                ModuleTypeDeclaration::Import(import) => {
                    let ty = core_types::extern_type(&import.ty, |at| types[at as usize].clone());
                    let ty = ty.ok_or_else(|| self.defined_reference())?;
                    let module = self.types.name(import.module);
                    imports.push((module, self.types.name(import.name), ty));
                }
                ModuleTypeDeclaration::Export { name, ty } => {
                    let ty = core_types::extern_type(ty, |at| types[at as usize].clone());
                    let ty = ty.ok_or_else(|| self.defined_reference())?;
                    exports.push((self.types.name(name), ty));
                }
            }
        }
        Ok(ModuleType { imports: imports.into(), exports: exports.into() })
    }

    fn defined_reference(&self) -> Error {
        self.unsupported("types of modules that name types other than those of functions")
    }
}

fn primitive(ty: PrimitiveValType) -> ValueType {
    match ty {
        PrimitiveValType::Bool => ValueType::Bool,
        PrimitiveValType::S8 => ValueType::S8,
        PrimitiveValType::U8 => ValueType::U8,
        PrimitiveValType::S16 => ValueType::S16,
        PrimitiveValType::U16 => ValueType::U16,
        PrimitiveValType::S32 => ValueType::S32,
        PrimitiveValType::U32 => ValueType::U32,
        PrimitiveValType::S64 => ValueType::S64,
        PrimitiveValType::U64 => ValueType::U64,
        PrimitiveValType::F32 => ValueType::F32,
        PrimitiveValType::F64 => ValueType::F64,
        PrimitiveValType::Char => ValueType::Char,
        PrimitiveValType::String => ValueType::String,
        PrimitiveValType::ErrorContext => ValueType::ErrorContext,
    }
}
