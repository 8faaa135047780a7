//! Instances: what a module becomes in a store. Everything is made before anybody can see it, then
//! initialised in the order of the specification (core spec §4.5.4), then started.

mod block;
mod const_expr;
mod init;
mod link;

use std::fmt;
use std::sync::Arc;

use dunlin_module::{
    CompositeType, DataIndex, ElemIndex, ExternIndex, FuncIndex, GlobalIndex, Module, TagType,
    TypeId, TypeKind,
};

use self::block::Block;
pub(crate) use self::const_expr::element;
use self::link::Imports;
pub use self::link::{LinkError, LinkErrorKind};
use crate::backtrace::Backtrace;
use crate::budget::{LimitError, Resource};
use crate::func::{self, HostError};
use crate::gc::types::TypeInfo;
use crate::memory::MemoryInstance;
use crate::module_code::ModuleCode;
use crate::store::{
    CallError, ExceptionReport, Extern, Fixed, InstanceHandle, Misuse, Store, TrapReport,
};
use crate::table::TableInstance;
use crate::vmctx::{FuncRecord, VmCtx};

/// One instance. Its context and storage of globals have fixed addresses.
#[derive(Debug)]
pub(crate) struct Instance {
    code: Arc<ModuleCode>,
    block: Block,
    /// Memory index → position in the store.
    pub(crate) memories: Box<[u32]>,
    /// Table index → position in the store.
    pub(crate) tables: Box<[u32]>,
    /// Tag index → position in the store.
    pub(crate) tags: Box<[u32]>,
    dropped_elems: Box<[bool]>,
    dropped_data: Box<[bool]>,
    /// Element segment → its elements, where these are traced references: their expressions may make
    /// objects, which are made once.
    elem_values: Box<[Box<[u64]>]>,
}

impl Instance {
    /// Its code.
    pub(crate) fn code(&self) -> &Arc<ModuleCode> {
        &self.code
    }

    /// Its module.
    pub(crate) fn module(&self) -> &Arc<Module> {
        self.code.module()
    }

    /// Its context.
    pub(crate) fn vmctx(&self) -> *mut VmCtx {
        self.block.vmctx()
    }

    /// Where a global is stored.
    pub(crate) fn global(&self, global: GlobalIndex) -> *mut u128 {
        assert!(global.index() < self.module().globals.len(), "global of another module");
        // SAFETY: V3: the array has one address for each global.
        unsafe { *(*self.vmctx()).globals.add(global.index()) }
    }

    /// Whether a segment was dropped and counts as empty.
    pub(crate) fn elem_is_dropped(&self, elem: ElemIndex) -> bool {
        self.dropped_elems[elem.index()]
    }

    /// Makes a segment count as empty.
    pub(crate) fn drop_elem(&mut self, elem: ElemIndex) {
        self.dropped_elems[elem.index()] = true;
        if let Some(values) = self.elem_values.get_mut(elem.index()) {
            *values = Box::default();
        }
    }

    /// Keeps the elements of a segment with traced references.
    fn set_elem_values(&mut self, elem: ElemIndex, values: Box<[u64]>) {
        if self.elem_values.is_empty() {
            self.elem_values = vec![Box::default(); self.dropped_elems.len()].into();
        }
        self.elem_values[elem.index()] = values;
    }

    /// Replaces an element kept of a segment.
    fn set_elem_value(&mut self, elem: ElemIndex, at: usize, value: u64) {
        self.elem_values[elem.index()][at] = value;
    }

    /// The elements of a segment with traced references that was not dropped; empty for others.
    pub(crate) fn elem_values(&self, elem: ElemIndex) -> &[u64] {
        self.elem_values.get(elem.index()).map_or(&[], |values| values)
    }

    /// All traced references in element segments.
    pub(crate) fn traced_elements_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.elem_values.iter_mut().flat_map(|values| values.iter_mut())
    }

    /// Whether a segment was dropped and counts as empty.
    pub(crate) fn data_is_dropped(&self, data: DataIndex) -> bool {
        self.dropped_data[data.index()]
    }

    /// Makes a segment count as empty.
    pub(crate) fn drop_data(&mut self, data: DataIndex) {
        self.dropped_data[data.index()] = true;
    }
}

/// Why there is no instance.
#[derive(Debug)]
#[non_exhaustive]
pub enum InstantiateError {
    /// An import is not of the type the module wants.
    Link(LinkError),
    /// A segment did not fit, or the start function stopped. What happened before stays: tables
    /// and memories of others may have changed.
    Trap(TrapReport),
    /// Nobody caught an exception in the start function.
    Exception(ExceptionReport),
    /// A host function called by the start function returned an error.
    Host(HostError, Backtrace),
    /// A limit is reached.
    Limit(LimitError),
    /// The embedder asked for something that makes no sense.
    Misuse(Misuse),
}

impl From<LimitError> for InstantiateError {
    fn from(limit: LimitError) -> InstantiateError {
        InstantiateError::Limit(limit)
    }
}

