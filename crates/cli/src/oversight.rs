//! What is granted by rule or by policy, and who watches the run: the audit log, and who learns from it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin::component::Component;
use dunlin::wasi::WasiCtxBuilder;
use dunlin::wasi::host::keyvalue::{Store, StorePlace};
use dunlin::wasi::host::net::{HttpRule, ListenRule, NetGrants, NetRule, ResolveRule, RuleError};
use dunlin::wasi::host::{Access, Audit};
use dunlin::wasi::policy::{DirGrant, EnvGrant, Grants, Policy, Recorder};
use dunlin_module::escape;

use crate::Exit;
use crate::ask::Ask;
use crate::flags::{GrantFlags, ProgramFlags, RuleFlags};
use crate::input::{self, Input};
use crate::plan::Stop;
use crate::report::{Failure, io_reason, quoted};

/// How many denials are listed after learning.
const DENIED_LISTED: usize = 16;

/// Where relative paths in policies begin: where those of flags do.
const BASE: &str = "";

/// Lives as long as the run.
pub(crate) struct Oversight {
    /// What the policy and the rules grant; directories and variables of flags are not in it.
    granted: Policy,
    /// Everything granted, as far as learning has to know it.
    given: Policy,
    /// What no guest may change, whatever else it is granted.
    own: Vec<PathBuf>,
    learn: Option<(Arc<Recorder>, PathBuf)>,
    audit: Option<(Arc<Audit>, PathBuf)>,
    policy: Option<PathBuf>,
    ask: Option<Arc<Ask>>,
}

impl Oversight {
    /// Reads the rules and the policy, and opens the audit log.
    pub(crate) fn new(program: &ProgramFlags) -> Result<Oversight, Failure> {
        let flags = &program.grants;
        let rules = &flags.rules;
        let mut granted = match &rules.policy {
            Some(path) => read(&input::read(path)?)?,
            None => Policy::default(),
        };
        add_rules(&mut granted.root.net, rules)?;
        let config = rules.config.iter().map(|grant| (grant.key.clone(), grant.value.clone()));
        granted.root.config.extend(config);
        let stores = rules.kv.iter().map(|grant| (grant.name.clone(), grant.place.clone()));
        granted.root.stores.extend(stores);
        let audit = match &rules.audit {
            Some(path) => Some((Arc::new(audit(path)?), path.clone())),
            None => None,
        };
        let learn = rules.learn.as_ref();
        let own = [&rules.policy, &rules.learn, &rules.audit].into_iter().flatten().cloned();
        let components = granted.components.clone();
        Ok(Oversight {
            given: Policy { root: with_flags(granted.root.clone(), flags), components },
            granted,
            policy: rules.policy.clone(),
            ask: Ask::new(program).map(Arc::new),
            own: own.collect(),
            learn: learn.map(|path| (Arc::new(Recorder::default()), path.clone())),
            audit,
        })
    }

    /// Whether a policy grants directories.
    pub(crate) fn grants_directories(&self) -> bool {
        let components = self.granted.components.values();
        std::iter::once(&self.granted.root).chain(components).any(|grants| !grants.dirs.is_empty())
    }

    /// Whether each component has grants of its own.
    pub(crate) fn grants_apart(&self) -> bool {
        !self.granted.components.is_empty()
    }

    /// Takes note of what runs: the parts of a component that call the host.
    pub(crate) fn meet(&self, program: Option<&Component>) {
        let named = &self.granted.components;
        if named.is_empty() && self.learn.is_none() {
            return;
        }
        let outline = program.map(|component| component.description().outline());
        let parts = outline.iter().flatten().skip(1);
        let parts: BTreeMap<&str, bool> = parts
            .filter_map(|part| Some((part.name.as_deref()?, !part.needs.is_empty())))
            .collect();
        let calling = parts.iter().filter(|(_, calls)| **calls).map(|(name, _)| *name);
        if let Some((recorder, _)) = &self.learn {
            calling.clone().for_each(|name| recorder.meet(name));
        }
        let Some(path) = self.policy.as_ref().filter(|_| !named.is_empty()) else { return };
        let file = input::name(path);
        for name in named.keys().filter(|name| !parts.contains_key(name.as_str())) {
            let name = quoted(name);
            eprintln!("note: {file} has grants for {name}: the program has no such component");
        }
        for name in calling.filter(|name| !named.contains_key(*name)) {
            let name = quoted(name);
            eprintln!("note: {file} has no grants for component {name}: it is granted nothing");
        }
    }

    /// Nobody is asked any more from when `stop` says so.
    pub(crate) fn stop_asking(&self, stop: Stop) {
        if let Some(ask) = &self.ask {
            ask.stop_when(stop);
        }
    }

    /// Gives a world what is granted, and watches it.
    pub(crate) fn grant(&self, builder: WasiCtxBuilder) -> WasiCtxBuilder {
        let mut opened: Vec<(String, StorePlace, Store)> = Vec::new();
        // Two names of one file are one store; in memory there is one for each name.
        let open = |name: &str, place: &StorePlace| {
            let same = |known: &&(String, StorePlace, Store)| {
                known.1 == *place && (*place != StorePlace::Memory || known.0 == name)
            };
            if let Some((_, _, store)) = opened.iter().find(same) {
                return store.clone();
            }
            let store = place.store(Path::new(BASE));
            opened.push((name.to_owned(), place.clone(), store.clone()));
            store
        };
        let env = |name: &str| std::env::var(name).ok();
        let mut builder = self.granted.enforce(builder, Path::new(BASE), env, open);
        for path in &self.own {
            builder = builder.protect(path);
        }
        if let Some((recorder, _)) = &self.learn {
            builder = builder.observer(recorder.clone());
        }
        if let Some((audit, _)) = &self.audit {
            builder = builder.observer(audit.clone());
        }
        if let Some(ask) = &self.ask {
            builder = builder.approver(ask.clone());
        }
        builder
    }

