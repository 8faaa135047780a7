//! What a store may take from the host: every limit with its default, and the one account that is
//! charged before anything is allocated on behalf of a guest.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limits of one store. This is the only place where defaults are decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of all memories together, counted by size, touched or not. Default 4 GiB: one full
    /// 32-bit memory.
    pub memory_bytes: u64,
    /// Number of memories. Default 10 000.
    pub memories: u64,
    /// Elements of all tables together, 8 bytes each once touched. Default 16 Mi, which is more
    /// than the ten million that engines agreed a single table may have.
    pub table_elements: u64,
    /// Number of tables. Default 100 000.
    pub tables: u64,
    /// Number of instances. Default 10 000.
    pub instances: u64,
    /// Number of functions, globals, tags and external references made by the host, often at a
    /// guest's request. Default 1 Mi.
    pub handles: u64,
    /// Bytes of the garbage-collected heap, collections included, which copy: about half of this can
    /// be alive. Default 2 GiB.
    pub heap_bytes: u64,
    /// Bytes of everything else kept for guests: instance records, function references, buffers
    /// of host functions. Default 512 MiB.
    pub budget_bytes: u64,
    /// Number of threads that guests start beside the one they were called on. Default 64.
    pub threads: u64,
    /// Slots of 8 bytes of the value stack, on which all frames of a call live. Default 1 Mi, that
    /// is 8 MiB.
    pub value_stack_slots: usize,
    /// Bytes of native stack that calls from guest to host to guest may use, from the outermost
    /// call on. Default 128 KiB, which fits threads with small stacks.
    pub native_stack_bytes: usize,
    /// How many calls from guest to host to guest may be inside one another. Default 100, for which
    /// the native stack suffices unless host functions take more than a kilobyte each. It is the
    /// only limit on them that is the same on every machine.
    pub nested_calls: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 4 << 30,
            memories: 10_000,
            table_elements: 16 << 20,
            tables: 100_000,
            instances: 10_000,
            handles: 1 << 20,
            heap_bytes: 2 << 30,
            budget_bytes: 512 << 20,
            threads: 64,
            value_stack_slots: 1 << 20,
            native_stack_bytes: 128 << 10,
            nested_calls: 100,
        }
    }
}

/// Something a store may only have so much of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// [`Limits::memory_bytes`]
    MemoryBytes,
    /// [`Limits::memories`]
    Memories,
    /// [`Limits::table_elements`]
    TableElements,
    /// [`Limits::tables`]
    Tables,
    /// [`Limits::instances`]
    Instances,
    /// [`Limits::handles`]
    Handles,
    /// [`Limits::heap_bytes`]
    HeapBytes,
    /// [`Limits::budget_bytes`]
    Bytes,
    /// [`Limits::threads`]
    Threads,
}

const RESOURCES: usize = Resource::ALL.len();

/// Who takes fuel from a pool takes one of so many parts of it at a time, ...
const FUEL_SHARES: u64 = 256;
/// ... but not less than this, a few microseconds of work, ...
const FUEL_SLICE_MIN: u64 = 1_000;
/// ... and not more than this, a few milliseconds.
const FUEL_SLICE_MAX: u64 = 1_000_000;

impl Resource {
    /// All of them, in order of their numbers.
    const ALL: [Resource; 9] = [
        Resource::MemoryBytes,
        Resource::Memories,
        Resource::TableElements,
        Resource::Tables,
        Resource::Instances,
        Resource::Handles,
        Resource::HeapBytes,
        Resource::Bytes,
        Resource::Threads,
    ];

    /// The name of the field of [`Limits`].
    pub fn name(self) -> &'static str {
        match self {
            Resource::MemoryBytes => "memory_bytes",
            Resource::Memories => "memories",
            Resource::TableElements => "table_elements",
            Resource::Tables => "tables",
            Resource::Instances => "instances",
            Resource::Handles => "handles",
            Resource::HeapBytes => "heap_bytes",
            Resource::Bytes => "budget_bytes",
            Resource::Threads => "threads",
        }
    }

    /// What is counted, in words.
    fn unit(self) -> &'static str {
        match self {
            Resource::MemoryBytes => "bytes of memory",
            Resource::Memories => "memories",
            Resource::TableElements => "table elements",
            Resource::Tables => "tables",
            Resource::Instances => "instances",
            Resource::Handles => "handles",
            Resource::HeapBytes => "bytes of garbage-collected heap",
            Resource::Bytes => "bytes of bookkeeping",
            Resource::Threads => "threads",
        }
    }
}

/// What one owner has taken from an account that it may share with others: stores of one group,
/// and the shared memories they use. Dropping it gives everything back.
#[derive(Debug)]
pub struct Budget {
    account: Arc<Account>,
    /// How much of what is taken is this owner's.
    own: [u64; RESOURCES],
}

