//! A store in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Change, Counters, Result, Rows, Versioned};

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    map: BTreeMap<String, Versioned>,
    counters: Counters,
}

impl Memory {
    pub(super) fn look<T>(&self, act: impl FnOnce(&dyn Rows) -> Result<T>) -> Result<T> {
        act(&*self.lock())
    }

    /// Operations check everything before they change anything, and changes do not fail here.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut dyn Change) -> Result<T>) -> Result<T> {
        act(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows for Entries {
    fn get(&self, key: &str) -> Result<Option<Versioned>> {
        Ok(self.map.get(key).cloned())
    }

    fn peek(&self, key: &str) -> Result<Option<(u64, usize)>> {
        Ok(self.map.get(key).map(|(version, value)| (*version, value.len())))
    }

    fn keys(&self, after: Option<&str>, each: &mut dyn FnMut(&str) -> bool) -> Result<()> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        for (key, _) in self.map.range::<str, _>((start, Bound::Unbounded)) {
            if !each(key) {
                break;
            }
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters> {
        Ok(self.counters)
    }
}

impl Change for Entries {
    fn put(&mut self, key: &str, version: u64, value: &[u8]) -> Result<()> {
        self.map.insert(key.to_owned(), (version, value.to_vec()));
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<()> {
        self.map.remove(key);
        Ok(())
    }

    fn set_counters(&mut self, counters: Counters) -> Result<()> {
        self.counters = counters;
        Ok(())
    }
}
