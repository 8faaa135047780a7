//! Native code at rest: what a compiler is asked for, what it hands over, and what it may rely on.
//!
//! ```text
//!  Request ──► Compiler::compile ──► NativeCode ──► installed by the runtime, or written to a file
//! ```
//!
//! # Register ABI
//!
//! A function is called with Cranelift's `tail` convention and the signature
//! `(vmctx: i64, register parameters...) -> (register results...)`. Of the parameters, in order, the
//! first [`INT_PARAMS`] that are integers or references and the first [`FLOAT_PARAMS`] that are floats
//! or vectors are register parameters; of the results the first [`INT_RESULTS`] and
//! [`FLOAT_RESULTS`]. All others are passed in the *spill area*, which `Rt::spill` points to: 16
//! bytes for each parameter or result, at its index among all. The callee reads spilled parameters, and
//! the caller spilled results, before anything else can happen. So nothing is ever passed on the native
//! stack, and tail calls are always jumps.
//!
//! References are `i64`: a traced one zero-extended, a function reference an address.
//!
//! A function is entered with the context of its instance. Whoever calls a function that may not be
//! native yet first writes to `VmCtx::callee` *of the callee's context* which it is, the address of its
//! `FuncRecord`, and to `VmCtx::caller` of that context its own context. Exempt are calls of
//! [`RelocTarget::Func`], where the runtime sees to it, and of records with the caller's own context
//! whose code is not `VmCtx::bridge`: that is native.
//!
//! # OSR ABI
//!
//! Code for [`Entry::Loop`] has the signature `(vmctx: i64, fp: i64)`, no results, and takes over a
//! canonical frame at `fp` (see [`crate::frame`]): it finds locals and operands in their home slots
//! and leaves the results of the function from slot 0 on.
//!
//! # What holds while native code runs
//!
//! - Frame pointers: every frame begins with the caller's frame pointer and the return address.
//! - Before anything else a function that calls anything, or whose frame is large, compares the stack
//!   pointer with `Rt::native_limit`; below it, it writes [`callee_of`] its index to `VmCtx::callee` and
//!   jumps to `VmCtx::bridge` with its own parameters, which goes on in the interpreter. (Code for
//!   [`Entry::Loop`] need not look.) No frame is larger than [`FRAME_BYTES_MAX`].
//! - At loop headers, if the engine is interruptible, it loads one of the bytes from where `VmCtx::poll`
//!   points. The load traps with [`Trap::Interrupted`] if the guest shall stop.
//! - Traps are instructions that fault: listed in [`NativeCode::traps`].

use std::fmt;

use dunlin_module::{DefinedFuncIndex, FuncType, Module, ValType};

use crate::{Settings, Trap};

/// Integers and references that are passed in registers, beside the context.
pub const INT_PARAMS: usize = 5;
/// Floats and vectors that are passed in registers.
pub const FLOAT_PARAMS: usize = 8;
/// Integers and references that are returned in registers.
pub const INT_RESULTS: usize = 8;
/// Floats and vectors that are returned in registers.
pub const FLOAT_RESULTS: usize = 8;
/// Bytes of the spill area for each parameter or result.
pub const SPILL_BYTES: u32 = 16;
/// The largest frame of native code: less than what the runtime keeps free below `Rt::native_limit`.
pub const FRAME_BYTES_MAX: u32 = 64 << 10;

/// Where a parameter or a result is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// In the integer register with this number: counted among parameters without the context, and
    /// among results.
    Int(u8),
    /// In the float register with this number.
    Float(u8),
    /// At this offset in the spill area.
    Spilled(u32),
}

/// Where each parameter is.
pub fn params(ty: &FuncType) -> impl Iterator<Item = (ValType, Passed)> {
    assign(&ty.params, INT_PARAMS, FLOAT_PARAMS)
}

/// Where each result is.
pub fn results(ty: &FuncType) -> impl Iterator<Item = (ValType, Passed)> {
    assign(&ty.results, INT_RESULTS, FLOAT_RESULTS)
}

