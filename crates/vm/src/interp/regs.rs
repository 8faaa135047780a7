//! The registers of the interpreter, and how a handler reads operands and leaves results.

use dunlin_code::Trap;
use dunlin_code::sem::V128;

use crate::vmctx::{Rt, VmCtx};

/// The machine state between two instructions.
///
/// Handlers get it by reference but the compiler keeps it in registers: nothing may take its address
/// across a call that is not inlined.
pub(super) struct Regs {
    /// The instruction being executed.
    pub(super) ip: *const u64,
    /// Base of the frame.
    pub(super) fp: *mut u64,
    /// Context of the instance whose code runs.
    pub(super) cx: *mut VmCtx,
    /// Base of memory 0.
    pub(super) mem: *mut u8,
    /// Integer accumulator.
    pub(super) acc: u64,
    /// The store's runtime record.
    pub(super) rt: *mut Rt,
    /// `f32` accumulator.
    pub(super) single: f32,
    /// `f64` accumulator.
    pub(super) double: f64,
}

/// What comes after an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// The instruction at `ip`.
    Next,
    /// Nothing: guest code stopped, the runtime record says why.
    Stop,
    /// Nothing: the outermost frame returned.
    Done,
}

/// The body of a handler.
pub(super) trait Exec {
    /// Executes the instruction at `r.ip`.
    ///
    /// # Safety
    ///
    /// V7: `r` is the state of running code of a published function, and the instruction at `ip` is
    /// the one this handler is for.
    unsafe fn exec(r: &mut Regs) -> Flow;
}

/// A scalar that travels in slots and accumulators.
pub(super) trait Value: Copy {
    /// Whether an immediate of the type has a word of its own.
    const WIDE: bool;
    fn from_slot(bits: u64) -> Self;
    fn to_slot(self) -> u64;
    fn acc(r: &Regs) -> Self;
    fn set_acc(self, r: &mut Regs);
}

macro_rules! integer {
    ($ty:ty, $wide:literal) => {
        impl Value for $ty {
            const WIDE: bool = $wide;
            #[inline(always)]
            fn from_slot(bits: u64) -> Self {
                bits as $ty
            }
            #[inline(always)]
            fn to_slot(self) -> u64 {
                u64::from(self)
            }
            #[inline(always)]
            fn acc(r: &Regs) -> Self {
                r.acc as $ty
            }
            #[inline(always)]
            fn set_acc(self, r: &mut Regs) {
                r.acc = u64::from(self);
            }
        }
    };
}
integer!(u32, false);
integer!(u64, true);

impl Value for bool {
    const WIDE: bool = false;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        bits != 0
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self)
    }
    #[inline(always)]
    fn acc(r: &Regs) -> Self {
        r.acc != 0
    }
    #[inline(always)]
    fn set_acc(self, r: &mut Regs) {
        r.acc = u64::from(self);
    }
}

impl Value for f32 {
    const WIDE: bool = false;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self.to_bits())
    }
    #[inline(always)]
    fn acc(r: &Regs) -> Self {
        r.single
    }
    #[inline(always)]
    fn set_acc(self, r: &mut Regs) {
        r.single = self;
    }
}

impl Value for f64 {
    const WIDE: bool = true;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn acc(r: &Regs) -> Self {
        r.double
    }
    #[inline(always)]
    fn set_acc(self, r: &mut Regs) {
        r.double = self;
    }
}

/// A computation that may trap.
pub(super) trait Outcome {
    type Value: Value;
    fn outcome(self) -> Result<Self::Value, Trap>;
}

impl<T: Value> Outcome for T {
    type Value = T;
    #[inline(always)]
    fn outcome(self) -> Result<T, Trap> {
        Ok(self)
    }
}

impl<T: Value> Outcome for Result<T, Trap> {
    type Value = T;
    #[inline(always)]
    fn outcome(self) -> Result<T, Trap> {
        self
    }
}

/// Operands and control. All are `unsafe` by V7: `ip` is at an instruction with these operands, and
/// lowering gave it slots inside its frame.
impl Regs {
    /// Word `n` of the instruction.
    #[inline(always)]
    pub(super) unsafe fn word(&self, n: usize) -> u64 {
        // SAFETY: V7.
        unsafe { *self.ip.add(n) }
    }

    /// A 16-bit field of the first operand word, counted from the low end.
    #[inline(always)]
    unsafe fn short(&self, n: usize) -> u16 {
        if cfg!(target_endian = "little") {
            // SAFETY: V7; the field lies inside the word.
            unsafe { *self.ip.add(1).cast::<u16>().add(n) }
        } else {
            // SAFETY: V7.
            unsafe { (self.word(1) >> (16 * n)) as u16 }
        }
    }

    #[inline(always)]
    pub(super) unsafe fn a(&self) -> u16 {
        // SAFETY: V7.
        unsafe { self.short(0) }
    }

