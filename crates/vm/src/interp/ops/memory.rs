//! Memory: loads, stores, size, growth and bulk operations.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use dunlin_code::Trap;

use super::numeric::{Source, Target, plain};
use crate::builtins;
use crate::interp::access::{Access, Extend, Stored, place};
use crate::interp::regs::{Exec, Flow, Regs, Value};

/// Handler of a load from memory 0; `M` lies in memory, `T` is the result.
pub(in crate::interp) struct Load<M, T, A, S, D>(PhantomData<(M, T, A, S, D)>);

impl<M, T, A, S, D> Exec for Load<M, T, A, S, D>
where
    M: Stored + Extend<T>,
    T: Value,
    A: Access,
    S: Source,
    D: Target,
{
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V5, V7.
        unsafe {
            match A::load::<M>(r, S::operand(r), r.hi(1)) {
                Ok(value) => {
                    D::put(r, value.extend());
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// The two terms of an address.
pub(in crate::interp) trait Sum {
    unsafe fn sum(r: &Regs) -> u32;
}

macro_rules! sums {
    ($($name:ident ($r:ident) $sum:expr;)*) => {$(
        pub(in crate::interp) struct $name;
        impl Sum for $name {
            #[inline(always)]
            unsafe fn sum($r: &Regs) -> u32 {
                // SAFETY: V7.
                unsafe { $sum }
            }
        }
    )*};
}
sums! {
    SumSs (r) r.get::<u32>(r.b()).wrapping_add(r.get(r.c()));
    SumRs (r) (r.acc as u32).wrapping_add(r.get(r.c()));
    SumSi (r) r.get::<u32>(r.b()).wrapping_add(r.hi(2));
    SumRi (r) (r.acc as u32).wrapping_add(r.hi(2));
}

/// Handler of a load from memory 0 at the sum of two terms.
pub(in crate::interp) struct LoadSum<M, T, A, S, D>(PhantomData<(M, T, A, S, D)>);

impl<M, T, A, S, D> Exec for LoadSum<M, T, A, S, D>
where
    M: Stored + Extend<T>,
    T: Value,
    A: Access,
    S: Sum,
    D: Target,
{
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V5, V7.
        unsafe {
            match A::load::<M>(r, S::sum(r), r.lo(2)) {
                Ok(value) => {
                    D::put(r, value.extend());
                    r.next(3)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Handler of a load from any memory.
pub(in crate::interp) struct LoadAny<M, T, D>(PhantomData<(M, T, D)>);

impl<M: Stored + Extend<T>, T: Value, D: Target> Exec for LoadAny<M, T, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V3, V7.
        unsafe {
            match place(r, r.c(), r.get(r.b()), r.word(2), M::SIZE) {
                Ok(at) => {
                    D::put(r, M::read(at).extend());
                    r.next(3)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Where address and value of a store come from.
pub(in crate::interp) trait Stores {
    const WORDS: usize;
    unsafe fn operands<T: Value>(r: &Regs) -> (u32, T);
}

macro_rules! stores {
    ($($name:ident $words:literal ($r:ident) $addr:expr, $value:expr;)*) => {$(
        pub(in crate::interp) struct $name;
        impl Stores for $name {
            const WORDS: usize = $words;
            #[inline(always)]
            #[allow(unused_unsafe, reason = "not every form needs it")]
            unsafe fn operands<T: Value>($r: &Regs) -> (u32, T) {
                // SAFETY: V7.
                unsafe { ($addr, $value) }
            }
        }
    )*};
}
stores! {
    Ss 2 (r) r.get(r.a()), r.get(r.b());
    Rs 2 (r) r.acc as u32, r.get(r.b());
    Sr 2 (r) r.get(r.a()), T::acc(r);
    Rr 2 (r) r.acc as u32, T::acc(r);
    Si 3 (r) r.get(r.a()), T::from_slot(r.word(2));
    Ri 3 (r) r.acc as u32, T::from_slot(r.word(2));
}

/// Handler of a store to memory 0.
pub(in crate::interp) struct Store<M, T, A, F>(PhantomData<(M, T, A, F)>);

impl<M: Stored + Extend<T>, T: Value, A: Access, F: Stores> Exec for Store<M, T, A, F> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V5, V7.
        unsafe {
            let (addr, value) = F::operands::<T>(r);
            match A::store(r, addr, r.hi(1), M::wrap(value)) {
                Ok(()) => r.next(F::WORDS),
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Handler of a store to any memory.
pub(in crate::interp) struct StoreAny<M, T>(PhantomData<(M, T)>);

impl<M: Stored + Extend<T>, T: Value> Exec for StoreAny<M, T> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V3, V7.
        unsafe {
            match place(r, r.c(), r.get(r.a()), r.word(2), M::SIZE) {
                Ok(at) => {
                    M::wrap(r.get::<T>(r.b())).write(at);
                    r.next(3)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

plain! {
    MemorySize(r) {
        let def = *(*r.cx).memories.add(usize::from(r.b()));
        // The strongest order, for what other threads did before they made the memory larger.
        let pages = (*def).len.load(Ordering::SeqCst) >> r.hi(1);
        r.set(r.a(), pages);
        r.next(2)
    }
    MemoryGrow(r) {
        let at = r.slot(r.a());
        let grown = builtins::memory_grow(r.cx, u32::from(r.b()), *at);
        let Some(old) = builtins::grow_result(grown, r.c() == 1) else {
            return r.trap(Trap::LimitExceeded);
        };
        at.write(old);
        r.reload_memory();
        r.next(2)
    }
    MemoryFill(r) {
        let at = r.slot(r.a());
        let (dst, value, len) = (*at, *at.add(1), *at.add(2));
        let done = builtins::memory_fill(r.cx, u32::from(r.b()), dst, value as u8, len);
        r.next_or_trap(done, 2)
    }
    MemoryCopy(r) {
        let at = r.slot(r.a());
        let (dst, src, len) = (*at, *at.add(1), *at.add(2));
        let (to, from) = (u32::from(r.b()), u32::from(r.c()));
        let done = builtins::memory_copy(r.cx, to, from, dst, src, len);
        r.next_or_trap(done, 2)
    }
    MemoryInit(r) {
        let at = r.slot(r.a());
        let (dst, src, len) = (*at, *at.add(1), *at.add(2));
        let done = builtins::memory_init(r.cx, r.hi(1), u32::from(r.b()), dst, src, len);
        r.next_or_trap(done, 2)
    }
    DataDrop(r) {
        builtins::data_drop(r.cx, r.hi(1));
        r.next(2)
    }
}
