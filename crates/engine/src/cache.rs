//! The cache: what was found out about a module in one run is there at the next.
//!
//! Two kinds of files, each named by the hash of all that its contents depend on, sealed with this
//! machine's key, and beginning with that hash again, so that one cannot be put in another's place:
//!
//! - *verdicts*: that a module is valid with certain features;
//! - *code*: what was compiled for a module with certain settings, as a [`code::artifact`](artifact).
//!
//! Whatever is wrong with a file, the worst that comes of it is work that is done again.

use std::fmt::Write;
use std::sync::Arc;

use dunlin_code::artifact::{self, Artifact, Builder, CONTRACT, Key, ModuleDigest, Packed};
use dunlin_code::native::{Compiler, Entry, NativeCode};
use dunlin_module::{DefinedFuncIndex, Features, Module as Decoded, Proposal};
use dunlin_seal::directory::Kind;
use dunlin_seal::envelope::{self, HEADER_BYTES};
use dunlin_seal::{AccessError, Directory, MachineKey, Purpose, Seal, Trust, digest, digest_parts};
use dunlin_vm::ModuleCode;

use crate::engine::Engine;
use crate::error::Result;
use crate::storage::Storage;

/// Smaller modules are validated in less time than a verdict is looked up.
const VERDICT_BYTES_MIN: usize = 64 << 10;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// What the cache knows of a module.
#[derive(Debug)]
pub(crate) struct Origin {
    digest: ModuleDigest,
    /// How many functions and loops came from the cache.
    loaded: usize,
}

/// An open cache.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: Directory,
    key: MachineKey,
    bytes_max: u64,
}

impl Cache {
    pub(crate) fn new(directory: Directory, key: MachineKey, bytes_max: u64) -> Cache {
        Cache { directory, key, bytes_max }
    }

    /// The payload of the file for `hash`: the file, and where in it the payload begins.
    fn read(&self, storage: &Storage, kind: Kind, hash: &[u8; 32]) -> Option<Vec<u8>> {
        let bytes = match self.directory.read(kind, hash) {
            Ok(bytes) => bytes?,
            Err(error) => {
                storage.note(format_args!("not read from the cache: {error}"));
                return None;
            }
        };
        let trust = Trust { machine: Some(self.key.clone()), signers: Vec::new() };
        let fault = match envelope::open(&bytes, purpose(kind), &trust) {
            Ok(payload) if payload.starts_with(hash) => return Some(bytes),
            Ok(_) => "it is in the place of another".to_owned(),
            Err(error) => error.to_string(),
        };
        self.reject(storage, kind, hash, &fault);
        None
    }

    /// Notes that a file is not used, and removes it.
    fn reject(&self, storage: &Storage, kind: Kind, hash: &[u8; 32], fault: &str) {
        storage.note(format_args!("a file of the cache is not used: {fault}"));
        self.directory.remove(kind, hash);
    }

    fn write(
        &self,
        kind: Kind,
        hash: &[u8; 32],
        contents: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), AccessError> {
        let mut bytes = envelope::start();
        bytes.extend_from_slice(hash);
        contents(&mut bytes);
        envelope::close(&mut bytes, purpose(kind), Seal::Machine(&self.key));
        self.directory.write(kind, hash, &bytes)?;
        self.directory.trim(self.bytes_max)
    }
}

fn purpose(kind: Kind) -> Purpose {
    match kind {
        Kind::Code => Purpose::Code,
        Kind::Verdict => Purpose::Verdict,
    }
}

/// Decodes a module; one that was found valid before is not validated again.
pub(crate) fn decode(engine: &Engine, bytes: Arc<[u8]>) -> Result<(Decoded, ModuleDigest)> {
    let digest = digest(&bytes);
    let storage = engine.storage();
    let cache = storage.cache().filter(|_| bytes.len() >= VERDICT_BYTES_MIN);
    let Some(cache) = cache else {
        return Ok((crate::module::decode(engine, bytes)?, digest));
    };
    let (features, build) = (features(&engine.features()), build());
    let parts = [&digest[..], features.as_bytes(), build.as_bytes()];
    let hash = digest_parts("dunlin 2026-11 verdict", &parts);
    if cache.read(storage, Kind::Verdict, &hash).is_some() {
        let decoded = Decoded::decode_accepted(bytes, &engine.features(), engine.types())?;
        return Ok((decoded, digest));
    }
    let decoded = crate::module::decode(engine, bytes)?;
    if let Err(error) = cache.write(Kind::Verdict, &hash, |_| ()) {
        storage.note(format_args!("not written to the cache: {error}"));
    }
    Ok((decoded, digest))
}

/// Installs what the cache has for this code.
pub(crate) fn load(engine: &Engine, code: &ModuleCode, digest: ModuleDigest) -> Origin {
    let mut origin = Origin { digest, loaded: 0 };
    let storage = engine.storage();
    let (Some(cache), Some(compiler)) = (storage.cache(), engine.native()) else {
        return origin;
    };
    let key = key(engine, compiler, digest);
    let hash = code_hash(&key);
    let Some(bytes) = cache.read(storage, Kind::Code, &hash) else { return origin };
    match install(storage, code, &key, contents(&bytes)) {
        Ok(count) => origin.loaded = count,
        Err(fault) => cache.reject(storage, Kind::Code, &hash, &fault),
    }
    origin
}

