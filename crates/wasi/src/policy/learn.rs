//! Learning a policy from a run: the least that lets it run again.
//!
//! Which directories that takes is found out in `tree`.
//!
//! *Network.* Hosts are granted by the name by which the guest came to their address, and otherwise by
//! address, each with the ports that were used. Looking up names that are connected to is granted with
//! that. Requests are granted by origin. *Environment, configuration and stores* are granted by name,
//! with the values that were given.
//!
//! *Components.* What one does with something that another one opened is needed by that other one: what is
//! opened keeps hold of the grants it was opened under.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::Policy;
use super::grants::{EnvGrant, Grants};
use super::tree::{Use, directories};
use crate::host::keyvalue::StorePlace;
use crate::host::net::{Host, Hosts, HttpRule, ListenRule, NetRule, Ports, Protocol};
use crate::host::{Event, Mount, Need, Observer, Verdict};

/// How many bytes of names one run may teach: what a guest makes up is not kept without end.
const LEARNED_MAX: usize = 32 << 20;

/// Listens to a run, and learns what it needs.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    components: BTreeMap<String, Needs>,
    /// How many bytes there are, about.
    bytes: usize,
    more: bool,
}

/// What one component needs.
#[derive(Debug, Default)]
struct Needs {
    /// For each directory that was granted, what was used below it, and how.
    paths: BTreeMap<Mount, BTreeMap<String, Use>>,
    env: BTreeSet<String>,
    /// As rules are written.
    connect: BTreeSet<String>,
    listen: BTreeSet<String>,
    /// Addresses of sockets that only send.
    to_send: BTreeSet<Protocol>,
    resolve: BTreeSet<String>,
    http: BTreeSet<String>,
    config: BTreeSet<String>,
    stores: BTreeSet<String>,
    denied: BTreeSet<String>,
    allowed: BTreeSet<String>,
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.bytes >= LEARNED_MAX {
            heard.more = true;
            return;
        }
        let component = event.holder;
        if !heard.components.contains_key(component) {
            heard.components.insert(component.to_owned(), Needs::default());
        }
        let Some(needs) = heard.components.get_mut(component) else { return };
        if needs.note(event) {
            let bytes = event.need.target().len().saturating_add(64);
            heard.bytes = heard.bytes.saturating_add(bytes);
        }
    }
}

impl Needs {
    /// Takes in one event; gives whether it was news.
    fn note(&mut self, event: &Event<'_>) -> bool {
        let need = event.need;
        match event.operation {
            // Granted with something else, or not the guest's doing.
            "answer" | "connect-for-http" | "receive" => return false,
            "bind-to-send" => {
                let Need::Listen { protocol, .. } = need else { return false };
                return self.to_send.insert(*protocol);
            }
            _ => {}
        }
        match event.verdict {
            Verdict::Granted => {}
            // Once is not for the next run.
            Verdict::Allowed => return self.allowed.insert(need.flag()),
            Verdict::Denied => return self.denied.insert(need.flag()),
        }
        match need {
            Need::Path { mount: None, .. } => false,
            Need::Path { path, write, mount: Some(mount) } => {
                let paths = match self.paths.get_mut(mount) {
                    Some(paths) => paths,
                    None => self.paths.entry(mount.clone()).or_default(),
                };
                let link = matches!(event.operation, "read-link" | "stat-link");
                match paths.get_mut(path) {
                    Some(known) => {
                        known.write |= write;
                        known.link |= link;
                        known.follow |= !link;
                        false
                    }
                    None => paths
                        .insert(path.clone(), Use { write: *write, link, follow: !link })
                        .is_none(),
                }
            }
            Need::Env { name } => self.env.insert(name.clone()),
            Need::Connect { .. } => self.connect.insert(need.target()),
            Need::Listen { .. } => self.listen.insert(need.target()),
            Need::Resolve { name } => self.resolve.insert(name.clone()),
            Need::Http { target } => self.http.insert(target.origin()),
            Need::Config { key } => self.config.insert(key.clone()),
            Need::Store { name } => self.stores.insert(name.clone()),
        }
    }
}

