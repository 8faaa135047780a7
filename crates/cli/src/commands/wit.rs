//! `dunlin wit`: the interface of a component, or of WIT text.

use std::fmt::Write;
use std::path::Path;

use dunlin_compose::{Direction, Item, Origin, Reading, Wit};
use dunlin_module::escape;

use crate::Exit;
use crate::commands::component::{failed, reading};
use crate::flags::WitFlags;
use crate::input::{self, Format, Input};
use crate::progress::Progress;
use crate::report::{Failure, write_stdout};

pub(crate) fn run(flags: &WitFlags) -> Result<Exit, Failure> {
    let reading = reading(&flags.unstable.unstable);
    let wit = load(&flags.file, &reading)?;
    let cannot = |error| failed(format!("cannot show {}", input::name(&flags.file)), error);
    let text = match (&flags.world, flags.json, flags.summary) {
        (Some(world), ..) => wit.world_text(world).map_err(cannot)?,
        (None, true, _) => wit.json().map_err(cannot)?,
        (None, false, true) => summary(&wit),
        (None, false, false) => wit.text().map_err(cannot)?,
    };
    write_stdout(text)?;
    Ok(Exit::DONE)
}

/// Reads whatever has an interface.
fn load(path: &Path, reading: &Reading) -> Result<Wit, Failure> {
    let cannot = |error| failed(format!("cannot read {}", input::name(path)), error);
    // What is named so is text, however it begins.
    let is_text = path.extension().is_some_and(|ending| ending == "wit");
    if path.is_dir() || is_text {
        return Wit::of_source(path, reading).map_err(cannot);
    }
    let mut input = input::read(path)?;
    match input.format() {
        Ok(Format::Binary) => {}
        Ok(Format::Text) => input.bytes = input.translate()?.into(),
        Ok(Format::Compiled) => return Err(input.is_compiled()),
        Err(failure) => {
            let Some(text) = wit_text(&input) else { return Err(failure) };
            return Wit::of_text(text, input.place(), reading).map_err(cannot);
        }
    }
    let _progress = Progress::start("reading", Some(input.bytes.len() as u64));
    Wit::of_binary(&input.bytes).map_err(cannot)
}

/// The contents, if they look like WIT.
fn wit_text(input: &Input) -> Option<&str> {
    let text = std::str::from_utf8(&input.bytes).ok()?;
    let begins = ["package", "interface", "world", "use", "//", "/*", "@"];
    let start = text.trim_start();
    begins.iter().any(|word| start.starts_with(word)).then_some(text)
}

/// A line for each function.
fn summary(wit: &Wit) -> String {
    let title = match wit.origin() {
        Origin::Component => "component",
        Origin::Module => "module with WIT",
        Origin::Package | Origin::Text => {
            let worlds = wit.worlds().map(|world| {
                let title = format!("world {}", escape(world));
                items(&title, &wit.world_items(world))
            });
            let worlds: Vec<String> = worlds.collect();
            return match worlds.is_empty() {
                true => "no world\n".to_owned(),
                false => worlds.join("\n"),
            };
        }
    };
    items(title, &wit.items())
}

/// The lines for a world.
fn items(title: &str, items: &[Item]) -> String {
    let mut text = format!("{title}\n");
    for (direction, title) in [(Direction::Import, "imports"), (Direction::Export, "exports")] {
        let of_direction = |item: &&Item| item.direction == direction;
        for (at, item) in items.iter().filter(of_direction).enumerate() {
            if at == 0 {
                let _ = writeln!(text, "  {title}");
            }
            let name = escape(&item.name);
            match (item.is_interface, &item.functions[..]) {
                (true, functions) => {
                    let _ = writeln!(text, "    {name}");
                    for (name, signature) in functions {
                        let _ = writeln!(text, "      {}: {signature}", escape(name));
                    }
                }
                (false, [(name, signature)]) => {
                    let _ = writeln!(text, "    {}: {signature}", escape(name));
                }
                (false, _) => {
                    let _ = writeln!(text, "    type {name}");
                }
            }
        }
    }
    if items.is_empty() {
        text.push_str("  neither imports nor exports\n");
    }
    text
}
