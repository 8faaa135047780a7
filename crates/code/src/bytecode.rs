//! The code of one function at rest, and the words it is made of.

use std::ops::Range;

use crate::op::Op;

/// The bytecode of one function, with opcode numbers still in the opcode words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bytecode {
    /// Instructions, see [`crate::op`].
    pub words: Vec<u64>,
    /// Slots from the frame's base to its end.
    pub frame_slots: u32,
    /// Slot of the frame header.
    pub header_slot: u32,
    /// Slots after the header to zero on entry.
    pub zero_slots: u32,
    /// What catches exceptions, by the start of its range; of two that start together the outer
    /// comes first.
    pub handlers: Vec<Handler>,
}

/// What an exception meets that is thrown by an instruction in a range of words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handler {
    /// The instructions whose exceptions come here. Ranges nest.
    pub words: Range<u32>,
    /// The handler with the next wider range around this one's.
    pub outer: Option<u32>,
    /// The handler that an exception goes to if no clause wants it: `outer`, or one further out.
    pub next: Option<u32>,
    /// Tried from first to last.
    pub clauses: Box<[Clause]>,
}

/// Which exceptions are caught, and where to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clause {
    /// The tag index of the exceptions; `None` for all.
    pub tag: Option<u32>,
    /// The first home slot of the payload.
    pub payload: u32,
    /// Slots of the payload; 0 if the clause is for all exceptions.
    pub payload_slots: u32,
    /// The home slot of the reference to the exception, if that is wanted.
    pub reference: Option<u32>,
    /// The word to go on at.
    pub target: u32,
}

/// The clause that catches an exception thrown at `word`, for which `wants` decides by tag index.
pub fn find_clause(
    handlers: &[Handler],
    word: u32,
    mut wants: impl FnMut(u32) -> bool,
) -> Option<&Clause> {
    // Ranges nest, so that the innermost around the word is the last to start at or before it, or
    // around that one.
    let mut at = handlers.partition_point(|handler| handler.words.start <= word).checked_sub(1)?;
    while !handlers[at].words.contains(&word) {
        at = handlers[at].outer? as usize;
    }
    loop {
        let handler = &handlers[at];
        let found = handler.clauses.iter().find(|clause| clause.tag.is_none_or(&mut wants));
        if found.is_some() {
            return found;
        }
        at = handler.next? as usize;
    }
}

/// Fields of an operand word.
pub mod field {
    /// Four 16-bit fields, low to high.
    #[inline(always)]
    pub const fn abcd(a: u16, b: u16, c: u16, d: u16) -> u64 {
        a as u64 | (b as u64) << 16 | (c as u64) << 32 | (d as u64) << 48
    }

    /// Two 16-bit fields and a 32-bit one.
    #[inline(always)]
    pub const fn ab_hi(a: u16, b: u16, hi: u32) -> u64 {
        a as u64 | (b as u64) << 16 | (hi as u64) << 32
    }

    /// Two 32-bit fields.
    #[inline(always)]
    pub const fn lo_hi(lo: u32, hi: u32) -> u64 {
        lo as u64 | (hi as u64) << 32
    }

    /// Lowest 16-bit field.
    #[inline(always)]
    pub const fn a(word: u64) -> u16 {
        word as u16
    }

    /// Second 16-bit field.
    #[inline(always)]
    pub const fn b(word: u64) -> u16 {
        (word >> 16) as u16
    }

    /// Third 16-bit field.
    #[inline(always)]
    pub const fn c(word: u64) -> u16 {
        (word >> 32) as u16
    }

    /// Highest 16-bit field.
    #[inline(always)]
    pub const fn d(word: u64) -> u16 {
        (word >> 48) as u16
    }

    /// Lower 32-bit field.
    #[inline(always)]
    pub const fn lo(word: u64) -> u32 {
        word as u32
    }

    /// Upper 32-bit field.
    #[inline(always)]
    pub const fn hi(word: u64) -> u32 {
        (word >> 32) as u32
    }
}

/// Words of the table that follows a `br_table` whose last entry is `last`.
#[inline]
pub fn br_table_words(last: u32) -> usize {
    (last as usize + 2) / 2
}

impl Bytecode {
    /// The instructions in order: position of the opcode word, and the op.
    pub fn ops(&self) -> impl Iterator<Item = (usize, Op)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let op = Op(u16::try_from(*self.words.get(at)?).ok()?);
            let here = at;
            at += op.words() + table_words(op, &self.words[here..]);
            Some((here, op))
        })
    }
}

/// Words of a handler behind a `resume`.
pub const RESUME_HANDLER_WORDS: usize = 3;

/// In the second word of a handler behind a `resume`: it is for switching.
pub const SWITCH: u32 = u32::MAX;

/// Words of the table behind the instruction at the start of `words`, 0 for all but `br_table` and
/// `resume`.
pub fn table_words(op: Op, words: &[u64]) -> usize {
    use crate::op::{OpKind, PlainOp};
    match op.kind() {
        Some(OpKind::Plain(PlainOp::BrTableR | PlainOp::BrTableS)) => {
            br_table_words(field::hi(words[1]))
        }
        Some(OpKind::Plain(PlainOp::Resume | PlainOp::ResumeThrow | PlainOp::ResumeThrowRef)) => {
            RESUME_HANDLER_WORDS * field::lo(words[3]) as usize
        }
        _ => 0,
    }
}
