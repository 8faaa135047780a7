//! The bytecode checker: proves of a lowered function what handlers take for granted.
//!
//! It knows only the op table and the frame, not how lowering works. Checked is that instructions
//! follow each other without gap, that every branch lands on one, that control cannot run off the
//! end, that every slot named lies inside the frame, that nothing but entry and return touches the
//! frame header, and that ranges of handlers nest and lead outwards. Debug builds check every function
//! before it is published.

use crate::bytecode::{
    Bytecode, Handler, RESUME_HANDLER_WORDS, SWITCH, br_table_words, field, table_words,
};
use crate::frame::HEADER_SLOTS;
use crate::op::{
    AddrForm, BinForm, BrForm, CastTarget, Class, Dst, FusedForm, Op, OpKind, PlainOp, SimdShape,
    Src, StepForm, StoreForm,
};

/// What is wrong with a function, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckError {
    /// The word of the instruction.
    pub word: usize,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for CheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bytecode word {}: {}", self.word, self.message)
    }
}

/// Checks the code of one function.
///
/// # Errors
///
/// The first instruction that breaks a rule.
pub fn check(code: &Bytecode) -> Result<(), CheckError> {
    let mut starts = vec![false; code.words.len()];
    let mut at = 0;
    let mut last = None;
    while at < code.words.len() {
        let fail = |message: String| CheckError { word: at, message };
        let number = code.words[at];
        let op = u16::try_from(number).map(Op).map_err(|_| fail(format!("opcode {number:#x}")))?;
        let kind = op.kind().ok_or_else(|| fail(format!("opcode {number:#x}")))?;
        let words = op.words();
        if at + words > code.words.len() {
            return Err(fail(format!("{kind:?} is cut off")));
        }
        let words = words + table_words(op, &code.words[at..]);
        if at + words > code.words.len() {
            return Err(fail(format!("the table of {kind:?} is cut off")));
        }
        starts[at] = true;
        last = Some((at, kind));
        at += words;
    }
    match last {
        Some((_, kind)) if leaves(kind) => {}
        Some((word, kind)) => {
            return Err(CheckError { word, message: format!("{kind:?} runs off the end") });
        }
        None => return Err(CheckError { word: 0, message: "no instructions".to_owned() }),
    }
    let mut checker = Checker { code, starts: &starts, at: 0, error: None };
    for (at, op) in code.ops() {
        checker.at = at;
        if let Some(kind) = op.kind() {
            checker.instruction(kind);
        }
        if let Some(error) = checker.error.take() {
            return Err(error);
        }
    }
    for (at, handler) in code.handlers.iter().enumerate() {
        checker.at = handler.words.start as usize;
        checker.handler(at, handler);
    }
    checker.error.map_or(Ok(()), Err)
}

/// Whether control never reaches the instruction behind.
fn leaves(kind: OpKind) -> bool {
    use PlainOp::*;
    matches!(
        kind,
        OpKind::Plain(
            Trap | BrFwd
                | BrBack
                | BrTableR
                | BrTableS
                | Return
                | ReturnIntR
                | ReturnIntS
                | ReturnF32R
                | ReturnF32S
                | ReturnF64R
                | ReturnF64S
                | ReturnSpan
                | ReturnCall
                | ReturnCallImport
                | ReturnCallIndirect
                | ReturnCallRef
                | Throw
                | ThrowRef
                | ContReturn
                | EnterNative
                | Look
                | Exit
        )
    )
}

struct Checker<'a> {
    code: &'a Bytecode,
    starts: &'a [bool],
    at: usize,
    error: Option<CheckError>,
}

