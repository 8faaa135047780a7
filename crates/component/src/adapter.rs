//! Adapters: core functions that stand between two component instances of one whole.
//!
//! What a copy plan says can be said in core wasm, too. For plans that are short this is faster than to
//! follow them, and it is no more than a guest could do: an adapter runs in the sandbox, in the tiers
//! that guests run in, checks what it is given, and calls the host for what only the host can judge.
//! Which calls have one is known without an instance ([`group`]); the others are [answered by the
//! host](crate::call).

mod body;
mod group;
mod values;

use std::sync::Arc;

use dunlin_engine::{self as engine, Error, Extern, FuncType, Module, Result, ValType};
use dunlin_module::component::{CoreItem, LiftIndex, OptionsIndex, TrampolineIndex};

pub(crate) use self::group::Adapters;
use self::group::{Want, failure};
use crate::abi::{Side, Text, check_list};
use crate::call::Lifted;
use crate::instantiate::Making;
use crate::state::bug;

impl Making<'_> {
    /// Makes those of the functions that a core instance imports that are adapters.
    pub(crate) fn adapters<'i>(&mut self, items: impl Iterator<Item = &'i CoreItem>) -> Result<()> {
        let made = |index: &TrampolineIndex| {
            self.trampolines.get(index.index()).is_none_or(Option::is_some)
        };
        let wanted: Vec<TrampolineIndex> = items
            .filter_map(|item| match item {
                CoreItem::Trampoline(index) => Some(*index),
                CoreItem::Export(..) => None,
            })
            .filter(|index| !made(index))
            .collect();
        let component = self.component.clone();
        let Some(place) = wanted.first().and_then(|first| component.adapters(*first)) else {
            return Ok(());
        };
        // Each time the component is instantiated this step is the same.
        let adapters = match place.get() {
            Some(adapters) => adapters,
            None => {
                let made = Adapters::new(&component, &wanted)?;
                place.get_or_init(|| made)
            }
        };
        for (trampoline, callee) in &adapters.direct {
            let callee = self.callee(*callee)?.core.func();
            *self.trampolines.get_mut(trampoline.index()).ok_or_else(bug)? = Some(callee);
        }
        match &adapters.module {
            Some(module) => self.make_adapters(adapters, module),
            None => Ok(()),
        }
    }

    /// A function that a component instance calls without a name for it.
    pub(crate) fn callee(&mut self, lift: LiftIndex) -> Result<Arc<Lifted>> {
        self.lifted(lift, &"function".into())
    }

    fn make_adapters(&mut self, adapters: &Adapters, module: &Module) -> Result<()> {
        let mut imports = Vec::with_capacity(adapters.wants.len());
        for want in &adapters.wants {
            match self.wanted(want)? {
                Some(found) => imports.push(found),
                // A memory that adapters do not know: the host does.
                None => return Ok(()),
            }
        }
        let instance = self.store.instantiate(module, &imports)?;
        for (i, trampoline) in adapters.members.iter().enumerate() {
            let Some(Extern::Func(func)) = self.store.export(instance, &i.to_string())? else {
                return Err(bug());
            };
            *self.trampolines.get_mut(trampoline.index()).ok_or_else(bug)? = Some(func);
        }
        Ok(())
    }

    /// What a module of adapters imports.
    fn wanted(&mut self, want: &Want) -> Result<Option<Extern>> {
        Ok(Some(match *want {
            Want::Fail => Extern::Func(self.fail()?),
            Want::Flags(instance) => Extern::Global(self.who(instance)?.flags.global()),
            Want::Callee(lift) => Extern::Func(self.callee(lift)?.core.func()),
            Want::PostReturn(lift) => {
                let callee = self.callee(lift)?;
                Extern::Func(callee.post_return.as_ref().ok_or_else(bug)?.func())
            }
            Want::Realloc(options) => {
                Extern::Func(*self.side(options)?.realloc.ok_or_else(bug)?.func())
            }
            Want::Memory(options) => {
                let memory = self.side(options)?.memory()?;
                let ty = memory.ty(self.store.context::<()>());
                if ty.shared || ty.index64 || ty.page_size_log2 != 16 {
                    return Ok(None);
                }
                Extern::Memory(memory)
            }
            Want::Text(options) => Extern::Func(self.check_text(options)?),
            Want::List(options) => Extern::Func(self.judge_list(options)?),
        }))
    }

    /// What adapters call if they cannot go on.
    fn fail(&mut self) -> Result<engine::Func> {
        let ty = FuncType::new([ValType::I32], []);
        self.store.host_number_func(&ty, |_, slots| {
            let why = slots.first().copied().ok_or_else(bug)?;
            Err::<(), Error>(failure(why))
        })
    }

    /// What adapters call with address and length of a string: it returns if both are right, and what is
    /// there is text.
    fn check_text(&mut self, options: OptionsIndex) -> Result<engine::Func> {
        let side: Side = self.side(options)?;
        let ty = FuncType::new([ValType::I32; 2], []);
        self.store.host_number_func(&ty, move |store, slots| {
            let [at, len, ..] = *slots else { return Err(bug()) };
            let (at, len) = (at as u32, len as u32);
            let outside = "string content out-of-bounds";
            Text::load(side.bytes(&store)?, side.encoding, at, len, outside).map(|_| ())
        })
    }

    /// What adapters call with address and length of a list, and size and alignment of an element, if
    /// something is wrong with them, to say what.
    fn judge_list(&mut self, options: OptionsIndex) -> Result<engine::Func> {
        let side: Side = self.side(options)?;
        let ty = FuncType::new([ValType::I32; 4], []);
        self.store.host_number_func(&ty, move |store, slots| {
            let [at, len, size, align, ..] = *slots else { return Err(bug()) };
            let element = (size as u32, align as u32);
            let outside = "list content out-of-bounds";
            check_list(side.bytes(&store)?, at as u32, len as u32, element, outside)?;
            Err(bug())
        })
    }
}
