//! `dunlin print`: binary to text.

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
    let text = {
        let _progress = Progress::start("printing", Some(input.bytes.len() as u64));
        let options =
            PrintOptions { skeleton: flags.skeleton, fold: flags.fold, ..PrintOptions::default() };
        dunlin_script::print(&input.bytes, &options).map_err(|error| {
            Failure::new(Exit::Unreached, format!("cannot print {}", input.name())).caused_by(error)
        })?
    };
    let output = flags.output.as_deref().map_or(Output::Stdout, Output::named);
    output.write(text.as_bytes())?;
    Ok(Exit::DONE)
}
