//! References the host holds: to values of its own, to objects of the guest.
//!
//! A reference here keeps what it refers to alive, and stays right when the collector moves it. Cloning
//! one is cheap; dropping the last clone lets go. Two are equal if they refer to the same thing.

use std::any::Any;

use dunlin_module::{
    CompositeType, FieldType, HeapType, RefType, StorageType, StructType, ValType,
};
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::value::{self, Val};

macro_rules! references {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name(pub(crate) vm::Root);
    )*};
}

references! {
    /// A value of the `extern` hierarchy: something of the host that guests can hold, pass around and
    /// compare to null, but not look into; or an object of a guest that was made to look like one.
    ExternRef;
    /// A value of the `any` hierarchy: a 31-bit integer, a struct, an array, or something of the host
    /// that was made to look like one.
    AnyRef;
    /// A struct.
    StructRef;
    /// An array.
    ArrayRef;
    /// An exception.
    ExnRef;
    /// A continuation.
    ContRef;
}

/// What an [`AnyRef`] refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AnyKind {
    /// A 31-bit integer, sign-extended.
    I31(i32),
    /// A struct.
    Struct(StructRef),
    /// An array.
    Array(ArrayRef),
    /// Something of the host.
    Extern(ExternRef),
}

/// A struct or array type that the host makes objects of.
///
/// It is canonical in its engine: equal to any type of a module that is final, has no supertype, and
/// has the same fields.
#[derive(Clone, Debug)]
pub struct ObjectType {
    id: dunlin_module::TypeId,
    hold: dunlin_module::TypeHold,
}

impl ObjectType {
    /// A struct type.
    ///
    /// # Errors
    ///
    /// If there are too many fields or types, or a field refers to a type of another engine.
    pub fn new_struct(engine: &Engine, ty: &StructType) -> Result<ObjectType> {
        let (id, hold) = engine.types().intern_struct(ty)?;
        Ok(ObjectType { id, hold })
    }

    /// An array type.
    ///
    /// # Errors
    ///
    /// If there are too many types, or the elements refer to a type of another engine.
    pub fn new_array(engine: &Engine, element: FieldType) -> Result<ObjectType> {
        let (id, hold) = engine.types().intern_array(element)?;
        Ok(ObjectType { id, hold })
    }

    /// The type as something to refer to.
    pub fn heap_type(&self) -> HeapType {
        HeapType::Concrete(self.id)
    }
}

impl ExternRef {
    /// Gives `value` to the store, and a reference to it. It is dropped when neither guests nor the
    /// host refer to it any more, and a collection notices.
    ///
    /// # Errors
    ///
    /// If the store holds as many handles as its limits allow.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<ExternRef> {
        ExternRef::with_size(&mut store, value, 0)
    }

    /// As [`ExternRef::new`], for a value that takes `bytes` of memory on behalf of a guest: they are
    /// charged to the garbage-collected heap of the store, and count as a reason to collect.
    ///
    /// # Errors
    ///
    /// If the store holds as many handles or bytes as its limits allow.
    pub fn with_size(
        mut store: impl AsContextMut,
        value: impl Any + Send + Sync,
        bytes: u64,
    ) -> Result<ExternRef> {
        Ok(ExternRef(store.as_context_mut().vm.extern_new(Box::new(value), bytes)?))
    }

    /// What is referred to; `downcast_ref` finds its type. `None` if it is an object of a guest.
    ///
    /// # Errors
    ///
    /// If the reference belongs to another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        Ok(store.into().vm.extern_data(&self.0)?)
    }

    /// The same as a value of the `any` hierarchy (`any.convert_extern`).
    pub fn to_any(&self) -> AnyRef {
        AnyRef(self.0.clone())
    }
}

impl AnyRef {
    /// A 31-bit integer: the low 31 bits of `value`.
    ///
    /// # Errors
    ///
    /// If the store holds as many handles as its limits allow.
    pub fn from_i31(mut store: impl AsContextMut, value: i32) -> Result<AnyRef> {
        let bits = (value as u32) << 1 | dunlin_code::object::I31_TAG;
        Ok(AnyRef(store.as_context_mut().vm.root(bits.into())?))
    }

