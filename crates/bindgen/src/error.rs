//! Why there are no bindings.

use std::fmt;

/// Why bindings could not be made.
pub struct Error(String);

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Error {
        Error(message.into())
    }

    /// Something of WIT that Rust code cannot be written for yet.
    pub(crate) fn unsupported(what: &str) -> Error {
        Error(format!("{what} cannot be used from Rust yet"))
    }

    /// The same, with where it was.
    pub(crate) fn at(self, place: &str) -> Error {
        Error(format!("{place}: {}", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
