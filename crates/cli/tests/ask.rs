//! What no grant covers is asked for at a terminal, and nowhere else.

mod programs;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use programs::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A program at a terminal of its own; its standard output is a pipe.
struct Session {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not looked at yet.
    shown: String,
}

impl Session {
    fn start(bench: &Bench, typed_before: &str, line: &str) -> Session {
        let mut keyboard = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let path = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let terminal = || File::options().read(true).write(true).open(&path).unwrap();
        let mut command = bench.command();
        command.args(line.split(' ')).env("NO_COLOR", "1");
        command.stdin(terminal()).stderr(terminal()).stdout(Stdio::piped());
        keyboard.write_all(typed_before.as_bytes()).unwrap();
        let child = command.spawn().unwrap();
        // The only other ends of the terminal, so that the program's end is the screen's.
        drop(command);
        let (sender, screen) = mpsc::channel();
        let mut reader = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Session { child, keyboard, screen, shown: String::new() }
    }

    /// Waits until a text is shown; gives everything up to it.
    fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + LONG;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("`{text}` is not shown ({error}): {}", self.shown),
            }
        }
    }

    /// Answers a question; gives what was shown until then.
    fn answer(&mut self, question: &str, answer: &str) -> String {
        let shown = self.wait_for(question) + &self.wait_for("[never]") + &self.wait_for(" ");
        self.keyboard.write_all(answer.as_bytes()).unwrap();
        shown
    }

    /// How it ends, what it prints, and what else is shown.
    fn end(mut self) -> (ExitStatus, String, String) {
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        let status = self.child.wait().unwrap();
        loop {
            match self.screen.recv_timeout(LONG) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the terminal does not end"),
            }
        }
        (status, printed, self.shown)
    }
}

/// A program that connects twice to a port that somebody listens on, and prints how that went.
fn dials(name: &str) -> (Bench, TcpListener, String) {
    dials_then(name, "")
}

fn dials_then(name: &str, then: &str) -> (Bench, TcpListener, String) {
    let bench = Bench::new(name);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let code = r#"
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (i32.store8 (i32.const 16) (i32.add (i32.const 48)
          (call $connects (call $socket) (call $network) (i32.const PORT))))
        (i32.store8 (i32.const 17) (i32.add (i32.const 48)
          (call $connects (call $socket) (call $network) (i32.const PORT))))
        THEN
        (call $print (i32.const 2))
        (i32.const 0))"#;
    let code = code.replace("PORT", &port.to_string()).replace("THEN", then);
    bench.component("app", "net", &[PRINTS, NETWORK, SOCKETS], &[PRINT, CONNECTS, &code].concat());
    let target = format!("tcp://127.0.0.1:{port}");
    (bench, listener, target)
}

#[test]
fn once_is_for_once_and_never_for_ever() {
    let (bench, _listener, target) = dials("ask-once");
    let mut session = Session::start(&bench, "", "run --audit log app.wasm");
    let asked = session.answer(&format!("asks to connect to `{target}`"), "once\n");
    let whole = format!(
        "\u{1b}[0m\r\ndunlin: the program asks to connect to `{target}`\r\n        \
         (`[method]tcp-socket.start-connect`, which takes `--allow-net {target}`)\r\n        \
         once, always (for this run) or never? [never] "
    );
    assert_eq!(asked, whole);
    session.answer("asks to connect to", "never\n");
    let (status, printed, _) = session.end();
    assert!(status.success());
    assert_eq!(printed, "10");
    let log = bench.read("log");
    let verdicts: Vec<&str> = log.lines().map(|line| field(line, "verdict")).collect();
    assert_eq!(verdicts, ["allowed", "denied"], "{log}");

    for no in ["never\n", "\n", "\u{4}", "what?\nyes\nanything\n"] {
        let mut session = Session::start(&bench, "", "run app.wasm");
        session.answer("asks to connect to", &no[..=no.find('\n').unwrap_or(0)]);
        for line in no.lines().skip(1) {
            session.answer("expected `once`, `always` or `never`", &format!("{line}\n"));
        }
        let (_, printed, shown) = session.end();
        assert_eq!(printed, "00", "{no:?}");
        assert!(!shown.contains("asks to connect to"), "{no:?}: {shown}");
    }
}

