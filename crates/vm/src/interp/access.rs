//! Guest memory: how handlers read and write it.
//!
//! [`Guarded`] accesses memory 0 of guard kind without a check: a 32-bit address plus a 32-bit
//! offset cannot leave its reservation, and beyond the memory's end the access faults. The fault must
//! not happen in a Rust load or store, so the access is one instruction of inline assembly, whose
//! address is put into a table (section `dunlin_guest_access`). The fault handler looks it up there
//! and goes on at the landing pad with `ip`, `fp` and `cx` in the registers they are pinned to.
//!
//! [`Checked`] and the functions for any memory compare with the memory's length first.
//!
//! Other threads may access a shared memory at the same time. So bytes are never accessed by Rust
//! loads and stores but by instructions the compiler does not look into, or by relaxed atomics
//! (`memory::racy`); that costs nothing, and serves memories of both sorts.

use dunlin_code::Trap;
use dunlin_code::sem::V128;

use super::regs::{Regs, Value};
use crate::memory::racy;

/// Checked bytes of a memory.
#[derive(Clone, Copy)]
pub(super) struct Place {
    base: *mut u8,
    at: usize,
}

impl Place {
    /// The address of the first byte.
    #[inline(always)]
    pub(super) fn address(self) -> *mut u8 {
        self.base.wrapping_add(self.at)
    }
}

/// Reads sixteen bytes.
///
/// # Safety
///
/// V3, V12: the place was checked for sixteen bytes.
#[inline(always)]
pub(super) unsafe fn read_vec(place: Place) -> V128 {
    // SAFETY: as for this function.
    V128::from_le_bytes(unsafe { racy::load_block(place.address()) })
}

/// Writes sixteen bytes.
///
/// # Safety
///
/// V3, V12: the place was checked for sixteen bytes.
#[inline(always)]
pub(super) unsafe fn write_vec(place: Place, value: V128) {
    // SAFETY: as for this function.
    unsafe { racy::store_block(place.address(), value.to_le_bytes()) }
}

/// Reads eight bytes to the low half of a vector, without a detour through an integer, after which
/// the compiler would make all that follows scalar.
///
/// # Safety
///
/// V3, V12: the place was checked for eight bytes.
#[inline(always)]
pub(super) unsafe fn read_low(place: Place) -> V128 {
    #[cfg(not(dunlin_portable))]
    {
        let value: std::arch::x86_64::__m128i;
        // SAFETY: as for this function; all bits make a `__m128i`, and any bytes.
        let bytes: [u8; 16] = unsafe {
            std::arch::asm!(
                "movq {value}, qword ptr [{base} + {at}]",
                value = out(xmm_reg) value,
                base = in(reg) place.base,
                at = in(reg) place.at,
                options(nostack, preserves_flags, readonly),
            );
            std::mem::transmute(value)
        };
        V128::from_le_bytes(bytes)
    }
    #[cfg(dunlin_portable)]
    {
        let mut bytes = [0; 16];
        // SAFETY: as for this function.
        bytes[..8].copy_from_slice(&unsafe { racy::portable::load::<8>(place.address()) });
        V128::from_le_bytes(bytes)
    }
}

/// A type as it lies in memory, little-endian.
pub(super) trait Stored: Copy {
    const SIZE: u64;
    /// Reads from a place that was checked for the size.
    unsafe fn read(place: Place) -> Self;
    /// Writes to a place that was checked for the size.
    unsafe fn write(self, place: Place);
    /// Reads with the one instruction that may fault.
    #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
    unsafe fn read_guarded(r: &Regs, at: u64) -> Self;
    /// Writes with the one instruction that may fault.
    #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
    unsafe fn write_guarded(self, r: &Regs, at: u64);
}

/// Runs one instruction on guest memory and records its address. The section is marked to be
/// retained (`R`), since linkers that collect garbage see no use of its entries.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
macro_rules! guest {
    ($instruction:expr, $r:ident, $at:ident, $($operand:tt)*) => {
        std::arch::asm!(
            concat!("2: ", $instruction),
            ".pushsection dunlin_guest_access, \"aR\", @progbits",
            ".balign 4",
            ".long 2b - .",
            ".popsection",
            $($operand)*,
            base = in(reg) $r.mem,
            at = in(reg) $at,
            in("rdi") $r.ip,
            in("rsi") $r.fp,
            in("rdx") $r.cx,
            options(nostack, preserves_flags),
        )
    };
}

