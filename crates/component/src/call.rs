//! Calls across the boundary of a component instance, in all three directions.

use std::mem;
use std::sync::Arc;

use dunlin_engine::raw::{RawStore, Resource, SlotFunc};
use dunlin_engine::{Error, ErrorKind, Result};
use dunlin_module::component::{FuncTypeIndex, ResourceIndex};

use crate::abi::{Copy, LiftContext, LowerContext, Place, Says, Side, work};
use crate::flags::{Flags, exit};
use crate::handles::Handle;
use crate::plan::{FuncPlan, MAX_FLAT_PARAMS, Plan, PlanId};
use crate::state::{Destructor, InstanceId, ResourceTypeId, RootId, Scope, State, bug, trap};

/// Slots that suffice for all core parameters and results of a lifted or lowered function: the
/// last is for a pointer to results.
const SLOTS: usize = MAX_FLAT_PARAMS as usize + 1;

/// A function that a guest exports to others.
#[derive(Debug)]
pub(crate) struct Lifted {
    pub(crate) side: Side,
    pub(crate) core: SlotFunc,
    pub(crate) post_return: Option<SlotFunc>,
    pub(crate) ty: FuncTypeIndex,
    /// What is entered when the host calls it: its instance, and those around it.
    pub(crate) enter: Box<[Flags]>,
    pub(crate) name: Arc<str>,
    /// Whether its values travel as the asynchronous ABI says.
    pub(crate) async_: bool,
    /// Whether tasks of its component keep something for themselves.
    pub(crate) has_context: bool,
}

/// A function that a guest imports from others.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) side: Side,
    pub(crate) ty: FuncTypeIndex,
    pub(crate) source: Source,
    /// Whether it is called as the asynchronous ABI says: fewer parameters travel as core values, no
    /// result does, and what is returned says how far the call has come.
    pub(crate) async_: bool,
}

/// Which part of which component calls the host, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The name of the component inside of which the call was made; `None` for the outermost.
    pub component: Option<Arc<str>>,
    /// The interface, if the function is part of one.
    pub interface: Option<Arc<str>>,
    /// The function.
    pub function: Arc<str>,
}

impl Lifted {
    pub(crate) fn plan(&self) -> &FuncPlan {
        self.side.component.plans().func(self.ty)
    }
}

impl Lowered {
    pub(crate) fn plan(&self) -> &FuncPlan {
        self.side.component.plans().func(self.ty)
    }

    fn spills_params(&self, plan: &FuncPlan) -> bool {
        if self.async_ { plan.spills_params_async() } else { plan.spills_params() }
    }

    /// Where the guest wants the result, if it goes through memory: its last core parameter says so.
    fn result_pointer(&self, plan: &FuncPlan, slots: &[u64]) -> Result<Option<u32>> {
        if !plan.spills_result() && !self.async_ {
            return Ok(None);
        }
        let last = if self.spills_params(plan) { 1 } else { plan.params.flat };
        let at = slots.get(last as usize).ok_or_else(bug)?;
        Ok(Some(*at as u32))
    }

    /// Tells the guest how far the call has come, if it asked.
    #[inline]
    fn finish(&self, slots: &mut [u64]) -> Result<()> {
        if self.async_ {
            *slots.first_mut().ok_or_else(bug)? = RETURNED;
        }
        Ok(())
    }
}

/// `Subtask.State.RETURNED` without a subtask: the call is over already.
const RETURNED: u64 = 2;

