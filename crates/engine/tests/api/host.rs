//! Host functions: every arity, every type, errors, and calls back into guests.

use dunlin_engine::{
    Caller, Engine, Error, ErrorKind, Extern, ExternRef, Func, FuncType, Instance, Result, Store,
    Trap, Val, ValType,
};

use crate::{check_snapshot, engines, module};

/// A guest function that hands its parameters to `func` and its results back.
pub(crate) fn forward<T>(store: &mut Store<T>, func: Func) -> Func {
    let ty = func.ty(&*store);
    let list = |word: &str, types: &[ValType]| {
        let types: String = types.iter().map(|ty| format!(" {ty}")).collect();
        if types.is_empty() { types } else { format!("({word}{types})") }
    };
    let signature = list("param", &ty.params) + &list("result", &ty.results);
    let arguments: String = (0..ty.params.len()).map(|i| format!("(local.get {i})")).collect();
    let wat = format!(
        r#"(module
             (import "host" "f" (func $f {signature}))
             (func (export "f") {signature} (call $f {arguments})))"#
    );
    let module = module(&store.engine().clone(), &wat);
    let instance = Instance::new(&mut *store, &module, &[func.into()]).unwrap();
    instance.get_func(store, "f").unwrap()
}

/// Values that differ in all their bytes and from one another.
trait Sample {
    fn sample(at: u64) -> Self;
}

fn pattern(at: u64) -> u64 {
    (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

macro_rules! samples {
    ($($ty:ty = $at:ident => $value:expr;)*) => {$(
        impl Sample for $ty {
            fn sample($at: u64) -> $ty {
                $value
            }
        }
    )*};
}

samples! {
    i32 = at => (pattern(at) as i32).wrapping_neg();
    u32 = at => pattern(at) as u32;
    i64 = at => (pattern(at) as i64).wrapping_neg();
    u64 = at => pattern(at);
    f32 = at => -1.5 * at as f32;
    f64 = at => 1e100 * at as f64;
    u128 = at => pattern(at) as u128 | (pattern(at + 100) as u128) << 64;
}

/// Calls closures with these parameters through a guest: one that returns them, one that also
/// takes a caller and returns a result.
macro_rules! round_trip {
    ($($name:ident $ty:ident),*) => {{
        for engine in engines() {
            let mut store = Store::new(&engine, 0u32);
            let plain = Func::wrap(&mut store, |$($name: $ty),*| ($($name,)*));
            let caller = Func::wrap(
                &mut store,
                |mut caller: Caller<'_, u32>, $($name: $ty),*| -> Result<($($ty,)*)> {
                    *caller.data_mut() += 1;
                    Ok(($($name,)*))
                },
            );
            for func in [plain, caller, forward(&mut store, plain), forward(&mut store, caller)] {
                let typed = func.typed::<($($ty,)*), ($($ty,)*)>(&store).unwrap();
                #[allow(unused_assignments, reason = "none are read without parameters")]
                let mut at = 0;
                let values = ($({ at += 1; <$ty>::sample(at) },)*);
                let ($($name,)*) = typed.call(&mut store, values).unwrap();
                at = 0;
                $(at += 1; assert_eq!($name, <$ty>::sample(at), "parameter {at}");)*
                assert_eq!(at, func.ty(&store).params.len() as u64);
            }
            assert_eq!(store.into_data(), 2);
        }
    }};
}

#[test]
fn closures_of_every_arity_are_called_with_their_parameters() {
    round_trip!();
    round_trip!(a i32);
    round_trip!(a i64, b f32);
    round_trip!(a u128, b i32, c u128);
    round_trip!(a f64, b u64, c u32, d f32);
    round_trip!(a i32, b i64, c f32, d f64, e u128);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32, g u64);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128);
    round_trip!(a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64);
    round_trip!(
        a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64, l f64
    );
    round_trip!(
        a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64, l f64,
        m u32
    );
    round_trip!(
        a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64, l f64,
        m u32, n u128
    );
    round_trip!(
        a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64, l f64,
        m u32, n u128, o i32
    );
    round_trip!(
        a i32, b i64, c f32, d f64, e u128, f u32, g u64, h i32, i f32, j u128, k i64, l f64,
        m u32, n u128, o i32, p u64
    );
    round_trip!(
        a u128, b u128, c u128, d u128, e u128, f u128, g u128, h u128, i u128, j u128, k u128,
        l u128, m u128, n u128, o u128, p u128
    );
}

