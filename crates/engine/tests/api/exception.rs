//! Exceptions across the boundary, and continuations with hosts in between.

use std::fmt::Write;

use dunlin_engine::{
    Caller, Engine, Error, ErrorKind, ExnRef, Extern, ExternRef, Func, FuncType, Instance, Result,
    Store, Tag, Trap, Val, ValType,
};

use crate::{check_snapshot, configured, engines, instance, module};

/// A guest that calls the host, and catches what the host throws.
const CATCHER: &str = r#"
    (module $catcher
      (import "host" "tag" (tag $e (param i32 externref)))
      (import "host" "call" (func $call (param i32)))
      (func $catch (export "catch") (param i32) (result i32 externref)
        (block $h (result i32 externref)
          (try_table (catch $e $h) (call $call (local.get 0)))
          (i32.const -1) (ref.null extern)))
      (func $tail (param i32)
        (block $h (try_table (catch_all $h) (return_call $call (local.get 0)))))
      (func (export "catch-tail") (param i32) (result i32 externref)
        (block $h (result i32 externref)
          (try_table (catch $e $h) (call $tail (local.get 0)))
          (i32.const -1) (ref.null extern)))
      (func $middle (param i32) (call $call (local.get 0)))
      (func (export "pass") (param i32) (call $middle (local.get 0)))
      (func $throw (export "throw") (param i32)
        (throw $e (local.get 0) (ref.null extern))))"#;

fn host_tag(store: &mut Store<()>) -> Tag {
    Tag::new(store, &FuncType::new([ValType::I32, ValType::EXTERNREF], [])).unwrap()
}

/// The catcher, whose host function throws an exception with its own argument, unless that is 0.
fn catcher(engine: &Engine) -> (Store<()>, Instance, Tag) {
    let mut store = Store::new(engine, ());
    let tag = host_tag(&mut store);
    let call = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| -> Result<()> {
        if n == 0 {
            return Ok(());
        }
        let value = ExternRef::new(&mut caller, n * 2)?;
        let fields = [Val::I32(n), value.into()];
        Err(Error::throw(ExnRef::new(&mut caller, tag, &fields)?))
    });
    let imports = [Extern::from(tag), call.into()];
    let instance = Instance::new(&mut store, &module(engine, CATCHER), &imports).unwrap();
    (store, instance, tag)
}

#[test]
fn guests_catch_what_the_host_throws() {
    for engine in configured(|config| config.execution.gc_zeal = Some(1)) {
        let (mut store, instance, _) = catcher(&engine);
        for name in ["catch", "catch-tail"] {
            let catch =
                instance.get_typed_func::<i32, (i32, Option<ExternRef>)>(&mut store, name).unwrap();
            let (number, value) = catch.call(&mut store, 21).unwrap();
            assert_eq!(number, 21);
            let value = value.unwrap();
            assert_eq!(value.data(&store).unwrap().unwrap().downcast_ref::<i32>(), Some(&42));
            assert_eq!(catch.call(&mut store, 0).unwrap(), (-1, None));
        }
    }
}

#[test]
fn an_exception_that_nobody_catches_is_an_error() {
    for engine in engines() {
        let (mut store, instance, tag) = catcher(&engine);
        for name in ["throw", "pass"] {
            let f = instance.get_typed_func::<i32, ()>(&mut store, name).unwrap();
            let error = f.call(&mut store, 7).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exception);
            assert_eq!(error.trap(), None);
            check_snapshot(&format!("exception_{name}"), error.report());
            let exception = error.exception().unwrap();
            assert_eq!(exception.tag(&store).unwrap(), tag);
            let fields = exception.fields(&mut store).unwrap();
            assert_eq!(fields.len(), 2);
            assert_eq!(fields[0], Val::I32(7));
        }
    }
}

