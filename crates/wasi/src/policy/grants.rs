//! What one guest or component is granted, and how it becomes its world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::WasiCtxBuilder;
use crate::host::keyvalue::{Store, StorePlace};
use crate::host::net::{HttpRule, ListenRule, NetGrants, NetRule, ResolveRule};
use crate::host::{Access, Mount, Need};

/// A directory, and what may be done below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirGrant {
    /// As the host names it.
    pub host: String,
    /// As the guest names it.
    pub guest: String,
    /// What may be done.
    pub access: Access,
}

/// The flag that grants it.
impl fmt::Display for DirGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ro = if self.access == Access::ReadOnly { ":ro" } else { "" };
        write!(f, "--dir {}::{}{ro}", self.host, self.guest)
    }
}

/// A variable of the environment, `NAME` or `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvGrant {
    /// Its name.
    pub name: String,
    /// Its value; without, the host's.
    pub value: Option<String>,
}

impl fmt::Display for EnvGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for EnvGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<EnvGrant, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || text.contains('\0') {
            let text = text.escape_debug();
            return Err(format!("expected `NAME` or `NAME=VALUE`, found `{text}`"));
        }
        Ok(EnvGrant { name: name.to_owned(), value })
    }
}

impl TryFrom<String> for EnvGrant {
    type Error = String;

    fn try_from(text: String) -> Result<EnvGrant, String> {
        text.parse()
    }
}

impl From<EnvGrant> for String {
    fn from(grant: EnvGrant) -> String {
        grant.to_string()
    }
}

fn insert<R: PartialEq, E>(rules: &mut Vec<R>, rule: Result<R, E>) -> bool {
    let Ok(rule) = rule else { return false };
    if !rules.contains(&rule) {
        rules.push(rule);
    }
    true
}

/// Everything that one guest or component is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Directories.
    pub dirs: Vec<DirGrant>,
    /// Variables of the environment.
    pub env: Vec<EnvGrant>,
    /// The network.
    pub net: NetGrants,
    /// Values of the configuration.
    pub config: BTreeMap<String, String>,
    /// Stores of keys and values, and where they are kept.
    pub stores: BTreeMap<String, StorePlace>,
}

impl Grants {
    /// Gives a world what is granted.
    ///
    /// Directories of the host begin at `base` if they are relative. `env` has the host's variables: what it
    /// does not have, the guest does not get. `open` opens stores by name and place, so that components can
    /// share one; use [`StorePlace::store`] where they do not.
    pub fn enforce(
        &self,
        mut builder: WasiCtxBuilder,
        base: &Path,
        env: impl Fn(&str) -> Option<String>,
        mut open: impl FnMut(&str, &StorePlace) -> Store,
    ) -> WasiCtxBuilder {
        for dir in &self.dirs {
            builder = builder.dir(base.join(&dir.host), dir.guest.as_str(), dir.access);
        }
        for EnvGrant { name, value } in &self.env {
            if let Some(value) = value.clone().or_else(|| env(name)) {
                builder = builder.env(name, value);
            }
        }
        for (key, value) in &self.config {
            builder = builder.config(key, value);
        }
        for (name, place) in &self.stores {
            builder = builder.store(name, open(name, place));
        }
        builder.net(self.net.clone())
    }

    /// The flags that would grant the same, in order and each once.
    pub fn flags(&self) -> BTreeSet<String> {
        let NetGrants { net, listen, resolve, http, sockets_max: _ } = &self.net;
        let mut flags = BTreeSet::new();
        flags.extend(self.dirs.iter().map(ToString::to_string));
        flags.extend(self.env.iter().map(|env| format!("--env {env}")));
        flags.extend(net.iter().map(|rule| format!("{} {rule}", NetRule::FLAG)));
        flags.extend(listen.iter().map(|rule| format!("{} {rule}", ListenRule::FLAG)));
        flags.extend(resolve.iter().map(|rule| format!("{} {rule}", ResolveRule::FLAG)));
        flags.extend(http.iter().map(|rule| format!("{} {rule}", HttpRule::FLAG)));
        flags.extend(self.config.iter().map(|(key, value)| format!("--config {key}={value}")));
        flags.extend(self.stores.iter().map(|(name, place)| {
            let place = String::from(place.clone());
            format!("--kv {name}={place}")
        }));
        flags
    }

    /// Grants what is needed, as narrowly as a rule can; gives whether there is a rule for it.
    /// Directories that
    /// are not granted at all, variables and values of the configuration take more than a need says.
    pub fn add(&mut self, need: &Need) -> bool {
        let rule = need.target();
        match need {
            Need::Connect { .. } => insert(&mut self.net.net, rule.parse()),
            Need::Listen { .. } => insert(&mut self.net.listen, rule.parse()),
            Need::Resolve { .. } => insert(&mut self.net.resolve, rule.parse()),
            Need::Http { target } => insert(&mut self.net.http, target.origin().parse()),
            Need::Store { name } => {
                self.stores.entry(name.clone()).or_insert(StorePlace::Memory);
                true
            }
            Need::Path { write: true, mount: Some(Mount { host, guest }), .. } => {
                let same = |dir: &&mut DirGrant| dir.host == *host && dir.guest == *guest;
                match self.dirs.iter_mut().find(same) {
                    Some(dir) => dir.access = Access::ReadWrite,
                    None => {
                        let (host, guest) = (host.clone(), guest.clone());
                        self.dirs.push(DirGrant { host, guest, access: Access::ReadWrite });
                    }
                }
                true
            }
            Need::Path { .. } | Need::Env { .. } | Need::Config { .. } => false,
        }
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        *self == Grants::default()
    }
}
