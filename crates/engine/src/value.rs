//! Values at the boundary between host and guest.

use std::any::Any;
use std::slice;

use dunlin_module::{HeapType, RefType, ValType};
use dunlin_vm as vm;

use crate::context::{AsContext, AsContextMut};
use crate::error::{Error, Result};
use crate::func::Func;

/// A WebAssembly value.
///
/// Floats are bits, so that NaNs keep theirs; `Val::from(1.5f32)` and [`Val::f32`] convert.
/// Equality is that of bits and of references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// A 128-bit vector, lane 0 lowest.
    V128(u128),
    /// A reference to a function, or null.
    FuncRef(Option<Func>),
    /// A reference to something of the host, or null.
    ExternRef(Option<ExternRef>),
}

/// A reference, the kind of value that tables hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ref {
    /// A reference to a function, or null.
    Func(Option<Func>),
    /// A reference to something of the host, or null.
    Extern(Option<ExternRef>),
}

/// Something of the host that guests can hold, pass around and compare to null, but not look into.
///
/// It lives as long as its store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExternRef(pub(crate) vm::ExternRef);

impl ExternRef {
    /// Gives `value` to the store, and a reference to it.
    ///
    /// # Errors
    ///
    /// If the store holds as many handles as its limits allow.
    pub fn new(mut store: impl AsContextMut, value: impl Any + Send + Sync) -> Result<ExternRef> {
        Ok(ExternRef(store.as_context_mut().vm.extern_new(Box::new(value))?))
    }

    /// What is referred to; `downcast_ref` finds its type.
    ///
    /// # Errors
    ///
    /// If the reference belongs to another store.
    pub fn data<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContext<'a, T>>,
    ) -> Result<&'a (dyn Any + Send + Sync)> {
        Ok(store.into().vm.extern_data(self.0)?)
    }
}

macro_rules! accessors {
    ($(
        $(#[$doc:meta])*
        $get:ident $unwrap:ident $variant:ident($bits:ident) -> $ty:ty = $value:expr;
    )*) => {$(
        $(#[$doc])*
        pub fn $get(&self) -> Option<$ty> {
            match *self {
                Val::$variant($bits) => Some($value),
                _ => None,
            }
        }

        $(#[$doc])*
        ///
        /// # Panics
        ///
        /// If it is a value of another type.
        #[track_caller]
        pub fn $unwrap(&self) -> $ty {
            match self.$get() {
                Some(value) => value,
                None => self.is_no(stringify!($variant)),
            }
        }
    )*};
}

impl Val {
    #[cold]
    #[track_caller]
    #[expect(clippy::panic, reason = "documented; each accessor that panics has a fallible twin")]
    fn is_no(&self, variant: &str) -> ! {
        panic!("expected {variant}, found {self:?}")
    }

    accessors! {
        /// The value of an `i32`.
        i32 unwrap_i32 I32(v) -> i32 = v;
        /// The value of an `i64`.
        i64 unwrap_i64 I64(v) -> i64 = v;
        /// The value of an `f32`.
        f32 unwrap_f32 F32(bits) -> f32 = f32::from_bits(bits);
        /// The value of an `f64`.
        f64 unwrap_f64 F64(bits) -> f64 = f64::from_bits(bits);
        /// The value of a `v128`.
        v128 unwrap_v128 V128(v) -> u128 = v;
        /// The value of a function reference, where `Some(None)` is null.
        func_ref unwrap_func_ref FuncRef(v) -> Option<Func> = v;
        /// The value of an external reference, where `Some(None)` is null.
        extern_ref unwrap_extern_ref ExternRef(v) -> Option<ExternRef> = v;
    }

    /// Zero or null: what locals of this type hold at first. There is none for references that
    /// cannot be null.
    pub fn default_for(ty: ValType) -> Option<Val> {
        Some(match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            ValType::F64 => Val::F64(0),
            ValType::V128 => Val::V128(0),
            ValType::Ref(RefType { nullable: false, .. }) => return None,
            ValType::Ref(ty) => match Kind::of(ty)? {
                Kind::Func => Val::FuncRef(None),
                Kind::Extern => Val::ExternRef(None),
            },
        })
    }

    /// Its most precise type.
    ///
    /// # Errors
    ///
    /// If it refers to something of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        precise_type(*self, store.as_context().vm)
    }

    /// The reference, if it is one.
    pub fn as_ref(&self) -> Option<Ref> {
        match *self {
            Val::FuncRef(f) => Some(Ref::Func(f)),
            Val::ExternRef(e) => Some(Ref::Extern(e)),
            _ => None,
        }
    }
}

impl Ref {
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None))
    }

    /// The function, if it is a reference to one.
    pub fn as_func(&self) -> Option<Func> {
        match *self {
            Ref::Func(f) => f,
            Ref::Extern(_) => None,
        }
    }

    /// The external reference, if it is one.
    pub fn as_extern(&self) -> Option<ExternRef> {
        match *self {
            Ref::Extern(e) => e,
            Ref::Func(_) => None,
        }
    }
}

/// The two hierarchies of references that cross the boundary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Func,
    Extern,
}

impl Kind {
    /// The hierarchy of an abstract type.
    fn of(ty: RefType) -> Option<Kind> {
        match ty.heap {
            HeapType::Func | HeapType::NoFunc => Some(Kind::Func),
            HeapType::Extern | HeapType::NoExtern => Some(Kind::Extern),
            _ => None,
        }
    }

