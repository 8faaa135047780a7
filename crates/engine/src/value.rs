//! Values at the boundary between host and guest.

use std::slice;

use dunlin_module::{HeapType, Hierarchy, RefType, ValType};
use dunlin_vm as vm;

use crate::context::AsContext;
use crate::error::{Error, Result};
use crate::func::Func;
use crate::reference::{self, AnyRef, ArrayRef, ContRef, ExnRef, ExternRef, StructRef, non_null};

/// A WebAssembly value.
///
/// Floats are bits, so that NaNs keep theirs; `Val::from(1.5f32)` and [`Val::f32`] convert.
/// Equality is that of bits and of references.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// A reference to an object of a guest, or null.
    AnyRef(Option<AnyRef>),
    /// A reference to an exception, or null.
    ExnRef(Option<ExnRef>),
    /// A reference to a continuation, or null.
    ContRef(Option<ContRef>),
}

/// A reference, the kind of value that tables hold.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ref {
    /// A reference to a function, or null.
    Func(Option<Func>),
    /// A reference to something of the host, or null.
    Extern(Option<ExternRef>),
    /// A reference to an object of a guest, or null.
    Any(Option<AnyRef>),
    /// A reference to an exception, or null.
    Exn(Option<ExnRef>),
    /// A reference to a continuation, or null.
    Cont(Option<ContRef>),
}

macro_rules! accessors {
    ($(
        $(#[$doc:meta])*
        $get:ident $unwrap:ident $variant:ident($bits:ident) -> $ty:ty = $value:expr;
    )*) => {$(
        $(#[$doc])*
        pub fn $get(&self) -> Option<$ty> {
            match self {
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
        i32 unwrap_i32 I32(v) -> i32 = *v;
        /// The value of an `i64`.
        i64 unwrap_i64 I64(v) -> i64 = *v;
        /// The value of an `f32`.
        f32 unwrap_f32 F32(bits) -> f32 = f32::from_bits(*bits);
        /// The value of an `f64`.
        f64 unwrap_f64 F64(bits) -> f64 = f64::from_bits(*bits);
        /// The value of a `v128`.
        v128 unwrap_v128 V128(v) -> u128 = *v;
        /// The value of a function reference, where `Some(None)` is null.
        func_ref unwrap_func_ref FuncRef(v) -> Option<Func> = *v;
        /// The value of an external reference, where `Some(None)` is null.
        extern_ref unwrap_extern_ref ExternRef(v) -> Option<ExternRef> = v.clone();
        /// The value of a reference to an object, where `Some(None)` is null.
        any_ref unwrap_any_ref AnyRef(v) -> Option<AnyRef> = v.clone();
        /// The value of a reference to an exception, where `Some(None)` is null.
        exn_ref unwrap_exn_ref ExnRef(v) -> Option<ExnRef> = v.clone();
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
            ValType::Ref(ty) => null(ty),
        })
    }

    /// Its most precise type.
    ///
    /// # Errors
    ///
    /// If it refers to something of another store.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        precise_type(self, store.as_context().vm)
    }

    /// The reference, if it is one.
    pub fn as_ref(&self) -> Option<Ref> {
        Some(match self {
            Val::FuncRef(f) => Ref::Func(*f),
            Val::ExternRef(e) => Ref::Extern(e.clone()),
            Val::AnyRef(a) => Ref::Any(a.clone()),
            Val::ExnRef(e) => Ref::Exn(e.clone()),
            Val::ContRef(c) => Ref::Cont(c.clone()),
            _ => return None,
        })
    }
}

impl Ref {
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Ref::Func(None) | Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None) | Ref::Cont(None)
        )
    }

    /// The function, if it is a reference to one.
    pub fn as_func(&self) -> Option<Func> {
        match self {
            Ref::Func(f) => *f,
            _ => None,
        }
    }

    /// The external reference, if it is one.
    pub fn as_extern(&self) -> Option<ExternRef> {
        match self {
            Ref::Extern(e) => e.clone(),
            _ => None,
        }
    }
}

/// The null reference of a type's hierarchy.
fn null(ty: RefType) -> Val {
    match ty.heap.hierarchy() {
        Hierarchy::Func => Val::FuncRef(None),
        Hierarchy::Extern => Val::ExternRef(None),
        Hierarchy::Any => Val::AnyRef(None),
        Hierarchy::Exn => Val::ExnRef(None),
        Hierarchy::Cont => Val::ContRef(None),
    }
}

