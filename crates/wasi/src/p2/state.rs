//! What is kept of a guest of WASI 0.2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::table::ResourceTable;
use crate::host::Error;

/// How many resources a guest may hold.
pub const RESOURCES_MAX: usize = 1 << 20;

/// What a guest holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(super) files: Places,
    /// What makes its hashes of files its own, once it has asked for one.
    pub(super) key: Option<[u8; 16]>,
}

impl State {
    /// Nothing yet, and room for so many open files and directories.
    pub(crate) fn new(files_max: usize) -> State {
        let files = Places { taken: Arc::default(), limit: files_max };
        State { table: ResourceTable::new(RESOURCES_MAX), files, key: None }
    }
}

/// A limited number of places, each for a descriptor of the host.
#[derive(Debug)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

/// One of them, given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    /// Takes a place.
    pub(super) fn take(&self) -> Result<Place, Error> {
        let take = |taken: usize| (taken < self.limit).then(|| taken.saturating_add(1));
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map_err(|_| Error::TableFull)?;
        Ok(Place(Arc::clone(&self.taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
