//! Loads and stores of the runtime's structures, and the alias regions of all that code accesses.

use std::borrow::Cow;

use cranelift_codegen::ir::{
    AliasRegion, AliasRegionData, InstBuilder, MemFlagsData, Type, Value, types,
};
use dunlin_code::layout::vmctx;
use dunlin_code::object::Storage;

use super::Translator;

/// Disjoint parts of what code reads and writes. What never changes needs none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Region {
    /// Fields of `VmCtx` and `Rt` that change, but for those below.
    Runtime,
    /// `Rt::fuel`.
    Fuel,
    /// The spill area.
    Spill,
    /// Operands and results of builtins.
    Args,
    /// The value stack.
    Frame,
    /// Code addresses in function records.
    Records,
    /// Definitions of memories and tables.
    Definitions,
    /// Elements of tables.
    Elements,
    /// What `VmCtx::poll` points to.
    Poll,
    /// `HeapDef`.
    HeapDef,
    /// Headers of objects.
    Headers,
    /// Fields of structs and exceptions that are stored in a way.
    Fields(Storage),
    /// Elements of arrays that are stored in a way.
    Items(Storage),
    /// What new objects are zeroed with: only read as another region.
    Zeros,
    /// Bytes of imported memories, any two of which may be the same.
    ImportedMemories,
    /// Imported globals, as memories.
    ImportedGlobals,
    /// Bytes of a memory of the module.
    Memory(u32),
    /// A global of the module.
    Global(u32),
}

/// Memories and globals beyond so many share a region: what is known of regions at a block is a table.
const REGIONS_EACH: u32 = 24;

impl Region {
    fn number(self) -> u32 {
        match self {
            Region::Runtime => 0,
            Region::Fuel => 1,
            Region::Spill => 2,
            Region::Args => 3,
            Region::Frame => 4,
            Region::Records => 5,
            Region::Definitions => 6,
            Region::Elements => 7,
            Region::Poll => 8,
            Region::HeapDef => 9,
            Region::Headers => 10,
            Region::ImportedMemories => 11,
            Region::ImportedGlobals => 12,
            Region::Zeros => 13,
            Region::Fields(storage) => 20 + storage as u32,
            Region::Items(storage) => 30 + storage as u32,
            Region::Memory(index) => 100 + index.min(REGIONS_EACH),
            Region::Global(index) => 200 + index.min(REGIONS_EACH),
        }
    }
}

/// The same flags, without the promise of alignment for vectors: slots are 8 bytes each.
fn packed(flags: MemFlagsData, ty: Type) -> MemFlagsData {
    if !ty.is_vector() {
        return flags;
    }
    let packed = MemFlagsData::new().with_alias_region(flags.alias_region());
    let packed = packed.with_trap_code(flags.trap_code());
    let packed = if flags.readonly() { packed.with_readonly() } else { packed };
    if flags.can_move() { packed.with_can_move() } else { packed }
}

impl Translator<'_, '_> {
    /// The alias region of a part.
    pub(super) fn region(&mut self, region: Region) -> AliasRegion {
        let user_id = region.number();
        let regions = &mut self.b.func.dfg.alias_regions;
        if let Some(known) = regions.get(user_id) {
            return known;
        }
        regions.insert(AliasRegionData { user_id, description: Cow::Owned(format!("{region:?}")) })
    }

    /// Flags of an access to a structure of the runtime: aligned, it never faults.
    pub(super) fn flags(&mut self, region: Region) -> MemFlagsData {
        let region = self.region(region);
        MemFlagsData::trusted().with_alias_region(Some(region))
    }

    /// Loads what never changes while the instance lives, from an address that is valid wherever it is
    /// known: may be done at any time.
    pub(super) fn load_constant(&mut self, ty: Type, base: Value, offset: i32) -> Value {
        let flags = packed(MemFlagsData::trusted().with_readonly().with_can_move(), ty);
        self.b.ins().load(ty, flags, base, offset)
    }

    /// Loads a field of a structure of the runtime.
    pub(super) fn load_field(
        &mut self,
        ty: Type,
        region: Region,
        base: Value,
        offset: i32,
    ) -> Value {
        let flags = packed(self.flags(region), ty);
        self.b.ins().load(ty, flags, base, offset)
    }

    /// Stores to a field of a structure of the runtime.
    pub(super) fn store_field(&mut self, region: Region, value: Value, base: Value, offset: i32) {
        let flags = packed(self.flags(region), self.type_of(value));
        self.b.ins().store(flags, value, base, offset);
    }

    /// A field of the context that never changes.
    pub(super) fn context_field(&mut self, offset: i32) -> Value {
        self.load_constant(types::I64, self.vmctx, offset)
    }

    /// Entry `index` of one of the arrays of addresses behind the context; never changes.
    pub(super) fn context_entry(&mut self, array: u64, index: u32) -> Value {
        // Arrays are as long as index spaces, which validation limits to far less.
        self.context_field((array + 8 * u64::from(index)) as i32)
    }

    /// The address of `Rt`.
    pub(super) fn rt(&mut self) -> Value {
        self.context_field(vmctx::RT)
    }
}
