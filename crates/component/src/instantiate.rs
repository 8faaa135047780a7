//! Making component instances: the steps of the link plan, one after the other.

use std::sync::Arc;

use dunlin_engine::raw::{RawStore, SlotFunc};
use dunlin_engine::{self as engine, Error, Extern, Result};
use dunlin_module::component::{
    ComponentExport, ComponentItem, CoreItem, FuncRef, LeafIndex, Lift, LiftIndex, ModuleArgs,
    OptionsIndex, ResourceIndex, ResourceOrigin, Step, TrampolineIndex, TypeItem,
};

use crate::abi::Side;
use crate::call::{Lifted, Who, charge_instance};
use crate::component::Component;
use crate::flags::Flags;
use crate::func::Func;
use crate::host::HostFunc;
use crate::instance::{Export, Exports, Inner, Instance, ResourceType};
use crate::link::{Target, resolve};
use crate::linker::Names;
use crate::state::{Destructor, InstanceId, RootId, State, bug};
use dunlin_module::component::ComponentInstanceIndex;

/// An instance that is being made.
pub(crate) struct Making<'a> {
    pub(crate) store: RawStore<'a>,
    pub(crate) component: Component,
    pub(crate) root: RootId,
    pub(crate) first: InstanceId,
    targets: Vec<Target>,
    core: Vec<engine::Instance>,
    lifts: Vec<Option<Arc<Lifted>>>,
    pub(crate) trampolines: Vec<Option<engine::Func>>,
}

/// Makes an instance of a component with what is defined by name.
pub(crate) fn instantiate(
    names: &Names,
    mut store: RawStore<'_>,
    component: &Component,
) -> Result<Instance> {
    let description = component.description();
    charge_instance(&mut store, description.instances.len())?;
    let flags = description.instances.iter().map(|_| Flags::new(&mut store));
    let flags = flags.collect::<Result<_>>()?;
    let state = store.companion::<State>();
    let root = state.add_root(component, flags);
    let first = state.first_instance(root)?;
    let targets = resolve(names, &mut store, component, root)?;
    let mut making = Making {
        store,
        root,
        first,
        targets,
        core: Vec::new(),
        lifts: vec![None; description.lifts.len()],
        trampolines: vec![None; description.trampolines.len()],
        component: component.clone(),
    };
    for step in &description.steps {
        match step {
            Step::Instantiate { module, .. } => making.core_instance(module)?,
            Step::Resource(resource) => making.resource(*resource)?,
        }
    }
    let exports = making.exports(&description.exports)?;
    Ok(Instance(Arc::new(Inner { component: component.clone(), exports })))
}

