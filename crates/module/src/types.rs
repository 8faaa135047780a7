//! Types of values, functions, memories, tables and globals (core spec §2.3).

use std::fmt;
use std::sync::Arc;

/// A type canonical in one [`TypeRegistry`](crate::TypeRegistry): equal ids mean equal types.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeId(pub u32);

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
}

impl RefType {
    /// `funcref`, that is `(ref null func)`
    pub const FUNC: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`, that is `(ref null extern)`
    pub const EXTERN: RefType = RefType { nullable: true, heap: HeapType::Extern };
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
    fn name(self) -> Option<&'static str> {
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
                    HeapType::Concrete(id) => write!(f, "(ref {null}{})", id.0),
                    other => write!(f, "(ref {null}{})", other.name().unwrap_or_default()),
                }
            }
        }
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (word, types) in [("param", &self.params), ("result", &self.results)] {
            if !types.is_empty() {
                write!(f, " ({word}")?;
                for t in types {
                    write!(f, " {t}")?;
                }
                f.write_str(")")?;
            }
        }
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
