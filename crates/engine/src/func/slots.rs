//! Which Rust types are WebAssembly values, and how they travel in slots.

use dunlin_module::{HeapType, RefType, ValType};
use dunlin_vm as vm;

use crate::error::{Error, Result};
use crate::func::Func;
use crate::reference::{AnyRef, ArrayRef, ExnRef, ExternRef, StructRef};

/// A Rust type that is one WebAssembly value.
///
/// | Rust | WebAssembly |
/// |---|---|
/// | `i32`, `u32` | `i32` |
/// | `i64`, `u64` | `i64` |
/// | `f32` | `f32` |
/// | `f64` | `f64` |
/// | `u128` | `v128`, lane 0 lowest |
/// | `Option<Func>`, `Func` | `funcref`, `(ref func)` |
/// | `Option<ExternRef>`, `ExternRef` | `externref`, `(ref extern)` |
/// | `Option<AnyRef>`, `AnyRef` | `anyref`, `(ref any)` |
/// | `Option<StructRef>`, `StructRef` | `structref`, `(ref struct)` |
/// | `Option<ArrayRef>`, `ArrayRef` | `arrayref`, `(ref array)` |
/// | `Option<ExnRef>`, `ExnRef` | `exnref`, `(ref exn)` |
///
/// Sealed: these are all.
pub trait WasmTy: Slots + Clone + Send + Sync + 'static {}

/// The parameters of a function: `()`, one [`WasmTy`], or a tuple of up to 16 of them.
///
/// Sealed.
pub trait WasmParams: Group {}

/// The results of a function: `()`, one [`WasmTy`], or a tuple of up to 16 of them.
///
/// Sealed.
pub trait WasmResults: Group {}

/// How one value travels. Out of reach of other crates, which seals the traits above.
pub trait Slots: Sized {
    /// How many slots it takes.
    const COUNT: usize;

    /// Its type.
    const TYPE: ValType;

    /// Writes it to the first [`Slots::COUNT`] of `slots`.
    fn write(self, vm: &vm::Store, slots: &mut [u64]) -> Result<()>;

    /// Reads it from the first [`Slots::COUNT`] of `slots`.
    fn read(vm: &mut vm::Store, slots: &[u64]) -> Result<Self>;
}

/// How several values travel.
pub trait Group: Sized + 'static {
    /// How many slots they take.
    const COUNT: usize;

    /// Calls `each` with their types.
    fn types(each: &mut dyn FnMut(ValType));

    /// Writes them to `slots`.
    fn write(self, vm: &vm::Store, slots: &mut [u64]) -> Result<()>;

    /// Reads them from `slots`.
    fn read(vm: &mut vm::Store, slots: &[u64]) -> Result<Self>;
}

#[cold]
fn too_few() -> Error {
    Error::bug("too few slots for a value")
}

macro_rules! numbers {
    ($($ty:ty, $val:ident, $value:ident => $to:expr, $bits:ident => $from:expr;)*) => {$(
        impl WasmTy for $ty {}

        impl Slots for $ty {
            const COUNT: usize = 1;
            const TYPE: ValType = ValType::$val;

            #[inline(always)]
            fn write(self, _: &vm::Store, slots: &mut [u64]) -> Result<()> {
                let $value = self;
                *slots.first_mut().ok_or_else(too_few)? = $to;
                Ok(())
            }

            #[inline(always)]
            fn read(_: &mut vm::Store, slots: &[u64]) -> Result<$ty> {
                let $bits = *slots.first().ok_or_else(too_few)?;
                Ok($from)
            }
        }
    )*};
}

numbers! {
    i32, I32, v => v as u32 as u64, bits => bits as i32;
    u32, I32, v => v as u64, bits => bits as u32;
    i64, I64, v => v as u64, bits => bits as i64;
    u64, I64, v => v, bits => bits;
    f32, F32, v => v.to_bits() as u64, bits => f32::from_bits(bits as u32);
    f64, F64, v => v.to_bits(), bits => f64::from_bits(bits);
}

impl WasmTy for u128 {}

impl Slots for u128 {
    const COUNT: usize = 2;
    const TYPE: ValType = ValType::V128;

    #[inline(always)]
    fn write(self, _: &vm::Store, slots: &mut [u64]) -> Result<()> {
        *slots.first_chunk_mut().ok_or_else(too_few)? = [self as u64, (self >> 64) as u64];
        Ok(())
    }

    #[inline(always)]
    fn read(_: &mut vm::Store, slots: &[u64]) -> Result<u128> {
        let [low, high] = *slots.first_chunk().ok_or_else(too_few)?;
        Ok(low as u128 | (high as u128) << 64)
    }
}

