//! Control: blocks, loops, branches, returns (core spec §4.4.8).

use dunlin_module::ValType;
use dunlin_module::op::{BlockType, BrTable, Operator};

use crate::bytecode::field;
use crate::op::{BinForm, BinOp, BrForm, BrOp, Class, Dir, Dst, Op, OpKind, PlainOp, StepForm};
use crate::{Trap, unreachable};

use super::emit::{Arg, Cond, Label};
use super::stack::{NONE, Place, class_of};
use super::{Lower, Result};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Func,
    Block,
    Loop,
    /// Its label is where the `else` part begins, until there is one.
    If(Label),
    Else,
    /// The part of a `try` or `try_table` whose exceptions are caught.
    Try,
    /// A part of a `try` that catches, with the number of the handler.
    Catch(u32),
}

/// An open block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    pub(super) kind: Kind,
    /// Where a branch to this block goes; for the function itself, where caught exceptions that it
    /// returns go.
    label: Label,
    /// Whether anything branches to `label`.
    pub(super) used: bool,
    /// Operands below the block's parameters.
    pub(super) height: u32,
    ty: BlockType,
    /// The handler of exceptions thrown in the block, outside of blocks in it.
    pub(super) handler: Option<u32>,
}

impl<'m> Lower<'m> {
    pub(super) fn enter_function(&mut self) {
        let label = self.code.label();
        self.control.push(Control {
            kind: Kind::Func,
            label,
            used: false,
            height: 0,
            ty: BlockType::Empty,
            handler: None,
        });
        self.begin_fuel();
        self.charge_for_locals();
    }

    /// Follows the nesting of unreachable code; true if `op` needs nothing else.
    pub(super) fn skip(&mut self, op: &Operator<'_>) -> bool {
        unreachable::skip(op, &mut self.skipped)
    }

