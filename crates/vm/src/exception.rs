//! Throwing: exceptions, and the walk from where one is thrown to who catches it.
//!
//! ```text
//!  frame ──► code around its ip ──► handlers of that code ──► tag wanted? ──► payload to slots, go on
//!    ▲                                                          │ no
//!    └───────────────── the caller, up to the host ◄────────────┘
//! ```
//!
//! Frames are only looked at, so that when nobody catches, all of them are still there for the
//! backtrace. The walk ends at the host: what called it gets an error, which it may return to guests
//! further out, and so throws it there. Continuations do not end it: the caller of their outermost
//! frame is whoever resumed them, and those left behind are gone.

use dunlin_code::bytecode::find_clause;
use dunlin_code::object::LENGTH_OFFSET;
use dunlin_code::{Clause, Trap};

use crate::bug::bug;
use crate::continuation;
use crate::frames::{Activation, Place, Walk};
use crate::func::HostError;
use crate::gc::access::{read_field, write_fields, write_header};
use crate::gc::heap::NURSERY_BYTES;
use crate::gc::types::{Shape, TypeInfo};
use crate::native;
use crate::store::{CallError, Store};
use crate::vmctx::{Rt, VmCtx};

/// Frames between two looks for interruption: some tens of microseconds.
const STEP_FRAMES: usize = 1 << 10;

/// Who catches an exception.
#[derive(Debug)]
pub(crate) enum Catcher {
    /// A frame of the interpreter.
    Interpreted(Caught),
    /// A frame of native code: registers to go on with.
    Native {
        /// The instruction.
        pc: usize,
        /// The stack pointer.
        sp: usize,
        /// The frame pointer.
        fp: usize,
    },
}

/// A handler, the place of its frame, and the first word of its function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caught {
    clause: Clause,
    place: Place,
    start: *const u64,
}

/// An exception on its way to who catches it, through calls between native code and the interpreter.
#[derive(Debug)]
pub(crate) struct Catch {
    pub(crate) catcher: Catcher,
    /// How many calls of native code into the interpreter are around the catcher.
    pub(crate) depth: u32,
}

/// The exception at `at`: its type, and the number of its tag.
fn parts(store: &Store, at: u32) -> Option<(&TypeInfo, u32)> {
    let def = store.heap_def();
    let info = def.info(at).filter(|info| info.shape == Shape::Exception)?;
    let tag = def.bytes(at, LENGTH_OFFSET.into(), 4)?;
    // SAFETY: V11: inside the heap, aligned like all headers.
    let tag = unsafe { tag.cast::<u32>().read() };
    ((tag as usize) < store.tags.len()).then_some((info, tag))
}

/// The position of the tag of the exception at `at`.
pub(crate) fn tag_of(store: &Store, at: u32) -> Result<u32, Trap> {
    parts(store, at).map(|(_, tag)| tag).ok_or_else(|| bug!("{at:#x} is no exception"))
}

/// Calls `put` with the slots of the payload of the exception at `at`.
pub(crate) fn read(store: &Store, at: u32, mut put: impl FnMut(u64)) -> Result<(), Trap> {
    let def = store.heap_def();
    let no_exception = || bug!("{at:#x} is no exception");
    let (info, _) = parts(store, at).ok_or_else(no_exception)?;
    for (offset, storage) in &info.fields {
        let field = def.bytes(at, u64::from(*offset), storage.size()).ok_or_else(no_exception)?;
        // SAFETY: V11: the field is inside the heap.
        let bits = unsafe { read_field(def, field, *storage) }.ok_or_else(no_exception)?;
        put(bits as u64);
        if storage.slots() == 2 {
            put((bits >> 64) as u64);
        }
    }
    Ok(())
}

/// Makes an exception with the tag at position `tag` and the payload in slots.
///
/// # Safety
///
/// From `payload` on there are values of the parameters of the tag. Unless `collects` is false, all
/// references are in roots, those of the payload included.
pub(crate) unsafe fn make(
    store: &mut Store,
    tag: u32,
    payload: *const u64,
    collects: bool,
) -> Result<u32, Trap> {
    let info = store.type_info(store.tags[tag as usize].func)?;
    // SAFETY: V11: types stay where they are.
    let info = unsafe { &*info };
    let bytes = u64::from(info.size);
    let at = if collects { store.allocate(bytes) } else { store.allocate_old(bytes) }?;
    let object = store.room(at, bytes)?;
    // SAFETY: V11: room for the whole object; the payload has the types of its fields (caller).
    unsafe {
        object.write_bytes(0, bytes as usize);
        write_header(object, info, tag);
        write_fields(object, info, payload);
    }
    if at >= NURSERY_BYTES && info.is_traced() {
        store.remember(at);
    }
    Ok(at)
}