#[test]
fn always_is_for_the_next_run_too() {
    let (bench, _listener, target) = dials("ask-always");
    fs::write(bench.path("p.toml"), "# Mine.\n\nversion = 1\nenv = [\"A=b\"]\n").unwrap();
    let mut session = Session::start(&bench, "", "run --policy p.toml --learn l.toml app.wasm");
    session.answer("once, always (added to `p.toml`) or never?", "always\n");
    assert_eq!(session.end().1, "11");
    assert!(
        bench.read("p.toml").starts_with("# Mine.\n\nversion = 1\n"),
        "{}",
        bench.read("p.toml")
    );
    assert_eq!(bench.must("policy show p.toml"), format!("--allow-net {target}\n--env A=b\n"));
    assert_eq!(bench.must("policy show l.toml"), format!("--allow-net {target}\n"));
    assert_eq!(bench.must("run --policy p.toml app.wasm"), "11");
    assert_eq!(bench.must("run --policy l.toml app.wasm"), "11");

    // What was let pass once is not learned.
    let mut session = Session::start(&bench, "", "run --learn l.toml app.wasm");
    session.answer("once, always (added to `l.toml`) or never?", "once\n");
    session.answer("asks to connect to", "o\n");
    let (_, printed, shown) = session.end();
    assert_eq!(printed, "11");
    assert!(shown.contains("was allowed once, so it is not in it"), "{shown}");
    assert_eq!(bench.must("policy show l.toml"), "nothing\n");
}

#[test]
fn nobody_is_asked_who_does_not_want_it_or_is_not_there() {
    let (bench, _listener, _) = dials("ask-nobody");
    for line in ["run --ask never app.wasm", "run --deterministic app.wasm"] {
        let (_, printed, shown) = Session::start(&bench, "", line).end();
        assert_eq!((&*printed, &*shown), ("00", ""), "{line}");
    }
    let mut command = bench.command();
    command.args(["run", "app.wasm"]).stdin(Stdio::null());
    assert_eq!(text(&command.output().unwrap().stdout), "00");
}

#[test]
fn what_was_typed_before_is_no_answer() {
    let (bench, _listener, _) = dials("ask-ahead");
    let mut session = Session::start(&bench, "always\nalways\n", "run app.wasm");
    session.answer("asks to connect to", "n\n");
    assert_eq!(session.end().1, "00");
}

#[test]
fn a_question_ends_with_the_time_and_with_an_interrupt() {
    let (bench, _listener, _) = dials_then("ask-ends", "(loop $on (br $on))");
    let mut session = Session::start(&bench, "", "run --timeout 300ms app.wasm");
    session.wait_for("asks to connect to");
    let (status, printed, _) = session.end();
    assert_eq!((status.code(), &*printed), (Some(124), ""));

    let mut session = Session::start(&bench, "", "run app.wasm");
    session.wait_for("asks to connect to");
    let kill = Command::new("kill").arg("-INT").arg(session.child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(session.end().0.code(), Some(130));
}

#[test]
fn a_program_cannot_write_the_question() {
    let bench = Bench::new("ask-spoof");
    // Hides what comes after it, and asks for a store whose name says something else.
    let name = "x\u{1b}[2K\r\n`\u{202e}allow?";
    for (name, asked) in [(name.to_owned(), true), ("y".repeat(400), false)] {
        let escaped: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let code = r#"
          (data (i32.const 16) "\1b[8mhidden")
          (data (i32.const 1024) "NAME")
          (func (export "wasi:cli/run@0.2.0#run") (result i32)
            (call $print (i32.const 10))
            (i32.eqz (call $count)))"#;
        let counts = COUNTS.replace("LENGTH", &name.len().to_string());
        let code = [PRINT, &counts, &code.replace("NAME", &escaped)].concat();
        bench.component("app", "stores", &[PRINTS, STORES], &code);
        let mut session = Session::start(&bench, "", "run app.wasm");
        if asked {
            let shown = session.answer("asks to have", "always\n");
            assert!(
                shown.starts_with("\u{1b}[0m\r\ndunlin: the program asks to have"),
                "{shown:?}"
            );
            let plain = "the store `x\\u{1b}[2K\\u{d}\\u{a}\\u{60}\\u{202e}allow?`\r\n";
            assert!(shown.contains(plain), "{shown:?}");
            assert_eq!(shown.matches('\u{1b}').count(), 1, "{shown:?}");
        }
        let (status, _, shown) = session.end();
        assert_eq!(status.success(), asked, "{shown}");
        assert!(!shown.contains("once, always"), "{shown}");
    }
}

/// A composition in which one component asks the other one to connect: with a socket of its own, then
/// with one
/// that was passed on.
#[test]
fn a_question_says_who_asks_and_the_answer_is_theirs() {
    let bench = Bench::new("ask-parts");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = format!("tcp://127.0.0.1:{port}");
    let lib = r#"
      (func (export "test:programs/counter#count") (result i32) (i32.const 0))
      (func (export "test:programs/counter#dial")
        (param $is i32) (param $socket i32) (param $network i32) (param $port i32) (result i32)
        (if (i32.eqz (local.get $is)) (then (local.set $socket (call $socket))))
        (call $connects (local.get $socket) (local.get $network) (local.get $port)))"#;
    bench.component("lib", "lib", &[SOCKETS], &[CONNECTS, lib].concat());
    let imports = r#"
      (import "test:programs/counter" "dial" (func $dial (param i32 i32 i32 i32) (result i32)))"#;
    let main = r#"
      (func (export "wasi:cli/run@0.2.0#run") (result i32)
        (i32.store8 (i32.const 16) (i32.add (i32.const 48)
          (call $dial (i32.const 0) (i32.const 0) (call $network) (i32.const PORT))))
        (i32.store8 (i32.const 17) (i32.add (i32.const 48)
          (call $dial (i32.const 1) (call $socket) (call $network) (i32.const PORT))))
        (call $print (i32.const 2))
        (i32.const 0))"#;
    let main = [PRINT, CONNECTS, &main.replace("PORT", &port.to_string())].concat();
    bench.component("main", "app", &[PRINTS, NETWORK, SOCKETS, imports], &main);
    bench.must("compose main.wasm --plug lib.wasm -o app.wasm");
    fs::write(bench.path("p.toml"), "version = 1\n[component.lib]\n[component.main]\n").unwrap();

    let mut session = Session::start(&bench, "", "run --policy p.toml app.wasm");
    session
        .answer(&format!("dunlin: component `lib` asks to connect to `{target}`\r\n"), "always\n");
    // It is not enough for what is another component's.
    let passed = format!(
        "dunlin: component `lib` asks to connect to `{target}`, by something of component `main`'s\r\n"
    );
    session.wait_for(&passed);
    // Until the program is gone the policy is the very file that is kept from it.
    assert_eq!(bench.read("p.toml"), "version = 1\n[component.lib]\n[component.main]\n");
    session.answer("(added to `p.toml`)", "never\n");
    assert_eq!(session.end().1, "10");
    let learned = format!("lib: --allow-net {target}\nmain: nothing\n");
    assert_eq!(bench.must("policy show p.toml"), learned);
    assert_eq!(bench.must("run --policy p.toml app.wasm"), "10");
}

/// Opens a file for writing, twice, and writes to it; exits with the last error code.
const WRITES: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\03\00\00\00")
  (data (i32.const 16) "a.txt")
  (data (i32.const 32) "new")
  (func $change (result i32)
    (local $errno i32)
    (local.set $errno (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 5)
      (i32.const 8) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 64)))
    (if (local.get $errno) (then (return (local.get $errno))))
    (call $write (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "_start")
    (drop (call $change))
    (call $exit (call $change))))"#;

