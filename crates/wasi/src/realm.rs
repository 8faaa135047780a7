//! Realms: what each component of a guest is granted, and which of them the guest is in.
//!
//! A guest that is one component has one realm. In a composition the realm is changed with the component
//! that calls the host ([`WasiCtx::enter`](crate::WasiCtx::enter)). Everything that is opened keeps
//! hold of the
//! realm it was opened in, whoever comes to hold it.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::host::keyvalue::Stores;
use crate::host::{Config, Dir, Need, Network, Verdict, Witness};

/// A granted directory, and the name the guest has for it.
#[derive(Clone, Debug)]
pub(crate) struct Preopen {
    pub(crate) dir: Arc<Dir>,
    pub(crate) name: String,
}

/// What one component is granted.
#[derive(Debug)]
pub(crate) struct Realm {
    /// `NAME=VALUE` each.
    pub(crate) env: Arc<[String]>,
    pub(crate) dirs: Vec<Preopen>,
    pub(crate) network: Network,
    pub(crate) config: Config,
    pub(crate) stores: Stores,
    /// Who hears of what is done with these.
    pub(crate) witness: Witness,
}

impl Realm {
    /// The environment, which guests read as a whole.
    pub(crate) fn read_env(&self) -> &[String] {
        for text in self.env.iter() {
            let name = text.split('=').next().unwrap_or_default();
            let rule = format_args!("--env {name}");
            let need = || Need::Env { name: name.to_owned() };
            self.witness.tell("env", Verdict::Granted, Some(&rule), need);
        }
        &self.env
    }

    /// The same grants in the hands of another component.
    fn shared_with(&self, component: &Arc<str>) -> Realm {
        let witness = self.witness.of(component);
        let dirs = self.dirs.iter().map(|Preopen { dir, name }| Preopen {
            dir: Arc::new(dir.seen_by(witness.clone())),
            name: name.clone(),
        });
        Realm {
            env: Arc::clone(&self.env),
            dirs: dirs.collect(),
            network: self.network.seen_by(witness.clone()),
            config: Config { witness: witness.clone(), ..self.config.clone() },
            stores: Stores { witness: witness.clone(), ..self.stores.clone() },
            witness,
        }
    }

    /// Nothing granted to a component; `unnamed` is the network of all of whom that is true.
    fn nothing(&self, component: &Arc<str>, unnamed: &Network) -> Realm {
        let witness = self.witness.of(component);
        Realm {
            env: Arc::default(),
            dirs: Vec::new(),
            network: unnamed.seen_by(witness.clone()),
            config: Config { witness: witness.clone(), ..Config::default() },
            stores: Stores { witness: witness.clone(), ..Stores::default() },
            witness,
        }
    }

    /// About how many bytes such a realm takes.
    fn size(&self) -> u64 {
        1024u64.saturating_add((self.dirs.len() as u64).saturating_mul(256))
    }
}

/// The realms a guest is not in.
#[derive(Debug)]
pub(crate) struct Realms {
    /// Those of components that were in one already or have grants of their own.
    others: HashMap<Arc<str>, Realm>,
    /// Whose realm the guest is in; the empty name is that of the outermost component.
    here: Arc<str>,
    /// If each component has what is granted to it by name and nothing else: the network of those that were
    /// not named, who share what sockets they may have. Otherwise all have the same.
    unnamed: Option<Network>,
    /// Whether it matters in which realm the guest is.
    matter: bool,
}

impl Realms {
    /// The guest is in the realm `outermost`.
    pub(crate) fn new(others: HashMap<Arc<str>, Realm>, outermost: &Realm, apart: bool) -> Realms {
        let unnamed = apart.then(|| outermost.network.nothing());
        let matter = apart || outermost.witness.names_callers();
        Realms { others, here: Arc::default(), unnamed, matter }
    }

    /// Whether another realm has to be entered for what `component` does.
    #[inline]
    pub(crate) fn is_elsewhere(&self, component: Option<&Arc<str>>) -> bool {
        self.matter && component.map_or("", |name| &**name) != &*self.here
    }

    /// Goes from the realm `here` to that of a component; `charge` is told how many bytes a new one takes.
    pub(crate) fn go<E>(
        &mut self,
        here: &mut Realm,
        component: Option<&Arc<str>>,
        charge: impl FnOnce(u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = component.cloned().unwrap_or_default();
        let next = match self.others.remove(&name) {
            Some(realm) => realm,
            None => {
                charge(here.size())?;
                match &self.unnamed {
                    Some(network) => here.nothing(&name, network),
                    None => here.shared_with(&name),
                }
            }
        };
        let left = mem::replace(&mut self.here, name);
        self.others.insert(left, mem::replace(here, next));
        Ok(())
    }
}
