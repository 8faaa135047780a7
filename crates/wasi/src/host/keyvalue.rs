//! Stores of keys and values: in memory, or in a file that lasts.
//!
//! Every operation is one transaction on one store: it happens whole or not at all, whoever else uses
//! the store. What a store does is written once, over [`Rows`]; what it is kept in is below.

mod file;
mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use file::File;
use memory::Memory;

use super::witness::{Verdict, Witness};
use super::{Denial, Need};

/// The longest key, in bytes.
pub const KEY_MAX: usize = 4096;

/// The longest value, in bytes.
pub const VALUE_MAX: usize = 16 << 20;

/// How many bytes a store holds, unless its limit says otherwise.
pub const STORE_MAX: u64 = 1 << 30;

/// What an entry counts for beside the bytes of its key and value.
const ENTRY: u64 = 64;

/// How many keys are listed at once, and about how many bytes they have.
const PAGE_KEYS: usize = 1000;
const PAGE_BYTES: usize = 256 << 10;

/// Why an operation on a store failed. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The store was not granted.
    AccessDenied,
    /// A key longer than [`KEY_MAX`].
    KeyTooLong,
    /// A value longer than [`VALUE_MAX`].
    ValueTooLong,
    /// The store would hold more than its limit.
    Full {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A value to be incremented that is no number.
    NotANumber,
    /// A number that would leave the range of 64 bits.
    Overflow,
    /// What keeps the store failed.
    Storage(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::AccessDenied => f.write_str("the store is not granted"),
            StoreError::KeyTooLong => write!(f, "the key is longer than {KEY_MAX} bytes"),
            StoreError::ValueTooLong => write!(f, "the value is longer than {VALUE_MAX} bytes"),
            StoreError::Full { limit } => write!(f, "the store would hold more than {limit} bytes"),
            StoreError::NotANumber => f.write_str("the value is no decimal number of 64 bits"),
            StoreError::Overflow => f.write_str("the number would not fit into 64 bits"),
            StoreError::Storage(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StoreError {}

type Result<T> = std::result::Result<T, StoreError>;

/// What is counted of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    /// How many changes there have been: the last one's number is its entry's version.
    changes: u64,
    /// How many entries were removed.
    removals: u64,
    /// How many bytes there are.
    bytes: u64,
}

/// A value, and the number of the change that put it there.
type Versioned = (u64, Vec<u8>);

/// A store inside a transaction, to read.
trait Rows {
    fn get(&self, key: &str) -> Result<Option<Versioned>>;
    /// The version of an entry and how long its value is.
    fn peek(&self, key: &str) -> Result<Option<(u64, usize)>>;
    /// Shows keys in order, from the first after `after`, until it is enough.
    fn keys(&self, after: Option<&str>, each: &mut dyn FnMut(&str) -> bool) -> Result<()>;
    fn counters(&self) -> Result<Counters>;
}

/// A store inside a transaction, to change.
trait Change: Rows {
    fn put(&mut self, key: &str, version: u64, value: &[u8]) -> Result<()>;
    fn remove(&mut self, key: &str) -> Result<()>;
    fn set_counters(&mut self, counters: Counters) -> Result<()>;
}

/// A store. A clone is another handle on the same.
#[derive(Clone, Debug)]
pub struct Store(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    limit: u64,
    medium: Medium,
}

#[derive(Debug)]
enum Medium {
    Memory(Memory),
    File(File),
}

/// Some keys of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The keys, in order.
    pub keys: Vec<String>,
    /// Where to go on, if there are more.
    pub cursor: Option<String>,
}

/// The value of a key at some time, to be replaced only if it is that still.
#[derive(Clone, Debug)]
pub struct Swap {
    store: Store,
    key: String,
    /// The version of the entry, or how many there were removed while there was none.
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Version(u64),
    Nothing { removals: u64 },
}

/// What became of a swap.
#[derive(Debug)]
pub enum Swapped {
    /// The value is replaced.
    Done,
    /// It was changed in between. Here is another try, with what there is now.
    Failed(Swap, Option<Vec<u8>>),
}

impl Store {
    /// A store that lasts as long as the process, for up to that many bytes.
    pub fn memory(limit: u64) -> Store {
        Store(Arc::new(Kept { limit, medium: Medium::Memory(Memory::default()) }))
    }

    /// A store in a file, which is made when it is used first, for up to that many bytes.
    ///
    /// A change is on the disk when the operation ends. One process at a time may use the file.
    pub fn file(path: impl Into<PathBuf>, limit: u64) -> Store {
        Store(Arc::new(Kept { limit, medium: Medium::File(File::new(path.into())) }))
    }

    fn look<T>(&self, act: impl FnOnce(&dyn Rows) -> Result<T>) -> Result<T> {
        match &self.0.medium {
            Medium::Memory(memory) => memory.look(act),
            Medium::File(file) => file.look(act),
        }
    }

    fn change<T>(&self, act: impl FnOnce(&mut dyn Change) -> Result<T>) -> Result<T> {
        match &self.0.medium {
            Medium::Memory(memory) => memory.change(act),
            Medium::File(file) => file.change(act),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        check_key(key)?;
        self.look(|rows| Ok(rows.get(key)?.map(|(_, value)| value)))
    }

    /// The values of several keys, of one moment.
    pub fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().try_for_each(|key| check_key(key))?;
        self.look(|rows| {
            keys.iter().map(|key| Ok(rows.get(key)?.map(|(_, value)| value))).collect()
        })
    }

    /// Whether there is a key.
    pub fn exists(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        self.look(|rows| Ok(rows.peek(key)?.is_some()))
    }

    /// Keys in order, some at a time: the first ones, or those after a cursor.
    pub fn list(&self, cursor: Option<&str>) -> Result<Keys> {
        let mut listed = Keys::default();
        let mut bytes = 0usize;
        self.look(|rows| {
            rows.keys(cursor, &mut |key| {
                if listed.keys.len() >= PAGE_KEYS || bytes >= PAGE_BYTES {
                    listed.cursor = listed.keys.last().cloned();
                    return false;
                }
                bytes = bytes.saturating_add(key.len());
                listed.keys.push(key.to_owned());
                true
            })
        })?;
        Ok(listed)
    }

    /// Gives a key a value.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        self.set_many(&[(key, value)])
    }

    /// Gives several keys values, of which the last counts if one is named twice.
    pub fn set_many(&self, entries: &[(&str, &[u8])]) -> Result<()> {
        for (key, value) in entries {
            check_key(key)?;
            check_value(value)?;
        }
        let entries: BTreeMap<&str, &[u8]> = entries.iter().copied().collect();
        self.change(|rows| put(rows, self.0.limit, &entries))
    }

    /// Removes a key, if there is one.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.delete_many(&[key])
    }

    /// Removes those of the keys that there are.
    pub fn delete_many(&self, keys: &[&str]) -> Result<()> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let keys: BTreeSet<&str> = keys.iter().copied().collect();
        self.change(|rows| {
            let mut counters = rows.counters()?;
            for key in keys {
                let Some((_, len)) = rows.peek(key)? else { continue };
                rows.remove(key)?;
                counters.removals = counters.removals.saturating_add(1);
                counters.bytes = counters.bytes.saturating_sub(weight(key, len));
            }
            rows.set_counters(counters)
        })
    }

    /// Adds to the number that a key has as its value, as decimal digits; 0 if there is none. Gives the sum.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        check_key(key)?;
        self.change(|rows| {
            let old = match rows.get(key)? {
                None => 0,
                Some((_, value)) => {
                    let text = std::str::from_utf8(&value).ok();
                    text.and_then(|text| text.parse().ok()).ok_or(StoreError::NotANumber)?
                }
            };
            let sum = i64::checked_add(old, delta).ok_or(StoreError::Overflow)?;
            let text = sum.to_string();
            put(rows, self.0.limit, &BTreeMap::from([(key, text.as_bytes())]))?;
            Ok(sum)
        })
    }

    /// Notes what a key has now, to be replaced if it has not changed, and gives it.
    pub fn begin_swap(&self, key: &str) -> Result<(Swap, Option<Vec<u8>>)> {
        check_key(key)?;
        self.look(|rows| self.seen(key, rows))
    }

    fn seen(&self, key: &str, rows: &(impl Rows + ?Sized)) -> Result<(Swap, Option<Vec<u8>>)> {
        let (seen, value) = match rows.get(key)? {
            Some((version, value)) => (Seen::Version(version), Some(value)),
            None => (Seen::Nothing { removals: rows.counters()?.removals }, None),
        };
        Ok((Swap { store: self.clone(), key: key.to_owned(), seen }, value))
    }
}

