//! Hostile modules end as they must: on a small native stack, for every kind of memory, stopped by
//! fuel or by a deadline, without a panic, and without the host paying for what they only declare.

#[path = "hostile/bulk.rs"]
mod bulk;
#[path = "hostile/indices.rs"]
mod indices;
#[path = "hostile/links.rs"]
mod links;
#[path = "hostile/objects.rs"]
mod objects;
#[path = "hostile/texts.rs"]
mod texts;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use dunlin_component::Component;
use dunlin_engine::{
    Caller, Config, Engine, ErrorKind, Extern, Func, FuncType, Instance, Linker, MemoryKind,
    Module, Result, Store, Trap, Val, ValType,
};
use dunlin_script::wat_to_wasm;
use dunlin_testing::generator::bytes;
use dunlin_testing::hostile::binary::section_ends;
use dunlin_testing::hostile::{
    Case, Mode, Stop, Verdict, endless, execution, modes, resident, run, structure,
};

/// Native stack of the threads that guests run on.
const STACK_BYTES: usize = 256 << 10;

/// Fuel and time for guests that should end by themselves.
const ENOUGH: (u64, Duration) = (1 << 40, Duration::from_secs(600));

/// Held exclusively while memory in use is measured, and shared by every other test.
static QUIET: RwLock<()> = RwLock::new(());

/// Whether to take the time for everything.
fn long() -> bool {
    std::env::var_os("DUNLIN_LONG").is_some()
}

