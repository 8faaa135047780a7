//! Lowering: one validated function body to bytecode, in one pass.
//!
//! The pass keeps a picture of the operand stack ([`stack`]) in which an operand may still be an
//! unread `local.get` or a constant, or a value that so far is only in an accumulator. Reading it so
//! costs no instruction. The picture is made true ([`emit`]) where the frame must be canonical: see
//! [`crate::frame`].
//!
//! | part | what |
//! |---|---|
//! | [`stack`] | the picture of the operand stack |
//! | [`emit`] | words, labels, accumulators, moving values to their home slots |
//! | `control` `call` `numeric` `memory` `table` `simd` `gc` `atomic` | one family of instructions each |
//! | `exception` `continuation` | the same, with control that goes from frame to frame |

mod atomic;
mod call;
mod continuation;
mod control;
mod emit;
mod exception;
mod gc;
mod memory;
mod numeric;
mod simd;
mod stack;
mod table;

use std::collections::HashMap;

use dunlin_module::op::{Operator, ReadError, proposal};
use dunlin_module::{DefinedFuncIndex, Module, Proposal, ValType};

use crate::bytecode::{Bytecode, field};
use crate::frame::{FRAME_SLOTS_MAX, FrameLayout, SCRATCH_BODY_MIN_BYTES};
use crate::fuel;
use crate::object::Storage;
use crate::op::{Op, PlainOp};
use crate::roots::Roots;
use crate::{Settings, Trap};
use control::Control;
use emit::Code;
use exception::OpenHandler;
use stack::{Entry, Stack};

/// Why a function cannot be lowered.
#[derive(Debug)]
pub enum LowerError {
    /// An instruction this version does not execute, by name, and the proposal it came with.
    Unsupported(String, Option<Proposal>),
    /// The frame would have more than [`FRAME_SLOTS_MAX`] slots.
    FrameTooLarge,
    /// The body does not parse; impossible for a validated module.
    Malformed(ReadError),
}

impl LowerError {
    /// What executing the function does.
    pub fn trap(&self) -> Trap {
        match self {
            LowerError::Unsupported(..) => Trap::Unsupported,
            LowerError::FrameTooLarge => Trap::StackOverflow,
            LowerError::Malformed(_) => Trap::Bug,
        }
    }
}

impl std::fmt::Display for LowerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LowerError::Unsupported(op, _) => write!(f, "the instruction `{op}` is not supported"),
            LowerError::FrameTooLarge => {
                write!(f, "the frame would have more than {FRAME_SLOTS_MAX} slots")
            }
            LowerError::Malformed(e) => write!(f, "the body does not parse: {e}"),
        }
    }
}

impl std::error::Error for LowerError {}

impl From<ReadError> for LowerError {
    fn from(e: ReadError) -> LowerError {
        LowerError::Malformed(e)
    }
}

/// Told where each wasm instruction begins in the bytecode.
pub trait Observer {
    /// The instruction at byte `offset` of the module is lowered to words from `word` on.
    #[inline]
    fn instruction(&mut self, _word: usize, _offset: u64) {}

    /// Branches to the `loop` at byte `offset` of the module go to `word`. There may be several loops
    /// for one word, of which the last is the innermost.
    #[inline]
    fn loop_header(&mut self, _word: usize, _offset: u64) {}
}

impl Observer for () {}

/// Lowers function `func` of `module`.
pub fn lower(
    module: &Module,
    func: DefinedFuncIndex,
    settings: &Settings,
) -> Result<Bytecode, LowerError> {
    lower_observed(module, func, settings, &mut ())
}

/// Lowers function `func` of `module`, telling `observer` where its instructions went. The bytecode
/// is the same as without an observer.
pub fn lower_observed(
    module: &Module,
    func: DefinedFuncIndex,
    settings: &Settings,
    observer: &mut impl Observer,
) -> Result<Bytecode, LowerError> {
    lower_trying(module, func, settings, observer, &mut None)
}

/// Lowers function `func` of `module` for the sake of its root map alone.
pub(crate) fn lower_roots(
    module: &Module,
    func: DefinedFuncIndex,
    settings: &Settings,
    roots: Roots,
) -> Result<Roots, LowerError> {
    let mut roots = Some(roots);
    lower_trying(module, func, settings, &mut (), &mut roots)?;
    Ok(roots.unwrap_or_default())
}

fn lower_trying(
    module: &Module,
    func: DefinedFuncIndex,
    settings: &Settings,
    observer: &mut impl Observer,
    roots: &mut Option<Roots>,
) -> Result<Bytecode> {
    if let Some(code) = lower_with(module, func, settings, observer, roots, false)? {
        return Ok(code);
    }
    // A short body whose operands reach far slots: rare enough to find out by trying.
    let code = lower_with(module, func, settings, observer, roots, true)?;
    code.ok_or(LowerError::FrameTooLarge)
}

