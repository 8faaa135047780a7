//! What the cache gives back, and what it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_code::artifact::{Builder, Packed};
use dunlin_code::native::{CompileError, Compiler, Entry, NativeCode, Request};
use dunlin_module::DefinedFuncIndex;
use dunlin_seal::directory::Kind;
use dunlin_seal::envelope;
use dunlin_seal::{MachineKey, Purpose, Seal};

use crate::{CacheKind, Config, Engine, Error, Instance, Linker, Module, StorageConfig, Store};

/// Compiles functions without parameters to code that gives another number than the function, so that
/// it shows which of them ran.
#[derive(Debug)]
struct Marking(&'static str);

const MARK: i32 = 1000;

impl Compiler for Marking {
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        // mov eax, MARK + func; ret
        let mut bytes = vec![0xb8];
        bytes.extend_from_slice(&(MARK + request.func.0 as i32).to_le_bytes());
        bytes.push(0xc3);
        Ok(NativeCode { bytes, align: 16, ..NativeCode::default() })
    }

    fn fingerprint(&self) -> &str {
        self.0
    }
}

const MODULE: &str = r#"(module
    (func (export "f0") (result i32) i32.const 0)
    (func (export "f1") (result i32) i32.const 1)
    (func (export "f2") (result i32) i32.const 2))"#;

/// An engine that keeps what it has in a directory.
fn engine_with(directory: &Path, compiler: &'static str, edit: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::default();
    config.storage.key_directory = Some(directory.join("key"));
    config.storage.cache_directory = Some(directory.join("cache"));
    edit(&mut config);
    Engine::with_compiler(&config, Some(Arc::new(Marking(compiler)))).unwrap()
}

fn engine(directory: &Path) -> Engine {
    engine_with(directory, "marking 1", |_| ())
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dunlin-cache-{}-{name}", std::process::id()));
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    path
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

/// Makes functions native, as a tier would.
fn compile(module: &Module, funcs: &[u32]) {
    let engine = module.engine();
    let compiler = engine.compiler().unwrap();
    for func in funcs {
        let (func, settings) = (DefinedFuncIndex(*func), &engine.settings());
        let request = Request { module: module.decoded(), func, entry: Entry::Function, settings };
        let code = Packed::new(&compiler.compile(&request).unwrap()).unwrap();
        module.code().install(&[code.function(func, Entry::Function)]).unwrap();
    }
}

/// What the three functions give.
fn results(module: &Module) -> [i32; 3] {
    let mut store = Store::new(module.engine(), ());
    // Not every engine counts it.
    drop(store.set_fuel(1000));
    let linker = Linker::new(module.engine());
    let instance: Instance = linker.instantiate(&mut store, module).unwrap();
    ["f0", "f1", "f2"].map(|name| {
        let func = instance.get_typed_func::<(), i32>(&mut store, name).unwrap();
        func.call(&mut store, ()).unwrap()
    })
}

/// The files of the cache with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("cache")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn what_was_compiled_is_there_again() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("again");
    let first = module(&engine(&dir), MODULE);
    assert_eq!(results(&first), [0, 1, 2]);
    assert!(!first.save_to_cache(), "nothing was compiled");
    compile(&first, &[1]);
    assert_eq!(results(&first), [0, 1001, 2]);
    assert!(first.save_to_cache());
    let second = module(&engine(&dir), MODULE);
    assert_eq!(results(&second), [0, 1001, 2]);
    assert!(!second.save_to_cache(), "nothing is new");
    compile(&second, &[2]);
    assert!(second.save_to_cache());
    assert_eq!(results(&module(&engine(&dir), MODULE)), [0, 1001, 1002]);
    assert_eq!(files(&dir, "").len(), 1);
}

