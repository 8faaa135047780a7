//! What can be wrong with what is made into a component, or shown.

use std::error::Error as StdError;
use std::fmt::{self, Write};

use dunlin_module::{TextError, escape};

/// Which of the inputs is wrong, and how.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A binary is malformed, invalid, or not of the kind that was asked for.
    Invalid,
    /// Text in WIT or WAC is wrong at some place.
    Text,
    /// Parts do not fit together: a type, a version, an import that nothing satisfies.
    Mismatch,
    /// Something is named that is not there: a world, a package, a file.
    Missing,
    /// A file cannot be read.
    Io,
    /// A library under this crate failed where it should not.
    Fault,
}

/// Why something could not be made, composed or shown.
///
/// [`Display`](fmt::Display) says what failed, [`source`](StdError::source) why, cause after cause.
/// All of it is escaped: none of it can steer a terminal.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    cause: Option<Box<Cause>>,
    help: Vec<String>,
}

impl Error {
    /// An error with a message in one line.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        let message = message.into();
        Error(Box::new(Inner { kind, message, cause: None, help: Vec::new() }))
    }

    /// Text that is wrong at a place.
    pub(crate) fn text(error: &TextError) -> Error {
        Error::new(ErrorKind::Text, error.to_string())
    }

    /// Adds why, and why that.
    pub(crate) fn because(self, error: &anyhow::Error) -> Error {
        self.because_of(error.chain().map(ToString::to_string))
    }

    /// Adds why, outermost cause first.
    pub(crate) fn because_of<I>(mut self, causes: I) -> Error
    where
        I: IntoIterator<Item = String>,
        I::IntoIter: DoubleEndedIterator,
    {
        for cause in causes.into_iter().rev() {
            let message = lines_escaped(&cause);
            self.0.cause = Some(Box::new(Cause { message, cause: self.0.cause.take() }));
        }
        self
    }

    /// Adds what could be done about it, in one line.
    pub(crate) fn help(mut self, advice: impl Into<String>) -> Error {
        self.0.help.push(advice.into());
        self
    }

    /// Which of the inputs is wrong, and how.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What could be done about it, line by line.
    pub fn advice(&self) -> impl Iterator<Item = &str> {
        self.0.help.iter().map(String::as_str)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// All of it, as a person reads it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\ncaused by: {error}")?;
            cause = error.source();
        }
        self.advice().try_for_each(|advice| write!(f, "\nhelp: {advice}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// One step of an explanation.
#[derive(Debug)]
struct Cause {
    message: String,
    cause: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// Explanations dissolve from their innermost step on, however many there are.
impl Drop for Cause {
    fn drop(&mut self) {
        let mut next = self.cause.take();
        while let Some(mut cause) = next {
            next = cause.cause.take();
        }
    }
}

/// How much of one explanation is shown.
const EXPLANATION_BYTES: usize = 4096;

/// A message of another crate, which may have several lines and words of strangers in it.
pub(crate) fn lines_escaped(message: &str) -> String {
    let mut text = String::new();
    for line in message.trim_end().lines() {
        if text.len() > EXPLANATION_BYTES {
            text.push_str("\n…");
            break;
        }
        let newline = if text.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{newline}{}", escape(line).limit(EXPLANATION_BYTES));
    }
    text
}
