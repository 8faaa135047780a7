//! Functions as values: records of both kinds, and functions of the host.

use std::any::Any;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32};

use dunlin_code::native::{FLOAT_PARAMS, INT_PARAMS};
use dunlin_module::{FuncType, TypeHold, TypeId, TypeRegistry, ValType};

use crate::interp;
use crate::native;
use crate::store::{InstanceHandle, Store};
use crate::vmctx::{CodeEntry, FuncRecord, HeapDef, VmCtx};

/// A function of the host, for any number of stores.
#[derive(Clone)]
pub struct HostFn {
    call: Arc<dyn HostFunction>,
    /// Code with the register ABI for such a function, if it takes numbers.
    numbers: Option<*const u8>,
}

// SAFETY: the function is, and code is never changed.
unsafe impl Send for HostFn {}
// SAFETY: as above.
unsafe impl Sync for HostFn {}

impl HostFn {
    /// From what takes slots: every fitting closure does.
    pub fn new(f: impl HostFunction) -> HostFn {
        HostFn { call: Arc::new(f), numbers: None }
    }

    /// From what also takes numbers in registers, as native code has them.
    pub fn of_numbers<F: NumberFunction>(f: F) -> HostFn {
        let bridge = <F::Sees as sealed::Way>::bridge::<F>();
        HostFn { call: Arc::new(f), numbers: native::AVAILABLE.then_some(bridge) }
    }

    /// Calls it with slots.
    #[inline]
    pub(crate) fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
        self.call.call(call)
    }

    /// What it was made from.
    ///
    /// # Safety
    ///
    /// That is of type `F`.
    #[cfg_attr(not(dunlin_native), allow(dead_code, reason = "only native code calls it"))]
    #[inline(always)]
    pub(crate) unsafe fn function<F: HostFunction>(&self) -> &F {
        // SAFETY: the caller's promise.
        unsafe { &*Arc::as_ptr(&self.call).cast() }
    }
}

/// What a function of the host does: every fitting closure is one.
pub trait HostFunction: Send + Sync + 'static {
    /// Parameters are found in, and results left in, [`HostCall::args`].
    ///
    /// # Errors
    ///
    /// The host's own, which ends the guest's call and is handed on untouched.
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError>;
}

impl<F> HostFunction for F
where
    F: Fn(&mut HostCall<'_>) -> Result<(), HostError> + Send + Sync + 'static,
{
    #[inline]
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
        self(call)
    }
}

/// A function of the host whose parameters and result are numbers: such a function can be called
/// without a detour through slots if its signature allows. Native code has a bridge of its own to each of
/// them, into which what it does is inlined.
pub trait NumberFunction: HostFunction {
    /// What it sees besides: [`Blind`] or [`Seeing`].
    type Sees: Sight;

    /// Gives its result by its bits, or anything if it has none. What the upper halves of 32-bit numbers are
    /// is not specified.
    ///
    /// # Errors
    ///
    /// As [`HostFunction::call`].
    fn call_numbers(
        &self,
        seen: <Self::Sees as Sight>::Of<'_>,
        numbers: Numbers,
    ) -> Result<u64, HostError>;
}

/// Numbers as native code passes them in registers: each kind in the order of parameters. There may be
/// more than there are parameters; parameters that are more are spilled (see [`Store::spill`]).
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Numbers {
    pub ints: [u64; INT_PARAMS],
    pub floats: [f64; FLOAT_PARAMS],
}

/// What a [`NumberFunction`] sees of the call that reached it. Sealed.
pub trait Sight: sealed::Way {
    /// What it is given.
    type Of<'a>;
}

impl Sight for Blind {
    type Of<'a> = ();
}

impl Sight for Seeing {
    type Of<'a> = (&'a mut Store, Option<InstanceHandle>);
}

/// The function sees nothing but its parameters. So nothing that it does depends on where guests are.
#[derive(Debug)]
pub enum Blind {}

/// The function sees its store, and the instance that calls.
#[derive(Debug)]
pub enum Seeing {}

#[cfg_attr(not(dunlin_native), allow(dead_code, reason = "only native code goes there"))]
pub(crate) mod sealed {
    use dunlin_code::Trap;

    use super::{Blind, NumberFunction, Numbers, Seeing, Sight, Store};
    use crate::host_call::{leave, leave_blind};
    use crate::native;
    use crate::vmctx::VmCtx;

