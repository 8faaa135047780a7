//! `dunlin compile`: a module becomes a program with native code for all of its functions.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dunlin::component::Component;
use dunlin::{Compilation, Module, SigningKey};
use dunlin_module::escape;

use crate::Exit;
use crate::flags::CompileFlags;
use crate::input;
use crate::output::Output;
use crate::plan;
use crate::progress::{Counter, Progress};
use crate::quantity::Size;
use crate::report::{Failure, quoted};

/// How many functions that stay interpreted are named, unless all shall be.
const NAMED: usize = 10;

pub(crate) fn run(flags: &CompileFlags) -> Result<Exit, Failure> {
    // What can be wrong is found before the work is done.
    let key = flags.sign.as_deref().map(load_key).transpose()?;
    let output = match &flags.output {
        Some(path) => Output::named(path),
        None => Output::File(beside(&flags.file)?),
    };
    let engine = plan::engine(&plan::compile_config(flags)?)?;
    let input = input::load_binary(&flags.file)?;
    let name = input.name();
    if Component::is_component(&input.bytes) {
        return Err(Failure::new(
            Exit::Unreached,
            format!("cannot compile {name}: it is a component"),
        )
        .help("`dunlin run` keeps native code of its core modules in the cache"));
    }
    let module = {
        let _progress = Progress::start("validating", Some(input.bytes.len() as u64));
        Module::from_shared(&engine, input.bytes).map_err(|error| {
            let error = plan::in_flags(error, &flags.engine.features);
            Failure::engine(Exit::Unreached, format!("cannot load {name}"), &error)
        })?
    };
    let failed = |error| Failure::engine(Exit::Unreached, format!("cannot compile {name}"), &error);
    let compiled = {
        let counter = Counter::default();
        let _progress = Progress::counting("compiling", &counter);
        module.precompile(&|done, total| counter.set(done, total)).map_err(failed)?
    };
    let mut summary = summary(&compiled, flags.verbose);
    let bytes = match &key {
        Some(key) => compiled.sign(key),
        None => compiled.seal().map_err(failed)?,
    };
    output.write(&bytes)?;
    if let Output::File(path) = &output {
        let (name, size) = (escape(&path.to_string_lossy()).to_string(), Size(bytes.len() as u64));
        summary.insert_str(0, &format!("{name}: {size}, "));
    }
    eprint!("{summary}");
    Ok(Exit::DONE)
}

fn summary(compiled: &Compilation, all: bool) -> String {
    let code = Size(compiled.code_bytes() as u64);
    let interpreted = compiled.interpreted();
    let plural = if compiled.functions() == 1 { "" } else { "s" };
    let mut text = format!("{} function{plural}, {code} of native code\n", compiled.functions());
    if interpreted.is_empty() {
        return text;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "stay interpreted: {}", interpreted.len());
    let named = if all { interpreted.len() } else { NAMED };
    for function in interpreted.iter().take(named) {
        let name =
            function.name.as_deref().map_or(String::new(), |name| format!(" {}", quoted(name)));
        let why = function.why.to_string();
        let _ = writeln!(text, "  #{}{name}: {}", function.func, escape(&why));
    }
    if interpreted.len() > named {
        let _ = writeln!(text, "  and {} more, named with `--verbose`", interpreted.len() - named);
    }
    text
}

fn load_key(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::load(path).map_err(|error| {
        let name = quoted(&path.to_string_lossy());
        let message = format!("cannot sign with {name}: {}", error.reason());
        Failure::new(Exit::Unreached, message).help("make a pair of keys with `dunlin key FILE`")
    })
}

/// The same name with another ending; never the module itself.
fn beside(file: &Path) -> Result<PathBuf, Failure> {
    let path = file.with_extension("dunlin");
    if path == file || input::is_stdin(file) {
        let name = quoted(&file.to_string_lossy());
        let message = format!("no name for the program from {name}");
        return Err(Failure::new(Exit::Usage, message).help("name a file with `-o FILE`"));
    }
    Ok(path)
}
