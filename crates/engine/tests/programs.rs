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

fn open(path: &Path) -> fs::File {
    fs::File::open(path).unwrap()
}

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
        let (module, mismatch) = Module::deserialize_file(&engine, open(&file)).unwrap();
        assert_eq!((result(&module), mismatch), (NATIVE, None));
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
    let (bytes, file) = (program(&engine), dir.join("app.dunlin"));
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(Module::deserialize(&engine, &wrong).is_err(), "byte {at}");
        assert!(Module::deserialize_any(&engine, &wrong).is_err(), "byte {at}");
        assert!(Module::check_seal(&engine, &wrong).is_err(), "byte {at}");
        fs::write(&file, &wrong).unwrap();
        assert!(Module::deserialize_file(&engine, open(&file)).is_err(), "byte {at}");
        // What it says without a seal is read all the same, or not.
        drop(ProgramInfo::read(&wrong));
    }
    for len in 0..bytes.len() {
        assert!(Module::deserialize(&engine, &bytes[..len]).is_err(), "{len} bytes");
        assert!(ProgramInfo::read(&bytes[..len]).is_err(), "{len} bytes");
        fs::write(&file, &bytes[..len]).unwrap();
        assert!(Module::deserialize_file(&engine, open(&file)).is_err(), "{len} bytes");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(Module::deserialize(&engine, &longer).is_err());
    fs::write(&file, &longer).unwrap();
    assert!(Module::deserialize_file(&engine, open(&file)).is_err());
}

/// Changed by somebody who has the key.
#[test]
fn a_good_seal_does_not_make_a_program_good() {
    let dir = scratch("sealed");
    let engine = engine(&dir, |_| ());
    let key = dunlin_seal::MachineKey::load_or_create(&dir.join("key")).unwrap();
    let bytes = program(&engine);
    let seal = |front: &mut [u8], body_bytes: usize| {
        let (purpose, seal) = (dunlin_seal::Purpose::Program, dunlin_seal::Seal::Machine(&key));
        dunlin_seal::envelope::close_before(front, body_bytes as u64, purpose, seal);
    };
    // Header, length of the binary, verdict, one hash.
    let (table_at, body_at) = (128 + 8 + 32, 128 + 8 + 32 + 32);
    let sealed = |mut bytes: Vec<u8>| {
        let (front, body) = bytes.split_at_mut(body_at);
        front[table_at..].copy_from_slice(&dunlin_seal::blocks::table(body));
        seal(front, body.len());
        bytes
    };
    assert_eq!(sealed(bytes.clone()), bytes);
    let file = dir.join("app.dunlin");
    let refuses = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let refused = Module::deserialize_any(&engine, bytes).is_err();
        assert_eq!(Module::deserialize_file(&engine, open(&file)).is_err(), refused);
        // Of other settings and compilers only the module is used, where that is wanted.
        Module::deserialize(&engine, bytes).is_err()
    };
    let (mut refused, mut tried) = (0, 0);
    // Up to the code itself, which is what it is; and not the verdict: with another it is validated.
    for at in (128..136).chain(body_at..bytes.len() - 6) {
        for bits in [0xff, 0x01, 0x80] {
            let mut wrong = bytes.clone();
            wrong[at] ^= bits;
            // Or the module is another one, and the code with it.
            refused += usize::from(refuses(&sealed(wrong)));
            tried += 1;
        }
    }
    assert!(refused > tried * 9 / 10, "{refused} of {tried}");
    for len in body_at..bytes.len() {
        let mut cut = bytes[..len].to_vec();
        // Nothing is behind the hash of nothing.
        if len > body_at {
            cut = sealed(cut);
        }
        assert!(refuses(&cut), "{len} bytes");
    }
    let mut verdict = bytes.clone();
    verdict[140] ^= 1;
    assert!(!refuses(&sealed(verdict)));
    let mut cut = bytes[..140].to_vec();
    seal(&mut cut, 0);
    let error = Module::deserialize(&engine, cut).unwrap_err();
    assert_eq!(error.to_string(), "malformed compiled program: it is cut off");
}

