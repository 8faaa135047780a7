//! Constant expressions, evaluated with an explicit stack (core spec §4.5.4, §3.3.10).

use dunlin_module::{ConstExpr, ConstOp, ElemItems, FuncIndex, GlobalIndex};

use crate::store::Store;
use crate::vmctx::VmCtx;

/// An instruction that this version does not execute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unsupported(pub(crate) &'static str);

const GC: Unsupported = Unsupported("a constant expression with garbage-collected objects");
/// Validation makes sure that no operand is missing.
const MISSING: Unsupported = Unsupported("a constant expression without operands");

/// The bits of the value of `expr` in the instance of `vmctx`, which is one of `store`'s.
pub(super) fn evaluate(
    store: &mut Store,
    vmctx: *mut VmCtx,
    expr: &ConstExpr,
) -> Result<u128, Unsupported> {
    Ok(match expr {
        ConstExpr::I32(v) => u128::from(*v as u32),
        ConstExpr::I64(v) => u128::from(*v as u64),
        ConstExpr::F32(bits) => u128::from(*bits),
        ConstExpr::F64(bits) => u128::from(*bits),
        ConstExpr::V128(bits) => **bits,
        ConstExpr::GlobalGet(global) => global_get(store, vmctx, *global),
        ConstExpr::RefFunc(func) => u128::from(func_ref(store, vmctx, *func)),
        ConstExpr::RefNull(_) => 0,
        ConstExpr::Extended(ops) => return extended(store, vmctx, ops),
    })
}

/// The bits of element `at` of `items`, if there is one.
pub(crate) fn element(
    store: &mut Store,
    vmctx: *mut VmCtx,
    items: &ElemItems,
    at: usize,
) -> Result<u64, Unsupported> {
    match items {
        ElemItems::Funcs(funcs) => Ok(func_ref(store, vmctx, funcs[at])),
        ElemItems::Exprs(exprs) => evaluate(store, vmctx, &exprs[at]).map(|bits| bits as u64),
    }
}

fn func_ref(store: &mut Store, vmctx: *mut VmCtx, func: FuncIndex) -> u64 {
    store.record_for(vmctx, func).expose_provenance() as u64
}

fn global_get(store: &mut Store, vmctx: *mut VmCtx, global: GlobalIndex) -> u128 {
    // SAFETY: the context is one of the store's (see `evaluate`); V2, V3: storage of its globals
    // is alive.
    unsafe { *store.instance_of(vmctx).global(global) }
}

fn extended(store: &mut Store, vmctx: *mut VmCtx, ops: &[ConstOp]) -> Result<u128, Unsupported> {
    let mut stack: Vec<u128> = Vec::new();
    for op in ops {
        let value = match op {
            ConstOp::I32Const(v) => u128::from(*v as u32),
            ConstOp::I64Const(v) => u128::from(*v as u64),
            ConstOp::F32Const(bits) => u128::from(*bits),
            ConstOp::F64Const(bits) => u128::from(*bits),
            ConstOp::V128Const(bits) => *bits,
            ConstOp::GlobalGet(global) => global_get(store, vmctx, *global),
            ConstOp::RefFunc(func) => u128::from(func_ref(store, vmctx, *func)),
            ConstOp::RefNull(_) => 0,
            ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul => {
                let (b, a) = (stack.pop().ok_or(MISSING)?, stack.pop().ok_or(MISSING)?);
                u128::from(arithmetic32(op, a as u32, b as u32))
            }
            ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
                let (b, a) = (stack.pop().ok_or(MISSING)?, stack.pop().ok_or(MISSING)?);
                u128::from(arithmetic64(op, a as u64, b as u64))
            }
            ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..)
            | ConstOp::RefI31
            | ConstOp::AnyConvertExtern
            | ConstOp::ExternConvertAny => return Err(GC),
        };
        stack.push(value);
    }
    stack.pop().ok_or(MISSING)
}

fn arithmetic32(op: &ConstOp, a: u32, b: u32) -> u32 {
    match op {
        ConstOp::I32Add => a.wrapping_add(b),
        ConstOp::I32Sub => a.wrapping_sub(b),
        _ => a.wrapping_mul(b),
    }
}

fn arithmetic64(op: &ConstOp, a: u64, b: u64) -> u64 {
    match op {
        ConstOp::I64Add => a.wrapping_add(b),
        ConstOp::I64Sub => a.wrapping_sub(b),
        _ => a.wrapping_mul(b),
    }
}
