//! Policies: everything a guest is granted, in a file; what a run needed, learned; what changed, compared.
//!
//! A policy is TOML. Rules in it are written as the flags of the command line take them.
//!
//! ```toml
//! version = 1
//! env = ["HOME", "DEBUG=1"]             # by name: what the host has
//!
//! [[dir]]
//! host = "data"
//! guest = "/data"
//! access = "ro"                         # or "rw"
//!
//! [network]
//! connect = ["tcp://db.example.com:5432"]
//! listen = ["tcp://127.0.0.1:8080"]
//! resolve = ["*.example.com"]
//! http = ["https://api.example.com/v1"]
//!
//! [config]
//! color = "red"
//!
//! [store]
//! default = "file:data.kv"              # or "memory"
//!
//! [component."acme:parser"]             # a dependency has what stands here, and nothing else
//! env = ["LANG"]
//! ```
//!
//! Keys that mean nothing are mistakes, and so are files of a later version.

mod grants;
mod learn;
mod text;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

pub use grants::{DirGrant, EnvGrant, Grants};
pub use learn::Recorder;
pub use text::PolicyError;
pub use tree::SIBLINGS;

/// The version of the format that is read and written.
pub const VERSION: u32 = 1;

/// What a guest, and each component inside it, is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The guest itself.
    pub root: Grants,
    /// The dependencies in a composition, by name.
    pub components: BTreeMap<String, Grants>,
}

impl Policy {
    /// What is granted to a component; to the guest itself, if the name is empty. A component that is not
    /// named has nothing.
    pub fn of(&self, component: &str) -> Option<&Grants> {
        if component.is_empty() { Some(&self.root) } else { self.components.get(component) }
    }

    /// Everything granted: the component, and the flag that would grant it.
    pub fn needs(&self) -> BTreeSet<(String, String)> {
        let root = std::iter::once(("", &self.root));
        let components = self.components.iter().map(|(name, grants)| (name.as_str(), grants));
        let needs = root.chain(components).flat_map(|(name, grants)| {
            grants.flags().into_iter().map(move |flag| (name.to_owned(), flag))
        });
        needs.collect()
    }
}

/// What is new and what is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<T: Ord> {
    /// In the new one only.
    pub added: BTreeSet<T>,
    /// In the old one only.
    pub removed: BTreeSet<T>,
}

/// Compares what is needed before and after, such as [`Policy::needs`] of two policies.
pub fn diff<T: Ord + Clone>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Changes<T> {
    Changes {
        added: new.difference(old).cloned().collect(),
        removed: old.difference(new).cloned().collect(),
    }
}
