//! Writing code: words, labels, accumulators, and moves between slots.

use crate::bytecode::field;
use crate::frame::{NEAR_SLOT_MAX, SCRATCH_SLOTS};
use crate::op::{BinForm, BinOp, Class, Dst, Op, OpKind, PlainOp, Src, UnOp};

use super::Lower;
use super::stack::{Entry, NONE, Place};

/// A place in the code that branches go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Label(u32);

#[derive(Clone, Copy, Debug)]
struct Fixup {
    label: Label,
    /// Word of the branch.
    op: u32,
    /// Word to write the offset to, and which half of it.
    word: u32,
    high: bool,
}

/// What an accumulator holds: the value of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Acc {
    /// The slot, or `NONE`.
    pub(super) slot: u32,
    /// The instruction that made the value, if it has not been stored to the slot yet.
    pub(super) pending: u32,
}

impl Acc {
    const EMPTY: Acc = Acc { slot: NONE, pending: NONE };
}

/// Where an instruction reads an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arg {
    /// In the accumulator of its class; the slot holds it too if the second is true.
    Acc(u32, bool),
    Slot(u32),
    Const(u64),
}

/// The condition of a branch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cond {
    /// A comparison that has not been emitted: op, form and its operand words.
    Compare(BinOp, BinForm, u64, u64),
    /// An integer to compare with zero, 32-bit or 64-bit; true when it is zero or when it is not.
    Zero { wide: bool, arg: Arg, when_zero: bool },
}

/// The code under construction.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) words: Vec<u64>,
    pub(super) acc: [Acc; 3],
    /// The last instruction, while nothing can jump behind it.
    last: Option<usize>,
    /// The instruction before that, on the same condition.
    last_but_one: Option<usize>,
    /// What the accumulator of the last instruction's result held before it.
    before_last: Acc,
    labels: Vec<u32>,
    fixups: Vec<Fixup>,
    scratch: Option<u32>,
    scratch_used: u32,
    /// How many scratch slots may hold operands of the last instruction that left its result in an
    /// accumulator.
    scratch_of_last: u32,
    /// A far slot was needed in a function without scratch slots.
    pub(super) far_without_scratch: bool,
}

impl Code {
    pub(super) fn new(scratch: Option<u32>) -> Code {
        Code {
            words: Vec::new(),
            acc: [Acc::EMPTY; 3],
            last: None,
            last_but_one: None,
            before_last: Acc::EMPTY,
            labels: Vec::new(),
            fixups: Vec::new(),
            scratch,
            scratch_used: 0,
            scratch_of_last: 0,
            far_without_scratch: false,
        }
    }

    pub(super) fn here(&self) -> usize {
        self.words.len()
    }

    /// Appends an instruction and returns its word.
    pub(super) fn op(&mut self, op: Op, operands: &[u64]) -> usize {
        debug_assert_eq!(op.words(), operands.len() + 1, "{:?}", op.kind());
        let at = self.here();
        self.words.push(u64::from(op.0));
        self.words.extend_from_slice(operands);
        self.last_but_one = self.last.replace(at);
        at
    }

    /// A new wasm instruction begins: scratch slots are free again.
    pub(super) fn begin(&mut self) {
        self.scratch_used = 0;
    }

    pub(super) fn plain(&mut self, op: PlainOp, operands: &[u64]) -> usize {
        self.op(Op::plain(op), operands)
    }

    /// The op at the end of the code, if nothing can jump behind it.
    pub(super) fn last_op(&self) -> Option<(usize, OpKind)> {
        let at = self.last?;
        Some((at, Op(self.words[at] as u16).kind()?))
    }

    /// Takes back the instruction at `at`, the last, to write another in its place that leaves the
    /// same result in the same places.
    pub(super) fn replace_last(&mut self, at: usize) {
        self.words.truncate(at);
        self.last = self.last_but_one.take();
    }

    pub(super) fn is_last(&self, at: u32) -> bool {
        self.last == Some(at as usize)
    }

    /// Takes the last instruction back, whose result is in the accumulator of `class`. Its operands
    /// will be those of another instruction: scratch slots they are in stay in use.
    fn take_back(&mut self, at: usize, class: Class) {
        self.words.truncate(at);
        self.scratch_used = self.scratch_used.max(self.scratch_of_last);
        self.acc[class as usize] = self.before_last;
        self.last = self.last_but_one.take();
    }

