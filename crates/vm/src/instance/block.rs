//! The one allocation behind an instance: context, arrays and storage of globals.
//!
//! ```text
//!  │ VmCtx │ imported funcs │ memories │ tables │ globals │ types │ global storage │ func refs ... │
//! ```
//!
//! Where each begins is a contract with native code: [`ContextLayout`].
//!
//! References to functions come last, because most of them are never touched: in a large module
//! those pages never come into being.

use std::sync::Arc;

use dunlin_code::layout::ContextLayout;
use dunlin_module::TypeId;

use crate::budget::{LimitError, Resource};
use crate::gc::types::TypeInfo;
use crate::module_code::ModuleCode;
use crate::native;
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
        let defined = module.globals.len() - imported_globals.len();
        let layout = ContextLayout::new(module);
        let refused = LimitError::system(Resource::Bytes, layout.size);
        let size = usize::try_from(layout.size).map_err(|_| refused)?;
        let block = Block { pages: Pages::new(size).map_err(|_| refused)? };
        let (first_memory, first_base);
        // SAFETY: all offsets are inside the block and aligned for their type, and each array has as
        // many places as are written, which `ContextLayout` took care of.
        unsafe {
            let funcs = block.at::<*const FuncRecord>(layout.imported_funcs);
            for (i, func) in imported_funcs.iter().enumerate() {
                funcs.add(i).write(*func);
            }
            let mems = block.at::<*mut MemoryDef>(layout.memories);
            let any_memory = memories.len() > 0;
            for (i, memory) in memories.enumerate() {
                mems.add(i).write(memory);
            }
            (first_memory, first_base) = match any_memory {
                true => (*mems, (**mems).base.cast_const()),
                false => (std::ptr::null_mut(), std::ptr::null()),
            };
            let tabs = block.at::<*mut TableDef>(layout.tables);
            for (i, table) in tables.enumerate() {
                tabs.add(i).write(table);
            }
            let globs = block.at::<*mut u128>(layout.globals);
            for (i, global) in imported_globals.iter().enumerate() {
                globs.add(i).write(*global);
            }
            let infos = block.at::<*const TypeInfo>(layout.type_infos);
            for (i, info) in type_infos.iter().enumerate() {
                infos.add(i).write(*info);
            }
            let storage = block.at::<u128>(layout.global_storage);
            for i in 0..defined {
                globs.add(imported_globals.len() + i).write(storage.add(i));
            }
            block.vmctx().write(VmCtx {
                rt: std::ptr::null_mut(),
                mem0: first_memory,
                code: code.entries(),
                imported_funcs: funcs,
                func_refs: block.at(layout.func_refs),
                memories: mems,
                tables: tabs,
                globals: globs,
                types: module.types.as_ptr().cast(),
                type_infos: infos,
                builtins: native::builtin_stubs(),
                bridge: native::bridge().expose_provenance(),
                callee: 0,
                poll: std::ptr::null(),
                caller: std::ptr::null_mut(),
                base0: first_base,
                module: Arc::as_ptr(code),
                instance: u32::MAX,
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
        // SAFETY: the record is alive; V1.
        vmctx.poll = unsafe { (*rt).poll };
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
    unsafe fn at<T>(&self, offset: u64) -> *mut T {
        // SAFETY: inside the allocation (caller).
        unsafe { self.pages.base().add(offset as usize) }.cast()
    }
}
