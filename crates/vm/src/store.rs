//! The store: owner of everything live, and the only way to it.

mod access;
mod call;
mod direct;
mod exception;
mod fixed;
mod handle;
mod stack;
mod values;

use std::any::Any;
use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use dunlin_code::{MemoryKind, Settings, Trap};
use dunlin_module::{FuncType, GlobalType, Module, TagType, TypeHold, TypeRegistry};

pub use self::call::{CallError, TrapReport};
pub use self::direct::Called;
pub use self::exception::ExceptionReport;
pub(crate) use self::fixed::Fixed;
pub(crate) use self::handle::ExternTypeText;
pub use self::handle::{Extern, Func, Global, InstanceHandle, Memory, Misuse, StoreId, Table, Tag};
use self::stack::Active;
pub(crate) use self::stack::abort;
use crate::backtrace::Backtrace;
use crate::budget::{Budget, LimitError, Limits, Resource};
use crate::deadline::Deadline;
use crate::exception::Catch;
use crate::fiber::Fibers;
use crate::frames::Place;
use crate::func::{self, HostError, HostFn, HostFunc, RecordArena, Signature};
use crate::gc::heap::Heap;
use crate::gc::operands::OperandRoots;
use crate::gc::roots::{HostValues, RootTable};
use crate::instance::Instance;
use crate::interp;
use crate::memory::{self, MemoryInstance};
use crate::native::{self, PollPage};
use crate::sys;
use crate::table::TableInstance;
use crate::tiers::Tiers;
use crate::tiers::ticker::Running;
use crate::vmctx::{FuncRecord, HeapDef, MemoryDef, Resume, Rt, VmCtx};

/// Everything that lives together: instances, what they share, and data of the host. Nothing is
/// freed before the store is dropped.
pub struct Store {
    /// The value stack, while a call is going on. The first to be dropped.
    active: Active,
    id: StoreId,
    shared: Arc<Shared>,
    types: TypeRegistry,
    settings: Settings,
    pub(crate) budget: Budget,
    host_data: Box<dyn Any + Send>,
    /// What a layer above keeps beside the data of the host.
    companion: Option<Box<dyn Any + Send>>,

    pub(crate) instances: Vec<Instance>,
    pub(crate) memories: Vec<Fixed<MemoryInstance>>,
    pub(crate) tables: Vec<Fixed<TableInstance>>,
    pub(crate) tags: Vec<TagType>,
    /// Keep the types of objects made by the host alive.
    pub(crate) type_holds: Vec<TypeHold>,
    /// Keep the types of tags made by the host alive.
    tag_signatures: Vec<Signature>,
    /// Globals with a handle; their storage is in an instance or in `host_globals`.
    globals: Vec<GlobalPlace>,
    globals_by_address: HashMap<usize, u32>,
    host_globals: Vec<Fixed<u128>>,
    /// Functions with a handle.
    funcs: Vec<FuncPlace>,
    pub(crate) host_funcs: Vec<Fixed<HostFunc>>,
    pub(crate) records: RecordArena,
    pub(crate) fibers: Fibers,
    pub(crate) heap: Heap,
    pub(crate) roots: RootTable,
    /// The exception that is on its way to who catches it, through native code.
    pub(crate) catch: Option<Catch>,
    /// Where guest code was when native code stopped, between that and the end of the call.
    pub(crate) backtrace: Option<Backtrace>,
    /// Calls of native code into the interpreter that are going on.
    pub(crate) native_depth: u32,
    /// See [`Store::spill_area`].
    spill: Box<[u128]>,
    /// References among the operands of the builtin that runs.
    pub(crate) operand_roots: OperandRoots,
    pub(crate) host_values: HostValues,
    /// Storage of the globals that hold traced references.
    pub(crate) traced_globals: Vec<*mut u128>,
    /// Keep the types of objects alive.
    pub(crate) typed_modules: Vec<Arc<Module>>,
    /// Where guests are that called the host, which called a guest again; the outermost first.
    pub(crate) suspended: Vec<Place>,
    /// Why the heap could not grow, between the trap and the report.
    pub(crate) heap_limit: Option<LimitError>,
    /// The context of host functions, which are part of no instance.
    host_vmctx: Fixed<VmCtx>,
    /// Memory 0 of instances without memories.
    empty_memory: Fixed<MemoryDef>,

