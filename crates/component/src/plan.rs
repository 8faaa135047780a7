//! Copy plans: what the canonical ABI does with values of each type of a component, worked out once.
//!
//! A plan says how a value lies in memory and in core parameters (`CanonicalABI.md`, "Alignment",
//! "Element Size", "Flattening"), and is followed by one engine for every boundary: from guests to the
//! host, from the host to guests, between guests. A value's place is either in slots, one for each core
//! value, or in memory; every plan can be followed in both, since each of its parts knows where it is
//! relative to the whole.

use std::fmt;

use dunlin_engine::{Error, ErrorKind, Result};
use dunlin_module::component::{
    ComponentFuncType, ComponentTypes, DefinedType, FuncTypeIndex, ResourceIndex, ValueType,
};

/// Core parameters a function has at most before they go through memory.
pub(crate) const MAX_FLAT_PARAMS: u32 = 16;
/// The same for functions that are lowered for asynchronous calls.
const MAX_FLAT_ASYNC_PARAMS: u32 = 4;
/// Core results a function has at most before they go through memory.
pub(crate) const MAX_FLAT_RESULTS: u32 = 1;
/// Bytes of a string or list, and of any one value, are fewer than this.
pub(crate) const MAX_BYTES: u64 = 1 << 28;
/// More core values than any that are passed as such.
const TOO_FLAT: u32 = MAX_FLAT_PARAMS + 1;

/// A plan in [`Plans`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlanId(u32);

/// Plans for all types of a component.
#[derive(Debug)]
pub(crate) struct Plans {
    values: Box<[Plan]>,
    funcs: Box<[FuncPlan]>,
}

/// How a value of a type lies and travels.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Bytes in memory, a multiple of `align`.
    pub(crate) size: u32,
    /// Alignment in memory.
    pub(crate) align: u32,
    /// Core values it is flattened to; 17 stands for any number that is more than 16.
    pub(crate) flat: u32,
    /// Whether every pattern of bytes is a value, its copy the same value, and no byte of no value.
    pub(crate) plain: bool,
    /// Whether handles can be inside.
    pub(crate) handles: bool,
    /// Whether strings and lists can be inside, which are elsewhere in memory.
    pub(crate) points: bool,
    /// What to do.
    pub(crate) op: Op,
}

/// What is done with a value.
#[derive(Debug)]
pub(crate) enum Op {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// Records and tuples.
    Record(Box<[Field]>),
    /// Variants, enums, options and results.
    Variant(Cases),
    List(PlanId),
    /// Element, count.
    FixedList(PlanId, u32),
    /// So many flags.
    Flags(u32),
    Own(ResourceIndex),
    Borrow(ResourceIndex),
    /// What only the asynchronous ABI has.
    Async(&'static str),
}

/// A part of a whole.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Bytes from the start of the whole in memory.
    pub(crate) offset: u32,
    /// Core values from its start in slots.
    pub(crate) flat: u32,
    /// What it is.
    pub(crate) plan: PlanId,
}

/// The cases of a variant.
#[derive(Debug)]
pub(crate) struct Cases {
    /// Bytes of the discriminant: 1, 2 or 4.
    pub(crate) tag: u32,
    /// Where payloads start in memory; in slots it is 1.
    pub(crate) payload: u32,
    /// What each case has.
    pub(crate) cases: Box<[Option<PlanId>]>,
}

/// How a function's parameters and results travel.
#[derive(Debug)]
pub(crate) struct FuncPlan {
    /// All parameters, as if they were a tuple.
    pub(crate) params: Plan,
    /// The result.
    pub(crate) result: Option<PlanId>,
    /// Core values of the result.
    pub(crate) result_flat: u32,
    /// Whether a parameter can hold a borrowed handle, which ends with the call.
    pub(crate) borrows: bool,
}

impl FuncPlan {
    /// The parameters one by one.
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.params.op {
            Op::Record(fields) => fields,
            _ => &[],
        }
    }

    /// Whether parameters go through memory.
    pub(crate) fn spills_params(&self) -> bool {
        self.params.flat > MAX_FLAT_PARAMS
    }

    /// As [`FuncPlan::spills_params`], for functions that are lowered for asynchronous calls.
    pub(crate) fn spills_params_async(&self) -> bool {
        self.params.flat > MAX_FLAT_ASYNC_PARAMS
    }

    /// Whether the result goes through memory.
    pub(crate) fn spills_result(&self) -> bool {
        self.result_flat > MAX_FLAT_RESULTS
    }
}

/// Plans of primitive types come first, in the order of their variants.
const PRIMITIVES: [ValueType; 14] = [
    ValueType::Bool,
    ValueType::S8,
    ValueType::U8,
    ValueType::S16,
    ValueType::U16,
    ValueType::S32,
    ValueType::U32,
    ValueType::S64,
    ValueType::U64,
    ValueType::F32,
    ValueType::F64,
    ValueType::Char,
    ValueType::String,
    ValueType::ErrorContext,
];

