//! What interpreted code calls when it finds its interrupt word set: it shall stop, or a tick came.
//!
//! All are out of line and give one word, so that handlers keep their registers where they are.

use std::sync::atomic::Ordering;

use dunlin_code::Trap;
use dunlin_code::bytecode::field;
use dunlin_module::DefinedFuncIndex;

use super::module::Party;
use crate::frames::Place;
use crate::module_code::ModuleCode;
use crate::native::{self, Entered};
use crate::store::Shared;
use crate::sys;
use crate::vmctx::{CodeEntry, FrameHeader, Rt, VmCtx};

/// Takes the tick, unless the guest shall stop.
unsafe fn take_tick(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2: the record of running code.
    let interrupt = unsafe { &(*rt).interrupt };
    let word = interrupt.load(Ordering::Relaxed);
    if word & Shared::STOPS != 0 {
        return Err(Trap::Interrupted);
    }
    if word & Shared::TICK != 0 {
        interrupt.fetch_and(!Shared::TICK, Ordering::Relaxed);
    }
    Ok(())
}

/// A branch back is taken that is at the place in the exit fields. Makes these say where to go on:
/// where the branch goes; or where native code led that took over the frame, which is behind the
/// call of the function if it returned. Then its results are in the first slots of the frame.
///
/// # Safety
///
/// The exit fields are the place of an instruction of running code that branches back and has the
/// offset in the upper half of its second word.
#[cold]
#[inline(never)]
pub(crate) unsafe fn back_edge(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller): the context names the code of its module, which the store keeps alive.
    unsafe {
        take_tick(rt)?;
        let mut place = Place::exit(rt);
        let offset = field::hi(*place.ip.add(1)) as i32;
        let target = place.ip.offset(offset as isize);
        place.ip = target;
        place.set_exit(rt);
        let code = &*(*place.vmctx).module;
        match sample_loop(rt, code, target) {
            Some((func, native)) => enter(rt, native, place, code.header_slot(func)),
            None => Ok(()),
        }
    }
}

/// Samples the loop at `target`; gives its function, and native code to take over its frame.
unsafe fn sample_loop(
    rt: *mut Rt,
    code: &ModuleCode,
    target: *const u64,
) -> Option<(DefinedFuncIndex, *const u8)> {
    let tiers = code.tiers()?;
    tiers.tiers().ledger().sampled();
    let located = code.function_at(target)?;
    let word = (target.addr() - located.code.start) / size_of::<u64>();
    // SAFETY: V2. Everything on a fiber is interpreted.
    let may_enter = unsafe { (*rt).fiber == 0 } && native::is_in_room(sys::stack_pointer());
    let native = tiers.sample_back_edge(code, located.func, word as u32, may_enter)?;
    Some((located.func, native))
}

/// A call at `ip` in the context `caller` is to enter the function of `entry`, which may have no code
/// yet, with the context `callee`. Gives the code to enter, or null, and then the trap in the runtime
/// record says why not.
///
/// # Safety
///
/// V7: `ip` is at an instruction of running code with the context `caller`; `entry` is of the module
/// of `callee`.
#[cold]
#[inline(never)]
pub(crate) unsafe extern "C" fn call(
    rt: *mut Rt,
    ip: *const u64,
    caller: *mut VmCtx,
    entry: *const CodeEntry,
    callee: *mut VmCtx,
) -> *const u64 {
    // SAFETY: V2, V3 (caller): contexts name the code of their modules, which the store keeps alive.
    unsafe {
        if (*rt).interrupt.load(Ordering::Relaxed) != 0 {
            if let Err(trap) = take_tick(rt) {
                (*rt).trap = trap;
                return std::ptr::null();
            }
            let code = &*(*caller).module;
            if let Some(tiers) = code.tiers() {
                tiers.tiers().ledger().sampled();
                if let Some(located) = code.function_at(ip) {
                    tiers.sample_call(code, located.func, Party::Caller);
                }
            }
            let code = &*(*callee).module;
            if let Some(tiers) = code.tiers() {
                tiers.sample_call(code, code.func_of(entry), Party::Callee);
            }
        }
        let ip = (*entry).ip.load(Ordering::Acquire).cast_const();
        if !ip.is_null() {
            return ip;
        }
        match (*(*callee).module).lower_entry(entry) {
            Ok(ip) => ip,
            Err(trap) => {
                (*rt).trap = trap;
                std::ptr::null()
            }
        }
    }
}

/// Native code called the function of `entry`, of the module of `callee`, which is interpreted.
///
/// # Safety
///
/// V3: `callee` is the context of an instance, and `entry` one of its module's.
pub(crate) unsafe fn crossed(callee: *const VmCtx, entry: *const CodeEntry) {
    // SAFETY: V3 (caller).
    let code = unsafe { &*(*callee).module };
    if let Some(tiers) = code.tiers() {
        tiers.crossed(code, code.func_of(entry));
    }
}

/// Goes on in native code at the loop at `place`, in a frame with the header at slot `header_slot`.
///
/// # Safety
///
/// V7 for the place; V13: `native` is code for the loop that is there.
unsafe fn enter(
    rt: *mut Rt,
    native: *const u8,
    place: Place,
    header_slot: u32,
) -> Result<(), Trap> {
    // SAFETY: V6, V13 (caller). A frame that has returned still is there, and its header.
    unsafe {
        match native::enter_loop(rt, native, place.fp, place.vmctx, header_slot) {
            Entered::Returned => {
                let header = place.fp.add(header_slot as usize).cast::<FrameHeader>().read();
                (*rt).exit_ip = header.ip;
                (*rt).exit_fp = header.fp;
                (*rt).exit_vmctx = header.vmctx;
                Ok(())
            }
            Entered::Interpret | Entered::Landed => Ok(()),
            Entered::Stopped => Err((*rt).trap),
        }
    }
}
