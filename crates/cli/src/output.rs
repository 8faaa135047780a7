//! Where a command writes what it made.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
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

    /// Where a binary that was made from `file` goes: where `-o` says; without it to stdout, or beside
    /// `file` with another ending when stdout is a terminal.
    pub(crate) fn or_beside(
        output: Option<&Path>,
        file: &Path,
        ending: &str,
    ) -> Result<Output, Failure> {
        match output {
            Some(path) => Ok(Output::named(path)),
            None if !io::stdout().is_terminal() => Ok(Output::Stdout),
            None if input::is_stdin(file) => {
                let message = "cannot write a binary to the terminal";
                Err(Failure::new(Exit::Usage, message)
                    .help("name a file with `-o FILE`, or pipe the output"))
            }
            None => beside(file, ending).map(Output::File),
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

/// The same name with another ending; never the file itself.
fn beside(file: &Path, ending: &str) -> Result<PathBuf, Failure> {
    let path = file.with_extension(ending);
    if path == file {
        let name = quoted(&file.to_string_lossy());
        return Err(Failure::new(Exit::Usage, format!("cannot write {name} over itself"))
            .help("name another file with `-o FILE`"));
    }
    Ok(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_written_over() {
        let beside = |file: &str| beside(Path::new(file), "wasm").ok();
        assert_eq!(beside("a/b.wat"), Some(PathBuf::from("a/b.wasm")));
        assert_eq!(beside("a/b"), Some(PathBuf::from("a/b.wasm")));
        assert_eq!(beside("a/b.wasm"), None);
    }
}
