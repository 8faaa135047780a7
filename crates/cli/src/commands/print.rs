//! `dunlin print`: binary to text.

use std::io::{self, IsTerminal, Write};

use dunlin_script::PrintOptions;

use crate::Exit;
use crate::flags::PrintFlags;
use crate::input::{self, Format};
use crate::output::Output;
use crate::progress::Progress;
use crate::report::Failure;

pub(crate) fn run(flags: &PrintFlags) -> Result<Exit, Failure> {
    let input = input::read(&flags.file)?;
    if input.format()? == Format::Text {
        let message = format!("{} is in the text format already", input.name());
        return Err(Failure::new(Exit::Unreached, message));
    }
    if input.format()? == Format::Compiled {
        return Err(input.is_compiled());
    }
    // Where the text itself shows that something happens, nothing else should.
    let _progress = (!io::stdout().is_terminal())
        .then(|| Progress::start("printing", Some(input.bytes.len() as u64)));
    let options =
        PrintOptions { skeleton: flags.skeleton, fold: flags.fold, ..PrintOptions::default() };
    let output = flags.output.as_deref().map_or(Output::Stdout, Output::named);
    let mut writer = output.writer();
    let printed = dunlin_script::print_to(&input.bytes, &options, &mut writer);
    printed.map_err(|error| match error.write_error() {
        Some(error) => output.failure(error),
        None => {
            Failure::new(Exit::Unreached, format!("cannot print {}", input.name())).caused_by(error)
        }
    })?;
    writer.flush().map_err(|error| output.failure(&error))?;
    Ok(Exit::DONE)
}
