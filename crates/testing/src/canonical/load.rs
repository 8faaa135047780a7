//! Lifting from memory.

use super::instance::{Instance, Trap, align_to_checked};
use super::strings;
use super::types::{Resource, Shape, Type, align_to, discriminant_size, payload_offset};
use super::value::{Nans, Value};

/// How long a list may be, in bytes.
pub const MAX_LIST_BYTES: u64 = (1 << 28) - 1;

/// Where lifting takes from: an instance, and the handles it lends meanwhile.
pub struct Lift<'a> {
    /// Where the values are.
    pub from: &'a mut Instance,
    /// Indices of the handles lent to the call that the values are for.
    pub lenders: Vec<u32>,
}

impl Lift<'_> {
    /// The value at an address known to be aligned and inside.
    pub fn load(&mut self, at: u64, ty: &Type) -> Result<Value, Trap> {
        let pointer = self.from.memory.pointer;
        assert_eq!(at % ty.alignment(pointer), 0, "checked before");
        match ty.shape() {
            Shape::Scalar(size, _) => {
                scalar(ty, self.from.memory.read_int(at, size), self.from.nans)
            }
            Shape::String => {
                let (begin, length) = self.pair(at);
                strings::load(self.from, begin, length).map(Value::String)
            }
            Shape::List(element) => {
                let (begin, length) = self.pair(at);
                self.load_list(begin, length, &element)
            }
            Shape::FixedList(element, length) => self.load_elements(at, length, &element),
            Shape::Record(fields) => {
                let mut values = Vec::new();
                let mut at = at;
                for field in &fields {
                    at = align_to(at, field.alignment(pointer));
                    values.push(self.load(at, field)?);
                    at += field.elem_size(pointer);
                }
                Ok(Value::Record(values))
            }
            Shape::Variant(cases) => {
                let case = self.from.memory.read_int(at, discriminant_size(cases.len())) as usize;
                let payload = match cases.get(case).ok_or(Trap::NoSuchCase)? {
                    Some(ty) => {
                        Some(Box::new(self.load(at + payload_offset(&cases, pointer), ty)?))
                    }
                    None => None,
                };
                Ok(Value::Variant(case, payload))
            }
            Shape::Flags(labels) => {
                let size = ty.elem_size(pointer);
                Ok(flags(self.from.memory.read_int(at, size) as u32, labels))
            }
            Shape::Handle => {
                let index = self.from.memory.read_int(at, 4) as u32;
                self.handle(ty, index)
            }
        }
    }

    fn pair(&self, at: u64) -> (u64, u64) {
        let size = self.from.memory.pointer.size();
        (self.from.memory.read_int(at, size), self.from.memory.read_int(at + size, size))
    }

    /// A list that begins anywhere the guest says.
    pub fn load_list(&mut self, begin: u64, length: u64, element: &Type) -> Result<Value, Trap> {
        let pointer = self.from.memory.pointer;
        let bytes = u128::from(length) * u128::from(element.elem_size(pointer));
        if bytes > u128::from(MAX_LIST_BYTES) {
            return Err(Trap::TooLong);
        }
        if begin != align_to_checked(begin, element.alignment(pointer)) {
            return Err(Trap::Misaligned);
        }
        self.from.memory.check(begin, bytes as u64)?;
        self.load_elements(begin, length, element)
    }

    fn load_elements(&mut self, at: u64, length: u64, element: &Type) -> Result<Value, Trap> {
        let size = element.elem_size(self.from.memory.pointer);
        let elements = (0..length).map(|index| self.load(at + index * size, element));
        Ok(Value::List(elements.collect::<Result<_, _>>()?))
    }

    /// The resource that a handle stands for. An owned one leaves the table, a borrowed one is lent.
    pub fn handle(&mut self, ty: &Type, index: u32) -> Result<Value, Trap> {
        match ty {
            Type::Own(resource) => self.own(*resource, index),
            Type::Borrow(resource) => {
                let handle = self.from.handles.get(index)?;
                if handle.resource != *resource {
                    return Err(Trap::WrongResource);
                }
                handle.lends += 1;
                self.lenders.push(index);
                Ok(Value::Handle(handle.rep))
            }
            other => unreachable!("{other:?} is no handle"),
        }
    }

    fn own(&mut self, resource: Resource, index: u32) -> Result<Value, Trap> {
        let handle = self.from.handles.remove(index)?;
        if handle.resource != resource {
            return Err(Trap::WrongResource);
        }
        if handle.lends != 0 {
            return Err(Trap::Lent);
        }
        if handle.lent_to.is_some() {
            return Err(Trap::NotOwned);
        }
        Ok(Value::Handle(handle.rep))
    }
}

/// A scalar from its bits, of which those it has no use for are dropped.
pub fn scalar(ty: &Type, bits: u64, nans: Nans) -> Result<Value, Trap> {
    Ok(match ty {
        Type::Bool => Value::Bool(bits != 0),
        Type::U8 => Value::Integer(i128::from(bits as u8)),
        Type::S8 => Value::Integer(i128::from(bits as i8)),
        Type::U16 => Value::Integer(i128::from(bits as u16)),
        Type::S16 => Value::Integer(i128::from(bits as i16)),
        Type::U32 => Value::Integer(i128::from(bits as u32)),
        Type::S32 => Value::Integer(i128::from(bits as i32)),
        Type::U64 => Value::Integer(i128::from(bits)),
        Type::S64 => Value::Integer(i128::from(bits as i64)),
        Type::F32 => Value::F32(nans.pass32(bits as u32)),
        Type::F64 => Value::F64(nans.pass64(bits)),
        Type::Char => Value::Char(char::from_u32(bits as u32).ok_or(Trap::NotACharacter)?),
        other => unreachable!("{other:?} is no scalar"),
    })
}

/// Flags from their bits, of which those without a label are dropped.
pub fn flags(bits: u32, labels: usize) -> Value {
    let known = if labels == 32 { u32::MAX } else { (1 << labels) - 1 };
    Value::Flags(bits & known)
}
