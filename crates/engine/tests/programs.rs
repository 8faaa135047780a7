//! Compiled programs: what was compiled runs, for those it is for, and nothing else does.
#![cfg(feature = "storage")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_code::native::{CompileError, Compiler, NativeCode, Request};
use dunlin_engine::{
    Config, Engine, Error, ErrorKind, Linker, Mismatch, Module, ProgramInfo, SigningKey, Store,
};

/// Compiles functions without parameters to code that gives another number than the function; others
/// stay interpreted.
#[derive(Debug)]
struct Marking(&'static str);

impl Compiler for Marking {
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        let func = request.module.func_index(request.func);
        if !request.module.func_type(func).params.is_empty() {
            return Err(CompileError::Unsupported("i32.add".into()));
        }
        assert!(request.module.func_name(func) != Some("panics"));
        let mut bytes = vec![0xb8];
        bytes.extend_from_slice(&(1000 + request.func.0 as i32).to_le_bytes());
        bytes.push(0xc3);
        Ok(NativeCode { bytes, align: 16, ..NativeCode::default() })
    }

    fn fingerprint(&self) -> &str {
        self.0
    }
}

const MODULE: &str = r#"(module
    (func (export "f") (result i32) i32.const 0)
    (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func $panics (result i32) i32.const 1))"#;

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("programs-{name}"));
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    path
}

fn engine(directory: &Path, edit: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::default();
    config.storage.key_directory = Some(directory.join("key"));
    edit(&mut config);
    Engine::with_compiler(&config, Some(Arc::new(Marking("test 1; avx2; sse4")))).unwrap()
}

fn program(engine: &Engine) -> Vec<u8> {
    let module = Module::new(engine, wat::parse_str(MODULE).unwrap()).unwrap();
    module.precompile(&|_, _| ()).unwrap().seal().unwrap()
}

fn result(module: &Module) -> i32 {
    let mut store = Store::new(module.engine(), ());
    drop(store.set_fuel(1000));
    let instance = Linker::new(module.engine()).instantiate(&mut store, module).unwrap();
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").unwrap();
    assert_eq!(add.call(&mut store, (2, 3)).unwrap(), 5);
    let func = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    func.call(&mut store, ()).unwrap()
}

const NATIVE: i32 = 1000;

fn refused(engine: &Engine, bytes: &[u8]) -> Error {
    let error = Module::deserialize(engine, bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error
}

#[test]
fn what_was_compiled_runs() {
    let dir = scratch("run");
    let engine = engine(&dir, |_| ());
    let module = Module::new(&engine, wat::parse_str(MODULE).unwrap()).unwrap();
    let last = AtomicU64::new(0);
    let progress = |done: u64, total: u64| {
        assert!(done <= total);
        last.fetch_max(done * 100 / total, Ordering::Relaxed);
    };
    let compiled = module.precompile(&progress).unwrap();
    assert_eq!(last.into_inner(), 100);
    assert_eq!(compiled.functions(), 1);
    let skipped: Vec<_> = compiled
        .interpreted()
        .iter()
        .map(|f| format!("{} {} {}", f.func, f.name.as_deref().unwrap_or(""), f.why))
        .collect();
    assert_eq!(
        skipped,
        ["1 add only interpreted: i32.add", "2 panics the code generator failed: it panicked",]
    );
    let bytes = compiled.seal().unwrap();
    assert!(Module::is_compiled_program(&bytes));
    // The same again: nothing in it depends on which thread was first.
    assert_eq!(module.precompile(&|_, _| ()).unwrap().seal().unwrap(), bytes);
    if dunlin_vm::NATIVE {
        assert_eq!(result(&Module::deserialize(&engine, &bytes).unwrap()), NATIVE);
        let file = dir.join("app.dunlin");
        fs::write(&file, &bytes).unwrap();
        assert_eq!(result(&Module::from_file(&engine, &file).unwrap()), NATIVE);
    }
    let info = ProgramInfo::read(&bytes).unwrap();
    assert_eq!(info.functions, 1);
    assert!(info.fingerprint.starts_with("test 1; avx2; sse4; contract "));
    assert_eq!(info.module, wat::parse_str(MODULE).unwrap());
}

#[test]
fn signed_programs_are_for_those_who_trust_the_signer() {
    let dir = scratch("sign");
    let plain = engine(&dir, |_| ());
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let module = Module::new(&plain, wat::parse_str(MODULE).unwrap()).unwrap();
    let bytes = module.precompile(&|_, _| ()).unwrap().sign(&key);
    let error = refused(&plain, &bytes).to_string();
    assert_eq!(
        error,
        format!("compiled program: signed by `{}`, which is not trusted", key.public())
    );
    let trusting =
        engine(&dir, |config| config.storage.trusted = vec![other.public(), key.public()]);
    Module::deserialize(&trusting, &bytes).unwrap();
    let wrong = engine(&dir, |config| config.storage.trusted = vec![other.public()]);
    refused(&wrong, &bytes);
    // Without any key of its own.
    let mut config = Config::default();
    config.storage.trusted = vec![key.public()];
    let other_machine =
        Engine::with_compiler(&config, Some(Arc::new(Marking("test 1; avx2; sse4"))));
    Module::deserialize(&other_machine.unwrap(), &bytes).unwrap();
}

#[test]
fn another_machine_does_not_believe_our_seal() {
    let (here, there) = (scratch("here"), scratch("there"));
    let bytes = program(&engine(&here, |_| ()));
    let error = refused(&engine(&there, |_| ()), &bytes).to_string();
    assert!(error.ends_with(", which is not this machine's key"), "{error}");
    let none = Engine::with_compiler(&Config::default(), None).unwrap();
    refused(&none, &bytes);
}

#[test]
fn other_engines_use_the_module_and_not_the_code() {
    let dir = scratch("mismatch");
    let bytes = program(&engine(&dir, |_| ()));
    let with = |fingerprint: &'static str| {
        let mut config = Config::default();
        config.storage.key_directory = Some(dir.join("key"));
        Engine::with_compiler(&config, Some(Arc::new(Marking(fingerprint)))).unwrap()
    };
    let none = {
        let mut config = Config::default();
        config.storage.key_directory = Some(dir.join("key"));
        Engine::with_compiler(&config, None).unwrap()
    };
    let cases = [
        (none, "this engine runs no native code"),
        (
            with("test 1; avx512; sse4"),
            "its code is for another compiler or processor: expected `avx512`, found `avx2`",
        ),
        (
            with("test 2; avx2; sse4"),
            "its code is for another compiler or processor: expected `test 2`, found `test 1`",
        ),
        (
            engine(&dir, |config| config.execution.fuel = true),
            "its code is for other settings: expected guard memories, fuel, found guard memories",
        ),
        (
            engine(&dir, |config| config.execution.deterministic = true),
            "its code is for other settings: expected guard memories, determinism, \
             found guard memories",
        ),
        (
            engine(&dir, |config| config.memory.kind = dunlin_engine::MemoryKind::Compact),
            "its code is for other settings: expected compact memories, found guard memories",
        ),
    ];
    for (engine, why) in cases {
        assert_eq!(
            refused(&engine, &bytes).to_string(),
            format!("cannot use compiled program: {why}")
        );
        let (module, mismatch) = Module::deserialize_any(&engine, &bytes).unwrap();
        assert_eq!(mismatch.map(|mismatch: Mismatch| mismatch.to_string()).as_deref(), Some(why));
        assert_eq!(result(&module), 0, "interpreted");
    }
}

