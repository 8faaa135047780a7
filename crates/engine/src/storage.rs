//! What an engine keeps on disk, and whose files it believes.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use dunlin_seal::{Directory, MachineKey, Trust};

pub use dunlin_seal::directory::Kind as CacheKind;
pub use dunlin_seal::{AccessError, PublicKey, SealedBy, SigningKey};

use crate::cache::Cache;
use crate::error::{Error, Result};

/// The most that the cache takes, unless it is told otherwise.
const CACHE_BYTES_MAX: u64 = 1 << 30;
/// What our directories are called.
const NAME: &str = "dunlin";
/// The part of our cache that an engine keeps.
const MODULES: &str = "modules";

/// What an engine keeps on disk, and whose files it believes. By default nothing, and nobody's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageConfig {
    /// The directory of this machine's key, which what is kept here is sealed with. The key is made
    /// when it is first needed. Without it there is no cache, and no program is accepted that was
    /// compiled for this machine only.
    ///
    /// Whoever can read the key can make this engine execute anything: no guest may.
    pub key_directory: Option<PathBuf>,
    /// The directory of the cache: verdicts that modules are valid, and code that was compiled for
    /// them. Without it there is no cache.
    pub cache_directory: Option<PathBuf>,
    /// The most that the cache takes: what was used longest ago goes first.
    pub cache_bytes_max: u64,
    /// Whose compiled programs are accepted, besides those of this machine. They may do
    /// anything: their code is executed as it is.
    pub trusted: Vec<PublicKey>,
}

impl Default for StorageConfig {
    fn default() -> StorageConfig {
        StorageConfig {
            key_directory: None,
            cache_directory: None,
            cache_bytes_max: CACHE_BYTES_MAX,
            trusted: Vec::new(),
        }
    }
}

impl StorageConfig {
    /// Key and cache where they are by convention: `$XDG_STATE_HOME/dunlin` and
    /// `$XDG_CACHE_HOME/dunlin/modules`, which are `~/.local/state/dunlin` and
    /// `~/.cache/dunlin/modules` without these variables. Without a home there is neither.
    pub fn for_user() -> StorageConfig {
        StorageConfig {
            key_directory: user_directory("XDG_STATE_HOME", ".local/state"),
            cache_directory: user_directory("XDG_CACHE_HOME", ".cache")
                .map(|dir| dir.join(MODULES)),
            ..StorageConfig::default()
        }
    }
}

fn user_directory(variable: &str, below_home: &str) -> Option<PathBuf> {
    // Relative ones are to be passed over, says the XDG base directory specification.
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let base = env::var_os(variable).and_then(absolute).or_else(|| {
        let home = env::var_os("HOME").and_then(absolute)?;
        Some(home.join(below_home))
    })?;
    Some(base.join(NAME))
}

/// Keys and the cache of an engine, opened when they are first needed.
pub(crate) struct Storage {
    config: StorageConfig,
    key: OnceLock<Option<MachineKey>>,
    cache: OnceLock<Option<Cache>>,
    problems: Mutex<Vec<String>>,
}

impl Storage {
    pub(crate) fn new(config: StorageConfig) -> Storage {
        let (key, cache) = (OnceLock::new(), OnceLock::new());
        Storage { config, key, cache, problems: Mutex::default() }
    }

    /// This machine's key, if it is wanted and can be had.
    pub(crate) fn key(&self) -> Option<&MachineKey> {
        let open = || {
            let directory = self.config.key_directory.as_deref()?;
            let key = MachineKey::load_or_create(directory);
            key.map_err(|error| self.note(format_args!("no key of this machine: {error}"))).ok()
        };
        self.key.get_or_init(open).as_ref()
    }

    /// The cache, if it is wanted and can be had.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        let open = || {
            let directory = self.config.cache_directory.as_deref()?;
            let key = self.key()?.clone();
            let directory = Directory::open_or_create(directory);
            let directory = directory.map_err(|error| self.note(format_args!("no cache: {error}")));
            Some(Cache::new(directory.ok()?, key, self.config.cache_bytes_max))
        };
        self.cache.get_or_init(open).as_ref()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust { machine: self.key().cloned(), signers: self.config.trusted.clone() }
    }

    /// Notes that something did not work without which everything works, only slower.
    pub(crate) fn note(&self, problem: impl fmt::Display) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = problem.to_string();
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A file of the cache.
#[derive(Clone, Debug)]
pub struct CacheEntry {
    /// What it holds; `None` for what was never finished.
    pub kind: Option<CacheKind>,
    /// How large it is.
    pub bytes: u64,
    /// When it was last used, to about ten minutes.
    pub used: std::time::SystemTime,
}

/// What is in the cache of `config`; nothing if there is none.
///
/// # Errors
///
/// If it cannot be read, or is not safe to use.
pub fn list_cache(config: &StorageConfig) -> Result<Vec<CacheEntry>> {
    with_cache(config, Directory::list)
}

/// Removes everything from the cache of `config`, and says what that was.
///
/// # Errors
///
/// If it cannot be read, or is not safe to use.
pub fn clear_cache(config: &StorageConfig) -> Result<Vec<CacheEntry>> {
    with_cache(config, Directory::clear)
}

fn with_cache(
    config: &StorageConfig,
    work: fn(&Directory) -> Result<Vec<dunlin_seal::directory::Listed>, dunlin_seal::AccessError>,
) -> Result<Vec<CacheEntry>> {
    let Some(path) = &config.cache_directory else { return Ok(Vec::new()) };
    let Some(directory) = Directory::open(path).map_err(Error::host)? else {
        return Ok(Vec::new());
    };
    let files = work(&directory).map_err(Error::host)?;
    let entry = |f: dunlin_seal::directory::Listed| CacheEntry {
        kind: f.kind,
        bytes: f.bytes,
        used: f.used,
    };
    Ok(files.into_iter().map(entry).collect())
}
