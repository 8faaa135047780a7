//! What there is to know about a module without running it.

mod json;
mod program;
mod text;

use std::sync::Arc;

use dunlin_module::{
    Error, ErrorKind, ExternIndex, ExternType, Features, Module, Producer, Proposal, TypeRegistry,
    escape,
};

pub(crate) use json::json;
pub(crate) use program::Program;
pub(crate) use text::Text;

/// A module and what follows from it.
pub(crate) struct Survey {
    pub(crate) module: Module,
    /// The proposals it needs, the fewest with which it is valid.
    pub(crate) features: Vec<Proposal>,
    pub(crate) producers: Vec<Producer>,
    /// How many branch hints there are, or what is wrong with them.
    pub(crate) hints: Result<usize, Error>,
    pub(crate) kind: Kind,
}

/// What can be done with a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A program: it has a `_start`.
    Command,
    /// A library that has to be initialised: it has an `_initialize`.
    Reactor,
    /// Functions to be called.
    Library,
}

impl Kind {
    pub(crate) fn of(module: &Module) -> Kind {
        let exports_func = |name| matches!(module.export(name), Some(ExternIndex::Func(_)));
        match (exports_func("_start"), exports_func("_initialize")) {
            (true, _) => Kind::Command,
            (false, true) => Kind::Reactor,
            (false, false) => Kind::Library,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Command => "command",
            Kind::Reactor => "reactor",
            Kind::Library => "library",
        }
    }
}

/// Something the module will ask the host for, and how to give it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Want {
    /// What it is for, in words.
    pub(crate) what: &'static str,
    /// What to type.
    pub(crate) flag: &'static str,
    /// The imports that show it.
    pub(crate) imports: Vec<String>,
}

impl Survey {
    pub(crate) fn of(bytes: Arc<[u8]>) -> Result<Survey, Error> {
        // Unfinished proposals too: a module that cannot be run can still be looked at.
        let module = Module::decode(bytes.clone(), &Features::all(), &TypeRegistry::new())?;
        let features = features(&bytes);
        let producers = module.producers();
        let kind = Kind::of(&module);
        let hints = module.branch_hints().map(|hints| hints.len());
        Ok(Survey { module, features, producers, hints, kind })
    }

    /// What it will want; `provided` says which imports this command knows.
    pub(crate) fn wants(&self, provided: impl Fn(&str, &str) -> bool) -> Vec<Want> {
        let mut wants: Vec<Want> = Vec::new();
        for import in &self.module.imports {
            // Programs for threads are given the memory that they share.
            if matches!(import.ty, ExternType::Memory(ty) if ty.shared) {
                continue;
            }
            let name = match provided(&import.module, &import.name) {
                true => grant(&import.name).map(|grant| (grant, import.name.to_string())),
                false => Some((UNKNOWN, format!("{}::{}", import.module, import.name))),
            };
            let Some(((what, flag), name)) = name else { continue };
            match wants.iter_mut().find(|want| want.flag == flag) {
                Some(want) if want.imports.contains(&name) => {}
                Some(want) => want.imports.push(name),
                None => wants.push(Want { what, flag, imports: vec![name] }),
            }
        }
        wants
    }

    /// Names and sizes of the sections, in order.
    pub(crate) fn sections(&self) -> impl ExactSizeIterator<Item = (String, u64)> {
        let module = &self.module;
        let mut customs = module.customs.iter();
        module.sections.iter().map(move |section| {
            let name = match (section.id, customs.as_slice()) {
                (0, [custom, ..]) => {
                    customs.next();
                    format!("custom `{}`", escape(&custom.name))
                }
                _ => section_name(section.id).to_owned(),
            };
            (name, u64::from(section.range.end - section.range.start))
        })
    }
}

const UNKNOWN: (&str, &str) = ("imports that nothing provides", "--stub-unknown-imports");

/// What a WASI function needs beyond what every program has, and the flag that gives it.
fn grant(function: &str) -> Option<(&'static str, &'static str)> {
    match function {
        "args_get" => Some(("arguments", "ARGS")),
        "environ_get" => Some(("environment variables", "--env NAME[=VALUE]")),
        "sock_accept" => Some(("connections", "--listen ADDR")),
        _ if function.starts_with("path_") => {
            Some(("files and directories", "--dir HOST[::GUEST][:ro]"))
        }
        _ => None,
    }
}

