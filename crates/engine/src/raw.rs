//! What layers of Dunlin between the engine and its users build on: a store without the type of its data,
//! functions as slots, and a place of their own in each store.
//!
//! Everything here is safe, and checked like the rest of the API, but may change in any release.

mod slots;

use std::any::Any;

use dunlin_module::FuncType;
use dunlin_vm as vm;
use dunlin_vm::{HostCall, HostFn, HostFunction, NumberFunction, Numbers, Seeing};

use crate::context::StoreContextMut;
use crate::engine::Engine;
use crate::error::Result;
use crate::externs::Extern;
use crate::func::{Func, TypedFunc, WasmParams, WasmResults};
use crate::global::Global;
use crate::instance::{self, Instance};
use crate::memory::Memory;
use crate::module::Module;

use dunlin_code::native::{Passed, params};
pub use dunlin_vm::{Budget, Resource, StoreId};
pub use slots::SlotFunc;
use slots::Way;

/// A store whose host data has a type that is not known here.
pub struct RawStore<'a>(&'a mut vm::Store);

/// Whether exceptions can begin in code of a module: it has tags, its own or imported ones.
pub fn has_tags(module: &Module) -> bool {
    !module.decoded().tags.is_empty()
}

/// A store as it is seen from below.
#[inline]
pub fn raw<T: 'static>(store: StoreContextMut<'_, T>) -> RawStore<'_> {
    RawStore(store.vm)
}

impl RawStore<'_> {
    /// The store again, of data `T`.
    ///
    /// The data can only be reached if it is of this type: anything else panics then.
    #[inline]
    pub fn context<T: 'static>(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut::new(self.0)
    }

    /// A shorter borrow.
    #[inline]
    pub fn reborrow(&mut self) -> RawStore<'_> {
        RawStore(self.0)
    }

    /// Which store it is.
    #[inline]
    pub fn id(&self) -> StoreId {
        self.0.id()
    }

    /// What is charged for whatever guests make the host keep.
    pub fn budget(&mut self) -> &mut Budget {
        self.0.budget_mut()
    }

    /// Whether the guest was asked to stop.
    pub fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }

    /// Makes the guest pay for work that is done for it, if it pays for any.
    ///
    /// # Errors
    ///
    /// If it has not enough fuel, which is all gone then.
    #[inline]
    pub fn spend_fuel(&mut self, amount: u64) -> Result<()> {
        Ok(self.0.spend(amount)?)
    }

    /// What a layer keeps in this store: made when it is first asked for. A store has room for one.
    #[inline]
    pub fn companion<C: Any + Send + Default>(&mut self) -> &mut C {
        of_type(self.0.companion_mut())
    }

    /// All bytes of a memory; none of a shared one.
    #[inline]
    pub fn memory(&self, memory: Memory) -> Result<&[u8]> {
        Ok(self.0.memory_data(memory.0)?)
    }

    /// All bytes of a memory, to change them; none of a shared one.
    #[inline]
    pub fn memory_mut(&mut self, memory: Memory) -> Result<&mut [u8]> {
        Ok(self.0.memory_data_mut(memory.0)?)
    }

    /// All bytes of a memory, none of a shared one, and the [companion](RawStore::companion).
    #[inline]
    pub fn memory_and_companion<C: Any + Send + Default>(
        &mut self,
        memory: Memory,
    ) -> Result<(&mut [u8], &mut C)> {
        let (bytes, companion) = self.0.memory_and_companion_mut(memory.0)?;
        Ok((bytes, of_type(companion)))
    }

    /// All bytes of one memory, and of another to change them; nothing if both are one.
    #[inline]
    pub fn memory_pair(&mut self, from: Memory, to: Memory) -> Result<Option<(&[u8], &mut [u8])>> {
        Ok(self.0.memory_pair(from.0, to.0)?)
    }

    /// Instantiates a module of the engine of this store with imports in its order.
    ///
    /// # Errors
    ///
    /// As [`Instance::new`], and if the module is of another engine.
    pub fn instantiate(&mut self, module: &Module, imports: &[Extern]) -> Result<Instance> {
        let imports: Vec<vm::Extern> = imports.iter().map(|item| (*item).into()).collect();
        instance::instantiate(self.context::<()>(), module, &imports)
    }

    /// What an instance exports as `name`.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn export(&mut self, instance: Instance, name: &str) -> Result<Option<Extern>> {
        instance.export_raw(self.0, name)
    }

    /// A function with its type known to Rust.
    ///
    /// # Errors
    ///
    /// If it has another type.
    pub fn typed<P: WasmParams, R: WasmResults>(&self, func: Func) -> Result<TypedFunc<P, R>> {
        TypedFunc::new(func, self.0)
    }

    /// Calls a function with slots: those of its parameters, with room for those of its results, which
    /// are left there.
    #[inline]
    pub fn call(&mut self, func: Func, slots: &mut [u64]) -> Result<()> {
        Ok(self.0.call(func.0, slots)?)
    }

    /// A function to be called with slots again and again.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn slot_func(&self, func: Func) -> Result<SlotFunc> {
        Ok(SlotFunc { func, way: Way::of(self.0.func_type(func.0)?) })
    }

    /// As [`RawStore::call`], with numbers in registers if they are few and nothing is in the way.
    #[inline]
    pub fn call_slots(&mut self, func: &SlotFunc, slots: &mut [u64]) -> Result<()> {
        match func.way.call(self, func.func, slots)? {
            true => Ok(()),
            false => self.call(func.func, slots),
        }
    }

    /// The bits of a global that holds a number.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    #[inline]
    pub fn number(&self, global: Global) -> Result<u64> {
        let [bits, _] = self.0.global_get(global.0)?;
        Ok(bits)
    }

    /// Changes a global that holds a number.
    ///
    /// # Errors
    ///
    /// If it is constant or belongs to another store.
    #[inline]
    pub fn set_number(&mut self, global: Global, bits: u64) -> Result<()> {
        Ok(self.0.global_set(global.0, [bits, 0])?)
    }

    /// Calls a function of known type.
    #[inline]
    pub fn call_typed<P: WasmParams, R: WasmResults>(
        &mut self,
        func: &TypedFunc<P, R>,
        params: P,
    ) -> Result<R> {
        func.call_raw(self.0, params)
    }

    /// A function of the host that takes its parameters from slots and leaves its results there.
    ///
    /// # Errors
    ///
    /// If the limits of the store do not allow one more.
    pub fn host_func<F>(&mut self, ty: &FuncType, f: F) -> Result<Func>
    where
        F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
    {
        Ok(Func(self.0.host_func(ty, HostFn::new(Slots(f)))?))
    }

    /// As [`RawStore::host_func`], for a function that takes and gives numbers alone, which native code calls
    /// without a detour: slots holds one for each parameter, or one for the result.
    ///
    /// # Errors
    ///
    /// If the limits of the store do not allow one more.
    pub fn host_number_func<F>(&mut self, ty: &FuncType, f: F) -> Result<Func>
    where
        F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
    {
        let function = NumberSlots { f, params: params(ty).map(|(_, passed)| passed).collect() };
        Ok(Func(self.0.host_func(ty, HostFn::of_numbers(function))?))
    }
}