/// Runs what may lend and borrow in a scope of its own, if a function's plan says that it may.
fn scoped<R>(
    store: &mut RawStore<'_>,
    plan: &FuncPlan,
    f: impl FnOnce(&mut RawStore<'_>) -> Result<R>,
) -> Result<R> {
    if !plan.borrows {
        return f(store);
    }
    let scopes = &mut store.companion::<State>().scopes;
    let depth = scopes.len();
    scopes.push(Scope::default());
    let result = f(store);
    let state = store.companion::<State>();
    let charged = state.scopes.get(depth).map_or(0, |scope| scope.charged);
    let result = result.and_then(|result| state.end_scope().map(|()| result));
    if result.is_err() {
        state.scopes.truncate(depth);
    }
    if charged > 0 {
        store.budget().release(Resource::Bytes, charged);
    }
    result
}

/// Calls a function of a guest for the host. `lower` writes parameters to where it is told, `lift` reads the
/// result, if there is one, from where it is.
pub(crate) fn call_guest<R>(
    mut store: RawStore<'_>,
    lifted: &Lifted,
    lower: impl FnOnce(&mut LowerContext<'_>, &FuncPlan, Place) -> Result<()>,
    lift: impl FnOnce(&mut LiftContext<'_>, Option<(PlanId, Place)>) -> Result<R>,
) -> Result<R> {
    if lifted.async_ {
        return Err(no_async(&lifted.name));
    }
    let plan = lifted.plan();
    let context = begin(&mut store, lifted, &lifted.enter)?;
    let result = scoped(&mut store, plan, |store| {
        let mut slots = [0; SLOTS];
        let (store, side) = (&mut *store, &lifted.side);
        let mut cx = LowerContext::new(store.reborrow(), side, &mut slots, Says::TO_HOST);
        let place = if plan.spills_params() {
            let at = cx.room(&plan.params, 1)?;
            cx.bits(Place::Slots(0), 4, at.into())?;
            Place::Memory(at)
        } else {
            Place::Slots(0)
        };
        if let Err(error) = lower(&mut cx, plan, place) {
            if error.kind() == ErrorKind::Misuse {
                // The guest has not run, and is not to blame.
                exit(store, &lifted.enter)?;
                if plan.borrows {
                    let state = store.companion::<State>();
                    let scope = state.scopes.len().saturating_sub(1) as u32;
                    state.handles(side.instance)?.end_borrows(scope);
                }
            }
            return Err(error);
        }
        store.call_slots(&lifted.core, &mut slots)?;
        let mut cx = LiftContext::new(store, side, &slots)?;
        let result = match plan.result {
            None => lift(&mut cx, None)?,
            Some(id) => {
                let place = result_place(&mut cx, plan, id)?;
                lift(&mut cx, Some((id, place)))?
            }
        };
        let work = cx.work();
        store.spend_fuel(work)?;
        post_return(store, lifted, &mut slots)?;
        Ok(result)
    });
    end(&mut store, lifted, context);
    let result = result?;
    exit(&mut store, &lifted.enter)?;
    Ok(result)
}

/// Begins a task of a guest: `enter` are the instances that it enters. Gives what the task around it keeps
/// for itself.
#[inline]
fn begin(store: &mut RawStore<'_>, lifted: &Lifted, enter: &[Flags]) -> Result<[u64; 2]> {
    crate::flags::enter(store, enter)?;
    Ok(match lifted.has_context {
        true => mem::take(&mut store.companion::<State>().context),
        false => [0; 2],
    })
}

/// Ends what [`begin`] began, with what it gave: also after a trap, since the host may carry on, and
/// whoever has called it.
#[inline]
fn end(store: &mut RawStore<'_>, lifted: &Lifted, context: [u64; 2]) {
    if lifted.has_context {
        store.companion::<State>().context = context;
    }
}

/// Changes tasks, while a call of `lifted` goes on.
#[inline]
fn swap_context(store: &mut RawStore<'_>, lifted: &Lifted, context: &mut [u64; 2]) {
    if lifted.has_context {
        mem::swap(&mut store.companion::<State>().context, context);
    }
}

/// Where a guest that was called has left its result.
fn result_place(cx: &mut LiftContext<'_>, plan: &FuncPlan, id: PlanId) -> Result<Place> {
    if !plan.spills_result() {
        return Ok(Place::Slots(0));
    }
    let at = cx.bits(Place::Slots(0), 4)? as u32;
    let plan: &Plan = cx.plan(id);
    cx.spilled(Place::Memory(at), plan)
}

/// Tells a guest that its result was read.
#[inline]
fn post_return(store: &mut RawStore<'_>, lifted: &Lifted, slots: &mut [u64]) -> Result<()> {
    let Some(func) = &lifted.post_return else { return Ok(()) };
    lifted.side.flags.inside(store, |store| store.call_slots(func, slots))
}

/// Answers a call of a guest to the host. `lift` reads parameters from where they are, `call` is the host's
/// function, `lower` writes its result to where it is told.
pub(crate) fn call_host<P, R>(
    mut store: RawStore<'_>,
    lowered: &Lowered,
    slots: &mut [u64],
    lift: impl FnOnce(&mut LiftContext<'_>, &FuncPlan, Place) -> Result<P>,
    call: impl FnOnce(RawStore<'_>, &Source, P) -> Result<R>,
    lower: impl FnOnce(&mut LowerContext<'_>, PlanId, Place, R) -> Result<()>,
) -> Result<()> {
    let side = &lowered.side;
    side.flags.check_may_leave(&store)?;
    let plan = lowered.plan();
    scoped(&mut store, plan, |store| {
        let mut cx = LiftContext::new(store, side, slots)?;
        let place = if lowered.spills_params(plan) {
            let at = cx.bits(Place::Slots(0), 4)? as u32;
            cx.spilled(Place::Memory(at), &plan.params)?
        } else {
            Place::Slots(0)
        };
        let params = lift(&mut cx, plan, place)?;
        let work = cx.work();
        store.spend_fuel(work)?;
        let result = call(store.reborrow(), &lowered.source, params)?;
        let Some(id) = plan.result else { return lowered.finish(slots) };
        let place = match lowered.result_pointer(plan, slots)? {
            Some(at) => {
                LiftContext::new(store, side, &[])?.spilled(Place::Memory(at), side.plan(id))?
            }
            None => Place::Slots(0),
        };
        let mut cx = LowerContext::new(store.reborrow(), side, &mut *slots, Says::TO_HOST);
        lower(&mut cx, id, place, result)?;
        lowered.finish(slots)
    })
}

/// Calls a function of a guest for another guest. `enter` are the instances that the call enters.
pub(crate) fn call_between(
    mut store: RawStore<'_>,
    caller: &Lowered,
    callee: &Lifted,
    enter: &[Flags],
    slots: &mut [u64],
) -> Result<()> {
    if callee.async_ {
        return Err(no_async(&callee.name));
    }
    caller.side.flags.check_may_leave(&store)?;
    let context = begin(&mut store, callee, enter)?;
    let plan = caller.plan();
    let result = scoped(&mut store, plan, |store| {
        let mut callee_slots = [0; SLOTS];
        let mut copy = Copy {
            store: store.reborrow(),
            plans: &caller.side,
            from: &caller.side,
            to: &callee.side,
            from_slots: slots,
            to_slots: &mut callee_slots,
        };
        let from = match caller.spills_params(plan) {
            true => Place::Memory(*slots.first().ok_or_else(bug)? as u32),
            false => Place::Slots(0),
        };
        if let Place::Memory(at) = from {
            copy.check_source(at, &plan.params)?;
        }
        if plan.spills_params() {
            let to = copy.room(&plan.params)?;
            copy.planned(&plan.params, from, Place::Memory(to))?;
            callee_slots[0] = to.into();
        } else if plan.params.flat > 0 {
            copy.planned(&plan.params, from, Place::Slots(0))?;
        }
        store.call_slots(&callee.core, &mut callee_slots)?;
        if let Some(id) = plan.result {
            let to = caller.result_pointer(plan, slots)?;
            let mut copy = Copy {
                store: store.reborrow(),
                plans: &caller.side,
                from: &callee.side,
                to: &caller.side,
                from_slots: &callee_slots,
                to_slots: &mut *slots,
            };
            let value = caller.side.plan(id);
            // The caller's `realloc` is a part of the caller's task.
            let mut context = context;
            swap_context(&mut copy.store, callee, &mut context);
            let from = match plan.spills_result() {
                true => Place::Memory(callee_slots[0] as u32),
                false => Place::Slots(0),
            };
            if let Place::Memory(at) = from {
                copy.check_source(at, value)?;
                copy.store.spend_fuel(work(value.size.into()))?;
            }
            let to = to.map_or(Place::Slots(0), Place::Memory);
            if let Place::Memory(at) = to {
                copy.check_target(at, value)?;
            }
            copy.planned(value, from, to)?;
            swap_context(&mut copy.store, callee, &mut context);
        }
        caller.finish(slots)?;
        post_return(store, callee, &mut callee_slots)
    });
    end(&mut store, callee, context);
    result?;
    exit(&mut store, enter)
}

/// On whose behalf a builtin is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) root: RootId,
    pub(crate) instance: InstanceId,
    pub(crate) flags: Flags,
}

/// `canon resource.new`: a handle of a resource with this representation.
pub(crate) fn resource_new(
    store: &mut RawStore<'_>,
    who: Who,
    resource: ResourceIndex,
    rep: u32,
) -> Result<u32> {
    who.flags.check_may_leave(store)?;
    let ty = store.companion::<State>().resource(who.root, resource)?;
    crate::abi::add_handle(store, who.instance, |table| table.add_own(ty, rep))
}

/// `canon resource.rep`: the representation of the resource a handle stands for.
pub(crate) fn resource_rep(
    store: &mut RawStore<'_>,
    who: Who,
    resource: ResourceIndex,
    index: u32,
) -> Result<u32> {
    let state = store.companion::<State>();
    let ty = state.resource(who.root, resource)?;
    state.handles(who.instance)?.rep(index, ty)
}

/// `canon resource.drop`: a handle goes, and with an owned one its resource.
pub(crate) fn resource_drop(
    store: &mut RawStore<'_>,
    who: Who,
    resource: ResourceIndex,
    index: u32,
) -> Result<()> {
    who.flags.check_may_leave(store)?;
    let state = store.companion::<State>();
    let ty = state.resource(who.root, resource)?;
    match state.handles(who.instance)?.remove(index, ty)? {
        Handle::Own(rep) => drop_resource(store, Some(who.instance), ty, rep),
        Handle::Borrow(_, scope) => {
            let scope = state.scopes.get_mut(scope as usize).ok_or_else(bug)?;
            scope.borrowed = scope.borrowed.saturating_sub(1);
            Ok(())
        }
    }
}

/// Ends a resource on behalf of an instance, or of the host: its destructor runs.
pub(crate) fn drop_resource(
    store: &mut RawStore<'_>,
    caller: Option<InstanceId>,
    ty: ResourceTypeId,
    rep: u32,
) -> Result<()> {
    let state = store.companion::<State>();
    let definer = state.definer(ty);
    match state.destructor(ty)? {
        Destructor::None => Ok(()),
        Destructor::Host(destructor) => destructor(store.reborrow(), rep),
        Destructor::Guest(func) => {
            let mut slots = [0; SLOTS];
            slots[0] = rep.into();
            // A destructor is called like an exported function, unless its own instance drops.
            let enter =
                definer.map_or(Vec::new(), |definer| state.entered_by_drop(caller, definer));
            crate::flags::enter(store, &enter)?;
            let own = enter.is_empty();
            let state = store.companion::<State>();
            let context = if own { state.context } else { mem::take(&mut state.context) };
            let result = store.call_slots(&func, &mut slots);
            if own {
                return result;
            }
            store.companion::<State>().context = context;
            result.map_err(contained)?;
            exit(store, &enter)
        }
    }
}

/// An exception reaches nobody outside of its component (`CanonicalABI.md`, `call_and_trap_on_throw`).
#[cold]
pub(crate) fn escaped() -> Error {
    trap("an exception was thrown and not caught in its component")
}

/// What a guest sees of an error of whom it called: never an exception.
pub(crate) fn contained(error: Error) -> Error {
    if error.kind() == ErrorKind::Exception { escaped() } else { error }
}

#[cold]
fn no_async(name: &str) -> Error {
    trap(format!(
        "`{name}` uses the asynchronous ABI of components, which this version does not have"
    ))
}

/// Bytes that are charged to a store for what is kept of a component instance.
pub(crate) fn charge_instance(store: &mut RawStore<'_>, instances: usize) -> Result<()> {
    const BYTES: u64 = 512;
    Ok(store.budget().charge(Resource::Bytes, BYTES * instances as u64)?)
}
