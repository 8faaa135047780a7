//! Host functions: Rust closures that guests call.

use std::marker::PhantomData;

use dunlin_module::{FuncType, ValType};
use dunlin_vm as vm;
use dunlin_vm::{
    Blind, HostCall, HostError, HostFn, HostFunction, NumberFunction, Numbers, Seeing, Sight,
};

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::func::slots::{Group, WasmResults, WasmTy, are_numbers, for_each_arity};
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

    /// Whether it takes and gives numbers alone, as few as there are registers for.
    const NUMBERS: bool;

    /// Whether the closure sees its store.
    type Sees: Sight;

    /// Calls the closure, for [`IntoHost::NUMBERS`].
    fn invoke_numbers(
        &self,
        seen: <Self::Sees as Sight>::Of<'_>,
        numbers: Numbers,
    ) -> Result<u64, HostError>;
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

            const NUMBERS: bool = are_numbers::<($($name,)*), R::Results>();

            type Sees = Blind;

            #[inline(always)]
            fn invoke_numbers(&self, (): (), numbers: Numbers) -> Result<u64, HostError> {
                let ($($name,)*) = Group::from_numbers(numbers)?;
                Ok(self($($name),*).results()?.into_number()?)
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

            const NUMBERS: bool = are_numbers::<($($name,)*), R::Results>();

            type Sees = Seeing;

            #[inline(always)]
            fn invoke_numbers(
                &self,
                (store, caller): (&mut vm::Store, Option<vm::InstanceHandle>),
                numbers: Numbers,
            ) -> Result<u64, HostError> {
                let ($($name,)*) = Group::from_numbers(numbers)?;
                let results = self(Caller::new(store, caller), $($name),*).results()?;
                Ok(results.into_number()?)
            }
        }
    };
}

for_each_arity!(closures);

/// A closure with static types, `S`.
struct Typed<F, S>(F, PhantomData<fn(S)>);

impl<T, P, R, F> HostFunction for Typed<F, (T, P, R)>
where
    F: IntoHost<T, P, R>,
    T: 'static,
    P: 'static,
    R: 'static,
{
    #[inline]
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), HostError> {
        self.0.invoke(call)
    }
}

impl<T, P, R, F> NumberFunction for Typed<F, (T, P, R)>
where
    F: IntoHost<T, P, R>,
    T: 'static,
    P: 'static,
    R: 'static,
{
    type Sees = F::Sees;

    #[inline(always)]
    fn call_numbers(
        &self,
        seen: <F::Sees as Sight>::Of<'_>,
        numbers: Numbers,
    ) -> Result<u64, HostError> {
        self.0.invoke_numbers(seen, numbers)
    }
}

/// The machine's form of a closure with static types.
pub(crate) fn typed<T, P, R, F>(closure: F) -> (FuncType, HostFn)
where
    F: IntoFunc<T, P, R>,
    T: 'static,
    P: 'static,
    R: 'static,
{
    let function = Typed(closure, PhantomData::<fn((T, P, R))>);
    let f = if const { F::NUMBERS } { HostFn::of_numbers(function) } else { HostFn::new(function) };
    (F::func_type(), f)
}

/// The machine's form of a closure whose types are known at run time only.
pub(crate) fn untyped<T: 'static>(
    ty: FuncType,
    closure: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
) -> HostFn {
    HostFn::new(move |call: &mut HostCall<'_>| Ok(call_untyped(&ty, &closure, call)?))
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
