//! The value stack: where the frames of a call live, owned by the thread that runs the guest.
//!
//! A store has one only while a call is going on, so that thousands of idle stores take no address
//! space for it. Each thread keeps one for the next call; a few stores that are called again and again
//! keep theirs.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys::{self, NoMemory, Pages, Reservation};

/// Inaccessible bytes before and after the slots, where the platform can do that. Frames are
/// checked against the end of the stack; this is for the case that a check is wrong.
const GUARD_BYTES: usize = 64 << 10;

/// Zeroed slots at a fixed address.
#[derive(Debug)]
pub(crate) struct ValueStack {
    base: *mut u64,
    slots: usize,
    /// Owns the slots.
    _memory: StackMemory,
}

#[derive(Debug)]
enum StackMemory {
    Guarded { _reservation: Reservation },
    Plain { _pages: Pages },
}

// SAFETY: the base points into memory that the value owns.
unsafe impl Send for ValueStack {}

impl ValueStack {
    /// A stack of at least `slots` slots.
    fn new(slots: usize) -> Result<Box<ValueStack>, NoMemory> {
        let size = slots.checked_mul(8).ok_or(NoMemory)?;
        if !sys::RESERVATIONS {
            let pages = Pages::new(size)?;
            let base = pages.base().cast();
            let _memory = StackMemory::Plain { _pages: pages };
            return Ok(Box::new(ValueStack { base, slots, _memory }));
        }
        let size = size.checked_next_multiple_of(GUARD_BYTES).ok_or(NoMemory)?;
        let mut reservation = Reservation::new(size.checked_add(2 * GUARD_BYTES).ok_or(NoMemory)?)?;
        reservation.commit(GUARD_BYTES, size)?;
        // SAFETY: inside the reservation.
        let base = unsafe { reservation.base().add(GUARD_BYTES) }.cast();
        let _memory = StackMemory::Guarded { _reservation: reservation };
        Ok(Box::new(ValueStack { base, slots: size / 8, _memory }))
    }

    /// The stack kept by this thread if it has `slots` slots, else a new one.
    #[inline]
    pub(crate) fn take(slots: usize) -> Result<Box<ValueStack>, NoMemory> {
        match IDLE.try_with(Cell::take) {
            Ok(Some(stack)) if stack.slots >= slots => Ok(stack),
            _ => ValueStack::new(slots),
        }
    }

    /// Leaves the stack to the next call of this thread.
    #[inline]
    pub(crate) fn give_back(self: Box<Self>) {
        // A thread that is ending keeps nothing.
        let _ = IDLE.try_with(|idle| idle.set(Some(self)));
    }

    /// The first slot.
    pub(crate) fn base(&self) -> *mut u64 {
        self.base
    }
}

/// How many stores of the process keep their value stacks between calls.
static KEEPERS: AtomicUsize = AtomicUsize::new(0);
/// The most that may.
const KEEPERS_MAX: usize = 16;
/// Calls after which a store is taken for one that is called again and again.
const CALLS_MANY: u8 = 3;

/// The value stack of a store: there while a call is going on, and maybe between calls.
///
/// A store that is dropped during a call, because a host function moved it out of the reference it was
/// given, would take guest code's memory away under its feet. There is no way to go on from there.
#[derive(Debug, Default)]
pub(crate) struct Active {
    stack: Option<Box<ValueStack>>,
    calling: bool,
    /// Whether it is one of the [`KEEPERS`].
    keeper: bool,
    /// Calls so far, as far as that matters.
    calls: u8,
}

impl Active {
    /// Whether a call is going on.
    #[inline]
    pub(super) fn is_calling(&self) -> bool {
        self.calling
    }

    /// Whether no call is going on, and the next will find a stack.
    #[inline(always)]
    pub(super) fn is_resting(&self) -> bool {
        !self.calling && self.stack.is_some()
    }

    /// Now a call is going on, on the stack of the last.
    #[inline(always)]
    pub(super) fn resume(&mut self) {
        self.calling = true;
    }

    /// Now a call is going on, on a stack of at least `slots` slots: gives the first of them if it is
    /// another stack than in the last call.
    #[inline]
    pub(super) fn begin(&mut self, slots: usize) -> Result<Option<*mut u64>, NoMemory> {
        let new = match &self.stack {
            Some(_) => None,
            None => Some(self.stack.insert(ValueStack::take(slots)?).base()),
        };
        self.calling = true;
        Ok(new)
    }

    /// The call is over, and the stack the store's, the thread's or, unless it is worth keeping, gone.
    #[inline]
    pub(super) fn end(&mut self, worth_keeping: bool) {
        self.calling = false;
        if !self.keeper || !worth_keeping {
            self.let_go(worth_keeping);
        }
    }

    #[cold]
    fn let_go(&mut self, worth_keeping: bool) {
        if !worth_keeping {
            self.stack = None;
            return;
        }
        if self.calls < CALLS_MANY {
            self.calls += 1;
        } else {
            let more = |keepers| (keepers < KEEPERS_MAX).then_some(keepers + 1);
            self.keeper = KEEPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        }
        if !self.keeper
            && let Some(stack) = self.stack.take()
        {
            stack.give_back();
        }
    }

    /// The first slot of the stack, while a call is going on.
    pub(super) fn base(&self) -> Option<*mut u64> {
        self.stack.as_ref().filter(|_| self.calling).map(|stack| stack.base())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.calling {
            abort("a store was dropped during a call in it");
        }
        if self.keeper {
            KEEPERS.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(stack) = self.stack.take() {
            stack.give_back();
        }
    }
}

/// Ends the process, because the embedder did what would make guest code use freed memory.
#[cold]
pub(crate) fn abort(what: &str) -> ! {
    eprintln!("dunlin: {what}");
    std::process::abort()
}

thread_local! {
    static IDLE: Cell<Option<Box<ValueStack>>> = const { Cell::new(None) };
}
