//! Guest memory as the translation sees it: bounds-checked bytes, and little-endian numbers.

use std::borrow::Cow;

use dunlin_engine::SharedMemory;

/// How many bytes of a memory that is not the guest's alone are borrowed at once, by copying them.
const COPY_MAX: usize = 64 << 10;

/// An address range that is not all inside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// A guest's linear memory. Other threads of the guest may change what is in it at any time; then
/// every look at it may show something else.
pub trait GuestMemory {
    /// Its size in bytes. It never becomes smaller.
    fn size(&self) -> u64;

    /// Copies out of the memory.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault>;

    /// Copies into the memory.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault>;

    /// The bytes of a range: the memory's own, or a copy where others may change those. Long ranges
    /// should be taken in pieces of [`GuestMemory::piece`].
    fn bytes(&self, addr: u64, len: u64) -> Result<Cow<'_, [u8]>, Fault>;

    /// Hands the bytes of a range to `fill`, to change them from the first on, and gives what it says.
    /// That is how many it changed, if it changed any.
    fn fill<E>(
        &mut self,
        addr: u64,
        len: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, Fault>;

    /// How long a range should be that is borrowed at once.
    fn piece(&self) -> u64;

    /// Fails when a range is not all inside.
    fn check(&self, addr: u64, len: u64) -> Result<(), Fault> {
        match addr.checked_add(len) {
            Some(end) if end <= self.size() => Ok(()),
            _ => Err(Fault),
        }
    }

    /// The number of four bytes at an address.
    fn load_u32(&self, addr: u64) -> Result<u32, Fault> {
        let mut bytes = [0; 4];
        self.read(addr, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Stores a number of four bytes.
    fn store_u32(&mut self, addr: u64, value: u32) -> Result<(), Fault> {
        self.write(addr, &value.to_le_bytes())
    }

    /// Stores a number of eight bytes.
    fn store_u64(&mut self, addr: u64, value: u64) -> Result<(), Fault> {
        self.write(addr, &value.to_le_bytes())
    }
}

fn range(addr: u64, len: u64) -> Result<std::ops::Range<usize>, Fault> {
    let start = usize::try_from(addr).map_err(|_| Fault)?;
    let len = usize::try_from(len).map_err(|_| Fault)?;
    Ok(start..start.checked_add(len).ok_or(Fault)?)
}

impl GuestMemory for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        buf.copy_from_slice(self.get(range(addr, buf.len() as u64)?).ok_or(Fault)?);
        Ok(())
    }

    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let to = self.get_mut(range(addr, bytes.len() as u64)?).ok_or(Fault)?;
        to.copy_from_slice(bytes);
        Ok(())
    }

    fn bytes(&self, addr: u64, len: u64) -> Result<Cow<'_, [u8]>, Fault> {
        self.get(range(addr, len)?).map(Cow::Borrowed).ok_or(Fault)
    }

    fn fill<E>(
        &mut self,
        addr: u64,
        len: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, Fault> {
        Ok(fill(self.get_mut(range(addr, len)?).ok_or(Fault)?))
    }

    fn piece(&self) -> u64 {
        u64::MAX
    }
}

impl GuestMemory for SharedMemory {
    fn size(&self) -> u64 {
        self.data_size() as u64
    }

    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        let at = usize::try_from(addr).map_err(|_| Fault)?;
        SharedMemory::read(self, at, buf).map_err(|_| Fault)
    }

    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        let at = usize::try_from(addr).map_err(|_| Fault)?;
        SharedMemory::write(self, at, bytes).map_err(|_| Fault)
    }

    fn bytes(&self, addr: u64, len: u64) -> Result<Cow<'_, [u8]>, Fault> {
        self.check(addr, len)?;
        let mut copy = vec![0; usize::try_from(len).map_err(|_| Fault)?];
        GuestMemory::read(self, addr, &mut copy)?;
        Ok(Cow::Owned(copy))
    }

    fn fill<E>(
        &mut self,
        addr: u64,
        len: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, Fault> {
        self.check(addr, len)?;
        let mut copy = vec![0; usize::try_from(len.min(self.piece())).map_err(|_| Fault)?];
        let filled = fill(&mut copy);
        if let Ok(count) = &filled {
            GuestMemory::write(self, addr, copy.get(..*count).unwrap_or_default())?;
        }
        Ok(filled)
    }

    fn piece(&self) -> u64 {
        COPY_MAX as u64
    }
}

