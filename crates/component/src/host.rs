//! Functions of the host that components import.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dunlin_engine::raw::{RawStore, raw};
use dunlin_engine::{
    AsContext, AsContextMut, Engine, Error, Result, StoreContext, StoreContextMut,
};

use crate::call::{Lowered, Source, call_host};
use crate::state::bug;
use crate::types::FuncType;
use crate::val::Val;
use crate::wit_type::{Params, ReturnedToGuest};

/// What a function of the host sees of the call that reached it: the store, and who called.
pub struct Caller<'a, T: 'static> {
    store: StoreContextMut<'a, T>,
    source: &'a Source,
}

impl<'a, T: 'static> Caller<'a, T> {
    /// The host's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The host's data, to change it.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// Who called, and by which name.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// Whether the guest was asked to stop. Functions that wait ask this now and then.
    pub fn is_interrupted(&mut self) -> bool {
        raw(self.store.as_context_mut()).is_interrupted()
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;

    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}

/// A function of the host that a component imports and exports as its own: there is nothing to call in
/// the component, but others can be [given](crate::LinkerInstance::define) it.
#[derive(Clone)]
pub struct HostFunc {
    pub(crate) function: Arc<dyn HostFunction>,
    pub(crate) ty: FuncType,
}

impl HostFunc {
    /// Its type, as the component declares it.
    pub fn ty(&self) -> &FuncType {
        &self.ty
    }
}

impl fmt::Debug for HostFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunc").field("ty", &self.ty).finish_non_exhaustive()
    }
}

/// A function of the host, for any number of stores.
pub(crate) trait HostFunction: Send + Sync {
    /// Why it cannot stand for a function of a type, if it cannot.
    fn mismatch(&self, ty: &FuncType) -> Option<String>;

    /// Answers a call.
    fn call(&self, store: RawStore<'_>, lowered: &Lowered, slots: &mut [u64]) -> Result<()>;
}

/// A closure that takes and returns values of any types.
pub(crate) struct Untyped<T, F>(F, PhantomData<fn(T)>);

impl<T, F> Untyped<T, F>
where
    T: 'static,
    F: Fn(Caller<'_, T>, &[Val]) -> Result<Option<Val>> + Send + Sync + 'static,
{
    pub(crate) fn new(f: F) -> Untyped<T, F> {
        Untyped(f, PhantomData)
    }
}

impl<T, F> HostFunction for Untyped<T, F>
where
    T: 'static,
    F: Fn(Caller<'_, T>, &[Val]) -> Result<Option<Val>> + Send + Sync + 'static,
{
    fn mismatch(&self, _: &FuncType) -> Option<String> {
        None
    }

    fn call(&self, store: RawStore<'_>, lowered: &Lowered, slots: &mut [u64]) -> Result<()> {
        let component = &lowered.side.component;
        let ty = component.func_type(lowered.ty);
        let types = &component.description().types;
        let types = types.funcs.get(lowered.ty.index()).ok_or_else(bug)?;
        call_host(
            store,
            lowered,
            slots,
            |cx, plan, place| {
                cx.charge((types.params.len() * size_of::<Val>()) as u64)?;
                let parts = types.params.iter().zip(plan.fields());
                let vals = parts.map(|((_, ty), field)| cx.val(*ty, place.field(field)));
                vals.collect::<Result<Vec<_>>>()
            },
            |mut store, source, params| {
                let caller = Caller { store: store.context::<T>(), source };
                let result = (self.0)(caller, &params)?;
                check_result(&ty, result.as_ref(), source)?;
                Ok(result)
            },
            |cx, _, place, result| match (types.result, result) {
                (Some(ty), Some(val)) => cx.val(ty, &val, place),
                _ => Ok(()),
            },
        )
    }
}

fn check_result(ty: &FuncType, val: Option<&Val>, source: &Source) -> Result<()> {
    let wrong = match (ty.result(), val) {
        (None, None) => None,
        (Some(ty), Some(val)) => val.mismatch(&ty).map(|mismatch| mismatch.to_string()),
        (Some(ty), None) => Some(format!("expected {ty}, found nothing")),
        (None, Some(val)) => Some(format!("expected nothing, found {}", val.kind())),
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => {
            Err(Error::misuse(format!("cannot return from host function {source}: {wrong}")))
        }
    }
}

/// A closure whose types Rust knows.
pub(crate) struct Typed<T, P, R, F>(F, PhantomData<fn(T, P) -> R>);

impl<T, P, R, F> Typed<T, P, R, F>
where
    T: 'static,
    P: Params + 'static,
    R: ReturnedToGuest + 'static,
    F: Fn(Caller<'_, T>, P) -> Result<R> + Send + Sync + 'static,
{
    pub(crate) fn new(f: F) -> Typed<T, P, R, F> {
        Typed(f, PhantomData)
    }
}

impl<T, P, R, F> HostFunction for Typed<T, P, R, F>
where
    T: 'static,
    P: Params + 'static,
    R: ReturnedToGuest + 'static,
    F: Fn(Caller<'_, T>, P) -> Result<R> + Send + Sync + 'static,
{
    fn mismatch(&self, ty: &FuncType) -> Option<String> {
        P::params_mismatch(ty).or_else(|| R::result_mismatch(ty.result().as_ref()))
    }

    fn call(&self, store: RawStore<'_>, lowered: &Lowered, slots: &mut [u64]) -> Result<()> {
        call_host(
            store,
            lowered,
            slots,
            |cx, plan, place| P::lift(cx, plan.fields(), place),
            |mut store, source, params| {
                (self.0)(Caller { store: store.context::<T>(), source }, params)
            },
            |cx, id, place, result| result.lower_result(cx, id, place),
        )
    }
}

/// How a name is written in messages: the interface, if there is one, and the function.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "`{interface}#{}`", self.function),
            None => write!(f, "`{}`", self.function),
        }
    }
}
