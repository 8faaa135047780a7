//! `dunlin policy`: what is granted or asked for, shown and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::mem;
use std::path::Path;
use std::sync::Arc;

use dunlin::component::Component;
use dunlin::wasi::policy::{Policy, diff};
use dunlin_compose::{Direction, Wit};
use dunlin_module::component::Component as Outlined;
use dunlin_module::{Features, escape};

use crate::Exit;
use crate::commands::component::failed;
use crate::flags::{PolicyCommand, PolicyFlags};
use crate::input::{self, Format};
use crate::oversight;
use crate::plan;
use crate::report::{Failure, write_stdout};
use crate::survey::Survey;

/// The interfaces that do nothing without a grant, by how their names begin, and the flags that grant it.
const INTERFACES: [(&str, &str); 8] = [
    ("wasi:cli/environment", "--env NAME[=VALUE]"),
    ("wasi:filesystem/", "--dir HOST[::GUEST][:ro]"),
    ("wasi:sockets/ip-name-lookup", "--allow-resolve PATTERN"),
    ("wasi:sockets/", "--allow-net RULE, --allow-listen RULE"),
    ("wasi:http/outgoing-handler", "--allow-http RULE"),
    ("wasi:http/client", "--allow-http RULE"),
    ("wasi:config/", "--config KEY=VALUE"),
    ("wasi:keyvalue/", "--kv NAME=memory"),
];

/// The kinds of grants, by flag.
const KINDS: [(&str, &str); 9] = [
    ("--dir", "files and directories (--dir)"),
    ("--env", "the environment (--env)"),
    ("--listen", "the network (--allow-net, --allow-listen, --allow-resolve, --listen)"),
    ("--allow-net", "the network (--allow-net, --allow-listen, --allow-resolve, --listen)"),
    ("--allow-listen", "the network (--allow-net, --allow-listen, --allow-resolve, --listen)"),
    ("--allow-resolve", "the network (--allow-net, --allow-listen, --allow-resolve, --listen)"),
    ("--allow-http", "requests (--allow-http)"),
    ("--config", "a configuration (--config)"),
    ("--kv", "stores of keys and values (--kv)"),
];

pub(crate) fn run(flags: &PolicyFlags) -> Result<Exit, Failure> {
    match &flags.command {
        PolicyCommand::Show { file } => {
            let mut asked = Asked::read(file)?;
            asked.lines.extend(asked.idle);
            write_stdout(match asked.lines.is_empty() {
                true => "nothing\n".to_owned(),
                false => lines("", &asked.lines),
            })?;
            Ok(Exit::DONE)
        }
        PolicyCommand::Diff { old, new } => {
            let (mut old, mut new) = (Asked::read(old)?, Asked::read(new)?);
            old.spread(&new);
            new.spread(&old);
            let changes = match old.source == new.source {
                true => diff(&old.lines, &new.lines),
                false => diff(&old.kinds(), &new.kinds()),
            };
            let text = lines("+ ", &changes.added) + &lines("- ", &changes.removed);
            write_stdout(if text.is_empty() { "no difference\n".to_owned() } else { text })?;
            Ok(if changes.added.is_empty() { Exit::DONE } else { Exit::Unreached })
        }
    }
}

fn lines(begin: &str, list: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for line in list {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{begin}{}", escape(line));
    }
    text
}

/// A line about a part of a composition; about all of it, if the name is empty.
fn of_part(name: &str, line: &str) -> String {
    if name.is_empty() { line.to_owned() } else { format!("{name}: {line}") }
}

/// Which parts of a composition call which of its imports.
struct Callers(BTreeMap<String, BTreeSet<String>>);

impl Callers {
    fn of(bytes: Arc<[u8]>) -> Callers {
        let mut callers = BTreeMap::<String, BTreeSet<String>>::new();
        // What cannot be followed is shown as if it had no parts; running it says why.
        if let Ok(component) = Outlined::decode(bytes, &Features::default()) {
            for (at, part) in component.outline().into_iter().enumerate() {
                let name = part.name.as_deref().filter(|_| at > 0).unwrap_or_default();
                for import in part.needs.keys() {
                    let Some(import) = component.imports.get(*import as usize) else { continue };
                    callers.entry((*import.name).to_owned()).or_default().insert(name.to_owned());
                }
            }
        }
        Callers(callers)
    }

