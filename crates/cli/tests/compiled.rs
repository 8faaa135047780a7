//! Compiled programs, keys and the cache from the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Prints `ok`, unless it can read a file in a directory it was granted, which it then prints.
const READS: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "PATH")
  (data (i32.const 200) "ok\n")
  (func (export "_start")
    (i32.store (i32.const 300) (i32.const 200))
    (i32.store (i32.const 304) (i32.const 3))
    (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const LENGTH)
          (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100)))
      (then
        (i32.store (i32.const 304) (i32.const 60))
        (drop (call $read (i32.load (i32.const 100)) (i32.const 300) (i32.const 1) (i32.const 308)))))
    (drop (call $write (i32.const 1) (i32.const 300) (i32.const 1) (i32.const 308)))))"#;

const FIB: &str = r#"(module
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add
        (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;

/// A user with a home of their own, and what `dunlin` says to them.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Home {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("home-{name}"));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("fib.wat"), FIB).unwrap();
        Home(path)
    }

    /// Runs a command in the home: its exit code, and what it printed.
    fn run(&self, line: &str) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(line.split(' '))
            .current_dir(&self.0)
            .env("HOME", &self.0)
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME")
            .env_remove("DUNLIN_CACHE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// What a command prints that succeeds.
    fn prints(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!(code, 0, "{line}: {err}");
        out
    }

    /// What a command complains about that fails.
    fn fails(&self, line: &str) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        err
    }

    /// Whether this build compiles at all.
    fn compiles(&self) -> bool {
        let (code, _, err) = self.run("compile fib.wat");
        assert!(code == 0 || err.contains("no compiler for this processor"), "{err}");
        code == 0
    }
}

#[test]
fn a_program_runs_on_the_machine_it_was_compiled_on() {
    let home = Home::new("compile");
    if !home.compiles() {
        return;
    }
    assert_eq!(home.prints("run --invoke fib fib.dunlin 20"), "6765\n");
    let shown = home.prints("inspect fib.dunlin");
    assert!(shown.starts_with("compiled program:\n  sealed by: `machine:"), "{shown}");
    assert!(shown.contains("\n  trusted here: yes\n"), "{shown}");
    assert!(shown.contains("\n  settings: guard memories, interruption\n"), "{shown}");
    assert!(shown.contains("\nfib.dunlin: library, "), "{shown}");
    let other = Home::new("compile-other");
    fs::copy(home.0.join("fib.dunlin"), other.0.join("fib.dunlin")).unwrap();
    let error = other.fails("run --invoke fib fib.dunlin 20");
    assert!(error.contains("which is not this machine's key\nhelp: compile it again"), "{error}");
    assert!(other.prints("inspect fib.dunlin").contains("\n  trusted here: no: "));
    for (command, expected) in [
        ("print fib.dunlin", "error: `fib.dunlin` is a compiled program: expected a module\n"),
        ("wat fib.dunlin -o x", "error: `fib.dunlin` is a compiled program: expected a module\n"),
        ("validate fib.dunlin", "error: `fib.dunlin` is a compiled program: expected a module\n"),
        (
            "compile fib.dunlin -o x",
            "error: `fib.dunlin` is a compiled program: expected a module\n",
        ),
    ] {
        assert!(home.fails(command).starts_with(expected), "{command}");
    }
}

#[test]
fn other_settings_use_the_module_without_its_code() {
    let home = Home::new("settings");
    if !home.compiles() {
        return;
    }
    let (code, out, err) = home.run("run --fuel 1000000 --invoke fib fib.dunlin 10");
    assert_eq!((code, out.as_str()), (0, "55\n"));
    assert_eq!(
        err,
        "note: `fib.dunlin` runs without its native code: its code is for other settings: expected \
         guard memories, fuel, interruption, found guard memories, interruption\n"
    );
    home.prints("compile --fuel --deterministic -o both.dunlin fib.wat");
    let (_, out, err) = home.run("run --fuel 1000000 --deterministic --invoke fib both.dunlin 10");
    assert_eq!((out.as_str(), err.as_str()), ("55\n", ""));
}

