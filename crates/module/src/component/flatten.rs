//! Nested definitions to a flat plan: each instantiation of a nested component is followed where it
//! stands, with what it is given.
//!
//! Instantiations are calls without loops. They are walked with a stack of [`Frame`]s, because how
//! deep they nest is the guest's choice.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use wasmparser::{
    ComponentExport as ParserExport, ComponentExternName, ComponentImport as ParserImport,
    ComponentInstance as ParserInstance, ComponentType, Instance as ParserCoreInstance,
    InstantiationArg, ValType,
};

use super::elaborate::{Args, Given, type_item};
use super::link::Linker;
use super::read::{Item, Source};
use super::scope::{
    ComponentValue, CoreInstanceValue, Declared, Exports, Instance, ModuleValue, ScopeId, Type,
    Value,
};
use super::{
    Component, ComponentExport, ComponentImport, ComponentInstance, ComponentInstanceIndex,
    ComponentItem, CoreInstanceIndex, ModuleArgs, Resource, ResourceIndex, ResourceOrigin,
    StaticModuleIndex, Step, uses,
};
use crate::error::Error;

/// A component that is being instantiated.
struct Frame<'a> {
    definition: usize,
    scope: ScopeId,
    instance: ComponentInstanceIndex,
    /// Which item comes next.
    next: usize,
    /// What its imports are; the outermost takes them from outside.
    args: Option<Args<'a>>,
    /// The type by which its component was imported or exported.
    seen_as: Option<Declared<'a>>,
    exports: Exports<'a>,
}

/// The plan of the outermost component; `bytes` is what it was read from.
pub(super) fn flatten<'a>(source: &'a Source<'a>, bytes: &Arc<[u8]>) -> Result<Component, Error> {
    let mut linker = Linker::new(source);
    let exports = linker.run()?;
    linker.name_instances()?;
    let exports = linker.exports(&exports)?;
    let mut component = Component {
        bytes: bytes.clone(),
        name: source.components[0].name.map(Arc::from),
        types: linker.types.finish(),
        modules: source.modules.iter().map(|module| module.range.clone()).collect(),
        instances: linker.instances.into(),
        resources: linker.resources.into(),
        imports: linker.imports.into(),
        leaves: linker.leaves.into(),
        steps: linker.steps.into(),
        trampolines: linker.trampolines.into(),
        lifts: linker.lifts.into(),
        options: linker.options.list.into(),
        exports,
        customs: source.customs.clone().into(),
    };
    uses::mark(&mut component);
    Ok(component)
}

