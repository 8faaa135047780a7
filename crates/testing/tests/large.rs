//! Functions of sizes at which encodings change, up to the limits that engines agreed on.

use std::fmt::Write;

use dunlin_engine::{Engine, Func, FuncType, Instance, Module, Store, Trap, Val, ValType};
use dunlin_script::wat_to_wasm;
use dunlin_testing::matrix::configurations;

/// Runs `check` on an instance of the module in every configuration, on a small native stack.
#[track_caller]
fn run(text: &str, check: impl Fn(&mut Store<()>, &Instance) + Sync) {
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    for configuration in configurations() {
        let check = || {
            let engine = Engine::new(&configuration.config).expect("the configuration works");
            let module = Module::new(&engine, &wasm).expect("the module is valid");
            let mut store = Store::new(&engine, ());
            if configuration.config.execution.fuel {
                store.set_fuel(u64::MAX).expect("fuel is counted");
            }
            let instance = Instance::new(&mut store, &module, &[]).expect("nothing is imported");
            check(&mut store, &instance);
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(256 << 10);
            let thread = thread.spawn_scoped(scope, check).expect("a test can have threads");
            if thread.join().is_err() {
                panic!("in configuration {}", configuration.name);
            }
        });
    }
}

#[track_caller]
fn call(store: &mut Store<()>, instance: &Instance, name: &str, arguments: &[Val]) -> Vec<Val> {
    match try_call(store, instance, name, arguments) {
        Ok(results) => results,
        Err(trap) => panic!("`{name}`: {trap}"),
    }
}

#[track_caller]
fn try_call(
    store: &mut Store<()>,
    instance: &Instance,
    name: &str,
    arguments: &[Val],
) -> Result<Vec<Val>, Trap> {
    let func = instance.get_func(&mut *store, name).expect("it is exported");
    let mut results = vec![Val::I32(0); func.ty(&*store).results.len()];
    match func.call(&mut *store, arguments, &mut results) {
        Ok(()) => Ok(results),
        Err(error) => Err(error.trap().unwrap_or_else(|| panic!("`{name}`: {error}"))),
    }
}

/// The largest number of targets, each another one; all are tried, and those beyond the last.
#[test]
fn branch_table_with_65520_targets() {
    const TARGETS: usize = 65_520;
    let mut text = String::from("(module (func $pick (param i32) (result i32)\n");
    text += &"(block ".repeat(TARGETS + 1);
    text += "(br_table";
    for target in 0..=TARGETS {
        let _ = write!(text, " {target}");
    }
    text += " (local.get 0))";
    for target in 0..TARGETS {
        let _ = writeln!(text, ") (return (i32.const {target}))");
    }
    let _ = write!(
        text,
        ") (i32.const {TARGETS}))
         (func (export \"sweep\") (param $i i32) (param $end i32) (result i32)
           (loop
             (if (i32.ne
                 (call $pick (local.get $i))
                 (select (local.get $i) (i32.const {TARGETS})
                   (i32.lt_u (local.get $i) (i32.const {TARGETS}))))
               (then (return (local.get $i))))
             (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if 0 (i32.ne (local.get $i) (local.get $end))))
           (i32.const -1)))"
    );
    run(&text, |store, instance| {
        for (start, end) in [(0, 65_600), (i32::MAX - 3, i32::MIN + 3), (-3, 3)] {
            let wrong = call(store, instance, "sweep", &[Val::I32(start), Val::I32(end)]);
            assert_eq!(wrong, [Val::I32(-1)]);
        }
    });
}