fn assign(
    types: &[ValType],
    ints: usize,
    floats: usize,
) -> impl Iterator<Item = (ValType, Passed)> {
    let (mut int, mut float) = (0, 0);
    types.iter().enumerate().map(move |(index, ty)| {
        let (next, count) = match ty {
            ValType::I32 | ValType::I64 | ValType::Ref(_) => (&mut int, ints),
            ValType::F32 | ValType::F64 | ValType::V128 => (&mut float, floats),
        };
        if *next == count {
            return (*ty, Passed::Spilled(index as u32 * SPILL_BYTES));
        }
        *next += 1;
        let number = (*next - 1) as u8;
        let passed = match ty {
            ValType::F32 | ValType::F64 | ValType::V128 => Passed::Float(number),
            _ => Passed::Int(number),
        };
        (*ty, passed)
    })
}

/// What is written to `VmCtx::callee` for a defined function of the context's own module.
pub const fn callee_of(func: DefinedFuncIndex) -> u64 {
    (func.0 as u64) << 1 | 1
}

/// Where code is entered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Entry {
    /// At its beginning, with the register ABI.
    Function,
    /// At the `loop` at this offset in the module's binary, with the OSR ABI.
    Loop(u32),
}

/// What is to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The module, validated.
    pub module: &'a Module,
    /// The function.
    pub func: DefinedFuncIndex,
    /// Where it is entered.
    pub entry: Entry,
    /// What the code is for.
    pub settings: &'a Settings,
    /// How much it is worth.
    pub effort: Effort,
}

/// How much time, and how much code, a function is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// It is one of many, most of which hardly ever run.
    Some,
    /// It takes time, or is one of few.
    Most,
}

/// Makes native code.
pub trait Compiler: fmt::Debug + Send + Sync {
    /// Compiles one function. The result depends on the request and on [`Compiler::fingerprint`] alone.
    ///
    /// # Errors
    ///
    /// If this function has to stay interpreted.
    fn compile(&self, request: &Request<'_>) -> Result<NativeCode, CompileError>;

    /// Names everything else that the code depends on: the compiler's version, its flags, and the
    /// features of the processor that it uses.
    fn fingerprint(&self) -> &str;
}

/// Why a function stays interpreted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CompileError {
    /// It has what is only interpreted: the name of an instruction, or what else.
    Unsupported(String),
    /// It is larger than what is worth compiling, or its frame would be too large: what, how much.
    TooLarge(&'static str, u64),
    /// The code generator failed.
    Failed(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Unsupported(what) => {
                write!(f, "only interpreted: {what}")
            }
            CompileError::TooLarge(what, size) => write!(f, "too large: {size} {what}"),
            CompileError::Failed(why) => write!(f, "the code generator failed: {why}"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Position-independent code of one function, and what is known of places in it. Offsets are bytes from
/// its beginning, where it is entered.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NativeCode {
    /// The instructions, and constants behind them.
    pub bytes: Vec<u8>,
    /// A power of two, at most 64.
    pub align: u32,
    /// Places to be filled in.
    pub relocs: Vec<Reloc>,
    /// Calls, ascending.
    pub calls: Vec<CallSite>,
    /// Instructions that may fault, ascending.
    pub traps: Vec<TrapSite>,
    /// What the instructions from an offset on were made from, ascending; up to the next.
    pub positions: Vec<(u32, Position)>,
    /// Functions that were inlined: `Position::inlined` less one is an index here.
    pub inlined: Vec<Inlined>,
}

/// A 32-bit distance to be filled in at `offset`, counted from the end of that field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Where.
    pub offset: u32,
    /// To what.
    pub target: RelocTarget,
}

/// What code refers to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RelocTarget {
    /// The entry of a defined function of the same module: its code, or what stands for it.
    Func(DefinedFuncIndex),
}

/// A call of anything: where it returns to, and what the frame is then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSite {
    /// Where the call returns to.
    pub ret: u32,
    /// Bytes from the stack pointer during the call to where the frame pointer points.
    pub frame: u32,
    /// Offsets from that stack pointer of 8-byte places that hold traced references.
    pub roots: Box<[u32]>,
    /// Who catches exceptions that pass the call, in the order in which they are asked.
    pub handlers: Box<[NativeHandler]>,
}

/// A handler of exceptions at a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NativeHandler {
    /// Offset from the stack pointer of the context whose index space `tag` is of.
    pub context: u32,
    /// The tag that is wanted; `None` for all.
    pub tag: Option<u32>,
    /// Where to go on, with the exception reference in the first register for exception payloads.
    pub landing: u32,
}

