//! Addresses and indices made in every way that could leave something in the upper half of a
//! register, and instructions on what has high numbers.

use std::fmt::Write;

use dunlin_engine::{Engine, ExternRef, Instance, Module, Store, Trap, Val};
use dunlin_script::wat_to_wasm;
use dunlin_testing::hostile::{Mode, modes};

use super::{ENOUGH, QUIET, on_small_stack};

/// Runs `check` on an instance of the module in every mode.
fn instances(text: &str, check: impl Fn(&mut Store<()>, &Instance, Mode) + Sync) {
    let _shared = QUIET.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let wasm = wat_to_wasm(text, None).expect("the text is well-formed");
    on_small_stack(|| {
        for mode in modes(ENOUGH.0, ENOUGH.1) {
            let engine = Engine::new(&mode.config()).unwrap();
            let module = Module::new(&engine, &wasm).unwrap();
            let mut store = Store::new(&engine, ());
            mode.limit(&mut store);
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            check(&mut store, &instance, mode);
        }
    });
}

/// Ways to make the `i32` of an `i64` whose upper half must not matter.
const WAYS: [&str; 9] = [
    "(i32.wrap_i64 (local.get $x))",
    "(i32.wrap_i64 (i64.add (i64.shl (local.get $x) (i64.const 0)) (i64.const -4294967296)))",
    "(i32.wrap_i64 (i64.or (local.get $x) (i64.const 0x7fff_ffff_0000_0000)))",
    "(i32.add (i32.wrap_i64 (local.get $x)) (i32.const 0))",
    "(i32.sub (i32.const 0) (i32.sub (i32.const 0) (i32.wrap_i64 (local.get $x))))",
    "(i32.rotl (i32.rotr (i32.wrap_i64 (local.get $x)) (i32.const 7)) (i32.const 7))",
    "(select (i32.wrap_i64 (local.get $x)) (i32.const -1) (i32.const 1))",
    "(block (result i32) (i32.wrap_i64 (local.get $x)) (br_if 0 (local.get $one)) (unreachable))",
    "(i32.xor (i32.const -1) (i32.xor (i32.wrap_i64 (local.get $x)) (i32.const -1)))",
];

#[test]
fn upper_halves_do_not_matter() {
    // Thirty other values are alive meanwhile, half of them in locals and half as operands.
    let mut text = String::from(
        r#"(module (memory 1) (table funcref (elem $zero $one)) (type $t (func (result i32)))
             (func $zero (result i32) (i32.const 1000)) (func $one (result i32) (i32.const 1001))
             (data (i32.const 0) "\2a\2b")"#,
    );
    let locals = format!("(local {})", "i64 ".repeat(15));
    let operands: String =
        (0..15).map(|i| format!("(i64.add (local.get $x) (i64.const {i}))")).collect();
    for (at, way) in WAYS.iter().enumerate() {
        for (name, instruction) in [
            ("load", format!("(i32.load8_u {way})")),
            ("call", format!("(call_indirect (type $t) {way})")),
            ("table", format!("(br_table 0 0 (i32.const 7) {way})")),
        ] {
            let _ = writeln!(
                text,
                r#"(func (export "{name}{at}") (param $x i64) (param $one i32) (result i32 i64)
                     {locals} (local $r i32)
                     {sets}
                     {operands}
                     (local.set $r (block (result i32) {instruction}))
                     {sums}
                     (local.set 2)
                     (local.get $r) (local.get 2))"#,
                sets = (2..17)
                    .map(|i| format!("(local.set {i} (i64.mul (local.get $x) (i64.const {i})))"))
                    .collect::<String>(),
                sums = (2..17)
                    .map(|i| format!("(i64.add (local.get {i})) (i64.add)"))
                    .collect::<String>()
                    .replacen("(i64.add)", "", 1),
            );
        }
    }
    text += ")";
    instances(&text, |store, instance, mode| {
        for (at, way) in WAYS.iter().enumerate() {
            for upper in [0, 1, -1, i64::from(i32::MIN), 0x7fff_ffff] {
                for low in [0u32, 1, 2, 65535, 65536, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
                    let x = upper << 32 | i64::from(low);
                    let mut call = |name: &str| {
                        let f = instance.get_func(&mut *store, &format!("{name}{at}")).unwrap();
                        let mut results = [Val::I32(0), Val::I64(0)];
                        f.call(&mut *store, &[Val::I64(x), Val::I32(1)], &mut results)
                            .map(|()| results)
                            .map_err(|error| error.trap().unwrap())
                    };
                    // The operands, and the locals: (0 + … + 14) + 15 x, (2 + … + 16) x.
                    let sum = 105i64.wrapping_add(x.wrapping_mul(15 + 135));
                    let what = || format!("{mode:?}: {way} of {x:#x}");
                    let values = |value| Ok([Val::I32(value), Val::I64(sum)]);
                    let loaded = match low {
                        0 | 1 => values(0x2a + low as i32),
                        2..=65535 => values(0),
                        _ => Err(Trap::MemoryOutOfBounds),
                    };
                    assert_eq!(call("load"), loaded, "{}", what());
                    let called = match low {
                        0 | 1 => values(1000 + low as i32),
                        _ => Err(Trap::UndefinedElement),
                    };
                    assert_eq!(call("call"), called, "{}", what());
                    assert_eq!(call("table"), values(7), "{}", what());
                }
            }
        }
    });
}

