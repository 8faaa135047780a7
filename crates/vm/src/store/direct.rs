//! Calls from the host straight into native code, with numbers in registers: what a call of a typed function
//! is when nothing is in its way.

use std::sync::atomic::Ordering;

use super::{CallError, Func, Shared, Store};
use crate::func::Numbers;
use crate::native;
use crate::sys;
use crate::vmctx::FuncRecord;

/// What came of [`Store::call_numbers`].
#[derive(Debug)]
pub enum Called {
    /// The function returned: its result, if it is an integer, and if it is a float. What the upper halves of
    /// 32-bit numbers are is not specified.
    Returned(u64, f64),
    /// It has no result.
    Failed(CallError),
    /// It was not called, and [`Store::call`] has to.
    Not,
}

impl Store {
    /// Calls `func` with numbers in registers, and as they were [spilled](Store::spill), if it takes and
    /// gives numbers, is native, and nothing is in the way. `FLOATS`: whether there are floats among the
    /// parameters.
    #[inline(always)]
    pub fn call_numbers<const FLOATS: bool>(&mut self, func: Func, numbers: &Numbers) -> Called {
        let Ok(place) = self.func_place(func) else { return Called::Not };
        let record = place.record;
        if !place.numbers || self.poisoned {
            return Called::Not;
        }
        if !self.active.is_resting() {
            return self.call_numbers_inside::<FLOATS>(record, numbers);
        }
        let rt = self.rt();
        // SAFETY: V2: the record is alive, and as nothing is being called it says that nothing is on the
        // value stack, which the store has. The function takes and gives numbers in registers. From here
        // on the store is reached through `rt.store` alone until guest code is left.
        let called = unsafe {
            if (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS != 0 {
                return Called::Not;
            }
            self.native_base = sys::stack_pointer();
            self.active.resume();
            (*rt).store = self;
            native::call_numbers::<FLOATS>(rt, record, numbers)
        };
        match called {
            Some(Some((int, float))) => {
                self.end(true);
                Called::Returned(int, float)
            }
            Some(None) => Called::Failed(self.fail()),
            None => {
                self.active.end(true);
                Called::Not
            }
        }
    }

    /// As [`Store::call_numbers`] of the function with this record, for a host function that a guest called.
    #[inline(never)]
    fn call_numbers_inside<const FLOATS: bool>(
        &mut self,
        record: *mut FuncRecord,
        numbers: &Numbers,
    ) -> Called {
        let rt = self.rt();
        // SAFETY: V2: the record is alive.
        let (fiber, stops) =
            unsafe { ((*rt).fiber, (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS) };
        // What cannot be done here, or fails, is left to the way that is always open.
        let free = self.active.is_calling() && fiber == 0 && stops == 0;
        if !free || self.check_nesting(sys::stack_pointer()).is_err() {
            return Called::Not;
        }
        let (outer, watched) = self.begin_inside();
        let store: *mut Store = self;
        // SAFETY: V2: from here on the store is reached through `rt.store` alone until guest code is left.
        // V6: the value stack is free from `Rt::stack_top` on, where the host was called. The function takes
        // and gives numbers in registers.
        let called = unsafe {
            let (outer, native_top) = ((*rt).store, (*rt).native_top);
            (*rt).store = store;
            (*rt).native_top = (*rt).stack_top;
            (*rt).exit_ip = std::ptr::null();
            let called = native::call_numbers::<FLOATS>(rt, record, numbers);
            (*rt).native_top = native_top;
            (*rt).store = outer;
            called
        };
        if let Some(None) = called {
            return Called::Failed(self.fail_inside(&outer, watched));
        }
        self.leave_inside(&outer, watched);
        match called {
            Some(Some((int, float))) => Called::Returned(int, float),
            _ => Called::Not,
        }
    }
}
