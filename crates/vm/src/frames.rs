//! Frames of guest code: from one to its caller, and which function each is of.

use std::ops::Range;
use std::sync::Arc;

use dunlin_module::DefinedFuncIndex;

use crate::instance::Instance;
use crate::interp;
use crate::module_code::ModuleCode;
use crate::vmctx::{FrameHeader, Rt, VmCtx};

/// Where guest code is: an instruction, the frame it works on, the context it runs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// A word of the instruction.
    pub(crate) ip: *const u64,
    pub(crate) fp: *mut u64,
    pub(crate) vmctx: *mut VmCtx,
}

impl Place {
    /// Where guest code stopped or called the host, as the runtime record says.
    ///
    /// # Safety
    ///
    /// `rt` is the record of a store that nobody else uses.
    pub(crate) unsafe fn exit(rt: *const Rt) -> Place {
        // SAFETY: V2 (caller).
        unsafe { Place { ip: (*rt).exit_ip, fp: (*rt).exit_fp, vmctx: (*rt).exit_vmctx } }
    }
}

/// A function on the stack, and a word of its code.
#[derive(Clone, Copy)]
pub(crate) struct Found<'s> {
    pub(crate) code: &'s Arc<ModuleCode>,
    pub(crate) func: DefinedFuncIndex,
    pub(crate) word: usize,
}

/// A walk over frames of the value stack.
pub(crate) struct Walk<'s> {
    instances: &'s [Instance],
    /// First slot and end of the value stack.
    bounds: (*mut u64, *mut u64),
    /// The function found last: often the next frame is one of it too.
    last: Option<(Range<usize>, Found<'s>)>,
}

impl<'s> Walk<'s> {
    /// A walk over frames of these instances between these bounds.
    pub(crate) fn new(instances: &'s [Instance], bounds: (*mut u64, *mut u64)) -> Walk<'s> {
        Walk { instances, bounds, last: None }
    }

    /// The function that is at `place`.
    pub(crate) fn function(&mut self, place: Place) -> Option<Found<'s>> {
        // SAFETY: V3, V7: the context of an instance of the store, saved by its code.
        let instance = unsafe { place.vmctx.as_ref() }?.instance;
        let code = self.instances.get(instance as usize)?.code();
        let ip = place.ip.addr();
        if let Some((words, found)) = &self.last
            && words.contains(&ip)
            && Arc::ptr_eq(found.code, code)
        {
            return Some(Found { word: (ip - words.start) / size_of::<u64>(), ..*found });
        }
        let (func, words) = code.function_at(place.ip)?;
        let found = Found { code, func, word: (ip - words.start) / size_of::<u64>() };
        self.last = Some((words, found));
        Some(found)
    }

    /// Where the caller of a frame of `found` is; `None` if that is the host.
    pub(crate) fn caller(&self, found: &Found<'_>, fp: *mut u64) -> Option<Place> {
        let header = fp.wrapping_add(found.code.header_slot(found.func) as usize);
        let end = header.wrapping_add(size_of::<FrameHeader>() / size_of::<u64>());
        if fp < self.bounds.0 || header < fp || end > self.bounds.1 {
            return None;
        }
        // SAFETY: V6: the header of a live frame, whose slots are inside the value stack.
        let header = unsafe { header.cast::<FrameHeader>().read() };
        // Frames of callers are below, so that every walk ends.
        if header.ip == interp::exit_code() || header.fp.is_null() || header.fp >= fp {
            return None;
        }
        // The header says where to go on, which is behind the call.
        Some(Place { ip: header.ip.wrapping_sub(1), fp: header.fp, vmctx: header.vmctx })
    }
}
