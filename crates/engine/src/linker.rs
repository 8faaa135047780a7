//! Finding imports by name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dunlin_module::{ExternType, FuncType};
use dunlin_vm as vm;
use dunlin_vm::{HostFn, Signature};

use crate::caller::Caller;
use crate::context::{AsContextMut, StoreContextMut};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::externs::Extern;
use crate::func::host;
use crate::func::{Func, IntoFunc};
use crate::global::Global;
use crate::instance::{self, Instance};
use crate::memory::Memory;
use crate::module::{Module, title};
use crate::quote::{import, quoted, shortened};
use crate::shared_memory::SharedMemory;
use crate::table::Table;
use crate::value::Val;

/// Definitions by name, from which modules are given their imports.
///
/// Host functions defined by [`Linker::func_wrap`] and [`Linker::func_new`], and memories defined by
/// [`Linker::define_shared`], belong to no store: one linker serves any number of stores. Everything
/// else belongs to the store it came from.
///
/// ```
/// # use dunlin_engine::{Caller, Engine, Linker, Module, Store};
/// let engine = Engine::default();
/// let mut linker = Linker::<Vec<i32>>::new(&engine);
/// linker.func_wrap("env", "log", |mut caller: Caller<'_, Vec<i32>>, x: i32| {
///     caller.data_mut().push(x);
/// })?;
///
/// let module = Module::new(&engine, wat::parse_str(
///     r#"(module
///          (import "env" "log" (func $log (param i32)))
///          (func (export "run") (call $log (i32.const 7))))"#,
/// )?)?;
/// let mut store = Store::new(&engine, Vec::new());
/// let instance = linker.instantiate(&mut store, &module)?;
/// instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
/// assert_eq!(store.data(), &[7]);
/// # Ok::<(), dunlin_engine::Error>(())
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    modules: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Definition>>,
    allow_shadowing: bool,
    marker: PhantomData<fn(T)>,
}

#[derive(Clone)]
enum Definition {
    Item(Extern),
    Host(HostDefinition),
    Shared(SharedMemory),
}

/// A host function of no store yet.
#[derive(Clone)]
struct HostDefinition {
    signature: Arc<Signature>,
    f: HostFn,
}

impl HostDefinition {
    fn func(&self, vm: &mut vm::Store) -> Result<vm::Func> {
        Ok(vm.host_func_with(self.signature.clone(), self.f.clone())?)
    }
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            modules: BTreeMap::new(),
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