/// The memory of the instance that makes a call.
#[derive(Debug)]
pub(crate) enum CallerMemory<'a> {
    Own(&'a mut [u8]),
    Shared(SharedMemory),
}

impl GuestMemory for CallerMemory<'_> {
    fn size(&self) -> u64 {
        match self {
            CallerMemory::Own(bytes) => bytes.size(),
            CallerMemory::Shared(memory) => GuestMemory::size(memory),
        }
    }

    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        match self {
            CallerMemory::Own(bytes) => bytes.read(addr, buf),
            CallerMemory::Shared(memory) => GuestMemory::read(memory, addr, buf),
        }
    }

    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            CallerMemory::Own(own) => own.write(addr, bytes),
            CallerMemory::Shared(memory) => GuestMemory::write(memory, addr, bytes),
        }
    }

    fn bytes(&self, addr: u64, len: u64) -> Result<Cow<'_, [u8]>, Fault> {
        match self {
            CallerMemory::Own(bytes) => GuestMemory::bytes(&**bytes, addr, len),
            CallerMemory::Shared(memory) => memory.bytes(addr, len),
        }
    }

    fn fill<E>(
        &mut self,
        addr: u64,
        len: u64,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<usize, E>, Fault> {
        match self {
            CallerMemory::Own(bytes) => GuestMemory::fill(&mut **bytes, addr, len, fill),
            CallerMemory::Shared(memory) => memory.fill(addr, len, fill),
        }
    }

    fn piece(&self) -> u64 {
        match self {
            CallerMemory::Own(bytes) => bytes.piece(),
            CallerMemory::Shared(memory) => memory.piece(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use dunlin_engine::{Engine, MemoryType};

    #[test]
    fn bounds() {
        let memory: &mut [u8] = &mut [0; 16];
        check(memory);
        let ty =
            MemoryType { min: 16, max: Some(16), index64: false, shared: true, page_size_log2: 0 };
        let mut shared = SharedMemory::new(&Engine::default(), ty).unwrap();
        check(&mut shared);
        let mut shared = CallerMemory::Shared(shared);
        check(&mut shared);
        check(&mut CallerMemory::Own(&mut [0; 16]));
    }

    fn check<M: GuestMemory + ?Sized>(memory: &mut M) {
        assert_eq!(memory.check(16, 0), Ok(()));
        assert_eq!(memory.check(17, 0), Err(Fault));
        assert_eq!(memory.check(u64::MAX, 1), Err(Fault));
        assert_eq!(memory.bytes(16, 0).as_deref(), Ok(&[][..]));
        assert_eq!(memory.bytes(u64::MAX, 2), Err(Fault));
        assert_eq!(memory.store_u32(12, 0x0403_0201), Ok(()));
        assert_eq!(memory.store_u32(13, 0), Err(Fault));
        assert_eq!(memory.load_u32(12), Ok(0x0403_0201));
        assert_eq!(memory.bytes(12, 4).as_deref(), Ok(&[1, 2, 3, 4][..]));
        assert_eq!(memory.store_u64(9, 0), Err(Fault));
        let filled = memory.fill(4, 8, |bytes| {
            bytes.fill(7);
            Ok::<usize, Fault>(bytes.len())
        });
        assert_eq!(filled, Ok(Ok(8)));
        assert_eq!(memory.bytes(2, 4).as_deref(), Ok(&[0, 0, 7, 7][..]));
        assert_eq!(memory.fill(9, 8, |_| Ok::<usize, Fault>(0)), Err(Fault));
        assert_eq!(memory.fill(0, 8, |_| Err(Fault)), Ok(Err(Fault)));
    }
}