/// Sixteen values of mixed width carried to one of many blocks.
#[test]
fn branch_table_with_values() {
    const TARGETS: usize = 2000;
    let types = "i32 i64 v128 f32 f64 i32 v128 i64 i32 i32 f64 f32 i64 v128 i32 i64";
    let mut text = format!(
        "(module (func (export \"pick\") (param i32) (result {types} i32)\n(local $ends i32)\n"
    );
    text += &format!("(block (result {types}) ").repeat(TARGETS + 1);
    for (i, ty) in types.split(' ').enumerate() {
        let _ = match ty {
            "v128" => write!(text, "(v128.const i64x2 {i} {})", i + 100),
            ty => write!(text, "({ty}.const {i})"),
        };
    }
    text += "(br_table";
    for target in 0..=TARGETS {
        let _ = write!(text, " {target}");
    }
    text += " (local.get 0))";
    for _ in 0..TARGETS {
        text += ")(local.set $ends (i32.add (local.get $ends) (i32.const 1)))\n";
    }
    text += ") (local.get $ends)))\n";
    run(&text, |store, instance| {
        for index in [0, 1, 999, 1999, 2000, -1] {
            let results = call(store, instance, "pick", &[Val::I32(index)]);
            let passed = if index < 0 { 0 } else { TARGETS as i32 - index };
            assert_eq!(results[16], Val::I32(passed));
            for (i, result) in results[..16].iter().enumerate() {
                match result {
                    Val::I32(value) => assert_eq!(*value, i as i32),
                    Val::I64(value) => assert_eq!(*value, i as i64),
                    Val::F32(bits) => assert_eq!(f32::from_bits(*bits), i as f32),
                    Val::F64(bits) => assert_eq!(f64::from_bits(*bits), i as f64),
                    Val::V128(value) => assert_eq!(*value, (i as u128 + 100) << 64 | i as u128),
                    other => panic!("{other:?}"),
                }
            }
        }
    });
}

/// More operands at once than 16 bits can number.
#[test]
fn deep_operand_stack() {
    const DEPTH: u64 = 70_000;
    let mut text = String::from("(module (func (export \"sum\") (param i64) (result i64)\n");
    for i in 0..DEPTH {
        // Locals that are read and overwritten, constants, and results in turn.
        let _ = match i % 3 {
            0 => writeln!(text, "(local.get 0)"),
            1 => writeln!(text, "(i64.const {i})"),
            _ => writeln!(text, "(local.tee 0 (i64.add (local.get 0) (i64.const 1)))"),
        };
    }
    text += &"i64.add ".repeat(DEPTH as usize - 1);
    text += ")\n(func (export \"vectors\") (param v128) (result v128)\n";
    text += &"(i64x2.add (local.get 0) (v128.const i64x2 1 2))\n".repeat(40_000);
    text += &"i64x2.sub ".repeat(39_999);
    text += "))";
    let mut local = 5u64;
    let mut sum = 0u64;
    for i in 0..DEPTH {
        local += u64::from(i % 3 == 2);
        sum += if i % 3 == 1 { i } else { local };
    }
    run(&text, |store, instance| {
        assert_eq!(call(store, instance, "sum", &[Val::I64(5)]), [Val::I64(sum as i64)]);
        let argument = Val::V128(10 << 64 | 20);
        assert_eq!(call(store, instance, "vectors", &[argument]), [Val::V128(0)]);
    });
}

