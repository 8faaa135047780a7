//! The one allocation behind an instance: context, arrays and storage of globals.
//!
//! ```text
//!  │ VmCtx │ imported funcs │ memories │ tables │ globals │ types │ global storage │ func refs ... │
//! ```
//!
//! References to functions come last, because most of them are never touched: in a large module
//! those pages never come into being.

use std::sync::Arc;
use std::sync::atomic::AtomicPtr;

use dunlin_module::TypeId;

use crate::budget::{LimitError, Resource};
use crate::gc::types::TypeInfo;
use crate::module_code::ModuleCode;
use crate::sys::Pages;
use crate::vmctx::{FuncRecord, MemoryDef, Rt, TableDef, VmCtx};

// Module type index → canonical id is read by code as an array of `u32`.
const _: () = assert!(size_of::<TypeId>() == 4 && align_of::<TypeId>() == 4);

/// The memory of one instance; the context is at its start.
#[derive(Debug)]
pub(super) struct Block {
    pages: Pages,
}

/// What is copied to the arrays of a block.
pub(super) struct Arrays<'a> {
    /// Imported functions.
    pub(super) funcs: &'a [*const FuncRecord],
    /// Imported globals.
    pub(super) globals: &'a [*mut u128],
    /// Types of objects, by module type index.
    pub(super) type_infos: &'a [*const TypeInfo],
}

/// Hands out the parts of a block one after the other.
struct Layout {
    size: usize,
}

impl Layout {
    /// The offset of the next `count` values of type `T`.
    fn array<T>(&mut self, count: usize) -> Option<usize> {
        let start = self.size.checked_next_multiple_of(align_of::<T>())?;
        self.size = start.checked_add(count.checked_mul(size_of::<T>())?)?;
        Some(start)
    }
}

impl Block {
    /// A block for an instance of `code`, with all its arrays filled.
    pub(super) fn new(
        code: &Arc<ModuleCode>,
        memories: impl ExactSizeIterator<Item = *mut MemoryDef>,
        tables: impl ExactSizeIterator<Item = *mut TableDef>,
        arrays: Arrays<'_>,
    ) -> Result<Block, LimitError> {
        let Arrays { funcs: imported_funcs, globals: imported_globals, type_infos } = arrays;
        let module = code.module();
        let globals = module.globals.len();
        let defined = globals - imported_globals.len();
        let mut layout = Layout { size: 0 };
        let offsets = (|| {
            layout.array::<VmCtx>(1)?;
            Some([
                layout.array::<*const FuncRecord>(imported_funcs.len())?,
                layout.array::<*mut MemoryDef>(memories.len())?,
                layout.array::<*mut TableDef>(tables.len())?,
                layout.array::<*mut u128>(globals)?,
                layout.array::<*const TypeInfo>(type_infos.len())?,
                layout.array::<u128>(defined)?,
                layout.array::<AtomicPtr<FuncRecord>>(module.funcs.len())?,
            ])
        })();
        let refused = LimitError::system(Resource::Bytes, layout.size as u64);
        let offsets = offsets.ok_or(refused)?;
        let block = Block { pages: Pages::new(layout.size).map_err(|_| refused)? };
        let [funcs, mems, tabs, globs, infos, storage, refs] = offsets;
        let first_memory;
        // SAFETY: all offsets are inside the block and aligned for their type, which `Layout`
        // took care of: each array has as many places as are written.
        unsafe {
            let funcs = block.at::<*const FuncRecord>(funcs);
            for (i, func) in imported_funcs.iter().enumerate() {
                funcs.add(i).write(*func);
            }
            let mems = block.at::<*mut MemoryDef>(mems);
            let any_memory = memories.len() > 0;
            for (i, memory) in memories.enumerate() {
                mems.add(i).write(memory);
            }
            first_memory = if any_memory { *mems } else { std::ptr::null_mut() };
            let tabs = block.at::<*mut TableDef>(tabs);
            for (i, table) in tables.enumerate() {
                tabs.add(i).write(table);
            }
            let globs = block.at::<*mut u128>(globs);
            for (i, global) in imported_globals.iter().enumerate() {
                globs.add(i).write(*global);
            }
            let infos = block.at::<*const TypeInfo>(infos);
            for (i, info) in type_infos.iter().enumerate() {
                infos.add(i).write(*info);
            }
            let storage = block.at::<u128>(storage);
            for i in 0..defined {
                globs.add(imported_globals.len() + i).write(storage.add(i));
            }
            block.vmctx().write(VmCtx {
                rt: std::ptr::null_mut(),
                mem0: first_memory,
                code: code.entries(),
                imported_funcs: funcs,
                func_refs: block.at(refs),
                memories: mems,
                tables: tabs,
                globals: globs,
                types: module.types.as_ptr().cast(),
                type_infos: infos,
                instance: u32::MAX,
                module: Arc::as_ptr(code),
            });
        }
        Ok(block)
    }

    /// Makes the context part of a store.
    pub(super) fn connect(&self, rt: *mut Rt, empty_memory: *mut MemoryDef, instance: u32) {
        // SAFETY: `new` wrote a context there; nobody else has its address yet.
        let vmctx = unsafe { &mut *self.vmctx() };
        vmctx.rt = rt;
        vmctx.instance = instance;
        if vmctx.mem0.is_null() {
            vmctx.mem0 = empty_memory;
        }
    }

    /// The context.
    pub(super) fn vmctx(&self) -> *mut VmCtx {
        self.pages.base().cast()
    }

    /// # Safety
    ///
    /// `offset` is inside the block.
    unsafe fn at<T>(&self, offset: usize) -> *mut T {
        // SAFETY: inside the allocation (caller).
        unsafe { self.pages.base().add(offset) }.cast()
    }
}
