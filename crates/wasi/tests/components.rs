//! Components by others, run with WASI 0.2.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

use dunlin_component::{Component, Linker};
use dunlin_engine::{Engine, Error, Store};
use dunlin_wasi::host::{Input, Output, OutputPipe};
use dunlin_wasi::{WasiCtx, WasiCtxBuilder, p2};

/// A component of jco's tests.
fn fixture(path: &str) -> Option<Vec<u8>> {
    let suites = PathBuf::from(std::env::var_os("DUNLIN_SUITES")?);
    Some(std::fs::read(suites.join("jco-components").join(path)).unwrap())
}

/// What a run of a command came to.
struct Ran {
    result: Result<Result<(), ()>, Error>,
    stdout: String,
    stderr: String,
}

/// Runs `wasi:cli/run` of a component.
fn run(bytes: &[u8], builder: WasiCtxBuilder) -> Ran {
    let (out, err) = (OutputPipe::new(1 << 20), OutputPipe::new(1 << 20));
    let ctx = builder.stdout(Output::pipe(out.clone())).stderr(Output::pipe(err.clone()));
    let engine = Engine::default();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker = Linker::<WasiCtx>::new(&engine);
    p2::add_to_linker(&mut linker, |ctx| ctx).unwrap();
    let mut store = Store::new(&engine, ctx.build().unwrap());
    let mut run = || {
        let instance = linker.instantiate(&mut store, &component)?;
        let run = instance.get_typed_func_in::<(), Result<(), ()>>("wasi:cli/run@0.2.0", "run")?;
        run.call(&mut store, ())
    };
    let result = run();
    let text = |pipe: &OutputPipe| String::from_utf8(pipe.contents()).unwrap();
    Ran { result, stdout: text(&out), stderr: text(&err) }
}

#[test]
fn hello() {
    let Some(bytes) = fixture("components-p2/hello_stdout.component.wasm") else { return };
    let ran = run(&bytes, WasiCtx::builder());
    assert_eq!(ran.result.unwrap(), Ok(()));
    assert_eq!(
        (&*ran.stdout, &*ran.stderr),
        ("writing to stdout: hello, world\n", "writing to stderr: hello, world\n")
    );
}

#[test]
fn standard_streams_of_a_composition() {
    let Some(bytes) = fixture("components-p2/stdio.composed.wasm") else { return };
    let ran = run(&bytes, WasiCtx::builder().stdin(Input::bytes(*b"in")));
    println!("{:?} {} {}", ran.result, ran.stdout, ran.stderr);
}