/// Two guests with a function of the host between them: `look` decides what becomes of the inner
/// guest's exception.
fn between(
    engine: &Engine,
    look: impl Fn(Error) -> Result<()> + Send + Sync + 'static,
) -> (Store<()>, Instance) {
    let (mut store, inner, tag) = catcher(engine);
    let throw = inner.get_typed_func::<i32, ()>(&mut store, "throw").unwrap();
    let call = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| -> Result<()> {
        throw.call(&mut caller, n).or_else(&look)
    });
    let imports = [Extern::from(tag), call.into()];
    let outer = Instance::new(&mut store, &module(engine, CATCHER), &imports).unwrap();
    (store, outer)
}

#[test]
fn an_exception_passes_through_the_host() {
    for engine in engines() {
        let (mut store, outer) = between(&engine, |error| Err(error.context("while calling")));
        let catch =
            outer.get_typed_func::<i32, (i32, Option<ExternRef>)>(&mut store, "catch").unwrap();
        assert_eq!(catch.call(&mut store, 5).unwrap(), (5, None));
        let pass = outer.get_typed_func::<i32, ()>(&mut store, "pass").unwrap();
        let error = pass.call(&mut store, 6).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exception);
        check_snapshot("exception_through_host", error.report());
        assert_eq!(error.exception().unwrap().fields(&mut store).unwrap()[0], Val::I32(6));
    }
}

#[test]
fn the_host_catches() {
    for engine in engines() {
        let (mut store, outer) = between(&engine, |error| {
            assert_eq!(error.kind(), ErrorKind::Exception);
            Ok(())
        });
        let pass = outer.get_typed_func::<i32, ()>(&mut store, "pass").unwrap();
        pass.call(&mut store, 6).unwrap();
    }
}

#[test]
fn an_exception_kept_by_the_host_is_thrown_later() {
    let engine = &configured(|config| config.execution.gc_zeal = Some(1))[0];
    let (mut store, instance, _) = catcher(engine);
    let throw = instance.get_typed_func::<i32, ()>(&mut store, "throw").unwrap();
    let error = throw.call(&mut store, 12).unwrap_err();
    let kept = error.exception().unwrap();
    // Other exceptions, so that it moves.
    for n in 0..10 {
        throw.call(&mut store, n).unwrap_err();
    }
    let text = r#"
        (module
          (func (export "throw") (param exnref) (throw_ref (local.get 0)))
          (func (export "back") (param exnref) (result exnref) (local.get 0)))"#;
    let other = Instance::new(&mut store, &module(engine, text), &[]).unwrap();
    let mut results = [Val::ExnRef(None)];
    let back = other.get_func(&mut store, "back").unwrap();
    back.call(&mut store, &[kept.clone().into()], &mut results).unwrap();
    assert_eq!(results[0], Val::ExnRef(Some(kept.clone())));
    let throw = other.get_func(&mut store, "throw").unwrap();
    let error = throw.call(&mut store, &[kept.into()], &mut []).unwrap_err();
    assert_eq!(error.exception().unwrap().fields(&mut store).unwrap()[0], Val::I32(12));
    let error = throw.call(&mut store, &[Val::ExnRef(None)], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::NullException));
}

#[test]
fn an_exception_in_a_start_function_fails_instantiation() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = "(module (tag $boom (param i64)) (func $f (throw $boom (i64.const 3))) (start $f))";
    let error = Instance::new(&mut store, &module(&engine, text), &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exception);
    check_snapshot("exception_in_start", error.report());
}

#[test]
fn misuse_is_an_error() {
    let engine = Engine::default();
    let (mut store, _, tag) = catcher(&engine);
    let (mut other, _, other_tag) = catcher(&engine);
    let mut texts = String::new();
    for fields in [&[][..], &[Val::I64(1), Val::ExternRef(None)]] {
        let error = ExnRef::new(&mut store, tag, fields).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        writeln!(texts, "{error}").unwrap();
    }
    let fields = [Val::I32(1), Val::ExternRef(None)];
    let error = ExnRef::new(&mut store, other_tag, &fields).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let exception = ExnRef::new(&mut store, tag, &fields).unwrap();
    assert_eq!(exception.tag(&other).unwrap_err().kind(), ErrorKind::Misuse);
    // One of another store is not thrown.
    let call = Func::wrap(&mut other, move |_: i32| Err::<(), _>(Error::throw(exception.clone())));
    let imports = [Extern::from(other_tag), call.into()];
    let guest = Instance::new(&mut other, &module(&engine, CATCHER), &imports).unwrap();
    let catch = guest.get_func(&mut other, "catch").unwrap();
    let mut results = [Val::I32(0), Val::ExternRef(None)];
    let error = catch.call(&mut other, &[Val::I32(1)], &mut results).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    writeln!(texts, "{error}").unwrap();
    check_snapshot("exception_misuse", texts.trim_end());
}

