//! A core module after decoding: what it imports, defines and exports.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::features::Features;
use crate::index::{
    DataIndex, DefinedFuncIndex, ElemIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex,
    TagIndex,
};
use crate::init::{ConstExpr, DataSegment, ElemSegment};
use crate::names::Names;
use crate::registry::TypeHold;
use crate::types::{
    CompositeType, FieldType, FuncType, GlobalType, HeapType, MemoryType, RefType, TableType,
    TagType, TypeId, ValType,
};

/// A validated core module: immutable, without pointers into any engine but its canonical types.
///
/// All index spaces list imports first. Byte ranges are positions in [`Module::bytes`].
#[derive(Debug)]
pub struct Module {
    /// The binary the module was decoded from; bodies, data and custom sections point into it.
    pub bytes: Arc<[u8]>,
    /// Keeps the canonical types of this module alive in the registry.
    pub types_held: TypeHold,
    /// Module type index → canonical type.
    pub types: Box<[TypeId]>,
    /// Module type index → what the type is.
    pub composite_types: Box<[CompositeType]>,
    /// Imports in order of declaration.
    pub imports: Box<[Import]>,
    /// Function index → module type index.
    pub funcs: Box<[u32]>,
    /// Types of all tables.
    pub tables: Box<[TableType]>,
    /// Initial values of the defined tables, `None` for null.
    pub table_inits: Box<[Option<ConstExpr>]>,
    /// Types of all memories.
    pub memories: Box<[MemoryType]>,
    /// Types of all globals.
    pub globals: Box<[GlobalType]>,
    /// Initial values of the defined globals.
    pub global_inits: Box<[ConstExpr]>,
    /// Types of all tags.
    pub tags: Box<[TagType]>,
    /// Exports in order of declaration; names are unique.
    pub exports: Box<[Export]>,
    /// The start function.
    pub start: Option<FuncIndex>,
    /// Element segments.
    pub elems: Box<[ElemSegment]>,
    /// Data segments.
    pub data: Box<[DataSegment]>,
    /// Defined function index → the byte range of its body (locals and code, without the size).
    pub bodies: Box<[Range<u32>]>,
    /// How many of each index space are imported.
    pub imported: ImportCounts,
    /// Custom sections: name and the byte range of their contents, in order.
    pub customs: Box<[CustomSection]>,
    /// All sections, in order.
    pub sections: Box<[Section]>,
    /// The functions that exports, element segments and constant expressions name, sorted: all
    /// that can ever become a reference, because `ref.func` in a body may name no other.
    pub escaping_funcs: Box<[FuncIndex]>,
    /// Tag index → module type index.
    pub(crate) tag_types: Box<[u32]>,
    pub(crate) features: Features,
    /// The same, as the parser wants it.
    pub(crate) flags: wasmparser::WasmFeatures,
    pub(crate) names: OnceLock<Names>,
    /// Canonical type → module type index; made when first asked for.
    pub(crate) types_by_id: OnceLock<HashMap<TypeId, u32>>,
    /// Positions in `exports`, sorted by name; made when first asked for.
    pub(crate) exports_by_name: OnceLock<Box<[u32]>>,
    /// See [`Module::fixed_table`]; made when first asked for.
    pub(crate) fixed_tables: OnceLock<Box<[Option<crate::FixedTable>]>>,
}

/// How many entries of each index space come from imports.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub struct ImportCounts {
    pub funcs: u32,
    pub tables: u32,
    pub memories: u32,
    pub globals: u32,
    pub tags: u32,
}

/// One import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// First name, the module.
    pub module: Box<str>,
    /// Second name, the field.
    pub name: Box<str>,
    /// What is expected.
    pub ty: ExternType,
}

/// The type of something imported or exported.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub enum ExternType {
    Func { id: TypeId, ty: Arc<FuncType> },
    Table(TableType),
    Memory(MemoryType),
    Global(GlobalType),
    Tag { id: TypeId, ty: Arc<FuncType> },
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func { ty, .. } => ty.fmt(f),
            ExternType::Table(ty) => ty.fmt(f),
            ExternType::Memory(ty) => ty.fmt(f),
            ExternType::Global(ty) => ty.fmt(f),
            ExternType::Tag { ty, .. } => {
                f.write_str("(tag")?;
                ty.fmt_params(f)?;
                f.write_str(")")
            }
        }
    }
}

/// One export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub item: ExternIndex,
}

/// A position in one of the index spaces that can be exported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub enum ExternIndex {
    Func(FuncIndex),
    Table(TableIndex),
    Memory(MemoryIndex),
    Global(GlobalIndex),
    Tag(TagIndex),
}

/// A custom section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomSection {
    /// Its name.
    pub name: Box<str>,
    /// Its contents after the name.
    pub range: Range<u32>,
}

