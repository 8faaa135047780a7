//! What is too large to be compiled: it stays interpreted, which takes linear time and no native stack.
//!
//! The code generator takes time and memory out of proportion for some shapes of huge functions. So
//! work is counted while a function is translated, and translation gives up early.

use dunlin_code::native::CompileError;

/// Bytes of a body, locals included.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Parameters and declared locals.
const LOCALS_MAX: u64 = 4_000;
/// Instructions, those of inlined functions included.
const OPERATORS_MAX: u32 = 60_000;
/// Blocks, and values that branches carry to them.
const EDGES_MAX: u32 = 40_000;
/// Entries of all branch tables.
const TABLE_ENTRIES_MAX: u32 = 20_000;

/// Operands and locals that may be references, at all calls together: each may be a root there.
const LIVE_MAX: u32 = 2_000_000;

/// The most bytes a frame of a function may have that does not look at the native stack's end.
pub(crate) const UNCHECKED_FRAME_BYTES_MAX: u32 = 1 << 10;

/// Values in CLIF, of which locals that loops change are most: several in each loop.
const VALUES_MAX: usize = 500_000;

/// Locals times blocks: making values of locals takes as long as that, at worst.
const LOCALS_IN_BLOCKS_MAX: u64 = 16_000_000;

/// How much of what is allowed is used up.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Work {
    operators: u32,
    edges: u32,
    blocks: u64,
    locals: u64,
    table_entries: u32,
    live: u32,
}

impl Work {
    /// Refuses bodies that need not even be begun with.
    pub(crate) fn begin(body_bytes: usize) -> Result<Work, CompileError> {
        if body_bytes > BODY_BYTES_MAX {
            return Err(CompileError::TooLarge("bytes", body_bytes as u64));
        }
        Ok(Work::default())
    }

    /// Refuses functions with too many locals.
    pub(crate) fn locals(&mut self, count: u64) -> Result<(), CompileError> {
        self.locals = count;
        match count {
            0..=LOCALS_MAX => Ok(()),
            _ => Err(CompileError::TooLarge("locals", count)),
        }
    }

    /// Counts an instruction.
    pub(crate) fn operator(&mut self) -> Result<(), CompileError> {
        if self.live > LIVE_MAX {
            return Err(CompileError::TooLarge("values at calls", self.live.into()));
        }
        count(&mut self.operators, 1, OPERATORS_MAX, "instructions")
    }

    /// Refuses functions that have become so many values.
    pub(crate) fn values(count: usize) -> Result<(), CompileError> {
        match count {
            0..=VALUES_MAX => Ok(()),
            _ => Err(CompileError::TooLarge("values", count as u64)),
        }
    }

    /// Counts an edge to a block that takes `values`.
    pub(crate) fn edge(&mut self, values: usize) -> Result<(), CompileError> {
        self.blocks += 1;
        let looked_up = self.blocks.saturating_mul(self.locals);
        if looked_up > LOCALS_IN_BLOCKS_MAX {
            return Err(CompileError::TooLarge("locals in blocks", looked_up));
        }
        count(&mut self.edges, values.saturating_add(1), EDGES_MAX, "edges between blocks")
    }

    /// Counts values that are there at a call. What is too much is found at the next instruction.
    pub(crate) fn live(&mut self, values: usize) {
        self.live = self.live.saturating_add(u32::try_from(values).unwrap_or(u32::MAX));
    }

    /// Counts a branch table.
    pub(crate) fn table(&mut self, entries: u32) -> Result<(), CompileError> {
        count(
            &mut self.table_entries,
            entries as usize,
            TABLE_ENTRIES_MAX,
            "entries of branch tables",
        )
    }
}

fn count(sum: &mut u32, more: usize, max: u32, what: &'static str) -> Result<(), CompileError> {
    *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    if *sum > max { Err(CompileError::TooLarge(what, u64::from(*sum))) } else { Ok(()) }
}