/// An instruction's mnemonic and register for each type, and the type of that register.
macro_rules! stored {
    ($ty:ty, $size:literal, $load:literal, $wide:ty, $store:literal, $from:literal, $class:ident) => {
        impl Stored for $ty {
            const SIZE: u64 = $size;
            #[cfg(not(dunlin_portable))]
            #[inline(always)]
            unsafe fn read(place: Place) -> Self {
                let value: $wide;
                // SAFETY: V3, V12: the caller checked the place.
                unsafe {
                    std::arch::asm!(
                        concat!($load, " [{base} + {at}]"),
                        value = out($class) value,
                        base = in(reg) place.base,
                        at = in(reg) place.at,
                        options(nostack, preserves_flags, readonly),
                    );
                }
                value as $ty
            }
            #[cfg(not(dunlin_portable))]
            #[inline(always)]
            unsafe fn write(self, place: Place) {
                // SAFETY: V3, V12: the caller checked the place.
                unsafe {
                    std::arch::asm!(
                        concat!($store, " [{base} + {at}], ", $from),
                        value = in($class) self as $wide,
                        base = in(reg) place.base,
                        at = in(reg) place.at,
                        options(nostack, preserves_flags),
                    );
                }
            }
            #[cfg(dunlin_portable)]
            #[inline(always)]
            unsafe fn read(place: Place) -> Self {
                // SAFETY: V3, V12: the caller checked the place.
                <$ty>::from_le_bytes(unsafe { racy::portable::load(place.address()) })
            }
            #[cfg(dunlin_portable)]
            #[inline(always)]
            unsafe fn write(self, place: Place) {
                // SAFETY: V3, V12: the caller checked the place.
                unsafe { racy::portable::store(place.address(), self.to_le_bytes()) }
            }
            #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn read_guarded(r: &Regs, at: u64) -> Self {
                let value: $wide;
                // SAFETY: V5: the address is inside the reservation of memory 0, so that the
                // instruction reads guest memory or faults, which ends at the landing pad.
                unsafe {
                    guest!(concat!($load, " [{base} + {at}]"), r, at, value = out($class) value)
                };
                value as $ty
            }
            #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn write_guarded(self, r: &Regs, at: u64) {
                // SAFETY: V5, as for reading.
                unsafe {
                    guest!(
                        concat!($store, " [{base} + {at}], ", $from),
                        r,
                        at,
                        value = in($class) self as $wide
                    )
                }
            }
        }
    };
}

stored!(u8, 1, "movzx {value:e}, byte ptr", u32, "mov byte ptr", "{value:l}", reg);
stored!(i8, 1, "movsx {value:r}, byte ptr", i64, "mov byte ptr", "{value:l}", reg);
stored!(u16, 2, "movzx {value:e}, word ptr", u32, "mov word ptr", "{value:x}", reg);
stored!(i16, 2, "movsx {value:r}, word ptr", i64, "mov word ptr", "{value:x}", reg);
stored!(u32, 4, "mov {value:e}, dword ptr", u32, "mov dword ptr", "{value:e}", reg);
stored!(i32, 4, "movsxd {value:r}, dword ptr", i64, "mov dword ptr", "{value:e}", reg);
stored!(u64, 8, "mov {value:r}, qword ptr", u64, "mov qword ptr", "{value:r}", reg);
stored!(f32, 4, "movss {value}, dword ptr", f32, "movss dword ptr", "{value}", xmm_reg);
stored!(f64, 8, "movsd {value}, qword ptr", f64, "movsd qword ptr", "{value}", xmm_reg);

/// How memory 0 with 32-bit addresses is accessed.
pub(super) trait Access {
    unsafe fn load<M: Stored>(r: &Regs, addr: u32, offset: u32) -> Result<M, Trap>;
    unsafe fn store<M: Stored>(r: &Regs, addr: u32, offset: u32, value: M) -> Result<(), Trap>;
}

/// Memories of guard kind.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
pub(super) struct Guarded;

#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
impl Access for Guarded {
    #[inline(always)]
    unsafe fn load<M: Stored>(r: &Regs, addr: u32, offset: u32) -> Result<M, Trap> {
        // SAFETY: V5.
        Ok(unsafe { M::read_guarded(r, u64::from(addr) + u64::from(offset)) })
    }

