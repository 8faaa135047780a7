//! Host functions of both sorts: typed by their closure, and typed at run time; and a guest's
//! function that the host calls back.

use dunlin::{Caller, Engine, Extern, Func, FuncType, Linker, Module, Result, Store, Val, ValType};

const GUEST: &str = r#"
    (module
      (import "math" "pow" (func $pow (param f64 f64) (result f64)))
      (import "math" "max" (func $max (param i32 i32 i32) (result i32)))
      (import "list" "each" (func $each (param funcref)))
      (elem declare func $add)
      (global $sum (export "sum") (mut i64) (i64.const 0))
      (func $add (param i64) (global.set $sum (i64.add (global.get $sum) (local.get 0))))
      (func (export "run") (result f64 i32)
        (call $each (ref.func $add))
        (call $pow (f64.const 2) (f64.const 0.5))
        (call $max (i32.const 3) (i32.const -9) (i32.const 8))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, wat::parse_str(GUEST)?)?;
    let mut linker = Linker::<Vec<i64>>::new(&engine);

    // The closure's parameters and result say what type the function has.
    linker.func_wrap("math", "pow", f64::powf)?;

    // Here the type is data: the same closure serves any number of parameters.
    let ty = FuncType::new([ValType::I32; 3], [ValType::I32]);
    linker.func_new("math", "max", ty, |_caller, params, results| {
        let max = params.iter().filter_map(Val::i32).max();
        results[0] = Val::from(max.unwrap_or(i32::MIN));
        Ok(())
    })?;

    // A function of the guest is a value like any other, and may be called from within a call.
    linker.func_wrap(
        "list",
        "each",
        |mut caller: Caller<'_, Vec<i64>>, f: Option<Func>| -> Result<()> {
            let f = f.ok_or(dunlin::Trap::NullReference)?.typed::<i64, ()>(&caller)?;
            for item in caller.data().clone() {
                f.call(&mut caller, item)?;
            }
            Ok(())
        },
    )?;

    let mut store = Store::new(&engine, vec![1, 20, 300]);
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<(), (f64, i32)>(&mut store, "run")?;
    let (root, max) = run.call(&mut store, ())?;
    let sum = instance.get_export(&mut store, "sum").and_then(Extern::into_global);
    let sum = sum.map(|sum| sum.get(&mut store));

    assert_eq!((root, max), (std::f64::consts::SQRT_2, 8));
    assert_eq!(sum, Some(Val::I64(321)));
    say(format_args!("√2 is {root}, the greatest is {max}, the sum is 321"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
