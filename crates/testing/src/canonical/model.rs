//! The model of the components of [`super::text`]: what they and an engine around them should do.

use std::rc::Rc;

use super::flat::Flats;
use super::guest::{
    self, DROP_COUNT, DROPS, DROPS_MAX, DUMP, FORWARDS, GuestRealloc, PARAMS, POST_COUNT,
    POST_PARAM, RESULT, RESULT_AREA,
};
use super::instance::{Instance, Trap};
use super::load::Lift;
use super::text::Options;
use super::types::{Core, FuncType, MAX_FLAT_PARAMS, MAX_FLAT_RESULTS, Pointer, Resource};
use super::value::{Nans, Value};

/// What reached the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `target` was called.
    Called(Vec<Value>),
    /// A resource was dropped for good.
    Dropped(Resource, u32),
}

/// One component, or two that call one another, with the host around them.
#[derive(Clone)]
pub struct Model {
    ty: FuncType,
    post_return: bool,
    /// The component that the host calls, then the one that this calls.
    pub sides: Vec<Instance>,
    /// What `target` answers when it is the host's.
    pub answer: Option<Value>,
    /// What reached the host.
    pub events: Vec<Event>,
    /// For each side, the handles that the last call to it lent it.
    pub lent: Vec<Vec<(Resource, u32)>>,
}

impl Model {
    /// As an engine would instantiate `component_text(ty, options)`.
    pub fn new(ty: &FuncType, options: Options, nans: Nans) -> Model {
        let encodings = [Some(options.encoding), options.inner];
        let side = |encoding| Instance {
            nans,
            ..Instance::new(guest::fresh_memory(), encoding, Rc::new(GuestRealloc))
        };
        let sides: Vec<Instance> = encodings.into_iter().flatten().map(side).collect();
        Model {
            ty: ty.clone(),
            post_return: options.post_return,
            lent: vec![Vec::new(); sides.len()],
            sides,
            answer: None,
            events: Vec::new(),
        }
    }

    /// The export `call`.
    pub fn call(&mut self, args: &[Value]) -> Result<Option<Value>, Trap> {
        self.enter(0, args)
    }

    /// The export `forward`.
    pub fn forward(&mut self) -> Result<(), Trap> {
        self.core_forward(0)
    }

    /// The export `poke` of a side.
    pub fn poke(&mut self, side: usize, image: &[u8]) {
        self.sides[side].memory.write(0, image);
    }

    /// The export `dump` of a side.
    pub fn dump(&mut self, side: usize, from: u32, length: u32) -> Result<Vec<u8>, Trap> {
        let memory = &mut self.sides[side].memory;
        memory.write_int(DUMP, 4, u64::from(from));
        memory.write_int(DUMP + 4, 4, u64::from(length));
        memory.check(u64::from(from), u64::from(length))?;
        Ok(memory.read(u64::from(from), u64::from(length)).to_vec())
    }

    /// `canon lift`.
    fn enter(&mut self, side: usize, args: &[Value]) -> Result<Option<Value>, Trap> {
        let ty = self.ty.clone();
        let instance = &mut self.sides[side];
        instance.borrows.push(0);
        let flats = instance.lower_values(MAX_FLAT_PARAMS, args, &ty.params, None)?;
        let lent = instance.handles.iter().filter(|(_, handle)| handle.lent_to.is_some());
        self.lent[side] = lent.map(|(index, handle)| (handle.resource, index)).collect();
        let results = self.core_call(side, &flats)?;
        let instance = &mut self.sides[side];
        let mut lift = Lift { from: instance, lenders: Vec::new() };
        let mut values = lift.values(MAX_FLAT_RESULTS, &mut Flats::new(&results), ty.results())?;
        if instance.borrows.pop() != Some(0) {
            return Err(Trap::BorrowsLeft);
        }
        if self.post_return {
            let memory = &mut instance.memory;
            memory.write_int(POST_COUNT, 4, memory.read_int(POST_COUNT, 4) + 1);
            if let ([bits], [core]) = (&results[..], &ty.lifted(Pointer::I32).1[..]) {
                memory.write_int(POST_PARAM, size(*core), *bits);
            }
        }
        Ok(values.pop())
    }

    /// The core function `call` of a side.
    fn core_call(&mut self, side: usize, flats: &[u64]) -> Result<Vec<u64>, Trap> {
        for (number, bits) in flats.iter().enumerate() {
            self.sides[side].memory.write_int(PARAMS + 8 * number as u64, 8, *bits);
        }
        if self.sides[side].memory.read_int(FORWARDS, 4) != 0 {
            self.core_forward(side)?;
        }
        let memory = &self.sides[side].memory;
        for number in 0..memory.read_int(DROP_COUNT, 4) {
            let memory = &self.sides[side].memory;
            let entry = DROPS + 8 * number;
            memory.check(entry, 8).map_err(|_| Trap::Guest)?;
            let resource = u32::from(memory.read_int(entry, 4) != 0);
            let index = memory.read_int(entry + 4, 4) as u32;
            if let Some(rep) = self.sides[side].resource_drop(resource, index)? {
                self.events.push(Event::Dropped(resource, rep));
            }
        }
        let memory = &self.sides[side].memory;
        let (_, results) = self.ty.lifted(Pointer::I32);
        Ok(results.iter().map(|core| memory.read_int(RESULT, size(*core))).collect())
    }

    /// The core function `forward` of a side, and the `canon lower` that it calls.
    fn core_forward(&mut self, side: usize) -> Result<(), Trap> {
        let ty = self.ty.clone();
        let (params, results) = ty.lowered(Pointer::I32);
        let through_memory = params.len() > ty.lifted(Pointer::I32).0.len();
        let instance = &mut self.sides[side];
        let flat = |number| instance.memory.read_int(PARAMS + 8 * number as u64, 8);
        let flats: Vec<u64> = (0..params.len()).map(flat).collect();
        let out = through_memory.then_some(RESULT_AREA);

        if !instance.may_leave {
            return Err(Trap::MayNotLeave);
        }
        let mut lift = Lift { from: instance, lenders: Vec::new() };
        let values = lift.values(MAX_FLAT_PARAMS, &mut Flats::new(&flats), &ty.params)?;
        let lenders = lift.lenders;
        let answer = if side + 1 < self.sides.len() {
            self.enter(side + 1, &values)?
        } else {
            self.events.push(Event::Called(values));
            self.answer.clone()
        };
        let instance = &mut self.sides[side];
        let flats =
            instance.lower_values(MAX_FLAT_RESULTS, answer.as_slice(), ty.results(), out)?;
        Lift { from: instance, lenders }.give_back();

        for (bits, core) in flats.iter().zip(&results) {
            instance.memory.write_int(RESULT, size(*core), *bits);
        }
        if through_memory {
            instance.memory.write_int(RESULT, 4, RESULT_AREA);
        }
        Ok(())
    }

    /// The words of a list of handles to drop.
    pub fn drops(handles: &[(Resource, u32)]) -> Vec<u32> {
        handles.iter().take(DROPS_MAX).flat_map(|(resource, index)| [*resource, *index]).collect()
    }
}

fn size(core: Core) -> u64 {
    match core {
        Core::I32 | Core::F32 => 4,
        Core::I64 | Core::F64 => 8,
    }
}
