//! Lowering: values of the host, written for a guest.

use dunlin_engine::raw::{RawStore, Resource};
use dunlin_engine::{Error, Result};
use dunlin_module::component::{DefinedType, ResourceIndex, ValueType};

use super::{Place, Side, Text, bad_tag, check_interrupt, needs_async, store, work};
use crate::handles::HandleTable;
use crate::plan::{Cases, MAX_BYTES, Op, Plan, PlanId};
use crate::resource::ResourceAny;
use crate::state::{HostType, InstanceId, ResourceTypeId, State, bug, trap};
use crate::val::Val;

/// Writes values for a guest: its parameters when it is called, its results when it calls the host.
pub struct LowerContext<'a> {
    pub(crate) store: RawStore<'a>,
    pub(crate) side: &'a Side,
    pub(crate) slots: &'a mut [u64],
    /// What is said when the guest's `realloc` does not keep its promises.
    says: Says,
}

/// What is said of a `realloc` that gave an address that is not aligned, or too close to the end.
#[derive(Clone, Copy)]
pub(crate) struct Says {
    unaligned: &'static str,
    outside: &'static str,
}

impl Says {
    pub(crate) const TO_HOST: Says = Says {
        unaligned: "realloc return: result not aligned",
        outside: "realloc return: beyond end of memory",
    };
    pub(crate) const TO_GUEST: Says =
        Says { unaligned: "unaligned pointer", outside: "list content out-of-bounds" };
}

