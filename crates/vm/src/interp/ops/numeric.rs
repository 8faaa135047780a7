//! Numbers: binary and unary instructions, `select`, constants, copies.

use std::marker::PhantomData;

use dunlin_code::{Trap, sem};

use crate::interp::regs::{Exec, Flow, Outcome, Regs, Value};

/// A binary instruction's function.
pub(in crate::interp) trait Binary {
    type Operand: Value;
    type Result: Value;
    fn apply(a: Self::Operand, b: Self::Operand) -> Result<Self::Result, Trap>;
}

/// A unary instruction's function.
pub(in crate::interp) trait Unary {
    type Operand: Value;
    type Result: Value;
    fn apply(a: Self::Operand) -> Result<Self::Result, Trap>;
}

/// One type per binary instruction.
pub(in crate::interp) mod binary {
    use super::{Binary, Outcome, Trap, sem};

    macro_rules! rows {
        ($($name:ident $fun:ident $operand:ty, $result:ty;)*) => {$(
            pub(in crate::interp) struct $name;
            impl Binary for $name {
                type Operand = $operand;
                type Result = $result;
                #[inline(always)]
                fn apply(a: $operand, b: $operand) -> Result<$result, Trap> {
                    sem::$fun(a, b).outcome()
                }
            }
        )*};
    }
    macro_rules! list {
        ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
            rows! { $($name $fun $operand, $result;)* }
        };
    }
    dunlin_code::for_each_bin_op!(list);
}

/// One type per unary instruction.
pub(in crate::interp) mod unary {
    use super::{Outcome, Trap, Unary, sem};

    macro_rules! rows {
        ($($name:ident $fun:ident $operand:ty, $result:ty;)*) => {$(
            pub(in crate::interp) struct $name;
            impl Unary for $name {
                type Operand = $operand;
                type Result = $result;
                #[inline(always)]
                fn apply(a: $operand) -> Result<$result, Trap> {
                    sem::$fun(a).outcome()
                }
            }
        )*};
    }
    macro_rules! list {
        ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
            rows! { $($name $fun $operand, $result;)* }
        };
    }
    dunlin_code::for_each_un_op!(list);
}

/// Where the operands of a binary instruction come from; the letters as in `code::op`.
pub(in crate::interp) trait Operands {
    const IMMEDIATE: bool;
    unsafe fn operands<T: Value>(r: &Regs) -> (T, T);
}

/// The immediate of a binary instruction.
#[inline(always)]
unsafe fn immediate<T: Value>(r: &Regs) -> T {
    // SAFETY: V7: wide immediates have a word of their own, others the upper half of the first.
    T::from_slot(unsafe { if T::WIDE { r.word(2) } else { u64::from(r.hi(1)) } })
}

macro_rules! operands {
    ($($name:ident $immediate:literal ($r:ident) $a:expr, $b:expr;)*) => {$(
        pub(in crate::interp) struct $name;
        impl Operands for $name {
            const IMMEDIATE: bool = $immediate;
            #[inline(always)]
            unsafe fn operands<T: Value>($r: &Regs) -> (T, T) {
                // SAFETY: V7.
                unsafe { ($a, $b) }
            }
        }
    )*};
}
operands! {
    Ss false (r) r.get(r.b()), r.get(r.c());
    Rs false (r) T::acc(r), r.get(r.c());
    Sr false (r) r.get(r.b()), T::acc(r);
    Si true (r) r.get(r.b()), immediate(r);
    Ri true (r) T::acc(r), immediate(r);
    Is true (r) immediate(r), r.get(r.b());
    Ir true (r) immediate(r), T::acc(r);
}

/// Where a single operand comes from.
pub(in crate::interp) trait Source {
    /// Whether that is a slot.
    const SLOT: bool;
    unsafe fn operand<T: Value>(r: &Regs) -> T;
}

