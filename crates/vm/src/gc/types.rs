//! What the collector and casts know of the types of objects, numbered within a store.

use std::collections::HashMap;

use dunlin_code::object::{HEADER_BYTES, Storage, object_size, offsets};
use dunlin_module::{CompositeType, StructType, TypeId, TypeRegistry};

use crate::store::Fixed;
use crate::vmctx::HeapDef;

/// What an object is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Shape {
    /// Fields at fixed offsets.
    Struct,
    /// Elements behind a length.
    Array,
    /// The number of a tag where a struct has nothing, then the payload as fields.
    Exception,
    /// The number of a continuation where an array has its length.
    Continuation,
}

/// A type of objects. Native code reads the first fields.
#[repr(C)]
#[derive(Debug)]
pub struct TypeInfo {
    /// Its number: what the headers of its objects hold.
    pub(crate) number: u32,
    /// How many supertypes it has.
    pub(crate) depth: u32,
    /// The first element of `display`.
    pub(crate) display_at: *const u32,
    pub(crate) shape: Shape,
    /// How an array stores its elements.
    pub(crate) element: Storage,
    /// Bytes of a struct with its header, or of one element of an array.
    pub(crate) size: u32,
    /// The canonical type; for exceptions, the function type of the tag.
    pub(crate) id: TypeId,
    /// Numbers of the supertypes from the root of the hierarchy on, its own last.
    pub(crate) display: Box<[u32]>,
    /// Offset and storage of each field.
    pub(crate) fields: Box<[(u32, Storage)]>,
    /// Offsets of the fields that are traced references.
    pub(crate) traced: Box<[u32]>,
}

impl TypeInfo {
    /// Whether objects of this type are of type `other` too.
    #[inline(always)]
    pub(crate) fn is_subtype(&self, other: &TypeInfo) -> bool {
        self.number == other.number
            || self.display.get(other.display.len() - 1) == Some(&other.number)
    }

    /// Bytes of an array of `len` elements.
    #[inline(always)]
    pub(crate) fn array_bytes(&self, len: u32) -> u64 {
        let bytes = u64::from(HEADER_BYTES) + u64::from(len) * u64::from(self.size);
        bytes.next_multiple_of(8)
    }

    /// Whether the collector has anything to look for in an object.
    pub(crate) fn is_traced(&self) -> bool {
        !self.traced.is_empty()
            || self.shape == Shape::Continuation
            || (self.shape == Shape::Array && self.element == Storage::Ref)
    }
}

/// The types of objects of a store.
#[derive(Debug, Default)]
pub(crate) struct TypeTable {
    infos: Vec<Fixed<TypeInfo>>,
    /// The same by address, for code.
    addresses: Vec<*const TypeInfo>,
    by_id: HashMap<TypeId, u32>,
}

impl TypeTable {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.infos.len()
    }

    /// The type with a number.
    #[inline(always)]
    pub(crate) fn get(&self, number: u32) -> Option<&TypeInfo> {
        self.infos.get(number as usize).map(|info| &**info)
    }

    /// The type of objects of canonical type `id`, which stays at its address; of exceptions, if `id`
    /// is a function type. The caller keeps the type alive.
    pub(crate) fn intern(
        &mut self,
        id: TypeId,
        registry: &TypeRegistry,
        def: &mut HeapDef,
    ) -> Option<*const TypeInfo> {
        if let Some(number) = self.by_id.get(&id) {
            return Some(self.addresses[*number as usize]);
        }
        let composite = registry.composite_type(id)?;
        // Supertypes are numbered first; there are at most 63.
        let mut display = Vec::new();
        if !matches!(composite, CompositeType::Func(_)) {
            for above in registry.supertypes(id).as_deref().unwrap_or_default() {
                let number = self.add(*above, &registry.composite_type(*above)?, &display, def);
                display.push(number);
            }
        }
        let number = self.add(id, &composite, &display, def);
        Some(self.addresses[number as usize])
    }

    fn add(
        &mut self,
        id: TypeId,
        composite: &CompositeType,
        supertypes: &[u32],
        def: &mut HeapDef,
    ) -> u32 {
        if let Some(number) = self.by_id.get(&id) {
            return *number;
        }
        let number = self.infos.len() as u32;
        let (shape, element, storages): (_, _, Vec<Storage>) = match composite {
            CompositeType::Struct(ty) => (Shape::Struct, Storage::B8, storages(ty)),
            CompositeType::Array(field) => (Shape::Array, Storage::of(field.storage), Vec::new()),
            CompositeType::Func(ty) => {
                let fields = ty.params.iter().map(|ty| Storage::of_value(*ty));
                (Shape::Exception, Storage::B8, fields.collect())
            }
            CompositeType::Cont(_) => (Shape::Continuation, Storage::B8, Vec::new()),
        };
        let fields: Box<[(u32, Storage)]> = offsets(storages.into_iter()).collect();
        let end = fields.last().map_or(HEADER_BYTES, |(at, storage)| at + storage.size());
        let traced = fields.iter().filter(|field| field.1 == Storage::Ref);
        let display: Box<[u32]> = supertypes.iter().copied().chain([number]).collect();
        let info = Fixed::new(TypeInfo {
            number,
            depth: supertypes.len() as u32,
            display_at: display.as_ptr(),
            shape,
            element,
            size: if shape == Shape::Array { element.size() } else { object_size(end) },
            id,
            display,
            traced: traced.map(|field| field.0).collect(),
            fields,
        });
        self.addresses.push(info.as_ptr());
        self.infos.push(info);
        self.by_id.insert(id, number);
        def.types = self.addresses.as_ptr();
        def.types_len = self.addresses.len() as u32;
        number
    }
}

fn storages(ty: &StructType) -> Vec<Storage> {
    ty.fields.iter().map(|field| Storage::of(field.storage)).collect()
}