/// About as many locals as there may be, each of two slots, and calls from such a function.
#[test]
fn many_locals() {
    const LAST: usize = 49_990;
    let vectors = "v128 ".repeat(LAST);
    let text = format!(
        "(module (memory 1)
           (func $callee (param i32 v128) (result v128 i32)
             (local.get 1) (i32.add (local.get 0) (i32.const 1)))
           (func (export \"far\") (param i32) (result v128 i32 i64)
             (local {vectors}) (local $i i32) (local $l i64) (local $f f64)
             (local.set $i (i32.mul (local.get 0) (i32.const 3)))
             (local.set $l (i64.extend_i32_s (local.get $i)))
             (local.set $f (f64.convert_i64_s (local.get $l)))
             (local.set {LAST} (i32x4.splat (local.get $i)))
             (local.set 1 (local.get {LAST}))
             (i32.store (local.get $i) (i32.add (local.get $i) (i32.const 1)))
             (local.set $i (i32.load (local.get $i)))
             (local.set $l (select (local.get $l) (i64.const -1) (local.get $i)))
             (if (f64.lt (local.get $f) (f64.const 4)) (then (local.set $l (i64.const -2))))
             (call $callee (local.get $i) (i32x4.add (local.get 1) (local.get {LAST})))
             (loop
               (local.set $l (i64.add (local.get $l) (i64.const 1)))
               (br_if 0 (i64.lt_u (local.get $l) (i64.const 100))))
             (local.get $l))
           (func $nested (export \"nested\") (param i32) (result i32)
             (local {vectors}) (local $i i32)
             (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
             (local.set $i (local.get 0))
             (i32.add (call $nested (i32.sub (local.get $i) (i32.const 1))) (local.get $i))))"
    );
    run(&text, |store, instance| {
        let results = call(store, instance, "far", &[Val::I32(7)]);
        let lanes = 0x0000_002a_0000_002a_0000_002a_0000_002a_u128;
        assert_eq!(results, [Val::V128(lanes), Val::I32(23), Val::I64(100)]);
        assert_eq!(call(store, instance, "nested", &[Val::I32(5)]), [Val::I32(15)]);
        let trap = try_call(store, instance, "nested", &[Val::I32(1_000)]);
        assert_eq!(trap, Err(Trap::StackOverflow));
        assert_eq!(call(store, instance, "nested", &[Val::I32(3)]), [Val::I32(6)]);
    });
}

/// A thousand parameters and results: called directly, through a table, at the tail, and by and
/// from the host.
#[test]
fn thousand_parameters_and_results() {
    let types: Vec<&str> = (0..1000).map(|i| ["i32", "i64", "f64", "v128"][i % 4]).collect();
    let types = types.join(" ");
    let mut gets = String::new();
    for i in (0..1000).rev() {
        let _ = write!(gets, "(local.get {i})");
    }
    let forward: String = (0..1000).map(|i| format!("(local.get {i})")).collect();
    let reversed = types.split(' ').rev().collect::<Vec<_>>().join(" ");
    let text = format!(
        "(module
           (type $t (func (param {types}) (result {reversed})))
           (table funcref (elem $reverse))
           (func $reverse (export \"reverse\") (type $t) {gets})
           (func (export \"direct\") (type $t) (call $reverse {forward}))
           (func (export \"indirect\") (type $t)
             (call_indirect (type $t) {forward} (i32.const 0)))
           (func (export \"tail\") (type $t) (return_call $reverse {forward}))
           (func (export \"tail-indirect\") (type $t)
             (return_call_indirect (type $t) {forward} (i32.const 0)))
           (func (export \"block\") (type $t)
             {forward} (block (type $t) (call $reverse)) (return)))"
    );
    let arguments: Vec<Val> = (0..1000u32)
        .map(|i| match i % 4 {
            0 => Val::I32(i as i32),
            1 => Val::I64(-i64::from(i)),
            2 => Val::F64(f64::from(i).to_bits()),
            _ => Val::V128(u128::from(i) << 64 | u128::from(i)),
        })
        .collect();
    let expected: Vec<Val> = arguments.iter().rev().cloned().collect();
    run(&text, |store, instance| {
        for name in ["reverse", "direct", "indirect", "tail", "tail-indirect", "block"] {
            assert_eq!(call(store, instance, name, &arguments), expected, "{name}");
        }
    });
}

/// The host is called with a thousand parameters, and gives a thousand results.
#[test]
fn thousand_parameters_of_a_host_function() {
    let types = "i64 ".repeat(1000);
    let forward: String = (0..1000).map(|i| format!("(local.get {i})")).collect();
    let text = format!(
        "(module
           (type $t (func (param {types}) (result {types})))
           (import \"host\" \"f\" (func $f (type $t)))
           (func (export \"through\") (type $t) (call $f {forward}))
           (func (export \"tail\") (type $t) (return_call $f {forward})))"
    );
    let wasm = wat_to_wasm(&text, None).expect("the text is well-formed");
    for configuration in configurations() {
        let engine = Engine::new(&configuration.config).expect("the configuration works");
        let module = Module::new(&engine, &wasm).expect("the module is valid");
        let mut store = Store::new(&engine, ());
        if configuration.config.execution.fuel {
            store.set_fuel(u64::MAX).expect("fuel is counted");
        }
        let ty = FuncType::new([ValType::I64; 1000], [ValType::I64; 1000]);
        let host = Func::new(&mut store, ty, |_, arguments, results| {
            for (argument, result) in arguments.iter().zip(results.iter_mut().rev()) {
                *result = Val::I64(argument.unwrap_i64() + 1);
            }
            Ok(())
        });
        let instance = Instance::new(&mut store, &module, &[host.into()]).expect("it links");
        let arguments: Vec<Val> = (0..1000).map(Val::I64).collect();
        let expected: Vec<Val> = (0..1000).rev().map(|i| Val::I64(i + 1)).collect();
        for name in ["through", "tail"] {
            assert_eq!(call(&mut store, &instance, name, &arguments), expected, "{name}");
        }
    }
}

/// A chain of tail calls through every number of arguments from 0 to 999, with a trap at the end.
#[test]
fn tail_calls_with_every_argument_count() {
    let mut text = String::from("(module (global $steps (mut i32) (i32.const 0))\n");
    // Up in odd numbers and down in even ones: 1, 3, …, 999, 998, 996, …, 0.
    let order: Vec<usize> = (1..1000).step_by(2).chain((0..999).rev().step_by(2)).collect();
    for (at, &count) in order.iter().enumerate() {
        let params = "i64 ".repeat(count);
        let _ = write!(text, "(func $f{count} (param {params}) (result i64)");
        text += "(global.set $steps (i32.add (global.get $steps) (i32.const 1)))";
        match order.get(at + 1) {
            None => text += "(unreachable))\n",
            Some(next) => {
                let _ = write!(text, "(return_call $f{next}");
                for i in 0..*next {
                    // The last argument comes first; what there is more becomes new.
                    let _ = match i < count {
                        true => write!(text, "(local.get {})", count - 1 - i),
                        false => write!(text, "(i64.const {i})"),
                    };
                }
                text += "))\n";
            }
        }
    }
    text += "(func (export \"run\") (result i64) (i64.add (call $f1 (i64.const 1)) (i64.const 1)))
             (func (export \"steps\") (result i32) (global.get $steps)))";
    run(&text, |store, instance| {
        assert_eq!(try_call(store, instance, "run", &[]), Err(Trap::Unreachable));
        assert_eq!(call(store, instance, "steps", &[]), [Val::I32(1000)]);
    });
}

/// Blocks inside blocks, as deep as nobody writes them.
#[test]
fn deep_nesting() {
    const DEPTH: usize = 100_000;
    let text = format!(
        "(module
           (func (export \"blocks\") (param i32) (result i32)
             {blocks} (br_if {out} (local.get 0)) {ends} (i32.const 1))
           (func (export \"loops\") (result i32) (local i32)
             {loops} (local.set 0 (i32.add (local.get 0) (i32.const 1))) {ends} (local.get 0))
           (func (export \"ifs\") (param i32) (result i32) (local i32)
             {ifs} (local.set 1 (i32.const 9)) {ends} (local.get 1))
           (func (export \"results\") (param i32) (result i32)
             {results} (br_if {out} (i32.const 7) (local.get 0)) {ends}))",
        out = DEPTH - 1,
        blocks = "block ".repeat(DEPTH),
        loops = "loop ".repeat(DEPTH),
        ifs = "local.get 0 if ".repeat(DEPTH),
        results = "block (result i32) ".repeat(DEPTH),
        ends = "end ".repeat(DEPTH),
    );
    run(&text, |store, instance| {
        assert_eq!(call(store, instance, "blocks", &[Val::I32(0)]), [Val::I32(1)]);
        assert_eq!(call(store, instance, "blocks", &[Val::I32(1)]), [Val::I32(1)]);
        assert_eq!(call(store, instance, "loops", &[]), [Val::I32(1)]);
        assert_eq!(call(store, instance, "ifs", &[Val::I32(1)]), [Val::I32(9)]);
        assert_eq!(call(store, instance, "ifs", &[Val::I32(0)]), [Val::I32(0)]);
        assert_eq!(call(store, instance, "results", &[Val::I32(1)]), [Val::I32(7)]);
        assert_eq!(call(store, instance, "results", &[Val::I32(0)]), [Val::I32(7)]);
    });
}
