//! Atomics: accesses, fence, wait and notify.
//!
//! Their addresses must be multiples of their size, and are always compared with the memory's length.
//! The guest's accesses may overlap each other with different sizes, and with plain ones; what Rust
//! does not define there, the processors we run on do.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

use dunlin_code::Trap;

use super::numeric::plain;
use crate::builtins;
use crate::interp::access;
use crate::interp::regs::{Exec, Flow, Regs};

/// A number as it lies in memory, little-endian, and what is done to it in one step.
///
/// All functions but `try_from_slot` are unsafe: there are that many bytes at `at`, aligned.
trait Cell: Copy {
    const SIZE: u64;
    /// The number, if it is not too large.
    fn try_from_slot(slot: u64) -> Option<Self>;
    unsafe fn load(at: *mut u8) -> Self;
    unsafe fn store(at: *mut u8, value: Self);
    unsafe fn add(at: *mut u8, value: Self) -> Self;
    unsafe fn sub(at: *mut u8, value: Self) -> Self;
    unsafe fn and(at: *mut u8, value: Self) -> Self;
    unsafe fn or(at: *mut u8, value: Self) -> Self;
    unsafe fn xor(at: *mut u8, value: Self) -> Self;
    unsafe fn xchg(at: *mut u8, value: Self) -> Self;
    unsafe fn cmpxchg(at: *mut u8, expected: Self, value: Self) -> Self;
}

macro_rules! cell {
    (@rmw $ty:ty, $atomic:ty: $($name:ident $native:ident ($a:ident, $b:ident) $pure:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name(at: *mut u8, value: $ty) -> $ty {
            // SAFETY: aligned and inside the memory (caller); V12.
            let cell = unsafe { <$atomic>::from_ptr(at.cast()) };
            if cfg!(target_endian = "little") {
                return cell.$native(value, Ordering::SeqCst);
            }
            let change = |old: $ty| {
                let ($a, $b) = (<$ty>::from_le(old), value);
                Some(($pure as $ty).to_le())
            };
            // The closure always gives a value, so that the update never fails.
            let done = cell.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
            <$ty>::from_le(done.unwrap_or_else(|old| old))
        }
    )*};
    ($ty:ty, $atomic:ty) => {
        impl Cell for $ty {
            const SIZE: u64 = size_of::<$ty>() as u64;
            #[inline(always)]
            fn try_from_slot(slot: u64) -> Option<$ty> {
                <$ty>::try_from(slot).ok()
            }
            #[inline(always)]
            unsafe fn load(at: *mut u8) -> $ty {
                // SAFETY: aligned and inside the memory (caller); V12.
                <$ty>::from_le(unsafe { <$atomic>::from_ptr(at.cast()) }.load(Ordering::SeqCst))
            }
            #[inline(always)]
            unsafe fn store(at: *mut u8, value: $ty) {
                // SAFETY: aligned and inside the memory (caller); V12.
                unsafe { <$atomic>::from_ptr(at.cast()) }.store(value.to_le(), Ordering::SeqCst);
            }
            #[inline(always)]
            unsafe fn cmpxchg(at: *mut u8, expected: $ty, value: $ty) -> $ty {
                // SAFETY: aligned and inside the memory (caller); V12.
                let cell = unsafe { <$atomic>::from_ptr(at.cast()) };
                let (expected, value) = (expected.to_le(), value.to_le());
                let order = Ordering::SeqCst;
                let found = cell.compare_exchange(expected, value, order, order);
                <$ty>::from_le(found.unwrap_or_else(|found| found))
            }
            cell! { @rmw $ty, $atomic:
                add fetch_add (a, b) a.wrapping_add(b);
                sub fetch_sub (a, b) a.wrapping_sub(b);
                and fetch_and (a, b) a & b;
                or fetch_or (a, b) a | b;
                xor fetch_xor (a, b) a ^ b;
                xchg swap (_a, b) b;
            }
        }
    };
}
cell!(u8, AtomicU8);
cell!(u16, AtomicU16);
cell!(u32, AtomicU32);
cell!(u64, AtomicU64);

/// The checked address of an access of `size` bytes: slot a plus the second word, in memory b.
#[inline(always)]
unsafe fn address(r: &Regs, size: u64) -> Result<*mut u8, Trap> {
    // SAFETY: V3, V7.
    unsafe {
        let (addr, offset): (u64, u64) = (r.get(r.a()), r.word(2));
        if addr.wrapping_add(offset) & (size - 1) != 0 {
            return Err(Trap::UnalignedAtomic);
        }
        Ok(access::place(r, r.b(), addr, offset, size)?.address())
    }
}

/// What is done at a checked address. Integers in slots are zero-extended: what was read is the
/// result as it is, and of an operand the low bits are written.
macro_rules! act {
    (Load $r:ident $at:ident $memory:ident $fun:ident) => {{
        let value = u64::from($memory::$fun($at));
        $r.set($r.a(), value);
    }};
    (Store $r:ident $at:ident $memory:ident $fun:ident) => {
        $memory::$fun($at, $r.get::<u64>($r.a() + 1) as $memory)
    };
    (Rmw $r:ident $at:ident $memory:ident $fun:ident) => {{
        let old = u64::from($memory::$fun($at, $r.get::<u64>($r.a() + 1) as $memory));
        $r.set($r.a(), old);
    }};
    (Cmpxchg $r:ident $at:ident $memory:ident $fun:ident) => {{
        let value = $r.get::<u64>($r.a() + 2) as $memory;
        // What is too large for the memory is compared whole, and so never found.
        let old = match $memory::try_from_slot($r.get($r.a() + 1)) {
            Some(expected) => $memory::$fun($at, expected, value),
            None => $memory::load($at),
        };
        $r.set($r.a(), u64::from(old));
    }};
}

macro_rules! handlers {
    ($($name:ident $shape:ident $memory:ident $value:ident $fun:ident,)*) => {$(
        pub(in crate::interp) struct $name;
        impl Exec for $name {
            #[inline(always)]
            unsafe fn exec(r: &mut Regs) -> Flow {
                // SAFETY: V3, V7: operands are in the slots from a on; the address is checked.
                unsafe {
                    match address(r, $memory::SIZE) {
                        Ok(at) => {
                            act!($shape r at $memory $fun);
                            r.next(3)
                        }
                        Err(trap) => r.trap(trap),
                    }
                }
            }
        }
    )*};
}
dunlin_code::for_each_atomic_op!(handlers);

plain! {
    AtomicFence(r) {
        fence(Ordering::SeqCst);
        r.next(2)
    }
    MemoryAtomicNotify(r) {
        let at = r.slot(r.a());
        let done = builtins::memory_notify(r.cx, u32::from(r.b()), r.word(2), at);
        r.next_or_trap(done, 3)
    }
    MemoryAtomicWait32(r) {
        let at = r.slot(r.a());
        let done = builtins::memory_wait(r.cx, u32::from(r.b()), r.word(2), at, false);
        r.next_or_trap(done, 3)
    }
    MemoryAtomicWait64(r) {
        let at = r.slot(r.a());
        let done = builtins::memory_wait(r.cx, u32::from(r.b()), r.word(2), at, true);
        r.next_or_trap(done, 3)
    }
}
