//! Calls from the host into guests: value stack, native stack limit, and what came out.

use std::fmt;
use std::ptr;
use std::sync::atomic::Ordering;

use dunlin_code::Trap;

use super::{ExceptionReport, Func, FuncPlace, Misuse, Shared, Store};
use crate::backtrace::Backtrace;
use crate::budget::{LimitError, Resource};
use crate::bug::bug;
use crate::fiber::FiberId;
use crate::frames::Place;
use crate::func::HostError;
use crate::gc::Root;
use crate::interp::{self, Exit};
use crate::native;
use crate::sys;
use crate::tiers::{TierMode, ticker};
use crate::vmctx::Rt;

/// Why guest code stopped, and where.
#[derive(Debug)]
pub struct TrapReport {
    /// Why.
    pub trap: Trap,
    /// Where, up to the call from the host.
    pub backtrace: Backtrace,
    /// More than the trap alone says.
    pub detail: Option<String>,
}

impl TrapReport {
    /// A trap outside of any function.
    pub(crate) fn outside(trap: Trap, detail: Option<String>) -> TrapReport {
        TrapReport { trap, backtrace: Backtrace::default(), detail }
    }
}

impl fmt::Display for TrapReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trap.fmt(f)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl std::error::Error for TrapReport {}

/// Why a call has no results.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The guest stopped.
    Trap(TrapReport),
    /// No guest caught an exception. A host function may return this error, which throws the
    /// exception where it was called.
    Exception(ExceptionReport),
    /// A host function returned an error; where it was called.
    Host(HostError, Backtrace),
    /// The embedder asked for something that makes no sense.
    Misuse(Misuse),
    /// A limit is reached.
    Limit(LimitError),
}

/// What the runtime record says of the fiber that runs.
pub(super) struct RunningFiber {
    fiber: FiberId,
    stack_end: *mut u64,
    stack_top: *mut u64,
    main_top: *mut u64,
}

impl From<Misuse> for CallError {
    fn from(misuse: Misuse) -> CallError {
        CallError::Misuse(misuse)
    }
}

