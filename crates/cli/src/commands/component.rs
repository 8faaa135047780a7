//! `dunlin component`: components from modules.

use std::path::Path;

use dunlin_compose::make::{self, Adapter, Options, Strings};
use dunlin_compose::{Error, ErrorKind, Reading, Wit};

use crate::Exit;
use crate::adapt::Adaptation;
use crate::flags::{ComponentCommand, ComponentFlags, EmbedFlags, NewFlags, StringsFlag};
use crate::input;
use crate::output::Output;
use crate::progress::Progress;
use crate::report::Failure;

pub(crate) fn run(flags: &ComponentFlags) -> Result<Exit, Failure> {
    match &flags.command {
        ComponentCommand::New(flags) => new(flags),
        ComponentCommand::Embed(flags) => embed(flags),
    }
}

fn new(flags: &NewFlags) -> Result<Exit, Failure> {
    let output = Output::or_beside(flags.output.as_deref(), &flags.file, "component.wasm")?;
    let input = input::load_binary(&flags.file)?;
    let name = input.name();
    let cannot = |error| failed(format!("cannot make a component of {name}"), error);
    let _progress = Progress::start("making a component", Some(input.bytes.len() as u64));
    let mut options = Options::default();
    for adaptation in &flags.adapt {
        match adaptation {
            Adaptation::Wasi(wasi) => options.wasi = *wasi,
            Adaptation::Module(name, path) => {
                let module = input::load_binary(path)?.bytes.to_vec();
                options.adapters.push(Adapter { name: name.clone(), module });
            }
        }
    }
    let component = match &flags.world.wit {
        None => make::component(&input.bytes, &options),
        Some(path) => {
            let wit = source(path, &reading(&flags.world.unstable))?;
            let (world, strings) = (flags.world.world.as_deref(), strings(flags.world.strings));
            make::embed(&input.bytes, &wit, world, strings)
                .and_then(|module| make::component(&module, &options))
        }
    };
    output.write(&component.map_err(cannot)?)?;
    Ok(Exit::DONE)
}

fn embed(flags: &EmbedFlags) -> Result<Exit, Failure> {
    let output = Output::or_beside(flags.output.as_deref(), &flags.file, "embedded.wasm")?;
    let input = input::load_binary(&flags.file)?;
    let wit = source(&flags.wit, &reading(&flags.unstable.unstable))?;
    let module = make::embed(&input.bytes, &wit, flags.world.as_deref(), strings(flags.strings));
    let name = input.name();
    let cannot = |error| failed(format!("cannot put WIT into {name}"), error);
    output.write(&module.map_err(cannot)?)?;
    Ok(Exit::DONE)
}

fn source(path: &Path, reading: &Reading) -> Result<Wit, Failure> {
    let wit = Wit::of_source(path, reading);
    wit.map_err(|error| failed(format!("cannot read {}", input::name(path)), error))
}

fn strings(flag: Option<StringsFlag>) -> Strings {
    match flag {
        None | Some(StringsFlag::Utf8) => Strings::Utf8,
        Some(StringsFlag::Utf16) => Strings::Utf16,
        Some(StringsFlag::Compact) => Strings::Compact,
    }
}

/// How text and its dependencies are read: with the text format wherever there could be a binary.
pub(super) fn reading(unstable: &[String]) -> Reading {
    let mut reading = Reading::new();
    for feature in unstable {
        match feature.as_str() {
            "all" => reading.all_unstable(),
            feature => reading.unstable(feature),
        };
    }
    reading.translator(|path, bytes| {
        let text = dunlin_script::decode_text(bytes, Some(path));
        let binary = text.and_then(|text| dunlin_script::wat_to_wasm(text, Some(path)));
        binary.map_err(|error| error.to_string())
    });
    reading
}

/// What to say when something could not be made, composed or shown.
pub(super) fn failed(attempt: String, error: Error) -> Failure {
    let advice: Vec<String> = error.advice().map(str::to_owned).collect();
    let failure = match error.kind() {
        // Says by itself what was attempted.
        ErrorKind::Io => Failure::new(Exit::Unreached, error.to_string()),
        _ => Failure::new(Exit::Unreached, attempt).caused_by(error),
    };
    advice.into_iter().fold(failure, Failure::help)
}
