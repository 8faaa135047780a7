//! Numbers and locals: constants, arithmetic, comparisons, conversions, `local.*`, `select`.
//!
//! In the deterministic profile the code generator makes NaNs canonical, behind the same instructions
//! as lowering does.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use dunlin_module::op::Operator;

use super::{Result, Translator};

impl Translator<'_, '_> {
    /// Translates a numeric instruction; false if `op` is none.
    pub(super) fn numeric(&mut self, op: &Operator<'_>) -> Result<bool> {
        match *op {
            Operator::LocalGet { local_index } => self.local_get(local_index),
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.b.def_var(self.body.locals[local_index as usize].var, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.top(1)[0];
                self.b.def_var(self.body.locals[local_index as usize].var, value);
            }
            Operator::I32Const { value } => self.push_with(|t| t.i32(value as u32)),
            Operator::I64Const { value } => self.push_with(|t| t.i64(value as u64)),
            Operator::F32Const { value } => {
                let value = f32::from_bits(value.bits());
                self.push_with(|t| t.b.ins().f32const(value));
            }
            Operator::F64Const { value } => {
                let value = f64::from_bits(value.bits());
                self.push_with(|t| t.b.ins().f64const(value));
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Nop => {}
            Operator::Select | Operator::TypedSelect { .. } => self.select(),
            _ => {
                return Ok(self.integer(op)
                    || self.float(op)
                    || self.comparison(op)
                    || self.conversion(op)
                    || self.wide(op));
            }
        }
        Ok(true)
    }

    fn push_with(&mut self, make: impl FnOnce(&mut Self) -> Value) {
        let value = make(self);
        self.push(value);
    }

    fn local_get(&mut self, index: u32) {
        let local = self.body.locals[index as usize];
        let value = self.b.use_var(local.var);
        self.push_ty(value, local.ty);
    }

    fn select(&mut self) {
        let condition = self.pop();
        let second = self.pop_operand();
        let first = self.pop_operand();
        let value = self.b.ins().select(condition, first.value, second.value);
        if first.traced || second.traced { self.push_traced(value) } else { self.push(value) }
    }

    fn unary(&mut self, make: impl FnOnce(&mut Self, Value) -> Value) {
        let value = self.pop();
        let value = make(self, value);
        self.push(value);
    }

    fn binary(&mut self, make: impl FnOnce(&mut Self, Value, Value) -> Value) {
        let (a, b) = self.pop2();
        let value = make(self, a, b);
        self.push(value);
    }

    fn integer(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        match op {
            O::I32Clz | O::I64Clz => self.unary(|t, x| t.b.ins().clz(x)),
            O::I32Ctz | O::I64Ctz => self.unary(|t, x| t.b.ins().ctz(x)),
            O::I32Popcnt | O::I64Popcnt => self.unary(|t, x| t.b.ins().popcnt(x)),
            O::I32Add | O::I64Add => self.binary(|t, a, b| t.b.ins().iadd(a, b)),
            O::I32Sub | O::I64Sub => self.binary(|t, a, b| t.b.ins().isub(a, b)),
            O::I32Mul | O::I64Mul => self.binary(|t, a, b| t.b.ins().imul(a, b)),
            O::I32DivS | O::I64DivS => self.binary(|t, a, b| t.b.ins().sdiv(a, b)),
            O::I32DivU | O::I64DivU => self.binary(|t, a, b| t.b.ins().udiv(a, b)),
            O::I32RemS | O::I64RemS => self.binary(|t, a, b| t.b.ins().srem(a, b)),
            O::I32RemU | O::I64RemU => self.binary(|t, a, b| t.b.ins().urem(a, b)),
            O::I32And | O::I64And => self.binary(|t, a, b| t.b.ins().band(a, b)),
            O::I32Or | O::I64Or => self.binary(|t, a, b| t.b.ins().bor(a, b)),
            O::I32Xor | O::I64Xor => self.binary(|t, a, b| t.b.ins().bxor(a, b)),
            O::I32Shl | O::I64Shl => self.binary(|t, a, b| t.b.ins().ishl(a, b)),
            O::I32ShrS | O::I64ShrS => self.binary(|t, a, b| t.b.ins().sshr(a, b)),
            O::I32ShrU | O::I64ShrU => self.binary(|t, a, b| t.b.ins().ushr(a, b)),
            O::I32Rotl | O::I64Rotl => self.binary(|t, a, b| t.b.ins().rotl(a, b)),
            O::I32Rotr | O::I64Rotr => self.binary(|t, a, b| t.b.ins().rotr(a, b)),
            O::I32Extend8S | O::I64Extend8S => self.extend_part(types::I8),
            O::I32Extend16S | O::I64Extend16S => self.extend_part(types::I16),
            O::I64Extend32S => self.extend_part(types::I32),
            _ => return false,
        }
        true
    }

    fn extend_part(&mut self, part: Type) {
        self.unary(|t, x| {
            let whole = t.type_of(x);
            let low = t.b.ins().ireduce(part, x);
            t.b.ins().sextend(whole, low)
        });
    }

    fn float(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        match op {
            O::F32Abs | O::F64Abs => self.unary(|t, x| t.b.ins().fabs(x)),
            O::F32Neg | O::F64Neg => self.unary(|t, x| t.b.ins().fneg(x)),
            O::F32Ceil | O::F64Ceil => self.unary(|t, x| t.b.ins().ceil(x)),
            O::F32Floor | O::F64Floor => self.unary(|t, x| t.b.ins().floor(x)),
            O::F32Trunc | O::F64Trunc => self.unary(|t, x| t.b.ins().trunc(x)),
            O::F32Nearest | O::F64Nearest => self.unary(|t, x| t.b.ins().nearest(x)),
            O::F32Sqrt | O::F64Sqrt => self.unary(|t, x| t.b.ins().sqrt(x)),
            O::F32Add | O::F64Add => self.binary(|t, a, b| t.b.ins().fadd(a, b)),
            O::F32Sub | O::F64Sub => self.binary(|t, a, b| t.b.ins().fsub(a, b)),
            O::F32Mul | O::F64Mul => self.binary(|t, a, b| t.b.ins().fmul(a, b)),
            O::F32Div | O::F64Div => self.binary(|t, a, b| t.b.ins().fdiv(a, b)),
            O::F32Min | O::F64Min => self.binary(|t, a, b| t.b.ins().fmin(a, b)),
            O::F32Max | O::F64Max => self.binary(|t, a, b| t.b.ins().fmax(a, b)),
            O::F32Copysign | O::F64Copysign => {
                self.binary(|t, a, b| t.b.ins().fcopysign(a, b));
            }
            _ => return false,
        }
        true
    }

    fn comparison(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        let cc = match op {
            O::I32Eqz | O::I64Eqz => {
                let value = self.pop();
                let zero = self.compare(IntCC::Equal, value, 0);
                self.push_bool(zero);
                return true;
            }
            O::I32Eq | O::I64Eq => IntCC::Equal,
            O::I32Ne | O::I64Ne => IntCC::NotEqual,
            O::I32LtS | O::I64LtS => IntCC::SignedLessThan,
            O::I32LtU | O::I64LtU => IntCC::UnsignedLessThan,
            O::I32GtS | O::I64GtS => IntCC::SignedGreaterThan,
            O::I32GtU | O::I64GtU => IntCC::UnsignedGreaterThan,
            O::I32LeS | O::I64LeS => IntCC::SignedLessThanOrEqual,
            O::I32LeU | O::I64LeU => IntCC::UnsignedLessThanOrEqual,
            O::I32GeS | O::I64GeS => IntCC::SignedGreaterThanOrEqual,
            O::I32GeU | O::I64GeU => IntCC::UnsignedGreaterThanOrEqual,
            _ => return self.float_comparison(op),
        };
        let (a, b) = self.pop2();
        let value = self.b.ins().icmp(cc, a, b);
        self.push_bool(value);
        true
    }

    fn float_comparison(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        let cc = match op {
            O::F32Eq | O::F64Eq => FloatCC::Equal,
            O::F32Ne | O::F64Ne => FloatCC::NotEqual,
            O::F32Lt | O::F64Lt => FloatCC::LessThan,
            O::F32Gt | O::F64Gt => FloatCC::GreaterThan,
            O::F32Le | O::F64Le => FloatCC::LessThanOrEqual,
            O::F32Ge | O::F64Ge => FloatCC::GreaterThanOrEqual,
            _ => return false,
        };
        let (a, b) = self.pop2();
        let value = self.b.ins().fcmp(cc, a, b);
        self.push_bool(value);
        true
    }

    fn conversion(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        use types::{F32, F64, I32, I64};
        match op {
            O::I32WrapI64 => self.unary(|t, x| t.b.ins().ireduce(I32, x)),
            O::I64ExtendI32S => self.unary(|t, x| t.b.ins().sextend(I64, x)),
            O::I64ExtendI32U => self.unary(|t, x| t.b.ins().uextend(I64, x)),
            O::F32ConvertI32S | O::F32ConvertI64S => {
                self.unary(|t, x| t.b.ins().fcvt_from_sint(F32, x));
            }
            O::F32ConvertI32U | O::F32ConvertI64U => {
                self.unary(|t, x| t.b.ins().fcvt_from_uint(F32, x));
            }
            O::F64ConvertI32S | O::F64ConvertI64S => {
                self.unary(|t, x| t.b.ins().fcvt_from_sint(F64, x));
            }
            O::F64ConvertI32U | O::F64ConvertI64U => {
                self.unary(|t, x| t.b.ins().fcvt_from_uint(F64, x));
            }
            O::F32DemoteF64 => self.unary(|t, x| t.b.ins().fdemote(F32, x)),
            O::F64PromoteF32 => self.unary(|t, x| t.b.ins().fpromote(F64, x)),
            O::I32ReinterpretF32 => self.reinterpret(I32),
            O::I64ReinterpretF64 => self.reinterpret(I64),
            O::F32ReinterpretI32 => self.reinterpret(F32),
            O::F64ReinterpretI64 => self.reinterpret(F64),
            _ => return self.truncation(op),
        }
        true
    }

    fn reinterpret(&mut self, ty: Type) {
        self.unary(|t, x| t.b.ins().bitcast(ty, MemFlagsData::new(), x));
    }

    fn truncation(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        use types::{I32, I64};
        match op {
            O::I32TruncF32S | O::I32TruncF64S => self.unary(|t, x| t.b.ins().fcvt_to_sint(I32, x)),
            O::I32TruncF32U | O::I32TruncF64U => self.unary(|t, x| t.b.ins().fcvt_to_uint(I32, x)),
            O::I64TruncF32S | O::I64TruncF64S => self.unary(|t, x| t.b.ins().fcvt_to_sint(I64, x)),
            O::I64TruncF32U | O::I64TruncF64U => self.unary(|t, x| t.b.ins().fcvt_to_uint(I64, x)),
            O::I32TruncSatF32S | O::I32TruncSatF64S => {
                self.unary(|t, x| t.b.ins().fcvt_to_sint_sat(I32, x));
            }
            O::I32TruncSatF32U | O::I32TruncSatF64U => {
                self.unary(|t, x| t.b.ins().fcvt_to_uint_sat(I32, x));
            }
            O::I64TruncSatF32S | O::I64TruncSatF64S => {
                self.unary(|t, x| t.b.ins().fcvt_to_sint_sat(I64, x));
            }
            O::I64TruncSatF32U | O::I64TruncSatF64U => {
                self.unary(|t, x| t.b.ins().fcvt_to_uint_sat(I64, x));
            }
            _ => return false,
        }
        true
    }

    /// Wide arithmetic: operands and results are (low, high) halves of 128 bits.
    fn wide(&mut self, op: &Operator<'_>) -> bool {
        let (low, high) = match op {
            Operator::I64Add128 | Operator::I64Sub128 => {
                let halves = self.pop_many(4);
                let a = self.b.ins().iconcat(halves[0], halves[1]);
                let b = self.b.ins().iconcat(halves[2], halves[3]);
                let value = match op {
                    Operator::I64Add128 => self.b.ins().iadd(a, b),
                    _ => self.b.ins().isub(a, b),
                };
                self.b.ins().isplit(value)
            }
            Operator::I64MulWideS | Operator::I64MulWideU => {
                let (a, b) = self.pop2();
                let high = match op {
                    Operator::I64MulWideS => self.b.ins().smulhi(a, b),
                    _ => self.b.ins().umulhi(a, b),
                };
                (self.b.ins().imul(a, b), high)
            }
            _ => return false,
        };
        self.push(low);
        self.push(high);
        true
    }
}
