//! `dunlin compose`: one component from several.

use dunlin_compose::{Deps, Plug, plug, wac};

use crate::Exit;
use crate::commands::component::{failed, reading};
use crate::flags::ComposeFlags;
use crate::input::{self, Format, Input};
use crate::output::Output;
use crate::progress::Progress;
use crate::report::{Failure, shell_word};

pub(crate) fn run(flags: &ComposeFlags) -> Result<Exit, Failure> {
    let ending = if flags.plug.is_empty() { "wasm" } else { "composed.wasm" };
    let output = Output::or_beside(flags.output.as_deref(), &flags.file, ending)?;
    let composed = match flags.plug.is_empty() {
        true => written_down(flags)?,
        false => plugged(flags)?,
    };
    output.write(&composed)?;
    Ok(Exit::DONE)
}

/// What a WAC file says.
fn written_down(flags: &ComposeFlags) -> Result<Vec<u8>, Failure> {
    let input = input::read(&flags.file)?;
    let name = input.name();
    if input.format().is_ok_and(|format| matches!(format, Format::Binary | Format::Compiled)) {
        let message = format!("{name} is a binary: expected a WAC file");
        let word = shell_word(&flags.file.to_string_lossy());
        return Err(Failure::new(Exit::Usage, message).help(format!(
            "components are plugged into each other with `dunlin compose {word} --plug FILE`"
        )));
    }
    let mut deps = Deps::new(reading(&[]));
    for dependency in &flags.dep {
        deps.package(&dependency.name, &dependency.path);
    }
    for folder in &flags.deps {
        deps.folder(folder);
    }
    if flags.deps.is_empty() {
        deps.folder(&flags.file.with_file_name("deps"));
    }
    let cannot = format!("cannot compose what {name} says");
    let text = input
        .text()
        .map_err(|error| Failure::new(Exit::Unreached, cannot.clone()).caused_by(error))?;
    wac::compose(text, input.place(), &deps).map_err(|error| failed(cannot, error))
}

/// What follows from names.
fn plugged(flags: &ComposeFlags) -> Result<Vec<u8>, Failure> {
    let socket = input::load_binary(&flags.file)?;
    let plugs: Vec<Input> =
        flags.plug.iter().map(|path| input::load_binary(path)).collect::<Result<_, _>>()?;
    let names: Vec<String> = plugs.iter().map(|plug| plug.path.to_string_lossy().into()).collect();
    let total = plugs.iter().map(|plug| plug.bytes.len()).sum::<usize>() + socket.bytes.len();
    let _progress = Progress::start("composing", Some(total as u64));
    let parts: Vec<Plug<'_>> =
        plugs.iter().zip(&names).map(|(plug, name)| Plug { name, bytes: &plug.bytes }).collect();
    let socket_name = socket.path.to_string_lossy();
    plug(Plug { name: &socket_name, bytes: &socket.bytes }, &parts)
        .map_err(|error| failed(format!("cannot plug components into {}", socket.name()), error))
}
