//! Fibers: what continuations run on.
//!
//! Frames of guests live on a value stack, so that a fiber is a value stack of its own, here called
//! segment, and a few pointers.
//!
//! ```text
//!          resume, first                suspend, switch
//!  made ──────────────────► running ─────────────────────► suspended
//!    │                       │   ▲                             │
//!    │ never reachable       │   └──────── resume, switch ─────┤ never reachable
//!    ▼                       ▼ return, exception, trap         ▼
//!  free                     free                              free
//! ```
//!
//! A fiber that runs is linked to its *parent*, on which the `resume` is that it returns to; from
//! `Rt::fiber` on, parents lead to fiber 0, which stands for the value stack of the call from the
//! host. Suspending unlinks all fibers from the running one up to the one whose resumer handles the
//! tag: together they are the continuation, named by the outermost, which knows the innermost.
//!
//! A segment begins small and is replaced by one twice as large when a call does not fit
//! ([`grow`]). That moves frames, of which only headers and the registers point into the segment: a
//! host function that is being called has slots there too, but while it runs no guest code of the
//! fiber does, and what it calls in turn runs on the value stack of the outermost call.
//!
//! A tier that uses the native stack will put the native stack beside the segment.

use dunlin_code::Trap;

use crate::budget::{Budget, Resource};
use crate::frames::Place;
use crate::interp;
use crate::store::Store;
use crate::sys::Pages;
use crate::vmctx::{FrameHeader, FuncRecord, Rt};

/// A fiber of a store; 0 for the value stack of a call from the host.
pub(crate) type FiberId = u32;

/// Slots of the smallest segment, a page of memory.
const SEGMENT_SLOTS_MIN: usize = 512;

/// Segments of that size that are kept for the next fiber.
const IDLE_MAX: usize = 1024;

/// So many fibers are kept before a collection looks for dead ones.
const COLLECT_AT_MIN: usize = 4096;

/// What a fiber costs without its segment.
const FIBER_BYTES: u64 = size_of::<Fiber>() as u64 + 16;

/// One fiber.
#[derive(Debug)]
pub(crate) struct Fiber {
    segment: Option<Segment>,
    /// The function that is called at the first resumption; null afterwards.
    pub(crate) func: *const FuncRecord,
    /// Where it was suspended, while it is the innermost of a continuation.
    pub(crate) place: Place,
    /// Where the arguments of the next resumption go, and how many slots of them are there already.
    pub(crate) arguments: *mut u64,
    /// See `arguments`.
    pub(crate) bound_slots: u32,
    /// The slots among these that hold references to objects.
    pub(crate) bound_references: Vec<*mut u64>,
    /// The innermost fiber of the continuation, while it is the outermost.
    pub(crate) innermost: FiberId,
    /// Whether it is the outermost of a continuation that can be resumed.
    suspended: bool,
    /// The `resume` that it returns to, while it runs or what it resumed does.
    pub(crate) resumer: Place,
}

/// A piece of value stack.
#[derive(Debug)]
struct Segment {
    memory: Pages,
    slots: usize,
}

impl Segment {
    fn base(&self) -> *mut u64 {
        self.memory.base().cast()
    }

    fn end(&self) -> *mut u64 {
        self.base().wrapping_add(self.slots)
    }

    fn bytes(&self) -> u64 {
        (self.slots * size_of::<u64>()) as u64
    }
}

/// All fibers of a store.
#[derive(Debug)]
pub(crate) struct Fibers {
    /// By id. The first stands for the value stack of the call from the host.
    all: Vec<Fiber>,
    free: Vec<FiberId>,
    idle: Vec<Segment>,
    /// See [`Fibers::take_recent`].
    recent: Vec<FiberId>,
    /// See [`Fibers::are_many`].
    collect_at: usize,
}

impl Default for Fibers {
    fn default() -> Fibers {
        Fibers {
            all: vec![Fiber::new(std::ptr::null())],
            free: Vec::new(),
            idle: Vec::new(),
            recent: Vec::new(),
            collect_at: 0,
        }
    }
}

impl Fiber {
    fn new(func: *const FuncRecord) -> Fiber {
        Fiber {
            segment: None,
            func,
            place: Place::NOWHERE,
            arguments: std::ptr::null_mut(),
            bound_slots: 0,
            bound_references: Vec::new(),
            innermost: 0,
            suspended: false,
            resumer: Place::NOWHERE,
        }
    }

    /// The first slot; null before there are any.
    pub(crate) fn base(&self) -> *mut u64 {
        self.segment.as_ref().map_or(std::ptr::null_mut(), Segment::base)
    }