    // Labels.

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(NONE);
        Label(self.labels.len() as u32 - 1)
    }

    /// Puts a label here. Values in accumulators are unknown from here on.
    pub(super) fn bind(&mut self, label: Label) {
        self.bind_keeping(label);
        self.forget();
    }

    /// Puts a label here that is only jumped to with the accumulators as they are now.
    pub(super) fn bind_keeping(&mut self, label: Label) {
        self.labels[label.0 as usize] = self.fence();
    }

    pub(super) fn is_bound(&self, label: Label) -> bool {
        self.labels[label.0 as usize] != NONE
    }

    /// Puts an end to merging with what was emitted so far, and gives the word of what comes.
    pub(super) fn fence(&mut self) -> u32 {
        self.last = None;
        self.last_but_one = None;
        self.here() as u32
    }

    /// The word of a label that is bound.
    pub(super) fn word_of(&self, label: Label) -> u32 {
        self.labels[label.0 as usize]
    }

    /// Asks for the offset from instruction `op` to `label` in a half of `word`.
    pub(super) fn refer(&mut self, label: Label, op: usize, word: usize, high: bool) {
        self.fixups.push(Fixup { label, op: op as u32, word: word as u32, high });
    }

    pub(super) fn jump(&mut self, label: Label, interruptible: bool) {
        let back = self.is_bound(label) && interruptible;
        let op = if back { PlainOp::BrBack } else { PlainOp::BrFwd };
        let at = self.plain(op, &[0]);
        self.refer(label, at, at + 1, true);
    }

    /// Writes the offsets that were asked for.
    pub(super) fn finish(&mut self) {
        for fixup in &self.fixups {
            let target = self.labels[fixup.label.0 as usize];
            let offset = target.wrapping_sub(fixup.op);
            let word = &mut self.words[fixup.word as usize];
            *word = match fixup.high {
                true => field::lo_hi(field::lo(*word), offset),
                false => field::lo_hi(offset, field::hi(*word)),
            };
        }
    }

    // Accumulators.

    /// Nothing is known of the accumulators from here on.
    pub(super) fn forget(&mut self) {
        self.acc = [Acc::EMPTY; 3];
    }

    /// Makes sure the value in the accumulator of `class` is also in its slot.
    pub(super) fn store_pending(&mut self, class: Class) {
        let acc = self.acc[class as usize];
        if acc.pending == NONE {
            return;
        }
        let at = acc.pending as usize;
        match u16::try_from(acc.slot) {
            Ok(slot) => self.store_also(at, slot),
            Err(_) => {
                self.spill(class, acc.slot);
            }
        }
        self.acc[class as usize].pending = NONE;
    }

    pub(super) fn store_all_pending(&mut self) {
        for class in [Class::Int, Class::F32, Class::F64] {
            self.store_pending(class);
        }
    }

    /// Makes the instruction at `at` store its result to `slot` too.
    fn store_also(&mut self, at: usize, slot: u16) {
        let op = Op(self.words[at] as u16).with_slot().expect("a pending value has a Dst");
        self.words[at] = u64::from(op.0);
        self.words[at + 1] = self.words[at + 1] & !0xffff | u64::from(slot);
    }

    /// Stores the accumulator of `class` to any slot.
    pub(super) fn spill(&mut self, class: Class, slot: u32) {
        let op = match class {
            Class::Int => PlainOp::SpillInt,
            Class::F32 => PlainOp::SpillF32,
            _ => PlainOp::SpillF64,
        };
        self.plain(op, &[field::lo_hi(slot, 0)]);
    }

    /// Emits an instruction whose result is left in the accumulator of `class` as the value of
    /// `slot`.
    pub(super) fn produce(&mut self, op: Op, operands: &[u64], class: Class, slot: u32) {
        self.store_pending(class);
        self.before_last = self.acc[class as usize];
        self.scratch_of_last = self.scratch_used;
        let at = self.op(op, operands);
        self.acc[class as usize] = Acc { slot, pending: at as u32 };
    }

    // Moves.

    fn scratch_slot(&mut self, count: u32) -> u32 {
        let Some(base) = self.scratch else {
            self.far_without_scratch = true;
            return 0;
        };
        let at = self.scratch_used;
        debug_assert!(at + count <= SCRATCH_SLOTS);
        self.scratch_used += count;
        base + at
    }

    /// `slot` as an operand to read, through a scratch slot if it is far.
    pub(super) fn read(&mut self, slot: u32, slots: u32) -> u16 {
        if slot + slots - 1 <= NEAR_SLOT_MAX {
            return slot as u16;
        }
        let near = self.scratch_slot(slots);
        self.copy_far(near, slot, slots);
        near as u16
    }

    /// A slot an instruction can write for `slot`; after it, [`Code::wrote`] must follow.
    pub(super) fn write(&mut self, slot: u32, slots: u32) -> u16 {
        if slot + slots - 1 <= NEAR_SLOT_MAX {
            return slot as u16;
        }
        self.scratch_slot(slots) as u16
    }

    /// Brings what was written to the near slot `near` to `slot`.
    pub(super) fn wrote(&mut self, near: u16, slot: u32, slots: u32) {
        if slots > 0 && slot + slots - 1 > NEAR_SLOT_MAX {
            self.copy_far(slot, u32::from(near), slots);
        }
    }

    fn copy_far(&mut self, dst: u32, src: u32, slots: u32) {
        match slots {
            1 => self.plain(PlainOp::CopyWide, &[field::lo_hi(dst, src)]),
            n => self.plain(PlainOp::CopySpan, &[field::lo_hi(dst, src), field::lo_hi(n, 0)]),
        };
    }

    /// Copies `slots` slots; ranges that overlap are copied as if at once.
    pub(super) fn copy(&mut self, dst: u32, src: u32, slots: u32) {
        if dst == src {
            return;
        }
        if slots > 2 || dst.max(src) + slots > NEAR_SLOT_MAX {
            self.copy_far(dst, src, slots);
            return;
        }
        let (d, s) = (dst as u16, src as u16);
        match slots {
            1 => match self.last_op() {
                Some((at, OpKind::Plain(PlainOp::Copy))) => {
                    self.words[at] = u64::from(Op::plain(PlainOp::Copy2).0);
                    let first = self.words[at + 1];
                    self.words[at + 1] = field::abcd(field::a(first), field::b(first), d, s);
                }
                _ => {
                    self.plain(PlainOp::Copy, &[field::abcd(d, s, 0, 0)]);
                }
            },
            _ if dst < src => {
                self.plain(PlainOp::Copy2, &[field::abcd(d, s, d + 1, s + 1)]);
            }
            _ => {
                self.plain(PlainOp::Copy2, &[field::abcd(d + 1, s + 1, d, s)]);
            }
        }
    }

    pub(super) fn constant(&mut self, dst: u32, bits: u64) {
        let used = self.scratch_used;
        let near = self.write(dst, 1);
        match u32::try_from(bits) {
            Ok(low) => self.plain(PlainOp::Const32, &[field::ab_hi(near, 0, low)]),
            Err(_) => self.plain(PlainOp::Const64, &[field::abcd(near, 0, 0, 0), bits]),
        };
        self.wrote(near, dst, 1);
        self.scratch_used = used;
    }
}

