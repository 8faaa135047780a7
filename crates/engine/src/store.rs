//! The store: owner of everything live, and of the host's data that host functions see.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use dunlin_vm as vm;

use crate::config::{self, Limits};
use crate::context::{
    AsContext, AsContextMut, HostData, StoreContext, StoreContextMut, host_data, host_data_mut,
};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

pub use dunlin_vm::InterruptHandle;
use dunlin_vm::Resource;

/// Owns instances, memories, tables, globals and functions, and a `T` for the host.
///
/// Nothing live is shared between stores: a handle such as [`Func`](crate::Func) or
/// [`Memory`](crate::Memory) belongs to the store it came from, and using it with another is an
/// error. Everything in a store lives until the store is dropped.
///
/// A panic in a host function ends the call with a trap and makes its store unusable; other stores
/// go on.
pub struct Store<T: 'static> {
    vm: vm::Store,
    marker: PhantomData<T>,
}

impl<T: 'static> Store<T> {
    /// A store with the limits of the engine.
    ///
    /// # Panics
    ///
    /// If the system has no memory for it. [`Store::try_new`] returns an error instead.
    #[expect(clippy::panic, reason = "documented; there is a fallible twin")]
    pub fn new(engine: &Engine, data: T) -> Store<T>
    where
        T: Send,
    {
        match Store::try_new(engine, data) {
            Ok(store) => store,
            Err(error) => panic!("{error}"),
        }
    }

    /// A store with the limits of the engine, if the system has memory for it.
    pub fn try_new(engine: &Engine, data: T) -> Result<Store<T>>
    where
        T: Send,
    {
        Store::with_limits(engine, data, engine.limits().clone())
    }

    /// A store with limits of its own.
    ///
    /// ```
    /// # use dunlin_engine::{Engine, Store};
    /// let engine = Engine::default();
    /// let mut limits = engine.limits().clone();
    /// limits.memory_bytes = 16 << 20;
    /// let store = Store::with_limits(&engine, (), limits)?;
    /// # Ok::<(), dunlin_engine::Error>(())
    /// ```
    pub fn with_limits(engine: &Engine, data: T, limits: Limits) -> Result<Store<T>>
    where
        T: Send,
    {
        let mut conflicts = Vec::new();
        config::limit_conflicts(&limits, &mut conflicts);
        if !conflicts.is_empty() {
            return Err(Error::list(ErrorKind::Misuse, "cannot make a store", conflicts));
        }
        let host = Box::new(HostData { engine: engine.clone(), data });
        let mut vm = vm::Store::new(engine.types().clone(), engine.settings(), limits, host)?;
        vm.set_gc_zeal(engine.gc_zeal());
        Ok(Store { vm, marker: PhantomData })
    }

    /// What its garbage collector did so far, and what is in its heap.
    pub fn gc_stats(&self) -> vm::GcStats {
        self.vm.gc_stats()
    }

    /// Frees every object and every value of the host that nobody can reach any more.
    ///
    /// # Errors
    ///
    /// If there is no memory to copy the others to, which the limits of the store bound.
    pub fn collect_garbage(&mut self) -> Result<()> {
        Ok(self.vm.collect_all()?)
    }

    /// A store of the same engine for work on another thread on behalf of the same guest: both
    /// together may take no more than the limits of one. It has the same deadline, and takes its fuel
    /// from what is [shared](StoreContextMut::share_fuel).
    pub fn sibling_of(of: impl AsContext, data: T) -> Result<Store<T>>
    where
        T: Send,
    {
        let of = of.as_context();
        let engine = of.engine();
        let host = Box::new(HostData { engine: engine.clone(), data });
        let (types, budget) = (engine.types().clone(), of.vm.budget().share());
        let mut vm = vm::Store::with_budget(types, engine.settings(), budget, host)?;
        if let Some(deadline) = of.vm.deadline() {
            vm.set_deadline(Some(deadline))?;
        }
        Ok(Store { vm, marker: PhantomData })
    }

    /// Charges the store for something the host keeps on behalf of its guests, until the store is
    /// dropped.
    ///
    /// # Errors
    ///
    /// If its limits do not allow that; then nothing is charged.
    pub fn charge(&mut self, resource: Resource, amount: u64) -> Result<()> {
        Ok(self.vm.budget_mut().charge(resource, amount)?)
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &host_data::<T>(self.vm.data()).engine
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        &host_data(self.vm.data()).data
    }

    /// The host's data, to change it.
    pub fn data_mut(&mut self) -> &mut T {
        &mut host_data_mut(self.vm.data_mut()).data
    }

    /// Drops everything in the store but the host's data.
    #[expect(clippy::expect_used, reason = "a `Store<T>` is made with data of type `T`")]
    pub fn into_data(self) -> T {
        let host = self.vm.into_data().downcast::<HostData<T>>();
        host.expect("the store was made with this type of data").data
    }

    /// Sets how much fuel guests may still use.
    ///
    /// Counting is exact: the same work costs the same, on every machine and with every setting.
    /// A new store has none.
    ///
    /// # Errors
    ///
    /// If the engine does not count fuel
    /// ([`ExecutionConfig::fuel`](crate::ExecutionConfig::fuel)).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.as_context_mut().set_fuel(fuel)
    }

    /// How much fuel is left.
    ///
    /// # Errors
    ///
    /// If the engine does not count fuel.
    #[doc(alias = "get_fuel")]
    pub fn fuel(&self) -> Result<u64> {
        self.as_context().fuel()
    }

    /// Stops guests with [`Trap::Interrupted`](crate::Trap::Interrupted) once `time` has passed
    /// from now.
    ///
    /// # Errors
    ///
    /// If the engine's code cannot be stopped
    /// ([`ExecutionConfig::interruptible`](crate::ExecutionConfig::interruptible)).
    pub fn set_deadline(&mut self, time: Duration) -> Result<()> {
        self.as_context_mut().set_deadline(time)
    }

    /// Lets guests run as long as they like again.
    pub fn clear_deadline(&mut self) {
        // Only setting one can fail.
        let _ = self.vm.set_deadline(None);
    }

    /// A handle with which another thread can stop the guest that is running in this store.
    ///
    /// # Errors
    ///
    /// If the engine's code cannot be stopped
    /// ([`ExecutionConfig::interruptible`](crate::ExecutionConfig::interruptible)).
    pub fn interrupt_handle(&self) -> Result<InterruptHandle> {
        self.as_context().check_interruptible("make an interrupt handle")?;
        Ok(self.vm.interrupt_handle())
    }
}

