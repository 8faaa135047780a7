//! What validating an instantiation costs, before it is done: the parser's validator looks at the whole
//! type of what is instantiated, once for each time.

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId,
    ComponentTypeId,
};
use wasmparser::types::TypesRef;
use wasmparser::{ComponentInstance, Instance, Payload};

use crate::error::{Error, ErrorKind};
use crate::limits;

/// Things that may still be looked at.
pub(super) struct Costs(usize);

/// A type that has others in it.
enum Whole {
    Func(ComponentFuncTypeId),
    Instance(ComponentInstanceTypeId),
    Component(ComponentTypeId),
}

impl Costs {
    pub(super) fn new() -> Costs {
        Costs(limits::COMPONENT_WORK as usize)
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
            _ => {}
        }
        Ok(())
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
        match self.0.checked_sub(amount) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                let limit = limits::COMPONENT_WORK;
                let message = format!(
                    "types of what is instantiated have more than {limit} parts, counted as often as \
                     they are instantiated"
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
