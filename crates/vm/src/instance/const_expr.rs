//! Constant expressions, evaluated with an explicit stack (core spec §4.5.4, §3.3.10).

use dunlin_code::Trap;
use dunlin_module::{ConstExpr, ConstOp, ElemItems, FuncIndex, GlobalIndex};

use crate::bug::bug;
use crate::store::Store;
use crate::vmctx::VmCtx;

/// The bits of the value of `expr` in the instance of `vmctx`, which is one of `store`'s.
pub(super) fn evaluate(
    store: &mut Store,
    vmctx: *mut VmCtx,
    expr: &ConstExpr,
) -> Result<u128, Trap> {
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
) -> Result<u64, Trap> {
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

/// Objects made here are not young, and are made without collecting garbage: nobody looks for the
/// references on this stack.
fn extended(store: &mut Store, vmctx: *mut VmCtx, ops: &[ConstOp]) -> Result<u128, Trap> {
    let mut stack = Operands(Vec::new());
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
                let (b, a) = (stack.pop()?, stack.pop()?);
                u128::from(arithmetic32(op, a as u32, b as u32))
            }
            ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                u128::from(arithmetic64(op, a as u64, b as u64))
            }
            ConstOp::RefI31 => u128::from(dunlin_code::sem::ref_i31(stack.pop()? as u32)),
            // References of both hierarchies look the same.
            ConstOp::AnyConvertExtern | ConstOp::ExternConvertAny => continue,
            ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => object(store, vmctx, op, &mut stack)?.into(),
        };
        stack.0.push(value);
    }
    stack.pop()
}

/// Makes an object from operands.
fn object(
    store: &mut Store,
    vmctx: *mut VmCtx,
    op: &ConstOp,
    stack: &mut Operands,
) -> Result<u32, Trap> {
    // SAFETY: V3: the context is one of the store's, and type indices were validated; V11: types
    // stay where they are.
    let info = |ty: &u32| unsafe { &**(*vmctx).type_infos.add(*ty as usize) };
    match op {
        ConstOp::StructNew(ty) => {
            let info = info(ty);
            let fields = stack.take(info.fields.len())?;
            store.make_struct(info, fields.into_iter())
        }
        ConstOp::StructNewDefault(ty) => store.make_struct(info(ty), std::iter::empty()),
        ConstOp::ArrayNew(ty) => {
            let (len, value) = (stack.pop()? as u32, stack.pop()?);
            store.make_array(info(ty), len, std::iter::repeat(value))
        }
        ConstOp::ArrayNewDefault(ty) => {
            store.make_array(info(ty), stack.pop()? as u32, std::iter::empty())
        }
        ConstOp::ArrayNewFixed(ty, len) => {
            let elements = stack.take(*len as usize)?;
            store.make_array(info(ty), *len, elements.into_iter())
        }
        _ => Err(bug!("{op:?} makes no object")),
    }
}

/// Operands of a constant expression. Validation makes sure that none is missing.
struct Operands(Vec<u128>);

impl Operands {
    fn pop(&mut self) -> Result<u128, Trap> {
        self.0.pop().ok_or_else(|| bug!("a constant expression without operands"))
    }

    /// The top `count` operands, the lowest first.
    fn take(&mut self, count: usize) -> Result<Vec<u128>, Trap> {
        match self.0.len().checked_sub(count) {
            Some(at) => Ok(self.0.split_off(at)),
            None => Err(bug!("a constant expression without operands")),
        }
    }
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