/// As many tables as 16 bits can name are one module's most; each instruction works on the last of
/// them, and not on one whose number is like it.
#[test]
fn tables_with_high_numbers() {
    let module = |others: usize| {
        let mut text = String::from(
            "(module (table $first 1 funcref) (elem (table 0) (i32.const 0) func $f)\n",
        );
        text += &"(table 1 externref)\n".repeat(others);
        text += r#"(table $last 4 externref)
          (func $f)
          (func (export "get") (result externref) (table.get $last (i32.const 3)))
          (func (export "set") (param externref) (table.set $last (i32.const 3) (local.get 0)))
          (func (export "size") (result i32) (table.size $last))
          (func (export "first") (result i32) (ref.is_null (table.get 0 (i32.const 0)))))"#;
        Module::new(&Engine::default(), wat_to_wasm(&text, None).expect("the text is well-formed"))
    };
    let error = module(65_535).unwrap_err().to_string();
    assert!(error.contains("module has 65537 tables, expected at most 65536"), "{error}");
    let module = module(65_534).expect("the module is valid");
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mine = Val::ExternRef(Some(ExternRef::new(&mut store, 7u32).unwrap()));
    let mut call = |name: &str, arguments: &[Val], results: &mut [Val]| {
        let f = instance.get_func(&mut store, name).unwrap();
        f.call(&mut store, arguments, results).unwrap();
    };
    call("set", &[mine], &mut []);
    let mut result = [Val::I32(9)];
    call("first", &[], &mut result);
    assert_eq!(result, [Val::I32(0)], "table 0 has its function still");
    call("size", &[], &mut result);
    assert_eq!(result, [Val::I32(4)]);
    let mut result = [Val::ExternRef(None)];
    call("get", &[], &mut result);
    assert!(matches!(result, [Val::ExternRef(Some(_))]));
}

/// Instructions that become one, on values in slots that need more than 16 bits.
#[test]
fn far_operands_of_fused_instructions() {
    let text = format!(
        r#"(module (memory 1)
          (func (export "f") (param f64 f64 f64) (result f64)
            (local {many}) (local $a f64) (local $b f64) (local $t f64)
            (local.set $a (local.get 0)) (local.set $b (local.get 1)) (local.set $t (local.get 2))
            (f64.add (local.get $t) (f64.mul (local.get $a) (local.get $b))))
          (func (export "less") (param i32 i32) (result i32)
            (local {many}) (local $a i32) (local $b i32)
            (local.set $a (local.get 0)) (local.set $b (local.get 1))
            (block (result i32)
              (i32.const 7) (br_if 0 (i32.lt_u (local.get $a) (local.get $b)))
              (drop) (i32.const 9)))
          (func (export "zero") (param i64 i32) (result i32)
            (local {many}) (local $a i64)
            (local.set $a (local.get 0))
            (if (result i32) (i64.eqz (local.get $a)) (then (i32.const 7)) (else (i32.const 9))))
          (func (export "pair") (param i64 i32) (result i32)
            (local {many}) (local $a i64)
            (local.set $a (local.get 0))
            (block (result i32 i32)
              (i32.const 4) (i32.const 3) (br_if 0 (i64.eqz (local.get $a)))
              (drop) (drop) (i32.const 5) (i32.const 4))
            (i32.add)))"#,
        many = "v128 ".repeat(40_000)
    );
    instances(&text, |store, instance, _| {
        let mut call = |name: &str, arguments: &[Val], expected: Val| {
            let f = instance.get_func(&mut *store, name).unwrap();
            let mut results = [expected.clone()];
            f.call(&mut *store, arguments, &mut results).unwrap();
            assert_eq!(results, [expected], "{name} of {arguments:?}");
        };
        let float = |x: f64| Val::F64(x.to_bits());
        call("f", &[float(3.0), float(5.0), float(100.0)], float(115.0));
        call("less", &[Val::I32(3), Val::I32(5)], Val::I32(7));
        call("less", &[Val::I32(5), Val::I32(3)], Val::I32(9));
        for (x, value, sum) in [(0, 7, 7), (1, 9, 9), (1 << 32, 9, 9)] {
            call("zero", &[Val::I64(x), Val::I32(0)], Val::I32(value));
            call("pair", &[Val::I64(x), Val::I32(0)], Val::I32(sum));
        }
    });
}
