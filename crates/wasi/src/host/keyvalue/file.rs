//! A store in a file: a database of two tables, the entries and what is counted of them.

use std::fmt::Display;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Change, Counters, Result, Rows, StoreError, Versioned};

/// Each key with the number of the change that put it there, and its value.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("entries");

const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

/// How much of the file is kept in memory.
const CACHE: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    open: Mutex<Option<Arc<Database>>>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> File {
        File { path, open: Mutex::new(None) }
    }

    /// The database, opened when it is first asked for. A failure is not the end: the next one tries again.
    fn database(&self) -> Result<Arc<Database>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &*open {
            return Ok(Arc::clone(database));
        }
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let wrong = |error: &dyn Display| {
            let path = self.path.display().to_string();
            StoreError::Storage(format!("cannot open store `{}`: {error}", path.escape_debug()))
        };
        let file = options.open(&self.path).map_err(|error| wrong(&error))?;
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE);
        let backend = FileBackend::new(file).map_err(|error| wrong(&error))?;
        let database = builder.create_with_backend(backend).map_err(|error| wrong(&error))?;
        let tables = || -> std::result::Result<(), redb::Error> {
            let change = database.begin_write()?;
            change.open_table(ENTRIES)?;
            change.open_table(COUNTERS)?;
            Ok(change.commit()?)
        };
        tables().map_err(|error| wrong(&error))?;
        Ok(Arc::clone(open.insert(Arc::new(database))))
    }

    pub(super) fn look<T>(&self, act: impl FnOnce(&dyn Rows) -> Result<T>) -> Result<T> {
        let look = self.database()?.begin_read().map_err(failed)?;
        let entries = look.open_table(ENTRIES).map_err(failed)?;
        let counters = look.open_table(COUNTERS).map_err(failed)?;
        act(&Tables { entries, counters })
    }

    /// What fails leaves nothing behind.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut dyn Change) -> Result<T>) -> Result<T> {
        let change = self.database()?.begin_write().map_err(failed)?;
        let entries = change.open_table(ENTRIES).map_err(failed)?;
        let counters = change.open_table(COUNTERS).map_err(failed)?;
        let mut tables = Tables { entries, counters };
        let done = act(&mut tables)?;
        drop(tables);
        change.commit().map_err(failed)?;
        Ok(done)
    }
}

fn failed(error: impl Display) -> StoreError {
    StoreError::Storage(format!("the store failed: {error}"))
}

struct Tables<E, C> {
    entries: E,
    counters: C,
}

impl<E, C> Rows for Tables<E, C>
where
    E: ReadableTable<&'static str, (u64, &'static [u8])>,
    C: ReadableTable<&'static str, u64>,
{
    fn get(&self, key: &str) -> Result<Option<Versioned>> {
        let found = self.entries.get(key).map_err(failed)?;
        Ok(found.map(|entry| {
            let (version, value) = entry.value();
            (version, value.to_vec())
        }))
    }

    fn peek(&self, key: &str) -> Result<Option<(u64, usize)>> {
        let found = self.entries.get(key).map_err(failed)?;
        Ok(found.map(|entry| {
            let (version, value) = entry.value();
            (version, value.len())
        }))
    }

    fn keys(&self, after: Option<&str>, each: &mut dyn FnMut(&str) -> bool) -> Result<()> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for entry in self.entries.range::<&str>((start, Bound::Unbounded)).map_err(failed)? {
            let (key, _) = entry.map_err(failed)?;
            if !each(key.value()) {
                break;
            }
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters> {
        let get = |name| -> Result<u64> {
            Ok(self.counters.get(name).map_err(failed)?.map_or(0, |count| count.value()))
        };
        let (changes, removals) = (get("changes")?, get("removals")?);
        Ok(Counters { changes, removals, bytes: get("bytes")? })
    }
}

impl Change
    for Tables<
        redb::Table<'_, &'static str, (u64, &'static [u8])>,
        redb::Table<'_, &'static str, u64>,
    >
{
    fn put(&mut self, key: &str, version: u64, value: &[u8]) -> Result<()> {
        self.entries.insert(key, (version, value)).map_err(failed).map(drop)
    }

    fn remove(&mut self, key: &str) -> Result<()> {
        self.entries.remove(key).map_err(failed).map(drop)
    }

    fn set_counters(&mut self, counters: Counters) -> Result<()> {
        let Counters { changes, removals, bytes } = counters;
        for (name, count) in [("changes", changes), ("removals", removals), ("bytes", bytes)] {
            self.counters.insert(name, count).map_err(failed)?;
        }
        Ok(())
    }
}
