//! The text of every kind of message: modules in `errors/*.wat`, each followed by what decoding it
//! must print. `BLESS=1` rewrites the expectations.
//!
//! A file may open with `;; features: LIST`, for another set than the default one.

mod text;

use std::path::{Path, PathBuf};

use dunlin_module::{Features, FeaturesError, Module, TypeRegistry};
use text::binary;

const MARK: &str = ";; error: ";
const NEXT: &str = ";;        ";

#[test]
fn messages_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 40, "the recorded messages are there");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let recorded = std::fs::read_to_string(&file).unwrap();
        let source = recorded.split(MARK).next().unwrap().trim_end();
        let features = match source.strip_prefix(";; features: ") {
            Some(rest) => Features::parse(rest.lines().next().unwrap()).unwrap(),
            None => Features::default(),
        };
        let error = Module::decode(binary(source), &features, &TypeRegistry::new()).map(drop);
        let error = error.expect_err(&name);
        let message = format!("{:?}: {error}", error.kind());
        let lines: Vec<&str> = message.lines().collect();
        let actual = format!("{source}\n{MARK}{}\n", lines.join(&format!("\n{NEXT}")));
        if actual == recorded {
            continue;
        }
        if bless {
            std::fs::write(&file, actual).unwrap();
        } else {
            wrong.push(format!("{name}: expected\n{recorded}\nfound\n{actual}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 accepts these", wrong.join("\n"));
}

#[test]
fn feature_lists() {
    let unknown = Features::parse("gc,\u{1b}[31mwarp").unwrap_err().to_string();
    assert!(unknown.starts_with("unknown WebAssembly feature `\\u{1b}[31mwarp`\nhelp: one of "));
    assert!(
        unknown.ends_with(", cm-accessors, or a preset: mvp, wasm1, wasm2, wasm3, default, all")
    );
    let missing = Features::parse("wasm2,gc").unwrap_err();
    assert!(matches!(missing, FeaturesError::Missing { .. }));
    assert_eq!(
        missing.to_string(),
        "WebAssembly feature `gc` needs `function-references`, which is off\n\
         help: enable with `--wasm function-references`, or disable with `--wasm -gc`"
    );
}

#[test]
fn an_error_is_one_word() {
    assert_eq!(size_of::<dunlin_module::Error>(), size_of::<usize>());
    assert_eq!(size_of::<Option<dunlin_module::Error>>(), size_of::<usize>());
}

#[test]
fn an_error_says_where_it_is() {
    let bytes = binary("(module (import \"m\" \"f\" (func)) (func) (func $wrong i32.add drop))");
    let error = Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap_err();
    assert_eq!(error.function().as_deref(), Some("wrong"));
    assert_eq!(error.offset(), Some(0x24));
    let bytes = binary("(module (func i32.add drop))");
    let error = Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap_err();
    assert_eq!(error.function().as_deref(), Some("#0"));
    let bytes = binary("(module (memory 2 1))");
    let error = Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap_err();
    assert_eq!(error.function(), None);
}