/// Runs `test` on a thread with a small native stack.
fn on_small_stack<R: Send>(test: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, test).expect("a test can have threads");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs every case in every mode, as long as `modes` gives it.
fn check(cases: &[Case], modes: impl Fn(&Case) -> Vec<Mode> + Sync) {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    on_small_stack(|| {
        let mut wrong = Vec::new();
        for case in cases {
            for mode in modes(case) {
                if let Err(what) = run(case, mode) {
                    wrong.push(format!("{mode:?}: {what}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

fn patience(case: &Case) -> Vec<Mode> {
    match case.verdict {
        Verdict::Endless => modes(300_000, Duration::from_millis(30)),
        _ => modes(ENOUGH.0, ENOUGH.1),
    }
}

#[test]
fn structures() {
    let scale = if long() { 1 } else { 20 };
    // Decoding does not depend on how code runs later.
    check(&structure(scale), |case| match case.verdict {
        Verdict::Rejected(_) => patience(case)[..1].to_vec(),
        // Each stop once, on different kinds of memory where there are two.
        _ => {
            let modes = patience(case);
            vec![modes[0], modes[modes.len() - 1]]
        }
    });
}

#[test]
fn executions() {
    check(&execution(), patience);
}

#[test]
fn loops_around_every_kind_of_instruction() {
    check(&endless(), patience);
}

/// Fuel says exactly how far a guest comes, whatever the kind of its memory.
#[test]
fn fuel_is_exact() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    for case in endless() {
        let rounds = |kind, fuel| {
            let mode = Mode { kind, stop: Stop::Fuel(fuel) };
            let engine = Engine::new(&mode.config()).unwrap();
            let module = Module::new(&engine, &case.wasm).unwrap();
            let mut store = Store::new(&engine, ());
            mode.limit(&mut store);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
            let count = instance.get_typed_func::<(), i64>(&mut store, "count").unwrap();
            store.set_fuel(10).unwrap();
            count.call(&mut store, ()).unwrap()
        };
        let default = Config::default().memory.kind;
        let found =
            [rounds(default, 20_000), rounds(MemoryKind::Compact, 20_000), rounds(default, 20_001)];
        assert!(found[0] > 0 && found[0] < 20_000, "{}: {found:?}", case.name);
        assert_eq!(found[0], found[1], "{}", case.name);
        assert!(found[2] - found[0] <= 1, "{}: {found:?}", case.name);
    }
}

/// What a module only declares costs nothing until it is used.
#[test]
fn declared_sizes_cost_nothing() {
    let _exclusive = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    const FREE: [&str; 9] = [
        "268 million types",
        "4 billion functions",
        "4 billion targets",
        "100 million locals",
        "a memory of 4 GiB",
        "100 memories of 4 GiB",
        "4 G pages of a byte",
        "a table of 10 million",
        "grow to the end of all",
    ];
    let cases: Vec<Case> = structure(1000).into_iter().chain(execution()).collect();
    for name in FREE {
        let case = cases.iter().find(|case| case.name == name).expect(name);
        for mode in patience(case) {
            on_small_stack(|| run(case, mode)).unwrap();
            let Some(before) = resident() else { return };
            for _ in 0..3 {
                on_small_stack(|| run(case, mode)).unwrap();
            }
            let more = resident().unwrap_or(before).saturating_sub(before);
            // Far less than what is declared, far more than what other tests do meanwhile.
            assert!(more < 64 << 20, "{name}, {mode:?}: {} KiB more", more >> 10);
        }
    }
}

/// Nothing is left of modules and stores that are gone, nor of tail calls that were made.
#[test]
fn nothing_piles_up() {
    let _exclusive = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    let all = execution();
    let tail = all.iter().find(|case| case.name.starts_with("two that call")).expect("it exists");
    let table = all.iter().find(|case| case.name == "grow a table to the limit").expect("exists");
    for (case, times) in [(tail, 20), (table, 10)] {
        for mode in patience(case) {
            on_small_stack(|| run(case, mode)).unwrap();
            let Some(before) = resident() else { return };
            for _ in 0..times {
                on_small_stack(|| run(case, mode)).unwrap();
            }
            let more = resident().unwrap_or(before).saturating_sub(before);
            assert!(more < 32 << 20, "{}, {mode:?}: {} KiB more", case.name, more >> 10);
        }
    }
    // A thousand modules with types of their own in one engine.
    let engine = Engine::default();
    let load = |i: usize| {
        let params = "i32 i64 f32 f64 ".repeat(i % 200 + 1);
        let text = format!("(module (type (func (param {params}))) (memory 10) (func))");
        let module = Module::new(&engine, wat_to_wasm(&text, None).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        Instance::new(&mut store, &module, &[]).unwrap();
    };
    (0..200).for_each(load);
    let Some(before) = resident() else { return };
    (0..1000).for_each(load);
    let more = resident().unwrap_or(before).saturating_sub(before);
    assert!(more < 32 << 20, "{} KiB more", more >> 10);
}

/// The committed programs, the smallest first.
fn programs() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("examples"), root.join("benches/kernels")];
    let mut programs = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wasm") {
                let bytes = std::fs::read(&path).expect("it can be read");
                programs.push((path, bytes));
            }
        }
    }
    programs.sort_by_key(|(path, bytes)| (bytes.len(), path.clone()));
    assert!(programs.len() >= 20, "some programs are missing");
    programs
}

/// A program cut off anywhere is no module or component, unless what is missing are whole sections.
#[test]
fn prefixes() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let engine = Engine::default();
    let programs = programs();
    on_small_stack(|| {
        for (path, bytes) in &programs {
            let load = |loaded: &[u8]| match Component::is_component(bytes) {
                true => Component::new(&engine, loaded).map(drop),
                false => Module::new(&engine, loaded).map(drop),
            };
            assert!(load(bytes).is_ok(), "{}", path.display());
            let ends = section_ends(bytes);
            assert_eq!(ends.last(), Some(&bytes.len()));
            // Long ones at about as many places as short ones have, and near sections' ends.
            let step = if long() { 1 } else { (bytes.len() / 1000).max(1) };
            for length in 0..bytes.len() {
                let near = ends.iter().any(|end| end.abs_diff(length) < 8);
                if length % step != 0 && !near {
                    continue;
                }
                let loaded = load(&bytes[..length]);
                if let Err(error) = &loaded {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
                }
                assert!(
                    loaded.is_err() || ends.contains(&length),
                    "the first {length} bytes of {}",
                    path.display()
                );
            }
        }
    });
}

/// Small modules with much in them.
const SMALL: [&str; 10] = [
    r#"(module (func (export "f") (param i32) (result i32)
         (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (i32.const 1))
           (else (i32.mul (local.get 0) (i32.const 3))))))"#,
    r#"(module (memory (export "m") 1 3) (data (i32.const 8) "abc") (data $p "defg")
         (func (export "f") (param i32 i32)
           (i32.store offset=4 (local.get 0) (i32.load8_s (local.get 1)))
           (memory.init $p (i32.const 0) (i32.const 1) (i32.const 2))
           (memory.copy (i32.const 9) (i32.const 0) (i32.const 7))
           (drop (memory.grow (i32.const 1)))))"#,
    r#"(module (type $t (func (param i32) (result i32))) (table 3 5 funcref)
         (elem (i32.const 0) func $a $b) (func $a (type $t) (local.get 0))
         (func $b (export "f") (type $t)
           (call_indirect (type $t) (i32.const 7) (i32.and (local.get 0) (i32.const 3)))))"#,
    r#"(module (func (export "f") (param i32) (result i32 i64)
         (block $a (result i32 i64) (block $b (result i32 i64)
           (br_table $a $b $a (i32.const 1) (i64.const 2) (local.get 0))))))"#,
    r#"(module (global $g (export "g") (mut i64) (i64.const 9)) (start $s)
         (func $s (global.set $g (i64.add (global.get $g) (i64.const -1))))
         (func (export "f") (loop (br_if 0 (i64.eqz (global.get $g))))))"#,
    r#"(module (memory i64 1) (func (export "f") (param i64) (result v128)
         (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31
           (v128.load (local.get 0)) (i32x4.splat (i32.const 7)))))"#,
    r#"(module (func $e (export "e") (param i64) (result i32)
         (if (i64.eqz (local.get 0)) (then (return (i32.const 1))))
         (return_call $o (i64.sub (local.get 0) (i64.const 1))))
       (func $o (export "o") (param i64) (result i32)
         (if (i64.eqz (local.get 0)) (then (return (i32.const 0))))
         (return_call $e (i64.sub (local.get 0) (i64.const 1)))))"#,
    r#"(module (table $t (export "t") 2 externref) (elem $e externref (ref.null extern))
         (func (export "f") (param externref i32) (result i32)
           (table.set $t (local.get 1) (local.get 0))
           (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)
           (drop (table.grow $t (local.get 0) (i32.const 1)))
           (ref.is_null (table.get $t (local.get 1)))))"#,
    r#"(module (func (export "f") (param f32 f64) (result f64) (local f64 i64 i32)
         (local.set 2
           (f64.add (local.get 1) (f64.mul (local.get 1) (f64.promote_f32 (local.get 0)))))
         (local.set 3 (i64.trunc_f64_s (local.get 2)))
         (f64.convert_i64_u (i64.div_u (local.get 3) (i64.const 3)))))"#,
    r#"(module (memory 1) (memory $b 0 2 (pagesize 1)) (func (export "f") (param i32) (result i64)
         (drop (memory.grow $b (local.get 0))) (i32.store8 $b (local.get 0) (i32.const 9))
         (i64.add128 (i64.load (local.get 0)) (i64.const 1) (i64.const 2) (i64.const 3)) (drop)))"#,
];

