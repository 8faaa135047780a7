//! Guests with threads: how they start, wait, and end together.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::pipe;
use std::time::{Duration, Instant};

use dunlin_engine::{Config, Engine, Error, Limits, Linker, Module, Store, Trap};
use dunlin_wasi::host::{Input, Output, OutputPipe};
use dunlin_wasi::p1::Exit;
use dunlin_wasi::threads::{self, Thread, ThreadGroup};
use dunlin_wasi::{WasiCtx, WasiCtxBuilder};

/// What every test module begins with.
const HEAD: &str = r#"
    (import "env" "memory" (memory $m 1 4 shared))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
      (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
      (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff"
      (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (export "memory" (memory $m))
    ;; Waits in the host for so many milliseconds, with its records at an address.
    (func $sleep (param $at i32) (param $ms i32) (result i32)
      (i32.store offset=16 (local.get $at) (i32.const 1))
      (i64.store offset=24 (local.get $at)
        (i64.mul (i64.extend_i32_u (local.get $ms)) (i64.const 1_000_000)))
      (call $poll (local.get $at)
        (i32.add (local.get $at) (i32.const 64)) (i32.const 1)
        (i32.add (local.get $at) (i32.const 128))))
    ;; Waits for a number that becomes another.
    (func $await (param $at i32)
      (drop (memory.atomic.wait32 (local.get $at) (i32.const 0) (i64.const -1))))
    (func $signal (param $at i32)
      (i32.atomic.store (local.get $at) (i32.const 1))
      (drop (memory.atomic.notify (local.get $at) (i32.const -1))))
    (func $forever (loop (br 0)))
    (func $spawned (param i32)
      (if (i32.le_s (call $spawn (local.get 0)) (i32.const 0)) (then unreachable)))
"#;

struct Guest {
    world: WasiCtxBuilder,
    limits: Limits,
    fuel: Option<u64>,
    timeout: Option<Duration>,
}

impl Default for Guest {
    fn default() -> Guest {
        Guest { world: WasiCtx::builder(), limits: Limits::default(), fuel: None, timeout: None }
    }
}

impl Guest {
    /// Runs `run` of a module with these fields.
    fn run(self, fields: &str) -> Result<i32, Error> {
        let mut config = Config { limits: self.limits, ..Config::default() };
        config.execution.interruptible = true;
        config.execution.fuel = self.fuel.is_some();
        let engine = Engine::new(&config).unwrap();
        let text = format!("(module {HEAD} {fields})");
        let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let group = ThreadGroup::new(self.world.build().unwrap());
        let mut linker = Linker::<Thread>::new(&engine);
        threads::add_to_linker(&mut linker).unwrap();
        let mut store = Store::new(&engine, group.main());
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel).unwrap();
        }
        if let Some(timeout) = self.timeout {
            store.set_deadline(timeout).unwrap();
        }
        let start = Instant::now();
        let result = group.instantiate(&mut store, linker, &module).and_then(|instance| {
            group.run(&mut store, |store| {
                instance.get_typed_func::<(), i32>(&mut *store, "run")?.call(store, ())
            })
        });
        assert!(start.elapsed() < Duration::from_secs(20), "all end soon");
        assert_eq!(format!("{group:?}"), "ThreadGroup { threads: 0, .. }");
        result
    }
}

fn run(fields: &str) -> Result<i32, Error> {
    Guest::default().run(fields)
}

fn exit_code(result: Result<i32, Error>) -> u32 {
    result.unwrap_err().downcast_ref::<Exit>().unwrap().0
}

#[test]
fn threads_have_numbers_arguments_and_globals_of_their_own() {
    let result = run(r#"
        (global $mine (mut i32) (i32.const 5))
        (func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
          (global.set $mine (i32.add (global.get $mine) (i32.const 1)))
          (i32.store (i32.add (i32.const 200) (i32.mul (local.get $tid) (i32.const 4)))
            (i32.add (local.get $arg) (global.get $mine)))
          (call $signal (i32.mul (local.get $tid) (i32.const 4))))
        (func (export "run") (result i32)
          (call $spawned (i32.const 100))
          (call $spawned (i32.const 1000))
          (call $await (i32.const 4))
          (call $await (i32.const 8))
          (i32.add (global.get $mine)
            (i32.add (i32.load (i32.const 204)) (i32.load (i32.const 208)))))"#);
    assert_eq!(result.unwrap(), 5 + 106 + 1006);
}

#[test]
fn a_trap_of_any_thread_ends_all_and_is_what_comes_out() {
    for waiting in [
        "(call $await (i32.const 0))",
        "(call $forever)",
        "(drop (call $sleep (i32.const 400) (i32.const 100000)))",
    ] {
        let result = run(&format!(
            r#"(func (export "wasi_thread_start") (param i32 i32)
                 (if (local.get 1) (then {waiting}))
                 (drop (call $sleep (i32.const 1000) (i32.const 30)))
                 unreachable)
               (func (export "run") (result i32)
                 (call $spawned (i32.const 1))
                 (call $spawned (i32.const 0))
                 {waiting}
                 (i32.const 1))"#
        ));
        let error = result.unwrap_err();
        assert_eq!(error.trap(), Some(Trap::Unreachable), "{waiting}: {error}");
        assert!(error.backtrace().is_some_and(|trace| !trace.frames.is_empty()));
    }
}

#[test]
fn an_exit_of_any_thread_ends_all() {
    let (reader, _writer) = pipe().unwrap();
    let guest = Guest { world: WasiCtx::builder().stdin(Input::file(reader)), ..Guest::default() };
    let result = guest.run(
        r#"(func (export "wasi_thread_start") (param i32 i32)
             (drop (call $sleep (i32.const 1000) (i32.const 30)))
             (call $exit (i32.const 42)))
           (func (export "run") (result i32)
             (call $spawned (i32.const 0))
             (i32.store (i32.const 16) (i32.const 100))
             (i32.store (i32.const 20) (i32.const 10))
             (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))"#,
    );
    assert_eq!(exit_code(result), 42);
    let result = run(r#"
        (func (export "wasi_thread_start") (param i32 i32) (call $forever))
        (func (export "run") (result i32)
          (call $spawned (i32.const 0))
          (call $exit (i32.const 7))
          unreachable)"#);
    assert_eq!(exit_code(result), 7);
}

#[test]
fn the_end_of_the_main_thread_is_the_end_of_all() {
    for waiting in [
        "(call $await (i32.const 0))",
        "(call $forever)",
        "(drop (call $sleep (i32.const 400) (i32.const 100000)))",
        // Threads that start threads.
        "(loop (drop (call $spawn (i32.const 0))) (br 0))",
    ] {
        let result = run(&format!(
            r#"(func (export "wasi_thread_start") (param i32 i32) {waiting})
               (func (export "run") (result i32)
                 (call $spawned (i32.const 0))
                 (call $sleep (i32.const 1000) (i32.const 30)))"#
        ));
        assert_eq!(result.unwrap(), 0, "{waiting}");
    }
}

#[test]
fn a_start_function_is_part_of_the_main_thread() {
    // What the one started does, and what the start function does then.
    let run = |thread: &str, then: &str| {
        run(&format!(
            r#"(func (export "wasi_thread_start") (param i32 i32) {thread})
               (func $start
                 ;; Only of the first instance.
                 (if (i32.atomic.rmw.add (i32.const 64) (i32.const 1)) (then (return)))
                 (call $spawned (i32.const 0))
                 {then})
               (start $start)
               (func (export "run") (result i32) (i32.const 1))"#
        ))
    };
    for waiting in ["(call $await (i32.const 0))", "(call $forever)"] {
        assert_eq!(exit_code(run("(call $exit (i32.const 7))", waiting)), 7);
        assert_eq!(run("unreachable", waiting).unwrap_err().trap(), Some(Trap::Unreachable));
        assert_eq!(run(waiting, "unreachable").unwrap_err().trap(), Some(Trap::Unreachable));
        assert_eq!(run(waiting, "").unwrap(), 1);
    }
}

#[test]
fn starting_too_many_is_an_error_for_the_guest() {
    const FIELDS: &str = r#"
        (func (export "wasi_thread_start") (param i32 i32) (call $await (i32.const 0)))
        (func (export "run") (result i32)
          (local $started i32)
          (loop
            (if (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0))
              (then
                (local.set $started (i32.add (local.get $started) (i32.const 1)))
                (br 1))))
          (local.get $started))"#;
    assert_eq!(run(FIELDS).unwrap(), 64);
    let limited = |limits| Guest { limits, ..Guest::default() }.run(FIELDS);
    assert_eq!(limited(Limits { threads: 5, ..Limits::default() }).unwrap(), 5);
    assert_eq!(limited(Limits { threads: 0, ..Limits::default() }).unwrap(), 0);
    assert_eq!(limited(Limits { instances: 4, ..Limits::default() }).unwrap(), 3);
    assert_eq!(limited(Limits { memories: 8, ..Limits::default() }).unwrap(), 7);
}