/// What was hot is compiled at the next run without being hot again, and then it is kept.
#[test]
fn what_was_hot_is_compiled_at_the_next_run() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("past");
    let first_engine = engine(&dir);
    let first = module(&first_engine, MODULE);
    let digest = dunlin_seal::digest(&first.decoded().bytes);
    let key = super::key(&first_engine, first_engine.compiler().unwrap(), digest);
    let mut builder = Builder::default();
    builder.heat(DefinedFuncIndex(2), Entry::Function, 7);
    let cache = first_engine.storage().cache().unwrap();
    let hash = super::code_hash(&key);
    cache.write(Kind::Code, &hash, |bytes| builder.finish(&key, bytes)).unwrap();
    let second = module(&engine(&dir), MODULE);
    let mut rounds = 0;
    while !second.code().is_native(DefinedFuncIndex(2)) {
        std::thread::sleep(std::time::Duration::from_millis(1));
        rounds += 1;
        assert!(rounds < 100_000, "it was forgotten");
    }
    assert_eq!(results(&second), [0, 1, 1002]);
    assert!(second.save_to_cache());
    let third = module(&engine(&dir), MODULE);
    assert_eq!(results(&third), [0, 1, 1002]);
    assert_eq!(third.code().past(), [], "nothing is remembered of what is native");
    assert!(!third.save_to_cache(), "nothing is new");
}

#[test]
fn those_who_write_at_the_same_time_do_not_lose_it() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("merge");
    let modules = [module(&engine(&dir), MODULE), module(&engine(&dir), MODULE)];
    compile(&modules[0], &[0]);
    compile(&modules[1], &[2]);
    assert!(modules.iter().all(Module::save_to_cache));
    assert_eq!(results(&module(&engine(&dir), MODULE)), [1000, 1, 1002]);
}

#[test]
fn code_is_for_one_module_and_one_engine() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("keys");
    let first = module(&engine(&dir), MODULE);
    compile(&first, &[0, 1, 2]);
    assert!(first.save_to_cache());
    let others = [
        module(&engine_with(&dir, "marking 2", |_| ()), MODULE),
        module(&engine_with(&dir, "marking 1", |config| config.execution.fuel = true), MODULE),
        module(
            &engine_with(&dir, "marking 1", |config| config.execution.interruptible = true),
            MODULE,
        ),
        module(
            &engine_with(&dir, "marking 1", |config| config.execution.deterministic = true),
            MODULE,
        ),
        // The same but for a name.
        module(&engine(&dir), &MODULE.replace("(module", "(module $name")),
    ];
    for other in &others {
        assert_eq!(results(other), [0, 1, 2]);
    }
    let config = Config::default();
    let plain = Engine::with_compiler(&config, None).unwrap();
    assert_eq!(results(&module(&plain, MODULE)), [0, 1, 2]);
}

/// Whatever bit is another one: the file is not used, and the module runs all the same.
#[test]
fn a_file_that_was_changed_is_not_used() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("tamper");
    let first = module(&engine(&dir), MODULE);
    compile(&first, &[0, 1, 2]);
    assert!(first.save_to_cache());
    let file = files(&dir, ".code").pop().unwrap();
    let good = fs::read(&file).unwrap();
    let count: usize =
        std::env::var("DUNLIN_TAMPER").ok().and_then(|count| count.parse().ok()).unwrap_or(500);
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for round in 0..count {
        let mut bytes = good.clone();
        match round % 4 {
            0 | 1 => bytes[next(good.len())] ^= 1 << next(8),
            2 => bytes.truncate(next(good.len())),
            _ => bytes.insert(next(good.len()), 0),
        }
        fs::write(&file, bytes).unwrap();
        let engine = engine(&dir);
        assert_eq!(results(&module(&engine, MODULE)), [0, 1, 2], "round {round}");
        let problems = engine.storage_problems();
        assert!(problems[0].starts_with("a file of the cache is not used: "), "{problems:?}");
        assert!(!file.exists(), "it is in nobody's way");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(results(&module(&engine(&dir), MODULE)), [1000, 1001, 1002]);
}

