//! Where native code finds what: offsets in the raw structures of the runtime.
//!
//! The structures themselves are the runtime's, which asserts that each field is where this says. All
//! offsets are in bytes.

use dunlin_module::{CompositeType, Module};

/// `VmCtx`, what the first parameter of every function points to. Nothing of it changes while the
/// instance lives, but for `CALLEE` and `CALLER`.
pub mod vmctx {
    /// Address of `Rt`.
    pub const RT: i32 = 0;
    /// Address of the `MemoryDef` of memory 0.
    pub const MEM0: i32 = 8;
    /// Address of the entries of the module's defined functions, `code_entry::SIZE` each.
    pub const CODE: i32 = 16;
    /// Address of an array of `u32`: module type index → canonical type id.
    pub const TYPES: i32 = 24;
    /// Address of an array of addresses: module type index → `TypeInfo`.
    pub const TYPE_INFOS: i32 = 32;
    /// Address of the table of builtins: 8 bytes each.
    pub const BUILTINS: i32 = 40;
    /// Address of code with the register ABI of any function: it calls what `CALLEE` names.
    pub const BRIDGE: i32 = 48;
    /// Which function is called: see [`crate::native`]. Written by native code.
    pub const CALLEE: i32 = 56;
    /// Address of [`POLL_BYTES`](super::POLL_BYTES) bytes, loads of which trap when the guest shall
    /// stop.
    pub const POLL: i32 = 64;
    /// Address of the context of the caller: see [`crate::native`]. Written by native code.
    pub const CALLER: i32 = 72;
    /// Address of the first byte of memory 0, if that never changes: of guard kind, or shared.
    pub const BASE0: i32 = 80;
    /// Bytes of a context: its arrays follow.
    pub const SIZE: usize = 144;
}

/// How many bytes code may load to see whether it shall stop: each place that looks takes another, so
/// that no load seems redundant.
pub const POLL_BYTES: u32 = 4096;

/// `Rt`, one for each store.
pub mod rt {
    /// `i64`: fuel left.
    pub const FUEL: i32 = 0;
    /// Address below which the native stack pointer must not be.
    pub const NATIVE_LIMIT: i32 = 8;
    /// Address of the first free slot of the value stack: where frames of interpreted callees begin.
    pub const NATIVE_TOP: i32 = 16;
    /// Address of the end of the value stack.
    pub const STACK_END: i32 = 24;
    /// Address of the spill area.
    pub const SPILL: i32 = 32;
    /// The `HeapDef`, inside `Rt`.
    pub const HEAP: i32 = 40;
}

/// `HeapDef`. All fields may change at safepoints.
pub mod heap {
    /// Address that references are offsets from.
    pub const BASE: i32 = 0;
    /// `u64`: accessible bytes.
    pub const LEN: i32 = 8;
    /// `u32`: where the next young object begins. Written by native code.
    pub const TOP: i32 = 16;
    /// `u32`: where the nursery ends. An object fits if `top + bytes <= limit`, in 64 bits.
    pub const LIMIT: i32 = 20;
    /// Address of an array of addresses: type number → `TypeInfo`.
    pub const TYPES: i32 = 24;
    /// Address of an array of addresses: number of a function record → record.
    pub const FUNCS: i32 = 32;
    /// `u32`: how many types there are.
    pub const TYPES_LEN: i32 = 40;
    /// `u32`: how many function records there are.
    pub const FUNCS_LEN: i32 = 44;
}

/// `TypeInfo`, what the heap knows of a type of objects. Never changes.
pub mod type_info {
    /// `u32`: its number, the low bits of the header of its objects ([`super::TYPE_NUMBER_MASK`]).
    pub const NUMBER: i32 = 0;
    /// `u32`: the depth of the type in its hierarchy, 0 for a root; the last index in `DISPLAY`.
    pub const DEPTH: i32 = 4;
    /// Address of an array of `u32`: numbers of the supertypes from the root on, its own last.
    pub const DISPLAY: i32 = 8;
    /// `u8`: its shape, a value of [`super::shape`].
    pub const SHAPE: i32 = 16;
}

