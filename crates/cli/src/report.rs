//! What is said when something fails: `error:`, `caused by:`, the guest's backtrace, `help:`.
//!
//! An engine's error describes itself in the same form, line by line, so a failure is text from the
//! start; only the lines of advice are told apart, because they go last and are said once.

use std::fmt::{self, Display, Write as _};
use std::io::{self, IsTerminal, Write as _};

use dunlin_module::escape;

use crate::Exit;

/// Why a command did not do what it was asked, and the exit code that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// Without the leading `error: `; empty when there is nothing to say.
    text: String,
    help: Vec<String>,
}

impl Failure {
    /// A failure with a message in one line.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, text: message.into(), help: Vec::new() }
    }

    /// The end of a command without a word: nobody reads what it writes.
    pub(crate) fn quiet(exit: Exit) -> Failure {
        Failure::new(exit, "")
    }

    /// A failure of the engine while doing what `attempt` says.
    pub(crate) fn engine(exit: Exit, attempt: impl Display, error: &dunlin::Error) -> Failure {
        // The long form lists causes, backtrace and advice.
        Failure::new(exit, format!("{attempt}\ncaused by: {error:?}"))
    }

    /// Adds why, and why that.
    pub(crate) fn caused_by(mut self, error: impl std::error::Error + 'static) -> Failure {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "\ncaused by: {error}");
            cause = error.source();
        }
        self
    }

    /// Adds what could be done about it.
    pub(crate) fn help(mut self, advice: impl Into<String>) -> Failure {
        self.help.push(advice.into());
        self
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_quiet(&self) -> bool {
        self.text.is_empty() && self.help.is_empty()
    }

    /// The exit code it asks for.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it to stderr.
    pub(crate) fn print(&self) {
        if self.is_quiet() {
            return;
        }
        let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let text = Layout { failure: self, color }.to_string();
        // Where stderr is closed, the exit code has to do.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// The lines of a failure as they are printed.
struct Layout<'a> {
    failure: &'a Failure,
    color: bool,
}

impl Display for Layout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BOLD_RED: &str = "\x1b[1;31m";
        const BOLD_CYAN: &str = "\x1b[1;36m";
        let mut help = Vec::new();
        if !self.failure.text.is_empty() {
            self.label(f, BOLD_RED, "error:")?;
        }
        for line in self.failure.text.lines() {
            match line.strip_prefix("help: ") {
                Some(advice) => help.push(advice),
                None => writeln!(f, "{line}")?,
            }
        }
        for advice in self.failure.help.iter().flat_map(|advice| advice.lines()) {
            if !help.contains(&advice) {
                help.push(advice);
            }
        }
        for advice in help {
            self.label(f, BOLD_CYAN, "help:")?;
            writeln!(f, "{advice}")?;
        }
        Ok(())
    }
}

impl Layout<'_> {
    fn label(&self, f: &mut fmt::Formatter<'_>, style: &str, label: &str) -> fmt::Result {
        match self.color {
            true => write!(f, "{style}{label}\x1b[0m "),
            false => write!(f, "{label} "),
        }
    }
}

/// Text from a file or a guest, in backticks and unable to steer the terminal.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", escape(text))
}

/// Text as a word of a command to be typed, unable to steer the terminal.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,+=@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", escape(&text.replace('\'', "'\\''"))),
    }
}

/// Why input or output failed, in lower case and without the system's error number.
pub(crate) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
        io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        io::ErrorKind::UnexpectedEof => "it ended early".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let mut chars = text.chars();
            match (chars.next(), chars.as_str()) {
                // `I/O error` stays as it is.
                (Some(first), rest) if !rest.starts_with(|c: char| !c.is_lowercase()) => {
                    first.to_lowercase().chain(rest.chars()).collect()
                }
                _ => text.to_owned(),
            }
        }
    }
}

/// Writes to stdout; when nobody reads it any more, the command ends without a word.
pub(crate) fn write_stdout(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush());
    written.map_err(|error| stdout_failure(&error))
}

/// What to say when stdout cannot be written to.
pub(crate) fn stdout_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(Exit::Guest(0)),
        _ => {
            let message = format!("cannot write to stdout: {}", io_reason(error));
            Failure::new(Exit::Unreached, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(failure: &Failure) -> String {
        Layout { failure, color: false }.to_string()
    }

    #[test]
    fn advice_goes_last_and_is_said_once() {
        let failure = Failure::new(Exit::Usage, "first\nhelp: a\nsecond").help("b").help("a");
        assert_eq!(plain(&failure), "error: first\nsecond\nhelp: a\nhelp: b\n");
    }

    #[test]
    fn causes_are_listed() {
        let error = "x".parse::<u8>().unwrap_err();
        let failure = Failure::new(Exit::Unreached, "cannot count").caused_by(error);
        let text = "error: cannot count\ncaused by: invalid digit found in string\n";
        assert_eq!(plain(&failure), text);
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(shell_word("a/b-1.wasm"), "a/b-1.wasm");
        assert_eq!(shell_word("my app.wasm"), "'my app.wasm'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn reasons_of_the_system_read_like_ours() {
        let reason = |code| io_reason(&io::Error::from_raw_os_error(code));
        assert_eq!(reason(2), "no such file");
        assert_eq!(io_reason(&io::Error::other("I/O error (os error 5)")), "I/O error");
        assert_eq!(io_reason(&io::Error::other("Too many (os error 24)")), "too many");
    }
}
