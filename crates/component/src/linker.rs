//! What components are given for their imports, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dunlin_engine::raw::raw;
use dunlin_engine::{AsContextMut, Engine, Error, Module, Result, StoreContextMut};
use dunlin_module::component::LeafKind;

use crate::component::Component;
use crate::func::Func;
use crate::host::{Caller, HostFunction, Typed, Untyped};
use crate::instance::{Export, Instance};
use crate::instantiate::instantiate;
use crate::resource::Resource;
use crate::state::{HostDestructor, HostType, ResourceTypeId};
use crate::val::Val;
use crate::wit_type::{Params, ReturnedToGuest};

/// Definitions by name, from which components are given their imports.
///
/// Names are those of WIT: of functions, or of interfaces such as `wasi:clocks/wall-clock@0.2.0`, which hold
/// functions and resource types. An interface that is defined for one version is given to components
/// that import any compatible one (semver): with the same major version, or the same minor version
/// if the major one is 0.
///
/// ```
/// # use dunlin_engine::{Engine, Store};
/// # use dunlin_component::{Component, Linker};
/// let engine = Engine::default();
/// let component = Component::new(&engine, wat::parse_str(r#"
///     (component
///       (import "greet" (func $greet (param "x" u32) (result u32)))
///       (core func $greet (canon lower (func $greet)))
///       (core module $m
///         (import "" "greet" (func $greet (param i32) (result i32)))
///         (func (export "run") (result i32) (call $greet (i32.const 20))))
///       (core instance $i (instantiate $m (with "" (instance (export "greet" (func $greet))))))
///       (func (export "run") (result u32) (canon lift (core func $i "run"))))
/// "#)?)?;
/// let mut linker = Linker::<u32>::new(&engine);
/// linker.root().func_wrap("greet", |caller, (x,): (u32,)| Ok(x + caller.data()))?;
///
/// let mut store = Store::new(&engine, 22);
/// let instance = linker.instantiate(&mut store, &component)?;
/// let run = instance.get_typed_func::<(), u32>("run")?;
/// assert_eq!(run.call(&mut store, ())?, 42);
/// # Ok::<(), dunlin_engine::Error>(())
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    names: Names,
    allow_shadowing: bool,
    marker: PhantomData<fn(T)>,
}

/// Definitions by name.
pub(crate) type Names = BTreeMap<Arc<str>, Definition>;

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Definition {
    /// A function of the host.
    Host(Arc<dyn HostFunction>),
    /// A function of a guest in some store.
    Guest(Func),
    /// A resource type of the host.
    Resource(HostResource),
    /// A resource type of a guest in some store.
    GuestResource(dunlin_engine::raw::StoreId, ResourceTypeId),
    /// A core module.
    Module(Module),
    /// An interface.
    Instance(Names),
}

/// A resource type of the host.
#[derive(Clone)]
pub(crate) struct HostResource {
    pub(crate) key: HostType,
    pub(crate) destructor: HostDestructor,
}

impl Definition {
    /// What it is, in the words of WIT.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Definition::Host(_) | Definition::Guest(_) => "function",
            Definition::Resource(_) | Definition::GuestResource(..) => "resource",
            Definition::Module(_) => "core module",
            Definition::Instance(_) => "interface",
        }
    }
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            names: Names::new(),
            allow_shadowing: false,
            marker: PhantomData,
        }
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined again, replacing what it meant. Off at first.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// What is defined outside of interfaces.
    pub fn root(&mut self) -> LinkerInstance<'_, T> {
        let allow_shadowing = self.allow_shadowing;
        LinkerInstance { names: &mut self.names, path: None, allow_shadowing, marker: PhantomData }
    }

    /// The interface `name`, empty if it has no definitions yet.
    ///
    /// # Errors
    ///
    /// If the name is defined as something else.
    pub fn instance(&mut self, name: &str) -> Result<LinkerInstance<'_, T>> {
        self.root().into_instance(name)
    }

    /// Defines every function that `component` imports and that is not defined as one that traps, saying
    /// its name, and every resource type.
    ///
    /// # Errors
    ///
    /// If one of the names is defined as something else.
    pub fn define_unknown_imports_as_traps(&mut self, component: &Component) -> Result<()> {
        let description = component.description();
        for leaf in &description.leaves {
            let Some(import) = description.imports.get(leaf.import as usize) else { continue };
            let path: Vec<&str> = std::iter::once(&*import.name)
                .chain(leaf.path.iter().map(|name| &**name))
                .collect();
            let Some((name, outer)) = path.split_last() else { continue };
            if crate::link::find(&self.names, &path).is_some() {
                continue;
            }
            let mut at = self.root();
            for name in outer {
                at = at.into_instance(name)?;
            }
            let text = path.join("#");
            match leaf.kind {
                LeafKind::Func(_) => {
                    at.func_new(name, move |_, _| {
                        Err(Error::trap_because(
                            dunlin_engine::Trap::Component,
                            format!("`{text}` is not defined"),
                        ))
                    })?;
                }
                LeafKind::Resource(_) => {
                    at.resource_numbered(name, fresh(), |_, _| Ok(()))?;
                }
                LeafKind::Module(_) => {}
            }
        }
        Ok(())
    }

    /// Instantiates `component` with what is defined here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Link`](dunlin_engine::ErrorKind) if imports are missing or do not fit, with all that
    /// is wrong; otherwise whatever stopped its initialization.
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        component: &Component,
    ) -> Result<Instance> {
        let store = store.as_context_mut();
        component.check_engine(store.engine())?;
        instantiate(&self.names, raw(store), component)
    }
}