#[test]
fn a_file_in_the_place_of_another_is_not_used() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("swap");
    let other_text = MODULE.replace("i32.const 0", "i32.const 7");
    let (one, other) = (module(&engine(&dir), MODULE), module(&engine(&dir), &other_text));
    compile(&one, &[0, 1, 2]);
    assert!(one.save_to_cache());
    let ones = files(&dir, ".code").pop().unwrap();
    compile(&other, &[1]);
    assert!(other.save_to_cache());
    let others = files(&dir, ".code").into_iter().find(|file| *file != ones).unwrap();
    fs::copy(&ones, &others).unwrap();
    let engine = engine(&dir);
    assert_eq!(results(&module(&engine, &other_text)), [7, 1, 2]);
    let problems = ["a file of the cache is not used: it is in the place of another"];
    assert_eq!(engine.storage_problems(), problems);
    // A key of another machine.
    let key = MachineKey::new([1; 32]);
    let mut forged = fs::read(&ones).unwrap();
    envelope::close(&mut forged, Purpose::Code, Seal::Machine(&key));
    fs::write(&ones, forged).unwrap();
    assert_eq!(results(&module(&self::engine(&dir), MODULE)), [0, 1, 2]);
}

/// Sealed with our own key, and yet not in order: the code of a function the module does not have, cut
/// off, or of another length.
#[test]
fn a_good_seal_does_not_make_a_file_good() {
    if !dunlin_vm::NATIVE {
        return;
    }
    let dir = scratch("sealed");
    let first = module(&engine(&dir), MODULE);
    compile(&first, &[0, 1, 2]);
    assert!(first.save_to_cache());
    let key = MachineKey::load_or_create(&dir.join("key")).unwrap();
    let file = files(&dir, ".code").pop().unwrap();
    let good = fs::read(&file).unwrap();
    let artifact = envelope::HEADER_BYTES + 32;
    let mut accepted = 0;
    // Everything in front of the code itself: three times six bytes, aligned.
    for at in artifact..good.len() - 38 {
        for wrong in [good[at] ^ 1, good[at] ^ 0x80, 0xff, !good[at]] {
            let mut bytes = good.clone();
            bytes[at] = wrong;
            envelope::close(&mut bytes, Purpose::Code, Seal::Machine(&key));
            fs::write(&file, &bytes).unwrap();
            let found = results(&module(&engine(&dir), MODULE));
            // A length may take in what is between functions, and all is in order.
            let native = found == [1000, 1001, 1002];
            assert!(native || found == [0, 1, 2], "byte {at}: {found:?}");
            accepted += usize::from(native && bytes != good);
        }
    }
    assert!(accepted < 5, "{accepted}");
    for len in artifact..good.len() {
        let mut bytes = good[..len].to_vec();
        envelope::close(&mut bytes, Purpose::Code, Seal::Machine(&key));
        fs::write(&file, &bytes).unwrap();
        assert_eq!(results(&module(&engine(&dir), MODULE)), [0, 1, 2], "{len} bytes");
    }
}

/// Valid or not, larger than the smallest that verdicts are kept for.
fn large(valid: bool) -> Vec<u8> {
    let value = if valid { "i32.const 1" } else { "i64.const 1" };
    let text = format!(
        "(module (memory 2) (data (i32.const 0) \"{}\") (func (export \"f\") (result i32) {value}))",
        "x".repeat(VERDICT_BYTES)
    );
    wat::parse_str(text).unwrap()
}

const VERDICT_BYTES: usize = super::VERDICT_BYTES_MIN;

#[test]
fn a_module_is_validated_once() {
    let dir = scratch("verdict");
    Module::new(&engine(&dir), large(true)).unwrap();
    assert_eq!(files(&dir, ".valid").len(), 1);
    Module::new(&engine(&dir), large(true)).unwrap();
    assert!(Module::new(&engine(&dir), large(false)).is_err());
    assert_eq!(files(&dir, ".valid").len(), 1, "nothing is kept of what is not valid");
    // Other features are another question.
    Module::new(&engine_with(&dir, "marking 1", |config| config.features.gc = false), large(true))
        .unwrap();
    assert_eq!(files(&dir, ".valid").len(), 2);
    let small = wat::parse_str(MODULE).unwrap();
    Module::new(&engine(&dir), small).unwrap();
    assert_eq!(files(&dir, ".valid").len(), 2);
}

