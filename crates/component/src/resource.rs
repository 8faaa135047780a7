//! Resources in the hands of the host: its own, by their representation, and those of guests.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;

use dunlin_engine::raw::{RawStore, StoreId, raw};
use dunlin_engine::{AsContextMut, Error, Result};

use crate::call::drop_resource;
use crate::state::{HostType, ResourceTypeId, State};

/// A resource of any type, a guest's or the host's own.
///
/// An owned resource of a guest's is the host's to keep: it lives until it is passed to a guest as owned,
/// or until [`ResourceAny::drop`]. A borrowed one may be used while the call lasts that it came with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResourceAny {
    pub(crate) store: StoreId,
    pub(crate) ty: ResourceTypeId,
    pub(crate) rep: u32,
    pub(crate) owned: bool,
    /// What the host has it as, if it is an owned one of a guest's.
    pub(crate) held: Option<u64>,
}

impl ResourceAny {
    /// Whether it is owned, and not borrowed.
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    /// A resource of the host's own, of type `R`, in a store that has been told of this type.
    ///
    /// # Errors
    ///
    /// If no linker gave the type to a component of this store.
    pub fn from_host<R: 'static>(
        mut store: impl AsContextMut,
        resource: Resource<R>,
    ) -> Result<ResourceAny> {
        let mut store = raw(store.as_context_mut());
        let id = store.id();
        let ty = store.companion::<State>().find_host_resource(Resource::<R>::key());
        let ty =
            ty.ok_or_else(|| Error::misuse("no component of this store knows the resource type"))?;
        Ok(ResourceAny { store: id, ty, rep: resource.rep, owned: resource.owned, held: None })
    }

    /// As a resource of the host's own, if it is one of type `R`.
    ///
    /// # Errors
    ///
    /// If it is of another type or store.
    pub fn to_host<R: 'static>(self, mut store: impl AsContextMut) -> Result<Resource<R>> {
        let mut store = raw(store.as_context_mut());
        self.check_store(&store)?;
        let ty = store.companion::<State>().find_host_resource(Resource::<R>::key());
        if ty != Some(self.ty) {
            return Err(wrong_type());
        }
        Ok(Resource { rep: self.rep, owned: self.owned, marker: PhantomData })
    }

    /// Drops an owned resource: its destructor runs.
    ///
    /// # Errors
    ///
    /// If it is borrowed, was passed on or dropped before, or its destructor fails.
    pub fn drop(self, mut store: impl AsContextMut) -> Result<()> {
        let mut store = raw(store.as_context_mut());
        let rep = self.take(&mut store, self.ty)?;
        drop_resource(&mut store, None, self.ty, rep)
    }

    fn check_store(&self, store: &RawStore<'_>) -> Result<()> {
        if self.store == store.id() {
            return Ok(());
        }
        Err(Error::misuse("the resource belongs to another store"))
    }

    fn check(&self, store: &RawStore<'_>, ty: ResourceTypeId) -> Result<()> {
        self.check_store(store)?;
        if self.ty == ty { Ok(()) } else { Err(wrong_type()) }
    }

    /// Its representation, to lend it.
    pub(crate) fn rep(&self, store: &mut RawStore<'_>, ty: ResourceTypeId) -> Result<u32> {
        self.check(store, ty)?;
        match self.held {
            Some(held) => match store.companion::<State>().held.get(held) {
                Some((_, rep)) => Ok(rep),
                None => Err(used()),
            },
            None => Ok(self.rep),
        }
    }

    /// Its representation, to pass it on.
    pub(crate) fn take(&self, store: &mut RawStore<'_>, ty: ResourceTypeId) -> Result<u32> {
        self.check(store, ty)?;
        if !self.owned {
            return Err(Error::misuse("expected an owned resource, found a borrowed one"));
        }
        match self.held {
            Some(held) => match store.companion::<State>().held.take(held) {
                Some((_, rep)) => Ok(rep),
                None => Err(used()),
            },
            None => Ok(self.rep),
        }
    }
}

#[cold]
fn wrong_type() -> Error {
    Error::misuse("the resource is of another type")
}

#[cold]
fn used() -> Error {
    Error::misuse("the resource was passed on or dropped before")
}

/// A resource of the host's own, which guests know by a handle: a number of the host's choice, whose
/// meaning is tied to `R`.
pub struct Resource<R> {
    rep: u32,
    owned: bool,
    marker: PhantomData<fn() -> R>,
}

impl<R: 'static> Resource<R> {
    /// An owned resource that the host knows as `rep`.
    pub fn new_own(rep: u32) -> Resource<R> {
        Resource { rep, owned: true, marker: PhantomData }
    }

    /// A borrowed resource that the host knows as `rep`.
    pub fn new_borrow(rep: u32) -> Resource<R> {
        Resource { rep, owned: false, marker: PhantomData }
    }

    /// What the host knows it as.
    pub fn rep(&self) -> u32 {
        self.rep
    }

    /// Whether it is owned, and not borrowed.
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    pub(crate) fn key() -> HostType {
        HostType::Rust(TypeId::of::<R>())
    }

    pub(crate) fn with(rep: u32, owned: bool) -> Resource<R> {
        Resource { rep, owned, marker: PhantomData }
    }
}

impl<R> Clone for Resource<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Resource<R> {}

impl<R> fmt::Debug for Resource<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("rep", &self.rep).field("owned", &self.owned).finish()
    }
}