    /// The first slot and the end of the slots.
    pub(crate) fn bounds(&self) -> (*mut u64, *mut u64) {
        (self.base(), self.end())
    }

    /// Where it was suspended, if it has begun.
    pub(crate) fn place(&self) -> Option<Place> {
        self.func.is_null().then_some(self.place)
    }

    /// The end of the slots.
    fn end(&self) -> *mut u64 {
        self.segment.as_ref().map_or(std::ptr::null_mut(), Segment::end)
    }
}

impl Fibers {
    /// A fiber that will call `func`.
    pub(crate) fn make(
        &mut self,
        func: *const FuncRecord,
        budget: &mut Budget,
    ) -> Result<FiberId, Trap> {
        let refused = |_| Trap::LimitExceeded;
        budget.charge(Resource::Bytes, FIBER_BYTES).map_err(refused)?;
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                let id = u32::try_from(self.all.len()).map_err(|_| Trap::LimitExceeded)?;
                self.all.push(Fiber::new(std::ptr::null()));
                id
            }
        };
        self.get_mut(id).func = func;
        self.suspend(id, id);
        Ok(id)
    }

    /// From now on `outermost` can be resumed, and goes on with `innermost` then.
    pub(crate) fn suspend(&mut self, outermost: FiberId, innermost: FiberId) {
        let fiber = self.get_mut(outermost);
        fiber.innermost = innermost;
        fiber.suspended = true;
        self.recent.push(outermost);
    }

    /// From now on `outermost` runs, resumed at `resumer`.
    pub(crate) fn resume(&mut self, outermost: FiberId, resumer: Place) {
        let fiber = self.get_mut(outermost);
        fiber.suspended = false;
        fiber.resumer = resumer;
    }

    /// Whether `id` is a fiber, the outermost of a continuation that can be resumed.
    pub(crate) fn is_suspended(&self, id: FiberId) -> bool {
        self.all.get(id as usize).is_some_and(|fiber| fiber.suspended)
    }

    /// How many ids there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether so many more fibers were made since the last look for dead ones that it is time for
    /// another.
    pub(crate) fn are_many(&self) -> bool {
        self.all.len() - self.free.len() > self.collect_at.max(COLLECT_AT_MIN)
    }

    /// Continuations that were suspended, made or bound since the last collection, some perhaps more
    /// than once, and some perhaps resumed since: all whose frames may refer to young objects.
    pub(crate) fn take_recent(&mut self) -> Vec<FiberId> {
        let mut recent = std::mem::take(&mut self.recent);
        recent.retain(|id| self.is_suspended(*id));
        recent.sort_unstable();
        recent.dedup();
        recent
    }

    /// Ends the fibers of all continuations for which `is_alive` is false.
    pub(crate) fn sweep(&mut self, is_alive: impl Fn(FiberId) -> bool, budget: &mut Budget) {
        for id in 1..self.all.len() as FiberId {
            if self.is_suspended(id) && !is_alive(id) {
                self.get_mut(id).suspended = false;
                let innermost = self.get(id).innermost;
                self.free_until(innermost, id, budget);
                self.free(id, budget);
            }
        }
        self.collect_at = (self.all.len() - self.free.len()) * 2;
    }

    /// The slots with references among the arguments that a suspended continuation was bound to, and
    /// where its frames end: slots from there on are dead.
    pub(crate) fn arguments(&self, outermost: FiberId) -> (&[*mut u64], *mut u64) {
        let inner = self.get(self.get(outermost).innermost);
        (&inner.bound_references, inner.arguments)
    }

    pub(crate) fn get(&self, id: FiberId) -> &Fiber {
        &self.all[id as usize]
    }

    pub(crate) fn get_mut(&mut self, id: FiberId) -> &mut Fiber {
        &mut self.all[id as usize]
    }

    /// Where frames of the fiber must end, given the end of the value stack of the call.
    pub(crate) fn end_of(&self, id: FiberId, main_end: *mut u64) -> *mut u64 {
        if id == 0 { main_end } else { self.get(id).end() }
    }

    /// Makes room for `slots` slots on a fiber that did not run yet.
    pub(crate) fn provide(
        &mut self,
        id: FiberId,
        slots: usize,
        budget: &mut Budget,
    ) -> Result<(), Trap> {
        let has = self.get(id).segment.as_ref().map_or(0, |segment| segment.slots);
        if has >= slots && has > 0 {
            return Ok(());
        }
        let segment = self.segment(slots, budget)?;
        let fiber = self.get_mut(id);
        let (old, new) = (fiber.base(), segment.base());
        // SAFETY: only bound arguments are there, at the start of both, which are different memory.
        unsafe { new.copy_from_nonoverlapping(old, fiber.bound_slots as usize) };
        for slot in &mut fiber.bound_references {
            *slot = moved(*slot, old, new);
        }
        fiber.arguments = new;
        if let Some(old) = fiber.segment.replace(segment) {
            self.give_back(old, budget);
        }
        Ok(())
    }

    /// A segment of at least `slots` slots.
    fn segment(&mut self, slots: usize, budget: &mut Budget) -> Result<Segment, Trap> {
        let most = budget.limits().value_stack_slots.max(SEGMENT_SLOTS_MIN);
        let slots = slots.max(SEGMENT_SLOTS_MIN).next_power_of_two();
        if slots > most.next_power_of_two() {
            return Err(Trap::StackOverflow);
        }
        let bytes = slots * size_of::<u64>();
        budget.charge(Resource::Bytes, bytes as u64).map_err(|_| Trap::LimitExceeded)?;
        if slots == SEGMENT_SLOTS_MIN
            && let Some(segment) = self.idle.pop()
        {
            return Ok(segment);
        }
        match Pages::new(bytes) {
            Ok(memory) => Ok(Segment { memory, slots }),
            Err(_) => {
                budget.release(Resource::Bytes, bytes as u64);
                Err(Trap::LimitExceeded)
            }
        }
    }

    fn give_back(&mut self, segment: Segment, budget: &mut Budget) {
        budget.release(Resource::Bytes, segment.bytes());
        if segment.slots == SEGMENT_SLOTS_MIN && self.idle.len() < IDLE_MAX {
            self.idle.push(segment);
        }
    }

    /// Ends a fiber, whose frames are gone.
    pub(crate) fn free(&mut self, id: FiberId, budget: &mut Budget) {
        let fiber = std::mem::replace(self.get_mut(id), Fiber::new(std::ptr::null()));
        if let Some(segment) = fiber.segment {
            self.give_back(segment, budget);
        }
        budget.release(Resource::Bytes, FIBER_BYTES);
        self.free.push(id);
    }

    /// Ends the fibers from `innermost` on, up to `last`, which goes on.
    pub(crate) fn free_until(&mut self, innermost: FiberId, last: FiberId, budget: &mut Budget) {
        let mut id = innermost;
        while id != last {
            let parent = self.get(id).resumer.fiber;
            self.free(id, budget);
            id = parent;
        }
    }
}

