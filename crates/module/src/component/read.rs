//! Bytes to the definitions of a component and of all that it nests, validated but not followed.

use std::collections::HashMap;
use std::ops::Range;

use wasmparser::types::{CoreTypeId, TypesRef};
use wasmparser::{
    BinaryReader, CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExport,
    ComponentImport, ComponentInstance, ComponentName, ComponentNameSectionReader, ComponentType,
    CoreType, Encoding, FromReader, Instance, Parser, Payload, SectionLimited, Validator,
};

use crate::FuncType as CoreFuncType;
use crate::component::core_types;
use crate::component::cost::Costs;
use crate::decode::sections;
use crate::error::{Error, ErrorKind};
use crate::features::Features;
use crate::limits;
use crate::module::CustomSection;

/// A binary as it is written.
pub(super) struct Source<'a> {
    /// The components in it, each after the one it is nested in: 0 is the outermost.
    pub components: Vec<Definition<'a>>,
    /// The core modules in all of them.
    pub modules: Vec<CoreModule<'a>>,
    /// The custom sections of the outermost component.
    pub customs: Vec<CustomSection>,
}

/// A component as it is written.
#[derive(Default)]
pub(super) struct Definition<'a> {
    pub name: Option<&'a str>,
    /// What it defines, in order, each with its place in the binary.
    pub items: Vec<(u64, Item<'a>)>,
    pub component_names: HashMap<u32, &'a str>,
    pub instance_names: HashMap<u32, &'a str>,
}