    #[inline(always)]
    pub(super) unsafe fn b(&self) -> u16 {
        // SAFETY: V7.
        unsafe { self.short(1) }
    }

    #[inline(always)]
    pub(super) unsafe fn c(&self) -> u16 {
        // SAFETY: V7.
        unsafe { self.short(2) }
    }

    #[inline(always)]
    pub(super) unsafe fn d(&self) -> u16 {
        // SAFETY: V7.
        unsafe { self.short(3) }
    }

    /// The lower half of operand word `n`.
    #[inline(always)]
    pub(super) unsafe fn lo(&self, n: usize) -> u32 {
        if cfg!(target_endian = "little") {
            // SAFETY: V7; the field lies inside the word.
            unsafe { *self.ip.add(n).cast::<u32>() }
        } else {
            // SAFETY: V7.
            unsafe { self.word(n) as u32 }
        }
    }

    /// The upper half of operand word `n`.
    #[inline(always)]
    pub(super) unsafe fn hi(&self, n: usize) -> u32 {
        if cfg!(target_endian = "little") {
            // SAFETY: V7; the field lies inside the word.
            unsafe { *self.ip.add(n).cast::<u32>().add(1) }
        } else {
            // SAFETY: V7.
            unsafe { (self.word(n) >> 32) as u32 }
        }
    }

    /// The address of a slot.
    #[inline(always)]
    pub(super) unsafe fn slot(&self, slot: u16) -> *mut u64 {
        // SAFETY: V7.
        unsafe { self.fp.add(usize::from(slot)) }
    }

    #[inline(always)]
    pub(super) unsafe fn get<T: Value>(&self, slot: u16) -> T {
        // SAFETY: V7.
        T::from_slot(unsafe { *self.slot(slot) })
    }

    #[inline(always)]
    pub(super) unsafe fn set<T: Value>(&mut self, slot: u16, value: T) {
        // SAFETY: V7.
        unsafe { *self.slot(slot) = value.to_slot() };
    }

    #[inline(always)]
    pub(super) unsafe fn get_vec(&self, slot: u16) -> V128 {
        // SAFETY: V7; two slots, and a `V128` needs no alignment.
        unsafe { self.slot(slot).cast::<V128>().read() }
    }

    #[inline(always)]
    pub(super) unsafe fn set_vec(&mut self, slot: u16, value: V128) {
        // SAFETY: V7; two slots, and a `V128` needs no alignment.
        unsafe { self.slot(slot).cast::<V128>().write(value) };
    }

    /// Goes on with the instruction `words` further.
    #[inline(always)]
    pub(super) unsafe fn next(&mut self, words: usize) -> Flow {
        // SAFETY: V7; every function ends in an instruction that does not fall through.
        self.ip = unsafe { self.ip.add(words) };
        Flow::Next
    }

    /// Goes on at a branch offset.
    #[inline(always)]
    pub(super) unsafe fn jump(&mut self, offset: u32) -> Flow {
        // SAFETY: V7; lowering resolved the offset inside the function.
        self.ip = unsafe { self.ip.offset(offset as i32 as isize) };
        Flow::Next
    }

    /// Stops with a trap at this instruction.
    #[inline(always)]
    pub(super) unsafe fn trap(&self, trap: Trap) -> Flow {
        // SAFETY: V7.
        unsafe { stop(self.rt, self.ip, self.fp, self.cx, trap) };
        Flow::Stop
    }

    /// Goes on after a slow path that may have trapped.
    #[inline(always)]
    pub(super) unsafe fn next_or_trap(&mut self, result: Result<(), Trap>, words: usize) -> Flow {
        match result {
            // SAFETY: V7.
            Ok(()) => unsafe { self.next(words) },
            // SAFETY: V7.
            Err(trap) => unsafe { self.trap(trap) },
        }
    }

    /// Reads the base of memory 0 again, after anything that may have moved it.
    #[inline(always)]
    pub(super) unsafe fn reload_memory(&mut self) {
        // SAFETY: V3: a context and the definition of its memory 0 live as long as the store.
        self.mem = unsafe { (*(*self.cx).mem0).base };
    }
}

/// Records why and where guest code stops. Not a Rust-ABI function, so that handlers know it does
/// not unwind and need no landing pad.
#[cold]
#[inline(never)]
unsafe extern "C" fn stop(rt: *mut Rt, ip: *const u64, fp: *mut u64, cx: *mut VmCtx, trap: Trap) {
    // SAFETY: V2: the runtime record lives as long as the store; only its interrupt flag and
    // stack limit, which are atomic, are touched by other threads.
    unsafe {
        (*rt).trap = trap;
        (*rt).exit_ip = ip;
        (*rt).exit_fp = fp;
        (*rt).exit_vmctx = cx;
    }
}