/// Holds the reference in a slot, if it is not null.
#[inline]
fn root(vm: &mut vm::Store, slot: u64) -> Result<Option<vm::Root>> {
    if slot == 0 { Ok(None) } else { Ok(Some(vm.root(slot)?)) }
}

macro_rules! references {
    ($($ty:ident, $heap:ident, $vm:ident, $value:ident => $to:expr, $slot:ident => $from:expr;)*) => {$(
        impl WasmTy for Option<$ty> {}

        impl Slots for Option<$ty> {
            const COUNT: usize = 1;
            const TYPE: ValType = ValType::Ref(RefType { nullable: true, heap: HeapType::$heap });

            #[inline]
            fn write(self, $vm: &vm::Store, slots: &mut [u64]) -> Result<()> {
                *slots.first_mut().ok_or_else(too_few)? = match self {
                    Some($value) => $to,
                    None => 0,
                };
                Ok(())
            }

            #[inline]
            fn read($vm: &mut vm::Store, slots: &[u64]) -> Result<Option<$ty>> {
                let $slot = *slots.first().ok_or_else(too_few)?;
                Ok($from.map($ty))
            }
        }

        impl WasmTy for $ty {}

        impl Slots for $ty {
            const COUNT: usize = 1;
            const TYPE: ValType = ValType::Ref(RefType { nullable: false, heap: HeapType::$heap });

            #[inline]
            fn write(self, vm: &vm::Store, slots: &mut [u64]) -> Result<()> {
                Slots::write(Some(self), vm, slots)
            }

            #[inline]
            fn read(vm: &mut vm::Store, slots: &[u64]) -> Result<$ty> {
                let read = <Option<$ty> as Slots>::read(vm, slots)?;
                read.ok_or_else(|| Error::bug("a reference that cannot be null is null"))
            }
        }
    )*};
}

references! {
    Func, Func, vm, value => vm.func_to_slot(value.0)?, slot => vm.func_from_slot(slot)?;
    ExternRef, Extern, vm, value => vm.root_slot(&value.0)?, slot => root(vm, slot)?;
    AnyRef, Any, vm, value => vm.root_slot(&value.0)?, slot => root(vm, slot)?;
    StructRef, Struct, vm, value => vm.root_slot(&value.0)?, slot => root(vm, slot)?;
    ArrayRef, Array, vm, value => vm.root_slot(&value.0)?, slot => root(vm, slot)?;
    ExnRef, Exn, vm, value => vm.root_slot(&value.0)?, slot => root(vm, slot)?;
}

impl<T: WasmTy> WasmParams for T {}

impl<T: WasmTy> WasmResults for T {}

impl<T: WasmTy> Group for T {
    const COUNT: usize = <T as Slots>::COUNT;

    fn types(each: &mut dyn FnMut(ValType)) {
        each(T::TYPE);
    }

    #[inline(always)]
    fn write(self, vm: &vm::Store, slots: &mut [u64]) -> Result<()> {
        Slots::write(self, vm, slots)
    }

    #[inline(always)]
    fn read(vm: &mut vm::Store, slots: &[u64]) -> Result<T> {
        Slots::read(vm, slots)
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {}

        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {}

        #[allow(unused_variables, reason = "the last rest is empty")]
        #[allow(non_snake_case, reason = "the type's name names the value")]
        impl<$($name: WasmTy),*> Group for ($($name,)*) {
            const COUNT: usize = 0 $(+ <$name as Slots>::COUNT)*;

            fn types(each: &mut dyn FnMut(ValType)) {
                $(each($name::TYPE);)*
            }

            #[inline(always)]
            fn write(self, vm: &vm::Store, slots: &mut [u64]) -> Result<()> {
                let ($($name,)*) = self;
                $(
                    let (first, slots) =
                        slots.split_at_mut_checked(<$name as Slots>::COUNT).ok_or_else(too_few)?;
                    Slots::write($name, vm, first)?;
                )*
                Ok(())
            }

            #[inline(always)]
            fn read(vm: &mut vm::Store, slots: &[u64]) -> Result<Self> {
                $(
                    let (first, slots) =
                        slots.split_at_checked(<$name as Slots>::COUNT).ok_or_else(too_few)?;
                    let $name = <$name as Slots>::read(vm, first)?;
                )*
                Ok(($($name,)*))
            }
        }
    };
}

/// Repeats a macro for every list of names from none to 16.
macro_rules! for_each_arity {
    ($mac:ident) => {
        $mac!();
        $mac!(A1);
        $mac!(A1 A2);
        $mac!(A1 A2 A3);
        $mac!(A1 A2 A3 A4);
        $mac!(A1 A2 A3 A4 A5);
        $mac!(A1 A2 A3 A4 A5 A6);
        $mac!(A1 A2 A3 A4 A5 A6 A7);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15);
        $mac!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16);
    };
}

pub(crate) use for_each_arity;

for_each_arity!(tuples);