/// That the verdict is believed shows where it is wrong; and it is believed only under our seal.
#[test]
fn a_verdict_is_believed_under_our_seal_only() {
    let dir = scratch("verdict-forged");
    let engine_of = || engine(&dir);
    Module::new(&engine_of(), large(true)).unwrap();
    let file = files(&dir, ".valid").pop().unwrap();
    let (features, build) = (super::features(&engine_of().features()), super::build());
    let digest = dunlin_seal::digest(&large(false));
    let parts = [&digest[..], features.as_bytes(), build.as_bytes()];
    let hash = dunlin_seal::digest_parts("dunlin 2026-11 verdict", &parts);
    let forged = dir.join("cache").join(format!("{}.valid", dunlin_seal::hex(&hash)));
    let write = |key: &MachineKey, purpose| {
        let mut bytes = envelope::start();
        bytes.extend_from_slice(&hash);
        envelope::close(&mut bytes, purpose, Seal::Machine(key));
        fs::write(&forged, bytes).unwrap();
    };
    fs::copy(&file, &forged).unwrap();
    assert!(Module::new(&engine_of(), large(false)).is_err(), "the verdict of another module");
    write(&MachineKey::new([1; 32]), Purpose::Verdict);
    assert!(Module::new(&engine_of(), large(false)).is_err(), "somebody else's verdict");
    let ours = MachineKey::load_or_create(&dir.join("key")).unwrap();
    write(&ours, Purpose::Code);
    assert!(Module::new(&engine_of(), large(false)).is_err(), "no verdict");
    write(&ours, Purpose::Verdict);
    assert!(Module::new(&engine_of(), large(false)).is_ok(), "what we say is not looked at again");
}

#[test]
fn a_cache_that_cannot_be_used_is_done_without() {
    let dir = scratch("unusable");
    let runs = |engine: &Engine| {
        let module = module(engine, MODULE);
        assert_eq!(results(&module), [0, 1, 2]);
        assert!(!module.save_to_cache());
        engine.storage_problems()
    };
    // A file where the directory should be.
    fs::write(dir.join("cache"), "").unwrap();
    let problems = runs(&engine(&dir));
    let text = "cache`: expected a directory, found a file or a link";
    assert!(problems[0].starts_with("no cache: `") && problems[0].ends_with(text), "{problems:?}");
    fs::remove_file(dir.join("cache")).unwrap();
    // A directory that everybody can write to.
    fs::create_dir(dir.join("cache")).unwrap();
    fs::set_permissions(dir.join("cache"), fs::Permissions::from_mode(0o777)).unwrap();
    let problems = runs(&engine(&dir));
    let text = "others may use it: expected mode 700 or 600, found 777";
    assert!(problems[0].ends_with(text), "{problems:?}");
    fs::remove_dir(dir.join("cache")).unwrap();
    // A key that everybody can read.
    fs::set_permissions(dir.join("key/machine.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let problems = runs(&engine(&dir));
    assert!(problems[0].starts_with("no key of this machine: `"), "{problems:?}");
    // Nowhere to be made.
    let nowhere = engine_with(Path::new("/proc/nowhere"), "marking 1", |_| ());
    assert!(!runs(&nowhere).is_empty());
    // Nobody asked for it.
    let config = Config::default();
    let without = Engine::with_compiler(&config, Some(Arc::new(Marking("")))).unwrap();
    assert!(runs(&without).is_empty());
}

#[test]
fn it_is_listed_and_cleared() -> Result<(), Error> {
    let dir = scratch("list");
    let storage = StorageConfig {
        cache_directory: Some(dir.join("cache")),
        key_directory: Some(dir.join("key")),
        ..StorageConfig::default()
    };
    assert!(crate::list_cache(&storage)?.is_empty(), "there is none yet");
    Module::new(&engine(&dir), large(true))?;
    let listed = crate::list_cache(&storage)?;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].kind, Some(CacheKind::Verdict));
    assert_eq!(crate::clear_cache(&storage)?.len(), 1);
    assert!(crate::list_cache(&storage)?.is_empty());
    assert!(dir.join("key/machine.key").exists(), "the key stays: programs are sealed with it");
    Ok(())
}
