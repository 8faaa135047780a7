//! Structs, arrays and casts.
//!
//! Fields are read and written in place, after a check that they are inside the heap. What makes
//! objects bumps them into the nursery here, or goes through [`crate::gc::slow`].

use std::marker::PhantomData;

use dunlin_code::Trap;
use dunlin_code::object::{HEADER_BYTES, HOST_TAG, I31_TAG, LENGTH_OFFSET, OBJECT_ALIGN};
use dunlin_code::op::CastTarget;

use super::numeric::{Source, Target, plain};
use crate::gc::access::{func_number, write_fields, write_header};
use crate::gc::heap::{NUMBER, NURSERY_BYTES, barrier};
use crate::gc::slow;
use crate::gc::types::{Shape, TypeInfo};
use crate::interp::access::Extend;
use crate::interp::regs::{Exec, Flow, Regs, Value};
use crate::vmctx::{FuncRecord, VmCtx};

/// The address of a field of `bytes` bytes.
#[inline(always)]
unsafe fn field(r: &Regs, object: u32, offset: u32, bytes: usize) -> Result<*mut u8, Trap> {
    if object == 0 {
        return Err(Trap::NullStruct);
    }
    // SAFETY: V2; V11: an address inside the heap.
    unsafe {
        let heap = &raw const (*r.rt).heap;
        let at = u64::from(object) + u64::from(offset);
        if at + bytes as u64 > (*heap).len {
            return Err(Trap::Bug);
        }
        Ok((*heap).base.add(at as usize))
    }
}

/// The length of an array.
#[inline(always)]
unsafe fn length(r: &Regs, array: u32) -> Result<u32, Trap> {
    if array == 0 {
        return Err(Trap::NullArray);
    }
    // SAFETY: as for a field; headers are aligned.
    unsafe { Ok(field(r, array, LENGTH_OFFSET, 4)?.cast::<u32>().read()) }
}

/// The address of element `index` of an array with elements of `bytes` bytes.
#[inline(always)]
unsafe fn element(r: &Regs, array: u32, index: u32, bytes: usize) -> Result<*mut u8, Trap> {
    // SAFETY: V2; V11: an address inside the heap.
    unsafe {
        if index >= length(r, array)? {
            return Err(Trap::ArrayOutOfBounds);
        }
        let heap = &raw const (*r.rt).heap;
        let offset = u64::from(HEADER_BYTES) + u64::from(index) * bytes as u64;
        let at = u64::from(array) + offset;
        if at + bytes as u64 > (*heap).len {
            return Err(Trap::Bug);
        }
        Ok((*heap).base.add(at as usize))
    }
}

/// Handler of a load of a field; `M` is stored, `T` is the result.
pub(in crate::interp) struct FieldGet<M, T, S, D>(PhantomData<(M, T, S, D)>);

