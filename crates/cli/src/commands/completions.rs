//! `dunlin completions`: a script that teaches a shell the flags.

use clap::CommandFactory;

use crate::Exit;
use crate::flags::{CompletionsFlags, Flags};
use crate::report::{Failure, write_stdout};

pub(crate) fn run(flags: &CompletionsFlags) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Flags::command(), "dunlin", &mut script);
    write_stdout(script)?;
    Ok(Exit::DONE)
}