    /// How native code gets to such functions.
    pub trait Way: Sized {
        /// Code with the register ABI that calls a function.
        fn bridge<F: NumberFunction<Sees = Self>>() -> *const u8
        where
            Self: Sight;

        /// Calls a function.
        ///
        /// # Safety
        ///
        /// V13: native code calls it, with context `cx`, as the exit fields say if it sees something.
        unsafe fn call<F: NumberFunction<Sees = Self>>(
            cx: *mut VmCtx,
            f: &F,
            numbers: Numbers,
        ) -> Result<u64, Trap>
        where
            Self: Sight;
    }

    impl Way for Blind {
        fn bridge<F: NumberFunction<Sees = Self>>() -> *const u8 {
            native::blind_bridge::<F>()
        }

        #[inline(always)]
        unsafe fn call<F: NumberFunction<Sees = Self>>(
            cx: *mut VmCtx,
            f: &F,
            numbers: Numbers,
        ) -> Result<u64, Trap> {
            // SAFETY: V3: a context names its record.
            unsafe { leave_blind((*cx).rt, || f.call_numbers((), numbers)) }
        }
    }

    impl Way for Seeing {
        fn bridge<F: NumberFunction<Sees = Self>>() -> *const u8 {
            native::seeing_bridge::<F>()
        }

        #[inline(always)]
        unsafe fn call<F: NumberFunction<Sees = Self>>(
            cx: *mut VmCtx,
            f: &F,
            numbers: Numbers,
        ) -> Result<u64, Trap> {
            // SAFETY: V3; V13: native code says who calls, and the value stack is free from there on.
            unsafe {
                let rt = (*cx).rt;
                let call = |store: &mut Store, caller| f.call_numbers((store, caller), numbers);
                leave(rt, (*cx).caller, (*rt).native_top, call)
            }
        }
    }
}

/// An error of a host function, which ends the guest's call and is handed on untouched.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// A call from a guest, as the host function sees it.
pub struct HostCall<'a> {
    /// The store the call happens in. Another must not be put in its place.
    pub store: &'a mut Store,
    /// The instance that calls; `None` if the host called its own function.
    pub caller: Option<InstanceHandle>,
    /// Slots of the parameters on entry, of the results on return; as many as the longer of both
    /// needs. Slots that are no parameters have unspecified contents.
    pub args: &'a mut [u64],
}

impl HostCall<'_> {
    /// The data of the host that the store was made with.
    pub fn data_mut(&mut self) -> &mut (dyn Any + Send) {
        self.store.data_mut()
    }
}

impl fmt::Debug for HostCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCall").field("caller", &self.caller).field("args", &self.args).finish()
    }
}

/// A function type made canonical once, to make any number of host functions from.
#[derive(Debug)]
pub struct Signature {
    pub(crate) ty: Arc<FuncType>,
    pub(crate) id: TypeId,
    pub(crate) hold: TypeHold,
    pub(crate) param_slots: u32,
    pub(crate) result_slots: u32,
    pub(crate) result_refs: bool,
    /// Whether native code passes nothing but numbers, and one result at most.
    pub(crate) only_numbers: bool,
}

impl Signature {
    /// Makes `ty` canonical in `types`.
    ///
    /// # Errors
    ///
    /// As [`TypeRegistry::intern_func`].
    pub fn new(types: &TypeRegistry, ty: &FuncType) -> Result<Signature, dunlin_module::Error> {
        let (id, hold) = types.intern_func(ty)?;
        Ok(Signature {
            id,
            hold,
            param_slots: ty.param_slots(),
            result_slots: ty.result_slots(),
            result_refs: ty.results.iter().any(|r| r.is_ref()),
            only_numbers: only_numbers(ty),
            ty: Arc::new(ty.clone()),
        })
    }

    /// The signature.
    pub fn ty(&self) -> &Arc<FuncType> {
        &self.ty
    }

    /// Slots for the longer of parameters and results.
    pub(crate) fn slots(&self) -> u32 {
        self.param_slots.max(self.result_slots)
    }
}

/// A host function in a store, at a fixed address.
pub(crate) struct HostFunc {
    pub(crate) call: HostFn,
    pub(crate) signature: Arc<Signature>,
    /// What the function's record names as its code.
    pub(crate) entry: CodeEntry,
    /// Slots for the longer of parameters and results.
    pub(crate) slots: u32,
    /// Whether results are references, which are checked.
    pub(crate) result_refs: bool,
}