    /// Native stack pointer at the outermost call.
    native_base: usize,
    /// Calls from the host inside the outermost one that are going on.
    nested_calls: usize,
    /// The error of a host function, between the boundary and the end of the call.
    pub(crate) pending_error: Option<HostError>,
    /// What the system refused, if that is why a guest stopped.
    pub(crate) refused: Option<LimitError>,
    /// What a panicking host function said.
    pub(crate) panic_message: Option<String>,
    poisoned: bool,
    /// Whether the call that is going on was stopped from outside somewhere.
    was_interrupted: bool,
    /// The outermost call that is going on, if its guests are sampled.
    running: Option<Running>,
    deadline: Option<Deadline>,
}

// SAFETY: all raw pointers lead to memory that the store owns, or that the code of its modules
// owns, which its instances keep alive (V2); all contents are `Send`, host functions and external
// values by their types. While no call is going on nothing depends on the thread.
unsafe impl Send for Store {}

/// A function, and what a call of it needs to know of its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FuncPlace {
    pub(crate) record: *mut FuncRecord,
    pub(crate) param_slots: u32,
    pub(crate) result_slots: u32,
    /// Whether parameters are references, which are checked.
    pub(crate) param_refs: bool,
    /// Whether native code of it is passed and gives numbers in registers alone.
    pub(crate) numbers: bool,
}

impl FuncPlace {
    /// That of a start function.
    pub(crate) fn of_start(record: *mut FuncRecord) -> FuncPlace {
        FuncPlace { record, param_slots: 0, result_slots: 0, param_refs: false, numbers: false }
    }
}

/// A global and its type.
#[derive(Clone, Copy, Debug)]
struct GlobalPlace {
    address: *mut u128,
    ty: GlobalType,
}

/// The most parameters or results a function has (wasm JavaScript interface, implementation limits).
const SPILL_VALUES: usize = 1000;

/// The runtime record, kept alive by interrupt handles as well.
pub(crate) struct Shared {
    rt: UnsafeCell<Rt>,
    /// What loops of native code read; none if they do not.
    poll: Option<PollPage>,
    /// `Rt::native_limit` as it is while nothing is to stop.
    native_end: AtomicUsize,
    /// The thread that waits in a shared memory for this store, to be woken if it shall stop.
    sleeper: Mutex<Option<Thread>>,
    tiers: OnceLock<Arc<Tiers>>,
}

