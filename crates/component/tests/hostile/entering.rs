//! Who may be entered, and when: nobody sees what a trap left half done, and nobody is entered twice.

use dunlin_component::{Export, Instance, Linker};
use dunlin_engine::{Engine, Store};

use super::{assert_trapped, component, engines, number, run, store};

/// Counts calls of `f`, which traps if it is asked to, after it counted.
const COUNTS: &str = r#"
(component
  (core module $m
    (global $count (mut i32) (i32.const 0))
    (func (export "f") (param i32)
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (if (local.get 0) (then unreachable)))
    (func (export "count") (result i32) (global.get $count)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "trap" u32) (canon lift (core func $i "f")))
  (func (export "count") (result u32) (canon lift (core func $i "count"))))"#;

/// Hands its parameter on to an import.
const HANDS_ON: &str = r#"
(component
  (import "f" (func $f (param "trap" u32)))
  (core func $f (canon lower (func $f)))
  (core module $m
    (import "" "f" (func $f (param i32)))
    (func (export "g") (param i32) (call $f (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
  (func (export "g") (param "trap" u32) (canon lift (core func $i "g"))))"#;

fn with(engine: &Engine, store: &mut Store<Option<Instance>>, f: &Export, text: &str) -> Instance {
    let mut linker = Linker::new(engine);
    linker.root().define("f", f).unwrap();
    linker.instantiate(store, &component(engine, text)).unwrap()
}

fn export(of: &Instance, name: &str) -> Export {
    of.get_export(name).unwrap().clone()
}

/// A call of nothing but numbers between two components is as much a call as any other.
#[test]
fn a_component_that_trapped_for_another_is_not_entered_again() {
    for engine in engines() {
        let mut store = store(&engine, None);
        let linker = Linker::new(&engine);
        let counts = component(&engine, COUNTS);
        let callee = linker.instantiate(&mut store, &counts).unwrap();
        let other = linker.instantiate(&mut store, &counts).unwrap();
        let caller = with(&engine, &mut store, &export(&callee, "f"), HANDS_ON);
        for _ in 0..3 {
            run(&mut store, &caller, "g", (0u32,)).unwrap();
        }
        assert_eq!(number(&mut store, &callee, "count", ()).unwrap(), 3);
        assert_trapped(run(&mut store, &caller, "g", (1u32,)), "unreachable");
        assert_trapped(number(&mut store, &callee, "count", ()), "cannot enter");
        assert_trapped(run(&mut store, &caller, "g", (0u32,)), "cannot enter");
        // Neither the store nor another instance of the same component is any the worse for it.
        run(&mut store, &other, "f", (0u32,)).unwrap();
        assert_eq!(number(&mut store, &other, "count", ()).unwrap(), 1);
    }
}

/// What traps on its own does nothing to those it exchanged values with.
#[test]
fn a_component_that_trapped_leaves_its_callees_alone() {
    let traps = HANDS_ON.replace("(call $f (local.get 0))", "(call $f (i32.const 0)) unreachable");
    for engine in engines() {
        let mut store = store(&engine, None);
        let counts = component(&engine, COUNTS);
        let callee = Linker::new(&engine).instantiate(&mut store, &counts).unwrap();
        let caller = with(&engine, &mut store, &export(&callee, "f"), &traps);
        assert_trapped(run(&mut store, &caller, "g", (0u32,)), "unreachable");
        assert_trapped(run(&mut store, &caller, "g", (0u32,)), "cannot enter");
        assert_eq!(number(&mut store, &callee, "count", ()).unwrap(), 1);
    }
}

/// A part of a component is not entered through another component while the whole is.
#[test]
fn nobody_is_entered_through_a_detour() {
    let whole = r#"
    (component
      (import "host" (func $host))
      (component $Calls
        (import "host" (func $host))
        (core func $host (canon lower (func $host)))
        (core module $m (import "" "host" (func $host)) (func (export "run") (call $host)))
        (core instance $i (instantiate $m (with "" (instance (export "host" (func $host))))))
        (func (export "run") (canon lift (core func $i "run"))))
      (component $Counts
        (core module $m (func (export "f") (param i32)))
        (core instance $i (instantiate $m))
        (func (export "f") (param "trap" u32) (canon lift (core func $i "f"))))
      (instance $calls (instantiate $Calls (with "host" (func $host))))
      (instance $counts (instantiate $Counts))
      (export "run" (func $calls "run"))
      (export "f" (func $counts "f")))"#;
    for engine in engines() {
        let mut store = store(&engine, None::<Instance>);
        let mut linker = Linker::<Option<Instance>>::new(&engine);
        let detour = |mut caller: dunlin_component::Caller<'_, Option<Instance>>, (): ()| {
            let detour = caller.data().clone().unwrap();
            let result = detour.get_typed_func::<(u32,), ()>("g")?.call(&mut caller, (0,));
            assert_trapped(result, "cannot enter");
            Ok(())
        };
        linker.root().func_wrap("host", detour).unwrap();
        let whole = linker.instantiate(&mut store, &component(&engine, whole)).unwrap();
        let detour = with(&engine, &mut store, &export(&whole, "f"), HANDS_ON);
        run(&mut store, &detour, "g", (0u32,)).unwrap();
        *store.data_mut() = Some(detour);
        run(&mut store, &whole, "run", ()).unwrap();
    }
}

/// What a task keeps for itself is not seen by a destructor, nor by a `realloc` that runs for somebody
/// else's result.
#[test]
fn what_a_task_keeps_is_its_own() {
    let text = r#"
    (component
      (component $Defines
        (core module $m (import "" "get" (func $get (result i32)))
          (import "" "set" (func $set (param i32)))
          (memory (export "memory") 1)
          (global $seen (mut i32) (i32.const 99))
          (func (export "drop") (param i32) (global.set $seen (call $get)) (call $set (i32.const 5)))
          (func (export "seen") (result i32) (global.get $seen))
          (func (export "text") (result i32) (call $set (i32.const 9))
            (i32.store (i32.const 4) (i32.const 1)) (i32.const 0)))
        (core func $get (canon context.get i32 0))
        (core func $set (canon context.set i32 0))
        (core instance $i (instantiate $m (with "" (instance
          (export "get" (func $get)) (export "set" (func $set))))))
        (type $r (resource (rep i32) (dtor (core func $i "drop"))))
        (export $R "r" (type $r))
        (core func $new (canon resource.new $r))
        (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $new)))
        (func (export "seen") (result u32) (canon lift (core func $i "seen")))
        (func (export "text") (result string) (canon lift (core func $i "text")
          (memory (core memory $i "memory")))))
      (instance $d (instantiate $Defines))
      (component $Uses
        (import "d" (instance $d
          (export "r" (type $r (sub resource)))
          (export "make" (func (param "rep" u32) (result (own $r))))
          (export "text" (func (result string)))))
        (alias export $d "r" (type $r))
        (core module $memory
          (import "" "get" (func $get (result i32)))
          (memory (export "memory") 1)
          (global (export "seen") (mut i32) (i32.const 99))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.set 0 (call $get))
            (i32.const 64)))
        (core func $get (canon context.get i32 0))
        (core func $set (canon context.set i32 0))
        (core instance $memory (instantiate $memory (with "" (instance (export "get" (func $get))))))
        (core func $make (canon lower (func $d "make")))
        (core func $drop (canon resource.drop $r))
        (core func $text (canon lower (func $d "text") (memory (core memory $memory "memory"))
          (realloc (core func $memory "realloc"))))
        (core module $m (import "" "get" (func $get (result i32)))
          (import "" "set" (func $set (param i32)))
          (import "" "make" (func $make (param i32) (result i32)))
          (import "" "drop" (func $drop (param i32)))
          (import "" "text" (func $text (param i32)))
          (import "memory" "seen" (global $seen (mut i32)))
          (func (export "drops") (result i32)
            (call $set (i32.const 42))
            (call $drop (call $make (i32.const 1)))
            (call $get))
          (func (export "reads") (result i32)
            (call $set (i32.const 7))
            (call $text (i32.const 0))
            (if (i32.ne (call $get) (i32.const 7)) (then unreachable))
            (global.get $seen)))
        (core instance $i (instantiate $m (with "memory" (instance $memory)) (with "" (instance
          (export "get" (func $get)) (export "set" (func $set)) (export "text" (func $text))
          (export "make" (func $make)) (export "drop" (func $drop))))))
        (func (export "drops") (result u32) (canon lift (core func $i "drops")))
        (func (export "reads") (result u32) (canon lift (core func $i "reads"))))
      (instance $u (instantiate $Uses (with "d" (instance $d))))
      (export "drops" (func $u "drops"))
      (export "reads" (func $u "reads"))
      (export "seen" (func $d "seen")))"#;
    for engine in engines() {
        let (mut store, instance) = super::alone(&engine, text);
        assert_eq!(number(&mut store, &instance, "drops", ()).unwrap(), 42, "it changed");
        assert_eq!(number(&mut store, &instance, "seen", ()).unwrap(), 0, "a destructor saw it");
        assert_eq!(number(&mut store, &instance, "reads", ()).unwrap(), 7, "it is the caller's");
    }
}