/// Whatever one flipped bit makes of a module, it ends in a way that guests may end.
#[test]
fn flipped_bits() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let limited = |mode: Mode| {
        let mut config = mode.config();
        config.execution.fuel = true;
        config.execution.interruptible = true;
        config.limits.memory_bytes = 4 << 20;
        config.limits.table_elements = 10_000;
        config.limits.value_stack_slots = 1 << 14;
        Engine::new(&config).unwrap()
    };
    let modes = modes(5_000, Duration::from_secs(60));
    let engines = [limited(modes[0]), limited(modes[modes.len() - 1])];
    let mut ran = 0;
    on_small_stack(|| {
        for text in SMALL {
            let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
            for bit in 0..wasm.len() * 8 {
                let mut wasm = wasm.clone();
                wasm[bit / 8] ^= 1 << (bit % 8);
                for engine in &engines {
                    let Ok(module) = Module::new(engine, &wasm) else { break };
                    ran += 1;
                    run_exports(engine, &module, &|| format!("bit {bit} of {text}"));
                }
            }
        }
    });
    assert!(ran > 1000, "too few of them are valid: {ran}");
}

/// Calls everything a module exports, with fuel and a deadline.
fn run_exports(engine: &Engine, module: &Module, what: &dyn Fn() -> String) {
    let mut store = Store::new(engine, ());
    store.set_fuel(5_000).unwrap();
    store.set_deadline(Duration::from_secs(60)).unwrap();
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(module).unwrap();
    let fits = |error: &dunlin_engine::Error| {
        let kind = matches!(
            error.kind(),
            ErrorKind::Trap | ErrorKind::Limit | ErrorKind::Link | ErrorKind::Host
        );
        let trap = !matches!(error.trap(), Some(Trap::Bug | Trap::HostPanic | Trap::Interrupted));
        assert!(kind && trap, "{}: {}", what(), error.report());
    };
    let instance = match linker.instantiate(&mut store, module) {
        Ok(instance) => instance,
        Err(error) => return fits(&error),
    };
    let exports: Vec<String> = module.exports().map(|export| export.name().to_string()).collect();
    for name in exports {
        let Some(func) = instance.get_func(&mut store, &name) else { continue };
        let ty = func.ty(&store);
        for number in [1, -1] {
            let arguments: Option<Vec<Val>> =
                ty.params.iter().map(|ty| argument(*ty, number)).collect();
            let Some(arguments) = arguments else { continue };
            let mut results = vec![Val::I32(0); ty.results.len()];
            store.set_fuel(5_000).unwrap();
            if let Err(error) = func.call(&mut store, &arguments, &mut results) {
                fits(&error);
            }
        }
    }
}

