//! Host functions: Rust closures that guests call.

use std::sync::Arc;

use dunlin_module::{FuncType, ValType};
use dunlin_vm::{HostCall, HostError, HostFn};

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::func::slots::{Group, WasmResults, WasmTy, for_each_arity};
use crate::value::{self, Val};

/// A closure that can be a host function in a `Store<T>`.
///
/// Takes up to 16 parameters that are [`WasmTy`], before them a [`Caller<'_, T>`](Caller) if it
/// wants to see its store, and returns `()`, one `WasmTy`, a tuple of them, or a
/// [`Result`](crate::Result) of one of these. Sealed.
pub trait IntoFunc<T, Params, Results>: IntoHost<T, Params, Results> {}

/// What a host function returns. Sealed; see [`IntoFunc`].
pub trait WasmRet: Return {}

/// Out of reach of other crates, which seals [`IntoFunc`].
pub trait IntoHost<T, Params, Results>: Send + Sync + 'static {
    /// Its type as a function.
    fn func_type() -> FuncType;

    /// Calls the closure with parameters from slots, and leaves results there.
    fn invoke(&self, call: &mut HostCall<'_>) -> Result<(), HostError>;
}

/// Out of reach of other crates, which seals [`WasmRet`].
pub trait Return {
    /// What comes out if all goes well.
    type Results: Group;

    /// The results, or why there are none.
    fn results(self) -> Result<Self::Results>;
}

impl<R: WasmResults> WasmRet for R {}

impl<R: WasmResults> Return for R {
    type Results = R;

    #[inline(always)]
    fn results(self) -> Result<R> {
        Ok(self)
    }
}

impl<R: WasmResults> WasmRet for Result<R, Error> {}

impl<R: WasmResults> Return for Result<R, Error> {
    type Results = R;

    #[inline(always)]
    fn results(self) -> Result<R> {
        self
    }
}

fn func_type<P: Group, R: Group>() -> FuncType {
    fn list(types: fn(&mut dyn FnMut(ValType))) -> Vec<ValType> {
        let mut list = Vec::new();
        types(&mut |ty| list.push(ty));
        list
    }
    FuncType::new(list(P::types), list(R::types))
}

macro_rules! closures {
    ($($name:ident)*) => {
        impl<T, F, R, $($name: WasmTy),*> IntoFunc<T, ($($name,)*), R> for F
        where
            T: 'static,
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
        }

        #[allow(non_snake_case, reason = "the type's name names the value")]
        impl<T, F, R, $($name: WasmTy),*> IntoHost<T, ($($name,)*), R> for F
        where
            T: 'static,
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn func_type() -> FuncType {
                func_type::<($($name,)*), R::Results>()
            }

            #[inline]
            fn invoke(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
                let ($($name,)*) = Group::read(call.store, call.args)?;
                let results = self($($name),*).results()?;
                Ok(results.write(call.store, call.args)?)
            }
        }

        impl<T, F, R, $($name: WasmTy),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            T: 'static,
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
        }

        #[allow(non_snake_case, reason = "the type's name names the value")]
        impl<T, F, R, $($name: WasmTy),*> IntoHost<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            T: 'static,
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn func_type() -> FuncType {
                func_type::<($($name,)*), R::Results>()
            }

            #[inline]
            fn invoke(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
                let ($($name,)*) = Group::read(call.store, call.args)?;
                let results = self(Caller::new(call.store, call.caller), $($name),*).results()?;
                Ok(results.write(call.store, call.args)?)
            }
        }
    };
}

for_each_arity!(closures);

/// Makes the machine's form of one closure, once for every store it is used in.
pub(crate) type MakeHostFn = Arc<dyn Fn() -> HostFn + Send + Sync>;

/// The machine's form of a closure with static types.
pub(crate) fn typed<T, P, R, F>(closure: F) -> (FuncType, HostFn)
where
    F: IntoFunc<T, P, R>,
    T: 'static,
    P: 'static,
    R: 'static,
{
    (F::func_type(), Box::new(move |call: &mut HostCall<'_>| closure.invoke(call)))
}

/// As [`typed`], for any number of stores.
pub(crate) fn typed_shared<T, P, R, F>(closure: F) -> (FuncType, MakeHostFn)
where
    F: IntoFunc<T, P, R>,
    T: 'static,
    P: 'static,
    R: 'static,
{
    let closure = Arc::new(closure);
    let make = move || -> HostFn {
        let closure = closure.clone();
        Box::new(move |call: &mut HostCall<'_>| closure.invoke(call))
    };
    (F::func_type(), Arc::new(make))
}

/// The machine's form of a closure whose types are known at run time only.
pub(crate) fn untyped<T: 'static>(
    ty: FuncType,
    closure: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> HostFn {
    Box::new(move |call: &mut HostCall<'_>| Ok(call_untyped(&ty, &closure, call)?))
}

/// As [`untyped`], for any number of stores.
pub(crate) fn untyped_shared<T: 'static>(
    ty: FuncType,
    closure: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> MakeHostFn {
    let shared = Arc::new((ty, closure));
    Arc::new(move || {
        let shared = shared.clone();
        Box::new(move |call: &mut HostCall<'_>| Ok(call_untyped(&shared.0, &shared.1, call)?))
    })
}

fn call_untyped<T: 'static>(
    ty: &FuncType,
    closure: &impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()>,
    call: &mut HostCall<'_>,
) -> Result<()> {
    let mut vals = Vec::with_capacity(ty.params.len() + ty.results.len());
    let mut slots = call.args.iter();
    for &param in &ty.params {
        vals.push(value::read(param, call.store, &mut slots)?);
    }
    for &result in &ty.results {
        vals.push(value::placeholder(result));
    }
    let (params, results) = vals.split_at_mut(ty.params.len());
    closure(Caller::new(call.store, call.caller), params, results)?;
    let mut slots = call.args.iter_mut();
    for (i, (val, &expected)) in results.iter().zip(&ty.results).enumerate() {
        if !value::is_a(val, expected, call.store)? {
            let found = value::printed_type(val);
            return Err(Error::misuse(format!(
                "cannot return from host function: result {i}: expected {expected}, found {found}"
            )));
        }
        value::write(val, call.store, &mut slots)?;
    }
    Ok(())
}
