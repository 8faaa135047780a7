//! Lowering into memory.

use super::instance::{Handle, Instance, Trap};
use super::strings;
use super::types::{Shape, Type, align_to, discriminant_size, payload_offset};
use super::value::{Nans, Value};

impl Instance {
    /// Writes a value to an address known to be aligned and inside.
    pub fn store(&mut self, value: &Value, ty: &Type, at: u64) -> Result<(), Trap> {
        let pointer = self.memory.pointer;
        assert_eq!(at % ty.alignment(pointer), 0, "checked before");
        match (ty.shape(), value) {
            (Shape::Scalar(size, _), value) => {
                self.memory.write_int(at, size, bits(value, self.nans))
            }
            (Shape::String, Value::String(text)) => {
                let (begin, length) = strings::store(self, text)?;
                self.store_pair(at, begin, length);
            }
            (Shape::List(element), Value::List(values)) => {
                let (begin, length) = self.store_list(values, &element)?;
                self.store_pair(at, begin, length);
            }
            (Shape::FixedList(element, _), Value::List(values)) => {
                self.store_elements(values, &element, at)?;
            }
            (Shape::Record(fields), Value::Record(values)) => {
                let mut at = at;
                for (field, value) in fields.iter().zip(values) {
                    at = align_to(at, field.alignment(pointer));
                    self.store(value, field, at)?;
                    at += field.elem_size(pointer);
                }
            }
            (Shape::Variant(cases), Value::Variant(case, payload)) => {
                self.memory.write_int(at, discriminant_size(cases.len()), *case as u64);
                if let (Some(ty), Some(value)) = (&cases[*case], payload) {
                    self.store(value, ty, at + payload_offset(&cases, pointer))?;
                }
            }
            (Shape::Flags(_), Value::Flags(flags)) => {
                self.memory.write_int(at, ty.elem_size(pointer), u64::from(*flags));
            }
            (Shape::Handle, Value::Handle(rep)) => {
                let index = self.lower_handle(ty, *rep);
                self.memory.write_int(at, 4, u64::from(index));
            }
            (_, value) => unreachable!("{value:?} is no {ty:?}"),
        }
        Ok(())
    }

    fn store_pair(&mut self, at: u64, begin: u64, length: u64) {
        let size = self.memory.pointer.size();
        self.memory.write_int(at, size, begin);
        self.memory.write_int(at + size, size, length);
    }

    /// Writes a list where the guest says, and gives back where and how many.
    pub fn store_list(&mut self, values: &[Value], element: &Type) -> Result<(u64, u64), Trap> {
        let pointer = self.memory.pointer;
        let bytes = values.len() as u64 * element.elem_size(pointer);
        let begin = self.allocate(element.alignment(pointer), bytes)?;
        self.store_elements(values, element, begin)?;
        Ok((begin, values.len() as u64))
    }

    fn store_elements(&mut self, values: &[Value], element: &Type, at: u64) -> Result<(), Trap> {
        let size = element.elem_size(self.memory.pointer);
        for (index, value) in values.iter().enumerate() {
            self.store(value, element, at + index as u64 * size)?;
        }
        Ok(())
    }

    /// The index of a new handle; or the resource itself, if it is lent to its owner.
    pub fn lower_handle(&mut self, ty: &Type, rep: u32) -> u32 {
        let (resource, lent_to) = match ty {
            Type::Own(resource) => (*resource, None),
            Type::Borrow(resource) if self.own_resources.contains(resource) => return rep,
            Type::Borrow(resource) => {
                let call = self.borrows.len() - 1;
                self.borrows[call] += 1;
                (*resource, Some(call))
            }
            other => unreachable!("{other:?} is no handle"),
        };
        self.handles.add(Handle { resource, rep, lent_to, lends: 0 })
    }
}

/// The bits of a scalar, sign-extended.
pub fn bits(value: &Value, nans: Nans) -> u64 {
    match value {
        Value::Bool(yes) => u64::from(*yes),
        Value::Integer(number) => *number as u64,
        Value::F32(bits) => u64::from(nans.pass32(*bits)),
        Value::F64(bits) => nans.pass64(*bits),
        Value::Char(character) => u64::from(u32::from(*character)),
        other => unreachable!("{other:?} is no scalar"),
    }
}
