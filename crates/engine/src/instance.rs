//! Instances: modules with their imports, memories and state, ready to be called.

use std::fmt;
use std::vec;

use dunlin_module::{ExternIndex, ExternType};
use dunlin_vm as vm;

use crate::context::{AsContextMut, StoreContextMut};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::externs::{Export, Extern};
use crate::func::{Func, TypedFunc, WasmParams, WasmResults};
use crate::global::Global;
use crate::memory::{Memory, own};
use crate::module::{Module, title};
use crate::quote::{quoted, shortened};
use crate::table::Table;

/// A module brought to life in a store.
///
/// It lives as long as the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instance(vm::InstanceHandle);

impl Instance {
    /// Instantiates `module` with `imports`, one for each of its imports in order, and runs its
    /// start function. A [`Linker`](crate::Linker) finds imports by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Link`](crate::ErrorKind) if the imports do not fit; otherwise whatever stopped
    /// its initialization or its start function.
    pub fn new(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
    ) -> Result<Instance> {
        let store = store.as_context_mut();
        check_engine(store.engine(), module)?;
        let imports: Vec<vm::Extern> = imports.iter().map(|item| (*item).into()).collect();
        instantiate(store, module, &imports)
    }

    /// What it exports as `name`.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        own(store.as_context_mut().vm.export(self.0, name)).map(Extern::from)
    }

    /// What it exports as `name`, in a machine's store.
    pub(crate) fn export_raw(self, vm: &mut vm::Store, name: &str) -> Result<Option<Extern>> {
        Ok(vm.export(self.0, name)?.map(Extern::from))
    }

    /// The function it exports as `name`.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The memory it exports as `name`.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The table it exports as `name`.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The global it exports as `name`.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The function it exports as `name`, with its type known to Rust.
    ///
    /// # Errors
    ///
    /// If there is no such export, it is no function, or a function of another type.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        let vm = store.as_context_mut().vm;
        match vm.export(self.0, name)? {
            Some(vm::Extern::Func(func)) => TypedFunc::named(Func(func), name, vm),
            Some(other) => {
                let ty = vm.extern_type(other)?;
                let (name, found) = (quoted(name), type_text(&ty));
                Err(Error::link(format!("export {name}: expected a function, found {found}")))
            }
            None => Err(self.missing_func(name, vm)),
        }
    }

    #[cold]
    fn missing_func(&self, name: &str, vm: &vm::Store) -> Error {
        let code = match vm.instance_code(self.0) {
            Ok(code) => code,
            Err(error) => return error.into(),
        };
        let module = code.module();
        let funcs: Vec<_> = module
            .exports
            .iter()
            .filter(|export| matches!(export.item, ExternIndex::Func(_)))
            .map(|export| quoted(&export.name))
            .collect();
        let mut text = format!("export {} not found in {}", quoted(name), title(module));
        if funcs.is_empty() {
            text.push_str("; it exports no functions");
        } else {
            text.push_str("; available: ");
            text.push_str(&shortened(funcs.into_iter()).join(", "));
        }
        Error::link(text)
    }

    /// Everything it exports, in order of declaration.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn exports(&self, mut store: impl AsContextMut) -> vec::IntoIter<Export> {
        let vm = store.as_context_mut().vm;
        let code = own(vm.instance_code(self.0)).clone();
        let mut exports = Vec::with_capacity(code.module().exports.len());
        for export in &code.module().exports {
            if let Some(item) = own(vm.item_at(self.0, export.item)) {
                exports.push(Export::new(export.name.clone(), item.into()));
            }
        }
        exports.into_iter()
    }
}

/// Instantiates `module`, whose engine was checked, with imports in its order.
pub(crate) fn instantiate<T: 'static>(
    store: StoreContextMut<'_, T>,
    module: &Module,
    imports: &[vm::Extern],
) -> Result<Instance> {
    match store.vm.instantiate(module.code(), imports) {
        Ok(handle) => Ok(Instance(handle)),
        // These say already what could not be done.
        Err(error @ vm::InstantiateError::Link(_)) => Err(error.into()),
        Err(error) => {
            let title = title(module.decoded());
            Err(Error::from(error).context(format_args!("cannot instantiate {title}")))
        }
    }
}

/// Fails unless `module` was made for the engine of a store.
pub(crate) fn check_engine(engine: &Engine, module: &Module) -> Result<()> {
    if Engine::same(engine, module.engine()) {
        return Ok(());
    }
    Err(other_engine(module, "store"))
}

#[cold]
pub(crate) fn other_engine(module: &Module, than: &str) -> Error {
    let title = title(module.decoded());
    Error::misuse(format!("cannot instantiate {title}: the {than} belongs to another engine"))
        .with_help("make both from clones of one `Engine`")
}

/// The type of something imported or exported, as the text format writes it.
pub(crate) fn type_text(ty: &ExternType) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| match ty {
        ExternType::Func { ty, .. } => write!(f, "{ty}"),
        ExternType::Table(ty) => write!(f, "{ty}"),
        ExternType::Memory(ty) => write!(f, "{ty}"),
        ExternType::Global(ty) => write!(f, "{ty}"),
        ExternType::Tag { ty, .. } => {
            f.write_str("(tag")?;
            if !ty.params.is_empty() {
                f.write_str(" (param")?;
                ty.params.iter().try_for_each(|param| write!(f, " {param}"))?;
                f.write_str(")")?;
            }
            f.write_str(")")
        }
    })
}