// SAFETY: V1: of the record, threads other than the store's touch only `interrupt` and `native_limit`,
// atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Bit of `Rt::interrupt`: somebody asked, once.
    const REQUESTED: u32 = 1;
    /// Bit of `Rt::interrupt`: the deadline has passed, until another is set.
    const DEADLINE: u32 = 2;
    /// Bit of `Rt::interrupt`: the ticker wants a sample, see `tiers`.
    pub(crate) const TICK: u32 = 4;
    /// Bit of `Rt::interrupt`: every look is a sample, for tests.
    const ALWAYS_TICK: u32 = 8;
    /// The bits that mean that guests shall stop.
    pub(crate) const STOPS: u32 = Self::REQUESTED | Self::DEADLINE;

    fn interrupt(&self) -> &AtomicU32 {
        // SAFETY: in bounds, and V1: the field is only ever used as an atomic.
        unsafe { &(*self.rt.get()).interrupt }
    }

    /// From now on the store's guests stop.
    pub(crate) fn pass_deadline(&self) {
        self.ask_to_stop(Self::DEADLINE);
    }

    /// Sets a bit of `Rt::interrupt`, stops native code, and wakes a guest that waits so that it sees
    /// the bit.
    fn ask_to_stop(&self, bit: u32) {
        let sleeper = self.sleeper();
        self.interrupt().fetch_or(bit, Ordering::SeqCst);
        if let Some(poll) = &self.poll {
            self.native_limit().store(usize::MAX, Ordering::SeqCst);
            poll.set_open(false);
        }
        if let Some(thread) = &*sleeper {
            thread.unpark();
        }
    }

    /// Clears a bit of `Rt::interrupt`; native code may run again if it was the last.
    fn clear(&self, bit: u32) {
        let _ordered = self.sleeper();
        let before = self.interrupt().fetch_and(!bit, Ordering::SeqCst);
        if before & bit != 0
            && before & Self::STOPS & !bit == 0
            && let Some(poll) = &self.poll
        {
            // A host function may do this, and then native code goes on.
            let end = self.native_end.load(Ordering::SeqCst);
            self.native_limit().store(end, Ordering::SeqCst);
            poll.set_open(true);
        }
    }

    /// Sets the limit of the native stack for the thread that calls guest code now, unless guest code
    /// shall stop.
    pub(crate) fn set_native_limit(&self, limit: usize) {
        let _ordered = self.sleeper();
        self.native_end.store(limit, Ordering::SeqCst);
        if !self.is_interrupted() {
            self.native_limit().store(limit, Ordering::SeqCst);
        }
    }

    fn native_limit(&self) -> &AtomicUsize {
        // SAFETY: in bounds, and V1: the field is only ever used as an atomic.
        unsafe { &(*self.rt.get()).native_limit }
    }

    fn sleeper(&self) -> MutexGuard<'_, Option<Thread>> {
        // Nothing panics under the lock.
        self.sleeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody wants the store's guests to stop.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt().load(Ordering::Relaxed) & Self::STOPS != 0
    }

    /// The tiers of the store's modules, if some of these may be compiled while they run.
    pub(crate) fn tiers(&self) -> Option<&Arc<Tiers>> {
        self.tiers.get()
    }

    /// From now on guests of the store are sampled for `tiers`.
    pub(crate) fn set_tiers(&self, tiers: &Arc<Tiers>) {
        if tiers.policy().mode.always_ticks() {
            self.interrupt().fetch_or(Self::ALWAYS_TICK, Ordering::Relaxed);
        }
        self.tiers.get_or_init(|| tiers.clone());
    }

    /// Asks for a sample, `interval` after the last time. False if the last is still asked for.
    pub(crate) fn tick(&self, interval: Duration) -> bool {
        let taken = self.interrupt().fetch_or(Self::TICK, Ordering::Relaxed) & Self::TICK == 0;
        if let Some(tiers) = self.tiers()
            && !taken
        {
            tiers.tick_left(interval);
        }
        taken
    }

    /// Runs `wait`, in which this thread parks itself until [`Shared::is_interrupted`] or until what
    /// it waits for has come. Whoever interrupts before `wait` looks is seen by it, because both
    /// lock `sleeper`; whoever interrupts later unparks the thread.
    pub(crate) fn sleep<R>(&self, wait: impl FnOnce() -> R) -> R {
        *self.sleeper() = Some(thread::current());
        let result = wait();
        *self.sleeper() = None;
        result
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("interrupt", self.interrupt()).finish_non_exhaustive()
    }
}

/// Stops the guests of a store from any thread, also after the store is gone.
#[derive(Clone, Debug)]
pub struct InterruptHandle(Arc<Shared>);

impl InterruptHandle {
    /// Makes the call that is going on, or else the next one, end with `Trap::Interrupted` at its
    /// next loop iteration, call, or step of a bulk operation, or at once if it waits in a shared
    /// memory.
    pub fn interrupt(&self) {
        self.0.ask_to_stop(Shared::REQUESTED);
    }
}

/// Why a store could not do something that involves no guest code.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The embedder asked for something that makes no sense.
    Misuse(Misuse),
    /// A limit is reached.
    Limit(LimitError),
    /// A function type cannot be made canonical.
    Type(dunlin_module::Error),
    /// The system gave no thread to watch deadlines with.
    NoThread,
}

impl From<Misuse> for StoreError {
    fn from(misuse: Misuse) -> StoreError {
        StoreError::Misuse(misuse)
    }
}

impl From<LimitError> for StoreError {
    fn from(limit: LimitError) -> StoreError {
        StoreError::Limit(limit)
    }
}