#[test]
fn closures_return_one_value_or_nothing() {
    let mut store = Store::new(&Engine::default(), ());
    let funcs = [
        Func::wrap(&mut store, || ()),
        Func::wrap(&mut store, || -> Result<()> { Ok(()) }),
        Func::wrap(&mut store, || 1.5f32),
        Func::wrap(&mut store, || -> Result<u128> { Ok(3) }),
        Func::wrap(&mut store, || (1i32,)),
    ];
    let types = funcs.map(|f| f.ty(&store).to_string());
    assert_eq!(
        types,
        ["(func)", "(func)", "(func (result f32))", "(func (result v128))", "(func (result i32))"]
    );
    let mut results = [Val::I32(0)];
    for (func, expected) in
        funcs.iter().zip([None, None, Some(Val::from(1.5f32)), Some(Val::V128(3)), Some(1.into())])
    {
        let room = usize::from(expected.is_some());
        for func in [*func, forward(&mut store, *func)] {
            func.call(&mut store, &[], &mut results[..room]).unwrap();
            assert_eq!(results[..room].first(), expected.as_ref());
        }
    }
}

#[test]
fn nans_keep_their_bits() {
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, |a: f32, b: f64| (a, b));
    let f = forward(&mut store, f);
    let nans = [Val::F32(0xffa1_2345), Val::F64(0x7ff4_0000_dead_beef)];
    let mut results = [const { Val::I32(0) }; 2];
    f.call(&mut store, &nans, &mut results).unwrap();
    assert_eq!(results, nans);
}

#[test]
fn references_go_through_guests() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let f = Func::wrap(
            &mut store,
            |a: Option<Func>, b: Option<ExternRef>| -> (Option<Func>, Option<ExternRef>) { (a, b) },
        );
        let through = forward(&mut store, f);
        type Refs = (Option<Func>, Option<ExternRef>);
        let typed = through.typed::<Refs, Refs>(&store).unwrap();
        let item = ExternRef::new(&mut store, String::from("thing")).unwrap();
        for values in [(None, None), (Some(f), Some(item.clone())), (Some(through), None)] {
            assert_eq!(typed.call(&mut store, values.clone()).unwrap(), values);
        }
        let data = item.data(&store).unwrap();
        assert_eq!(data.unwrap().downcast_ref::<String>().unwrap(), "thing");
    }
}

#[test]
fn references_that_cannot_be_null_have_their_own_types() {
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, |f: Func, e: ExternRef| (e, f));
    let ty = "(func (param (ref func) (ref extern)) (result (ref extern) (ref func)))";
    assert_eq!(f.ty(&store).to_string(), ty);
    let item = ExternRef::new(&mut store, 1).unwrap();
    let typed = f.typed::<(Func, ExternRef), (ExternRef, Func)>(&store).unwrap();
    assert_eq!(typed.call(&mut store, (f, item.clone())).unwrap(), (item.clone(), f));
    // A result that is never null is one that may be null.
    f.typed::<(Func, ExternRef), (Option<ExternRef>, Option<Func>)>(&store).unwrap();
    f.typed::<(Option<Func>, ExternRef), (ExternRef, Func)>(&store).unwrap_err();
    let error =
        f.call(&mut store, &[Val::FuncRef(None), item.into()], &mut [Val::I32(0), Val::I32(0)]);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Misuse);
}