    /// What it refers to.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn kind(&self, store: impl AsContext) -> Result<AnyKind> {
        let root = self.0.clone();
        Ok(match kind(&self.0, store.as_context().vm)? {
            vm::ObjectKind::I31(value) => AnyKind::I31(value),
            vm::ObjectKind::Struct(_) => AnyKind::Struct(StructRef(root)),
            vm::ObjectKind::Array(_) => AnyKind::Array(ArrayRef(root)),
            vm::ObjectKind::Host => AnyKind::Extern(ExternRef(root)),
            _ => return Err(Error::bug("a value of the any hierarchy is of another")),
        })
    }

    /// The same as a value of the `extern` hierarchy (`extern.convert_any`).
    pub fn to_extern(&self) -> ExternRef {
        ExternRef(self.0.clone())
    }
}

impl StructRef {
    /// A new struct with these fields. May collect garbage.
    ///
    /// # Errors
    ///
    /// If `ty` is no struct type or of another engine, the fields are not of its types, or the heap
    /// is full.
    pub fn new(mut store: impl AsContextMut, ty: &ObjectType, fields: &[Val]) -> Result<StructRef> {
        let vm = &mut *store.as_context_mut().vm;
        let CompositeType::Struct(types) = composite(ty, vm)? else {
            return Err(Error::misuse(
                "cannot make a struct: expected a struct type, found another",
            ));
        };
        if types.fields.len() != fields.len() {
            let (expected, found) = (types.fields.len(), fields.len());
            return Err(Error::misuse(format!(
                "cannot make a struct: expected {expected} fields, found {found}"
            )));
        }
        let bits = types.fields.iter().zip(fields).map(|(ty, val)| storage_bits(ty, val, vm));
        let bits = bits.collect::<Result<Vec<u128>>>()?;
        Ok(StructRef(vm.struct_new(ty.id, &ty.hold, &bits)?))
    }

    /// Its type.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> Result<std::sync::Arc<StructType>> {
        let vm = store.as_context().vm;
        let vm::ObjectKind::Struct(id) = kind(&self.0, vm)? else { return Err(no_longer()) };
        match vm.types().composite_type(id) {
            Some(CompositeType::Struct(ty)) => Ok(ty),
            _ => Err(no_longer()),
        }
    }

    /// Field `index`; packed fields zero-extended. `None` beyond the last.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, or the store holds as many handles as its limits allow.
    pub fn field(&self, mut store: impl AsContextMut, index: u32) -> Result<Option<Val>> {
        let ty = self.ty(&store)?;
        let Some(field) = ty.fields.get(index as usize) else { return Ok(None) };
        get(&self.0, index, field.storage, store.as_context_mut().vm)
    }

    /// Changes field `index`.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, there is no such field, it is constant, or of another type.
    pub fn set_field(
        &self,
        mut store: impl AsContextMut,
        index: u32,
        val: impl Into<Val>,
    ) -> Result<()> {
        let ty = self.ty(&store)?;
        let field = ty.fields.get(index as usize).ok_or_else(|| beyond("field", index))?;
        set(&self.0, index, field, &val.into(), store.as_context_mut().vm)
    }

    /// The same as a value of the `any` hierarchy.
    pub fn to_any(&self) -> AnyRef {
        AnyRef(self.0.clone())
    }
}

impl ArrayRef {
    /// A new array with these elements. May collect garbage.
    ///
    /// # Errors
    ///
    /// If `ty` is no array type or of another engine, the elements are not of its type, or the heap
    /// is full.
    pub fn new(
        mut store: impl AsContextMut,
        ty: &ObjectType,
        elements: &[Val],
    ) -> Result<ArrayRef> {
        let vm = &mut *store.as_context_mut().vm;
        let CompositeType::Array(field) = composite(ty, vm)? else {
            return Err(Error::misuse(
                "cannot make an array: expected an array type, found another",
            ));
        };
        let bits = elements.iter().map(|val| storage_bits(&field, val, vm));
        let bits = bits.collect::<Result<Vec<u128>>>()?;
        Ok(ArrayRef(vm.array_new(ty.id, &ty.hold, &bits)?))
    }

