//! The canonical ABI: values travel between guests, and between guests and the host, as plans say
//! (`CanonicalABI.md`, "Lifting and Lowering").
//!
//! - *lift* reads values of a guest for the host, *lower* writes values of the host for a guest, and
//!   *copy* does both at once between two guests, without a value of the host in between;
//! - [`Side`] says how values travel in one guest, [`Place`] where one is.
//!
//! Nothing a guest gives is trusted: lengths and addresses are checked in 64 bits before anything is
//! touched, and memories are looked up again after everything that may have moved them.

mod copy;
mod lift;
mod lower;
mod piece;
mod text;

use dunlin_engine::raw::RawStore;
use dunlin_engine::{Error, Memory, Result, Trap, TypedFunc};
use dunlin_module::component::StringEncoding;

pub(crate) use copy::Copy;
pub use lift::LiftContext;
pub(crate) use lift::check_list;
pub use lower::LowerContext;
pub(crate) use lower::{Says, add_handle};
pub(crate) use text::Text;

use crate::component::Component;
use crate::flags::Flags;
use crate::plan::{Cases, Field, Plan, PlanId};
use crate::state::{InstanceId, RootId, State, bug, trap};

/// Allocates in a guest: address and size of what is there, alignment and size of what is wanted.
pub(crate) type Realloc = TypedFunc<(u32, u32, u32, u32), u32>;

/// How values travel in a guest, for one of its functions.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// Whose types and plans are meant.
    pub(crate) component: Component,
    /// Whose resource types are meant.
    pub(crate) root: RootId,
    /// Whose handles are meant.
    pub(crate) instance: InstanceId,
    /// What is going on in it.
    pub(crate) flags: Flags,
    pub(crate) encoding: StringEncoding,
    pub(crate) memory: Option<Memory>,
    pub(crate) realloc: Option<Realloc>,
}

/// Where a value is.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// In slots, one for each core value, from this one on.
    Slots(u32),
    /// In memory, from this address on.
    Memory(u32),
}

impl Side {
    #[inline]
    pub(crate) fn plan(&self, id: PlanId) -> &Plan {
        self.component.plans().value(id)
    }

    #[inline]
    pub(crate) fn memory(&self) -> Result<Memory> {
        self.memory.ok_or_else(bug)
    }

    /// The bytes of the guest's memory; none if its functions need none.
    #[inline]
    pub(crate) fn bytes<'a>(&self, store: &'a RawStore<'_>) -> Result<&'a [u8]> {
        match self.memory {
            Some(memory) => store.memory(memory),
            None => Ok(&[]),
        }
    }

    /// The bytes of the guest's memory, and what all components keep in the store.
    #[inline]
    pub(crate) fn bytes_and_state<'a>(
        &self,
        store: &'a mut RawStore<'_>,
    ) -> Result<(&'a mut [u8], &'a mut State)> {
        match self.memory {
            Some(memory) => store.memory_and_companion(memory),
            None => Ok((&mut [], store.companion())),
        }
    }
}

impl Place {
    /// Where a part of what is here is.
    #[inline]
    pub(crate) fn field(self, field: &Field) -> Place {
        match self {
            Place::Slots(at) => Place::Slots(at + field.flat),
            Place::Memory(at) => Place::Memory(at.wrapping_add(field.offset)),
        }
    }

    /// Where the payload of the variant that is here is.
    #[inline]
    pub(crate) fn payload(self, cases: &Cases) -> Place {
        match self {
            Place::Slots(at) => Place::Slots(at + 1),
            Place::Memory(at) => Place::Memory(at.wrapping_add(cases.payload)),
        }
    }

    /// Where the element with this index of a list of fixed length is.
    #[inline]
    pub(crate) fn element(self, index: u32, element: &Plan) -> Place {
        match self {
            Place::Slots(at) => Place::Slots(at + index * element.flat),
            Place::Memory(at) => Place::Memory(at.wrapping_add(index.wrapping_mul(element.size))),
        }
    }

    /// Where the second of two numbers is that take four bytes each in memory.
    #[inline]
    fn second(self) -> Place {
        match self {
            Place::Slots(at) => Place::Slots(at + 1),
            Place::Memory(at) => Place::Memory(at.wrapping_add(4)),
        }
    }
}

/// Reads `N` bytes of memory.
#[inline]
fn load<const N: usize>(memory: &[u8], at: u32) -> Result<[u8; N]> {
    match memory.get(at as usize..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => Ok(*bytes),
        None => Err(out_of_bounds()),
    }
}

/// Reads a number of `width` bytes in memory, or all bits of a slot.
#[inline]
fn read(slots: &[u64], memory: &[u8], place: Place, width: u32) -> Result<u64> {
    match place {
        Place::Slots(at) => slots.get(at as usize).copied().ok_or_else(bug),
        Place::Memory(at) => Ok(match width {
            1 => u64::from(load::<1>(memory, at)?[0]),
            2 => u64::from(u16::from_le_bytes(load(memory, at)?)),
            4 => u64::from(u32::from_le_bytes(load(memory, at)?)),
            _ => u64::from_le_bytes(load(memory, at)?),
        }),
    }
}

/// Writes a number of `width` bytes in memory.
#[inline]
fn store(memory: &mut [u8], at: u32, width: u32, value: u64) -> Result<()> {
    let bytes = value.to_le_bytes();
    let from = bytes.get(..width as usize).ok_or_else(bug)?;
    let to = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..from.len()));
    match to {
        Some(to) => {
            to.copy_from_slice(from);
            Ok(())
        }
        None => Err(out_of_bounds()),
    }
}

/// The range of a memory that starts at an address and has a length in bytes, which may be anything.
#[inline]
fn range(memory: &[u8], at: u32, len: u64) -> Option<&[u8]> {
    memory.get(at as usize..)?.get(..usize::try_from(len).ok()?)
}

/// What moving so many bytes is worth as work of a guest, which pays for it with fuel: about as much
/// as its own bulk instructions.
#[inline]
pub(crate) fn work(bytes: u64) -> u64 {
    bytes >> 6
}

/// How many elements are read or written between two looks at whether the guest shall stop.
const ELEMENTS_AT_ONCE: u32 = 1 << 12;

/// Fails if the guest was asked to stop, for loops over elements, of which this is one.
#[inline]
fn check_interrupt(store: &RawStore<'_>, element: u32) -> Result<()> {
    if element.is_multiple_of(ELEMENTS_AT_ONCE) && store.is_interrupted() {
        return Err(Error::from(Trap::Interrupted));
    }
    Ok(())
}

#[cold]
pub(crate) fn out_of_bounds() -> Error {
    trap("pointer out of bounds of memory")
}

#[cold]
pub(crate) fn unaligned() -> Error {
    trap("unaligned pointer")
}

/// A number as a `char`.
#[inline]
pub(crate) fn to_char(bits: u32) -> Result<char> {
    char::from_u32(bits).ok_or_else(bad_char)
}

#[cold]
pub(crate) fn bad_char() -> Error {
    trap("invalid `char` bit pattern")
}

#[cold]
pub(crate) fn bad_tag() -> Error {
    trap("invalid variant discriminant")
}

#[cold]
fn needs_async(what: &str) -> Error {
    trap(format!(
        "values of type `{what}` need the asynchronous ABI, which this version does not have"
    ))
}