    /// Lowers a control instruction; false if `op` is none.
    pub(super) fn control(&mut self, op: &Operator<'_>) -> Result<bool> {
        match op {
            Operator::Unreachable => {
                self.code.plain(PlainOp::Trap, &[field::ab_hi(0, 0, Trap::Unreachable as u32)]);
                self.unreachable = true;
            }
            Operator::Block { blockty } => {
                self.settle_all();
                self.open(Kind::Block, *blockty);
            }
            Operator::Loop { blockty } => {
                self.settle_all();
                let at = self.open(Kind::Loop, *blockty);
                self.code.bind(at);
                self.begin_fuel();
            }
            Operator::If { blockty } => self.open_if(*blockty),
            Operator::Else => self.open_else(),
            Operator::End => self.close(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.unreachable = true;
            }
            Operator::BrIf { relative_depth } => {
                let cond = self.pop_cond();
                self.branch_if(*relative_depth, cond);
            }
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::BrOnNull { relative_depth } => {
                let entry = self.stack.pop();
                let slot = self.slot_of(entry);
                let cond = Cond::Zero { wide: true, arg: Arg::Slot(slot), when_zero: true };
                let home = self.stack.top();
                self.branch_if(*relative_depth, cond);
                self.code.copy(home, slot, 1);
                self.stack.push(Class::Int, Place::Home);
                self.stack.set_top_traced(entry.traced);
            }
            Operator::BrOnNonNull { relative_depth } => {
                self.settle_top(1);
                let top = self.stack.entry(self.stack.len() - 1);
                let arg = Arg::Slot(top.home);
                self.branch_if(*relative_depth, Cond::Zero { wide: true, arg, when_zero: false });
                self.pop_slot();
            }
            Operator::Return => {
                self.emit_return();
                self.unreachable = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn open(&mut self, kind: Kind, ty: BlockType) -> Label {
        let label = self.code.label();
        let params = self.module.block_type(ty).params().len();
        let height = (self.stack.len() - params) as u32;
        let handler = self.control.last().and_then(|block| block.handler);
        self.control.push(Control { kind, label, used: false, height, ty, handler });
        label
    }

    /// Where branches to the loop go that was just opened; `None` if its code can never run.
    pub(super) fn loop_word(&self) -> Option<usize> {
        let block = self.control.last().filter(|_| !self.unreachable)?;
        Some(self.code.word_of(block.label) as usize)
    }

    fn open_if(&mut self, ty: BlockType) {
        let cond = self.pop_cond();
        self.settle_all();
        let otherwise = self.code.label();
        self.emit_branch(cond, false, otherwise);
        self.open(Kind::If(otherwise), ty);
        self.begin_fuel();
    }

    fn open_else(&mut self) {
        let Some(mut block) = self.control.pop() else { return };
        let sig = self.module.block_type(block.ty);
        block.used |= !self.unreachable;
        self.finish_part(&block);
        if let Kind::If(otherwise) = block.kind {
            self.code.bind(otherwise);
        }
        self.reset_stack(block.height, sig.params());
        self.unreachable = false;
        block.kind = Kind::Else;
        self.control.push(block);
        self.begin_fuel();
    }

    /// Ends a part of a block behind which comes another part.
    pub(super) fn finish_part(&mut self, block: &Control) {
        if self.unreachable {
            return;
        }
        let results = self.module.block_type(block.ty).results().len();
        self.carry(results, self.stack.home_at(block.height as usize));
        self.code.jump(block.label, false);
    }

    pub(super) fn close(&mut self) {
        if self.control.last().is_some_and(|block| block.kind == Kind::Try) {
            self.end_try();
        }
        let Some(block) = self.control.pop() else { return };
        let sig = self.module.block_type(block.ty);
        let mut joined = block.used;
        match block.kind {
            Kind::Func => {
                if !self.unreachable {
                    self.emit_return();
                }
                if block.used {
                    self.code.bind(block.label);
                    self.reset_stack(0, self.results);
                    self.emit_return();
                }
                return;
            }
            Kind::Loop => joined = false,
            Kind::If(otherwise) => {
                if !self.unreachable {
                    self.settle_top(sig.results().len());
                }
                self.code.bind(otherwise);
                joined = true;
            }
            Kind::Catch(_) => joined = true,
            Kind::Block | Kind::Else | Kind::Try => {}
        }
        if joined {
            if !self.unreachable {
                self.carry(sig.results().len(), self.stack.home_at(block.height as usize));
            }
            self.code.bind(block.label);
            self.reset_stack(block.height, sig.results());
            self.unreachable = false;
            self.begin_fuel();
        } else if self.unreachable {
            self.reset_stack(block.height, &[]);
        }
    }

    /// The stack as it is at a label: `height` operands below, then values of `types`.
    fn reset_stack(&mut self, height: u32, types: &[ValType]) {
        self.stack.truncate(height as usize);
        for &ty in types {
            self.stack.push_ty(ty, Place::Home);
        }
    }

    /// How many values a branch to `depth` carries and where the first goes; `None` if it returns.
    fn target(&mut self, depth: u32) -> Option<(Label, usize, u32)> {
        let at = self.control.len() - 1 - depth as usize;
        let block = &mut self.control[at];
        let sig = self.module.block_type(block.ty);
        let arity = match block.kind {
            Kind::Func => return None,
            Kind::Loop => sig.params().len(),
            _ => sig.results().len(),
        };
        block.used = true;
        let (label, height) = (block.label, block.height as usize);
        Some((label, arity, self.stack.home_at(height)))
    }

    /// The types of the values that a branch to `depth` carries.
    pub(super) fn label_types(&self, depth: u32) -> Vec<ValType> {
        let block = &self.control[self.control.len() - 1 - depth as usize];
        let sig = self.module.block_type(block.ty);
        match block.kind {
            Kind::Func => self.results.to_vec(),
            Kind::Loop => sig.params().to_vec(),
            _ => sig.results().to_vec(),
        }
    }

    /// Where a caught exception goes that `depth` names, and where its values go.
    pub(super) fn landing(&mut self, depth: u32) -> (Label, u32) {
        let at = self.control.len() - 1 - depth as usize;
        let block = &mut self.control[at];
        block.used = true;
        let (label, height) = (block.label, block.height as usize);
        (label, self.stack.home_at(height))
    }

    fn branch(&mut self, depth: u32) {
        match self.target(depth) {
            None => self.emit_return(),
            Some((label, arity, base)) => {
                self.carry(arity, base);
                self.code.jump(label, self.settings.interruptible);
            }
        }
    }

    /// Whether the top `arity` operands are already where a branch to `base` must bring them, once
    /// they are in their home slots.
    fn in_place(&self, arity: usize, base: u32) -> bool {
        arity == 0 || self.stack.home_at(self.stack.len() - arity) == base
    }

    /// Brings the top `arity` operands to the slots from `base`, without changing the picture of
    /// the stack: this code may run only when a branch is taken.
    fn carry(&mut self, arity: usize, base: u32) {
        self.settle_top(arity);
        if self.in_place(arity, base) {
            return;
        }
        let from = self.stack.home_at(self.stack.len() - arity);
        self.code.copy(base, from, self.stack.top() - from);
    }

    /// How many values a branch to `depth` carries.
    pub(super) fn branch_arity(&mut self, depth: u32) -> usize {
        self.target(depth).map_or(self.results.len(), |target| target.1)
    }

    pub(super) fn branch_if(&mut self, depth: u32, cond: Cond) {
        let target = self.target(depth);
        let arity = target.map_or(self.results.len(), |t| t.1);
        self.settle_top(arity);
        match target {
            Some((label, arity, base)) if self.in_place(arity, base) => {
                self.emit_branch(cond, true, label);
            }
            _ => {
                let over = self.code.label();
                self.emit_branch(cond, false, over);
                self.branch(depth);
                self.code.bind_keeping(over);
            }
        }
    }

    /// Emits the branch to `label` taken when `cond` gives `when`.
    fn emit_branch(&mut self, cond: Cond, when: bool, label: Label) {
        self.code.store_all_pending();
        let back = self.code.is_bound(label) && self.settings.interruptible;
        let dir = if back { Dir::Back } else { Dir::Fwd };
        let (op, form, word, imm) = match cond {
            Cond::Compare(op, form, word, imm) => {
                let branch = op.branch(when).expect("only such comparisons are taken back");
                if dir == Dir::Back && self.step(branch, form, word, label) {
                    return;
                }
                // The operands move from b, c to a, b.
                match form {
                    BinForm::Ss => (branch, BrForm::Ss, (field::b(word), field::c(word)), imm),
                    BinForm::Rs => (branch, BrForm::Rs, (0, field::c(word)), imm),
                    BinForm::Si => (branch, BrForm::Si, (field::b(word), 0), imm),
                    _ => (branch, BrForm::Ri, (0, 0), imm),
                }
            }
            Cond::Zero { wide, arg, when_zero } => {
                let branch = match (wide, when_zero == when) {
                    (false, true) => BrOp::I32Eq,
                    (false, false) => BrOp::I32Ne,
                    (true, true) => BrOp::I64Eq,
                    (true, false) => BrOp::I64Ne,
                };
                match arg {
                    Arg::Slot(slot) => (branch, BrForm::Si, (self.code.read(slot, 1), 0), 0),
                    _ => (branch, BrForm::Ri, (0, 0), 0),
                }
            }
        };
        let word = field::ab_hi(word.0, word.1, 0);
        let op = Op::br(op, form, dir);
        let at = match form {
            BrForm::Ss | BrForm::Rs => self.code.op(op, &[word]),
            BrForm::Si | BrForm::Ri => self.code.op(op, &[word, imm]),
        };
        self.code.refer(label, at, at + 1, true);
    }

    /// Emits a step instead of an increment, just emitted, and a branch back on its result.
    fn step(&mut self, branch: BrOp, form: BinForm, word: u64, label: Label) -> bool {
        let (form, rhs) = match form {
            BinForm::Rs => (StepForm::S, u32::from(field::c(word))),
            BinForm::Ri => (StepForm::I, field::hi(word)),
            _ => return false,
        };
        if !branch.compares_i32() {
            return false;
        }
        let Some((at, OpKind::Bin(BinOp::I32Add, BinForm::Si, Dst::Slot))) = self.code.last_op()
        else {
            return false;
        };
        let add = self.code.words[at + 1];
        self.code.replace_last(at);
        let first = field::ab_hi(field::a(add), field::b(add), 0);
        let at = self.code.op(Op::step(branch, form), &[first, field::lo_hi(field::hi(add), rhs)]);
        self.code.refer(label, at, at + 1, true);
        true
    }

    fn branch_table(&mut self, targets: &BrTable<'_>) -> Result {
        let entry = self.stack.pop();
        let arg = self.arg(entry);
        let (op, slot) = match arg {
            Arg::Acc(..) => (PlainOp::BrTableR, 0),
            Arg::Slot(slot) => (PlainOp::BrTableS, slot),
            Arg::Const(bits) => {
                self.code.constant(entry.home, bits);
                (PlainOp::BrTableS, entry.home)
            }
        };
        let arity = self.target(targets.default()).map_or(self.results.len(), |t| t.1);
        self.settle_top(arity);
        self.code.store_all_pending();
        let slot = self.code.read(slot, 1);
        let last = targets.len();
        let at = self.code.plain(op, &[field::ab_hi(slot, 0, last)]);
        let table = self.code.here();
        self.code.words.resize(table + crate::bytecode::br_table_words(last), 0);
        // Depths that need code of their own before the jump, each made once.
        let mut stubs: Vec<(u32, Label)> = Vec::new();
        let mut stub_at: Vec<u32> = vec![NONE; self.control.len()];
        let all = targets.targets().chain(std::iter::once(Ok(targets.default())));
        for (i, depth) in all.enumerate() {
            let depth = depth?;
            let label = match self.target(depth) {
                Some((label, arity, base)) if self.needs_no_stub(label, arity, base) => label,
                _ => {
                    let known = &mut stub_at[depth as usize];
                    if *known == NONE {
                        *known = stubs.len() as u32;
                        stubs.push((depth, self.code.label()));
                    }
                    stubs[*known as usize].1
                }
            };
            self.code.refer(label, at, table + i / 2, i % 2 == 1);
        }
        for (depth, label) in stubs {
            self.code.bind(label);
            self.branch(depth);
        }
        self.unreachable = true;
        Ok(())
    }

    /// Whether a table entry may jump to `label` itself: values in place, and no back edge, which
    /// must look for interruption.
    fn needs_no_stub(&self, label: Label, arity: usize, base: u32) -> bool {
        self.in_place(arity, base) && !(self.settings.interruptible && self.code.is_bound(label))
    }

    /// Returns the top operands, without changing the picture of the stack.
    pub(super) fn emit_return(&mut self) {
        let header = self.layout.header;
        let (results, count) = (self.results, self.results.len());
        match results {
            [] => {
                self.code.plain(PlainOp::Return, &[field::ab_hi(0, 0, header)]);
            }
            [ty] if class_of(*ty) != Class::Vec => {
                let class = class_of(*ty);
                let entry = self.stack.entry(self.stack.len() - 1);
                let slot = match entry.place {
                    Place::Local { index, .. } => self.layout.local(index),
                    Place::Home => entry.home,
                    Place::Const(bits) => {
                        self.code.constant(entry.home, bits);
                        entry.home
                    }
                };
                let held = self.code.acc[class as usize].slot == slot;
                let op = match (class, held) {
                    (Class::Int, true) => PlainOp::ReturnIntR,
                    (Class::Int, false) => PlainOp::ReturnIntS,
                    (Class::F32, true) => PlainOp::ReturnF32R,
                    (Class::F32, false) => PlainOp::ReturnF32S,
                    (_, true) => PlainOp::ReturnF64R,
                    (_, false) => PlainOp::ReturnF64S,
                };
                let slot = if held { 0 } else { self.code.read(slot, 1) };
                self.code.plain(op, &[field::ab_hi(slot, 0, header)]);
            }
            _ => {
                self.settle_top(count);
                let from = self.stack.home_at(self.stack.len() - count);
                let slots = self.stack.top() - from;
                self.code.plain(
                    PlainOp::ReturnSpan,
                    &[field::lo_hi(from, slots), field::lo_hi(header, 0)],
                );
            }
        }
    }
}
