//! Initial values and active segments, in the order of the specification (core spec §4.5.4).

use dunlin_code::Trap;
use dunlin_module::{
    ConstExpr, DataIndex, DataMode, ElemIndex, ElemItems, ElemMode, GlobalIndex, MemoryIndex,
    TableIndex, ValType,
};

use crate::budget::Resource;
use crate::builtins;
use crate::instance::const_expr;
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
        if ValType::Ref(segment.ty).is_traced() {
            traced_elements(store, index, at, &segment.items)?;
        }
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

/// The report of a trap in a constant expression.
fn stopped(store: &mut Store, trap: Trap) -> TrapReport {
    let limit = store.heap_limit.take();
    TrapReport::outside(trap, limit.map(|limit| limit.to_string()))
}

/// Evaluates the elements of a segment that hold traced references, once.
fn traced_elements(
    store: &mut Store,
    index: u32,
    elem: ElemIndex,
    items: &ElemItems,
) -> Result<(), InstantiateError> {
    let ElemItems::Exprs(exprs) = items else { return Ok(()) };
    store.budget.charge(Resource::Bytes, 8 * exprs.len() as u64)?;
    let vmctx = store.instances[index as usize].vmctx();
    // The values are in place one after the other, where a collection finds them.
    instance_mut(store, index).set_elem_values(elem, vec![0; exprs.len()].into());
    for (at, expr) in exprs.iter().enumerate() {
        let value = evaluate(store, vmctx, expr)? as u64;
        instance_mut(store, index).set_elem_value(elem, at, value);
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
    let value = const_expr::evaluate(store, vmctx, expr);
    value.map_err(|trap| InstantiateError::Trap(stopped(store, trap)))
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
        let len = unsafe { (**(*vmctx).memories.add(memory.index())).byte_len() };
        let detail = (trap == Trap::MemoryOutOfBounds).then(|| {
            format!(
                "data segment {} writes {count} bytes at {start} to memory {}, which has {len}",
                data.0, memory.0
            )
        });
        InstantiateError::Trap(TrapReport::outside(trap, detail))
    })
}