impl Swap {
    /// Replaces the value, if it is what it was.
    pub fn swap(self, value: &[u8]) -> Result<Swapped> {
        check_value(value)?;
        let Swap { store, key, seen } = &self;
        store.change(|rows| {
            let now = match rows.peek(key)? {
                Some((version, _)) => Seen::Version(version),
                // Something may have been there in between, and be gone.
                None => Seen::Nothing { removals: rows.counters()?.removals },
            };
            if now != *seen {
                let (swap, value) = store.seen(key, &*rows)?;
                return Ok(Swapped::Failed(swap, value));
            }
            put(rows, store.0.limit, &BTreeMap::from([(key.as_str(), value)]))?;
            Ok(Swapped::Done)
        })
    }
}

/// Puts entries, if they fit.
fn put(rows: &mut dyn Change, limit: u64, entries: &BTreeMap<&str, &[u8]>) -> Result<()> {
    let mut counters = rows.counters()?;
    for (key, value) in entries {
        let old = rows.peek(key)?.map_or(0, |(_, len)| weight(key, len));
        let new = weight(key, value.len());
        counters.bytes = counters.bytes.saturating_sub(old).saturating_add(new);
    }
    if counters.bytes > limit {
        return Err(StoreError::Full { limit });
    }
    for (key, value) in entries {
        counters.changes = counters.changes.saturating_add(1);
        rows.put(key, counters.changes, value)?;
    }
    rows.set_counters(counters)
}

