//! A policy is learned from a run, lets the program run again, and stops a program that was changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Reads the environment, then opens a file.
const READS: &str = r#"(module
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "PATH")
  (func (export "_start")
    (call $exit (i32.or
      (call $environ_get (i32.const 1024) (i32.const 2048))
      (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const LENGTH)
        (i32.const 0) (i64.const RIGHTS) (i64.const 0) (i32.const 0) (i32.const 0))))))"#;

/// The right to read, and that to write.
const READ: &str = "2";
const WRITE: &str = "64";

/// The program that opens this file.
fn opens(path: &str, rights: &str) -> String {
    let length = path.len().to_string();
    READS.replace("PATH", path).replace("LENGTH", &length).replace("RIGHTS", rights)
}

/// A directory of this test run, with files to read.
fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&dir).ok();
    for below in ["in", "more", "secret"] {
        fs::create_dir_all(dir.join(below)).unwrap();
    }
    for file in ["in/a.txt", "more/b.txt", "secret/key"] {
        fs::write(dir.join(file), "text").unwrap();
    }
    dir
}

fn dunlin(dir: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.current_dir(dir).env("DUNLIN_CACHE", "off").env("GREETING", "hi");
    command.args(line.split(' ')).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The value of a field of a line of the audit log.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("\"{name}\":\"");
    let at = line.find(&start).unwrap_or_else(|| panic!("no {name}: {line}")) + start.len();
    line[at..].split('"').next().unwrap()
}

#[test]
fn a_learned_policy_lets_a_program_run_again_and_stops_a_changed_one() {
    let dir = directory("policies");
    fs::write(dir.join("app.wat"), opens("a.txt", READ)).unwrap();
    let line = "run --dir in::/in --dir more::/more --env GREETING --learn app.toml app.wat";
    let learned = dunlin(&dir, line);
    let said = "note: wrote `app.toml`: 2 grants that this run needed\n";
    assert_eq!((learned.status.code(), text(&learned.stderr)), (Some(0), said));
    let shown = dunlin(&dir, "policy show app.toml");
    assert_eq!(text(&shown.stdout), "--dir in::/in:ro\n--env GREETING\n");

    let again = dunlin(&dir, "run --policy app.toml app.wat");
    assert_eq!((again.status.code(), text(&again.stderr)), (Some(0), ""));

    for (path, rights, code, need, target, help) in [
        ("../secret/key", READ, 76, "read", "/secret/key", "--dir HOST::/secret`"),
        ("a.txt", WRITE, 69, "write", "/in/a.txt", "--dir in::/in`, without `:ro`"),
    ] {
        fs::write(dir.join("changed.wat"), opens(path, rights)).unwrap();
        let log = dir.join("audit.jsonl");
        fs::remove_file(&log).ok();
        let stopped = dunlin(&dir, "run --policy app.toml --audit audit.jsonl changed.wat");
        let said = text(&stopped.stderr);
        assert_eq!(stopped.status.code(), Some(code), "{said}");
        assert!(said.starts_with("help: the guest was denied") && said.contains(help), "{said}");
        let log = fs::read_to_string(log).unwrap();
        let denied: Vec<&str> = log.lines().filter(|l| field(l, "verdict") == "denied").collect();
        assert_eq!(denied.len(), 1, "{log}");
        let line = denied[0];
        let found = ["function", "need", "target"].map(|name| field(line, name));
        assert_eq!(found, ["path_open", need, target]);
        assert!(log.lines().any(|l| field(l, "need") == "env" && field(l, "target") == "GREETING"));
    }
}

#[test]
fn a_program_that_fails_teaches_what_it_needed_and_what_it_was_denied() {
    let dir = directory("policies-failing");
    fs::write(dir.join("app.wat"), opens("../secret/key", READ)).unwrap();
    let failed = dunlin(&dir, "run --dir in::/in:ro --env A=b --learn app.toml app.wat");
    let said = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(76), "{said}");
    assert!(said.contains("note: wrote `app.toml`: 1 grant that"), "{said}");
    assert!(said.contains("note: `--dir HOST::/secret` was denied, so it is not in it"), "{said}");
    assert_eq!(text(&dunlin(&dir, "policy show app.toml").stdout), "--env A=b\n");

    // What never ran teaches nothing, and what is known stays.
    let known = fs::read_to_string(dir.join("app.toml")).unwrap();
    let missing = dunlin(&dir, "run --learn app.toml missing.wat");
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(fs::read_to_string(dir.join("app.toml")).unwrap(), known);
}

#[test]
fn a_program_changes_neither_its_policy_nor_its_log() {
    let dir = directory("policies-protected");
    fs::write(dir.join("app.toml"), "version = 1\n").unwrap();
    for name in ["app.toml", "audit.jsonl"] {
        fs::write(dir.join("app.wat"), opens(name, WRITE)).unwrap();
        let line = "run --dir . --policy app.toml --audit audit.jsonl app.wat";
        let stopped = dunlin(&dir, line);
        let said = text(&stopped.stderr);
        assert_eq!(stopped.status.code(), Some(76), "{name}: {said}");
        assert!(said.contains("the host's own: no grant covers it"), "{name}: {said}");
    }
}

#[test]
fn the_log_goes_to_stderr_if_told_so_and_is_added_to_otherwise() {
    let dir = directory("policies-log");
    fs::write(dir.join("app.wat"), opens("a.txt", READ)).unwrap();
    let run = dunlin(&dir, "run --dir in --audit - app.wat");
    assert_eq!(run.status.code(), Some(0));
    let opened = text(&run.stderr).lines().filter(|line| field(line, "operation") == "open");
    assert_eq!(opened.map(|line| field(line, "rule")).collect::<Vec<_>>(), ["--dir in::in"]);
    let lines = || fs::read_to_string(dir.join("log")).unwrap().lines().count();
    dunlin(&dir, "run --dir in --audit log app.wat");
    let first = lines();
    dunlin(&dir, "run --dir in --audit log app.wat");
    assert!(first > 0 && lines() == 2 * first);
}
