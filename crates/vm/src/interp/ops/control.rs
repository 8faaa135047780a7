//! Control: branches, tables, returns, fuel, traps.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use dunlin_code::{Trap, sem};

use super::call::take_result;
use super::exception::{land, mark_place};
use super::numeric::plain;
use crate::builtins;
use crate::interp::regs::{Exec, Flow, Regs, Value};
use crate::native::{self, EnterCode, Entered};
use crate::tiers::sample;
use crate::vmctx::FrameHeader;

/// A comparison that decides a branch.
pub(in crate::interp) trait Compare {
    type Operand: Value;
    fn taken(a: Self::Operand, b: Self::Operand) -> bool;
}

/// One type per comparison.
pub(in crate::interp) mod compare {
    use super::{Compare, sem};

    /// The comparison of `i32.and` and `br_if`.
    #[inline(always)]
    fn i32_and_nz(a: u32, b: u32) -> bool {
        a & b != 0
    }

    macro_rules! fun {
        (i32_and_nz) => {
            i32_and_nz
        };
        ($fun:ident) => {
            sem::$fun
        };
    }
    macro_rules! rows {
        ($($name:ident $fun:ident $operand:ty, $when:literal;)*) => {$(
            pub(in crate::interp) struct $name;
            impl Compare for $name {
                type Operand = $operand;
                #[inline(always)]
                fn taken(a: $operand, b: $operand) -> bool {
                    fun!($fun)(a, b) == $when
                }
            }
        )*};
    }
    macro_rules! list {
        ($($name:ident $fun:ident $operand:tt $when:tt,)*) => {
            rows! { $($name $fun $operand, $when;)* }
        };
    }
    dunlin_code::for_each_br_op!(list);
}

/// Where the operands of a compare-and-branch come from.
pub(in crate::interp) trait Compared {
    const WORDS: usize;
    unsafe fn operands<T: Value>(r: &Regs) -> (T, T);
}

macro_rules! compared {
    ($($name:ident $words:literal ($r:ident) $a:expr, $b:expr;)*) => {$(
        pub(in crate::interp) struct $name;
        impl Compared for $name {
            const WORDS: usize = $words;
            #[inline(always)]
            unsafe fn operands<T: Value>($r: &Regs) -> (T, T) {
                // SAFETY: V7.
                unsafe { ($a, $b) }
            }
        }
    )*};
}
compared! {
    Ss 2 (r) r.get(r.a()), r.get(r.b());
    Rs 2 (r) T::acc(r), r.get(r.b());
    Si 3 (r) r.get(r.a()), T::from_slot(r.word(2));
    Ri 3 (r) T::acc(r), T::from_slot(r.word(2));
}

/// Handler of a compare-and-branch; `BACK` looks at the interrupt word when it is taken.
pub(in crate::interp) struct Branch<O, F, const BACK: bool>(PhantomData<(O, F)>);

impl<O: Compare, F: Compared, const BACK: bool> Exec for Branch<O, F, BACK> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            let (a, b) = F::operands::<O::Operand>(r);
            if !O::taken(a, b) {
                return r.next(F::WORDS);
            }
            if BACK { jump_back(r) } else { r.jump(r.hi(1)) }
        }
    }
}

/// Says that whoever calls this rarely gets there.
#[cold]
#[inline]
fn unlikely() {}

/// Jumps back, unless the guest shall stop or go on in native code.
#[inline(always)]
unsafe fn jump_back(r: &mut Regs) -> Flow {
    // SAFETY: V7.
    unsafe {
        if (*r.rt).interrupt.load(Ordering::Relaxed) != 0 {
            unlikely();
            // By an instruction of its own, so that branches need no native frame.
            mark_place(r);
            r.ip = (*r.rt).look;
            return Flow::Next;
        }
        r.jump(r.hi(1))
    }
}

/// Handler of a step: an increment, and a branch back that compares the sum with a slot, or with an
/// immediate if `IMMEDIATE`.
pub(in crate::interp) struct Step<O, const IMMEDIATE: bool>(PhantomData<O>);