/// A value of type `ty`, if there is one without a host that makes it.
fn argument(ty: ValType, number: i32) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(number),
        ValType::I64 => Val::I64(number.into()),
        ValType::F32 => Val::F32((number as f32).to_bits()),
        ValType::F64 => Val::F64(f64::from(number).to_bits()),
        ValType::V128 => Val::V128(number as u128),
        ValType::Ref(_) => return Val::default_for(ty),
    })
}

/// Random bytes behind a header, and random sections, are no modules and no panics.
#[test]
fn noise() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let engine = Engine::default();
    on_small_stack(|| {
        for seed in 0..if long() { 100_000 } else { 2000 } {
            let noise = bytes(seed);
            let length = 1 + noise[0] as usize % 120;
            let header = &b"\0asm\x01\0\0\0"[..];
            let wasm = [header, &noise[1..length]].concat();
            let _ = Module::new(&engine, &wasm);
            let id = noise[1] % 14;
            let wasm = [header, &[id, length as u8], &noise[2..length + 2]].concat();
            let _ = Module::new(&engine, &wasm);
        }
    });
}

/// Wherever exactly the stack ends inside a frame, the guest overflows it and can go on.
#[test]
fn overflow_with_every_frame_size() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::from(
        r#"(module (import "h" "host" (func $host (param i64 i64 i64) (result i64 i64 i64 i64)))
             (global $depth (mut i32) (i32.const 0))
             (func (export "depth") (result i32) (global.get $depth))
             (func (export "leaf") (result i32) (i32.const 42))"#,
    );
    let sizes: Vec<usize> = (0..=512).step_by(if long() { 1 } else { 16 }).collect();
    for size in &sizes {
        let locals = "i64 ".repeat(*size);
        text += &format!(
            r#"(func $f{size} (export "f{size}") (param i64) (result i64) (local {locals})
                 (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
                 (call $host (local.get 0) (local.get 0) (local.get 0)) (drop) (drop) (drop) (drop)
                 (i64.add (call $f{size} (local.get 0)) (i64.const 1)))"#
        );
    }
    let wasm = wat_to_wasm(&(text + ")"), None).expect("the text is well-formed");
    on_small_stack(|| {
        for mode in modes(ENOUGH.0, ENOUGH.1) {
            for slots in (2000..2512).step_by(if long() { 1 } else { 37 }) {
                let mut config = mode.config();
                config.limits.value_stack_slots = slots;
                let engine = Engine::new(&config).unwrap();
                let module = Module::new(&engine, &wasm).unwrap();
                let mut store = Store::new(&engine, ());
                mode.limit(&mut store);
                let ty = FuncType::new([ValType::I64; 3], [ValType::I64; 4]);
                let host = Func::new(&mut store, ty, |_, arguments, results| {
                    results[..3].clone_from_slice(arguments);
                    results[3] = Val::I64(-1);
                    Ok(())
                });
                let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
                let leaf = instance.get_typed_func::<(), i32>(&mut store, "leaf").unwrap();
                for size in &sizes {
                    let name = format!("f{size}");
                    let f = instance.get_typed_func::<i64, i64>(&mut store, &name).unwrap();
                    let error = f.call(&mut store, 1).unwrap_err();
                    assert_eq!(error.trap(), Some(Trap::StackOverflow), "{name}, {slots} slots");
                    assert_eq!(leaf.call(&mut store, ()).unwrap(), 42);
                }
                let depth = instance.get_typed_func::<(), i32>(&mut store, "depth").unwrap();
                assert!(depth.call(&mut store, ()).unwrap() > 0);
            }
        }
    });
}

