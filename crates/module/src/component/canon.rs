//! Functions that cross between core and component: lifted, lowered, and builtins.

use wasmparser::{CanonicalFunction as Canonical, CanonicalOption, ValType};

use super::link::Linker;
use super::read::{Canon, options};
use super::scope::{ScopeId, Type};
use super::types::{DefinedTypeIndex, ValueType};
use super::{
    AsyncBuiltin, CanonicalOptions, ComponentInstanceIndex, FuncRef, Lift, LiftIndex, OptionsIndex,
    ResourceIndex, ResourceOrigin, StringEncoding, Trampoline, TrampolineIndex, TrampolineKind,
};
use crate::component::CoreItem;
use crate::error::Error;

impl<'a> Linker<'a> {
    /// Follows one canonical definition of `instance`, whose index spaces are `scope`.
    pub(super) fn canon(
        &mut self,
        scope: ScopeId,
        instance: ComponentInstanceIndex,
        canon: &'a Canon,
    ) -> Result<(), Error> {
        let options = self.canonical_options(scope, instance, canon);
        if let Canonical::Lift { core_func_index, type_index, .. } = &canon.func {
            self.check_room(self.lifts.len(), "lifted functions")?;
            let lift = LiftIndex(self.lifts.len() as u32);
            let ty = self.func_type(scope, *type_index)?;
            let core = self.scope(scope).core_funcs[*core_func_index as usize].clone();
            self.lifts.push(Lift { core, core_ty: canon.core.clone(), ty, options });
            self.scope_mut(scope).funcs.push((FuncRef::Lifted(lift), ty));
            return Ok(());
        }
        let kind = match &canon.func {
            Canonical::Lower { func_index, .. } => {
                let (func, ty) = self.scope(scope).funcs[*func_index as usize];
                TrampolineKind::Lower { func, ty, options }
            }
            Canonical::ResourceNew { resource } => {
                TrampolineKind::ResourceNew(self.resource(scope, *resource)?)
            }
            Canonical::ResourceRep { resource } => {
                TrampolineKind::ResourceRep(self.resource(scope, *resource)?)
            }
            Canonical::ResourceDrop { resource } => {
                TrampolineKind::ResourceDrop(self.resource(scope, *resource)?)
            }
            other => TrampolineKind::Async(self.async_builtin(scope, other, options)?),
        };
        if self.calls_out(instance, &kind) {
            self.instances[instance.index()].calls_out = true;
        }
        self.check_room(self.trampolines.len(), "lowered functions and builtins")?;
        let trampoline = TrampolineIndex(self.trampolines.len() as u32);
        self.trampolines.push(Trampoline { instance, ty: canon.core.clone(), kind });
        self.scope_mut(scope).core_funcs.push(CoreItem::Trampoline(trampoline));
        Ok(())
    }

    /// Whether calling this builtin can lead to other code than that of `instance`.
    fn calls_out(&self, instance: ComponentInstanceIndex, kind: &TrampolineKind) -> bool {
        match kind {
            TrampolineKind::Lower { .. } => true,
            TrampolineKind::ResourceNew(_) | TrampolineKind::ResourceRep(_) => false,
            TrampolineKind::ResourceDrop(resource) => self.is_foreign(instance, *resource),
            TrampolineKind::Async(builtin) => self.blocks(builtin),
        }
    }

    /// Whether the destructor of `resource` is not code of `instance`.
    fn is_foreign(&self, instance: ComponentInstanceIndex, resource: ResourceIndex) -> bool {
        match &self.resources[resource.index()].origin {
            ResourceOrigin::Imported(_) => true,
            ResourceOrigin::Defined { instance: owner, .. } => *owner != instance,
        }
    }

    /// Whether other tasks can run, or resources of others be dropped, before it returns.
    fn blocks(&self, builtin: &AsyncBuiltin) -> bool {
        use AsyncBuiltin as B;
        let is_sync = |options: &OptionsIndex| !self.options.list[options.index()].async_;
        match builtin {
            B::SubtaskCancel { async_ }
            | B::StreamCancelRead { async_, .. }
            | B::StreamCancelWrite { async_, .. }
            | B::FutureCancelRead { async_, .. }
            | B::FutureCancelWrite { async_, .. } => !async_,
            B::StreamRead { options, .. }
            | B::StreamWrite { options, .. }
            | B::FutureRead { options, .. }
            | B::FutureWrite { options, .. } => is_sync(options),
            B::WaitableSetWait { .. } | B::WaitableSetPoll { .. } => true,
            B::ThreadYield | B::ThreadSuspend | B::Thread(_) => true,
            _ => false,
        }
    }

    fn canonical_options(
        &mut self,
        scope: ScopeId,
        instance: ComponentInstanceIndex,
        canon: &Canon,
    ) -> OptionsIndex {
        let scope = self.scope(scope);
        let func = |at: &u32| Some(scope.core_funcs[*at as usize].clone());
        let mut found = CanonicalOptions {
            instance,
            encoding: StringEncoding::Utf8,
            memory: None,
            memory64: canon.memory64,
            realloc: None,
            post_return: None,
            async_: false,
            callback: None,
        };
        for option in options(&canon.func) {
            match option {
                CanonicalOption::UTF8 => found.encoding = StringEncoding::Utf8,
                CanonicalOption::UTF16 => found.encoding = StringEncoding::Utf16,
                CanonicalOption::CompactUTF16 => found.encoding = StringEncoding::Latin1Utf16,
                CanonicalOption::Memory(at) => {
                    found.memory = Some(scope.core_memories[*at as usize].clone());
                }
                CanonicalOption::Realloc(at) => found.realloc = func(at),
                CanonicalOption::PostReturn(at) => found.post_return = func(at),
                CanonicalOption::Async => found.async_ = true,
                CanonicalOption::Callback(at) => found.callback = func(at),
                // Part of an ABI that the validator refuses.
                CanonicalOption::CoreType(_) | CanonicalOption::Gc => {}
            }
        }
        OptionsIndex(self.options.index_of(found))
    }

