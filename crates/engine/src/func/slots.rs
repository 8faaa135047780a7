//! Which Rust types are WebAssembly values, and how they travel in slots.

use dunlin_code::native::{FLOAT_PARAMS, INT_PARAMS};
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

    /// The registers it takes, if it is a number.
    const NUMBER: Option<NumberCount> = None;

    /// Reads it from the next of its registers, if it is a number.
    fn from_number(_: &mut NumbersLeft) -> Result<Self> {
        Err(no_number())
    }

    /// Its bits, if it is a number.
    fn into_number(self) -> Result<u64> {
        Err(no_number())
    }

    /// Writes it to the next of its registers, if it is a number.
    fn to_number(&self, _: &mut NumbersMade) {}
}

/// How many numbers there are of each kind.
#[derive(Clone, Copy, Debug)]
pub struct NumberCount {
    /// Integers.
    pub ints: usize,
    /// Floats.
    pub floats: usize,
}

impl NumberCount {
    const NONE: NumberCount = NumberCount { ints: 0, floats: 0 };

    /// The sum, if there are numbers alone.
    const fn with(sum: Option<NumberCount>, more: Option<NumberCount>) -> Option<NumberCount> {
        let (Some(a), Some(b)) = (sum, more) else { return None };
        Some(NumberCount { ints: a.ints + b.ints, floats: a.floats + b.floats })
    }
}

/// Numbers in registers, of which some were read.
#[derive(Debug)]
pub struct NumbersLeft {
    numbers: vm::Numbers,
    read: NumberCount,
}

impl NumbersLeft {
    /// The bits of the next integer or float.
    #[inline(always)]
    fn next(&mut self, kind: NumberCount) -> Result<u64> {
        let NumberCount { ints, floats } = self.read;
        self.read = NumberCount { ints: ints + kind.ints, floats: floats + kind.floats };
        let bits = match kind.ints {
            0 => self.numbers.floats.get(floats).map(|float| float.to_bits()),
            _ => self.numbers.ints.get(ints).copied(),
        };
        bits.ok_or_else(too_few)
    }
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

    /// How many numbers there are, if they are all numbers.
    const NUMBERS: Option<NumberCount>;

    /// Reads them from registers, if they are all numbers.
    fn from_numbers(numbers: vm::Numbers) -> Result<Self>;

    /// Writes them to registers, as far as they are numbers and there are registers.
    fn to_numbers(&self) -> vm::Numbers;

    /// The bits of the only one, if there is one and it is a number.
    fn into_number(self) -> Result<u64>;
}

/// Numbers in registers, of which some were written.
#[derive(Debug)]
pub struct NumbersMade {
    numbers: vm::Numbers,
    written: NumberCount,
}

impl NumbersMade {
    const NONE: NumbersMade = NumbersMade {
        numbers: vm::Numbers { ints: [0; INT_PARAMS], floats: [0.0; FLOAT_PARAMS] },
        written: NumberCount::NONE,
    };

    /// The next integer or float is `bits`.
    #[inline(always)]
    fn push(&mut self, kind: NumberCount, bits: u64) {
        let NumberCount { ints, floats } = self.written;
        self.written = NumberCount { ints: ints + kind.ints, floats: floats + kind.floats };
        match kind.ints {
            0 => {
                if let Some(float) = self.numbers.floats.get_mut(floats) {
                    *float = f64::from_bits(bits);
                }
            }
            _ => {
                if let Some(int) = self.numbers.ints.get_mut(ints) {
                    *int = bits;
                }
            }
        }
    }
}

#[cold]
fn too_few() -> Error {
    Error::bug("too few slots for a value")
}

#[cold]
fn no_number() -> Error {
    Error::bug("a value is no number")
}

macro_rules! numbers {
    ($($ty:ty, $val:ident, $kind:ident, $value:ident => $to:expr, $bits:ident => $from:expr;)*) => {$(
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

            const NUMBER: Option<NumberCount> = Some($kind);

            #[inline(always)]
            fn from_number(numbers: &mut NumbersLeft) -> Result<$ty> {
                let $bits = numbers.next($kind)?;
                Ok($from)
            }

            #[inline(always)]
            fn into_number(self) -> Result<u64> {
                let $value = self;
                Ok($to)
            }

            #[inline(always)]
            fn to_number(&self, numbers: &mut NumbersMade) {
                let $value = *self;
                numbers.push($kind, $to);
            }
        }
    )*};
}

const INT: NumberCount = NumberCount { ints: 1, floats: 0 };
const FLOAT: NumberCount = NumberCount { ints: 0, floats: 1 };

numbers! {
    i32, I32, INT, v => v as u32 as u64, bits => bits as i32;
    u32, I32, INT, v => v as u64, bits => bits as u32;
    i64, I64, INT, v => v as u64, bits => bits as i64;
    u64, I64, INT, v => v, bits => bits;
    f32, F32, FLOAT, v => v.to_bits() as u64, bits => f32::from_bits(bits as u32);
    f64, F64, FLOAT, v => v.to_bits(), bits => f64::from_bits(bits);
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

    const NUMBERS: Option<NumberCount> = T::NUMBER;

    #[inline(always)]
    fn from_numbers(numbers: vm::Numbers) -> Result<T> {
        T::from_number(&mut NumbersLeft { numbers, read: NumberCount::NONE })
    }

    #[inline(always)]
    fn into_number(self) -> Result<u64> {
        Slots::into_number(self)
    }

    #[inline(always)]
    fn to_numbers(&self) -> vm::Numbers {
        let mut made = NumbersMade::NONE;
        self.to_number(&mut made);
        made.numbers
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {}

        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {}

        #[allow(unused_variables, reason = "the last rest is empty")]
        #[allow(unused_mut, reason = "of no numbers none is read")]
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

            const NUMBERS: Option<NumberCount> = {
                let sum = Some(NumberCount::NONE);
                $(let sum = NumberCount::with(sum, <$name as Slots>::NUMBER);)*
                sum
            };

            #[inline(always)]
            fn from_numbers(numbers: vm::Numbers) -> Result<Self> {
                let mut left = NumbersLeft { numbers, read: NumberCount::NONE };
                $(let $name = <$name as Slots>::from_number(&mut left)?;)*
                Ok(($($name,)*))
            }

            #[inline(always)]
            fn into_number(self) -> Result<u64> {
                let ($($name,)*) = self;
                let bits = 0;
                $(let bits = Slots::into_number($name)?;)*
                Ok(bits)
            }

            #[inline(always)]
            fn to_numbers(&self) -> vm::Numbers {
                let ($($name,)*) = self;
                let mut made = NumbersMade::NONE;
                $($name.to_number(&mut made);)*
                made.numbers
            }
        }
    };
}

/// Whether native code passes all of these in registers, and all are numbers.
pub(crate) const fn are_numbers<P: Group, R: Group>() -> bool {
    let (Some(params), Some(results)) = (P::NUMBERS, R::NUMBERS) else { return false };
    params.ints <= INT_PARAMS && params.floats <= FLOAT_PARAMS && results.ints + results.floats <= 1
}

/// Whether there are floats among what are numbers.
pub(crate) const fn has_floats<P: Group>() -> bool {
    matches!(P::NUMBERS, Some(NumberCount { floats: 1.., .. }))
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