impl PlanId {
    /// The plan of a type.
    pub(crate) fn of(ty: ValueType) -> PlanId {
        PlanId(match ty {
            ValueType::Bool => 0,
            ValueType::S8 => 1,
            ValueType::U8 => 2,
            ValueType::S16 => 3,
            ValueType::U16 => 4,
            ValueType::S32 => 5,
            ValueType::U32 => 6,
            ValueType::S64 => 7,
            ValueType::U64 => 8,
            ValueType::F32 => 9,
            ValueType::F64 => 10,
            ValueType::Char => 11,
            ValueType::String => 12,
            ValueType::ErrorContext => 13,
            ValueType::Defined(index) => PRIMITIVES.len() as u32 + index.0,
        })
    }
}

impl Plans {
    /// Works out how values of all types travel.
    ///
    /// # Errors
    ///
    /// If a type is too large for any value of it to exist.
    pub(crate) fn new(types: &ComponentTypes) -> Result<Plans> {
        let count = PRIMITIVES.len() + types.defined.len();
        let (plans, pairs) = (Vec::with_capacity(count), Vec::new());
        let mut made = Maker { plans, defined_end: count as u32, pairs };
        for ty in PRIMITIVES {
            made.plans.push(primitive(ty));
        }
        for ty in &types.defined {
            let plan = made.defined(ty)?;
            made.plans.push(plan);
        }
        let funcs = types.funcs.iter().map(|ty| made.func(ty)).collect::<Result<_>>()?;
        made.plans.append(&mut made.pairs);
        Ok(Plans { values: made.plans.into(), funcs })
    }

    /// The plan of a type.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "ids come from the types these are the plans of")]
    pub(crate) fn value(&self, id: PlanId) -> &Plan {
        &self.values[id.0 as usize]
    }

    /// The plan of a function type.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "ids come from the types these are the plans of")]
    pub(crate) fn func(&self, id: FuncTypeIndex) -> &FuncPlan {
        &self.funcs[id.index()]
    }
}

struct Maker {
    plans: Vec<Plan>,
    /// How many plans there will be, whose numbers those of pairs follow.
    defined_end: u32,
    pairs: Vec<Plan>,
}

fn primitive(ty: ValueType) -> Plan {
    use ValueType::{
        Bool, Char, Defined, ErrorContext, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64,
    };
    let (size, plain, op) = match ty {
        Bool => (1, false, Op::Bool),
        S8 => (1, true, Op::S8),
        U8 => (1, true, Op::U8),
        S16 => (2, true, Op::S16),
        U16 => (2, true, Op::U16),
        S32 => (4, true, Op::S32),
        U32 => (4, true, Op::U32),
        S64 => (8, true, Op::S64),
        U64 => (8, true, Op::U64),
        F32 => (4, true, Op::F32),
        F64 => (8, true, Op::F64),
        Char => (4, false, Op::Char),
        String => (8, false, Op::String),
        ErrorContext | Defined(_) => (4, false, Op::Async("error-context")),
    };
    let is_string = ty == String;
    Plan {
        size,
        align: if is_string { 4 } else { size },
        flat: if is_string { 2 } else { 1 },
        plain,
        handles: false,
        points: is_string,
        op,
    }
}

impl Maker {
    fn plan(&self, ty: ValueType) -> Result<(PlanId, &Plan)> {
        let id = PlanId::of(ty);
        match self.plans.get(id.0 as usize) {
            Some(plan) => Ok((id, plan)),
            None => Err(Error::bug("a type of a component comes before its parts")),
        }
    }

    fn defined(&mut self, ty: &DefinedType) -> Result<Plan> {
        match ty {
            DefinedType::Record(fields) => self.record(fields.iter().map(|field| field.1)),
            DefinedType::Tuple(types) => self.record(types.iter().copied()),
            DefinedType::Variant(cases) => self.variant(cases.iter().map(|case| case.1)),
            DefinedType::Enum(names) => self.variant(names.iter().map(|_| None)),
            DefinedType::Option(ty) => self.variant([None, Some(*ty)]),
            DefinedType::Result { ok, err } => self.variant([*ok, *err]),
            DefinedType::List(ty) => {
                let (id, element) = self.plan(*ty)?;
                Ok(list(id, element.handles))
            }
            DefinedType::Map(key, value) => self.map(*key, *value),
            DefinedType::FixedList(ty, count) => self.fixed_list(*ty, *count),
            DefinedType::Flags(names) => Ok(flags(names.len())),
            DefinedType::Own(resource) => Ok(handle(Op::Own(*resource))),
            DefinedType::Borrow(resource) => Ok(handle(Op::Borrow(*resource))),
            DefinedType::Stream(_) => Ok(handle(Op::Async("stream"))),
            DefinedType::Future(_) => Ok(handle(Op::Async("future"))),
        }
    }

