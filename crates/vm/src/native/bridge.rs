//! Out of native code: calls of what is not native, faults, and where to go on when something stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dunlin_code::Trap;
use dunlin_code::native::{NativeHandler, TrapCause};
use dunlin_module::{FuncIndex, FuncType};

use super::asm::{self, HEADER_BELOW, RT_BELOW};
use super::known::NativeFunc;
use super::registers::{Outgoing, Which, to_registers, to_slots};
use super::registry;
use crate::backtrace::Backtrace;
use crate::bug::bug;
use crate::continuation;
use crate::exception::{self, Catcher};
use crate::frames::Place;
use crate::host_call;
use crate::interp::{self, Exit};
use crate::store::abort;
use crate::sys;
use crate::tiers::sample;
use crate::vmctx::{CodeEntry, FrameHeader, FuncRecord, Rt, VmCtx};

/// Where native code called the interpreter: what the header of the interpreter's outermost frame leads
/// to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) place: Place,
    /// The call.
    outgoing: *mut Outgoing,
    /// Whether native code takes it over: see [`Link::hand_over`].
    handed: bool,
}

impl Link {
    /// Replaces the call by one of native code: `code` of a function of type `ty` in the context `cx`, with
    /// parameters in slots. So it is as if the bridge had called that at once, and tail calls to and fro
    /// take no stack.
    ///
    /// # Safety
    ///
    /// V13 for the code; the outermost frame of the interpreter is the function's, and is left.
    pub(super) unsafe fn hand_over(
        &mut self,
        code: *const u8,
        ty: &FuncType,
        cx: *mut VmCtx,
        params: *const u64,
    ) {
        // SAFETY: the bridge waits with the call; V2, V3 (caller).
        unsafe {
            let outgoing = &mut *self.outgoing;
            to_registers(ty, Which::Params, params, &mut outgoing.registers, (*(*cx).rt).spill);
            outgoing.registers.ints[7] = code.expose_provenance() as u64;
            outgoing.context = cx;
            self.handed = true;
        }
    }
}

/// What native code calls.
enum Callee {
    /// A function of a module, its entry, and its number among all of the module.
    Defined(*const CodeEntry, FuncIndex),
    Host(*const FuncRecord),
}

/// What [`call_out`] gives when results are in the registers.
const DONE: usize = 0;
/// What it gives when native code is to go on: the code is in the last integer.
const NATIVE: usize = 1;

/// Calls what `VmCtx::callee` names, for native code whose call returns to `ret` and whose frame
/// pointer is `fp`. Gives [`DONE`], [`NATIVE`], or the runtime record to resume with.
///
/// # Safety
///
/// V13: called by the bridge, with what it keeps of the call.
pub(super) unsafe extern "C" fn call_out(
    cx: *mut VmCtx,
    outgoing: *mut Outgoing,
    ret: usize,
    fp: *mut u64,
) -> usize {
    // SAFETY: V13; V2, V3, V4: records, entries and contexts live as long as the store.
    unsafe {
        let rt = (*cx).rt;
        let callee = match (*cx).callee {
            index if index & 1 == 1 => {
                let defined = (index >> 1) as u32;
                let func =
                    (*(*cx).module).module().func_index(dunlin_module::DefinedFuncIndex(defined));
                Callee::Defined((*cx).code.add(defined as usize), func)
            }
            record => {
                let record = record as *const FuncRecord;
                match (*record).host {
                    true => Callee::Host(record),
                    false => Callee::Defined((*record).code, FuncIndex((*record).index)),
                }
            }
        };
        let low = sys::stack_pointer() < (*rt).native_limit.load(Ordering::Relaxed);
        if let Callee::Defined(entry, _) = callee
            && !low
        {
            let mut code = (*entry).native.load(Ordering::Acquire);
            let module = &*(*cx).module;
            if code.is_null() && module.demand(module.func_of(entry)) {
                code = (*entry).native.load(Ordering::Acquire);
            }
            if !code.is_null() {
                if (*cx).callee & 1 == 0 {
                    let record = (*cx).callee as *const FuncRecord;
                    (*record).native.store(code, Ordering::Release);
                }
                (*outgoing).registers.ints[7] = code.expose_provenance() as u64;
                return NATIVE;
            }
        }
        let place = Place::native(ret - 1, fp);
        place.set_exit(rt);
        match outside(rt, cx, callee, outgoing, place) {
            Ok(how) => how,
            Err(trap) => {
                (*rt).trap = trap;
                stop_running(rt).expose_provenance()
            }
        }
    }
}

