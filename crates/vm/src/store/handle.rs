//! Names for live things: every handle knows its store, and is checked wherever it is used.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_module::{ExternType, FuncType, ValType};

/// Identity of a store, unique in the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoreId(u64);

impl StoreId {
    /// An identity never handed out before.
    pub(crate) fn fresh() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name {
            pub(crate) store: StoreId,
            pub(crate) index: u32,
        }

        impl $name {
            /// The store it belongs to.
            pub fn store_id(self) -> StoreId {
                self.store
            }

            /// Its position in that store, fails if that is another one.
            #[inline]
            pub(crate) fn index_in(self, store: StoreId) -> Result<usize, Misuse> {
                if self.store == store {
                    Ok(self.index as usize)
                } else {
                    Err(Misuse::OtherStore)
                }
            }
        }
    )*};
}

handles! {
    /// A function of a store.
    Func;
    /// A table of a store.
    Table;
    /// A memory of a store.
    Memory;
    /// A global of a store.
    Global;
    /// A tag of a store.
    Tag;
    /// An instance of a store.
    InstanceHandle;
}

/// Anything that can be imported or exported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Extern {
    Func(Func),
    Table(Table),
    Memory(Memory),
    Global(Global),
    Tag(Tag),
}

impl From<Func> for Extern {
    fn from(func: Func) -> Extern {
        Extern::Func(func)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Extern {
        Extern::Table(table)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Extern {
        Extern::Memory(memory)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Extern {
        Extern::Global(global)
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Extern {
        Extern::Tag(tag)
    }
}

/// The embedder asked for something that makes no sense: a fault of the program around the store,
/// never of the guest in it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// A handle or module of one store or engine was used with another.
    OtherStore,
    /// A module was decoded for another engine: its types mean nothing here.
    OtherEngine,
    /// A module was prepared with other settings than the store's.
    OtherSettings,
    /// A host function panicked; nothing runs in this store any more.
    Poisoned,
    /// A value is not of the type it must have.
    WrongType(ValType),
    /// Raw values need more slots than were given.
    MissingSlots {
        /// Slots needed.
        expected: usize,
        /// Slots given.
        found: usize,
    },
    /// Not one extern for each import.
    ImportCount {
        /// Imports of the module.
        expected: usize,
        /// Externs given.
        found: usize,
    },
    /// A write to a global that is constant.
    ImmutableGlobal,
    /// An index or address beyond the end.
    OutOfBounds {
        /// The first position beyond what was asked for.
        end: u64,
        /// The number of positions.
        len: u64,
    },
    /// A deadline or interruption was asked for in a store whose code does not look for it.
    InterruptionOff,
    /// This build has no memories of the kind asked for.
    NoGuardMemories,
    /// A shared memory of one kind was given to a store whose memories are of the other.
    OtherMemoryKind,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::OtherStore => f.write_str("the object belongs to another store"),
            Misuse::OtherEngine => f.write_str("the module belongs to another engine"),
            Misuse::OtherSettings => {
                f.write_str("the module was prepared with other settings than the store's")
            }
            Misuse::Poisoned => {
                f.write_str("the store is unusable since a host function panicked in it")
            }
            Misuse::WrongType(ty) => write!(f, "expected a value of type {ty}, found another"),
            Misuse::MissingSlots { expected, found } => {
                write!(f, "expected {expected} slots for parameters and results, found {found}")
            }
            Misuse::ImportCount { expected, found } => {
                write!(f, "expected {expected} imports, found {found}")
            }
            Misuse::ImmutableGlobal => f.write_str("the global is immutable"),
            Misuse::OutOfBounds { end, len } => {
                write!(f, "out of bounds: expected at most {len}, found {end}")
            }
            Misuse::InterruptionOff => {
                f.write_str("the engine was configured without interruption")
            }
            Misuse::NoGuardMemories => f.write_str("this build has no guard memories"),
            Misuse::OtherMemoryKind => {
                f.write_str("the memory is of another kind, guard or compact, than the store's")
            }
        }
    }
}

impl std::error::Error for Misuse {}

/// An extern type as it is written in the text format.
pub(crate) struct ExternTypeText<'a>(pub(crate) &'a ExternType);

impl fmt::Display for ExternTypeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = |f: &mut fmt::Formatter<'_>, ty: &FuncType| {
            ty.params.iter().try_for_each(|p| write!(f, " {p}"))
        };
        match self.0 {
            ExternType::Func { ty, .. } => ty.fmt(f),
            ExternType::Table(ty) => ty.fmt(f),
            ExternType::Memory(ty) => ty.fmt(f),
            ExternType::Global(ty) => ty.fmt(f),
            ExternType::Tag { ty, .. } if ty.params.is_empty() => f.write_str("(tag)"),
            ExternType::Tag { ty, .. } => {
                f.write_str("(tag (param")?;
                params(f, ty)?;
                f.write_str("))")
            }
        }
    }
}