impl Checker<'_> {
    fn word(&self, n: usize) -> u64 {
        self.code.words[self.at + n]
    }

    fn fail(&mut self, message: String) {
        self.error.get_or_insert(CheckError { word: self.at, message });
    }

    /// Slots that are read or written.
    fn slots(&mut self, first: impl Into<u32>, count: u32) {
        let first = first.into();
        if count == 0 {
            return;
        }
        let end = u64::from(first) + u64::from(count);
        if end > u64::from(self.code.frame_slots) {
            self.fail(format!("slots {first}..{end} of {}", self.code.frame_slots));
        }
        let header = self.code.header_slot;
        let below = end <= u64::from(header);
        if !below && first < header + HEADER_SLOTS {
            self.fail(format!("slots {first}..{end} touch the header at {header}"));
        }
    }

    fn target(&mut self, offset: u32) {
        let target = self.at as i64 + i64::from(offset as i32);
        let lands = usize::try_from(target).ok().and_then(|t| self.starts.get(t));
        if lands != Some(&true) {
            self.fail(format!("branches to word {target}, which is no instruction"));
        }
    }

    fn header(&mut self, header: u32) {
        if header != self.code.header_slot {
            self.fail(format!("header at {header}, not {}", self.code.header_slot));
        }
    }

    fn instruction(&mut self, kind: OpKind) {
        let word = if matches!(kind, OpKind::Plain(PlainOp::Exit)) { 0 } else { self.word(1) };
        let (a, b, c, d) = (field::a(word), field::b(word), field::c(word), field::d(word));
        let dst = |checker: &mut Self, dst: Dst| {
            if dst == Dst::Slot {
                checker.slots(a, 1);
            }
        };
        match kind {
            OpKind::Bin(_, form, to) => {
                dst(self, to);
                match form {
                    BinForm::Ss => (self.slots(b, 1), self.slots(c, 1)).0,
                    BinForm::Rs => self.slots(c, 1),
                    BinForm::Sr | BinForm::Si | BinForm::Is => self.slots(b, 1),
                    BinForm::Ri | BinForm::Ir => {}
                }
            }
            OpKind::Un(_, src, to) => {
                dst(self, to);
                if src == Src::S {
                    self.slots(b, 1);
                }
            }
            OpKind::Br(_, form, _) => {
                match form {
                    BrForm::Ss => (self.slots(a, 1), self.slots(b, 1)).0,
                    BrForm::Rs => self.slots(b, 1),
                    BrForm::Si => self.slots(a, 1),
                    BrForm::Ri => {}
                }
                self.target(field::hi(word));
            }
            OpKind::Load(_, addr, to) => {
                dst(self, to);
                if !matches!(addr, AddrForm::R | AddrForm::Rs | AddrForm::Ri) {
                    self.slots(b, 1);
                }
                if matches!(addr, AddrForm::Ss | AddrForm::Rs) {
                    self.slots(c, 1);
                }
            }
            OpKind::Store(_, form) => {
                if matches!(form, StoreForm::Ss | StoreForm::Sr | StoreForm::Si | StoreForm::G) {
                    self.slots(a, 1);
                }
                if matches!(form, StoreForm::Ss | StoreForm::Rs | StoreForm::G) {
                    self.slots(b, 1);
                }
            }
            OpKind::Step(_, form) => {
                self.slots(a, 1);
                self.slots(b, 1);
                if form == StepForm::S {
                    self.slots(field::hi(self.word(2)), 1);
                }
                self.target(field::hi(word));
            }
            OpKind::Fused(_, form, to) => {
                dst(self, to);
                if form == FusedForm::Sss {
                    self.slots(b, 1);
                }
                self.slots(c, 1);
                self.slots(d, 1);
            }
            OpKind::Select(class, src, to) => {
                if class == Class::Vec {
                    self.fail("a vector is selected as a scalar".to_owned());
                }
                dst(self, to);
                if src == Src::S {
                    self.slots(b, 1);
                }
                self.slots(c, 1);
                self.slots(d, 1);
            }
            OpKind::FieldGet(_, src, to) => {
                dst(self, to);
                if src == Src::S {
                    self.slots(b, 1);
                }
            }
            OpKind::FieldSet(_, src) => {
                self.slots(a, 1);
                if src == Src::S {
                    self.slots(b, 1);
                }
            }
            OpKind::ElemGet(_, src, to) => {
                dst(self, to);
                self.slots(b, 1);
                if src == Src::S {
                    self.slots(c, 1);
                }
            }
            OpKind::ElemSet(_, src) => {
                self.slots(a, 1);
                self.slots(b, 1);
                if src == Src::S {
                    self.slots(c, 1);
                }
            }
            OpKind::Simd(op) => self.vector(op.shape(), [a, b, c, d]),
            OpKind::Atomic(op) => self.slots(a, op.shape().operands() as u32),
            OpKind::Plain(op) => self.plain(op, word),
        }
    }

    fn vector(&mut self, shape: SimdShape, [a, b, c, d]: [u16; 4]) {
        use SimdShape::*;
        // How many slots each of a, b, c, d names; 0 for what is no slot.
        let sizes = match shape {
            Un => [2, 2, 0, 0],
            Bin | Shuffle => [2, 2, 2, 0],
            Ter => [2, 2, 2, 2],
            Shift | ReplaceU32 | ReplaceU64 | ReplaceF32 | ReplaceF64 => [2, 2, 1, 0],
            SplatU32 | SplatU64 | SplatF32 | SplatF64 | Load | Store | StoreLane => [2, 1, 0, 0],
            Test | ExtractU32 | ExtractU64 | ExtractF32 | ExtractF64 => [1, 2, 0, 0],
            LoadLane => [2, 1, 0, 2],
        };
        for (slot, size) in [a, b, c, d].into_iter().zip(sizes) {
            self.slots(slot, size);
        }
    }

    fn plain(&mut self, op: PlainOp, word: u64) {
        use PlainOp::*;
        let (a, b, c, d) = (field::a(word), field::b(word), field::c(word), field::d(word));
        let (lo, hi) = (field::lo(word), field::hi(word));
        match op {
            EnterNative | Look => self.fail("this is in published code only".into()),
            Trap | Fuel | DataDrop | ElemDrop | AtomicFence | Exit | ContReturn => {}
            GlobalGetInt | GlobalGetF32 | GlobalGetF64 | CanonF32 | CanonF64 => {}
            GlobalSetInt | GlobalSetF32 | GlobalSetF64 => {}
            BrFwd | BrBack => self.target(hi),
            BrTableR | BrTableS => {
                if op == BrTableS {
                    self.slots(a, 1);
                }
                for entry in 0..=hi as usize {
                    let pair = self.word(2 + entry / 2);
                    let offset = if entry % 2 == 0 { field::lo(pair) } else { field::hi(pair) };
                    self.target(offset);
                }
                debug_assert!(br_table_words(hi) > 0);
            }
            Copy => (self.slots(a, 1), self.slots(b, 1)).0,
            Copy2 => {
                for slot in [a, b, c, d] {
                    self.slots(slot, 1);
                }
            }
            CopyWide => (self.slots(lo, 1), self.slots(hi, 1)).0,
            CopySpan => {
                let count = field::lo(self.word(2));
                self.slots(lo, count);
                self.slots(hi, count);
            }
            Const32 | Const64 | RefFunc | RefAsNonNull => self.slots(a, 1),
            ConstVec | GlobalGetVec | GlobalSetVec => self.slots(a, 2),
            SpillInt | SpillF32 | SpillF64 => self.slots(lo, 1),
            GlobalGetIntSlot | GlobalGetF32Slot | GlobalGetF64Slot | GlobalSet | CanonF32Slot
            | CanonF64Slot => self.slots(a, 1),
            CanonF32x4 | CanonF64x2 => (self.slots(a, 2), self.slots(b, 2)).0,
            Call | CallImport => self.slots(hi, 0),
            CallIndirectR => self.slots(hi, 0),
            CallIndirectS | CallRef => (self.slots(a, 1), self.slots(hi, 0)).0,
            ReturnCall | ReturnCallImport => self.tail(hi, self.word(2)),
            ReturnCallIndirect => {
                self.slots(a, 1);
                self.tail(hi, self.word(3));
            }
            ReturnCallRef => {
                self.slots(a, 1);
                self.tail(hi, self.word(2));
            }
            Throw => self.slots(hi, field::lo(self.word(2))),
            ThrowRef => self.slots(hi, 1),
            ContNew => self.slots(a, 1),
            ContBind => self.slots(lo, hi.saturating_add(1)),
            Suspend => self.slots(hi, field::lo(self.word(2))),
            Switch => self.slots(hi, field::lo(self.word(2)).saturating_add(1)),
            Resume | ResumeThrow | ResumeThrowRef => self.resume(word),
            Return | ReturnIntR | ReturnF32R | ReturnF64R => self.header(hi),
            ReturnIntS | ReturnF32S | ReturnF64S => {
                self.slots(a, 1);
                self.header(hi);
            }
            ReturnSpan => {
                self.slots(lo, hi);
                self.header(field::lo(self.word(2)));
            }
            MemorySize | MemoryGrow | TableGet | TableSize => self.slots(a, 1),
            TableSet | TableGrow => self.slots(a, 2),
            MemoryAtomicNotify => self.slots(a, 2),
            MemoryAtomicWait32 | MemoryAtomicWait64 => self.slots(a, 3),
            MemoryFill | MemoryCopy | MemoryInit | TableFill | TableCopy | TableInit => {
                self.slots(a, 3);
            }
            StructNew | StructNewDefault | ArrayNewDefault => self.slots(hi, 1),
            ArrayNew | ArrayNewData | ArrayNewElem => self.slots(hi, 2),
            ArrayNewFixed => self.slots(hi, field::lo(self.word(2)).max(1)),
            ArrayFill | ArrayInitData | ArrayInitElem => self.slots(hi, 4),
            ArrayCopy => self.slots(hi, 5),
            StructGetVec => (self.slots(a, 2), self.slots(b, 1)).0,
            StructGetFunc | StructSetFunc => (self.slots(a, 1), self.slots(b, 1)).0,
            StructSetVec => (self.slots(a, 1), self.slots(b, 2)).0,
            ArrayLen => self.slots(b, 1),
            ArrayLenSlot => (self.slots(a, 1), self.slots(b, 1)).0,
            ArrayGetVec | ArraySetVec | ArrayGetFunc | ArraySetFunc => {
                self.slots(a, if op == ArrayGetVec { 2 } else { 1 });
                self.slots(b, 1);
                self.slots(c, if op == ArraySetVec { 2 } else { 1 });
            }
            RefTest | RefTestSlot | RefCast => {
                if op != RefTest {
                    self.slots(a, 1);
                }
                if op != RefCast {
                    self.slots(b, 1);
                }
                let target = field::lo(self.word(2));
                if CastTarget::decode(target).is_none() {
                    self.fail(format!("cast target {target:#x}"));
                }
            }
            SelectVec => {
                self.slots(a, 2);
                self.slots(b, 1);
                self.slots(c, 2);
                self.slots(d, 2);
            }
            I64Add128 | I64Sub128 => self.slots(a, 4),
            I64MulWideS | I64MulWideU => self.slots(a, 2),
        }
    }

    /// Handler number `at`.
    fn handler(&mut self, at: usize, handler: &Handler) {
        let Handler { words, outer, next, clauses } = handler;
        let all = &self.code.handlers;
        if words.start > words.end || words.end as usize > self.code.words.len() {
            self.fail(format!("handler {at}: words {words:?} of {}", self.code.words.len()));
        }
        if at > 0 && all[at - 1].words.start > words.start {
            self.fail(format!("handler {at} begins before the one before it"));
        }
        for around in [outer, next].into_iter().flatten() {
            let before = all[..at].get(*around as usize).map(|around| &around.words);
            if !before.is_some_and(|b| b.start <= words.start && words.end <= b.end) {
                self.fail(format!("handler {at}: handler {around} is not around it"));
            }
        }
        for clause in clauses {
            self.slots(clause.payload, clause.payload_slots);
            if let Some(slot) = clause.reference {
                self.slots(slot, 1);
            }
            let target = clause.target as usize;
            // A loop may begin where the block in it does.
            let inside = words.contains(&clause.target) && clause.target != words.start;
            if inside || !self.starts.get(target).is_some_and(|at| *at) {
                self.fail(format!("handler {at} goes on at word {target}"));
            }
        }
    }

    /// A `resume` with arguments and a continuation at the slots in `word`.
    fn resume(&mut self, word: u64) {
        let base = field::lo(word);
        self.slots(base, field::hi(word).saturating_add(1));
        self.slots(base, field::hi(self.word(2)));
        for at in 0..field::lo(self.word(3)) as usize {
            let word = 4 + RESUME_HANDLER_WORDS * at;
            let (first, second) = (self.word(word), self.word(word + 1));
            if field::hi(second) != SWITCH {
                self.target(field::hi(first));
                self.slots(field::hi(second), 1);
            }
        }
    }

    /// A tail call: arguments from slot `base`, then argument slots and header in `frame`.
    fn tail(&mut self, base: u32, frame: u64) {
        self.slots(base, field::lo(frame));
        self.header(field::hi(frame));
    }
}
