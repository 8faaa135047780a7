//! Adapters as a core module.

use dunlin_engine::{Error, FuncType};
use wasm_encoder::{
    BlockType, Catch, CodeSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalType, ImportSection, InstructionSink, Module, NameSection, TypeSection,
    ValType,
};

use crate::call::escaped;
use crate::flags::{ENTERED, IDLE, MAY_LEAVE, cannot_enter, cannot_leave};
use crate::plan::{FuncPlan, Op, Plan, Plans};
use crate::state::bug;

/// What an adapter has to do. Instances are numbered as the module imports their flags.
pub(crate) struct Adapter {
    /// The signature of both core functions.
    pub(crate) ty: FuncType,
    /// What becomes of parameters, and of the result.
    pub(crate) params: Box<[Pass]>,
    pub(crate) result: Option<Pass>,
    pub(crate) caller: u32,
    pub(crate) callee: u32,
    /// What the call enters: the callee, and those around it that are not around the caller.
    pub(crate) enter: Box<[u32]>,
    /// Whether the callee is told that its result was read.
    pub(crate) post_return: bool,
}

/// What becomes of a number that passes from one guest to another (`CanonicalABI.md`, "Flat Lifting").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// Nothing.
    As,
    /// 0 or 1.
    Bool,
    /// So many bits of it, the sign among them.
    Signed(u32),
    /// These bits of it.
    Masked(u32),
    /// It is a Unicode scalar value.
    Char,
    /// It is less.
    Below(u32),
}

/// What the function that adapters call if they cannot go on is told.
#[derive(Clone, Copy)]
enum Failure {
    CannotLeave,
    CannotEnter,
    Char,
    Case,
    Exception,
}

/// The names under which a module of adapters imports what is not a callee, and what follows one.
pub(crate) const FAIL: &str = "fail";
pub(crate) const FLAGS: &str = "flags";
pub(crate) const CALLEE: &str = "callee";
pub(crate) const POST_RETURN: &str = "post-return";

/// What a function's parameters and its result pass as, if all are numbers that need no more.
pub(crate) fn passes(plans: &Plans, plan: &FuncPlan) -> Option<(Box<[Pass]>, Option<Pass>)> {
    if plan.spills_params() || plan.spills_result() {
        return None;
    }
    let mut params = Vec::new();
    add_passes(plans, &plan.params, &mut params)?;
    let mut result = Vec::new();
    if let Some(id) = plan.result {
        add_passes(plans, plans.value(id), &mut result)?;
    }
    Some((params.into(), result.first().copied()))
}

fn add_passes(plans: &Plans, plan: &Plan, passes: &mut Vec<Pass>) -> Option<()> {
    passes.push(match &plan.op {
        Op::S32 | Op::U32 | Op::S64 | Op::U64 | Op::F32 | Op::F64 => Pass::As,
        Op::Bool => Pass::Bool,
        Op::S8 => Pass::Signed(8),
        Op::S16 => Pass::Signed(16),
        Op::U8 => Pass::Masked(0xff),
        Op::U16 => Pass::Masked(0xffff),
        Op::Char => Pass::Char,
        Op::Flags(32) => Pass::As,
        Op::Flags(count) => Pass::Masked((1 << count.min(&31)) - 1),
        Op::Variant(cases) if plan.flat == 1 => Pass::Below(cases.cases.len() as u32),
        Op::Record(fields) => {
            return fields.iter().try_for_each(|f| add_passes(plans, plans.value(f.plan), passes));
        }
        Op::FixedList(id, count) => {
            let element = plans.value(*id);
            return (0..*count).try_for_each(|_| add_passes(plans, element, passes));
        }
        _ => return None,
    });
    Some(())
}

/// Why an adapter could not go on, from what it says.
#[cold]
pub(crate) fn failure(number: u64) -> Error {
    const ALL: [(Failure, fn() -> Error); 5] = [
        (Failure::CannotLeave, cannot_leave),
        (Failure::CannotEnter, cannot_enter),
        (Failure::Char, crate::abi::bad_char),
        (Failure::Case, crate::abi::bad_tag),
        (Failure::Exception, escaped),
    ];
    let known = ALL.into_iter().find(|(failure, _)| *failure as u64 == number);
    known.map_or_else(bug, |(_, error)| error())
}

