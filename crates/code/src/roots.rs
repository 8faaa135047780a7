//! Root maps: in which slots of a function's frames a collector finds references.
//!
//! A *safepoint* is an instruction during which a collection may happen: a call, and whatever
//! allocates. The map of a function is made by lowering it again, so that it tells what the code
//! really does, and only for functions that are found on the stack.

use dunlin_module::{DefinedFuncIndex, Module};

use crate::lower::{LowerError, lower_roots};
use crate::settings::Settings;

/// Slots listed in the map of one function at most; beyond, a safepoint is looked up alone.
const SLOTS_MAX: usize = 1 << 20;

/// The slots with traced references of the frames of one function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roots {
    /// Of parameters and locals: these always hold references, or zero.
    locals: Box<[u32]>,
    /// Safepoints in order: the first word of the instruction, the word behind it, and where its
    /// operands begin in `slots`.
    points: Vec<(u32, u32, u32)>,
    slots: Vec<u32>,
    /// Only this safepoint is of interest.
    only: Option<u32>,
    /// There were more slots than are listed.
    overflow: bool,
}

impl Roots {
    /// The map of function `func`.
    ///
    /// # Errors
    ///
    /// If the function cannot be lowered; then it has no frames at safepoints either.
    pub fn find(
        module: &Module,
        func: DefinedFuncIndex,
        settings: &Settings,
    ) -> Result<Roots, LowerError> {
        lower_roots(module, func, settings, Roots::default())
    }

    /// The map of function `func` with the safepoint at `word` alone.
    ///
    /// # Errors
    ///
    /// As [`Roots::find`].
    pub fn find_one(
        module: &Module,
        func: DefinedFuncIndex,
        settings: &Settings,
        word: u32,
    ) -> Result<Roots, LowerError> {
        lower_roots(module, func, settings, Roots { only: Some(word), ..Roots::default() })
    }

    /// Whether safepoints are missing, so that each must be looked for with [`Roots::find_one`].
    pub fn is_partial(&self) -> bool {
        self.overflow
    }

    /// The slots of parameters and locals with traced references.
    pub fn locals(&self) -> &[u32] {
        &self.locals
    }

    /// The slots of operands with traced references at the safepoint whose instruction `word` is part
    /// of; `None` if there is no safepoint.
    pub fn operands(&self, word: u32) -> Option<&[u32]> {
        let next = self.points.partition_point(|point| point.0 <= word);
        let (_, end, start) = *self.points.get(next.checked_sub(1)?)?;
        if word >= end {
            return None;
        }
        let until = self.points.get(next).map_or(self.slots.len(), |point| point.2 as usize);
        self.slots.get(start as usize..until)
    }

    pub(crate) fn set_locals(&mut self, slots: impl Iterator<Item = u32>) {
        // Lowering may start over.
        *self = Roots { only: self.only, locals: slots.collect(), ..Roots::default() };
    }

    /// The instruction in words `at..end` is a safepoint with references in `slots`.
    pub(crate) fn safepoint(&mut self, at: usize, end: usize, slots: impl Iterator<Item = u32>) {
        let (at, end) = (at as u32, end as u32);
        if self.overflow || self.only.is_some_and(|word| word < at || word >= end) {
            return;
        }
        self.points.push((at, end, self.slots.len() as u32));
        self.slots.extend(slots);
        self.overflow = self.only.is_none() && self.slots.len() > SLOTS_MAX;
    }
}
