//! Memories, tables, globals and tags, as the host makes, reads and changes them.

use std::any::Any;
use std::sync::Arc;

use dunlin_module::{
    ExternIndex, ExternType, FuncType, GlobalType, MemoryType, TableType, TagType, TypeId, ValType,
};

use super::{
    Extern, Fixed, Global, GlobalPlace, InstanceHandle, Memory, Misuse, Store, StoreError, Table,
    Tag,
};
use crate::budget::Resource;
use crate::func::Signature;
use crate::instance::{self, Instance};
use crate::memory::{MemoryInstance, SharedMemory};
use crate::module_code::ModuleCode;
use crate::table::TableInstance;

/// A range of elements as array indices, if it is inside.
fn range(start: u64, count: u64, len: u64) -> Result<std::ops::Range<usize>, Misuse> {
    match start.checked_add(count) {
        Some(end) if end <= len => Ok(start as usize..end as usize),
        end => Err(Misuse::OutOfBounds { end: end.unwrap_or(u64::MAX), len }),
    }
}

/// What a layer above keeps in a store.
type Companion = Option<Box<dyn Any + Send>>;

/// All bytes of a memory, and of another to change them.
type MemoryPair<'a> = (&'a [u8], &'a mut [u8]);

/// Memories.
impl Store {
    #[inline]
    fn memory(&self, memory: Memory) -> Result<&MemoryInstance, Misuse> {
        Ok(&self.memories[memory.index_in(self.id)?])
    }

    /// Makes a memory of `ty.min` pages.
    ///
    /// # Errors
    ///
    /// If a limit is reached.
    pub fn memory_new(&mut self, ty: MemoryType) -> Result<Memory, StoreError> {
        let memory = MemoryInstance::new(ty, self.settings.memory_kind, &mut self.budget)?;
        self.memories.push(Fixed::new(memory));
        Ok(Memory { store: self.id, index: self.memories.len() as u32 - 1 })
    }

    /// Makes `memory` one of this store. A memory that is one already stays what it is.
    ///
    /// # Errors
    ///
    /// If a limit is reached, or it was made for another kind of memories than the store's.
    pub fn memory_attach(&mut self, memory: &SharedMemory) -> Result<Memory, StoreError> {
        if memory.kind() != self.settings.memory_kind {
            return Err(Misuse::OtherMemoryKind.into());
        }
        let is_same = |place: &Fixed<MemoryInstance>| {
            place.shared().is_some_and(|known| SharedMemory::same(known, memory))
        };
        let index = match self.memories.iter().position(is_same) {
            Some(index) => index,
            None => {
                self.budget.charge(Resource::Memories, 1)?;
                self.memories.push(Fixed::new(MemoryInstance::attached(memory.clone())));
                self.memories.len() - 1
            }
        };
        Ok(Memory { store: self.id, index: index as u32 })
    }