/// The call itself: [`DONE`] or [`NATIVE`]. On failure the exit fields say where guest code stopped.
unsafe fn outside(
    rt: *mut Rt,
    cx: *mut VmCtx,
    callee: Callee,
    outgoing: *mut Outgoing,
    place: Place,
) -> Result<usize, Trap> {
    // SAFETY: as for `call_out`; V6: slots are checked to be inside the value stack.
    unsafe {
        let store = (*rt).store;
        if (*store).is_interrupted() {
            return Err(Trap::Interrupted);
        }
        let ty: *const FuncType = match callee {
            Callee::Defined(_, func) => Arc::as_ptr((*(*cx).module).module().func_type(func)),
            Callee::Host(record) => host_call::ty(record),
        };
        let ty = &*ty;
        let top = (*rt).native_top;
        let slots = ty.param_slots().max(ty.result_slots()) as usize;
        if (*rt).stack_end.offset_from(top) < slots as isize {
            return Err(Trap::StackOverflow);
        }
        to_slots(ty, Which::Params, top, &(*outgoing).registers, (*rt).spill);
        match callee {
            Callee::Host(record) => {
                let called = host_call::call(rt, record, (*cx).caller, top);
                place.set_exit(rt);
                match called {
                    Ok(()) => {}
                    Err(Trap::Exception) => return Err(exception::throw_from(rt, (*rt).exception)),
                    Err(trap) => return Err(trap),
                }
            }
            Callee::Defined(entry, _) => {
                (*store).watch();
                sample::crossed(cx, entry);
                let mut link = Link { place, outgoing, handed: false };
                (*store).native_depth += 1;
                let exit = interp::run_linked(rt, entry, cx, top, &raw mut link);
                // The exit fields say more about why it stopped.
                if exit == Exit::Trap {
                    capture(rt);
                    (*store).native_depth -= 1;
                    continuation::leave_all(rt);
                    (*rt).native_top = top;
                    return Err((*rt).trap);
                }
                (*store).native_depth -= 1;
                (*rt).native_top = top;
                place.set_exit(rt);
                if link.handed {
                    return Ok(NATIVE);
                }
            }
        }
        to_registers(ty, Which::Results, top, &mut (*outgoing).registers, (*rt).spill);
        Ok(DONE)
    }
}

/// Keeps where guest code is, as the exit fields say, before frames of native code are left: unless an
/// exception is on its way to who catches it, or it was kept already.
pub(crate) unsafe fn capture(rt: *mut Rt) {
    // SAFETY: V2.
    unsafe {
        let store = &mut *(*rt).store;
        if store.backtrace.is_none() && store.catch.is_none() {
            store.backtrace = Some(Backtrace::capture(store));
        }
    }
}

/// Prepares to go on from where native code stopped with `Rt::trap`: at who catches, if that is native
/// code of the same call into it, or else where native code was entered.
///
/// # Safety
///
/// V13: native code is at the place in the exit fields, or called what just stopped.
pub(crate) unsafe fn stop_running(rt: *mut Rt) -> *mut Rt {
    // SAFETY: V2.
    unsafe {
        capture(rt);
        let store = &mut *(*rt).store;
        if (*rt).trap == Trap::Exception
            && let Some(catch) = &store.catch
            && let Catcher::Native { pc, sp, fp } = catch.catcher
            && sp < (*rt).native_sp.addr()
        {
            store.catch = None;
            store.pending_error = None;
            (*rt).resume.pc = pc;
            (*rt).resume.sp = sp;
            (*rt).resume.fp = fp;
            (*rt).resume.payload = (*rt).exception.into();
            return rt;
        }
        (*rt).resume.pc = asm::stopped_address();
        (*rt).resume.sp = (*rt).native_sp.addr();
        (*rt).resume.fp = 0;
        (*rt).resume.payload = 0;
        rt
    }
}

