//! Function bodies, and the types that occur in them.

use crate::index::DefinedFuncIndex;
use crate::module::Module;
use crate::op;
use crate::types::{FuncType, HeapType, RefType, TypeId, ValType};

/// What a block takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct BlockSig<'a> {
    func: Option<&'a FuncType>,
    result: Option<ValType>,
}

impl BlockSig<'_> {
    /// Parameter types, first to last.
    pub fn params(&self) -> &[ValType] {
        self.func.map_or(&[], |func| &func.params)
    }

    /// Result types, first to last.
    pub fn results(&self) -> &[ValType] {
        self.func.map_or(self.result.as_slice(), |func| &func.results)
    }
}

impl Module {
    /// The body of `f`, to be read. Reading it cannot fail: it was validated.
    pub fn body(&self, f: DefinedFuncIndex) -> op::FunctionBody<'_> {
        let range = &self.bodies[f.index()];
        let bytes = &self.bytes[range.start as usize..range.end as usize];
        let reader = op::BinaryReader::new_features(bytes, range.start.into(), self.flags);
        op::FunctionBody::new(reader)
    }

    /// The canonical form of a type that occurs in a body of this module.
    pub fn val_type(&self, ty: op::ValType) -> ValType {
        val_type(&self.types, ty)
    }

    /// The canonical form of a reference type that occurs in a body of this module.
    pub fn ref_type(&self, ty: op::RefType) -> RefType {
        ref_type(&self.types, ty)
    }

    /// The canonical form of a heap type that occurs in a body of this module.
    pub fn heap_type(&self, ty: op::HeapType) -> HeapType {
        heap_type(&self.types, ty)
    }

    /// The module type index that a heap type in a body of this module names, if it names one.
    pub fn heap_type_index(&self, ty: op::HeapType) -> Option<u32> {
        match ty {
            op::HeapType::Concrete(at) | op::HeapType::Exact(at) => at.as_module_index(),
            op::HeapType::Abstract { .. } => None,
        }
    }

    /// What a block of this module takes and gives.
    pub fn block_type(&self, ty: op::BlockType) -> BlockSig<'_> {
        match ty {
            op::BlockType::Empty => BlockSig { func: None, result: None },
            op::BlockType::Type(ty) => BlockSig { func: None, result: Some(self.val_type(ty)) },
            op::BlockType::FuncType(at) => {
                BlockSig { func: Some(self.type_func(at)), result: None }
            }
        }
    }
}

pub(crate) fn val_type(types: &[TypeId], ty: op::ValType) -> ValType {
    match ty {
        op::ValType::I32 => ValType::I32,
        op::ValType::I64 => ValType::I64,
        op::ValType::F32 => ValType::F32,
        op::ValType::F64 => ValType::F64,
        op::ValType::V128 => ValType::V128,
        op::ValType::Ref(ty) => ValType::Ref(ref_type(types, ty)),
    }
}

pub(crate) fn ref_type(types: &[TypeId], ty: op::RefType) -> RefType {
    RefType { nullable: ty.is_nullable(), heap: heap_type(types, ty.heap_type()) }
}

pub(crate) fn heap_type(types: &[TypeId], ty: op::HeapType) -> HeapType {
    match ty {
        op::HeapType::Abstract { ty, .. } => abstract_heap_type(ty),
        op::HeapType::Concrete(at) | op::HeapType::Exact(at) => match at {
            // What the parser reads refers to types by module index; the other two forms exist
            // only inside its validator.
            op::UnpackedIndex::Module(at) => HeapType::Concrete(types[at as usize]),
            op::UnpackedIndex::RecGroup(_) | op::UnpackedIndex::Id(_) => {
                debug_assert!(false, "type index as read: {at:?}");
                HeapType::None
            }
        },
    }
}

pub(crate) fn abstract_heap_type(ty: op::AbstractHeapType) -> HeapType {
    use op::AbstractHeapType as Abstract;
    match ty {
        Abstract::Func => HeapType::Func,
        Abstract::Extern => HeapType::Extern,
        Abstract::Any => HeapType::Any,
        Abstract::None => HeapType::None,
        Abstract::NoExtern => HeapType::NoExtern,
        Abstract::NoFunc => HeapType::NoFunc,
        Abstract::Eq => HeapType::Eq,
        Abstract::Struct => HeapType::Struct,
        Abstract::Array => HeapType::Array,
        Abstract::I31 => HeapType::I31,
        Abstract::Exn => HeapType::Exn,
        Abstract::NoExn => HeapType::NoExn,
        Abstract::Cont => HeapType::Cont,
        Abstract::NoCont => HeapType::NoCont,
    }
}
