//! Frames of guest code: from one to its caller, through continuations to whoever resumed them, and
//! which function each is of.

use std::ops::Range;
use std::sync::Arc;

use dunlin_code::Handler;
use dunlin_module::DefinedFuncIndex;

use crate::fiber::{FiberId, Fibers};
use crate::instance::Instance;
use crate::interp;
use crate::module_code::ModuleCode;
use crate::native;
use crate::store::Store;
use crate::vmctx::{FrameHeader, Rt, VmCtx};

/// Where guest code is: an instruction, the frame it works on, the context it runs in. In native code
/// the frame is the native one, and the context is null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// A word of the instruction.
    pub(crate) ip: *const u64,
    pub(crate) fp: *mut u64,
    pub(crate) vmctx: *mut VmCtx,
    /// The fiber of the frame.
    pub(crate) fiber: FiberId,
}

impl Place {
    /// A place in native code: an address in the instruction, or in the call, and the frame pointer.
    pub(crate) fn native(pc: usize, fp: *mut u64) -> Place {
        let ip = std::ptr::without_provenance(pc);
        Place { ip, fp, vmctx: std::ptr::null_mut(), fiber: 0 }
    }

    /// Whether this is a place in native code, which has its context elsewhere.
    pub(crate) fn is_native(&self) -> bool {
        self.vmctx.is_null() && !self.ip.is_null()
    }

    /// No place.
    pub(crate) const NOWHERE: Place = Place {
        ip: std::ptr::null(),
        fp: std::ptr::null_mut(),
        vmctx: std::ptr::null_mut(),
        fiber: 0,
    };

    /// Where guest code stopped or called the host, as the runtime record says.
    ///
    /// # Safety
    ///
    /// `rt` is the record of a store that nobody else uses.
    pub(crate) unsafe fn exit(rt: *const Rt) -> Place {
        // SAFETY: V2 (caller).
        unsafe {
            let (ip, fp, vmctx) = ((*rt).exit_ip, (*rt).exit_fp, (*rt).exit_vmctx);
            Place { ip, fp, vmctx, fiber: (*rt).fiber }
        }
    }

    /// Makes the runtime record say that this is the place, but for the fiber.
    ///
    /// # Safety
    ///
    /// As for [`Place::exit`].
    pub(crate) unsafe fn set_exit(self, rt: *mut Rt) {
        // SAFETY: V2 (caller).
        unsafe {
            (*rt).exit_ip = self.ip;
            (*rt).exit_fp = self.fp;
            (*rt).exit_vmctx = self.vmctx;
        }
    }
}

/// A function on the stack, and a word of its code.
#[derive(Clone, Copy)]
pub(crate) struct Found<'s> {
    pub(crate) code: &'s Arc<ModuleCode>,
    pub(crate) func: DefinedFuncIndex,
    pub(crate) word: usize,
    /// The first word.
    pub(crate) start: *const u64,
    pub(crate) handlers: &'s [Handler],
}

/// A function that runs.
pub(crate) enum Activation<'s> {
    /// In the interpreter.
    Interpreted(Found<'s>),
    /// As native code.
    Native(Arc<native::NativeFunc>),
    /// Nothing any more: as native code it made a tail call of what is not native.
    Replaced,
}

/// A walk over frames of the value stack and of fibers.
pub(crate) struct Walk<'s> {
    instances: &'s [Instance],
    fibers: &'s Fibers,
    /// First slot and end of the value stack.
    bounds: (*mut u64, *mut u64),
    /// The outermost fiber of a continuation that does not run, where the walk ends.
    last: Option<FiberId>,
    /// The function found last: often the next frame is one of it too.
    found: Option<(Range<usize>, Found<'s>)>,
}

impl<'s> Walk<'s> {
    /// A walk over frames of a store; `None` if no call is going on in it.
    pub(crate) fn new(store: &'s Store) -> Option<Walk<'s>> {
        Some(Walk::within(&store.instances, &store.fibers, store.stack_bounds()?))
    }

    /// A walk over frames of these instances, on these fibers or between these bounds.
    pub(crate) fn within(
        instances: &'s [Instance],
        fibers: &'s Fibers,
        bounds: (*mut u64, *mut u64),
    ) -> Walk<'s> {
        Walk { instances, fibers, bounds, last: None, found: None }
    }

