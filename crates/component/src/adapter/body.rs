//! What an adapter does, from entering the callee to leaving it.

use dunlin_engine::{FuncType, ValType};
use dunlin_module::component::ComponentInstanceIndex;
use wasm_encoder::{BlockType, Catch, Function};

use super::group::{Failure, core_types};
use super::values::{Code, Copy, End, Spot};
use crate::flags::{ENTERED, IDLE, MAY_LEAVE};
use crate::plan::{FuncPlan, Op, Plan, Plans};

/// A call for which there may be an adapter.
pub(super) struct Call<'a> {
    pub(super) plans: &'a Plans,
    pub(super) plan: &'a FuncPlan,
    /// The core signature of what the caller imports.
    pub(super) ty: &'a FuncType,
    /// Whether both sides have strings in UTF-8.
    pub(super) utf8: bool,
    /// What the call enters, as far as anybody can see it.
    pub(super) enter: Vec<ComponentInstanceIndex>,
    pub(super) post_return: bool,
    /// Whether exceptions can come out of the callee.
    pub(super) exceptions: bool,
}

impl Call<'_> {
    /// Whether it comes to a call of the core function, but for what is going on in instances.
    pub(super) fn is_nothing(&self) -> bool {
        let plain = |plan: &Plan| {
            matches!(plan.op, Op::S32 | Op::U32 | Op::S64 | Op::U64 | Op::F32 | Op::F64)
        };
        let params = self.plan.fields().iter().map(|field| field.plan);
        let mut values = params.chain(self.plan.result).map(|id| self.plans.value(id));
        !self.plan.spills_params() && !self.post_return && !self.exceptions && values.all(plain)
    }

    /// Whether values go from one memory to another.
    pub(super) fn moves(&self) -> bool {
        self.plan.spills_params() || self.plan.spills_result() || self.plan.params.points
    }

    /// The core signature of what the callee exports.
    pub(super) fn callee_type(&self) -> FuncType {
        if !self.plan.spills_result() {
            return self.ty.clone();
        }
        // A place for the result is the caller's last parameter, and the callee's result.
        let count = self.ty.params.len().saturating_sub(1);
        FuncType::new(self.ty.params.iter().take(count).copied(), [ValType::I32])
    }
}

/// The body of an adapter that is being written.
pub(super) struct Body<'a> {
    call: &'a Call<'a>,
    code: Code,
    /// What is going on in the caller and in the callee.
    flags: [u32; 2],
    enter: Vec<u32>,
    callee: u32,
    post_return: Option<u32>,
    /// Of the caller and of the callee, if values go from memory to memory.
    ends: Option<[End; 2]>,
}

impl<'a> Body<'a> {
    pub(super) fn new(
        call: &'a Call<'a>,
        fail: u32,
        flags: [u32; 2],
        enter: Vec<u32>,
        (callee, post_return): (u32, Option<u32>),
        ends: Option<[End; 2]>,
    ) -> Body<'a> {
        let code = Code::new(fail, core_types(&call.ty.params));
        Body { call, code, flags, enter, callee, post_return, ends }
    }

    /// Writes all of it; nothing if a plan is one that adapters do not follow.
    pub(super) fn write(mut self) -> Option<Function> {
        let result = core_types(&self.call.ty.results).next().map(|ty| self.code.local(ty));
        if self.call.exceptions {
            // What is thrown in between reaches nobody.
            self.code.out().block(BlockType::Empty).block(BlockType::Empty);
            self.code.out().try_table(BlockType::Empty, [Catch::All { label: 0 }]);
            self.steps(result)?;
            self.code.out().end().br(1).end();
            self.code.fail(Failure::Exception);
            self.code.out().end();
        } else {
            self.steps(result)?;
        }
        if let Some(result) = result {
            self.code.out().local_get(result);
        }
        self.code.out().end();
        Some(self.code.into_function())
    }

    fn steps(&mut self, result: Option<u32>) -> Option<()> {
        let [caller, callee] = self.flags;
        self.code.out().global_get(caller).i32_const(MAY_LEAVE as i32).i32_and().i32_eqz();
        self.code.fail_if(Failure::CannotLeave);
        for &instance in &self.enter {
            self.code.out().global_get(instance).i32_const(IDLE as i32).i32_ne();
            self.code.fail_if(Failure::CannotEnter);
        }
        self.set_all((IDLE | ENTERED) as i32);
        let args = self.params()?;
        for arg in args {
            self.code.out().local_get(arg);
        }
        self.code.out().call(self.callee);
        let given = core_types(&self.call.callee_type().results).next();
        let given = given.map(|ty| {
            let given = self.code.local(ty);
            self.code.out().local_set(given);
            given
        });
        self.result(given, result)?;
        if let Some(post_return) = self.post_return {
            if self.enter.contains(&callee) {
                self.code.out().i32_const(ENTERED as i32).global_set(callee);
            }
            if let Some(given) = given {
                self.code.out().local_get(given);
            }
            self.code.out().call(post_return);
        }
        self.set_all(IDLE as i32);
        Some(())
    }

    /// Copies parameters to where the callee has them: in these locals.
    fn params(&mut self) -> Option<Vec<u32>> {
        let (plans, plan) = (self.call.plans, self.call.plan);
        let mut copy = Copy { code: &mut self.code, plans, utf8: self.call.utf8, ends: self.ends };
        if plan.spills_params() {
            copy.check(0, 0, &plan.params)?;
            let to = copy.room(&plan.params)?;
            copy.planned(&plan.params, Spot::memory(0), Spot::memory(to))?;
            return Some(vec![to]);
        }
        let types: Vec<_> =
            core_types(&self.call.ty.params).take(plan.params.flat as usize).collect();
        let args: Vec<u32> = types.into_iter().map(|ty| copy.code.local(ty)).collect();
        let first = args.first().copied().unwrap_or(0);
        copy.planned(&plan.params, Spot::Locals(0), Spot::Locals(first))?;
        Some(args)
    }

    /// Copies the result from where the callee has it to where the caller wants it.
    fn result(&mut self, given: Option<u32>, result: Option<u32>) -> Option<()> {
        let (plans, plan) = (self.call.plans, self.call.plan);
        let Some(id) = plan.result else { return Some(()) };
        let value = plans.value(id);
        let ends = self.ends.map(|[caller, callee]| [callee, caller]);
        let mut copy = Copy { code: &mut self.code, plans, utf8: self.call.utf8, ends };
        match (given, result) {
            (None, None) => Some(()),
            (Some(given), Some(result)) => {
                copy.planned(value, Spot::Locals(given), Spot::Locals(result))
            }
            (Some(given), None) => {
                let wanted = self.call.ty.params.len().checked_sub(1)? as u32;
                copy.check(0, given, value)?;
                copy.check(1, wanted, value)?;
                copy.planned(value, Spot::memory(given), Spot::memory(wanted))
            }
            (None, Some(_)) => None,
        }
    }

    fn set_all(&mut self, flags: i32) {
        for &instance in &self.enter {
            self.code.out().i32_const(flags).global_set(instance);
        }
    }
}
