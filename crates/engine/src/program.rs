//! Compiled programs: a module with native code for all of its functions, as a sealed file.
//!
//! ```text
//!  Module ──precompile──► Compilation ──seal or sign──► bytes ──Module::deserialize──► Module
//! ```
//!
//! | part | what |
//! |---|---|
//! | payload | length of the binary; what it was found valid for; the hash of each block of the body |
//! | body | the module's binary, and a [`code::artifact`](dunlin_code::artifact) |
//!
//! The payload is what is sealed. No part of the body is believed before its hash was checked, on the very
//! bytes that are used: all of it at once in memory, or block by block, as it is needed, in a file.

mod on_demand;
mod opened;

use std::cmp::Reverse;
use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dunlin_code::Settings;
use dunlin_code::artifact::{Artifact, Builder, Key, Packed};
use dunlin_code::native::{CompileError, Compiler, Entry, Request};
use dunlin_module::{DefinedFuncIndex, Module as Decoded};
use dunlin_seal::envelope::{self, Purpose};
use dunlin_seal::{Seal, SealError, SealedBy, SigningKey, blocks};
use dunlin_vm::ModuleCode;

use self::on_demand::OnDemand;
use self::opened::Opened;
use crate::cache::{self, Verdict};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::module::Module;

/// Native code for a whole module, to be sealed.
#[derive(Debug)]
pub struct Compilation {
    engine: Engine,
    code: Arc<ModuleCode>,
    key: Key<'static>,
    builder: Builder<'static>,
    code_bytes: usize,
    interpreted: Vec<Interpreted>,
}

/// A function without native code: it works, only slower.
#[derive(Clone, Debug)]
pub struct Interpreted {
    /// Its index.
    pub func: u32,
    /// Its name, if the module says.
    pub name: Option<String>,
    /// Why.
    pub why: CompileError,
}

/// Why the native code in a program cannot be used by an engine.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Mismatch {
    /// The engine has no compiler, and so runs no native code.
    NoCompiler,
    /// It is from another compiler, or for another processor: what differs, as expected and found.
    Compiler(String, String),
    /// It is for other settings: those of the engine, and its own.
    Settings(String, String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::NoCompiler => f.write_str("this engine runs no native code"),
            Mismatch::Compiler(expected, found) => write!(
                f,
                "its code is for another compiler or processor: expected `{expected}`, found `{found}`"
            ),
            Mismatch::Settings(expected, found) => {
                write!(f, "its code is for other settings: expected {expected}, found {found}")
            }
        }
    }
}

impl std::error::Error for Mismatch {}

/// What a compiled program says of itself. Nobody may have checked its seal.
#[derive(Clone, Debug)]
pub struct ProgramInfo<'a> {
    /// Who sealed it, or is said to have.
    pub sealed_by: SealedBy,
    /// The compiler, its flags, and the processor.
    pub fingerprint: String,
    /// The settings of engines that can use its code.
    pub settings: String,
    /// How many functions have native code.
    pub functions: usize,
    /// How many bytes of native code.
    pub code_bytes: usize,
    /// The module's binary.
    pub module: &'a [u8],
}

impl Module {
    /// Compiles all functions to native code, on all cores. `progress` is told how many bytes of
    /// bodies are done, and of how many.
    ///
    /// # Errors
    ///
    /// If the engine has no compiler.
    pub fn precompile(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Compilation> {
        let Some(compiler) = self.engine().compiler() else {
            let text = "cannot compile: this build has no compiler for this processor";
            return Err(Error::message(ErrorKind::Misuse, text));
        };
        let code = self.code().clone();
        let digest = dunlin_seal::digest(&code.module().bytes);
        let key = cache::key(self.engine(), compiler, digest);
        let work = Work {
            module: code.module(),
            settings: self.engine().settings(),
            compiler: &**compiler,
            order: by_size(code.module()),
            next: AtomicUsize::new(0),
            done: Mutex::default(),
            progress,
            total: code.module().bodies.iter().map(|body| body.len() as u64).sum(),
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 1..cores.min(work.order.len()) {
                let thread = std::thread::Builder::new().name("dunlin-compile".into());
                // Where the system gives no more threads, the ones there are do the work.
                if thread.spawn_scoped(scope, || work.run()).is_err() {
                    break;
                }
            }
            work.run();
        });
        let done = work.done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut interpreted = done.interpreted;
        interpreted.sort_by_key(|function| function.func);
        let engine = self.engine().clone();
        let (builder, code_bytes) = (done.builder, done.code_bytes);
        Ok(Compilation { engine, code, key, builder, code_bytes, interpreted })
    }

