//! What the host holds: references to objects that collections update, and values of the host that
//! guests refer to.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_code::object::{HOST_SHIFT, HOST_TAG, HOST_VALUES_MAX, OBJECT_ALIGN};

use super::heap::Collection;
use crate::budget::{Budget, LimitError, Resource};
use crate::store::{Misuse, Store, StoreId};

/// A value of the host that guests may refer to.
pub(crate) type HostValue = Box<dyn Any + Send + Sync>;

/// A reference that the host holds: what it refers to stays alive while there is a clone of it, and
/// it follows the object when that moves. Equal if they refer to the same.
#[derive(Clone, Debug)]
pub struct Root(Arc<Held>);

#[derive(Debug)]
struct Held {
    store: StoreId,
    /// Only changed by the thread that has the store.
    bits: AtomicU32,
}

impl Root {
    fn bits(&self) -> u32 {
        self.0.bits.load(Ordering::Relaxed)
    }
}

impl PartialEq for Root {
    fn eq(&self, other: &Root) -> bool {
        self.0.store == other.0.store && self.bits() == other.bits()
    }
}

impl Eq for Root {}

/// So many roots are kept without looking for dropped ones.
const PRUNE_AT_MIN: usize = 256;

/// The references the host holds.
#[derive(Debug, Default)]
pub(crate) struct RootTable {
    held: Vec<Arc<Held>>,
    prune_at: usize,
}

impl RootTable {
    /// Replaces every reference held by what `forward` says.
    pub(super) fn each(&mut self, mut forward: impl FnMut(u32) -> u32) {
        for held in &self.held {
            let bits = held.bits.load(Ordering::Relaxed);
            held.bits.store(forward(bits), Ordering::Relaxed);
        }
    }

    /// Forgets what nobody holds any more.
    pub(super) fn prune(&mut self, budget: &mut Budget) {
        let before = self.held.len();
        self.held.retain(|held| Arc::strong_count(held) > 1);
        budget.release(Resource::Handles, (before - self.held.len()) as u64);
        self.prune_at = (self.held.len() * 2).max(PRUNE_AT_MIN);
    }
}

/// Values of the host that guests refer to, by number.
#[derive(Default)]
pub(crate) struct HostValues {
    /// Each with the bytes that were charged for it.
    values: Vec<Option<(HostValue, u64)>>,
    free: Vec<u32>,
    marked: Vec<bool>,
    collect_at: usize,
    /// What all of them were charged.
    bytes: u64,
    collect_at_bytes: u64,
}

/// So many values are kept before a collection looks for dead ones.
const COLLECT_AT_MIN: usize = 1024;

/// So many bytes of them are.
const COLLECT_AT_BYTES_MIN: u64 = 4 << 20;

impl std::fmt::Debug for HostValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostValues").field("live", &self.live()).finish_non_exhaustive()
    }
}

impl HostValues {
    fn live(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// Nothing is known to be referred to.
    pub(super) fn begin_marking(&mut self) {
        self.marked.clear();
        self.marked.resize(self.values.len(), false);
    }

    /// Value `number` is referred to.
    #[inline]
    pub(super) fn mark(&mut self, number: u32) {
        if let Some(marked) = self.marked.get_mut(number as usize) {
            *marked = true;
        }
    }

    /// Takes out the values that were not marked.
    pub(super) fn sweep(&mut self, budget: &mut Budget) -> Vec<HostValue> {
        let mut dead = Vec::new();
        let before = self.bytes;
        for (number, (value, marked)) in (0..).zip(self.values.iter_mut().zip(&self.marked)) {
            if !marked && let Some((value, bytes)) = value.take() {
                dead.push(value);
                self.bytes -= bytes;
                self.free.push(number);
            }
        }
        budget.release(Resource::Handles, dead.len() as u64);
        budget.release(Resource::HeapBytes, before - self.bytes);
        self.collect_at = (self.live() * 2).max(COLLECT_AT_MIN);
        self.collect_at_bytes = (self.bytes * 2).max(COLLECT_AT_BYTES_MIN);
        dead
    }

    /// Whether it is time to look for dead ones before `bytes` more are added.
    fn are_many(&self, bytes: u64) -> bool {
        self.live() >= self.collect_at.max(COLLECT_AT_MIN)
            || self.bytes.saturating_add(bytes) > self.collect_at_bytes.max(COLLECT_AT_BYTES_MIN)
    }

    /// Whether there is no number for another.
    fn are_full(&self) -> bool {
        self.values.len() >= HOST_VALUES_MAX as usize && self.free.is_empty()
    }

    fn insert(&mut self, value: HostValue, bytes: u64) -> u32 {
        self.bytes += bytes;
        match self.free.pop() {
            Some(number) => {
                self.values[number as usize] = Some((value, bytes));
                number
            }
            None => {
                self.values.push(Some((value, bytes)));
                self.values.len() as u32 - 1
            }
        }
    }
}

impl Store {
    /// Holds the reference in a slot, which is not null and not to a function.
    ///
    /// # Errors
    ///
    /// If the host holds as many as its limits allow.
    pub fn root(&mut self, slot: u64) -> Result<Root, LimitError> {
        let table = &mut self.roots;
        if table.held.len() >= table.prune_at {
            table.prune(&mut self.budget);
        }
        if self.budget.charge(Resource::Handles, 1).is_err() {
            self.roots.prune(&mut self.budget);
            self.budget.charge(Resource::Handles, 1)?;
        }
        let held = Arc::new(Held { store: self.id(), bits: AtomicU32::new(slot as u32) });
        self.roots.held.push(held.clone());
        Ok(Root(held))
    }