/// One section of the binary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The section id (core spec §5.5.2).
    pub id: u8,
    /// The contents, without id and size.
    pub range: Range<u32>,
}

impl Module {
    /// The signature of function `f`.
    #[inline]
    pub fn func_type(&self, f: FuncIndex) -> &Arc<FuncType> {
        self.type_func(self.funcs[f.index()])
    }

    /// The canonical type of function `f`.
    #[inline]
    pub fn func_type_id(&self, f: FuncIndex) -> TypeId {
        self.types[self.funcs[f.index()] as usize]
    }

    /// The signature at module type index `ty`, which validation proved to be a function type.
    #[inline]
    pub fn type_func(&self, ty: u32) -> &Arc<FuncType> {
        self.composite_types[ty as usize].as_func().expect("validated: a function type")
    }

    /// The fields of the type at module type index `ty`, which validation proved to be a struct or
    /// an array; an array has one.
    #[inline]
    pub fn type_fields(&self, ty: u32) -> &[FieldType] {
        match &self.composite_types[ty as usize] {
            CompositeType::Struct(ty) => &ty.fields,
            CompositeType::Array(field) => std::slice::from_ref(field),
            _ => &[],
        }
    }

    /// The signature of the continuations of module type index `ty`, which validation proved to be a
    /// continuation type.
    pub fn cont_func(&self, ty: u32) -> Arc<FuncType> {
        let heap = HeapType::Concrete(self.types[ty as usize]);
        let func = self.cont_ref(ValType::Ref(RefType { nullable: true, heap }));
        func.expect("validated: a continuation type")
    }

    /// A module type index whose canonical type is `id`.
    pub fn type_index(&self, id: TypeId) -> Option<u32> {
        let by_id = self.types_by_id.get_or_init(|| {
            let all = self.types.iter().enumerate();
            all.map(|(at, id)| (*id, at as u32)).collect()
        });
        by_id.get(&id).copied()
    }

    /// The signature of the continuations that `ty` refers to, if it is a reference to such.
    pub fn cont_ref(&self, ty: ValType) -> Option<Arc<FuncType>> {
        let ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) = ty else { return None };
        let types = self.types_held.registry();
        match types.composite_type(id)? {
            CompositeType::Cont(func) => types.func_type(func),
            _ => None,
        }
    }

    /// The signature whose parameters are the payload of tag `t`.
    #[inline]
    pub fn tag_type(&self, t: TagIndex) -> &Arc<FuncType> {
        self.type_func(self.tag_types[t.index()])
    }

    /// The index of `f` among the functions with a body; `None` if it is imported.
    #[inline]
    pub fn defined_func(&self, f: FuncIndex) -> Option<DefinedFuncIndex> {
        f.0.checked_sub(self.imported.funcs).map(DefinedFuncIndex)
    }

    /// The function index of a function with a body.
    #[inline]
    pub fn func_index(&self, f: DefinedFuncIndex) -> FuncIndex {
        FuncIndex(f.0 + self.imported.funcs)
    }

    /// The bytes of the contents of data segment `d`.
    pub fn data_bytes(&self, d: DataIndex) -> &[u8] {
        let range = &self.data[d.index()].range;
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// The element type of segment `e`.
    pub fn elem_type(&self, e: ElemIndex) -> RefType {
        self.elems[e.index()].ty
    }

    /// The export called `name`.
    pub fn export(&self, name: &str) -> Option<ExternIndex> {
        let name_at = |at: u32| &*self.exports[at as usize].name;
        let sorted = self.exports_by_name.get_or_init(|| {
            let mut sorted: Box<[u32]> = (0..self.exports.len() as u32).collect();
            sorted.sort_unstable_by(|a, b| name_at(*a).cmp(name_at(*b)));
            sorted
        });
        let at = sorted.binary_search_by(|at| name_at(*at).cmp(name)).ok()?;
        Some(self.exports[sorted[at] as usize].item)
    }

    /// The proposals that were on when the module was decoded.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The type of something in one of the index spaces.
    pub fn extern_type(&self, item: ExternIndex) -> ExternType {
        match item {
            ExternIndex::Func(f) => {
                ExternType::Func { id: self.func_type_id(f), ty: self.func_type(f).clone() }
            }
            ExternIndex::Table(t) => ExternType::Table(self.tables[t.index()]),
            ExternIndex::Memory(m) => ExternType::Memory(self.memories[m.index()]),
            ExternIndex::Global(g) => ExternType::Global(self.globals[g.index()]),
            ExternIndex::Tag(t) => {
                ExternType::Tag { id: self.tags[t.index()].func, ty: self.tag_type(t).clone() }
            }
        }
    }
}
