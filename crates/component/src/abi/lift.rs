//! Lifting: values of a guest, read for the host.

use std::sync::Arc;

use dunlin_engine::raw::{RawStore, Resource};
use dunlin_engine::{Error, Result, Trap};
use dunlin_module::component::{DefinedType, ResourceIndex, ValueType};

use super::{Place, Side, Text, bad_tag, needs_async, range, read, to_char, unaligned, work};
use crate::plan::{Cases, Field, MAX_BYTES, Op, Plan, PlanId};
use crate::resource::ResourceAny;
use crate::state::{HostType, InstanceId, ResourceTypeId, RootId, Scope, State, bug, trap};
use crate::val::Val;

/// Reads values of a guest: of its parameters when it calls the host, of its results when it was called.
pub struct LiftContext<'a> {
    pub(crate) slots: &'a [u64],
    memory: &'a [u8],
    state: &'a mut State,
    pub(crate) side: &'a Side,
    /// Bytes that the host may still take for values, and how many it could take at first.
    left: u64,
    limit: u64,
    store: dunlin_engine::raw::StoreId,
}

impl<'a> LiftContext<'a> {
    pub(crate) fn new(
        store: &'a mut RawStore<'_>,
        side: &'a Side,
        slots: &'a [u64],
    ) -> Result<LiftContext<'a>> {
        let id = store.id();
        let budget = store.budget();
        let (limit, used) = (budget.limit(Resource::Bytes), budget.used(Resource::Bytes));
        let (memory, state) = side.bytes_and_state(store)?;
        let limit = limit.saturating_sub(used);
        Ok(LiftContext { slots, memory, state, side, left: limit, limit, store: id })
    }

    /// Fails unless the host may take so many bytes more for values of this call.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(too_much()),
        }
    }

    /// What was read so far, as work of the guest.
    #[inline]
    pub(crate) fn work(&self) -> u64 {
        work(self.limit - self.left)
    }

    #[inline]
    pub(crate) fn plan(&self, id: PlanId) -> &'a Plan {
        self.side.plan(id)
    }

    /// Reads a number of `width` bytes in memory, or all bits of a slot.
    #[inline]
    pub(crate) fn bits(&self, place: Place, width: u32) -> Result<u64> {
        read(self.slots, self.memory, place, width)
    }

    /// The parts of a record at a place, which are checked to be there.
    #[inline]
    pub(crate) fn spilled(&self, place: Place, plan: &Plan) -> Result<Place> {
        if let Place::Memory(at) = place {
            if !at.is_multiple_of(plan.align) {
                return Err(unaligned());
            }
            if range(self.memory, at, plan.size.into()).is_none() {
                return Err(trap("pointer out of bounds of memory"));
            }
        }
        Ok(place)
    }

    /// The case of a variant.
    #[inline]
    pub(crate) fn case(&self, place: Place, cases: &Cases) -> Result<u32> {
        let tag = self.bits(place, cases.tag)? as u32;
        if (tag as usize) < cases.cases.len() { Ok(tag) } else { Err(bad_tag()) }
    }

    /// Reads a string.
    pub(crate) fn text(&mut self, place: Place) -> Result<Text<'a>> {
        let at = self.bits(place, 4)? as u32;
        let len = self.bits(place.second(), 4)? as u32;
        let outside = "string pointer/length out of bounds of memory";
        let text = Text::load(self.memory, self.side.encoding, at, len, outside)?;
        self.charge(text.utf8_bytes_max())?;
        Ok(text)
    }

    /// Where the elements of a list are, and how many; they are all inside of memory.
    pub(crate) fn list(&self, place: Place, element: &Plan) -> Result<(u32, u32)> {
        let at = self.bits(place, 4)? as u32;
        let len = self.bits(place.second(), 4)? as u32;
        let outside = "list pointer/length out of bounds of memory";
        check_list(self.memory, at, len, (element.size, element.align), outside)?;
        Ok((at, len))
    }

    /// The bytes of a list of plain values.
    pub(crate) fn plain_list(&mut self, place: Place, element: &Plan) -> Result<&'a [u8]> {
        let (at, len) = self.list(place, element)?;
        let bytes = u64::from(len) * u64::from(element.size);
        self.charge(bytes)?;
        range(self.memory, at, bytes).ok_or_else(bug)
    }

    /// Takes an owned resource from the guest.
    pub(crate) fn own(
        &mut self,
        place: Place,
        resource: ResourceIndex,
    ) -> Result<(ResourceTypeId, u32)> {
        let index = self.bits(place, 4)? as u32;
        let ty = self.state.resource(self.side.root, resource)?;
        Ok((ty, self.state.handles(self.side.instance)?.take_own(index, ty)?))
    }

    /// Borrows a resource from the guest until the call is over.
    pub(crate) fn borrow(
        &mut self,
        place: Place,
        resource: ResourceIndex,
    ) -> Result<(ResourceTypeId, u32)> {
        let index = self.bits(place, 4)? as u32;
        self.charge(Scope::LENT_BYTES)?;
        lend(self.state, self.side.root, self.side.instance, index, resource)
    }

    /// As one of the two, as the plan says.
    pub(crate) fn resource(
        &mut self,
        place: Place,
        op: &Op,
    ) -> Result<(ResourceTypeId, u32, bool)> {
        match *op {
            Op::Own(resource) => {
                let (ty, rep) = self.own(place, resource)?;
                Ok((ty, rep, true))
            }
            Op::Borrow(resource) => {
                let (ty, rep) = self.borrow(place, resource)?;
                Ok((ty, rep, false))
            }
            _ => Err(bug()),
        }
    }

    /// Fails unless `ty` is the resource type of the host that `key` stands for.
    pub(crate) fn check_host_type(&self, ty: ResourceTypeId, key: HostType) -> Result<()> {
        if self.state.find_host_resource(key) == Some(ty) {
            return Ok(());
        }
        // Functions are linked by their types, in which all resources are alike.
        Err(trap("the resource is of another type than the host expects"))
    }

    /// A resource as the host has it when it does not know its type.
    pub(crate) fn any(&mut self, ty: ResourceTypeId, rep: u32, owned: bool) -> ResourceAny {
        let held = owned && self.state.definer(ty).is_some();
        let held = held.then(|| self.state.held.add(ty, rep));
        ResourceAny { store: self.store, ty, rep, owned, held }
    }

    /// Reads a value of any type.
    pub(crate) fn val(&mut self, ty: ValueType, place: Place) -> Result<Val> {
        let id = PlanId::of(ty);
        let plan = self.plan(id);
        let width = plan.size;
        Ok(match &plan.op {
            Op::Bool => Val::Bool(self.bits(place, 1)? as u32 != 0),
            Op::S8 => Val::S8(self.bits(place, width)? as i8),
            Op::U8 => Val::U8(self.bits(place, width)? as u8),
            Op::S16 => Val::S16(self.bits(place, width)? as i16),
            Op::U16 => Val::U16(self.bits(place, width)? as u16),
            Op::S32 => Val::S32(self.bits(place, width)? as i32),
            Op::U32 => Val::U32(self.bits(place, width)? as u32),
            Op::S64 => Val::S64(self.bits(place, width)? as i64),
            Op::U64 => Val::U64(self.bits(place, width)?),
            Op::F32 => Val::F32(f32::from_bits(self.bits(place, width)? as u32)),
            Op::F64 => Val::F64(f64::from_bits(self.bits(place, width)?)),
            Op::Char => Val::Char(to_char(self.bits(place, width)? as u32)?),
            Op::String => Val::String(self.text(place)?.to_str().into_owned()),
            Op::Own(_) | Op::Borrow(_) => {
                let (ty, rep, owned) = self.resource(place, &plan.op)?;
                Val::Resource(self.any(ty, rep, owned))
            }
            Op::Async(what) => return Err(needs_async(what)),
            _ => self.compound(ty, plan, place)?,
        })
    }

    fn compound(&mut self, ty: ValueType, plan: &'a Plan, place: Place) -> Result<Val> {
        let side = self.side;
        let ValueType::Defined(index) = ty else { return Err(bug()) };
        let types = &side.component.description().types;
        let ty = types.defined.get(index.index()).ok_or_else(bug)?;
        match (ty, &plan.op) {
            (DefinedType::Record(named), Op::Record(fields)) => {
                let vals = self.vals(named.iter().map(|(_, ty)| *ty), fields, place)?;
                let names = named.iter().map(|(name, _)| name.clone());
                Ok(Val::Record(names.zip(vals).collect()))
            }
            (DefinedType::Tuple(types), Op::Record(fields)) => {
                Ok(Val::Tuple(self.vals(types.iter().copied(), fields, place)?))
            }
            (DefinedType::List(element), Op::List(plan)) => {
                let (at, len) = self.list(place, self.plan(*plan))?;
                let size = self.plan(*plan).size;
                self.elements(*element, len, |i| {
                    Place::Memory(at.wrapping_add(i.wrapping_mul(size)))
                })
            }
            (DefinedType::FixedList(element, len), Op::FixedList(plan, _)) => {
                let plan = self.plan(*plan);
                self.elements(*element, *len, |i| place.element(i, plan))
            }
            (DefinedType::Map(key, value), Op::List(pair)) => self.map(*key, *value, *pair, place),
            (DefinedType::Flags(names), Op::Flags(count)) => {
                let bits = self.bits(place, plan.size)? as u32;
                self.charge(u64::from(*count) * size_of::<Arc<str>>() as u64)?;
                let set = names.iter().enumerate().filter(|(i, _)| bits >> i & 1 != 0);
                Ok(Val::Flags(set.map(|(_, name)| name.clone()).collect()))
            }
            (ty, Op::Variant(cases)) => {
                let case = self.case(place, cases)?;
                let payload_ty = payload(ty, case)?;
                let inner = match payload_ty {
                    Some(ty) => {
                        self.charge(size_of::<Val>() as u64)?;
                        Some(Box::new(self.val(ty, place.payload(cases))?))
                    }
                    None => None,
                };
                Ok(match ty {
                    DefinedType::Variant(names) => Val::Variant(nth(names, case)?.0.clone(), inner),
                    DefinedType::Enum(names) => Val::Enum(nth(names, case)?.clone()),
                    DefinedType::Option(_) => Val::Option(inner),
                    _ if case == 0 => Val::Result(Ok(inner)),
                    _ => Val::Result(Err(inner)),
                })
            }
            _ => Err(bug()),
        }
    }

    fn vals(
        &mut self,
        types: impl Iterator<Item = ValueType>,
        fields: &[Field],
        place: Place,
    ) -> Result<Vec<Val>> {
        self.charge((fields.len() * (size_of::<Val>() + size_of::<Arc<str>>())) as u64)?;
        types.zip(fields).map(|(ty, field)| self.val(ty, place.field(field))).collect()
    }

    fn elements(&mut self, ty: ValueType, len: u32, place: impl Fn(u32) -> Place) -> Result<Val> {
        self.charge(u64::from(len) * size_of::<Val>() as u64)?;
        let vals = (0..len).map(|i| self.val(ty, place(i)));
        Ok(Val::List(vals.collect::<Result<_>>()?))
    }

    fn map(&mut self, key: ValueType, value: ValueType, pair: PlanId, place: Place) -> Result<Val> {
        let pair = self.plan(pair);
        let Op::Record(fields) = &pair.op else { return Err(bug()) };
        let [key_field, value_field] = &fields[..] else { return Err(bug()) };
        let (at, len) = self.list(place, pair)?;
        self.charge(u64::from(len) * 2 * size_of::<Val>() as u64)?;
        let entries = (0..len).map(|i| {
            let entry = Place::Memory(at).element(i, pair);
            let key = self.val(key, entry.field(key_field))?;
            Ok((key, self.val(value, entry.field(value_field))?))
        });
        Ok(Val::Map(entries.collect::<Result<_>>()?))
    }
}

