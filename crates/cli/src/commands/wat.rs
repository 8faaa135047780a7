//! `dunlin wat`: text to binary.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::Exit;
use crate::flags::WatFlags;
use crate::input::{self, Format, Input};
use crate::output::Output;
use crate::report::{Failure, quoted};

pub(crate) fn run(flags: &WatFlags) -> Result<Exit, Failure> {
    let output = match &flags.output {
        Some(path) => Output::named(path),
        None if !io::stdout().is_terminal() => Output::Stdout,
        None if input::is_stdin(&flags.file) => {
            let message = "cannot write a binary module to the terminal";
            return Err(Failure::new(Exit::Usage, message)
                .help("name a file with `-o FILE`, or pipe the output"));
        }
        None => Output::File(beside(&flags.file)?),
    };
    let input = input::read(&flags.file)?;
    if is_binary(&input) {
        let message = format!("{} is in the binary format already", input.name());
        return Err(Failure::new(Exit::Unreached, message));
    }
    if matches!(input.format(), Ok(Format::Compiled)) {
        return Err(input.is_compiled());
    }
    output.write(&input.translate()?)?;
    Ok(Exit::DONE)
}

/// The same name with another ending; never the text itself.
fn beside(file: &Path) -> Result<PathBuf, Failure> {
    let path = file.with_extension("wasm");
    if path == file {
        let name = quoted(&file.to_string_lossy());
        return Err(Failure::new(Exit::Usage, format!("cannot write {name} over itself"))
            .help("name another file with `-o FILE`"));
    }
    Ok(path)
}

/// Everything that is not binary is tried as text: here an empty file is an empty module.
fn is_binary(input: &Input) -> bool {
    matches!(input.format(), Ok(Format::Binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_written_over() {
        let beside = |file: &str| beside(Path::new(file)).ok();
        assert_eq!(beside("a/b.wat"), Some(PathBuf::from("a/b.wasm")));
        assert_eq!(beside("a/b"), Some(PathBuf::from("a/b.wasm")));
        assert_eq!(beside("a/b.wasm"), None);
    }
}
