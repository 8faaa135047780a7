//! Into native code: arguments from slots to registers, results back.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use dunlin_code::Trap;
use dunlin_code::native::FRAME_BYTES_MAX;
use dunlin_module::FuncType;

use super::asm::{self, RETURNED};
use super::bridge::Link;
use super::registers::{Registers, Which, to_registers, to_slots};
use crate::exception;
use crate::func::Numbers;
use crate::interp;
use crate::sys;
use crate::vmctx::{FrameHeader, FuncRecord, Rt, VmCtx};

/// What published code of a function is once it is native: one instruction, which enters it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct EnterCode {
    /// The instruction: its handler, and the address of this.
    pub(crate) words: [u64; 2],
    /// The native code.
    pub(crate) code: *const u8,
    /// The code for the interpreter.
    pub(crate) interpreted: *const u64,
    pub(crate) header_slot: u32,
    pub(crate) ty: *const FuncType,
}

// SAFETY: what the addresses lead to never changes, and lives as long as the module's code.
unsafe impl Send for EnterCode {}
// SAFETY: as above.
unsafe impl Sync for EnterCode {}

/// What came of entering native code from the interpreter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Entered {
    /// Guest code stopped.
    Stopped,
    /// It returned: results are in slots, from the first of the frame on. Or the frame is the outermost,
    /// and who called the interpreter calls native code in its place, once the frame is left.
    Returned,
    /// It was not entered: the frame is for the interpreter to go on with.
    Interpret,
    /// A frame further out caught an exception: the exit fields of the runtime record say where to go
    /// on.
    Landed,
}

/// Native stack that is kept free for the host and for what native code calls of the runtime, behind the
/// one frame that may be larger than what is left above.
const RESERVE_BYTES_MAX: usize = 256 << 10;
/// The same on small stacks: those with no more have no native code.
const RESERVE_BYTES_MIN: usize = FRAME_BYTES_MAX as usize + (64 << 10);

/// The part of a thread's native stack that native code uses.
#[derive(Clone, Copy)]
struct Room {
    /// The address below which it does not go; 0 if nobody asked yet.
    end: usize,
    /// The address above which it was not entered: on a stack of the embedder's own, of which nothing
    /// is known.
    top: usize,
}

impl Room {
    const UNKNOWN: Room = Room { end: 0, top: 0 };
    const NONE: Room = Room { end: usize::MAX, top: 0 };

    fn contains(self, address: usize) -> bool {
        self.end <= address && address <= self.top
    }
}

thread_local! {
    static ROOM: Cell<Room> = const { Cell::new(Room::UNKNOWN) };
}

/// The part of the native stack of this thread that native code uses.
fn room() -> Room {
    match ROOM.try_with(Cell::get) {
        Ok(Room { end: 0, .. }) => find_room(),
        Ok(room) => room,
        // The thread is ending.
        Err(_) => Room::NONE,
    }
}

#[cold]
fn find_room() -> Room {
    let room = sys::native_stack().map_or(Room::NONE, |stack| {
        let reserve = (stack.len() / 2).clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
        if stack.len() <= reserve {
            return Room::NONE;
        }
        Room { end: stack.start + reserve, top: stack.end }
    });
    let _ = ROOM.try_with(|known| known.set(room));
    room
}

/// Whether native code may go on from `address` on this thread.
pub(crate) fn is_in_room(address: usize) -> bool {
    room().contains(address)
}

/// How much of this thread's stack native code may use below `address`.
pub(crate) fn room_below(address: usize) -> usize {
    let room = room();
    if room.contains(address) { address - room.end } else { 0 }
}

/// Whether native code can be entered now: it uses the native stack, and continuations have none.
unsafe fn has_room(rt: *mut Rt) -> bool {
    // SAFETY: V2.
    unsafe {
        let room = room();
        if (*rt).native_limit.load(Ordering::Relaxed) != room.end {
            settle_limit(rt, room.end);
        }
        let here = sys::stack_pointer();
        let limit = (*rt).native_limit.load(Ordering::Relaxed);
        (*rt).fiber == 0 && here >= limit && room.contains(here)
    }
}

/// As [`has_room`] on the value stack of the call from the host, if this thread's limit is set already.
#[inline(always)]
unsafe fn has_settled_room(rt: *mut Rt) -> bool {
    // SAFETY: V2.
    let limit = unsafe { (*rt).native_limit.load(Ordering::Relaxed) };
    match ROOM.try_with(Cell::get) {
        Ok(room) => room.end == limit && room.contains(sys::stack_pointer()),
        Err(_) => false,
    }
}

/// Tells native code where its stack ends, on a thread where it did not run last.
#[cold]
unsafe fn settle_limit(rt: *mut Rt, end: usize) {
    // SAFETY: V2.
    unsafe {
        let store = &mut *(*rt).store;
        store.shared().set_native_limit(end);
        if (*rt).spill.is_null() {
            (*rt).spill = store.spill_area();
        }
    }
}

