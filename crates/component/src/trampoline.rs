//! Core functions that leave their component instance: lowered functions, and builtins.

use std::sync::Arc;

use dunlin_engine::{self as engine, Result};
use dunlin_module::component::{
    AsyncBuiltin, ComponentInstanceIndex, FuncRef, FuncTypeIndex, OptionsIndex, Trampoline,
    TrampolineIndex, TrampolineKind,
};

use crate::call::{
    Lifted, Lowered, Source, call_between, contained, resource_drop, resource_new, resource_rep,
};
use crate::flags::{Flags, cannot_enter};
use crate::host::HostFunction;
use crate::instantiate::Making;
use crate::link::Target;
use crate::state::{State, bug, trap};

impl Making<'_> {
    /// Makes the core function that a trampoline is.
    pub(crate) fn trampoline(&mut self, index: TrampolineIndex) -> Result<engine::Func> {
        let component = self.component.clone();
        let trampolines = &component.description().trampolines;
        let Trampoline { instance, ty, kind } = trampolines.get(index.index()).ok_or_else(bug)?;
        let who = self.who(*instance)?;
        match kind {
            TrampolineKind::Lower { func, ty: func_ty, options } => {
                self.lower(*instance, ty, *func, *func_ty, *options)
            }
            TrampolineKind::ResourceNew(resource) => {
                let resource = *resource;
                self.store.host_number_func(ty, move |mut store, slots| {
                    let slot = slots.first_mut().ok_or_else(bug)?;
                    *slot = resource_new(&mut store, who, resource, *slot as u32)?.into();
                    Ok(())
                })
            }
            TrampolineKind::ResourceRep(resource) => {
                let resource = *resource;
                self.store.host_number_func(ty, move |mut store, slots| {
                    let slot = slots.first_mut().ok_or_else(bug)?;
                    *slot = resource_rep(&mut store, who, resource, *slot as u32)?.into();
                    Ok(())
                })
            }
            TrampolineKind::ResourceDrop(resource) => {
                let resource = *resource;
                self.store.host_number_func(ty, move |mut store, slots| {
                    let slot = slots.first().ok_or_else(bug)?;
                    resource_drop(&mut store, who, resource, *slot as u32)
                })
            }
            TrampolineKind::Async(
                builtin @ (AsyncBuiltin::BackpressureInc | AsyncBuiltin::BackpressureDec),
            ) => {
                let more = *builtin == AsyncBuiltin::BackpressureInc;
                self.store.host_number_func(ty, move |mut store, _| {
                    store.companion::<State>().backpressure(who.instance, more)
                })
            }
            TrampolineKind::Async(AsyncBuiltin::ContextGet { slot, .. }) => {
                let place = *slot as usize;
                self.store.host_number_func(ty, move |mut store, slots| {
                    let context = &store.companion::<State>().context;
                    let value = *context.get(place).ok_or_else(bug)?;
                    *slots.first_mut().ok_or_else(bug)? = value;
                    Ok(())
                })
            }
            TrampolineKind::Async(AsyncBuiltin::ContextSet { slot, .. }) => {
                let place = *slot as usize;
                self.store.host_number_func(ty, move |mut store, slots| {
                    let value = *slots.first().ok_or_else(bug)?;
                    let context = &mut store.companion::<State>().context;
                    *context.get_mut(place).ok_or_else(bug)? = value;
                    Ok(())
                })
            }
            TrampolineKind::Async(builtin) => {
                let text = format!("{builtin:?}");
                let name = text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
                self.store.host_func(ty, move |store, _| {
                    who.flags.check_may_leave(&store)?;
                    Err(trap(format!(
                        "builtin `{name}` belongs to the asynchronous ABI of components, which this \
                         version does not have"
                    )))
                })
            }
        }
    }

    fn lower(
        &mut self,
        instance: ComponentInstanceIndex,
        core_ty: &engine::FuncType,
        func: FuncRef,
        ty: FuncTypeIndex,
        options: OptionsIndex,
    ) -> Result<engine::Func> {
        let component = self.component.clone();
        let option = component.description().options.get(options.index()).ok_or_else(bug)?;
        let async_ = option.async_;
        let source = self.source(instance, func);
        let target = match func {
            FuncRef::Lifted(index) => Target::Guest(self.callee(index)?),
            FuncRef::Imported(leaf) => self.target(leaf)?,
        };
        let lowered = Arc::new(Lowered { side: self.side(options)?, ty, source, async_ });
        match target {
            Target::Host(host) => self.call_of_host(core_ty, host, lowered),
            Target::Guest(lifted) => self.call_of_guest(core_ty, instance, lifted, lowered),
            Target::Module(_) | Target::Resource => Err(bug()),
        }
    }

    /// Who calls what, for whoever wants to know.
    fn source(&self, instance: ComponentInstanceIndex, func: FuncRef) -> Source {
        let description = self.component.description();
        // What the outermost calls itself is no name that a policy knows it by.
        let nested = description.instances.get(instance.index());
        let component = nested.filter(|nested| nested.parent.is_some());
        let component = component.and_then(|nested| nested.name.clone());
        let nobody = || Arc::<str>::from("function");
        let (interface, function) = match func {
            FuncRef::Lifted(_) => (None, nobody()),
            FuncRef::Imported(leaf) => match description.leaves.get(leaf.index()) {
                None => (None, nobody()),
                Some(leaf) => {
                    let import = description.imports.get(leaf.import as usize);
                    let import = import.map_or_else(nobody, |import| import.name.clone());
                    match leaf.path.last() {
                        Some(name) => (Some(import), name.clone()),
                        None => (None, import),
                    }
                }
            },
        };
        Source { component, interface, function }
    }

    fn call_of_host(
        &mut self,
        core_ty: &engine::FuncType,
        host: Arc<dyn HostFunction>,
        lowered: Arc<Lowered>,
    ) -> Result<engine::Func> {
        self.store.host_number_func(core_ty, move |store, slots| {
            host.call(store, &lowered, slots).map_err(contained)
        })
    }

    fn call_of_guest(
        &mut self,
        core_ty: &engine::FuncType,
        caller: ComponentInstanceIndex,
        callee: Arc<Lifted>,
        lowered: Arc<Lowered>,
    ) -> Result<engine::Func> {
        let around_caller = self.chain(caller)?;
        let related = around_caller.contains(&callee.side.flags)
            || callee.enter.contains(&lowered.side.flags);
        if related {
            // What is around a component may be entered only from further out.
            return self.store.host_func(core_ty, |_, _| Err(cannot_enter()));
        }
        let entered = callee.enter.iter().filter(|flags| !around_caller.contains(flags));
        let enter: Box<[Flags]> = entered.copied().collect();
        self.store.host_number_func(core_ty, move |store, slots| {
            call_between(store, &lowered, &callee, &enter, slots).map_err(contained)
        })
    }
}