/// Lowers a function with scratch slots if its size or `scratch` asks for them; `None` if it turned
/// out to need them and had none.
fn lower_with<'m>(
    module: &'m Module,
    func: DefinedFuncIndex,
    settings: &Settings,
    observer: &mut impl Observer,
    roots: &'m mut Option<Roots>,
    scratch: bool,
) -> Result<Option<Bytecode>> {
    let body = module.body(func);
    let ty = module.func_type(module.func_index(func));
    let mut locals = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        locals.push((count, module.val_type(ty)));
    }
    let locals = locals.into_iter().flat_map(|(n, ty)| std::iter::repeat_n(ty, n as usize));
    let scratch = scratch || module.bodies[func.index()].len() > SCRATCH_BODY_MIN_BYTES;
    let layout = FrameLayout::new(ty, locals, scratch);
    if let Some(roots) = roots {
        let traced = |index: &u32| layout.local_type(*index).is_traced();
        roots.set_locals((0..layout.local_count()).filter(traced).map(|i| layout.local(i)));
    }
    let mut lower = Lower {
        module,
        roots: roots.as_mut(),
        settings: *settings,
        results: &ty.results,
        stack: Stack::new(layout.local_count(), layout.operands),
        code: Code::new(layout.scratch),
        layout,
        control: Vec::new(),
        handlers: Vec::new(),
        unreachable: false,
        skipped: 0,
        layouts: HashMap::new(),
        fuel_at: None,
    };
    lower.enter_function();
    let mut reader = body.get_operators_reader()?;
    while !reader.eof() {
        let offset = reader.original_position();
        observer.instruction(lower.code.here(), offset);
        let op = reader.read()?;
        lower.operator(&op)?;
        if let Operator::Loop { .. } = op
            && let Some(word) = lower.loop_word()
        {
            observer.loop_header(word, offset);
        }
    }
    lower.finish()
}

struct Lower<'m> {
    module: &'m Module,
    /// Told where references are at safepoints.
    roots: Option<&'m mut Roots>,
    settings: Settings,
    results: &'m [ValType],
    layout: FrameLayout,
    stack: Stack,
    code: Code,
    control: Vec<Control>,
    /// All handlers so far, by the start of their range.
    handlers: Vec<OpenHandler>,
    /// Whether the code at this point can never run.
    unreachable: bool,
    /// Blocks opened in unreachable code and not closed yet.
    skipped: u32,
    /// Module type index → offset and storage of the fields of a struct, once asked for.
    layouts: HashMap<u32, Box<[(u32, Storage)]>>,
    /// Word of the last fuel instruction, whose cost grows as instructions follow.
    fuel_at: Option<usize>,
}

type Result<T = (), E = LowerError> = std::result::Result<T, E>;

impl<'m> Lower<'m> {
    fn operator(&mut self, op: &Operator<'m>) -> Result {
        if self.unreachable && self.skip(op) {
            return Ok(());
        }
        self.code.begin();
        self.count_fuel(op);
        if self.numeric(op) || self.memory(op) || self.table(op) || self.simd(op) {
            return Ok(());
        }
        if self.control(op)? || self.call(op) || self.gc(op) || self.atomic(op) {
            return Ok(());
        }
        if self.exception(op)? || self.continuation(op) {
            return Ok(());
        }
        let name = format!("{op:?}");
        let name = name.split([' ', '{', '(']).next().unwrap_or_default();
        Err(LowerError::Unsupported(name.to_owned(), proposal(op)))
    }

    /// The instruction from word `at` to here may collect garbage: all traced references among the
    /// operands are in their home slots or in those of locals.
    fn safepoint(&mut self, at: usize) {
        if let Some(roots) = &mut self.roots {
            let (kept, above) = self.stack.changed();
            let slot = |entry: &Entry| entry.is_root().then_some(entry.home);
            roots.safepoint(at, self.code.here(), kept, above.iter().map(slot));
        }
    }

    fn begin_fuel(&mut self) {
        if self.settings.fuel {
            self.fuel_at = Some(self.code.here() + 1);
            self.code.op(Op::plain(PlainOp::Fuel), &[field::ab_hi(0, 0, 0)]);
        }
    }

    fn charge_for_locals(&mut self) {
        if let Some(at) = self.fuel_at {
            let cost = fuel::locals_cost(self.layout.local_slots);
            self.code.words[at] = field::ab_hi(0, 0, cost);
        }
    }

    fn count_fuel(&mut self, op: &Operator<'_>) {
        if let Some(at) = self.fuel_at {
            let word = &mut self.code.words[at];
            *word = field::ab_hi(0, 0, field::hi(*word).saturating_add(fuel::cost(op)));
        }
    }

    fn finish(mut self) -> Result<Option<Bytecode>> {
        let frame_slots = self.stack.slots_max() + 4;
        if frame_slots > FRAME_SLOTS_MAX {
            return Err(LowerError::FrameTooLarge);
        }
        if self.code.far_without_scratch {
            return Ok(None);
        }
        self.code.finish();
        let handlers = self.handlers.into_iter();
        Ok(Some(Bytecode {
            handlers: handlers.map(|handler| handler.finish(&self.code)).collect(),
            words: self.code.words,
            frame_slots,
            header_slot: self.layout.header,
            zero_slots: self.layout.local_slots,
        }))
    }
}
