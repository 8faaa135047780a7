//! Linear memories.

use std::fmt;

use dunlin_module::MemoryType;
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut, StoreContext, StoreContextMut, host_data_mut};
use crate::error::{Error, Result};
use crate::shared_memory::SharedMemory;

/// A linear memory in a store.
///
/// [`Memory::read`] and [`Memory::write`] copy, and check that they stay inside; [`Memory::data`]
/// and [`Memory::data_mut`] give all bytes at once. Of a shared memory they give none, because other
/// threads may write its bytes; reading and writing work there too, and [`Memory::shared`] gives more.
///
/// ```
/// # use dunlin_engine::{Engine, Memory, MemoryType, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = MemoryType { min: 1, max: None, index64: false, shared: false, page_size_log2: 16 };
/// let memory = Memory::new(&mut store, ty)?;
/// memory.write(&mut store, 100, b"dunlin")?;
/// assert_eq!(&memory.data(&store)[100..106], b"dunlin");
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// assert_eq!(memory.data_size(&store), 2 << 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Memory(pub(crate) vm::Memory);

/// Bytes outside a memory were asked for, or the memory of another store.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MemoryAccessError {
    memory_bytes: Option<usize>,
    offset: usize,
    len: usize,
}

impl MemoryAccessError {
    pub(crate) fn new(memory_bytes: Option<usize>, offset: usize, len: usize) -> Self {
        MemoryAccessError { memory_bytes, offset, len }
    }
}

impl Memory {
    /// A memory of the host, to give to modules that import one. If its type is shared, the memory
    /// is for other stores too, and [`Memory::shared`] finds it.
    ///
    /// # Errors
    ///
    /// If the type makes no sense, or the limits of the store do not allow a memory of this size.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        check_type(&ty)?;
        Ok(Memory(store.as_context_mut().vm.memory_new(ty)?))
    }

    /// Its type, with the size it had at first.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        own(store.as_context().vm.memory_type(self.0))
    }

    /// Its size in pages of its type, mostly 64 KiB.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        own(store.as_context().vm.memory_size(self.0))
    }

    /// Its size in bytes.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        // What is in memory can be counted.
        own(store.as_context().vm.memory_byte_size(self.0)) as usize
    }

    /// The memory as other stores may use it; `None` if it is not shared.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn shared(&self, store: impl AsContext) -> Option<SharedMemory> {
        own(store.as_context().vm.memory_shared(self.0)).map(SharedMemory)
    }

    /// Adds `delta` pages of zeros, and returns the size it had before.
    ///
    /// # Errors
    ///
    /// If its type or the limits of the store do not allow it.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        Ok(store.as_context_mut().vm.memory_grow(self.0, delta)?)
    }

    /// Copies the bytes from `offset` on to `buffer`.
    ///
    /// # Errors
    ///
    /// If they are not all inside; then `buffer` is as it was.
    pub fn read(
        &self,
        store: impl AsContext,
        offset: usize,
        buffer: &mut [u8],
    ) -> Result<(), MemoryAccessError> {
        let vm = store.as_context().vm;
        if let Ok(Some(memory)) = vm.memory_shared(self.0) {
            return SharedMemory(memory).read(offset, buffer);
        }
        let data = vm.memory_data(self.0).ok();
        let range = data.and_then(|data| data.get(offset..)?.get(..buffer.len()));
        let failed =
            || MemoryAccessError { memory_bytes: data.map(<[u8]>::len), offset, len: buffer.len() };
        buffer.copy_from_slice(range.ok_or_else(failed)?);
        Ok(())
    }

    /// Copies `buffer` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// If they are not all inside; then the memory is as it was.
    pub fn write(
        &self,
        mut store: impl AsContextMut,
        offset: usize,
        buffer: &[u8],
    ) -> Result<(), MemoryAccessError> {
        let vm = store.as_context_mut().vm;
        if let Ok(Some(memory)) = vm.memory_shared(self.0) {
            return SharedMemory(memory).write(offset, buffer);
        }
        let mut data = vm.memory_data_mut(self.0).ok();
        let memory_bytes = data.as_ref().map(|data| data.len());
        let range = data.as_mut().and_then(|data| data.get_mut(offset..)?.get_mut(..buffer.len()));
        let failed = || MemoryAccessError { memory_bytes, offset, len: buffer.len() };
        range.ok_or_else(failed)?.copy_from_slice(buffer);
        Ok(())
    }

    /// All its bytes; none if it is shared.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn data<'a, T: 'static>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        own(store.into().vm.memory_data(self.0))
    }

    /// All its bytes, to change them; none if it is shared.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        own(store.into().vm.memory_data_mut(self.0))
    }

    /// All its bytes, none if it is shared, and the host's data at once, to change both.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let (bytes, data) = own(store.into().vm.memory_and_host_data_mut(self.0));
        (bytes, &mut host_data_mut(data).data)
    }
}

/// What validation demands of memory types in modules (core spec §3.2.15).
pub(crate) fn check_type(ty: &MemoryType) -> Result<()> {
    let wrong = |what| Err(Error::misuse(format!("cannot make memory of type {ty}: {what}")));
    if !matches!(ty.page_size_log2, 0 | 16) {
        let text = format!("expected pages of 2^0 or 2^16 bytes, found 2^{}", ty.page_size_log2);
        return Err(Error::misuse(format!("cannot make memory: {text}")));
    }
    let address_bits: u8 = if ty.index64 { 64 } else { 32 };
    let pages_max = 1u128 << (address_bits - ty.page_size_log2);
    match ty.max {
        Some(max) if max < ty.min => wrong("expected a maximum of at least the minimum"),
        None if ty.shared => wrong("expected a maximum, as it is shared"),
        max if u128::from(max.unwrap_or(ty.min)) > pages_max => {
            wrong("expected a size that addresses can reach")
        }
        _ => Ok(()),
    }
}

/// What an accessor that may panic returns.
#[expect(clippy::panic, reason = "documented in each accessor")]
#[track_caller]
pub(crate) fn own<V, E: fmt::Display>(found: Result<V, E>) -> V {
    match found {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl fmt::Display for MemoryAccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemoryAccessError { memory_bytes, offset, len } = *self;
        match memory_bytes {
            Some(size) => write!(
                f,
                "cannot access memory: expected a range within its {size} bytes, found offset \
                 {offset:#x} and length {len}"
            ),
            None => f.write_str("cannot access memory: the object belongs to another store"),
        }
    }
}

impl std::error::Error for MemoryAccessError {}
