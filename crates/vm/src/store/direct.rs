//! Calls from the host straight into native code, with numbers in registers: what a call of a typed function
//! is when nothing is in its way.

use std::sync::atomic::Ordering;

use super::{CallError, Func, Shared, Store};
use crate::func::Numbers;
use crate::native;
use crate::sys;

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
    /// Calls `func` with numbers in registers, if it takes and gives such, is native, and nothing is in the
    /// way. `FLOATS`: whether there are floats among the parameters.
    #[inline(always)]
    pub fn call_numbers<const FLOATS: bool>(&mut self, func: Func, numbers: &Numbers) -> Called {
        let Ok(place) = self.func_place(func) else { return Called::Not };
        let record = place.record;
        if !place.numbers || self.poisoned || !self.active.is_resting() {
            return Called::Not;
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
}