#[test]
fn a_payload_of_a_thousand_fields_arrives() {
    let types = " i64".repeat(1000);
    let values: String = (0..1000).map(|n| format!("(i64.const {n})")).collect();
    let text = format!(
        r#"(module
             (tag $e (param{types}))
             (func $throw (throw $e {values}))
             (func (export "throw") (call $throw))
             (func (export "catch") (result{types})
               (try_table (catch $e 0) (call $throw))
               (unreachable)))"#
    );
    for engine in engines() {
        let (mut store, instance) = instance(&engine, &text);
        let catch = instance.get_func(&mut store, "catch").unwrap();
        let mut results = vec![Val::I64(-1); 1000];
        catch.call(&mut store, &[], &mut results).unwrap();
        assert!((0..).zip(&results).all(|(n, found)| *found == Val::I64(n)));
        let throw = instance.get_func(&mut store, "throw").unwrap();
        let error = throw.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.exception().unwrap().fields(&mut store).unwrap(), results);
    }
}

/// Continuations whose functions call the host, or are the host's.
const RESUMER: &str = r#"
    (module $resumer
      (import "host" "call" (func $call (param i32) (result i32)))
      (type $f (func (param i32) (result i32)))
      (type $k (cont $f))
      (tag $pause (param i32) (result i32))
      (tag $e (param i32))
      (func $body (param i32) (result i32)
        (i32.add (call $call (local.get 0)) (suspend $pause (local.get 0))))
      (elem declare func $call $body $deep $trap)
      (func (export "guest") (param i32) (result i32) (local $k (ref null $k))
        (block $on (result i32 (ref $k))
          (resume $k (on $pause $on) (local.get 0) (cont.new $k (ref.func $body)))
          (return))
        (local.set $k)
        (resume $k (i32.mul (i32.const 100)) (local.get $k)))
      (func (export "host") (param i32) (result i32)
        (resume $k (local.get 0) (cont.new $k (ref.func $call))))
      ;; Called by the host from within a continuation: deep, and suspending in vain.
      (func $deep (export "deep") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0))
          (then (i32.const 0))
          (else (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))))
      (func (export "suspend") (param i32) (result i32) (suspend $pause (local.get 0)))
      (func (export "throw") (param i32) (result i32) (throw $e (local.get 0)))
      (func $trap (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
      (func $middle (param i32) (result i32)
        (resume $k (local.get 0) (cont.new $k (ref.func $trap))))
      (elem declare func $middle)
      (func (export "trap") (param i32) (result i32)
        (resume $k (local.get 0) (cont.new $k (ref.func $middle)))))"#;

/// The resumer, whose host function calls `inner` of an instance of its own.
fn resumer(engine: &Engine, inner: &'static str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let double = Func::wrap(&mut store, |n: i32| n * 2);
    let first = Instance::new(&mut store, &module(engine, RESUMER), &[double.into()]).unwrap();
    let call = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
        let inner = first.get_typed_func::<i32, i32>(&mut caller, inner).unwrap();
        inner.call(&mut caller, n)
    });
    let second = Instance::new(&mut store, &module(engine, RESUMER), &[call.into()]).unwrap();
    (store, second)
}

fn switching() -> Vec<Engine> {
    configured(|config| {
        config.features.stack_switching = true;
        config.execution.gc_zeal = Some(1);
    })
}

