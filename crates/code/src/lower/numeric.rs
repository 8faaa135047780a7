//! Numbers and locals: constants, arithmetic, comparisons, conversions, `local.*`, `select`.

use dunlin_module::op::Operator;

use crate::bytecode::field;
use crate::op::{
    BinForm, BinOp, Class, Dst, FusedForm, FusedOp, Op, OpKind, PlainOp, Scalar, Src, UnOp,
};

use super::Lower;
use super::emit::{Acc, Arg};
use super::stack::{Entry, NONE, Place};

macro_rules! binary_op {
    ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
        fn binary_op(op: &Operator<'_>) -> Option<BinOp> {
            match op {
                $(Operator::$name => Some(BinOp::$name),)*
                _ => None,
            }
        }
    };
}
crate::for_each_bin_op!(binary_op);

macro_rules! unary_op {
    ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
        fn unary_op(op: &Operator<'_>) -> Option<UnOp> {
            match op {
                $(Operator::$name => Some(UnOp::$name),)*
                _ => None,
            }
        }
    };
}
crate::for_each_un_op!(unary_op);

impl Lower<'_> {
    /// Lowers a numeric instruction; false if `op` is none.
    pub(super) fn numeric(&mut self, op: &Operator<'_>) -> bool {
        if let Some(op) = binary_op(op) {
            self.binary(op);
            if op.yields_nan() {
                self.canonical(op.result());
            }
            return true;
        }
        if let Some(op) = unary_op(op) {
            self.unary(op);
            if op.yields_nan() {
                self.canonical(op.result());
            }
            return true;
        }
        match op {
            Operator::LocalGet { local_index } => self.local_get(*local_index),
            Operator::LocalSet { local_index } => self.local_set(*local_index),
            Operator::LocalTee { local_index } => {
                self.local_set(*local_index);
                self.local_get(*local_index);
            }
            Operator::I32Const { value } => self.constant(Class::Int, u64::from(*value as u32)),
            Operator::I64Const { value } => self.constant(Class::Int, *value as u64),
            Operator::F32Const { value } => self.constant(Class::F32, u64::from(value.bits())),
            Operator::F64Const { value } => self.constant(Class::F64, value.bits()),
            Operator::Drop => {
                let entry = self.stack.pop();
                self.arg(entry);
            }
            Operator::Nop => {}
            Operator::Select | Operator::TypedSelect { .. } => self.select(),
            Operator::I64Add128 => self.wide(PlainOp::I64Add128, 4),
            Operator::I64Sub128 => self.wide(PlainOp::I64Sub128, 4),
            Operator::I64MulWideS => self.wide(PlainOp::I64MulWideS, 2),
            Operator::I64MulWideU => self.wide(PlainOp::I64MulWideU, 2),
            _ => return false,
        }
        true
    }

    fn local_get(&mut self, index: u32) {
        self.stack.push_local(self.layout.local_type(index), index);
    }

    fn constant(&mut self, class: Class, bits: u64) {
        self.stack.push(class, Place::Const(bits));
    }

    pub(super) fn binary(&mut self, op: BinOp) {
        let rhs = self.stack.pop();
        let lhs = self.stack.pop();
        if self.fuse(op, lhs, rhs) {
            return;
        }
        let (mut l, mut r) = (self.arg(lhs), self.arg(rhs));
        if let (Arg::Acc(..), Arg::Acc(slot, _)) = (l, r) {
            // Only a local can be both operands, and locals are always in their slots.
            r = Arg::Slot(slot);
        }
        if let (Arg::Const(bits), Arg::Const(_)) = (l, r) {
            self.code.constant(lhs.home, bits);
            l = Arg::Slot(lhs.home);
        }
        let mut op = op;
        let swap = matches!(
            (l, r),
            (Arg::Slot(_), Arg::Acc(..)) | (Arg::Const(_), Arg::Slot(_) | Arg::Acc(..))
        );
        if swap && let Some(swapped) = op.swapped() {
            op = swapped;
            std::mem::swap(&mut l, &mut r);
        }
        let wide = op.operand().wide();
        let (form, word, imm) = match (l, r) {
            (Arg::Slot(l), Arg::Slot(r)) => {
                let (l, r) = (self.code.read(l, 1), self.code.read(r, 1));
                (BinForm::Ss, field::abcd(0, l, r, 0), None)
            }
            (Arg::Acc(..), Arg::Slot(r)) => {
                (BinForm::Rs, field::abcd(0, 0, self.code.read(r, 1), 0), None)
            }
            (Arg::Slot(l), Arg::Acc(..)) => {
                (BinForm::Sr, field::abcd(0, self.code.read(l, 1), 0, 0), None)
            }
            (Arg::Slot(l), Arg::Const(i)) => {
                (BinForm::Si, field::ab_hi(0, self.code.read(l, 1), i as u32), Some(i))
            }
            (Arg::Const(i), Arg::Slot(r)) => {
                (BinForm::Is, field::ab_hi(0, self.code.read(r, 1), i as u32), Some(i))
            }
            (Arg::Acc(..), Arg::Const(i)) => (BinForm::Ri, field::ab_hi(0, 0, i as u32), Some(i)),
            (Arg::Const(i), Arg::Acc(..)) => (BinForm::Ir, field::ab_hi(0, 0, i as u32), Some(i)),
            (Arg::Acc(..), Arg::Acc(..)) | (Arg::Const(_), Arg::Const(_)) => {
                unreachable!("made different above")
            }
        };
        let class = op.result().class();
        let code = Op::bin(op, form, Dst::Acc);
        match imm {
            Some(imm) if wide => {
                let word = field::ab_hi(0, field::b(word), 0);
                self.produce(code, &[word, imm], class);
            }
            _ => self.produce(code, &[word], class),
        }
    }

    /// Makes the new top operand, a float just computed, canonical if the settings ask for it.
    fn canonical(&mut self, ty: Scalar) {
        if !self.settings.deterministic {
            return;
        }
        let op = if ty == Scalar::F32 { PlainOp::CanonF32 } else { PlainOp::CanonF64 };
        let entry = self.stack.pop();
        let arg = self.arg(entry);
        debug_assert!(matches!(arg, Arg::Acc(..)), "results are left in accumulators");
        self.produce(Op::plain(op), &[0], ty.class());
    }

    /// Emits one instruction instead of a product, just emitted, and `op` on it.
    fn fuse(&mut self, op: BinOp, lhs: Entry, rhs: Entry) -> bool {
        let (mul, fused, adds) = match op {
            BinOp::F32Add => (BinOp::F32Mul, FusedOp::F32MulAdd, true),
            BinOp::F32Sub => (BinOp::F32Mul, FusedOp::F32MulSub, false),
            BinOp::F64Add => (BinOp::F64Mul, FusedOp::F64MulAdd, true),
            BinOp::F64Sub => (BinOp::F64Mul, FusedOp::F64MulSub, false),
            _ => return false,
        };
        let product = |kind| {
            let OpKind::Bin(op, form, Dst::Acc) = kind else { return false };
            op == mul && matches!(form, BinForm::Ss | BinForm::Rs)
        };
        // The term must have a slot, and writing a constant there would follow the product.
        let is_const = |entry: Entry| matches!(entry.place, Place::Const(_));
        let mut taken = None;
        if !is_const(lhs) {
            taken = self.take_back_producer(rhs, product).map(|made| (made, lhs));
        }
        if taken.is_none() && adds && !is_const(rhs) {
            taken = self.take_back_producer(lhs, product).map(|made| (made, rhs));
        }
        let Some(((OpKind::Bin(_, form, _), word, _), term)) = taken else { return false };
        let term = self.slot_of(term);
        let term = self.code.read(term, 1);
        let form = if form == BinForm::Rs { FusedForm::Rss } else { FusedForm::Sss };
        let word = field::abcd(0, field::b(word), field::c(word), term);
        self.produce(Op::fused(fused, form, Dst::Acc), &[word], op.result().class());
        true
    }

    pub(super) fn unary(&mut self, op: UnOp) {
        if op == UnOp::I32Eqz && self.negate_last() {
            return;
        }
        let (src, slot) = self.pop_src();
        let class = op.result().class();
        self.produce(Op::un(op, src, Dst::Acc), &[field::abcd(0, slot, 0, 0)], class);
        self.stack.set_top_traced(op == UnOp::RefI31);
    }

    /// `i32.eqz` of a comparison just emitted: the opposite comparison.
    fn negate_last(&mut self) -> bool {
        let entry = self.stack.entry(self.stack.len() - 1);
        let acc = self.code.acc[Class::Int as usize];
        if entry.place != Place::Home || acc.slot != entry.home || !self.code.is_last(acc.pending) {
            return false;
        }
        let Some((at, OpKind::Bin(op, form, dst))) = self.code.last_op() else { return false };
        let Some(negated) = op.negated() else { return false };
        self.code.words[at] = u64::from(Op::bin(negated, form, dst).0);
        true
    }

    fn local_set(&mut self, index: u32) {
        let slot = self.layout.local(index);
        let entry = self.stack.pop();
        if matches!(entry.place, Place::Local { index: from, .. } if from == index) {
            return;
        }
        self.settle_readers(index);
        match entry.place {
            Place::Const(bits) => {
                self.code.constant(slot, bits);
                self.overwritten(entry.class, slot);
            }
            Place::Local { index: from, .. } => {
                self.code.copy(slot, self.layout.local(from), entry.slots());
                self.overwritten(entry.class, slot);
            }
            Place::Home => self.set_local_from_home(entry, slot),
        }
    }

    fn set_local_from_home(&mut self, entry: Entry, slot: u32) {
        if entry.class != Class::Vec && self.code.acc[entry.class as usize].slot == entry.home {
            let acc = self.code.acc[entry.class as usize];
            let direct = self.code.is_last(acc.pending);
            self.code.acc[entry.class as usize] = Acc { slot, pending: acc.pending };
            if acc.pending != NONE && direct {
                self.code.store_pending(entry.class);
            } else {
                self.code.spill(entry.class, slot);
                self.code.acc[entry.class as usize].pending = NONE;
            }
            return;
        }
        self.overwritten(entry.class, slot);
        if let Some((at, OpKind::Simd(op))) = self.code.last_op()
            && op.shape().writes_slot()
            && u32::from(field::a(self.code.words[at + 1])) == entry.home
            && slot < u32::from(u16::MAX)
        {
            let word = &mut self.code.words[at + 1];
            *word = *word & !0xffff | u64::from(slot as u16);
            return;
        }
        self.code.copy(slot, entry.home, entry.slots());
    }

    /// The accumulator of `class` no longer has the value of `slot`, which changed.
    fn overwritten(&mut self, class: Class, slot: u32) {
        if let Some(acc) = self.code.acc.get_mut(class as usize)
            && acc.slot == slot
        {
            *acc = Acc { slot: NONE, pending: NONE };
        }
    }

    fn select(&mut self) {
        let (src, cond) = self.pop_src();
        let second = self.stack.pop();
        let first = self.stack.pop();
        if first.class == Class::Vec {
            // The condition was read above all other operands, so its slot is still its own.
            let cond = match src {
                Src::S => cond,
                Src::R => {
                    let slot = second.home + 2;
                    self.code.spill(Class::Int, slot);
                    self.code.read(slot, 1)
                }
            };
            let (first, second) = (self.slot_of(first), self.slot_of(second));
            let first = self.code.read(first, 2);
            let second = self.code.read(second, 2);
            self.slot_result(Class::Vec, |dst| {
                (Op::plain(PlainOp::SelectVec), [field::abcd(dst, cond, first, second), 0, 0])
            });
            return;
        }
        let (class, traced) = (first.class, first.traced || second.traced);
        let (first, second) = (self.slot_of(first), self.slot_of(second));
        let first = self.code.read(first, 1);
        let second = self.code.read(second, 1);
        let word = field::abcd(0, cond, first, second);
        self.produce(Op::select(class, src, Dst::Acc), &[word], class);
        self.stack.set_top_traced(traced);
    }

    fn wide(&mut self, op: PlainOp, operands: usize) {
        self.based(op, operands, &[Class::Int, Class::Int], |base| field::abcd(base, 0, 0, 0));
    }
}
