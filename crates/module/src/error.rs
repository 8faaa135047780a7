//! Why bytes are not a module that this engine accepts.

use std::fmt;

use crate::escape::escape;
use crate::features::{Features, Proposal};
use crate::limits;

/// What kind of fault was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes do not follow the binary format.
    Malformed,
    /// The module does not follow the validation rules.
    Invalid,
    /// The module uses something that is switched off, or that is no core module at all.
    Unsupported(Option<Proposal>),
    /// The module is larger than this implementation accepts.
    LimitExceeded,
}

/// Why bytes are not a module that this engine accepts: what, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

/// How an error refers to a function.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum FunctionLabel {
    Name(Box<str>),
    Index(u32),
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    message: Box<str>,
    offset: Option<u64>,
    function: Option<FunctionLabel>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Box<str>>, offset: Option<u64>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), offset, function: None }))
    }

    pub(crate) fn in_function(mut self, function: FunctionLabel) -> Error {
        self.0.function = Some(function);
        self
    }

    /// From the parser; `malformed` says whether reading alone already failed.
    pub(crate) fn from_parser(
        error: &wasmparser::Error,
        malformed: bool,
        features: &Features,
    ) -> Error {
        let missing = error
            .missing_wasm_feature()
            .and_then(Proposal::of_flags)
            .or_else(|| missing_proposal(error.message()))
            .filter(|proposal| !features.contains(*proposal));
        let kind = match missing {
            Some(proposal) => ErrorKind::Unsupported(Some(proposal)),
            None if is_limit(error.message()) => ErrorKind::LimitExceeded,
            None if malformed => ErrorKind::Malformed,
            None => ErrorKind::Invalid,
        };
        Error::new(kind, reworded(error.message()), Some(error.offset()))
    }

    /// What kind of fault was found.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where in the binary, in bytes from its start.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The function whose body is at fault: its name if it has one, else `#` and its index.
    pub fn function(&self) -> Option<String> {
        match self.0.function.as_ref()? {
            FunctionLabel::Name(name) => Some(name.to_string()),
            FunctionLabel::Index(index) => Some(format!("#{index}")),
        }
    }

    /// What was found, without the place and the help.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

// The parser is pinned to one exact version, and tests cover each text that is looked for below.

/// Whether `message` is about a limit of the parser, which it reports as any other fault.
fn is_limit(message: &str) -> bool {
    const TEXTS: &[&str] = &[
        "exceeds limit of",
        "exceeds the limit",
        "size is out of bounds",
        "string size out of bounds",
        "too many locals",
        "hierarchy too deep",
        "nesting is too deep",
        "count exceeds limit",
        "implementation limit",
        "specifies too many data segments",
        "number of elements is out of bounds",
    ];
    TEXTS.iter().any(|text| message.contains(text))
}

/// The proposal whose absence is behind `message`, where the parser does not say so itself.
fn missing_proposal(message: &str) -> Option<Proposal> {
    const TEXTS: &[(&str, Proposal)] = &[
        ("multiple memories", Proposal::multi_memory),
        ("multiple tables", Proposal::reference_types),
        ("reserved flags bits set", Proposal::multi_memory),
        ("data count section requires the bulk-memory proposal", Proposal::bulk_memory),
        ("because the GC proposal is disabled", Proposal::gc),
        ("encoded as a component but", Proposal::component_model),
        ("the `cm-implements` feature is not active", Proposal::cm_implements),
    ];
    TEXTS.iter().find(|(text, _)| message.contains(text)).map(|(_, proposal)| *proposal)
}

/// Says which limit it was where the parser does not, and names instructions as wat does.
fn reworded(message: &str) -> String {
    const OPERATOR: &str = "non-constant operator: ";
    match message {
        "string size out of bounds" => format!("name has more than {} bytes", limits::NAME_BYTES),
        "too many locals: locals exceed maximum" | "too many locals" => {
            format!("function has more than {} locals", limits::LOCALS)
        }
        _ if message.starts_with("function body size count exceeds") => {
            format!("function body has more than {} bytes", limits::FUNCTION_BYTES)
        }
        _ if message.starts_with("unknown binary version and encoding") => message.to_string(),
        _ if message.starts_with("unknown binary version") => {
            let version = message.rsplit(' ').next().unwrap_or_default();
            format!("unknown binary version {version}, expected 0x1")
        }
        _ => match message.split_once(OPERATOR) {
            Some((head, name)) => format!("{head}{OPERATOR}`{}`", instruction(name)),
            None => message.to_string(),
        },
    }
}

/// The name of an instruction from that of the parser's method for it.
fn instruction(method: &str) -> String {
    const BEFORE_DOT: &[&str] = &[
        "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2",
        "local", "global", "table", "memory", "ref", "struct", "array", "data", "elem",
    ];
    let name = method.strip_prefix("visit_").unwrap_or(method);
    match name.split_once('_') {
        Some((head, tail)) if BEFORE_DOT.contains(&head) => format!("{head}.{tail}"),
        _ => name.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}", escape(&inner.message))?;
        if let Some(at) = inner.offset {
            write!(f, " (at offset {at:#x}")?;
            match &inner.function {
                Some(FunctionLabel::Name(name)) => write!(f, ", in function `{}`", escape(name))?,
                Some(FunctionLabel::Index(index)) => write!(f, ", in function #{index}")?,
                None => {}
            }
            f.write_str(")")?;
        }
        if let ErrorKind::Unsupported(Some(proposal)) = inner.kind {
            write!(f, "\nhelp: enable with `--wasm {}`", proposal.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