/// A host that carries on after a trap gives its caller back what that kept.
#[test]
fn what_a_task_keeps_is_there_after_the_host_survived_a_trap() {
    let traps = r#"
    (component
      (core func $set (canon context.set i32 0))
      (core module $m (import "" "set" (func $set (param i32)))
        (func (export "f") (param i32) (call $set (i32.const 6)) unreachable))
      (core instance $i (instantiate $m (with "" (instance (export "set" (func $set))))))
      (func (export "f") (param "trap" u32) (canon lift (core func $i "f"))))"#;
    let keeps = r#"
    (component
      (import "host" (func $host))
      (core func $host (canon lower (func $host)))
      (core func $get (canon context.get i32 0))
      (core func $set (canon context.set i32 0))
      (core module $m (import "" "host" (func $host))
        (import "" "get" (func $get (result i32))) (import "" "set" (func $set (param i32)))
        (func (export "run") (result i32)
          (call $set (i32.const 42)) (call $host) (call $get)))
      (core instance $i (instantiate $m (with "" (instance (export "host" (func $host))
        (export "get" (func $get)) (export "set" (func $set))))))
      (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
    for engine in engines() {
        let mut store = store(&engine, None::<Instance>);
        let mut linker = Linker::<Option<Instance>>::new(&engine);
        linker
            .root()
            .func_wrap("host", |mut caller, (): ()| {
                let traps = caller.data().clone().unwrap();
                let f = traps.get_typed_func::<(u32,), ()>("f")?;
                assert_trapped(f.call(&mut caller, (0,)), "unreachable");
                assert_trapped(f.call(&mut caller, (0,)), "cannot enter");
                Ok(())
            })
            .unwrap();
        let traps = linker.instantiate(&mut store, &component(&engine, traps)).unwrap();
        *store.data_mut() = Some(traps);
        let keeps = linker.instantiate(&mut store, &component(&engine, keeps)).unwrap();
        assert_eq!(number(&mut store, &keeps, "run", ()).unwrap(), 42);
    }
}

/// A destructor that traps for the host is a call like any other: the whole component is not entered
/// again, nor is one that is entered already.
#[test]
fn destructors_enter_the_whole_component() {
    let text = r#"
    (component
      (component $Counts
        (core module $m
          (global $count (mut i32) (i32.const 0))
          (func (export "f") (global.set $count (i32.const 1)) unreachable)
          (func (export "count") (result i32) (global.get $count)))
        (core instance $i (instantiate $m))
        (func (export "f") (canon lift (core func $i "f")))
        (func (export "count") (result u32) (canon lift (core func $i "count"))))
      (instance $counts (instantiate $Counts))
      (component $Defines
        (import "f" (func $f))
        (core func $f (canon lower (func $f)))
        (core module $m (import "" "f" (func $f)) (func (export "drop") (param i32) (call $f)))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
        (type $r (resource (rep i32) (dtor (core func $i "drop"))))
        (export $R "r" (type $r))
        (core func $new (canon resource.new $r))
        (func (export "make") (param "rep" u32) (result (own $R)) (canon lift (core func $new))))
      (instance $defines (instantiate $Defines (with "f" (func $counts "f"))))
      (export $R "r" (type $defines "r"))
      (export "make" (func $defines "make") (func (param "rep" u32) (result (own $R))))
      (export "count" (func $counts "count")))"#;
    for engine in engines() {
        let (mut store, instance) = super::alone(&engine, text);
        let make =
            instance.get_typed_func::<(u32,), dunlin_component::ResourceAny>("make").unwrap();
        let resource = make.call(&mut store, (7,)).unwrap();
        assert_trapped(resource.drop(&mut store), "unreachable");
        assert_trapped(number(&mut store, &instance, "count", ()), "cannot enter");
    }
}
