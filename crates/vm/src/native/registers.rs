//! Values between slots and the places where native code passes them.

use dunlin_code::native::{self, Passed};
use dunlin_module::{FuncType, ValType};

use crate::vmctx::VmCtx;

/// What is in registers at a call or a return.
#[repr(C, align(16))]
#[derive(Debug)]
pub(super) struct Registers {
    /// Integers: parameters without the context, or results.
    pub(super) ints: [u64; 8],
    /// Floats and vectors.
    pub(super) floats: [[u64; 2]; 8],
}

impl Registers {
    pub(super) const ZERO: Registers = Registers { ints: [0; 8], floats: [[0; 2]; 8] };
}

/// What the bridge keeps of a call out of native code.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(super) registers: Registers,
    /// The context of what is called.
    pub(super) context: *mut VmCtx,
}

/// Which values a signature passes how.
#[derive(Clone, Copy)]
pub(super) enum Which {
    Params,
    Results,
}

/// Copies values from slots to where native code expects them.
///
/// # Safety
///
/// From `slots` on there are such values of `ty`; `spill` is the spill area.
pub(super) unsafe fn to_registers(
    ty: &FuncType,
    which: Which,
    mut slots: *const u64,
    registers: &mut Registers,
    spill: *mut u128,
) {
    let mut put = |(ty, passed): (ValType, Passed)| {
        // SAFETY: the caller's promise.
        unsafe {
            let low = *slots;
            let high = if ty == ValType::V128 { *slots.add(1) } else { 0 };
            match passed {
                Passed::Int(at) => registers.ints[usize::from(at)] = low,
                Passed::Float(at) => registers.floats[usize::from(at)] = [low, high],
                Passed::Spilled(at) => {
                    spill.byte_add(at as usize).write(u128::from(low) | u128::from(high) << 64);
                }
            }
            slots = slots.add(ty.slots() as usize);
        }
    };
    match which {
        Which::Params => native::params(ty).for_each(&mut put),
        Which::Results => native::results(ty).for_each(&mut put),
    }
}

/// Copies values from where native code left them to slots.
///
/// # Safety
///
/// As for [`to_registers`], with room for the values from `slots` on.
pub(super) unsafe fn to_slots(
    ty: &FuncType,
    which: Which,
    mut slots: *mut u64,
    registers: &Registers,
    spill: *const u128,
) {
    let mut take = |(ty, passed): (ValType, Passed)| {
        // SAFETY: the caller's promise.
        unsafe {
            let [low, high] = match passed {
                Passed::Int(at) => [registers.ints[usize::from(at)], 0],
                Passed::Float(at) => registers.floats[usize::from(at)],
                Passed::Spilled(at) => {
                    let bits = *spill.byte_add(at as usize);
                    [bits as u64, (bits >> 64) as u64]
                }
            };
            // Nothing is known of the upper halves of registers.
            let narrow = matches!(ty, ValType::I32 | ValType::F32);
            slots.write(if narrow { low & u64::from(u32::MAX) } else { low });
            if ty == ValType::V128 {
                slots.add(1).write(high);
            }
            slots = slots.add(ty.slots() as usize);
        }
    };
    match which {
        Which::Params => native::params(ty).for_each(&mut take),
        Which::Results => native::results(ty).for_each(&mut take),
    }
}