    /// Defines `module::name` as something that is in a store.
    ///
    /// # Errors
    ///
    /// If the name is defined already; see [`Linker::allow_shadowing`].
    pub fn define(
        &mut self,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Item(item.into()))
    }

    /// Defines `module::name` as a memory that all stores share in which a module imports it.
    ///
    /// # Errors
    ///
    /// If the name is defined already; see [`Linker::allow_shadowing`].
    pub fn define_shared(
        &mut self,
        module: &str,
        name: &str,
        memory: &SharedMemory,
    ) -> Result<&mut Self> {
        self.insert(module, name, Definition::Shared(memory.clone()))
    }

    /// Defines every shared memory that `module` imports and that is not defined, each as one for all
    /// stores; `store` is charged for them.
    ///
    /// # Errors
    ///
    /// If the limits of the store do not allow them.
    pub fn define_unknown_shared_memories(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<()> {
        for unknown in self.unknown(module) {
            let ExternType::Memory(ty) = unknown.ty else { continue };
            let memory = if ty.shared { Some(Memory::new(&mut store, ty)?) } else { None };
            if let Some(memory) = memory.and_then(|memory| memory.shared(&store)) {
                self.define_shared(&unknown.module, &unknown.name, &memory)?;
            }
        }
        Ok(())
    }

    /// Defines `module::name` as a host function whose closure says its type; see [`IntoFunc`].
    ///
    /// # Errors
    ///
    /// If the name is defined already; see [`Linker::allow_shadowing`].
    pub fn func_wrap<P: 'static, R: 'static>(
        &mut self,
        module: &str,
        name: &str,
        closure: impl IntoFunc<T, P, R>,
    ) -> Result<&mut Self> {
        let (ty, f) = host::typed(closure);
        self.insert_host(module, name, &ty, f)
    }

    /// Defines `module::name` as a host function of a type known at run time only; see
    /// [`Func::new`].
    ///
    /// # Errors
    ///
    /// If the name is defined already; see [`Linker::allow_shadowing`].
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        closure: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let f = host::untyped(ty.clone(), closure);
        self.insert_host(module, name, &ty, f)
    }

    /// Defines every export of `instance` as `module::` and its name.
    ///
    /// # Errors
    ///
    /// If one of the names is defined already; see [`Linker::allow_shadowing`].
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        for export in instance.exports(store.as_context_mut()) {
            self.insert(module, export.name(), Definition::Item(export.item()))?;
        }
        Ok(self)
    }

    /// Instantiates `module` and defines what it exports as `module_name::` and its name.
    ///
    /// A *command*, which exports `_start`, gets a fresh instance for every call of one of its
    /// functions. A *reactor* is instantiated once, and its `_initialize`, if it exports that, is
    /// called first.
    ///
    /// # Errors
    ///
    /// As [`Linker::instantiate`]; also if one of the names is defined already.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        let mut store = store.as_context_mut();
        if module.get_export("_start").is_some() {
            return self.command(store, module_name, module);
        }
        let instance = self.instantiate(&mut store, module)?;
        if module.get_export("_initialize").is_some() {
            let initialize = instance.get_typed_func::<(), ()>(&mut store, "_initialize")?;
            initialize.call(&mut store, ())?;
        }
        self.instance(store, module_name, instance)
    }

    fn command(
        &mut self,
        mut store: StoreContextMut<'_, T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        let imports: Arc<[vm::Extern]> = self.imports(&mut store, module)?.into();
        for export in module.exports() {
            let ExternType::Func { ty, .. } = export.ty() else { continue };
            let (module, imports) = (module.clone(), imports.clone());
            let name: Box<str> = export.name().into();
            let call = move |mut caller: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                let instance = instance::instantiate(caller.as_context_mut(), &module, &imports)?;
                match instance.get_func(&mut caller, &name) {
                    Some(func) => func.call(&mut caller, params, results),
                    None => Err(Error::bug("an export of a module is missing in its instance")),
                }
            };
            self.func_new(module_name, export.name(), FuncType::clone(ty), call)?;
        }
        Ok(self)
    }

    /// Defines `as_module::as_name` as what `module::name` is.
    ///
    /// # Errors
    ///
    /// If the former is defined already, or the latter is not.
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Self> {
        let definition = self.definition(module, name).cloned();
        let definition = definition.ok_or_else(|| self.undefined(module, name))?;
        self.insert(as_module, as_name, definition)
    }

    /// Defines everything in `module` in `as_module` too.
    ///
    /// # Errors
    ///
    /// If nothing is defined in `module`, or one of its names is defined in `as_module` already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Self> {
        let Some(definitions) = self.modules.get(module).cloned() else {
            return Err(Error::link(format!("nothing is defined in module {}", quoted(module))));
        };
        for (name, definition) in definitions {
            self.insert(as_module, &name, definition)?;
        }
        Ok(self)
    }

    /// What `module::name` is, in this store.
    ///
    /// # Errors
    ///
    /// If it is not defined, or the store holds as many functions as its limits allow.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Result<Extern> {
        match self.definition(module, name) {
            Some(Definition::Item(item)) => Ok(*item),
            Some(Definition::Host(f)) => Ok(Extern::Func(Func(f.func(store.as_context_mut().vm)?))),
            Some(Definition::Shared(memory)) => Ok(memory.attach(store)?.into()),
            None => Err(self.undefined(module, name)),
        }
    }

    /// Instantiates `module` with the imports it names.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Link`] lists every import that is not defined, with its type; otherwise as
    /// [`Instance::new`].
    pub fn instantiate(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        let mut store = store.as_context_mut();
        let imports = self.imports(&mut store, module)?;
        instance::instantiate(store, module, &imports)
    }

    /// What `module` imports, in its order.
    fn imports(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &Module,
    ) -> Result<Vec<vm::Extern>> {
        instance::check_engine(store.engine(), module)?;
        if !Engine::same(&self.engine, module.engine()) {
            return Err(instance::other_engine(module, "linker"));
        }
        let imports = &module.decoded().imports;
        let missing: Vec<_> =
            imports.iter().filter(|i| self.definition(&i.module, &i.name).is_none()).collect();
        if !missing.is_empty() {
            return Err(missing_imports(module, &missing));
        }
        let mut externs = Vec::with_capacity(imports.len());
        for import in imports {
            match self.definition(&import.module, &import.name) {
                Some(Definition::Item(item)) => externs.push((*item).into()),
                Some(Definition::Host(f)) => externs.push(f.func(store.vm)?.into()),
                Some(Definition::Shared(memory)) => {
                    externs.push(Extern::from(memory.attach(&mut *store)?).into());
                }
                None => return Err(Error::bug("an import was defined and is not any more")),
            }
        }
        Ok(externs)
    }

    /// Defines every function that `module` imports and that is not defined as one that stops the
    /// guest with an error when it is called.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for unknown in self.unknown(module) {
            if let ExternType::Func { ty, .. } = &unknown.ty {
                let text = format!(
                    "import {} was called, which is not defined: expected {ty}",
                    import(&unknown.module, &unknown.name)
                );
                let call = move |_: Caller<'_, T>, _: &[Val], _: &mut [Val]| {
                    Err(Error::link(text.clone()))
                };
                self.func_new(&unknown.module, &unknown.name, FuncType::clone(ty), call)?;
            }
        }
        Ok(())
    }

    /// Defines everything that `module` imports and that is not defined: functions that do nothing
    /// and return zero or null, globals that are zero or null, memories and tables of the smallest
    /// size that fits.
    ///
    /// # Errors
    ///
    /// If there is no default: references that cannot be null, and tags.
    pub fn define_unknown_imports_as_default_values(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<()> {
        let mut store = store.as_context_mut();
        for unknown in self.unknown(module) {
            let (module, name) = (&*unknown.module, &*unknown.name);
            let none = || {
                let (name, ty) = (import(module, name), instance::type_text(&unknown.ty));
                Error::link(format!("cannot define import {name}: {ty} has no default value"))
            };
            match &unknown.ty {
                ExternType::Func { ty, .. } => {
                    if !ty.results.iter().all(|ty| Val::default_for(*ty).is_some()) {
                        return Err(none());
                    }
                    let call = |_: Caller<'_, T>, _: &[Val], _: &mut [Val]| Ok(());
                    self.func_new(module, name, FuncType::clone(ty), call)?;
                }
                ExternType::Global(ty) => {
                    let val = Val::default_for(ty.val).ok_or_else(none)?;
                    self.define(module, name, Global::new(&mut store, *ty, val)?)?;
                }
                ExternType::Table(ty) => {
                    let val = Val::default_for(dunlin_module::ValType::Ref(ty.elem));
                    let val = val.ok_or_else(none)?;
                    self.define(module, name, Table::new(&mut store, *ty, val)?)?;
                }
                ExternType::Memory(ty) => {
                    self.define(module, name, Memory::new(&mut store, *ty)?)?;
                }
                ExternType::Tag { .. } => return Err(none()),
            }
        }
        Ok(())
    }

    /// What `module` imports and is not defined, each name once.
    fn unknown(&self, module: &Module) -> Vec<dunlin_module::Import> {
        let mut seen = std::collections::BTreeSet::new();
        let imports = module.decoded().imports.iter();
        imports
            .filter(|i| self.definition(&i.module, &i.name).is_none())
            .filter(|i| seen.insert((&i.module, &i.name)))
            .cloned()
            .collect()
    }

    fn definition(&self, module: &str, name: &str) -> Option<&Definition> {
        self.modules.get(module)?.get(name)
    }

    #[cold]
    fn undefined(&self, module: &str, name: &str) -> Error {
        let error = Error::link(format!("{} is not defined", import(module, name)));
        match self.modules.get(module) {
            Some(names) => {
                let names = shortened(names.keys().map(|name| quoted(name)));
                error.with_help(format!("defined in {}: {}", quoted(module), names.join(", ")))
            }
            None => error,
        }
    }

    fn insert_host(
        &mut self,
        module: &str,
        name: &str,
        ty: &FuncType,
        f: HostFn,
    ) -> Result<&mut Self> {
        let signature = Arc::new(Signature::new(self.engine.types(), ty)?);
        self.insert(module, name, Definition::Host(HostDefinition { signature, f }))
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Self> {
        let names = self.modules.entry(module.into()).or_default();
        match names.entry(name.into()) {
            Entry::Vacant(entry) => {
                entry.insert(definition);
            }
            Entry::Occupied(mut entry) if self.allow_shadowing => {
                entry.insert(definition);
            }
            Entry::Occupied(_) => {
                let text = format!("cannot define {}: it is defined already", import(module, name));
                return Err(Error::link(text).with_help("allow it with `Linker::allow_shadowing`"));
            }
        }
        Ok(self)
    }
}

#[cold]
fn missing_imports(module: &Module, missing: &[&dunlin_module::Import]) -> Error {
    let item = |i: &&dunlin_module::Import| {
        format!("{}: expected {}", import(&i.module, &i.name), instance::type_text(&i.ty))
    };
    let error = match missing {
        [one] => Error::link(format!("cannot link import {}, found nothing", item(one))),
        many => {
            let text = format!(
                "cannot link {}: {} imports are not defined",
                title(module.decoded()),
                many.len()
            );
            Error::list(ErrorKind::Link, text, shortened(many.iter().map(item)))
        }
    };
    if missing.iter().all(|i| i.module.starts_with("wasi_")) {
        return error.with_help("provide WASI with `wasi::p1::add_to_linker`");
    }
    let them = if missing.len() == 1 { "it" } else { "them" };
    let funcs = missing.iter().all(|i| matches!(i.ty, ExternType::Func { .. }));
    error.with_help(if funcs {
        format!(
            "define {them} with `Linker::func_wrap`, or let the guest run until it calls {them} \
             with `Linker::define_unknown_imports_as_traps`"
        )
    } else {
        format!(
            "define {them} with `Linker::define`, or as zero with \
             `Linker::define_unknown_imports_as_default_values`"
        )
    })
}

impl<T: 'static> Clone for Linker<T> {
    fn clone(&self) -> Linker<T> {
        Linker {
            engine: self.engine.clone(),
            modules: self.modules.clone(),
            allow_shadowing: self.allow_shadowing,
            marker: PhantomData,
        }
    }
}

impl<T: 'static> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |module: &BTreeMap<Arc<str>, Definition>| -> Vec<Arc<str>> {
            module.keys().cloned().collect()
        };
        f.debug_map().entries(self.modules.iter().map(|(k, v)| (k, names(v)))).finish()
    }
}
