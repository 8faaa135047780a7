//! References, as far as scripts tell them apart: the one place that knows which the engine has.

use dunlin_engine::{AnyKind, Error, ExternRef, HeapType, Store, Val};
use dunlin_module::Hierarchy;

use super::Argument;

/// What a reference refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reference {
    /// Nothing.
    Null(Hierarchy),
    Func,
    /// An `externref`; the number if a script made it.
    Extern(Option<u32>),
    /// Something of the host as an `anyref`; the number if a script made it.
    Host(Option<u32>),
    I31,
    Struct,
    Array,
    Exn,
    Cont,
}

impl Reference {
    /// What `value` refers to, if it is a reference.
    pub(crate) fn of(value: &Val, store: &Store<()>) -> Option<Reference> {
        Some(match value {
            Val::FuncRef(None) => Reference::Null(Hierarchy::Func),
            Val::ExternRef(None) => Reference::Null(Hierarchy::Extern),
            Val::AnyRef(None) => Reference::Null(Hierarchy::Any),
            Val::ExnRef(None) => Reference::Null(Hierarchy::Exn),
            Val::ContRef(None) => Reference::Null(Hierarchy::Cont),
            Val::FuncRef(Some(_)) => Reference::Func,
            Val::ExternRef(Some(found)) => Reference::Extern(host_number(found, store)),
            Val::AnyRef(Some(found)) => match found.kind(store).ok()? {
                AnyKind::I31(_) => Reference::I31,
                AnyKind::Struct(_) => Reference::Struct,
                AnyKind::Array(_) => Reference::Array,
                AnyKind::Extern(found) => Reference::Host(host_number(&found, store)),
                _ => return None,
            },
            Val::ExnRef(Some(_)) => Reference::Exn,
            Val::ContRef(Some(_)) => Reference::Cont,
            _ => return None,
        })
    }

    /// Whether it is something of this abstract type, and not null.
    pub(super) fn is_a(self, heap: HeapType) -> bool {
        match self {
            Reference::Null(_) => false,
            Reference::Func => heap == HeapType::Func,
            Reference::Extern(_) => heap == HeapType::Extern,
            Reference::Exn => heap == HeapType::Exn,
            Reference::Cont => heap == HeapType::Cont,
            Reference::Host(_) => heap == HeapType::Any,
            Reference::I31 => matches!(heap, HeapType::I31 | HeapType::Eq | HeapType::Any),
            Reference::Struct => matches!(heap, HeapType::Struct | HeapType::Eq | HeapType::Any),
            Reference::Array => matches!(heap, HeapType::Array | HeapType::Eq | HeapType::Any),
        }
    }
}

/// The number a script gave to a host value.
fn host_number(reference: &ExternRef, store: &Store<()>) -> Option<u32> {
    reference.data(store).ok()??.downcast_ref().copied()
}

/// The value of an argument.
///
/// # Errors
///
/// If the store holds as many handles as it may.
pub(crate) fn value_of(argument: &Argument, store: &mut Store<()>) -> Result<Val, Error> {
    Ok(match *argument {
        Argument::Component(_) => {
            return Err(Error::misuse("a core function takes no values of components"));
        }
        Argument::I32(value) => Val::I32(value),
        Argument::I64(value) => Val::I64(value),
        Argument::F32(bits) => Val::F32(bits),
        Argument::F64(bits) => Val::F64(bits),
        Argument::V128(value) => Val::V128(value),
        Argument::Null(heap) => match heap.hierarchy() {
            Hierarchy::Func => Val::FuncRef(None),
            Hierarchy::Extern => Val::ExternRef(None),
            Hierarchy::Any => Val::AnyRef(None),
            Hierarchy::Exn => Val::ExnRef(None),
            Hierarchy::Cont => Val::ContRef(None),
        },
        Argument::Extern(number) => Val::ExternRef(Some(ExternRef::new(store, number)?)),
        Argument::Host(number) => Val::AnyRef(Some(ExternRef::new(store, number)?.to_any())),
    })
}