    /// The memory for use elsewhere, if it is shared.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn memory_shared(&self, memory: Memory) -> Result<Option<SharedMemory>, Misuse> {
        Ok(self.memory(memory)?.shared().cloned())
    }

    /// The current size in bytes.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn memory_byte_size(&self, memory: Memory) -> Result<u64, Misuse> {
        Ok(self.memory(memory)?.byte_size())
    }

    /// The type a memory was made with.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn memory_type(&self, memory: Memory) -> Result<MemoryType, Misuse> {
        Ok(*self.memory(memory)?.ty())
    }

    /// The current size in pages.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn memory_size(&self, memory: Memory) -> Result<u64, Misuse> {
        Ok(self.memory(memory)?.pages())
    }

    /// Grows by `delta` pages; the old size in pages.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, or its type, a limit or the system does not allow it.
    pub fn memory_grow(&mut self, memory: Memory, delta: u64) -> Result<u64, StoreError> {
        let index = memory.index_in(self.id)?;
        Ok(self.memories[index].grow(delta, &mut self.budget)?)
    }

    /// All bytes; none if it is shared.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    #[inline]
    pub fn memory_data(&self, memory: Memory) -> Result<&[u8], Misuse> {
        Ok(self.memory(memory)?.bytes())
    }

    /// All bytes; none if it is shared.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    #[inline]
    pub fn memory_data_mut(&mut self, memory: Memory) -> Result<&mut [u8], Misuse> {
        let index = memory.index_in(self.id)?;
        Ok(self.memories[index].bytes_mut())
    }

    /// All bytes, none if it is shared, and what a layer above keeps in the store.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    #[inline]
    pub fn memory_and_companion_mut(
        &mut self,
        memory: Memory,
    ) -> Result<(&mut [u8], &mut Companion), Misuse> {
        let index = memory.index_in(self.id)?;
        Ok((self.memories[index].bytes_mut(), &mut self.companion))
    }

    /// All bytes of one memory, and of another to change them; none of shared ones. Nothing if both are
    /// one memory.
    ///
    /// # Errors
    ///
    /// If one belongs to another store.
    #[inline]
    pub fn memory_pair(
        &mut self,
        from: Memory,
        to: Memory,
    ) -> Result<Option<MemoryPair<'_>>, Misuse> {
        let indices = [from.index_in(self.id)?, to.index_in(self.id)?];
        let pair = self.memories.get_disjoint_mut(indices).ok();
        Ok(pair.map(|[from, to]| (from.bytes(), to.bytes_mut())))
    }

    /// All bytes, none if it is shared, and the data of the host.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn memory_and_host_data_mut(
        &mut self,
        memory: Memory,
    ) -> Result<(&mut [u8], &mut (dyn Any + Send)), Misuse> {
        let index = memory.index_in(self.id)?;
        Ok((self.memories[index].bytes_mut(), &mut *self.host_data))
    }
}

/// Tables. Elements are the bits of a slot.
impl Store {
    fn table(&self, table: Table) -> Result<&TableInstance, Misuse> {
        Ok(&self.tables[table.index_in(self.id)?])
    }

    fn check_element(&self, table: Table, value: u64) -> Result<(), Misuse> {
        self.check_value(value, ValType::Ref(self.table(table)?.ty().elem))
    }

    /// Makes a table of `ty.min` elements, all `init`.
    ///
    /// # Errors
    ///
    /// If `init` is not of the elements' type or a limit is reached.
    pub fn table_new(&mut self, ty: TableType, init: u64) -> Result<Table, StoreError> {
        self.check_value(init, ValType::Ref(ty.elem))?;
        let table = TableInstance::new(ty, init, &mut self.budget)?;
        self.tables.push(Fixed::new(table));
        Ok(Table { store: self.id, index: self.tables.len() as u32 - 1 })
    }

    /// The type a table was made with.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn table_type(&self, table: Table) -> Result<TableType, Misuse> {
        Ok(*self.table(table)?.ty())
    }

    /// The current number of elements.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn table_size(&self, table: Table) -> Result<u64, Misuse> {
        Ok(self.table(table)?.len())
    }

    /// One element; `None` beyond the end.
    ///
    /// # Errors
    ///
    /// If the table belongs to another store.
    pub fn table_get(&self, table: Table, index: u64) -> Result<Option<u64>, Misuse> {
        let elements = self.table(table)?.elements();
        Ok(usize::try_from(index).ok().and_then(|at| elements.get(at)).copied())
    }

    /// Changes one element.
    ///
    /// # Errors
    ///
    /// If the table belongs to another store, there is no such element, or `value` is not of the
    /// elements' type.
    pub fn table_set(&mut self, table: Table, index: u64, value: u64) -> Result<(), Misuse> {
        self.table_fill(table, index, value, 1)
    }

    /// Grows by `delta` elements, all `init`; the old number of elements.
    ///
    /// # Errors
    ///
    /// If the table belongs to another store, `init` is not of the elements' type, or the table's
    /// type, a limit or the system does not allow it.
    pub fn table_grow(&mut self, table: Table, delta: u64, init: u64) -> Result<u64, StoreError> {
        self.check_element(table, init)?;
        let index = table.index_in(self.id)?;
        Ok(self.tables[index].grow(delta, init, &mut self.budget)?)
    }

    /// Changes `count` elements from `start` on.
    ///
    /// # Errors
    ///
    /// If the table belongs to another store, has not that many elements, or `value` is not of
    /// their type.
    pub fn table_fill(
        &mut self,
        table: Table,
        start: u64,
        value: u64,
        count: u64,
    ) -> Result<(), Misuse> {
        self.check_element(table, value)?;
        let index = table.index_in(self.id)?;
        let table = &mut self.tables[index];
        let range = range(start, count, table.len())?;
        table.elements_mut()[range].fill(value);
        Ok(())
    }

    /// Copies `count` elements between tables, which may be one.
    ///
    /// # Errors
    ///
    /// If one belongs to another store or has not that many elements, or elements of the source
    /// are not of the type that the destination wants.
    pub fn table_copy(
        &mut self,
        dst: Table,
        dst_start: u64,
        src: Table,
        src_start: u64,
        count: u64,
    ) -> Result<(), Misuse> {
        let (to, from) = (self.table(dst)?, self.table(src)?);
        if !self.types.ref_subtype(from.ty().elem, to.ty().elem) {
            return Err(Misuse::WrongType(ValType::Ref(to.ty().elem)));
        }
        let to_range = range(dst_start, count, to.len())?;
        let from_range = range(src_start, count, from.len())?;
        if dst == src {
            let elements = self.tables[dst.index_in(self.id)?].elements_mut();
            elements.copy_within(from_range, to_range.start);
            return Ok(());
        }
        let (to, from) = (dst.index_in(self.id)?, src.index_in(self.id)?);
        let [to, from] =
            self.tables.get_disjoint_mut([to, from]).map_err(|_| Misuse::OtherStore)?;
        to.elements_mut()[to_range].copy_from_slice(&from.elements()[from_range]);
        Ok(())
    }
}