    /// The type of its elements.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn element_type(&self, store: impl AsContext) -> Result<FieldType> {
        let vm = store.as_context().vm;
        let vm::ObjectKind::Array(id) = kind(&self.0, vm)? else { return Err(no_longer()) };
        match vm.types().composite_type(id) {
            Some(CompositeType::Array(field)) => Ok(field),
            _ => Err(no_longer()),
        }
    }

    /// How many elements it has.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn len(&self, store: impl AsContext) -> Result<u32> {
        let vm = store.as_context().vm;
        vm.array_len(vm.root_slot(&self.0)?).ok_or_else(no_longer)
    }

    /// Whether it has no elements.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn is_empty(&self, store: impl AsContext) -> Result<bool> {
        Ok(self.len(store)? == 0)
    }

    /// Element `index`; packed ones zero-extended. `None` beyond the last.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, or the store holds as many handles as its limits allow.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Option<Val>> {
        let field = self.element_type(&store)?;
        get(&self.0, index, field.storage, store.as_context_mut().vm)
    }

    /// Changes element `index`.
    ///
    /// # Errors
    ///
    /// If it belongs to another store, there is no such element, it is constant, or of another type.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, val: impl Into<Val>) -> Result<()> {
        let field = self.element_type(&store)?;
        set(&self.0, index, &field, &val.into(), store.as_context_mut().vm)
    }

    /// The same as a value of the `any` hierarchy.
    pub fn to_any(&self) -> AnyRef {
        AnyRef(self.0.clone())
    }
}

/// What a reference refers to.
pub(crate) fn kind(root: &vm::Root, vm: &vm::Store) -> Result<vm::ObjectKind> {
    vm.object_kind(vm.root_slot(root)?).ok_or_else(no_longer)
}

#[cold]
fn no_longer() -> Error {
    Error::bug("a reference is to something else than it was made for")
}

#[cold]
fn beyond(what: &str, index: u32) -> Error {
    Error::misuse(format!("cannot change {what} {index}: there is none"))
}

fn composite(ty: &ObjectType, vm: &vm::Store) -> Result<CompositeType> {
    if !ty.hold.registry().same(vm.types()) {
        return Err(Error::misuse("the type belongs to another engine"));
    }
    vm.types().composite_type(ty.id).ok_or_else(no_longer)
}

/// The type of values of a field.
fn unpacked(storage: StorageType) -> ValType {
    match storage {
        StorageType::I8 | StorageType::I16 => ValType::I32,
        StorageType::Val(ty) => ty,
    }
}

fn storage_bits(field: &FieldType, val: &Val, vm: &vm::Store) -> Result<u128> {
    let ty = unpacked(field.storage);
    if !value::is_a(val, ty, vm)? {
        let found = value::printed_type(val);
        return Err(Error::misuse(format!("cannot store a value: expected {ty}, found {found}")));
    }
    let mut slots = [0; 2];
    value::write(val, vm, &mut slots.iter_mut())?;
    Ok(u128::from(slots[0]) | u128::from(slots[1]) << 64)
}

fn get(
    root: &vm::Root,
    index: u32,
    storage: StorageType,
    vm: &mut vm::Store,
) -> Result<Option<Val>> {
    let Some(bits) = vm.object_get(vm.root_slot(root)?, index) else { return Ok(None) };
    let slots = [bits as u64, (bits >> 64) as u64];
    value::read(unpacked(storage), vm, &mut slots.iter()).map(Some)
}

fn set(
    root: &vm::Root,
    index: u32,
    field: &FieldType,
    val: &Val,
    vm: &mut vm::Store,
) -> Result<()> {
    if !field.mutable {
        return Err(Error::misuse("cannot change a field: it is immutable"));
    }
    let bits = storage_bits(field, val, vm)?;
    let slot = vm.root_slot(root)?;
    if vm.object_set(slot, index, bits) { Ok(()) } else { Err(beyond("element", index)) }
}

/// The type of a reference to `heap` that is not null.
pub(crate) fn non_null(heap: HeapType) -> ValType {
    ValType::Ref(RefType { nullable: false, heap })
}
