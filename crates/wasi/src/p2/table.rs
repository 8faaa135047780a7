//! What a guest holds of the host: objects by number, counted, and charged to its store.

use std::any::Any;
use std::fmt;

use dunlin_component::Resource;
use dunlin_engine::raw::{Budget, Resource as Charge};
use dunlin_engine::{Error, Result};

/// Bytes charged for an entry beside those of the object.
const ENTRY_BYTES: u64 = 128;

/// The objects of one guest that it knows by handles.
///
/// An object may be the child of another one, as a pollable is of its stream. Guests drop both in any order:
/// a parent that was dropped first stays until its last child is gone.
pub struct ResourceTable {
    entries: Vec<Option<Entry>>,
    /// Numbers below the length that are free.
    free: Vec<u32>,
    open: usize,
    limit: usize,
    budget: Option<Budget>,
}

struct Entry {
    object: Box<dyn Any + Send>,
    /// What is given back to the budget in the end.
    charged: u64,
    parent: Option<u32>,
    children: u32,
    /// Whether the guest has dropped it.
    dropped: bool,
}

impl ResourceTable {
    /// An empty table for so many objects.
    pub fn new(limit: usize) -> ResourceTable {
        let (entries, free) = (Vec::new(), Vec::new());
        ResourceTable { entries, free, open: 0, limit, budget: None }
    }

    /// Charges everything from now on to this budget.
    pub fn charge_to(&mut self, budget: Budget) {
        self.budget = Some(budget);
    }

    /// Whether there is something to charge.
    pub(crate) fn is_charged(&self) -> bool {
        self.budget.is_some()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.open
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Another owner of what objects are charged to, for what objects keep in the hands of others.
    pub fn budget(&self) -> Option<Budget> {
        self.budget.as_ref().map(Budget::share)
    }

    /// Fails unless the guest may have so many bytes, which are not kept.
    pub fn afford(&mut self, bytes: u64) -> Result<()> {
        let Some(budget) = &mut self.budget else { return Ok(()) };
        budget.charge(Charge::Bytes, bytes)?;
        budget.release(Charge::Bytes, bytes);
        Ok(())
    }

    /// Charges bytes that are kept as long as the guest lives.
    pub(crate) fn keep(&mut self, bytes: u64) -> Result<()> {
        let Some(budget) = &mut self.budget else { return Ok(()) };
        Ok(budget.charge(Charge::Bytes, bytes)?)
    }

    /// Adds an object; `extra` is how many bytes it keeps elsewhere.
    pub fn push<R: Any + Send>(&mut self, object: R, extra: u64) -> Result<Resource<R>> {
        self.insert(object, extra, None)
    }

    /// Adds an object that needs another one.
    pub fn push_child<R: Any + Send, P: 'static>(
        &mut self,
        object: R,
        parent: Resource<P>,
    ) -> Result<Resource<R>> {
        self.entry(parent.rep())?;
        let child = self.insert(object, 0, Some(parent.rep()))?;
        let parent = self.entry_mut(parent.rep())?;
        parent.children = parent.children.saturating_add(1);
        Ok(child)
    }

    fn insert<R: Any + Send>(
        &mut self,
        object: R,
        extra: u64,
        parent: Option<u32>,
    ) -> Result<Resource<R>> {
        if self.open >= self.limit {
            return Err(too_many(self.limit));
        }
        let charged = extra.saturating_add(size_of::<R>() as u64).saturating_add(ENTRY_BYTES);
        if let Some(budget) = &mut self.budget {
            budget.charge(Charge::Bytes, charged)?;
        }
        let object = Box::new(object);
        let entry = Entry { object, charged, parent, children: 0, dropped: false };
        self.open = self.open.saturating_add(1);
        if let Some(number) = self.free.pop()
            && let Some(slot) = self.entries.get_mut(number as usize)
        {
            *slot = Some(entry);
            return Ok(Resource::new_own(number));
        }
        let number = u32::try_from(self.entries.len()).map_err(|_| too_many(self.limit))?;
        self.entries.push(Some(entry));
        Ok(Resource::new_own(number))
    }

