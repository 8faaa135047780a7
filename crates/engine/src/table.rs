//! Tables of references.

use dunlin_module::{TableType, ValType};
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::memory::own;
use crate::value::{self, Ref, Val};

/// A table of references in a store.
///
/// ```
/// # use dunlin_engine::{Engine, Func, Ref, RefType, Store, Table, TableType};
/// let mut store = Store::new(&Engine::default(), ());
/// let elem = RefType::FUNC;
/// let ty = TableType { elem, min: 2, max: None, index64: false, shared: false };
/// let table = Table::new(&mut store, ty, Ref::Func(None))?;
/// let func = Func::wrap(&mut store, || 42);
/// table.set(&mut store, 1, func)?;
/// assert_eq!(table.get(&mut store, 1), Some(Ref::Func(Some(func))));
/// assert_eq!(table.get(&mut store, 2), None);
/// # Ok::<(), dunlin_engine::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Table(pub(crate) vm::Table);

impl Table {
    /// A table of the host, all of whose elements are `init`, to give to modules that import one.
    ///
    /// # Errors
    ///
    /// If `init` is not of the type of its elements, or the limits of the store do not allow a
    /// table of this size.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: impl Into<Val>) -> Result<Table> {
        let vm = store.as_context_mut().vm;
        check_type(&ty)?;
        let init = element("make table", &init.into(), &ty, vm)?;
        Ok(Table(vm.table_new(ty, init)?))
    }

    /// Its type, with the size it had at first.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        own(store.as_context().vm.table_type(self.0))
    }

    /// How many elements it has.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn size(&self, store: impl AsContext) -> u64 {
        own(store.as_context().vm.table_size(self.0))
    }

    /// The element at `index`, if there is one.
    ///
    /// # Panics
    ///
    /// If it belongs to another store.
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Ref> {
        let vm = store.as_context_mut().vm;
        let ty = own(vm.table_type(self.0));
        let bits = own(vm.table_get(self.0, index))?;
        let val = own(value::read(ValType::Ref(ty.elem), vm, &mut [bits].iter()));
        val.as_ref()
    }

    /// Changes the element at `index`.
    ///
    /// # Errors
    ///
    /// If there is none, or `val` is not of the type of the elements.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, val: impl Into<Val>) -> Result<()> {
        let vm = store.as_context_mut().vm;
        let ty = vm.table_type(self.0)?;
        let bits = element("set table element", &val.into(), &ty, vm)?;
        vm.table_set(self.0, index, bits)
            .map_err(|e| Error::from(e).context("cannot set table element"))
    }

    /// Adds `delta` elements, all of them `init`, and returns how many there were before.
    ///
    /// # Errors
    ///
    /// If its type or the limits of the store do not allow it, or `init` is not of the type of the
    /// elements.
    pub fn grow(
        &self,
        mut store: impl AsContextMut,
        delta: u64,
        init: impl Into<Val>,
    ) -> Result<u64> {
        let vm = store.as_context_mut().vm;
        let ty = vm.table_type(self.0)?;
        let init = element("grow table", &init.into(), &ty, vm)?;
        Ok(vm.table_grow(self.0, delta, init)?)
    }

    /// Makes `len` elements from `start` on all `val`.
    ///
    /// # Errors
    ///
    /// If there are not as many, or `val` is not of the type of the elements.
    pub fn fill(
        &self,
        mut store: impl AsContextMut,
        start: u64,
        val: impl Into<Val>,
        len: u64,
    ) -> Result<()> {
        let vm = store.as_context_mut().vm;
        let ty = vm.table_type(self.0)?;
        let bits = element("fill table", &val.into(), &ty, vm)?;
        vm.table_fill(self.0, start, bits, len)
            .map_err(|e| Error::from(e).context("cannot fill table"))
    }

    /// Copies `len` elements of `src`, from `src_start` on, to `dst`, from `dst_start` on. Both may
    /// be the same table.
    ///
    /// # Errors
    ///
    /// If one of them has not as many, or their types do not fit.
    pub fn copy(
        mut store: impl AsContextMut,
        dst: &Table,
        dst_start: u64,
        src: &Table,
        src_start: u64,
        len: u64,
    ) -> Result<()> {
        let vm = store.as_context_mut().vm;
        vm.table_copy(dst.0, dst_start, src.0, src_start, len)
            .map_err(|e| Error::from(e).context("cannot copy table elements"))
    }
}

/// What validation demands of table types in modules (core spec §3.2.16).
fn check_type(ty: &TableType) -> Result<()> {
    let wrong = |what| Err(Error::misuse(format!("cannot make table of type {ty}: {what}")));
    match ty.max {
        Some(max) if max < ty.min => wrong("expected a maximum of at least the minimum"),
        max if !ty.index64 && max.unwrap_or(ty.min) > u32::MAX.into() => {
            wrong("expected a size that indices can reach")
        }
        _ => Ok(()),
    }
}

/// The bits of `val` as an element of a table of type `ty`.
fn element(attempt: &str, val: &Val, ty: &TableType, vm: &vm::Store) -> Result<u64> {
    if !value::is_a(val, ValType::Ref(ty.elem), vm)? {
        let found = value::printed_type(val);
        let text = format!("cannot {attempt}: expected {}, found {found}", ty.elem);
        return Err(Error::misuse(text));
    }
    let mut bits = [0];
    value::write(val, vm, &mut bits.iter_mut())?;
    let [bits] = bits;
    Ok(bits)
}
