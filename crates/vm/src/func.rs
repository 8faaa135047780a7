//! Functions as values: records of both kinds, and functions of the host.

use std::any::Any;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32};

use dunlin_code::native::INT_PARAMS;
use dunlin_module::{FuncType, TypeHold, TypeId, TypeRegistry, ValType};

use crate::interp;
use crate::native::{self, Ints};
use crate::store::{InstanceHandle, Store};
use crate::vmctx::{CodeEntry, FuncRecord, HeapDef, VmCtx};

/// A function of the host.
pub type HostFn = Box<dyn HostFunction>;

/// What a function of the host does: every fitting closure is one.
pub trait HostFunction: Send + Sync {
    /// Parameters are found in, and results left in, [`HostCall::args`].
    ///
    /// # Errors
    ///
    /// The host's own, which ends the guest's call and is handed on untouched.
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError>;

    /// As [`HostFunction::call`], for a function that is passed `ints` alone and gives one result at
    /// most; `call` has no slots, the function has `slots`. Made anew for each closure, so that
    /// parameters of one with static types never leave the registers.
    ///
    /// # Errors
    ///
    /// As [`HostFunction::call`].
    #[expect(clippy::too_many_arguments, reason = "in registers")]
    #[inline]
    fn call_ints(
        &self,
        call: &mut HostCall<'_>,
        slots: usize,
        a: u64,
        b: u64,
        c: u64,
        d: u64,
        e: u64,
    ) -> Result<u64, HostError> {
        let mut args: [u64; INT_PARAMS] = [a, b, c, d, e];
        let used = &mut args[..slots.min(INT_PARAMS)];
        self.call(&mut HostCall { store: &mut *call.store, caller: call.caller, args: used })?;
        Ok(args[0])
    }
}

impl<F> HostFunction for F
where
    F: Fn(&mut HostCall<'_>) -> Result<(), HostError> + Send + Sync,
{
    #[inline]
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
        self(call)
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
    pub(crate) any_refs: bool,
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
            any_refs: ty.params.iter().chain(&ty.results[..]).any(|value| value.is_ref()),
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
    /// Whether native code passes nothing but numbers in integer registers.
    pub(crate) only_ints: bool,
    /// The bits of those that mean something.
    pub(crate) masks: [u64; INT_PARAMS],
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
        let only_ints = Ints::of(&signature.ty) != Ints::No && !signature.any_refs;
        let mut masks = [u64::MAX; INT_PARAMS];
        for (mask, ty) in masks.iter_mut().zip(&signature.ty.params) {
            if *ty == ValType::I32 {
                *mask = u32::MAX.into();
            }
        }
        HostFunc { call, signature, entry, slots, result_refs, only_ints, masks }
    }
}

impl fmt::Debug for HostFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunc").field("ty", &self.signature.ty).finish_non_exhaustive()
    }
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