/// Shapes of objects.
pub mod shape {
    /// A struct.
    pub const STRUCT: u8 = 0;
    /// An array.
    pub const ARRAY: u8 = 1;
}

/// Objects below this offset in the heap are young: the others need [`Remember`] when a young one is
/// stored into them, unless they have the mark already.
///
/// [`Remember`]: crate::native::Builtin::Remember
pub const NURSERY_BYTES: u32 = 1 << 20;

/// Bytes of a bulk operation, or of a new array, that cost one unit of fuel beside the instruction's
/// own.
pub const FUEL_BYTES: u64 = 64;

/// The bits of the first word of an object that are the number of its type.
pub const TYPE_NUMBER_MASK: u32 = (1 << 30) - 1;

/// The bit of the first word of an object that says that it is remembered.
pub const REMEMBERED: u32 = 1 << 30;

/// `FuncRecord`, what a function reference is the address of.
pub mod func_record {
    /// Address of code with the register ABI: native, or the bridge. Changes at any time.
    pub const NATIVE: i32 = 0;
    /// Address of the context to call it with.
    pub const VMCTX: i32 = 8;
    /// `u32`: its canonical type id.
    pub const TYPE_ID: i32 = 16;
    /// `u32`: its number among the records of the store.
    pub const NUMBER: i32 = 20;
}

/// `MemoryDef`.
pub mod memory {
    /// Address of the first byte. Never changes for guard kind and for shared memories.
    pub const BASE: i32 = 0;
    /// `u64`: accessible bytes. Changes at calls; of a shared memory at any time.
    pub const LEN: i32 = 8;
}

/// A memory of guard kind with 32-bit addresses and ordinary pages has at least so many bytes after its
/// base that can only be accessed where the memory is or fault.
pub const GUARDED_BYTES: u64 = 1 << 33;

/// `TableDef`.
pub mod table {
    /// Address of the first element, 8 bytes each. Changes with growth.
    pub const BASE: i32 = 0;
    /// `u64`: number of elements.
    pub const LEN: i32 = 8;
}

/// Bytes of storage of a global.
pub const GLOBAL_BYTES: u32 = 16;

/// Where the arrays behind a context are, from the beginning of the context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextLayout {
    /// Imported function index → address of its `FuncRecord`.
    pub imported_funcs: u64,
    /// Memory index → address of its `MemoryDef`.
    pub memories: u64,
    /// Table index → address of its `TableDef`.
    pub tables: u64,
    /// Global index → address of its storage.
    pub globals: u64,
    /// Storage of defined globals, [`GLOBAL_BYTES`] each: by global index less the imported ones.
    pub global_storage: u64,
    /// Module type index → address of its `TypeInfo`; none if all are function types.
    pub type_infos: u64,
    /// Function index → address of its `FuncRecord`, or 0 if nobody took the reference yet.
    pub func_refs: u64,
    /// Bytes of all.
    pub size: u64,
}

impl ContextLayout {
    /// The layout for instances of `module`.
    pub fn new(module: &Module) -> ContextLayout {
        let mut at = vmctx::SIZE as u64;
        let mut array = |count: usize, bytes: u64| {
            at = at.next_multiple_of(bytes);
            let start = at;
            at += count as u64 * bytes;
            start
        };
        let imported_globals = module.imported.globals as usize;
        let objects = module.composite_types.iter().any(|ty| !matches!(ty, CompositeType::Func(_)));
        let imported_funcs = array(module.imported.funcs as usize, 8);
        let memories = array(module.memories.len(), 8);
        let tables = array(module.tables.len(), 8);
        let globals = array(module.globals.len(), 8);
        let type_infos = array(if objects { module.types.len() } else { 0 }, 8);
        let global_storage = array(module.globals.len() - imported_globals, GLOBAL_BYTES.into());
        let func_refs = array(module.funcs.len(), 8);
        ContextLayout {
            imported_funcs,
            memories,
            tables,
            globals,
            global_storage,
            type_infos,
            func_refs,
            size: at,
        }
    }
}