/// Globals. A value takes one or two slots, low first; the second is 0 unless the type is `v128`.
impl Store {
    #[inline]
    fn global(&self, global: Global) -> Result<GlobalPlace, Misuse> {
        Ok(self.globals[global.index_in(self.id)?])
    }

    /// The handle of the global stored at `address`, which is of type `ty` if it is new.
    pub(crate) fn global_of(&mut self, address: *mut u128, ty: GlobalType) -> Global {
        let next = self.globals.len() as u32;
        let index = *self.globals_by_address.entry(address.addr()).or_insert(next);
        if index == next {
            self.globals.push(GlobalPlace { address, ty });
        }
        Global { store: self.id, index }
    }

    /// Where the value of a global is stored, and its type.
    pub(crate) fn global_place(&self, global: Global) -> Result<(*mut u128, GlobalType), Misuse> {
        self.global(global).map(|place| (place.address, place.ty))
    }

    /// Makes a global.
    ///
    /// # Errors
    ///
    /// If `value` is not of its type or a limit is reached.
    pub fn global_new(&mut self, ty: GlobalType, value: [u64; 2]) -> Result<Global, StoreError> {
        self.check_value(value[0], ty.val)?;
        self.budget.charge(Resource::Handles, 1)?;
        let storage = Fixed::new(joined(value));
        let address = storage.as_ptr();
        self.host_globals.push(storage);
        if ty.val.is_traced() {
            self.traced_globals.push(address);
        }
        Ok(self.global_of(address, ty))
    }

    /// The type of a global.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn global_type(&self, global: Global) -> Result<GlobalType, Misuse> {
        Ok(self.global(global)?.ty)
    }

    /// The value of a global.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    #[inline]
    pub fn global_get(&self, global: Global) -> Result<[u64; 2], Misuse> {
        let place = self.global(global)?;
        // SAFETY: V2, V3: storage of globals lives as long as the store.
        let value = unsafe { *place.address };
        let high = if place.ty.val == ValType::V128 { (value >> 64) as u64 } else { 0 };
        Ok([value as u64, high])
    }

    /// Changes a global.
    ///
    /// # Errors
    ///
    /// If it belongs to another store or is immutable, or `value` is not of its type.
    #[inline]
    pub fn global_set(&mut self, global: Global, value: [u64; 2]) -> Result<(), Misuse> {
        let place = self.global(global)?;
        if !place.ty.mutable {
            return Err(Misuse::ImmutableGlobal);
        }
        self.check_value(value[0], place.ty.val)?;
        // SAFETY: V2, V3: storage of globals lives as long as the store; V1.
        unsafe { *place.address = joined(value) };
        Ok(())
    }
}

