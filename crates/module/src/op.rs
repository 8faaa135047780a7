//! Operators of function bodies: the one place where the parser's types leave this crate.

pub use wasmparser::{
    AbstractHeapType, BinaryReader, BlockType, BrTable, Catch, FrameKind, FrameStack, FunctionBody,
    Handle, HeapType, Ieee32, Ieee64, LocalsReader, MemArg, MemArgOrdering, MemArgTarget, Operator,
    OperatorsReader, Ordering, RefType, ResumeTable, TryTable, UnpackedIndex, V128, ValType,
    VisitOperator, VisitSimdOperator,
};
pub use wasmparser::{for_each_operator, for_each_visit_operator, for_each_visit_simd_operator};

use crate::features::Proposal;

macro_rules! proposals {
    ($(
        @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($rest:tt)*)
    )*) => {
        /// The proposal that an operator came with, if there is a switch for it here.
        pub fn proposal(op: &Operator<'_>) -> Option<Proposal> {
            let field = match op {
                $( Operator::$op { .. } => stringify!($proposal), )*
                _ => return None,
            };
            Proposal::ALL.iter().copied().find(|proposal| proposal.name().replace('-', "_") == field)
        }
    };
}

for_each_operator!(proposals);

/// What reading an operator gives: the parser's error, which a validated body never causes.
pub type ReadError = wasmparser::Error;