/// A guest that calls the host, which calls the guest, and so on, overflows before the native stack
/// does.
#[test]
fn recursion_through_the_host() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let text = r#"(module (import "h" "again" (func $again (param i32) (result i32)))
      (table funcref (elem $again))
      (type $t (func (param i32) (result i32)))
      (func (export "f") (param i32) (result i32)
        (i32.add (call $again (local.get 0)) (i32.const 1)))
      (func (export "g") (param i32) (result i32)
        (return_call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func (export "leaf") (result i32) (i32.const 42)))"#;
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    on_small_stack(|| {
        for mode in modes(ENOUGH.0, ENOUGH.1) {
            for name in ["f", "g"] {
                let engine = Engine::new(&mode.config()).unwrap();
                let module = Module::new(&engine, &wasm).unwrap();
                let mut store = Store::new(&engine, 0u32);
                mode.limit(&mut store);
                let mut linker = Linker::<u32>::new(&engine);
                let again = move |mut caller: Caller<'_, u32>, n: i32| -> Result<i32> {
                    *caller.data_mut() += 1;
                    let again = caller.get_export(name).and_then(Extern::into_func).unwrap();
                    let again = again.typed::<i32, i32>(&caller)?;
                    again.call(&mut caller, n + 1)
                };
                linker.func_wrap("h", "again", again).unwrap();
                let instance = linker.instantiate(&mut store, &module).unwrap();
                let f = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
                let error = f.call(&mut store, 0).unwrap_err();
                assert_eq!(error.trap(), Some(Trap::StackOverflow), "{}", error.report());
                assert!(*store.data() > 5, "{} calls", store.data());
                let leaf = instance.get_typed_func::<(), i32>(&mut store, "leaf").unwrap();
                assert_eq!(leaf.call(&mut store, ()).unwrap(), 42);
            }
        }
    });
}

/// A loop that does nothing but call the host is stopped, too.
#[test]
fn endless_calls_of_the_host() {
    let _shared = QUIET.read().unwrap_or_else(PoisonError::into_inner);
    let text = r#"(module (import "h" "nothing" (func $nothing)) (type $v (func))
      (table funcref (elem $nothing))
      (func (export "direct") (loop (call $nothing) (br 0)))
      (func (export "indirect") (loop (call_indirect (type $v) (i32.const 0)) (br 0)))
      (func $tail (return_call $nothing))
      (func (export "tail") (loop (call $tail) (br 0))))"#;
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    on_small_stack(|| {
        for mode in modes(100_000, Duration::from_millis(30)) {
            for name in ["direct", "indirect", "tail"] {
                let engine = Engine::new(&mode.config()).unwrap();
                let module = Module::new(&engine, &wasm).unwrap();
                let mut store = Store::new(&engine, ());
                mode.limit(&mut store);
                let nothing = Func::wrap(&mut store, || {});
                let instance = Instance::new(&mut store, &module, &[nothing.into()]).unwrap();
                let f = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
                assert_eq!(f.call(&mut store, ()).unwrap_err().trap(), Some(mode.trap()), "{name}");
            }
        }
    });
}