impl From<dunlin_module::Error> for StoreError {
    fn from(error: dunlin_module::Error) -> StoreError {
        StoreError::Type(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Misuse(misuse) => misuse.fmt(f),
            StoreError::Limit(limit) => limit.fmt(f),
            StoreError::Type(error) => error.fmt(f),
            StoreError::NoThread => f.write_str("the system gave no thread to watch deadlines"),
        }
    }
}

impl std::error::Error for StoreError {}

impl Store {
    /// An empty store for modules whose types are canonical in `types` and whose code was prepared
    /// with `settings`.
    ///
    /// # Errors
    ///
    /// If this build has no memories of the kind in `settings`, or the system refuses the fault
    /// handler they need.
    pub fn new(
        types: TypeRegistry,
        settings: Settings,
        limits: Limits,
        host_data: Box<dyn Any + Send>,
    ) -> Result<Store, StoreError> {
        Store::with_budget(types, settings, Budget::new(limits), host_data)
    }

    /// As [`Store::new`], charging to `budget`.
    ///
    /// # Errors
    ///
    /// As [`Store::new`].
    pub fn with_budget(
        types: TypeRegistry,
        settings: Settings,
        budget: Budget,
        host_data: Box<dyn Any + Send>,
    ) -> Result<Store, StoreError> {
        if !memory::supports(settings.memory_kind) {
            return Err(Misuse::NoGuardMemories.into());
        }
        let refused = LimitError::system(Resource::Memories, 1);
        if settings.memory_kind == MemoryKind::Guard || native::AVAILABLE {
            sys::install_fault_handler().map_err(|_| refused)?;
        }
        let poll = match native::AVAILABLE && settings.interruptible {
            true => Some(PollPage::new().map_err(|_| refused)?),
            false => None,
        };
        let rt = UnsafeCell::new(Rt {
            fuel: 0,
            native_limit: AtomicUsize::new(0),
            native_top: ptr::null_mut(),
            stack_end: ptr::null_mut(),
            spill: ptr::null_mut(),
            heap: HeapDef::EMPTY,
            interrupt: AtomicU32::new(0),
            look: interp::look_code(),
            trap: Trap::Bug,
            entry_sp: ptr::null_mut(),
            native_sp: ptr::null_mut(),
            poll: poll.as_ref().map_or(ptr::null(), PollPage::address),
            resume: Resume::default(),
            exit_ip: ptr::null(),
            exit_fp: ptr::null_mut(),
            exit_vmctx: ptr::null_mut(),
            exception: 0,
            fiber: 0,
            main_end: ptr::null_mut(),
            main_top: ptr::null_mut(),
            stack_top: ptr::null_mut(),
            store: ptr::null_mut(),
        });
        let (sleeper, tiers) = (Mutex::new(None), OnceLock::new());
        let native_end = AtomicUsize::new(0);
        let shared = Arc::new(Shared { rt, poll, native_end, sleeper, tiers });
        let empty_memory = Fixed::new(memory::empty_def());
        let host_vmctx = Fixed::new(VmCtx {
            rt: shared.rt.get(),
            mem0: empty_memory.as_ptr(),
            code: ptr::null(),
            imported_funcs: ptr::null(),
            func_refs: ptr::null(),
            memories: ptr::null(),
            tables: ptr::null(),
            globals: ptr::null(),
            types: ptr::null(),
            type_infos: ptr::null(),
            builtins: ptr::null(),
            bridge: 0,
            callee: 0,
            poll: ptr::null(),
            caller: ptr::null_mut(),
            base0: ptr::null(),
            module: ptr::null(),
            instance: u32::MAX,
        });
        Ok(Store {
            active: Active::default(),
            id: StoreId::fresh(),
            shared,
            types,
            settings,
            budget,
            host_data,
            companion: None,
            instances: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            tags: Vec::new(),
            type_holds: Vec::new(),
            tag_signatures: Vec::new(),
            globals: Vec::new(),
            globals_by_address: HashMap::new(),
            host_globals: Vec::new(),
            funcs: Vec::new(),
            host_funcs: Vec::new(),
            records: RecordArena::default(),
            fibers: Fibers::default(),
            heap: Heap::default(),
            roots: RootTable::default(),
            catch: None,
            backtrace: None,
            native_depth: 0,
            spill: Box::default(),
            operand_roots: OperandRoots::None,
            host_values: HostValues::default(),
            traced_globals: Vec::new(),
            typed_modules: Vec::new(),
            suspended: Vec::new(),
            heap_limit: None,
            host_vmctx,
            empty_memory,
            native_base: 0,
            nested_calls: 0,
            pending_error: None,
            refused: None,
            panic_message: None,
            poisoned: false,
            was_interrupted: false,
            running: None,
            deadline: None,
        })
    }

