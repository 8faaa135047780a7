//! Interfaces and components by others: shown, made, and read back.
//!
//! What differs from what a suite says is listed in `tests/failing/wit.txt`, each file with the reason.

#![allow(clippy::print_stdout, reason = "tests report what they looked at")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use dunlin_compose::make::{self, Adapter, Options, Strings};
use dunlin_compose::{ErrorKind, Origin, Reading, Wit};
use dunlin_script::{PrintOptions, print, wat_to_wasm};
use dunlin_testing::failing::Failing;
use dunlin_testing::suite::suites_folder;

/// The folder of a suite, if there are suites.
fn folder(path: &str) -> Option<(PathBuf, PathBuf)> {
    let Some(root) = suites_folder() else {
        println!("skipped: {path}");
        return None;
    };
    let folder = root.join(path);
    Some((root, folder))
}

fn reading() -> Reading {
    let mut reading = Reading::new();
    // What the suite of wit-parser has switched on.
    reading.unstable("active").translator(|path, bytes| {
        let text = dunlin_script::decode_text(bytes, Some(path));
        text.and_then(|text| wat_to_wasm(text, Some(path))).map_err(|error| error.to_string())
    });
    reading
}

fn translated(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = dunlin_script::decode_text(&bytes, Some(path));
    text.and_then(|text| wat_to_wasm(text, Some(path))).map_err(|error| error.to_string())
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// All files below a folder with an ending.
fn below(folder: &Path, wanted: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        match path.is_dir() {
            true => found.extend(below(&path, wanted)),
            false if ending(&path) == wanted => found.push(path),
            false => {}
        }
    }
    found
}

/// Judges `cases`, and asserts that what fails is what is listed.
fn judge(root: &Path, cases: &[PathBuf], check: impl Fn(&Path) -> Result<(), String>) -> usize {
    let failing = Failing::load(&["wit"]).expect("the list is well-formed");
    let mut wrong = String::new();
    for case in cases {
        let name = case.strip_prefix(root).expect("it is below the suites").to_string_lossy();
        match (check(case), failing.reason(&name, 1)) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(_)) => writeln!(wrong, "{name}: as it should be, but is listed").unwrap(),
            (Err(what), None) => writeln!(wrong, "{name}: {what}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{wrong}", wrong.lines().count());
    cases.len()
}

/// The text of an interface can be read back, and says the same.
fn round_trip(wit: &Wit) -> Result<(), String> {
    let text = wit.text().map_err(|error| format!("{error:?}"))?;
    let again = Wit::of_text(&text, Path::new("printed.wit"), &reading());
    let again = again.map_err(|error| format!("cannot be read back: {error:?}\n{text}"))?;
    let again = again.text().map_err(|error| format!("{error:?}"))?;
    match again == text {
        true => Ok(()),
        false => Err(format!("is read back as something else:\n{text}\n---\n{again}")),
    }
}

fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    // Where blank lines are is a matter of taste.
    let lines = |text: &str| -> String {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let (found, expected) = (&lines(found)[..], &lines(expected)[..]);
    let differs = found.lines().zip(expected.lines()).position(|(f, e)| f != e);
    match differs {
        None if found == expected => Ok(()),
        at => {
            let at = at.unwrap_or(found.lines().count().min(expected.lines().count()));
            let line = |text: &str| text.lines().nth(at).unwrap_or("the end").to_owned();
            let (found, expected) = (line(found), line(expected));
            Err(format!("{what}: line {}: expected {expected}, found {found}", at + 1))
        }
    }
}

