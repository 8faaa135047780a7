//! Scatter and gather lists in guest memory, checked as a whole before anything is moved.

use std::borrow::Cow;
use std::io::IoSlice;

use super::abi::Errno;
use super::memory::{Fault, GuestMemory};
use super::outcome::Fail;

/// The most buffers one call takes, as on the systems it came from.
const COUNT_MAX: u32 = 1024;

/// Lists up to this long are kept without asking for memory.
const INLINE: usize = 8;

/// How many buffers are given to the kernel at once.
pub(crate) const BATCH: usize = 16;

/// One buffer in guest memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) addr: u64,
    pub(crate) len: u64,
}

/// The buffers of one call that are not empty, all inside the guest's memory.
#[derive(Debug)]
pub(crate) struct Spans {
    inline: [Span; INLINE],
    /// All of them, once they are too many for `inline`.
    spilled: Vec<Span>,
    count: usize,
    total: u64,
}

impl Spans {
    /// Reads a list; nothing of it is looked at again later.
    pub(crate) fn read<M: GuestMemory + ?Sized>(
        memory: &M,
        list: u32,
        count: u32,
    ) -> Result<Spans, Fail> {
        if count > COUNT_MAX {
            return Err(Errno::INVAL.into());
        }
        let list = u64::from(list);
        memory.check(list, u64::from(count).saturating_mul(8))?;
        let mut spans =
            Spans { inline: Default::default(), spilled: Vec::new(), count: 0, total: 0 };
        for index in 0..u64::from(count) {
            let at = list.saturating_add(index.saturating_mul(8));
            let addr = u64::from(memory.load_u32(at)?);
            let len = u64::from(memory.load_u32(at.saturating_add(4))?);
            memory.check(addr, len)?;
            if len > 0 {
                spans.push(Span { addr, len });
            }
        }
        // The result, and the counts of the kernel, have to hold it.
        if spans.total > u64::from(u32::MAX >> 1) {
            return Err(Errno::INVAL.into());
        }
        Ok(spans)
    }

    fn push(&mut self, span: Span) {
        match self.inline.get_mut(self.count) {
            Some(slot) => *slot = span,
            None => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(span);
            }
        }
        self.count = self.count.saturating_add(1);
        self.total = self.total.saturating_add(span.len);
    }

    pub(crate) fn list(&self) -> &[Span] {
        match self.inline.get(..self.count) {
            Some(spans) => spans,
            None => &self.spilled,
        }
    }

    /// How many bytes all buffers hold.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Hands `write` the bytes after the first `done`, at most `most` of them, and gives what
    /// it says together with how many bytes it was shown.
    pub(crate) fn gather<M: GuestMemory + ?Sized, R>(
        &self,
        memory: &M,
        done: u64,
        most: usize,
        write: impl FnOnce(&[IoSlice<'_>]) -> R,
    ) -> Result<(R, u64), Fault> {
        let mut pieces = [const { Cow::<[u8]>::Borrowed(&[]) }; BATCH];
        let mut used = 0usize;
        let mut skip = done;
        let most = memory.piece().min(most as u64);
        let mut left = most;
        for span in self.list() {
            if skip >= span.len {
                skip = skip.saturating_sub(span.len);
                continue;
            }
            let len = span.len.saturating_sub(skip).min(left);
            let Some(piece) = pieces.get_mut(used).filter(|_| len > 0) else {
                break;
            };
            *piece = memory.bytes(span.addr.saturating_add(skip), len)?;
            used = used.saturating_add(1);
            left = left.saturating_sub(len);
            skip = 0;
        }
        let shown = most.saturating_sub(left);
        let mut slices = [IoSlice::new(&[]); BATCH];
        for (slice, piece) in slices.iter_mut().zip(&pieces) {
            *slice = IoSlice::new(piece);
        }
        Ok((write(slices.get(..used).unwrap_or_default()), shown))
    }

    /// Spreads bytes over the buffers, from the first one on.
    pub(crate) fn scatter<M: GuestMemory + ?Sized>(
        &self,
        memory: &mut M,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let mut rest = bytes;
        for span in self.list() {
            let len = usize::try_from(span.len).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(len);
            memory.write(span.addr, now)?;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test may panic"
    )]

    use super::*;

    /// Memory with `pairs` written as a list at address 0.
    fn memory(pairs: &[(u32, u32)]) -> Vec<u8> {
        let mut memory = vec![0; 65536];
        for (index, (addr, len)) in pairs.iter().enumerate() {
            memory[index * 8..][..4].copy_from_slice(&addr.to_le_bytes());
            memory[index * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
        }
        memory
    }

    fn errno(pairs: &[(u32, u32)], list: u32, count: u32) -> Errno {
        match Spans::read(&memory(pairs)[..], list, count) {
            Err(Fail::Errno(errno)) => errno,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn refused() {
        assert_eq!(errno(&[], 0, u32::MAX), Errno::INVAL);
        assert_eq!(errno(&[], 0, 1025), Errno::INVAL);
        assert_eq!(errno(&[], 65536 - 7, 1), Errno::FAULT);
        assert_eq!(errno(&[], u32::MAX, 1), Errno::FAULT);
        assert_eq!(errno(&[(65535, 2)], 0, 1), Errno::FAULT);
        assert_eq!(errno(&[(65537, 0)], 0, 1), Errno::FAULT);
        assert_eq!(errno(&[(u32::MAX, u32::MAX)], 0, 1), Errno::FAULT);
    }

    #[test]
    fn gathered_in_pieces() {
        let mut pairs: Vec<(u32, u32)> = (0..40).map(|n| (4096 + n * 10, n % 3)).collect();
        pairs.push((1, 0));
        let mut memory = memory(&pairs);
        for (index, byte) in memory[4096..].iter_mut().enumerate() {
            *byte = index as u8;
        }
        let want: Vec<u8> = pairs
            .iter()
            .flat_map(|(addr, len)| memory[*addr as usize..][..*len as usize].to_vec())
            .collect();
        let spans = Spans::read(&memory[..], 0, pairs.len() as u32).unwrap();
        assert_eq!(spans.total(), want.len() as u64);
        for most in [1, 2, 5, 1000] {
            let mut got = Vec::new();
            loop {
                let done = got.len() as u64;
                let add = |slices: &[IoSlice<'_>]| {
                    assert!(slices.len() <= BATCH);
                    slices.iter().for_each(|slice| got.extend_from_slice(slice));
                };
                let (_, shown) = spans.gather(&memory[..], done, most, add).unwrap();
                assert!(shown <= most as u64);
                if shown == 0 {
                    break;
                }
            }
            assert_eq!(got, want, "{most} at a time");
        }
    }

    #[test]
    fn scattered() {
        let mut memory = memory(&[(100, 2), (0, 0), (104, 3), (50, 4)]);
        let spans = Spans::read(&memory[..], 0, 4).unwrap();
        spans.scatter(&mut memory[..], b"abcdef").unwrap();
        assert_eq!(&memory[100..108], b"ab\0\0cde\0");
        assert_eq!(&memory[50..54], b"f\0\0\0");
    }
}
