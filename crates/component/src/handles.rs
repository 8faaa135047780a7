//! Handles of one component instance: small numbers that stand for resources and, later, for what waits
//! (`CanonicalABI.md`, "Table State" and "Resource State").

use dunlin_engine::Result;

use crate::state::{ResourceTypeId, trap};

/// Handles a component instance may have at most (`CanonicalABI.md`, `Table.MAX_LENGTH`).
const HANDLES_MAX: u32 = 1 << 28;

/// The handles of an instance. The first has the index 1; indices are used again, the last freed first.
#[derive(Debug)]
pub(crate) struct HandleTable {
    slots: Vec<Slot>,
    /// The index that was freed last, or 0.
    free: u32,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    /// The index that was freed before, or 0.
    Free(u32),
    /// An owned resource, and how often it is lent.
    Own { ty: ResourceTypeId, rep: u32, lent: u32 },
    /// A resource that a call has borrowed.
    Borrow { ty: ResourceTypeId, rep: u32, scope: u32 },
}

/// What a handle that is dropped or passed on stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handle {
    /// An owned resource, by its representation.
    Own(u32),
    /// A borrowed one, by its representation, in a scope.
    Borrow(u32, u32),
}

impl Default for HandleTable {
    fn default() -> HandleTable {
        // Nothing ever has the index 0.
        HandleTable { slots: vec![Slot::Free(0)], free: 0 }
    }
}

impl HandleTable {
    fn add(&mut self, slot: Slot) -> Result<u32> {
        if self.free != 0 {
            let index = self.free;
            if let Some(place) = self.slots.get_mut(index as usize)
                && let Slot::Free(next) = *place
            {
                *place = slot;
                self.free = next;
                return Ok(index);
            }
        }
        let index = self.slots.len() as u32;
        if index >= HANDLES_MAX {
            return Err(trap(format!("cannot have more than {HANDLES_MAX} handles")));
        }
        self.slots.push(slot);
        Ok(index)
    }

    /// Whether the next handle takes memory that nothing was charged for yet.
    #[inline]
    pub(crate) fn grows(&self) -> bool {
        self.free == 0
    }

    /// Bytes of a handle.
    pub(crate) const SLOT_BYTES: u64 = size_of::<Slot>() as u64;

    /// Adds a handle of an owned resource.
    pub(crate) fn add_own(&mut self, ty: ResourceTypeId, rep: u32) -> Result<u32> {
        self.add(Slot::Own { ty, rep, lent: 0 })
    }

    /// Adds a handle of a resource that the call with this scope has borrowed.
    pub(crate) fn add_borrow(&mut self, ty: ResourceTypeId, rep: u32, scope: u32) -> Result<u32> {
        self.add(Slot::Borrow { ty, rep, scope })
    }

    #[inline]
    fn slot(&mut self, index: u32, expected: ResourceTypeId) -> Result<&mut Slot> {
        let slot = match self.slots.get_mut(index as usize) {
            None | Some(Slot::Free(_)) => return Err(unknown(index)),
            Some(slot) => slot,
        };
        match *slot {
            Slot::Own { ty, .. } | Slot::Borrow { ty, .. } if ty == expected => Ok(slot),
            _ => Err(wrong_type(index)),
        }
    }

    /// The representation of the resource that a handle stands for.
    #[inline]
    pub(crate) fn rep(&mut self, index: u32, ty: ResourceTypeId) -> Result<u32> {
        match *self.slot(index, ty)? {
            Slot::Own { rep, .. } | Slot::Borrow { rep, .. } => Ok(rep),
            Slot::Free(_) => Err(unknown(index)),
        }
    }

    /// Lends the resource that a handle stands for; whether it has to be given back.
    #[inline]
    pub(crate) fn lend(&mut self, index: u32, ty: ResourceTypeId) -> Result<(u32, bool)> {
        match self.slot(index, ty)? {
            Slot::Own { rep, lent, .. } => {
                *lent += 1;
                Ok((*rep, true))
            }
            Slot::Borrow { rep, .. } => Ok((*rep, false)),
            Slot::Free(_) => Err(unknown(index)),
        }
    }

    /// Takes back what was lent.
    pub(crate) fn give_back(&mut self, index: u32) -> Result<()> {
        if let Some(Slot::Own { lent, .. }) = self.slots.get_mut(index as usize)
            && *lent > 0
        {
            *lent -= 1;
            return Ok(());
        }
        Err(crate::state::bug())
    }

    /// Removes a handle of an owned resource, to pass it on.
    #[inline]
    pub(crate) fn take_own(&mut self, index: u32, ty: ResourceTypeId) -> Result<u32> {
        match *self.slot(index, ty)? {
            Slot::Own { rep, lent: 0, .. } => {
                self.release(index);
                Ok(rep)
            }
            Slot::Own { .. } => Err(trap("cannot remove owned resource while borrowed")),
            Slot::Borrow { .. } | Slot::Free(_) => {
                Err(trap("cannot lift own resource from a borrow"))
            }
        }
    }

    /// Removes a handle; what it stood for.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32, ty: ResourceTypeId) -> Result<Handle> {
        let handle = match *self.slot(index, ty)? {
            Slot::Own { rep, lent: 0, .. } => Handle::Own(rep),
            Slot::Own { .. } => return Err(trap("cannot remove owned resource while borrowed")),
            Slot::Borrow { rep, scope, .. } => Handle::Borrow(rep, scope),
            Slot::Free(_) => return Err(unknown(index)),
        };
        self.release(index);
        Ok(handle)
    }

    /// Removes what was lent for a call that did not begin.
    pub(crate) fn end_borrows(&mut self, of: u32) {
        for index in 0..self.slots.len() as u32 {
            if matches!(self.slots.get(index as usize), Some(Slot::Borrow { scope, .. }) if *scope == of)
            {
                self.release(index);
            }
        }
    }

    fn release(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Slot::Free(self.free);
            self.free = index;
        }
    }
}

#[cold]
fn unknown(index: u32) -> dunlin_engine::Error {
    trap(format!("unknown handle index {index}"))
}

#[cold]
fn wrong_type(index: u32) -> dunlin_engine::Error {
    trap(format!(
        "handle index {index} used with the wrong type, expected guest-defined resource but found \
         a different guest-defined resource"
    ))
}
