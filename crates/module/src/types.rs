//! Types of values, functions, memories, tables and globals (core spec §2.3).

use std::fmt;
use std::sync::Arc;

/// A type canonical in one [`TypeRegistry`](crate::TypeRegistry): equal ids mean equal types.
///
/// The number tells the kind of type without asking the registry: bits 0–21 are the place in the
/// registry, bits 22–23 the kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub u32);

/// What kind of type a defined type is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of the composite types")]
pub enum TypeKind {
    Func = 0,
    Struct = 1,
    Array = 2,
    Cont = 3,
}

const KIND_SHIFT: u32 = 22;

impl TypeId {
    pub(crate) fn new(place: u32, kind: TypeKind) -> TypeId {
        debug_assert!(place < 1 << KIND_SHIFT);
        TypeId(place | (kind as u32) << KIND_SHIFT)
    }

    /// Its place in the registry, by which messages name it.
    pub fn place(self) -> u32 {
        self.0 & ((1 << KIND_SHIFT) - 1)
    }

    /// What kind of type it is.
    pub fn kind(self) -> TypeKind {
        match self.0 >> KIND_SHIFT & 3 {
            0 => TypeKind::Func,
            1 => TypeKind::Struct,
            2 => TypeKind::Array,
            _ => TypeKind::Cont,
        }
    }
}

/// The disjoint parts of the reference types (core spec §3.1.4): each has a top and a bottom type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are those of the top types")]
pub enum Hierarchy {
    Func,
    Extern,
    Any,
    Exn,
    Cont,
}

/// The type of a value on the operand stack, in a local or in a global.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

/// The type of a reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RefType {
    /// Whether null is a member.
    pub nullable: bool,
    /// What is referred to.
    pub heap: HeapType,
}

/// What a reference refers to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the spec's abstract heap types")]
pub enum HeapType {
    Func,
    Extern,
    Any,
    None,
    NoExtern,
    NoFunc,
    Eq,
    Struct,
    Array,
    I31,
    Exn,
    NoExn,
    Cont,
    NoCont,
    /// A defined type.
    Concrete(TypeId),
}

/// The signature of a function.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FuncType {
    /// Parameter types, first to last.
    pub params: Box<[ValType]>,
    /// Result types, first to last.
    pub results: Box<[ValType]>,
}

/// The type of a struct: its fields, first to last.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StructType {
    /// The fields.
    pub fields: Box<[FieldType]>,
}

/// The type of a field of a struct, or of the elements of an array.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FieldType {
    /// What it stores.
    pub storage: StorageType,
    /// Whether it may be changed.
    pub mutable: bool,
}

/// What a field stores.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StorageType {
    /// The low 8 bits of an `i32`.
    I8,
    /// The low 16 bits of an `i32`.
    I16,
    /// A value.
    Val(ValType),
}

/// What a defined type is, apart from its place among its super- and subtypes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CompositeType {
    /// A function type.
    Func(Arc<FuncType>),
    /// A struct type.
    Struct(Arc<StructType>),
    /// An array type.
    Array(FieldType),
    /// A continuation of the given function type.
    Cont(TypeId),
}

impl FieldType {
    /// The type of its values, if it is not packed.
    pub fn val(&self) -> Option<ValType> {
        match self.storage {
            StorageType::Val(val) => Some(val),
            StorageType::I8 | StorageType::I16 => None,
        }
    }
}

impl CompositeType {
    /// The signature, if it is a function type.
    pub fn as_func(&self) -> Option<&Arc<FuncType>> {
        match self {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }
}

/// The type of a global.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GlobalType {
    /// The type of its value.
    pub val: ValType,
    /// Whether `global.set` may change it.
    pub mutable: bool,
    /// Whether threads may share it.
    pub shared: bool,
}

/// The type of a memory. Sizes are in pages of `1 << page_size_log2` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryType {
    /// Initial size in pages.
    pub min: u64,
    /// Declared maximum in pages.
    pub max: Option<u64>,
    /// Whether addresses are 64-bit.
    pub index64: bool,
    /// Whether threads may share it.
    pub shared: bool,
    /// Base-two logarithm of the page size: 16, or 0 with custom page sizes.
    pub page_size_log2: u8,
}

/// The type of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TableType {
    /// The type of its elements.
    pub elem: RefType,
    /// Initial number of elements.
    pub min: u64,
    /// Declared maximum number of elements.
    pub max: Option<u64>,
    /// Whether indices are 64-bit.
    pub index64: bool,
    /// Whether threads may share it.
    pub shared: bool,
}

/// The type of a tag.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TagType {
    /// The function type whose parameters are the tag's payload.
    pub func: TypeId,
}

impl ValType {
    /// `funcref`
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNC);
    /// `externref`
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERN);

    /// How many 8-byte slots of a frame a value of this type takes: 2 for `v128`, 1 otherwise.
    #[inline]
    pub fn slots(self) -> u32 {
        if self == ValType::V128 { 2 } else { 1 }
    }

    /// Whether this is a reference type.
    pub fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether its values are references that a garbage collector follows: all but those to
    /// functions, which live as long as their store.
    #[inline]
    pub fn is_traced(self) -> bool {
        matches!(self, ValType::Ref(ty) if ty.heap.hierarchy() != Hierarchy::Func)
    }
}

