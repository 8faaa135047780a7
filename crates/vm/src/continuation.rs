//! Continuations: the references guests hold, and what resuming, suspending and switching do.
//!
//! A continuation is used once. What refers to it says which fiber it is on, the outermost if it has
//! several (see [`fiber`](crate::fiber)), until it is used; then it says 0, and whoever resumes it
//! again traps.
//!
//! All operations take the instruction they belong to from the exit fields of the runtime record,
//! where they leave the place to go on at. If one fails these fields and `Rt::fiber` belong together
//! still, so that a backtrace is right.

use std::sync::atomic::Ordering;

use dunlin_code::Trap;
use dunlin_code::bytecode::{RESUME_HANDLER_WORDS, SWITCH, field};
use dunlin_code::object::LENGTH_OFFSET;

use crate::bug::bug;
use crate::fiber::{FiberId, Fibers};
use crate::frames::Place;
use crate::gc::access::write_header;
use crate::gc::heap::Collection;
use crate::gc::types::Shape;
use crate::store::{Shared, Store};
use crate::vmctx::{FrameHeader, FuncRecord, Rt, VmCtx};
use crate::{builtins, exception, host_call, interp};

/// Fibers between two looks for interruption.
const STEP_FIBERS: usize = 1 << 10;

/// Words of `resume` and its kin without handlers.
const RESUME_WORDS: usize = 4;
/// Words of `suspend` and of `switch`.
const SUSPEND_WORDS: usize = 3;

/// Where the continuation at `at` says which fiber it is on.
fn fiber_word(store: &Store, at: u32) -> Result<*mut u32, Trap> {
    let def = store.heap_def();
    let info = def.info(at).filter(|info| info.shape == Shape::Continuation);
    let word = info.and_then(|_| def.bytes(at, LENGTH_OFFSET.into(), 4));
    Ok(word.ok_or_else(|| bug!("{at:#x} is no continuation"))?.cast())
}

/// The outermost fiber of the continuation at `reference`, if it may still be used.
fn fiber_of(store: &Store, reference: u64) -> Result<FiberId, Trap> {
    if reference == 0 {
        return Err(Trap::NullContinuation);
    }
    // SAFETY: V11: inside the heap, aligned like all headers.
    match unsafe { *fiber_word(store, reference as u32)? } {
        0 => Err(Trap::ContinuationConsumed),
        fiber if store.fibers.is_suspended(fiber) => Ok(fiber),
        fiber => Err(bug!("a continuation is on fiber {fiber}, which is not suspended")),
    }
}

/// From now on the continuation at `reference` is on `fiber`, or used if that is 0.
fn set_fiber(store: &Store, reference: u64, fiber: FiberId) -> Result<(), Trap> {
    // SAFETY: as above.
    unsafe { *fiber_word(store, reference as u32)? = fiber };
    Ok(())
}

/// Makes a continuation of module type `ty` on `fiber`. May collect.
///
/// # Safety
///
/// The exit fields are the place of a safepoint; `vmctx` is the context of a module with such a
/// continuation type.
unsafe fn make(rt: *mut Rt, vmctx: *mut VmCtx, ty: u32, fiber: FiberId) -> Result<u64, Trap> {
    // SAFETY: V2, V3 (caller); V11: types stay where they are, and there is room for a header.
    unsafe {
        let store = &mut *(*rt).store;
        let info = *(*vmctx).type_infos.add(ty as usize);
        let info = info.as_ref().ok_or_else(|| bug!("type {ty} is no continuation type"))?;
        let at = store.allocate(info.size.into())?;
        write_header(store.room(at, info.size.into())?, info, fiber);
        Ok(at.into())
    }
}

/// What `take` gives, tried once more after dead continuations were freed if a limit is reached.
fn with_room<T>(
    store: &mut Store,
    mut take: impl FnMut(&mut Store) -> Result<T, Trap>,
) -> Result<T, Trap> {
    match take(store) {
        Err(Trap::LimitExceeded) => {
            // Without room to copy to, nothing is freed, and the limit says so.
            let _ = store.collect(Collection::Major);
            take(store)
        }
        done => done,
    }
}

/// The words of an instruction.
#[derive(Clone, Copy)]
struct Words(*const u64);

