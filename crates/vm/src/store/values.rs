//! Between raw slots and handles. Every reference that comes from outside is checked here, so that
//! guest code may trust all it finds (V4).

use std::sync::Arc;

use dunlin_module::{FuncIndex, FuncType, HeapType, Hierarchy, RefType, TypeId, ValType};

use super::{Func, FuncPlace, Misuse, Store};
use crate::func::only_numbers;
use crate::vmctx::FuncRecord;

impl Store {
    /// The handle of a function of this store.
    pub(crate) fn func_of(&mut self, record: *mut FuncRecord) -> Func {
        // SAFETY: V4: records live as long as the store.
        let known = unsafe { (*record).handle };
        if let Some(index) = known.checked_sub(1) {
            return Func { store: self.id, index };
        }
        // SAFETY: as above.
        let ty = unsafe { self.record_type(record) };
        let place = FuncPlace {
            record,
            param_slots: ty.param_slots(),
            result_slots: ty.result_slots(),
            param_refs: ty.params.iter().any(|param| param.is_ref()),
            numbers: only_numbers(ty),
        };
        let index = self.funcs.len() as u32;
        self.funcs.push(place);
        // SAFETY: as above; V1: nobody else uses the field.
        unsafe { (*record).handle = index + 1 };
        Func { store: self.id, index }
    }

    #[inline(always)]
    pub(super) fn func_place(&self, func: Func) -> Result<&FuncPlace, Misuse> {
        Ok(&self.funcs[func.index_in(self.id)?])
    }

    /// The record of a function.
    pub(crate) fn record_of(&self, func: Func) -> Result<*mut FuncRecord, Misuse> {
        Ok(self.func_place(func)?.record)
    }

    /// What a slot holds that refers to `func`.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn func_to_slot(&self, func: Func) -> Result<u64, Misuse> {
        Ok(self.record_of(func)?.expose_provenance() as u64)
    }

    /// The function a slot refers to, or `None` for null.
    ///
    /// # Errors
    ///
    /// If the slot holds no reference to a function of this store.
    pub fn func_from_slot(&mut self, slot: u64) -> Result<Option<Func>, Misuse> {
        if slot == 0 {
            return Ok(None);
        }
        let record = self.records.find(slot).ok_or(Misuse::WrongType(ValType::FUNCREF))?;
        Ok(Some(self.func_of(record)))
    }

    /// The canonical type of a function.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn func_type_id(&self, func: Func) -> Result<TypeId, Misuse> {
        let record = self.record_of(func)?;
        // SAFETY: V4.
        Ok(TypeId(unsafe { (*record).type_id }))
    }

    /// The type of a function.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn func_type(&self, func: Func) -> Result<&Arc<FuncType>, Misuse> {
        let record = self.record_of(func)?;
        // SAFETY: V4.
        Ok(unsafe { self.record_type(record) })
    }

    /// The name of a function, if its module gives it one.
    pub fn func_name(&self, func: Func) -> Option<&str> {
        let record = self.record_of(func).ok()?;
        // SAFETY: V3, V4: a function that is not the host's runs in an instance of the store.
        let (host, index, instance) =
            unsafe { ((*record).host, (*record).index, (*(*record).vmctx).instance) };
        if host {
            return None;
        }
        self.instances[instance as usize].module().func_name(FuncIndex(index))
    }

    /// The type of the function of `record`.
    ///
    /// # Safety
    ///
    /// It is a record of this store.
    pub(crate) unsafe fn record_type(&self, record: *const FuncRecord) -> &Arc<FuncType> {
        // SAFETY: V3, V4; the record is ours (caller).
        let (host, index, instance) =
            unsafe { ((*record).host, (*record).index, (*(*record).vmctx).instance) };
        if host {
            return &self.host_funcs[index as usize].signature.ty;
        }
        self.instances[instance as usize].module().func_type(FuncIndex(index))
    }

    /// Whether `slot` is a value of type `ty` in this store.
    pub(crate) fn is_reference(&self, slot: u64, ty: RefType) -> bool {
        if slot == 0 {
            return ty.nullable;
        }
        if ty.heap.hierarchy() != Hierarchy::Func {
            return self.is_object_of(slot, ty.heap);
        }
        let Some(record) = self.records.find(slot) else { return false };
        match ty.heap {
            HeapType::Func => true,
            HeapType::Concrete(id) => {
                // SAFETY: V4.
                let found = TypeId(unsafe { (*record).type_id });
                found == id || self.types.is_subtype(found, id)
            }
            _ => false,
        }
    }

    /// Checks one value from outside, given as bits.
    #[inline]
    pub(crate) fn check_value(&self, slot: u64, ty: ValType) -> Result<(), Misuse> {
        match ty {
            ValType::Ref(reference) if !self.is_reference(slot, reference) => {
                Err(Misuse::WrongType(ty))
            }
            _ => Ok(()),
        }
    }

    /// Checks that `slots` begins with values of the types `types`; how many slots they take.
    pub(crate) fn check_values(&self, slots: &[u64], types: &[ValType]) -> Result<usize, Misuse> {
        let mut at = 0;
        for ty in types {
            if let ValType::Ref(reference) = *ty {
                let slot = slots.get(at).copied();
                if !slot.is_some_and(|slot| self.is_reference(slot, reference)) {
                    return Err(Misuse::WrongType(*ty));
                }
            }
            at += ty.slots() as usize;
        }
        Ok(at)
    }
}
