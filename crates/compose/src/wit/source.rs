//! Packages from WIT text: one file, or a directory with what it depends on in `deps`.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dunlin_module::{TextError, decode_text, escape};
use wit_component::DecodedWasm;
use wit_parser::{
    PackageId, Resolve, ResolveError, ResolveErrorKind, SourceMap, Span, UnresolvedPackageGroup,
};

use crate::error::{Error, ErrorKind};
use crate::reading::Reading;

/// All text of a package and its dependencies together; places in it are kept in 32 bits.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// The package at `path`, with all it depends on.
pub(super) fn load(path: &Path, reading: &Reading) -> Result<(Resolve, PackageId), Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let mut loader = Loader {
        resolve: reading.resolve(),
        reading,
        groups: Vec::new(),
        sources: Sources::default(),
    };
    let (files, folder) = match metadata.is_dir() {
        true => (wit_files(path)?, path),
        false => (vec![path.to_owned()], path.parent().unwrap_or(Path::new(""))),
    };
    if files.is_empty() {
        let path = escape(&path.to_string_lossy()).to_string();
        let message = format!("there is no `.wit` file in `{path}`");
        return Err(Error::new(ErrorKind::Missing, message));
    }
    let main = loader.group(&files)?;
    let deps = folder.join("deps");
    if deps.is_dir() {
        loader.deps(&deps)?;
    }
    let Loader { mut resolve, groups, sources, .. } = loader;
    match resolve.push_groups(main, groups) {
        Ok(id) => Ok((resolve, id)),
        Err(error) => Err(sources.unresolved(&resolve.source_map, &error)),
    }
}

/// The package that `text` is.
pub(super) fn parse(
    text: &str,
    path: &Path,
    reading: &Reading,
) -> Result<(Resolve, PackageId), Error> {
    let mut sources = Sources::default();
    let mut map = SourceMap::new();
    sources.push(&mut map, path, text.to_owned())?;
    let group = sources.parse(map)?;
    let mut resolve = reading.resolve();
    match resolve.push_group(group) {
        Ok(id) => Ok((resolve, id)),
        Err(error) => Err(sources.unresolved(&resolve.source_map, &error)),
    }
}

/// What was read so far.
struct Loader<'a> {
    reading: &'a Reading,
    resolve: Resolve,
    groups: Vec<UnresolvedPackageGroup>,
    sources: Sources,
}

impl Loader<'_> {
    /// The dependencies in a folder: files, folders of files, packages in binary form.
    fn deps(&mut self, folder: &Path) -> Result<(), Error> {
        for path in entries(folder)? {
            let ending = path.extension().and_then(|ending| ending.to_str());
            match ending {
                _ if path.is_dir() => {
                    let files = wit_files(&path)?;
                    if !files.is_empty() {
                        let group = self.group(&files)?;
                        self.groups.push(group);
                    }
                }
                Some("wit") => {
                    let group = self.group(&[path])?;
                    self.groups.push(group);
                }
                Some("wasm" | "wat") => self.binary(&path)?,
                // Whatever else lies about is no dependency.
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads files that are one package.
    fn group(&mut self, files: &[PathBuf]) -> Result<UnresolvedPackageGroup, Error> {
        let mut map = SourceMap::new();
        for path in files {
            let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
            let text = decode_text(&bytes, Some(path)).map_err(|error| Error::text(&error))?;
            self.sources.push(&mut map, path, text.to_owned())?;
        }
        self.sources.parse(map)
    }

    /// Reads a package in binary form.
    fn binary(&mut self, path: &Path) -> Result<(), Error> {
        let name = escape(&path.to_string_lossy()).to_string();
        let wrong = |error: &anyhow::Error| {
            let message = format!("cannot read the package in `{name}`");
            Error::new(ErrorKind::Invalid, message).because(error)
        };
        let bytes = self.reading.binary(path)?;
        match wit_component::decode(&bytes).map_err(|error| wrong(&error))? {
            DecodedWasm::WitPackage(resolve, _) => {
                self.resolve.merge(resolve).map(drop).map_err(|error| wrong(&error))
            }
            DecodedWasm::Component(..) => {
                let message = format!("`{name}` is a component: expected a WIT package");
                Err(Error::new(ErrorKind::Invalid, message))
            }
        }
    }
}

/// The texts that were read, to show lines of.
#[derive(Default)]
struct Sources {
    /// By the name that places in them have.
    texts: HashMap<String, String>,
    bytes: usize,
}

impl Sources {
    /// Adds one more to `map`.
    fn push(&mut self, map: &mut SourceMap, path: &Path, text: String) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > TEXT_BYTES_MAX {
            let message = format!("the text is too long: expected at most {TEXT_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Text, message));
        }
        map.push(path, text.as_str());
        self.texts.insert(path.display().to_string(), text);
        Ok(())
    }

    /// Parses texts that are one package.
    fn parse(&self, map: SourceMap) -> Result<UnresolvedPackageGroup, Error> {
        map.parse().map_err(|(map, error)| {
            self.pointed(&map, error.kind().span(), &error.kind().to_string())
        })
    }

    /// Why packages do not fit together, and where.
    fn unresolved(&self, map: &SourceMap, error: &ResolveError) -> Error {
        let kind = error.kind();
        let ResolveErrorKind::PackageNotFound { requested, known, .. } = kind else {
            return self.pointed(map, kind.span(), &kind.to_string());
        };
        let message = format!("there is no package `{requested}`");
        let error = self.pointed(map, kind.span(), &message);
        let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let error = match known.is_empty() {
            true => error,
            false => error.help(format!("there is {}", known.join(", "))),
        };
        error.help("packages are looked for in the directory `deps` beside the text")
    }

    /// A message of the parser, with the line it is about.
    fn pointed(&self, map: &SourceMap, span: Span, message: &str) -> Error {
        let (message, advice) = message.split_once('\n').unwrap_or((message, ""));
        // Names are in backticks in all our messages.
        let message = message.replace('\'', "`");
        let place = map.resolve_span(span);
        let error = match place.and_then(|place| Some((self.texts.get(place.path)?, place))) {
            Some((text, place)) => {
                let path = Path::new(place.path);
                Error::text(&TextError::at(text, place.range.start, &message, Some(path)))
            }
            None => Error::new(ErrorKind::Text, escape(&message).to_string()),
        };
        let lines = advice.lines().map(|line| escape(line.trim()).to_string());
        lines.fold(error, Error::help)
    }
}

/// The `.wit` files in a folder.
fn wit_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = entries(folder)?;
    files.retain(|path| path.extension().is_some_and(|ending| ending == "wit") && !path.is_dir());
    Ok(files)
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let found = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut found = found.map_err(|error| unreadable(folder, &error))?;
    found.sort();
    Ok(found)
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Error {
    let name = escape(&path.to_string_lossy()).to_string();
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    };
    Error::new(ErrorKind::Io, format!("cannot read `{name}`: {reason}"))
}