#[test]
fn a_thousand_parameters_and_results() {
    const COUNT: usize = 1000;
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let types: Vec<_> = (0..COUNT)
            .map(|i| [ValType::I32, ValType::V128, ValType::F64, ValType::EXTERNREF][i % 4])
            .collect();
        let ty = FuncType::new(types.iter().copied(), types.iter().rev().cloned());
        let func = Func::new(&mut store, ty, |_, params, results| {
            for (result, param) in results.iter_mut().rev().zip(params) {
                *result = param.clone();
            }
            Ok(())
        });
        let item = ExternRef::new(&mut store, ()).unwrap();
        let params: Vec<_> = (0..COUNT)
            .map(|i| match i % 4 {
                0 => Val::I32(pattern(i as u64) as i32),
                1 => Val::V128(u128::sample(i as u64)),
                2 => Val::F64(pattern(i as u64)),
                _ => Val::ExternRef(Some(item.clone()).filter(|_| i % 8 == 3)),
            })
            .collect();
        let reversed: Vec<_> = params.iter().rev().cloned().collect();
        for func in [func, forward(&mut store, func)] {
            let mut results = vec![Val::I32(0); COUNT];
            func.call(&mut store, &params, &mut results).unwrap();
            assert!(results == reversed);
        }
    }
}

#[test]
fn results_of_untyped_closures_are_checked() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = FuncType::new([], [ValType::I32, ValType::I64]);
    let wrong = Func::new(&mut store, ty.clone(), |_, _, results| {
        results[1] = Val::I32(1);
        Ok(())
    });
    let error = wrong.call(&mut store, &[], &mut [const { Val::I32(0) }; 2]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    check_snapshot("host_result_type", error);
    let untouched = Func::new(&mut store, ty, |_, _, _| Ok(()));
    let mut results = [const { Val::F32(9) }; 2];
    untouched.call(&mut store, &[], &mut results).unwrap();
    assert_eq!(results, [Val::I32(0), Val::I64(0)]);
}

#[derive(Debug, PartialEq)]
struct Refused(u32);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "refused with {}", self.0)
    }
}

impl std::error::Error for Refused {}

#[test]
fn errors_pass_through_guests_untouched() {
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, |code: u32| -> Result<()> { Err(Refused(code).into()) });
    let once = forward(&mut store, f);
    let again = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, code: u32| {
        once.typed::<u32, ()>(&caller)?.call(&mut caller, code)
    });
    let twice = forward(&mut store, again);
    for func in [f, once, twice] {
        let error = func.typed::<u32, ()>(&store).unwrap().call(&mut store, 7).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host);
        assert_eq!(error.downcast_ref(), Some(&Refused(7)));
        assert_eq!(error.trap(), None);
        assert_eq!(error.to_string(), "refused with 7");
        assert!(error.is::<Refused>() && !error.is::<std::fmt::Error>());
        assert_eq!(error.downcast::<Refused>().unwrap(), Refused(7));
    }
    let error = twice.typed::<u32, ()>(&store).unwrap().call(&mut store, 7).unwrap_err();
    assert_eq!(error.backtrace().unwrap().frames.len(), 2, "{error:?}");
}

#[test]
fn question_marks_work_on_standard_errors_and_ours() {
    let mut store = Store::new(&Engine::default(), ());
    let parse = Func::wrap(&mut store, |ok: u32| -> Result<u32> {
        let number: u32 = if ok == 1 { "12" } else { "x" }.parse()?;
        if ok == 2 {
            return Err(Error::msg("two"));
        }
        Ok(number)
    });
    let parse = parse.typed::<u32, u32>(&store).unwrap();
    assert_eq!(parse.call(&mut store, 1).unwrap(), 12);
    assert!(parse.call(&mut store, 0).unwrap_err().is::<std::num::ParseIntError>());
}

