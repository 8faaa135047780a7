//! Functions that component instances export, called with values or with Rust types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use dunlin_engine::raw::{RawStore, StoreId, raw};
use dunlin_engine::{AsContextMut, Error, Result};

use crate::call::{Lifted, call_guest};
use crate::types::FuncType;
use crate::val::Val;
use crate::wit_type::{Lift, LowerParams};

/// A function that a component instance exports.
#[derive(Clone)]
pub struct Func {
    lifted: Arc<Lifted>,
    store: StoreId,
}

impl Func {
    pub(crate) fn new(lifted: Arc<Lifted>, store: StoreId) -> Func {
        Func { lifted, store }
    }

    pub(crate) fn lifted(&self) -> &Arc<Lifted> {
        &self.lifted
    }

    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// Its type.
    pub fn ty(&self) -> FuncType {
        self.lifted.side.component.func_type(self.lifted.ty)
    }

    /// The name it was exported by first.
    pub fn name(&self) -> &str {
        &self.lifted.name
    }

    /// Calls it; its result, if it has one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](dunlin_engine::ErrorKind) if the values do not fit its type or belong to
    /// another store; otherwise whatever stopped the guest, whose instance nobody can enter any more
    /// then.
    pub fn call(&self, mut store: impl AsContextMut, params: &[Val]) -> Result<Option<Val>> {
        let store = raw(store.as_context_mut());
        self.check_store(&store)?;
        let ty = self.ty();
        self.check_params(&ty, params)?;
        let types = &self.lifted.side.component.description().types;
        let Some(types) = types.funcs.get(self.lifted.ty.index()) else {
            return Err(crate::state::bug());
        };
        call_guest(
            store,
            &self.lifted,
            |cx, plan, place| {
                let parts = params.iter().zip(&types.params).zip(plan.fields());
                for ((val, (_, ty)), field) in parts {
                    cx.val(*ty, val, place.field(field))?;
                }
                Ok(())
            },
            |cx, result| match (types.result, result) {
                (Some(ty), Some((_, place))) => cx.val(ty, place).map(Some),
                _ => Ok(None),
            },
        )
    }

    fn check_params(&self, ty: &FuncType, params: &[Val]) -> Result<()> {
        let name = &self.lifted.name;
        let types = ty.params();
        if types.len() != params.len() {
            let (expected, found) = (types.len(), params.len());
            return Err(Error::misuse(format!(
                "cannot call `{name}`: expected {expected} parameters, found {found}: it is {ty}"
            )));
        }
        for ((param, ty), val) in types.zip(params) {
            if let Some(mismatch) = val.mismatch(&ty) {
                return Err(Error::misuse(format!(
                    "cannot call `{name}`: parameter `{param}`: {mismatch}"
                )));
            }
        }
        Ok(())
    }

    fn check_store(&self, store: &RawStore<'_>) -> Result<()> {
        if self.store == store.id() {
            return Ok(());
        }
        let name = &self.lifted.name;
        Err(Error::misuse(format!("cannot call `{name}`: it belongs to another store")))
    }

    /// The same function with its type known to Rust: parameters as a tuple, and the result, or `()`.
    ///
    /// # Errors
    ///
    /// If it has another type.
    pub fn typed<P: LowerParams, R: Lift>(&self) -> Result<TypedFunc<P, R>> {
        let ty = self.ty();
        let wrong = P::params_mismatch(&ty).or_else(|| R::mismatch_maybe(ty.result().as_ref()));
        match wrong {
            None => Ok(TypedFunc { func: self.clone(), marker: PhantomData }),
            Some(wrong) => {
                let name = &self.lifted.name;
                Err(Error::misuse(format!("cannot call `{name}`: {wrong}: it is {ty}")))
            }
        }
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Func").field("name", &self.name()).field("ty", &self.ty()).finish()
    }
}

/// A [`Func`] that takes a tuple `P` and returns `R`.
pub struct TypedFunc<P, R> {
    func: Func,
    marker: PhantomData<fn(P) -> R>,
}

impl<P: LowerParams, R: Lift> TypedFunc<P, R> {
    /// Calls it.
    ///
    /// # Errors
    ///
    /// As [`Func::call`].
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        let store = raw(store.as_context_mut());
        self.func.check_store(&store)?;
        call_guest(
            store,
            &self.func.lifted,
            |cx, plan, place| params.lower(cx, plan.fields(), place),
            |cx, result| R::lift_payload(cx, result),
        )
    }

    /// Calls it with parameters of other Rust types that stand for the same types of WIT, such as `&str`
    /// where `P` has `String`. What does not is an error when it is reached.
    ///
    /// # Errors
    ///
    /// As [`Func::call`].
    #[doc(hidden)]
    pub fn call_as<Q: LowerParams>(&self, mut store: impl AsContextMut, params: Q) -> Result<R> {
        let store = raw(store.as_context_mut());
        self.func.check_store(&store)?;
        call_guest(
            store,
            &self.func.lifted,
            |cx, plan, place| params.lower(cx, plan.fields(), place),
            |cx, result| R::lift_payload(cx, result),
        )
    }

    /// The function without its type.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        TypedFunc { func: self.func.clone(), marker: PhantomData }
    }
}

impl<P, R> fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}