#[inline]
fn joined([low, high]: [u64; 2]) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// Tags, and what is common to all externs.
impl Store {
    /// Makes a tag whose exceptions carry values of the parameter types of `ty`.
    ///
    /// # Errors
    ///
    /// If a limit is reached or the type cannot be made canonical.
    pub fn tag_new(&mut self, ty: &FuncType) -> Result<Tag, StoreError> {
        let signature = Signature::new(&self.types, ty)?;
        self.budget.charge(Resource::Handles, 1)?;
        let func = signature.id;
        self.tag_signatures.push(signature);
        self.tags.push(TagType { func });
        Ok(Tag { store: self.id, index: self.tags.len() as u32 - 1 })
    }

    /// The canonical type of a tag.
    pub(crate) fn tag_type_id(&self, tag: Tag) -> Result<TypeId, Misuse> {
        Ok(self.tags[tag.index_in(self.id)?].func)
    }

    /// The function type whose parameters a tag's exceptions carry.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn tag_type(&self, tag: Tag) -> Result<Arc<FuncType>, Misuse> {
        let id = self.tag_type_id(tag)?;
        // The type lives: an instance's module or `tag_signatures` holds it.
        self.types.func_type(id).ok_or(Misuse::OtherEngine)
    }

    /// The type of an extern, with the current size of memories and tables as their minimum.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn extern_type(&self, item: Extern) -> Result<ExternType, Misuse> {
        Ok(match item {
            Extern::Func(f) => {
                ExternType::Func { id: self.func_type_id(f)?, ty: self.func_type(f)?.clone() }
            }
            Extern::Table(t) => {
                let table = self.table(t)?;
                ExternType::Table(TableType { min: table.len(), ..*table.ty() })
            }
            Extern::Memory(m) => {
                let memory = self.memory(m)?;
                ExternType::Memory(MemoryType { min: memory.pages(), ..*memory.ty() })
            }
            Extern::Global(g) => ExternType::Global(self.global_type(g)?),
            Extern::Tag(t) => ExternType::Tag { id: self.tag_type_id(t)?, ty: self.tag_type(t)? },
        })
    }

    fn instance(&self, instance: InstanceHandle) -> Result<&Instance, Misuse> {
        Ok(&self.instances[instance.index_in(self.id)?])
    }

    /// The code, and with it the module, of an instance.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn instance_code(&self, instance: InstanceHandle) -> Result<&Arc<ModuleCode>, Misuse> {
        Ok(self.instance(instance)?.code())
    }

    /// What an instance exports as `name`.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn export(
        &mut self,
        instance: InstanceHandle,
        name: &str,
    ) -> Result<Option<Extern>, Misuse> {
        let item = self.instance(instance)?.module().export(name);
        item.map(|item| self.item(instance, item)).transpose()
    }

    /// An item of an instance by its index; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn item_at(
        &mut self,
        instance: InstanceHandle,
        item: ExternIndex,
    ) -> Result<Option<Extern>, Misuse> {
        let module = self.instance(instance)?.module();
        let exists = instance::has_item(module, item);
        exists.then(|| self.item(instance, item)).transpose()
    }

    /// An item of an instance that has it.
    fn item(&mut self, handle: InstanceHandle, item: ExternIndex) -> Result<Extern, Misuse> {
        let store = self.id;
        let instance = self.instance(handle)?;
        Ok(match item {
            ExternIndex::Table(t) => {
                Extern::Table(Table { store, index: instance.tables[t.index()] })
            }
            ExternIndex::Memory(m) => {
                Extern::Memory(Memory { store, index: instance.memories[m.index()] })
            }
            ExternIndex::Tag(t) => Extern::Tag(Tag { store, index: instance.tags[t.index()] }),
            ExternIndex::Global(g) => {
                let ty = instance.module().globals[g.index()];
                let address = instance.global(g);
                Extern::Global(self.global_of(address, ty))
            }
            ExternIndex::Func(f) => {
                let vmctx = instance.vmctx();
                let record = self.record_for(vmctx, f);
                Extern::Func(self.func_of(record))
            }
        })
    }

    /// The handle of the instance at a position.
    pub(crate) fn instance_handle(&self, index: u32) -> InstanceHandle {
        InstanceHandle { store: self.id, index }
    }
}