/// A module with all these adapters, exported by their numbers. It imports [`FAIL`], the [`FLAGS`] of so many
/// instances, and for each adapter [`CALLEE`] and, if there is one, [`POST_RETURN`].
pub(crate) fn module(instances: u32, adapters: &[Adapter], exceptions: bool) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    types.ty().function([ValType::I32], []);
    imports.import("", FAIL, EntityType::Function(0));
    for _ in 0..instances {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        imports.import("", FLAGS, EntityType::Global(ty));
    }
    let mut imported = 1;
    let mut bodies = Vec::new();
    for adapter in adapters {
        let ty = types.len();
        types.ty().function(core_types(&adapter.ty.params), core_types(&adapter.ty.results));
        imports.import("", CALLEE, EntityType::Function(ty));
        let (callee, mut post_return) = (imported, None);
        imported += 1;
        if adapter.post_return {
            types.ty().function(core_types(&adapter.ty.results), []);
            imports.import("", POST_RETURN, EntityType::Function(ty + 1));
            post_return = Some(imported);
            imported += 1;
        }
        functions.function(ty);
        bodies.push((adapter, callee, post_return));
    }
    for (i, (adapter, callee, post_return)) in bodies.into_iter().enumerate() {
        exports.export(&i.to_string(), ExportKind::Func, imported + i as u32);
        let mut body = Function::new(core_types(&adapter.ty.results).map(|ty| (1, ty)));
        Body { out: body.instructions(), adapter, callee, post_return, exceptions }.write();
        code.function(&body);
    }
    let mut names = NameSection::new();
    names.module("adapters");
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
    module.section(&names);
    module.finish()
}

fn core_types(types: &[dunlin_engine::ValType]) -> impl ExactSizeIterator<Item = ValType> {
    types.iter().map(|ty| match ty {
        dunlin_engine::ValType::I64 => ValType::I64,
        dunlin_engine::ValType::F32 => ValType::F32,
        dunlin_engine::ValType::F64 => ValType::F64,
        // What passes is one of the four.
        _ => ValType::I32,
    })
}

/// The body of an adapter that is being written.
struct Body<'a> {
    out: InstructionSink<'a>,
    adapter: &'a Adapter,
    callee: u32,
    post_return: Option<u32>,
    exceptions: bool,
}

impl Body<'_> {
    fn write(mut self) {
        let adapter = self.adapter;
        self.out.global_get(adapter.caller).i32_const(MAY_LEAVE as i32).i32_and().i32_eqz();
        self.fail_if(Failure::CannotLeave);
        for &instance in &adapter.enter {
            self.out.global_get(instance).i32_const(IDLE as i32).i32_ne();
            self.fail_if(Failure::CannotEnter);
        }
        self.set_all((IDLE | ENTERED) as i32);
        if self.exceptions {
            self.call_guarded();
        } else {
            self.call();
        }
        // A result waits in the only local that is not a parameter.
        let result = adapter.params.len() as u32;
        if adapter.result.is_some() {
            self.out.local_set(result);
        }
        if let Some(post_return) = self.post_return {
            if adapter.enter.contains(&adapter.callee) {
                self.out.i32_const(ENTERED as i32).global_set(adapter.callee);
            }
            if adapter.result.is_some() {
                self.out.local_get(result);
            }
            self.out.call(post_return);
        }
        self.set_all(IDLE as i32);
        if let Some(pass) = adapter.result {
            self.out.local_get(result);
            self.pass(pass, result);
        }
        self.out.end();
    }

    fn call(&mut self) {
        for (i, pass) in self.adapter.params.iter().enumerate() {
            self.out.local_get(i as u32);
            self.pass(*pass, i as u32);
        }
        self.out.call(self.callee);
    }

    /// As [`Body::call`]; what the callee throws is caught, and reaches nobody.
    fn call_guarded(&mut self) {
        let result = core_types(&self.adapter.ty.results).next();
        let result = result.map_or(BlockType::Empty, BlockType::Result);
        self.out.block(result).block(BlockType::Empty);
        self.out.try_table(result, [Catch::All { label: 0 }]);
        self.call();
        self.out.end().br(1).end();
        self.fail(Failure::Exception);
        self.out.end();
    }

    fn set_all(&mut self, flags: i32) {
        for &instance in &self.adapter.enter {
            self.out.i32_const(flags).global_set(instance);
        }
    }

    /// Fails if there is a number other than 0 on the stack.
    fn fail_if(&mut self, failure: Failure) {
        self.out.if_(BlockType::Empty);
        self.fail(failure);
        self.out.end();
    }

    fn fail(&mut self, failure: Failure) {
        self.out.i32_const(failure as i32).call(0).unreachable();
    }

    /// Makes of the number on the stack, which is also in `local`, what it passes as.
    fn pass(&mut self, pass: Pass, local: u32) {
        match pass {
            Pass::As => {}
            Pass::Bool => {
                self.out.i32_const(0).i32_ne();
            }
            Pass::Signed(bits) => {
                let rest = 32 - bits as i32;
                self.out.i32_const(rest).i32_shl().i32_const(rest).i32_shr_s();
            }
            Pass::Masked(mask) => {
                self.out.i32_const(mask as i32).i32_and();
            }
            Pass::Below(count) => {
                self.out.local_get(local).i32_const(count as i32).i32_ge_u();
                self.fail_if(Failure::Case);
            }
            Pass::Char => {
                // Below the surrogates, or above them and not beyond the last.
                self.out.local_get(local).i32_const(0xd800).i32_ge_u();
                self.out
                    .local_get(local)
                    .i32_const(0xe000)
                    .i32_sub()
                    .i32_const(0x10_2000)
                    .i32_ge_u();
                self.out.i32_and();
                self.fail_if(Failure::Char);
            }
        }
    }
}
