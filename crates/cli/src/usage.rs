//! Wrong command lines, said in the same words as everything else that fails.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::Exit;
use crate::flags::Flags;
use crate::report::{Failure, quoted, shell_word};

/// Reads the command line. Help and version, when asked for, are printed and end the command.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Flags, Failure> {
    Flags::try_parse_from(line).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // With stdout closed nobody can be told.
            let _ = error.print();
            Failure::quiet(Exit::Guest(0))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Failure::quiet(Exit::Usage)
        }
        _ => explain(&error),
    })
}

fn explain(error: &clap::Error) -> Failure {
    let words = |kind| words(error.get(kind));
    // `--fuel <N>` reads `--fuel N` in our messages.
    let bare = |text: String| text.replace(['<', '>'], "");
    let arg = bare(words(ContextKind::InvalidArg).join(" "));
    let value = quoted(&words(ContextKind::InvalidValue).join(" "));
    let message = match error.kind() {
        ErrorKind::InvalidSubcommand => return unknown_command(error),
        ErrorKind::UnknownArgument if arg.starts_with('-') => {
            format!("unknown flag {}", quoted(&arg))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument {}", quoted(&arg)),
        ErrorKind::InvalidValue if value == "``" => format!("missing value for {}", quoted(&arg)),
        ErrorKind::InvalidValue => {
            let expected = words(ContextKind::ValidValue).join(", ");
            let arg = quoted(&arg);
            format!("invalid value for {arg}: expected one of {expected}, found {value}")
        }
        ErrorKind::ValueValidation => {
            let arg = quoted(&arg);
            match error.source() {
                Some(reason) => format!("invalid value {value} for {arg}: {reason}"),
                None => format!("invalid value {value} for {arg}"),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            // FILE alone: what may follow it is not missing.
            let arg = arg.split(' ').next().unwrap_or_default();
            format!("missing argument {}", quoted(arg))
        }
        ErrorKind::ArgumentConflict => {
            let prior = bare(words(ContextKind::PriorArg).join(", "));
            match prior.is_empty() || prior == arg {
                true => format!("{} was given twice", quoted(&arg)),
                false => format!("{} cannot be given with {}", quoted(&arg), quoted(&prior)),
            }
        }
        _ => {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            text.trim_start_matches("error: ").to_owned()
        }
    };
    let mut failure = Failure::new(Exit::Usage, message);
    for similar in
        words(ContextKind::SuggestedArg).iter().chain(&words(ContextKind::SuggestedValue))
    {
        failure = failure.help(format!("there is a similar one: {}", quoted(similar)));
    }
    match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => {
            let usage = usage.to_string();
            let usage = usage.trim().trim_start_matches("Usage:").trim();
            failure.help(format!("usage: {}", bare(usage.to_owned())))
        }
        _ => failure,
    }
}

/// The first word is no command. Often it is a module that somebody wants to run.
fn unknown_command(error: &clap::Error) -> Failure {
    let word = words(error.get(ContextKind::InvalidSubcommand)).concat();
    let name = quoted(&word);
    if Path::new(&word).is_file() {
        return Failure::new(Exit::Usage, format!("{name} is a file, not a command"))
            .help(format!("run it with `dunlin run {}`", shell_word(&word)));
    }
    let failure = Failure::new(Exit::Usage, format!("unknown command {name}"));
    match &words(error.get(ContextKind::SuggestedSubcommand))[..] {
        [] => failure.help("`dunlin --help` lists the commands"),
        [similar, ..] => failure.help(format!("there is a similar one: {}", quoted(similar))),
    }
}

fn words(value: Option<&ContextValue>) -> Vec<String> {
    match value {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        Some(ContextValue::StyledStr(word)) => vec![word.to_string()],
        Some(ContextValue::StyledStrs(words)) => words.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}