/// An instruction that may fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrapSite {
    /// The first byte of the instruction.
    pub offset: u32,
    /// What its fault means.
    pub cause: TrapCause,
}

/// What a fault means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrapCause {
    /// This trap.
    Trap(Trap),
    /// The trap in `Rt::trap`, that a builtin left there.
    Raised,
}

/// A place in the source of code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Position {
    /// Offset in the module's binary.
    pub offset: u32,
    /// 0 for the function itself; otherwise one more than an index into [`NativeCode::inlined`].
    pub inlined: u32,
}

/// A function that was inlined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inlined {
    /// Which.
    pub func: DefinedFuncIndex,
    /// The call that it was inlined in place of; in code that may be inlined too, with a smaller index.
    pub call: Position,
}

/// What native code calls of the runtime, by its index in the table that `VmCtx::builtins` points to.
///
/// All have the signature `(vmctx: i64, args: i64, a: i64, b: i64) -> i64` in the convention of System
/// V. `args` is the address of slots of the caller: 8 bytes each, a `v128` takes two; there are operands in
/// them in the order in which the instruction takes them, and results are left from the first on. An
/// `i32` is zero-extended, `f32` by its bits. Builtins that can trap return 0 if they did, with the trap in
/// `Rt::trap`, and the caller then executes an instruction with [`TrapCause::Raised`]. They may collect
/// garbage, unless the opposite is said: what is in `args` is then looked after.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(usize)]
pub enum Builtin {
    /// `memory.grow`; `a` memory.
    MemoryGrow,
    /// `memory.copy`; `a` destination memory, `b` source memory. Does not collect.
    MemoryCopy,
    /// `memory.fill`; `a` memory. Does not collect.
    MemoryFill,
    /// `memory.init`; `a` data segment, `b` memory. Does not collect.
    MemoryInit,
    /// `data.drop`; `a` data segment. Does not trap or collect.
    DataDrop,
    /// `memory.atomic.wait32`; `a` memory, `b` offset.
    Wait32,
    /// `memory.atomic.wait64`; `a` memory, `b` offset.
    Wait64,
    /// `memory.atomic.notify`; `a` memory, `b` offset.
    Notify,
    /// `table.grow`; `a` table.
    TableGrow,
    /// `table.fill`; `a` table. Does not collect.
    TableFill,
    /// `table.copy`; `a` destination table, `b` source table. Does not collect.
    TableCopy,
    /// `table.init`; `a` element segment, `b` table.
    TableInit,
    /// `elem.drop`; `a` element segment. Does not trap or collect.
    ElemDrop,
    /// `ref.func`; `a` function index. Does not trap or collect.
    RefFunc,
    /// Whether function type `a` is a subtype of `b`, both canonical ids: 1 or 0. Does not trap or
    /// collect.
    IsFuncSubtype,
    /// Fuel went below zero: 0 with [`Trap::OutOfFuel`] unless there is more.
    Refuel,
    /// Room for an object of `a` bytes: its reference, or 0 for a trap.
    Allocate,
    /// Object `a` is not young and refers to a young one now. Does not trap or collect.
    Remember,
    /// `array.new`; `a` module type index. Returns the array.
    ArrayNew,
    /// `array.new_default`; as [`Builtin::ArrayNew`].
    ArrayNewDefault,
    /// `array.new_fixed`; `a` module type index, `b` count.
    ArrayNewFixed,
    /// `array.new_data`; `a` module type index, `b` data segment.
    ArrayNewData,
    /// `array.new_elem`; `a` module type index, `b` element segment.
    ArrayNewElem,
    /// `array.fill`; `a` module type index. Does not collect.
    ArrayFill,
    /// `array.copy`; `a` destination, `b` source module type index. Does not collect.
    ArrayCopy,
    /// `array.init_data`; `a` module type index, `b` data segment. Does not collect.
    ArrayInitData,
    /// `array.init_elem`; `a` module type index, `b` element segment.
    ArrayInitElem,
    /// `throw`; `a` tag. Returns only with a trap: a caught exception lands at its handler. Called with
    /// Cranelift's `tail` convention, the one that has handlers; what is passed where is the same.
    Throw,
    /// `throw_ref`. As [`Builtin::Throw`].
    ThrowRef,
}

impl Builtin {
    /// How many there are.
    pub const COUNT: usize = Builtin::ThrowRef as usize + 1;
}
