//! A `.wast` script as data: its directives, each with its place and its modules encoded.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_module::{Place, TextError};

use crate::text::{on_parser_stack, wat_to_wasm};
use crate::value::{Argument, Expected};

mod parse;
mod split;

/// A parsed `.wast` script.
///
/// Each directive is read on its own: one that is malformed fails when the script is run, and the
/// others run all the same.
pub struct Script {
    path: Option<PathBuf>,
    directives: Vec<Directive>,
}

/// One directive and where it stands.
pub(crate) struct Directive {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
    /// The word the directive begins with.
    pub(crate) keyword: String,
    pub(crate) command: Result<Command, TextError>,
}

/// What a directive says.
pub(crate) enum Command {
    /// `(module …)`: define and instantiate.
    Module {
        name: Option<String>,
        source: Source,
    },
    /// `(module definition …)`
    Definition {
        name: Option<String>,
        source: Source,
    },
    /// `(module instance …)`
    Instance {
        name: Option<String>,
        definition: Option<String>,
    },
    /// `(register …)`
    Register {
        name: String,
        instance: Option<String>,
    },
    /// An action on its own: it has to succeed.
    Action(Action),
    AssertReturn(Action, Vec<Expected>),
    /// Also `assert_exhaustion` and `assert_suspension`: the text says which trap it has to be.
    AssertTrap(Action, String),
    AssertException(Action),
    /// `assert_invalid` and `assert_malformed`
    AssertRejected(Source, String),
    /// `assert_invalid_custom` and `assert_malformed_custom`: the fault is in a custom section, so
    /// that the module as such may be valid.
    AssertRejectedCustom(Source, String),
    AssertUnlinkable(Source, String),
    /// `(thread …)`: directives for a thread of their own, which sees the shared memories that the
    /// instance `shared` exports.
    Thread {
        name: String,
        shared: Option<String>,
        directives: Arc<[Directive]>,
    },
    /// `(wait …)`: all directives of a thread have to pass.
    Wait(String),
    /// Something that needs the named feature, which no script can use here yet.
    Unsupported(&'static str),
}

/// Something that yields values or traps.
pub(crate) enum Action {
    Invoke {
        instance: Option<String>,
        export: String,
        arguments: Vec<Argument>,
    },
    Get {
        instance: Option<String>,
        export: String,
    },
    /// Instantiate a module that no name refers to.
    Instantiate(Source),
    /// Something that needs the named feature.
    Unsupported(&'static str),
}

/// A module or component as a directive gives it.
pub(crate) enum Source {
    /// In the binary format, or inline text that was encoded.
    Binary(Vec<u8>),
    /// `(module quote …)` or `(component quote …)`: text, and not necessarily well-formed.
    Quote(Vec<u8>),
    /// Inline text that has no binary form.
    Malformed(TextError),
}

impl Source {
    /// It in the binary format, or why it has none.
    pub(crate) fn encode(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Source::Binary(bytes) => Ok(Cow::Borrowed(bytes)),
            Source::Malformed(error) => Err(error.to_string()),
            Source::Quote(text) => {
                let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
                let bytes = wat_to_wasm(text, None).map_err(|error| error.message().to_string())?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

impl Script {
    /// Reads a script. `path` only names it in errors.
    ///
    /// # Errors
    ///
    /// Where the text is not a sequence of parenthesised directives.
    pub fn parse(text: &str, path: Option<&Path>) -> Result<Script, TextError> {
        let directives = on_parser_stack(|| parse::directives(text, path))?;
        Ok(Script { path: path.map(Path::to_path_buf), directives })
    }

    /// What the script was called when it was parsed.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How many directives it has.
    pub fn len(&self) -> usize {
        self.directives.len()
    }

    /// Whether it has no directive.
    pub fn is_empty(&self) -> bool {
        self.directives.is_empty()
    }

    /// The modules and components in it that have a binary form, quoted ones too, each with the line
    /// of its directive.
    pub fn modules(&self) -> impl Iterator<Item = (usize, Cow<'_, [u8]>)> {
        self.directives.iter().filter_map(|directive| {
            let source = match directive.command.as_ref().ok()? {
                Command::Module { source, .. }
                | Command::Definition { source, .. }
                | Command::AssertRejected(source, _)
                | Command::AssertRejectedCustom(source, _)
                | Command::AssertUnlinkable(source, _)
                | Command::AssertReturn(Action::Instantiate(source), _)
                | Command::AssertTrap(Action::Instantiate(source), _) => source,
                _ => return None,
            };
            Some((directive.line, source.encode().ok()?))
        })
    }

    pub(crate) fn directives(&self) -> &[Directive] {
        &self.directives
    }
}

/// Counts lines while offsets only grow, so that a long script is not counted anew per directive.
pub(crate) struct LineCounter<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl<'a> LineCounter<'a> {
    pub(crate) fn new(text: &'a str) -> LineCounter<'a> {
        LineCounter { text, offset: 0, line: 1 }
    }

    /// Line and column of `offset`, which is at or after the one asked for last.
    pub(crate) fn place(&mut self, offset: usize) -> (usize, usize) {
        let passed = &self.text.as_bytes()[self.offset..offset];
        self.line += passed.iter().filter(|&&b| b == b'\n').count();
        self.offset = offset;
        let start = self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
        (self.line, Place::of(&self.text[start..], offset - start).column())
    }
}