/// Enters the function whose [`EnterCode`] the instruction at `ip` is in, with its frame at `fp`.
///
/// # Safety
///
/// V7 for the registers of the interpreter.
#[inline(never)]
pub(crate) unsafe extern "C" fn enter(
    rt: *mut Rt,
    ip: *const u64,
    fp: *mut u64,
    cx: *mut VmCtx,
) -> Entered {
    // SAFETY: V7, V8: the word behind the handler is the address of the code to enter, which lives as
    // long as the module's code; V6: the frame has a header.
    unsafe {
        if !has_room(rt) {
            return Entered::Interpret;
        }
        let code = &*(*ip.add(1) as *const EnterCode);
        let ty = &*code.ty;
        let header = fp.add(code.header_slot as usize).cast::<FrameHeader>();
        if (*header).ip == interp::exit_code()
            && let Some(link) = (*header).fp.cast::<Link>().as_mut()
        {
            link.hand_over(code.code, ty, cx, fp);
            return Entered::Returned;
        }
        let mut registers = Registers::ZERO;
        to_registers(ty, Which::Params, fp, &mut registers, (*rt).spill);
        match run(rt, &mut registers, code.code, cx, fp, header) {
            Entered::Returned => {
                to_slots(ty, Which::Results, fp, &registers, (*rt).spill);
                Entered::Returned
            }
            other => other,
        }
    }
}

/// Enters native code for a loop, `code`, with the canonical frame at `fp` whose header is at slot
/// `header_slot`.
///
/// # Safety
///
/// V7 for the registers of the interpreter; the code is of the loop that it is at the beginning of.
#[inline(never)]
pub(crate) unsafe fn enter_loop(
    rt: *mut Rt,
    code: *const u8,
    fp: *mut u64,
    cx: *mut VmCtx,
    header_slot: u32,
) -> Entered {
    // SAFETY: the caller's promise.
    unsafe {
        if !has_room(rt) {
            return Entered::Interpret;
        }
        let mut registers = Registers::ZERO;
        registers.ints[0] = fp.expose_provenance() as u64;
        let header = fp.add(header_slot as usize).cast::<FrameHeader>();
        run(rt, &mut registers, code, cx, fp, header)
    }
}

/// Runs native code that replaces the frame at `fp` with this header.
unsafe fn run(
    rt: *mut Rt,
    registers: &mut Registers,
    code: *const u8,
    cx: *mut VmCtx,
    fp: *mut u64,
    header: *mut FrameHeader,
) -> Entered {
    // SAFETY: V2; V6: the frame has a header; V13: `code` is installed native code with the register
    // ABI, or for a loop that the caller's frame is at.
    unsafe {
        // What native code calls may use all slots of the frame, which begins where the interpreter's
        // does in the deterministic profile.
        let kept = header.read();
        let top = (*rt).native_top;
        (*rt).native_top = fp;
        let ended = asm::call(registers, rt, code, cx, &raw const kept);
        (*rt).native_top = top;
        header.write(kept);
        match ended {
            RETURNED => Entered::Returned,
            _ if (*rt).trap == Trap::Exception && exception::land_here(rt) => Entered::Landed,
            _ => Entered::Stopped,
        }
    }
}

/// Calls `func` from the host with numbers in registers, if it is native and can be entered now: the outer
/// `None` if not, the inner if it stopped.
///
/// # Safety
///
/// V2, V4: `func` is a record of the store of `rt`, which is set, of a function of a module that is passed
/// and gives numbers in registers alone. The value stack is free from `Rt::stack_top` on.
#[inline(always)]
pub(crate) unsafe fn call_numbers<const FLOATS: bool>(
    rt: *mut Rt,
    func: *const FuncRecord,
    numbers: &Numbers,
) -> Option<Option<(u64, f64)>> {
    // SAFETY: the caller's promise.
    unsafe {
        let code = (*(*func).code).native.load(Ordering::Acquire);
        if code.is_null() || !has_settled_room(rt) {
            return None;
        }
        let free = (*rt).stack_top;
        let given = asm::call_numbers::<FLOATS>(rt, code, (*func).vmctx, numbers);
        (*rt).native_top = free;
        (*rt).stack_top = free;
        Some((given.ended == RETURNED).then_some((given.int, given.float)))
    }
}

/// Calls the native code `code` of `func` with arguments at `fp`, where the results are left, from the
/// host; false if it stopped, `None` if it cannot be entered now.
///
/// # Safety
///
/// As for [`crate::interp::run`].
pub(crate) unsafe fn call_record(
    rt: *mut Rt,
    func: *const FuncRecord,
    code: *const u8,
    fp: *mut u64,
) -> Option<bool> {
    // SAFETY: V2, V3, V4: as above.
    unsafe {
        if !has_room(rt) {
            return None;
        }
        let cx = (*func).vmctx;
        let module = (*(*cx).module).module();
        let ty = module.func_type(dunlin_module::FuncIndex((*func).index));
        let mut registers = Registers::ZERO;
        to_registers(ty, Which::Params, fp, &mut registers, (*rt).spill);
        let top = (*rt).native_top;
        (*rt).native_top = fp;
        let ended = asm::call(&mut registers, rt, code, cx, std::ptr::null());
        (*rt).native_top = top;
        if ended != RETURNED {
            return Some(false);
        }
        to_slots(ty, Which::Results, fp, &registers, (*rt).spill);
        Some(true)
    }
}