/// Remembers the exception that a host function returned, if that is what its error is.
#[cold]
pub(crate) fn returned(store: &mut Store, error: HostError) -> Trap {
    let exception = match error.downcast_ref::<CallError>() {
        Some(CallError::Exception(report)) => store.root_slot(&report.exception),
        _ => {
            store.pending_error = Some(error);
            return Trap::Host;
        }
    };
    match exception {
        Ok(exception) => {
            // SAFETY: the record is alive; V1.
            unsafe { (*store.rt()).exception = exception as u32 };
            // Keeps the exception alive, and where it was thrown first, should nobody catch it.
            store.pending_error = Some(error);
            Trap::Exception
        }
        Err(misuse) => {
            store.pending_error = Some(Box::new(misuse));
            Trap::Host
        }
    }
}

/// Makes an exception with tag `tag` of the running instance and throws it. If it is caught, the
/// exit fields of the runtime record say where to go on.
///
/// # Safety
///
/// The exit fields are the place of the running code, whose module has such a tag; from `payload` on
/// there are values of its parameters, in slots of the frame.
#[cold]
#[inline(never)]
pub(crate) unsafe fn throw_new(rt: *mut Rt, tag: u32, payload: *const u64) -> Result<(), Trap> {
    // SAFETY: V2; the caller's promise.
    unsafe {
        let exception = make_here(rt, tag, payload)?;
        throw(rt, exception)
    }
}

/// Makes an exception with tag `tag` of the running instance.
///
/// # Safety
///
/// As for [`throw_new`].
pub(crate) unsafe fn make_here(rt: *mut Rt, tag: u32, payload: *const u64) -> Result<u32, Trap> {
    // SAFETY: V2; V3: the index was validated; the instruction is a safepoint.
    unsafe {
        let store = &mut *(*rt).store;
        let tag = store.instance_of((*rt).exit_vmctx).tags[tag as usize];
        make(store, tag, payload, true)
    }
}

/// Throws an exception that there is. If it is caught, the exit fields of the runtime record say
/// where to go on.
///
/// # Safety
///
/// The exit fields are the place of the running code, and `exception` is a reference to an
/// exception of the store.
#[cold]
#[inline(never)]
pub(crate) unsafe fn throw(rt: *mut Rt, exception: u32) -> Result<(), Trap> {
    // SAFETY: V2; V6: slots that a clause names are in the frame it is for, as the checker proves.
    unsafe {
        (*rt).exception = exception;
        let store = &mut *(*rt).store;
        let place = Place::exit(rt);
        let (catcher, boundaries) = find(store, place, exception)?;
        match catcher {
            // What is thrown from native code leaves it first.
            Catcher::Interpreted(caught) if boundaries == 0 && !place.is_native() => {
                land(rt, &caught)
            }
            _ => {
                store.catch = Some(Catch { catcher, depth: store.native_depth - boundaries });
                Err(Trap::Exception)
            }
        }
    }
}

/// Throws an exception from native code, whose place is in the exit fields; what native code stops
/// with. Who catches it is then on record.
///
/// # Safety
///
/// As for [`throw`], but that the place is of native code.
pub(crate) unsafe fn throw_from(rt: *mut Rt, exception: u32) -> Trap {
    // SAFETY: the caller's promise.
    unsafe { throw(rt, exception) }.err().unwrap_or_else(|| bug!("native code went on by itself"))
}

/// Lets the interpreter go on at who catches the exception that native code stopped with, if that is
/// among the frames that called it; then the exit fields say where.
///
/// # Safety
///
/// Native code that the interpreter entered just stopped with an exception.
pub(crate) unsafe fn land_here(rt: *mut Rt) -> bool {
    // SAFETY: V2.
    unsafe {
        let store = &mut *(*rt).store;
        let here = |catch: &mut Catch| {
            catch.depth == store.native_depth && matches!(catch.catcher, Catcher::Interpreted(_))
        };
        match store.catch.take_if(here).map(|catch| catch.catcher) {
            Some(Catcher::Interpreted(caught)) => land(rt, &caught).is_ok(),
            _ => false,
        }
    }
}