impl<T: 'static> StoreContext<'_, T> {
    /// How much fuel is left; see [`Store::fuel`].
    pub fn fuel(&self) -> Result<u64> {
        self.check_fuel("read fuel")?;
        Ok(self.vm.fuel())
    }

    fn check_fuel(&self, attempt: &str) -> Result<()> {
        if self.engine().settings().fuel {
            return Ok(());
        }
        Err(Error::misuse(format!("cannot {attempt}: the engine does not count fuel"))
            .with_help("set `Config::execution.fuel`"))
    }

    fn check_interruptible(&self, attempt: &str) -> Result<()> {
        if self.engine().settings().interruptible {
            return Ok(());
        }
        Err(Error::misuse(format!("cannot {attempt}: the engine's code cannot be stopped"))
            .with_help("set `Config::execution.interruptible`"))
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// How much fuel is left; see [`Store::fuel`].
    pub fn fuel(&self) -> Result<u64> {
        self.as_context().fuel()
    }

    /// Sets how much fuel guests may still use; see [`Store::set_fuel`].
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.as_context().check_fuel("set fuel")?;
        self.vm.set_fuel(fuel);
        Ok(())
    }

    /// Leaves the fuel that is left to this store and all its [siblings](Store::sibling_of), each of
    /// which takes from it in parts as it needs some. A part that a sibling has taken and not used is
    /// counted as spent until that shares it again.
    pub fn share_fuel(&mut self) {
        self.vm.share_fuel();
    }

    /// Stops guests once `time` has passed; see [`Store::set_deadline`].
    pub fn set_deadline(&mut self, time: Duration) -> Result<()> {
        self.as_context().check_interruptible("set a deadline")?;
        // A time too far away to express is no deadline.
        Ok(self.vm.set_deadline(Instant::now().checked_add(time))?)
    }
}

impl<T: 'static> AsContext for Store<T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext::new(&self.vm)
    }
}

impl<T: 'static> AsContextMut for Store<T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut::new(&mut self.vm)
    }
}

impl<T: Send + Default + 'static> Default for Store<T> {
    fn default() -> Store<T> {
        Store::new(&Engine::default(), T::default())
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("data", self.data()).finish_non_exhaustive()
    }
}