#[test]
fn what_was_changed_is_refused() {
    let dir = scratch("tamper");
    let engine = engine(&dir, |_| ());
    let bytes = program(&engine);
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(Module::deserialize(&engine, &wrong).is_err(), "byte {at}");
        assert!(Module::deserialize_any(&engine, &wrong).is_err(), "byte {at}");
        // What it says without a seal is read all the same, or not.
        drop(ProgramInfo::read(&wrong));
    }
    for len in 0..bytes.len() {
        assert!(Module::deserialize(&engine, &bytes[..len]).is_err(), "{len} bytes");
        assert!(ProgramInfo::read(&bytes[..len]).is_err(), "{len} bytes");
    }
}

/// Changed by somebody who has the key.
#[test]
fn a_good_seal_does_not_make_a_program_good() {
    let dir = scratch("sealed");
    let engine = engine(&dir, |_| ());
    let key = dunlin_seal::MachineKey::load_or_create(&dir.join("key")).unwrap();
    let bytes = program(&engine);
    let seal = |mut bytes: Vec<u8>| {
        let (purpose, seal) = (dunlin_seal::Purpose::Program, dunlin_seal::Seal::Machine(&key));
        dunlin_seal::envelope::close(&mut bytes, purpose, seal);
        bytes
    };
    let mut refused = 0;
    // Up to the code itself, which is what it is.
    for at in 128..bytes.len() - 6 {
        for bits in [0xff, 0x01, 0x80] {
            let mut wrong = bytes.clone();
            wrong[at] ^= bits;
            // Or the module is another one, and the code with it.
            refused += usize::from(Module::deserialize(&engine, seal(wrong)).is_err());
        }
    }
    assert!(refused > (bytes.len() - 134) * 3 * 9 / 10, "{refused} of {}", bytes.len() * 3);
    for len in 128..bytes.len() {
        let cut = seal(bytes[..len].to_vec());
        assert!(Module::deserialize(&engine, cut).is_err(), "{len} bytes");
    }
    let error = Module::deserialize(&engine, seal(bytes[..140].to_vec())).unwrap_err();
    assert_eq!(error.to_string(), "malformed compiled program: it is cut off");
}

#[test]
fn there_is_nothing_to_compile_with() {
    let engine = Engine::with_compiler(&Config::default(), None).unwrap();
    let module = Module::new(&engine, wat::parse_str(MODULE).unwrap()).unwrap();
    let error = module.precompile(&|_, _| ()).unwrap_err();
    let text = "cannot compile: this build has no compiler for this processor";
    assert_eq!(error.to_string(), text);
    let compiler = Some(Arc::new(Marking("x")) as Arc<dyn Compiler>);
    let keyless = Engine::with_compiler(&Config::default(), compiler).unwrap();
    let module = Module::new(&keyless, wat::parse_str(MODULE).unwrap()).unwrap();
    let error = module.precompile(&|_, _| ()).unwrap().seal().unwrap_err();
    assert_eq!(error.to_string(), "cannot seal: there is no key of this machine");
}

/// What the compiler of this build makes.
#[cfg(feature = "jit")]
#[test]
fn real_code_runs() {
    let dir = scratch("jit");
    let mut config = Config::default();
    config.storage.key_directory = Some(dir.join("key"));
    let engine = Engine::new(&config).unwrap();
    let text = r#"(module
        (func $fib (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;
    let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let Ok(compiled) = module.precompile(&|_, _| ()) else { return };
    assert_eq!(compiled.functions(), 1, "{:?}", compiled.interpreted());
    let module = Module::deserialize(&engine, compiled.seal().unwrap()).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
    let fib = instance.get_typed_func::<i32, i32>(&mut store, "fib").unwrap();
    assert_eq!(fib.call(&mut store, 25).unwrap(), 75025);
}
