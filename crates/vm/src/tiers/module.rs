//! What is known of the functions of one module that were sampled, and what is worth compiling.
//!
//! A function that is called often is to be compiled as a whole; one that is called once and stays
//! in a loop has to be taken over there (OSR). Samples at back edges look alike for both. So such a
//! function is *probed*: its entry has no code until the next call, which puts it back. If it is
//! still missing at the next sample, nobody called the function for a whole tick.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use dunlin_code::artifact::Packed;
use dunlin_code::native::Entry;
use dunlin_module::DefinedFuncIndex;

use super::Tiers;
use super::policy::{self, TierMode};
use super::pool::{self, Job};
use super::report::{Asked, Outcome};
use super::ticker::TICK;
use crate::module_code::{ModuleCode, NoRoom};
use crate::vmctx::CodeEntry;

/// The most loops of one function that are taken over, each by code of its own.
const LOOPS_MAX: usize = 4;

/// The tiers of one module.
#[derive(Debug)]
pub(crate) struct ModuleTiers {
    tiers: Arc<Tiers>,
    code: Weak<ModuleCode>,
    /// The functions that were sampled, by index.
    warm: Mutex<HashMap<u32, Warm>>,
    native_bytes: AtomicU64,
}

/// What is known of a function that was sampled.
#[derive(Default, Debug)]
struct Warm {
    function: Stage,
    /// The heat that was used up when it was asked for as a whole.
    spent: u32,
    loops: Vec<Loop>,
    /// The code that was taken from its entry, until the next call.
    probe: Option<Words>,
}

#[derive(Debug)]
struct Loop {
    /// The word that branches back go to.
    word: u32,
    stage: Stage,
    /// Its offset in the module's binary, once it is native.
    offset: u32,
    /// Which line of the report is about it.
    line: Option<usize>,
}

/// How far something has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Stage {
    #[default]
    Interpreted,
    /// Being compiled, or going to be.
    Asked,
    Native,
    /// It stays interpreted.
    Refused,
}

/// The address of published code.
#[derive(Clone, Copy, Debug)]
struct Words(*const u64);

// SAFETY: V8: published code never changes, and lives as long as its module.
unsafe impl Send for Words {}

/// What is compiled of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Function,
    /// The loop that branches back to this word of the bytecode go to.
    Loop(u32),
}

/// Who is sampled at a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Party {
    Caller,
    Callee,
}

