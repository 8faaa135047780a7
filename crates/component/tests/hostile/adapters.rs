//! Adapters between components: nothing but a return comes out of one, and making them takes no longer than
//! what they are made for.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{alone, assert_trapped, engines, number, run};

/// A destructor's exception is not for whoever drops, as no other is.
#[test]
fn exceptions_of_destructors_reach_nobody() {
    let text = r#"
(component
  (component $Defines
    (core module $m (tag $t) (func (export "drop") (param i32) (throw $t)))
    (core instance $i (instantiate $m))
    (type $r (resource (rep i32) (dtor (core func $i "drop"))))
    (export $R "r" (type $r))
    (core func $new (canon resource.new $r))
    (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $new))))
  (instance $d (instantiate $Defines))
  (component $Drops
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "rep" u32) (result (own $r))))
    (core func $make (canon lower (func $make)))
    (core func $drop (canon resource.drop $r))
    (core module $m
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "run")
        (block $caught
          (try_table (catch_all $caught) (call $drop (call $make (i32.const 1)))))))
    (core instance $i (instantiate $m (with "" (instance (export "make" (func $make))
      (export "drop" (func $drop))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $o (instantiate $Drops (with "r" (type $d "r")) (with "make" (func $d "make"))))
  (export "run" (func $o "run")))"#;
    for engine in engines() {
        let (mut store, instance) = alone(&engine, text);
        assert_trapped(run(&mut store, &instance, "run", ()), "not caught in its component");
        assert_trapped(run(&mut store, &instance, "run", ()), "cannot enter");
    }
}

/// A `realloc` that is called for a result suspends the call that the result is of: it would never end, and
/// nobody else could enter its callee.
#[test]
fn calls_are_not_suspended_from_within() {
    let text = r#"
(component
  (import "never" (func $never))
  (component $Gives
    (import "never" (func $never))
    (core func $never (canon lower (func $never)))
    (core module $m (import "" "never" (func $never)) (memory (export "memory") 1)
      (func (export "give") (result i32) (i32.const 0)))
    (core instance $i (instantiate $m (with "" (instance (export "never" (func $never))))))
    (func (export "give") (result string)
      (canon lift (core func $i "give") (memory (core memory $i "memory")))))
  (instance $g (instantiate $Gives (with "never" (func $never))))
  (component $Takes
    (import "give" (func $give (result string)))
    (core module $memory (memory (export "memory") 1) (tag $stop (export "stop"))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (suspend $stop) (i32.const 16)))
    (core instance $memory (instantiate $memory))
    (core func $give (canon lower (func $give) (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
    (core module $m
      (type $f (func)) (type $k (cont $f))
      (import "memory" "stop" (tag $stop))
      (import "" "give" (func $give (param i32)))
      (func $inner (call $give (i32.const 0)))
      (elem declare func $inner)
      (func (export "run")
        (block $on (result (ref $k))
          (resume $k (on $stop $on) (cont.new $k (ref.func $inner)))
          (return))
        (drop)))
    (core instance $i (instantiate $m (with "memory" (instance $memory))
      (with "" (instance (export "give" (func $give))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $t (instantiate $Takes (with "give" (func $g "give"))))
  (export "give" (func $g "give"))
  (export "run" (func $t "run")))"#;
    for mut config in super::configs() {
        config.features.stack_switching = true;
        let engine = dunlin_engine::Engine::new(&config).unwrap();
        let mut linker = dunlin_component::Linker::<()>::new(&engine);
        linker.root().func_wrap("never", |_, (): ()| Ok(())).unwrap();
        let mut store = super::store(&engine, ());
        let instance = linker.instantiate(&mut store, &super::component(&engine, text)).unwrap();
        let give = instance.get_typed_func::<(), String>("give").unwrap();
        assert_eq!(give.call(&mut store, ()).unwrap(), "");
        assert_trapped(run(&mut store, &instance, "run", ()), "unhandled tag");
    }
}

/// A function that is imported over and over, with a parameter of a type of few core values and many parts:
/// so many, squared.
fn imported_over_and_over(times: u32, parts: u32) -> String {
    let cases = |inner: &str| {
        (0..parts).fold(String::from("(variant"), |mut text, number| {
            write!(text, " (case \"c{number}\" {inner})").unwrap();
            text
        }) + ")"
    };
    let (inner, outer) = (cases("u8"), cases("$t0"));
    let mut text = format!(
        r#"
(component
  (component $Takes
    (type $t0' {inner}) (export $t0 "t0" (type $t0'))
    (type $t1' {outer}) (export $t1 "t1" (type $t1'))
    (core module $m (func (export "take") (param i32 i32 i32) (result i32) (local.get 2)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "x" $t1) (result u32) (canon lift (core func $i "take"))))
  (instance $t (instantiate $Takes))
  (alias export $t "take" (func $take))
  (component $Gives
    (type $t0' {inner}) (import "t0" (type $t0 (eq $t0')))
    (type $t1' {outer}) (import "t1" (type $t1 (eq $t1')))
    (import "take" (func $take (param "x" $t1) (result u32)))"#
    );
    let mut module = String::from("(core module $m");
    let mut items = String::new();
    for number in 0..times {
        write!(text, "(core func $f{number} (canon lower (func $take)))").unwrap();
        write!(
            module,
            r#"(import "" "f{number}" (func $f{number} (param i32 i32 i32) (result i32)))"#
        )
        .unwrap();
        write!(items, r#"(export "f{number}" (func $f{number}))"#).unwrap();
    }
    write!(
        text,
        r#"{module} (func (export "give") (param i32) (result i32)
        (call $f{0} (i32.const 1) (i32.const 1) (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance {items}))))
    (func (export "give") (param "x" u32) (result u32) (canon lift (core func $i "give"))))
  (instance $g (instantiate $Gives (with "t0" (type $t "t0")) (with "t1" (type $t "t1"))
    (with "take" (func $take))))
  (export "give" (func $g "give")))"#,
        times - 1
    )
    .unwrap();
    text
}

/// The parser's validator looks at a whole type whenever it is lowered: that is paid for before.
#[test]
fn large_types_are_not_looked_at_over_and_over() {
    let begun = Instant::now();
    let bytes = wat::parse_str(imported_over_and_over(5000, 700)).unwrap();
    let error = dunlin_component::Component::new(&engines()[0], bytes).unwrap_err();
    assert!(error.to_string().contains("lifted or lowered"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let text = imported_over_and_over(5000, 10);
    for engine in engines() {
        let begun = Instant::now();
        let (mut store, instance) = alone(&engine, &text);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(number(&mut store, &instance, "give", (7u32,)).unwrap(), 7);
    }
}