#[test]
fn continuations_call_the_host_which_calls_guests() {
    for engine in switching() {
        let (mut store, instance) = resumer(&engine, "deep");
        for (name, result) in [("guest", 5000 + 500_000), ("host", 5000)] {
            let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            assert_eq!(f.call(&mut store, 5000).unwrap(), result, "{name}");
        }
        let (mut store, instance) = resumer(&engine, "guest");
        let f = instance.get_typed_func::<i32, i32>(&mut store, "guest").unwrap();
        assert_eq!(f.call(&mut store, 3).unwrap(), 6 + 300 + 300);
    }
}

#[test]
fn no_suspension_reaches_over_the_host() {
    for engine in switching() {
        let (mut store, instance) = resumer(&engine, "suspend");
        for name in ["guest", "host"] {
            let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            let error = f.call(&mut store, 1).unwrap_err();
            assert_eq!(error.trap(), Some(Trap::UnhandledTag), "{name}");
        }
        // The store goes on.
        let deep = instance.get_typed_func::<i32, i32>(&mut store, "deep").unwrap();
        assert_eq!(deep.call(&mut store, 10).unwrap(), 10);
    }
}

#[test]
fn exceptions_leave_continuations_and_the_host() {
    for engine in switching() {
        let (mut store, instance) = resumer(&engine, "throw");
        for name in ["guest", "host"] {
            let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            let error = f.call(&mut store, 8).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exception);
            check_snapshot(&format!("exception_from_continuation_{name}"), error.report());
        }
    }
}

#[test]
fn backtraces_go_through_resumers() {
    for engine in switching() {
        let (mut store, instance) = resumer(&engine, "deep");
        let f = instance.get_typed_func::<i32, i32>(&mut store, "trap").unwrap();
        assert_eq!(f.call(&mut store, 1).unwrap(), 1);
        let error = f.call(&mut store, 0).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
        check_snapshot("trap_in_continuation", error.report());
    }
}

/// Neither those that are kept nor those inside one another may take more than the store may.
#[test]
fn continuations_are_limited_and_dead_ones_given_back() {
    const HOARD: &str = r#"
        (module
          (type $f (func (param i32) (result i32))) (type $k (cont $f))
          (type $list (struct (field (ref null $list)) (field (ref $k))))
          (global $all (mut (ref null $list)) (ref.null $list))
          (tag $pause (result i32))
          (func $pauses (param i32) (result i32) (suspend $pause))
          (func $nests (param i32) (result i32)
            (resume $k (i32.const 0) (cont.new $k (ref.func $nests))))
          (elem declare func $pauses $nests)
          (func $one (result (ref $k))
            (block $on (result (ref $k))
              (drop (resume $k (on $pause $on) (i32.const 0) (cont.new $k (ref.func $pauses))))
              (unreachable)))
          (func (export "keep") (param $n i32) (result i32)
            (loop $l
              (global.set $all (struct.new $list (global.get $all) (call $one)))
              (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.const 1))
          (func (export "let-go") (param $n i32) (result i32)
            (global.set $all (ref.null $list))
            (loop $l
              (drop (call $one))
              (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.const 2))
          (func (export "nest") (param i32) (result i32) (call $nests (i32.const 0))))"#;
    for engine in configured(|config| config.features.stack_switching = true) {
        let mut limits = engine.limits().clone();
        limits.budget_bytes = 8 << 20;
        let mut store = Store::with_limits(&engine, (), limits).unwrap();
        let instance = Instance::new(&mut store, &module(&engine, HOARD), &[]).unwrap();
        let mut call = |name, n: i32| {
            let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            f.call(&mut store, n)
        };
        assert_eq!(call("keep", 1000).unwrap(), 1);
        assert_eq!(call("keep", 1_000_000).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(call("let-go", 10_000).unwrap(), 2);
        assert_eq!(call("nest", 0).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(call("let-go", 10_000).unwrap(), 2);
        assert_eq!(call("keep", 1000).unwrap(), 1);
    }
}