/// What all owners together have taken, and may take.
#[derive(Debug)]
struct Account {
    limits: Limits,
    used: [AtomicU64; RESOURCES],
    /// Fuel that belongs to all and that nobody has taken yet.
    fuel: AtomicU64,
}

/// What an owner had taken at some time.
#[derive(Debug)]
pub(crate) struct Mark([u64; RESOURCES]);

impl Budget {
    /// An account of its own on which nothing is charged yet.
    pub fn new(limits: Limits) -> Budget {
        let account = Account { limits, used: Default::default(), fuel: AtomicU64::new(0) };
        Budget { account: Arc::new(account), own: [0; RESOURCES] }
    }

    /// Another owner of the same account, who has taken nothing yet.
    #[must_use]
    pub fn share(&self) -> Budget {
        Budget { account: self.account.clone(), own: [0; RESOURCES] }
    }

    /// What may be taken at most.
    pub fn limits(&self) -> &Limits {
        &self.account.limits
    }

    /// The limit on `resource`.
    pub fn limit(&self, resource: Resource) -> u64 {
        let limits = self.limits();
        match resource {
            Resource::MemoryBytes => limits.memory_bytes,
            Resource::Memories => limits.memories,
            Resource::TableElements => limits.table_elements,
            Resource::Tables => limits.tables,
            Resource::Instances => limits.instances,
            Resource::Handles => limits.handles,
            Resource::HeapBytes => limits.heap_bytes,
            Resource::Bytes => limits.budget_bytes,
            Resource::Threads => limits.threads,
        }
    }

    /// How much of `resource` is taken, by all owners together.
    pub fn used(&self, resource: Resource) -> u64 {
        self.account.used[resource as usize].load(Ordering::Relaxed)
    }

    /// Takes `amount` of `resource`, or fails and takes nothing.
    pub fn charge(&mut self, resource: Resource, amount: u64) -> Result<(), LimitError> {
        let limit = self.limit(resource);
        let all = &self.account.used[resource as usize];
        let taken = all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(amount).filter(|total| *total <= limit)
        });
        match taken {
            Ok(_) => {
                // No more than the total, which did not overflow.
                self.own[resource as usize] += amount;
                Ok(())
            }
            Err(used) => Err(LimitError {
                resource,
                wanted: amount,
                cause: LimitCause::Budget { used, limit },
            }),
        }
    }

    /// Gives back `amount` of `resource`.
    pub fn release(&mut self, resource: Resource, amount: u64) {
        let own = &mut self.own[resource as usize];
        debug_assert!(*own >= amount, "more {} released than charged", resource.unit());
        let amount = amount.min(*own);
        *own -= amount;
        self.account.used[resource as usize].fetch_sub(amount, Ordering::Relaxed);
    }

    /// What this owner has taken by now.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.own)
    }

    /// Gives back what was taken since `mark`.
    pub(crate) fn rewind(&mut self, mark: &Mark) {
        for (resource, then) in Resource::ALL.into_iter().zip(mark.0) {
            self.release(resource, self.own[resource as usize].saturating_sub(then));
        }
    }

    /// Charges, then runs `make`; gives the charge back if that fails.
    pub(crate) fn charged<T, E: From<LimitError>>(
        &mut self,
        resource: Resource,
        amount: u64,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.charge(resource, amount)?;
        make().inspect_err(|_| self.release(resource, amount))
    }

    /// Adds to the fuel that belongs to all owners.
    pub(crate) fn pool_fuel(&self, amount: u64) {
        let add = |fuel: u64| Some(fuel.saturating_add(amount));
        let _ = self.account.fuel.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Forgets the fuel that belongs to all owners.
    pub(crate) fn drain_fuel(&self) {
        self.account.fuel.store(0, Ordering::Relaxed);
    }

    /// The fuel that belongs to all owners and that nobody has taken.
    pub(crate) fn pooled_fuel(&self) -> u64 {
        self.account.fuel.load(Ordering::Relaxed)
    }

    /// Takes at least `least` of the fuel that belongs to all owners, or nothing, and then a part of
    /// the rest: small enough to leave others theirs, large enough not to come back all the time.
    pub(crate) fn take_fuel(&self, least: u64) -> Option<u64> {
        let slice = |left: u64| {
            let spare = left.checked_sub(least)?;
            Some(least + spare.min((spare / FUEL_SHARES).clamp(FUEL_SLICE_MIN, FUEL_SLICE_MAX)))
        };
        let take = |left| Some(left - slice(left)?);
        let fuel = &self.account.fuel;
        fuel.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok().and_then(slice)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.rewind(&Mark([0; RESOURCES]));
    }
}

/// A store asked for more than it may have, or than the system gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitError {
    resource: Resource,
    wanted: u64,
    cause: LimitCause,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LimitCause {
    Budget { used: u64, limit: u64 },
    Declared { maximum: u64 },
    System,
    Addresses,
}

