//! The preview 1 tests of the wasi-testsuite, run on our engine: as they are with both memory kinds, and as
//! components, which an adapter makes them, with WASI 0.2.

#![allow(clippy::print_stdout, reason = "a test says what it skipped")]

use std::fs;
use std::path::{Path, PathBuf};

use dunlin_component::{self as component, Component};
use dunlin_engine::{Config, Engine, Error, Linker, MemoryKind, Module, Store};
use dunlin_wasi::host::{Access, Output, OutputPipe};
use dunlin_wasi::{Exit, WasiCtx, p1, p2};
use serde_json::Value;

/// How many preview 1 programs the suite has; fewer found means that the search is broken.
const PROGRAMS_MIN: usize = 72;

fn suite() -> Option<PathBuf> {
    let root = PathBuf::from(std::env::var_os("DUNLIN_SUITES")?).join("wasi-testsuite");
    root.is_dir().then_some(root)
}

fn programs(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for language in ["assemblyscript", "c", "rust"] {
        let folder = root.join(language).join("wasm32-wasip1");
        for entry in fs::read_dir(&folder).expect("a folder of the suite") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "wasm") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder of the suite") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// How a program is run.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// As it is.
    Module(MemoryKind),
    /// As a component.
    Adapted,
}

/// Runs a program to its end.
fn run_form(program: &Path, form: Form, ctx: WasiCtx) -> Result<(), Error> {
    let mut config = Config::default();
    match form {
        Form::Module(kind) => {
            config.memory.kind = kind;
            let engine = Engine::new(&config)?;
            let module = Module::from_file(&engine, program)?;
            let mut store = Store::new(&engine, ctx);
            let mut linker = Linker::new(&engine);
            p1::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
            let instance = linker.instantiate(&mut store, &module)?;
            instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ())
        }
        Form::Adapted => {
            let bytes = fs::read(program).map_err(Error::host)?;
            let bytes = dunlin_compose::make::component(&bytes, &Default::default());
            let engine = Engine::new(&config)?;
            let component = Component::new(&engine, bytes.map_err(Error::host)?)?;
            let mut store = Store::new(&engine, ctx);
            let mut linker = component::Linker::new(&engine);
            p2::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
            let instance = linker.instantiate(&mut store, &component)?;
            let run = instance.get_typed_func_in("wasi:cli/run@0.2.0", "run")?;
            let ended: Result<(), ()> = run.call(&mut store, ())?;
            ended.map_err(|()| Error::host(Exit(1)))
        }
    }
}

/// Runs one program; what differs from its specification, if anything.
fn run(program: &Path, form: Form, scratch: &Path) -> Result<(), String> {
    let text = fs::read_to_string(program.with_extension("json")).unwrap_or("{}".to_owned());
    let spec: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    if spec.get("operations").is_some() {
        return Err("the specification is of the newer form".to_owned());
    }
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stdout, stderr) = (OutputPipe::new(1 << 20), OutputPipe::new(1 << 20));
    let mut builder = WasiCtx::builder();
    builder = builder.arg(name).args(strings(&spec["args"]));
    for (key, value) in spec["env"].as_object().into_iter().flatten() {
        builder = builder.env(key.clone(), value.as_str().unwrap_or_default());
    }
    if let Some(root) = spec["root"].as_str() {
        let folder = program.parent().unwrap_or(Path::new("")).join(root);
        copy_tree(&folder, scratch);
        builder = builder.dir(scratch, "/", Access::ReadWrite);
    }
    builder = builder.stdout(Output::pipe(stdout.clone())).stderr(Output::pipe(stderr.clone()));
    let ctx = builder.build().map_err(|e| e.to_string())?;

    let ended = run_form(program, form, ctx);
    let code = match &ended {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(Exit(code)) => i64::from(*code),
            None => return Err(error.report().to_string()),
        },
    };
    let text = |pipe: &OutputPipe| String::from_utf8_lossy(&pipe.contents()).into_owned();
    let expected = spec["exit_code"].as_i64().unwrap_or(0);
    if code != expected {
        return Err(format!("exit code {code}, expected {expected}: {}", text(&stderr)));
    }
    for (stream, pipe) in [("stdout", &stdout), ("stderr", &stderr)] {
        if let Some(expected) = spec[stream].as_str()
            && text(pipe) != expected
        {
            return Err(format!("{stream} is {:?}, expected {expected:?}", text(pipe)));
        }
    }
    Ok(())
}

#[test]
fn preview_1() {
    let Some(root) = suite() else {
        println!("skipped: wasi-testsuite (set DUNLIN_SUITES)");
        return;
    };
    let programs = programs(&root);
    assert!(programs.len() >= PROGRAMS_MIN, "only {} programs found", programs.len());
    let scratch = std::env::temp_dir().join(format!("dunlin-wasi-suite-{}", std::process::id()));
    let mut wrong = Vec::new();
    for kind in [MemoryKind::Guard, MemoryKind::Compact] {
        for program in &programs {
            let outcome = run(program, Form::Module(kind), &scratch);
            let _ = fs::remove_dir_all(&scratch);
            if let Err(what) = outcome {
                wrong.push(format!("{} ({kind:?}): {what}", program.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), programs.len(), wrong.join("\n"));
    println!("wasi-testsuite: {} of {} passed", programs.len(), programs.len());
}

/// What the adapter makes of 0.1 in another way than the suite expects, and why: Wasmtime 48 says the same.
const ADAPTERS: &[(&str, &str)] = &[
    ("args_get-multiple-arguments", "an assertion of the adapter about how these buffers lie"),
    ("environ_get-multiple-variables", "an assertion of the adapter about how these buffers lie"),
    ("fd_write-to-invalid-fd", "the adapter does not give the expected error"),
    ("proc_exit-failure", "the adapter knows success and failure, and no other codes"),
];

#[test]
fn preview_1_adapted() {
    let Some(root) = suite() else {
        println!("skipped: wasi-testsuite (set DUNLIN_SUITES)");
        return;
    };
    let programs = programs(&root);
    let scratch = std::env::temp_dir().join(format!("dunlin-wasi-adapted-{}", std::process::id()));
    let mut wrong = Vec::new();
    for program in &programs {
        let outcome = run(program, Form::Adapted, &scratch);
        let _ = fs::remove_dir_all(&scratch);
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let excepted = ADAPTERS.iter().any(|(excepted, _)| *excepted == name);
        match outcome {
            Ok(()) if excepted => {
                wrong.push(format!("{name}: passes, and is listed as an exception"))
            }
            Err(what) if !excepted => wrong.push(format!("{name}: {what}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), programs.len(), wrong.join("\n"));
    let passed = programs.len() - ADAPTERS.len();
    println!("wasi-testsuite, adapted: {passed} of {} passed", programs.len());
}
