//! Functions that are called with slots again and again: how their numbers get into registers is worked out
//! once.

use std::sync::Arc;

use dunlin_code::native::{FLOAT_PARAMS, INT_PARAMS, Passed, params};
use dunlin_module::{FuncType, ValType};
use dunlin_vm::{Called, Numbers};

use super::RawStore;
use crate::error::Result;
use crate::func::Func;

/// A function to be called with slots again and again.
#[derive(Clone, Debug)]
pub struct SlotFunc {
    pub(super) func: Func,
    pub(super) way: Way,
}

impl SlotFunc {
    /// The function.
    pub fn func(&self) -> Func {
        self.func
    }
}

/// How slots and registers correspond.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Not at all.
    Slots,
    /// Parameters are few integers.
    Ints(Given),
    /// Each parameter is passed so.
    Numbers(Arc<[Passed]>, Given),
}

/// What a function returns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given {
    Nothing,
    /// These bits of an integer.
    Int(u64),
    /// These bits of a float.
    Float(u64),
}

impl Given {
    fn of(types: &[ValType]) -> Option<Given> {
        const HALF: u64 = u32::MAX as u64;
        match types {
            [] => Some(Given::Nothing),
            [ValType::I32] => Some(Given::Int(HALF)),
            [ValType::I64] => Some(Given::Int(u64::MAX)),
            [ValType::F32] => Some(Given::Float(HALF)),
            [ValType::F64] => Some(Given::Float(u64::MAX)),
            _ => None,
        }
    }

    #[inline(always)]
    fn write(self, slots: &mut [u64], int: u64, float: f64) {
        let bits = match self {
            Given::Nothing => return,
            Given::Int(mask) => int & mask,
            Given::Float(mask) => float.to_bits() & mask,
        };
        if let Some(slot) = slots.first_mut() {
            *slot = bits;
        }
    }
}

impl Way {
    pub(super) fn of(ty: &FuncType) -> Way {
        let Some(given) = Given::of(&ty.results) else { return Way::Slots };
        let is_int = |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64);
        let is_number = |ty: &ValType| is_int(ty) || matches!(ty, ValType::F32 | ValType::F64);
        if ty.params.len() <= INT_PARAMS && ty.params.iter().all(is_int) {
            return Way::Ints(given);
        }
        if ty.params.iter().all(is_number) {
            return Way::Numbers(params(ty).map(|(_, passed)| passed).collect(), given);
        }
        Way::Slots
    }

    /// Calls a function with numbers in registers, unless something is in the way.
    #[inline(always)]
    pub(super) fn call(
        &self,
        store: &mut RawStore<'_>,
        func: Func,
        slots: &mut [u64],
    ) -> Result<bool> {
        let (called, given) = match self {
            Way::Slots => return Ok(false),
            Way::Ints(given) => {
                // What else is in the slots does not matter in registers that nobody reads.
                let Some(ints) = slots.first_chunk() else { return Ok(false) };
                let numbers = Numbers { ints: *ints, floats: [0.0; FLOAT_PARAMS] };
                (store.0.call_numbers::<false>(func.0, &numbers), given)
            }
            Way::Numbers(params, given) => {
                let numbers = spread(slots, params, store);
                (store.0.call_numbers::<true>(func.0, &numbers), given)
            }
        };
        match called {
            Called::Returned(int, float) => {
                given.write(slots, int, float);
                Ok(true)
            }
            Called::Failed(error) => Err(error.into()),
            Called::Not => Ok(false),
        }
    }
}

/// Slots as numbers, in registers and spilled.
fn spread(slots: &[u64], params: &[Passed], store: &mut RawStore<'_>) -> Numbers {
    let mut numbers = Numbers { ints: [0; INT_PARAMS], floats: [0.0; FLOAT_PARAMS] };
    for (i, (&slot, passed)) in slots.iter().zip(params).enumerate() {
        match *passed {
            Passed::Int(at) => {
                if let Some(int) = numbers.ints.get_mut(usize::from(at)) {
                    *int = slot;
                }
            }
            Passed::Float(at) => {
                if let Some(float) = numbers.floats.get_mut(usize::from(at)) {
                    *float = f64::from_bits(slot);
                }
            }
            Passed::Spilled(_) => store.0.spill(i, slot),
        }
    }
    numbers
}