impl<O: Compare<Operand = u32>, const IMMEDIATE: bool> Exec for Step<O, IMMEDIATE> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            let sum = r.get::<u32>(r.b()).wrapping_add(r.lo(2));
            r.set(r.a(), sum);
            sum.set_acc(r);
            let rhs = if IMMEDIATE { r.hi(2) } else { r.get(r.hi(2) as u16) };
            if !O::taken(sum, rhs) {
                return r.next(3);
            }
            jump_back(r)
        }
    }
}

/// Pops the frame whose header is at slot `header`, and goes on where the caller left off.
#[inline(always)]
unsafe fn leave_frame(r: &mut Regs, header: u32) -> Flow {
    // SAFETY: V6: the header was written on entry and no instruction names its slots.
    unsafe {
        let header = r.fp.add(header as usize).cast::<FrameHeader>();
        r.ip = (*header).ip;
        r.cx = (*header).vmctx;
        r.fp = (*header).fp;
        r.reload_memory();
    }
    Flow::Next
}

/// Returns one value: to slot 0 and in its accumulator.
#[inline(always)]
unsafe fn return_value<T: Value>(r: &mut Regs, value: T) -> Flow {
    // SAFETY: V7; slot 0 is the first result.
    unsafe {
        *r.fp = value.to_slot();
        value.set_acc(r);
        leave_frame(r, r.hi(1))
    }
}

/// Jumps to entry `index` of the table behind the instruction, or to the last.
#[inline(always)]
unsafe fn jump_by_table(r: &mut Regs, index: u32) -> Flow {
    // SAFETY: V7: the table has `last + 1` entries after the first operand word.
    unsafe {
        let entry = index.min(r.hi(1)) as usize;
        let table = r.ip.add(2);
        let word = *table.add(entry / 2);
        let offset = if entry.is_multiple_of(2) { word as u32 } else { (word >> 32) as u32 };
        r.jump(offset)
    }
}

plain! {
    Return(r) { leave_frame(r, r.hi(1)) }
    ReturnIntR(r) { return_value(r, r.acc) }
    ReturnIntS(r) { return_value(r, r.get::<u64>(r.a())) }
    ReturnF32R(r) { return_value(r, r.single) }
    ReturnF32S(r) { return_value(r, r.get::<f32>(r.a())) }
    ReturnF64R(r) { return_value(r, r.double) }
    ReturnF64S(r) { return_value(r, r.get::<f64>(r.a())) }
    ReturnSpan(r) {
        // The results may reach over the header: read it first.
        let header = r.fp.add(r.lo(2) as usize).cast::<FrameHeader>().read();
        let (from, count) = (r.fp.add(r.lo(1) as usize), r.hi(1) as usize);
        std::ptr::copy(from, r.fp, count);
        r.ip = header.ip;
        r.cx = header.vmctx;
        r.fp = header.fp;
        r.reload_memory();
        Flow::Next
    }
    BrFwd(r) { r.jump(r.hi(1)) }
    BrBack(r) { jump_back(r) }
    BrTableR(r) { jump_by_table(r, r.acc as u32) }
    BrTableS(r) { jump_by_table(r, r.get(r.a())) }
    TrapNow(r) {
        let code = r.hi(1) as usize;
        r.trap(Trap::ALL.get(code).copied().unwrap_or(Trap::Bug))
    }
    Fuel(r) {
        let left = (*r.rt).fuel - i64::from(r.hi(1));
        (*r.rt).fuel = left;
        if left < 0 && !builtins::refuel(r.rt) {
            return r.trap(Trap::OutOfFuel);
        }
        r.next(2)
    }
    EnterNative(r) {
        match native::enter(r.rt, r.ip, r.fp, r.cx) {
            Entered::Returned => {
                take_result(r, r.fp);
                leave_frame(r, (*(r.word(1) as *const EnterCode)).header_slot)
            }
            Entered::Interpret => {
                r.ip = (*(r.word(1) as *const EnterCode)).interpreted;
                Flow::Next
            }
            Entered::Landed => land(r, Ok(())),
            Entered::Stopped => Flow::Stop,
        }
    }
    Look(r) {
        let looked = sample::back_edge(r.rt);
        // Native code may have run to the end of the function, and left its result in the frame. If it
        // did not, nothing is in accumulators at the header of a loop.
        take_result(r, r.fp);
        land(r, looked)
    }
    Exit(_r) { Flow::Done }
}
