//! Reading numbers from bytes that may be anything.

use super::{ArtifactError, malformed};

const CUT_OFF: &str = "it is cut off";

/// What is left to read.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ArtifactError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(malformed(CUT_OFF))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn take_rows(&mut self, count: usize, of: usize) -> Result<&'a [u8], ArtifactError> {
        self.take(count.checked_mul(of).ok_or(malformed(CUT_OFF))?)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(malformed(CUT_OFF))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ArtifactError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A size in eight bytes.
    pub(super) fn size(&mut self) -> Result<usize, ArtifactError> {
        let size = self.array().map(u64::from_le_bytes)?;
        usize::try_from(size).map_err(|_| malformed(CUT_OFF))
    }

    /// A number in as few groups of seven bits as it takes, lowest first; no other form is accepted.
    pub(super) fn varint(&mut self) -> Result<u64, ArtifactError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(malformed("a number is not in its shortest form"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number is too large"))
    }

    pub(super) fn varint_u32(&mut self) -> Result<u32, ArtifactError> {
        u32::try_from(self.varint()?).map_err(|_| malformed("a number is too large"))
    }

    /// How many of something follow, which take at least a byte each.
    pub(super) fn count(&mut self) -> Result<usize, ArtifactError> {
        let count = usize::try_from(self.varint()?).ok();
        count.filter(|count| *count <= self.rest.len()).ok_or(malformed(CUT_OFF))
    }

    pub(super) fn end(&self, what: &'static str) -> Result<(), ArtifactError> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed(what)) }
    }
}

/// Writes a number as [`Reader::varint`] reads it.
pub(super) fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Small numbers of either sign as small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