impl From<LimitError> for CallError {
    fn from(limit: LimitError) -> CallError {
        CallError::Limit(limit)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Trap(report) => report.fmt(f),
            CallError::Exception(report) => report.fmt(f),
            CallError::Host(error, _) => error.fmt(f),
            CallError::Misuse(misuse) => misuse.fmt(f),
            CallError::Limit(limit) => limit.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

impl Store {
    /// Calls `func`. `values` holds the slots of the parameters, and has room for those of the
    /// results, which are found there afterwards.
    ///
    /// # Errors
    ///
    /// If the guest stops, a host function fails, or the arguments make no sense.
    #[inline(never)]
    pub fn call(&mut self, func: Func, values: &mut [u64]) -> Result<(), CallError> {
        let place = *self.func_place(func)?;
        let slots = place.param_slots.max(place.result_slots) as usize;
        if values.len() < slots {
            return Err(Misuse::MissingSlots { expected: slots, found: values.len() }.into());
        }
        if place.param_refs {
            // SAFETY: V4.
            let ty = unsafe { self.record_type(place.record) };
            self.check_values(values, &ty.params)?;
        }
        // SAFETY: the record is ours, and the values are checked.
        unsafe { self.call_place(place, values) }
    }

    /// Calls the function at `place`.
    ///
    /// # Safety
    ///
    /// It is a function of this store, `values` has room for its parameters and results, and holds
    /// values of the parameters' types.
    #[inline]
    pub(crate) unsafe fn call_place(
        &mut self,
        place: FuncPlace,
        values: &mut [u64],
    ) -> Result<(), CallError> {
        self.check_usable()?;
        let here = sys::stack_pointer();
        if self.active.is_calling() {
            // SAFETY: as for this function.
            return unsafe { self.call_inside(here, place, values) };
        }
        self.begin(here)?;
        // SAFETY: as for this function; a value stack is in place.
        match unsafe { self.enter(place, values) } {
            Exit::Done => {
                self.end(true);
                Ok(())
            }
            Exit::Trap => Err(self.fail()),
        }
    }

    /// Calls the function at `place` for a host function that a guest called.
    ///
    /// # Safety
    ///
    /// As for [`Store::call_place`].
    #[inline(never)]
    unsafe fn call_inside(
        &mut self,
        here: usize,
        place: FuncPlace,
        values: &mut [u64],
    ) -> Result<(), CallError> {
        self.check_nesting(here)?;
        let (fiber, watched) = self.begin_inside();
        // SAFETY: as for this function; a value stack is in place.
        let exit = unsafe { self.enter(place, values) };
        if exit == Exit::Trap {
            return Err(self.fail_inside(&fiber, watched));
        }
        self.leave_inside(&fiber, watched);
        Ok(())
    }

    /// Leaves the guest that called the host, for a call inside its: where it was, and whether the ticker
    /// saw it.
    pub(super) fn begin_inside(&mut self) -> (RunningFiber, bool) {
        self.nested_calls += 1;
        // SAFETY: the record is alive; V1. The guest that called the host is somewhere that the
        // collector must find, and that is forgotten while another call goes on.
        self.suspended.push(unsafe { Place::exit(self.rt()) });
        (self.leave_fiber(), self.running.is_some())
    }

    /// Why a call inside another failed, which is over then.
    #[cold]
    #[inline(never)]
    pub(super) fn fail_inside(&mut self, fiber: &RunningFiber, watched: bool) -> CallError {
        let failure = self.failure();
        self.leave_inside(fiber, watched);
        failure
    }

    /// Goes back to where the guest called the host.
    pub(super) fn leave_inside(&mut self, fiber: &RunningFiber, watched: bool) {
        self.watched_until_here(watched);
        self.nested_calls -= 1;
        self.return_to_fiber(fiber);
        if let Some(outer) = self.suspended.pop() {
            // SAFETY: the record is alive; V1.
            unsafe { outer.set_exit(self.rt()) };
        }
    }

    /// Why the outermost call failed, which is over then.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self) -> CallError {
        let failure = self.failure();
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        unsafe {
            self.fibers.free_until((*rt).fiber, 0, &mut self.budget);
        }
        if let Some(base) = self.active.base() {
            self.rest(base);
        }
        // A stack that was used to its end is not worth keeping: all its pages are committed.
        let overflowed =
            matches!(&failure, CallError::Trap(report) if report.trap == Trap::StackOverflow);
        self.end(!overflowed);
        failure
    }

    /// Whether one more call fits inside those that are going on; `here` is the native stack pointer.
    pub(super) fn check_nesting(&self, here: usize) -> Result<(), CallError> {
        let limits = self.budget.limits();
        let (trap, detail) = if self.nested_calls >= limits.nested_calls {
            (Trap::StackOverflow, "too many calls between guest and host inside one another")
        } else if self.has_native_room(here, limits.native_stack_bytes) {
            return Ok(());
        } else if self.settings().deterministic {
            // No result of the guest's: another host might have gone on.
            (Trap::LimitExceeded, "host functions took all native stack")
        } else {
            (Trap::StackOverflow, "too many calls between guest and host inside one another")
        };
        Err(CallError::Trap(TrapReport::outside(trap, Some(detail.into()))))
    }

    /// Whether there is native stack for a host function that calls a guest. Native code, which goes on
    /// in the interpreter when it has used up its share, does not count.
    fn has_native_room(&self, here: usize, bytes: usize) -> bool {
        // SAFETY: the record is alive; V1.
        let native = unsafe { !(*self.rt()).native_sp.is_null() };
        self.native_base.abs_diff(here) <= bytes || (native && native::is_in_room(here))
    }

    /// Provides for an outermost call.
    #[inline]
    fn begin(&mut self, native_base: usize) -> Result<(), LimitError> {
        let slots = self.budget.limits().value_stack_slots;
        if let Some(base) = self.active.begin(slots).map_err(|_| no_stack(slots))? {
            // SAFETY: the stack has at least that many slots.
            let end = unsafe { base.add(slots) };
            // SAFETY: the record is alive; V1.
            unsafe { (*self.rt()).main_end = end };
            self.rest(base);
        }
        self.native_base = native_base;
        Ok(())
    }

    /// Lets the ticker see that code of this store is interpreted, until the call that goes on returns.
    /// Calls that stay in native code never get here, as telling the ticker takes longer than they do.
    #[inline]
    pub(crate) fn watch(&mut self) {
        if self.running.is_none()
            && self.shared.tiers().is_some_and(|tiers| tiers.policy().mode == TierMode::Auto)
        {
            self.running = Some(ticker::begin(&self.shared));
        }
    }

    /// A call returns that began when the ticker did, or did not, see the store: calls of other stores
    /// may be around it, and each leaves what it found.
    #[inline]
    fn watched_until_here(&mut self, before: bool) {
        if !before && self.running.is_some() {
            self.running = None;
        }
    }

    /// Where the runtime record says that nothing is on the value stack, which begins at `base`: as every
    /// call that returns leaves it.
    fn rest(&mut self, base: *mut u64) {
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        unsafe {
            (*rt).stack_top = base;
            (*rt).native_top = base;
            (*rt).stack_end = (*rt).main_end;
            (*rt).fiber = 0;
        }
    }

    /// Goes back to the value stack of the outermost call, if a host function that runs on a fiber
    /// is the caller: no continuation reaches over it. Gives what there was before.
    fn leave_fiber(&mut self) -> RunningFiber {
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        unsafe {
            let outer = RunningFiber {
                fiber: (*rt).fiber,
                stack_end: (*rt).stack_end,
                stack_top: (*rt).stack_top,
                main_top: (*rt).main_top,
            };
            if (*rt).stack_end != (*rt).main_end {
                (*rt).stack_end = (*rt).main_end;
                (*rt).stack_top = (*rt).main_top;
            }
            (*rt).fiber = 0;
            outer
        }
    }

    /// Ends the fibers that ran when a call ended, and restores what was before.
    fn return_to_fiber(&mut self, outer: &RunningFiber) {
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        unsafe {
            self.fibers.free_until((*rt).fiber, 0, &mut self.budget);
            (*rt).fiber = outer.fiber;
            (*rt).stack_end = outer.stack_end;
            (*rt).stack_top = outer.stack_top;
            (*rt).main_top = outer.main_top;
        }
    }

    /// Cleans up after an outermost call. `keep`: whether its value stack is worth keeping.
    #[inline(always)]
    pub(super) fn end(&mut self, keep: bool) {
        self.watched_until_here(false);
        // A request that stopped something has done its work; one that came too late means the
        // next call.
        if self.was_interrupted {
            self.was_interrupted = false;
            self.shared.clear(Shared::REQUESTED);
        }
        self.active.end(keep);
    }

    /// Runs the function at `place` with `values`.
    ///
    /// # Safety
    ///
    /// As for [`Store::call_place`], and a value stack is in place.
    #[inline(always)]
    unsafe fn enter(&mut self, place: FuncPlace, values: &mut [u64]) -> Exit {
        let rt = self.rt();
        let store: *mut Store = self;
        // SAFETY: V2: from here on the store is reached through `rt.store` alone until guest code is
        // left. A store that was being called already keeps its own idea of where it is.
        unsafe {
            if (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS != 0 {
                return refuse(rt, Trap::Interrupted);
            }
            let outer = (*rt).store;
            (*rt).store = store;
            let exit = enter_slots(rt, place, values);
            (*rt).store = outer;
            exit
        }
    }

    /// Why guest code stopped, from what it left in the runtime record.
    #[cold]
    fn failure(&mut self) -> CallError {
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        let (trap, exception) = unsafe { ((*rt).trap, (*rt).exception) };
        self.was_interrupted |= trap == Trap::Interrupted;
        let backtrace = self.backtrace.take().unwrap_or_else(|| Backtrace::capture(self));
        match (trap, self.pending_error.take()) {
            (Trap::Host, Some(error)) => CallError::Host(error, backtrace),
            (Trap::Exception, error) => match self.root(exception.into()) {
                Ok(exception) => CallError::Exception(self.uncaught(exception, error, backtrace)),
                Err(limit) => CallError::Limit(limit),
            },
            (trap, _) => {
                let trap = match trap {
                    Trap::Host => bug!("a host function failed without an error"),
                    trap => trap,
                };
                let limit = self.heap_limit.take();
                let detail = match trap {
                    Trap::HeapExhausted => limit.map(|limit| limit.to_string()),
                    Trap::HostPanic => self.panic_message.clone(),
                    Trap::LimitExceeded if self.refused.is_some() => {
                        self.refused.take().map(|refused| refused.to_string())
                    }
                    Trap::Unsupported | Trap::LimitExceeded => {
                        backtrace.lower_error().map(|error| error.to_string())
                    }
                    _ => None,
                };
                CallError::Trap(TrapReport { trap, backtrace, detail })
            }
        }
    }

    /// What is known of an uncaught exception, given the error of the host function that threw it
    /// into this call, if one did.
    fn uncaught(
        &self,
        exception: Root,
        error: Option<HostError>,
        outer: Backtrace,
    ) -> ExceptionReport {
        match error.map(|error| error.downcast::<CallError>()) {
            Some(Ok(error)) => match *error {
                CallError::Exception(mut inner) => {
                    inner.backtrace.extend(outer);
                    self.report_exception(exception, inner.backtrace)
                }
                _ => self.report_exception(exception, outer),
            },
            _ => self.report_exception(exception, outer),
        }
    }

    /// The bounds of the value stack, while a call is going on.
    pub(crate) fn stack_bounds(&self) -> Option<(*mut u64, *mut u64)> {
        // SAFETY: the record is alive; V1.
        Some((self.active.base()?, unsafe { (*self.rt()).main_end }))
    }
}

/// Why there is no value stack.
#[cold]
fn no_stack(slots: usize) -> LimitError {
    LimitError::system(Resource::Bytes, (slots as u64).saturating_mul(8))
}

/// Runs the function at `place` with `values` on the value stack.
///
/// # Safety
///
/// As for [`Store::enter`], for the store of `rt`.
#[inline]
unsafe fn enter_slots(rt: *mut Rt, place: FuncPlace, values: &mut [u64]) -> Exit {
    let (params, results) = (place.param_slots as usize, place.result_slots as usize);
    // SAFETY: V6: what is copied lies inside the value stack, as is checked first.
    unsafe {
        let fp = (*rt).stack_top;
        (*rt).exit_ip = ptr::null();
        if (*rt).stack_end.offset_from_unsigned(fp) < params.max(results) {
            return refuse(rt, Trap::StackOverflow);
        }
        for (i, value) in values[..params].iter().enumerate() {
            fp.add(i).write(*value);
        }
        let exit = interp::run(rt, place.record, fp);
        (*rt).stack_top = fp;
        if exit == Exit::Done {
            for (i, value) in values[..results].iter_mut().enumerate() {
                *value = *fp.add(i);
            }
        }
        exit
    }
}

/// A guest is not even entered.
#[cold]
unsafe fn refuse(rt: *mut Rt, trap: Trap) -> Exit {
    // SAFETY: V2 (caller).
    unsafe {
        (*rt).trap = trap;
        (*rt).exit_ip = ptr::null();
        (*rt).exit_fp = ptr::null_mut();
        (*rt).exit_vmctx = ptr::null_mut();
    }
    Exit::Trap
}
