//! Calls and tail calls.

use std::sync::atomic::Ordering;

use dunlin_code::Trap;

use super::exception::{land, mark_place, refused};
use super::numeric::plain;
use crate::builtins;
use crate::exception;
use crate::host_call;
use crate::interp::regs::{Exec, Flow, Regs};
use crate::tiers::sample;
use crate::vmctx::{CodeEntry, FrameHeader, FuncRecord, VmCtx};

/// Makes sure that the function of `entry` has code and that its frame fits at `fp`; gives the code.
#[inline(always)]
unsafe fn prepare(
    r: &Regs,
    entry: *const CodeEntry,
    fp: *mut u64,
    cx: *mut VmCtx,
) -> Result<*const u64, Trap> {
    // SAFETY: V8: the fields of an entry are set before its `ip` is published.
    unsafe {
        let mut ip = (*entry).ip.load(Ordering::Acquire).cast_const();
        if ip.is_null() || (*r.rt).interrupt.load(Ordering::Relaxed) != 0 {
            ip = sample::call(r.rt, r.ip, r.cx, entry, cx);
            if ip.is_null() {
                return Err((*r.rt).trap);
            }
        }
        let slots = (*entry).frame_slots.load(Ordering::Relaxed) as usize;
        if (fp as usize) + slots * size_of::<u64>() > (*r.rt).stack_end as usize {
            return Err(Trap::StackOverflow);
        }
        Ok(ip)
    }
}

/// Enters the function of `entry`, prepared, with its frame at `fp`.
#[inline(always)]
unsafe fn enter_frame(
    r: &mut Regs,
    ip: *const u64,
    entry: *const CodeEntry,
    fp: *mut u64,
    header: FrameHeader,
) -> Flow {
    // SAFETY: V6: `prepare` found that the frame ends inside the value stack.
    unsafe {
        let at = fp.add((*entry).header_slot.load(Ordering::Relaxed) as usize);
        at.cast::<FrameHeader>().write(header);
        zero(at.add(3), (*entry).zero_slots.load(Ordering::Relaxed));
        r.ip = ip;
        r.fp = fp;
    }
    Flow::Next
}

/// Zeroes `count` slots, or one more: operands follow the locals, and frames end in spare slots.
#[inline(always)]
unsafe fn zero(at: *mut u64, count: u32) {
    let mut i = 0;
    while i < count as usize {
        // SAFETY: inside the frame, see above.
        unsafe { at.add(i).cast::<[u64; 2]>().write([0, 0]) };
        i += 2;
    }
}

/// Calls `func` with its frame at slot `base`, to go on `words` further.
#[inline(always)]
unsafe fn call_record(r: &mut Regs, func: *const FuncRecord, base: u32, words: usize) -> Flow {
    // SAFETY: V4: records live as long as the store.
    unsafe {
        let fp = r.fp.add(base as usize);
        if (*func).host {
            return match call_host(r, func, fp) {
                Ok(()) => r.next(words),
                Err(Trap::Exception) => {
                    let thrown = exception::throw(r.rt, (*r.rt).exception);
                    land(r, thrown)
                }
                Err(trap) => refused(r, trap),
            };
        }
        let header = FrameHeader { ip: r.ip.add(words), fp: r.fp, vmctx: r.cx };
        let (entry, cx) = ((*func).code, (*func).vmctx);
        match prepare(r, entry, fp, cx) {
            Ok(ip) => {
                r.cx = cx;
                r.reload_memory();
                enter_frame(r, ip, entry, fp, header)
            }
            Err(trap) => refused(r, trap),
        }
    }
}

/// Calls the host; the one result, if there is one, is then in the accumulators too.
#[inline(always)]
unsafe fn call_host(r: &mut Regs, func: *const FuncRecord, fp: *mut u64) -> Result<(), Trap> {
    // SAFETY: V2, V4. The exit fields let the host boundary see who calls.
    unsafe {
        mark_place(r);
        let called = host_call::call(r.rt, func, r.cx, fp);
        if called.is_ok() {
            r.reload_memory();
            take_result(r, fp);
        }
        called
    }
}

/// Puts the first result slot in all accumulators: which one is read depends on its type.
#[inline(always)]
pub(super) unsafe fn take_result(r: &mut Regs, fp: *mut u64) {
    // SAFETY: V6: `fp` is inside the value stack.
    let bits = unsafe { *fp };
    r.acc = bits;
    r.single = f32::from_bits(bits as u32);
    r.double = f64::from_bits(bits);
}

