//! What instantiation must evaluate: constant expressions and segments (core spec §3.3.10, §2.5.7).

use std::ops::Range;

use crate::index::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex};
use crate::types::{HeapType, RefType};

/// A constant expression. The common one-instruction forms are held flat; all others are a list
/// in postfix order, evaluated with an explicit stack.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are the instructions'")]
pub enum ConstExpr {
    I32(i32),
    I64(i64),
    /// Bits of an `f32.const`.
    F32(u32),
    /// Bits of an `f64.const`.
    F64(u64),
    V128(Box<u128>),
    GlobalGet(GlobalIndex),
    RefFunc(FuncIndex),
    RefNull(HeapType),
    /// Anything longer.
    Extended(Box<[ConstOp]>),
}

/// One instruction of an extended constant expression.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names are the instructions'")]
pub enum ConstOp {
    I32Const(i32),
    I64Const(i64),
    F32Const(u32),
    F64Const(u64),
    V128Const(u128),
    GlobalGet(GlobalIndex),
    RefFunc(FuncIndex),
    RefNull(HeapType),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
    /// Module type index.
    StructNew(u32),
    StructNewDefault(u32),
    ArrayNew(u32),
    ArrayNewDefault(u32),
    ArrayNewFixed(u32, u32),
    RefI31,
    AnyConvertExtern,
    ExternConvertAny,
}

/// An element segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElemSegment {
    /// The type of its elements.
    pub ty: RefType,
    /// Where it goes.
    pub mode: ElemMode,
    /// Its elements.
    pub items: ElemItems,
}

/// Where the elements of a segment go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ElemMode {
    /// Kept for `table.init`.
    Passive,
    /// Written to a table at instantiation, then dropped.
    Active {
        /// The table.
        table: TableIndex,
        /// The first index written.
        offset: ConstExpr,
    },
    /// Only declares functions for `ref.func`; dropped at instantiation.
    Declared,
}

/// The elements of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ElemItems {
    /// References to these functions.
    Funcs(Box<[FuncIndex]>),
    /// One constant expression each.
    Exprs(Box<[ConstExpr]>),
}

impl ElemItems {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            ElemItems::Funcs(f) => f.len(),
            ElemItems::Exprs(e) => e.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataSegment {
    /// Where it goes.
    pub mode: DataMode,
    /// Its bytes, as a range of the module's binary.
    pub range: Range<u32>,
}

/// Where the bytes of a segment go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataMode {
    /// Kept for `memory.init`.
    Passive,
    /// Written to a memory at instantiation, then dropped.
    Active {
        /// The memory.
        memory: MemoryIndex,
        /// The first address written.
        offset: ConstExpr,
    },
}
