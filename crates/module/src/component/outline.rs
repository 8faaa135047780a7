//! What a component consists of, for people: the tree of its instances, and what each of them needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Component, ComponentExport, ComponentInstanceIndex, ComponentItem, FuncRef, LeafIndex,
    ModuleArgs, ResourceOrigin, StaticModuleIndex, Step, TrampolineKind,
};
use crate::customs::{Producer, read_producers};

/// One component instance, as [`Component::outline`] shows it.
#[derive(Clone, Default, Debug)]
pub struct InstanceOutline {
    /// What messages and policies call it.
    pub name: Option<Arc<str>>,
    /// The instances whose component it instantiates.
    pub children: Vec<ComponentInstanceIndex>,
    /// The core modules it instantiates, in order; those from outside are not among them.
    pub modules: Vec<StaticModuleIndex>,
    /// What it calls of each import of the whole component: an index of [`Component::imports`], and
    /// names of functions. Of an import that is a function itself, the list is empty.
    pub needs: BTreeMap<u32, Vec<Arc<str>>>,
    /// Which other instances it calls.
    pub calls: Vec<ComponentInstanceIndex>,
    /// Which functions of it the whole component exports: names that lead to each.
    pub exports: Vec<Vec<Arc<str>>>,
}

impl Component {
    /// What each of its instances consists of, needs and exports, in the order of
    /// [`Component::instances`].
    pub fn outline(&self) -> Vec<InstanceOutline> {
        let mut outline: Vec<InstanceOutline> = self
            .instances
            .iter()
            .map(|instance| InstanceOutline { name: instance.name.clone(), ..Default::default() })
            .collect();
        for (at, instance) in self.instances.iter().enumerate() {
            if let Some(parent) = instance.parent {
                outline[parent.index()].children.push(ComponentInstanceIndex(at as u32));
            }
        }
        for step in &self.steps {
            if let Step::Instantiate { instance, module: ModuleArgs::Static(module, _) } = step {
                outline[instance.index()].modules.push(*module);
            }
        }
        self.outline_calls(&mut outline);
        self.outline_exports(&mut outline, &self.exports, &mut Vec::new());
        for instance in &mut outline {
            instance.needs.values_mut().for_each(sort);
            sort(&mut instance.calls);
        }
        outline
    }

    /// What made it, as it says itself.
    pub fn producers(&self) -> Vec<Producer> {
        let mut producers = Vec::new();
        for section in self.customs.iter().filter(|section| &*section.name == "producers") {
            let range = section.range.start as usize..section.range.end as usize;
            read_producers(&self.bytes[range], &mut producers);
        }
        producers
    }

    fn outline_calls(&self, outline: &mut [InstanceOutline]) {
        for trampoline in &self.trampolines {
            let instance = &mut outline[trampoline.instance.index()];
            match &trampoline.kind {
                TrampolineKind::Lower { func: FuncRef::Imported(leaf), .. } => {
                    self.outline_need(instance, *leaf);
                }
                TrampolineKind::Lower { func: FuncRef::Lifted(lift), .. } => {
                    let options = self.lifts[lift.index()].options;
                    instance.calls.push(self.options[options.index()].instance);
                }
                TrampolineKind::ResourceDrop(resource) => {
                    match &self.resources[resource.index()].origin {
                        ResourceOrigin::Imported(leaf) => self.outline_need(instance, *leaf),
                        ResourceOrigin::Defined { instance: owner, .. } => {
                            if *owner != trampoline.instance {
                                instance.calls.push(*owner);
                            }
                        }
                    }
                }
                TrampolineKind::ResourceNew(_)
                | TrampolineKind::ResourceRep(_)
                | TrampolineKind::Async(_) => {}
            }
        }
    }

    fn outline_need(&self, instance: &mut InstanceOutline, leaf: LeafIndex) {
        let leaf = &self.leaves[leaf.index()];
        let names = instance.needs.entry(leaf.import).or_default();
        names.extend(leaf.path.last().cloned());
    }

    /// Nests as deep as instances do.
    fn outline_exports(
        &self,
        outline: &mut [InstanceOutline],
        exports: &[ComponentExport],
        path: &mut Vec<Arc<str>>,
    ) {
        for export in exports {
            path.push(export.name.clone());
            match &export.item {
                ComponentItem::Func(FuncRef::Lifted(lift), _) => {
                    let options = self.lifts[lift.index()].options;
                    let instance = self.options[options.index()].instance;
                    outline[instance.index()].exports.push(path.clone());
                }
                ComponentItem::Instance(exports) => self.outline_exports(outline, exports, path),
                _ => {}
            }
            path.pop();
        }
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}
