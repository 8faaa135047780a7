//! What validating a section costs, before it is done: the parser's validator looks at the whole type of what
//! is instantiated, lifted or lowered, once for each time.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentFuncTypeId, ComponentInstanceTypeId, ComponentTypeId, ComponentValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{
    CanonicalFunction, ComponentCanonicalSectionReader, ComponentInstance, Instance, Payload,
};

use crate::error::{Error, ErrorKind};
use crate::limits;

/// Things that may still be looked at.
pub(super) struct Costs {
    left: usize,
    /// How many parts types of values have, each as often as it is there.
    parts: HashMap<ComponentDefinedTypeId, usize>,
}

/// A type that has others in it.
enum Whole {
    Func(ComponentFuncTypeId),
    Instance(ComponentInstanceTypeId),
    Component(ComponentTypeId),
}

impl Costs {
    pub(super) fn new() -> Costs {
        Costs { left: limits::COMPONENT_WORK as usize, parts: HashMap::new() }
    }

    /// Pays for what a section of the component with these `types` instantiates.
    pub(super) fn pay(&mut self, payload: &Payload<'_>, types: TypesRef<'_>) -> Result<(), Error> {
        match payload {
            Payload::InstanceSection(section) => {
                for entry in section.clone().into_iter_with_offsets() {
                    // What cannot be read, the validator will say.
                    let Ok((at, entry)) = entry else { return Ok(()) };
                    if let Instance::Instantiate { module_index, .. } = entry
                        && module_index < types.module_count()
                    {
                        let module = &types[types.module_at(module_index)];
                        self.take(module.imports.len() + module.exports.len(), at)?;
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for entry in section.clone().into_iter_with_offsets() {
                    let Ok((at, entry)) = entry else { return Ok(()) };
                    if let ComponentInstance::Instantiate { component_index, .. } = entry
                        && component_index < types.component_count()
                    {
                        self.walk(types.component_at(component_index), types, at)?;
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => self.functions(section, types)?,
            _ => {}
        }
        Ok(())
    }

    /// Pays for the types of functions that a section lifts and lowers.
    fn functions(
        &mut self,
        section: &ComponentCanonicalSectionReader<'_>,
        types: TypesRef<'_>,
    ) -> Result<(), Error> {
        // Those that the section has lifted so far are not among the types yet.
        let known = types.component_function_count();
        let mut lifted = Vec::new();
        for entry in section.clone().into_iter_with_offsets() {
            let Ok((at, entry)) = entry else { return Ok(()) };
            let func = match entry {
                CanonicalFunction::Lift { type_index, .. } => {
                    if type_index >= types.component_type_count() {
                        return Ok(());
                    }
                    let ComponentAnyTypeId::Func(func) = types.component_any_type_at(type_index)
                    else {
                        return Ok(());
                    };
                    lifted.push(func);
                    func
                }
                CanonicalFunction::Lower { func_index, .. } => {
                    let func = match func_index.checked_sub(known) {
                        None => Some(types.component_function_at(func_index)),
                        Some(own) => lifted.get(own as usize).copied(),
                    };
                    let Some(func) = func else { return Ok(()) };
                    func
                }
                _ => continue,
            };
            let ty = &types[func];
            let values = ty.params.iter().map(|(_, ty)| *ty).chain(ty.result);
            let parts = self.sum(values, types);
            self.take(parts, at)?;
        }
        Ok(())
    }

    /// The parts of some types, which nest no deeper than the validator allows.
    fn sum(
        &mut self,
        all: impl IntoIterator<Item = ComponentValType>,
        types: TypesRef<'_>,
    ) -> usize {
        all.into_iter().fold(1, |sum: usize, ty| sum.saturating_add(self.parts(ty, types)))
    }

    fn parts(&mut self, ty: ComponentValType, types: TypesRef<'_>) -> usize {
        let ComponentValType::Type(id) = ty else { return 1 };
        if let Some(known) = self.parts.get(&id) {
            return *known;
        }
        let parts = match &types[id] {
            ComponentDefinedType::Record(record) => {
                self.sum(record.fields.values().copied(), types)
            }
            ComponentDefinedType::Tuple(tuple) => self.sum(tuple.types.iter().copied(), types),
            ComponentDefinedType::Variant(variant) => {
                let payloads = self.sum(variant.cases.values().filter_map(|case| case.ty), types);
                payloads.saturating_add(variant.cases.len())
            }
            ComponentDefinedType::Option { ty, .. } => self.sum([*ty], types),
            ComponentDefinedType::Result { ok, err, .. } => {
                self.sum(ok.iter().chain(err).copied(), types)
            }
            ComponentDefinedType::List { element, .. }
            | ComponentDefinedType::FixedLengthList { element, .. } => self.sum([*element], types),
            ComponentDefinedType::Map { key, value, .. } => self.sum([*key, *value], types),
            _ => 1,
        };
        self.parts.insert(id, parts);
        parts
    }

    /// Takes one for everything in the type of a component, as often as it is there.
    fn walk(
        &mut self,
        component: ComponentTypeId,
        types: TypesRef<'_>,
        at: u64,
    ) -> Result<(), Error> {
        let mut rest = vec![Whole::Component(component)];
        while let Some(next) = rest.pop() {
            let (imports, exports) = match next {
                Whole::Func(func) => {
                    self.take(types[func].params.len(), at)?;
                    continue;
                }
                Whole::Instance(instance) => (None, &types[instance].exports),
                Whole::Component(component) => {
                    let component = &types[component];
                    (Some(&component.imports), &component.exports)
                }
            };
            for item in imports.into_iter().chain([exports]).flat_map(|items| items.values()) {
                self.take(1, at)?;
                rest.extend(whole(item.ty));
            }
        }
        Ok(())
    }

    fn take(&mut self, amount: usize, at: u64) -> Result<(), Error> {
        match self.left.checked_sub(amount) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let limit = limits::COMPONENT_WORK;
                let message = format!(
                    "types of what is instantiated, lifted or lowered have more than {limit} parts, \
                     counted as often as that is done"
                );
                Err(Error::new(ErrorKind::LimitExceeded, message, Some(at)))
            }
        }
    }
}

fn whole(ty: ComponentEntityType) -> Option<Whole> {
    match ty {
        ComponentEntityType::Func(func) => Some(Whole::Func(func)),
        ComponentEntityType::Instance(instance) => Some(Whole::Instance(instance)),
        ComponentEntityType::Component(component) => Some(Whole::Component(component)),
        ComponentEntityType::Type { referenced, .. } => match referenced {
            ComponentAnyTypeId::Func(func) => Some(Whole::Func(func)),
            ComponentAnyTypeId::Instance(instance) => Some(Whole::Instance(instance)),
            ComponentAnyTypeId::Component(component) => Some(Whole::Component(component)),
            ComponentAnyTypeId::Resource(_) | ComponentAnyTypeId::Defined(_) => None,
        },
        ComponentEntityType::Module(_) | ComponentEntityType::Value(_) => None,
    }
}
