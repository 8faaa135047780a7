//! Initial values and active segments, in the order of the specification (core spec §4.5.4).

use dunlin_code::Trap;
use dunlin_module::{
    ConstExpr, DataIndex, DataMode, ElemIndex, ElemMode, GlobalIndex, MemoryIndex, TableIndex,
};

use crate::builtins;
use crate::instance::const_expr::{self, Unsupported};
use crate::instance::{Instance, InstantiateError};
use crate::store::{Store, TrapReport};
use crate::vmctx::VmCtx;

/// Gives the instance at `index`, which nobody has seen yet, its contents. A trap leaves what
/// happened before it.
pub(super) fn initialize(store: &mut Store, index: u32) -> Result<(), InstantiateError> {
    let instance = &store.instances[index as usize];
    let (module, vmctx) = (instance.module().clone(), instance.vmctx());

    for (at, init) in (module.imported.globals..).zip(&module.global_inits) {
        let value = evaluate(store, vmctx, init)?;
        let address = store.instances[index as usize].global(GlobalIndex(at));
        // SAFETY: V2, V3: storage of the instance's own globals; V1.
        unsafe { *address = value };
    }
    for (at, init) in (module.imported.tables as usize..).zip(&module.table_inits) {
        if let Some(init) = init {
            let value = evaluate(store, vmctx, init)? as u64;
            let position = store.instances[index as usize].tables[at];
            store.tables[position as usize].elements_mut().fill(value);
        }
    }
    for (at, segment) in (0..).map(ElemIndex).zip(&module.elems) {
        match &segment.mode {
            ElemMode::Passive => continue,
            ElemMode::Declared => {}
            ElemMode::Active { table, offset } => {
                active_elem(store, vmctx, at, *table, offset, segment.items.len())?;
            }
        }
        instance_mut(store, index).drop_elem(at);
    }
    for (at, segment) in (0..).map(DataIndex).zip(&module.data) {
        let DataMode::Active { memory, offset } = &segment.mode else { continue };
        active_data(store, vmctx, at, *memory, offset, segment.range.len())?;
        instance_mut(store, index).drop_data(at);
    }
    Ok(())
}

fn instance_mut(store: &mut Store, index: u32) -> &mut Instance {
    &mut store.instances[index as usize]
}

fn evaluate(
    store: &mut Store,
    vmctx: *mut VmCtx,
    expr: &ConstExpr,
) -> Result<u128, InstantiateError> {
    const_expr::evaluate(store, vmctx, expr)
        .map_err(|Unsupported(what)| InstantiateError::Unsupported(what))
}

fn active_elem(
    store: &mut Store,
    vmctx: *mut VmCtx,
    elem: ElemIndex,
    table: TableIndex,
    offset: &ConstExpr,
    count: usize,
) -> Result<(), InstantiateError> {
    let start = evaluate(store, vmctx, offset)? as u64;
    // SAFETY: the context is one of this store's, and validation allows only segments and tables
    // that exist.
    let done =
        unsafe { builtins::write_elements(store, vmctx, elem.0, table.0, start, 0, count as u64) };
    done.map_err(|trap| {
        // SAFETY: as above.
        let len = unsafe { (**(*vmctx).tables.add(table.index())).len };
        let detail = (trap == Trap::TableOutOfBounds).then(|| {
            format!(
                "element segment {} writes {count} elements at {start} to table {}, which has {len}",
                elem.0, table.0
            )
        });
        InstantiateError::Trap(TrapReport::outside(trap, detail))
    })
}

fn active_data(
    store: &mut Store,
    vmctx: *mut VmCtx,
    data: DataIndex,
    memory: MemoryIndex,
    offset: &ConstExpr,
    count: usize,
) -> Result<(), InstantiateError> {
    let start = evaluate(store, vmctx, offset)? as u64;
    // SAFETY: the context is one of this store's, and validation allows only segments and memories
    // that exist.
    let done =
        unsafe { builtins::write_data(store, vmctx, data.0, memory.0, start, 0, count as u64) };
    done.map_err(|trap| {
        // SAFETY: as above.
        let len = unsafe { (**(*vmctx).memories.add(memory.index())).len };
        let detail = (trap == Trap::MemoryOutOfBounds).then(|| {
            format!(
                "data segment {} writes {count} bytes at {start} to memory {}, which has {len}",
                data.0, memory.0
            )
        });
        InstantiateError::Trap(TrapReport::outside(trap, detail))
    })
}
