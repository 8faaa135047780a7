//! `dunlin inspect`: what a module contains, uses, and will ask for.

use crate::Exit;
use crate::flags::InspectFlags;
use crate::input;
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, shell_word, write_stdout};
use crate::survey::{Survey, Text, json};

pub(crate) fn run(flags: &InspectFlags) -> Result<Exit, Failure> {
    let input = input::load_binary(&flags.file)?;
    let name = input.name();
    let (title, word) = (input.title(), shell_word(&flags.file.to_string_lossy()));
    let survey = {
        let _progress = Progress::start("inspecting", Some(input.bytes.len() as u64));
        Survey::of(input.bytes).map_err(|error| {
            Failure::new(Exit::Unreached, format!("{name} is not valid")).caused_by(error)
        })?
    };
    let wants = survey.wants(plan::is_provided);
    let text = match flags.json {
        true => format!("{}\n", json(&survey, &wants)),
        false => Text { survey: &survey, wants: &wants, title: &title, word: &word }.to_string(),
    };
    write_stdout(text)?;
    Ok(Exit::DONE)
}
