//! Functions whose types Rust knows: called without looking at types and without allocating.

use std::fmt;
use std::marker::PhantomData;

use dunlin_module::{FuncType, ValType};
use dunlin_vm as vm;

use crate::buffer::Buffer;
use crate::context::AsContextMut;
use crate::error::{Error, Result};
use crate::func::slots::{are_numbers, has_floats};
use crate::func::{Func, WasmParams, WasmResults};
use crate::quote::quoted;

/// A [`Func`] that takes `P` and returns `R`.
///
/// Made by [`Func::typed`] or [`Instance::get_typed_func`](crate::Instance::get_typed_func), which
/// check the type once.
pub struct TypedFunc<P, R> {
    func: Func,
    marker: PhantomData<fn(P) -> R>,
}

impl<P: WasmParams, R: WasmResults> TypedFunc<P, R> {
    pub(crate) fn new(func: Func, vm: &vm::Store) -> Result<TypedFunc<P, R>> {
        match Self::check(func, vm)? {
            None => Ok(TypedFunc { func, marker: PhantomData }),
            Some(mismatch) => {
                Err(Error::misuse(format!("cannot call {}: {mismatch}", func.title(vm))))
            }
        }
    }

    /// As [`TypedFunc::new`], for an export.
    pub(crate) fn named(func: Func, name: &str, vm: &vm::Store) -> Result<TypedFunc<P, R>> {
        match Self::check(func, vm)? {
            None => Ok(TypedFunc { func, marker: PhantomData }),
            Some(mismatch) => {
                Err(Error::misuse(format!("cannot call {}: {mismatch}", quoted(name))))
            }
        }
    }

    /// How the types of `func` and of `self` differ.
    fn check(func: Func, vm: &vm::Store) -> Result<Option<String>> {
        let ty = vm.func_type(func.0)?;
        let types = vm.types();
        let mut params = Vec::new();
        let mut results = Vec::new();
        P::types(&mut |ty| params.push(ty));
        R::types(&mut |ty| results.push(ty));
        let all = |sub: &[ValType], sup: &[ValType]| {
            sub.len() == sup.len() && sub.iter().zip(sup).all(|(&a, &b)| types.val_subtype(a, b))
        };
        if all(&params, &ty.params) && all(&ty.results, &results) {
            return Ok(None);
        }
        let wanted = FuncType::new(params, results);
        Ok(Some(format!("expected {ty}, found {wanted}")))
    }

    /// Calls it.
    ///
    /// Allocates nothing unless parameters or results take more than 32 slots of 8 bytes.
    ///
    /// # Errors
    ///
    /// Whatever stopped the guest, or [`ErrorKind::Misuse`](crate::ErrorKind) if the function or a
    /// parameter belongs to another store.
    #[inline]
    pub fn call(&self, mut store: impl AsContextMut, params: P) -> Result<R> {
        self.call_raw(store.as_context_mut().vm, params)
    }

    /// Calls it in a machine's store.
    #[inline]
    pub(crate) fn call_raw(&self, vm: &mut vm::Store, params: P) -> Result<R> {
        if const { are_numbers::<P, R>() } {
            let numbers = params.to_numbers();
            let called = match const { has_floats::<P>() } {
                false => vm.call_numbers::<false>(self.func.0, &numbers),
                true => vm.call_numbers::<true>(self.func.0, &numbers),
            };
            match called {
                vm::Called::Returned(int, float) => {
                    return R::from_numbers(vm::Numbers { ints: [int; _], floats: [float; _] });
                }
                vm::Called::Failed(error) => return Err(error.into()),
                vm::Called::Not => {}
            }
        }
        self.call_slots(vm, params)
    }

    /// Calls it in the way that is always open.
    #[inline(never)]
    fn call_slots(&self, vm: &mut vm::Store, params: P) -> Result<R> {
        // Which of these it is, is known when this is compiled.
        let count = const { if P::COUNT > R::COUNT { P::COUNT } else { R::COUNT } };
        if count <= 5 {
            self.call_in(vm, params, &mut [0; 5])
        } else {
            self.call_in(vm, params, Buffer::new(count).as_mut_slice())
        }
    }

    #[inline(always)]
    fn call_in(&self, vm: &mut vm::Store, params: P, slots: &mut [u64]) -> Result<R> {
        params.write(vm, slots)?;
        vm.call(self.func.0, slots)?;
        R::read(vm, slots)
    }

    /// The function without its type.
    pub fn func(&self) -> &Func {
        &self.func
    }
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedFunc").field(&self.func).finish()
    }
}
