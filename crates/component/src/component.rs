//! Components, ready to be instantiated: what decoding found, the core modules, and the copy plans.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use dunlin_engine::{Engine, Error, ErrorKind, Module, Result};
use dunlin_module::component as description;
use dunlin_module::component::{
    FuncTypeIndex, LeafKind, ResourceIndex, StaticModuleIndex, TrampolineIndex, ValueType,
};

use crate::adapter::Adapters;
use crate::plan::Plans;
use crate::traits::Traits;
use crate::types::{FuncType, Type};

/// Bytes of code that the adapters of a component take at most.
const ADAPTER_BYTES_MAX: usize = 4 << 20;

/// A validated component for one engine. Cheap to clone, and good for any number of stores.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    engine: Engine,
    description: description::Component,
    modules: Box<[Module]>,
    plans: Plans,
    traits: Traits,
    /// Adapters, those of a step at the first function it asks for.
    adapters: Box<[OnceLock<Adapters>]>,
    /// Bytes of code that adapters may still take.
    adapter_bytes: AtomicUsize,
}

impl Component {
    /// Decodes and validates a component in binary form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`], with the offset of the first offence.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Component> {
        Component::from_shared(engine, bytes.as_ref().into())
    }

    /// Like [`Component::new`], for bytes that are shared already and need not be copied.
    pub fn from_shared(engine: &Engine, bytes: Arc<[u8]>) -> Result<Component> {
        let description = description::Component::decode(bytes, &engine.features())?;
        let plans = Plans::new(&description.types)?;
        let modules = description.modules.iter().map(|range| {
            let bytes = description.bytes.get(range.clone()).unwrap_or_default();
            Module::new(engine, bytes).map_err(|error| {
                error.context(format_args!("core module at offset {:#x}", range.start))
            })
        });
        let modules: Box<[Module]> = modules.collect::<Result<_>>()?;
        let traits = Traits::new(&description, &modules);
        let adapters = description.trampolines.iter().map(|_| OnceLock::new()).collect();
        let adapter_bytes = AtomicUsize::new(ADAPTER_BYTES_MAX);
        let engine = engine.clone();
        Ok(Component(Arc::new(Inner {
            engine,
            description,
            modules,
            plans,
            traits,
            adapters,
            adapter_bytes,
        })))
    }

    /// Whether bytes are those of a component, and not of a core module.
    pub fn is_component(bytes: &[u8]) -> bool {
        // The version of a component has a layer of 1 in its upper half (`Binary.md`).
        bytes.starts_with(b"\0asm") && bytes.get(6..8) == Some(&[1, 0])
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The name it gave itself.
    pub fn name(&self) -> Option<&str> {
        self.0.description.name.as_deref()
    }

    /// What decoding found: everything it consists of.
    pub fn description(&self) -> &description::Component {
        &self.0.description
    }

    pub(crate) fn plans(&self) -> &Plans {
        &self.0.plans
    }

    /// What of it matters for calls.
    pub(crate) fn traits(&self) -> &Traits {
        &self.0.traits
    }

    /// The place of the adapters of a step that asks for this function first.
    pub(crate) fn adapters(&self, first: TrampolineIndex) -> Option<&OnceLock<Adapters>> {
        self.0.adapters.get(first.index())
    }

    /// Whether adapters may take so many bytes more of code, which are taken then.
    pub(crate) fn take_adapter_bytes(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.0.adapter_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    pub(crate) fn module(&self, index: StaticModuleIndex) -> Option<&Module> {
        self.0.modules.get(index.index())
    }

    /// The core modules it holds.
    pub fn modules(&self) -> &[Module] {
        &self.0.modules
    }

    /// The type of a value.
    pub(crate) fn ty(&self, ty: ValueType) -> Type {
        Type::new(self, ty)
    }

    /// A type of functions.
    pub fn func_type(&self, ty: FuncTypeIndex) -> FuncType {
        FuncType::new(self, ty)
    }

    /// How messages call a resource type.
    pub(crate) fn resource(&self, resource: ResourceIndex) -> Arc<str> {
        let resource = self.0.description.resources.get(resource.index());
        resource.and_then(|resource| resource.name.clone()).unwrap_or_else(|| "resource".into())
    }

    /// The functions it imports: the name of the interface, none if it is imported by itself, the name
    /// of the function, and its type.
    pub fn imported_funcs(&self) -> impl Iterator<Item = (Option<&str>, &str, FuncType)> {
        let imports = &self.0.description.imports;
        self.0.description.leaves.iter().filter_map(|leaf| {
            let LeafKind::Func(ty) = leaf.kind else { return None };
            let import = &*imports.get(leaf.import as usize)?.name;
            Some(match leaf.path.last() {
                Some(name) => (Some(import), &**name, self.func_type(ty)),
                None => (None, import, self.func_type(ty)),
            })
        })
    }

    /// Fails unless it was made for `engine`.
    pub(crate) fn check_engine(&self, engine: &Engine) -> Result<()> {
        if Engine::same(engine, self.engine()) {
            return Ok(());
        }
        let text = "cannot instantiate component: the store belongs to another engine";
        Err(Error::list(ErrorKind::Misuse, text, Vec::new())
            .with_help("make both from clones of one `Engine`"))
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("name", &self.name()).finish_non_exhaustive()
    }
}
