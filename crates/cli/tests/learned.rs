//! Programs of every kind learn a policy, run again with it, and are stopped once they were changed.

mod programs;

use std::fs;
use std::net::TcpListener;

use programs::*;

/// Opens a file below the first directory and prints what is in it; then reads the environment.
const FILES: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "IN")
  (data (i32.const 128) "b.txt")
  (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func (export "_start")
    (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const LENGTH)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
    (i32.store (i32.const 256) (i32.const 300))
    (i32.store (i32.const 260) (i32.const 100))
    (call $must (call $read (i32.load (i32.const 0)) (i32.const 256) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 260) (i32.load (i32.const 8)))
    (call $must (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 8)))
    (call $must (call $open (i32.const 4) (i32.const 0) (i32.const 128) (i32.const 5)
      (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 4)))
    (call $must (call $write (i32.load (i32.const 4)) (i32.const 256) (i32.const 1)
      (i32.const 8)))))"#;

/// Prints the first argument and the first variable, which has to have this name.
const ENVIRONMENT: &str = r#"(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $environ (i32.const 16) (i32.const 256)))
    (drop (call $args (i32.const 512) (i32.const 1024)))
    (if (i32.ne (i32.load8_u (i32.const 256)) (i32.const LETTER)) (then (call $exit (i32.const 9))))
    (i32.store (i32.const 0) (i32.const 256))
    (i32.store (i32.const 4) (i32.const 11))
    (i32.store (i32.const 8) (i32.load (i32.const 516)))
    (i32.store (i32.const 12) (i32.const 3))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 64)))))"#;

/// One program, and the same after somebody changed it.
struct Case {
    name: &'static str,
    /// Makes `NAME.wasm`; `changed` tells which.
    make: fn(&Bench, changed: bool),
    /// What it is granted when it is run first.
    grants: String,
    args: &'static str,
    prints: &'static str,
    /// What it learns, as flags.
    learns: String,
    /// How the audit log speaks of what was refused: component, function, need, target, verdict.
    refused: [String; 5],
}

fn wat(bench: &Bench, text: &str) {
    fs::write(bench.path("app.wat"), text).unwrap();
    bench.must("wat app.wat -o app.wasm");
}

fn files(bench: &Bench, changed: bool) {
    let path = if changed { "../secret/key" } else { "a.txt" };
    wat(
        bench,
        &FILES.replace("LENGTH", &path.len().to_string()).replace("\"IN\"", &format!("{path:?}")),
    );
}

fn environment(bench: &Bench, changed: bool) {
    // `GREETING`, or `SECRET`.
    let letter = if changed { b'S' } else { b'G' };
    wat(bench, &ENVIRONMENT.replace("LETTER", &letter.to_string()));
}

/// Ports that somebody listens on, for as long as this process lives.
fn port(which: usize) -> u16 {
    static LISTENERS: std::sync::LazyLock<Vec<TcpListener>> = std::sync::LazyLock::new(|| {
        (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect()
    });
    LISTENERS[which].local_addr().unwrap().port()
}

fn connection(bench: &Bench, changed: bool) {
    let code = r#"
      (data (i32.const 16) "connected\n")
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (if (i32.eqz (call $connects (call $socket) (call $network) (i32.const PORT)))
          (then (return (i32.const 1))))
        (call $print (i32.const 10))
        (i32.const 0))"#;
    let code = code.replace("PORT", &port(usize::from(changed)).to_string());
    let imports = [PRINTS, NETWORK, SOCKETS];
    bench.component("app", "net", &imports, &[PRINT, CONNECTS, &code].concat());
}

fn look_up(bench: &Bench, changed: bool) {
    let code = r#"
      (data (i32.const 16) "looked up\n")
      (data (i32.const 1024) "NAME")
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (call $resolve (call $network) (i32.const 1024) (i32.const LENGTH) (i32.const 96))
        (if (i32.load8_u (i32.const 96)) (then (return (i32.const 1))))
        (call $print (i32.const 10))
        (i32.const 0))"#;
    let name = if changed { "db.invalid" } else { "www.invalid" };
    let code = code.replace("NAME", name).replace("LENGTH", &name.len().to_string());
    let imports = r#"(import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses"
      (func $resolve (param i32 i32 i32 i32)))"#;
    bench.component("app", "net", &[PRINTS, NETWORK, imports], &[PRINT, &code].concat());
}

/// Prints a value of its configuration, and counts in a store.
fn store(bench: &Bench, changed: bool) {
    let code = r#"
      (data (i32.const 512) "color")
      (data (i32.const 1024) "NAME")
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (call $config (i32.const 512) (i32.const 5) (i32.const 96))
        (i32.store (i32.const 16) (i32.load (i32.load (i32.const 104))))
        (if (i32.ne (call $count) (i32.const 1)) (then (return (i32.const 1))))
        (i32.store8 (i32.const 19) (i32.const 10))
        (call $print (i32.const 4))
        (i32.const 0))"#;
    let name = if changed { "secrets" } else { "default" };
    let code = code.replace("NAME", name);
    let counts = COUNTS.replace("LENGTH", &name.len().to_string());
    let imports = r#"
      (import "wasi:config/store@0.2.0-draft" "get" (func $config (param i32 i32 i32)))"#;
    bench.component("app", "stores", &[PRINTS, STORES, imports], &[PRINT, &counts, &code].concat());
}

