//! What a store may take from the host: every limit with its default, and the one account that is
//! charged before anything is allocated on behalf of a guest.

use std::fmt;

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
}

const RESOURCES: usize = 8;

impl Resource {
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
        }
    }
}

/// What a store has taken so far, and what it may take.
#[derive(Clone, Debug)]
pub struct Budget {
    limits: Limits,
    used: [u64; RESOURCES],
}

impl Budget {
    /// An account on which nothing is charged yet.
    pub fn new(limits: Limits) -> Budget {
        Budget { limits, used: [0; RESOURCES] }
    }

    /// What may be taken at most.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limit on `resource`.
    pub fn limit(&self, resource: Resource) -> u64 {
        match resource {
            Resource::MemoryBytes => self.limits.memory_bytes,
            Resource::Memories => self.limits.memories,
            Resource::TableElements => self.limits.table_elements,
            Resource::Tables => self.limits.tables,
            Resource::Instances => self.limits.instances,
            Resource::Handles => self.limits.handles,
            Resource::HeapBytes => self.limits.heap_bytes,
            Resource::Bytes => self.limits.budget_bytes,
        }
    }

    /// How much of `resource` is taken.
    pub fn used(&self, resource: Resource) -> u64 {
        self.used[resource as usize]
    }

    /// Takes `amount` of `resource`, or fails and takes nothing.
    pub fn charge(&mut self, resource: Resource, amount: u64) -> Result<(), LimitError> {
        let limit = self.limit(resource);
        let used = &mut self.used[resource as usize];
        match used.checked_add(amount) {
            Some(total) if total <= limit => {
                *used = total;
                Ok(())
            }
            _ => Err(LimitError {
                resource,
                wanted: amount,
                cause: LimitCause::Budget { used: *used, limit },
            }),
        }
    }

    /// Gives back `amount` of `resource`.
    pub fn release(&mut self, resource: Resource, amount: u64) {
        let used = &mut self.used[resource as usize];
        debug_assert!(*used >= amount, "more {} released than charged", resource.unit());
        *used = used.saturating_sub(amount);
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
}
