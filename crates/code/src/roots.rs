//! Root maps: in which slots of a function's frames a collector finds references.
//!
//! A *safepoint* is an instruction during which a collection may happen: a call, and whatever
//! allocates. The map of a function is made by lowering it again, so that it tells what the code
//! really does, and only for functions that are found on the stack.
//!
//! What one safepoint lists differs from what the one before lists by the operands that came and went
//! between them. So the lists share their tails, and a map takes memory and time in proportion to the
//! code, however many references are alive at however many safepoints.

use std::ops::Range;

use dunlin_module::{DefinedFuncIndex, Module};

use crate::lower::{LowerError, lower_roots};
use crate::settings::Settings;

/// The end of every list.
const END: u32 = u32::MAX;

/// The slots with traced references of the frames of one function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roots {
    /// Of parameters and locals: these always hold references, or zero.
    locals: Vec<Range<u32>>,
    /// Safepoints in order: the first word of the instruction, the word behind it, and its topmost
    /// operand in `nodes`.
    points: Vec<(u32, u32, u32)>,
    /// A slot, and the node of the next lower operand.
    nodes: Vec<(u32, u32)>,
    /// Height of the operand stack → the topmost node at or below it. Only used while the map is made.
    heads: Vec<u32>,
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
        let mut roots = lower_roots(module, func, settings, Roots::default())?;
        roots.heads = Vec::new();
        roots.points.shrink_to_fit();
        roots.nodes.shrink_to_fit();
        Ok(roots)
    }

    /// The slots of parameters and locals with traced references.
    pub fn locals(&self) -> impl Iterator<Item = u32> {
        self.locals.iter().cloned().flatten()
    }

    /// The slots of operands with traced references at the safepoint whose instruction `word` is part
    /// of, the topmost first; `None` if there is no safepoint.
    pub fn operands(&self, word: u32) -> Option<impl Iterator<Item = u32>> {
        let next = self.points.partition_point(|point| point.0 <= word);
        let (_, end, top) = *self.points.get(next.checked_sub(1)?)?;
        let node = |at: u32| self.nodes.get(at as usize);
        let nodes = std::iter::successors(node(top), move |(_, below)| node(*below));
        (word < end).then(|| nodes.map(|(slot, _)| *slot))
    }

    /// The words of all safepoints.
    pub fn safepoints(&self) -> impl Iterator<Item = Range<u32>> {
        self.points.iter().map(|(at, end, _)| *at..*end)
    }

    pub(crate) fn set_locals(&mut self, slots: impl Iterator<Item = u32>) {
        // Lowering may start over.
        *self = Roots::default();
        for slot in slots {
            match self.locals.last_mut() {
                Some(last) if last.end == slot => last.end += 1,
                _ => self.locals.push(slot..slot + 1),
            }
        }
    }

    /// The instruction in words `at..end` is a safepoint. The lowest `kept` operands are what they
    /// were at the last one; `above` are the others, each its slot if that holds a reference.
    pub(crate) fn safepoint(
        &mut self,
        at: usize,
        end: usize,
        kept: usize,
        above: impl Iterator<Item = Option<u32>>,
    ) {
        self.heads.truncate(kept);
        let mut head = self.heads.last().copied().unwrap_or(END);
        for slot in above {
            if let Some(slot) = slot {
                self.nodes.push((slot, head));
                head = self.nodes.len() as u32 - 1;
            }
            self.heads.push(head);
        }
        self.points.push((at as u32, end as u32, head));
    }
}
