//! Globals.

use dunlin_module::GlobalType;
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::memory::own;
use crate::value::{self, Val};

/// A global in a store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Global(pub(crate) vm::Global);

impl Global {
    /// A global of the host, to give to modules that import one.
    ///
    /// # Errors
    ///
    /// If `val` is not of its type, or the store holds as many handles as its limits allow.
    pub fn new(
        mut store: impl AsContextMut,
        ty: GlobalType,
        val: impl Into<Val>,
    ) -> Result<Global> {
        let vm = store.as_context_mut().vm;
        let slots = slots("make global", &val.into(), &ty, vm)?;
        Ok(Global(vm.global_new(ty, slots)?))
    }

    /// Its type.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        own(store.as_context().vm.global_type(self.0))
    }

    /// Its value.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let vm = store.as_context_mut().vm;
        let ty = own(vm.global_type(self.0));
        let slots = own(vm.global_get(self.0));
        own(value::read(ty.val, vm, &mut slots.iter()))
    }

    /// Changes its value.
    ///
    /// # Errors
    ///
    /// If it is constant, or `val` is not of its type.
    pub fn set(&self, mut store: impl AsContextMut, val: impl Into<Val>) -> Result<()> {
        let vm = store.as_context_mut().vm;
        let ty = vm.global_type(self.0)?;
        if !ty.mutable {
            return Err(Error::misuse(format!("cannot set global: {ty} is constant")));
        }
        let slots = slots("set global", &val.into(), &ty, vm)?;
        Ok(vm.global_set(self.0, slots)?)
    }
}

/// The slots of `val` as the value of a global of type `ty`.
fn slots(attempt: &str, val: &Val, ty: &GlobalType, vm: &vm::Store) -> Result<[u64; 2]> {
    if !value::is_a(val, ty.val, vm)? {
        let found = value::printed_type(val);
        return Err(Error::misuse(format!("cannot {attempt}: expected {}, found {found}", ty.val)));
    }
    let mut slots = [0; 2];
    value::write(val, vm, &mut slots.iter_mut())?;
    Ok(slots)
}
