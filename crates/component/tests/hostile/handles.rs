//! Handles: borrowed ones end with their call whatever becomes of it, and millions of them are paid for.

use std::time::Instant;

use dunlin_component::{Instance, Linker, Resource, ResourceAny};
use dunlin_engine::{Engine, ErrorKind, Store};

use super::{assert_limited, assert_trapped, component, engines, number, run, small_store, store};

struct One;
struct Other;

/// Takes two resources of the host's, and drops handles by number.
const TAKES: &str = r#"
(component
  (import "one" (type $one (sub resource)))
  (import "other" (type $other (sub resource)))
  (core func $drop (canon resource.drop $one))
  (core module $m (import "" "drop" (func $drop (param i32)))
    (func (export "take") (param i32 i32))
    (func (export "lose") (param i32 i32) (call $drop (local.get 1)))
    (func (export "drop") (param i32) (call $drop (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
  (func (export "take") (param "a" (borrow $one)) (param "b" (own $other))
    (canon lift (core func $i "take")))
  (func (export "lose") (param "a" (borrow $one)) (param "index" u32)
    (canon lift (core func $i "lose")))
  (func (export "drop") (param "index" u32) (canon lift (core func $i "drop"))))"#;

fn takes(engine: &Engine) -> (Store<()>, Instance) {
    let mut linker = Linker::<()>::new(engine);
    linker.root().resource::<One>("one", |_, _| Ok(())).unwrap();
    linker.root().resource::<Other>("other", |_, _| Ok(())).unwrap();
    let mut store = store(engine, ());
    let instance = linker.instantiate(&mut store, &component(engine, TAKES)).unwrap();
    (store, instance)
}

/// The host lends a resource, and is wrong about the next parameter: nothing of it stays.
#[test]
fn a_call_that_did_not_begin_lends_nothing() {
    for engine in engines() {
        for after in ["drop", "lose"] {
            let (mut store, instance) = takes(&engine);
            let one = ResourceAny::from_host(&mut store, Resource::<One>::new_own(7)).unwrap();
            let take = instance.get_typed_func::<(ResourceAny, ResourceAny), ()>("take").unwrap();
            let error = take.call(&mut store, (one, one)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Misuse, "{error}");
            if after == "drop" {
                // The index is free.
                assert_trapped(run(&mut store, &instance, "drop", (1u32,)), "unknown handle");
            } else {
                // The only handle is that of this call.
                run(&mut store, &instance, "lose", (one, 1u32)).unwrap();
            }
        }
    }
}

/// Defines a resource; takes lists of it, which cost the callee nothing.
const LENDS: &str = r#"
(component
  (component $Defines
    (core module $m (memory (export "memory") 128)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
      (func (export "take") (param i32 i32)))
    (core instance $i (instantiate $m))
    (type $r (resource (rep i32)))
    (export $R "r" (type $r))
    (core func $new (canon resource.new $r))
    (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $new)))
    (func (export "take") (param "all" (list (list (borrow $R))))
      (canon lift (core func $i "take") (memory (core memory $i "memory"))
        (realloc (core func $i "realloc")))))
  (instance $d (instantiate $Defines))
  (component $Lends
    (import "d" (instance $d
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "take" (func (param "all" (list (list (borrow $r))))))))
    (core module $memory (memory (export "memory") 128))
    (core instance $memory (instantiate $memory))
    (core func $make (canon lower (func $d "make")))
    (core func $take (canon lower (func $d "take") (memory (core memory $memory "memory"))))
    (core module $m (import "" "memory" (memory 128))
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "take" (func $take (param i32 i32)))
      ;; So many lists, each of the same so many handles, of which each is the same.
      (func (export "lend") (param $lists i32) (param $handles i32) (local $at i32) (local $handle i32)
        (local.set $handle (call $make (i32.const 7)))
        (local.set $at (i32.mul (local.get $handles) (i32.const 4)))
        (loop $fill
          (local.set $at (i32.sub (local.get $at) (i32.const 4)))
          (i32.store (local.get $at) (local.get $handle))
          (br_if $fill (local.get $at)))
        (local.set $at (i32.mul (local.get $lists) (i32.const 8)))
        (loop $fill
          (local.set $at (i32.sub (local.get $at) (i32.const 8)))
          (i32.store offset=4194304 (local.get $at) (i32.const 0))
          (i32.store offset=4194308 (local.get $at) (local.get $handles))
          (br_if $fill (local.get $at)))
        (call $take (i32.const 4194304) (local.get $lists))))
    (core instance $i (instantiate $m (with "" (instance (export "memory" (memory $memory "memory"))
      (export "make" (func $make)) (export "take" (func $take))))))
    (func (export "lend") (param "lists" u32) (param "handles" u32)
      (canon lift (core func $i "lend"))))
  (instance $l (instantiate $Lends (with "d" (instance $d))))
  (export "lend" (func $l "lend")))"#;

