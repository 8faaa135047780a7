//! What a component is given may be much, and long: it has all of it, or what it may take is used up.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use dunlin_component::{Component, Linker};
use dunlin_engine::{Engine, Limits, Result, Store, Trap};
use dunlin_wasi::{WasiCtx, p2};

/// Counts arguments, and adds up how long variables are.
const GUEST: &str = r#"
(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 64))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (loop $more
        (if (i32.gt_u (global.get $top) (i32.shl (memory.size) (i32.const 16)))
          (then
            (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
            (br $more))))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (core func $environment (canon lower (func $environment "get-environment")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $arguments (canon lower (func $environment "get-arguments")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "environment" (func $environment (param i32)))
    (import "" "arguments" (func $arguments (param i32)))
    (func (export "arguments") (result i32)
      (call $arguments (i32.const 8))
      (i32.load (i32.const 12)))
    (func (export "environment") (result i32)
      (local $at i32) (local $left i32) (local $sum i32)
      (call $environment (i32.const 8))
      (local.set $at (i32.load (i32.const 8)))
      (local.set $left (i32.load (i32.const 12)))
      (loop $next
        (if (local.get $left)
          (then
            (local.set $sum (i32.add (local.get $sum) (i32.load offset=12 (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next))))
      (local.get $sum)))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $memory "memory"))
    (export "environment" (func $environment)) (export "arguments" (func $arguments))))))
  (func (export "arguments") (result u32) (canon lift (core func $main "arguments")))
  (func (export "environment") (result u32) (canon lift (core func $main "environment"))))
"#;

fn call(ctx: WasiCtx, limits: Limits, name: &str) -> Result<u32> {
    let engine = Engine::default();
    let component = Component::new(&engine, wat::parse_str(GUEST).unwrap())?;
    let mut linker = Linker::new(&engine);
    p2::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::with_limits(&engine, ctx, limits)?;
    let instance = linker.instantiate(&mut store, &component)?;
    instance.get_typed_func::<(), u32>(name)?.call(&mut store, ())
}

#[test]
fn many_arguments() {
    let ctx = || {
        let arguments = (0..100_000).map(|i| i.to_string());
        WasiCtx::builder().args(arguments).build().unwrap()
    };
    assert_eq!(call(ctx(), Limits::default(), "arguments").unwrap(), 100_000);
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let error = call(ctx(), limits, "arguments").unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Unreachable), "{error}");
}

#[test]
fn long_variables() {
    let ctx = || {
        let long = "v".repeat(1 << 20);
        let mut builder = WasiCtx::builder();
        for i in 0..10 {
            builder = builder.env(format!("NAME{i}"), &long);
        }
        builder.build().unwrap()
    };
    assert_eq!(call(ctx(), Limits::default(), "environment").unwrap(), 10 << 20);
}

#[test]
fn bytes_that_no_string_has() {
    assert!(WasiCtx::builder().arg("a\0b").build().is_err());
    assert!(WasiCtx::builder().env("NAME", "a\0b").build().is_err());
    assert!(WasiCtx::builder().env("NA\0ME", "a").build().is_err());
}
