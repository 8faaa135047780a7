//! Policies as text: reading, with the place of a mistake, and writing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grants::{DirGrant, EnvGrant, Grants};
use super::{Policy, VERSION};
use crate::host::Access;
use crate::host::keyvalue::StorePlace;
use crate::host::net::{HttpRule, ListenRule, NetGrants, NetRule, ResolveRule};

/// A policy that cannot be read, and where that shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for PolicyError {}

impl PolicyError {
    fn new(text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> PolicyError {
        let at = span.map_or(0, |span| span.start).min(text.len());
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let column = before.get(start..).unwrap_or_default().chars().count().saturating_add(1);
        PolicyError { line, column, message: message.into() }
    }

    fn of(text: &str, error: &toml::de::Error) -> PolicyError {
        // What stands in the file is quoted by the messages.
        let message: String = error.message().chars().flat_map(plain).collect();
        PolicyError::new(text, error.span(), message)
    }
}

/// A character of a message, escaped if it would do something to a terminal.
fn plain(c: char) -> Vec<char> {
    if c.is_control() && c != '\n' { c.escape_default().collect() } else { vec![c] }
}

/// The one key that is the same in files of every version.
#[derive(Deserialize)]
struct Versioned {
    version: toml::Spanned<u32>,
}

/// The guest's grants and those of its components, which are written alike.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    env: Vec<EnvGrant>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dir: Vec<Dir>,
    #[serde(default, skip_serializing_if = "Net::is_empty")]
    network: Net,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    store: BTreeMap<String, StorePlace>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    component: BTreeMap<String, Component>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    env: Vec<EnvGrant>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dir: Vec<Dir>,
    #[serde(default, skip_serializing_if = "Net::is_empty")]
    network: Net,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    store: BTreeMap<String, StorePlace>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dir {
    host: String,
    guest: String,
    access: Mode,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Mode {
    #[serde(rename = "ro")]
    Ro,
    #[serde(rename = "rw")]
    Rw,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Net {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    connect: Vec<NetRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listen: Vec<ListenRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resolve: Vec<ResolveRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    http: Vec<HttpRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sockets_max: Option<usize>,
}

impl Net {
    fn is_empty(&self) -> bool {
        let Net { connect, listen, resolve, http, sockets_max } = self;
        connect.is_empty()
            && listen.is_empty()
            && resolve.is_empty()
            && http.is_empty()
            && sockets_max.is_none()
    }
}

impl From<Component> for Grants {
    fn from(read: Component) -> Grants {
        let Component { env, dir, network, config, store } = read;
        let Net { connect, listen, resolve, http, sockets_max } = network;
        let dirs = dir.into_iter().map(|Dir { host, guest, access }| DirGrant {
            host,
            guest,
            access: match access {
                Mode::Ro => Access::ReadOnly,
                Mode::Rw => Access::ReadWrite,
            },
        });
        let net = NetGrants { net: connect, listen, resolve, http, sockets_max };
        Grants { dirs: dirs.collect(), env, net, config, stores: store }
    }
}

impl From<&Grants> for Component {
    fn from(grants: &Grants) -> Component {
        let Grants { dirs, env, net, config, stores } = grants.clone();
        let dir = dirs.into_iter().map(|DirGrant { host, guest, access }| Dir {
            host,
            guest,
            access: match access {
                Access::ReadOnly => Mode::Ro,
                Access::ReadWrite => Mode::Rw,
            },
        });
        let NetGrants { net, listen, resolve, http, sockets_max } = net;
        let network = Net { connect: net, listen, resolve, http, sockets_max };
        Component { env, dir: dir.collect(), network, config, store: stores }
    }
}

impl Policy {
    /// Reads a policy.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let wrong = |error: toml::de::Error| PolicyError::of(text, &error);
        let Versioned { version } = toml::from_str(text).map_err(wrong)?;
        if *version.get_ref() != VERSION {
            let message =
                format!("expected version {VERSION} of a policy, found {}", version.get_ref());
            return Err(PolicyError::new(text, Some(version.span()), message));
        }
        let File { version: _, env, dir, network, config, store, component } =
            toml::from_str(text).map_err(wrong)?;
        let root = Component { env, dir, network, config, store };
        if component.contains_key("") {
            let at = text.find("component.\"\"").map(|at| at..at);
            let message = "a component without a name: what the outermost is granted stands outside \
                           of all tables";
            return Err(PolicyError::new(text, at, message));
        }
        let components = component.into_iter().map(|(name, read)| (name, read.into()));
        Ok(Policy { root: root.into(), components: components.collect() })
    }

    /// Writes a policy, so that it reads the same.
    pub fn render(&self) -> String {
        let Component { env, dir, network, config, store } = (&self.root).into();
        let component = self.components.iter().map(|(name, grants)| (name.clone(), grants.into()));
        let component = component.collect();
        let file = File { version: VERSION, env, dir, network, config, store, component };
        // Strings, lists and tables with strings as keys can be written.
        toml::to_string_pretty(&file).unwrap_or_default()
    }
}