    #[inline(always)]
    unsafe fn store<M: Stored>(r: &Regs, addr: u32, offset: u32, value: M) -> Result<(), Trap> {
        // SAFETY: V5.
        unsafe { value.write_guarded(r, u64::from(addr) + u64::from(offset)) };
        Ok(())
    }
}

/// Memories of compact kind.
pub(super) struct Checked;

impl Access for Checked {
    #[inline(always)]
    unsafe fn load<M: Stored>(r: &Regs, addr: u32, offset: u32) -> Result<M, Trap> {
        // SAFETY: V3; the comparison cannot wrap: both are 32-bit values.
        unsafe {
            let at = u64::from(addr) + u64::from(offset);
            if at + M::SIZE > (*(*r.cx).mem0).byte_len() {
                return Err(Trap::MemoryOutOfBounds);
            }
            Ok(M::read(Place { base: r.mem, at: at as usize }))
        }
    }

    #[inline(always)]
    unsafe fn store<M: Stored>(r: &Regs, addr: u32, offset: u32, value: M) -> Result<(), Trap> {
        // SAFETY: V3; the comparison cannot wrap: both are 32-bit values.
        unsafe {
            let at = u64::from(addr) + u64::from(offset);
            if at + M::SIZE > (*(*r.cx).mem0).byte_len() {
                return Err(Trap::MemoryOutOfBounds);
            }
            value.write(Place { base: r.mem, at: at as usize });
            Ok(())
        }
    }
}

/// The place of `size` bytes in any memory, checked.
#[inline(always)]
pub(super) unsafe fn place(
    r: &Regs,
    memory: u16,
    addr: u64,
    offset: u64,
    size: u64,
) -> Result<Place, Trap> {
    // SAFETY: V3: the memory index was validated, its definition lives as long as the store.
    let def = unsafe { &**(*r.cx).memories.add(usize::from(memory)) };
    let at = addr.checked_add(offset).ok_or(Trap::MemoryOutOfBounds)?;
    match at.checked_add(size) {
        Some(end) if end <= def.byte_len() => Ok(Place { base: def.base, at: at as usize }),
        _ => Err(Trap::MemoryOutOfBounds),
    }
}

/// From the memory's type to the stack's: `i32.load8_s` reads `i8` and gives `u32`.
pub(super) trait Extend<T: Value>: Stored {
    fn extend(self) -> T;
    fn wrap(value: T) -> Self;
}

macro_rules! extend {
    ($($memory:ty => $($value:ty),*;)*) => {$($(
        impl Extend<$value> for $memory {
            #[inline(always)]
            fn extend(self) -> $value {
                self as $value
            }
            #[inline(always)]
            fn wrap(value: $value) -> Self {
                value as $memory
            }
        }
    )*)*};
}
extend! {
    u8 => u32, u64;
    i8 => u32, u64;
    u16 => u32, u64;
    i16 => u32, u64;
    u32 => u32, u64;
    i32 => u64;
    u64 => u64;
    f32 => f32;
    f64 => f64;
}

/// Whether `pc` is an instruction that may fault on guest memory. Safe to call in a signal handler
/// once it has been called outside one.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn is_guest_access(pc: usize) -> bool {
    use std::sync::OnceLock;

    unsafe extern "C" {
        #[link_name = "__start_dunlin_guest_access"]
        static START: [i32; 0];
        #[link_name = "__stop_dunlin_guest_access"]
        static STOP: [i32; 0];
    }
    static SORTED: OnceLock<Vec<usize>> = OnceLock::new();
    let sorted = SORTED.get_or_init(|| {
        // SAFETY: the linker defines both symbols as the bounds of the section, which holds only
        // the 4-byte entries written by `guest!`, each the distance from itself to the instruction.
        unsafe {
            let (start, stop) = (START.as_ptr(), STOP.as_ptr());
            let count = (stop as usize - start as usize) / size_of::<i32>();
            let mut all: Vec<usize> = (0..count)
                .map(|i| {
                    let entry = start.add(i);
                    (entry as usize).wrapping_add_signed(*entry as isize)
                })
                .collect();
            all.sort_unstable();
            all
        }
    });
    sorted.binary_search(&pc).is_ok()
}
