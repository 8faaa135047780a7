//! Tags of exceptions.

use std::sync::Arc;

use dunlin_module::FuncType;
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut};
use crate::error::Result;
use crate::memory::own;

/// A tag in a store: what kind of exception something is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(pub(crate) vm::Tag);

impl Tag {
    /// A tag of the host, to give to modules that import one.
    ///
    /// # Errors
    ///
    /// If the store holds as many handles as its limits allow.
    pub fn new(mut store: impl AsContextMut, ty: &FuncType) -> Result<Tag> {
        Ok(Tag(store.as_context_mut().vm.tag_new(ty)?))
    }

    /// The function type whose parameters are what an exception with this tag carries.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let ty: Arc<FuncType> = own(store.as_context().vm.tag_type(self.0));
        FuncType::clone(&ty)
    }
}