impl HostFunc {
    pub(crate) fn new(signature: Arc<Signature>, call: HostFn) -> HostFunc {
        let header = signature.slots();
        let entry = CodeEntry {
            ip: AtomicPtr::new(interp::host_code().cast_mut()),
            frame_slots: AtomicU32::new(header + dunlin_code::frame::HEADER_SLOTS),
            header_slot: AtomicU32::new(header),
            zero_slots: AtomicU32::new(0),
            heat: AtomicU32::new(0),
            native: AtomicPtr::new(ptr::null_mut()),
        };
        let (slots, result_refs) = (signature.slots(), signature.result_refs);
        HostFunc { call, signature, entry, slots, result_refs }
    }

    /// Code with the register ABI that calls it: its own, or the bridge to everything.
    pub(crate) fn native(&self) -> *const u8 {
        match self.call.numbers {
            Some(own) if self.signature.only_numbers => own,
            _ => native::bridge(),
        }
    }
}

impl fmt::Debug for HostFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunc").field("ty", &self.signature.ty).finish_non_exhaustive()
    }
}

/// Whether all of a signature are numbers, one result at most. Native code passes those in registers, and
/// what does not fit in the spill area.
pub(crate) fn only_numbers(ty: &FuncType) -> bool {
    let is_number =
        |ty: &ValType| matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
    ty.results.len() <= 1 && ty.params.iter().chain(&ty.results[..]).all(is_number)
}

/// Function records, each at a fixed address until the store is dropped.
#[derive(Debug, Default)]
pub(crate) struct RecordArena {
    /// No chunk ever exceeds its first capacity; each holds twice as many records as the last.
    chunks: Vec<Vec<FuncRecord>>,
    /// All records by their number.
    addresses: Vec<*mut FuncRecord>,
}

const FIRST_CHUNK_RECORDS: usize = 16;

impl RecordArena {
    /// Puts `record` where it stays.
    pub(crate) fn add(&mut self, mut record: FuncRecord, def: &mut HeapDef) -> *mut FuncRecord {
        record.number = self.addresses.len() as u32;
        let full = |chunk: &Vec<FuncRecord>| chunk.len() == chunk.capacity();
        if self.chunks.last().is_none_or(full) {
            let records = FIRST_CHUNK_RECORDS << self.chunks.len().min(16);
            self.chunks.push(Vec::with_capacity(records));
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        chunk.push(record);
        let at = chunk.len() - 1;
        // SAFETY: `at` is inside the chunk, whose buffer never moves: it is not pushed to when full.
        let address = unsafe { chunk.as_mut_ptr().add(at) };
        address.expose_provenance();
        self.addresses.push(address);
        def.funcs = self.addresses.as_ptr();
        def.funcs_len = self.addresses.len() as u32;
        address
    }

    /// The record at address `raw`, if there is one.
    pub(crate) fn find(&self, raw: u64) -> Option<*mut FuncRecord> {
        let address = usize::try_from(raw).ok()?;
        self.chunks.iter().rev().find_map(|chunk| {
            let offset = address.checked_sub(chunk.as_ptr().addr())?;
            let at = offset / size_of::<FuncRecord>();
            let exact = offset.is_multiple_of(size_of::<FuncRecord>());
            (exact && at < chunk.len()).then(|| ptr::with_exposed_provenance_mut(address))
        })
    }
}

/// A record of nothing yet, for the fields that both kinds of functions share.
pub(crate) fn record(
    code: *const CodeEntry,
    vmctx: *mut VmCtx,
    type_id: TypeId,
    index: u32,
    host: bool,
) -> FuncRecord {
    FuncRecord {
        native: AtomicPtr::new(native::bridge().cast_mut()),
        vmctx,
        type_id: type_id.0,
        number: 0,
        code,
        index,
        handle: 0,
        host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_and_are_found_by_their_address_alone() {
        let mut arena = RecordArena::default();
        let make = |index| record(ptr::null(), ptr::null_mut(), TypeId(7), index, false);
        let mut def = HeapDef::EMPTY;
        let made: Vec<_> = (0..1000).map(|index| arena.add(make(index), &mut def)).collect();
        for (index, address) in made.iter().enumerate() {
            let raw = address.expose_provenance() as u64;
            assert_eq!(arena.find(raw), Some(*address));
            // SAFETY: just made, the arena is alive.
            assert_eq!(unsafe { (**address).index }, index as u32);
            assert_eq!(arena.find(raw + 8), None);
        }
        assert_eq!(arena.find(0), None);
        assert_eq!(arena.find(u64::MAX), None);
    }
}
