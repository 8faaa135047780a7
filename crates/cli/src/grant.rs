//! What a flag grants: a directory, a variable, a value of the configuration, a store.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser};
use dunlin::wasi::host::keyvalue::StorePlace;

/// `HOST[::GUEST][:ro]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DirGrant {
    /// The directory on this machine.
    pub(crate) host: PathBuf,
    /// The name the guest sees.
    pub(crate) guest: String,
    /// Whether writing, creating and removing are refused.
    pub(crate) read_only: bool,
}

impl DirGrant {
    /// How clap reads one: paths need not be Unicode.
    pub(crate) fn parser() -> impl TypedValueParser<Value = DirGrant> {
        OsStringValueParser::new().try_map(DirGrant::parse)
    }

    fn parse(text: OsString) -> Result<DirGrant, String> {
        // A path that is not Unicode is taken as it is: it has no suffix that could be read.
        let text = match text.into_string() {
            Ok(text) => text,
            Err(path) => {
                let guest = path.to_string_lossy().into_owned();
                return Ok(DirGrant { host: path.into(), guest, read_only: false });
            }
        };
        let (paths, read_only) = match text.strip_suffix(":ro") {
            Some(paths) => (paths, true),
            None => (text.strip_suffix(":rw").unwrap_or(&text), false),
        };
        let (host, guest) = paths.rsplit_once("::").unwrap_or((paths, paths));
        if host.is_empty() || guest.is_empty() {
            return Err(
                "a path is empty: expected HOST, HOST::GUEST, HOST:ro or HOST::GUEST:ro".to_owned()
            );
        }
        Ok(DirGrant { host: host.into(), guest: guest.to_owned(), read_only })
    }
}

/// `NAME[=VALUE]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EnvGrant {
    /// The variable.
    pub(crate) name: String,
    /// Its value; `None` passes on that of this process.
    pub(crate) value: Option<String>,
}

impl FromStr for EnvGrant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<EnvGrant, Self::Err> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err("the name is empty: expected NAME or NAME=VALUE");
        }
        Ok(EnvGrant { name: name.to_owned(), value })
    }
}

/// `KEY=VALUE`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConfigGrant {
    /// The key.
    pub(crate) key: String,
    /// What it says.
    pub(crate) value: String,
}

impl FromStr for ConfigGrant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ConfigGrant, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(ConfigGrant { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("expected KEY=VALUE"),
        }
    }
}

/// `NAME=PLACE`
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoreGrant {
    /// The name by which the program opens it.
    pub(crate) name: String,
    /// Where it is kept.
    pub(crate) place: StorePlace,
}

impl FromStr for StoreGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<StoreGrant, String> {
        match text.split_once('=') {
            Some((name, place)) if !name.is_empty() => {
                Ok(StoreGrant { name: name.to_owned(), place: place.parse()? })
            }
            _ => Err("expected NAME=memory or NAME=file:PATH".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let dir = |text: &str| {
            DirGrant::parse(text.into())
                .map(|d| (d.host.display().to_string(), d.guest, d.read_only))
        };
        let grant = |host: &str, guest: &str, ro| Ok((host.to_owned(), guest.to_owned(), ro));
        assert_eq!(dir("."), grant(".", ".", false));
        assert_eq!(dir("in:ro"), grant("in", "in", true));
        assert_eq!(dir("in::/data"), grant("in", "/data", false));
        assert_eq!(dir("/a b::/:ro"), grant("/a b", "/", true));
        assert_eq!(dir("x::y:rw"), grant("x", "y", false));
        assert_eq!(dir("a::b::c"), grant("a::b", "c", false));
        assert_eq!(dir("a:b"), grant("a:b", "a:b", false));
        for wrong in ["", ":ro", "::", "a::", "::b", "a:::ro"] {
            assert!(dir(wrong).is_err(), "{wrong:?} is not a grant");
        }
    }

    #[test]
    fn variables() {
        let env = |text: &str| text.parse::<EnvGrant>().map(|e| (e.name, e.value));
        assert_eq!(env("HOME"), Ok(("HOME".into(), None)));
        assert_eq!(env("A="), Ok(("A".into(), Some(String::new()))));
        assert_eq!(env("A=b=c"), Ok(("A".into(), Some("b=c".into()))));
        assert!(env("=b").is_err());
        assert!(env("").is_err());
    }

    #[test]
    fn values_and_stores() {
        let config = |text: &str| text.parse::<ConfigGrant>().map(|c| (c.key, c.value));
        assert_eq!(config("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(config("a="), Ok(("a".into(), String::new())));
        assert!(config("a").is_err());
        assert!(config("=a").is_err());
        let store = |text: &str| text.parse::<StoreGrant>().map(|s| (s.name, s.place)).ok();
        assert_eq!(store("s=memory"), Some(("s".into(), StorePlace::Memory)));
        let file = StorePlace::File("a=b".into());
        assert_eq!(store("s=file:a=b"), Some(("s".into(), file)));
        for wrong in ["s", "=memory", "s=", "s=file:", "s=disk"] {
            assert!(store(wrong).is_none(), "{wrong:?} is not a grant");
        }
    }
}