/// `address` in the memory at `old` as an address in the memory at `new`.
fn moved(address: *mut u64, old: *mut u64, new: *mut u64) -> *mut u64 {
    new.wrapping_byte_add(address.addr().wrapping_sub(old.addr()))
}

/// Gives the running fiber a larger segment, because a call at the place in the exit fields did not
/// fit; afterwards these say where it is now.
///
/// # Safety
///
/// The exit fields are the place of the running code.
#[cold]
#[inline(never)]
pub(crate) unsafe fn grow(rt: *mut Rt) -> Result<(), Trap> {
    // SAFETY: V2: no other reference to the store is in use.
    let store = unsafe { &mut *(*rt).store };
    let Store { fibers, budget, .. } = store;
    // SAFETY: V1.
    let (id, mut place) = unsafe { ((*rt).fiber, Place::exit(rt)) };
    let slots = fibers.get(id).segment.as_ref().map_or(0, |segment| segment.slots);
    if id == 0 || slots >= budget.limits().value_stack_slots {
        return Err(Trap::StackOverflow);
    }
    let segment = fibers.segment(slots * 2, budget)?;
    let (old, new) = (fibers.get(id).base(), segment.base());
    // SAFETY: both have that many slots, and are different memory; V6: those of the old one are
    // initialised. Frames of the fiber are linked by headers, each at its slot.
    unsafe {
        new.copy_from_nonoverlapping(old, slots);
        place.fp = moved(place.fp, old, new);
        (*rt).exit_fp = place.fp;
        loop {
            let code = &*(*place.vmctx).module;
            let found = code.function_at(place.ip).ok_or(Trap::Bug)?;
            let header = place.fp.add(code.header_slot(found.func) as usize).cast::<FrameHeader>();
            if (*header).ip == interp::return_code() {
                break;
            }
            (*header).fp = moved((*header).fp, old, new);
            let FrameHeader { ip, fp, vmctx } = *header;
            place = Place { ip: ip.wrapping_sub(1), fp, vmctx, fiber: id };
        }
        (*rt).stack_end = segment.end();
    }
    if let Some(old) = fibers.get_mut(id).segment.replace(segment) {
        fibers.give_back(old, budget);
    }
    Ok(())
}