#[test]
fn what_a_thread_had_is_given_back_when_it_ends() {
    let guest = Guest { limits: Limits { threads: 2, ..Limits::default() }, ..Guest::default() };
    let result = guest.run(
        r#"(func (export "wasi_thread_start") (param i32 i32)
             (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))
           (func (export "run") (result i32)
             (loop
               (drop (call $spawn (i32.const 0)))
               (br_if 0 (i32.lt_u (i32.atomic.load (i32.const 0)) (i32.const 100))))
             (i32.const 1))"#,
    );
    assert_eq!(result.unwrap(), 1);
}

#[test]
fn a_module_that_cannot_be_started_again_is_told_so() {
    // No function to start with; a start function that traps the second time.
    let none = r#"(func (export "run") (result i32) (call $spawn (i32.const 0)))"#;
    assert_eq!(run(none).unwrap(), -6);
    let trapping = r#"
        (func $start
          (if (i32.atomic.rmw.add (i32.const 0) (i32.const 1)) (then unreachable)))
        (start $start)
        (func (export "wasi_thread_start") (param i32 i32))
        (func (export "run") (result i32) (call $spawn (i32.const 0)))"#;
    assert_eq!(run(trapping).unwrap(), -6);
}

#[test]
fn a_deadline_stops_all_threads() {
    for waiting in ["(call $await (i32.const 0))", "(call $forever)"] {
        let timeout = Some(Duration::from_millis(50));
        let result = Guest { timeout, ..Guest::default() }.run(&format!(
            r#"(func (export "wasi_thread_start") (param i32 i32) {waiting})
               (func (export "run") (result i32)
                 (call $spawned (i32.const 0)) {waiting} (i32.const 0))"#
        ));
        assert_eq!(result.unwrap_err().trap(), Some(Trap::Interrupted));
    }
}

