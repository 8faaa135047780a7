//! The raw structures that running code reads: instance context, records, definitions, runtime.
//!
//! ```text
//!  Rt (one per store) ◄── VmCtx (one per instance) ──► CodeEntry[] (one per module, shared)
//!                          │   │   │
//!                          │   │   └─► MemoryDef, TableDef (owned by the store, address fixed)
//!                          │   └─────► global storage (16 bytes each, address fixed)
//!                          └─────────► FuncRecord (funcref = its address; made on demand)
//! ```
//!
//! Everything here is `repr(C)`, owned by the store or the module's code, and reached through raw
//! pointers while guest code runs. No Rust reference to any of it lives across a safepoint.

use std::mem::offset_of;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use dunlin_code::{Trap, layout};

use crate::gc::types::TypeInfo;

/// What one instance's code needs to find, at a fixed address for the life of the store.
///
/// The pointer arrays list imported things first, as the index spaces do.
#[repr(C)]
#[derive(Debug)]
pub struct VmCtx {
    /// The store's runtime record.
    pub rt: *mut Rt,
    /// Memory 0, or a definition of length 0 when the module has none. Never null.
    pub mem0: *const MemoryDef,
    /// Entry table of the module's defined functions.
    pub code: *const CodeEntry,
    /// Module type index → canonical type id.
    pub types: *const u32,
    /// Module type index → what the heap knows of the type; null for function types, and no array at
    /// all for modules that have no others.
    pub type_infos: *const *const TypeInfo,
    /// What native code calls, by [`Builtin`](dunlin_code::native::Builtin).
    pub builtins: *const usize,
    /// Code with the register ABI that calls what `callee` names.
    pub bridge: usize,
    /// Which function native code calls: see [`dunlin_code::native`].
    pub callee: u64,
    /// A byte that can be read unless native code shall stop.
    pub poll: *const u8,
    /// The context of the native code that calls `callee` through its record.
    pub caller: *mut VmCtx,
    /// Where memory 0 begins, and stays if it is of guard kind or shared; null without one.
    pub base0: *const u8,
    /// Imported function index → its record. Never null.
    pub imported_funcs: *const *const FuncRecord,
    /// Function index → its record, null until somebody takes the reference.
    pub func_refs: *const AtomicPtr<FuncRecord>,
    /// Memory index → its definition.
    pub memories: *const *mut MemoryDef,
    /// Table index → its definition.
    pub tables: *const *mut TableDef,
    /// Global index → the address of its 16-byte storage.
    pub globals: *const *mut u128,
    /// The module's code, which lowers functions at their first call.
    pub module: *const crate::module_code::ModuleCode,
    /// Position of the instance in its store.
    pub instance: u32,
}

/// The code of one defined function, shared by all instances of the module.
///
/// `ip` is null until the first call lowers the function; it is published last (release) and the
/// other fields are only read after it (acquire), so they are plain.
#[repr(C)]
#[derive(Debug)]
pub struct CodeEntry {
    /// First word of the published bytecode.
    pub ip: AtomicPtr<u64>,
    /// Slots from the frame's base to its end, operands included.
    pub frame_slots: AtomicU32,
    /// Slot of the frame header, after parameters and results.
    pub header_slot: AtomicU32,
    /// How many slots after the header to zero on entry: the declared locals.
    pub zero_slots: AtomicU32,
    /// Work seen in the function, for the tiers: see `tiers`.
    pub heat: AtomicU32,
    /// Native code with the register ABI, null if there is none.
    pub native: AtomicPtr<u8>,
}

/// A function as a value: what a non-null `funcref` points to.
#[repr(C)]
#[derive(Debug)]
pub struct FuncRecord {
    /// Code with the register ABI: its native code, or the bridge.
    pub native: AtomicPtr<u8>,
    /// The context it runs in; for a host function the context of no instance (see `Store`).
    pub vmctx: *mut VmCtx,
    /// Its canonical type.
    pub type_id: u32,
    /// Its number among the records of the store.
    pub number: u32,
    /// Its code; for a host function an entry that is never entered: such a record is called through
    /// `host_call`, and the entry only tells the shape of its frame.
    pub code: *const CodeEntry,
    /// Its index: among the module's functions, or among the store's host functions.
    pub index: u32,
    /// Its position among the store's function handles plus one; 0 until a handle is made.
    pub handle: u32,
    /// Whether this is a host function.
    pub host: bool,
}

/// Where a memory is now.
#[repr(C)]
#[derive(Debug)]
pub struct MemoryDef {
    /// First byte. Fixed for guard and for shared memories, changes with growth for others.
    pub base: *mut u8,
    /// Accessible bytes. Another thread may add to them if the memory is shared.
    pub len: AtomicU64,
    /// Bytes from `base` on in which an access that faults is a trap; 0 without guard pages.
    pub guarded: u64,
    /// Whether other threads may read and write its bytes.
    pub shared: bool,
}

impl MemoryDef {
    /// Accessible bytes, to check an access against: what was ever accessible stays so.
    #[inline(always)]
    pub fn byte_len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }
}

/// Where a table is now.
#[repr(C)]
#[derive(Debug)]
pub struct TableDef {
    /// First element, 8 bytes each.
    pub base: *mut u64,
    /// Number of elements.
    pub len: u64,
}