impl<'a> Linker<'a> {
    /// Follows everything; returns what the outermost component exports.
    fn run(&mut self) -> Result<Exports<'a>, Error> {
        let root = &self.source.components[0];
        let mut frames = vec![self.frame(0, None, root.name, None)?];
        while let Some(frame) = frames.last_mut() {
            let source = self.source;
            if let Some((at, item)) = source.components[frame.definition].items.get(frame.next) {
                frame.next += 1;
                self.at = *at;
                self.charge(1)?;
                if let Some(child) = self.item(frame, item)? {
                    frames.push(child);
                }
                continue;
            }
            let Some(done) = frames.pop() else { break };
            let Some(parent) = frames.last() else { return Ok(done.exports) };
            let exports = match done.seen_as {
                Some(ty) => self.elaborate(ty, done.args.as_ref(), Some(&done.exports))?,
                None => done.exports,
            };
            let instance = Instance { exports: Rc::new(exports), made_by: Some(done.instance) };
            self.scope_mut(parent.scope).instances.push(instance);
        }
        Err(self.unexpected("end of definitions"))
    }

    fn frame(
        &mut self,
        definition: usize,
        parent: Option<(ComponentInstanceIndex, ComponentValue<'a>)>,
        name: Option<&'a str>,
        args: Option<Args<'a>>,
    ) -> Result<Frame<'a>, Error> {
        self.check_room(self.instances.len(), "component instances")?;
        let instance = ComponentInstanceIndex(self.instances.len() as u32);
        let name = name.map(|name| self.types.name(name));
        let (parent, component) = parent.unzip();
        self.instances.push(ComponentInstance { parent, name, calls_out: false });
        Ok(Frame {
            definition,
            scope: self.open_scope(component.map(|component| component.scope)),
            instance,
            next: 0,
            args,
            seen_as: component.and_then(|component| component.seen_as),
            exports: Exports::default(),
        })
    }

    /// Follows one definition; returns the component it instantiates, if it does.
    fn item(
        &mut self,
        frame: &mut Frame<'a>,
        item: &'a Item<'a>,
    ) -> Result<Option<Frame<'a>>, Error> {
        let scope = frame.scope;
        match item {
            Item::CoreModule(at) => {
                let module = ModuleValue::Static(StaticModuleIndex(*at as u32));
                self.scope_mut(scope).modules.push(module);
            }
            Item::CoreInstance(instance) => self.core_instance(frame, instance)?,
            Item::CoreType(ty) => self.core_type(scope, ty)?,
            Item::Component(definition) => {
                let definition = *definition;
                let component = ComponentValue { definition, scope, seen_as: None };
                self.scope_mut(scope).components.push(component);
            }
            Item::Instance(instance) => return self.instance(frame, instance),
            Item::Alias(alias) => self.alias(scope, alias)?,
            Item::Type(ComponentType::Resource { rep, dtor }) => {
                self.new_resource(frame, *rep, *dtor)?;
            }
            Item::Type(ty) => {
                let ty = self.define(scope, ty)?;
                self.scope_mut(scope).types.push(ty);
            }
            Item::Canon(canon) => self.canon(scope, frame.instance, canon)?,
            Item::Import(import) => self.import(frame, import)?,
            Item::Export(export) => {
                let value = self.exported(scope, export)?;
                self.name_exported(&value, &export.name);
                self.scope_mut(scope).push(value.clone());
                frame.exports.push(export.name.name, export.name.implements, value);
            }
        }
        Ok(None)
    }

    fn core_instance(
        &mut self,
        frame: &Frame<'a>,
        instance: &'a ParserCoreInstance<'a>,
    ) -> Result<(), Error> {
        let value = match instance {
            ParserCoreInstance::FromExports(exports) => {
                self.charge(exports.len())?;
                let mut items = HashMap::with_capacity(exports.len());
                for export in exports {
                    let space = self.scope_mut(frame.scope).core(export.kind);
                    items.insert(export.name, space[export.index as usize].clone());
                }
                CoreInstanceValue::Bag(Rc::new(items))
            }
            ParserCoreInstance::Instantiate { module_index, args } => {
                self.check_room(self.core_instances, "core instances")?;
                let module = self.scope(frame.scope).modules[*module_index as usize];
                let module = self.module_args(frame.scope, module, args)?;
                let index = CoreInstanceIndex(self.core_instances as u32);
                self.steps.push(Step::Instantiate { instance: frame.instance, module });
                self.core_instances += 1;
                CoreInstanceValue::Instantiated(index)
            }
        };
        self.scope_mut(frame.scope).core_instances.push(value);
        Ok(())
    }

    fn module_args(
        &mut self,
        scope: ScopeId,
        module: ModuleValue,
        args: &'a [InstantiationArg<'a>],
    ) -> Result<ModuleArgs, Error> {
        self.charge(args.len())?;
        let instances = &self.scope(scope).core_instances;
        let args: HashMap<&str, CoreInstanceValue<'a>> =
            args.iter().map(|arg| (arg.name, instances[arg.index as usize].clone())).collect();
        let missing = |linker: &Linker<'a>| linker.unexpected("import of a module");
        match module {
            ModuleValue::Static(at) => {
                let source = self.source;
                let imports = &source.modules[at.index()].imports;
                self.charge(imports.len())?;
                let items = imports.iter().map(|(module, name)| {
                    let instance = args.get(module).ok_or_else(|| missing(self))?;
                    self.core_export(instance, name)
                });
                Ok(ModuleArgs::Static(at, items.collect::<Result<_, _>>()?))
            }
            ModuleValue::Imported(leaf, ty) => {
                let names = self.types.imports_of(ty);
                self.charge(names.len())?;
                let items = names.into_iter().map(|(module, name)| {
                    let instance = args.get(&*module).ok_or_else(|| missing(self))?;
                    let item = self.core_export_shared(instance, name.clone())?;
                    Ok((module, name, item))
                });
                Ok(ModuleArgs::Imported(leaf, items.collect::<Result<_, Error>>()?))
            }
        }
    }

    fn instance(
        &mut self,
        frame: &mut Frame<'a>,
        instance: &'a ParserInstance<'a>,
    ) -> Result<Option<Frame<'a>>, Error> {
        let scope = frame.scope;
        match instance {
            ParserInstance::FromExports(list) => {
                self.charge(list.len())?;
                let mut exports = Exports::default();
                for export in list {
                    let value = self.exported(scope, export)?;
                    exports.push(export.name.name, export.name.implements, value);
                }
                self.check_depth(exports.depth)?;
                let instance = Instance { exports: Rc::new(exports), made_by: None };
                self.scope_mut(scope).instances.push(instance);
                Ok(None)
            }
            ParserInstance::Instantiate { component_index, args } => {
                self.charge(args.len())?;
                let mut given = Args::with_capacity(args.len());
                for arg in args {
                    let value = self.scope(scope).get(arg.kind, arg.index);
                    let value = value.ok_or_else(|| self.unexpected("kind of argument"))?;
                    given.insert(arg.name, value);
                }
                let component = self.scope(scope).components[*component_index as usize];
                let index = self.scope(scope).instances.len() as u32;
                let outer = &self.source.components[frame.definition];
                let name = outer.instance_names.get(&index).copied();
                let name = name.or(outer.component_names.get(component_index).copied());
                let parent = Some((frame.instance, component));
                self.frame(component.definition, parent, name, Some(given)).map(Some)
            }
        }
    }

    /// Calls the component instance that `value` is an export of `name`, unless it has a name.
    fn name_instance(&mut self, value: &Value<'a>, name: &'a str) {
        if let Value::Instance(Instance { made_by: Some(made_by), .. }) = value {
            let instance = &mut self.instances[made_by.index()];
            if instance.name.is_none() {
                instance.name = Some(self.types.name(name));
            }
        }
    }

    fn name_exported(&mut self, value: &Value<'a>, name: &ComponentExternName<'a>) {
        self.name_instance(value, name.name);
        if let Value::Type(Type::Resource(resource)) = value {
            let resource = &mut self.resources[resource.index()];
            if resource.name.is_none() {
                resource.name = Some(self.types.name(name.name));
            }
        }
    }

    fn new_resource(
        &mut self,
        frame: &Frame<'a>,
        rep: ValType,
        destructor: Option<u32>,
    ) -> Result<(), Error> {
        self.check_room(self.resources.len(), "resource types")?;
        let resource = ResourceIndex(self.resources.len() as u32);
        let scope = self.scope_mut(frame.scope);
        let destructor = destructor.map(|at| scope.core_funcs[at as usize].clone());
        scope.types.push(Type::Resource(resource));
        let origin = ResourceOrigin::Defined { instance: frame.instance, destructor };
        self.resources.push(Resource { name: None, wide: rep == ValType::I64, origin });
        self.steps.push(Step::Resource(resource));
        Ok(())
    }

    fn import(&mut self, frame: &Frame<'a>, import: &'a ParserImport<'a>) -> Result<(), Error> {
        let name = import.name.name;
        let value = match &frame.args {
            Some(args) => {
                let value = args.get(name).ok_or_else(|| self.unexpected("name of an import"))?;
                self.bind(frame.scope, import.ty, Given::Value(value))?
            }
            None => {
                self.path.push(name);
                let value = self.bind(frame.scope, import.ty, Given::Outside)?;
                self.path.pop();
                let ty = self.item_type(&value);
                let name = self.types.name(name);
                let implements = import.name.implements.map(|name| self.types.name(name));
                self.imports.push(ComponentImport { name, implements, ty });
                value
            }
        };
        self.scope_mut(frame.scope).push(value);
        Ok(())
    }

    /// What an export gives a name to, as it is seen from outside.
    fn exported(
        &mut self,
        scope: ScopeId,
        export: &'a ParserExport<'a>,
    ) -> Result<Value<'a>, Error> {
        let value = self.scope(scope).get(export.kind, export.index);
        let value = match value {
            Some(value) => value,
            None => return Err(self.unsupported("exports of values")),
        };
        match export.ty {
            Some(ty) => self.bind(scope, ty, Given::Value(&value)),
            None => Ok(value),
        }
    }

    /// Exports as the plan shows them. Nests as deep as instances do.
    fn exports(&mut self, exports: &Exports<'a>) -> Result<Box<[ComponentExport]>, Error> {
        self.charge(exports.list.len())?;
        let list = exports.list.iter().map(|export| {
            let item = match &export.value {
                Value::Func(func, ty) => ComponentItem::Func(*func, *ty),
                Value::Instance(instance) => {
                    ComponentItem::Instance(self.exports(&instance.exports)?)
                }
                Value::Type(ty) => ComponentItem::Type(type_item(*ty)),
                Value::Module(ModuleValue::Static(module)) => ComponentItem::Module(*module),
                Value::Module(ModuleValue::Imported(leaf, _)) => {
                    ComponentItem::ImportedModule(*leaf)
                }
                Value::Component(_) => ComponentItem::Component,
            };
            let name = self.types.name(export.name);
            let implements = export.implements.map(|name| self.types.name(name));
            Ok(ComponentExport { name, implements, item })
        });
        list.collect()
    }
}