impl From<Misuse> for InstantiateError {
    fn from(misuse: Misuse) -> InstantiateError {
        InstantiateError::Misuse(misuse)
    }
}

impl From<LinkError> for InstantiateError {
    fn from(error: LinkError) -> InstantiateError {
        InstantiateError::Link(error)
    }
}

impl From<CallError> for InstantiateError {
    fn from(error: CallError) -> InstantiateError {
        match error {
            CallError::Trap(report) => InstantiateError::Trap(report),
            CallError::Exception(report) => InstantiateError::Exception(report),
            CallError::Host(error, backtrace) => InstantiateError::Host(error, backtrace),
            CallError::Misuse(misuse) => InstantiateError::Misuse(misuse),
            CallError::Limit(limit) => InstantiateError::Limit(limit),
        }
    }
}

impl fmt::Display for InstantiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstantiateError::Link(error) => error.fmt(f),
            InstantiateError::Trap(report) => report.fmt(f),
            InstantiateError::Exception(report) => report.fmt(f),
            InstantiateError::Host(error, _) => error.fmt(f),
            InstantiateError::Limit(limit) => limit.fmt(f),
            InstantiateError::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for InstantiateError {}

impl Store {
    /// Makes an instance of a module: `imports` are one for each of its imports, in order. Runs
    /// the start function.
    ///
    /// # Errors
    ///
    /// If imports do not fit, a limit is reached, or initialisation or the start function stops.
    pub fn instantiate(
        &mut self,
        code: &Arc<ModuleCode>,
        imports: &[Extern],
    ) -> Result<InstanceHandle, InstantiateError> {
        if self.is_poisoned() {
            return Err(Misuse::Poisoned.into());
        }
        let module = code.module();
        if !module.types_held.registry().same(self.types()) {
            return Err(Misuse::OtherEngine.into());
        }
        if *code.settings() != self.settings() {
            return Err(Misuse::OtherSettings.into());
        }
        if let Some(tiers) = code.tiers() {
            self.shared().set_tiers(tiers.tiers());
        }
        let imports = link::resolve(self, module, imports)?;
        let index = self.allocate_instance(code, imports)?;
        init::initialize(self, index)?;
        if let Some(start) = module.start {
            let record = self.record_for(self.instances[index as usize].vmctx(), start);
            // SAFETY: a record of this store; validation allows only start functions without
            // parameters and results.
            unsafe { self.call_place(crate::store::FuncPlace::of_start(record), &mut []) }?;
        }
        Ok(self.instance_handle(index))
    }

    /// Makes all that an instance needs, charged; its position. On failure nothing has changed.
    fn allocate_instance(
        &mut self,
        code: &Arc<ModuleCode>,
        imports: Imports,
    ) -> Result<u32, LimitError> {
        let before = (self.memories.len(), self.tables.len(), self.tags.len());
        let mark = self.budget.mark();
        self.try_allocate_instance(code, imports).inspect_err(|_| {
            self.memories.truncate(before.0);
            self.tables.truncate(before.1);
            self.tags.truncate(before.2);
            self.budget.rewind(&mark);
        })
    }

    fn try_allocate_instance(
        &mut self,
        code: &Arc<ModuleCode>,
        imports: Imports,
    ) -> Result<u32, LimitError> {
        let module = code.module();
        self.budget.charge(Resource::Instances, 1)?;
        self.budget.charge(Resource::Bytes, bookkeeping_bytes(module))?;

        let kind = self.settings().memory_kind;
        let mut memories = imports.memories;
        for ty in &module.memories[memories.len()..] {
            memories.push(self.memories.len() as u32);
            let memory = MemoryInstance::new(*ty, kind, &mut self.budget)?;
            self.memories.push(Fixed::new(memory));
        }
        let mut tables = imports.tables;
        for ty in &module.tables[tables.len()..] {
            tables.push(self.tables.len() as u32);
            // Initial values other than null come after those of globals.
            let table = TableInstance::new(*ty, 0, &mut self.budget)?;
            self.tables.push(Fixed::new(table));
        }
        let mut tags = imports.tags;
        for ty in &module.tags[tags.len()..] {
            tags.push(self.tags.len() as u32);
            self.tags.push(TagType { func: ty.func });
        }

        let index = self.instances.len() as u32;
        let infos = self.object_types(module)?;
        let memory_defs = memories.iter().map(|at| self.memory_def(*at));
        let table_defs = tables.iter().map(|at| self.table_def(*at));
        let arrays =
            block::Arrays { funcs: &imports.funcs, globals: &imports.globals, type_infos: &infos };
        let block = Block::new(code, memory_defs, table_defs, arrays)?;
        block.connect(self.rt(), self.empty_memory(), index);
        self.instances.push(Instance {
            code: code.clone(),
            block,
            memories: memories.into(),
            tables: tables.into(),
            tags: tags.into(),
            dropped_elems: vec![false; module.elems.len()].into(),
            dropped_data: vec![false; module.data.len()].into(),
            elem_values: Box::default(),
        });
        self.trace_globals(index);
        Ok(index)
    }

