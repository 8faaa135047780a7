//! Guest memory: how handlers read and write it.
//!
//! [`Guarded`] accesses memory 0 of guard kind without a check: a 32-bit address plus a 32-bit
//! offset cannot leave its reservation, and beyond the memory's end the access faults. The fault must
//! not happen in a Rust load or store, so the access is one instruction of inline assembly, whose
//! address is put into a table (section `dunlin_guest_access`). The fault handler looks it up there
//! and goes on at the landing pad with `ip`, `fp` and `cx` in the registers they are pinned to.
//!
//! [`Checked`] and the functions for any memory compare with the memory's length first.

use dunlin_code::Trap;

use super::regs::{Regs, Value};

/// A type as it lies in memory, little-endian.
pub(super) trait Stored: Copy {
    const SIZE: u64;
    /// Reads from a checked address.
    unsafe fn read(at: *const u8) -> Self;
    /// Writes to a checked address.
    unsafe fn write(self, at: *mut u8);
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
    ($instruction:literal, $r:ident, $at:ident, $($operand:tt)*) => {
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

macro_rules! stored {
    ($ty:ty, $size:literal, $load:literal, $wide:ty, $store:literal, $class:ident) => {
        impl Stored for $ty {
            const SIZE: u64 = $size;
            #[inline(always)]
            unsafe fn read(at: *const u8) -> Self {
                // SAFETY: the caller checked the address.
                <$ty>::from_le_bytes(unsafe { at.cast::<[u8; $size]>().read() })
            }
            #[inline(always)]
            unsafe fn write(self, at: *mut u8) {
                // SAFETY: the caller checked the address.
                unsafe { at.cast::<[u8; $size]>().write(self.to_le_bytes()) }
            }
            #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn read_guarded(r: &Regs, at: u64) -> Self {
                let value: $wide;
                // SAFETY: V5: the address is inside the reservation of memory 0, so that the
                // instruction reads guest memory or faults, which ends at the landing pad.
                unsafe { guest!($load, r, at, value = out($class) value) };
                value as $ty
            }
            #[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
            #[inline(always)]
            unsafe fn write_guarded(self, r: &Regs, at: u64) {
                // SAFETY: V5, as for reading.
                unsafe { guest!($store, r, at, value = in($class) self as $wide) }
            }
        }
    };
}

stored!(
    u8,
    1,
    "movzx {value:e}, byte ptr [{base} + {at}]",
    u32,
    "mov byte ptr [{base} + {at}], {value:l}",
    reg
);
stored!(
    i8,
    1,
    "movsx {value:r}, byte ptr [{base} + {at}]",
    i64,
    "mov byte ptr [{base} + {at}], {value:l}",
    reg
);
stored!(
    u16,
    2,
    "movzx {value:e}, word ptr [{base} + {at}]",
    u32,
    "mov word ptr [{base} + {at}], {value:x}",
    reg
);
stored!(
    i16,
    2,
    "movsx {value:r}, word ptr [{base} + {at}]",
    i64,
    "mov word ptr [{base} + {at}], {value:x}",
    reg
);
stored!(
    u32,
    4,
    "mov {value:e}, dword ptr [{base} + {at}]",
    u32,
    "mov dword ptr [{base} + {at}], {value:e}",
    reg
);
stored!(
    i32,
    4,
    "movsxd {value:r}, dword ptr [{base} + {at}]",
    i64,
    "mov dword ptr [{base} + {at}], {value:e}",
    reg
);
stored!(
    u64,
    8,
    "mov {value:r}, qword ptr [{base} + {at}]",
    u64,
    "mov qword ptr [{base} + {at}], {value:r}",
    reg
);
stored!(
    f32,
    4,
    "movss {value}, dword ptr [{base} + {at}]",
    f32,
    "movss dword ptr [{base} + {at}], {value}",
    xmm_reg
);
stored!(
    f64,
    8,
    "movsd {value}, qword ptr [{base} + {at}]",
    f64,
    "movsd qword ptr [{base} + {at}], {value}",
    xmm_reg
);

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
            if at + M::SIZE > (*(*r.cx).mem0).len {
                return Err(Trap::MemoryOutOfBounds);
            }
            Ok(M::read(r.mem.add(at as usize)))
        }
    }

    #[inline(always)]
    unsafe fn store<M: Stored>(r: &Regs, addr: u32, offset: u32, value: M) -> Result<(), Trap> {
        // SAFETY: V3; the comparison cannot wrap: both are 32-bit values.
        unsafe {
            let at = u64::from(addr) + u64::from(offset);
            if at + M::SIZE > (*(*r.cx).mem0).len {
                return Err(Trap::MemoryOutOfBounds);
            }
            value.write(r.mem.add(at as usize));
            Ok(())
        }
    }
}

/// The address of `size` bytes in any memory, checked.
#[inline(always)]
pub(super) unsafe fn address(
    r: &Regs,
    memory: u16,
    addr: u64,
    offset: u64,
    size: u64,
) -> Result<*mut u8, Trap> {
    // SAFETY: V3: the memory index was validated, its definition lives as long as the store.
    let def = unsafe { &**(*r.cx).memories.add(usize::from(memory)) };
    let at = addr.checked_add(offset).ok_or(Trap::MemoryOutOfBounds)?;
    match at.checked_add(size) {
        // SAFETY: `at + size` is within the memory.
        Some(end) if end <= def.len => Ok(unsafe { def.base.add(at as usize) }),
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
