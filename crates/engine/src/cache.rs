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

use dunlin_code::artifact::{self, Artifact, Builder, CONTRACT, Key, ModuleDigest};
use dunlin_code::native::{Compiler, Entry};
use dunlin_module::{Features, Module as Decoded, Proposal};
use dunlin_seal::directory::Kind;
use dunlin_seal::envelope::{self, HEADER_BYTES};
use dunlin_seal::{AccessError, Directory, MachineKey, Purpose, Seal, Trust, digest, digest_parts};
use dunlin_vm::{HEAT_PER_MILLISECOND, ModuleCode};

use crate::engine::Engine;
use crate::error::Result;
use crate::storage::Storage;

/// Smaller modules are validated in less time than a verdict is looked up.
const VERDICT_BYTES_MIN: usize = 64 << 10;
/// So much interpreted time has to be new for it to be written where nothing was compiled.
const HEAT_WORTH_WRITING: u64 = 5 * HEAT_PER_MILLISECOND;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// What the cache knows of a module.
#[derive(Debug)]
pub(crate) struct Origin {
    digest: ModuleDigest,
    /// How many functions and loops came from the cache.
    loaded: usize,
    /// The heat of interpreted functions that came from the cache, altogether.
    remembered: u64,
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
    let storage = engine.storage();
    let cache = storage.cache().filter(|_| bytes.len() >= VERDICT_BYTES_MIN);
    let Some(cache) = cache else {
        let digest = digest(&bytes);
        return Ok((crate::module::decode(engine, bytes)?, digest));
    };
    crate::module::refuse_component(&bytes)?;
    let verdict = |digest: &ModuleDigest| {
        let (features, build) = (features(&engine.features()), build());
        digest_parts("dunlin 2026-11 verdict", &[digest, features.as_bytes(), build.as_bytes()])
    };
    let (mut found, mut known) = ([0; HASH_BYTES], false);
    let decoded = beside(
        || digest(&bytes),
        |digest| {
            let is_accepted = || {
                found = digest();
                known = cache.read(storage, Kind::Verdict, &verdict(&found)).is_some();
                known
            };
            let (features, types) = (&engine.features(), engine.types());
            Decoded::decode_unless_accepted(bytes.clone(), features, types, is_accepted)
        },
    )?;
    if !known && let Err(error) = cache.write(Kind::Verdict, &verdict(&found), |_| ()) {
        storage.note(format_args!("not written to the cache: {error}"));
    }
    Ok((decoded, found))
}

/// Calls `main` while another thread does `other`, whose result `main` can wait for.
pub(crate) fn beside<T: Send, R>(
    other: impl Fn() -> T + Sync,
    main: impl FnOnce(&mut dyn FnMut() -> T) -> R,
) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("dunlin-hash".into());
        let mut thread = thread.spawn_scoped(scope, &other).ok();
        // Where the system gives no more threads, this one does it.
        main(&mut || thread.take().and_then(|thread| thread.join().ok()).unwrap_or_else(&other))
    })
}

/// What a module was found valid for, by which version.
pub(crate) type Verdict = [u8; HASH_BYTES];

/// What this engine finds modules valid for, in programs that others may have compiled: code that was made
/// by a version is as good as its validation.
pub(crate) fn verdict(engine: &Engine) -> Verdict {
    let (features, contract) = (features(&engine.features()), CONTRACT.to_le_bytes());
    let parts = [features.as_bytes(), env!("CARGO_PKG_VERSION").as_bytes(), &contract];
    digest_parts("dunlin 2026-11 verdict in a program", &parts)
}

/// Installs what the cache has for this code.
pub(crate) fn load(engine: &Engine, code: &ModuleCode, digest: ModuleDigest) -> Origin {
    let mut origin = Origin { digest, loaded: 0, remembered: 0 };
    let storage = engine.storage();
    let (Some(cache), Some(compiler)) = (storage.cache(), engine.native()) else {
        return origin;
    };
    let key = key(engine, compiler, digest);
    let hash = code_hash(&key);
    let Some(bytes) = cache.read(storage, Kind::Code, &hash) else { return origin };
    match install(storage, code, &key, contents(&bytes)) {
        Ok((count, heat)) => (origin.loaded, origin.remembered) = (count, heat),
        Err(fault) => cache.reject(storage, Kind::Code, &hash, &fault),
    }
    origin
}

/// Installs all functions of an artifact, if it is for `key` and fits the module, and has what else was hot
/// compiled. Gives how many functions there are, and how hot all else was.
fn install(
    storage: &Storage,
    code: &ModuleCode,
    key: &Key<'_>,
    bytes: &[u8],
) -> Result<(usize, u64), String> {
    let artifact = Artifact::parse_for(bytes, code.module()).map_err(|error| error.to_string())?;
    if artifact.key() != key {
        return Err("it is for something else".to_owned());
    }
    let count = install_artifact(storage, code, &artifact);
    let past: Vec<_> = artifact
        .profile()
        .iter()
        .filter(|heat| heat.entry == Entry::Function)
        .map(|heat| (heat.func, heat.weight))
        .collect();
    code.remember(&past);
    Ok((count, past.iter().map(|(_, heat)| u64::from(*heat)).sum()))
}

/// Installs all functions of an artifact that was parsed for the module. Where there is no room for
/// them everything is interpreted.
pub(crate) fn install_artifact(
    storage: &Storage,
    code: &ModuleCode,
    artifact: &Artifact<'_>,
) -> usize {
    if code.install_kept(artifact.functions()).is_err() {
        storage.note("no room for native code");
    }
    code.native_count()
}

/// Writes what is native now and what else was hot, together with what the cache has meanwhile. Gives
/// whether there was anything new.
pub(crate) fn save(engine: &Engine, code: &ModuleCode, origin: &Origin) -> Result<bool, String> {
    let storage = engine.storage();
    let (Some(cache), Some(compiler)) = (storage.cache(), engine.native()) else {
        return Ok(false);
    };
    let past = code.past();
    let heat: u64 = past.iter().map(|(_, heat)| u64::from(*heat)).sum();
    // A quarter more, so that what is run a thousand times is not written a thousand times.
    let is_hotter = heat > origin.remembered + origin.remembered / 4 + HEAT_WORTH_WRITING;
    if code.native_count() <= origin.loaded && !is_hotter {
        return Ok(false);
    }
    let key = key(engine, compiler, origin.digest);
    let hash = code_hash(&key);
    let known = cache.read(storage, Kind::Code, &hash);
    let known = known.as_ref().and_then(|bytes| Artifact::parse(contents(bytes)).ok());
    let known = known.as_ref().filter(|known| *known.key() == key);
    let mut builder = Builder::default();
    for function in known.iter().flat_map(|known| known.functions()) {
        builder.insert(function.func, function.entry, function.packed());
    }
    let before = builder.len();
    code.each_native(|func, entry, packed| builder.insert(func, entry, packed.into_owned()));
    if builder.len() == before && !is_hotter {
        return Ok(false);
    }
    let known = known.iter().flat_map(|known| known.profile());
    let known = known.map(|heat| (heat.func, heat.entry, heat.weight));
    let past = past.into_iter().map(|(func, heat)| (func, Entry::Function, heat));
    for (func, entry, heat) in known.chain(past) {
        if !builder.contains(func, entry) {
            builder.heat(func, entry, heat);
        }
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