    /// A module from a compiled program, with its native code ready to run.
    ///
    /// The program must have been sealed by somebody whom the engine trusts: see
    /// [`StorageConfig`](crate::StorageConfig).
    ///
    /// # Errors
    ///
    /// If it was not, if it is for an engine with other settings, compiler or processor see [`Mismatch`],
    /// or if it is malformed.
    pub fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        fitting(Module::deserialize_any(engine, bytes)?)
    }

    /// As [`Module::deserialize`], but native code that the engine cannot use is left out: the module
    /// is then as if from its binary. Says why, if so.
    ///
    /// # Errors
    ///
    /// If nobody who is trusted has sealed it, or if it is malformed.
    pub fn deserialize_any(
        engine: &Engine,
        bytes: impl AsRef<[u8]>,
    ) -> Result<(Module, Option<Mismatch>)> {
        let trust = engine.storage().trust();
        let opened = Opened::trusted(bytes.as_ref(), &trust)?;
        let (binary, artifact) = opened.check()?;
        let key = Artifact::parse_key(artifact).map_err(malformed)?;
        if key.module != dunlin_seal::digest(binary) {
            return Err(malformed("its code is for another module"));
        }
        if let Some(mismatch) = mismatch(engine, &key) {
            return Ok((Module::from_shared(engine, binary.into())?, Some(mismatch)));
        }
        let decoded = decode(engine, binary.into(), opened.payload.verdict)?;
        let artifact = Artifact::parse_for(artifact, &decoded).map_err(malformed)?;
        let module = Module::from_decoded(engine, decoded);
        cache::install_artifact(engine.storage(), module.code(), &artifact);
        Ok((module, None))
    }

    /// As [`Module::deserialize_any`], from a file of which code is read when it is first called. Whatever
    /// happens to the file meanwhile, what was not sealed is not executed: where code cannot be read any
    /// more, functions are interpreted.
    ///
    /// # Errors
    ///
    /// As [`Module::deserialize_any`], or if the file cannot be read.
    pub fn deserialize_file(engine: &Engine, file: File) -> Result<(Module, Option<Mismatch>)> {
        OnDemand::open(engine, file)
    }

    /// Checks that somebody whom the engine trusts has sealed a compiled program, and nothing else.
    ///
    /// # Errors
    ///
    /// If nobody has.
    pub fn check_seal(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
        let trust = engine.storage().trust();
        Opened::trusted(bytes.as_ref(), &trust)?.check().map(drop)
    }

    /// Whether bytes begin as a compiled program does, which [`Module::deserialize`] reads.
    pub fn is_compiled_program(bytes: &[u8]) -> bool {
        envelope::is_sealed(bytes)
    }
}

impl Compilation {
    /// The functions that stay interpreted, in order.
    pub fn interpreted(&self) -> &[Interpreted] {
        &self.interpreted
    }

    /// How many functions have native code.
    pub fn functions(&self) -> usize {
        self.builder.len()
    }

    /// How many bytes of native code and of what is known of it.
    pub fn code_bytes(&self) -> usize {
        self.code_bytes
    }

