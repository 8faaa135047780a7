//! Translation of vector instructions.
//!
//! Vectors are `i8x16` wherever they rest, and are cast to the lanes that an instruction computes with.
//! NaNs are made canonical by the code generator if the settings ask for it.

mod lanes;
mod memory;
mod widths;

use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::types::I8X16;
use dunlin_code::native::CompileError;
use dunlin_code::op::{SimdImmediate, SimdOp, SimdShape};
use dunlin_module::op::Operator;

use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Translates one of this family; false if `op` is none that is translated.
    pub(super) fn simd(&mut self, op: &Operator<'_>) -> Result<bool> {
        if let Operator::V128Const { value } = op {
            let bits = u128::from_le_bytes(*value.bytes());
            let value = lanes::constant(&mut self.b, I8X16, bits);
            self.push(value);
            return Ok(true);
        }
        let Some((op, immediate)) = SimdOp::decode(op) else { return Ok(false) };
        match (op.shape(), immediate) {
            (SimdShape::Load, SimdImmediate::Memory(at)) => self.vector_load(op, &at)?,
            (SimdShape::LoadLane, SimdImmediate::MemoryLane(at, lane)) => {
                self.lane_load(op, &at, lane)?;
            }
            (SimdShape::Store, SimdImmediate::Memory(at)) => self.vector_store(&at)?,
            (SimdShape::StoreLane, SimdImmediate::MemoryLane(at, lane)) => {
                self.lane_store(op, &at, lane)?;
            }
            (_, immediate) => {
                let value = self.vector(op, immediate);
                let value = value.ok_or_else(|| CompileError::Unsupported(format!("{op:?}")))?;
                self.push_vector_or_scalar(value);
            }
        }
        Ok(true)
    }

    /// What an instruction that accesses no memory computes of its operands.
    fn vector(&mut self, op: SimdOp, immediate: SimdImmediate) -> Option<Value> {
        use SimdShape as S;
        match (op.shape(), immediate) {
            (S::Un, _) => {
                let v = self.pop();
                lanes::unary(&mut self.b, op, v).or_else(|| widths::unary(&mut self.b, op, v))
            }
            (S::Bin, _) => {
                let (v, w) = self.pop2();
                lanes::binary(&mut self.b, op, v, w)
                    .or_else(|| widths::binary(&mut self.b, op, v, w))
            }
            (S::Ter, _) => {
                let (v, w) = self.pop2();
                let all = [self.pop(), v, w];
                lanes::ternary(&mut self.b, op, all)
                    .or_else(|| widths::ternary(&mut self.b, op, all))
            }
            (S::Shift, _) => {
                let (v, by) = self.pop2();
                lanes::shift(&mut self.b, op, v, by)
            }
            (S::SplatU32 | S::SplatU64 | S::SplatF32 | S::SplatF64, _) => {
                let scalar = self.pop();
                Some(lanes::splat(&mut self.b, op, scalar))
            }
            (S::Test, _) => {
                let v = self.pop();
                lanes::test(&mut self.b, op, v)
            }
            (
                S::ExtractU32 | S::ExtractU64 | S::ExtractF32 | S::ExtractF64,
                SimdImmediate::Lane(lane),
            ) => {
                let v = self.pop();
                Some(lanes::extract(&mut self.b, op, v, lane))
            }
            (
                S::ReplaceU32 | S::ReplaceU64 | S::ReplaceF32 | S::ReplaceF64,
                SimdImmediate::Lane(lane),
            ) => {
                let (v, scalar) = self.pop2();
                Some(lanes::replace(&mut self.b, op, v, scalar, lane))
            }
            (S::Shuffle, SimdImmediate::Lanes(lanes)) => {
                let (v, w) = self.pop2();
                Some(lanes::shuffle(&mut self.b, v, w, lanes))
            }
            _ => None,
        }
    }

    /// Pushes a result: vectors rest as bytes.
    fn push_vector_or_scalar(&mut self, value: Value) {
        let value = match self.type_of(value).is_vector() {
            true => lanes::cast(&mut self.b, value, I8X16),
            false => value,
        };
        self.push(value);
    }
}