impl ModuleTiers {
    pub(crate) fn new(tiers: &Arc<Tiers>, code: &Weak<ModuleCode>) -> ModuleTiers {
        ModuleTiers {
            tiers: tiers.clone(),
            code: code.clone(),
            warm: Mutex::default(),
            native_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn tiers(&self) -> &Arc<Tiers> {
        &self.tiers
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Warm>> {
        // Nothing panics under the lock.
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The heat of one sample.
    fn sample(&self) -> u32 {
        match self.tiers.policy.mode {
            TierMode::Auto | TierMode::Opt => policy::heat_of(TICK),
            TierMode::Eager | TierMode::Loops | TierMode::Looking => policy::SAMPLE_EAGER,
        }
    }

    /// Makes `func` warmer; whether it is so hot that something should be done.
    fn warm_up(&self, code: &ModuleCode, func: DefinedFuncIndex, heat: u32) -> bool {
        let entry = code.entry(func);
        // Of two threads that do this at a time one may be lost.
        let heat = policy::warmer(entry.heat.load(Ordering::Relaxed), heat);
        entry.heat.store(heat, Ordering::Relaxed);
        heat >= self.price(code, func)
    }

    pub(super) fn weak(&self) -> Weak<ModuleCode> {
        self.code.clone()
    }

    /// The heat that functions have used up which are going to be compiled.
    pub(super) fn spent(&self) -> HashMap<u32, u32> {
        let all = self.lock();
        let waiting = all.iter().filter(|(_, warm)| warm.function == Stage::Asked);
        waiting.map(|(func, warm)| (*func, warm.spent)).collect()
    }

    /// Whether nothing is known that keeps a function from becoming native.
    pub(super) fn may_become_native(&self, func: DefinedFuncIndex) -> bool {
        self.lock().get(&func.0).is_none_or(|warm| warm.function != Stage::Refused)
    }

    /// Whether a function is neither native nor asked for; from now on it is asked for.
    pub(super) fn may_compile(&self, code: &ModuleCode, func: DefinedFuncIndex) -> bool {
        let mut all = self.lock();
        let warm = Warm::of(&mut all, code, func);
        let is_free = warm.function == Stage::Interpreted;
        if is_free {
            warm.asked(code.entry(func), What::Function);
        }
        is_free
    }

    pub(super) fn price(&self, code: &ModuleCode, func: DefinedFuncIndex) -> u32 {
        self.tiers.policy.price(code.module().bodies[func.index()].len())
    }

    /// `func` called something, or was called, when a tick came.
    pub(super) fn sample_call(&self, code: &ModuleCode, func: DefinedFuncIndex, party: Party) {
        let mode = self.tiers.policy.mode;
        if mode == TierMode::Loops || party == Party::Caller && mode == TierMode::Eager {
            return;
        }
        // Half of it each, rounded so that something is left of the smallest sample.
        if !self.warm_up(code, func, self.sample().div_ceil(2)) {
            return;
        }
        let mut all = self.lock();
        let warm = Warm::of(&mut all, code, func);
        // A caller that is not called itself waits for a sample in its loop.
        let wanted = party == Party::Callee || !warm.is_alone(code.entry(func));
        if wanted && warm.function == Stage::Interpreted {
            self.ask(code, all, func, What::Function);
        }
    }

    /// `func` was called from native code.
    pub(super) fn crossed(&self, code: &ModuleCode, func: DefinedFuncIndex) {
        let never = self.tiers.policy.mode == TierMode::Loops;
        if never || !self.warm_up(code, func, policy::HEAT_PER_CROSSING) {
            return;
        }
        let mut all = self.lock();
        match Warm::of(&mut all, code, func).function {
            Stage::Interpreted => self.ask(code, all, func, What::Function),
            _ => code.entry(func).heat.store(0, Ordering::Relaxed),
        }
    }

    /// `func` branched back to `word` when a tick came. Gives native code to take over the frame, if
    /// there is some and `may_enter`.
    pub(super) fn sample_back_edge(
        &self,
        code: &ModuleCode,
        func: DefinedFuncIndex,
        word: u32,
        may_enter: bool,
    ) -> Option<*const u8> {
        let hot = self.warm_up(code, func, self.sample());
        let eager = self.tiers.policy.mode.takes_loops_at_once();
        let mut all = self.lock();
        let warm = Warm::of(&mut all, code, func);
        let entered = may_enter.then(|| self.enter(code, func, warm, word)).flatten();
        if entered.is_some() {
            return entered;
        }
        let alone = warm.is_alone(code.entry(func));
        if !alone {
            warm.probe(code.entry(func));
        }
        let wanted = warm.wanted_at_back_edge(word, alone || eager);
        if let Some(what) = wanted
            && (hot || eager)
        {
            self.ask(code, all, func, what);
            if eager && may_enter {
                let mut all = self.lock();
                return self.enter(code, func, Warm::of(&mut all, code, func), word);
            }
        }
        None
    }

    /// Native code that takes over a frame of `func` at the loop at `word`, if there is some.
    fn enter(
        &self,
        code: &ModuleCode,
        func: DefinedFuncIndex,
        warm: &Warm,
        word: u32,
    ) -> Option<*const u8> {
        let native = |at: &&Loop| at.word == word && at.stage == Stage::Native;
        let found = warm.loops.iter().find(native)?;
        let native = code.native_loop(func, found.offset)?;
        self.tiers.ledger().entered(found.line);
        Some(native)
    }

    /// Compiles `func` before its first call, if that is the policy.
    pub(crate) fn first_call(&self, code: &ModuleCode, func: DefinedFuncIndex) {
        if self.tiers.policy.mode != TierMode::Opt {
            return;
        }
        let mut all = self.lock();
        if Warm::of(&mut all, code, func).function == Stage::Interpreted {
            self.ask(code, all, func, What::Function);
        }
    }

    /// Puts the code of `func` back if it is being probed.
    pub(crate) fn end_probe(&self, entry: &CodeEntry, func: DefinedFuncIndex) {
        if let Some(warm) = self.lock().get_mut(&func.0) {
            warm.end_probe(entry);
        }
    }

    /// Has something compiled: now, or in the background if there is room in the queue.
    fn ask(
        &self,
        code: &ModuleCode,
        mut all: MutexGuard<'_, HashMap<u32, Warm>>,
        func: DefinedFuncIndex,
        what: What,
    ) {
        let heat = &code.entry(func).heat;
        let heat = match self.tiers.policy.mode {
            TierMode::Auto => heat.swap(0, Ordering::Relaxed),
            // Which counts calls, and a loop is no reason to begin anew.
            _ => heat.load(Ordering::Relaxed),
        };
        let asked = Asked { at: Instant::now(), heat: policy::time_of(heat) };
        let body = code.module().bodies[func.index()].len();
        let job = Job { code: self.code.clone(), func, what, asked, cost: policy::cost(body) };
        if self.tiers.policy.mode == TierMode::Auto {
            if pool::push(job) {
                let warm = all.entry(func.0).or_default();
                warm.asked(code.entry(func), what);
                if what == What::Function {
                    warm.spent = heat;
                }
            }
            return;
        }
        all.entry(func.0).or_default().asked(code.entry(func), what);
        drop(all);
        self.carry_out(code, &job);
    }

    /// Compiles and installs what a job is about.
    pub(super) fn carry_out(&self, code: &ModuleCode, job: &Job) {
        let began = Instant::now();
        let entry = match job.what {
            What::Function => Some(Entry::Function),
            What::Loop(word) => code.loop_at(job.func, word as usize).map(Entry::Loop),
        };
        let outcome = match entry {
            Some(entry) => self.compile(code, job.func, entry),
            None => Outcome::Refused("no loop begins there".into()),
        };
        let took = began.elapsed();
        let stage = match outcome {
            Outcome::Native { .. } => Stage::Native,
            Outcome::Refused(_) => Stage::Refused,
        };
        let line = self.note(code, job, entry, (began, took), outcome);
        let mut all = self.lock();
        let warm = all.entry(job.func.0).or_default();
        let known = warm.set(job.what, stage);
        if let (Some(known), Some(Entry::Loop(offset))) = (known, entry) {
            (known.offset, known.line) = (offset, line);
        }
    }

    fn compile(&self, code: &ModuleCode, func: DefinedFuncIndex, entry: Entry) -> Outcome {
        let limit = self.tiers.policy.native_bytes;
        if self.native_bytes.load(Ordering::Relaxed) >= limit {
            return Outcome::Refused(format!("the module has {limit} bytes of native code"));
        }
        let native = match self.tiers.compile(code, func, entry) {
            Ok(native) => native,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        let packed = match Packed::new(&native) {
            Ok(packed) => packed,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        let bytes = native.bytes.len() as u64;
        match code.install(&[packed.function(func, entry)]) {
            Ok(()) => {
                self.native_bytes.fetch_add(bytes, Ordering::Relaxed);
                Outcome::Native { bytes }
            }
            Err(NoRoom) => Outcome::Refused("there is no room for more native code".into()),
        }
    }

    fn note(
        &self,
        code: &ModuleCode,
        job: &Job,
        entry: Option<Entry>,
        (began, took): (Instant, Duration),
        outcome: Outcome,
    ) -> Option<usize> {
        let entry = entry.unwrap_or(Entry::Function);
        let subject = (code.module(), job.func, entry, job.asked);
        let subject = self.tiers.policy.record.then_some(subject);
        self.tiers.ledger().compiled(subject, began, took, outcome)
    }
}

impl Warm {
    /// What is known of `func`.
    fn of<'a>(
        all: &'a mut HashMap<u32, Warm>,
        code: &ModuleCode,
        func: DefinedFuncIndex,
    ) -> &'a mut Warm {
        let warm = all.entry(func.0).or_default();
        // Others install native code too.
        if warm.function == Stage::Interpreted && code.is_native(func) {
            warm.end_probe(code.entry(func));
            warm.function = Stage::Native;
        }
        warm
    }

    /// Whether nobody called the function since it was sampled at a back edge.
    fn is_alone(&self, entry: &CodeEntry) -> bool {
        // Calls of native code do not look at its bytecode; but where there is native code, whoever
        // is still interpreted was called before.
        let probed = self.probe.is_some() && entry.ip.load(Ordering::Relaxed).is_null();
        self.function == Stage::Native || probed
    }

    /// Takes the code of the function from its entry, which the next call puts back. Not while
    /// something else may be put there.
    fn probe(&mut self, entry: &CodeEntry) {
        let ip = entry.ip.load(Ordering::Acquire);
        let taken = !ip.is_null()
            && self.function == Stage::Interpreted
            && entry
                .ip
                .compare_exchange(ip, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if taken {
            self.probe = Some(Words(ip));
        }
    }

    fn end_probe(&mut self, entry: &CodeEntry) {
        if let Some(Words(ip)) = self.probe.take() {
            // Where it fails there is newer code.
            let _ = entry.ip.compare_exchange(
                ptr::null_mut(),
                ip.cast_mut(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
        }
    }

    /// What to compile for a function that is hot at a branch back to `word`.
    fn wanted_at_back_edge(&self, word: u32, alone: bool) -> Option<What> {
        if self.function == Stage::Refused {
            return None;
        }
        if !alone {
            return (self.function == Stage::Interpreted).then_some(What::Function);
        }
        let known = self.loops.iter().any(|at| at.word == word);
        (!known && self.loops.len() < LOOPS_MAX).then_some(What::Loop(word))
    }

    /// Notes that something is going to be compiled.
    fn asked(&mut self, entry: &CodeEntry, what: What) {
        if what == What::Function {
            self.end_probe(entry);
        }
        self.set(what, Stage::Asked);
    }

    /// Notes how far something has come; if it is a loop, gives what is known of that.
    fn set(&mut self, what: What, stage: Stage) -> Option<&mut Loop> {
        let word = match what {
            What::Function => {
                self.function = stage;
                return None;
            }
            What::Loop(word) => word,
        };
        let at = match self.loops.iter().position(|at| at.word == word) {
            Some(at) => at,
            None => {
                self.loops.push(Loop { word, stage, offset: 0, line: None });
                self.loops.len() - 1
            }
        };
        self.loops[at].stage = stage;
        self.loops.get_mut(at)
    }
}
