//! `dunlin validate`: are these modules and components valid?

use std::path::Path;

use dunlin::component::Component;
use dunlin::{Config, Engine, Module};

use crate::Exit;
use crate::flags::ValidateFlags;
use crate::input;
use crate::plan;
use crate::progress::Progress;
use crate::report::{Failure, write_stdout};

pub(crate) fn run(flags: &ValidateFlags) -> Result<Exit, Failure> {
    let features = plan::features(&flags.features)?;
    let engine = plan::engine(&Config { features, ..Config::default() })?;
    let mut exit = Exit::DONE;
    for path in &flags.files {
        match check(&engine, flags, path) {
            Ok(name) if !flags.quiet => write_stdout(format!("{name}: valid\n"))?,
            Ok(_) => {}
            Err(failure) => {
                // The others are checked all the same.
                failure.print();
                exit = failure.exit();
            }
        }
    }
    Ok(exit)
}

/// Checks one file and returns its title.
fn check(engine: &Engine, flags: &ValidateFlags, path: &Path) -> Result<String, Failure> {
    let input = input::load_binary(path)?;
    let (name, title) = (input.name(), input.title());
    let _progress = Progress::start("validating", Some(input.bytes.len() as u64));
    let checked = match Component::is_component(&input.bytes) {
        true => Component::from_shared(engine, input.bytes).map(|_| ()),
        false => Module::from_shared(engine, input.bytes).map(|_| ()),
    };
    match checked {
        Ok(()) => Ok(title),
        Err(error) => {
            let error = plan::in_flags(error, &flags.features);
            Err(Failure::engine(Exit::Unreached, format!("{name} is not valid"), &error))
        }
    }
}
