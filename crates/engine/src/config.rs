//! What an engine is built from: plain data, checked as a whole when the engine is made.

use dunlin_code::Settings;
use dunlin_module::{Features, Proposal};

pub use dunlin_code::MemoryKind;
pub use dunlin_vm::Limits;

use crate::error::{Error, ErrorKind, Result};
use crate::tiers::Tier;

/// How an [`Engine`](crate::Engine) behaves.
///
/// Plain data with public fields; the default runs everything this version knows, within sensible
/// [limits](Limits), and counts nothing.
///
/// ```
/// use dunlin_engine::{Config, Engine};
///
/// let mut config = Config::default();
/// config.execution.fuel = true;
/// let engine = Engine::new(&config)?;
/// # Ok::<(), dunlin_engine::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Which proposals modules may use.
    pub features: Features,
    /// How linear memories are held.
    pub memory: MemoryConfig,
    /// How code runs.
    pub execution: ExecutionConfig,
    /// What a store may take from the host, unless it is given limits of its own.
    pub limits: Limits,
    /// What is kept on disk, and whose files are believed.
    #[cfg(feature = "storage")]
    pub storage: crate::storage::StorageConfig,
}

/// How linear memories are held. Has no effect on results.
#[derive(Clone, Debug)]
pub struct MemoryConfig {
    /// How accesses are kept inside a memory.
    ///
    /// Guard memories, the default where there are any, are faster and take 4 GiB of address space
    /// each; compact ones take what they hold.
    pub kind: MemoryKind,
}

impl Default for MemoryConfig {
    fn default() -> MemoryConfig {
        let kind = if dunlin_vm::GUARD { MemoryKind::Guard } else { MemoryKind::Compact };
        MemoryConfig { kind }
    }
}

/// How code runs.
#[derive(Clone, Debug, Default)]
pub struct ExecutionConfig {
    /// Whether code counts fuel; see [`Store::set_fuel`](crate::Store::set_fuel).
    pub fuel: bool,
    /// Whether a running guest can be stopped: by a deadline
    /// ([`Store::set_deadline`](crate::Store::set_deadline)) or from another thread
    /// ([`Store::interrupt_handle`](crate::Store::interrupt_handle)).
    pub interruptible: bool,
    /// Collect garbage at every so many allocations, besides the times it must be done; for tests
    /// that look for references which the collector does not find. Slow.
    pub gc_zeal: Option<u32>,
    /// Whether what a guest does depends on the module, its inputs and the [limits](Limits) alone,
    /// not on the machine or the engine.
    ///
    /// Every NaN that arithmetic yields is the positive canonical one, and growing a memory or a
    /// table fails only for declared maxima and configured limits: a guest that the host refuses
    /// memory stops with [`Trap::LimitExceeded`](crate::Trap::LimitExceeded). Relaxed SIMD and the
    /// limits on stacks are the same everywhere without this too. What host functions answer is up
    /// to them; see the WASI context for its clocks and random numbers.
    pub deterministic: bool,
    /// What is compiled to native code.
    pub tier: Tier,
    /// Whether to remember each thing that is compiled, for
    /// [`Engine::tier_report`](crate::Engine::tier_report).
    pub tier_report: bool,
}

/// The smallest value stack with which a call of a small function succeeds.
const VALUE_STACK_SLOTS_MIN: usize = 64;

/// The largest value stack: 8 GiB.
const VALUE_STACK_SLOTS_MAX: usize = 1 << 30;

impl Config {
    /// What code is made for, or every reason why this configuration cannot work.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let mut conflicts = Vec::new();
        self.feature_conflicts(&mut conflicts);
        if self.memory.kind == MemoryKind::Guard && !dunlin_vm::GUARD {
            let text = "`memory.kind`: expected compact memories, found guard ones, which this \
                        build does not have";
            conflicts.push(text.to_string());
        }
        limit_conflicts(&self.limits, &mut conflicts);
        if !conflicts.is_empty() {
            return Err(Error::list(ErrorKind::Misuse, "cannot build an engine", conflicts));
        }
        Ok(Settings {
            memory_kind: self.memory.kind,
            fuel: self.execution.fuel,
            interruptible: self.execution.interruptible,
            deterministic: self.execution.deterministic,
        })
    }

    fn feature_conflicts(&self, conflicts: &mut Vec<String>) {
        for proposal in Proposal::ALL.iter().filter(|p| self.features.contains(**p)) {
            for need in proposal.needs().iter().filter(|need| !self.features.contains(**need)) {
                let (name, need) = (proposal.name(), need.name());
                conflicts.push(format!("`features`: `{name}` needs `{need}`, which is off"));
            }
        }
    }
}

/// Limits are the embedder's choice; only those with which nothing can run are refused.
pub(crate) fn limit_conflicts(limits: &Limits, conflicts: &mut Vec<String>) {
    let slots = limits.value_stack_slots;
    if !(VALUE_STACK_SLOTS_MIN..=VALUE_STACK_SLOTS_MAX).contains(&slots) {
        conflicts.push(format!(
            "`limits.value_stack_slots`: expected {VALUE_STACK_SLOTS_MIN} to \
             {VALUE_STACK_SLOTS_MAX}, found {slots}"
        ));
    }
}