    fn entry(&self, number: u32) -> Result<&Entry> {
        self.entries.get(number as usize).and_then(Option::as_ref).ok_or_else(unknown)
    }

    fn entry_mut(&mut self, number: u32) -> Result<&mut Entry> {
        self.entries.get_mut(number as usize).and_then(Option::as_mut).ok_or_else(unknown)
    }

    /// An object.
    pub fn get<R: Any>(&self, resource: Resource<R>) -> Result<&R> {
        self.entry(resource.rep())?.object.downcast_ref().ok_or_else(unknown)
    }

    /// An object, to change it.
    pub fn get_mut<R: Any>(&mut self, resource: Resource<R>) -> Result<&mut R> {
        self.entry_mut(resource.rep())?.object.downcast_mut().ok_or_else(unknown)
    }

    /// Charges more for what an object keeps elsewhere, until it is gone.
    pub fn charge<R>(&mut self, resource: Resource<R>, extra: u64) -> Result<()>
    where
        R: 'static,
    {
        self.entry(resource.rep())?;
        if let Some(budget) = &mut self.budget {
            budget.charge(Charge::Bytes, extra)?;
        }
        let entry = self.entry_mut(resource.rep())?;
        entry.charged = entry.charged.saturating_add(extra);
        Ok(())
    }

    /// Takes an object that nothing else needs.
    pub fn take<R: Any>(&mut self, resource: Resource<R>) -> Result<R> {
        let number = resource.rep();
        self.get::<R>(resource)?;
        if self.entry(number)?.children > 0 {
            return Err(unknown());
        }
        let entry = self.entries.get_mut(number as usize).and_then(Option::take);
        let Entry { object, charged, parent, .. } = entry.ok_or_else(unknown)?;
        self.release(number, charged);
        if let Some(parent) = parent {
            self.lose_child(parent)?;
            self.drop_unneeded(parent)?;
        }
        object.downcast().map(|object| *object).map_err(|_| unknown())
    }

    /// Drops an object, at once or when the last that needs it is gone.
    pub fn remove<R: 'static>(&mut self, resource: Resource<R>) -> Result<()> {
        self.entry_mut(resource.rep())?.dropped = true;
        self.drop_unneeded(resource.rep())
    }

    /// Drops an entry that the guest has dropped and nothing needs, and then whatever it alone needed.
    fn drop_unneeded(&mut self, mut number: u32) -> Result<()> {
        loop {
            let entry = self.entry(number)?;
            if !entry.dropped || entry.children > 0 {
                return Ok(());
            }
            let (parent, charged) = (entry.parent, entry.charged);
            if let Some(slot) = self.entries.get_mut(number as usize) {
                *slot = None;
            }
            self.release(number, charged);
            let Some(parent) = parent else { return Ok(()) };
            self.lose_child(parent)?;
            number = parent;
        }
    }

    /// Gives back what an entry has taken.
    fn release(&mut self, number: u32, charged: u64) {
        self.free.push(number);
        self.open = self.open.saturating_sub(1);
        if let Some(budget) = &mut self.budget {
            budget.release(Charge::Bytes, charged);
        }
    }

    fn lose_child(&mut self, parent: u32) -> Result<()> {
        let entry = self.entry_mut(parent)?;
        entry.children = entry.children.saturating_sub(1);
        Ok(())
    }
}

impl fmt::Debug for ResourceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceTable").field("open", &self.open).finish_non_exhaustive()
    }
}

#[cold]
fn unknown() -> Error {
    Error::misuse("the host has no resource of this number and type")
}

#[cold]
fn too_many(limit: usize) -> Error {
    Error::trap_because(
        dunlin_engine::Trap::Component,
        format!("the guest holds {limit} resources of the host, and may not have more"),
    )
}

#[cfg(test)]
mod tests;
