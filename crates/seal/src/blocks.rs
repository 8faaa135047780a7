//! Large bytes behind a seal that are read in parts: the seal covers the hash of each block, and a block
//! is checked when it is read, on the very bytes that are used.
//!
//! So a program of a hundred megabytes of which a tenth is used costs a tenth, and what happens to its
//! file after it was opened changes nothing: a block that is another one than was sealed is refused.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of a block; the last may be shorter.
pub const BLOCK_BYTES: usize = 16 << 10;

const HASH_BYTES: usize = 32;
/// Sets hashes of blocks apart from all others, with their place: no block can stand for another.
const BLOCK: &str = "dunlin 2026-11 block of a sealed file";

fn hash(at: usize, block: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(BLOCK);
    hasher.update(&(at as u64).to_le_bytes()).update(block);
    hasher.finalize().into()
}

/// The hashes of all blocks of `bytes`, to be sealed.
pub fn table(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(BLOCK_BYTES).enumerate().flat_map(|(at, block)| hash(at, block)).collect()
}

/// Bytes of the table for so many bytes.
pub fn table_bytes(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK_BYTES) * HASH_BYTES
}

/// Where blocks are read from.
#[derive(Debug)]
pub enum Origin<'a> {
    /// Memory.
    Bytes(&'a [u8]),
    /// A file, from this offset on.
    File(File, u64),
}

/// Bytes that are checked as they are read.
#[derive(Debug)]
pub struct Blocks<'a> {
    origin: Origin<'a>,
    length: usize,
    table: Box<[u8]>,
}

/// Why bytes cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlockError {
    /// They are not those that were sealed.
    Changed,
    /// There are no such bytes.
    OutOfRange,
    /// The system says no.
    Io(std::io::Error),
}

impl std::fmt::Display for BlockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BlockError::Changed => f.write_str("changed after it was sealed"),
            BlockError::OutOfRange => f.write_str("shorter than it must be"),
            BlockError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BlockError {}

impl<'a> Blocks<'a> {
    /// `length` bytes of which `table`, which was sealed, has the hashes; `None` if it has more or fewer.
    pub fn new(origin: Origin<'a>, length: usize, table: &[u8]) -> Option<Blocks<'a>> {
        (table.len() == table_bytes(length)).then(|| Blocks { origin, length, table: table.into() })
    }

    /// How many bytes there are.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Some of the bytes, as they were sealed.
    ///
    /// # Errors
    ///
    /// If they are not there, cannot be read, or are others.
    pub fn read(&self, range: Range<usize>) -> Result<Vec<u8>, BlockError> {
        if range.end > self.length {
            return Err(BlockError::OutOfRange);
        }
        let mut bytes = vec![0; range.len()];
        self.read_into(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `to` with bytes from `start` on, as they were sealed.
    ///
    /// # Errors
    ///
    /// As [`Blocks::read`]; then `to` has any bytes.
    pub fn read_into(&self, start: usize, to: &mut [u8]) -> Result<(), BlockError> {
        let end = start.checked_add(to.len()).filter(|end| *end <= self.length);
        let end = end.ok_or(BlockError::OutOfRange)?;
        let mut at = start;
        let mut rest = to;
        while at < end {
            let block = at / BLOCK_BYTES;
            let begin = block * BLOCK_BYTES;
            let size = BLOCK_BYTES.min(self.length - begin);
            let count = (begin + size).min(end) - at;
            let (part, behind) = rest.split_at_mut(count);
            if count == size {
                // All of the block is wanted: it is read where it is to be, and checked there.
                self.fetch(begin, part)?;
                self.check(block, part)?;
            } else {
                let mut whole = [0; BLOCK_BYTES];
                let whole = whole.get_mut(..size).ok_or(BlockError::OutOfRange)?;
                self.fetch(begin, whole)?;
                self.check(block, whole)?;
                let wanted = whole.get(at - begin..).and_then(|from| from.get(..count));
                part.copy_from_slice(wanted.ok_or(BlockError::OutOfRange)?);
            }
            at += count;
            rest = behind;
        }
        Ok(())
    }

    fn fetch(&self, begin: usize, to: &mut [u8]) -> Result<(), BlockError> {
        match &self.origin {
            Origin::Bytes(bytes) => {
                let from = bytes.get(begin..).and_then(|from| from.get(..to.len()));
                to.copy_from_slice(from.ok_or(BlockError::OutOfRange)?);
                Ok(())
            }
            Origin::File(file, offset) => {
                file.read_exact_at(to, offset + begin as u64).map_err(BlockError::Io)
            }
        }
    }

    fn check(&self, at: usize, block: &[u8]) -> Result<(), BlockError> {
        let expected = self.table.get(at * HASH_BYTES..).and_then(|rest| rest.get(..HASH_BYTES));
        match expected == Some(&hash(at, block)) {
            true => Ok(()),
            false => Err(BlockError::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at * 7 + at / 251) as u8).collect()
    }

    #[test]
    fn any_part_of_what_was_sealed_is_read() {
        for length in [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 77] {
            let sealed = bytes(length);
            let table = table(&sealed);
            assert_eq!(table.len(), table_bytes(length));
            let blocks = Blocks::new(Origin::Bytes(&sealed), length, &table).unwrap();
            for (start, end) in [(0, length), (length / 3, length / 2), (length, length)] {
                assert_eq!(blocks.read(start..end).unwrap(), sealed[start..end]);
            }
            assert!(matches!(blocks.read(0..length + 1), Err(BlockError::OutOfRange)));
            assert!(Blocks::new(Origin::Bytes(&sealed), length + BLOCK_BYTES, &table).is_none());
        }
    }

    #[test]
    fn a_block_that_was_changed_is_refused_and_others_are_read() {
        let mut changed = bytes(3 * BLOCK_BYTES);
        let table = table(&changed);
        changed[BLOCK_BYTES + 5] ^= 1;
        let blocks = Blocks::new(Origin::Bytes(&changed), changed.len(), &table).unwrap();
        assert!(blocks.read(0..BLOCK_BYTES).is_ok());
        assert!(matches!(blocks.read(BLOCK_BYTES..BLOCK_BYTES + 1), Err(BlockError::Changed)));
        assert!(matches!(blocks.read(0..3 * BLOCK_BYTES), Err(BlockError::Changed)));
        assert!(blocks.read(2 * BLOCK_BYTES..3 * BLOCK_BYTES).is_ok());
        // One in the place of another.
        changed[BLOCK_BYTES + 5] ^= 1;
        changed.copy_within(0..BLOCK_BYTES, BLOCK_BYTES);
        let blocks = Blocks::new(Origin::Bytes(&changed), changed.len(), &table).unwrap();
        assert!(matches!(blocks.read(BLOCK_BYTES..BLOCK_BYTES + 1), Err(BlockError::Changed)));
    }
}
