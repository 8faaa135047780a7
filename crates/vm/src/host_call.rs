//! The one boundary through which guests call the host: what leaves the sandbox passes here, and panics of
//! host functions end here.

use std::any::Any;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;

use dunlin_code::Trap;
use dunlin_module::{FuncType, ValType};

use crate::exception;
use crate::func::{HostCall, HostError, HostFunc};
use crate::store::{InstanceHandle, Misuse, Store, abort};
use crate::vmctx::{FuncRecord, Rt, VmCtx};

/// Slots of the results of a host function.
///
/// # Safety
///
/// `func` is the record of a host function of the store whose code runs.
pub(crate) unsafe fn result_slots(func: *const FuncRecord) -> u32 {
    // SAFETY: V4 (caller); V2: host functions stay.
    unsafe { (&*host_func(func)).signature.result_slots }
}

/// The type of the host function of a record.
///
/// # Safety
///
/// `func` is the record of a host function of a store.
pub(crate) unsafe fn ty(func: *const FuncRecord) -> *const FuncType {
    // SAFETY: V4 (caller); V2: host functions stay.
    unsafe { Arc::as_ptr((&*host_func(func)).signature.ty()) }
}

/// The host function of a record.
///
/// # Safety
///
/// `func` is the record of a host function of a store.
pub(crate) unsafe fn host_func(func: *const FuncRecord) -> *const HostFunc {
    // SAFETY: V4 (caller): such a record names the entry in its host function as its code.
    unsafe { (*func).code.byte_sub(offset_of!(HostFunc, entry)).cast() }
}

/// Calls the host: parameters are at `fp`, results are left there.
///
/// # Safety
///
/// `func` is the record of a host function of the store of `rt`, whose code runs; `caller` is the
/// context of the calling instance, or null if the host calls itself; from `fp` on the value stack
/// holds the arguments and is free behind them.
pub(crate) unsafe fn call(
    rt: *mut Rt,
    func: *const FuncRecord,
    caller: *mut VmCtx,
    fp: *mut u64,
) -> Result<(), Trap> {
    // SAFETY: as for this function; V6: the end of the slots is checked to be inside.
    unsafe {
        let slots = (*host_func(func)).slots as usize;
        if (*rt).stack_end.offset_from_unsigned(fp) < slots {
            return Err(Trap::StackOverflow);
        }
        call_from(rt, func, caller, fp, fp.add(slots))
    }
}

/// As [`call`] with arguments anywhere that nothing else uses meanwhile: on the value stack below
/// `top` if there may be references among them.
///
/// # Safety
///
/// As for [`call`]; the value stack is free from `top` on.
unsafe fn call_from(
    rt: *mut Rt,
    func: *const FuncRecord,
    caller: *mut VmCtx,
    args: *mut u64,
    top: *mut u64,
) -> Result<(), Trap> {
    // SAFETY: V2, V4 (caller). The host function stays where it is (V2), whatever is done to the
    // store meanwhile, and is only ever read. Nested calls leave `args` alone, which are initialised
    // (V6).
    unsafe {
        let func = &*host_func(func);
        let args = slice::from_raw_parts_mut(args, func.slots as usize);
        leave(rt, caller, top, |store, caller| {
            func.call.call(&mut HostCall { store, caller, args: &mut *args })
        })?;
        let store = &mut *(*rt).store;
        if func.result_refs
            && let Err(misuse) = store.check_values(args, &func.signature.ty.results)
        {
            return Err(wrong_result(store, misuse));
        }
        Ok(())
    }
}

/// Calls what sees the store.
///
/// # Safety
///
/// As for [`call`]; the value stack is free from `top` on.
#[inline(always)]
pub(crate) unsafe fn leave<R>(
    rt: *mut Rt,
    caller: *mut VmCtx,
    top: *mut u64,
    function: impl FnOnce(&mut Store, Option<InstanceHandle>) -> Result<R, HostError>,
) -> Result<R, Trap> {
    // SAFETY: V2 (caller).
    let store = unsafe {
        (*rt).stack_top = top;
        &mut *(*rt).store
    };
    let caller = match caller.is_null() {
        true => None,
        // SAFETY: the context of an instance of this store.
        false => Some(store.instance_handle(unsafe { (*caller).instance })),
    };
    // After a panic nothing runs in this store any more; what the closure saw half changed is of
    // the host alone, which may look at its own data.
    let result = catch_unwind(AssertUnwindSafe(|| function(&mut *store, caller)));
    if store.rt() != rt {
        abort("a host function replaced the store that called it");
    }
    match result {
        // Something it called panicked, and it chose to go on: the guest must not.
        Ok(Ok(_)) if store.is_poisoned() => Err(Trap::HostPanic),
        Ok(Ok(results)) => Ok(results),
        Ok(Err(error)) => Err(exception::returned(store, error)),
        Err(payload) => Err(panicked(store, payload)),
    }
}

/// Calls what sees nothing of the store, which nothing can be done to meanwhile.
///
/// # Safety
///
/// `rt` is the record of the store whose code runs.
#[cfg_attr(not(dunlin_native), allow(dead_code, reason = "only native code calls it"))]
#[inline(always)]
pub(crate) unsafe fn leave_blind<R>(
    rt: *mut Rt,
    function: impl FnOnce() -> Result<R, HostError>,
) -> Result<R, Trap> {
    let result = catch_unwind(AssertUnwindSafe(function));
    if let Ok(Ok(result)) = result {
        return Ok(result);
    }
    // SAFETY: V2 (caller).
    let store = unsafe { &mut *(*rt).store };
    match result {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(exception::returned(store, error)),
        Err(payload) => Err(panicked(store, payload)),
    }
}

/// A host function panicked.
#[cold]
fn panicked(store: &mut Store, payload: Box<dyn Any + Send>) -> Trap {
    store.poison();
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    store.panic_message = text.or_else(|| payload.downcast::<String>().ok().map(|s| *s));
    Trap::HostPanic
}

/// A host function left something that is no reference of its result type.
#[cold]
fn wrong_result(store: &mut Store, misuse: Misuse) -> Trap {
    debug_assert!(matches!(misuse, Misuse::WrongType(ValType::Ref(_))));
    store.pending_error = Some(Box::new(misuse));
    Trap::Host
}
