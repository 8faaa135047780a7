//! The parts of a composition have grants of their own, whatever they are called and whatever they pass on.

mod programs;

use std::fs;
use std::net::TcpListener;

use programs::*;

/// Counts in the store `default`, and dials.
fn lib(bench: &Bench, name: &str) {
    let code = r#"
      (data (i32.const 1024) "default")
      (func (export "test:programs/counter#count") (result i32) (call $count))
      (func (export "test:programs/counter#dial")
        (param $is i32) (param $socket i32) (param $network i32) (param $port i32) (result i32)
        (if (i32.eqz (local.get $is)) (then (local.set $socket (call $socket))))
        (call $connects (local.get $socket) (local.get $network) (local.get $port)))"#;
    let code = [&COUNTS.replace("LENGTH", "7"), CONNECTS, code].concat();
    bench.component(name, "lib", &[STORES, SOCKETS], &code);
}

/// Prints what the other one counted, whether it could connect with the socket it was given, and whether
/// with one of its own.
fn main(bench: &Bench, port: u16) {
    let imports = r#"
      (import "test:programs/counter" "count" (func $counted (result i32)))
      (import "test:programs/counter" "dial" (func $dial (param i32 i32 i32 i32) (result i32)))"#;
    let code = r#"
      (func $show (param $at i32) (param $digit i32)
        (i32.store8 (local.get $at) (i32.add (local.get $digit) (i32.const 48))))
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (call $show (i32.const 16) (call $counted))
        (call $show (i32.const 17)
          (call $dial (i32.const 1) (call $socket) (call $network) (i32.const PORT)))
        (call $show (i32.const 18)
          (call $dial (i32.const 0) (i32.const 0) (call $network) (i32.const PORT)))
        (call $print (i32.const 3))
        (i32.const 0))"#;
    let code = [PRINT, CONNECTS, &code.replace("PORT", &port.to_string())].concat();
    bench.component("main", "app", &[PRINTS, NETWORK, SOCKETS, imports], &code);
}

/// Both, and a port that somebody listens on.
fn parts(name: &str) -> (Bench, TcpListener, u16) {
    let bench = Bench::new(name);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    lib(&bench, "lib");
    main(&bench, port);
    bench.must("compose main.wasm --plug lib.wasm -o app.wasm");
    (bench, listener, port)
}

/// Some fields of the lines of an audit log.
fn told<'a, const N: usize>(log: &'a str, names: [&str; N]) -> Vec<[&'a str; N]> {
    log.lines().map(|line| names.map(|name| field(line, name))).collect()
}

#[test]
fn what_is_passed_on_keeps_its_grants_and_gives_no_others() {
    let (bench, _listener, port) = parts("parts-handles");
    let rule = format!("connect = [\"tcp://127.0.0.1:{port}\"]");
    let policy = format!("version = 1\n[component.main.network]\n{rule}\n[component.lib]\n");
    fs::write(bench.path("p.toml"), &policy).unwrap();
    let run = bench.dunlin("run --policy p.toml --audit log app.wasm");
    assert_eq!(text(&run.stdout), "010", "{}", text(&run.stderr));
    let log = bench.read("log");
    assert_eq!(
        told(&log, ["component", "holder", "operation", "verdict"]),
        [
            ["lib", "", "open-store", "denied"],
            ["lib", "main", "connect", "granted"],
            ["lib", "", "connect", "denied"],
        ],
        "{log}"
    );

    // What is learned is whose grants were used.
    let all = format!("run --kv default=memory --allow-net tcp://127.0.0.1:{port} --learn l.toml");
    assert_eq!(bench.must(&format!("{all} app.wasm")), "111");
    let net = format!("--allow-net tcp://127.0.0.1:{port}");
    let learned = format!("lib: {net}\nlib: --kv default=memory\nmain: {net}\n");
    assert_eq!(bench.must("policy show l.toml"), learned);
    assert_eq!(bench.must("run --policy l.toml app.wasm"), "111");

    // The other way round, a network handed over does not help a socket of somebody else.
    let policy = format!("version = 1\n[component.lib.network]\n{rule}\n");
    fs::write(bench.path("p.toml"), &policy).unwrap();
    assert_eq!(text(&bench.dunlin("run --policy p.toml app.wasm").stdout), "001");
}

