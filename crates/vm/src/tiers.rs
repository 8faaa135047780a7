//! Tiers: what is compiled to native code, when, and how running code gets there.
//!
//! ```text
//!  ticker ──tick bit──► interpreter looks (back edge, call) ──► sample: heat of the function
//!                                                                 │ heat > cost of compiling it
//!  install ◄── worker: compile ◄── queue, the best bargain first ◄┘
//!     └──► calls enter native code at once; running loops at their next sample (OSR)
//! ```
//!
//! Nothing is counted in bytecode: time is sampled. A thread sets a bit in the interrupt word of stores
//! that run guests, which taken back edges and calls compare with zero anyway. So a sample costs
//! nothing where there is none, and says where time goes, however large or small functions are.
//!
//! | part | what |
//! |---|---|
//! | [`policy`] | heat, cost, and the modes |
//! | [`ticker`] | the thread that sets the bit |
//! | [`sample`] | what the interpreter calls when it finds a bit |
//! | [`module`] | what is known of the functions of one module, and what is worth compiling |
//! | [`past`] | what one run tells the next |
//! | [`pool`] | the queue, and the threads that compile |
//! | [`report`] | what was compiled, for those who ask |
//!
//! Results never depend on any of this. Why it is so: `docs/design/008-tiers.md`.

mod module;
mod past;
mod policy;
mod pool;
mod report;
pub(crate) mod sample;
pub(crate) mod ticker;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dunlin_code::Settings;
use dunlin_code::native::{CompileError, Compiler, Entry, NativeCode, Request};
use dunlin_module::DefinedFuncIndex;

pub(crate) use self::module::ModuleTiers;
pub use self::policy::{HEAT_PER_MILLISECOND, TierMode, TierPolicy};
use self::report::Ledger;
pub use self::report::{CompiledCode, TierReport};
use crate::module_code::ModuleCode;
use crate::native;
use crate::sys;

/// More than compilers ever took of the stack.
const COMPILER_STACK_BYTES: usize = 1 << 20;

/// A compiler and when to use it: what the modules of an engine share.
pub struct Tiers {
    compiler: Arc<dyn Compiler>,
    policy: TierPolicy,
    ledger: Mutex<Ledger>,
}

impl Tiers {
    /// Native code by `compiler`, as `policy` says.
    pub fn new(compiler: Arc<dyn Compiler>, policy: TierPolicy) -> Arc<Tiers> {
        Arc::new(Tiers { compiler, policy, ledger: Mutex::new(Ledger::new(Instant::now())) })
    }

    /// When something is compiled.
    pub fn policy(&self) -> &TierPolicy {
        &self.policy
    }

    /// What was compiled so far, and where time went.
    pub fn report(&self) -> TierReport {
        self.ledger().report()
    }

    /// Nobody took the last tick, for so long.
    pub(crate) fn tick_left(&self, interval: Duration) {
        self.ledger().left(interval);
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing panics under the lock.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What bytecode is lowered for, where code is made for `settings`.
    pub(crate) fn lowering(&self, settings: Settings) -> Settings {
        let interruptible = settings.interruptible || self.policy.mode.looks();
        Settings { interruptible, ..settings }
    }

    /// Compiles one function of a module, on another thread if little is left of this one's stack: a
    /// guest may have used it up.
    fn compile(
        &self,
        code: &ModuleCode,
        func: DefinedFuncIndex,
        entry: Entry,
    ) -> Result<NativeCode, CompileError> {
        let (module, settings) = (code.module(), code.settings());
        let request = Request { module, func, entry, settings };
        if native::room_below(sys::stack_pointer()) >= COMPILER_STACK_BYTES {
            return self.compile_here(&request);
        }
        let thread = thread::Builder::new().name("dunlin-compile".into());
        let thread = thread.stack_size(pool::STACK_BYTES);
        let none = || Err(CompileError::Failed("no thread to compile on".into()));
        thread::scope(|scope| match thread.spawn_scoped(scope, || self.compile_here(&request)) {
            Ok(thread) => thread.join().unwrap_or_else(|_| none()),
            Err(_) => none(),
        })
    }

    /// Compiles one function. A compiler that panics has refused.
    fn compile_here(&self, request: &Request<'_>) -> Result<NativeCode, CompileError> {
        // Whatever it has half done is its own, and a compiler is used only through `&self`.
        let compiled = catch_unwind(AssertUnwindSafe(|| self.compiler.compile(request)));
        compiled.unwrap_or_else(|_| Err(CompileError::Failed("it panicked".into())))
    }
}

impl fmt::Debug for Tiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiers")
            .field("compiler", &self.compiler)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