    /// Writes down what was learned, and says what was not noted; after a run, however it ended.
    pub(crate) fn finish(self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        // Not before: what the program may not change is known by what it was when it started.
        let kept = self.ask.as_ref().map_or(Ok(()), |ask| ask.keep());
        let never_ran =
            ended.as_ref().is_err_and(|f| matches!(f.exit(), Exit::Unreached | Exit::Usage));
        let learned = match &self.learn {
            Some((recorder, path)) if !never_ran => self.write_down(recorder, path),
            _ => Ok(()),
        };
        let noted = match &self.audit {
            Some((audit, path)) => match audit.failure() {
                Some(error) => Err(cannot("write", "audit log", path, &error)),
                None => Ok(()),
            },
            None => Ok(()),
        };
        match ended {
            Ok(exit) => kept.and(learned).and(noted).map(|()| exit),
            Err(failure) => {
                [kept, learned, noted]
                    .into_iter()
                    .filter_map(Result::err)
                    .for_each(|also| also.print());
                Err(failure)
            }
        }
    }

    fn write_down(&self, recorder: &Recorder, path: &Path) -> Result<(), Failure> {
        let policy = recorder.policy(&self.given, Path::new(BASE));
        replace(path, &policy.render()).map_err(|error| cannot("write", "policy", path, &error))?;
        let count = policy.needs().len();
        let grants = if count == 1 { "grant" } else { "grants" };
        eprintln!("note: wrote {}: {count} {grants} that this run needed", input::name(path));
        let (denied, allowed) = (recorder.denied(), recorder.allowed());
        let denied = denied.iter().map(|need| (need, "denied"));
        let mut not_in_it = denied.chain(allowed.iter().map(|need| (need, "allowed once")));
        for ((component, flag), what) in not_in_it.by_ref().take(DENIED_LISTED) {
            let who = match component.is_empty() {
                true => String::new(),
                false => format!(" to component {}", quoted(component)),
            };
            eprintln!("note: `{}` was {what}{who}, so it is not in it", escape(flag));
        }
        match not_in_it.count() {
            0 => {}
            more => eprintln!("note: and {more} more"),
        }
        if recorder.is_incomplete() {
            eprintln!("note: there was more to learn than is kept: it may not be enough");
        }
        Ok(())
    }
}

/// Reads a policy.
pub(crate) fn read(input: &Input) -> Result<Policy, Failure> {
    let invalid = || {
        let message = format!("{} is not a valid policy", input.name());
        Failure::new(Exit::Unreached, message)
    };
    let text = std::str::from_utf8(&input.bytes).map_err(|error| invalid().caused_by(error))?;
    Policy::parse(text).map_err(|error| invalid().caused_by(error))
}

fn add_rules(net: &mut NetGrants, flags: &RuleFlags) -> Result<(), Failure> {
    net.net.extend(list(&flags.allow_net, NetRule::list)?);
    net.listen.extend(list(&flags.allow_listen, ListenRule::list)?);
    net.resolve.extend(list(&flags.allow_resolve, ResolveRule::list)?);
    net.http.extend(list(&flags.allow_http, HttpRule::list)?);
    Ok(())
}

fn list<R>(
    texts: &[String],
    read: impl Fn(&str) -> Result<Vec<R>, RuleError>,
) -> Result<Vec<R>, Failure> {
    let mut rules = Vec::new();
    for text in texts {
        let wrong = |error: RuleError| Failure::new(Exit::Usage, error.to_string());
        rules.extend(read(text).map_err(wrong)?);
    }
    Ok(rules)
}

/// The same with the directories and variables that flags grant.
fn with_flags(mut grants: Grants, flags: &GrantFlags) -> Grants {
    grants.dirs.extend(flags.dirs.iter().map(|dir| DirGrant {
        host: dir.host.display().to_string(),
        guest: dir.guest.clone(),
        access: if dir.read_only { Access::ReadOnly } else { Access::ReadWrite },
    }));
    let env = flags.env.iter();
    grants.env.extend(env.map(|e| EnvGrant { name: e.name.clone(), value: e.value.clone() }));
    grants
}

/// A log that goes on where an earlier one ended.
fn audit(path: &Path) -> Result<Audit, Failure> {
    if input::is_stdin(path) {
        return Ok(Audit::new(io::stderr()));
    }
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(Audit::new).map_err(|error| cannot("open", "audit log", path, &error))
}

/// Replaces a file as a whole. Nothing that a guest put in its place is followed.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if input::is_stdin(path) {
        return io::stderr().lock().write_all(text.as_bytes());
    }
    let new = path.with_added_extension(format!("{}.new", std::process::id()));
    let written = File::create_new(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // Whatever it is, it is not what was wanted.
        let _ = fs::remove_file(&new);
    }
    written
}

fn cannot(what: &str, kind: &str, path: &Path, error: &io::Error) -> Failure {
    let name = quoted(&path.to_string_lossy());
    let message = format!("cannot {what} the {kind} {name}: {}", io_reason(error));
    Failure::new(Exit::Unreached, message)
}