impl LimitError {
    /// The system refused memory that the budget allows.
    pub(crate) fn system(resource: Resource, wanted: u64) -> LimitError {
        LimitError { resource, wanted, cause: LimitCause::System }
    }

    /// The system refused the address space of a guarded memory.
    pub(crate) fn addresses(wanted: u64) -> LimitError {
        let resource = Resource::MemoryBytes;
        LimitError { resource, wanted, cause: LimitCause::Addresses }
    }

    /// Growing would exceed the maximum of the type.
    pub(crate) fn declared(resource: Resource, wanted: u64, maximum: u64) -> LimitError {
        LimitError { resource, wanted, cause: LimitCause::Declared { maximum } }
    }

    /// What there is not enough of.
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// Whether the operating system refused, not the budget.
    pub fn is_system(&self) -> bool {
        matches!(self.cause, LimitCause::System | LimitCause::Addresses)
    }

    /// What can be done about it, for a `help:` line.
    pub fn help(&self) -> Option<String> {
        match self.cause {
            LimitCause::Budget { .. } => Some(format!("raise `Limits::{}`", self.resource.name())),
            LimitCause::Declared { .. } => None,
            LimitCause::Addresses => {
                Some("use compact memories, or let the process have more address space".to_string())
            }
            LimitCause::System => {
                Some("the process may be limited in address space or mappings".to_string())
            }
        }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot allocate {} {}: ", self.wanted, self.resource.unit())?;
        match self.cause {
            LimitCause::Budget { used, limit } => {
                write!(f, "expected at most {limit} in all, found {used} in use already")
            }
            LimitCause::Declared { maximum } => {
                write!(f, "expected at most the declared maximum of {maximum} in all")
            }
            LimitCause::System => f.write_str("the system refused"),
            LimitCause::Addresses => f.write_str("the system has no addresses left to guard it"),
        }
    }
}

impl std::error::Error for LimitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_stop_at_the_limit_and_take_nothing() {
        let mut budget = Budget::new(Limits { tables: 3, ..Limits::default() });
        assert!(budget.charge(Resource::Tables, 2).is_ok());
        let error = budget.charge(Resource::Tables, 2).unwrap_err();
        assert_eq!(budget.used(Resource::Tables), 2);
        assert_eq!(
            error.to_string(),
            "cannot allocate 2 tables: expected at most 3 in all, found 2 in use already"
        );
        assert_eq!(error.help().as_deref(), Some("raise `Limits::tables`"));
        assert!(budget.charge(Resource::Tables, 1).is_ok());
        budget.release(Resource::Tables, 3);
        assert_eq!(budget.used(Resource::Tables), 0);
    }

    #[test]
    fn charges_do_not_wrap() {
        let mut budget = Budget::new(Limits { table_elements: u64::MAX, ..Limits::default() });
        budget.charge(Resource::TableElements, u64::MAX - 1).unwrap();
        assert!(budget.charge(Resource::TableElements, 2).is_err());
    }

    #[test]
    fn a_failed_allocation_gives_its_charge_back() {
        let mut budget = Budget::new(Limits::default());
        let refused = budget.charged(Resource::Memories, 1, || {
            Err::<(), _>(LimitError::system(Resource::Memories, 1))
        });
        assert!(refused.unwrap_err().is_system());
        assert_eq!(budget.used(Resource::Memories), 0);
    }

    #[test]
    fn owners_of_an_account_share_its_limits_and_give_back_what_they_took() {
        let mut first = Budget::new(Limits { threads: 3, ..Limits::default() });
        let mut second = first.share();
        first.charge(Resource::Threads, 1).unwrap();
        second.charge(Resource::Threads, 2).unwrap();
        assert!(first.charge(Resource::Threads, 1).is_err());
        assert_eq!(first.used(Resource::Threads), 3);
        drop(second);
        assert_eq!(first.used(Resource::Threads), 1);
        let mark = first.mark();
        first.charge(Resource::Threads, 2).unwrap();
        first.rewind(&mark);
        assert_eq!(first.used(Resource::Threads), 1);
    }

    #[test]
    fn pooled_fuel_is_taken_in_parts_and_once() {
        let budget = Budget::new(Limits::default());
        budget.pool_fuel(10_000);
        assert_eq!(budget.take_fuel(20_000), None);
        assert_eq!(budget.take_fuel(500), Some(1_500));
        assert_eq!(budget.pooled_fuel(), 8_500);
        assert_eq!(budget.take_fuel(8_000), Some(8_500));
        assert_eq!(budget.take_fuel(1), None);
        assert_eq!(budget.take_fuel(0), Some(0));
        budget.pool_fuel(u64::MAX);
        budget.pool_fuel(1);
        assert_eq!(budget.take_fuel(1), Some(1 + FUEL_SLICE_MAX));
    }
}