impl RefType {
    /// `funcref`, that is `(ref null func)`
    pub const FUNC: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`, that is `(ref null extern)`
    pub const EXTERN: RefType = RefType { nullable: true, heap: HeapType::Extern };
}

impl HeapType {
    /// The hierarchy it is part of.
    pub fn hierarchy(self) -> Hierarchy {
        match self {
            HeapType::Func | HeapType::NoFunc => Hierarchy::Func,
            HeapType::Extern | HeapType::NoExtern => Hierarchy::Extern,
            HeapType::Exn | HeapType::NoExn => Hierarchy::Exn,
            HeapType::Cont | HeapType::NoCont => Hierarchy::Cont,
            HeapType::Concrete(id) => match id.kind() {
                TypeKind::Func => Hierarchy::Func,
                TypeKind::Struct | TypeKind::Array => Hierarchy::Any,
                TypeKind::Cont => Hierarchy::Cont,
            },
            HeapType::Any
            | HeapType::None
            | HeapType::Eq
            | HeapType::Struct
            | HeapType::Array
            | HeapType::I31 => Hierarchy::Any,
        }
    }
}

impl GlobalType {
    /// A global of one thread.
    pub fn new(val: ValType, mutable: bool) -> GlobalType {
        GlobalType { val, mutable, shared: false }
    }
}

impl MemoryType {
    /// A memory of one thread with 32-bit addresses and pages of 64 KiB.
    pub fn new(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType { min, max, index64: false, shared: false, page_size_log2: 16 }
    }
}

impl TableType {
    /// A table of one thread with 32-bit indices.
    pub fn new(elem: RefType, min: u64, max: Option<u64>) -> TableType {
        TableType { elem, min, max, index64: false, shared: false }
    }
}

impl FuncType {
    /// A signature from its parts.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }

    /// Slots taken by the parameters.
    pub fn param_slots(&self) -> u32 {
        self.params.iter().map(|t| t.slots()).sum()
    }

    /// Slots taken by the results.
    pub fn result_slots(&self) -> u32 {
        self.results.iter().map(|t| t.slots()).sum()
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(r) => r.fmt(f),
        }
    }
}

impl HeapType {
    /// The name of an abstract type; `None` for a defined one.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            HeapType::Func => "func",
            HeapType::Extern => "extern",
            HeapType::Any => "any",
            HeapType::None => "none",
            HeapType::NoExtern => "noextern",
            HeapType::NoFunc => "nofunc",
            HeapType::Eq => "eq",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::I31 => "i31",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Cont => "cont",
            HeapType::NoCont => "nocont",
            HeapType::Concrete(_) => return None,
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap) {
            (true, HeapType::None) => f.write_str("nullref"),
            (true, HeapType::NoFunc) => f.write_str("nullfuncref"),
            (true, HeapType::NoExtern) => f.write_str("nullexternref"),
            (true, HeapType::NoExn) => f.write_str("nullexnref"),
            (true, HeapType::NoCont) => f.write_str("nullcontref"),
            (true, heap) if heap.name().is_some() => {
                write!(f, "{}ref", heap.name().unwrap_or_default())
            }
            (nullable, heap) => {
                let null = if nullable { "null " } else { "" };
                match heap {
                    HeapType::Concrete(id) => write!(f, "(ref {null}{})", id.place()),
                    other => write!(f, "(ref {null}{})", other.name().unwrap_or_default()),
                }
            }
        }
    }
}

/// ` (word types…)`, or nothing without types.
fn list(f: &mut fmt::Formatter<'_>, word: &str, types: &[ValType]) -> fmt::Result {
    if types.is_empty() {
        return Ok(());
    }
    write!(f, " ({word}")?;
    types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
    f.write_str(")")
}

impl FuncType {
    /// ` (param …)`, or nothing without parameters.
    pub(crate) fn fmt_params(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "param", &self.params)
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        list(f, "param", &self.params)?;
        list(f, "result", &self.results)?;
        f.write_str(")")
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutable {
            true => write!(f, "(global (mut {}))", self.val),
            false => write!(f, "(global {})", self.val),
        }
    }
}

fn limits(f: &mut fmt::Formatter<'_>, index64: bool, min: u64, max: Option<u64>) -> fmt::Result {
    if index64 {
        f.write_str(" i64")?;
    }
    write!(f, " {min}")?;
    max.map_or(Ok(()), |max| write!(f, " {max}"))
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(memory")?;
        limits(f, self.index64, self.min, self.max)?;
        if self.shared {
            f.write_str(" shared")?;
        }
        if self.page_size_log2 != 16 {
            write!(f, " (pagesize {})", 1u64 << self.page_size_log2)?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(table")?;
        limits(f, self.index64, self.min, self.max)?;
        write!(f, " {})", self.elem)
    }
}