    fn async_builtin(
        &self,
        scope: ScopeId,
        func: &Canonical,
        options: OptionsIndex,
    ) -> Result<AsyncBuiltin, Error> {
        use AsyncBuiltin as B;
        let ty = |at: &u32| self.transfer(scope, *at);
        let memory = |at: &u32| self.scope(scope).core_memories[*at as usize].clone();
        Ok(match func {
            Canonical::BackpressureInc => B::BackpressureInc,
            Canonical::BackpressureDec => B::BackpressureDec,
            Canonical::TaskReturn { result, .. } => {
                B::TaskReturn { result: self.optional(scope, *result)?, options }
            }
            Canonical::TaskCancel => B::TaskCancel,
            Canonical::ContextGet { ty, slot } => {
                B::ContextGet { slot: *slot, wide: *ty == ValType::I64 }
            }
            Canonical::ContextSet { ty, slot } => {
                B::ContextSet { slot: *slot, wide: *ty == ValType::I64 }
            }
            Canonical::SubtaskDrop => B::SubtaskDrop,
            Canonical::SubtaskCancel { async_ } => B::SubtaskCancel { async_: *async_ },
            Canonical::StreamNew { ty: at } => B::StreamNew(ty(at)?),
            Canonical::StreamRead { ty: at, .. } => B::StreamRead { ty: ty(at)?, options },
            Canonical::StreamWrite { ty: at, .. } => B::StreamWrite { ty: ty(at)?, options },
            Canonical::StreamForward { ty: at } => B::StreamForward(ty(at)?),
            Canonical::StreamCancelRead { ty: at, async_ } => {
                B::StreamCancelRead { ty: ty(at)?, async_: *async_ }
            }
            Canonical::StreamCancelWrite { ty: at, async_ } => {
                B::StreamCancelWrite { ty: ty(at)?, async_: *async_ }
            }
            Canonical::StreamDropReadable { ty: at } => B::StreamDropReadable(ty(at)?),
            Canonical::StreamDropWritable { ty: at } => B::StreamDropWritable(ty(at)?),
            Canonical::FutureNew { ty: at } => B::FutureNew(ty(at)?),
            Canonical::FutureRead { ty: at, .. } => B::FutureRead { ty: ty(at)?, options },
            Canonical::FutureWrite { ty: at, .. } => B::FutureWrite { ty: ty(at)?, options },
            Canonical::FutureForward { ty: at } => B::FutureForward(ty(at)?),
            Canonical::FutureCancelRead { ty: at, async_ } => {
                B::FutureCancelRead { ty: ty(at)?, async_: *async_ }
            }
            Canonical::FutureCancelWrite { ty: at, async_ } => {
                B::FutureCancelWrite { ty: ty(at)?, async_: *async_ }
            }
            Canonical::FutureDropReadable { ty: at } => B::FutureDropReadable(ty(at)?),
            Canonical::FutureDropWritable { ty: at } => B::FutureDropWritable(ty(at)?),
            Canonical::ErrorContextNew { .. } => B::ErrorContextNew { options },
            Canonical::ErrorContextDebugMessage { .. } => B::ErrorContextDebugMessage { options },
            Canonical::ErrorContextDrop => B::ErrorContextDrop,
            Canonical::WaitableSetNew => B::WaitableSetNew,
            Canonical::WaitableSetWait { memory: at } => B::WaitableSetWait { memory: memory(at) },
            Canonical::WaitableSetPoll { memory: at } => B::WaitableSetPoll { memory: memory(at) },
            Canonical::WaitableSetDrop => B::WaitableSetDrop,
            Canonical::WaitableJoin => B::WaitableJoin,
            Canonical::ThreadYield => B::ThreadYield,
            Canonical::ThreadIndex => B::ThreadIndex,
            Canonical::ThreadNewIndirect { table_index, .. } => B::ThreadNewIndirect {
                table: self.scope(scope).core_tables[*table_index as usize].clone(),
            },
            Canonical::ThreadSuspend => B::ThreadSuspend,
            Canonical::ThreadResumeLater => B::Thread("thread.resume-later"),
            Canonical::ThreadSuspendThenResume => B::Thread("thread.suspend-then-resume"),
            Canonical::ThreadYieldThenResume => B::Thread("thread.yield-then-resume"),
            Canonical::ThreadSuspendThenPromote => B::Thread("thread.suspend-then-promote"),
            Canonical::ThreadYieldThenPromote => B::Thread("thread.yield-then-promote"),
            Canonical::ThreadSpawnRef { .. }
            | Canonical::ThreadSpawnIndirect { .. }
            | Canonical::ThreadAvailableParallelism => {
                return Err(self.unsupported("threads that run at the same time"));
            }
            Canonical::Lift { .. }
            | Canonical::Lower { .. }
            | Canonical::ResourceNew { .. }
            | Canonical::ResourceRep { .. }
            | Canonical::ResourceDrop { .. } => return Err(self.unexpected("definition")),
        })
    }

    /// The stream or future type with the index `at`.
    fn transfer(&self, scope: ScopeId, at: u32) -> Result<DefinedTypeIndex, Error> {
        match self.scope(scope).types[at as usize] {
            Type::Value(ValueType::Defined(ty)) => Ok(ty),
            _ => Err(self.unexpected("type where a stream or future belongs")),
        }
    }
}