fn weight(key: &str, value: usize) -> u64 {
    ENTRY.saturating_add(key.len() as u64).saturating_add(value as u64)
}

fn check_key(key: &str) -> Result<()> {
    if key.len() > KEY_MAX { Err(StoreError::KeyTooLong) } else { Ok(()) }
}

fn check_value(value: &[u8]) -> Result<()> {
    if value.len() > VALUE_MAX { Err(StoreError::ValueTooLong) } else { Ok(()) }
}

/// Where a granted store is kept, as the command line and policies say it: `memory`, or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StorePlace {
    /// Nowhere that lasts.
    Memory,
    /// In a file.
    File(PathBuf),
}

impl StorePlace {
    /// The store itself; a relative path begins at `base`.
    pub fn store(&self, base: &Path) -> Store {
        match self {
            StorePlace::Memory => Store::memory(STORE_MAX),
            StorePlace::File(path) => Store::file(base.join(path), STORE_MAX),
        }
    }
}

impl std::str::FromStr for StorePlace {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<StorePlace, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(StorePlace::Memory),
            Some(("file", path)) if !path.is_empty() => Ok(StorePlace::File(path.into())),
            _ => Err(format!(
                "invalid place of a store `{}`: expected `memory` or `file:PATH`",
                text.escape_debug()
            )),
        }
    }
}

impl TryFrom<String> for StorePlace {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<StorePlace, String> {
        text.parse()
    }
}

impl From<StorePlace> for String {
    fn from(place: StorePlace) -> String {
        match place {
            StorePlace::Memory => "memory".to_owned(),
            StorePlace::File(path) => format!("file:{}", path.display()),
        }
    }
}

/// The stores granted to a guest, by name.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    pub(crate) granted: Arc<BTreeMap<String, Store>>,
    /// Those that somebody who was asked let the guest have, in memory.
    pub(crate) allowed: Arc<Mutex<BTreeMap<String, Store>>>,
    pub(crate) witness: Witness,
}

impl Stores {
    /// The store of this name.
    pub fn open(&self, name: &str) -> Result<Store> {
        let need = || Need::Store { name: name.to_owned() };
        let tell = |verdict, rule: Option<&dyn fmt::Display>| {
            self.witness.tell("open-store", verdict, rule, need);
        };
        if let Some(store) = self.granted.get(name) {
            tell(Verdict::Granted, Some(&format_args!("--kv {name}")));
            return Ok(store.clone());
        }
        if let Some(verdict) = self.witness.unmet(&need()).verdict() {
            tell(verdict, Some(&"allowed when asked"));
            let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
            let store = allowed.entry(name.to_owned()).or_insert_with(|| Store::memory(STORE_MAX));
            return Ok(store.clone());
        }
        tell(Verdict::Denied, None);
        self.witness.deny(Denial::Need { need: need(), note: None });
        Err(StoreError::AccessDenied)
    }
}