    /// The program, for engines on this machine with the same key.
    ///
    /// # Errors
    ///
    /// If the engine has no such key.
    pub fn seal(self) -> Result<Vec<u8>> {
        let engine = self.engine.clone();
        match engine.storage().key() {
            Some(key) => Ok(self.close(Seal::Machine(key))),
            None => {
                let problems = engine.storage().problems();
                Err(Error::list(
                    ErrorKind::Misuse,
                    "cannot seal: there is no key of this machine",
                    problems,
                )
                .with_help("sign it with a key of your own"))
            }
        }
    }

    /// The program, for engines that trust the key.
    pub fn sign(self, key: &SigningKey) -> Vec<u8> {
        self.close(Seal::Signature(key))
    }

    fn close(self, seal: Seal<'_>) -> Vec<u8> {
        let binary = &self.code.module().bytes;
        let body_bytes = binary.len() + self.builder.bytes(&self.key);
        let mut bytes = envelope::start();
        bytes.extend_from_slice(&(binary.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&cache::verdict(&self.engine));
        let table_at = bytes.len();
        let body_at = table_at + blocks::table_bytes(body_bytes);
        bytes.reserve_exact(body_at - table_at + body_bytes);
        bytes.resize(body_at, 0);
        bytes.extend_from_slice(binary);
        self.builder.finish(&self.key, &mut bytes);
        let (front, body) = bytes.split_at_mut(body_at);
        for (to, from) in front.iter_mut().skip(table_at).zip(blocks::table(body)) {
            *to = from;
        }
        envelope::close_before(front, body.len() as u64, Purpose::Program, seal);
        bytes
    }
}

impl<'a> ProgramInfo<'a> {
    /// Reads what a compiled program says of itself, without checking its seal.
    ///
    /// # Errors
    ///
    /// If it is no compiled program, or malformed.
    pub fn read(bytes: &'a [u8]) -> Result<ProgramInfo<'a>> {
        let claim = envelope::read(bytes).map_err(refused)?;
        if claim.purpose != Purpose::Program {
            return Err(refused(SealError::Purpose(Purpose::Program, claim.purpose)));
        }
        let (module, artifact) =
            Opened::new(bytes, claim.payload, claim.body_bytes)?.unchecked()?;
        let artifact = Artifact::parse(artifact).map_err(malformed)?;
        Ok(ProgramInfo {
            sealed_by: claim.by,
            fingerprint: artifact.key().fingerprint.to_string(),
            settings: settings(&artifact.key().settings),
            functions: artifact.functions().len(),
            code_bytes: artifact.image().len(),
            module,
        })
    }
}

/// Largest first, so that no thread is left with a large one at the end.
fn by_size(module: &Decoded) -> Vec<u32> {
    let mut order: Vec<u32> = (0..module.bodies.len() as u32).collect();
    order.sort_by_key(|func| {
        Reverse(module.bodies.get(*func as usize).map_or(0, |body| body.len()))
    });
    order
}

/// All functions to compile, and those that are done.
struct Work<'a> {
    module: &'a Decoded,
    settings: Settings,
    compiler: &'a dyn Compiler,
    order: Vec<u32>,
    next: AtomicUsize,
    done: Mutex<Done>,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    total: u64,
}

#[derive(Default)]
struct Done {
    builder: Builder<'static>,
    bytes: u64,
    code_bytes: usize,
    interpreted: Vec<Interpreted>,
}

impl Work<'_> {
    fn run(&self) {
        while let Some(func) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let func = DefinedFuncIndex(*func);
            // Packed here: what waits to be written takes no more than it will in the file.
            let compiled = self.compile(func);
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            match compiled {
                Ok(code) => {
                    done.code_bytes += code.size();
                    done.builder.insert(func, Entry::Function, code);
                }
                Err(why) => {
                    let index = self.module.func_index(func);
                    let name = self.module.func_name(index).map(str::to_owned);
                    done.interpreted.push(Interpreted { func: index.0, name, why });
                }
            }
            done.bytes += self.module.bodies.get(func.index()).map_or(0, |body| body.len()) as u64;
            let bytes = done.bytes;
            drop(done);
            (self.progress)(bytes, self.total);
        }
    }

    fn compile(&self, func: DefinedFuncIndex) -> Result<Packed<'static>, CompileError> {
        let (module, settings) = (self.module, &self.settings);
        let request = Request { module, func, entry: Entry::Function, settings };
        // Whatever it has half done is its own, and a compiler is used only through `&self`.
        let compiled = catch_unwind(AssertUnwindSafe(|| self.compiler.compile(&request)));
        let code = compiled.unwrap_or_else(|_| Err(CompileError::Failed("it panicked".into())))?;
        Packed::new(&code).map_err(|error| CompileError::Failed(error.to_string()))
    }
}

