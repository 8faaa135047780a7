//! `dunlin policy`: what is granted or asked for, shown and compared.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use dunlin::component::Component;
use dunlin::wasi::policy::diff;
use dunlin_compose::{Direction, Wit};
use dunlin_module::escape;

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
            let asked = Asked::read(file)?;
            write_stdout(match asked.lines.is_empty() {
                true => "nothing\n".to_owned(),
                false => lines("", &asked.lines),
            })?;
            Ok(Exit::DONE)
        }
        PolicyCommand::Diff { old, new } => {
            let (old, new) = (Asked::read(old)?, Asked::read(new)?);
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

/// What a file asks for.
struct Asked {
    source: Source,
    /// As they are shown.
    lines: BTreeSet<String>,
    flags: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
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
                return oversight::read(&input).map(|policy| Asked::of_policy(policy.needs()));
            }
        };
        if Component::is_component(&bytes) {
            let cannot = |error| failed(format!("cannot read {}", input.name()), error);
            return Ok(Asked::of_component(&Wit::of_binary(&bytes).map_err(cannot)?));
        }
        let survey = Survey::of(bytes).map_err(|error| {
            Failure::new(Exit::Unreached, format!("cannot read {}", input.name())).caused_by(error)
        })?;
        Ok(Asked::of_module(&survey))
    }

    fn of_policy(needs: BTreeSet<(String, String)>) -> Asked {
        let line = |(name, flag): &(String, String)| match name.is_empty() {
            true => flag.clone(),
            false => format!("{name}: {flag}"),
        };
        let lines = needs.iter().map(line).collect();
        let flags = needs.into_iter().map(|(_, flag)| flag).collect();
        Asked { source: Source::Policy, lines, flags }
    }

    fn of_component(wit: &Wit) -> Asked {
        let (mut lines, mut flags) = (BTreeSet::new(), BTreeSet::new());
        let items = wit.items();
        for import in items.iter().filter(|item| item.direction == Direction::Import) {
            // Another version of the same interface asks for no more.
            let name = match import.name.starts_with("wasi:") {
                true => import.name.split('@').next().unwrap_or_default(),
                false => import.name.as_str(),
            };
            match INTERFACES.iter().find(|(begin, _)| name.starts_with(begin)) {
                Some((_, flag)) => {
                    lines.insert(format!("{name}: {flag}"));
                    flags.extend(flag.split(", ").map(str::to_owned));
                }
                None => {
                    lines.insert(name.to_owned());
                }
            }
        }
        Asked { source: Source::Component, lines, flags }
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
        Asked { source: Source::Module, lines, flags }
    }

    /// The kinds of grants, which is all that can be compared with a file of another kind.
    fn kinds(&self) -> BTreeSet<String> {
        let words = self.flags.iter().filter_map(|flag| flag.split(' ').next());
        let kind = |word: &str| KINDS.iter().find(|(flag, _)| *flag == word).map(|(_, kind)| *kind);
        words.filter_map(kind).map(str::to_owned).collect()
    }
}