/// The fewest proposals with which the module is valid.
///
/// Each failed attempt names a proposal, so there are only as many as the module uses. Where one
/// does not, proposals are taken away from the full set instead, one after the other.
fn features(bytes: &Arc<[u8]>) -> Vec<Proposal> {
    let mut set = Features::NONE;
    loop {
        match attempt(bytes, &set) {
            Ok(()) => break,
            Err(error) => match error.kind() {
                ErrorKind::Unsupported(Some(missing)) if !set.contains(missing) => {
                    add(&mut set, missing);
                }
                _ => {
                    set = reduced(bytes);
                    break;
                }
            },
        }
    }
    Proposal::ALL.iter().copied().filter(|proposal| set.contains(*proposal)).collect()
}

fn attempt(bytes: &Arc<[u8]>, set: &Features) -> Result<(), Error> {
    Module::decode(bytes.clone(), set, &TypeRegistry::new()).map(drop)
}

/// Adds a proposal with what it builds upon.
fn add(set: &mut Features, proposal: Proposal) {
    let mut wanted = vec![proposal];
    while let Some(proposal) = wanted.pop() {
        set.set(proposal, true);
        wanted.extend(proposal.needs().iter().filter(|need| !set.contains(**need)));
    }
}

fn reduced(bytes: &Arc<[u8]>) -> Features {
    let mut set = Features::all();
    // From the last on: what builds upon something comes after it.
    for proposal in Proposal::ALL.iter().rev() {
        let mut smaller = set;
        smaller.set(*proposal, false);
        if smaller.check().is_ok() && attempt(bytes, &smaller).is_ok() {
            set = smaller;
        }
    }
    set
}

/// What a section is called in the specification (core spec §5.5.2).
fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(text: &str) -> Survey {
        Survey::of(dunlin_script::wat_to_wasm(text, None).unwrap().into()).unwrap()
    }

    fn features(text: &str) -> Vec<&'static str> {
        survey(text).features.iter().map(|proposal| proposal.name()).collect()
    }

    #[test]
    fn features_are_the_fewest() {
        assert_eq!(features("(module (func))"), [""; 0]);
        assert_eq!(
            features("(module (func (drop (i32.extend8_s (i32.const 1)))))"),
            ["sign-extension"]
        );
        assert_eq!(
            features("(module (memory 1) (memory 1) (func (return_call 0)))"),
            ["tail-call", "multi-memory"]
        );
        assert_eq!(
            features("(module (type (struct)))"),
            ["reference-types", "function-references", "gc"]
        );
    }

    #[test]
    fn both_ways_to_find_features_agree() {
        for text in [
            "(module (memory 1) (memory i64 1) (func (drop (v128.const i64x2 0 0))))",
            "(module (global (export \"g\") (mut i32) (i32.add (i32.const 1) (i32.const 1))))",
            "(module (tag) (func (result i32 i32) (throw 0)))",
        ] {
            let survey = survey(text);
            let reduced = reduced(&survey.module.bytes);
            let all = Proposal::ALL.iter().copied();
            let reduced: Vec<Proposal> = all.filter(|p| reduced.contains(*p)).collect();
            assert_eq!(survey.features, reduced, "{text}");
        }
    }

    #[test]
    fn kinds() {
        let kind = |text| survey(text).kind;
        assert_eq!(kind("(module (func (export \"_start\")))"), Kind::Command);
        assert_eq!(kind("(module (func (export \"_initialize\")))"), Kind::Reactor);
        assert_eq!(kind("(module (memory (export \"_start\") 1))"), Kind::Library);
    }

    #[test]
    fn wants_name_flags() {
        let survey = survey(
            "(module
              (import \"wasi\" \"path_open\" (func))
              (import \"wasi\" \"fd_write\" (func))
              (import \"wasi\" \"path_rename\" (func))
              (import \"wasi\" \"sock_accept\" (func))
              (import \"env\" \"memory\" (memory 1 1 shared))
              (import \"env\" \"path_open\" (func)))",
        );
        let wants = survey.wants(|module, _| module == "wasi");
        let wants: Vec<_> = wants.iter().map(|want| (want.flag, want.imports.join(" "))).collect();
        assert_eq!(
            wants,
            [
                ("--dir HOST[::GUEST][:ro]", "path_open path_rename".to_owned()),
                ("--listen ADDR", "sock_accept".to_owned()),
                ("--stub-unknown-imports", "env::path_open".to_owned()),
            ]
        );
    }
}
