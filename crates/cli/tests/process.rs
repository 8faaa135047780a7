//! What a snapshot cannot hold: signals, closed pipes, outputs of many kilobytes, other threads.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Prints `ready`, then computes for ever.
const SPINS: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "ready\n")
  (func $spin (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (loop $again (br $again))))"#;

/// Prints `ready`, then waits for input that never comes.
const WAITS: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "ready\n")
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Accepts one connection, sends back what it receives, and ends.
const ECHOES: &str = r#"(module
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv"
    (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send"
    (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $must (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start")
    (call $must (call $accept (i32.const 3) (i32.const 0) (i32.const 64)))
    (i32.store (i32.const 0) (i32.const 128))
    (i32.store (i32.const 4) (i32.const 16))
    (call $must (call $recv (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 0)
      (i32.const 68) (i32.const 72)))
    (i32.store (i32.const 4) (i32.load (i32.const 68)))
    (call $must (call $send (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 0)
      (i32.const 76)))))"#;

/// A file in the directory of this test run.
fn file(name: &str, contents: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, contents).unwrap();
    path
}

fn dunlin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.env("DUNLIN_CACHE", "off");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts a program and waits until it says `ready`.
fn start(name: &str, program: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = dunlin().arg("run").arg(file(name, program)).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, stdout)
}

#[cfg(unix)]
fn press_ctrl_c(child: &Child) {
    let kill = Command::new("kill").arg("-INT").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
}

/// The exit code and stderr of a child that has to end soon.
fn end(mut child: Child) -> (Option<i32>, String) {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), stderr)
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_program_that_computes() {
    let (child, _stdout) = start("spins.wat", SPINS);
    press_ctrl_c(&child);
    let (code, stderr) = end(child);
    assert_eq!(code, Some(130));
    assert!(stderr.contains("was stopped with Ctrl-C"), "{stderr}");
    assert!(stderr.contains("spin"), "the backtrace says where it was: {stderr}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_program_that_waits() {
    let (mut child, _stdout) = start("waits.wat", WAITS);
    // Kept open, or the program would read the end of its input.
    let stdin = child.stdin.take();
    press_ctrl_c(&child);
    let (code, stderr) = end(child);
    drop(stdin);
    assert_eq!((code, &*stderr), (Some(130), "error: stopped with Ctrl-C\n"));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_the_process_at_once() {
    let (mut child, _stdout) = start("waits-twice.wat", WAITS);
    let stdin = child.stdin.take();
    press_ctrl_c(&child);
    press_ctrl_c(&child);
    let (code, stderr) = end(child);
    drop(stdin);
    assert_eq!(code, Some(130));
    // On a busy machine the first is through before the second comes.
    assert!(["", "error: stopped with Ctrl-C\n"].contains(&&*stderr), "{stderr}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let functions: String = (0..20_000).map(|i| format!("(func $f{i})")).collect();
    let text = file("long.wat", &format!("(module {functions})"));
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("long.wasm");
    let wat = dunlin().arg("wat").arg(text).arg("-o").arg(&binary).output().unwrap();
    assert_eq!(wat.status.code(), Some(0));

    let mut child = dunlin().arg("print").arg(&binary).spawn().unwrap();
    // One byte is read, then nobody reads any more.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    assert_eq!(end(child), (Some(0), String::new()));
}

#[test]
fn wat_writes_to_a_pipe() {
    let text = file("piped.wat", "(module (func (export \"one\") (result i32) (i32.const 1)))");
    let Output { status, stdout, stderr } = dunlin().arg("wat").arg(&text).output().unwrap();
    assert_eq!((status.code(), &*stderr), (Some(0), &b""[..]));
    assert!(stdout.starts_with(b"\0asm\x01\0\0\0"));
    assert!(!text.with_extension("wasm").exists(), "nothing is written beside the text");

    // And `run -` takes it from one.
    let mut child = dunlin().args(["run", "--invoke", "one", "-"]).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&stdout).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"1\n"[..]));
}

#[test]
fn a_program_serves_on_a_granted_listener() {
    let program = file("echoes.wat", ECHOES);
    let mut child = dunlin().args(["run", "--listen", "127.0.0.1:0"]).arg(program).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on ").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"plover").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "plover");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_shell_gets_its_completions() {
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef dunlin"),
        ("fish", "complete -c dunlin"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let output = dunlin().args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(script.contains(word), "{shell}: {word}");
        for flag in ["stub-unknown-imports", "max-memory", "inspect"] {
            assert!(script.contains(flag), "{shell}: {flag}");
        }
    }
    let output = dunlin().args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
