//! Which calls between the instances of a component have adapters, and the module that holds those of one
//! step.

use std::collections::HashMap;
use std::sync::Arc;

use dunlin_engine::{Error, FuncType, Module, Result};
use dunlin_module::component as description;
use dunlin_module::component::{
    CanonicalOptions, ComponentInstanceIndex, FuncRef, LiftIndex, OptionsIndex, StringEncoding,
    TrampolineIndex, TrampolineKind,
};
use wasm_encoder as encode;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, FunctionSection, GlobalType, ImportSection,
    MemoryType, NameMap, NameSection, TypeSection, ValType,
};

use super::body::{Body, Call};
use super::values::End;
use crate::component::Component;
use crate::flags::{cannot_enter, cannot_leave};
use crate::state::{bug, trap};

/// Instances that a call may enter at once if an adapter is made for it.
const ENTERED_MAX: usize = 4;

/// The adapters among the functions that one core instance imports.
pub(crate) struct Adapters {
    /// Functions that need none: nobody could tell an adapter from nothing.
    pub(super) direct: Vec<(TrampolineIndex, LiftIndex)>,
    /// Those that have one, which the module exports by their positions here.
    pub(super) members: Vec<TrampolineIndex>,
    pub(super) module: Option<Module>,
    /// What the module imports, in this order.
    pub(super) wants: Vec<Want>,
}

/// What adapters import.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Want {
    /// What is called to fail, with a [`Failure`].
    Fail,
    /// What is going on in an instance.
    Flags(ComponentInstanceIndex),
    Callee(LiftIndex),
    PostReturn(LiftIndex),
    Memory(OptionsIndex),
    Realloc(OptionsIndex),
    /// What is called to look at a string.
    Text(OptionsIndex),
    /// What is called to say what is wrong with a list.
    List(OptionsIndex),
}

/// Why an adapter cannot go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    CannotLeave,
    CannotEnter,
    Char,
    Case,
    Exception,
    Unaligned,
    OutOfBounds,
    Outside,
}

/// What is said of a failure.
#[cold]
pub(super) fn failure(number: u64) -> Error {
    const ALL: [(Failure, fn() -> Error); 8] = [
        (Failure::CannotLeave, cannot_leave),
        (Failure::CannotEnter, cannot_enter),
        (Failure::Char, crate::abi::bad_char),
        (Failure::Case, crate::abi::bad_tag),
        (Failure::Exception, crate::call::escaped),
        (Failure::Unaligned, crate::abi::unaligned),
        (Failure::OutOfBounds, crate::abi::out_of_bounds),
        (Failure::Outside, || trap("list content out-of-bounds")),
    ];
    let known = ALL.into_iter().find(|(failure, _)| *failure as u64 == number);
    known.map_or_else(bug, |(_, error)| error())
}

/// What a call from an instance into another enters: the callee, and what is around it but not around the
/// caller. `None` if one of both is around the other: what is around a component may be entered only from
/// further out.
fn crossing(
    component: &description::Component,
    caller: ComponentInstanceIndex,
    callee: ComponentInstanceIndex,
) -> Option<Vec<ComponentInstanceIndex>> {
    let around_caller: Vec<_> = component.around(caller).collect();
    if around_caller.contains(&callee) || component.around(callee).any(|other| other == caller) {
        return None;
    }
    Some(component.around(callee).filter(|other| !around_caller.contains(other)).collect())
}

impl Adapters {
    /// The adapters among these functions.
    pub(super) fn new(component: &Component, among: &[TrampolineIndex]) -> Result<Adapters> {
        let mut group = Group::new(component);
        let (features, traits) = (component.engine().features(), component.traits());
        // No frame of the host keeps a `realloc` from suspending the call of an adapter.
        let switches = features.stack_switching && traits.switches;
        if features.mutable_global && !traits.has_context && !switches {
            for index in among {
                group.add(*index)?;
            }
        }
        group.finish()
    }
}

