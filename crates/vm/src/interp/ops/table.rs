//! Tables, globals and references.

use dunlin_code::Trap;

use super::numeric::plain;
use crate::builtins;
use crate::interp::regs::{Exec, Flow, Regs, Value};
use crate::vmctx::TableDef;

/// The storage of global `hi`.
#[inline(always)]
unsafe fn global(r: &Regs) -> *mut u128 {
    // SAFETY: V3: the index was validated; storage lives as long as the store.
    unsafe { *(*r.cx).globals.add(r.hi(1) as usize) }
}

#[inline(always)]
unsafe fn global_get<T: Value>(r: &mut Regs, slot: bool) -> Flow {
    // SAFETY: V3, V7.
    unsafe {
        let value = T::from_slot(*global(r).cast::<u64>());
        if slot {
            r.set(r.a(), value);
        }
        value.set_acc(r);
        r.next(2)
    }
}

#[inline(always)]
unsafe fn global_set(r: &mut Regs, value: u64) -> Flow {
    // SAFETY: V3, V7.
    unsafe {
        *global(r).cast::<u64>() = value;
        r.next(2)
    }
}

/// The definition of table b.
#[inline(always)]
unsafe fn table(r: &Regs) -> *mut TableDef {
    // SAFETY: V3: the index was validated.
    unsafe { *(*r.cx).tables.add(usize::from(r.b())) }
}

plain! {
    GlobalGetInt(r) { global_get::<u64>(r, false) }
    GlobalGetIntSlot(r) { global_get::<u64>(r, true) }
    GlobalGetF32(r) { global_get::<f32>(r, false) }
    GlobalGetF32Slot(r) { global_get::<f32>(r, true) }
    GlobalGetF64(r) { global_get::<f64>(r, false) }
    GlobalGetF64Slot(r) { global_get::<f64>(r, true) }
    GlobalGetVec(r) {
        let value = *global(r);
        r.set_vec(r.a(), value.into());
        r.next(2)
    }
    GlobalSet(r) { global_set(r, r.get(r.a())) }
    GlobalSetInt(r) { global_set(r, r.acc) }
    GlobalSetF32(r) { global_set(r, r.single.to_slot()) }
    GlobalSetF64(r) { global_set(r, r.double.to_slot()) }
    GlobalSetVec(r) {
        *global(r) = r.get_vec(r.a()).into();
        r.next(2)
    }
    TableGet(r) {
        let (def, at) = (table(r), r.slot(r.a()));
        if *at >= (*def).len {
            return r.trap(Trap::TableOutOfBounds);
        }
        *at = *(*def).base.add(*at as usize);
        r.next(2)
    }
    TableSet(r) {
        let (def, at) = (table(r), r.slot(r.a()));
        if *at >= (*def).len {
            return r.trap(Trap::TableOutOfBounds);
        }
        *(*def).base.add(*at as usize) = *at.add(1);
        r.next(2)
    }
    TableSize(r) {
        let len = (*table(r)).len;
        r.set(r.a(), len);
        r.next(2)
    }
    TableGrow(r) {
        let at = r.slot(r.a());
        let grown = builtins::table_grow(r.cx, u32::from(r.b()), *at, *at.add(1));
        let Some(old) = builtins::grow_result(grown, r.c() == 1) else {
            return r.trap(Trap::LimitExceeded);
        };
        at.write(old);
        r.next(2)
    }
    TableFill(r) {
        let at = r.slot(r.a());
        let (start, value, len) = (*at, *at.add(1), *at.add(2));
        let done = builtins::table_fill(r.cx, u32::from(r.b()), start, value, len);
        r.next_or_trap(done, 2)
    }
    TableCopy(r) {
        let at = r.slot(r.a());
        let (dst, src, len) = (*at, *at.add(1), *at.add(2));
        let (to, from) = (u32::from(r.b()), u32::from(r.c()));
        let done = builtins::table_copy(r.cx, to, from, dst, src, len);
        r.next_or_trap(done, 2)
    }
    TableInit(r) {
        let at = r.slot(r.a());
        let (dst, src, len) = (*at, *at.add(1), *at.add(2));
        let done = builtins::table_init(r.cx, r.hi(1), u32::from(r.b()), dst, src, len);
        r.next_or_trap(done, 2)
    }
    ElemDrop(r) {
        builtins::elem_drop(r.cx, r.hi(1));
        r.next(2)
    }
    RefFunc(r) {
        let record = builtins::ref_func(r.cx, r.hi(1));
        r.set(r.a(), record as u64);
        r.next(2)
    }
    RefAsNonNull(r) {
        if r.get::<u64>(r.a()) == 0 {
            return r.trap(Trap::NullReference);
        }
        r.next(2)
    }
}