    /// Those that call an import; what nobody calls is the whole component's.
    fn of_import(&self, name: &str) -> impl Iterator<Item = &str> {
        let callers = self.0.get(name);
        let nobody = callers.is_none().then_some("");
        callers.into_iter().flatten().map(String::as_str).chain(nobody)
    }
}

/// What a file asks for.
#[derive(Default)]
struct Asked {
    source: Source,
    /// As they are shown.
    lines: BTreeSet<String>,
    /// Lines about components that are granted nothing.
    idle: BTreeSet<String>,
    /// The components that have tables of their own in a policy.
    parts: BTreeSet<String>,
    flags: BTreeSet<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Policy,
    Component,
    Module,
}

impl Asked {
    fn read(path: &Path) -> Result<Asked, Failure> {
        let input = input::read(path)?;
        let bytes = match input.format() {
            Ok(Format::Binary) => input.bytes.clone(),
            Ok(Format::Text) => input.translate()?.into(),
            Ok(Format::Compiled) => return Err(input.is_compiled()),
            Err(_) => {
                return oversight::read(&input).map(|policy| Asked::of_policy(&policy));
            }
        };
        if Component::is_component(&bytes) {
            let cannot = |error| failed(format!("cannot read {}", input.name()), error);
            let wit = Wit::of_binary(&bytes).map_err(cannot)?;
            return Ok(Asked::of_component(&wit, &Callers::of(bytes)));
        }
        let survey = Survey::of(bytes).map_err(|error| {
            Failure::new(Exit::Unreached, format!("cannot read {}", input.name())).caused_by(error)
        })?;
        Ok(Asked::of_module(&survey))
    }

    fn of_policy(policy: &Policy) -> Asked {
        let needs = policy.needs();
        let lines = needs.iter().map(|(name, flag)| of_part(name, flag)).collect();
        let flags = needs.into_iter().map(|(_, flag)| flag).collect();
        let idle = policy.components.iter().filter(|(_, grants)| grants.is_empty());
        let idle = idle.map(|(name, _)| of_part(name, "nothing")).collect();
        let parts = policy.components.keys().cloned().collect();
        Asked { source: Source::Policy, lines, idle, parts, flags }
    }

    /// Before a policy that tells components apart is compared with one that does not: that one grants
    /// all of it
    /// to each of them.
    fn spread(&mut self, other: &Asked) {
        if self.source != Source::Policy || !self.parts.is_empty() || other.parts.is_empty() {
            return;
        }
        let others = std::iter::once("any other component");
        let parts = other.parts.iter().map(String::as_str).chain(others);
        let all = mem::take(&mut self.lines);
        self.lines.extend(parts.flat_map(|part| all.iter().map(move |line| of_part(part, line))));
        self.lines.extend(all);
    }

    fn of_component(wit: &Wit, callers: &Callers) -> Asked {
        let (mut lines, mut flags) = (BTreeSet::new(), BTreeSet::new());
        let items = wit.items();
        for import in items.iter().filter(|item| item.direction == Direction::Import) {
            // Another version of the same interface asks for no more.
            let name = match import.name.starts_with("wasi:") {
                true => import.name.split('@').next().unwrap_or_default(),
                false => import.name.as_str(),
            };
            let line = match INTERFACES.iter().find(|(begin, _)| name.starts_with(begin)) {
                Some((_, flag)) => {
                    flags.extend(flag.split(", ").map(str::to_owned));
                    format!("{name}: {flag}")
                }
                None => name.to_owned(),
            };
            lines.extend(callers.of_import(&import.name).map(|part| of_part(part, &line)));
        }
        Asked { source: Source::Component, lines, flags, ..Asked::default() }
    }

    fn of_module(survey: &Survey) -> Asked {
        let (mut lines, mut flags) = (BTreeSet::new(), BTreeSet::new());
        // Arguments are given without a flag.
        let wants = survey.wants(plan::is_provided);
        for want in wants.into_iter().filter(|want| want.flag.starts_with('-')) {
            for import in want.imports {
                lines.insert(format!("{import}: {}", want.flag));
            }
            flags.insert(want.flag.to_owned());
        }
        Asked { source: Source::Module, lines, flags, ..Asked::default() }
    }

    /// The kinds of grants, which is all that can be compared with a file of another kind.
    fn kinds(&self) -> BTreeSet<String> {
        let words = self.flags.iter().filter_map(|flag| flag.split(' ').next());
        let kind = |word: &str| KINDS.iter().find(|(flag, _)| *flag == word).map(|(_, kind)| *kind);
        words.filter_map(kind).map(str::to_owned).collect()
    }
}
