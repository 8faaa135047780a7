//! Lifting from and lowering to flat parameters and results.

use super::instance::{Instance, Trap, align_to_checked};
use super::load::{self, Lift};
use super::store::bits;
use super::strings;
use super::types::{Core, Shape, Type, flatten_all, flatten_payloads};
use super::value::Value;

/// Flat values that are taken one by one, by their bits.
pub struct Flats<'a> {
    bits: &'a [u64],
    taken: usize,
}

impl<'a> Flats<'a> {
    /// From the first.
    pub fn new(bits: &'a [u64]) -> Flats<'a> {
        Flats { bits, taken: 0 }
    }

    /// The next, of which as many bits count as its type has.
    pub fn next(&mut self, core: Core) -> u64 {
        let bits = self.bits[self.taken];
        self.taken += 1;
        match core {
            Core::I32 | Core::F32 => u64::from(bits as u32),
            Core::I64 | Core::F64 => bits,
        }
    }
}

impl Lift<'_> {
    /// Lifts values that were passed flat, or, if they are too many, behind a pointer.
    pub fn values(
        &mut self,
        max: usize,
        flats: &mut Flats<'_>,
        types: &[Type],
    ) -> Result<Vec<Value>, Trap> {
        let pointer = self.from.memory.pointer;
        if flatten_all(types, pointer).len() <= max {
            return types.iter().map(|ty| self.flat(flats, ty)).collect();
        }
        let at = flats.next(pointer.core());
        let tuple = Type::Tuple(types.to_vec());
        if at != align_to_checked(at, tuple.alignment(pointer)) {
            return Err(Trap::Misaligned);
        }
        self.from.memory.check(at, tuple.elem_size(pointer))?;
        match self.load(at, &tuple)? {
            Value::Record(values) => Ok(values),
            other => unreachable!("{other:?} is no tuple"),
        }
    }

    fn flat(&mut self, flats: &mut Flats<'_>, ty: &Type) -> Result<Value, Trap> {
        let pointer = self.from.memory.pointer;
        match ty.shape() {
            Shape::Scalar(_, core) => load::scalar(ty, flats.next(core), self.from.nans),
            Shape::String => {
                let (at, length) = (flats.next(pointer.core()), flats.next(pointer.core()));
                strings::load(self.from, at, length).map(Value::String)
            }
            Shape::List(element) => {
                let (at, length) = (flats.next(pointer.core()), flats.next(pointer.core()));
                self.load_list(at, length, &element)
            }
            Shape::FixedList(element, length) => {
                let elements = (0..length).map(|_| self.flat(flats, &element));
                Ok(Value::List(elements.collect::<Result<_, _>>()?))
            }
            Shape::Record(fields) => {
                let values = fields.iter().map(|field| self.flat(flats, field));
                Ok(Value::Record(values.collect::<Result<_, _>>()?))
            }
            Shape::Variant(cases) => self.flat_variant(flats, &cases),
            Shape::Flags(labels) => Ok(load::flags(flats.next(Core::I32) as u32, labels)),
            Shape::Handle => {
                let index = flats.next(Core::I32) as u32;
                self.handle(ty, index)
            }
        }
    }

    /// What the cases carry shares the same flat values, each wide enough for all of them.
    fn flat_variant(
        &mut self,
        flats: &mut Flats<'_>,
        cases: &[Option<Type>],
    ) -> Result<Value, Trap> {
        let case = flats.next(Core::I32) as usize;
        let ty = cases.get(case).ok_or(Trap::NoSuchCase)?;
        let shared = flatten_payloads(cases, self.from.memory.pointer);
        let payload: Vec<u64> = shared.iter().map(|core| flats.next(*core)).collect();
        let value = match ty {
            Some(ty) => Some(Box::new(self.flat(&mut Flats::new(&payload), ty)?)),
            None => None,
        };
        Ok(Value::Variant(case, value))
    }

    /// Ends the loans, when the call they were for has returned.
    pub fn give_back(self) {
        for index in self.lenders {
            if let Ok(handle) = self.from.handles.get(index) {
                handle.lends -= 1;
            }
        }
    }
}

impl Instance {
    /// Lowers values flat, or, if they are too many, behind a pointer: one the guest is asked for, or the
    /// one the caller gave.
    pub fn lower_values(
        &mut self,
        max: usize,
        values: &[Value],
        types: &[Type],
        out: Option<u64>,
    ) -> Result<Vec<u64>, Trap> {
        let pointer = self.memory.pointer;
        if flatten_all(types, pointer).len() <= max {
            let mut flats = Vec::new();
            for (value, ty) in values.iter().zip(types) {
                flats.extend(self.lower_flat(value, ty)?);
            }
            return Ok(flats);
        }
        let tuple = Type::Tuple(types.to_vec());
        let (alignment, size) = (tuple.alignment(pointer), tuple.elem_size(pointer));
        let (at, flats) = match out {
            None => {
                let at = self.allocate(alignment, size)?;
                (at, vec![at])
            }
            Some(at) => {
                if at != align_to_checked(at, alignment) {
                    return Err(Trap::Misaligned);
                }
                self.memory.check(at, size)?;
                (at, Vec::new())
            }
        };
        self.store(&Value::Record(values.to_vec()), &tuple, at)?;
        Ok(flats)
    }

    fn lower_flat(&mut self, value: &Value, ty: &Type) -> Result<Vec<u64>, Trap> {
        let pointer = self.memory.pointer;
        Ok(match (ty.shape(), value) {
            (Shape::Scalar(_, Core::I64 | Core::F64), value) => vec![bits(value, self.nans)],
            (Shape::Scalar(..), value) => vec![u64::from(bits(value, self.nans) as u32)],
            (Shape::String, Value::String(text)) => {
                let (at, length) = strings::store(self, text)?;
                vec![at, length]
            }
            (Shape::List(element), Value::List(values)) => {
                let (at, length) = self.store_list(values, &element)?;
                vec![at, length]
            }
            (Shape::FixedList(element, _), Value::List(values)) => {
                let mut flats = Vec::new();
                for value in values {
                    flats.extend(self.lower_flat(value, &element)?);
                }
                flats
            }
            (Shape::Record(fields), Value::Record(values)) => {
                let mut flats = Vec::new();
                for (field, value) in fields.iter().zip(values) {
                    flats.extend(self.lower_flat(value, field)?);
                }
                flats
            }
            (Shape::Variant(cases), Value::Variant(case, payload)) => {
                let mut flats = vec![*case as u64];
                if let (Some(ty), Some(value)) = (&cases[*case], payload) {
                    flats.extend(self.lower_flat(value, ty)?);
                }
                flats.resize(1 + flatten_payloads(&cases, pointer).len(), 0);
                flats
            }
            (Shape::Flags(_), Value::Flags(flags)) => vec![u64::from(*flags)],
            (Shape::Handle, Value::Handle(rep)) => vec![u64::from(self.lower_handle(ty, *rep))],
            (_, value) => unreachable!("{value:?} is no {ty:?}"),
        })
    }
}
