//! Loads and stores of vectors and of their lanes: no access is wider than the instruction says.

use cranelift_codegen::ir::types::{
    F32, F32X4, F64, F64X2, I8, I8X16, I16, I32, I32X4, I64, I64X2,
};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use dunlin_code::native::CompileError;
use dunlin_code::op::SimdOp;
use dunlin_module::op::MemArg;

use super::super::memory::{Address, memory_of};
use super::super::{Result, Translator};
use super::lanes::cast;

/// What an instruction makes of what it reads.
enum Load {
    /// All sixteen bytes.
    Whole,
    /// Eight bytes as lanes that become twice as wide.
    Extended,
    /// The one lane read in all lanes.
    Splat,
    /// The one lane read in lane 0, and zeros.
    Zero,
}

impl Translator<'_, '_> {
    pub(super) fn vector_load(&mut self, op: SimdOp, memarg: &MemArg) -> Result {
        use SimdOp::*;
        let (load, lane) = match op {
            V128Load => (Load::Whole, I8X16),
            V128Load8x8S | V128Load8x8U | V128Load16x4S | V128Load16x4U | V128Load32x2S
            | V128Load32x2U => (Load::Extended, I64),
            V128Load8Splat => (Load::Splat, I8),
            V128Load16Splat => (Load::Splat, I16),
            // As floats these are in a vector register at once.
            V128Load32Splat => (Load::Splat, F32),
            V128Load64Splat => (Load::Splat, F64),
            V128Load32Zero => (Load::Zero, I32),
            V128Load64Zero => (Load::Zero, I64),
            _ => return Err(unsupported(op)),
        };
        let at = self.vector_address(op, memarg, lane)?;
        let Address { base, offset, flags } = at;
        let value = match load {
            Load::Whole => self.b.ins().load(I8X16, flags, base, offset),
            Load::Extended => self.load_extended_lanes(op, at),
            Load::Splat => {
                let lane = self.b.ins().load(lane, flags, base, offset);
                let ty = self.type_of(lane);
                self.b.ins().splat(ty.by(128 / ty.bits()).unwrap_or(I8X16), lane)
            }
            Load::Zero => {
                let ty = if lane == I32 { I32X4 } else { I64X2 };
                let lane = self.b.ins().load(lane, flags, base, offset);
                self.b.ins().scalar_to_vector(ty, lane)
            }
        };
        self.push_vector_or_scalar(value);
        Ok(())
    }

    fn load_extended_lanes(&mut self, op: SimdOp, at: Address) -> Value {
        let Address { base, offset, flags } = at;
        let b = self.b.ins();
        match op {
            SimdOp::V128Load8x8S => b.sload8x8(flags, base, offset),
            SimdOp::V128Load8x8U => b.uload8x8(flags, base, offset),
            SimdOp::V128Load16x4S => b.sload16x4(flags, base, offset),
            SimdOp::V128Load16x4U => b.uload16x4(flags, base, offset),
            SimdOp::V128Load32x2S => b.sload32x2(flags, base, offset),
            _ => b.uload32x2(flags, base, offset),
        }
    }

    pub(super) fn lane_load(&mut self, op: SimdOp, memarg: &MemArg, lane: u8) -> Result {
        let ty = lane_vector(op)?;
        let v = self.pop();
        let Address { base, offset, flags } = self.vector_address(op, memarg, ty.lane_type())?;
        let loaded = self.b.ins().load(ty.lane_type(), flags, base, offset);
        let x = cast(&mut self.b, v, ty);
        let value = self.b.ins().insertlane(x, loaded, lane);
        self.push_vector_or_scalar(value);
        Ok(())
    }

    pub(super) fn vector_store(&mut self, memarg: &MemArg) -> Result {
        let v = self.pop();
        let at = self.vector_address(SimdOp::V128Store, memarg, I8X16)?;
        self.b.ins().store(at.flags, v, at.base, at.offset);
        Ok(())
    }

    pub(super) fn lane_store(&mut self, op: SimdOp, memarg: &MemArg, lane: u8) -> Result {
        let ty = lane_vector(op)?;
        let v = self.pop();
        let at = self.vector_address(op, memarg, ty.lane_type())?;
        // As a float, lane 0 is stored from the vector register at once.
        let ty = match (lane, ty) {
            (0, I32X4) => F32X4,
            (0, I64X2) => F64X2,
            _ => ty,
        };
        let x = cast(&mut self.b, v, ty);
        let scalar = self.b.ins().extractlane(x, lane);
        self.b.ins().store(at.flags, scalar, at.base, at.offset);
        Ok(())
    }

    /// Pops the index; `ty` is what is read or written.
    fn vector_address(&mut self, op: SimdOp, memarg: &MemArg, ty: Type) -> Result<Address> {
        match memory_of(memarg) {
            Some(_) => Ok(self.pop_address(memarg, ty.bytes())),
            None => Err(unsupported(op)),
        }
    }
}

/// The vector of which an instruction reads or writes a lane.
fn lane_vector(op: SimdOp) -> Result<Type> {
    use SimdOp::*;
    let lane = match op {
        V128Load8Lane | V128Store8Lane => I8,
        V128Load16Lane | V128Store16Lane => I16,
        V128Load32Lane | V128Store32Lane => I32,
        V128Load64Lane | V128Store64Lane => I64,
        _ => return Err(unsupported(op)),
    };
    lane.by(128 / lane.bits()).ok_or_else(|| unsupported(op))
}

fn unsupported(op: SimdOp) -> CompileError {
    CompileError::Unsupported(format!("{op:?}"))
}