    /// Collects garbage at every `every`-th allocation, besides the times it must: for tests that look
    /// for references the collector does not find.
    pub fn set_gc_zeal(&mut self, every: Option<u32>) {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        self.heap.set_zeal(every, def);
    }

    /// Its identity.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// The registry in which the types of its modules are canonical.
    pub fn types(&self) -> &TypeRegistry {
        &self.types
    }

    /// What its code is prepared with.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The data of the host.
    pub fn data(&self) -> &(dyn Any + Send) {
        &*self.host_data
    }

    /// The data of the host.
    pub fn data_mut(&mut self) -> &mut (dyn Any + Send) {
        &mut *self.host_data
    }

    /// What a layer between the machine and the host keeps in this store.
    #[inline]
    pub fn companion_mut(&mut self) -> &mut Option<Box<dyn Any + Send>> {
        &mut self.companion
    }

    /// Gives the data of the host back; everything else is dropped.
    pub fn into_data(self) -> Box<dyn Any + Send> {
        self.host_data
    }

    /// What was taken from the host so far.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// For host functions that allocate on behalf of a guest: charge first.
    pub fn budget_mut(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// Whether a host function panicked in this store, so that nothing runs in it any more.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Bars all further calls.
    pub(crate) fn poison(&mut self) {
        self.poisoned = true;
    }

    fn check_usable(&self) -> Result<(), Misuse> {
        if self.poisoned { Err(Misuse::Poisoned) } else { Ok(()) }
    }

    /// The runtime record; only for raw access, no reference to all of it may be made.
    pub(crate) fn rt(&self) -> *mut Rt {
        self.shared.rt.get()
    }

    /// Memory 0 of instances without memories.
    pub(crate) fn empty_memory(&self) -> *mut MemoryDef {
        self.empty_memory.as_ptr()
    }

    /// Something to stop its guests with from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.shared.clone())
    }

    /// Whether the guest was asked to stop, for host functions that wait.
    pub fn is_interrupted(&self) -> bool {
        self.shared.is_interrupted()
    }

    /// Where native code passes the parameter with this index, if it does not fit into registers: so much
    /// of it as is a number's bits. To be asked for before anything else is done.
    #[inline]
    pub fn spilled(&self, index: usize) -> u64 {
        self.spill.get(index).map_or(0, |value| *value as u64)
    }

    /// Passes a parameter that does not fit into registers to the function that is called next.
    #[inline]
    pub fn spill(&mut self, index: usize, bits: u64) {
        self.spill_area();
        if let Some(place) = self.spill.get_mut(index) {
            *place = bits.into();
        }
    }

    /// Where native code passes what does not fit into registers, made when first asked for.
    pub(crate) fn spill_area(&mut self) -> *mut u128 {
        if self.spill.is_empty() {
            self.spill = vec![0; SPILL_VALUES].into();
        }
        self.spill.as_mut_ptr()
    }

