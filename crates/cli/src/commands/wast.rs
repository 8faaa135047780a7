//! `dunlin wast`: runs test scripts, directive by directive.

use std::path::Path;
use std::sync::Arc;

use dunlin_module::escape;
use dunlin_script::{Outcome, Report, RunOptions, Script, Summary};

use crate::Exit;
use crate::flags::WastFlags;
use crate::input;
use crate::plan;
use crate::report::{Failure, write_stdout};

pub(crate) fn run(flags: &WastFlags) -> Result<Exit, Failure> {
    let mut config = plan::config(&flags.engine)?;
    config.execution.interruptible = flags.timeout.is_some();
    let options = RunOptions {
        config,
        timeout: flags.timeout.map(|timeout| timeout.0),
        // Where nobody reads any more, the summary fails too and ends the command.
        print: Some(Arc::new(|line| drop(write_stdout(format!("{line}\n"))))),
        ..RunOptions::default()
    };
    let mut exit = Exit::DONE;
    for path in &flags.files {
        match script(path, &options, flags.verbose) {
            Ok(summary) if summary.failed + summary.unsupported == 0 => {}
            Ok(_) => exit = Exit::Unreached,
            Err(failure) if failure.is_quiet() => return Err(failure),
            Err(failure) => {
                // The other scripts run all the same.
                failure.print();
                exit = failure.exit();
            }
        }
    }
    Ok(exit)
}

fn script(path: &Path, options: &RunOptions, verbose: bool) -> Result<Summary, Failure> {
    let input = input::read(path)?;
    let name = input.title();
    let script = input.text().and_then(|text| Script::parse(text, Some(Path::new(&name))));
    let script = script.map_err(|error| {
        Failure::new(Exit::Unreached, format!("cannot read {}", input.name())).caused_by(error)
    })?;
    let mut written = Ok(());
    let summary = script
        .run(options, |report| {
            if written.is_ok() && (verbose || report.outcome != Outcome::Pass) {
                written = write_stdout(line(&name, report));
            }
        })
        .map_err(|error| {
            Failure::engine(Exit::Unreached, format!("cannot run {}", input.name()), &error)
        })?;
    written?;
    write_stdout(format!("{name}: {summary}\n"))?;
    Ok(summary)
}

fn line(name: &str, report: &Report) -> String {
    let Report { line, column, directive, outcome } = report;
    format!("{name}:{line}:{column}: {}: {outcome}\n", escape(directive))
}
