//! What a host function sees of the call that reached it.

use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
use crate::engine::Engine;
use crate::error::Result;
use crate::externs::Extern;

/// The store in which a host function was called, and the instance that called it.
///
/// Host functions take it as their first parameter if they want to; it stands for the store in
/// every operation.
///
/// ```
/// # use dunlin_engine::{Caller, Engine, Func, Store};
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, 0u32);
/// let count = Func::wrap(&mut store, |mut caller: Caller<'_, u32>, n: u32| {
///     *caller.data_mut() += n;
/// });
/// count.typed::<u32, ()>(&store)?.call(&mut store, 3)?;
/// assert_eq!(*store.data(), 3);
/// # Ok::<(), dunlin_engine::Error>(())
/// ```
pub struct Caller<'a, T: 'static> {
    store: StoreContextMut<'a, T>,
    instance: Option<vm::InstanceHandle>,
}

impl<'a, T: 'static> Caller<'a, T> {
    #[inline(always)]
    pub(crate) fn new(store: &'a mut vm::Store, instance: Option<vm::InstanceHandle>) -> Self {
        Caller { store: StoreContextMut::new(store), instance }
    }

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

    /// Frees every object and every value of the host that nobody can reach any more; see
    /// [`Store::collect_garbage`](crate::Store::collect_garbage).
    ///
    /// # Errors
    ///
    /// If there is no memory to copy the others to.
    pub fn collect_garbage(&mut self) -> Result<()> {
        Ok(self.store.vm.collect_all()?)
    }

    /// What the calling instance exports as `name`; `None` also if the host called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        let found = self.store.vm.export(self.instance?, name).ok()?;
        found.map(Extern::from)
    }

    /// Whether the guest was asked to stop: by a deadline that passed, or through an
    /// [`InterruptHandle`](crate::InterruptHandle). Host functions that wait ask this now and then.
    pub fn is_interrupted(&self) -> bool {
        self.store.vm.is_interrupted()
    }

    /// How much fuel is left; see [`Store::fuel`](crate::Store::fuel).
    pub fn fuel(&self) -> Result<u64> {
        self.store.fuel()
    }

    /// Sets how much fuel guests may still use; see [`Store::set_fuel`](crate::Store::set_fuel).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }
}

impl<T: 'static> AsContext for Caller<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
