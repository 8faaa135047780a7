//! `dunlin wat`: text to binary.

use std::io::{self, IsTerminal};

use crate::Exit;
use crate::flags::WatFlags;
use crate::input::{self, Format, Input};
use crate::output::Output;
use crate::report::Failure;

pub(crate) fn run(flags: &WatFlags) -> Result<Exit, Failure> {
    let output = match &flags.output {
        Some(path) => Output::named(path),
        None if !io::stdout().is_terminal() => Output::Stdout,
        None if input::is_stdin(&flags.file) => {
            let message = "cannot write a binary module to the terminal";
            return Err(Failure::new(Exit::Usage, message)
                .help("name a file with `-o FILE`, or pipe the output"));
        }
        None => Output::File(flags.file.with_extension("wasm")),
    };
    let input = input::read(&flags.file)?;
    if is_binary(&input) {
        let message = format!("{} is in the binary format already", input.name());
        return Err(Failure::new(Exit::Unreached, message));
    }
    output.write(&input.translate()?)?;
    Ok(Exit::DONE)
}

/// Everything that is not binary is tried as text: here an empty file is an empty module.
fn is_binary(input: &Input) -> bool {
    matches!(input.format(), Ok(Format::Binary))
}
