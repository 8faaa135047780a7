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
//! As soon as there is one table for a component, even an empty one, each component of a composition has what
//! stands in its own, the outermost what stands outside of all, and one without a table has nothing. Without
//! any, everything that stands in the file is granted to the composition as a whole.
//!
//! Keys that mean nothing are mistakes, and so are files of a later version.

mod grants;
mod learn;
mod text;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use grants::{DirGrant, EnvGrant, Grants};
pub use learn::Recorder;
pub use text::PolicyError;
pub use tree::SIBLINGS;

use crate::WasiCtxBuilder;
use crate::host::keyvalue::{Store, StorePlace};

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
    /// What is granted to a component; to the outermost, if the name is empty. If no component is
    /// named, all have
    /// the same; if another one is, those that are not named have nothing.
    pub fn of(&self, component: &str) -> Option<&Grants> {
        match component.is_empty() || self.components.is_empty() {
            true => Some(&self.root),
            false => self.components.get(component),
        }
    }

    /// Gives worlds to a guest and to the components inside it, as [`Grants::enforce`] does for one.
    pub fn enforce(
        &self,
        mut builder: WasiCtxBuilder,
        base: &Path,
        env: impl Fn(&str) -> Option<String>,
        mut open: impl FnMut(&str, &StorePlace) -> Store,
    ) -> WasiCtxBuilder {
        if !self.components.is_empty() {
            builder = builder.apart();
        }
        // Without a name it is the outermost, which has no table.
        for (name, grants) in self.components.iter().filter(|(name, _)| !name.is_empty()) {
            builder = grants.enforce(builder.of(name), base, &env, &mut open);
        }
        self.root.enforce(builder.of(""), base, env, open)
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