/// Installs all functions of an artifact, if it is for `key` and fits the module.
fn install(
    storage: &Storage,
    code: &ModuleCode,
    key: &Key<'_>,
    bytes: &[u8],
) -> Result<usize, String> {
    let artifact = Artifact::parse(bytes).map_err(|error| error.to_string())?;
    if artifact.key() != key {
        return Err("it is for something else".to_owned());
    }
    install_artifact(storage, code, &artifact)
}

/// Installs all functions of an artifact, after checking that they fit the module. Where there is no
/// room for them everything is interpreted.
pub(crate) fn install_artifact(
    storage: &Storage,
    code: &ModuleCode,
    artifact: &Artifact<'_>,
) -> Result<usize, String> {
    artifact.check(code.module()).map_err(|error| error.to_string())?;
    let functions: Vec<(DefinedFuncIndex, Entry, NativeCode)> =
        artifact.functions().iter().map(|f| (f.func, f.entry, f.unpack())).collect();
    let batch: Vec<_> = functions.iter().map(|(func, entry, code)| (*func, *entry, code)).collect();
    if !batch.is_empty() && code.install(&batch).is_err() {
        storage.note("no room for native code");
    }
    Ok(code.native_count())
}

/// Writes what is native now, together with what the cache has meanwhile. Gives whether anything
/// was new.
pub(crate) fn save(engine: &Engine, code: &ModuleCode, origin: &Origin) -> Result<bool, String> {
    let storage = engine.storage();
    let (Some(cache), Some(compiler)) = (storage.cache(), engine.native()) else {
        return Ok(false);
    };
    if code.native_count() <= origin.loaded {
        return Ok(false);
    }
    let key = key(engine, compiler, origin.digest);
    let hash = code_hash(&key);
    let known = cache.read(storage, Kind::Code, &hash);
    let known = known.as_ref().and_then(|bytes| Artifact::parse(contents(bytes)).ok());
    let mut builder = Builder::default();
    if let Some(known) = known.as_ref().filter(|known| *known.key() == key) {
        for function in known.functions() {
            builder.insert(function.func, function.entry, function.packed());
        }
        for heat in known.profile() {
            builder.heat(heat.func, heat.entry, heat.weight);
        }
    }
    let before = builder.len();
    code.each_native(|func, entry, native| match Packed::new(&native) {
        Ok(packed) => builder.insert(func, entry, packed),
        Err(error) => storage.note(format_args!("not written to the cache: {error}")),
    });
    if builder.len() == before {
        return Ok(false);
    }
    let written = cache.write(Kind::Code, &hash, |bytes| builder.finish(&key, bytes));
    written.map(|()| true).map_err(|error| format!("not written to the cache: {error}"))
}

/// What is behind the seal and the hash.
fn contents(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER_BYTES + HASH_BYTES..).unwrap_or_default()
}

/// What code of this engine for a module is for.
pub(crate) fn key(
    engine: &Engine,
    compiler: &Arc<dyn Compiler>,
    module: ModuleDigest,
) -> Key<'static> {
    Key { fingerprint: fingerprint(compiler).into(), settings: engine.settings(), module }
}

/// Names all that code depends on besides the module and the settings.
pub(crate) fn fingerprint(compiler: &Arc<dyn Compiler>) -> String {
    format!("{}; contract {CONTRACT:016x}", compiler.fingerprint())
}

fn code_hash(key: &Key<'_>) -> [u8; 32] {
    let settings = artifact::settings_bits(&key.settings).to_le_bytes();
    let build = build();
    let parts = [&key.module[..], &settings, key.fingerprint.as_bytes(), build.as_bytes()];
    digest_parts("dunlin 2026-11 code", &parts)
}

/// All features by name: their order in memory may change.
fn features(features: &Features) -> String {
    let on = Proposal::ALL.iter().filter(|proposal| features.contains(**proposal));
    on.map(|proposal| format!("{},", proposal.name())).collect()
}

/// Names this build: of two builds of one version, neither uses what the other left. The cache is of
/// this machine, so that the program's own file can tell.
fn build() -> String {
    let mut build = format!("dunlin {}", env!("CARGO_PKG_VERSION"));
    let metadata = std::env::current_exe().and_then(std::fs::metadata);
    #[cfg(unix)]
    if let Ok(metadata) = metadata {
        use std::os::unix::fs::MetadataExt;
        let (dev, ino, size) = (metadata.dev(), metadata.ino(), metadata.size());
        let times =
            [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())];
        // Writing to a string cannot fail.
        let _ = write!(build, "; {dev} {ino} {size} {times:?}");
    }
    build
}

#[cfg(test)]
mod tests;
