//! What lifting and lowering act on: a memory, a table of handles, and the guest's `realloc`.

use std::rc::Rc;

use super::types::{Pointer, Resource, align_to};
use super::value::{Encoding, Nans};

/// Why a guest was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Trap {
    Misaligned,
    OutOfBounds,
    TooLong,
    NotUnicode,
    NotACharacter,
    NoSuchCase,
    NoSuchHandle,
    WrongResource,
    Lent,
    NotOwned,
    BorrowsLeft,
    MayNotLeave,
    /// The guest's own code.
    Guest,
}

/// A memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it is addressed with.
    pub pointer: Pointer,
}

impl Memory {
    /// Traps if `length` bytes from `at` are not all inside.
    pub fn check(&self, at: u64, length: u64) -> Result<(), Trap> {
        if u128::from(at) + u128::from(length) > self.bytes.len() as u128 {
            return Err(Trap::OutOfBounds);
        }
        Ok(())
    }

    /// Bytes known to be inside.
    pub fn read(&self, at: u64, length: u64) -> &[u8] {
        &self.bytes[at as usize..][..length as usize]
    }

    /// To where is known to be inside.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// A number of so many bytes, unsigned.
    pub fn read_int(&self, at: u64, size: u64) -> u64 {
        let mut bytes = [0; 8];
        bytes[..size as usize].copy_from_slice(self.read(at, size));
        u64::from_le_bytes(bytes)
    }

    /// The lowest so many bytes of a number.
    pub fn write_int(&mut self, at: u64, size: u64, value: u64) {
        self.write(at, &value.to_le_bytes()[..size as usize]);
    }
}

/// What a guest is asked to allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it lies, or 0.
    pub old: u64,
    /// How long it is there.
    pub old_size: u64,
    /// Its alignment.
    pub alignment: u64,
    /// How long it is to be.
    pub new_size: u64,
}

/// A guest's `realloc`. It may do anything to its memory and give any number back.
pub trait Realloc {
    /// Runs it.
    fn realloc(&self, memory: &mut Memory, request: Request) -> Result<u64, Trap>;
}

/// An entry of a table of handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Its resource type.
    pub resource: Resource,
    /// What the owner of the type knows the resource by.
    pub rep: u32,
    /// Whether it owns; if not, the call it was lent to.
    pub lent_to: Option<usize>,
    /// How many calls it is lent to now.
    pub lends: u32,
}

/// Handles, by index. 0 is none.
#[derive(Clone, Debug)]
pub struct Table {
    entries: Vec<Option<Handle>>,
    free: Vec<u32>,
}

impl Default for Table {
    fn default() -> Table {
        Table { entries: vec![None], free: Vec::new() }
    }
}

impl Table {
    /// The handle there.
    pub fn get(&mut self, index: u32) -> Result<&mut Handle, Trap> {
        self.entries.get_mut(index as usize).and_then(Option::as_mut).ok_or(Trap::NoSuchHandle)
    }

    /// Puts a handle where one was taken out last, or at the end.
    pub fn add(&mut self, handle: Handle) -> u32 {
        if let Some(index) = self.free.pop() {
            self.entries[index as usize] = Some(handle);
            return index;
        }
        self.entries.push(Some(handle));
        (self.entries.len() - 1) as u32
    }

    /// Takes one out.
    pub fn remove(&mut self, index: u32) -> Result<Handle, Trap> {
        let handle = self.get(index)?.clone();
        self.entries[index as usize] = None;
        self.free.push(index);
        Ok(handle)
    }

    /// All handles with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Handle)> {
        let all = self.entries.iter().enumerate();
        all.filter_map(|(index, handle)| Some((index as u32, handle.as_ref()?)))
    }
}

/// An instance of a component.
#[derive(Clone)]
pub struct Instance {
    /// Its memory.
    pub memory: Memory,
    /// How strings lie there.
    pub encoding: Encoding,
    /// What becomes of NaNs on the way in and out.
    pub nans: Nans,
    /// Its handles.
    pub handles: Table,
    /// Its `realloc`.
    pub realloc: Rc<dyn Realloc>,
    /// Resource types that are its own.
    pub own_resources: Vec<Resource>,
    /// Whether its code may call what it imports.
    pub may_leave: bool,
    /// The calls into it that run now: how many handles each was lent and has not given back.
    pub borrows: Vec<u32>,
}

impl Instance {
    /// One that nobody has called.
    pub fn new(bytes: Vec<u8>, encoding: Encoding, realloc: Rc<dyn Realloc>) -> Instance {
        Instance {
            memory: Memory { bytes, pointer: Pointer::I32 },
            encoding,
            nans: Nans::Canonical,
            handles: Table::default(),
            realloc,
            own_resources: Vec::new(),
            may_leave: true,
            borrows: Vec::new(),
        }
    }

    /// Asks the guest for memory and gives back what it says, not checked yet.
    pub fn reallocate(&mut self, request: Request) -> Result<u64, Trap> {
        assert!(self.may_leave, "`realloc` is not called from itself");
        self.may_leave = false;
        let realloc = Rc::clone(&self.realloc);
        let result = realloc.realloc(&mut self.memory, request)?;
        self.may_leave = true;
        Ok(result)
    }

    /// Memory for `size` bytes: a place that is aligned and inside.
    pub fn allocate(&mut self, alignment: u64, size: u64) -> Result<u64, Trap> {
        self.allocate_again(0, 0, alignment, size)
    }

    /// The same for something that lies elsewhere.
    pub fn allocate_again(
        &mut self,
        old: u64,
        old_size: u64,
        alignment: u64,
        new_size: u64,
    ) -> Result<u64, Trap> {
        let at = self.reallocate(Request { old, old_size, alignment, new_size })?;
        if at != align_to_checked(at, alignment) {
            return Err(Trap::Misaligned);
        }
        self.memory.check(at, new_size)?;
        Ok(at)
    }

    /// `resource.new`: the index of a new handle.
    pub fn resource_new(&mut self, resource: Resource, rep: u32) -> Result<u32, Trap> {
        if !self.may_leave {
            return Err(Trap::MayNotLeave);
        }
        Ok(self.handles.add(Handle { resource, rep, lent_to: None, lends: 0 }))
    }

    /// `resource.drop`: what the owner is to destroy, if the handle owned it.
    pub fn resource_drop(&mut self, resource: Resource, index: u32) -> Result<Option<u32>, Trap> {
        if !self.may_leave {
            return Err(Trap::MayNotLeave);
        }
        let handle = self.handles.remove(index)?;
        if handle.resource != resource {
            return Err(Trap::WrongResource);
        }
        if handle.lends != 0 {
            return Err(Trap::Lent);
        }
        match handle.lent_to {
            None => Ok(Some(handle.rep)),
            Some(call) => {
                self.borrows[call] -= 1;
                Ok(None)
            }
        }
    }

    /// `resource.rep`.
    pub fn resource_rep(&mut self, resource: Resource, index: u32) -> Result<u32, Trap> {
        let handle = self.handles.get(index)?;
        if handle.resource != resource {
            return Err(Trap::WrongResource);
        }
        Ok(handle.rep)
    }
}

/// Rounds up without overflow near the top of 64 bits.
pub fn align_to_checked(at: u64, alignment: u64) -> u64 {
    if at > u64::MAX - alignment { at & !(alignment - 1) } else { align_to(at, alignment) }
}