/// Adapters that are being made.
struct Group<'a> {
    component: &'a Component,
    made: Adapters,
    types: TypeSection,
    imports: ImportSection,
    /// Where imports are among those of their kind.
    known: HashMap<Want, u32>,
    /// How many functions, globals and memories are imported.
    imported: (u32, u32, u32),
    bodies: Vec<(u32, encode::Function)>,
    /// What backtraces call each of them: the instance that it calls.
    names: Vec<Arc<str>>,
}

impl<'a> Group<'a> {
    fn new(component: &'a Component) -> Group<'a> {
        let made =
            Adapters { direct: Vec::new(), members: Vec::new(), module: None, wants: Vec::new() };
        Group {
            component,
            made,
            types: TypeSection::new(),
            imports: ImportSection::new(),
            known: HashMap::new(),
            imported: (0, 0, 0),
            bodies: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Adds the function that a trampoline is, if it is one for which there is an adapter.
    fn add(&mut self, index: TrampolineIndex) -> Result<()> {
        let component = self.component;
        let description = component.description();
        let trampoline = description.trampolines.get(index.index()).ok_or_else(bug)?;
        let TrampolineKind::Lower { func: FuncRef::Lifted(lift_index), ty, options } =
            trampoline.kind
        else {
            return Ok(());
        };
        let lift = description.lifts.get(lift_index.index()).ok_or_else(bug)?;
        let of = |options: OptionsIndex| description.options.get(options.index()).ok_or_else(bug);
        let (caller, callee) = (of(options)?, of(lift.options)?);
        let Some(enter) = crossing(description, caller.instance, callee.instance) else {
            return Ok(());
        };
        let strange = |side: &CanonicalOptions| side.async_ || side.memory64;
        let (traits, plan) = (component.traits(), component.plans().func(ty));
        let result = plan.result.map(|id| component.plans().value(id));
        let handles = plan.params.handles || result.is_some_and(|result| result.handles);
        if handles || strange(caller) || strange(callee) || enter.len() > ENTERED_MAX {
            return Ok(());
        }
        let calls_out = traits.of(callee.instance).calls_out;
        let call = Call {
            plans: component.plans(),
            plan,
            ty: &trampoline.ty,
            utf8: [caller, callee].map(|side| side.encoding) == [StringEncoding::Utf8; 2],
            // Who cannot call out cannot see that it was entered.
            enter: if calls_out { enter } else { Vec::new() },
            post_return: callee.post_return.is_some(),
            exceptions: component.engine().features().exceptions && traits.throws,
        };
        let may_leave = !traits.of(caller.instance).is_restricted;
        if call.is_nothing() && may_leave && !calls_out {
            self.made.direct.push((index, lift_index));
            return Ok(());
        }
        let ends = match call.moves() {
            true if !self.has_memories() => return Ok(()),
            true => Some([self.end(options, caller), self.end(lift.options, callee)]),
            false => None,
        };
        let Some(body) = self.body(&call, lift_index, [caller, callee], ends) else {
            return Ok(());
        };
        if !component.take_adapter_bytes(body.byte_len()) {
            return Ok(());
        }
        let ty = self.func_type(&trampoline.ty);
        self.bodies.push((ty, body));
        let callee = description.instances.get(callee.instance.index());
        let name = callee.and_then(|callee| callee.name.clone());
        self.names.push(name.unwrap_or_else(|| "component".into()));
        self.made.members.push(index);
        Ok(())
    }

    /// Whether code may work on two memories.
    fn has_memories(&self) -> bool {
        let features = self.component.engine().features();
        features.multi_memory && features.bulk_memory
    }

    fn body(
        &mut self,
        call: &Call<'_>,
        lift: LiftIndex,
        [caller, callee]: [&CanonicalOptions; 2],
        ends: Option<[End; 2]>,
    ) -> Option<encode::Function> {
        let fail = self.func(Want::Fail, &FuncType::new([dunlin_engine::ValType::I32], []));
        let flags = [caller, callee].map(|side| self.flags(side.instance));
        let enter = call.enter.iter().map(|instance| self.flags(*instance)).collect();
        let ty = call.callee_type();
        let called = self.func(Want::Callee(lift), &ty);
        let post_return = call.post_return.then(|| {
            let ty = FuncType::new(ty.results.iter().copied(), []);
            self.func(Want::PostReturn(lift), &ty)
        });
        Body::new(call, fail, flags, enter, (called, post_return), ends).write()
    }

    /// What adapters know of the memory that options name.
    fn end(&mut self, index: OptionsIndex, options: &CanonicalOptions) -> End {
        use dunlin_engine::ValType::I32;
        let memory = options.memory.is_some().then(|| self.memory(Want::Memory(index)));
        let list = FuncType::new([I32; 4], []);
        End {
            memory,
            flags: self.flags(options.instance),
            realloc: options
                .realloc
                .is_some()
                .then(|| self.func(Want::Realloc(index), &FuncType::new([I32; 4], [I32]))),
            text: memory.map(|_| self.func(Want::Text(index), &FuncType::new([I32; 2], []))),
            list: memory.map(|_| self.func(Want::List(index), &list)),
        }
    }

    fn func(&mut self, want: Want, ty: &FuncType) -> u32 {
        if let Some(known) = self.known.get(&want) {
            return *known;
        }
        let ty = self.func_type(ty);
        let index = self.imported.0;
        self.imported.0 += 1;
        self.import(want, index, EntityType::Function(ty))
    }

    fn flags(&mut self, instance: ComponentInstanceIndex) -> u32 {
        let want = Want::Flags(instance);
        if let Some(known) = self.known.get(&want) {
            return *known;
        }
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        let index = self.imported.1;
        self.imported.1 += 1;
        self.import(want, index, EntityType::Global(ty))
    }

    fn memory(&mut self, want: Want) -> u32 {
        if let Some(known) = self.known.get(&want) {
            return *known;
        }
        let (minimum, maximum, page_size_log2) = (0, None, None);
        let ty = MemoryType { minimum, maximum, memory64: false, shared: false, page_size_log2 };
        let index = self.imported.2;
        self.imported.2 += 1;
        self.import(want, index, EntityType::Memory(ty))
    }

    fn import(&mut self, want: Want, index: u32, ty: EntityType) -> u32 {
        let name = self.made.wants.len().to_string();
        self.imports.import("", &name, ty);
        self.made.wants.push(want);
        self.known.insert(want, index);
        index
    }

    fn func_type(&mut self, ty: &FuncType) -> u32 {
        self.types.ty().function(core_types(&ty.params), core_types(&ty.results));
        self.types.len() - 1
    }

    fn finish(mut self) -> Result<Adapters> {
        if self.bodies.is_empty() {
            return Ok(self.made);
        }
        let mut functions = FunctionSection::new();
        let mut exports = ExportSection::new();
        let mut code = CodeSection::new();
        for (i, (ty, body)) in self.bodies.iter().enumerate() {
            functions.function(*ty);
            exports.export(&i.to_string(), ExportKind::Func, self.imported.0 + i as u32);
            code.function(body);
        }
        let mut names = NameSection::new();
        names.module("adapters");
        let mut functions_by_name = NameMap::new();
        for (i, name) in self.names.iter().enumerate() {
            functions_by_name.append(self.imported.0 + i as u32, name);
        }
        names.functions(&functions_by_name);
        let mut module = encode::Module::new();
        module.section(&self.types).section(&self.imports).section(&functions);
        module.section(&exports).section(&code).section(&names);
        self.made.module = Some(Module::new(self.component.engine(), module.finish())?);
        Ok(self.made)
    }
}

/// The types of values that pass, which are numbers.
pub(super) fn core_types(
    types: &[dunlin_engine::ValType],
) -> impl ExactSizeIterator<Item = ValType> {
    types.iter().map(|ty| match ty {
        dunlin_engine::ValType::I64 => ValType::I64,
        dunlin_engine::ValType::F32 => ValType::F32,
        dunlin_engine::ValType::F64 => ValType::F64,
        _ => ValType::I32,
    })
}
