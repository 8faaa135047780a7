//! Where there is no native code: [`AVAILABLE`] is false and nobody gets to the rest.

use super::registers::Registers;
use crate::vmctx::{FrameHeader, Rt, VmCtx};

/// Whether there is native code.
pub const AVAILABLE: bool = false;

pub(super) const HEADER_BELOW: usize = 0;
pub(super) const RT_BELOW: usize = 0;
pub(super) const RETURNED: u32 = 0;

/// # Safety
///
/// None needed.
pub(super) unsafe fn call(
    _registers: *mut Registers,
    _rt: *mut Rt,
    _code: *const u8,
    _cx: *mut VmCtx,
    _header: *const FrameHeader,
    _wide: bool,
) -> u32 {
    1
}

pub(super) fn stopped_address() -> usize {
    0
}

pub(crate) fn bridge() -> *const u8 {
    std::ptr::null()
}

pub(crate) fn host_bridge() -> *const u8 {
    std::ptr::null()
}

pub(crate) fn builtin_stubs() -> *const usize {
    std::ptr::null()
}

pub(super) fn prepare() {}

pub(super) fn is_outermost(_ret: usize) -> bool {
    true
}
