//! Translation: one validated function body to CLIF, in one pass.
//!
//! The pass keeps the operand stack as CLIF values ([`stack`]), locals are variables of the frontend, which
//! makes SSA of them. Nothing recurses: nesting is the control stack ([`control`]).
//!
//! | part | what |
//! |---|---|
//! | [`stack`] | operands, locals, types |
//! | [`access`] | loads and stores of the runtime's own structures, and which of them alias |
//! | [`abi`] | signatures, entry, return |
//! | [`trap`] [`builtin`] | conditional traps, calls of the runtime |
//! | [`fuel`] | fuel, interruption, the native stack's end |
//! | [`osr`] | entry at a loop |
//! | `inline` | functions in place of calls of them |
//! | [`dispatch`] | indirect calls of functions that are known |
//! | [`unroll`] | bodies of loops several times |
//! | `numeric` `memory` `table` `simd` `control` `call` `gc` `atomic` `exception` | one family of instructions each, as in lowering |

mod abi;
mod access;
mod atomic;
mod builtin;
mod call;
mod control;
mod dispatch;
mod exception;
mod fuel;
mod gc;
mod inline;
mod memory;
mod numeric;
mod osr;
mod simd;
mod stack;
mod survey;
mod table;
mod trap;
mod unroll;

use std::collections::HashMap;
use std::rc::Rc;

use cranelift_codegen::ir::{Block, FuncRef, Function, Inst, SigRef, SourceLoc, StackSlot, Value};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use dunlin_code::layout::ContextLayout;
use dunlin_code::native::{CompileError, Effort, Entry, Inlined, Position, Request};
use dunlin_code::object::Storage;
use dunlin_code::{Settings, frame::FrameLayout};
use dunlin_module::op::{Operator, OperatorsReader, ReadError};
use dunlin_module::{DefinedFuncIndex, FuncType, Module};

use crate::inline::Inlining;
use crate::limits::Work;
use control::Control;
use dispatch::Dispatch;
use stack::{Local, Operand};
use survey::Survey;
use unroll::Unrolled;

type Result<T = (), E = CompileError> = std::result::Result<T, E>;

/// What is known of a translated function besides its CLIF.
#[derive(Debug)]
pub(crate) struct Translated {
    /// Source locations are indices here.
    pub(crate) positions: Vec<Position>,
    /// See [`NativeCode::inlined`](dunlin_code::native::NativeCode::inlined).
    pub(crate) inlined: Vec<Inlined>,
    /// Whether it looks at the native stack's end before anything else.
    pub(crate) checks_stack: bool,
}

/// How to translate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Whether to look at the native stack's end though nothing is called.
    pub(crate) check_stack: bool,
    /// Whether calls may be inlined.
    pub(crate) inline: bool,
}

/// Translates what is requested into `func`.
pub(crate) fn translate(
    request: &Request<'_>,
    config: TargetFrontendConfig,
    func: &mut Function,
    builder: &mut FunctionBuilderContext,
    options: Options,
) -> Result<Translated> {
    let module = request.module;
    let mut work = Work::begin(module.bodies[request.func.index()].len())?;
    let survey = survey::survey(module, request.func, &mut work)?;
    if request.entry != Entry::Function && survey.tail_calls {
        // A tail call would have to leave a frame that is not native.
        return Err(CompileError::Unsupported("tail call in a loop that is entered".to_owned()));
    }
    let body_bytes = module.bodies[request.func.index()].len();
    let calls = survey.calls;
    let mut translator = Translator {
        module,
        survey,
        unrolled: None,
        settings: *request.settings,
        entry: request.entry,
        effort: request.effort,
        layout: ContextLayout::new(module),
        body: Body::new(module, request.func)?,
        callers: Vec::new(),
        inlining: if options.inline {
            Inlining::new(body_bytes, request.effort)
        } else {
            Inlining::none()
        },
        dispatches: Vec::new(),
        b: FunctionBuilder::new(func, builder),
        vmctx: Value::from_u32(0),
        stack: Vec::new(),
        control: Vec::new(),
        traced_locals: 0,
        unreachable: false,
        skipped: 0,
        positions: Vec::new(),
        inlined: Vec::new(),
        work,
        layouts: HashMap::new(),
        polls: 0,
        signatures: HashMap::new(),
        functions: HashMap::new(),
        builtin_signature: None,
        throw_signature: None,
        handlers: Vec::new(),
        landings: Vec::new(),
        try_parts: HashMap::new(),
        args: None,
        osr_operands: None,
    };
    let checks_stack = request.entry == Entry::Function && (calls || options.check_stack);
    translator.begin(checks_stack)?;
    translator.instructions()?;
    let (positions, inlined) = translator.finish(config)?;
    Ok(Translated { positions, inlined, checks_stack })
}