/// A number for a resource type that no Rust type stands for.
fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1 << 63);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<T: 'static> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker {
            engine: self.engine.clone(),
            names: self.names.clone(),
            allow_shadowing: self.allow_shadowing,
            marker: PhantomData,
        }
    }
}

impl<T: 'static> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linker").field("names", &self.names.keys()).finish_non_exhaustive()
    }
}

/// One interface of a [`Linker`], or what is outside of all.
pub struct LinkerInstance<'a, T: 'static> {
    names: &'a mut Names,
    path: Option<Arc<str>>,
    allow_shadowing: bool,
    marker: PhantomData<fn(T)>,
}

impl<'a, T: 'static> LinkerInstance<'a, T> {
    /// The interface `name` inside of this one; it is empty if it has no definitions yet.
    ///
    /// # Errors
    ///
    /// If the name is defined as something else.
    pub fn instance(&mut self, name: &str) -> Result<LinkerInstance<'_, T>> {
        let (path, allow_shadowing) = (self.path.clone(), self.allow_shadowing);
        LinkerInstance { names: self.names, path, allow_shadowing, marker: PhantomData }
            .into_instance(name)
    }

    /// As [`LinkerInstance::instance`], for as long as this one was borrowed.
    pub(crate) fn into_instance(self, name: &str) -> Result<LinkerInstance<'a, T>> {
        let path = self.title(name);
        let entry = self.names.entry(name.into());
        match entry.or_insert_with(|| Definition::Instance(Names::new())) {
            Definition::Instance(names) => Ok(LinkerInstance {
                names,
                path: Some(path.into()),
                allow_shadowing: self.allow_shadowing,
                marker: PhantomData,
            }),
            other => {
                let kind = other.kind();
                Err(Error::misuse(format!("cannot define interface `{path}`: it is a {kind}")))
            }
        }
    }

    fn title(&self, name: &str) -> String {
        match &self.path {
            Some(path) => format!("{path}#{name}"),
            None => name.to_owned(),
        }
    }

    fn insert(&mut self, name: &str, definition: Definition) -> Result<&mut Self> {
        if !self.allow_shadowing && self.names.contains_key(name) {
            let title = self.title(name);
            return Err(Error::misuse(format!("cannot define `{title}`: it is defined already"))
                .with_help("`Linker::allow_shadowing` lets the last definition count"));
        }
        self.names.insert(name.into(), definition);
        Ok(self)
    }

    /// Defines a function whose closure says its type: it takes a [`Caller`] and a tuple of parameters. The
    /// component's type is compared with it when that is linked.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn func_wrap<P, R>(
        &mut self,
        name: &str,
        f: impl Fn(Caller<'_, T>, P) -> Result<R> + Send + Sync + 'static,
    ) -> Result<&mut Self>
    where
        P: Params + 'static,
        R: ReturnedToGuest + 'static,
    {
        self.insert(name, Definition::Host(Arc::new(Typed::new(f))))
    }

    /// Defines a function of whatever type a component imports it with.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn func_new(
        &mut self,
        name: &str,
        f: impl Fn(Caller<'_, T>, &[Val]) -> Result<Option<Val>> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.insert(name, Definition::Host(Arc::new(Untyped::new(f))))
    }

    /// Defines a resource type for which the Rust type `R` stands, in all stores and under all
    /// names. The destructor is told what the host knows a resource as, once a guest has dropped the last
    /// handle of it.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn resource<R: 'static>(
        &mut self,
        name: &str,
        destructor: impl Fn(StoreContextMut<'_, T>, u32) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.resource_as(name, Resource::<R>::key(), destructor)
    }

    /// Defines a resource type for which a number of the embedder's choice stands.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn resource_numbered(
        &mut self,
        name: &str,
        number: u64,
        destructor: impl Fn(StoreContextMut<'_, T>, u32) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        self.resource_as(name, HostType::Number(number), destructor)
    }

    fn resource_as(
        &mut self,
        name: &str,
        key: HostType,
        destructor: impl Fn(StoreContextMut<'_, T>, u32) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let destructor: HostDestructor =
            Arc::new(move |mut store, rep| destructor(store.context::<T>(), rep));
        self.insert(name, Definition::Resource(HostResource { key, destructor }))
    }

    /// Defines a core module.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn module(&mut self, name: &str, module: &Module) -> Result<&mut Self> {
        self.insert(name, Definition::Module(module.clone()))
    }

    /// Defines what a component instance exports.
    ///
    /// # Errors
    ///
    /// If the name is defined already.
    pub fn define(&mut self, name: &str, export: &Export) -> Result<&mut Self> {
        match definition(export) {
            Some(definition) => self.insert(name, definition),
            None => Ok(self),
        }
    }
}

/// What an export stands for when it is imported; nothing for types that need no definition.
fn definition(export: &Export) -> Option<Definition> {
    Some(match export {
        Export::Func(func) => Definition::Guest(func.clone()),
        Export::HostFunc(func) => Definition::Host(func.function.clone()),
        Export::Resource(ty) => Definition::GuestResource(ty.store, ty.ty),
        Export::Module(module) => Definition::Module(module.clone()),
        Export::Type(_) | Export::Component => return None,
        Export::Instance(exports) => Definition::Instance(
            exports
                .iter()
                .filter_map(|(name, export)| Some((name.clone(), definition(export)?)))
                .collect(),
        ),
    })
}
