//! The queue of what is to be compiled, and the threads that do it: one pool per process.
//!
//! Threads are started when there is work, at most one less than there are processors, and end when
//! there was none for a while. They have low priority. A job holds its module weakly: what nobody needs
//! any more is not compiled, and dropping a module waits for nothing.

use std::num::NonZero;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use dunlin_module::DefinedFuncIndex;

use super::module::What;
use super::past::{self, Past};
use super::report::Asked;
use crate::module_code::ModuleCode;
use crate::sys;

/// The most jobs that wait. Whoever finds the queue full asks again when it is as hot once more.
const QUEUE_MAX: usize = 256;

/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// Compilers work on their stack.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// Something to be compiled.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) code: Weak<ModuleCode>,
    pub(super) func: DefinedFuncIndex,
    pub(super) what: What,
    pub(super) asked: Asked,
    /// What compiling it takes, in units of heat.
    pub(super) cost: u64,
}

impl Job {
    /// How hot the function has become since it was asked for, in proportion to the cost; `None` if
    /// the module is gone.
    fn urgency(&self) -> Option<f64> {
        let code = self.code.upgrade()?;
        let heat = code.entry(self.func).heat.load(Ordering::Relaxed);
        Some(f64::from(heat) / self.cost as f64)
    }
}

struct Queue {
    /// In the order in which they came.
    jobs: Vec<Job>,
    /// What to do where there are no jobs.
    pasts: Vec<Past>,
}

impl Queue {
    /// Adds a job if there is room.
    fn push(&mut self, job: Job) -> bool {
        if self.jobs.len() >= QUEUE_MAX {
            self.jobs.retain(|job| job.code.strong_count() > 0);
        }
        let fits = self.jobs.len() < QUEUE_MAX;
        if fits {
            self.jobs.push(job);
        }
        fits
    }

    /// The most urgent job; of those that are equally so, the one that came first.
    fn pop(&mut self) -> Option<Job> {
        let mut best = None;
        self.jobs.retain(|job| job.code.strong_count() > 0);
        for (at, job) in self.jobs.iter().enumerate() {
            let Some(urgency) = job.urgency() else { continue };
            if best.is_none_or(|(_, most)| urgency > most) {
                best = Some((at, urgency));
            }
        }
        best.map(|(at, _)| self.jobs.remove(at))
    }

    /// The next of what ran before.
    fn recall(&mut self) -> Option<Job> {
        while let Some(past) = self.pasts.first_mut() {
            match past.next() {
                // The module may be dropped here, under the lock of the pool alone.
                Some((code, func)) => return Some(past::job(&code, func)),
                None => drop(self.pasts.remove(0)),
            }
        }
        None
    }
}

struct Pool {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: Queue,
    threads: usize,
    /// Of these, those that wait for work.
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        queue: Queue { jobs: Vec::new(), pasts: Vec::new() },
        threads: 0,
        idle: 0,
    }),
    changed: Condvar::new(),
};

/// Has `job` done in the background; false if too much is waiting already.
pub(super) fn push(job: Job) -> bool {
    let mut state = POOL.lock();
    if !state.queue.push(job) {
        return false;
    }
    start_worker(state);
    true
}

/// Has functions compiled that ran before, when there is nothing else to do.
pub(super) fn fill(past: Past) {
    let mut state = POOL.lock();
    state.queue.pasts.push(past);
    start_worker(state);
}

/// Sees to it that somebody works.
fn start_worker(mut state: MutexGuard<'_, State>) {
    if state.idle > 0 {
        drop(state);
        POOL.changed.notify_one();
    } else if state.threads < threads_max() {
        let thread = thread::Builder::new().name("dunlin-compile".into()).stack_size(STACK_BYTES);
        // Without a thread the job waits for one that there is, or for the next to be started.
        if thread.spawn(|| POOL.work()).is_ok() {
            state.threads += 1;
        }
    }
}

/// As many threads as a guest leaves processors, but one at least.
fn threads_max() -> usize {
    (processors() - 1).max(1)
}

/// How many processors this process may use.
pub(super) fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        sys::lower_priority();
        while let Some(job) = self.next() {
            // The module is dropped here if nobody else has it any more.
            if let Some(code) = job.code.upgrade()
                && let Some(tiers) = code.tiers()
            {
                tiers.carry_out(&code, &job);
            }
        }
    }

    /// The next job; `None` if there was none for so long that the thread ends, which is then no
    /// longer counted.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop().or_else(|| state.queue.recall()) {
                return Some(job);
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use dunlin_code::{MemoryKind, Settings};
    use dunlin_module::{Features, Module, TypeRegistry};

    use super::*;

    fn code() -> Arc<ModuleCode> {
        let text = "(module (func) (func) (func))";
        let bytes = wat::parse_str(text).unwrap();
        let module = Module::decode(bytes, &Features::default(), &TypeRegistry::new()).unwrap();
        let memory_kind = MemoryKind::Compact;
        let settings =
            Settings { memory_kind, fuel: false, interruptible: false, deterministic: false };
        ModuleCode::new(Arc::new(module), settings)
    }

    fn job(code: &Arc<ModuleCode>, func: u32, cost: u64) -> Job {
        let asked = Asked { at: Instant::now(), heat: Duration::ZERO };
        let func = DefinedFuncIndex(func);
        Job { code: Arc::downgrade(code), func, what: What::Function, asked, cost }
    }

    fn heat(code: &ModuleCode, func: u32, heat: u32) {
        code.entry(DefinedFuncIndex(func)).heat.store(heat, Ordering::Relaxed);
    }

    fn order(queue: &mut Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).map(|job| job.func.0).collect()
    }

    #[test]
    fn what_became_hot_for_little_comes_first() {
        let code = code();
        let mut queue = Queue { jobs: Vec::new(), pasts: Vec::new() };
        for (func, cost) in [(0, 100), (1, 100), (2, 1000)] {
            assert!(queue.push(job(&code, func, cost)));
        }
        heat(&code, 1, 50);
        heat(&code, 2, 400);
        assert_eq!(order(&mut queue), [1, 2, 0]);
    }

    #[test]
    fn what_is_equally_hot_comes_in_order() {
        let code = code();
        let mut queue = Queue { jobs: Vec::new(), pasts: Vec::new() };
        for func in [2, 0, 1] {
            queue.push(job(&code, func, 7));
        }
        assert_eq!(order(&mut queue), [2, 0, 1]);
    }

    #[test]
    fn jobs_of_dropped_modules_are_none() {
        let (kept, dropped) = (code(), code());
        let mut queue = Queue { jobs: Vec::new(), pasts: Vec::new() };
        for _ in 0..QUEUE_MAX {
            assert!(queue.push(job(&dropped, 0, 1)));
        }
        assert!(!queue.push(job(&kept, 1, 1)), "the queue is full");
        drop(dropped);
        assert!(queue.push(job(&kept, 1, 1)), "of nothing");
        assert_eq!(order(&mut queue), [1]);
    }
}