/// From the accumulator.
pub(in crate::interp) struct FromAcc;
impl Source for FromAcc {
    const SLOT: bool = false;
    #[inline(always)]
    unsafe fn operand<T: Value>(r: &Regs) -> T {
        T::acc(r)
    }
}

/// From slot b.
pub(in crate::interp) struct FromSlot;
impl Source for FromSlot {
    const SLOT: bool = true;
    #[inline(always)]
    unsafe fn operand<T: Value>(r: &Regs) -> T {
        // SAFETY: V7.
        unsafe { r.get(r.b()) }
    }
}

/// Where a result goes.
pub(in crate::interp) trait Target {
    unsafe fn put<T: Value>(r: &mut Regs, value: T);
}

/// To the accumulator.
pub(in crate::interp) struct ToAcc;
impl Target for ToAcc {
    #[inline(always)]
    unsafe fn put<T: Value>(r: &mut Regs, value: T) {
        value.set_acc(r);
    }
}

/// To the accumulator and slot a.
pub(in crate::interp) struct ToSlot;
impl Target for ToSlot {
    #[inline(always)]
    unsafe fn put<T: Value>(r: &mut Regs, value: T) {
        // SAFETY: V7.
        unsafe { r.set(r.a(), value) };
        value.set_acc(r);
    }
}

/// Handler of a binary instruction.
pub(in crate::interp) struct Bin<O, F, D>(PhantomData<(O, F, D)>);

impl<O: Binary, F: Operands, D: Target> Exec for Bin<O, F, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            let (a, b) = F::operands::<O::Operand>(r);
            match O::apply(a, b) {
                Ok(value) => {
                    D::put(r, value);
                    r.next(if F::IMMEDIATE && O::Operand::WIDE { 3 } else { 2 })
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Handler of a unary instruction.
pub(in crate::interp) struct Un<O, S, D>(PhantomData<(O, S, D)>);

impl<O: Unary, S: Source, D: Target> Exec for Un<O, S, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            match O::apply(S::operand(r)) {
                Ok(value) => {
                    D::put(r, value);
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// A multiplication and what follows it.
pub(in crate::interp) trait Fusion {
    type Value: Value;
    fn apply(a: Self::Value, b: Self::Value, term: Self::Value) -> Self::Value;
}

/// One type per fused instruction.
pub(in crate::interp) mod fusion {
    use super::{Fusion, sem};

    macro_rules! rows {
        ($($name:ident $ty:ident $mul:ident $then:ident,)*) => {$(
            pub(in crate::interp) struct $name;
            impl Fusion for $name {
                type Value = $ty;
                #[inline(always)]
                fn apply(a: $ty, b: $ty, term: $ty) -> $ty {
                    // Two roundings, as the two instructions have.
                    sem::$then(term, sem::$mul(a, b))
                }
            }
        )*};
    }
    dunlin_code::for_each_fused_op!(rows);
}

/// Handler of a fused instruction; `ACC` if the first factor is in the accumulator.
pub(in crate::interp) struct Fused<O, D, const ACC: bool>(PhantomData<(O, D)>);

impl<O: Fusion, D: Target, const ACC: bool> Exec for Fused<O, D, ACC> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            let a = if ACC { O::Value::acc(r) } else { r.get(r.b()) };
            let value = O::apply(a, r.get(r.c()), r.get(r.d()));
            D::put(r, value);
            r.next(2)
        }
    }
}

/// Handler of `select` on one-slot values read as `T`.
pub(in crate::interp) struct Select<T, S, D>(PhantomData<(T, S, D)>);

impl<T: Value, S: Source, D: Target> Exec for Select<T, S, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7.
        unsafe {
            let first: T = r.get(r.c());
            let second: T = r.get(r.d());
            let condition: u32 = S::operand(r);
            D::put(r, if condition != 0 { first } else { second });
            r.next(2)
        }
    }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident($r:ident) $body:block)*) => {$(
        $(#[$doc])*
        pub(in crate::interp) struct $name;
        impl Exec for $name {
            #[inline(always)]
            #[allow(unused_unsafe, reason = "not every body needs it")]
            unsafe fn exec($r: &mut Regs) -> Flow {
                // SAFETY: V7: the operands are those of this op, with slots in the frame.
                unsafe { $body }
            }
        }
    )*};
}
pub(in crate::interp) use plain;

