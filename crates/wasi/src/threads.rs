//! `wasi-threads`: guests that start threads.
//!
//! A [`ThreadGroup`] is one guest on several threads. Each thread has a store and an instance of its
//! own, made from the same module, and all use the shared memories that the module imports, one
//! [`WasiCtx`] and one budget. The group ends as a process does: when its main thread ends, or when
//! any thread exits by `proc_exit` or fails. All other threads are stopped then.
//!
//! ```
//! use dunlin_engine::{Config, Engine, Linker, Module, Store};
//! use dunlin_wasi::WasiCtx;
//! use dunlin_wasi::threads::{self, ThreadGroup};
//!
//! let mut config = Config::default();
//! config.execution.interruptible = true;
//! let engine = Engine::new(&config)?;
//! let module = Module::new(&engine, wat::parse_str(
//!     r#"(module
//!          (import "env" "memory" (memory 1 1 shared))
//!          (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
//!          (func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
//!            (i32.atomic.store (i32.const 0) (local.get $arg))
//!            (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))
//!          (func (export "run") (result i32)
//!            (drop (call $spawn (i32.const 42)))
//!            (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
//!            (i32.atomic.load (i32.const 0))))"#,
//! )?)?;
//!
//! let group = ThreadGroup::new(WasiCtx::builder().build()?);
//! let mut linker = Linker::new(&engine);
//! threads::add_to_linker(&mut linker)?;
//! let mut store = Store::new(&engine, group.main());
//! let instance = group.instantiate(&mut store, linker, &module)?;
//! let result = group.run(&mut store, |store| {
//!     instance.get_typed_func::<(), i32>(&mut *store, "run")?.call(store, ())
//! })?;
//! assert_eq!(result, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use dunlin_engine::{
    AsContextMut, Caller, Error, Extern, Instance, InterruptHandle, Linker, Module, Resource,
    Result, Store,
};

use crate::WasiCtx;
use crate::host::Interrupt;
use crate::p1::{self, CallerMemory, Errno, Outcome, Stop, World};

/// The module name of `wasi-threads`.
pub const MODULE: &str = "wasi";

/// The name of its one function.
pub const SPAWN: &str = "thread-spawn";

/// What a module exports for its threads to begin with.
pub const START: &str = "wasi_thread_start";

/// The largest number of a thread.
const TID_MAX: u32 = (1 << 29) - 1;

/// Native stack of a guest's thread, beside what calls from guest to host to guest may take.
const STACK_BYTES: usize = 256 << 10;

/// One guest on several threads; a clone is another name of the same group.
#[derive(Clone)]
pub struct ThreadGroup(Arc<Group>);

struct Group {
    ctx: Mutex<WasiCtx>,
    /// Whether all threads shall stop.
    over: Arc<AtomicBool>,
    state: Mutex<State>,
    /// A thread has ended.
    left: Condvar,
    /// What threads are made from, once the main one is instantiated.
    origin: OnceLock<Origin>,
}

struct Origin {
    module: Module,
    linker: Linker<Thread>,
}

#[derive(Default)]
struct State {
    /// How to stop each thread, by number; the main one is 0.
    threads: HashMap<u32, InterruptHandle>,
    last: u32,
    /// The first failure or exit of a thread that is not the main one.
    failure: Option<Error>,
}

