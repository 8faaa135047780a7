//! The slow paths of the interpreter's instructions on objects. Each is called by its handler with the
//! registers of the guest, finds its operands by the instruction and the frame, and says 0 for a
//! trap, which is then in the runtime record.

use dunlin_code::bytecode::field;

use super::arrays::{self, ArrayCall, Outcome};
use crate::store::Store;
use crate::vmctx::{Rt, VmCtx};

/// Runs `body` with the store, which is told where the guest is; 0 for a trap.
unsafe fn enter(
    rt: *mut Rt,
    ip: *const u64,
    fp: *mut u64,
    cx: *mut VmCtx,
    body: impl FnOnce(&mut Store) -> Outcome<u32>,
) -> u32 {
    // SAFETY: V2, V9: while guest code runs its store is reached through the record alone, and the
    // reference ends with this function. The exit fields tell a collection where the guest is.
    unsafe {
        (*rt).exit_ip = ip;
        (*rt).exit_fp = fp;
        (*rt).exit_vmctx = cx;
        match body(&mut *(*rt).store) {
            Ok(result) => result,
            Err(trap) => {
                (*rt).trap = trap;
                0
            }
        }
    }
}

/// Room for an object of `bytes` bytes.
///
/// # Safety
///
/// V7 for the registers of the guest.
#[cold]
#[inline(never)]
pub(crate) unsafe extern "C" fn allocate(
    rt: *mut Rt,
    ip: *const u64,
    fp: *mut u64,
    cx: *mut VmCtx,
    bytes: u32,
) -> u32 {
    // SAFETY: the caller's promise: allocations are safepoints.
    unsafe { enter(rt, ip, fp, cx, |store| arrays::allocate(store, cx, bytes.into())) }
}

/// Puts a new object that is not young into the remembered set.
///
/// # Safety
///
/// V2: `rt` is the record of the store whose code runs.
#[cold]
#[inline(never)]
pub(crate) unsafe extern "C" fn remember(rt: *mut Rt, at: u32) {
    // SAFETY: V2 (caller).
    unsafe { (*(*rt).store).remember(at) };
}

macro_rules! slow {
    ($($(#[$doc:meta])* $name:ident $words:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// V7 for the registers of the guest, at an instruction of this name.
        #[inline(never)]
        pub(crate) unsafe extern "C" fn $name(
            rt: *mut Rt,
            ip: *const u64,
            fp: *mut u64,
            cx: *mut VmCtx,
        ) -> u32 {
            // SAFETY: the caller's promise: the instruction has so many words, and its operands are
            // slots of the frame.
            unsafe {
                let first = *ip.add(1);
                let (ty, operands) = (field::lo(first), fp.add(field::hi(first) as usize));
                let more = if $words == 3 { field::lo(*ip.add(2)) } else { 0 };
                enter(rt, ip, fp, cx, |store| {
                    ArrayCall::new(store, cx, operands, ty, more).$name()
                })
            }
        }
    )*};
}

slow! {
    /// `array.new`
    array_new 2;
    /// `array.new_default`
    array_new_default 2;
    /// `array.new_fixed`
    array_new_fixed 3;
    /// `array.new_data`
    array_new_data 3;
    /// `array.new_elem`
    array_new_elem 3;
    /// `array.fill`
    array_fill 2;
    /// `array.copy`
    array_copy 2;
    /// `array.init_data`
    array_init_data 3;
    /// `array.init_elem`
    array_init_elem 3;
}