/// The part of a composition that counts for others.
fn lib(bench: &Bench, store: &str) {
    let code = r#"
      (data (i32.const 1024) "NAME")
      (func (export "test:programs/counter#count") (result i32) (call $count))
      (func (export "test:programs/counter#dial")
        (param $is i32) (param $socket i32) (param $network i32) (param $port i32) (result i32)
        (if (i32.eqz (local.get $is)) (then (local.set $socket (call $socket))))
        (call $connects (local.get $socket) (local.get $network) (local.get $port)))"#;
    let counts = COUNTS.replace("LENGTH", &store.len().to_string());
    let code = [&counts, CONNECTS, &code.replace("NAME", store)].concat();
    bench.component("lib", "lib", &[STORES, SOCKETS], &code);
}

/// The imports of the part that is run.
const COUNTER: &str = r#"
  (import "test:programs/counter" "count" (func $counted (result i32)))
  (import "test:programs/counter" "dial" (func $dial (param i32 i32 i32 i32) (result i32)))"#;

/// Two components: one that prints what the other one has counted.
fn composition(bench: &Bench, changed: bool) {
    lib(bench, if changed { "secrets" } else { "default" });
    let code = r#"
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (i32.store8 (i32.const 16) (i32.add (call $counted) (i32.const 48)))
        (i32.store8 (i32.const 17) (i32.const 10))
        (call $print (i32.const 2))
        (i32.eq (i32.load8_u (i32.const 16)) (i32.const 48)))"#;
    bench.component("main", "app", &[PRINTS, COUNTER], &[PRINT, code].concat());
    bench.must("compose main.wasm --plug lib.wasm -o app.wasm");
}

#[test]
fn what_is_learned_is_enough_and_not_too_much() {
    let refused = |line: [&str; 5]| line.map(str::to_owned);
    let cases = [
        Case {
            name: "learned-files",
            make: files,
            grants: "--dir in::/in --dir out::/out --dir more::/more".into(),
            args: "",
            prints: "text",
            learns: "--dir in::/in:ro\n--dir out::/out\n".into(),
            refused: refused(["", "path_open", "read", "/secret/key", "denied"]),
        },
        Case {
            name: "learned-environment",
            make: environment,
            grants: "--env GREETING".into(),
            args: " arg",
            prints: "GREETING=hiarg",
            learns: "--env GREETING\n".into(),
            // It is not told that there is any other variable.
            refused: refused(["", "environ_get", "env", "GREETING", "granted"]),
        },
        Case {
            name: "learned-connection",
            make: connection,
            grants: "--allow-net tcp://127.0.0.0/8:*".into(),
            args: "",
            prints: "connected\n",
            learns: format!("--allow-net tcp://127.0.0.1:{}\n", port(0)),
            refused: [
                "",
                "[method]tcp-socket.start-connect",
                "connect",
                &format!("tcp://127.0.0.1:{}", port(1)),
                "denied",
            ]
            .map(str::to_owned),
        },
        Case {
            name: "learned-look-up",
            make: look_up,
            grants: "--allow-resolve *.invalid".into(),
            args: "",
            prints: "looked up\n",
            learns: "--allow-resolve www.invalid\n".into(),
            refused: refused(["", "resolve-addresses", "resolve", "db.invalid", "denied"]),
        },
        Case {
            name: "learned-store",
            make: store,
            grants: "--config color=red --config size=9 --kv default=memory --kv secrets=memory"
                .into(),
            args: "",
            prints: "red\n",
            learns: "--config color=red\n--kv default=memory\n".into(),
            refused: refused(["", "open", "store", "secrets", "denied"]),
        },
        Case {
            name: "learned-composition",
            make: composition,
            grants: "--kv default=memory --kv secrets=memory --env GREETING".into(),
            args: "",
            prints: "1\n",
            learns: "lib: --kv default=memory\nmain: nothing\n".into(),
            refused: refused(["lib", "open", "store", "secrets", "denied"]),
        },
    ];
    for case in cases {
        let bench = Bench::new(case.name);
        for (file, contents) in [("in/a.txt", "text"), ("secret/key", "key"), ("more/c", "c")] {
            let path = bench.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        fs::create_dir(bench.path("out")).unwrap();
        (case.make)(&bench, false);
        let (name, args) = (case.name, case.args);
        let first = bench.must(&format!("run {} --learn p.toml app.wasm{args}", case.grants));
        assert_eq!(first, case.prints, "{name}");
        assert_eq!(bench.must("policy show p.toml"), case.learns, "{name}");

        let again = bench.must(&format!("run --policy p.toml app.wasm{args}"));
        assert_eq!(again, case.prints, "{name}");

        (case.make)(&bench, true);
        let line = format!("run --policy p.toml --audit log app.wasm{args}");
        let stopped = bench.dunlin(&line);
        let said = text(&stopped.stderr);
        assert!(!stopped.status.success(), "{name}: {said}");
        let log = bench.read("log");
        let fields = ["component", "function", "need", "target", "verdict"];
        let lines: Vec<_> = log.lines().map(|line| fields.map(|name| field(line, name))).collect();
        assert!(lines.contains(&case.refused.each_ref().map(String::as_str)), "{name}: {log}");
        let granted: Vec<_> = lines.iter().filter(|line| line[4] != "denied").collect();
        assert!(!granted.iter().any(|line| line[3].contains("SECRET")), "{name}: {granted:?}");
        if case.refused[4] == "denied" {
            assert!(said.contains("help: ") && said.contains(&case.refused[3]), "{name}: {said}");
        }
    }
}
