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
use crate::frames::{Place, Walk};
use crate::func::HostError;
use crate::gc::access::{read_field, write_fields, write_header};
use crate::gc::heap::NURSERY_BYTES;
use crate::gc::types::{Shape, TypeInfo};
use crate::store::{CallError, Store};
use crate::vmctx::Rt;

/// Frames between two looks for interruption: some tens of microseconds.
const STEP_FRAMES: usize = 1 << 10;

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
        let (clause, place, start) = find(store, Place::exit(rt), exception)?;
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

/// The clause that catches an exception thrown at `place`, the place of its frame, and the first
/// word of its function.
///
/// # Safety
///
/// Guest code of the store is at `place`.
unsafe fn find(
    store: &Store,
    place: Place,
    exception: u32,
) -> Result<(Clause, Place, *const u64), Trap> {
    let tag = tag_of(store, exception)?;
    let mut walk = Walk::new(store).ok_or_else(|| bug!("something is thrown outside of a call"))?;
    let mut next = Some(place);
    let mut step = 0;
    while let Some(place) = next {
        step += 1;
        if step % STEP_FRAMES == 0 && store.is_interrupted() {
            return Err(Trap::Interrupted);
        }
        let Some(found) = walk.function(place) else {
            return Err(bug!("a frame of no function at {:?}", place.ip));
        };
        // SAFETY: V3: the context of an instance.
        let instance = unsafe { (*place.vmctx).instance };
        let tags = &store.instances[instance as usize].tags;
        let wants = |wanted: u32| tags[wanted as usize] == tag;
        if let Some(clause) = find_clause(found.handlers, found.word as u32, wants) {
            // A loop that throws and catches stops here.
            return match store.is_interrupted() {
                true => Err(Trap::Interrupted),
                false => Ok((*clause, place, found.start)),
            };
        }
        next = walk.caller(&found, place);
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
        store.fibers.free_until(place.fiber, caller.fiber, &mut store.budget);
        continuation::set_running(rt, caller.fiber);
        caller.set_exit(rt);
        throw(rt, (*rt).exception)
    }
}
