//! Copying: values of one guest, written for another.

use dunlin_engine::Result;
use dunlin_engine::raw::{RawStore, Resource};

use super::lift::{check_list, lend};
use super::lower::{Says, add_handle, borrowed};
use super::{
    LowerContext, Place, Side, Text, bad_tag, check_interrupt, needs_async, out_of_bounds, range,
    read, to_char, unaligned,
};
use crate::plan::{Op, Plan, PlanId};
use crate::state::{Scope, State, bug};

/// Copies values from one guest to another. Plans and types are those of the guest that calls: both agree
/// in all that matters here.
pub(crate) struct Copy<'a> {
    pub(crate) store: RawStore<'a>,
    pub(crate) plans: &'a Side,
    pub(crate) from: &'a Side,
    pub(crate) to: &'a Side,
    pub(crate) from_slots: &'a [u64],
    pub(crate) to_slots: &'a mut [u64],
}

impl<'a> Copy<'a> {
    #[inline]
    fn plan(&self, id: PlanId) -> &'a Plan {
        self.plans.plan(id)
    }

    #[inline]
    fn read(&self, place: Place, width: u32) -> Result<u64> {
        let memory = match place {
            Place::Slots(_) => &[],
            Place::Memory(_) => self.from.bytes(&self.store)?,
        };
        read(self.from_slots, memory, place, width)
    }

    #[inline]
    fn write(&mut self, place: Place, width: u32, bits: u64) -> Result<()> {
        self.lower().bits(place, width, bits)
    }

    #[inline]
    fn lower(&mut self) -> LowerContext<'_> {
        LowerContext::new(self.store.reborrow(), self.to, self.to_slots, Says::TO_GUEST)
    }

    /// Fails unless the whole of what a pointer points to is there.
    pub(crate) fn check_source(&self, at: u32, plan: &Plan) -> Result<()> {
        if !at.is_multiple_of(plan.align) {
            return Err(unaligned());
        }
        match range(self.from.bytes(&self.store)?, at, plan.size.into()) {
            Some(_) => Ok(()),
            None => Err(out_of_bounds()),
        }
    }

    /// Fails unless the other guest has all of the place that it wants a value at.
    pub(crate) fn check_target(&self, at: u32, plan: &Plan) -> Result<()> {
        if !at.is_multiple_of(plan.align) {
            return Err(unaligned());
        }
        match range(self.to.bytes(&self.store)?, at, plan.size.into()) {
            Some(_) => Ok(()),
            None => Err(out_of_bounds()),
        }
    }

    /// Room in the other guest for a value.
    pub(crate) fn room(&mut self, plan: &Plan) -> Result<u32> {
        self.lower().room(plan, 1)
    }

    /// Copies a value.
    pub(crate) fn value(&mut self, id: PlanId, from: Place, to: Place) -> Result<()> {
        let plan = self.plan(id);
        self.planned(plan, from, to)
    }

    /// Copies a value as a plan says.
    pub(crate) fn planned(&mut self, plan: &'a Plan, from: Place, to: Place) -> Result<()> {
        if plan.plain
            && let (Place::Memory(from), Place::Memory(to)) = (from, to)
        {
            return self.bytes(from, to, plan.size.into());
        }
        let width = plan.size;
        let bits = self.scalar(plan, from);
        match &plan.op {
            Op::Record(fields) => {
                fields.iter().try_for_each(|f| self.value(f.plan, from.field(f), to.field(f)))
            }
            Op::FixedList(element, count) => {
                let (id, element) = (*element, self.plan(*element));
                (0..*count).try_for_each(|i| {
                    check_interrupt(&self.store, i)?;
                    self.value(id, from.element(i, element), to.element(i, element))
                })
            }
            Op::Variant(cases) => {
                let tag = self.read(from, cases.tag)? as u32;
                if tag as usize >= cases.cases.len() {
                    return Err(bad_tag());
                }
                match self.lower().case(to, plan, cases, tag)? {
                    Some((id, to)) => self.value(id, from.payload(cases), to),
                    None => Ok(()),
                }
            }
            Op::String => self.string(from, to),
            Op::List(element) => self.list(*element, from, to),
            Op::Own(resource) => {
                let index = self.read(from, 4)? as u32;
                let (root, instance) = (self.plans.root, self.from.instance);
                let state = self.store.companion::<State>();
                let ty = state.resource(root, *resource)?;
                let rep = state.handles(instance)?.take_own(index, ty)?;
                let to_instance = self.to.instance;
                let index =
                    add_handle(&mut self.store, to_instance, |table| table.add_own(ty, rep))?;
                self.write(to, 4, index.into())
            }
            Op::Borrow(resource) => {
                let index = self.read(from, 4)? as u32;
                let (root, instance) = (self.plans.root, self.from.instance);
                self.store.budget().charge(Resource::Bytes, Scope::LENT_BYTES)?;
                let state = self.store.companion::<State>();
                state.scopes.last_mut().ok_or_else(bug)?.charged += Scope::LENT_BYTES;
                let (ty, rep) = lend(state, root, instance, index, *resource)?;
                let to_instance = self.to.instance;
                let index = borrowed(&mut self.store, to_instance, ty, rep)?;
                self.write(to, 4, index.into())
            }
            Op::Async(what) => Err(needs_async(what)),
            _ => self.write(to, width, bits?),
        }
    }

    /// The bits of a value that is one number, as the other guest shall see them.
    fn scalar(&self, plan: &Plan, from: Place) -> Result<u64> {
        let width = match plan.op {
            Op::Record(_) | Op::FixedList(..) | Op::Variant(_) | Op::String | Op::List(_) => {
                return Ok(0);
            }
            _ => plan.size,
        };
        let bits = self.read(from, width)?;
        Ok(match plan.op {
            Op::Bool => u64::from(bits as u32 != 0),
            Op::S8 => u64::from(bits as i8 as i32 as u32),
            Op::U8 => u64::from(bits as u8),
            Op::S16 => u64::from(bits as i16 as i32 as u32),
            Op::U16 => u64::from(bits as u16),
            Op::S32 | Op::U32 | Op::F32 => u64::from(bits as u32),
            Op::Char => u64::from(u32::from(to_char(bits as u32)?)),
            Op::Flags(count) => bits & mask(count),
            _ => bits,
        })
    }

    /// Copies bytes that mean the same for both.
    fn bytes(&mut self, from: u32, to: u32, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (source, target) = (self.from.memory()?, self.to.memory()?);
        let count = count as usize;
        let Some((source, target)) = self.store.memory_pair(source, target)? else {
            // One memory under two names: ranges may overlap.
            let memory = self.store.memory_mut(target)?;
            let (from, to) = (from as usize, to as usize);
            let fits = |at: usize| at.checked_add(count).is_some_and(|end| end <= memory.len());
            if !fits(from) || !fits(to) {
                return Err(out_of_bounds());
            }
            memory.copy_within(from..from + count, to);
            return Ok(());
        };
        let source = range(source, from, count as u64).ok_or_else(out_of_bounds)?;
        let target = target.get_mut(to as usize..).and_then(|rest| rest.get_mut(..count));
        target.ok_or_else(out_of_bounds)?.copy_from_slice(source);
        Ok(())
    }

    fn list(&mut self, id: PlanId, from: Place, to: Place) -> Result<()> {
        let element = self.plan(id);
        let at = self.read(from, 4)? as u32;
        let len = self.read(from.second(), 4)? as u32;
        let memory = self.from.bytes(&self.store)?;
        let layout = (element.size, element.align);
        check_list(memory, at, len, layout, "list content out-of-bounds")?;
        let target = self.lower().room(element, len as usize)?;
        if element.plain {
            self.bytes(at, target, u64::from(len) * u64::from(element.size))?;
        } else {
            let (source, place) = (Place::Memory(at), Place::Memory(target));
            for i in 0..len {
                check_interrupt(&self.store, i)?;
                self.planned(element, source.element(i, element), place.element(i, element))?;
            }
        }
        self.lower().pair(to, target, len)
    }

    fn string(&mut self, from: Place, to: Place) -> Result<()> {
        let at = self.read(from, 4)? as u32;
        let len = self.read(from.second(), 4)? as u32;
        let (encoding, outside) = (self.from.encoding, "string content out-of-bounds");
        let text = Text::load(self.from.bytes(&self.store)?, encoding, at, len, outside)?;
        if let Text::Utf8(utf8) = text
            && self.to.encoding == encoding
        {
            let bytes = utf8.len();
            let target = self.lower().realloc(0, 0, 1, bytes as u32)?;
            if self.from.memory == self.to.memory {
                // What realloc did can have reached the string.
                Text::load(self.from.bytes(&self.store)?, encoding, at, len, outside)?;
            }
            self.bytes(at, target, bytes as u64)?;
            return self.lower().pair(to, target, bytes as u32);
        }
        let bytes = text.utf8_bytes_max();
        let text = text.to_owned();
        self.store.budget().charge(Resource::Bytes, bytes)?;
        let lowered = self.lower().text(&text.as_text(), to);
        self.store.budget().release(Resource::Bytes, bytes);
        lowered
    }
}

/// The bits of so many flags.
pub(super) fn mask(count: u32) -> u64 {
    (1u64 << count.min(63)) - 1
}