struct Translator<'a, 'm> {
    module: &'m Module,
    settings: Settings,
    entry: Entry,
    effort: Effort,
    survey: Survey,
    layout: ContextLayout,
    /// What is translated now.
    body: Body<'m>,
    /// What it is inlined in, the outermost first.
    callers: Vec<Body<'m>>,
    inlining: Inlining,
    /// Indirect calls whose arms are translated, the outermost first.
    dispatches: Vec<Dispatch>,
    b: FunctionBuilder<'a>,
    /// The context of the function's instance.
    vmctx: Value,
    stack: Vec<Operand>,
    control: Vec<Control>,
    /// The innermost open loop, if its body is translated several times.
    unrolled: Option<Unrolled<'m>>,
    /// How many locals are references that the collector follows.
    traced_locals: usize,
    /// Whether the code at this point can never run.
    unreachable: bool,
    /// Blocks opened in unreachable code and not closed yet.
    skipped: u32,
    positions: Vec<Position>,
    inlined: Vec<Inlined>,
    work: Work,
    /// Module type index → offset and storage of the fields of a struct, once asked for.
    layouts: HashMap<u32, Rc<[(u32, Storage)]>>,
    /// How many places look for interruption.
    polls: u32,
    /// Module type index → signature.
    signatures: HashMap<u32, SigRef>,
    functions: HashMap<DefinedFuncIndex, FuncRef>,
    builtin_signature: Option<SigRef>,
    throw_signature: Option<SigRef>,
    /// Of all blocks so far whose exceptions are caught.
    handlers: Vec<exception::Handler>,
    /// Blocks that exceptions lead to, once a call may throw one.
    landings: Vec<Option<Block>>,
    /// Where a `try` is → what follows its body; of the functions in which one was met.
    try_parts: HashMap<u32, exception::TryParts>,
    /// Slots for operands and results of builtins, and how many.
    args: Option<(StackSlot, u32)>,
    /// Where operands are read from the frame, until the loop that is entered is met.
    osr_operands: Option<Block>,
}

/// A function whose instructions are translated: the one that is compiled, or one inlined in it.
struct Body<'m> {
    func: DefinedFuncIndex,
    ty: &'m FuncType,
    reader: OperatorsReader<'m>,
    /// Where the current instruction is in the module's binary.
    operator_at: u32,
    /// See [`Position::inlined`].
    inlined: u32,
    locals: Vec<Local>,
    /// Where its operands begin on the stack, and its blocks, the first of which is itself.
    stack_base: usize,
    control_base: usize,
    /// The interpreter's frame, where it matters: see `osr`.
    frame: Option<FrameLayout>,
    /// Slots of that frame.
    frame_slots: u32,
    /// Where the interpreter's frame is or, in the deterministic profile, would be.
    frame_base: Option<Value>,
    /// The constant that is the cost of the current stretch, and the cost so far.
    fuel: Option<(Inst, u32)>,
}

impl<'m> Body<'m> {
    fn new(module: &'m Module, func: DefinedFuncIndex) -> Result<Body<'m>> {
        Ok(Body {
            func,
            ty: module.func_type(module.func_index(func)),
            reader: module.body(func).get_operators_reader().map_err(malformed)?,
            operator_at: module.bodies[func.index()].start,
            inlined: 0,
            locals: Vec::new(),
            stack_base: 0,
            control_base: 0,
            frame: None,
            frame_slots: 0,
            frame_base: None,
            fuel: None,
        })
    }
}

impl<'m> Translator<'_, 'm> {
    /// Translates the instructions of the body, and of those inlined in it.
    fn instructions(&mut self) -> Result {
        while !self.body.reader.eof() {
            self.body.operator_at = self.body.reader.original_position() as u32;
            let op = self.body.reader.read().map_err(malformed)?;
            // What ends an inlined body makes the caller's the current one.
            self.operator(&op)?;
        }
        Ok(())
    }

    fn operator(&mut self, op: &Operator<'m>) -> Result {
        if self.unreachable && self.skip(op) {
            return Ok(());
        }
        self.work.operator()?;
        Work::values(self.b.func.dfg.num_values())?;
        self.place();
        self.count_fuel(op);
        if self.numeric(op)? || self.memory(op)? || self.table(op)? || self.simd(op)? {
            return Ok(());
        }
        if self.control(op)? || self.call(op)? || self.gc(op)? || self.atomic(op)? {
            return Ok(());
        }
        if self.exception(op)? {
            return Ok(());
        }
        let name = format!("{op:?}");
        let name = name.split([' ', '{', '(']).next().unwrap_or_default();
        Err(CompileError::Unsupported(name.to_owned()))
    }

    /// The current instruction.
    fn position(&self) -> Position {
        Position { offset: self.body.operator_at, inlined: self.body.inlined }
    }

    /// What follows is made from the current instruction.
    fn place(&mut self) {
        let position = self.position();
        if self.positions.last() != Some(&position) {
            self.positions.push(position);
        }
        self.b.set_srcloc(SourceLoc::new(self.positions.len() as u32 - 1));
    }

    fn finish(mut self, config: TargetFrontendConfig) -> Result<(Vec<Position>, Vec<Inlined>)> {
        if self.osr_operands.is_some() {
            return Err(CompileError::Unsupported("a loop that never runs".to_owned()));
        }
        self.end_fuel();
        self.b.seal_all_blocks();
        self.b.finalize(config);
        Ok((self.positions, self.inlined))
    }
}

fn malformed(error: ReadError) -> CompileError {
    CompileError::Failed(format!("the body does not parse: {error}"))
}