/// Lends the resource that a handle of a guest stands for, until the innermost scope ends.
pub(super) fn lend(
    state: &mut State,
    root: RootId,
    instance: InstanceId,
    index: u32,
    resource: ResourceIndex,
) -> Result<(ResourceTypeId, u32)> {
    let ty = state.resource(root, resource)?;
    let (rep, lent) = state.handles(instance)?.lend(index, ty)?;
    if lent {
        let scope = state.scopes.last_mut().ok_or_else(bug)?;
        scope.lent.push((instance, index));
    }
    Ok((ty, rep))
}

/// Fails unless a list's elements, of this size and alignment, are all inside; `outside` is said if not.
#[inline]
pub(crate) fn check_list(
    memory: &[u8],
    at: u32,
    len: u32,
    (size, align): (u32, u32),
    outside: &str,
) -> Result<()> {
    let bytes = u64::from(len) * u64::from(size);
    if bytes >= MAX_BYTES {
        return Err(trap(format!("list of {bytes} bytes, expected fewer than {MAX_BYTES}")));
    }
    if !at.is_multiple_of(align) {
        return Err(unaligned());
    }
    match range(memory, at, bytes) {
        Some(_) => Ok(()),
        None => Err(trap(outside)),
    }
}

fn nth<T>(list: &[T], index: u32) -> Result<&T> {
    list.get(index as usize).ok_or_else(bug)
}

/// What a case of a type has.
pub(crate) fn payload(ty: &DefinedType, case: u32) -> Result<Option<ValueType>> {
    Ok(match ty {
        DefinedType::Variant(cases) => nth(cases, case)?.1,
        DefinedType::Option(ty) if case == 1 => Some(*ty),
        DefinedType::Result { ok, err } => {
            if case == 0 {
                *ok
            } else {
                *err
            }
        }
        _ => None,
    })
}

#[cold]
fn too_much() -> Error {
    let text = "the values of a call take more bytes than the store may still take from the host";
    Error::trap_because(Trap::LimitExceeded, text).with_help("raise `Limits::budget_bytes`")
}
