//! Where a command writes what it made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Exit;
use crate::input;
use crate::report::{Failure, io_reason, quoted, stdout_failure, write_stdout};

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
            Output::File(path) => fs::write(path, bytes).map_err(|error| unwritable(path, &error)),
        }
    }

    /// A place to write to piece by piece. What was there is replaced when the first piece comes.
    pub(crate) fn writer(&self) -> Writer<'_> {
        match self {
            Output::Stdout => Writer::Stdout,
            Output::File(path) => Writer::File(path, None),
        }
    }

    /// What to say when the writer failed.
    pub(crate) fn failure(&self, error: &io::Error) -> Failure {
        match self {
            Output::Stdout => stdout_failure(error),
            Output::File(path) => unwritable(path, error),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let name = quoted(&path.to_string_lossy());
    Failure::new(Exit::Unreached, format!("cannot write {name}: {}", io_reason(error)))
}

/// An output that is being written to.
pub(crate) enum Writer<'a> {
    Stdout,
    File(&'a Path, Option<File>),
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Writer::Stdout => io::stdout().lock().write(bytes),
            Writer::File(path, file) => match file {
                Some(file) => file.write(bytes),
                None => file.insert(File::create(path)?).write(bytes),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Writer::Stdout => io::stdout().lock().flush(),
            Writer::File(..) => Ok(()),
        }
    }
}
