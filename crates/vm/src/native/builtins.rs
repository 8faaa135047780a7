//! What native code calls: the slow paths that the interpreter has too, with operands in the
//! caller's slots.
//!
//! Native code does not call these functions themselves but stubs, which first put the caller's place
//! into the exit fields of the runtime record. What they take and leave is the contract of
//! [`Builtin`]. None lets anything unwind (V10), and no reference to the store is left behind (V9).

use dunlin_code::Trap;
use dunlin_code::native::Builtin;

use crate::builtins::{self as slow, grow_result, store};
use crate::exception;
use crate::gc::arrays::{self, ArrayCall, Outcome};
use crate::gc::operands::OperandRoots;
use crate::vmctx::VmCtx;

/// The signature of all builtins.
pub(crate) type Function = unsafe extern "C" fn(*mut VmCtx, *mut u64, u64, u64) -> u64;

/// What a builtin returns that has done its work and has no better number.
const DONE: u64 = 1;

/// Defines the functions, and the table of them in the order of [`Builtin`].
macro_rules! builtins {
    ($($name:ident |$cx:tt, $args:tt, $a:tt, $b:tt| $body:block)*) => {
        /// All builtins, in the order of their enumeration.
        ///
        /// # Safety
        ///
        /// To call one: the exit fields of the runtime record are the place of running native code,
        /// whose context is the first parameter; the others are what [`Builtin`] says.
        pub(crate) static TABLE: [Function; Builtin::COUNT] = [$({
            #[allow(clippy::unnecessary_wraps, reason = "not all can trap")]
            unsafe fn body($cx: *mut VmCtx, $args: *mut u64, $a: u64, $b: u64) -> Outcome<u64> {
                // SAFETY: the caller's promise; indices were validated (V3).
                unsafe { $body }
            }
            unsafe extern "C" fn entry(
                cx: *mut VmCtx,
                args: *mut u64,
                a: u64,
                b: u64,
            ) -> u64 {
                // SAFETY: the caller's promise; V2.
                unsafe {
                    body(cx, args, a, b).unwrap_or_else(|trap| {
                        (*(*cx).rt).trap = trap;
                        0
                    })
                }
            }
            entry
        }),*];
        const _: () = {
            let order = [$(Builtin::$name as usize),*];
            let mut at = 0;
            while at < Builtin::COUNT {
                assert!(order[at] == at);
                at += 1;
            }
        };
    };
}