    /// What a slot holds that refers to the same as `root` does now.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn root_slot(&self, root: &Root) -> Result<u64, Misuse> {
        if root.0.store != self.id() {
            return Err(Misuse::OtherStore);
        }
        Ok(root.bits().into())
    }

    /// Keeps `value`, which takes `bytes` of memory on behalf of guests, for as long as they or the
    /// host refer to it. May collect garbage.
    ///
    /// # Errors
    ///
    /// If the store holds as many values, bytes and references as its limits allow.
    pub fn extern_new(&mut self, value: HostValue, bytes: u64) -> Result<Root, LimitError> {
        self.extern_reserve(bytes)?;
        self.extern_keep(value, bytes)
    }

    /// Charges for a value that takes `bytes`, which is made and given to [`Store::extern_keep`] then.
    /// May collect garbage.
    ///
    /// # Errors
    ///
    /// As [`Store::extern_new`].
    pub fn extern_reserve(&mut self, bytes: u64) -> Result<(), LimitError> {
        if self.host_values.are_many(bytes) || self.charge_value(bytes).is_err() {
            // Without room to copy to, nothing is freed, and the limit says so below.
            let _ = self.collect(Collection::Major);
            self.charge_value(bytes)?;
        }
        if self.host_values.are_full() {
            self.budget.release(Resource::Handles, 1);
            self.budget.release(Resource::HeapBytes, bytes);
            let most = u64::from(HOST_VALUES_MAX);
            return Err(LimitError::declared(Resource::Handles, 1, most));
        }
        Ok(())
    }

    /// Keeps a value that [`Store::extern_reserve`] charged for.
    ///
    /// # Errors
    ///
    /// If the host holds as many references as its limits allow.
    pub fn extern_keep(&mut self, value: HostValue, bytes: u64) -> Result<Root, LimitError> {
        let number = self.host_values.insert(value, bytes);
        self.root(u64::from(number << HOST_SHIFT | HOST_TAG))
    }

    /// Gives back what [`Store::extern_reserve`] charged for a value that was not made.
    pub fn extern_release(&mut self, bytes: u64) {
        self.budget.release(Resource::Handles, 1);
        self.budget.release(Resource::HeapBytes, bytes);
    }

    fn charge_value(&mut self, bytes: u64) -> Result<(), LimitError> {
        self.budget.charge(Resource::Handles, 1)?;
        let charged = self.budget.charge(Resource::HeapBytes, bytes);
        charged.inspect_err(|_| self.budget.release(Resource::Handles, 1))
    }

    /// The value of the host that is referred to; `None` if it is something else.
    ///
    /// # Errors
    ///
    /// If the reference belongs to another store.
    pub fn extern_data(&self, root: &Root) -> Result<Option<&(dyn Any + Send + Sync)>, Misuse> {
        Ok(self.host_value(self.root_slot(root)?))
    }

    /// The value of the host that a slot refers to, if it does.
    pub(crate) fn host_value(&self, slot: u64) -> Option<&(dyn Any + Send + Sync)> {
        let bits = u32::try_from(slot).ok()?;
        if bits & (OBJECT_ALIGN - 1) != HOST_TAG {
            return None;
        }
        let value = self.host_values.values.get((bits >> HOST_SHIFT) as usize)?.as_ref();
        value.map(|(value, _)| &**value)
    }
}
