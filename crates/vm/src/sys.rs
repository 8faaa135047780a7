//! The operating system, as far as the engine needs it: pages and faults. All that depends on a
//! platform or on a build option is decided here, by picking one of two files.

/// Address space: real mappings, or none.
#[cfg(all(feature = "guard", unix, target_pointer_width = "64"))]
mod map;
#[cfg(not(all(feature = "guard", unix, target_pointer_width = "64")))]
#[path = "sys/no_map.rs"]
mod map;

/// Faults of guest accesses: turned into traps, or none happen.
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
mod signals;
#[cfg(not(all(feature = "guard", target_os = "linux", target_arch = "x86_64")))]
#[path = "sys/no_signals.rs"]
mod signals;

mod pages;
mod priority;
mod reservation;
mod stack;

pub(crate) use pages::Pages;
pub(crate) use priority::lower_priority;
pub(crate) use reservation::Reservation;
pub(crate) use signals::install as install_fault_handler;
pub(crate) use stack::native_stack;

/// Whether address space can be reserved without being used.
pub(crate) const RESERVATIONS: bool = map::AVAILABLE;

/// Whether a guest access that hits inaccessible memory ends in a trap.
pub(crate) const FAULTS_TRAP: bool = map::AVAILABLE && signals::AVAILABLE;

/// The system gave no memory, address space or mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory;

/// What may be done with pages of a reservation, besides reading and writing what was committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    None,
    Read,
    Execute,
}

/// Bytes of a page of the host.
pub(crate) fn page_size() -> usize {
    map::page_size()
}

/// `size` rounded up to whole pages of the host, unless that exceeds what one object may have.
fn page_rounded(size: usize) -> Result<usize, NoMemory> {
    let page = map::page_size();
    match size.checked_next_multiple_of(page) {
        Some(rounded) if rounded <= isize::MAX as usize => Ok(rounded),
        _ => Err(NoMemory),
    }
}

/// About where the native stack of this thread ends now.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let sp: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: only reads a register.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: only reads a register.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) sp, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let local = 0u8;
        sp = std::hint::black_box(&raw const local).addr();
    }
    sp
}