/// Goes on at a handler of the interpreter with the exception `rt.exception`.
unsafe fn land(rt: *mut Rt, caught: &Caught) -> Result<(), Trap> {
    // SAFETY: V2; V6: slots that a clause names are in the frame it is for, as the checker proves.
    unsafe {
        let exception = (*rt).exception;
        let store = &mut *(*rt).store;
        let Caught { clause, place, start } = *caught;
        let mut to = place.fp.add(clause.payload as usize);
        let end = to.add(clause.payload_slots as usize);
        if to < end {
            read(store, exception, |bits| {
                if to < end {
                    to.write(bits);
                }
                to = to.wrapping_add(1);
            })?;
        }
        if let Some(slot) = clause.reference {
            place.fp.add(slot as usize).write(u64::from(exception));
        }
        store.pending_error = None;
        store.fibers.free_until((*rt).fiber, place.fiber, &mut store.budget);
        continuation::set_running(rt, place.fiber);
        Place { ip: start.add(clause.target as usize), ..place }.set_exit(rt);
        Ok(())
    }
}

/// Who catches an exception thrown at `place`, and how many calls of native code into the interpreter
/// are between.
///
/// # Safety
///
/// Guest code of the store is at `place`.
unsafe fn find(store: &Store, place: Place, exception: u32) -> Result<(Catcher, u32), Trap> {
    let tag = tag_of(store, exception)?;
    let mut walk = Walk::new(store).ok_or_else(|| bug!("something is thrown outside of a call"))?;
    let mut next = Some(place);
    let mut step = 0;
    let mut boundaries = 0;
    while let Some(place) = next {
        step += 1;
        if step % STEP_FRAMES == 0 && store.is_interrupted() {
            return Err(Trap::Interrupted);
        }
        let Some(activation) = walk.activation(place) else {
            return Err(bug!("a frame of no function at {:?}", place.ip));
        };
        let wants = |vmctx: *const VmCtx, wanted: u32| {
            // SAFETY: V3: the context of an instance.
            let instance = unsafe { (*vmctx).instance };
            store.instances[instance as usize].tags[wanted as usize] == tag
        };
        let catcher = match &activation {
            Activation::Interpreted(found) => {
                let wants = |wanted| wants(place.vmctx, wanted);
                let clause = find_clause(found.handlers, found.word as u32, wants);
                clause.map(|clause| {
                    let (clause, start) = (*clause, found.start);
                    Catcher::Interpreted(Caught { clause, place, start })
                })
            }
            Activation::Native(func) => native::find_handler(func, place, wants),
            Activation::Replaced => None,
        };
        if let Some(catcher) = catcher {
            // A loop that throws and catches stops here.
            return match store.is_interrupted() {
                true => Err(Trap::Interrupted),
                false => Ok((catcher, boundaries)),
            };
        }
        next = walk.outwards(&activation, place);
        // Native code that took over the outermost frame of a call out of native code stands for it.
        // SAFETY: V13: a place that guest code left, or that the walk gave.
        let entered = || !place.is_native() || unsafe { native::is_outermost(place) };
        boundaries += u32::from(next.is_some_and(|next| next.is_native()) && entered());
    }
    Err(Trap::Exception)
}

/// Throws the exception that a host function returned, as [`throw`] does, but out of the running
/// frame, which the call of the host function was to replace.
///
/// # Safety
///
/// As for [`throw`] with `rt.exception`.
#[cold]
#[inline(never)]
pub(crate) unsafe fn throw_out(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2 (caller).
    unsafe {
        let store = &mut *(*rt).store;
        let place = Place::exit(rt);
        let mut walk = Walk::new(store).ok_or(Trap::Exception)?;
        let found = walk.function(place).ok_or(Trap::Exception)?;
        let caller = walk.caller(&found, place).ok_or(Trap::Exception)?;
        if caller.is_native() {
            return throw_outwards(rt, caller);
        }
        store.fibers.free_until(place.fiber, caller.fiber, &mut store.budget);
        continuation::set_running(rt, caller.fiber);
        caller.set_exit(rt);
        throw(rt, (*rt).exception)
    }
}

/// Throws out of a frame of the interpreter that native code, which is at `caller`, called.
unsafe fn throw_outwards(rt: *mut Rt, caller: Place) -> Result<(), Trap> {
    // SAFETY: V2.
    unsafe {
        let store = &mut *(*rt).store;
        let (catcher, boundaries) = find(store, caller, (*rt).exception)?;
        let depth = store.native_depth - boundaries - 1;
        store.catch = Some(Catch { catcher, depth });
        Err(Trap::Exception)
    }
}