/// What the store of one thread holds.
#[derive(Debug)]
pub struct Thread {
    group: ThreadGroup,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a call leaves the world as usable as an error does.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ThreadGroup {
    /// A group in this world, without any thread yet.
    pub fn new(ctx: WasiCtx) -> ThreadGroup {
        let over = Arc::new(AtomicBool::new(false));
        let before = ctx.interrupt.clone();
        let group = ThreadGroup(Arc::new(Group {
            ctx: Mutex::new(ctx),
            over,
            state: Mutex::default(),
            left: Condvar::new(),
            origin: OnceLock::new(),
        }));
        group.stop_waits(move || before.check().is_err());
        group
    }

    /// What the store of the main thread has to hold.
    pub fn main(&self) -> Thread {
        Thread { group: self.clone() }
    }

    /// Replaces the question that stops threads while they wait in the host.
    pub fn set_interrupt(&self, stop: Arc<dyn Fn() -> bool + Send + Sync>) {
        self.stop_waits(move || stop());
    }

    fn stop_waits(&self, stop: impl Fn() -> bool + Send + Sync + 'static) {
        let over = self.0.over.clone();
        let stop = Arc::new(move || over.load(Ordering::Relaxed) || stop());
        lock(&self.0.ctx).interrupt = Interrupt::new(stop).deferring();
    }

    /// Instantiates the module for the main thread, and later for others with the same linker.
    ///
    /// Shared memories that the module imports and that are not defined are made. The engine must
    /// be able to stop guests.
    ///
    /// # Errors
    ///
    /// As [`Linker::instantiate`]; also if the group has a module already, or a thread that the start
    /// function started ended the group. All threads have ended then.
    pub fn instantiate(
        &self,
        store: &mut Store<Thread>,
        mut linker: Linker<Thread>,
        module: &Module,
    ) -> Result<Instance> {
        // Threads that nothing can stop could outlive their group.
        let handle = store.interrupt_handle()?;
        linker.define_unknown_shared_memories(&mut *store, module)?;
        let origin = Origin { module: module.clone(), linker };
        if self.0.origin.set(origin).is_err() {
            return Err(Error::msg("the group of threads has a module already"));
        }
        let Some(origin) = self.0.origin.get() else {
            return Err(Error::msg("the group of threads has no module"));
        };
        // The start function is part of the main thread: others may end it, and it may end them.
        lock(&self.0.state).threads.insert(0, handle);
        let instance = origin.linker.instantiate(store, module);
        instance.map_err(|error| self.end().unwrap_or(error))
    }

    /// Runs `main` as the main thread, which `store` is of. When it ends, or another thread ends the
    /// group before, all threads have ended; only one call of this makes sense.
    ///
    /// # Errors
    ///
    /// What the thread that ended the group failed with; an exit counts as failure here too.
    pub fn run<R>(
        &self,
        store: &mut Store<Thread>,
        main: impl FnOnce(&mut Store<Thread>) -> Result<R>,
    ) -> Result<R> {
        {
            let mut state = lock(&self.0.state);
            let handle = store.interrupt_handle()?;
            // A thread may have ended it already, if one was started by a start function.
            if self.0.over.load(Ordering::Relaxed) {
                handle.interrupt();
            }
            state.threads.insert(0, handle);
        }
        let result = main(store);
        match self.end() {
            Some(error) => Err(error),
            None => result,
        }
    }

    /// The main thread has ended: ends all others, and says what one of them ended the group with, if
    /// one did.
    fn end(&self) -> Option<Error> {
        let mut state = lock(&self.0.state);
        let failure = state.failure.take();
        state.threads.remove(&0);
        self.stop_all(&state);
        while !state.threads.is_empty() {
            state = self.0.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        failure
    }

    /// No thread goes on, and none is started any more.
    fn stop_all(&self, state: &State) {
        self.0.over.store(true, Ordering::Relaxed);
        state.threads.values().for_each(InterruptHandle::interrupt);
    }

    /// Starts a thread that calls [`START`] with its number and `arg`. Every reason not to is one the
    /// guest is told of as an error.
    fn spawn(&self, caller: &mut Caller<'_, Thread>, arg: u32) -> Option<u32> {
        let origin = self.0.origin.get()?;
        caller.as_context_mut().share_fuel();
        let mut store = Store::sibling_of(&*caller, self.main()).ok()?;
        store.charge(Resource::Threads, 1).ok()?;
        let handle = store.interrupt_handle().ok()?;
        // From here on the group can stop it.
        let number = self.enlist(handle)?;
        let listed = Listed { group: self.clone(), number };
        let instance = origin.linker.instantiate(&mut store, &origin.module).ok()?;
        let start = instance.get_typed_func::<(u32, u32), ()>(&mut store, START).ok()?;
        let stack = caller.engine().limits().native_stack_bytes.saturating_add(STACK_BYTES);
        let builder = thread::Builder::new().name("dunlin-guest".into()).stack_size(stack);
        let run = move || {
            let result = start.call(&mut store, (number, arg));
            // What it did not use is the group's, before anybody hears of its end.
            store.as_context_mut().share_fuel();
            drop(store);
            if let Err(error) = result {
                listed.group.fail(error);
            }
            drop(listed);
        };
        builder.spawn(run).ok()?;
        Some(number)
    }

    /// Gives a thread a number, unless the group is over.
    fn enlist(&self, handle: InterruptHandle) -> Option<u32> {
        let mut state = lock(&self.0.state);
        if self.0.over.load(Ordering::Relaxed) {
            return None;
        }
        let mut number = state.last;
        loop {
            number = if number < TID_MAX { number.saturating_add(1) } else { 1 };
            // Far fewer threads than numbers can exist.
            if !state.threads.contains_key(&number) {
                break;
            }
        }
        state.last = number;
        state.threads.insert(number, handle);
        Some(number)
    }

    /// A thread that is not the main one has failed or called for the end.
    fn fail(&self, error: Error) {
        let mut state = lock(&self.0.state);
        // What comes after the end is a consequence of it.
        if !self.0.over.load(Ordering::Relaxed) {
            state.failure = Some(error);
            self.stop_all(&state);
        }
    }
}

/// A thread's place in the list of its group; left when this is dropped.
struct Listed {
    group: ThreadGroup,
    number: u32,
}

impl Drop for Listed {
    fn drop(&mut self) {
        lock(&self.group.0.state).threads.remove(&self.number);
        self.group.0.left.notify_all();
    }
}

/// Defines WASI 0.1 and [`SPAWN`] in a linker. It works for modules that export their memory as
/// `memory`.
///
/// # Errors
///
/// If one of the names is defined already.
pub fn add_to_linker(linker: &mut Linker<Thread>) -> Result<()> {
    p1::define(linker, Shared)?;
    linker.func_wrap(MODULE, SPAWN, |mut caller: Caller<'_, Thread>, arg: u32| -> i32 {
        let group = caller.data().group.clone();
        match group.spawn(&mut caller, arg) {
            // At most `TID_MAX`.
            Some(number) => number as i32,
            None => -i32::from(Errno::AGAIN.0),
        }
    })?;
    Ok(())
}

/// The world of a group. Calls have it one after the other; those that wait leave it to others
/// meanwhile.
#[derive(Clone, Copy)]
struct Shared;

impl World<Thread> for Shared {
    fn call(
        self,
        caller: &mut Caller<'_, Thread>,
        mut call: impl FnMut(&mut WasiCtx, &mut CallerMemory<'_>) -> Outcome,
    ) -> Outcome {
        let group = caller.data().group.clone();
        let memory = match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Some(memory),
            _ => None,
        };
        let shared = memory.and_then(|memory| memory.shared(&*caller));
        let mut memory = match (shared, memory) {
            (Some(shared), _) => CallerMemory::Shared(shared),
            (None, Some(memory)) => CallerMemory::Own(memory.data_mut(caller)),
            (None, None) => CallerMemory::Own(&mut []),
        };
        let mut began = None;
        loop {
            let mut ctx = lock(&group.0.ctx);
            ctx.interrupt.begin(began);
            let outcome = call(&mut ctx, &mut memory);
            let (Err(Stop::Interrupted(_)), Some(wait)) = (&outcome, ctx.interrupt.take_deferred())
            else {
                return outcome;
            };
            began = ctx.interrupt.began();
            let interrupt = ctx.interrupt.patient();
            drop(ctx);
            if wait.wait(&interrupt).is_err() {
                return outcome;
            }
        }
    }
}

impl fmt::Debug for ThreadGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = lock(&self.0.state).threads.len();
        f.debug_struct("ThreadGroup").field("threads", &threads).finish_non_exhaustive()
    }
}
