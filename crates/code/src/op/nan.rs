//! Which instructions may yield a NaN whose sign and payload the specification leaves open.

use super::{BinOp, Scalar, SimdOp, UnOp};

impl BinOp {
    /// Whether the result may be such a NaN.
    pub const fn yields_nan(self) -> bool {
        use BinOp::*;
        matches!(
            self,
            F32Add
                | F32Sub
                | F32Mul
                | F32Div
                | F32Min
                | F32Max
                | F64Add
                | F64Sub
                | F64Mul
                | F64Div
                | F64Min
                | F64Max
        )
    }
}

impl UnOp {
    /// Whether the result may be such a NaN.
    pub const fn yields_nan(self) -> bool {
        use UnOp::*;
        matches!(
            self,
            F32Ceil
                | F32Floor
                | F32Trunc
                | F32Nearest
                | F32Sqrt
                | F32DemoteF64
                | F64Ceil
                | F64Floor
                | F64Trunc
                | F64Nearest
                | F64Sqrt
                | F64PromoteF32
        )
    }
}

impl SimdOp {
    /// The type of the lanes of the result that may be such NaNs, if any.
    pub const fn nan_lanes(self) -> Option<Scalar> {
        use SimdOp::*;
        match self {
            F32x4Add | F32x4Sub | F32x4Mul | F32x4Div | F32x4Min | F32x4Max | F32x4Ceil
            | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Sqrt | F32x4DemoteF64x2Zero
            | F32x4RelaxedMadd | F32x4RelaxedNmadd => Some(Scalar::F32),
            F64x2Add | F64x2Sub | F64x2Mul | F64x2Div | F64x2Min | F64x2Max | F64x2Ceil
            | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Sqrt | F64x2PromoteLowF32x4
            | F64x2RelaxedMadd | F64x2RelaxedNmadd => Some(Scalar::F64),
            _ => None,
        }
    }
}
