//! JavaScript strings: builtins, constants, and what becomes of wrong arguments.

use dunlin_engine::js_string::{self, JsString};
use dunlin_engine::{Engine, ExternRef, Instance, Limits, Linker, Module, Store, Val};

const ALL: &str = r#"(module
  (type $units (array (mut i16)))
  (import "wasm:js-string" "cast" (func $cast (param externref) (result (ref extern))))
  (import "wasm:js-string" "test" (func $test (param externref) (result i32)))
  (import "wasm:js-string" "fromCharCodeArray"
    (func $from (param (ref null $units) i32 i32) (result (ref extern))))
  (import "wasm:js-string" "intoCharCodeArray"
    (func $into (param externref (ref null $units) i32) (result i32)))
  (import "wasm:js-string" "fromCharCode" (func $unit (param i32) (result (ref extern))))
  (import "wasm:js-string" "fromCodePoint" (func $point (param i32) (result (ref extern))))
  (import "wasm:js-string" "charCodeAt" (func $at (param externref i32) (result i32)))
  (import "wasm:js-string" "codePointAt" (func $point_at (param externref i32) (result i32)))
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "wasm:js-string" "concat"
    (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "substring"
    (func $substring (param externref i32 i32) (result (ref extern))))
  (import "wasm:js-string" "equals" (func $equals (param externref externref) (result i32)))
  (import "wasm:js-string" "compare" (func $compare (param externref externref) (result i32)))
  (import "'" "dunlin" (global $dunlin (ref extern)))
  (import "'" "" (global $empty (ref extern)))
  (export "cast" (func $cast)) (export "test" (func $test))
  (export "unit" (func $unit)) (export "point" (func $point))
  (export "at" (func $at)) (export "point_at" (func $point_at)) (export "length" (func $length))
  (export "concat" (func $concat)) (export "substring" (func $substring))
  (export "equals" (func $equals)) (export "compare" (func $compare))
  (func (export "dunlin") (result externref) (global.get $dunlin))
  (func (export "empty") (result externref) (global.get $empty))
  ;; The code units of a string from a position on, by way of an array with room before and behind.
  (func (export "tail") (param $s externref) (param $from i32) (result (ref extern))
    (local $a (ref $units)) (local $n i32)
    (local.set $a (array.new $units (i32.const 0x78) (i32.add (call $length (local.get $s))
      (i32.const 4))))
    (local.set $n (call $into (local.get $s) (local.get $a) (i32.const 2)))
    (call $from (local.get $a) (i32.add (local.get $from) (i32.const 2))
      (i32.add (local.get $n) (i32.const 2))))
  (func (export "into_null") (param externref) (result i32)
    (call $into (local.get 0) (ref.null none) (i32.const 0)))
  (func (export "into_small") (param externref) (result i32)
    (call $into (local.get 0) (array.new_default $units (i32.const 3)) (i32.const 1)))
  (func (export "from_outside") (result externref)
    (call $from (array.new_default $units (i32.const 3)) (i32.const 1) (i32.const 4)))
  (func (export "from_backwards") (result externref)
    (call $from (array.new_default $units (i32.const 3)) (i32.const 2) (i32.const 1)))
  ;; A string that doubles until it cannot be any longer.
  (func (export "bomb") (local $s externref)
    (local.set $s (global.get $dunlin))
    (loop $again
      (local.set $s (call $concat (local.get $s) (local.get $s)))
      (br $again)))
  ;; Many strings that nobody needs for long.
  (func (export "churn") (param $n i32) (result i32) (local $s externref) (local $sum i32)
    (loop $again
      (local.set $s (call $concat (global.get $dunlin) (call $unit (local.get $n))))
      (local.set $sum (i32.add (local.get $sum) (call $at (local.get $s) (i32.const 6))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))"#;

struct World {
    store: Store<()>,
    instance: Instance,
}

impl World {
    fn new() -> World {
        let engine = Engine::default();
        let limits = Limits { heap_bytes: 64 << 20, ..Limits::default() };
        let mut store = Store::with_limits(&engine, (), limits).unwrap();
        let module = Module::new(&engine, wat::parse_str(ALL).unwrap()).unwrap();
        let mut linker = Linker::new(&engine);
        js_string::add_to_linker(&mut linker).unwrap();
        js_string::define_constants(&mut linker, &mut store, &module, "'").unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        World { store, instance }
    }

    fn make(&mut self, text: &str) -> Val {
        JsString::from(text).to_extern(&mut self.store).unwrap().into()
    }

    fn units(&mut self, units: &[u16]) -> Val {
        JsString::new(units).to_extern(&mut self.store).unwrap().into()
    }

    fn try_call(&mut self, name: &str, args: &[Val]) -> Result<Val, String> {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results.len()];
        func.call(&mut self.store, args, &mut results).map_err(|error| error.to_string())?;
        Ok(results.pop().unwrap_or(Val::I32(0)))
    }

    fn int(&mut self, name: &str, args: &[Val]) -> i32 {
        self.try_call(name, args).unwrap().unwrap_i32()
    }

    fn string(&mut self, name: &str, args: &[Val]) -> JsString {
        let found: Option<ExternRef> = self.try_call(name, args).unwrap().unwrap_extern_ref();
        JsString::from_extern(&found.unwrap(), &self.store).unwrap().unwrap()
    }
}

#[test]
fn builtins_do_what_javascript_does() {
    let mut w = World::new();
    let (abc, abd, pair) = (w.make("abc"), w.make("abd"), w.make("x\u{1f426}y"));
    assert_eq!(w.int("length", &[abc.clone()]), 3);
    assert_eq!(w.int("length", &[pair.clone()]), 4);
    assert_eq!(w.int("at", &[pair.clone(), Val::I32(1)]), 0xd83d);
    assert_eq!(w.int("point_at", &[pair.clone(), Val::I32(1)]), 0x1f426);
    assert_eq!(w.int("point_at", &[pair.clone(), Val::I32(2)]), 0xdc26);
    assert_eq!(w.string("concat", &[abc.clone(), pair.clone()]), "abcx\u{1f426}y".into());
    assert_eq!(w.string("substring", &[abc.clone(), Val::I32(1), Val::I32(2)]), "b".into());
    assert_eq!(w.string("substring", &[abc.clone(), Val::I32(1), Val::I32(-1)]), "bc".into());
    assert_eq!(w.string("substring", &[abc.clone(), Val::I32(2), Val::I32(1)]), "".into());
    assert_eq!(w.string("substring", &[abc.clone(), Val::I32(9), Val::I32(10)]), "".into());
    assert_eq!(w.string("unit", &[Val::I32(0x1_0041)]), "A".into());
    assert_eq!(w.string("point", &[Val::I32(0x1f426)]), "\u{1f426}".into());
    assert_eq!(w.string("point", &[Val::I32(0xd83d)]), JsString::new([0xd83d]));
    let compare = |w: &mut World, a: &Val, b: &Val| w.int("compare", &[a.clone(), b.clone()]);
    assert_eq!(compare(&mut w, &abc, &abd), -1);
    assert_eq!(compare(&mut w, &abd, &abc), 1);
    assert_eq!(compare(&mut w, &abc, &abc), 0);
    // By code units, not by code points.
    let private = w.units(&[0xe000]);
    assert_eq!(compare(&mut w, &pair, &private), -1);
    let again = w.make("abc");
    assert_eq!(w.int("equals", &[abc.clone(), again]), 1);
    assert_eq!(w.int("equals", &[abc.clone(), Val::ExternRef(None)]), 0);
    assert_eq!(w.int("equals", &[Val::ExternRef(None), Val::ExternRef(None)]), 1);
    assert_eq!(w.string("tail", &[pair.clone(), Val::I32(1)]), "\u{1f426}y".into());
    assert_eq!(w.string("tail", &[abc.clone(), Val::I32(-1)]), "xabc".into());
    assert_eq!(w.string("dunlin", &[]), "dunlin".into());
    assert_eq!(w.string("empty", &[]), "".into());
}

#[test]
fn what_is_no_string_or_out_of_bounds_is_an_error() {
    let mut w = World::new();
    let abc = w.make("abc");
    let other: Val = ExternRef::new(&mut w.store, 7u32).unwrap().into();
    assert_eq!(w.int("test", &[abc.clone()]), 1);
    assert_eq!(w.int("test", &[other.clone()]), 0);
    assert_eq!(w.int("test", &[Val::ExternRef(None)]), 0);
    let mut refused = |name: &str, args: &[Val], expected: &str| {
        let error = w.try_call(name, args).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
    };
    let null = Val::ExternRef(None);
    refused("cast", &[other.clone()], "`cast`: expected a string, found something else");
    refused("length", &[null.clone()], "`length`: expected a string, found null");
    refused("equals", &[abc.clone(), other.clone()], "`equals`: expected a string");
    refused("compare", &[abc.clone(), null], "`compare`: expected a string, found null");
    refused(
        "at",
        &[abc.clone(), Val::I32(3)],
        "position 3 is out of bounds of a string of length 3",
    );
    refused("at", &[abc.clone(), Val::I32(-1)], "position 4294967295 is out of bounds");
    refused("point", &[Val::I32(0x11_0000)], "expected at most 0x10ffff, found 0x110000");
    refused("into_null", &[abc.clone()], "expected an array, found null");
    refused("into_small", &[abc], "elements 1 to 4 are out of bounds of the array");
    refused("from_outside", &[], "elements 1 to 4 are out of bounds of the array");
    refused("from_backwards", &[], "elements 2 to 1 are out of bounds of the array");
}

#[test]
fn strings_are_charged_and_go_away() {
    let mut w = World::new();
    let error = w.try_call("bomb", &[]).unwrap_err();
    assert!(error.contains("of garbage-collected heap"), "{error}");
    let expected: u32 = (1..=200_000u32).map(|n| n & 0xffff).fold(0, u32::wrapping_add);
    assert_eq!(w.int("churn", &[Val::I32(200_000)]), expected as i32);
    w.store.collect_garbage().unwrap();
    let after = w.store.gc_stats();
    assert!(after.major > 0, "{after:?}");
}
