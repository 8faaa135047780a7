//! Objects in the garbage-collected heap: what references are, and where fields live.
//!
//! ```text
//!  struct     [ type u32 │ marks u32  ][ fields, each aligned to its size ... ]
//!  array      [ type u32 │ length u32 ][ elements ... ]
//! ```
//!
//! A *reference* of the any, extern, exn and cont hierarchies is 32 bits, zero-extended in a slot:
//!
//! | bits | what |
//! |---|---|
//! | 0 | null |
//! | `…1` | an `i31`, shifted left by one |
//! | `…010` | a value of the host, by its number shifted left by three |
//! | `…000` | an object, by its offset in the heap of the store, which is a multiple of 8 |
//!
//! A function reference is an address on the stack and the number of the function's record in an
//! object. Fields are laid out in their order, so that a subtype's begin where its supertype's do.

use dunlin_module::{FieldType, Hierarchy, StorageType, ValType};

/// Bytes before the fields of a struct or the elements of an array.
pub const HEADER_BYTES: u32 = 8;

/// Where the length of an array is.
pub const LENGTH_OFFSET: u32 = 4;

/// Objects begin at multiples of this and take multiples of it.
pub const OBJECT_ALIGN: u32 = 8;

/// The lowest bit of an `i31`.
pub const I31_TAG: u32 = 1;

/// The lowest three bits of a reference to a value of the host.
pub const HOST_TAG: u32 = 2;

/// How far the number of a host value is shifted.
pub const HOST_SHIFT: u32 = 3;

/// Numbers of host values are below this.
pub const HOST_VALUES_MAX: u32 = 1 << (32 - HOST_SHIFT);

/// Whether reference `bits` is to an object, not null, an `i31` or a value of the host.
#[inline(always)]
pub const fn is_object(bits: u32) -> bool {
    bits != 0 && bits & (OBJECT_ALIGN - 1) == 0
}

/// How a field is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Storage {
    /// The low 8 bits of an `i32`.
    B8,
    /// The low 16 bits of an `i32`.
    B16,
    /// An `i32` or `f32`.
    B32,
    /// An `i64` or `f64`.
    B64,
    /// A `v128`.
    B128,
    /// A reference the collector follows.
    Ref,
    /// The number of a function record plus one, or 0 for null.
    Func,
}

impl Storage {
    /// How a field of type `ty` is stored.
    pub fn of(ty: StorageType) -> Storage {
        match ty {
            StorageType::I8 => Storage::B8,
            StorageType::I16 => Storage::B16,
            StorageType::Val(ty) => Storage::of_value(ty),
        }
    }

    /// How a value of type `ty` is stored.
    pub fn of_value(ty: ValType) -> Storage {
        match ty {
            ValType::I32 | ValType::F32 => Storage::B32,
            ValType::I64 | ValType::F64 => Storage::B64,
            ValType::V128 => Storage::B128,
            ValType::Ref(ty) => match ty.heap.hierarchy() {
                Hierarchy::Func => Storage::Func,
                _ => Storage::Ref,
            },
        }
    }

    /// Bytes in an object.
    #[inline]
    pub const fn size(self) -> u32 {
        match self {
            Storage::B8 => 1,
            Storage::B16 => 2,
            Storage::B32 | Storage::Ref | Storage::Func => 4,
            Storage::B64 => 8,
            Storage::B128 => 16,
        }
    }

    /// Slots of the value on the stack.
    #[inline]
    pub const fn slots(self) -> u32 {
        if matches!(self, Storage::B128) { 2 } else { 1 }
    }

    const fn align(self) -> u32 {
        let size = self.size();
        if size < OBJECT_ALIGN { size } else { OBJECT_ALIGN }
    }
}

/// The offset of field `index`, from the beginning of the object.
pub fn field_offset(fields: &[FieldType], index: u32) -> u32 {
    let mut offsets = offsets(fields.iter().map(|field| Storage::of(field.storage)));
    offsets.nth(index as usize).map_or(HEADER_BYTES, |(offset, _)| offset)
}

/// The offset and storage of each field of a struct, from the beginning of the object.
pub fn offsets(fields: impl Iterator<Item = Storage>) -> impl Iterator<Item = (u32, Storage)> {
    fields.scan(HEADER_BYTES, |at, storage| {
        let offset = at.next_multiple_of(storage.align());
        *at = offset + storage.size();
        Some((offset, storage))
    })
}

/// Bytes of an object whose last field ends at `end`.
pub fn object_size(end: u32) -> u32 {
    end.next_multiple_of(OBJECT_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_are_aligned() {
        let fields = [Storage::B8, Storage::Ref, Storage::B16, Storage::B64, Storage::B128];
        let found: Vec<u32> = offsets(fields.into_iter()).map(|(offset, _)| offset).collect();
        assert_eq!(found, [8, 12, 16, 24, 32]);
    }

    #[test]
    fn the_fields_of_a_supertype_begin_those_of_its_subtype() {
        let fields = [Storage::B16, Storage::B8, Storage::Func, Storage::B64];
        let all: Vec<_> = offsets(fields.into_iter()).collect();
        for count in 0..fields.len() {
            let fewer: Vec<_> = offsets(fields[..count].iter().copied()).collect();
            assert_eq!(fewer, all[..count]);
        }
    }

    #[test]
    fn references_are_told_apart_by_their_low_bits() {
        assert!(!is_object(0) && !is_object(1 << 1 | I31_TAG) && !is_object(5 << 3 | HOST_TAG));
        assert!(is_object(8) && is_object(u32::MAX - 7));
    }
}
