//! The garbage-collected heap of a store: structs, arrays, exceptions, continuations.
//!
//! ```text
//!  0        8                    NURSERY_BYTES                       top          size
//!  │ (null) │ nursery: bump ─►   │ old: promoted and large objects ─►│            │
//! ```
//!
//! A reference is the offset of an object ([`dunlin_code::object`]), so the whole heap may move. New
//! objects are bumped into the nursery. A *minor* collection copies those that live to the end of
//! the old part; a *major* one copies everything that lives into a new heap. What an old object
//! refers to in the nursery is found through the remembered set, which every store of a reference
//! into an object keeps ([`heap`], the write barrier).
//!
//! Roots are precise: slots of frames by the root maps that lowering gives ([`frames`]), globals,
//! tables, element segments, and what the host holds ([`roots`]).
//!
//! Contents of the heap are never trusted: offsets, type numbers and lengths read from it are checked
//! before use, so that a wrong one is a trap and not an access outside.
//!
//! | part | what |
//! |---|---|
//! | [`types`] | what the collector and casts know of a type |
//! | [`heap`] | memory, allocation, the write barrier |
//! | [`collect`] | the two collections |
//! | [`arrays`] | instructions that make and change whole arrays |
//! | [`slow`] | slow paths of the interpreter's instructions |
//! | [`frames`] [`operands`] | roots in frames, and outside of them |
//! | [`roots`] | references and values that the host holds |
//! | [`access`] | fields and elements as the host sees them |
//! | [`stats`] | counts and pauses |

pub(crate) mod access;
pub(crate) mod arrays;
mod collect;
mod frames;
pub(crate) mod heap;
pub(crate) mod operands;
pub(crate) mod roots;
pub(crate) mod slow;
mod stats;
pub(crate) mod types;

pub use self::access::ObjectKind;
pub use self::roots::Root;
pub use self::stats::{GcStats, Pauses};