/// Operands and results.
impl Lower<'_> {
    /// Writes an entry that is a local or a constant to its home slot.
    fn settle_entry(code: &mut Code, layout: &crate::frame::FrameLayout, entry: Entry) {
        match entry.place {
            Place::Home => {}
            Place::Local { index, .. } => {
                code.copy(entry.home, layout.local(index), entry.slots());
            }
            Place::Const(bits) => code.constant(entry.home, bits),
        }
    }

    /// Puts the top `count` operands in their home slots.
    pub(super) fn settle_top(&mut self, count: usize) {
        self.code.store_all_pending();
        let (code, layout) = (&mut self.code, &self.layout);
        self.stack.settle_top(count, |entry| Self::settle_entry(code, layout, entry));
    }

    /// Puts all operands in their home slots.
    pub(super) fn settle_all(&mut self) {
        self.settle_top(self.stack.len());
    }

    /// Puts all operands that still read local `index` in their home slots.
    pub(super) fn settle_readers(&mut self, index: u32) {
        let (code, layout) = (&mut self.code, &self.layout);
        self.stack.take_readers(index, |entry| Self::settle_entry(code, layout, entry));
    }

    /// Where operand `entry`, just popped, is read. An accumulator that held it is free afterwards,
    /// unless it also holds a local.
    pub(super) fn arg(&mut self, entry: Entry) -> Arg {
        match entry.place {
            Place::Const(bits) => Arg::Const(bits),
            Place::Local { index, .. } => {
                let slot = self.layout.local(index);
                match self.held(entry.class) {
                    Some(acc) if acc.slot == slot => Arg::Acc(slot, true),
                    _ => Arg::Slot(slot),
                }
            }
            Place::Home => match self.held(entry.class) {
                Some(acc) if acc.slot == entry.home => {
                    self.code.acc[entry.class as usize] = Acc::EMPTY;
                    Arg::Acc(entry.home, acc.pending == NONE)
                }
                _ => Arg::Slot(entry.home),
            },
        }
    }

    fn held(&self, class: Class) -> Option<Acc> {
        self.code.acc.get(class as usize).copied()
    }

    /// Pops an operand that must be read from a slot, and returns the slot.
    pub(super) fn pop_slot(&mut self) -> u32 {
        let entry = self.stack.pop();
        self.slot_of(entry)
    }

    /// The slot of an operand just popped, writing it there if it is elsewhere.
    pub(super) fn slot_of(&mut self, entry: Entry) -> u32 {
        match entry.place {
            Place::Local { index, .. } => self.layout.local(index),
            Place::Const(bits) => {
                self.code.constant(entry.home, bits);
                entry.home
            }
            Place::Home => {
                if let Some(acc) = self.held(entry.class)
                    && acc.slot == entry.home
                {
                    self.code.store_pending(entry.class);
                    self.code.acc[entry.class as usize] = Acc::EMPTY;
                }
                entry.home
            }
        }
    }

    /// Pops an operand as accumulator or slot; a constant goes to its home slot.
    pub(super) fn pop_src(&mut self) -> (Src, u16) {
        let entry = self.stack.pop();
        self.src_of(entry)
    }

    /// An operand just popped as accumulator or slot; a constant goes to its home slot.
    pub(super) fn src_of(&mut self, entry: Entry) -> (Src, u16) {
        match self.arg(entry) {
            Arg::Acc(..) => (Src::R, 0),
            Arg::Slot(slot) => (Src::S, self.code.read(slot, 1)),
            Arg::Const(bits) => {
                self.code.constant(entry.home, bits);
                (Src::S, self.code.read(entry.home, 1))
            }
        }
    }

    /// Emits an instruction whose result is the new top operand, left in an accumulator.
    pub(super) fn produce(&mut self, op: Op, operands: &[u64], class: Class) {
        let home = self.stack.push(class, Place::Home).home;
        self.code.produce(op, operands, class, home);
    }

    /// Takes back the instruction that made `entry`, just popped, if it is the last and its result is
    /// nowhere but in the accumulator. Gives its op and words.
    pub(super) fn take_back_producer(
        &mut self,
        entry: Entry,
        wanted: impl FnOnce(OpKind) -> bool,
    ) -> Option<(OpKind, u64, u64)> {
        let acc = self.held(entry.class)?;
        if entry.place != Place::Home || acc.slot != entry.home || !self.code.is_last(acc.pending) {
            return None;
        }
        let (at, kind) = self.code.last_op()?;
        if !wanted(kind) {
            return None;
        }
        let word = self.code.words[at + 1];
        let second = self.code.words.get(at + 2).copied().unwrap_or_default();
        self.code.take_back(at, entry.class);
        Some((kind, word, second))
    }

    /// Pops the condition of a branch; a comparison emitted last becomes part of it.
    pub(super) fn pop_cond(&mut self) -> Cond {
        let entry = self.stack.pop();
        let fusible = |kind| match kind {
            OpKind::Bin(op, form, Dst::Acc) => {
                op.branch(true).is_some()
                    && !matches!(form, BinForm::Sr | BinForm::Is | BinForm::Ir)
            }
            OpKind::Un(op, _, Dst::Acc) => matches!(op, UnOp::I32Eqz | UnOp::I64Eqz),
            _ => false,
        };
        match self.take_back_producer(entry, fusible) {
            Some((OpKind::Bin(op, form, _), word, second)) => {
                let imm = match form {
                    BinForm::Si | BinForm::Ri if op.operand().wide() => second,
                    _ => u64::from(field::hi(word)),
                };
                return Cond::Compare(op, form, word, imm);
            }
            Some((OpKind::Un(op, src, _), word, _)) => {
                let arg = match src {
                    Src::R => Arg::Acc(NONE, false),
                    Src::S => Arg::Slot(u32::from(field::b(word))),
                };
                return Cond::Zero { wide: op == UnOp::I64Eqz, arg, when_zero: true };
            }
            _ => {}
        }
        let arg = match self.arg(entry) {
            Arg::Const(bits) => {
                self.code.constant(entry.home, bits);
                Arg::Slot(entry.home)
            }
            arg => arg,
        };
        Cond::Zero { wide: false, arg, when_zero: false }
    }

    /// Emits an instruction that works on home slots: `operands` one-slot operands from the top,
    /// replaced by one-slot results of the given classes. `word` is made from the base slot.
    pub(super) fn based(
        &mut self,
        op: PlainOp,
        operands: usize,
        results: &[Class],
        word: impl FnOnce(u16) -> u64,
    ) {
        self.settle_top(operands);
        let height = self.stack.len() - operands;
        let base = self.stack.home_at(height);
        for _ in 0..operands {
            let entry = self.stack.pop();
            self.arg(entry);
        }
        let slots = operands.max(results.len()).max(1) as u32;
        let near = self.code.write(base, slots);
        if u32::from(near) != base {
            self.code.copy(u32::from(near), base, operands as u32);
        }
        self.code.plain(op, &[word(near)]);
        for &class in results {
            self.stack.push(class, Place::Home);
        }
        self.code.wrote(near, base, results.len() as u32);
    }

    /// Emits an instruction that writes the new top operand to a slot itself.
    pub(super) fn slot_result(&mut self, class: Class, make: impl FnOnce(u16) -> (Op, [u64; 3])) {
        let entry = self.stack.push(class, Place::Home);
        let near = self.code.write(entry.home, entry.slots());
        let (op, words) = make(near);
        self.code.op(op, &words[..op.words() - 1]);
        self.code.wrote(near, entry.home, entry.slots());
    }
}
