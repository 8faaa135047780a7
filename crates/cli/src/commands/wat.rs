//! `dunlin wat`: text to binary.

use crate::Exit;
use crate::flags::WatFlags;
use crate::input::{self, Format, Input};
use crate::output::Output;
use crate::report::Failure;

pub(crate) fn run(flags: &WatFlags) -> Result<Exit, Failure> {
    let output = Output::or_beside(flags.output.as_deref(), &flags.file, "wasm")?;
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

/// Everything that is not binary is tried as text: here an empty file is an empty module.
fn is_binary(input: &Input) -> bool {
    matches!(input.format(), Ok(Format::Binary))
}