impl Words {
    /// The halves of word `n`, low first.
    unsafe fn pair(self, n: usize) -> (u32, u32) {
        // SAFETY: V7: the instruction has that many words (caller).
        let word = unsafe { *self.0.add(n) };
        (field::lo(word), field::hi(word))
    }
}

/// `cont.new`: the function in `slot` to a continuation of module type `ty`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn new(rt: *mut Rt, slot: *mut u64, ty: u32) -> Result<(), Trap> {
    // SAFETY: V2: no other reference to the store is in use; V4, V7 (caller).
    unsafe {
        let func = *slot as *const FuncRecord;
        if func.is_null() {
            return Err(Trap::NullFunction);
        }
        let store = &mut *(*rt).store;
        if store.fibers.are_many() {
            // Without room to copy to, nothing is freed, and a limit will say so.
            let _ = store.collect(Collection::Major);
        }
        // The reference first: a fiber that nothing refers to is not to be seen by a collection.
        let reference = make(rt, (*rt).exit_vmctx, ty, 0)?;
        *slot = reference;
        let store = &mut *(*rt).store;
        let made = store.fibers.make(func, &mut store.budget);
        set_fiber(store, *slot, made?)
    }
}

/// `cont.bind`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn bind(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller).
    unsafe {
        let (words, place) = (Words((*rt).exit_ip), Place::exit(rt));
        let ((base, slots), (ty, made_ty)) = (words.pair(1), words.pair(2));
        let values = place.fp.add(base as usize);
        let reference = values.add(slots as usize);
        let store = &mut *(*rt).store;
        let fiber = fiber_of(store, *reference)?;
        provide(store, fiber)?;
        // The old reference is there until the new one is.
        let bound = make(rt, place.vmctx, made_ty, fiber)?;
        let store = &mut *(*rt).store;
        set_fiber(store, *reference, 0)?;
        let innermost = store.fibers.get(fiber).innermost;
        let inner = store.fibers.get_mut(innermost);
        let mut to = inner.arguments.add(inner.bound_slots as usize);
        let end = to.add(slots as usize);
        let types = (*(*place.vmctx).module).module().cont_func(ty);
        for ty in types.params.iter() {
            if to < end && ty.is_traced() {
                inner.bound_references.push(to);
            }
            to = to.wrapping_add(ty.slots() as usize);
        }
        give_arguments(&mut store.fibers, innermost, values, slots);
        store.fibers.suspend(fiber, innermost);
        *values = bound;
        Ok(())
    }
}

/// Makes sure that a continuation has a place for its arguments. May collect.
fn provide(store: &mut Store, fiber: FiberId) -> Result<(), Trap> {
    let func = store.fibers.get(fiber).func;
    if func.is_null() {
        return Ok(());
    }
    // SAFETY: V4: a continuation is made from a function of the store.
    let slots = unsafe { store.record_type(func) }.param_slots() as usize;
    with_room(store, |store| store.fibers.provide(fiber, slots, &mut store.budget))
}

/// Makes sure that a continuation can go on: if it has not begun, that there is code and a frame for
/// its function. May collect.
fn prepare(store: &mut Store, fiber: FiberId) -> Result<(), Trap> {
    let func = store.fibers.get(fiber).func;
    if func.is_null() {
        return Ok(());
    }
    // SAFETY: V2, V4, V8, as in `interp::run`.
    let slots = unsafe {
        let entry = (*func).code;
        if !(*func).host && (*entry).ip.load(Ordering::Acquire).is_null() {
            (*(*(*func).vmctx).module).lower_entry(entry)?;
        }
        (*entry).frame_slots.load(Ordering::Relaxed) as usize
    };
    with_room(store, |store| store.fibers.provide(fiber, slots, &mut store.budget))
}

/// Adds `slots` slots to the arguments of the continuation whose innermost fiber is `inner`.
unsafe fn give_arguments(fibers: &mut Fibers, inner: FiberId, values: *const u64, slots: u32) {
    let fiber = fibers.get_mut(inner);
    // SAFETY: the place for arguments has room for all of them, and is in another segment: only what
    // does not run is given arguments.
    unsafe {
        let to = fiber.arguments.add(fiber.bound_slots as usize);
        to.copy_from_nonoverlapping(values, slots as usize);
    }
    fiber.bound_slots += slots;
}

