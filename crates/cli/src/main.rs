//! The `dunlin` command: what was typed becomes plain data, the data a plan, and the plan is run.
//!
//! Start reading here, then `flags.rs`, `plan.rs`, and the command of interest in `commands/`.

#![forbid(unsafe_code)]

mod adapt;
mod ask;
mod commands;
mod component_run;
mod component_survey;
mod ctrl_c;
mod entry;
mod flags;
mod gc_report;
mod grant;
mod input;
mod json;
mod literal;
mod outcome;
mod output;
mod oversight;
mod plan;
mod progress;
mod quantity;
mod report;
mod survey;
mod tier_report;
mod usage;

use std::process::ExitCode;

use flags::{Command, Flags};
use report::Failure;

/// How the command ended. This is the one table of exit codes; `docs/cli.md` explains it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Exit {
    /// The program ran to its end (0) or exited with a code. Codes beyond 255 become 255.
    Guest(u32),
    /// Something could not be loaded, linked, reached or written; or a check found a fault.
    Unreached,
    /// The command line is wrong.
    Usage,
    /// The time or the fuel ran out.
    Spent,
    /// Somebody pressed Ctrl-C.
    Stopped,
    /// The program trapped.
    Trapped,
}

impl Exit {
    const DONE: Exit = Exit::Guest(0);

    fn code(self) -> u8 {
        match self {
            Exit::Guest(code) => u8::try_from(code).unwrap_or(u8::MAX),
            Exit::Unreached => 1,
            Exit::Usage => 2,
            Exit::Spent => 124,
            Exit::Stopped => 130,
            Exit::Trapped => 134,
        }
    }
}

fn main() -> ExitCode {
    let exit = usage::parse(std::env::args_os()).and_then(execute).unwrap_or_else(|failure| {
        failure.print();
        failure.exit()
    });
    ExitCode::from(exit.code())
}

fn execute(flags: Flags) -> Result<Exit, Failure> {
    match flags.command {
        Command::Run(flags) => commands::run::run(&flags),
        Command::Call(flags) => commands::call::run(&flags),
        Command::Compile(flags) => commands::compile::run(&flags),
        Command::Validate(flags) => commands::validate::run(&flags),
        Command::Wat(flags) => commands::wat::run(&flags),
        Command::Print(flags) => commands::print::run(&flags),
        Command::Wast(flags) => commands::wast::run(&flags),
        Command::Inspect(flags) => commands::inspect::run(&flags),
        Command::Wit(flags) => commands::wit::run(&flags),
        Command::Component(flags) => commands::component::run(&flags),
        Command::Compose(flags) => commands::compose::run(&flags),
        Command::Policy(flags) => commands::policy::run(&flags),
        Command::Key(flags) => commands::key::run(&flags),
        Command::Cache(flags) => commands::cache::run(&flags),
        Command::Completions(flags) => commands::completions::run(&flags),
    }
}
