//! Types of core functions and modules as components name them.

use wasmparser::{CompositeInnerType, RecGroup, TypeRef};

use crate::body;
use crate::component::CoreType;
use crate::types::{FuncType, GlobalType, MemoryType, RefType, TableType, ValType};

/// A signature; none if it names a defined type.
pub(super) fn func_type(ty: &wasmparser::FuncType) -> Option<FuncType> {
    let list = |types: &[wasmparser::ValType]| types.iter().map(|ty| val_type(*ty)).collect();
    let (params, results): (Option<Box<[ValType]>>, _) = (list(ty.params()), list(ty.results()));
    Some(FuncType { params: params?, results: results? })
}

/// For each type of a group its signature, if it is a function type without defined types.
pub(super) fn group(group: &RecGroup) -> impl Iterator<Item = Option<FuncType>> {
    group.types().map(|ty| match &ty.composite_type.inner {
        CompositeInnerType::Func(ty) => func_type(ty),
        _ => None,
    })
}

/// The type of an import or export, `func_at` being what an index of a type stands for.
pub(super) fn extern_type(
    ty: &TypeRef,
    func_at: impl Fn(u32) -> Option<FuncType>,
) -> Option<CoreType> {
    Some(match ty {
        TypeRef::Func(at) | TypeRef::FuncExact(at) => CoreType::Func(func_at(*at)?),
        TypeRef::Tag(ty) => CoreType::Tag(func_at(ty.func_type_idx)?),
        TypeRef::Table(ty) => CoreType::Table(TableType {
            elem: ref_type(ty.element_type)?,
            min: ty.initial,
            max: ty.maximum,
            index64: ty.table64,
            shared: ty.shared,
        }),
        TypeRef::Memory(ty) => CoreType::Memory(MemoryType {
            min: ty.initial,
            max: ty.maximum,
            index64: ty.memory64,
            shared: ty.shared,
            page_size_log2: ty.page_size_log2.unwrap_or(16) as u8,
        }),
        TypeRef::Global(ty) => CoreType::Global(GlobalType {
            val: val_type(ty.content_type)?,
            mutable: ty.mutable,
            shared: ty.shared,
        }),
    })
}

fn val_type(ty: wasmparser::ValType) -> Option<ValType> {
    match ty {
        wasmparser::ValType::Ref(ty) => ref_type(ty).map(ValType::Ref),
        other => Some(body::val_type(&[], other)),
    }
}

fn ref_type(ty: wasmparser::RefType) -> Option<RefType> {
    match ty.heap_type() {
        wasmparser::HeapType::Abstract { .. } => Some(body::ref_type(&[], ty)),
        _ => None,
    }
}