/// `resume`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn resume(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller).
    unsafe {
        let place = Place::exit(rt);
        let (base, slots) = Words(place.ip).pair(1);
        let values = place.fp.add(base as usize);
        let reference = values.add(slots as usize);
        let store = &mut *(*rt).store;
        let fiber = fiber_of(store, *reference)?;
        prepare(store, fiber)?;
        let innermost = store.fibers.get(fiber).innermost;
        give_arguments(&mut store.fibers, innermost, values, slots);
        set_fiber(store, *reference, 0)?;
        link(rt, fiber);
        go_on(rt, fiber)
    }
}

/// `resume_throw`, or `resume_throw_ref` if `by_reference`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn resume_throw(rt: *mut Rt, by_reference: bool) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller).
    unsafe {
        let place = Place::exit(rt);
        let ((base, slots), (tag, _)) = (Words(place.ip).pair(1), Words(place.ip).pair(2));
        let values = place.fp.add(base as usize);
        let reference = values.add(slots as usize);
        let fiber = fiber_of(&*(*rt).store, *reference)?;
        let exception = match by_reference {
            true if *values == 0 => return Err(Trap::NullException),
            true => *values as u32,
            false => exception::make_here(rt, tag, values)?,
        };
        let store = &mut *(*rt).store;
        set_fiber(store, *reference, 0)?;
        if store.fibers.get(fiber).func.is_null() {
            link(rt, fiber);
            let innermost = (*(*rt).store).fibers.get(fiber).innermost;
            (*(*rt).store).fibers.get(innermost).place.set_exit(rt);
        } else {
            // A function that has not begun catches nothing.
            store.fibers.free(fiber, &mut store.budget);
        }
        exception::throw(rt, exception)
    }
}

/// Makes the fibers of a continuation run, resumed at the place in the exit fields.
unsafe fn link(rt: *mut Rt, fiber: FiberId) {
    // SAFETY: V2, V7.
    unsafe {
        let place = Place::exit(rt);
        if place.fiber == 0 {
            // Behind the operands of the instruction: what the host calls meanwhile goes there.
            let (base, slots) = Words(place.ip).pair(1);
            (*rt).main_top = place.fp.add((base + slots) as usize + 1);
        }
        let fibers = &mut (*(*rt).store).fibers;
        fibers.resume(fiber, place);
        let innermost = fibers.get(fiber).innermost;
        set_running(rt, innermost);
    }
}

/// Makes `fiber` the innermost that runs.
pub(crate) unsafe fn set_running(rt: *mut Rt, fiber: FiberId) {
    // SAFETY: V2.
    unsafe {
        (*rt).stack_end = (*(*rt).store).fibers.end_of(fiber, (*rt).main_end);
        (*rt).fiber = fiber;
    }
}

/// Leaves all continuations that run, because what native code called in the interpreter stopped.
///
/// # Safety
///
/// V2: `rt` is the record of the store whose code stopped.
pub(crate) unsafe fn leave_all(rt: *mut Rt) {
    // SAFETY: V2 (caller).
    unsafe {
        if (*rt).fiber != 0 {
            let store = &mut *(*rt).store;
            store.fibers.free_until((*rt).fiber, 0, &mut store.budget);
            set_running(rt, 0);
        }
    }
}

