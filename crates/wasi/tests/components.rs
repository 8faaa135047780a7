//! Components by others, run with WASI 0.2.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use dunlin_component::{Component, Instance, Linker};
use dunlin_engine::{Engine, Error, Store};
use dunlin_wasi::host::{Output, OutputPipe};
use dunlin_wasi::{WasiCtx, WasiCtxBuilder, p2};

/// A component of jco's tests.
fn fixture(path: &str) -> Option<Vec<u8>> {
    let suites = PathBuf::from(std::env::var_os("DUNLIN_SUITES")?);
    Some(std::fs::read(suites.join("jco-components").join(path)).unwrap())
}

/// What a call came to.
struct Ran<R> {
    result: Result<R, Error>,
    stdout: String,
    stderr: String,
}

/// Calls a component.
fn run<R>(
    bytes: &[u8],
    builder: WasiCtxBuilder,
    call: impl FnOnce(&Instance, &mut Store<WasiCtx>) -> Result<R, Error>,
) -> Ran<R> {
    let (out, err) = (OutputPipe::new(1 << 20), OutputPipe::new(1 << 20));
    let ctx = builder.stdout(Output::pipe(out.clone())).stderr(Output::pipe(err.clone()));
    let engine = Engine::default();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker = Linker::<WasiCtx>::new(&engine);
    p2::add_to_linker(&mut linker, |ctx| ctx).unwrap();
    let mut store = Store::new(&engine, ctx.build().unwrap());
    let instance = linker.instantiate(&mut store, &component);
    let result = instance.and_then(|instance| call(&instance, &mut store));
    let text = |pipe: &OutputPipe| String::from_utf8(pipe.contents()).unwrap();
    Ran { result, stdout: text(&out), stderr: text(&err) }
}

#[test]
fn hello() {
    let Some(bytes) = fixture("components-p2/hello_stdout.component.wasm") else { return };
    let ran = run(&bytes, WasiCtx::builder(), |instance, store| {
        let run = instance.get_typed_func_in::<(), Result<(), ()>>("wasi:cli/run@0.2.0", "run")?;
        run.call(store, ())
    });
    assert_eq!(ran.result.unwrap(), Ok(()));
    assert_eq!(
        (&*ran.stdout, &*ran.stderr),
        ("writing to stdout: hello, world\n", "writing to stderr: hello, world\n")
    );
}

#[test]
fn standard_output_of_a_composition() {
    let Some(bytes) = fixture("components-p2/stdio.composed.wasm") else { return };
    let ran = run(&bytes, WasiCtx::builder(), |instance, store| {
        instance.get_typed_func::<(), ()>("test-stdio")?.call(store, ())
    });
    ran.result.unwrap();
    assert_eq!((&*ran.stdout, &*ran.stderr), ("Hello world\n", ""));
}

#[test]
fn an_environment_fixed_within_is_all_there_is() {
    let Some(bytes) = fixture("components-p2/env-allow.composed.wasm") else { return };
    let builder = WasiCtx::builder().env("CUSTOM", "VAL").env("PUBLIC", "a").env("SECRET", "s");
    let ran = run(&bytes, builder, |instance, store| {
        let get = instance.get_typed_func::<(), Vec<(String, String)>>("test-get-env")?;
        get.call(store, ())
    });
    assert_eq!(ran.result.unwrap(), [("CUSTOM".to_owned(), "VAL".to_owned())]);
}