impl<M: Extend<T> + Copy, T: Value, S: Source, D: Target> Exec for FieldGet<M, T, S, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7, V11: the address is inside the heap, all of which is initialised.
        unsafe {
            match field(r, S::operand(r), r.hi(1), size_of::<M>()) {
                Ok(at) => {
                    D::put(r, at.cast::<M>().read_unaligned().extend());
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Handler of a load of an element.
pub(in crate::interp) struct ElemGet<M, T, S, D>(PhantomData<(M, T, S, D)>);

impl<M: Extend<T> + Copy, T: Value, S: Source, D: Target> Exec for ElemGet<M, T, S, D> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7, V11.
        unsafe {
            let index = if S::SLOT { r.get(r.c()) } else { r.acc as u32 };
            match element(r, r.get(r.b()), index, size_of::<M>()) {
                Ok(at) => {
                    D::put(r, at.cast::<M>().read_unaligned().extend());
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// How a value is stored in an object.
pub(in crate::interp) trait Cell {
    type Value: Value;
    const BYTES: usize;
    /// Writes to a checked address inside `object`.
    unsafe fn store(r: &Regs, object: u32, at: *mut u8, value: Self::Value);
}

/// One type per way to store.
pub(in crate::interp) mod cell {
    use super::{Cell, Regs, barrier};

    macro_rules! rows {
        ($($name:ident $value:ty, $memory:ty;)*) => {$(
            pub(in crate::interp) struct $name;
            impl Cell for $name {
                type Value = $value;
                const BYTES: usize = size_of::<$memory>();
                #[inline(always)]
                unsafe fn store(r: &Regs, object: u32, at: *mut u8, value: $value) {
                    // SAFETY: the caller checked the address; V2.
                    unsafe {
                        at.cast::<$memory>().write_unaligned(value as $memory);
                        if is_reference(stringify!($name)) {
                            barrier(r.rt, object, value as u32);
                        }
                    }
                }
            }
        )*};
    }
    macro_rules! list {
        ($($name:ident $value:tt $memory:tt,)*) => {
            rows! { $($name $value, $memory;)* }
        };
    }
    dunlin_code::for_each_field_set_op!(list);

    /// Whether the row of this name stores references.
    #[inline(always)]
    const fn is_reference(name: &str) -> bool {
        matches!(name.as_bytes(), b"Ref")
    }
}

/// Handler of a store to a field.
pub(in crate::interp) struct FieldSet<C, S>(PhantomData<(C, S)>);

impl<C: Cell, S: Source> Exec for FieldSet<C, S> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7, V11.
        unsafe {
            let object = r.get(r.a());
            match field(r, object, r.hi(1), C::BYTES) {
                Ok(at) => {
                    C::store(r, object, at, S::operand(r));
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// Handler of a store to an element.
pub(in crate::interp) struct ElemSet<C, S>(PhantomData<(C, S)>);

impl<C: Cell, S: Source> Exec for ElemSet<C, S> {
    #[inline(always)]
    unsafe fn exec(r: &mut Regs) -> Flow {
        // SAFETY: V7, V11.
        unsafe {
            let array = r.get(r.a());
            match element(r, array, r.get(r.b()), C::BYTES) {
                Ok(at) => {
                    let value = if S::SLOT { r.get(r.c()) } else { <C::Value as Value>::acc(r) };
                    C::store(r, array, at, value);
                    r.next(2)
                }
                Err(trap) => r.trap(trap),
            }
        }
    }
}

/// What the heap knows of module type `ty`, a struct or array type.
#[inline(always)]
unsafe fn info(cx: *mut VmCtx, ty: u32) -> *const TypeInfo {
    // SAFETY: V3: type indices were validated.
    unsafe { *(*cx).type_infos.add(ty as usize) }
}

/// Room for a small object; 0 if there is none, with the trap in the runtime record.
#[inline(always)]
unsafe fn room(r: &Regs, bytes: u32) -> u32 {
    // SAFETY: V2; the slow path is told where the guest is.
    unsafe {
        let heap = &raw mut (*r.rt).heap;
        let at = (*heap).top;
        let end = u64::from(at) + u64::from(bytes);
        if end <= u64::from((*heap).limit) {
            (*heap).top = end as u32;
            return at;
        }
        slow::allocate(r.rt, r.ip, r.fp, r.cx, bytes)
    }
}

/// Writes the fields of a new struct from slots.
#[inline(never)]
unsafe extern "C" fn fill(object: *mut u8, info: *const TypeInfo, slots: *const u64) {
    // SAFETY: V11: types stay where they are; the caller's promise.
    unsafe { write_fields(object, &*info, slots) };
}

/// Whether the reference `bits`, not null, is of the type that the operands name.
#[inline(always)]
unsafe fn matches(r: &Regs, bits: u64, target: CastTarget) -> bool {
    let low = bits as u32;
    let object = low & (OBJECT_ALIGN - 1) == 0;
    match target {
        CastTarget::Bottom => false,
        CastTarget::Top => true,
        CastTarget::Eq => low & (OBJECT_ALIGN - 1) != HOST_TAG,
        CastTarget::I31 => low & I31_TAG != 0,
        CastTarget::Struct | CastTarget::Array | CastTarget::Object if !object => false,
        // SAFETY: V3: type indices were validated; V4; V11.
        CastTarget::Struct => unsafe { shape(r, low) == Some(Shape::Struct) },
        // SAFETY: as above.
        CastTarget::Array => unsafe { shape(r, low) == Some(Shape::Array) },
        // SAFETY: as above.
        CastTarget::Object => unsafe {
            let expected = info(r.cx, r.hi(1));
            match type_of(r, low) {
                found if found == expected => true,
                found if found.is_null() => false,
                found => (*found).is_subtype(&*expected),
            }
        },
        // SAFETY: as above.
        CastTarget::Func => unsafe {
            let found = (*(bits as *const FuncRecord)).type_id;
            let expected = *(*r.cx).types.add(r.hi(1) as usize);
            found == expected || super::call::is_subtype(r.cx, found, expected)
        },
    }
}

/// The type of the object at `at`; null if the heap makes no sense.
#[inline(always)]
unsafe fn type_of(r: &Regs, at: u32) -> *const TypeInfo {
    // SAFETY: V2; V11: the header is inside the heap, the number in the table.
    unsafe {
        let heap = &raw const (*r.rt).heap;
        if u64::from(at) + u64::from(HEADER_BYTES) > (*heap).len {
            return std::ptr::null();
        }
        let number = (*heap).base.add(at as usize).cast::<u32>().read() & NUMBER;
        if number >= (*heap).types_len {
            return std::ptr::null();
        }
        *(*heap).types.add(number as usize)
    }
}

#[inline(always)]
unsafe fn shape(r: &Regs, at: u32) -> Option<Shape> {
    // SAFETY: V11: types stay where they are.
    unsafe { type_of(r, at).as_ref() }.map(|info| info.shape)
}

/// Whether the reference `bits` is of the type of a test or cast.
#[inline(always)]
unsafe fn is_of_type(r: &Regs, bits: u64) -> bool {
    // SAFETY: V7.
    let Some((target, nullable)) = CastTarget::decode(unsafe { r.lo(2) }) else { return false };
    // SAFETY: V7.
    if bits == 0 { nullable } else { unsafe { matches(r, bits, target) } }
}

/// A function reference from its number in the heap.
#[inline(always)]
unsafe fn func_of(r: &Regs, at: *const u8) -> Result<u64, Trap> {
    // SAFETY: V11: the caller checked the address; the number is checked here.
    unsafe {
        let number = at.cast::<u32>().read_unaligned();
        if number == 0 {
            return Ok(0);
        }
        let heap = &raw const (*r.rt).heap;
        if number > (*heap).funcs_len {
            return Err(Trap::Bug);
        }
        Ok(*(*heap).funcs.add(number as usize - 1) as u64)
    }
}

/// Goes on after a slow path that left its result in the frame, or says 0 for a trap.
#[inline(always)]
unsafe fn made(r: &mut Regs, at: u32, words: usize) -> Flow {
    // SAFETY: V7; lowering gave the result a slot of the frame.
    unsafe {
        if at == 0 {
            return r.trap((*r.rt).trap);
        }
        *r.fp.add(r.hi(1) as usize) = u64::from(at);
        r.next(words)
    }
}

/// Goes on after a slow path that says 0 for a trap.
#[inline(always)]
unsafe fn done(r: &mut Regs, done: u32, words: usize) -> Flow {
    // SAFETY: V7.
    unsafe { if done == 0 { r.trap((*r.rt).trap) } else { r.next(words) } }
}

plain! {
    StructNew(r) {
        let info = info(r.cx, r.lo(1));
        let at = room(r, (*info).size);
        if at == 0 {
            return r.trap((*r.rt).trap);
        }
        let object = (*r.rt).heap.base.add(at as usize);
        write_header(object, &*info, 0);
        let slots = r.fp.add(r.hi(1) as usize);
        fill(object, info, slots);
        if at >= NURSERY_BYTES {
            slow::remember(r.rt, at);
        }
        *slots = u64::from(at);
        r.next(2)
    }
    StructNewDefault(r) {
        let info = info(r.cx, r.lo(1));
        let at = room(r, (*info).size);
        if at == 0 {
            return r.trap((*r.rt).trap);
        }
        let object = (*r.rt).heap.base.add(at as usize);
        object.write_bytes(0, (*info).size as usize);
        write_header(object, &*info, 0);
        *r.fp.add(r.hi(1) as usize) = u64::from(at);
        r.next(2)
    }
    ArrayNew(r) {
        let at = slow::array_new(r.rt, r.ip, r.fp, r.cx);
        made(r, at, 2)
    }
    ArrayNewDefault(r) {
        let at = slow::array_new_default(r.rt, r.ip, r.fp, r.cx);
        made(r, at, 2)
    }
    ArrayNewFixed(r) {
        let at = slow::array_new_fixed(r.rt, r.ip, r.fp, r.cx);
        made(r, at, 3)
    }
    ArrayNewData(r) {
        let at = slow::array_new_data(r.rt, r.ip, r.fp, r.cx);
        made(r, at, 3)
    }
    ArrayNewElem(r) {
        let at = slow::array_new_elem(r.rt, r.ip, r.fp, r.cx);
        made(r, at, 3)
    }
    StructGetVec(r) {
        match field(r, r.get(r.b()), r.hi(1), 16) {
            Ok(at) => {
                r.set_vec(r.a(), at.cast::<u128>().read_unaligned().into());
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    StructGetFunc(r) {
        match field(r, r.get(r.b()), r.hi(1), 4).and_then(|at| func_of(r, at)) {
            Ok(func) => {
                r.set(r.a(), func);
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    StructSetVec(r) {
        match field(r, r.get(r.a()), r.hi(1), 16) {
            Ok(at) => {
                at.cast::<u128>().write_unaligned(r.get_vec(r.b()).into());
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    StructSetFunc(r) {
        match field(r, r.get(r.a()), r.hi(1), 4) {
            Ok(at) => {
                at.cast::<u32>().write_unaligned(func_number(r.get(r.b())));
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArrayLen(r) {
        match length(r, r.get(r.b())) {
            Ok(len) => {
                r.acc = u64::from(len);
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArrayLenSlot(r) {
        match length(r, r.get(r.b())) {
            Ok(len) => {
                r.acc = u64::from(len);
                r.set(r.a(), len);
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArrayGetVec(r) {
        match element(r, r.get(r.b()), r.get(r.c()), 16) {
            Ok(at) => {
                r.set_vec(r.a(), at.cast::<u128>().read_unaligned().into());
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArrayGetFunc(r) {
        match element(r, r.get(r.b()), r.get(r.c()), 4).and_then(|at| func_of(r, at)) {
            Ok(func) => {
                r.set(r.a(), func);
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArraySetVec(r) {
        match element(r, r.get(r.a()), r.get(r.b()), 16) {
            Ok(at) => {
                at.cast::<u128>().write_unaligned(r.get_vec(r.c()).into());
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArraySetFunc(r) {
        match element(r, r.get(r.a()), r.get(r.b()), 4) {
            Ok(at) => {
                at.cast::<u32>().write_unaligned(func_number(r.get(r.c())));
                r.next(2)
            }
            Err(trap) => r.trap(trap),
        }
    }
    ArrayFill(r) {
        let ok = slow::array_fill(r.rt, r.ip, r.fp, r.cx);
        done(r, ok, 2)
    }
    ArrayCopy(r) {
        let ok = slow::array_copy(r.rt, r.ip, r.fp, r.cx);
        done(r, ok, 2)
    }
    ArrayInitData(r) {
        let ok = slow::array_init_data(r.rt, r.ip, r.fp, r.cx);
        done(r, ok, 3)
    }
    ArrayInitElem(r) {
        let ok = slow::array_init_elem(r.rt, r.ip, r.fp, r.cx);
        done(r, ok, 3)
    }
    RefTest(r) {
        r.acc = u64::from(is_of_type(r, r.get(r.b())));
        r.next(3)
    }
    RefTestSlot(r) {
        r.acc = u64::from(is_of_type(r, r.get(r.b())));
        r.set(r.a(), r.acc);
        r.next(3)
    }
    RefCast(r) {
        if !is_of_type(r, r.get(r.a())) {
            return r.trap(Trap::CastFailure);
        }
        r.next(3)
    }
}