/// A small list names a large one as often as it likes: what the host has to remember is charged.
#[test]
fn what_is_lent_is_charged() {
    for engine in engines() {
        let mut store = small_store(&engine, 4 << 20);
        let linker = Linker::new(&engine);
        let instance = linker.instantiate(&mut store, &component(&engine, LENDS)).unwrap();
        // Given back at the end of each call.
        for _ in 0..8 {
            run(&mut store, &instance, "lend", (2u32, 50_000u32)).unwrap();
        }
        let too_much = run(&mut store, &instance, "lend", (16u32, 1_000_000u32));
        assert_limited(too_much);
        let instance = linker.instantiate(&mut store, &component(&engine, LENDS)).unwrap();
        run(&mut store, &instance, "lend", (2u32, 50_000u32)).unwrap();
    }
}

/// Makes resources of its own, and drops them.
const MAKES: &str = r#"
(component
  (core module $gone (global $gone (export "gone") (mut i32) (i32.const 0))
    (func (export "drop") (param i32) (global.set $gone (i32.add (global.get $gone) (i32.const 1)))))
  (core instance $gone (instantiate $gone))
  (type $r (resource (rep i32) (dtor (core func $gone "drop"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "gone" "gone" (global $gone (mut i32)))
    (func (export "make") (param i32) (result i32) (local $last i32)
      (loop $next
        (local.set $last (call $new (local.get 0)))
        (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get $last))
    ;; Every other one first, so that indices are free all over.
    (func (export "drop") (param $from i32) (param $to i32) (param $step i32)
      (loop $next
        (call $drop (local.get $from))
        (local.set $from (i32.add (local.get $from) (local.get $step)))
        (br_if $next (i32.le_u (local.get $from) (local.get $to)))))
    (func (export "gone") (result i32) (global.get $gone)))
  (core instance $i (instantiate $m (with "gone" (instance $gone)) (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "make") (param "count" u32) (result u32) (canon lift (core func $i "make")))
  (func (export "drop") (param "from" u32) (param "to" u32) (param "step" u32)
    (canon lift (core func $i "drop")))
  (func (export "gone") (result u32) (canon lift (core func $i "gone"))))"#;

/// Ten million resources are a matter of budget, take time in proportion, and are all dropped.
#[test]
fn ten_million_resources() {
    const COUNT: u32 = 10_000_000;
    for engine in engines() {
        let (mut store, instance) = super::alone(&engine, MAKES);
        let mut time = |count: u32| {
            let begun = Instant::now();
            let gone = number(&mut store, &instance, "gone", ()).unwrap();
            assert_eq!(number(&mut store, &instance, "make", (count,)).unwrap() % 2, 0);
            run(&mut store, &instance, "drop", (1u32, count, 2u32)).unwrap();
            run(&mut store, &instance, "drop", (2u32, count, 2u32)).unwrap();
            assert_eq!(number(&mut store, &instance, "gone", ()).unwrap() - gone, count);
            begun.elapsed()
        };
        time(1000);
        let (some, all) = (time(COUNT / 10), time(COUNT));
        assert!(all < some * 40 + std::time::Duration::from_secs(1), "{some:?}, then {all:?}");

        let mut store = small_store(&engine, 64 << 20);
        let linker = Linker::new(&engine);
        let instance = linker.instantiate(&mut store, &component(&engine, MAKES)).unwrap();
        assert_limited(number(&mut store, &instance, "make", (COUNT,)));
    }
}