/// One definition of a component.
pub(super) enum Item<'a> {
    /// Index of [`Source::modules`].
    CoreModule(usize),
    CoreInstance(Instance<'a>),
    CoreType(CoreType<'a>),
    /// Index of [`Source::components`].
    Component(usize),
    Instance(ComponentInstance<'a>),
    Alias(ComponentAlias<'a>),
    Type(ComponentType<'a>),
    Canon(Canon),
    Import(ComponentImport<'a>),
    Export(ComponentExport<'a>),
}

/// A function that crosses between core and component.
pub(super) struct Canon {
    pub func: CanonicalFunction,
    /// The signature of the core function that is made, or that is lifted.
    pub core: CoreFuncType,
    /// Whether the memory among its options has 64-bit addresses.
    pub memory64: bool,
}

/// A core module, of which only what an instantiation needs is kept.
pub(super) struct CoreModule<'a> {
    pub range: Range<usize>,
    /// Module and name of its imports.
    pub imports: Vec<(&'a str, &'a str)>,
}

/// What the parser is inside of.
enum Inside {
    Component(usize),
    Module(usize),
}

/// Reads and validates all but the bodies of functions.
pub(super) fn read<'a>(bytes: &'a [u8], features: &Features) -> Result<Source<'a>, Error> {
    let mut reader = Reader {
        features,
        validator: Validator::new_with_features(features.flags()),
        costs: Costs::new(),
        source: Source { components: Vec::new(), modules: Vec::new(), customs: Vec::new() },
        inside: Vec::new(),
        next: None,
    };
    let mut parser = Parser::new(0);
    parser.set_features(features.flags());
    for payload in parser.parse_all(bytes) {
        let payload = payload.map_err(|error| Error::from_parser(&error, true, features))?;
        reader.payload(payload)?;
    }
    Ok(reader.source)
}

struct Reader<'a, 'f> {
    features: &'f Features,
    validator: Validator,
    costs: Costs,
    source: Source<'a>,
    inside: Vec<Inside>,
    /// What the next header belongs to, once the section that nests it was met.
    next: Option<Inside>,
}

impl<'a> Reader<'a, '_> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), Error> {
        sections::check_count(&payload)?;
        let core_funcs = match &payload {
            Payload::ComponentCanonicalSection(_) => {
                self.validator.types(0).map_or(0, |types| types.function_count())
            }
            _ => 0,
        };
        if let (Some(Inside::Component(_)), Some(types)) =
            (self.inside.last(), self.validator.types(0))
        {
            self.costs.pay(&payload, types)?;
        }
        if let Err(error) = self.validator.payload(&payload) {
            return Err(sections::error(&payload, &error, self.features));
        }
        match &payload {
            Payload::Version { encoding, range, .. } => return self.header(*encoding, range.start),
            Payload::End(_) => {
                self.inside.pop();
                return Ok(());
            }
            _ => {}
        }
        let read = match self.inside.last() {
            Some(Inside::Module(at)) => {
                let at = *at;
                self.module_payload(at, &payload)
            }
            Some(Inside::Component(at)) => {
                let at = *at;
                self.component_payload(at, payload, core_funcs)
            }
            None => Ok(()),
        };
        // Whatever the validator took can be read.
        read.map_err(|error| Error::from_parser(&error, true, self.features))
    }

    fn header(&mut self, encoding: Encoding, at: u64) -> Result<(), Error> {
        let inside = match (self.next.take(), encoding) {
            (Some(inside), _) => inside,
            (None, Encoding::Component) => {
                self.source.components.push(Definition::default());
                Inside::Component(0)
            }
            (None, Encoding::Module) => {
                let message = "expected a component, found a core module";
                return Err(Error::new(ErrorKind::Unsupported(None), message, Some(at)));
            }
        };
        self.inside.push(inside);
        Ok(())
    }

    fn module_payload(
        &mut self,
        module: usize,
        payload: &Payload<'a>,
    ) -> Result<(), wasmparser::Error> {
        if let Payload::ImportSection(section) = payload {
            for import in section.clone().into_imports() {
                let import = import?;
                self.source.modules[module].imports.push((import.module, import.name));
            }
        }
        Ok(())
    }

    fn component_payload(
        &mut self,
        component: usize,
        payload: Payload<'a>,
        core_funcs: u32,
    ) -> Result<(), wasmparser::Error> {
        match payload {
            Payload::ModuleSection { unchecked_range: range, .. } => {
                let index = self.source.modules.len();
                self.push(component, range.start, Item::CoreModule(index));
                let range = range.start as usize..range.end as usize;
                self.source.modules.push(CoreModule { range, imports: Vec::new() });
                self.next = Some(Inside::Module(index));
            }
            Payload::ComponentSection { unchecked_range: range, .. } => {
                let index = self.source.components.len();
                self.push(component, range.start, Item::Component(index));
                self.source.components.push(Definition::default());
                self.next = Some(Inside::Component(index));
            }
            Payload::InstanceSection(s) => self.items(component, s, Item::CoreInstance)?,
            Payload::CoreTypeSection(s) => self.items(component, s, Item::CoreType)?,
            Payload::ComponentInstanceSection(s) => self.items(component, s, Item::Instance)?,
            Payload::ComponentAliasSection(s) => self.items(component, s, Item::Alias)?,
            Payload::ComponentTypeSection(s) => self.items(component, s, Item::Type)?,
            Payload::ComponentImportSection(s) => self.items(component, s, Item::Import)?,
            Payload::ComponentExportSection(s) => self.items(component, s, Item::Export)?,
            Payload::ComponentCanonicalSection(s) => self.canons(component, s, core_funcs)?,
            Payload::CustomSection(section) => {
                if section.name() == "component-name" {
                    let data = BinaryReader::new(section.data(), section.data_offset());
                    self.names(component, data);
                }
                if component == 0 {
                    // The binary is smaller than 4 GiB.
                    let start = section.data_offset() as u32;
                    let range = start..start + section.data().len() as u32;
                    self.source.customs.push(CustomSection { name: section.name().into(), range });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, component: usize, at: u64, item: Item<'a>) {
        self.source.components[component].items.push((at, item));
    }

    fn items<T: FromReader<'a>>(
        &mut self,
        component: usize,
        section: SectionLimited<'a, T>,
        item: impl Fn(T) -> Item<'a>,
    ) -> Result<(), wasmparser::Error> {
        for read in section.into_iter_with_offsets() {
            let (at, read) = read?;
            self.push(component, at, item(read));
        }
        Ok(())
    }

    /// `next` is the index of the first core function that the section makes.
    fn canons(
        &mut self,
        component: usize,
        section: SectionLimited<'a, CanonicalFunction>,
        mut next: u32,
    ) -> Result<(), wasmparser::Error> {
        for read in section.into_iter_with_offsets() {
            let (at, func) = read?;
            // The validator has just taken a section of this component.
            let Some(types) = self.validator.types(0) else { return Ok(()) };
            let core = match func {
                CanonicalFunction::Lift { core_func_index, .. } => core_func_index,
                _ => {
                    next += 1;
                    next - 1
                }
            };
            let core = signature(types, types.core_function_at(core));
            let memory64 = options(&func).iter().any(|option| match option {
                CanonicalOption::Memory(index) => types.memory_at(*index).memory64,
                _ => false,
            });
            self.push(component, at, Item::Canon(Canon { func, core, memory64 }));
        }
        Ok(())
    }

    /// Names are for people: where they cannot be read, there are none.
    fn names(&mut self, component: usize, data: BinaryReader<'a>) {
        let definition = &mut self.source.components[component];
        for name in ComponentNameSectionReader::new(data) {
            let (map, names) = match name {
                Ok(ComponentName::Component { name, .. }) => {
                    definition.name = Some(name);
                    continue;
                }
                Ok(ComponentName::Components(map)) => (map, &mut definition.component_names),
                Ok(ComponentName::Instances(map)) => (map, &mut definition.instance_names),
                Ok(_) => continue,
                Err(_) => return,
            };
            let naming = map.into_iter().map_while(Result::ok).take(limits::NAMES);
            names.extend(naming.map(|naming| (naming.index, naming.name)));
        }
    }
}

/// The signature of a core function. Those that cross to components have no types of references.
fn signature(types: TypesRef<'_>, id: CoreTypeId) -> CoreFuncType {
    core_types::func_type(types[id].unwrap_func()).unwrap_or(CoreFuncType::new([], []))
}

/// The canonical options of a definition.
pub(super) fn options(func: &CanonicalFunction) -> &[CanonicalOption] {
    match func {
        CanonicalFunction::Lift { options, .. }
        | CanonicalFunction::Lower { options, .. }
        | CanonicalFunction::TaskReturn { options, .. }
        | CanonicalFunction::StreamRead { options, .. }
        | CanonicalFunction::StreamWrite { options, .. }
        | CanonicalFunction::FutureRead { options, .. }
        | CanonicalFunction::FutureWrite { options, .. }
        | CanonicalFunction::ErrorContextNew { options }
        | CanonicalFunction::ErrorContextDebugMessage { options } => options,
        _ => &[],
    }
}
