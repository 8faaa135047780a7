//! Every instruction whose NaN the specification leaves open gives the canonical one in the
//! deterministic form of every configuration.

use dunlin_engine::{Engine, Instance, Module, Store};
use dunlin_script::wat_to_wasm;
use dunlin_testing::matrix::configurations;

/// An instruction that is given NaNs of neither the canonical sign nor payload: its bits as an `i64`.
fn expression(name: &str, operands: usize) -> String {
    let (from, nan) = match name {
        "f32.demote_f64" => ("", "(f64.reinterpret_i64 (i64.const 0xfff4123456789abc))"),
        "f64.promote_f32" => ("", "(f32.reinterpret_i32 (i32.const 0xffa12345))"),
        "f32x4.demote_f64x2_zero" => {
            ("", "(v128.const i64x2 0xfff4123456789abc 0xfff4123456789abc)")
        }
        "f64x2.promote_low_f32x4" => {
            ("", "(v128.const i32x4 0xffa12345 0xffa12345 0xffa12345 0xffa12345)")
        }
        _ => name.split_once('.').unwrap_or_default(),
    };
    let nan = match from {
        "f32" => "(f32.reinterpret_i32 (i32.const 0xffa12345))",
        "f64" => "(f64.reinterpret_i64 (i64.const 0xfff4123456789abc))",
        "f32x4" => "(v128.const i32x4 0xffa12345 0xffa12345 0xffa12345 0xffa12345)",
        "f64x2" => "(v128.const i64x2 0xfff4123456789abc 0xfff4123456789abc)",
        _ => nan,
    };
    let applied = format!("({name} {})", nan.repeat(operands));
    match name.split('.').next() {
        Some("f32") => format!("(i64.extend_i32_u (i32.reinterpret_f32 {applied}))"),
        Some("f64") => format!("(i64.reinterpret_f64 {applied})"),
        _ => format!("(i64x2.extract_lane 0 {applied})"),
    }
}

#[test]
fn nans_are_canonical() {
    let mut cases = Vec::new();
    for (ty, want) in [
        ("f32", 0x7fc0_0000),
        ("f64", 0x7ff8 << 48),
        ("f32x4", 0x7fc0_0000_7fc0_0000),
        ("f64x2", 0x7ff8 << 48),
    ] {
        let mut add = |ops: &str, operands| {
            cases.extend(ops.split(' ').map(|op| (format!("{ty}.{op}"), operands, want)));
        };
        add("add sub mul div min max", 2);
        add("sqrt ceil floor trunc nearest", 1);
        match ty {
            "f32" => add("demote_f64", 1),
            "f64" => add("promote_f32", 1),
            "f32x4" => add("demote_f64x2_zero", 1),
            _ => add("promote_low_f32x4", 1),
        }
        if ty.contains('x') {
            add("relaxed_min relaxed_max", 2);
            add("relaxed_madd relaxed_nmadd", 3);
        }
    }
    let funcs = cases.iter().map(|(name, operands, _)| {
        format!("(func (export \"{name}\") (result i64) {})\n", expression(name, *operands))
    });
    let wasm = wat_to_wasm(&format!("(module {})", funcs.collect::<String>()), None).unwrap();
    for configuration in configurations() {
        let configuration = configuration.deterministic();
        let engine = Engine::new(&configuration.config).unwrap();
        let module = Module::new(&engine, &wasm).unwrap();
        let mut store = Store::new(&engine, ());
        if configuration.config.execution.fuel {
            store.set_fuel(u64::MAX).unwrap();
        }
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        for (name, _, want) in &cases {
            let f = instance.get_typed_func::<(), i64>(&mut store, name).unwrap();
            let got = f.call(&mut store, ()).unwrap();
            assert_eq!(got, *want, "{name} in {}: {got:#x}", configuration.name);
        }
    }
}