#[test]
fn fuel_is_spent_by_all_threads_together() {
    let result = Guest { fuel: Some(10_000_000), ..Guest::default() }.run(
        r#"(func (export "wasi_thread_start") (param i32 i32) (call $forever))
           (func (export "run") (result i32)
             (call $spawned (i32.const 0))
             (call $spawned (i32.const 0))
             (call $await (i32.const 0))
             (i32.const 0))"#,
    );
    assert_eq!(result.unwrap_err().trap(), Some(Trap::OutOfFuel));
}

#[test]
fn who_waits_in_the_host_holds_up_nobody() {
    let out = OutputPipe::new(4096);
    let (reader, writer) = pipe().unwrap();
    let world = WasiCtx::builder()
        .stdin(Input::file(reader))
        .stdout(Output::file(writer))
        .stderr(Output::pipe(out.clone()));
    // One sleeps for long, one waits for what the main thread writes to the other end of its pipe.
    let result = Guest { world, ..Guest::default() }.run(
        r#"(data (i32.const 300) "through the pipe")
           (func (export "wasi_thread_start") (param $tid i32) (param $reads i32)
             (i32.store (i32.const 16) (i32.const 350))
             (i32.store (i32.const 20) (i32.const 100))
             (if (local.get $reads)
               (then
                 (if (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24))
                   (then unreachable))
                 (i32.store (i32.const 20) (i32.load (i32.const 24)))
                 (if (call $fd_write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 28))
                   (then unreachable))
                 (call $signal (i32.const 0)))
               (else (drop (call $sleep (i32.const 1000) (i32.const 100000))))))
           (func (export "run") (result i32)
             (call $spawned (i32.const 0))
             (call $spawned (i32.const 1))
             (drop (call $sleep (i32.const 2000) (i32.const 60)))
             (i32.store (i32.const 32) (i32.const 300))
             (i32.store (i32.const 36) (i32.const 16))
             (if (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40))
               (then unreachable))
             (call $await (i32.const 0))
             (i32.load (i32.const 24)))"#,
    );
    assert_eq!(result.unwrap(), 16);
    assert_eq!(out.contents(), b"through the pipe");
}

#[test]
fn a_sleep_takes_its_time() {
    let start = Instant::now();
    let result =
        run(r#"(func (export "run") (result i32) (call $sleep (i32.const 1000) (i32.const 120)))"#);
    assert_eq!(result.unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_engine_that_cannot_stop_guests_runs_no_threads() {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str("(module)").unwrap()).unwrap();
    let group = ThreadGroup::new(WasiCtx::builder().build().unwrap());
    let mut store = Store::new(&engine, group.main());
    let linker = Linker::new(&engine);
    assert!(group.instantiate(&mut store, linker, &module).is_err());
}