/// Goes on with a continuation that was just linked and has all its arguments.
unsafe fn go_on(rt: *mut Rt, fiber: FiberId) -> Result<(), Trap> {
    // SAFETY: V2, V4, V6: a frame is entered only after its slots were provided.
    unsafe {
        let store = &mut *(*rt).store;
        let innermost = store.fibers.get(fiber).innermost;
        let inner = store.fibers.get_mut(innermost);
        inner.bound_slots = 0;
        inner.bound_references.clear();
        if inner.func.is_null() {
            let place = inner.place;
            Place { ip: place.ip.add(SUSPEND_WORDS), ..place }.set_exit(rt);
        } else {
            start(rt, fiber)?;
        }
        match (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS {
            0 => Ok(()),
            _ => Err(Trap::Interrupted),
        }
    }
}

/// Calls the function of a fiber that was prepared and linked.
unsafe fn start(rt: *mut Rt, fiber: FiberId) -> Result<(), Trap> {
    // SAFETY: V2, V4, V6, V8, as in `interp::run`.
    unsafe {
        let fibers = &mut (*(*rt).store).fibers;
        let func = std::mem::replace(&mut fibers.get_mut(fiber).func, std::ptr::null());
        let (fp, vmctx, entry) = (fibers.get(fiber).base(), (*func).vmctx, (*func).code);
        if (*func).host {
            return call_host(rt, fiber, func, fp);
        }
        let header = fp.add((*entry).header_slot.load(Ordering::Relaxed) as usize);
        let frame = FrameHeader { ip: interp::return_code(), fp: std::ptr::null_mut(), vmctx };
        header.cast::<FrameHeader>().write(frame);
        let zero = (*entry).zero_slots.load(Ordering::Relaxed) as usize;
        header.cast::<FrameHeader>().add(1).cast::<u64>().write_bytes(0, zero);
        let mut ip = (*entry).ip.load(Ordering::Acquire).cast_const();
        if ip.is_null() {
            // There was code, which another thread waits for a call of: see `tiers::module`.
            ip = (*(*vmctx).module).lower_entry(entry)?;
        }
        Place { ip, fp, vmctx, fiber }.set_exit(rt);
        Ok(())
    }
}

/// Ends the innermost fiber that runs; its parent runs, at the `resume`.
unsafe fn end(rt: *mut Rt, fiber: FiberId) {
    // SAFETY: V2.
    unsafe {
        let Store { fibers, budget, .. } = &mut *(*rt).store;
        let resumer = fibers.get(fiber).resumer;
        fibers.free(fiber, budget);
        set_running(rt, resumer.fiber);
        resumer.set_exit(rt);
    }
}

/// Calls a host function as the function of a continuation, in whose segment its arguments are.
unsafe fn call_host(
    rt: *mut Rt,
    fiber: FiberId,
    func: *const FuncRecord,
    fp: *mut u64,
) -> Result<(), Trap> {
    // SAFETY: V2, V4, V6. The host sees the place of the `resume`, which is on the parent.
    unsafe {
        let resumer = (*(*rt).store).fibers.get(fiber).resumer;
        (*rt).fiber = resumer.fiber;
        match host_call::call(rt, func, resumer.vmctx, fp) {
            Ok(()) => {
                set_running(rt, fiber);
                finish(rt);
                Ok(())
            }
            Err(trap) => {
                end(rt, fiber);
                match trap {
                    Trap::Exception => exception::throw(rt, (*rt).exception),
                    trap => Err(trap),
                }
            }
        }
    }
}

/// The function of the running fiber returned, with its results at the start of its segment: goes
/// on behind the `resume`.
///
/// # Safety
///
/// V7: a fiber runs, and its outermost frame just returned.
#[cold]
#[inline(never)]
pub(crate) unsafe fn finish(rt: *mut Rt) {
    // SAFETY: V2, V7: results have their place at the `resume`.
    unsafe {
        let id = (*rt).fiber;
        let from = (*(*rt).store).fibers.get(id).base();
        let resumer = (*(*rt).store).fibers.get(id).resumer;
        let (words, fp) = (Words(resumer.ip), resumer.fp);
        let ((base, _), (_, results), (handlers, _)) =
            (words.pair(1), words.pair(2), words.pair(3));
        fp.add(base as usize).copy_from_nonoverlapping(from, results as usize);
        end(rt, id);
        let behind = RESUME_WORDS + RESUME_HANDLER_WORDS * handlers as usize;
        Place { ip: resumer.ip.add(behind), ..resumer }.set_exit(rt);
    }
}

/// The handler for a tag around the running code: the fiber whose resumer has it, and its words.
unsafe fn handler(rt: *mut Rt, tag: u32, switch: bool) -> Result<(FiberId, Words), Trap> {
    // SAFETY: V2, V3, V7: while a fiber runs, its resumer is at a `resume`.
    unsafe {
        let store = &mut *(*rt).store;
        let tag = store.instance_of((*rt).exit_vmctx).tags[tag as usize];
        let mut id = (*rt).fiber;
        for step in 0_usize.. {
            if id == 0 {
                break;
            }
            if step.is_multiple_of(STEP_FIBERS)
                && (*rt).interrupt.load(Ordering::Relaxed) & Shared::STOPS != 0
            {
                return Err(Trap::Interrupted);
            }
            let resumer = store.fibers.get(id).resumer;
            let count = Words(resumer.ip).pair(3).0 as usize;
            let tags = &store.instance_of(resumer.vmctx).tags;
            for at in 0..count {
                let words = Words(resumer.ip.add(RESUME_WORDS + RESUME_HANDLER_WORDS * at));
                let is_switch = words.pair(1).1 == SWITCH;
                if is_switch == switch && tags[words.pair(0).0 as usize] == tag {
                    builtins::spend_steps((*rt).exit_vmctx, step as u64)?;
                    return Ok((id, words));
                }
            }
            id = resumer.fiber;
        }
        Err(Trap::UnhandledTag)
    }
}

/// Suspends the fibers from the running one up to `outermost`: they are a continuation of module type
/// `ty` of the instance of `vmctx`, which wants arguments at `arguments`. May collect.
unsafe fn unlink(
    rt: *mut Rt,
    outermost: FiberId,
    arguments: *mut u64,
    vmctx: *mut VmCtx,
    ty: u32,
) -> Result<u64, Trap> {
    // SAFETY: V2; the instruction is a safepoint.
    unsafe {
        let reference = make(rt, vmctx, ty, outermost)?;
        let fibers = &mut (*(*rt).store).fibers;
        let place = Place::exit(rt);
        let inner = fibers.get_mut(place.fiber);
        inner.place = place;
        inner.arguments = arguments;
        inner.bound_slots = 0;
        fibers.suspend(outermost, place.fiber);
        Ok(reference)
    }
}

/// `suspend`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn suspend(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller): a handler's slots are in the frame of its resumer, which is on
    // another segment.
    unsafe {
        let place = Place::exit(rt);
        let ((tag, base), (slots, _)) = (Words(place.ip).pair(1), Words(place.ip).pair(2));
        let payload = place.fp.add(base as usize);
        let (outermost, handler) = handler(rt, tag, false)?;
        let ((_, target), (to, slot), (ty, _)) =
            (handler.pair(0), handler.pair(1), handler.pair(2));
        let resumer = (*(*rt).store).fibers.get(outermost).resumer;
        let reference = unlink(rt, outermost, payload, resumer.vmctx, ty)?;
        resumer.fp.add(to as usize).copy_from_nonoverlapping(payload, slots as usize);
        *resumer.fp.add(slot as usize) = reference;
        set_running(rt, resumer.fiber);
        let ip = resumer.ip.offset(target as i32 as isize);
        Place { ip, ..resumer }.set_exit(rt);
        Ok(())
    }
}

/// `switch`.
///
/// # Safety
///
/// V7; the exit fields are the place of the instruction.
#[cold]
#[inline(never)]
pub(crate) unsafe fn switch(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2, V7 (caller).
    unsafe {
        let place = Place::exit(rt);
        let ((tag, base), (slots, ty)) = (Words(place.ip).pair(1), Words(place.ip).pair(2));
        let values = place.fp.add(base as usize);
        let reference = values.add(slots as usize);
        let store = &mut *(*rt).store;
        let target = fiber_of(store, *reference)?;
        let (outermost, _) = handler(rt, tag, true)?;
        prepare(&mut *(*rt).store, target)?;
        let made = unlink(rt, outermost, values, place.vmctx, ty)?;
        let store = &mut *(*rt).store;
        set_fiber(store, *reference, 0)?;
        let innermost = store.fibers.get(target).innermost;
        give_arguments(&mut store.fibers, innermost, values, slots);
        give_arguments(&mut store.fibers, innermost, &raw const made, 1);
        let resumer = store.fibers.get(outermost).resumer;
        set_running(rt, resumer.fiber);
        resumer.set_exit(rt);
        link(rt, target);
        go_on(rt, target)
    }
}