/// As [`Marking`], with so much code that it is not read at once.
#[derive(Debug)]
struct Large;

impl Compiler for Large {
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        let mut code = Marking("").compile(request)?;
        code.bytes.resize(LARGE_BYTES, 0xcc);
        Ok(code)
    }

    fn fingerprint(&self) -> &str {
        "large"
    }
}

const LARGE_BYTES: usize = 60_000;
const LARGE_COUNT: usize = 30;

fn large(name: &str) -> (Engine, PathBuf) {
    let dir = scratch(name);
    let mut config = Config::default();
    config.storage.key_directory = Some(dir.join("key"));
    let engine = Engine::with_compiler(&config, Some(Arc::new(Large))).unwrap();
    let funcs = (0..LARGE_COUNT)
        .map(|func| format!("(func (export \"f{func}\") (result i32) i32.const {func})"));
    let text = format!("(module {})", funcs.collect::<String>());
    let module = Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let file = dir.join("app.dunlin");
    fs::write(&file, module.precompile(&|_, _| ()).unwrap().seal().unwrap()).unwrap();
    (engine, file)
}

/// What the functions give, each called twice: at the first call its code is not there yet.
fn large_results(module: &Module, funcs: impl Iterator<Item = usize>) -> Vec<i32> {
    let mut store = Store::new(module.engine(), ());
    let instance = Linker::new(module.engine()).instantiate(&mut store, module).unwrap();
    let mut call = |func| {
        let name = format!("f{func}");
        let func = instance.get_typed_func::<(), i32>(&mut store, &name).unwrap();
        let found = func.call(&mut store, ()).unwrap();
        assert_eq!(func.call(&mut store, ()).unwrap(), found, "{name}");
        found
    };
    funcs.map(&mut call).collect()
}

#[test]
fn code_is_read_when_it_is_called() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let (engine, file) = large("demand");
    let (module, _) = Module::deserialize_file(&engine, open(&file)).unwrap();
    assert_eq!(large_results(&module, [7, 0, 29].into_iter()), [1007, 1000, 1029]);
    // Another file of that name is no concern of it.
    fs::rename(&file, file.with_extension("old")).unwrap();
    fs::write(&file, "").unwrap();
    let expected: Vec<i32> = (0..LARGE_COUNT as i32).map(|func| NATIVE + func).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(large_results(&module, 0..LARGE_COUNT), expected));
        }
    });
    assert!(engine.storage_problems().is_empty(), "{:?}", engine.storage_problems());
}

/// The file changes after it was opened: what was read stays, and the rest is interpreted.
#[test]
fn what_was_changed_later_is_not_executed() {
    use std::os::unix::fs::FileExt;

    if !dunlin_vm::NATIVE {
        return;
    }
    let (engine, file) = large("swap");
    let good = fs::read(&file).unwrap();
    let image_at = good.len() - LARGE_BYTES * LARGE_COUNT;
    let (module, _) = Module::deserialize_file(&engine, open(&file)).unwrap();
    assert_eq!(large_results(&module, [3].into_iter()), [1003]);
    let changing = fs::File::options().write(true).open(&file).unwrap();
    for func in [3, 4] {
        // The number that the code gives.
        changing.write_all_at(&[9, 9], (image_at + func * LARGE_BYTES + 32) as u64).unwrap();
    }
    assert_eq!(large_results(&module, [3, 4, 20].into_iter()), [1003, 4, 1020]);
    let problems = engine.storage_problems();
    assert_eq!(problems, ["code is not used: compiled program: changed after it was sealed"]);
    changing.set_len(good.len() as u64 / 2).unwrap();
    assert_eq!(large_results(&module, [20, 29].into_iter()), [1020, 29]);
    assert_eq!(engine.storage_problems().len(), 2);
    // And what does not fit from the beginning is refused there.
    assert!(Module::deserialize_file(&engine, open(&file)).is_err());
    changing.set_len(0).unwrap();
    assert!(Module::deserialize_file(&engine, open(&file)).is_err());
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