    /// Module type index → what the heap knows of it; empty if all are function types.
    fn object_types(&mut self, module: &Arc<Module>) -> Result<Vec<*const TypeInfo>, LimitError> {
        if module.types.iter().all(|id| id.kind() == TypeKind::Func) {
            return Ok(Vec::new());
        }
        self.budget.charge(Resource::Bytes, object_type_bytes(module))?;
        let known = self.heap.types.len();
        let info = |id: &TypeId| match id.kind() {
            TypeKind::Func => std::ptr::null(),
            // The module keeps its types alive.
            _ => self.type_info(*id).unwrap_or(std::ptr::null()),
        };
        let infos = module.types.iter().map(info).collect();
        if self.heap.types.len() > known {
            self.typed_modules.push(module.clone());
        }
        Ok(infos)
    }

    /// Makes the globals of the instance at `index` roots, as far as they hold references.
    fn trace_globals(&mut self, index: u32) {
        let instance = &self.instances[index as usize];
        let module = instance.module();
        for (at, ty) in (0..).zip(&module.globals).skip(module.imported.globals as usize) {
            if ty.val.is_traced() {
                self.traced_globals.push(instance.global(GlobalIndex(at)));
            }
        }
    }

    fn memory_def(&self, position: u32) -> *mut crate::vmctx::MemoryDef {
        MemoryInstance::def_ptr(&self.memories[position as usize])
    }

    fn table_def(&self, position: u32) -> *mut crate::vmctx::TableDef {
        let table = self.tables[position as usize].as_ptr();
        // SAFETY: V2: in bounds of the table, which stays where it is.
        unsafe { &raw mut (*table).def }
    }

    /// The record of function `func` of the instance of `vmctx`, made when first asked for.
    pub(crate) fn record_for(&mut self, vmctx: *mut VmCtx, func: FuncIndex) -> *mut FuncRecord {
        // SAFETY: V2, V3: the context is one of this store's, all its arrays cover their index
        // spaces, and validation allows only functions that exist.
        unsafe {
            let module = self.instances[(*vmctx).instance as usize].code.module().clone();
            assert!(func.index() < module.funcs.len(), "function of another module");
            let Some(defined) = module.defined_func(func) else {
                return (*(*vmctx).imported_funcs.add(func.index())).cast_mut();
            };
            let place = &*(*vmctx).func_refs.add(func.index());
            let known = place.load(std::sync::atomic::Ordering::Acquire);
            if !known.is_null() {
                return known;
            }
            let code = (*vmctx).code.add(defined.index());
            let ty = module.func_type_id(func);
            let made = self.add_record(func::record(code, vmctx, ty, func.0, false));
            place.store(made, std::sync::atomic::Ordering::Release);
            made
        }
    }

    /// The context's instance.
    ///
    /// # Safety
    ///
    /// `vmctx` is the context of an instance of this store.
    pub(crate) unsafe fn instance_of(&mut self, vmctx: *mut VmCtx) -> &mut Instance {
        // SAFETY: V3 (caller).
        let index = unsafe { (*vmctx).instance };
        &mut self.instances[index as usize]
    }
}

/// Bytes an instance of `module` takes beside memories and tables, function references that may
/// be made later included.
fn bookkeeping_bytes(module: &Module) -> u64 {
    let count = |n: usize, size: usize| (n as u64).saturating_mul(size as u64);
    let defined = module.globals.len() - module.imported.globals as usize;
    [
        size_of::<Instance>() as u64 + size_of::<VmCtx>() as u64,
        count(module.funcs.len(), size_of::<*const FuncRecord>()),
        count(module.escaping_funcs.len(), 2 * size_of::<FuncRecord>()),
        count(module.imported.funcs as usize, size_of::<*const FuncRecord>()),
        count(module.globals.len(), size_of::<*mut u128>()),
        count(defined, size_of::<u128>()),
        count(module.memories.len() + module.tables.len() + module.tags.len(), 16),
        count(module.elems.len() + module.data.len(), 1),
    ]
    .iter()
    .fold(0, |sum, part| sum.saturating_add(*part))
}

/// Bytes that a store may come to keep for the types of objects of `module`.
fn object_type_bytes(module: &Module) -> u64 {
    let fields = |ty: &CompositeType| match ty {
        CompositeType::Struct(ty) => ty.fields.len() as u64,
        _ => 0,
    };
    let each = size_of::<TypeInfo>() as u64 + 64;
    module.composite_types.iter().map(|ty| each + fields(ty) * 12).sum()
}

/// Whether `item` is in the index spaces of `module`.
pub(crate) fn has_item(module: &Module, item: ExternIndex) -> bool {
    match item {
        ExternIndex::Func(f) => f.index() < module.funcs.len(),
        ExternIndex::Table(t) => t.index() < module.tables.len(),
        ExternIndex::Memory(m) => m.index() < module.memories.len(),
        ExternIndex::Global(g) => g.index() < module.globals.len(),
        ExternIndex::Tag(t) => t.index() < module.tags.len(),
    }
}
