//! Components from core modules.

use dunlin_module::{ExternIndex, ExternType, Features, Module, TypeRegistry, escape};
use wasi_preview1_component_adapter_provider as p1;
use wit_component::{ComponentEncoder, StringEncoding};

use crate::contained::contained;
use crate::error::{Error, ErrorKind};
use crate::wit::{Direction, Wit, is_component};

/// The module name that programs for WASI 0.1 import from.
const WASI_P1: &str = p1::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;

/// What becomes of a module's imports from WASI 0.1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Wasi {
    /// What its exports ask for: a command if it exports `_start`, a proxy if its world exports a
    /// handler for HTTP requests, otherwise a reactor.
    #[default]
    Auto,
    /// A program that is run once (world `wasi:cli/command`).
    Command,
    /// A library (world `wasi:cli/imports`).
    Reactor,
    /// A handler for HTTP requests, without files (world `wasi:http/proxy`).
    Proxy,
}

/// How a component is made.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// What becomes of the module's imports from WASI 0.1; nothing if there is an adapter for them.
    pub wasi: Wasi,
    /// Modules that implement one of the module's imports each, in terms of a world embedded in them.
    pub adapters: Vec<Adapter>,
}

/// A module that stands between an import of another one and the imports of a component.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// The module name that is imported.
    pub name: String,
    /// The adapter, as a core module.
    pub module: Vec<u8>,
}

/// How the strings of a module are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Strings {
    /// In UTF-8.
    #[default]
    Utf8,
    /// In UTF-16.
    Utf16,
    /// In Latin-1 where that will do, else in UTF-16.
    Compact,
}

/// Puts the interface of a world into a module, for [`component`].
///
/// # Errors
///
/// When there is no such world, or the binary is not a core module.
pub fn embed(
    module: &[u8],
    wit: &Wit,
    world: Option<&str>,
    strings: Strings,
) -> Result<Vec<u8>, Error> {
    contained(|| {
        decode(module)?;
        let world = wit.select(world)?;
        let strings = match strings {
            Strings::Utf8 => StringEncoding::UTF8,
            Strings::Utf16 => StringEncoding::UTF16,
            Strings::Compact => StringEncoding::CompactUTF16,
        };
        let mut module = module.to_vec();
        wit_component::embed_component_metadata(&mut module, &wit.resolve, world, strings, false)
            .map_err(|error| {
            Error::new(ErrorKind::Invalid, "the world cannot be embedded").because(&error)
        })?;
        Ok(module)
    })
}

/// Makes a component of a module with WIT embedded in it, or one for WASI 0.1.
///
/// # Errors
///
/// When the binary is not a valid core module, or it does not fit its interface.
pub fn component(module: &[u8], options: &Options) -> Result<Vec<u8>, Error> {
    contained(|| {
        let core = decode(module)?;
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).debug_names(true);
        encoder.module(module).map_err(|error| {
            Error::new(ErrorKind::Invalid, "cannot read the WIT in the module").because(&error)
        })?;
        let has_wit = core.customs.iter().any(|section| section.name.starts_with("component-type"));
        let given = |name: &str| options.adapters.iter().any(|adapter| adapter.name == name);
        if imports_from(&core, WASI_P1) && !given(WASI_P1) {
            let adapter = wasi_adapter(&core, has_wit.then_some(module), options.wasi)?;
            add(&mut encoder, WASI_P1, adapter)?;
        }
        for adapter in &options.adapters {
            let name = escape(&adapter.name);
            let message = format!("the adapter for `{name}` is not valid");
            decode(&adapter.module).map_err(|error| {
                Error::new(ErrorKind::Invalid, message).because_of([error.to_string()])
            })?;
            add(&mut encoder, &adapter.name, &adapter.module)?;
        }
        encoder.encode().map_err(|error| explain(&core, &error, has_wit, &given))
    })
}

/// Validates a core module.
pub(crate) fn decode(bytes: &[u8]) -> Result<Module, Error> {
    if is_component(bytes) {
        let message = "this is a component already: expected a core module";
        return Err(Error::new(ErrorKind::Invalid, message)
            .help("`dunlin wit` shows the interface of a component"));
    }
    Module::decode(bytes.to_vec(), &Features::all(), &TypeRegistry::new()).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the module is not valid").because_of([error.to_string()])
    })
}

fn imports_from(module: &Module, name: &str) -> bool {
    module.imports.iter().any(|import| import.module.as_ref() == name)
}

fn add(encoder: &mut ComponentEncoder, name: &str, adapter: &[u8]) -> Result<(), Error> {
    let added = encoder.adapter(name, adapter);
    added.map(drop).map_err(|error| {
        let message = format!("the adapter for `{}` does not fit", escape(name));
        Error::new(ErrorKind::Mismatch, message).because(&error)
    })
}

/// The adapter for a module that imports from WASI 0.1.
fn wasi_adapter(
    core: &Module,
    with_wit: Option<&[u8]>,
    wasi: Wasi,
) -> Result<&'static [u8], Error> {
    let handles_requests = |bytes: &[u8]| {
        let wit = Wit::of_binary(bytes)?;
        let mut exports =
            wit.items().into_iter().filter(|item| item.direction == Direction::Export);
        Ok(exports.any(|item| item.name.starts_with("wasi:http/incoming-handler@")))
    };
    let wasi = match wasi {
        Wasi::Auto if matches!(core.export("_start"), Some(ExternIndex::Func(_))) => Wasi::Command,
        Wasi::Auto if with_wit.map_or(Ok(false), handles_requests)? => Wasi::Proxy,
        Wasi::Auto => Wasi::Reactor,
        asked_for => asked_for,
    };
    Ok(match wasi {
        Wasi::Command => p1::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Wasi::Proxy => p1::WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER,
        Wasi::Reactor | Wasi::Auto => p1::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    })
}

/// Why a module could not be made a component, and what could be done.
fn explain(
    core: &Module,
    error: &anyhow::Error,
    has_wit: bool,
    given: &dyn Fn(&str) -> bool,
) -> Error {
    let mismatch = Error::new(ErrorKind::Mismatch, "the module does not fit its interface");
    // Layers that say nothing which the message does not say.
    let layers = ["failed to decode world from module", "module was not valid"];
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let causes = causes.iter().filter(|cause| !layers.contains(&cause.as_str()));
    let explained = mismatch.because_of(causes.map(|cause| in_wat(cause)).collect::<Vec<_>>());
    // What no world can provide, whatever is embedded.
    if let Some(import) = core.imports.iter().find(|import| !is_func(&import.ty)) {
        let (module, name) = (escape(&import.module), escape(&import.name));
        return explained.help(format!(
            "components provide functions only: a module for one defines `{module}::{name}` itself"
        ));
    }
    let unadapted = core.imports.iter().map(|import| import.module.as_ref());
    let mut unadapted = unadapted.filter(|name| !given(name));
    if unadapted.any(|name| name == "wasi_unstable") {
        return explained.help("there is an adapter for WASI 0.1 only, not for `wasi_unstable`");
    }
    match has_wit {
        true => explained.help("`dunlin wit` shows the interface, `dunlin inspect` the module"),
        false => explained.help(
            "there is no WIT in the module: name it with `--wit DIR`, or adapt imports with \
             `--adapt NAME=FILE`",
        ),
    }
}

/// A message with types as the text format writes them.
fn in_wat(message: &str) -> String {
    let names = ["I32", "I64", "F32", "F64"];
    names.iter().fold(message.to_owned(), |text, name| text.replace(name, &name.to_lowercase()))
}

fn is_func(ty: &ExternType) -> bool {
    matches!(ty, ExternType::Func { .. })
}
