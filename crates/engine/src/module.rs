//! Modules: validated code that any number of stores can instantiate.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use dunlin_module::{ExternType, Module as Decoded};
use dunlin_vm::ModuleCode;

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::quote::quoted;

/// A validated WebAssembly module.
///
/// Immutable, cheap to clone, and shared between threads freely. Nothing of it runs until it is
/// instantiated, by [`Instance::new`](crate::Instance::new) or
/// [`Linker::instantiate`](crate::Linker::instantiate).
#[derive(Clone)]
pub struct Module {
    engine: Engine,
    code: Arc<ModuleCode>,
    /// What the cache knows of it, if there is one.
    #[cfg(feature = "storage")]
    origin: Option<Arc<crate::cache::Origin>>,
}

/// Something a module needs: two names and a type.
#[derive(Clone, Debug)]
pub struct ImportType<'module> {
    module: &'module str,
    name: &'module str,
    ty: ExternType,
}

/// Something a module offers: a name and a type.
#[derive(Clone, Debug)]
pub struct ExportType<'module> {
    name: &'module str,
    ty: ExternType,
}

impl Module {
    /// Decodes and validates a module in binary form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`], with the offset of the first offence.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        Module::from_shared(engine, Arc::from(bytes.as_ref()))
    }

    /// Like [`Module::new`], for bytes that are shared already and need not be copied.
    pub fn from_shared(engine: &Engine, bytes: Arc<[u8]>) -> Result<Module> {
        #[cfg(feature = "storage")]
        if engine.storage().cache().is_some() {
            let (decoded, digest) = crate::cache::decode(engine, bytes)?;
            let mut module = Module::from_decoded(engine, decoded);
            module.origin = Some(Arc::new(crate::cache::load(engine, &module.code, digest)));
            return Ok(module);
        }
        Ok(Module::from_decoded(engine, decode(engine, bytes)?))
    }

    pub(crate) fn from_decoded(engine: &Engine, decoded: Decoded) -> Module {
        let code = ModuleCode::tiered(Arc::new(decoded), engine.settings(), engine.tiers());
        Module {
            engine: engine.clone(),
            code,
            #[cfg(feature = "storage")]
            origin: None,
        }
    }

    /// Like [`Module::new`], from a file in binary form, or one that was compiled: of that, code is read
    /// when it is called.
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let load = |path| -> Result<Module> {
            let mut file = File::open(path)?;
            let mut bytes = Vec::new();
            #[cfg(feature = "storage")]
            {
                const MAGIC_BYTES: u64 = 8;
                (&mut file).take(MAGIC_BYTES).read_to_end(&mut bytes)?;
                if Module::is_compiled_program(&bytes) && file.metadata()?.is_file() {
                    return crate::program::fitting(Module::deserialize_file(engine, file)?);
                }
            }
            file.read_to_end(&mut bytes)?;
            #[cfg(feature = "storage")]
            if Module::is_compiled_program(&bytes) {
                return Module::deserialize(engine, bytes);
            }
            Module::from_shared(engine, bytes.into())
        };
        load(path).map_err(|e| e.context(format_args!("cannot load `{}`", path.display())))
    }

    /// Writes what was compiled of it to the cache, if the engine has one, so that it is there at the
    /// next run. To be called when there is time, such as at the end. Gives whether there was
    /// anything to write; why it could not be is one of the
    /// [problems](crate::Engine::storage_problems) of the engine.
    #[cfg(feature = "storage")]
    pub fn save_to_cache(&self) -> bool {
        let Some(origin) = &self.origin else { return false };
        crate::cache::save(&self.engine, &self.code, origin).unwrap_or_else(|problem| {
            self.engine.storage().note(problem);
            false
        })
    }

    /// Checks whether [`Module::new`] would succeed, and keeps nothing.
    pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
        decode(engine, Arc::from(bytes.as_ref())).map(drop)
    }

    /// The name the module gave itself in its name section.
    pub fn name(&self) -> Option<&str> {
        self.decoded().names().module()
    }

    /// What it needs, in order of declaration.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.decoded().imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: import.ty.clone(),
        })
    }

    /// What it offers, in order of declaration.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        let module = self.decoded();
        module
            .exports
            .iter()
            .map(|export| ExportType { name: &export.name, ty: module.extern_type(export.item) })
    }

    /// The type of the export called `name`.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        let module = self.decoded();
        module.export(name).map(|item| module.extern_type(item))
    }

    /// The contents of its custom sections called `name`, in order.
    pub fn custom_sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let module = self.decoded();
        module.customs.iter().filter(move |section| &*section.name == name).filter_map(|section| {
            let range = section.range.start as usize..section.range.end as usize;
            module.bytes.get(range)
        })
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn decoded(&self) -> &Decoded {
        self.code.module()
    }

    pub(crate) fn code(&self) -> &Arc<ModuleCode> {
        &self.code
    }
}

/// How messages call a module: ``module `name` `` or just `module`.
pub(crate) fn title(module: &Decoded) -> impl fmt::Display + '_ {
    fmt::from_fn(|f| match module.names().module() {
        Some(name) => write!(f, "module {}", quoted(name)),
        None => f.write_str("module"),
    })
}

pub(crate) fn decode(engine: &Engine, bytes: Arc<[u8]>) -> Result<Decoded> {
    refuse_component(&bytes)?;
    Ok(Decoded::decode(bytes, &engine.features(), engine.types())?)
}

/// Says what it is where a component is given for a module.
pub(crate) fn refuse_component(bytes: &[u8]) -> Result<()> {
    if bytes.first_chunk() == Some(b"\0asm\x0d\0\x01\0") {
        let text = "cannot decode module: expected a core module, found a component";
        return Err(Error::message(ErrorKind::Invalid, text));
    }
    Ok(())
}

impl<'module> ImportType<'module> {
    /// The first of its names.
    pub fn module(&self) -> &'module str {
        self.module
    }

    /// The second of its names.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What is needed.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

impl<'module> ExportType<'module> {
    /// Its name.
    pub fn name(&self) -> &'module str {
        self.name
    }

    /// What is offered.
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = self.decoded();
        f.debug_struct("Module")
            .field("name", &self.name())
            .field("imports", &module.imports.len())
            .field("exports", &module.exports.len())
            .finish_non_exhaustive()
    }
}
