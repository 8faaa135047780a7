//! Where there is no native code: [`AVAILABLE`] is false and nobody gets to the rest.

use super::registers::Registers;
use crate::func::Numbers;
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
) -> u32 {
    1
}

/// What native code gave that was called with numbers.
pub(crate) struct Given {
    pub(super) ended: u32,
    pub(super) int: u64,
    pub(super) float: f64,
}

/// # Safety
///
/// None needed.
pub(super) unsafe fn call_numbers<const FLOATS: bool>(
    _rt: *mut Rt,
    _code: *const u8,
    _cx: *mut VmCtx,
    _numbers: &Numbers,
) -> Given {
    Given { ended: 1, int: 0, float: 0.0 }
}

pub(super) fn stopped_address() -> usize {
    0
}

pub(crate) fn bridge() -> *const u8 {
    std::ptr::null()
}

pub(crate) fn blind_bridge<F>() -> *const u8 {
    std::ptr::null()
}

pub(crate) fn seeing_bridge<F>() -> *const u8 {
    std::ptr::null()
}

pub(crate) fn builtin_stubs() -> *const usize {
    std::ptr::null()
}

pub(super) fn prepare() {}

pub(super) fn is_outermost(_ret: usize) -> bool {
    true
}
