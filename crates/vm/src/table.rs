//! Tables: elements of 8 bytes, null is zero, so that what was never written costs nothing.

use dunlin_module::{TableType, ValType};

use crate::budget::{Budget, LimitError, Resource};
use crate::sys::Pages;
use crate::vmctx::TableDef;

/// The most elements a table of type `ty` can ever have.
pub(crate) fn elements_max(ty: &TableType) -> u64 {
    let addressable = if ty.index64 { u64::MAX } else { u32::MAX.into() };
    ty.max.map_or(addressable, |max| max.min(addressable))
}

/// The bytes of `elements`, if that can be a size at all.
fn byte_size(elements: u64) -> Option<usize> {
    let bytes = elements.checked_mul(8)?;
    usize::try_from(bytes).ok().filter(|b| *b <= isize::MAX as usize)
}

/// A table at a fixed address, so that code can refer to its definition.
#[derive(Debug)]
pub(crate) struct TableInstance {
    /// What code sees; always agrees with `pages`.
    pub(crate) def: TableDef,
    ty: TableType,
    pages: Pages,
}

impl TableInstance {
    /// Charges for and makes a table of `ty.min` elements, all `init`.
    pub(crate) fn new(
        ty: TableType,
        init: u64,
        budget: &mut Budget,
    ) -> Result<TableInstance, LimitError> {
        budget.charge(Resource::Tables, 1)?;
        let made = budget.charged(Resource::TableElements, ty.min, || {
            let refused = LimitError::system(Resource::TableElements, ty.min);
            let size = byte_size(ty.min).ok_or(refused)?;
            Pages::new(size).map_err(|_| refused)
        });
        let pages = made.inspect_err(|_| budget.release(Resource::Tables, 1))?;
        let def = TableDef { base: pages.base().cast(), len: ty.min };
        let mut table = TableInstance { def, ty, pages };
        table.initialize(0, init);
        Ok(table)
    }

    /// The type it was declared with.
    pub(crate) fn ty(&self) -> &TableType {
        &self.ty
    }

    /// The current number of elements.
    pub(crate) fn len(&self) -> u64 {
        self.def.len
    }

    /// Grows by `delta` elements, all `init`; the old length. On failure nothing has changed.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        init: u64,
        budget: &mut Budget,
    ) -> Result<u64, LimitError> {
        let (old, most) = (self.def.len, elements_max(&self.ty));
        let Some(len) = old.checked_add(delta).filter(|len| *len <= most) else {
            return Err(LimitError::declared(Resource::TableElements, delta, most));
        };
        let pages = &mut self.pages;
        budget.charged(Resource::TableElements, delta, || {
            let refused = LimitError::system(Resource::TableElements, delta);
            let size = byte_size(len).ok_or(refused)?;
            // Room doubles, so that growing one by one copies each element a constant number of
            // times.
            let doubled = pages.size().saturating_mul(2);
            if size > pages.size() && (doubled <= size || pages.grow(doubled).is_err()) {
                pages.grow(size).map_err(|_| refused)?;
            }
            Ok(())
        })?;
        self.def.base = self.pages.base().cast();
        self.def.len = len;
        self.initialize(old, init);
        Ok(old)
    }

    /// Writes `init` to all elements from `start` on, which are zero.
    fn initialize(&mut self, start: u64, init: u64) {
        if init != 0 {
            self.elements_mut()[start as usize..].fill(init);
        }
    }

    /// All elements if a collector must look at them, else none.
    pub(crate) fn traced_elements_mut(&mut self) -> &mut [u64] {
        if ValType::Ref(self.ty.elem).is_traced() { self.elements_mut() } else { &mut [] }
    }

    /// All elements.
    pub(crate) fn elements(&self) -> &[u64] {
        // SAFETY: V3 (a definition describes owned, initialised elements); `&self` is held through
        // a `&Store`, under which no guest code runs.
        unsafe { std::slice::from_raw_parts(self.def.base, self.def.len as usize) }
    }

    /// All elements.
    pub(crate) fn elements_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `elements`, with exclusive access.
        unsafe { std::slice::from_raw_parts_mut(self.def.base, self.def.len as usize) }
    }
}

#[cfg(test)]
mod tests {
    use dunlin_module::RefType;

    use super::*;
    use crate::budget::Limits;

    fn table(min: u64, max: Option<u64>, index64: bool) -> TableType {
        TableType { elem: RefType::FUNC, min, max, index64, shared: false }
    }

    #[test]
    fn growth_fills_and_stops_at_every_limit() {
        let mut budget = Budget::new(Limits { table_elements: 100_000, ..Limits::default() });
        let mut t = TableInstance::new(table(2, Some(90_000), false), 5, &mut budget).unwrap();
        for round in 0..1000 {
            assert_eq!(t.grow(50, round, &mut budget), Ok(2 + round * 50));
        }
        assert_eq!(t.elements()[..2], [5, 5]);
        for (at, element) in t.elements()[2..].iter().enumerate() {
            assert_eq!(*element, at as u64 / 50);
        }
        assert!(t.grow(40_000, 0, &mut budget).is_err(), "beyond the declared maximum");
        assert!(t.grow(u64::MAX, 0, &mut budget).is_err());
        budget.charge(Resource::TableElements, 40_000).unwrap();
        assert!(t.grow(10_000, 0, &mut budget).is_err(), "beyond the budget");
        assert_eq!(t.len(), 50_002);
    }

    #[test]
    fn sizes_that_cannot_be_are_limit_errors() {
        let mut budget = Budget::new(Limits { table_elements: u64::MAX, ..Limits::default() });
        for min in [1 << 60, 1 << 63, u64::MAX] {
            let error = TableInstance::new(table(min, None, true), 0, &mut budget).unwrap_err();
            assert_eq!(error.resource(), Resource::TableElements);
        }
        assert_eq!(budget.used(Resource::Tables), 0);
        assert_eq!(budget.used(Resource::TableElements), 0);
    }
}