builtins! {
    MemoryGrow |cx, args, memory, _| {
        let wide = store(cx).instance_of(cx).module().memories[memory as usize].index64;
        grown(args, slow::memory_grow(cx, memory as u32, *args), wide)
    }
    MemoryCopy |cx, args, to, from| {
        let (dst, src, len) = (*args, *args.add(1), *args.add(2));
        done(slow::memory_copy(cx, to as u32, from as u32, dst, src, len))
    }
    MemoryFill |cx, args, memory, _| {
        let (dst, value, len) = (*args, *args.add(1), *args.add(2));
        done(slow::memory_fill(cx, memory as u32, dst, value as u8, len))
    }
    MemoryInit |cx, args, data, memory| {
        let (dst, src, len) = (*args, *args.add(1), *args.add(2));
        done(slow::memory_init(cx, data as u32, memory as u32, dst, src, len))
    }
    DataDrop |cx, _, data, _| {
        slow::data_drop(cx, data as u32);
        Ok(DONE)
    }
    Wait32 |cx, args, memory, offset| {
        done(slow::memory_wait(cx, memory as u32, offset, args, false))
    }
    Wait64 |cx, args, memory, offset| {
        done(slow::memory_wait(cx, memory as u32, offset, args, true))
    }
    Notify |cx, args, memory, offset| {
        done(slow::memory_notify(cx, memory as u32, offset, args))
    }
    TableGrow |cx, args, table, _| {
        let wide = store(cx).instance_of(cx).module().tables[table as usize].index64;
        grown(args, slow::table_grow(cx, table as u32, *args, *args.add(1)), wide)
    }
    TableFill |cx, args, table, _| {
        let (start, value, len) = (*args, *args.add(1), *args.add(2));
        done(slow::table_fill(cx, table as u32, start, value, len))
    }
    TableCopy |cx, args, to, from| {
        let (dst, src, len) = (*args, *args.add(1), *args.add(2));
        done(slow::table_copy(cx, to as u32, from as u32, dst, src, len))
    }
    TableInit |cx, args, elem, table| {
        let (dst, src, len) = (*args, *args.add(1), *args.add(2));
        done(slow::table_init(cx, elem as u32, table as u32, dst, src, len))
    }
    ElemDrop |cx, _, elem, _| {
        slow::elem_drop(cx, elem as u32);
        Ok(DONE)
    }
    RefFunc |cx, _, func, _| {
        Ok(slow::ref_func(cx, func as u32).expose_provenance() as u64)
    }
    IsFuncSubtype |cx, _, found, expected| {
        Ok(slow::is_func_subtype(cx, found as u32, expected as u32).into())
    }
    Refuel |cx, _, _, _| {
        if slow::refuel((*cx).rt) { Ok(DONE) } else { Err(Trap::OutOfFuel) }
    }
    Allocate |cx, _, bytes, _| {
        arrays::allocate(store(cx), cx, bytes).map(u64::from)
    }
    Remember |cx, _, object, _| {
        store(cx).remember(object as u32);
        Ok(DONE)
    }
    ArrayNew |cx, args, ty, _| {
        array(cx, args, ty, 0, 1, |call| call.array_new())
    }
    ArrayNewDefault |cx, args, ty, _| {
        array(cx, args, ty, 0, 0, |call| call.array_new_default())
    }
    ArrayNewFixed |cx, args, ty, count| {
        array(cx, args, ty, count, count as usize, |call| call.array_new_fixed())
    }
    ArrayNewData |cx, args, ty, data| {
        array(cx, args, ty, data, 0, |call| call.array_new_data())
    }
    ArrayNewElem |cx, args, ty, elem| {
        array(cx, args, ty, elem, 0, |call| call.array_new_elem())
    }
    ArrayFill |cx, args, ty, _| {
        ArrayCall::new(store(cx), cx, args, ty as u32, 0).array_fill().map(u64::from)
    }
    ArrayCopy |cx, args, ty, _| {
        ArrayCall::new(store(cx), cx, args, ty as u32, 0).array_copy().map(u64::from)
    }
    ArrayInitData |cx, args, ty, data| {
        let mut call = ArrayCall::new(store(cx), cx, args, ty as u32, data as u32);
        call.array_init_data().map(u64::from)
    }
    ArrayInitElem |cx, args, ty, elem| {
        let mut call = ArrayCall::new(store(cx), cx, args, ty as u32, elem as u32);
        call.array_init_elem().map(u64::from)
    }
    Throw |cx, args, tag, _| {
        let exception = make_exception(cx, tag as usize, args)?;
        Err(exception::throw_from((*cx).rt, exception))
    }
    ThrowRef |cx, args, _, _| {
        let exception = *args as u32;
        if exception == 0 {
            return Err(Trap::NullException);
        }
        Err(exception::throw_from((*cx).rt, exception))
    }
}

/// The result of what only does something.
fn done(result: Outcome) -> Outcome<u64> {
    result.map(|()| DONE)
}

/// Leaves the result of growing at `to`.
unsafe fn grown(to: *mut u64, grown: u64, wide: bool) -> Outcome<u64> {
    let old = grow_result(grown, wide).ok_or(Trap::LimitExceeded)?;
    // SAFETY: a slot of the caller.
    unsafe { to.write(old) };
    Ok(DONE)
}

/// Makes an array by `make`, the first `elements` of whose operands are elements.
unsafe fn array(
    cx: *mut VmCtx,
    operands: *mut u64,
    ty: u64,
    more: u64,
    elements: usize,
    make: impl FnOnce(&mut ArrayCall<'_>) -> Outcome<u32>,
) -> Outcome<u64> {
    let (ty, more) = (ty as u32, more as u32);
    // SAFETY: the caller's promise; what `make` is has such operands.
    unsafe {
        let roots = arrays::element_roots(cx, operands, ty, elements);
        let made = store(cx).with_operands(roots, |store| {
            make(&mut ArrayCall::new(store, cx, operands, ty, more))
        })?;
        Ok(made.into())
    }
}

/// Makes an exception with tag `tag` of the running instance.
unsafe fn make_exception(cx: *mut VmCtx, tag: usize, payload: *mut u64) -> Outcome<u32> {
    // SAFETY: V2; V3: the index was validated; from `payload` on there are values of its parameters.
    unsafe {
        let store = store(cx);
        let tag = store.instance_of(cx).tags[tag];
        let info = store.type_info(store.tags[tag as usize].func)?;
        let roots = OperandRoots::Fields(payload, info);
        store.with_operands(roots, |store| exception::make(store, tag, payload, true))
    }
}

#[cfg(test)]
mod tests;
