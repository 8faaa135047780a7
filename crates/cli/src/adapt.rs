//! What a flag names that goes into a component: an adapter, a package.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use dunlin_compose::make::Wasi;

/// `NAME=FILE`, `command`, `reactor` or `proxy`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Adaptation {
    /// An adapter of one's own, for imports from a module of this name.
    Module(String, PathBuf),
    /// One of ours, for WASI 0.1.
    Wasi(Wasi),
}

impl Adaptation {
    /// How clap reads one: paths need not be Unicode.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Adaptation> {
        OsStringValueParser::new().try_map(Adaptation::parse)
    }

    fn parse(text: OsString) -> Result<Adaptation, &'static str> {
        match text.to_str() {
            Some("command") => return Ok(Adaptation::Wasi(Wasi::Command)),
            Some("reactor") => return Ok(Adaptation::Wasi(Wasi::Reactor)),
            Some("proxy") => return Ok(Adaptation::Wasi(Wasi::Proxy)),
            _ => {}
        }
        let expected = "expected NAME=FILE, `command`, `reactor` or `proxy`";
        named(&text).map(|(name, path)| Adaptation::Module(name, path)).ok_or(expected)
    }
}

/// `NS:PKG=FILE`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dependency {
    /// The package, perhaps with a version.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl Dependency {
    /// How clap reads one: paths need not be Unicode.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Dependency> {
        OsStringValueParser::new().try_map(|text| {
            let expected = "expected NS:PKG=FILE or NS:PKG@VERSION=FILE";
            let named = named(&text).filter(|(name, _)| name.contains(':'));
            named.map(|(name, path)| Dependency { name, path }).ok_or(expected)
        })
    }
}

/// A name and a path with `=` between them. A path that is not Unicode can be had by another name.
fn named(text: &OsString) -> Option<(String, PathBuf)> {
    let (name, path) = text.to_str()?.split_once('=')?;
    (!name.is_empty() && !path.is_empty()).then(|| (name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adaptations_are_read() {
        let parse = |text: &str| Adaptation::parse(text.into());
        assert_eq!(parse("proxy"), Ok(Adaptation::Wasi(Wasi::Proxy)));
        let env = Adaptation::Module("env".to_owned(), "a=b.wasm".into());
        assert_eq!(parse("env=a=b.wasm"), Ok(env));
        assert!(parse("env").is_err() && parse("=x").is_err() && parse("x=").is_err());
    }
}
