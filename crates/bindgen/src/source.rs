//! Where WIT comes from: files, directories, components, text.

use std::path::{Path, PathBuf};

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{PackageId, Resolve, WorldId};

use crate::{Error, Options};

/// Interfaces, and the world that is meant.
pub(crate) struct Source {
    pub(crate) resolve: Resolve,
    pub(crate) world: WorldId,
}

/// Reads what is at `path`, and says which files that were.
pub(crate) fn load(path: &Path, options: &Options) -> Result<(Source, Vec<PathBuf>), Error> {
    let is_binary = path.is_file()
        && std::fs::read(path).map_err(|error| unreadable(path, &error))?.starts_with(b"\0asm");
    if is_binary {
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        return Ok((binary(&bytes, options)?, vec![path.to_owned()]));
    }
    let mut resolve = empty(options);
    let loaded = resolve.push_path(path);
    let (package, sources) = loaded.map_err(|error| {
        Error::new(resolve.render_error(&error)).at(&format!("cannot read `{}`", path.display()))
    })?;
    let files = sources.paths().map(Path::to_owned).collect();
    Ok((select(resolve, package, options)?, files))
}

/// Reads text.
pub(crate) fn parse(text: &str, options: &Options) -> Result<Source, Error> {
    let mut resolve = empty(options);
    let package = resolve.push_source("<text>", text);
    let package = package.map_err(|error| Error::new(resolve.render_error(&error)))?;
    select(resolve, package, options)
}

fn binary(bytes: &[u8], options: &Options) -> Result<Source, Error> {
    let decoded = decode(bytes).map_err(|error| Error::new(format!("{error:#}")))?;
    match decoded {
        DecodedWasm::WitPackage(resolve, package) => select(resolve, package, options),
        DecodedWasm::Component(resolve, world) => Ok(Source { resolve, world }),
    }
}

fn empty(options: &Options) -> Resolve {
    Resolve { features: options.unstable.iter().cloned().collect(), ..Resolve::default() }
}

fn select(resolve: Resolve, package: PackageId, options: &Options) -> Result<Source, Error> {
    let world = resolve.select_world(&[package], options.world.as_deref());
    let world = world.map_err(|error| Error::new(format!("{error:#}")))?;
    Ok(Source { resolve, world })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(format!("cannot read `{}`: {error}", path.display()))
}
