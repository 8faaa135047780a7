//! Nothing that a component has the host do goes on after the deadline, or takes more stack than there is.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use dunlin_engine::Trap;

use super::{alone, assert_stopped, assert_trapped, engines, number, run};

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
    // Address and length of what each is full of: ASCII with a character of 16 bits at its end, ideographs,
    // and Latin-1.
    let text = |fill: u32, bytes: u32, len: u32, last: &str| {
        format!(
            "(memory.fill (i32.const 8) (i32.const {fill}) (i32.const {bytes})) {last}
            (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const {len}))"
        )
    };
    const BYTES: u32 = 134_217_500;
    let last = [
        text(0x61, BYTES, BYTES, "(i32.store16 (i32.const 134217506) (i32.const 0xb0d0))"),
        text(0x41, BYTES, BYTES / 2, ""),
        text(0xe9, BYTES, BYTES, ""),
    ];
    for (from, setup) in encodings.iter().zip(last) {
        for to in encodings {
            if from != &to {
                stops_at_its_deadline(&copies("string", (from, to), &setup, "(i32.const 0)"));
            }
        }
    }
}

/// What a component has the host call for it may never end, wherever that is.
#[test]
fn what_the_host_calls_is_stopped() {
    let endless = "(loop $again (br $again))";
    let cases = [
        ("realloc", endless, "", ""),
        ("post-return", "", endless, ""),
        ("destructor", "", "", endless),
    ];
    for (what, realloc, after, dtor) in cases {
        let text = format!(
            r#"
(component
  (component $Defines
    (core module $m (func (export "drop") (param i32) {dtor}))
    (core instance $i (instantiate $m))
    (type $r (resource (rep i32) (dtor (core func $i "drop"))))
    (export $R "r" (type $r))
    (core func $new (canon resource.new $r))
    (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $new))))
  (instance $d (instantiate $Defines))
  (component $Gives
    (core module $m (memory (export "memory") 1)
      (func (export "give") (result i32) (i32.const 0))
      (func (export "after") (param i32) {after}))
    (core instance $i (instantiate $m))
    (func (export "give") (result string) (canon lift (core func $i "give")
      (memory (core memory $i "memory")) (post-return (core func $i "after")))))
  (instance $g (instantiate $Gives))
  (component $Takes
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "rep" u32) (result (own $r))))
    (import "give" (func $give (result string)))
    (core module $memory (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc} (i32.const 16)))
    (core instance $memory (instantiate $memory))
    (core func $drop (canon resource.drop $r))
    (core func $make (canon lower (func $make)))
    (core func $give (canon lower (func $give) (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
    (core module $m (import "" "give" (func $give (param i32)))
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "take")
        (call $give (i32.const 0)) (call $drop (call $make (i32.const 1)))))
    (core instance $i (instantiate $m (with "" (instance (export "give" (func $give))
      (export "make" (func $make)) (export "drop" (func $drop))))))
    (func (export "take") (canon lift (core func $i "take"))))
  (instance $t (instantiate $Takes (with "r" (type $d "r")) (with "make" (func $d "make"))
    (with "give" (func $g "give"))))
  (export "take" (func $t "take")))"#
        );
        for engine in engines() {
            let (mut store, instance) = alone(&engine, &text);
            store.set_deadline(Duration::from_millis(20)).unwrap();
            let begun = Instant::now();
            assert_stopped(run(&mut store, &instance, "take", ()), Trap::Interrupted);
            assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
            store.clear_deadline();
            assert_trapped(run(&mut store, &instance, "take", ()), "cannot enter");
            let (mut store, instance) = alone(&engine, &text);
            store.set_fuel(100_000).unwrap();
            assert_stopped(run(&mut store, &instance, "take", ()), Trap::OutOfFuel);
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
    (core module $m (import "" "get" (func (result i32)))
      (func (export "f") (param i32 i32) (result i32) (local.get 1)))
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

/// A destructor that drops the next of a long list: each is a call inside of a call.
#[test]
fn destructors_of_destructors_do_not_exhaust_the_native_stack() {
    let text = r#"
(component
  (core module $table (table (export "table") 1 funcref)
    (type $dtor (func (param i32)))
    (func (export "drop") (param i32) (call_indirect (type $dtor) (local.get 0) (i32.const 0))))
  (core instance $table (instantiate $table))
  (type $r (resource (rep i32) (dtor (core func $table "drop"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "table" "table" (table 1 funcref))
    (func $dtor (param i32) (if (local.get 0) (then (call $drop (local.get 0)))))
    (elem (table 0) (i32.const 0) func $dtor)
    (func (export "run") (param i32) (local $last i32)
      (loop $next
        (local.set $last (call $new (local.get $last)))
        (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (call $drop (local.get $last))))
  (core instance $i (instantiate $m (with "table" (instance $table)) (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "run") (param "length" u32) (canon lift (core func $i "run"))))"#;
    for engine in engines() {
        let (mut store, instance) = alone(&engine, text);
        run(&mut store, &instance, "run", (50u32,)).unwrap();
        let long = run(&mut store, &instance, "run", (1_000_000u32,));
        assert_stopped(long, Trap::StackOverflow);
    }
}
