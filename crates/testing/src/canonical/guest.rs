//! The guest of the comparison: where it keeps what in its memory, and how its `realloc` behaves.
//!
//! Everything the guest knows is in its memory, so that a test can set it with `poke`, and the model of the
//! guest and the guest itself can be compared byte for byte.

use super::instance::{Memory, Realloc, Request, Trap};

/// Whether a call into the guest calls what it imports before it returns.
pub const FORWARDS: u64 = 0x00;
/// How many handles a call drops before it returns.
pub const DROP_COUNT: u64 = 0x04;
/// How often `realloc` was called.
pub const REALLOC_COUNT: u64 = 0x08;
/// How `realloc` behaves usually: 0 moves everything, 1 leaves in its place what shrinks.
pub const REALLOC_USUAL: u64 = 0x0c;
/// The number of the call of `realloc` that does something else.
pub const STRIKE_AT: u64 = 0x10;
/// What it does, a [`Strike`].
pub const STRIKE: u64 = 0x14;
/// Where what is not allocated yet begins.
pub const TOP: u64 = 0x18;
/// How often `post-return` was called.
pub const POST_COUNT: u64 = 0x1c;
/// What it was given last.
pub const POST_PARAM: u64 = 0x20;
/// Where `dump` leaves its result.
pub const DUMP: u64 = 0x28;
/// The handles to drop: resource type and index of each.
pub const DROPS: u64 = 0x30;
/// How many there can be.
pub const DROPS_MAX: usize = 26;
/// The flat parameters of the last call, eight bytes each.
pub const PARAMS: u64 = 0x100;
/// The flat result of the next call.
pub const RESULT: u64 = 0x1c0;
/// The last calls of `realloc`: four parameters and the result of each.
pub const LOG: u64 = 0x200;
/// How many; a power of two.
pub const LOG_LENGTH: u64 = 64;
/// Bytes of each.
pub const LOG_ENTRY: u64 = 20;
/// Where a result is that is more than one flat value.
pub const RESULT_AREA: u64 = 0x700;
/// Where `realloc` begins to give out memory.
pub const HEAP: u64 = 0x1000;
/// Bytes a memory grows by.
pub const PAGE: u64 = 0x1_0000;
/// How many of them it can have.
pub const PAGES_MAX: u64 = 64;
/// What memory is filled with that the guest has freed.
pub const GARBAGE: u8 = 0xa5;

/// What `realloc` does for once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Strike {
    /// Nothing special.
    Not,
    /// Gives a pointer that is off by one.
    Misaligned,
    /// Gives one so near the end that what was asked for does not fit.
    End,
    /// Gives one so far beyond it that adding to it overflows 32 bits.
    Far,
    /// Gives the old one, also for more than it has.
    Old,
    /// Gives 0, which is a valid one.
    Zero,
    /// Traps.
    Trap,
    /// Grows the memory, which may move it, and gives the new part.
    Grow,
    /// Calls out of the component, which it must not.
    Leave,
    /// Gives one that overlaps the flat parameters of the last call.
    Overlap,
    /// Overwrites all it ever gave.
    Overwrite,
}

/// All of them.
pub const STRIKES: [Strike; 11] = [
    Strike::Not,
    Strike::Misaligned,
    Strike::End,
    Strike::Far,
    Strike::Old,
    Strike::Zero,
    Strike::Trap,
    Strike::Grow,
    Strike::Leave,
    Strike::Overlap,
    Strike::Overwrite,
];

/// A guest's memory before its first call.
pub fn fresh_memory() -> Vec<u8> {
    let mut bytes = vec![0; PAGE as usize];
    bytes[TOP as usize..][..4].copy_from_slice(&(HEAP as u32).to_le_bytes());
    bytes
}

/// What `realloc` was last asked and what it gave: the old place and size, alignment, new size, result.
pub fn reallocs(memory: &Memory) -> Vec<[u64; 5]> {
    let count = memory.read_int(REALLOC_COUNT, 4);
    let entry = |number: u64| LOG + number % LOG_LENGTH * LOG_ENTRY;
    let word = |number: u64, word: u64| memory.read_int(entry(number) + 4 * word, 4);
    (count.saturating_sub(LOG_LENGTH)..count)
        .map(|number| std::array::from_fn(|at| word(number, at as u64)))
        .collect()
}