    /// What other threads see of the store.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Stops guests at `deadline`, and every call after it, until another is set.
    ///
    /// # Errors
    ///
    /// If the code of this store does not look for interruption, or the system gives no thread to
    /// watch the time; then the old deadline is gone and there is no new one.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) -> Result<(), StoreError> {
        self.deadline = None;
        // The old deadline cannot pass any more, so the bit stays clear.
        self.shared.clear(Shared::DEADLINE);
        if let Some(time) = deadline {
            if !self.settings.interruptible {
                return Err(Misuse::InterruptionOff.into());
            }
            let made = Deadline::new(time, &self.shared);
            self.deadline = Some(made.map_err(|_| StoreError::NoThread)?);
        }
        Ok(())
    }

    /// The deadline that is set.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.as_ref().map(Deadline::time)
    }

    /// Replaces the fuel that is left; at most `i64::MAX` is kept. Without effect unless the code of
    /// the store counts fuel. What stores with the same budget shared is replaced too.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.budget.drain_fuel();
        // SAFETY: the record is alive; V1.
        unsafe { (*self.rt()).fuel = fuel.min(i64::MAX as u64) as i64 };
    }

    /// The fuel that is left, for this store and those with the same budget; 0 at first.
    pub fn fuel(&self) -> u64 {
        self.own_fuel().saturating_add(self.budget.pooled_fuel())
    }

    fn own_fuel(&self) -> u64 {
        // SAFETY: the record is alive; V1.
        unsafe { (*self.rt()).fuel }.max(0) as u64
    }

    /// Pays `cost` units, beside those that the code of a guest pays itself.
    ///
    /// # Errors
    ///
    /// [`Trap::OutOfFuel`] if there is not so much left.
    #[inline]
    pub fn spend(&mut self, cost: u64) -> Result<(), Trap> {
        if cost == 0 || !self.settings.fuel {
            return Ok(());
        }
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        let left = unsafe {
            (*rt).fuel = (*rt).fuel.saturating_sub_unsigned(cost);
            (*rt).fuel
        };
        if left < 0 && !self.refuel() { Err(Trap::OutOfFuel) } else { Ok(()) }
    }

    /// Makes up for fuel that was spent and not there, if stores with the same budget have some left.
    pub(crate) fn refuel(&mut self) -> bool {
        let rt = self.rt();
        // SAFETY: the record is alive; V1.
        let debt = unsafe { (*rt).fuel }.min(0).unsigned_abs();
        let Some(taken) = self.budget.take_fuel(debt) else { return false };
        // SAFETY: as above.
        unsafe { (*rt).fuel = (*rt).fuel.saturating_add_unsigned(taken) };
        true
    }

    /// Puts a function record where it stays.
    pub(crate) fn add_record(&mut self, record: FuncRecord) -> *mut FuncRecord {
        // SAFETY: the record is alive; V1.
        let def = unsafe { &mut (*self.rt()).heap };
        self.records.add(record, def)
    }

    /// Leaves the fuel of this store to all stores with the same budget. Each takes from it in parts
    /// when it has none of its own.
    pub fn share_fuel(&mut self) {
        let fuel = self.own_fuel();
        // SAFETY: the record is alive; V1.
        unsafe { (*self.rt()).fuel = 0 };
        self.budget.pool_fuel(fuel);
    }

    /// Makes a function of the host callable by guests.
    ///
    /// # Errors
    ///
    /// If a limit is reached or the type cannot be made canonical.
    pub fn host_func(&mut self, ty: &FuncType, call: HostFn) -> Result<Func, StoreError> {
        let signature = Arc::new(Signature::new(&self.types, ty)?);
        self.host_func_with(signature, call)
    }

    /// As [`Store::host_func`], for a type that was made canonical before.
    ///
    /// # Errors
    ///
    /// If a limit is reached or the signature is of another engine.
    pub fn host_func_with(
        &mut self,
        signature: Arc<Signature>,
        call: HostFn,
    ) -> Result<Func, StoreError> {
        if !signature.hold.registry().same(&self.types) {
            return Err(Misuse::OtherEngine.into());
        }
        self.budget.charge(Resource::Handles, 1)?;
        let index = self.host_funcs.len() as u32;
        let id = signature.id;
        let func = Fixed::new(HostFunc::new(signature, call));
        // SAFETY: in bounds of the value just made.
        let entry = unsafe { &raw const (*func.as_ptr()).entry };
        let vmctx = self.host_vmctx.as_ptr();
        let mut record = func::record(entry, vmctx, id, index, true);
        if !self.settings.deterministic {
            // Where depth is exact, arguments take as many slots as they do in the interpreter.
            record.native = AtomicPtr::new(func.native().cast_mut());
        }
        let record = self.add_record(record);
        self.host_funcs.push(func);
        Ok(self.func_of(record))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("id", &self.id)
            .field("settings", &self.settings)
            .field("instances", &self.instances.len())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}