plain! {
    Copy(r) {
        let value: u64 = r.get(r.b());
        r.set(r.a(), value);
        r.next(2)
    }
    Copy2(r) {
        let first: u64 = r.get(r.b());
        r.set(r.a(), first);
        let second: u64 = r.get(r.d());
        r.set(r.c(), second);
        r.next(2)
    }
    CopyWide(r) {
        *r.fp.add(r.lo(1) as usize) = *r.fp.add(r.hi(1) as usize);
        r.next(2)
    }
    CopySpan(r) {
        let (dst, src) = (r.fp.add(r.lo(1) as usize), r.fp.add(r.hi(1) as usize));
        std::ptr::copy(src, dst, r.lo(2) as usize);
        r.next(3)
    }
    Const32(r) {
        let value = u64::from(r.hi(1));
        r.set(r.a(), value);
        r.next(2)
    }
    Const64(r) {
        let value = r.word(2);
        r.set(r.a(), value);
        r.next(3)
    }
    ConstVec(r) {
        let value = u128::from(r.word(2)) | u128::from(r.word(3)) << 64;
        r.set_vec(r.a(), value.into());
        r.next(4)
    }
    CanonF32(r) {
        r.single = sem::f32_canonical(r.single);
        r.next(2)
    }
    CanonF32Slot(r) {
        r.single = sem::f32_canonical(r.single);
        r.set(r.a(), r.single);
        r.next(2)
    }
    CanonF64(r) {
        r.double = sem::f64_canonical(r.double);
        r.next(2)
    }
    CanonF64Slot(r) {
        r.double = sem::f64_canonical(r.double);
        r.set(r.a(), r.double);
        r.next(2)
    }
    CanonF32x4(r) {
        let value = sem::f32x4_canonical(r.get_vec(r.b()));
        r.set_vec(r.a(), value);
        r.next(2)
    }
    CanonF64x2(r) {
        let value = sem::f64x2_canonical(r.get_vec(r.b()));
        r.set_vec(r.a(), value);
        r.next(2)
    }
    SpillInt(r) {
        *r.fp.add(r.lo(1) as usize) = r.acc;
        r.next(2)
    }
    SpillF32(r) {
        *r.fp.add(r.lo(1) as usize) = r.single.to_slot();
        r.next(2)
    }
    SpillF64(r) {
        *r.fp.add(r.lo(1) as usize) = r.double.to_slot();
        r.next(2)
    }
    SelectVec(r) {
        let condition: u32 = r.get(r.b());
        let (first, second) = (r.get_vec(r.c()), r.get_vec(r.d()));
        r.set_vec(r.a(), if condition != 0 { first } else { second });
        r.next(2)
    }
    I64Add128(r) {
        let at = r.slot(r.a());
        let (lo, hi) = sem::i64_add128(*at, *at.add(1), *at.add(2), *at.add(3));
        at.write(lo);
        at.add(1).write(hi);
        r.next(2)
    }
    I64Sub128(r) {
        let at = r.slot(r.a());
        let (lo, hi) = sem::i64_sub128(*at, *at.add(1), *at.add(2), *at.add(3));
        at.write(lo);
        at.add(1).write(hi);
        r.next(2)
    }
    I64MulWideS(r) {
        let at = r.slot(r.a());
        let (lo, hi) = sem::i64_mul_wide_s(*at, *at.add(1));
        at.write(lo);
        at.add(1).write(hi);
        r.next(2)
    }
    I64MulWideU(r) {
        let at = r.slot(r.a());
        let (lo, hi) = sem::i64_mul_wide_u(*at, *at.add(1));
        at.write(lo);
        at.add(1).write(hi);
        r.next(2)
    }
}
