//! Functions: of guests and of the host, called with values or with Rust types.

use std::fmt;

use dunlin_module::{FuncType, ValType};
use dunlin_vm as vm;

use crate::buffer::Buffer;
use crate::caller::Caller;
use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::quote::quoted;
use crate::value::{self, Val};

pub(crate) mod host;
mod slots;
mod typed;

pub use host::{IntoFunc, WasmRet};
pub use slots::{WasmParams, WasmResults, WasmTy};
pub use typed::TypedFunc;

/// A function in a store: an export of an instance, or one made by the host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Func(pub(crate) vm::Func);

impl Func {
    /// A host function from a closure, whose parameters and results say its type; see [`IntoFunc`].
    ///
    /// ```
    /// # use dunlin_engine::{Engine, Func, Store};
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let add = Func::wrap(&mut store, |a: i32, b: i32| a + b);
    /// assert_eq!(add.ty(&store).to_string(), "(func (param i32 i32) (result i32))");
    /// assert_eq!(add.typed::<(i32, i32), i32>(&store)?.call(&mut store, (1, 2))?, 3);
    /// # Ok::<(), dunlin_engine::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the store holds as many functions as its limits allow. [`Func::try_wrap`] returns an
    /// error instead.
    #[expect(clippy::panic, reason = "documented; there is a fallible twin")]
    pub fn wrap<C, P, R>(store: C, closure: impl IntoFunc<C::Data, P, R>) -> Func
    where
        C: AsContextMut,
        P: 'static,
        R: 'static,
    {
        match Func::try_wrap(store, closure) {
            Ok(func) => func,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`Func::wrap`], within the limits of the store.
    pub fn try_wrap<C, P, R>(mut store: C, closure: impl IntoFunc<C::Data, P, R>) -> Result<Func>
    where
        C: AsContextMut,
        P: 'static,
        R: 'static,
    {
        let (ty, f) = host::typed(closure);
        Ok(Func(store.as_context_mut().vm.host_func(&ty, f)?))
    }

    /// A host function of a type known at run time only.
    ///
    /// The closure gets its parameters and a place for its results, which hold zero or null at
    /// first.
    ///
    /// # Panics
    ///
    /// If the store holds as many functions as its limits allow. [`Func::try_new`] returns an
    /// error instead.
    #[expect(clippy::panic, reason = "documented; there is a fallible twin")]
    pub fn new<C, F>(store: C, ty: FuncType, closure: F) -> Func
    where
        C: AsContextMut,
        F: Fn(Caller<'_, C::Data>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    {
        match Func::try_new(store, ty, closure) {
            Ok(func) => func,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`Func::new`], within the limits of the store.
    pub fn try_new<C, F>(mut store: C, ty: FuncType, closure: F) -> Result<Func>
    where
        C: AsContextMut,
        F: Fn(Caller<'_, C::Data>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    {
        let f = host::untyped(ty.clone(), closure);
        Ok(Func(store.as_context_mut().vm.host_func(&ty, f)?))
    }

    /// Its type.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    #[expect(clippy::panic, reason = "documented")]
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        match store.as_context().vm.func_type(self.0) {
            Ok(ty) => FuncType::clone(ty),
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls it with `params`, and leaves its results in `results`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`](crate::ErrorKind) if the values do not fit its type or belong to
    /// another store; otherwise whatever stopped the guest.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<()> {
        let vm = store.as_context_mut().vm;
        let ty = vm.func_type(self.0)?.clone();
        if params.len() != ty.params.len() {
            return Err(self.mismatch(vm, "param", &ty.params, params));
        }
        for (param, &expected) in params.iter().zip(&ty.params) {
            if !value::is_a(param, expected, vm)? {
                return Err(self.mismatch(vm, "param", &ty.params, params));
            }
        }
        if results.len() != ty.results.len() {
            return Err(Error::misuse(format!(
                "cannot call {}: expected room for {} results, found room for {}",
                self.title(vm),
                ty.results.len(),
                results.len(),
            )));
        }
        let mut buffer = Buffer::new(ty.param_slots().max(ty.result_slots()) as usize);
        let slots = buffer.as_mut_slice();
        let mut to = slots.iter_mut();
        for param in params {
            value::write(param, vm, &mut to)?;
        }
        vm.call(self.0, slots)?;
        let mut from = slots.iter();
        for (result, &ty) in results.iter_mut().zip(&ty.results) {
            *result = value::read(ty, vm, &mut from)?;
        }
        Ok(())
    }

    /// The same function with its type known to Rust, which makes calls faster.
    ///
    /// # Errors
    ///
    /// If it has another type.
    pub fn typed<P: WasmParams, R: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<P, R>> {
        TypedFunc::new(*self, store.as_context().vm)
    }

    /// How messages call it: by its name if it has one.
    fn title<'a>(&self, vm: &'a vm::Store) -> impl fmt::Display + use<'a> {
        let name = vm.func_name(self.0);
        fmt::from_fn(move |f| match &name {
            Some(name) => write!(f, "{}", quoted(name)),
            None => f.write_str("function"),
        })
    }

    #[cold]
    fn mismatch(
        &self,
        vm: &vm::Store,
        word: &'static str,
        expected: &[ValType],
        found: &[Val],
    ) -> Error {
        let found: Vec<ValType> = found.iter().map(value::printed_type).collect();
        let text = format!(
            "cannot call {}: expected {}, found {}",
            self.title(vm),
            list(word, expected),
            list(word, &found),
        );
        Error::misuse(text)
    }
}

/// `(param i32 i64)` or, when there are none, `no params`.
fn list<'a>(word: &'a str, types: &'a [ValType]) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        if types.is_empty() {
            return write!(f, "no {word}s");
        }
        write!(f, "({word}")?;
        for ty in types {
            write!(f, " {ty}")?;
        }
        f.write_str(")")
    })
}