#[test]
fn a_host_function_may_trap() {
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, || -> Result<()> { Err(Trap::Unreachable.into()) });
    let f = forward(&mut store, f);
    let error = f.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Trap);
    assert_eq!(error.trap(), Some(Trap::Unreachable));
}

#[test]
fn the_caller_shows_the_instance_that_called() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let read = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<u32> {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            return Ok(0);
        };
        assert!(caller.get_export("nothing").is_none());
        let mut bytes = [0; 4];
        memory.read(&caller, 8, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    });
    for number in ["\\2a\\00\\00\\00", "\\07\\01\\00\\00"] {
        let module = module(
            &engine,
            &format!(
                r#"(module
                     (import "" "" (func $read (result i32)))
                     (memory (export "memory") 1)
                     (data (i32.const 8) "{number}")
                     (func (export "f") (result i32) (call $read)))"#
            ),
        );
        let instance = Instance::new(&mut store, &module, &[read.into()]).unwrap();
        let f = instance.get_typed_func::<(), u32>(&mut store, "f").unwrap();
        let expected = if number.contains("2a") { 42 } else { 263 };
        assert_eq!(f.call(&mut store, ()).unwrap(), expected);
    }
    let direct = read.typed::<(), u32>(&store).unwrap();
    assert_eq!(direct.call(&mut store, ()).unwrap(), 0, "the host has no exports");
}

#[test]
fn guests_and_host_call_one_another_in_turn() {
    for engine in engines() {
        let mut store = Store::new(&engine, Vec::<u32>::new());
        let module = module(
            &engine,
            r#"(module
                 (import "" "" (func $down (param i32) (result i32)))
                 (memory (export "memory") 1)
                 (func (export "f") (param i32) (result i32)
                   (local i64)
                   (local.set 1 (i64.const 77))
                   (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
                   (i32.add
                     (i32.mul (i32.const 3) (call $down (i32.sub (local.get 0) (i32.const 1))))
                     (i32.wrap_i64 (i64.sub (local.get 1) (i64.const 77))))))"#,
        );
        let down =
            Func::wrap(&mut store, |mut caller: Caller<'_, Vec<u32>>, n: u32| -> Result<u32> {
                caller.data_mut().push(n);
                let f = caller.get_export("f").and_then(Extern::into_func).unwrap();
                f.typed::<u32, u32>(&caller)?.call(&mut caller, n)
            });
        let instance = Instance::new(&mut store, &module, &[down.into()]).unwrap();
        let f = instance.get_typed_func::<u32, u32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, 9).unwrap(), 3u32.pow(9));
        assert_eq!(store.into_data(), (0..9).rev().collect::<Vec<_>>());
    }
}

#[test]
fn endless_turns_end_in_stack_overflow() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0u32);
    let module =
        module(&engine, r#"(module (import "" "" (func $h)) (func (export "f") (call $h)))"#);
    let again = Func::wrap(&mut store, |mut caller: Caller<'_, u32>| -> Result<()> {
        *caller.data_mut() += 1;
        let f = caller.get_export("f").and_then(Extern::into_func).unwrap();
        f.call(&mut caller, &[], &mut [])
    });
    let instance = Instance::new(&mut store, &module, &[again.into()]).unwrap();
    let f = instance.get_func(&mut store, "f").unwrap();
    let error = f.call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    assert!(*store.data() > 4, "{}", store.data());
    // The store still works.
    f.call(&mut store, &[], &mut []).unwrap_err();
}

#[test]
fn a_host_function_can_make_functions_memories_and_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let inner = module(&engine, r#"(module (func (export "g") (result i32) (i32.const 5)))"#);
    let make = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> Result<Option<Func>> {
        let instance = Instance::new(&mut caller, &inner, &[])?;
        Ok(instance.get_func(&mut caller, "g"))
    });
    let make = forward(&mut store, make).typed::<(), Option<Func>>(&store).unwrap();
    let made = make.call(&mut store, ()).unwrap().unwrap();
    assert_eq!(made.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 5);
}
