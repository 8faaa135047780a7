//! `dunlin inspect`: what a module or component contains, uses, and will ask for.

use dunlin_module::Features;
use dunlin_module::component::{Component, is_component};

use crate::Exit;
use crate::component_survey::ComponentSurvey;
use crate::flags::InspectFlags;
use crate::input::{self, Format};
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, shell_word, write_stdout};
use crate::survey::{Program, Survey, Text, json};

pub(crate) fn run(flags: &InspectFlags) -> Result<Exit, Failure> {
    let mut input = input::load(&flags.file)?;
    let name = input.name();
    let program = match input.format()? {
        Format::Compiled => Some(Program::of(&input, flags)?),
        Format::Binary | Format::Text => None,
    };
    if let Some(program) = &program {
        input.bytes = program.module.clone();
    }
    if is_component(&input.bytes) {
        let component = Component::decode(input.bytes.clone(), &Features::default());
        let survey = ComponentSurvey::new(component.map_err(|error| {
            Failure::new(Exit::Unreached, format!("{name} is not valid")).caused_by(error)
        })?);
        let text = match flags.json {
            true => format!("{}\n", survey.json()),
            false => survey.text(&input.title()),
        };
        return write_stdout(text).map(|()| Exit::DONE);
    }
    let (title, word) = (input.title(), shell_word(&flags.file.to_string_lossy()));
    let survey = {
        let _progress = Progress::start("inspecting", Some(input.bytes.len() as u64));
        Survey::of(input.bytes).map_err(|error| {
            Failure::new(Exit::Unreached, format!("{name} is not valid")).caused_by(error)
        })?
    };
    let wants = survey.wants(plan::is_provided);
    let text = match flags.json {
        true => format!("{}\n", json(&survey, &wants, program.as_ref())),
        false => {
            let module = Text { survey: &survey, wants: &wants, title: &title, word: &word };
            let program = program.as_ref().map_or(String::new(), ToString::to_string);
            format!("{program}{module}")
        }
    };
    write_stdout(text)?;
    Ok(Exit::DONE)
}
