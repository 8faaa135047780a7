//! The type section: recursion groups to canonical types.

use wasmparser::{
    CompositeInnerType, FieldType, HeapType, StorageType, SubType, TypeSectionReader,
    UnpackedIndex, ValType,
};

use super::Decoder;
use crate::body;
use crate::error::Error;
use crate::registry::{GroupVal, GroupWriter, TypeRef};
use crate::types::{RefType, TypeId, ValType as CanonicalValType};

impl Decoder<'_> {
    pub(super) fn type_section(&mut self, section: &TypeSectionReader<'_>) -> Result<(), Error> {
        let mut batch = self.registry.batch();
        let mut writer = GroupWriter::default();
        for group in section.clone().into_iter_with_offsets() {
            let (offset, group) =
                group.map_err(|error| Error::from_parser(&error, true, &self.features))?;
            writer.clear();
            let scope = Scope { types: &self.types, start: self.types.len() as u32 };
            for ty in group.types() {
                scope.write(&mut writer, ty);
            }
            let first = self.types.len();
            self.types.extend(batch.intern(&writer, Some(offset))?);
            for id in &self.types[first..] {
                self.composite_types.extend(batch.composite_type(*id));
            }
        }
        self.types_held = Some(batch.finish());
        Ok(())
    }
}

/// What module type indices mean within the group that begins at `start`.
struct Scope<'a> {
    types: &'a [TypeId],
    start: u32,
}

impl Scope<'_> {
    fn write(&self, writer: &mut GroupWriter, ty: &SubType) {
        let is_final = ty.is_final;
        let supertype = ty.supertype_idxs.first().map(|at| self.reference(at.unpack()));
        match &ty.composite_type.inner {
            CompositeInnerType::Func(func) => {
                let (params, results) = (func.params(), func.results());
                writer.begin_func(is_final, supertype, params.len(), results.len());
                for val in params.iter().chain(results) {
                    writer.val(self.val(*val));
                }
            }
            CompositeInnerType::Struct(ty) => {
                writer.begin_struct(is_final, supertype, ty.fields.len());
                for field in &ty.fields {
                    self.field(writer, field);
                }
            }
            CompositeInnerType::Array(ty) => {
                writer.begin_array(is_final, supertype);
                self.field(writer, &ty.0);
            }
            CompositeInnerType::Cont(ty) => {
                writer.cont(is_final, supertype, self.reference(ty.0.unpack()));
            }
        }
    }

    fn field(&self, writer: &mut GroupWriter, field: &FieldType) {
        match field.element_type {
            StorageType::I8 => writer.packed_field(false, field.mutable),
            StorageType::I16 => writer.packed_field(true, field.mutable),
            StorageType::Val(val) => writer.field(self.val(val), field.mutable),
        }
    }

    fn val(&self, val: ValType) -> GroupVal {
        let ValType::Ref(ty) = val else {
            return GroupVal::Plain(body::val_type(&[], val));
        };
        match ty.heap_type() {
            HeapType::Concrete(at) | HeapType::Exact(at) => {
                GroupVal::Defined { nullable: ty.is_nullable(), ty: self.reference(at) }
            }
            HeapType::Abstract { ty: heap, .. } => {
                let heap = body::abstract_heap_type(heap);
                GroupVal::Plain(CanonicalValType::Ref(RefType { nullable: ty.is_nullable(), heap }))
            }
        }
    }

    fn reference(&self, at: UnpackedIndex) -> TypeRef {
        match at {
            UnpackedIndex::Module(at) if at >= self.start => TypeRef::Inner(at - self.start),
            UnpackedIndex::Module(at) => TypeRef::Outer(self.types[at as usize]),
            UnpackedIndex::RecGroup(at) => TypeRef::Inner(at),
            UnpackedIndex::Id(_) => {
                debug_assert!(false, "type index as read: {at:?}");
                TypeRef::Inner(0)
            }
        }
    }
}
