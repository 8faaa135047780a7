//! Runs the commands in the headers of `tests/cases/*` and compares what they print.
//!
//! `tests/cases/readme.wat` documents the format. `BLESS=1 cargo test -p dunlin-cli` writes the
//! expectations anew.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The files with headers.
const ENDINGS: [&str; 3] = ["wat", "wast", "case"];

/// One `RUN` line and the lines that belong to it.
struct Run {
    words: Vec<String>,
    exit: i32,
    stdin: Vec<u8>,
    env: Vec<(String, String)>,
}

/// Where a case may write; removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> TempDir {
        let path = env::temp_dir().join(format!("dunlin-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn cases() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| ENDINGS.iter().any(|ending| e == *ending)))
        .collect();
    files.sort();
    assert!(files.len() > 20, "the cases are missing");
    let failures: Vec<String> = files.iter().filter_map(|file| check(&dir, file).err()).collect();
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

/// Nothing expects output of a command that no case runs any more.
#[test]
fn every_expectation_has_a_case() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "stdout" || ending == "stderr") {
            let case = path.with_extension("");
            assert!(case.is_file(), "{} has no case", path.display());
        }
    }
}

fn check(dir: &Path, file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let temp = TempDir::new(name);
    let runs = parse(&fs::read_to_string(file).unwrap(), name, temp.0.to_str().unwrap());
    assert!(!runs.is_empty(), "{name}: no RUN line");
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut faults = String::new();
    for run in &runs {
        let (code, out, err) = execute(dir, &temp.0, run);
        let line = run.words.join(" ");
        for (text, new) in [(&mut stdout, out), (&mut stderr, err)] {
            // With several commands, say which of them printed what.
            if runs.len() > 1 && !new.is_empty() {
                writeln!(text, "$ dunlin {line}").unwrap();
            }
            text.push_str(&new);
        }
        if code != run.exit {
            writeln!(faults, "{name}: `{line}`: expected exit {}, found {code}", run.exit).unwrap();
        }
    }
    for (ending, found) in [("stdout", stdout), ("stderr", stderr)] {
        let found = found.replace(temp.0.to_str().unwrap(), "%t");
        let path = dir.join(format!("{name}.{ending}"));
        if env::var_os("BLESS").is_some() {
            match found.is_empty() {
                true => drop(fs::remove_file(&path)),
                false => fs::write(&path, &found).unwrap(),
            }
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            let (expected, found) = (indent(&expected), indent(&found));
            writeln!(faults, "{name}: {ending}:\n expected\n{expected} found\n{found}").unwrap();
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}

/// Reads the lines that start with `;; WORD:`.
fn parse(text: &str, name: &str, temp: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let expand = |text: &str| text.replace("%s", name).replace("%t", temp);
    for line in text.lines() {
        let Some((word, rest)) = line.strip_prefix(";; ").and_then(|line| line.split_once(":"))
        else {
            continue;
        };
        let rest = rest.trim();
        if word == "RUN" {
            let words = words(rest).iter().map(|word| expand(word)).collect();
            runs.push(Run { words, exit: 0, stdin: Vec::new(), env: Vec::new() });
            continue;
        }
        let Some(run) = runs.last_mut() else { continue };
        match word {
            "EXIT" => run.exit = rest.parse().unwrap(),
            "STDIN" => run.stdin = format!("{rest}\n").into_bytes(),
            "STDIN-FILE" => {
                let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
                run.stdin = fs::read(dir.join(expand(rest))).unwrap();
            }
            "ENV" => {
                let (name, value) = rest.split_once('=').unwrap();
                run.env.push((name.to_owned(), value.to_owned()));
            }
            _ => {}
        }
    }
    runs
}

/// Splits at blanks; quotes of one kind, single or double, keep a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.trim().chars() {
        match c {
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            c if quote == Some(c) => quote = None,
            ' ' if quote.is_none() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn execute(dir: &Path, temp: &Path, run: &Run) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(&run.words)
        .current_dir(dir)
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS")
        // Each case has a cache and a key of its own.
        .env_remove("DUNLIN_CACHE")
        .env("XDG_CACHE_HOME", temp.join(".cache"))
        .env("XDG_STATE_HOME", temp.join(".state"))
        .envs(run.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = run.stdin.clone();
    // A command that does not read its input is no fault.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