/// Goes on after a builtin that throws: its result is always that something stopped.
///
/// # Safety
///
/// As for [`stop_running`], for code with context `cx`.
pub(super) unsafe extern "C" fn thrown(cx: *mut VmCtx) -> *mut Rt {
    // SAFETY: V3: a context names its record.
    unsafe { stop_running((*cx).rt) }
}

/// What a fault at `pc` in native code leads to; `fp` is its frame pointer.
///
/// # Safety
///
/// V13: the fault handler found `pc` in code memory.
pub(super) unsafe extern "C" fn fault(pc: usize, fp: *mut u64) -> *mut Rt {
    // SAFETY: V13: frames of native code are linked, and the outermost is `call`'s.
    unsafe {
        let mut frame = fp;
        while !asm::is_outermost(*frame.add(1) as usize) {
            frame = *frame as *mut u64;
        }
        let rt = *(*frame as *const u8).sub(RT_BELOW).cast::<*mut Rt>();
        let cause = registry::find(pc).and_then(|func| func.trap_at(pc));
        match cause {
            Some(TrapCause::Trap(trap)) => (*rt).trap = trap,
            Some(TrapCause::Raised) => {}
            None => abort("native code faulted where it cannot"),
        }
        Place::native(pc, fp).set_exit(rt);
        stop_running(rt)
    }
}

/// Where a frame of native code leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {
    /// To another one.
    Native(Place),
    /// To the frame that this header leads to; null for the host.
    Header(*const FrameHeader),
}

/// Whether `place` is that of the outermost native code, which a tail call of what is not native
/// replaced.
pub(crate) fn is_replaced(place: Place) -> bool {
    asm::is_outermost(place.ip.addr() + 1)
}

/// The caller of the frame of native code at `place`.
///
/// # Safety
///
/// V13: `place` is one of native code that runs or called what runs.
pub(crate) unsafe fn caller(place: Place) -> Caller {
    // SAFETY: V13: native frames are linked.
    unsafe {
        if is_replaced(place) {
            return Caller::Header(*place.fp.byte_sub(HEADER_BELOW).cast());
        }
        let (outer, ret) = (*place.fp as *mut u64, *place.fp.add(1) as usize);
        match asm::is_outermost(ret) {
            true => Caller::Header(*outer.byte_sub(HEADER_BELOW).cast()),
            false => Caller::Native(Place::native(ret - 1, outer)),
        }
    }
}

/// A function for a place of native code.
pub(crate) fn function(place: Place) -> Option<Arc<NativeFunc>> {
    let found = registry::find(place.ip.addr());
    if found.is_none() {
        let _ = bug!("a native frame of no function at {:?}", place.ip);
    }
    found
}

/// Who catches an exception in the frame of `func` at `place`, given which tags of a context are
/// wanted.
pub(crate) fn find_handler(
    func: &NativeFunc,
    place: Place,
    wants: impl Fn(*const VmCtx, u32) -> bool,
) -> Option<Catcher> {
    let call = func.call_at(place.ip.addr() + 1)?;
    let sp = place.fp.wrapping_byte_sub(call.frame as usize);
    let catches = |handler: &&NativeHandler| {
        // SAFETY: V13: the frame is live, and keeps its context there.
        let context = unsafe { *sp.wrapping_byte_add(handler.context as usize).cast() };
        handler.tag.is_none_or(|tag| wants(context, tag))
    };
    let handler = call.handlers.iter().find(catches)?;
    Some(Catcher::Native {
        pc: func.start + handler.landing as usize,
        sp: sp.addr(),
        fp: place.fp.addr(),
    })
}