/// The function at `index` of a table, checked to be of a type.
#[inline(always)]
unsafe fn callee(r: &Regs, index: u64) -> Result<*const FuncRecord, Trap> {
    // SAFETY: V3: table and type indices were validated; V4: elements are records or null.
    unsafe {
        let table = *(*r.cx).tables.add(r.lo(2) as usize);
        if index >= (*table).len {
            return Err(Trap::UndefinedElement);
        }
        let func = *(*table).base.add(index as usize) as *const FuncRecord;
        if func.is_null() {
            return Err(Trap::UninitializedElement);
        }
        let expected = *(*r.cx).types.add(r.hi(2) as usize);
        if (*func).type_id != expected && !is_subtype(r.cx, (*func).type_id, expected) {
            return Err(Trap::BadSignature);
        }
        Ok(func)
    }
}

#[cold]
#[inline(never)]
pub(super) unsafe fn is_subtype(cx: *mut VmCtx, found: u32, expected: u32) -> bool {
    // SAFETY: V2: the store outlives running code, and nothing else borrows it now.
    unsafe { builtins::is_func_subtype(cx, found, expected) }
}

/// Moves `count` arguments from slot `base` to the frame's start and replaces the frame.
#[inline(always)]
unsafe fn tail_call(
    r: &mut Regs,
    entry: *const CodeEntry,
    cx: *mut VmCtx,
    base: u32,
    frame: usize,
) -> Flow {
    // SAFETY: V6, V7: the header is read before the arguments, which may reach over it, are moved.
    unsafe {
        let ip = match prepare(r, entry, r.fp, cx) {
            Ok(ip) => ip,
            Err(trap) => return refused(r, trap),
        };
        let (count, header) = (r.lo(frame) as usize, r.hi(frame) as usize);
        let header = r.fp.add(header).cast::<FrameHeader>().read();
        std::ptr::copy(r.fp.add(base as usize), r.fp, count);
        if cx != r.cx {
            r.cx = cx;
            r.reload_memory();
        }
        enter_frame(r, ip, entry, r.fp, header)
    }
}

#[inline(always)]
unsafe fn tail_call_record(r: &mut Regs, func: *const FuncRecord, base: u32, frame: usize) -> Flow {
    // SAFETY: V4, V6.
    unsafe {
        if !(*func).host {
            return tail_call(r, (*func).code, (*func).vmctx, base, frame);
        }
        let header = r.fp.add(r.hi(frame) as usize).cast::<FrameHeader>().read();
        let at = r.fp.add(base as usize);
        match call_host(r, func, at) {
            Ok(()) => {}
            Err(Trap::Exception) => {
                let thrown = exception::throw_out(r.rt);
                return land(r, thrown);
            }
            Err(trap) => return refused(r, trap),
        }
        let results = host_call::result_slots(func) as usize;
        std::ptr::copy(at, r.fp, results);
        r.ip = header.ip;
        r.cx = header.vmctx;
        r.fp = header.fp;
        r.reload_memory();
        Flow::Next
    }
}

plain! {
    Call(r) {
        let entry = (*r.cx).code.add(r.lo(1) as usize);
        let fp = r.fp.add(r.hi(1) as usize);
        match prepare(r, entry, fp, r.cx) {
            Ok(ip) => {
                let header = FrameHeader { ip: r.ip.add(2), fp: r.fp, vmctx: r.cx };
                enter_frame(r, ip, entry, fp, header)
            }
            Err(trap) => refused(r, trap),
        }
    }
    CallImport(r) {
        let func = *(*r.cx).imported_funcs.add(r.lo(1) as usize);
        call_record(r, func, r.hi(1), 2)
    }
    CallIndirectR(r) {
        match callee(r, r.acc) {
            Ok(func) => call_record(r, func, r.hi(1), 3),
            Err(trap) => r.trap(trap),
        }
    }
    CallIndirectS(r) {
        match callee(r, r.get(r.a())) {
            Ok(func) => call_record(r, func, r.hi(1), 3),
            Err(trap) => r.trap(trap),
        }
    }
    CallRef(r) {
        let func = r.get::<u64>(r.a()) as *const FuncRecord;
        if func.is_null() {
            return r.trap(Trap::NullFunction);
        }
        call_record(r, func, r.hi(1), 2)
    }
    ReturnCall(r) {
        let entry = (*r.cx).code.add(r.lo(1) as usize);
        tail_call(r, entry, r.cx, r.hi(1), 2)
    }
    ReturnCallImport(r) {
        let func = *(*r.cx).imported_funcs.add(r.lo(1) as usize);
        tail_call_record(r, func, r.hi(1), 2)
    }
    ReturnCallIndirect(r) {
        match callee(r, r.get(r.a())) {
            Ok(func) => tail_call_record(r, func, r.hi(1), 3),
            Err(trap) => r.trap(trap),
        }
    }
    ReturnCallRef(r) {
        let func = r.get::<u64>(r.a()) as *const FuncRecord;
        if func.is_null() {
            return r.trap(Trap::NullFunction);
        }
        tail_call_record(r, func, r.hi(1), 2)
    }
}
