//! Nothing that a component has the host do goes on after the deadline, or takes more stack than there is.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dunlin_engine::Trap;

use super::{alone, assert_stopped, engines, number, run};

/// How much time a call that has to stop soon may take of its processor. The contract is a tenth of a second;
/// this is an unoptimized build.
const LATE: Duration = Duration::from_millis(400);

/// Time that this thread has had of its processor, whatever else the machine does.
fn cpu_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = stat.ok().and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Copies a value of this type from one component to another; `setup` fills the memory it is in.
fn copies(ty: &str, options: (&str, &str), setup: &str, result: &str) -> String {
    let (from, to) = options;
    format!(
        r#"
(component
  (component $Gives
    (core module $m (memory (export "memory") 4097)
      (func (export "setup") {setup})
      (func (export "give") (result i32) {result}))
    (core instance $i (instantiate $m))
    (func (export "setup") (canon lift (core func $i "setup")))
    (func (export "give") (result {ty})
      (canon lift (core func $i "give") {from} (memory (core memory $i "memory")))))
  (instance $g (instantiate $Gives))
  (component $Takes
    (import "give" (func $give (result {ty})))
    (core module $memory (memory (export "memory") 10000)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
    (core instance $memory (instantiate $memory))
    (core func $give (canon lower (func $give) {to} (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
    (core module $m (import "" "give" (func $give (param i32)))
      (func (export "take") (call $give (i32.const 0))))
    (core instance $i (instantiate $m (with "" (instance (export "give" (func $give))))))
    (func (export "take") (canon lift (core func $i "take"))))
  (instance $t (instantiate $Takes (with "give" (func $g "give"))))
  (export "setup" (func $g "setup"))
  (export "take" (func $t "take")))"#
    )
}

#[track_caller]
fn stops_at_its_deadline(text: &str) {
    for engine in engines() {
        let (mut store, instance) = alone(&engine, text);
        run(&mut store, &instance, "setup", ()).unwrap();
        store.set_deadline(Duration::from_millis(20)).unwrap();
        let begun = cpu_time();
        assert_stopped(run(&mut store, &instance, "take", ()), Trap::Interrupted);
        let time = cpu_time() - begun;
        assert!(time < LATE, "it took {time:?}");
    }
}

#[test]
fn a_list_of_fixed_length_stops_at_its_deadline() {
    stops_at_its_deadline(&copies("(list bool 268435455)", ("", ""), "", "(i32.const 0)"));
}

#[test]
fn a_list_of_lists_of_fixed_length_stops_at_its_deadline() {
    stops_at_its_deadline(&copies("(list (list bool 33554431) 8)", ("", ""), "", "(i32.const 0)"));
}

#[test]
fn strings_stop_at_their_deadline() {
    let encodings =
        ["string-encoding=utf8", "string-encoding=utf16", "string-encoding=latin1+utf16"];
    // The last character of each fits into 16 bits and not into 8.
    let last = [
        // 0xd0 0xb0, in UTF-8, and what is before it is ASCII or Latin-1.
        "(memory.fill (i32.const 8) (i32.const 0x61) (i32.const 134217500)) (i32.store16 (i32.const 134217506) (i32.const 0xb0d0)) (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 134217500))",
        "(memory.fill (i32.const 8) (i32.const 0x41) (i32.const 134217500)) (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 67108750))",
        "(memory.fill (i32.const 8) (i32.const 0xe9) (i32.const 134217500)) (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 134217500))",
    ];
    for (from, setup) in encodings.iter().zip(last) {
        for to in encodings {
            if from != &to {
                stops_at_its_deadline(&copies("string", (from, to), setup, "(i32.const 0)"));
            }
        }
    }
}

/// A chain of components of which each calls the next, through the host as tasks keep something.
#[test]
fn calls_of_calls_do_not_exhaust_the_native_stack() {
    for (links, fits) in [(60, true), (2000, false)] {
        let mut text = String::from(
            r#"
(component
  (component $Last
    (core func $get (canon context.get i32 0))
    (core module $m (import "" "get" (func (result i32))) (func (export "f") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
    (func (export "f") (param "x" (option u32)) (result u32) (canon lift (core func $i "f"))))
  (component $Link
    (import "f" (func $f (param "x" (option u32)) (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $m (import "" "f" (func $f (param i32 i32) (result i32)))
      (func (export "f") (param i32 i32) (result i32)
        (i32.add (i32.const 1) (call $f (local.get 0) (local.get 1)))))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
    (func (export "f") (param "x" (option u32)) (result u32) (canon lift (core func $i "f"))))
  (instance $i0 (instantiate $Last))"#,
        );
        for link in 1..=links {
            let before = link - 1;
            writeln!(
                text,
                r#"(instance $i{link} (instantiate $Link (with "f" (func $i{before} "f"))))"#
            )
            .unwrap();
        }
        write!(text, r#"(export "f" (func $i{links} "f")))"#).unwrap();
        let text = &text;
        std::thread::scope(|scope| {
            // Debug builds take more of it than the 256 KiB of the contract.
            let thread = std::thread::Builder::new().stack_size(1 << 20);
            let thread = thread.spawn_scoped(scope, move || {
                for engine in engines() {
                    let (mut store, instance) = alone(&engine, text);
                    let result = number(&mut store, &instance, "f", (Some(1u32),));
                    if fits {
                        assert_eq!(result.unwrap(), links + 1);
                    } else {
                        assert_stopped(result, Trap::StackOverflow);
                    }
                }
            });
            thread.unwrap().join().unwrap();
        });
    }
}