    /// From now on walks over the frames of the continuation with the outermost fiber `last`, which
    /// is suspended; where its innermost frame is, if it has one.
    pub(crate) fn suspended(&mut self, last: FiberId) -> Option<Place> {
        self.last = Some(last);
        self.fibers.get(self.fibers.get(last).innermost).place()
    }

    /// What runs at `place`.
    pub(crate) fn activation(&mut self, place: Place) -> Option<Activation<'s>> {
        if place.is_native() && native::is_replaced(place) {
            return Some(Activation::Replaced);
        }
        if place.is_native() {
            return native::function(place).map(Activation::Native);
        }
        self.function(place).map(Activation::Interpreted)
    }

    /// Where the caller of the activation at `place` is; `None` if that is the host.
    pub(crate) fn outwards(&self, activation: &Activation<'_>, place: Place) -> Option<Place> {
        match activation {
            Activation::Interpreted(found) => self.caller(found, place),
            Activation::Native(_) | Activation::Replaced => {
                // SAFETY: V13: a place that guest code left in the runtime record, or that a walk gave.
                match unsafe { native::caller(place) } {
                    native::Caller::Native(place) => Some(place),
                    native::Caller::Header(header) if header.is_null() => None,
                    // SAFETY: V6, V13: the header of the frame that native code replaced.
                    native::Caller::Header(header) => self.behind(unsafe { header.read() }, 0),
                }
            }
        }
    }

    /// The function that is at `place` of the interpreter.
    pub(crate) fn function(&mut self, place: Place) -> Option<Found<'s>> {
        // SAFETY: V3, V7: the context of an instance of the store, saved by its code.
        let instance = unsafe { place.vmctx.as_ref() }?.instance;
        let code = self.instances.get(instance as usize)?.code();
        let ip = place.ip.addr();
        if let Some((words, found)) = &self.found
            && words.contains(&ip)
            && Arc::ptr_eq(found.code, code)
        {
            return Some(Found { word: (ip - words.start) / size_of::<u64>(), ..*found });
        }
        let located = code.function_at(place.ip)?;
        let word = (ip - located.code.start) / size_of::<u64>();
        let start = place.ip.wrapping_sub(word);
        let found = Found { code, func: located.func, word, start, handlers: located.handlers };
        self.found = Some((located.code, found));
        Some(found)
    }

    /// Where the caller of the frame at `place`, which is of `found`, is: on the same fiber, or at the
    /// instruction that resumed this one; `None` if that is the host.
    pub(crate) fn caller(&self, found: &Found<'_>, place: Place) -> Option<Place> {
        let (fp, fiber) = (place.fp, place.fiber);
        let (start, stop) = match fiber {
            0 => self.bounds,
            fiber => self.fibers.get(fiber).bounds(),
        };
        let header = fp.wrapping_add(found.code.header_slot(found.func) as usize);
        let end = header.wrapping_add(size_of::<FrameHeader>() / size_of::<u64>());
        if fp < start || header < fp || end > stop {
            return None;
        }
        // SAFETY: V6: the header of a live frame, whose slots are inside the value stack.
        let header = unsafe { header.cast::<FrameHeader>().read() };
        if header.ip == interp::return_code() && fiber != 0 {
            let resumer = self.fibers.get(fiber).resumer;
            return (self.last != Some(fiber)).then_some(resumer);
        }
        // Frames of callers are below, so that every walk ends.
        if header.ip != interp::exit_code() && header.fp >= fp {
            return None;
        }
        self.behind(header, fiber)
    }

    /// Where `header` leads to.
    fn behind(&self, header: FrameHeader, fiber: FiberId) -> Option<Place> {
        let FrameHeader { ip, fp, vmctx } = header;
        if fp.is_null() {
            return None;
        }
        if ip == interp::exit_code() {
            // SAFETY: V13: native code that called the interpreter waits for it.
            return Some(unsafe { fp.cast::<native::Link>().read() }.place);
        }
        // The header says where to go on, which is behind the call.
        Some(Place { ip: ip.wrapping_sub(1), fp, vmctx, fiber })
    }
}
