//! The picture of the operand stack while lowering.

use dunlin_module::ValType;

use crate::op::Class;

/// No entry, slot or word.
pub(super) const NONE: u32 = u32::MAX;

/// Where an operand can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In its home slot, or on the way there in an accumulator.
    Home,
    /// Still in the slot of this local; `below` is the next lower entry that reads the same local.
    Local { index: u32, below: u32 },
    /// A constant, as the 64 bits of its slot.
    Const(u64),
}

/// One operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its home slot.
    pub(super) home: u32,
    /// Its accumulator class.
    pub(super) class: Class,
    /// Whether it is a reference that the collector follows, and changes where it is in its slot.
    pub(super) traced: bool,
    /// Where it can be read.
    pub(super) place: Place,
}

impl Entry {
    pub(super) fn slots(&self) -> u32 {
        if self.class == Class::Vec { 2 } else { 1 }
    }

    /// Whether its home slot holds a reference that the collector follows.
    pub(super) fn is_root(&self) -> bool {
        self.traced && self.place == Place::Home
    }
}

/// The class of values of a type.
pub(super) fn class_of(ty: ValType) -> Class {
    match ty {
        ValType::I32 | ValType::I64 | ValType::Ref(_) => Class::Int,
        ValType::F32 => Class::F32,
        ValType::F64 => Class::F64,
        ValType::V128 => Class::Vec,
    }
}

/// The operand stack. All entries below `settled` are in their home slots.
#[derive(Debug)]
pub(super) struct Stack {
    entries: Vec<Entry>,
    /// Local → the highest entry that still reads it.
    readers: Vec<u32>,
    settled: usize,
    /// So many entries are what they were when [`Stack::changed`] was asked last.
    unchanged: usize,
    base: u32,
    top_max: u32,
}

impl Stack {
    pub(super) fn new(locals: u32, base: u32) -> Stack {
        Stack {
            entries: Vec::new(),
            readers: vec![NONE; locals as usize],
            settled: 0,
            unchanged: 0,
            base,
            top_max: base,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The home slot the next operand will get.
    pub(super) fn top(&self) -> u32 {
        self.entries.last().map_or(self.base, |e| e.home + e.slots())
    }

    /// The end of the highest home slot used so far.
    pub(super) fn slots_max(&self) -> u32 {
        self.top_max
    }

    pub(super) fn entry(&self, at: usize) -> Entry {
        self.entries[at]
    }

    /// The home slot of the entry at height `at`, or of the next operand if there is none.
    pub(super) fn home_at(&self, at: usize) -> u32 {
        self.entries.get(at).map_or_else(|| self.top(), |e| e.home)
    }

    /// Pushes a value that is no traced reference, or whose type is told with
    /// [`Stack::set_top_traced`].
    pub(super) fn push(&mut self, class: Class, place: Place) -> Entry {
        self.push_entry(class, false, place)
    }

    /// Pushes a value of type `ty`.
    pub(super) fn push_ty(&mut self, ty: ValType, place: Place) -> Entry {
        self.push_entry(class_of(ty), ty.is_traced(), place)
    }

    /// Says of the top operand whether it is a traced reference.
    pub(super) fn set_top_traced(&mut self, traced: bool) {
        if let Some(entry) = self.entries.last_mut() {
            entry.traced = traced;
            self.unchanged = self.unchanged.min(self.entries.len() - 1);
        }
    }

    fn push_entry(&mut self, class: Class, traced: bool, place: Place) -> Entry {
        let entry = Entry { home: self.top(), class, traced, place };
        self.top_max = self.top_max.max(entry.home.saturating_add(entry.slots()));
        self.entries.push(entry);
        entry
    }

    pub(super) fn push_local(&mut self, ty: ValType, index: u32) {
        let below = self.readers[index as usize];
        self.readers[index as usize] = self.entries.len() as u32;
        self.push_ty(ty, Place::Local { index, below });
    }

    pub(super) fn pop(&mut self) -> Entry {
        let entry = self.entries.pop().expect("validated: an operand is there");
        self.settled = self.settled.min(self.entries.len());
        self.unchanged = self.unchanged.min(self.entries.len());
        if let Place::Local { index, below } = entry.place {
            self.readers[index as usize] = below;
        }
        entry
    }

    /// How many entries are what they were when this was asked last, and the others.
    pub(super) fn changed(&mut self) -> (usize, &[Entry]) {
        let kept = std::mem::replace(&mut self.unchanged, self.entries.len());
        (kept, &self.entries[kept..])
    }

    pub(super) fn truncate(&mut self, len: usize) {
        while self.entries.len() > len {
            self.pop();
        }
    }

    /// Takes all readers of a local off it and returns them, the highest first.
    pub(super) fn take_readers(&mut self, index: u32, mut settle: impl FnMut(Entry)) {
        let mut at = std::mem::replace(&mut self.readers[index as usize], NONE);
        while at != NONE {
            let entry = &mut self.entries[at as usize];
            let Place::Local { below, .. } = entry.place else { break };
            settle(*entry);
            entry.place = Place::Home;
            self.unchanged = self.unchanged.min(at as usize);
            at = below;
        }
    }

    /// Puts the top `count` entries in their home slots; `settle` writes those that are elsewhere.
    pub(super) fn settle_top(&mut self, count: usize, mut settle: impl FnMut(Entry)) {
        let from = (self.entries.len() - count).max(self.settled);
        for at in (from..self.entries.len()).rev() {
            let entry = self.entries[at];
            if let Place::Local { index, below } = entry.place {
                self.readers[index as usize] = below;
            }
            if entry.place != Place::Home {
                settle(entry);
                self.entries[at].place = Place::Home;
                self.unchanged = self.unchanged.min(at);
            }
        }
        if from == self.settled {
            self.settled = self.entries.len();
        }
    }
}
