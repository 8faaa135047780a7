//! Where a command writes what it made.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Exit;
use crate::input;
use crate::report::{Failure, io_reason, quoted, write_stdout};

/// A file, or stdout.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    Stdout,
    File(PathBuf),
}

impl Output {
    /// What `-o` says; `-` is stdout.
    pub(crate) fn named(path: &Path) -> Output {
        match input::is_stdin(path) {
            true => Output::Stdout,
            false => Output::File(path.to_owned()),
        }
    }

    /// Writes everything, replacing what was there.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Stdout => write_stdout(bytes),
            Output::File(path) => fs::write(path, bytes).map_err(|error| {
                let name = quoted(&path.to_string_lossy());
                let message = format!("cannot write {name}: {}", io_reason(&error));
                Failure::new(Exit::Unreached, message)
            }),
        }
    }
}
