//! Exceptions: made and thrown by the host, caught by the host, passed between guests.

use crate::buffer::Buffer;
use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::reference::ExnRef;
use crate::tag::Tag;
use crate::value::{self, Val};

/// A host function throws an exception by returning [`Error::throw`]; one that no guest catches comes
/// out of the call from the host as [`Error::exception`].
impl ExnRef {
    /// An exception with the given tag that carries `fields`.
    ///
    /// # Errors
    ///
    /// If the fields are not of the types of the tag's parameters, something belongs to another
    /// store, or a limit is reached.
    pub fn new(mut store: impl AsContextMut, tag: Tag, fields: &[Val]) -> Result<ExnRef> {
        let vm = store.as_context_mut().vm;
        let ty = vm.tag_type(tag.0)?;
        if fields.len() != ty.params.len() {
            return Err(Error::misuse(format!(
                "cannot make an exception: expected {} fields, found {}",
                ty.params.len(),
                fields.len()
            )));
        }
        let mut buffer = Buffer::new(ty.param_slots() as usize);
        let slots = buffer.as_mut_slice();
        let mut to = slots.iter_mut();
        for (at, (field, &expected)) in fields.iter().zip(&ty.params).enumerate() {
            if !value::is_a(field, expected, vm)? {
                let found = value::printed_type(field);
                return Err(Error::misuse(format!(
                    "cannot make an exception: field {at}: expected {expected}, found {found}"
                )));
            }
            value::write(field, vm, &mut to)?;
        }
        Ok(ExnRef(vm.exception_new(tag.0, slots)?))
    }

    /// Its tag.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn tag(&self, store: impl AsContext) -> Result<Tag> {
        Ok(Tag(store.as_context().vm.exception_tag(&self.0)?))
    }

    /// What it carries.
    ///
    /// # Errors
    ///
    /// If it belongs to another store.
    pub fn fields(&self, mut store: impl AsContextMut) -> Result<Vec<Val>> {
        let vm = store.as_context_mut().vm;
        let ty = vm.tag_type(vm.exception_tag(&self.0)?)?;
        let slots = vm.exception_payload(&self.0)?;
        let mut slots = slots.iter();
        ty.params.iter().map(|&ty| value::read(ty, vm, &mut slots)).collect()
    }
}