/// Why code for `key` cannot be used by the engine, if it cannot.
fn mismatch(engine: &Engine, key: &Key<'_>) -> Option<Mismatch> {
    let Some(compiler) = engine.native() else { return Some(Mismatch::NoCompiler) };
    let expected = cache::fingerprint(compiler);
    if expected != key.fingerprint {
        let (expected, found) = difference(&expected, &key.fingerprint);
        return Some(Mismatch::Compiler(expected, found));
    }
    if engine.settings() != key.settings {
        let (expected, found) = (settings(&engine.settings()), settings(&key.settings));
        return Some(Mismatch::Settings(expected, found));
    }
    None
}

/// The first items in which two fingerprints differ.
fn difference(expected: &str, found: &str) -> (String, String) {
    let mut found = found.split("; ");
    for item in expected.split("; ") {
        match found.next() {
            Some(other) if other == item => {}
            other => return (item.to_owned(), other.unwrap_or("nothing").to_owned()),
        }
    }
    ("nothing".to_owned(), found.next().unwrap_or("nothing").to_owned())
}

/// Settings in words.
fn settings(settings: &Settings) -> String {
    // Without `..`: a setting that is added must be named too.
    let Settings { memory_kind, fuel, interruptible, deterministic } = *settings;
    let mut words = vec![match memory_kind {
        dunlin_code::MemoryKind::Guard => "guard memories",
        dunlin_code::MemoryKind::Compact => "compact memories",
    }];
    let named = [(fuel, "fuel"), (interruptible, "interruption"), (deterministic, "determinism")];
    words.extend(named.iter().filter(|(on, _)| *on).map(|(_, word)| *word));
    words.join(", ")
}

/// The module of a program, if the engine can use its code.
pub(crate) fn fitting((module, mismatch): (Module, Option<Mismatch>)) -> Result<Module> {
    let Some(mismatch) = mismatch else { return Ok(module) };
    let text = format!("cannot use compiled program: {mismatch}");
    let error = Error::message(ErrorKind::Invalid, text);
    Err(error.with_help("compile it again for this engine"))
}

/// Decodes the binary of a program that was found valid for what `verdict` stands for.
fn decode(engine: &Engine, binary: Arc<[u8]>, verdict: Verdict) -> Result<Decoded> {
    // Whoever sealed it vouches for all of it: what is executed is not looked at again either.
    match verdict == cache::verdict(engine) {
        true => Ok(Decoded::decode_accepted(binary, &engine.features(), engine.types())?),
        false => Ok(cache::decode(engine, binary)?.0),
    }
}

fn malformed(why: impl fmt::Display) -> Error {
    Error::message(ErrorKind::Invalid, format!("malformed compiled program: {why}"))
}

fn refused(error: SealError) -> Error {
    let help = match &error {
        SealError::Untrusted(SealedBy::Machine(_)) => Some(
            "compile it again on this machine, or have it signed with a key that is trusted here",
        ),
        SealError::Untrusted(_) => Some(
            "trust the public key of whoever signed it: `StorageConfig::trusted`, or `--trust KEY`",
        ),
        _ => None,
    };
    let message = Error::message(ErrorKind::Invalid, format!("compiled program: {error}"));
    match help {
        Some(help) => message.with_help(help),
        None => message,
    }
}
