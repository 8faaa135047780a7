//! Guest memory as the translation sees it: bounds-checked slices, and little-endian numbers.

/// An address range that is not all inside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// A guest's linear memory, not shared with anyone while the host looks at it.
pub trait GuestMemory {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// The bytes of a range.
    fn slice(&self, addr: u64, len: u64) -> Result<&[u8], Fault>;

    /// The bytes of a range, to change them.
    fn slice_mut(&mut self, addr: u64, len: u64) -> Result<&mut [u8], Fault>;

    /// Copies out of the memory.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Fault> {
        buf.copy_from_slice(self.slice(addr, buf.len() as u64)?);
        Ok(())
    }

    /// Copies into the memory.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.slice_mut(addr, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

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

    fn slice(&self, addr: u64, len: u64) -> Result<&[u8], Fault> {
        self.get(range(addr, len)?).ok_or(Fault)
    }

    fn slice_mut(&mut self, addr: u64, len: u64) -> Result<&mut [u8], Fault> {
        self.get_mut(range(addr, len)?).ok_or(Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let memory: &mut [u8] = &mut [0; 16];
        assert_eq!(memory.check(16, 0), Ok(()));
        assert_eq!(memory.check(17, 0), Err(Fault));
        assert_eq!(memory.check(u64::MAX, 1), Err(Fault));
        assert_eq!(memory.slice(16, 0), Ok(&[][..]));
        assert_eq!(memory.slice(u64::MAX, 2), Err(Fault));
        assert_eq!(memory.store_u32(12, 0x0403_0201), Ok(()));
        assert_eq!(memory.store_u32(13, 0), Err(Fault));
        assert_eq!(memory.load_u32(12), Ok(0x0403_0201));
        assert_eq!(memory.slice(12, 4), Ok(&[1, 2, 3, 4][..]));
        assert_eq!(memory.store_u64(9, 0), Err(Fault));
    }
}