/// The model of the guest's `realloc`.
#[derive(Debug)]
pub struct GuestRealloc;

impl Realloc for GuestRealloc {
    fn realloc(&self, memory: &mut Memory, request: Request) -> Result<u64, Trap> {
        let number = memory.read_int(REALLOC_COUNT, 4);
        memory.write_int(REALLOC_COUNT, 4, number + 1);
        let entry = LOG + number % LOG_LENGTH * LOG_ENTRY;
        memory.write_int(entry, 4, request.old);
        memory.write_int(entry + 4, 4, request.old_size);
        memory.write_int(entry + 8, 4, request.alignment);
        memory.write_int(entry + 12, 4, request.new_size);
        let result = if number == memory.read_int(STRIKE_AT, 4) {
            strike(memory, request)?
        } else {
            usual(memory, request)?
        };
        memory.write_int(entry + 16, 4, result);
        Ok(result)
    }
}

fn strike(memory: &mut Memory, request: Request) -> Result<u64, Trap> {
    let end = memory.bytes.len() as u64;
    let is = |strike: Strike, number: u64| u64::from(strike as u32) == number;
    Ok(match memory.read_int(STRIKE, 4) {
        n if is(Strike::Misaligned, n) => {
            u64::from((usual(memory, request)? as u32).wrapping_add(1))
        }
        n if is(Strike::End, n) => {
            let at = (end as u32).wrapping_sub(request.new_size as u32);
            u64::from(at.wrapping_add(request.alignment as u32))
        }
        n if is(Strike::Far, n) => 0xffff_fff8,
        n if is(Strike::Old, n) => request.old,
        n if is(Strike::Zero, n) => 0,
        n if is(Strike::Trap, n) => return Err(Trap::Guest),
        n if is(Strike::Grow, n) => {
            if end >= PAGE * PAGES_MAX {
                return Ok(0xffff_0000);
            }
            memory.bytes.resize((end + PAGE) as usize, 0);
            end
        }
        n if is(Strike::Leave, n) => return Err(Trap::MayNotLeave),
        n if is(Strike::Overlap, n) => PARAMS,
        n if is(Strike::Overwrite, n) => {
            let top = memory.read_int(TOP, 4);
            fill(memory, HEAP, u64::from((top as u32).wrapping_sub(HEAP as u32)))?;
            usual(memory, request)?
        }
        _ => usual(memory, request)?,
    })
}

fn usual(memory: &mut Memory, request: Request) -> Result<u64, Trap> {
    let Request { old, old_size, alignment, new_size } = request;
    if memory.read_int(REALLOC_USUAL, 4) == 1 && old_size != 0 && new_size <= old_size {
        return Ok(old);
    }
    let top = memory.read_int(TOP, 4) as u32;
    let at = top.wrapping_add(alignment as u32 - 1) & (alignment as u32).wrapping_neg();
    let end = u64::from(at) + new_size;
    if end > PAGE * PAGES_MAX {
        return Err(Trap::Guest);
    }
    if end > memory.bytes.len() as u64 {
        memory.bytes.resize(end.next_multiple_of(PAGE) as usize, 0);
    }
    memory.write_int(TOP, 4, end);
    if old_size != 0 {
        let length = old_size.min(new_size);
        memory.check(old, length).map_err(|_| Trap::Guest)?;
        memory.bytes.copy_within(old as usize..(old + length) as usize, at as usize);
        fill(memory, old, old_size)?;
    }
    Ok(u64::from(at))
}

fn fill(memory: &mut Memory, at: u64, length: u64) -> Result<(), Trap> {
    memory.check(at, length).map_err(|_| Trap::Guest)?;
    memory.bytes[at as usize..(at + length) as usize].fill(GARBAGE);
    Ok(())
}