/// Where the garbage-collected heap is now.
#[repr(C)]
#[derive(Debug)]
pub struct HeapDef {
    /// What references are offsets from. Changes with growth and collections.
    pub base: *mut u8,
    /// Accessible bytes.
    pub len: u64,
    /// Where the next young object begins.
    pub top: u32,
    /// Where the nursery ends; 0 sends every allocation to the slow path.
    pub limit: u32,
    /// Type number → what is known of the type.
    pub types: *const *const TypeInfo,
    /// Number of function records → record.
    pub funcs: *const *mut FuncRecord,
    /// How many types there are.
    pub types_len: u32,
    /// How many function records there are.
    pub funcs_len: u32,
}

impl HeapDef {
    /// A heap without objects and types.
    pub(crate) const EMPTY: HeapDef = HeapDef {
        base: std::ptr::null_mut(),
        len: 0,
        top: dunlin_code::object::OBJECT_ALIGN,
        limit: 0,
        types: std::ptr::null(),
        funcs: std::ptr::null(),
        types_len: 0,
        funcs_len: 0,
    };
}

/// The frame header, at `CodeEntry::header_slot` of every interpreter frame. That of the outermost frame
/// of what native code called leads to a `native::Link` instead of a frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FrameHeader {
    /// Where the caller continues.
    pub ip: *const u64,
    /// The caller's frame base.
    pub fp: *mut u64,
    /// The caller's context.
    pub vmctx: *mut VmCtx,
}

/// A place in native code to go on at: registers.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Resume {
    /// The instruction.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub fp: usize,
    /// What is in the first register for payloads of exceptions.
    pub payload: u64,
}

/// The runtime record of a store: what every handler may need besides its instance.
///
/// Only `interrupt` is touched by other threads.
#[repr(C)]
#[derive(Debug)]
pub struct Rt {
    /// Fuel left; below zero means spent.
    pub fuel: i64,
    /// Native code stops or goes on in the interpreter below this native stack pointer.
    pub native_limit: AtomicUsize,
    /// First slot free for frames of interpreted callees while native code runs.
    pub native_top: *mut u64,
    /// End of the value stack: no frame may reach beyond.
    pub stack_end: *mut u64,
    /// Where native code passes what does not fit into registers.
    pub spill: *mut u128,
    /// The heap of the store.
    pub heap: HeapDef,
    /// Non-zero asks the guest to stop at its next back edge or call, or to find out what is wanted:
    /// bits of `store::Shared`.
    pub interrupt: AtomicU32,
    /// Code to go on at after a branch back that found `interrupt` set. Such a branch says in the exit
    /// fields where it is.
    pub look: *const u64,
    /// Why guest code last stopped; meaningful after an exit with `Exit::Trap`.
    pub trap: Trap,
    /// Native stack pointer to restore when a guard page stops guest code.
    pub entry_sp: *mut u8,
    /// Native stack pointer to restore when native code stops.
    pub native_sp: *mut u8,
    /// A byte that can be read unless native code shall stop.
    pub poll: *const u8,
    /// Where to go on when native code was stopped.
    pub resume: Resume,
    /// Instruction at which guest code stopped.
    pub exit_ip: *const u64,
    /// Frame in which guest code stopped.
    pub exit_fp: *mut u64,
    /// Context in which guest code stopped.
    pub exit_vmctx: *mut VmCtx,
    /// The exception that was thrown last; meaningful where `trap` is `Trap::Exception`.
    pub exception: u32,
    /// The fiber that runs; 0 where it is the value stack of the call from the host itself.
    pub fiber: u32,
    /// End of the value stack of the call from the host, where `stack_end` may be a fiber's.
    pub main_end: *mut u64,
    /// First slot free on that stack while a fiber runs.
    pub main_top: *mut u64,
    /// The store that owns this record, valid while guest code runs.
    pub store: *mut crate::store::Store,
    /// First slot free for a nested call while a host function runs. Not beside another field that is
    /// read together with it: two words are read as one, which waits for a write of only one of them.
    pub stack_top: *mut u64,
}

/// Checks that fields are where native code expects them.
macro_rules! fields_at {
    ($($ty:ident $module:ident { $($field:ident $at:ident,)* })*) => {$($(
        const _: () = assert!(offset_of!($ty, $field) == layout::$module::$at as usize);
    )*)*};
}
#[cfg(target_pointer_width = "64")]
fields_at! {
    VmCtx vmctx {
        rt RT, mem0 MEM0, code CODE, types TYPES, type_infos TYPE_INFOS, builtins BUILTINS,
        bridge BRIDGE, callee CALLEE, poll POLL, caller CALLER, base0 BASE0,
    }
    Rt rt {
        fuel FUEL, native_limit NATIVE_LIMIT, native_top NATIVE_TOP, stack_end STACK_END,
        spill SPILL, heap HEAP,
    }
    HeapDef heap {
        base BASE, len LEN, top TOP, limit LIMIT, types TYPES, funcs FUNCS, types_len TYPES_LEN,
        funcs_len FUNCS_LEN,
    }
    TypeInfo type_info { number NUMBER, depth DEPTH, display_at DISPLAY, shape SHAPE, }
    FuncRecord func_record { native NATIVE, vmctx VMCTX, type_id TYPE_ID, number NUMBER, }
    MemoryDef memory { base BASE, len LEN, }
    TableDef table { base BASE, len LEN, }
}
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<VmCtx>() == layout::vmctx::SIZE);