    fn record(&self, types: impl IntoIterator<Item = ValueType>) -> Result<Plan> {
        let mut whole = Plan::empty();
        let mut fields = Vec::new();
        let (mut size, mut parts) = (0u64, 0u64);
        for ty in types {
            let (id, part) = self.plan(ty)?;
            size = size.next_multiple_of(part.align.into());
            fields.push(Field { offset: narrow(size)?, flat: whole.flat, plan: id });
            size += u64::from(part.size);
            parts += u64::from(part.size);
            whole.add(part);
        }
        whole.size = narrow(size.next_multiple_of(whole.align.into()))?;
        // What lies between parts is not of the value, and may be what the one guest keeps from the other.
        whole.plain &= parts == u64::from(whole.size);
        whole.op = Op::Record(fields.into());
        Ok(whole)
    }

    fn variant(&self, cases: impl IntoIterator<Item = Option<ValueType>>) -> Result<Plan> {
        let mut whole = Plan::empty();
        let mut largest = 0u64;
        let mut plans = Vec::new();
        for case in cases {
            let Some(ty) = case else {
                plans.push(None);
                continue;
            };
            let (id, part) = self.plan(ty)?;
            largest = largest.max(part.size.into());
            let flat = whole.flat.max(part.flat);
            whole.add(part);
            whole.flat = flat;
            plans.push(Some(id));
        }
        let tag: u32 = match plans.len() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let payload = tag.next_multiple_of(whole.align);
        whole.align = whole.align.max(tag);
        let size = (u64::from(payload) + largest).next_multiple_of(whole.align.into());
        whole.size = narrow(size)?;
        whole.flat = (whole.flat + 1).min(TOO_FLAT);
        whole.plain = false;
        whole.op = Op::Variant(Cases { tag, payload, cases: plans.into() });
        Ok(whole)
    }

    /// A map is a list of pairs, whose type is nowhere else.
    fn map(&mut self, key: ValueType, value: ValueType) -> Result<Plan> {
        let pair = self.record([key, value])?;
        let handles = pair.handles;
        let id = PlanId(self.defined_end + self.pairs.len() as u32);
        self.pairs.push(pair);
        Ok(list(id, handles))
    }

    fn fixed_list(&self, ty: ValueType, count: u32) -> Result<Plan> {
        let (id, part) = self.plan(ty)?;
        let size = narrow(u64::from(part.size) * u64::from(count))?;
        let flat = u64::from(part.flat) * u64::from(count);
        Ok(Plan {
            size,
            align: part.align,
            flat: flat.min(TOO_FLAT.into()) as u32,
            plain: part.plain,
            handles: part.handles,
            points: part.points,
            op: Op::FixedList(id, count),
        })
    }

    fn func(&self, ty: &ComponentFuncType) -> Result<FuncPlan> {
        let params = self.record(ty.params.iter().map(|param| param.1))?;
        let (result, result_flat) = match ty.result {
            Some(ty) => {
                let (id, plan) = self.plan(ty)?;
                (Some(id), plan.flat)
            }
            None => (None, 0),
        };
        // Results hold no borrowed handles, and those of parameters are told apart soon enough.
        let borrows = params.handles;
        Ok(FuncPlan { params, result, result_flat, borrows })
    }
}

impl Plan {
    /// A whole without parts.
    fn empty() -> Plan {
        let op = Op::Record(Box::new([]));
        Plan { size: 0, align: 1, flat: 0, plain: true, handles: false, points: false, op }
    }

    /// Makes a whole what it has to be with one more part, but for its size.
    fn add(&mut self, part: &Plan) {
        self.align = self.align.max(part.align);
        self.flat = (self.flat + part.flat).min(TOO_FLAT);
        self.plain &= part.plain;
        self.handles |= part.handles;
        self.points |= part.points;
    }
}

fn flags(count: usize) -> Plan {
    let size = match count {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    };
    Plan {
        size,
        align: size,
        flat: 1,
        // Bits of no flag are dropped on the way.
        plain: matches!(count, 8 | 16 | 32),
        handles: false,
        points: false,
        op: Op::Flags(count as u32),
    }
}

fn list(element: PlanId, handles: bool) -> Plan {
    let op = Op::List(element);
    Plan { size: 8, align: 4, flat: 2, plain: false, handles, points: true, op }
}

fn handle(op: Op) -> Plan {
    Plan { size: 4, align: 4, flat: 1, plain: false, handles: true, points: false, op }
}

fn narrow(size: u64) -> Result<u32> {
    match u32::try_from(size) {
        Ok(size) => Ok(size),
        // Validation lets hardly any type become as large as a list may be.
        Err(_) => Err(too_large(size)),
    }
}

#[cold]
fn too_large(size: impl fmt::Display) -> Error {
    let text = format!("a type's values take {size} bytes, expected at most {}", u32::MAX);
    Error::list(ErrorKind::Invalid, text, Vec::new())
}