fn precise_type(val: &Val, vm: &vm::Store) -> Result<ValType> {
    let bottom = |heap| ValType::Ref(RefType { nullable: true, heap });
    Ok(match val {
        Val::I32(_) => ValType::I32,
        Val::I64(_) => ValType::I64,
        Val::F32(_) => ValType::F32,
        Val::F64(_) => ValType::F64,
        Val::V128(_) => ValType::V128,
        Val::FuncRef(None) => bottom(HeapType::NoFunc),
        Val::FuncRef(Some(f)) => non_null(HeapType::Concrete(vm.func_type_id(f.0)?)),
        Val::ExternRef(None) => bottom(HeapType::NoExtern),
        Val::ExternRef(Some(e)) => {
            reference::kind(&e.0, vm)?;
            non_null(HeapType::Extern)
        }
        Val::AnyRef(None) => bottom(HeapType::None),
        Val::AnyRef(Some(a)) => non_null(match reference::kind(&a.0, vm)? {
            vm::ObjectKind::I31(_) => HeapType::I31,
            vm::ObjectKind::Struct(id) | vm::ObjectKind::Array(id) => HeapType::Concrete(id),
            _ => HeapType::Any,
        }),
        Val::ExnRef(None) => bottom(HeapType::NoExn),
        Val::ExnRef(Some(e)) => {
            reference::kind(&e.0, vm)?;
            non_null(HeapType::Exn)
        }
        Val::ContRef(None) => bottom(HeapType::NoCont),
        Val::ContRef(Some(c)) => non_null(match reference::kind(&c.0, vm)? {
            vm::ObjectKind::Continuation(id) => HeapType::Concrete(id),
            _ => HeapType::Cont,
        }),
    })
}

/// Whether `val` is a member of `ty`.
pub(crate) fn is_a(val: &Val, ty: ValType, vm: &vm::Store) -> Result<bool> {
    // Whether a reference belongs to the store is checked when it is written.
    if printed_type(val) == ty {
        return Ok(true);
    }
    Ok(vm.types().val_subtype(precise_type(val, vm)?, ty))
}

/// The type of `val` as messages print it.
pub(crate) fn printed_type(val: &Val) -> ValType {
    let top = |heap| ValType::Ref(RefType { nullable: true, heap });
    match val {
        Val::I32(_) => ValType::I32,
        Val::I64(_) => ValType::I64,
        Val::F32(_) => ValType::F32,
        Val::F64(_) => ValType::F64,
        Val::V128(_) => ValType::V128,
        Val::FuncRef(_) => ValType::FUNCREF,
        Val::ExternRef(_) => ValType::EXTERNREF,
        Val::AnyRef(_) => top(HeapType::Any),
        Val::ExnRef(_) => top(HeapType::Exn),
        Val::ContRef(_) => top(HeapType::Cont),
    }
}

/// Zero or null, also for references that cannot be null: a place to write a result to.
pub(crate) fn placeholder(ty: ValType) -> Val {
    match ty {
        ValType::Ref(ty) => null(ty),
        number => Val::default_for(number).unwrap_or(Val::I32(0)),
    }
}

/// Writes `val` to the next slots.
pub(crate) fn write(val: &Val, vm: &vm::Store, slots: &mut slice::IterMut<'_, u64>) -> Result<()> {
    let mut put = |bits| match slots.next() {
        Some(slot) => {
            *slot = bits;
            Ok(())
        }
        None => Err(Error::bug("too few slots for a value")),
    };
    match val {
        Val::I32(v) => put(*v as u32 as u64),
        Val::I64(v) => put(*v as u64),
        Val::F32(bits) => put(*bits as u64),
        Val::F64(bits) => put(*bits),
        Val::V128(v) => {
            put(*v as u64)?;
            put((*v >> 64) as u64)
        }
        Val::FuncRef(Some(f)) => put(vm.func_to_slot(f.0)?),
        Val::ExternRef(Some(ExternRef(root)))
        | Val::AnyRef(Some(AnyRef(root)))
        | Val::ExnRef(Some(ExnRef(root)))
        | Val::ContRef(Some(ContRef(root))) => put(vm.root_slot(root)?),
        Val::FuncRef(None)
        | Val::ExternRef(None)
        | Val::AnyRef(None)
        | Val::ExnRef(None)
        | Val::ContRef(None) => put(0),
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
        ValType::Ref(ty) => {
            let bits = take()?;
            if ty.heap.hierarchy() == Hierarchy::Func {
                return Ok(Val::FuncRef(vm.func_from_slot(bits)?.map(Func)));
            }
            if bits == 0 {
                return Ok(null(ty));
            }
            let root = vm.root(bits)?;
            match ty.heap.hierarchy() {
                Hierarchy::Func | Hierarchy::Extern => Val::ExternRef(Some(ExternRef(root))),
                Hierarchy::Any => Val::AnyRef(Some(AnyRef(root))),
                Hierarchy::Exn => Val::ExnRef(Some(ExnRef(root))),
                Hierarchy::Cont => Val::ContRef(Some(ContRef(root))),
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
    AnyRef, a => Val::AnyRef(Some(a));
    Option<AnyRef>, a => Val::AnyRef(a);
    StructRef, s => Val::AnyRef(Some(s.to_any()));
    ArrayRef, a => Val::AnyRef(Some(a.to_any()));
    ExnRef, e => Val::ExnRef(Some(e));
    Option<ExnRef>, e => Val::ExnRef(e);
}

impl From<Ref> for Val {
    fn from(reference: Ref) -> Val {
        match reference {
            Ref::Func(f) => Val::FuncRef(f),
            Ref::Extern(e) => Val::ExternRef(e),
            Ref::Any(a) => Val::AnyRef(a),
            Ref::Exn(e) => Val::ExnRef(e),
            Ref::Cont(c) => Val::ContRef(c),
        }
    }
}
