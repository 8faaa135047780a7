//! Imports: what the module wants against what it is given (core spec §3.5, external subtyping).

use std::fmt;

use dunlin_module::{
    ExternType, GlobalType, Import, MemoryType, Module, TableType, TypeId, TypeRegistry, escape,
};

use crate::instance::InstantiateError;
use crate::store::{Extern, ExternTypeText, Misuse, Store};
use crate::vmctx::FuncRecord;

/// An import that cannot be satisfied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkError(Box<Mismatch>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Mismatch {
    import: Import,
    found: Option<ExternType>,
}

/// What is wrong with an import.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LinkErrorKind {
    /// Nobody provides it.
    Unknown,
    /// What is provided is of another type.
    Incompatible,
}

impl LinkError {
    /// Nobody provides `import`.
    pub fn unknown(import: &Import) -> LinkError {
        LinkError(Box::new(Mismatch { import: import.clone(), found: None }))
    }

    /// What is provided for `import` is of type `found`, which does not fit.
    pub fn incompatible(import: &Import, found: ExternType) -> LinkError {
        LinkError(Box::new(Mismatch { import: import.clone(), found: Some(found) }))
    }

    /// What is wrong.
    pub fn kind(&self) -> LinkErrorKind {
        match self.0.found {
            None => LinkErrorKind::Unknown,
            Some(_) => LinkErrorKind::Incompatible,
        }
    }

    /// The import, with the type that is expected.
    pub fn import(&self) -> &Import {
        &self.0.import
    }

    /// The type of what is provided.
    pub fn found(&self) -> Option<&ExternType> {
        self.0.found.as_ref()
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { import, found } = &*self.0;
        let (module, name) = (escape(&import.module), escape(&import.name));
        write!(f, "cannot link import `{module}::{name}`: expected ")?;
        ExternTypeText(&import.ty).fmt(f)?;
        match found {
            None => f.write_str(", found nothing of that name"),
            Some(found) => write!(f, ", found {}", ExternTypeText(found)),
        }
    }
}

impl std::error::Error for LinkError {}

/// Imports by kind, each in order.
#[derive(Default)]
pub(super) struct Imports {
    pub(super) funcs: Vec<*const FuncRecord>,
    pub(super) tables: Vec<u32>,
    pub(super) memories: Vec<u32>,
    pub(super) globals: Vec<*mut u128>,
    pub(super) tags: Vec<u32>,
}

/// Checks `given` against the imports of `module`.
pub(super) fn resolve(
    store: &Store,
    module: &Module,
    given: &[Extern],
) -> Result<Imports, InstantiateError> {
    if given.len() != module.imports.len() {
        let (expected, found) = (module.imports.len(), given.len());
        return Err(Misuse::ImportCount { expected, found }.into());
    }
    let mut imports = Imports::default();
    for (import, item) in module.imports.iter().zip(given) {
        if !fits(store, *item, &import.ty)? {
            return Err(LinkError::incompatible(import, store.extern_type(*item)?).into());
        }
        match *item {
            Extern::Func(func) => imports.funcs.push(store.record_of(func)?),
            Extern::Table(table) => imports.tables.push(table.index),
            Extern::Memory(memory) => imports.memories.push(memory.index),
            Extern::Global(global) => imports.globals.push(store.global_place(global)?.0),
            Extern::Tag(tag) => imports.tags.push(tag.index),
        }
    }
    Ok(imports)
}

/// Whether `item` may be imported as `expected`.
fn fits(store: &Store, item: Extern, expected: &ExternType) -> Result<bool, Misuse> {
    let types = store.types();
    // Checked without naming the type of the item, which costs more.
    if let (Extern::Func(func), ExternType::Func { id, .. }) = (item, expected) {
        return Ok(is_func_subtype(types, store.func_type_id(func)?, *id));
    }
    Ok(match (store.extern_type(item)?, expected) {
        (ExternType::Table(found), ExternType::Table(expected)) => table_fits(&found, expected),
        (ExternType::Memory(found), ExternType::Memory(expected)) => memory_fits(&found, expected),
        (ExternType::Global(found), ExternType::Global(expected)) => {
            global_fits(&found, expected, types)
        }
        (ExternType::Tag { id: found, .. }, ExternType::Tag { id: expected, .. }) => {
            found == *expected
        }
        _ => false,
    })
}

fn is_func_subtype(types: &TypeRegistry, found: TypeId, expected: TypeId) -> bool {
    found == expected || types.is_subtype(found, expected)
}

fn limits_fit(found: (u64, Option<u64>), expected: (u64, Option<u64>)) -> bool {
    let max_fits = match (found.1, expected.1) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(found), Some(expected)) => found <= expected,
    };
    found.0 >= expected.0 && max_fits
}

fn table_fits(found: &TableType, expected: &TableType) -> bool {
    found.elem == expected.elem
        && found.index64 == expected.index64
        && found.shared == expected.shared
        && limits_fit((found.min, found.max), (expected.min, expected.max))
}

fn memory_fits(found: &MemoryType, expected: &MemoryType) -> bool {
    found.index64 == expected.index64
        && found.shared == expected.shared
        && found.page_size_log2 == expected.page_size_log2
        && limits_fit((found.min, found.max), (expected.min, expected.max))
}

fn global_fits(found: &GlobalType, expected: &GlobalType, types: &TypeRegistry) -> bool {
    found.mutable == expected.mutable
        && found.shared == expected.shared
        && match expected.mutable {
            true => found.val == expected.val,
            false => found.val == expected.val || types.val_subtype(found.val, expected.val),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_contravariant_in_what_is_promised() {
        assert!(limits_fit((2, Some(3)), (1, Some(3))));
        assert!(limits_fit((2, Some(3)), (2, None)));
        assert!(!limits_fit((2, Some(3)), (3, None)));
        assert!(!limits_fit((2, None), (1, Some(9))));
        assert!(!limits_fit((2, Some(10)), (1, Some(9))));
    }
}