    /// The hierarchy of any type.
    fn in_store(vm: &vm::Store, ty: RefType) -> Option<Kind> {
        match ty.heap {
            HeapType::Concrete(id) => vm.types().func_type(id).map(|_| Kind::Func),
            _ => Kind::of(ty),
        }
    }
}

fn precise_type(val: Val, vm: &vm::Store) -> Result<ValType> {
    Ok(match val {
        Val::I32(_) => ValType::I32,
        Val::I64(_) => ValType::I64,
        Val::F32(_) => ValType::F32,
        Val::F64(_) => ValType::F64,
        Val::V128(_) => ValType::V128,
        Val::FuncRef(None) => ValType::Ref(RefType { nullable: true, heap: HeapType::NoFunc }),
        Val::FuncRef(Some(f)) => {
            let heap = HeapType::Concrete(vm.func_type_id(f.0)?);
            ValType::Ref(RefType { nullable: false, heap })
        }
        Val::ExternRef(None) => ValType::Ref(RefType { nullable: true, heap: HeapType::NoExtern }),
        Val::ExternRef(Some(e)) => {
            vm.extern_data(e.0)?;
            ValType::Ref(RefType { nullable: false, heap: HeapType::Extern })
        }
    })
}

/// Whether `val` is a member of `ty`.
pub(crate) fn is_a(val: Val, ty: ValType, vm: &vm::Store) -> Result<bool> {
    // Whether a reference belongs to the store is checked when it is written.
    if printed_type(val) == ty {
        return Ok(true);
    }
    Ok(vm.types().val_subtype(precise_type(val, vm)?, ty))
}

/// The type of `val` as messages print it.
pub(crate) fn printed_type(val: Val) -> ValType {
    match val {
        Val::I32(_) => ValType::I32,
        Val::I64(_) => ValType::I64,
        Val::F32(_) => ValType::F32,
        Val::F64(_) => ValType::F64,
        Val::V128(_) => ValType::V128,
        Val::FuncRef(_) => ValType::FUNCREF,
        Val::ExternRef(_) => ValType::EXTERNREF,
    }
}

/// Zero or null, also for references that cannot be null: a place to write a result to.
pub(crate) fn placeholder(ty: ValType, vm: &vm::Store) -> Result<Val> {
    match ty {
        ValType::Ref(ty) => match Kind::in_store(vm, ty) {
            Some(Kind::Func) => Ok(Val::FuncRef(None)),
            Some(Kind::Extern) => Ok(Val::ExternRef(None)),
            None => Err(Error::misuse(format!(
                "cannot pass a value between host and guest: expected a number, a vector, a \
                 function or an external reference, found {ty}"
            ))),
        },
        number => Ok(Val::default_for(number).unwrap_or(Val::I32(0))),
    }
}

/// Writes `val` to the next slots.
pub(crate) fn write(val: Val, vm: &vm::Store, slots: &mut slice::IterMut<'_, u64>) -> Result<()> {
    let mut put = |bits| match slots.next() {
        Some(slot) => {
            *slot = bits;
            Ok(())
        }
        None => Err(Error::bug("too few slots for a value")),
    };
    match val {
        Val::I32(v) => put(v as u32 as u64),
        Val::I64(v) => put(v as u64),
        Val::F32(bits) => put(bits as u64),
        Val::F64(bits) => put(bits),
        Val::V128(v) => {
            put(v as u64)?;
            put((v >> 64) as u64)
        }
        Val::FuncRef(None) | Val::ExternRef(None) => put(0),
        Val::FuncRef(Some(f)) => put(vm.func_to_slot(f.0)?),
        Val::ExternRef(Some(e)) => put(vm.extern_to_slot(e.0)?),
    }
}

/// Reads a value of type `ty` from the next slots.
pub(crate) fn read(
    ty: ValType,
    vm: &mut vm::Store,
    slots: &mut slice::Iter<'_, u64>,
) -> Result<Val> {
    let mut take = || slots.next().copied().ok_or_else(|| Error::bug("too few slots for a value"));
    Ok(match ty {
        ValType::I32 => Val::I32(take()? as i32),
        ValType::I64 => Val::I64(take()? as i64),
        ValType::F32 => Val::F32(take()? as u32),
        ValType::F64 => Val::F64(take()?),
        ValType::V128 => Val::V128(take()? as u128 | (take()? as u128) << 64),
        ValType::Ref(_) => {
            let bits = take()?;
            match placeholder(ty, vm)? {
                Val::FuncRef(_) => Val::FuncRef(vm.func_from_slot(bits)?.map(Func)),
                _ => Val::ExternRef(vm.extern_from_slot(bits).map(ExternRef)),
            }
        }
    })
}

macro_rules! from {
    ($($ty:ty, $value:ident => $val:expr;)*) => {$(
        impl From<$ty> for Val {
            #[inline]
            fn from($value: $ty) -> Val {
                $val
            }
        }
    )*};
}

from! {
    i32, v => Val::I32(v);
    u32, v => Val::I32(v as i32);
    i64, v => Val::I64(v);
    u64, v => Val::I64(v as i64);
    f32, v => Val::F32(v.to_bits());
    f64, v => Val::F64(v.to_bits());
    u128, v => Val::V128(v);
    Func, f => Val::FuncRef(Some(f));
    Option<Func>, f => Val::FuncRef(f);
    ExternRef, e => Val::ExternRef(Some(e));
    Option<ExternRef>, e => Val::ExternRef(e);
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Val {
        match reference {
            Ref::Func(f) => Val::FuncRef(f),
            Ref::Extern(e) => Val::ExternRef(e),
        }
    }
}
