//! Borrowed stores: what every operation on live things takes, and what host functions are given.

use std::any::Any;
use std::marker::PhantomData;

use dunlin_vm as vm;

use crate::engine::Engine;

/// What a `Store<T>` keeps as the machine's host data.
pub(crate) struct HostData<T> {
    pub(crate) engine: Engine,
    pub(crate) data: T,
}

/// A shared borrow of a [`Store<T>`](crate::Store).
pub struct StoreContext<'a, T: 'static> {
    pub(crate) vm: &'a vm::Store,
    pub(crate) marker: PhantomData<&'a T>,
}

/// An exclusive borrow of a [`Store<T>`](crate::Store).
pub struct StoreContextMut<'a, T: 'static> {
    pub(crate) vm: &'a mut vm::Store,
    pub(crate) marker: PhantomData<&'a mut T>,
}

/// Anything through which a store can be read: the store itself, a [`Caller`](crate::Caller), or a
/// reference to one of these.
pub trait AsContext {
    /// The host's data in the store.
    type Data: 'static;

    /// Borrows the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Anything through which a store can be changed.
pub trait AsContextMut: AsContext {
    /// Borrows the store exclusively.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

#[expect(clippy::expect_used, reason = "contexts of `T` come from a `Store<T>` only")]
pub(crate) fn host_data<T: 'static>(data: &(dyn Any + Send)) -> &HostData<T> {
    data.downcast_ref().expect("the store was made with this type of data")
}

#[expect(clippy::expect_used, reason = "contexts of `T` come from a `Store<T>` only")]
pub(crate) fn host_data_mut<T: 'static>(data: &mut (dyn Any + Send)) -> &mut HostData<T> {
    data.downcast_mut().expect("the store was made with this type of data")
}

impl<'a, T: 'static> StoreContext<'a, T> {
    pub(crate) fn new(vm: &'a vm::Store) -> StoreContext<'a, T> {
        StoreContext { vm, marker: PhantomData }
    }

    /// The host's data.
    pub fn data(&self) -> &'a T {
        &host_data(self.vm.data()).data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &'a Engine {
        &host_data::<T>(self.vm.data()).engine
    }
}

impl<'a, T: 'static> StoreContextMut<'a, T> {
    pub(crate) fn new(vm: &'a mut vm::Store) -> StoreContextMut<'a, T> {
        StoreContextMut { vm, marker: PhantomData }
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        self.as_context().data()
    }

    /// The host's data, to change it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut host_data_mut(self.vm.data_mut()).data
    }

    /// The engine of the store.
    pub fn engine(&self) -> &Engine {
        self.as_context().engine()
    }
}

impl<T: 'static> Clone for StoreContext<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: 'static> Copy for StoreContext<'_, T> {}

impl<T: 'static> AsContext for StoreContext<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        *self
    }
}

impl<T: 'static> AsContext for StoreContextMut<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext::new(self.vm)
    }
}

impl<T: 'static> AsContextMut for StoreContextMut<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut::new(self.vm)
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

impl<'a, C: AsContext> From<&'a C> for StoreContext<'a, C::Data> {
    fn from(context: &'a C) -> Self {
        context.as_context()
    }
}

impl<'a, C: AsContextMut> From<&'a mut C> for StoreContextMut<'a, C::Data> {
    fn from(context: &'a mut C) -> Self {
        context.as_context_mut()
    }
}