impl<'a> LowerContext<'a> {
    pub(crate) fn new(
        store: RawStore<'a>,
        side: &'a Side,
        slots: &'a mut [u64],
        says: Says,
    ) -> LowerContext<'a> {
        LowerContext { store, side, slots, says }
    }

    #[inline]
    pub(crate) fn plan(&self, id: PlanId) -> &'a Plan {
        self.side.plan(id)
    }

    /// The guest's memory, as it is now.
    #[inline]
    pub(crate) fn memory(&mut self) -> Result<&mut [u8]> {
        self.store.memory_mut(self.side.memory()?)
    }

    #[inline]
    fn state(&mut self) -> &mut State {
        self.store.companion()
    }

    /// Writes a number of `width` bytes in memory, or a slot.
    #[inline]
    pub(crate) fn bits(&mut self, place: Place, width: u32, value: u64) -> Result<()> {
        match place {
            Place::Slots(at) => {
                *self.slots.get_mut(at as usize).ok_or_else(bug)? = value;
                Ok(())
            }
            Place::Memory(at) => store(self.memory()?, at, width, value),
        }
    }

    /// Writes bytes to memory.
    pub(crate) fn bytes(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let to = self.memory()?.get_mut(at as usize..);
        let to = to.and_then(|rest| rest.get_mut(..bytes.len()));
        to.ok_or_else(super::out_of_bounds)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes address and length of a string or list.
    #[inline]
    pub(crate) fn pair(&mut self, place: Place, at: u32, len: u32) -> Result<()> {
        self.bits(place, 4, at.into())?;
        self.bits(place.second(), 4, len.into())
    }

    /// Has the guest allocate, and checks what it says.
    pub(crate) fn realloc(
        &mut self,
        old: u32,
        old_size: u32,
        align: u32,
        size: u32,
    ) -> Result<u32> {
        let Some(realloc) = &self.side.realloc else { return Err(bug()) };
        self.store.spend_fuel(work(size.into()))?;
        let at = self.side.flags.inside(&mut self.store, |store| {
            store.call_typed(realloc, (old, old_size, align, size))
        })?;
        if !at.is_multiple_of(align) {
            return Err(trap(self.says.unaligned));
        }
        let end = u64::from(at) + u64::from(size);
        if end > self.memory()?.len() as u64 {
            return Err(trap(self.says.outside));
        }
        Ok(at)
    }

    /// Room for a value, or for a list of so many.
    pub(crate) fn room(&mut self, plan: &Plan, count: usize) -> Result<u32> {
        let bytes = u64::from(plan.size).saturating_mul(count as u64);
        if bytes >= MAX_BYTES {
            return Err(trap(format!("list of {bytes} bytes, expected fewer than {MAX_BYTES}")));
        }
        self.realloc(0, 0, plan.align, bytes as u32)
    }

    /// Writes the case of a variant, and clears the slots that its payload may leave alone.
    #[inline]
    pub(crate) fn case(
        &mut self,
        place: Place,
        plan: &Plan,
        cases: &Cases,
        case: u32,
    ) -> Result<Option<(PlanId, Place)>> {
        let payload = *cases.cases.get(case as usize).ok_or_else(bad_tag)?;
        self.bits(place, cases.tag, case.into())?;
        if let Place::Slots(at) = place {
            let rest = self.slots.get_mut(at as usize + 1..(at + plan.flat) as usize);
            rest.ok_or_else(bug)?.fill(0);
        }
        Ok(payload.map(|id| (id, place.payload(cases))))
    }

    /// Gives the guest an owned resource.
    pub(crate) fn own(&mut self, place: Place, ty: ResourceTypeId, rep: u32) -> Result<()> {
        let instance = self.side.instance;
        let index = add_handle(&mut self.store, instance, |table| table.add_own(ty, rep))?;
        self.bits(place, 4, index.into())
    }

    /// Lends the guest a resource until the call is over.
    pub(crate) fn borrow(&mut self, place: Place, ty: ResourceTypeId, rep: u32) -> Result<()> {
        let instance = self.side.instance;
        let index = borrowed(&mut self.store, instance, ty, rep)?;
        self.bits(place, 4, index.into())
    }

    /// The type of the store that a resource type of the guest's component is.
    #[inline]
    pub(crate) fn resource_type(&mut self, resource: ResourceIndex) -> Result<ResourceTypeId> {
        let root = self.side.root;
        self.state().resource(root, resource)
    }

    /// As [`LowerContext::resource_type`], which has to be the type of the host that `key` stands for.
    pub(crate) fn host_type(
        &mut self,
        resource: ResourceIndex,
        key: HostType,
    ) -> Result<ResourceTypeId> {
        let ty = self.resource_type(resource)?;
        match self.state().find_host_resource(key) {
            Some(known) if known == ty => Ok(ty),
            _ => Err(Error::misuse("the resource is of another type than the guest expects")),
        }
    }

    /// Writes a resource of any type, owned or borrowed as the guest expects it.
    pub(crate) fn any(&mut self, op: &Op, resource: &ResourceAny, place: Place) -> Result<()> {
        match *op {
            Op::Own(index) => {
                let ty = self.resource_type(index)?;
                let rep = resource.take(&mut self.store, ty)?;
                self.own(place, ty, rep)
            }
            Op::Borrow(index) => {
                let ty = self.resource_type(index)?;
                let rep = resource.rep(&mut self.store, ty)?;
                self.borrow(place, ty, rep)
            }
            _ => Err(bug()),
        }
    }

    /// Writes a value, which was checked to be of this type.
    pub(crate) fn val(&mut self, ty: ValueType, val: &Val, place: Place) -> Result<()> {
        let plan = self.plan(PlanId::of(ty));
        let width = plan.size;
        let bits = match val {
            Val::Bool(v) => u64::from(*v),
            Val::S8(v) => u64::from(*v as i32 as u32),
            Val::U8(v) => u64::from(*v),
            Val::S16(v) => u64::from(*v as i32 as u32),
            Val::U16(v) => u64::from(*v),
            Val::S32(v) => u64::from(*v as u32),
            Val::U32(v) => u64::from(*v),
            Val::S64(v) => *v as u64,
            Val::U64(v) => *v,
            Val::F32(v) => u64::from(v.to_bits()),
            Val::F64(v) => v.to_bits(),
            Val::Char(v) => u64::from(u32::from(*v)),
            Val::String(text) => return self.text(&Text::Utf8(text), place),
            compound => return self.compound(ty, plan, compound, place),
        };
        self.bits(place, width, bits)
    }

    fn compound(&mut self, ty: ValueType, plan: &'a Plan, val: &Val, place: Place) -> Result<()> {
        let side = self.side;
        let ValueType::Defined(index) = ty else { return Err(bug()) };
        let types = &side.component.description().types;
        let ty = types.defined.get(index.index()).ok_or_else(bug)?;
        match (val, ty, &plan.op) {
            (Val::Record(vals), DefinedType::Record(named), Op::Record(fields)) => {
                for (((_, val), (_, ty)), field) in vals.iter().zip(named).zip(fields) {
                    self.val(*ty, val, place.field(field))?;
                }
                Ok(())
            }
            (Val::Tuple(vals), DefinedType::Tuple(types), Op::Record(fields)) => {
                for ((val, ty), field) in vals.iter().zip(types).zip(fields) {
                    self.val(*ty, val, place.field(field))?;
                }
                Ok(())
            }
            (Val::List(vals), DefinedType::List(ty), Op::List(element)) => {
                let element = self.plan(*element);
                let at = self.room(element, vals.len())?;
                for (i, val) in vals.iter().enumerate() {
                    check_interrupt(&self.store, i as u32)?;
                    self.val(*ty, val, Place::Memory(at).element(i as u32, element))?;
                }
                self.pair(place, at, vals.len() as u32)
            }
            (Val::List(vals), DefinedType::FixedList(ty, _), Op::FixedList(element, _)) => {
                let element = self.plan(*element);
                for (i, val) in vals.iter().enumerate() {
                    self.val(*ty, val, place.element(i as u32, element))?;
                }
                Ok(())
            }
            (Val::Map(entries), DefinedType::Map(key, value), Op::List(pair)) => {
                let pair = self.plan(*pair);
                let Op::Record(fields) = &pair.op else { return Err(bug()) };
                let [key_field, value_field] = &fields[..] else { return Err(bug()) };
                let at = self.room(pair, entries.len())?;
                for (i, entry) in entries.iter().enumerate() {
                    let place = Place::Memory(at).element(i as u32, pair);
                    self.val(*key, &entry.0, place.field(key_field))?;
                    self.val(*value, &entry.1, place.field(value_field))?;
                }
                self.pair(place, at, entries.len() as u32)
            }
            (Val::Flags(set), DefinedType::Flags(names), Op::Flags(_)) => {
                let bit = |name| names.iter().position(|known| known == name);
                let bits = set.iter().filter_map(bit).fold(0u64, |bits, i| bits | 1 << i);
                self.bits(place, plan.size, bits)
            }
            (Val::Resource(resource), _, op @ (Op::Own(_) | Op::Borrow(_))) => {
                self.any(op, resource, place)
            }
            (_, _, Op::Async(what)) => Err(needs_async(what)),
            (_, ty, Op::Variant(cases)) => {
                let (case, inner) = val.case_of(ty).ok_or_else(bug)?;
                let Some((_, at)) = self.case(place, plan, cases, case)? else { return Ok(()) };
                match (super::lift::payload(ty, case)?, inner) {
                    (Some(ty), Some(inner)) => self.val(ty, inner, at),
                    _ => Err(bug()),
                }
            }
            _ => Err(bug()),
        }
    }
}

/// Adds a handle to an instance, which is charged for it.
pub(crate) fn add_handle(
    store: &mut RawStore<'_>,
    instance: InstanceId,
    add: impl FnOnce(&mut HandleTable) -> Result<u32>,
) -> Result<u32> {
    if store.companion::<State>().handles(instance)?.grows() {
        // Indices are used again: what is charged stays taken.
        store.budget().charge(Resource::Bytes, 2 * HandleTable::SLOT_BYTES)?;
    }
    add(store.companion::<State>().handles(instance)?)
}

/// What a resource lent to an instance is for it: its representation if the type is its own, a handle
/// that ends with the innermost scope otherwise.
pub(super) fn borrowed(
    store: &mut RawStore<'_>,
    instance: InstanceId,
    ty: ResourceTypeId,
    rep: u32,
) -> Result<u32> {
    let state = store.companion::<State>();
    if state.definer(ty) == Some(instance) {
        return Ok(rep);
    }
    let depth = state.scopes.len() as u32;
    state.scopes.last_mut().ok_or_else(bug)?.borrowed += 1;
    add_handle(store, instance, |table| table.add_borrow(ty, rep, depth - 1))
}