impl Making<'_> {
    /// The instance of the store that a component instance is.
    pub(crate) fn instance(&self, index: ComponentInstanceIndex) -> InstanceId {
        InstanceId(self.first.0 + index.0)
    }

    /// On whose behalf a builtin of an instance is called.
    pub(crate) fn who(&mut self, index: ComponentInstanceIndex) -> Result<Who> {
        let (root, instance) = (self.root, self.instance(index));
        let flags = self.store.companion::<State>().flags(instance)?;
        Ok(Who { root, instance, flags })
    }

    /// What is going on in an instance and in those around it, innermost first.
    pub(crate) fn chain(&mut self, index: ComponentInstanceIndex) -> Result<Vec<Flags>> {
        let component = self.component.clone();
        let around = component.description().around(index);
        around.map(|index| Ok(self.who(index)?.flags)).collect()
    }

    fn core_instance(&mut self, module: &ModuleArgs) -> Result<()> {
        let instance = match module {
            ModuleArgs::Static(index, items) => {
                self.adapters(items.iter())?;
                let component = self.component.clone();
                let module = component.module(*index).ok_or_else(bug)?;
                let imports: Vec<Extern> =
                    items.iter().map(|item| self.item(item)).collect::<Result<_>>()?;
                self.store.instantiate(module, &imports)?
            }
            ModuleArgs::Imported(leaf, items) => {
                let Some(Target::Module(module)) = self.targets.get(leaf.index()).cloned() else {
                    return Err(bug());
                };
                self.adapters(items.iter().map(|(_, _, item)| item))?;
                let mut imports = Vec::new();
                for import in module.imports() {
                    let (outer, inner) = (import.module(), import.name());
                    let found = items.iter().find(|(a, b, _)| &**a == outer && &**b == inner);
                    let Some((_, _, item)) = found else {
                        return Err(Error::link(format!(
                            "core module needs import `{outer}`.`{inner}`, which the component does not give"
                        )));
                    };
                    imports.push(self.item(item)?);
                }
                self.store.instantiate(&module, &imports)?
            }
        };
        self.core.push(instance);
        Ok(())
    }

    fn resource(&mut self, index: ResourceIndex) -> Result<()> {
        let component = self.component.clone();
        let resource = component.description().resources.get(index.index()).ok_or_else(bug)?;
        let ResourceOrigin::Defined { instance, destructor } = &resource.origin else {
            return Ok(());
        };
        let destructor = match destructor {
            Some(item) => Destructor::Guest(self.slot_func(item)?),
            None => Destructor::None,
        };
        let (root, definer) = (self.root, self.instance(*instance));
        let state = self.store.companion::<State>();
        let ty = state.define_resource(definer, destructor, resource.name.clone());
        state.set_resource(root, index, ty)
    }

    /// Something that a core module imports.
    pub(crate) fn item(&mut self, item: &CoreItem) -> Result<Extern> {
        match item {
            CoreItem::Export(instance, name) => {
                let instance = *self.core.get(instance.index()).ok_or_else(bug)?;
                match self.store.export(instance, name)? {
                    Some(found) => Ok(found),
                    None => Err(Error::link(format!(
                        "core module does not export `{}`, which the component needs",
                        dunlin_module::escape(name)
                    ))),
                }
            }
            CoreItem::Trampoline(index) => Ok(Extern::Func(self.trampoline_once(*index)?)),
        }
    }

    fn trampoline_once(&mut self, index: TrampolineIndex) -> Result<engine::Func> {
        if let Some(made) = *self.trampolines.get(index.index()).ok_or_else(bug)? {
            return Ok(made);
        }
        let func = self.trampoline(index)?;
        if let Some(place) = self.trampolines.get_mut(index.index()) {
            *place = Some(func);
        }
        Ok(func)
    }

    /// A core function.
    pub(crate) fn func(&mut self, item: &CoreItem) -> Result<engine::Func> {
        match self.item(item)? {
            Extern::Func(func) => Ok(func),
            _ => Err(Error::link("core module exports something else than the function needed")),
        }
    }

    fn slot_func(&mut self, item: &CoreItem) -> Result<SlotFunc> {
        let func = self.func(item)?;
        self.store.slot_func(func)
    }

    /// How values travel in a guest, as options say.
    pub(crate) fn side(&mut self, options: OptionsIndex) -> Result<Side> {
        let component = self.component.clone();
        let options = component.description().options.get(options.index()).ok_or_else(bug)?;
        if options.memory64 {
            return Err(unsupported("64-bit memories of components are not supported yet"));
        }
        let memory = match &options.memory {
            None => None,
            Some(item) => match self.item(item)? {
                Extern::Memory(memory) => Some(memory),
                _ => {
                    return Err(Error::link(
                        "core module exports something else than the memory needed",
                    ));
                }
            },
        };
        let realloc = match &options.realloc {
            None => None,
            Some(item) => {
                let func = self.func(item)?;
                Some(self.store.typed(func)?)
            }
        };
        let Who { root, instance, flags } = self.who(options.instance)?;
        Ok(Side {
            root,
            instance,
            flags,
            encoding: options.encoding,
            memory,
            realloc,
            component: self.component.clone(),
        })
    }

    /// A lifted function.
    pub(crate) fn lifted(&mut self, index: LiftIndex, name: &Arc<str>) -> Result<Arc<Lifted>> {
        if let Some(Some(made)) = self.lifts.get(index.index()) {
            return Ok(made.clone());
        }
        let component = self.component.clone();
        let lift: &Lift = component.description().lifts.get(index.index()).ok_or_else(bug)?;
        let options = component.description().options.get(lift.options.index()).ok_or_else(bug)?;
        let post_return = match &options.post_return {
            Some(item) => Some(self.slot_func(item)?),
            None => None,
        };
        let lifted = Arc::new(Lifted {
            side: self.side(lift.options)?,
            core: self.slot_func(&lift.core)?,
            post_return,
            ty: lift.ty,
            enter: self.chain(options.instance)?.into(),
            name: name.clone(),
            async_: options.async_,
            has_context: component.traits().has_context,
        });
        if let Some(place) = self.lifts.get_mut(index.index()) {
            *place = Some(lifted.clone());
        }
        Ok(lifted)
    }

    /// What is given for a leaf.
    pub(crate) fn target(&self, leaf: LeafIndex) -> Result<Target> {
        self.targets.get(leaf.index()).cloned().ok_or_else(bug)
    }

    /// What a component exports; nests no deeper than its types.
    fn exports(&mut self, list: &[ComponentExport]) -> Result<Exports> {
        let mut exports = Vec::with_capacity(list.len());
        for ComponentExport { name, item, .. } in list {
            exports.push((name.clone(), self.export(name, item)?));
        }
        Ok(exports)
    }

    fn export(&mut self, name: &Arc<str>, item: &ComponentItem) -> Result<Export> {
        Ok(match item {
            ComponentItem::Func(func, ty) => {
                let lifted = match *func {
                    FuncRef::Lifted(index) => self.lifted(index, name)?,
                    FuncRef::Imported(leaf) => match self.target(leaf)? {
                        Target::Guest(lifted) => lifted,
                        Target::Host(function) => {
                            let ty = self.component.func_type(*ty);
                            return Ok(Export::HostFunc(HostFunc { function, ty }));
                        }
                        Target::Module(_) | Target::Resource => return Err(bug()),
                    },
                };
                Export::Func(Func::new(lifted, self.store.id()))
            }
            ComponentItem::Instance(list) => Export::Instance(self.exports(list)?),
            ComponentItem::Type(TypeItem::Resource(index)) => {
                let (root, store) = (self.root, self.store.id());
                let ty = self.store.companion::<State>().resource(root, *index)?;
                Export::Resource(ResourceType { store, ty })
            }
            ComponentItem::Type(TypeItem::Value(ty)) => Export::Type(self.component.ty(*ty)),
            ComponentItem::Module(index) => {
                Export::Module(self.component.module(*index).ok_or_else(bug)?.clone())
            }
            ComponentItem::ImportedModule(leaf) => match self.target(*leaf)? {
                Target::Module(module) => Export::Module(module),
                _ => return Err(bug()),
            },
            ComponentItem::Type(TypeItem::Other) | ComponentItem::Component => Export::Component,
        })
    }
}

#[cold]
fn unsupported(text: impl Into<String>) -> Error {
    Error::list(engine::ErrorKind::Invalid, text, Vec::new())
}