/// The suite of wit-parser: what is well-formed gives the JSON that stands beside it, and text that
/// reads back.
#[test]
fn text_that_parses() {
    let Some((root, ui)) = folder("wasm-tools/crates/wit-parser/tests/ui") else { return };
    let is_case = |path: &PathBuf| {
        let known = matches!(ending(path), "wit" | "md" | "wat" | "wasm") || path.is_dir();
        known && !path.ends_with("parse-fail")
    };
    let cases: Vec<PathBuf> = entries(&ui).into_iter().filter(is_case).collect();
    let judged = judge(&root, &cases, |case| {
        let wit = match ending(case) {
            "wat" | "wasm" => Wit::of_binary(&translated(case)?),
            _ => Wit::of_source(case, &reading()),
        };
        let wit = wit.map_err(|error| format!("{error:?}"))?;
        let json = wit.json().map_err(|error| format!("{error:?}"))?;
        let expected = fs::read_to_string(case.with_extension("wit.json"));
        let expected = expected.map_err(|error| error.to_string())?;
        let unicode = |c: char| format!("\\u{:04x}", u32::from(c));
        let escaped: String = expected
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { unicode(c) })
            .collect();
        same("json", &json, &escaped)?;
        round_trip(&wit)
    });
    assert!(judged > 50, "{judged} cases only");
}

/// The same: what is not well-formed is refused, with a place in the text.
#[test]
fn text_that_does_not_parse() {
    let Some((root, ui)) = folder("wasm-tools/crates/wit-parser/tests/ui/parse-fail") else {
        return;
    };
    let is_case = |path: &PathBuf| path.is_dir() || ending(path) == "wit";
    let cases: Vec<PathBuf> = entries(&ui).into_iter().filter(is_case).collect();
    let judged = judge(&root, &cases, |case| match Wit::of_source(case, &reading()) {
        Ok(_) => Err("is accepted".to_owned()),
        Err(error) if error.kind() == ErrorKind::Fault => Err(format!("{error:?}")),
        Err(error) if error.kind() != ErrorKind::Text => Ok(()),
        Err(error) => {
            let said = error.to_string();
            let result = fs::read_to_string(case.with_extension("wit.result")).unwrap_or_default();
            if !result.contains("--> ") && !said.contains('\n') {
                return Ok(());
            }
            let place = said.lines().nth(1).and_then(|line| line.trim().strip_prefix("--> "));
            let Some(place) = place.and_then(|place| place.split_once(".wit:")) else {
                return Err(format!("without a place: {said}"));
            };
            // Where the suite says, if it says.
            match !result.contains("--> ") || result.contains(&format!(".wit:{}\n", place.1)) {
                true => Ok(()),
                false => Err(format!("elsewhere: {said}\n{result}")),
            }
        }
    });
    assert!(judged > 100, "{judged} cases only");
}

/// The suite of wit-component: packages in binary form.
#[test]
fn packages() {
    let Some((root, folder)) = folder("wasm-tools/crates/wit-component/tests/interfaces") else {
        return;
    };
    let cases: Vec<PathBuf> =
        entries(&folder).into_iter().filter(|path| ending(path) == "wat").collect();
    let judged = judge(&root, &cases, |case| {
        let wit = Wit::of_binary(&translated(case)?).map_err(|error| format!("{error:?}"))?;
        if wit.origin() != Origin::Package {
            return Err(format!("is no package: {:?}", wit.origin()));
        }
        if let Ok(expected) = fs::read_to_string(case.with_extension("wit.print")) {
            let text = wit.text().map_err(|error| format!("{error:?}"))?;
            same("text", &main_package(&text), &expected)?;
        }
        round_trip(&wit)
    });
    assert!(judged > 40, "{judged} cases only");
}

/// The first package of a text, which is all that the suite looks at.
fn main_package(text: &str) -> String {
    let others = text.match_indices("\npackage ").map(|(at, _)| at);
    let end = others.filter(|at| text[at + 1..].lines().next().is_some_and(|l| l.ends_with('{')));
    text[..end.min().unwrap_or(text.len())].to_owned()
}