impl Recorder {
    /// A component is part of the guest, and may need nothing: then it learns to be granted nothing.
    pub fn meet(&self, component: &str) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.components.entry(component.to_owned()).or_default();
    }

    /// The policy of what was needed until now. `given` is what was granted during the run: values of
    /// variables, of the configuration and places of stores are taken from there. Host directories that
    /// are relative begin at `base`.
    pub fn policy(&self, given: &Policy, base: &Path) -> Policy {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut policy = Policy::default();
        let nothing = Grants::default();
        for (name, needs) in &heard.components {
            let grants = needs.grants(given.of(name).unwrap_or(&nothing), base);
            if name.is_empty() {
                policy.root = grants;
            } else {
                policy.components.insert(name.clone(), grants);
            }
        }
        policy
    }

    /// What was denied: the component, and the flag that would have granted it. It is not in the policy.
    pub fn denied(&self) -> BTreeSet<(String, String)> {
        self.flags(|needs| &needs.denied)
    }

    /// What was let pass once, by somebody who was asked. It is not in the policy either.
    pub fn allowed(&self) -> BTreeSet<(String, String)> {
        self.flags(|needs| &needs.allowed)
    }

    fn flags(&self, of: impl Fn(&Needs) -> &BTreeSet<String>) -> BTreeSet<(String, String)> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = heard.components.iter().flat_map(|(name, needs)| {
            of(needs).iter().map(move |flag| (name.clone(), flag.clone()))
        });
        flags.collect()
    }

    /// Whether there was more to learn than is kept.
    pub fn is_incomplete(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).more
    }
}

impl Needs {
    fn grants(&self, given: &Grants, base: &Path) -> Grants {
        let mut grants = Grants::default();
        for (mount, paths) in &self.paths {
            grants.dirs.extend(directories(mount, paths, base));
        }
        grants.env = self.env.iter().map(|name| env(name, given)).collect();
        // What was granted and denied is known to be in the form of a rule.
        grants.net.net = merged(self.connect.iter().filter_map(|rule| rule.parse().ok()));
        grants.net.http =
            self.http.iter().filter_map(|rule| rule.parse::<HttpRule>().ok()).collect();
        grants.net.listen = self.listen.iter().filter_map(|rule| rule.parse().ok()).collect();
        for &protocol in &self.to_send {
            // A socket that had an address to send from, and sent nothing, needs one all the same.
            let sends = |rule: &NetRule| rule.protocol.is_none_or(|by| by == protocol);
            if !grants.net.net.iter().any(sends) {
                let ports = Ports::one(0);
                grants.net.listen.push(ListenRule { protocol, hosts: Hosts::Any, ports });
            }
        }
        for name in &self.resolve {
            let implied = match Host::new(name) {
                Some(Host::Name(name)) => grants.net.net.iter().any(|r| r.hosts.covers_name(&name)),
                _ => true,
            };
            if !implied {
                grants.net.resolve.extend(name.parse());
            }
        }
        for key in &self.config {
            if let Some(value) = given.config.get(key) {
                grants.config.insert(key.clone(), value.clone());
            }
        }
        for name in &self.stores {
            // One that was not given was granted by whoever was asked.
            let place = given.stores.get(name).cloned().unwrap_or(StorePlace::Memory);
            grants.stores.insert(name.clone(), place);
        }
        grants
    }
}

/// A variable with the value it was given for this run, if it was not the host's.
fn env(name: &str, given: &Grants) -> EnvGrant {
    let given = given.env.iter().rev().find(|given| given.name == name);
    EnvGrant { name: name.to_owned(), value: given.and_then(|given| given.value.clone()) }
}

/// Rules of the same host with their ports together.
fn merged(rules: impl Iterator<Item = NetRule>) -> Vec<NetRule> {
    let mut list: Vec<NetRule> = Vec::new();
    for rule in rules {
        let same =
            |known: &&mut NetRule| known.protocol == rule.protocol && known.hosts == rule.hosts;
        match list.iter_mut().find(same) {
            Some(known) => known.ports.extend(rule.ports),
            None => list.push(rule),
        }
    }
    list
}
