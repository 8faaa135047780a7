//! Functions that are called with slots again and again: how their numbers get into registers is worked out
//! once.

use dunlin_module::{FuncType, ValType};
use dunlin_vm::{Called, Numbers};

use super::{FLOAT_PARAMS, INT_PARAMS, RawStore};
use crate::error::Result;
use crate::func::Func;

/// A function to be called with slots again and again.
#[derive(Clone, Copy, Debug)]
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
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Not at all.
    Slots,
    /// Parameters are integers.
    Ints(Given),
    /// Parameters are so many, and those are floats whose bit is set.
    Numbers { count: usize, floats: u16, given: Given },
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
        let (mut ints, mut floats, mut is_float) = (0, 0, 0);
        for (i, ty) in ty.params.iter().enumerate() {
            match ty {
                ValType::I32 | ValType::I64 => ints += 1,
                ValType::F32 | ValType::F64 if i < u16::BITS as usize => {
                    floats += 1;
                    is_float |= 1 << i;
                }
                _ => return Way::Slots,
            }
        }
        match (ints, floats) {
            (0..=INT_PARAMS, 0) => Way::Ints(given),
            (0..=INT_PARAMS, 1..=FLOAT_PARAMS) => {
                Way::Numbers { count: ty.params.len(), floats: is_float, given }
            }
            _ => Way::Slots,
        }
    }

    /// Calls a function with numbers in registers, unless something is in the way.
    #[inline(always)]
    pub(super) fn call(
        self,
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
            Way::Numbers { count, floats, given } => {
                let Some(slots) = slots.get(..count) else { return Ok(false) };
                let numbers = spread(slots, floats);
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

/// Slots, of which those with a bit in `floats` are floats, as numbers.
fn spread(slots: &[u64], floats: u16) -> Numbers {
    let mut numbers = Numbers { ints: [0; INT_PARAMS], floats: [0.0; FLOAT_PARAMS] };
    let (mut ints, mut reals) = (numbers.ints.iter_mut(), numbers.floats.iter_mut());
    for (i, &slot) in slots.iter().enumerate() {
        if floats >> i & 1 == 0 {
            if let Some(int) = ints.next() {
                *int = slot;
            }
        } else if let Some(real) = reals.next() {
            *real = f64::from_bits(slot);
        }
    }
    numbers
}