#[test]
fn neither_flags_nor_the_rest_of_a_policy_reach_a_component() {
    let (bench, _listener, port) = parts("parts-flags");
    fs::write(
        bench.path("p.toml"),
        "version = 1\n[store]\ndefault = \"memory\"\n[component.main]\n[component.other]\n",
    )
    .unwrap();
    let line = format!(
        "run --policy p.toml --kv default=memory --allow-net tcp://127.0.0.1:{port} app.wasm"
    );
    let run = bench.dunlin(&line);
    assert_eq!(text(&run.stdout), "000");
    assert_eq!(
        text(&run.stderr),
        "note: `p.toml` has grants for `other`: the program has no such component\n\
         note: `p.toml` has no grants for component `lib`: it is granted nothing\n"
    );
    // Without tables everything is everybody's.
    fs::write(bench.path("p.toml"), "version = 1\n[store]\ndefault = \"memory\"\n").unwrap();
    assert_eq!(bench.must(&line), "111");
}

#[test]
fn a_component_that_fails_is_named_with_what_it_lacks() {
    let bench = Bench::new("parts-denied");
    lib(&bench, "lib");
    let imports = r#"
      (import "test:programs/counter" "count" (func $counted (result i32)))"#;
    let code = r#"
      (func (export "wasi:cli/run@0.2.0#run") (result i32) (i32.eqz (call $counted)))"#;
    bench.component("main", "app", &[imports], code);
    bench.must("compose main.wasm --plug lib.wasm -o app.wasm");
    fs::write(bench.path("p.toml"), "version = 1\n[component.lib]\n").unwrap();
    let run = bench.dunlin("run --policy p.toml app.wasm");
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(
        text(&run.stderr),
        "help: in component `lib`, the guest was denied `default`; grant it with `--kv default=memory`\n\
         help: flags grant to the outermost component; what is granted to another one stands in its \
         table of the policy, `[component.\"NAME\"]`\n"
    );
}

#[test]
fn nobody_takes_the_name_of_another() {
    let (bench, _listener, _) = parts("parts-names");
    // The part calls itself `main`, and the composition calls it `counter`, or nothing.
    let printed = bench.must("print lib.wasm");
    let named = printed.replacen("(component", "(component $main", 1);
    assert_ne!(printed, named);
    fs::write(bench.path("named.wat"), named).unwrap();
    bench.must("wat named.wat -o named.wasm");
    for (made, name) in [("let counter = new test:lib { ... };", "counter"), ("", "#1")] {
        let counter = if made.is_empty() { "(new test:lib { ... })" } else { "counter" };
        let wac = format!(
            "package test:composition;\n{made}\nlet main = new test:main {{\n  \
             \"test:programs/counter\": {counter}[\"test:programs/counter\"],\n  ...\n}};\n\
             export main[\"wasi:cli/run@0.2.0\"];\n"
        );
        fs::write(bench.path("app.wac"), wac).unwrap();
        let deps = "--dep test:lib=named.wasm --dep test:main=main.wasm";
        bench.must(&format!("compose {deps} app.wac -o app.wasm"));
        fs::write(
            bench.path("p.toml"),
            "version = 1\n[component.main.store]\ndefault = \"memory\"\n",
        )
        .unwrap();
        fs::remove_file(bench.path("log")).ok();
        let run = bench.dunlin("run --policy p.toml --audit log app.wasm");
        assert_eq!(text(&run.stdout), "000", "{}", text(&run.stderr));
        let log = bench.read("log");
        let first = told(&log, ["component", "operation", "verdict"])[0];
        assert_eq!(first, [name, "open-store", "denied"], "{log}");
    }
}

#[test]
fn names_can_hold_anything() {
    let (bench, _listener, _) = parts("parts-escapes");
    // As a file is called, so is the part.
    let name = "l\u{1b}]0;x\u{7}`\"]\u{202e}\n";
    fs::rename(bench.path("lib.wasm"), bench.path(&format!("{name}.wasm"))).unwrap();
    let file = format!("{name}.wasm");
    let compose = ["compose", "main.wasm", "--plug", &file, "-o", "app.wasm"];
    assert!(bench.command().args(compose).status().unwrap().success());
    assert_eq!(bench.must("run --kv default=memory --learn p.toml app.wasm"), "100");
    assert_eq!(bench.must("run --policy p.toml app.wasm"), "100");
    let shown = bench.must("policy show p.toml") + &bench.must("inspect app.wasm");
    let run = bench.dunlin("run --policy p.toml --audit - app.wasm");
    fs::write(bench.path("other.toml"), "version = 1\n[component.main]\n").unwrap();
    let other = bench.dunlin("run --policy other.toml app.wasm");
    for text in [&shown, text(&run.stderr), text(&other.stderr)] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        assert!(text.contains("]0;x"), "{text:?}");
    }
}

#[test]
fn parts_are_shown_and_compared() {
    let (bench, _listener, _) = parts("parts-shown");
    let shown = bench.must("policy show app.wasm");
    for line in
        ["lib: wasi:keyvalue/store: --kv NAME=memory", "main: wasi:sockets/instance-network: "]
    {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(!shown.contains("\nwasi:keyvalue"), "{shown}");
}
