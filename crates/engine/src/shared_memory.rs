//! Memories that several stores use at the same time.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use dunlin_code::Trap;
use dunlin_module::MemoryType;
use dunlin_vm as vm;

pub use dunlin_vm::Woken;

use crate::context::AsContextMut;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::{Memory, MemoryAccessError, check_type};

/// A linear memory that stores on several threads may use at the same time.
///
/// It belongs to no store. [`SharedMemory::attach`] makes it a [`Memory`] of one, to be imported by
/// modules there, and [`Memory::shared`] finds the shared memory behind a memory of a store. Clones
/// are names of one memory, which lives as long as a name or a store that it was attached to.
///
/// There is no slice of its bytes, since guests may write them at any time: they are copied, or
/// accessed as atomics.
///
/// ```
/// # use dunlin_engine::{Engine, Instance, MemoryType, Module, SharedMemory, Store};
/// let engine = Engine::default();
/// let ty = MemoryType { min: 1, max: Some(1), index64: false, shared: true, page_size_log2: 16 };
/// let memory = SharedMemory::new(&engine, ty)?;
/// let module = Module::new(&engine, wat::parse_str(
///     r#"(module
///          (import "host" "memory" (memory 1 1 shared))
///          (func (export "count")
///            (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))))"#,
/// )?)?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut store = Store::new(&engine, ());
///             let memory = memory.attach(&mut store).unwrap();
///             let instance = Instance::new(&mut store, &module, &[memory.into()]).unwrap();
///             let count = instance.get_typed_func::<(), ()>(&mut store, "count").unwrap();
///             count.call(&mut store, ()).unwrap();
///         });
///     }
/// });
/// let mut counted = [0; 4];
/// memory.read(8, &mut counted)?;
/// assert_eq!(u32::from_le_bytes(counted), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedMemory(pub(crate) vm::SharedMemory);

impl SharedMemory {
    /// A memory within the engine's limits, which it pays for itself. One that a store shall pay for
    /// is made by [`Memory::new`].
    ///
    /// # Errors
    ///
    /// If the type makes no sense or is not shared, or the limits or the system do not allow it.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        check_type(&ty)?;
        if !ty.shared {
            let text = format!("cannot make a shared memory of type {ty}: it is not shared");
            return Err(Error::misuse(text));
        }
        let kind = engine.settings().memory_kind;
        Ok(SharedMemory(vm::SharedMemory::new(ty, kind, engine.limits().clone())?))
    }

    /// Makes it a memory of a store, which charges it for one more memory but not for the bytes.
    ///
    /// # Errors
    ///
    /// If the store may have no more memories, or its engine has memories of another kind.
    pub fn attach(&self, mut store: impl AsContextMut) -> Result<Memory> {
        Ok(Memory(store.as_context_mut().vm.memory_attach(&self.0)?))
    }

    /// Whether both are names of one memory.
    pub fn same(a: &SharedMemory, b: &SharedMemory) -> bool {
        vm::SharedMemory::same(&a.0, &b.0)
    }

    /// Its type, with the size it had at first.
    pub fn ty(&self) -> MemoryType {
        *self.0.ty()
    }

    /// Its size in pages now. It may have grown by the time you look at the number.
    pub fn size(&self) -> u64 {
        self.0.pages()
    }

    /// Its size in bytes now.
    pub fn data_size(&self) -> usize {
        // What is in memory can be counted.
        self.0.byte_size() as usize
    }

    /// Adds `delta` pages of zeros, and returns the size it had before.
    ///
    /// # Errors
    ///
    /// If its type or the limits do not allow it.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        Ok(self.0.grow(delta)?)
    }

    /// Copies the bytes from `offset` on to `buffer`. Bytes that another thread writes at the same
    /// time are copied as they were or as they will be.
    ///
    /// # Errors
    ///
    /// If they are not all inside; then `buffer` is as it was.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let len = buffer.len();
        self.0.read(offset as u64, buffer).map_err(|_| self.outside(offset, len))
    }

    /// Copies `buffer` to the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// If they are not all inside; then the memory is as it was.
    pub fn write(&self, offset: usize, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        self.0.write(offset as u64, buffer).map_err(|_| self.outside(offset, buffer.len()))
    }

    fn outside(&self, offset: usize, len: usize) -> MemoryAccessError {
        MemoryAccessError::new(Some(self.data_size()), offset, len)
    }

    /// The four bytes at `address` as an atomic number, little-endian as the guest sees it.
    ///
    /// # Errors
    ///
    /// If they are not all inside, or `address` is no multiple of 4.
    pub fn atomic_u32(&self, address: u64) -> Result<&AtomicU32, Trap> {
        self.0.atomic_u32(address)
    }

    /// The eight bytes at `address` as an atomic number, little-endian as the guest sees it.
    ///
    /// # Errors
    ///
    /// If they are not all inside, or `address` is no multiple of 8.
    pub fn atomic_u64(&self, address: u64) -> Result<&AtomicU64, Trap> {
        self.0.atomic_u64(address)
    }

    /// As the instruction `memory.atomic.notify`: wakes up to `count` threads that wait at `address`
    /// and returns how many.
    ///
    /// # Errors
    ///
    /// If four bytes at `address` are not inside, or it is no multiple of 4.
    pub fn notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        self.0.notify(address, count)
    }

    /// As the instruction `memory.atomic.wait32`: waits at `address`, if the number there is
    /// `expected`, until it is notified or the time is over. Nothing else ends the wait.
    ///
    /// # Errors
    ///
    /// If four bytes at `address` are not inside, or it is no multiple of 4.
    pub fn wait32(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<Woken, Trap> {
        self.0.wait32(address, expected, timeout, || false)
    }

    /// As the instruction `memory.atomic.wait64`; see [`SharedMemory::wait32`].
    ///
    /// # Errors
    ///
    /// If eight bytes at `address` are not inside, or it is no multiple of 8.
    pub fn wait64(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<Woken, Trap> {
        self.0.wait64(address, expected, timeout, || false)
    }
}