impl RawStore<'_> {
    /// The engine of a store of data `T`.
    pub fn engine<T: 'static>(&mut self) -> Engine {
        self.context::<T>().engine().clone()
    }
}

#[inline]
#[expect(clippy::expect_used, reason = "a store has one companion, and one layer that keeps it")]
fn of_type<C: Any + Send + Default>(companion: &mut Option<Box<dyn Any + Send>>) -> &mut C {
    let companion = companion.get_or_insert_with(|| Box::new(C::default()));
    companion.downcast_mut().expect("one layer keeps a companion in a store")
}

/// A function on slots.
struct Slots<F>(F);

impl<F> HostFunction for Slots<F>
where
    F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
{
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), vm::HostError> {
        Ok((self.0)(RawStore(call.store), call.args)?)
    }
}

/// A function on slots that hold nothing but numbers.
struct NumberSlots<F> {
    f: F,
    /// Where native code passes each parameter.
    params: Box<[Passed]>,
}

impl<F> HostFunction for NumberSlots<F>
where
    F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
{
    fn call(&self, call: &mut HostCall<'_>) -> Result<(), vm::HostError> {
        Ok((self.f)(RawStore(call.store), call.args)?)
    }
}

impl<F> NumberFunction for NumberSlots<F>
where
    F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
{
    type Sees = Seeing;

    #[inline(always)]
    fn call_numbers(
        &self,
        (store, _): (&mut vm::Store, Option<vm::InstanceHandle>),
        numbers: Numbers,
    ) -> Result<u64, vm::HostError> {
        let mut slots = [0; SLOTS];
        if self.params.len() > SLOTS {
            return self.call_many(store, &numbers);
        }
        fill(&mut slots, &self.params, store, &numbers);
        (self.f)(RawStore(store), &mut slots)?;
        Ok(slots[0])
    }
}

impl<F> NumberSlots<F>
where
    F: Fn(RawStore<'_>, &mut [u64]) -> Result<()> + Send + Sync + 'static,
{
    #[cold]
    fn call_many(&self, store: &mut vm::Store, numbers: &Numbers) -> Result<u64, vm::HostError> {
        let mut slots = vec![0; self.params.len()];
        fill(&mut slots, &self.params, store, numbers);
        (self.f)(RawStore(store), &mut slots)?;
        Ok(slots.first().copied().unwrap_or(0))
    }
}

/// Slots of most functions: as many as functions of components take at most.
const SLOTS: usize = 17;

/// Puts parameters into slots from where native code passes them.
#[inline(always)]
fn fill(slots: &mut [u64], params: &[Passed], store: &vm::Store, numbers: &Numbers) {
    for (i, (slot, passed)) in slots.iter_mut().zip(params).enumerate() {
        *slot = match *passed {
            Passed::Int(at) => numbers.ints.get(usize::from(at)).copied().unwrap_or(0),
            // Floats of 32 bits travel in the lower half, as they do in slots.
            Passed::Float(at) => numbers.floats.get(usize::from(at)).map_or(0, |f| f.to_bits()),
            Passed::Spilled(_) => store.spilled(i),
        };
    }
}
