//! What of a component matters for the calls into, out of and between its instances, worked out once.

use dunlin_engine::Module;
use dunlin_engine::raw::has_tags;
use dunlin_module::component::{
    AsyncBuiltin, Component, ComponentInstanceIndex, LeafKind, ResourceOrigin, Trampoline,
    TrampolineKind,
};

/// What of a component matters for calls.
pub(crate) struct Traits {
    instances: Box<[InstanceTraits]>,
    /// Whether tasks keep something for themselves.
    pub(crate) has_context: bool,
    /// Whether exceptions can begin in code of its own.
    pub(crate) throws: bool,
}

/// What of an instance matters for calls.
#[derive(Clone, Copy, Default)]
pub(crate) struct InstanceTraits {
    /// Whether a call into it could call out, or see that the instance was entered.
    pub(crate) calls_out: bool,
    /// Whether there are times when it may not call out of itself.
    pub(crate) is_restricted: bool,
}

impl Traits {
    pub(crate) fn new(component: &Component, modules: &[Module]) -> Traits {
        let mut instances = vec![InstanceTraits::default(); component.instances.len()];
        let mut has_context = false;
        for (traits, instance) in instances.iter_mut().zip(&component.instances) {
            traits.calls_out = instance.calls_out;
        }
        for made in &component.trampolines {
            if let Some(instance) = instances.get_mut(made.instance.index()) {
                instance.calls_out |= leaves(component, made);
            }
            has_context |= matches!(
                made.kind,
                TrampolineKind::Async(
                    AsyncBuiltin::ContextGet { .. } | AsyncBuiltin::ContextSet { .. }
                )
            );
        }
        for options in &component.options {
            if let Some(instance) = instances.get_mut(options.instance.index()) {
                instance.is_restricted |=
                    options.realloc.is_some() || options.post_return.is_some();
            }
        }
        let given = component.leaves.iter().any(|leaf| matches!(leaf.kind, LeafKind::Module(_)));
        let throws = given || modules.iter().any(has_tags);
        Traits { instances: instances.into(), has_context, throws }
    }

    /// What of an instance matters.
    pub(crate) fn of(&self, instance: ComponentInstanceIndex) -> InstanceTraits {
        self.instances.get(instance.index()).copied().unwrap_or_default()
    }
}

/// Whether a function can make others run, or sees who was entered.
fn leaves(component: &Component, made: &Trampoline) -> bool {
    match &made.kind {
        TrampolineKind::ResourceNew(_) | TrampolineKind::ResourceRep(_) => false,
        // The destructor of a resource of its own is its own.
        TrampolineKind::ResourceDrop(resource) => {
            let resource = component.resources.get(resource.index());
            !resource.is_some_and(|resource| match &resource.origin {
                ResourceOrigin::Defined { instance, .. } => *instance == made.instance,
                ResourceOrigin::Imported(_) => false,
            })
        }
        TrampolineKind::Lower { .. } | TrampolineKind::Async(_) => true,
    }
}