/// The suite of wit-component: modules made components, as the suite has them, or refused.
#[test]
fn components_made() {
    let Some((root, folder)) = folder("wasm-tools/crates/wit-component/tests/components") else {
        return;
    };
    let cases: Vec<PathBuf> = entries(&folder).into_iter().filter(|path| path.is_dir()).collect();
    let judged = judge(&root, &cases, |case| {
        let made = make_case(case)?;
        let expects_error = case.join("error.txt").is_file();
        let component = match made {
            Ok(_) if expects_error => return Err("is accepted".to_owned()),
            Ok(component) => component,
            Err(error) if error.kind() == ErrorKind::Fault => return Err(format!("{error:?}")),
            Err(_) if expects_error => return Ok(()),
            Err(error) => return Err(format!("{error:?}")),
        };
        let wit = Wit::of_binary(&component).map_err(|error| format!("{error:?}"))?;
        let text = wit.text().map_err(|error| format!("{error:?}"))?;
        let expected = fs::read_to_string(case.join("component.wit.print"));
        let expected = expected.map_err(|error| error.to_string())?;
        same("interface", &main_package(&text), &expected)?;
        round_trip(&wit)?;
        // What is in it, but for who made it. The suite's text is read and printed by us too.
        let theirs = translated(&case.join("component.wat"))?;
        let (ours, theirs) = (shape(&component)?, shape(&theirs)?);
        same("component", &ours, &theirs)
    });
    assert!(judged > 90, "{judged} cases only");
}

/// Makes the component of a case, as its files say.
fn make_case(case: &Path) -> Result<Result<Vec<u8>, dunlin_compose::Error>, String> {
    let wit = Wit::of_source(case, &reading()).map_err(|error| format!("{error:?}"))?;
    let embedded = |path: &Path| -> Result<Vec<u8>, String> {
        let world = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        make::embed(&translated(path)?, &wit, Some(&world), Strings::Utf8)
            .map_err(|error| format!("{error:?}"))
    };
    let module = case.join("module.wat");
    if !module.is_file() {
        return Err("there is no module".to_owned());
    }
    let module = embedded(&module)?;
    let mut options = Options::default();
    for path in entries(case) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let (Some(name), "wat") = (stem.strip_prefix("adapt-"), ending(&path)) {
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let named = text.lines().find_map(|line| line.strip_prefix(";; module name: "));
            let name = named.unwrap_or(name).to_owned();
            options.adapters.push(Adapter { name, module: embedded(&path)? });
        }
    }
    Ok(make::component(&module, &options))
}

/// A component as text, without the sections that say which tools made it.
fn shape(component: &[u8]) -> Result<String, String> {
    let text = print(component, &PrintOptions::default()).map_err(|error| error.to_string())?;
    let mut shape = String::new();
    let mut depth = 0;
    for line in text.lines() {
        let opens = line.trim_start().starts_with("(@producers");
        if opens || depth > 0 {
            depth += line.matches('(').count();
            depth -= line.matches(')').count();
            continue;
        }
        shape.push_str(line);
        shape.push('\n');
    }
    Ok(shape)
}

/// Every component that others built shows its interface, which reads back.
#[test]
fn real_components() {
    let mut components = 0;
    for suite in ["jco-components", "wasi-testsuite"] {
        let Some((root, folder)) = folder(suite) else { return };
        let cases = below(&folder, "wasm");
        judge(&root, &cases, |case| {
            let bytes = fs::read(case).map_err(|error| error.to_string())?;
            let wit = Wit::of_binary(&bytes);
            let is_component = bytes.get(6) == Some(&1);
            match wit {
                Ok(wit) => {
                    if wit.items().is_empty() {
                        return Err("imports and exports nothing".to_owned());
                    }
                    wit.json().map_err(|error| format!("{error:?}"))?;
                    round_trip(&wit)
                }
                Err(error) if !is_component && error.kind() == ErrorKind::Missing => Ok(()),
                Err(error) => Err(format!("{error:?}")),
            }
        });
        let is_component = |case: &&PathBuf| fs::read(case).expect("a file").get(6) == Some(&1);
        components += cases.iter().filter(is_component).count();
    }
    println!("{components} components");
    assert!(components > 90, "{components} components only");
}
