//! Adapters: core functions that stand between two component instances when all values that pass are numbers.
//!
//! Such a call has nothing to do with memories or handles, only with what is going on in the instances, which
//! [globals](crate::flags) say: so an adapter is a core function, and runs in the tiers that guests run in.
//! Those that one core instance imports are made together, as a [core module](encode).

mod encode;

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_engine::{self as engine, Error, Extern, FuncType, Module, Result, ValType};
use dunlin_module::component::{
    ComponentInstanceIndex, CoreItem, FuncRef, LiftIndex, TrampolineIndex, TrampolineKind,
};

use self::encode::{Adapter, Pass, failure, module, passes};
use crate::call::Lifted;
use crate::flags::Flags;
use crate::instantiate::Making;
use crate::state::bug;

/// Instances that a call may enter at once if an adapter is made for it.
const ENTERED_MAX: usize = 4;

/// Adapters that are made together.
#[derive(Default)]
struct Group {
    /// Which trampolines they are, and what they call.
    members: Vec<(TrampolineIndex, Arc<Lifted>)>,
    adapters: Vec<Adapter>,
    /// The instances they look at, in the order in which the module imports their flags.
    instances: Vec<Flags>,
    known: HashMap<Flags, u32>,
}

impl Group {
    fn instance(&mut self, flags: Flags) -> u32 {
        *self.known.entry(flags).or_insert_with(|| {
            self.instances.push(flags);
            self.instances.len() as u32 - 1
        })
    }
}

/// A call from one component instance into another.
pub(crate) struct Crossing {
    /// What it enters: the callee, and what is around it but not around the caller. Nothing if one of both
    /// is around the other: then it cannot be made.
    pub(crate) enter: Option<Box<[Flags]>>,
}

impl Making<'_> {
    /// What a call from an instance into another enters.
    pub(crate) fn crossing(
        &mut self,
        caller: ComponentInstanceIndex,
        callee: &Lifted,
    ) -> Result<Crossing> {
        let around_caller = self.chain(caller)?;
        let own = around_caller.first();
        // What is around a component may be entered only from further out.
        let related = around_caller.contains(&callee.side.flags)
            || own.is_some_and(|own| callee.enter.contains(own));
        let entered = callee.enter.iter().filter(|flags| !around_caller.contains(flags));
        Ok(Crossing { enter: (!related).then(|| entered.copied().collect()) })
    }

    /// Makes those of the functions that a core instance imports that are adapters.
    pub(crate) fn adapters<'i>(&mut self, items: impl Iterator<Item = &'i CoreItem>) -> Result<()> {
        if !self.component.engine().features().mutable_global || self.component.traits().has_context
        {
            return Ok(());
        }
        let mut group = Group::default();
        for item in items {
            if let CoreItem::Trampoline(index) = item {
                self.add_adapter(*index, &mut group)?;
            }
        }
        match group.members.first() {
            None => Ok(()),
            Some((first, _)) => self.make_adapters(*first, &group),
        }
    }

    /// Adds the function that a trampoline is, if it is one that an adapter can be made for.
    fn add_adapter(&mut self, index: TrampolineIndex, group: &mut Group) -> Result<()> {
        let component = self.component.clone();
        let description = component.description();
        let made = self.trampolines.get(index.index()).ok_or_else(bug)?.is_some();
        let trampoline = description.trampolines.get(index.index()).ok_or_else(bug)?;
        let TrampolineKind::Lower { func: FuncRef::Lifted(lift), ty, options } = &trampoline.kind
        else {
            return Ok(());
        };
        let options = description.options.get(options.index()).ok_or_else(bug)?;
        if made || options.async_ {
            return Ok(());
        }
        let Some((params, result)) = passes(component.plans(), component.plans().func(*ty)) else {
            return Ok(());
        };
        let callee = self.callee(*lift)?;
        let Some(enter) = self.crossing(trampoline.instance, &callee)?.enter else { return Ok(()) };
        if callee.async_ || enter.len() > ENTERED_MAX {
            return Ok(());
        }
        let caller = self.who(trampoline.instance)?.flags;
        let traits = component.traits();
        let passes_as = params.iter().chain(&result).all(|pass| *pass == Pass::As);
        let may_leave = !traits.of(options.instance).is_restricted;
        let returns_once = !callee.calls_out && callee.post_return.is_none();
        if passes_as && may_leave && returns_once && !traits.throws {
            // Nobody could tell an adapter from nothing.
            *self.trampolines.get_mut(index.index()).ok_or_else(bug)? = Some(callee.core.func());
            return Ok(());
        }
        let adapter = Adapter {
            ty: trampoline.ty.clone(),
            params,
            result,
            caller: group.instance(caller),
            callee: group.instance(callee.side.flags),
            // Who cannot call out cannot see that it was entered.
            enter: match callee.calls_out {
                true => enter.iter().map(|flags| group.instance(*flags)).collect(),
                false => Box::default(),
            },
            post_return: callee.post_return.is_some(),
        };
        group.members.push((index, callee));
        group.adapters.push(adapter);
        Ok(())
    }

    /// A function that a component instance calls without a name for it.
    pub(crate) fn callee(&mut self, lift: LiftIndex) -> Result<Arc<Lifted>> {
        self.lifted(lift, &"function".into())
    }

    fn make_adapters(&mut self, first: TrampolineIndex, group: &Group) -> Result<()> {
        let component = self.component.clone();
        let engine = component.engine();
        // Each time the component is instantiated there is the same group for the same step.
        let place = component.adapters(first).ok_or_else(bug)?;
        let module = match place.get() {
            Some(module) => module,
            None => {
                let exceptions = engine.features().exceptions && component.traits().throws;
                let bytes = module(group.instances.len() as u32, &group.adapters, exceptions);
                let made = Module::new(engine, bytes)?;
                place.get_or_init(|| made)
            }
        };
        let mut imports = vec![Extern::Func(self.fail()?)];
        imports.extend(group.instances.iter().map(|flags| Extern::Global(flags.global())));
        for (_, callee) in &group.members {
            imports.push(Extern::Func(callee.core.func()));
            imports.extend(callee.post_return.iter().map(|func| Extern::Func(func.func())));
        }
        let instance = self.store.instantiate(module, &imports)?;
        for (i, (trampoline, _)) in group.members.iter().enumerate() {
            let Some(Extern::Func(func)) = self.store.export(instance, &i.to_string())? else {
                return Err(bug());
            };
            *self.trampolines.get_mut(trampoline.index()).ok_or_else(bug)? = Some(func);
        }
        Ok(())
    }

    /// What adapters call if they cannot go on.
    fn fail(&mut self) -> Result<engine::Func> {
        let ty = FuncType::new([ValType::I32], []);
        self.store.host_number_func(&ty, |_, slots| {
            let why = slots.first().copied().ok_or_else(bug)?;
            Err::<(), Error>(failure(why))
        })
    }
}
