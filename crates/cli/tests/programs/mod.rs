//! Programs that need something of each kind, made from text by the command itself.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What programs of the component model have in common. `IMPORTS` and `CODE` are their own.
const MODULE: &str = r#"(module
  IMPORTS
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  CODE)"#;

/// Imports with a function that prints so many bytes from 16 on.
pub(crate) const PRINTS: &str = r#"
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))"#;

pub(crate) const PRINT: &str = r#"
  (func $print (param $length i32)
    (call $write (call $stdout) (i32.const 16) (local.get $length) (i32.const 64)))"#;

/// Opens the store whose name is at 1024, counts there, and gives the count, or 0 if it may not.
pub(crate) const COUNTS: &str = r#"
  (func $count (result i32)
    (local $bucket i32)
    (call $open (i32.const 1024) (i32.const LENGTH) (i32.const 96))
    (if (i32.load8_u (i32.const 96)) (then (return (i32.const 0))))
    (local.set $bucket (i32.load (i32.const 100)))
    (call $get (local.get $bucket) (i32.const 1024) (i32.const 1) (i32.const 96))
    (if (i32.load8_u (i32.const 100))
      (then (i32.store8 (i32.const 112) (i32.load8_u (i32.load (i32.const 104))))))
    (i32.store8 (i32.const 112) (i32.add (i32.load8_u (i32.const 112)) (i32.const 1)))
    (call $set (local.get $bucket) (i32.const 1024) (i32.const 1) (i32.const 112) (i32.const 1)
      (i32.const 96))
    (i32.load8_u (i32.const 112)))"#;

pub(crate) const STORES: &str = r#"
  (import "wasi:keyvalue/store@0.2.0-draft2" "open" (func $open (param i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft2" "[method]bucket.get"
    (func $get (param i32 i32 i32 i32)))
  (import "wasi:keyvalue/store@0.2.0-draft2" "[method]bucket.set"
    (func $set (param i32 i32 i32 i32 i32 i32)))"#;

pub(crate) const SOCKETS: &str = r#"
  (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
    (func $create (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect" (func $connect
    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;

/// A socket of its own, and connecting one to a port of this machine: whether that began.
pub(crate) const CONNECTS: &str = r#"
  (func $socket (result i32)
    (call $create (i32.const 0) (i32.const 96))
    (i32.load (i32.const 100)))
  (func $connects (param $socket i32) (param $network i32) (param $port i32) (result i32)
    (call $connect (local.get $socket) (local.get $network)
      (i32.const 0) (local.get $port)
      (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 96))
    (i32.eqz (i32.load8_u (i32.const 96))))"#;

pub(crate) const NETWORK: &str = r#"
  (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))"#;

/// Where the programs of one test are made and run.
pub(crate) struct Bench(pub(crate) PathBuf);

impl Bench {
    /// An empty directory of this name.
    pub(crate) fn new(name: &str) -> Bench {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&dir).ok();
        fs::create_dir_all(&dir).unwrap();
        Bench(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.current_dir(&self.0).env("DUNLIN_CACHE", "off").env("GREETING", "hi");
        command
    }

    /// What a command line did.
    pub(crate) fn dunlin(&self, line: &str) -> Output {
        self.command().args(line.split(' ')).output().unwrap()
    }

    /// Runs what has to succeed; gives what it printed.
    pub(crate) fn must(&self, line: &str) -> String {
        let done = self.dunlin(line);
        assert!(done.status.success(), "{line}: {}", text(&done.stderr));
        text(&done.stdout).to_owned()
    }

    /// Makes the component `name.wasm` for a world of `programs.wit`.
    pub(crate) fn component(&self, name: &str, world: &str, imports: &[&str], code: &str) {
        let text = MODULE.replace("IMPORTS", &imports.concat()).replace("CODE", code);
        fs::write(self.path(&format!("{name}.wat")), text).unwrap();
        let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/programs.wit");
        self.must(&format!("component new --wit {wit} --world {world} {name}.wat -o {name}.wasm"));
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The value of a field of a line of the audit log; nothing if it has none.
pub(crate) fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("\"{name}\":\"");
    let Some(at) = line.find(&start) else { return "" };
    line[at + start.len()..].split('"').next().unwrap()
}