#[test]
fn a_directory_for_reading_may_be_changed_if_somebody_says_so() {
    let bench = Bench::new("ask-files");
    fs::create_dir(bench.path("in")).unwrap();
    fs::write(bench.path("app.wat"), WRITES).unwrap();
    let question =
        "asks to change `/in/a.txt`\r\n        (`path_open`, which takes `--dir in::/in`)";
    let contents = |new: &str| {
        let old = fs::read_to_string(bench.path("in/a.txt")).unwrap_or_default();
        fs::write(bench.path("in/a.txt"), new).unwrap();
        old
    };
    contents("old");
    let mut session = Session::start(&bench, "", "run --dir in::/in:ro --audit log app.wat");
    session.answer(question, "once\n");
    session.answer(question, "never\n");
    // `rofs`.
    assert_eq!(session.end().0.code(), Some(69));
    assert_eq!(contents("old"), "new");
    let log = bench.read("log");
    let opened = log.lines().filter(|line| field(line, "operation") == "open");
    let told: Vec<_> = opened.map(|line| (field(line, "verdict"), field(line, "rule"))).collect();
    assert_eq!(told, [("allowed", "allowed when asked"), ("denied", "--dir in::/in:ro")]);

    let policy = "version = 1\n\n[[dir]]\nhost = \"in\"\nguest = \"/in\"\naccess = \"ro\"\n";
    fs::write(bench.path("p.toml"), policy).unwrap();
    let mut session = Session::start(&bench, "", "run --policy p.toml --learn l.toml app.wat");
    session.answer(question, "always\n");
    assert_eq!(session.end().0.code(), Some(0));
    assert_eq!(contents("old"), "new");
    for learned in ["p.toml", "l.toml"] {
        assert_eq!(bench.must(&format!("policy show {learned}")), "--dir in::/in\n");
        bench.must(&format!("run --policy {learned} app.wat"));
        assert_eq!(contents("old"), "new");
    }

    // Whoever is refused because the time is over has no time to go on.
    let spins =
        WRITES.replace("(drop (call $change))", "(drop (call $change)) (loop $on (br $on))");
    fs::write(bench.path("app.wat"), spins).unwrap();
    let mut session = Session::start(&bench, "", "run --dir in::/in:ro --timeout 300ms app.wat");
    session.wait_for(question);
    assert_eq!(session.end().0.code(), Some(124));
}
