//! Operators of function bodies: the one place where the parser's types leave this crate.

pub use wasmparser::{
    AbstractHeapType, BinaryReader, BlockType, BrTable, Catch, FrameKind, FrameStack, FunctionBody,
    Handle, HeapType, Ieee32, Ieee64, LocalsReader, MemArg, MemArgOrdering, MemArgTarget, Operator,
    OperatorsReader, Ordering, RefType, ResumeTable, TryTable, UnpackedIndex, V128, ValType,
    VisitOperator, VisitSimdOperator,
};
pub use wasmparser::{for_each_operator, for_each_visit_operator, for_each_visit_simd_operator};

/// What reading an operator gives: the parser's error, which a validated body never causes.
pub type ReadError = wasmparser::Error;
