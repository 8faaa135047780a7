//! The specification's test suite, as far as it concerns decoding and validation: every module is
//! accepted, everything asserted malformed or invalid is rejected.
//!
//! The suite is not part of this repository: `DUNLIN_SUITES` names the folder that holds
//! `spec-testsuite`. Without it this test says so and checks nothing.

#[path = "text/legacy.rs"]
mod legacy;

use std::path::{Path, PathBuf};

use dunlin_module::{Features, Module, TypeRegistry};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, Wat};

/// What each folder of the suite takes for granted; `None` for folders left out.
fn features(folder: &str) -> Option<Features> {
    let default = Features::default();
    match folder {
        "legacy" => Some(Features { legacy_exceptions: true, ..default }),
        // Written before a module could have several memories or tables.
        "proposals/threads" => Some(Features { threads: true, ..Features::wasm1() }),
        // Types with descriptors are not represented.
        "proposals/custom-descriptors" => None,
        _ => Some(default),
    }
}

/// The state of one file, and what came of all files.
struct Run<'a> {
    file: &'a str,
    features: Features,
    registry: TypeRegistry,
    accepted: usize,
    rejected: usize,
    failures: Vec<String>,
}

#[test]
fn modules_are_accepted_and_rejected_as_the_suite_says() {
    let Some(root) = std::env::var_os("DUNLIN_SUITES") else {
        eprintln!("skipped: DUNLIN_SUITES is not set");
        return;
    };
    let root = PathBuf::from(root).join("spec-testsuite");
    let (mut accepted, mut rejected, mut failures) = (0, 0, Vec::new());
    for path in wast_files(&root) {
        let file = path.strip_prefix(&root).unwrap();
        let folder = file.parent().and_then(Path::to_str).unwrap();
        let Some(features) = features(folder) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let mut run = Run {
            file: file.to_str().unwrap(),
            features,
            registry: TypeRegistry::new(),
            accepted: 0,
            rejected: 0,
            failures: Vec::new(),
        };
        if folder == "legacy" {
            for (line, form) in legacy::unfolded_forms(&text) {
                run.script(&form, line);
            }
        } else {
            run.script(&text, 1);
        }
        assert!(run.registry.is_empty(), "{}: types are left over", run.file);
        accepted += run.accepted;
        rejected += run.rejected;
        failures.extend(run.failures);
    }
    eprintln!("{accepted} modules accepted, {rejected} rejected");
    assert!(accepted > 2700 && rejected > 4900, "the suite is not complete");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn wast_files(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the suite's folder can be read") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|x| x == "wast") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

impl Run<'_> {
    /// Runs a script whose first line is line `first` of the file.
    fn script(&mut self, text: &str, first: usize) {
        let mut lexer = wast::lexer::Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
        let wast: Wast = match parser::parse(&buffer) {
            Ok(wast) => wast,
            // A module that was quoted because it cannot even be parsed.
            Err(_) if text.starts_with("(assert_malformed") => {
                self.rejected += 1;
                return;
            }
            Err(error) => {
                return self.failures.push(format!("{}:{first}: {error}", self.file));
            }
        };
        let mut pending: Vec<WastDirective> = wast.directives.into_iter().rev().collect();
        while let Some(directive) = pending.pop() {
            let place = format!("{}:{}", self.file, directive.span().linecol_in(text).0 + first);
            match directive {
                WastDirective::Thread(thread) => {
                    pending.extend(thread.directives.into_iter().rev());
                }
                WastDirective::Module(module) | WastDirective::ModuleDefinition(module) => {
                    self.accept(module, &place);
                }
                WastDirective::AssertUnlinkable { module, .. }
                | WastDirective::AssertTrap { exec: WastExecute::Wat(module), .. }
                | WastDirective::AssertReturn { exec: WastExecute::Wat(module), .. } => {
                    self.accept(QuoteWat::Wat(module), &place);
                }
                WastDirective::AssertMalformed { module, message, .. }
                | WastDirective::AssertMalformedCustom { module, message, .. }
                | WastDirective::AssertInvalid { module, message, .. } => {
                    self.reject(module, message, &place);
                }
                // Faults in the contents of a custom section are ignored (core spec §5.5.3).
                WastDirective::AssertInvalidCustom { module, .. } => {
                    self.accept(module, &place);
                }
                _ => {}
            }
        }
    }

    fn decode(&self, mut module: QuoteWat) -> Result<(), String> {
        let bytes = module.encode().map_err(|error| error.to_string())?;
        let decoded = Module::decode(bytes, &self.features, &self.registry);
        decoded.map(drop).map_err(|error| error.to_string())
    }

    fn accept(&mut self, module: QuoteWat, place: &str) {
        if matches!(module, QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..)) {
            return;
        }
        match self.decode(module) {
            Ok(()) => self.accepted += 1,
            Err(error) => self.failures.push(format!("{place}: rejected: {error}")),
        }
    }

    fn reject(&mut self, module: QuoteWat, message: &str, place: &str) {
        match self.decode(module) {
            Ok(()) => self.failures.push(format!("{place}: accepted, expected `{message}`")),
            Err(_) => self.rejected += 1,
        }
    }
}