#[test]
fn signed_programs_run_where_the_signer_is_trusted() {
    let home = Home::new("sign");
    if !home.compiles() {
        return;
    }
    let made = home.prints("key my.key");
    assert!(made.starts_with("private key: `my.key`"), "{made}");
    home.prints("compile --sign my.key -o app.dunlin fib.wat");
    let other = Home::new("sign-other");
    for file in ["app.dunlin", "my.key.pub"] {
        fs::copy(home.0.join(file), other.0.join(file)).unwrap();
    }
    let error = other.fails("run --invoke fib app.dunlin 20");
    assert!(
        error
            .starts_with("error: cannot load `app.dunlin`\ncaused by: compiled program: signed by")
    );
    assert!(error.ends_with("or `--trust KEY`\n"), "{error}");
    assert_eq!(other.prints("run --trust my.key.pub --invoke fib app.dunlin 20"), "6765\n");
    let mut bytes = fs::read(other.0.join("app.dunlin")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(other.0.join("app.dunlin"), bytes).unwrap();
    let error = other.fails("run --trust my.key.pub --invoke fib app.dunlin 20");
    assert!(error.contains("changed after it was sealed"), "{error}");
}

#[test]
fn keys_are_not_written_over() {
    let home = Home::new("keys");
    home.prints("key my.key");
    let before = fs::read(home.0.join("my.key")).unwrap();
    assert_eq!(home.fails("key my.key"), "error: cannot write `my.key.pub`: file exists\n");
    fs::remove_file(home.0.join("my.key.pub")).unwrap();
    assert_eq!(home.fails("key my.key"), "error: cannot write `my.key`: file exists\n");
    assert!(!home.0.join("my.key.pub").exists());
    assert_eq!(fs::read(home.0.join("my.key")).unwrap(), before);
    let error = home.fails("compile --sign no.key fib.wat");
    assert!(error.starts_with("error: cannot sign with `no.key`: no such file"), "{error}");
    let error = home.fails("run --trust fib.wat fib.wat");
    assert_eq!(error, "error: cannot trust `fib.wat`: expected an Ed25519 public key in PEM\n");
}

#[test]
fn the_cache_is_filled_shown_and_cleared() {
    let home = Home::new("cache");
    let large = format!(
        "(module (memory 4) (data (i32.const 0) \"{}\") (func (export \"f\")))",
        "x".repeat(100_000)
    );
    fs::write(home.0.join("large.wat"), large).unwrap();
    let empty = "`CACHE`: at most 1 GiB\n  0 modules' code, 0 bytes\n  \
                 0 verdicts that modules are valid, 0 bytes\n";
    let cache = home.0.join(".cache/dunlin/modules");
    let named = |text: String| text.replace(cache.to_str().unwrap(), "CACHE");
    assert_eq!(named(home.prints("cache")), empty);
    home.prints("run --no-cache --invoke f large.wat");
    assert!(!cache.exists());
    home.prints("run --invoke f large.wat");
    let shown = named(home.prints("cache"));
    assert!(shown.contains("1 verdict that a module is valid, 160 bytes\n"), "{shown}");
    home.prints("run --invoke f large.wat");
    let cleared = named(home.prints("cache clear"));
    assert!(cleared.starts_with("`CACHE`: removed\n"), "{cleared}");
    assert_eq!(named(home.prints("cache show")), empty);
    // Without a cache everything works, and with `--verbose` it is said.
    fs::remove_dir(&cache).unwrap();
    fs::write(&cache, "").unwrap();
    let (code, _, err) = home.run("run --invoke f large.wat");
    assert_eq!((code, err.as_str()), (0, ""));
    let (code, _, err) = home.run("run -v --invoke f large.wat");
    let note = "note: no cache: `CACHE`: expected a directory, found a file or a link\n";
    assert_eq!((code, named(err).as_str()), (0, note));
}

/// Who has the key can make us execute anything.
#[test]
fn a_guest_with_the_whole_home_has_neither_key_nor_cache() {
    let home = Home::new("grant");
    let reads = |path: &str| {
        let text = READS.replace("PATH", path).replace("LENGTH", &path.len().to_string());
        fs::write(home.0.join("reads.wat"), text).unwrap();
        home.run("run --dir . reads.wat")
    };
    home.prints("run --invoke fib fib.wat 5");
    fs::write(home.0.join(".cache/other"), [b'x'; 60]).unwrap();
    assert_eq!(reads(".cache/other").1, "x".repeat(60), "all else is granted");
    fs::write(home.0.join(".cache/dunlin/modules/file"), [b'x'; 60]).unwrap();
    for path in [".local/state/dunlin/machine.key", ".cache/dunlin/modules/file"] {
        assert!(home.0.join(path).exists());
        assert_eq!(reads(path).1, "ok\n", "{path}");
    }
    std::os::unix::fs::symlink(".local/state", home.0.join("link")).unwrap();
    assert_eq!(reads("link/dunlin/machine.key").1, "ok\n");
    // Also where there is none yet: it cannot be made by the guest.
    fs::remove_dir_all(home.0.join(".cache")).unwrap();
    reads("x");
    assert!(home.0.join(".cache/dunlin/modules").is_dir());
}
