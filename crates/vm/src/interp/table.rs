//! Opcode → handler, for each memory kind.

use dunlin_code::bytecode::table_words;
use dunlin_code::op::{
    AddrForm, AtomicOp, BinForm, BinOp, BrForm, BrOp, Class, Dir, Dst, FieldOp, FieldSetOp,
    FusedForm, FusedOp, LoadOp, Op, OpKind, PlainOp, SimdOp, Src, StepForm, StoreForm, StoreOp,
    UnOp,
};
use dunlin_code::{
    MemoryKind, for_each_atomic_op, for_each_bin_op, for_each_br_op, for_each_field_op,
    for_each_field_set_op, for_each_fused_op, for_each_load_op, for_each_simd_op,
    for_each_store_op, for_each_un_op,
};

use super::access::{Access, Checked, Extend, Stored};
use super::dispatch::{Handler, handler};
use super::ops::control::{Branch, Compare, Step, compare};
use super::ops::gc::{Cell, ElemGet, ElemSet, FieldGet, FieldSet, cell};
use super::ops::memory::{Load, LoadAny, LoadSum, Store, StoreAny, SumRi, SumRs, SumSi, SumSs};
use super::ops::numeric::{
    Bin, Binary, FromAcc, FromSlot, Fused, Fusion, Select, ToAcc, ToSlot, Un, Unary, binary,
    fusion, unary,
};
use super::ops::{
    atomic, call, continuation, control, exception, gc, memory, numeric, simd, table,
};
use super::regs::Value;

type Table = [Handler; Op::COUNT];

static COMPACT: Table = build::<Checked>();
#[cfg(all(feature = "guard", target_os = "linux", target_arch = "x86_64"))]
static GUARD: Table = build::<super::access::Guarded>();
#[cfg(not(all(feature = "guard", target_os = "linux", target_arch = "x86_64")))]
static GUARD: Table = build::<Checked>();

fn table_of(kind: MemoryKind) -> &'static Table {
    match kind {
        MemoryKind::Guard => &GUARD,
        MemoryKind::Compact => &COMPACT,
    }
}

/// What the opcode word of `op` holds in published code.
pub(super) fn handler_word(op: Op, kind: MemoryKind) -> u64 {
    table_of(kind)[usize::from(op.0)] as usize as u64
}

/// Replaces opcode numbers by handler addresses. Returns `false`, leaving the words in an unusable
/// state, if they are not a list of instructions.
pub(crate) fn publish(words: &mut [u64], kind: MemoryKind) -> bool {
    let table = table_of(kind);
    let mut at = 0;
    while at < words.len() {
        let Ok(code) = u16::try_from(words[at]) else { return false };
        let (op, Some(handler)) = (Op(code), table.get(usize::from(code))) else { return false };
        let end = at + op.words();
        if end > words.len() {
            return false;
        }
        let end = end + table_words(op, &words[at..]);
        words[at] = *handler as usize as u64;
        at = end;
    }
    at == words.len()
}

const fn build<A: Access>() -> Table {
    let mut table = [handler::<control::TrapNow>(); Op::COUNT];
    let mut n = 0;
    while n < Op::COUNT {
        if let Some(kind) = Op(n as u16).kind() {
            table[n] = of_kind::<A>(kind);
        }
        n += 1;
    }
    table
}

const fn of_kind<A: Access>(kind: OpKind) -> Handler {
    match kind {
        OpKind::Bin(op, form, dst) => of_bin(op, form, dst),
        OpKind::Un(op, src, dst) => of_un(op, src, dst),
        OpKind::Br(op, form, dir) => of_br(op, form, dir),
        OpKind::Load(op, addr, dst) => of_load::<A>(op, addr, dst),
        OpKind::Store(op, form) => of_store::<A>(op, form),
        OpKind::Select(class, src, dst) => match class {
            Class::Int => select::<u64>(src, dst),
            Class::F32 => select::<f32>(src, dst),
            Class::F64 | Class::Vec => select::<f64>(src, dst),
        },
        OpKind::Step(op, form) => of_step(op, form),
        OpKind::Fused(op, form, dst) => of_fused(op, form, dst),
        OpKind::Simd(op) => of_simd(op),
        OpKind::FieldGet(op, src, dst) => of_field_get(op, src, dst),
        OpKind::FieldSet(op, src) => of_field_set(op, src),
        OpKind::ElemGet(op, src, dst) => of_elem_get(op, src, dst),
        OpKind::ElemSet(op, src) => of_elem_set(op, src),
        OpKind::Atomic(op) => of_atomic(op),
        OpKind::Plain(op) => of_plain(op),
    }
}

const fn of_bin(op: BinOp, form: BinForm, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
            match op { $(BinOp::$name => bin::<binary::$name>(form, dst),)* }
        };
    }
    for_each_bin_op!(rows)
}

const fn bin<O: Binary>(form: BinForm, dst: Dst) -> Handler {
    use numeric::{Ir, Is, Ri, Rs, Si, Sr, Ss};
    match (form, dst) {
        (BinForm::Ss, Dst::Acc) => handler::<Bin<O, Ss, ToAcc>>(),
        (BinForm::Rs, Dst::Acc) => handler::<Bin<O, Rs, ToAcc>>(),
        (BinForm::Sr, Dst::Acc) => handler::<Bin<O, Sr, ToAcc>>(),
        (BinForm::Si, Dst::Acc) => handler::<Bin<O, Si, ToAcc>>(),
        (BinForm::Ri, Dst::Acc) => handler::<Bin<O, Ri, ToAcc>>(),
        (BinForm::Is, Dst::Acc) => handler::<Bin<O, Is, ToAcc>>(),
        (BinForm::Ir, Dst::Acc) => handler::<Bin<O, Ir, ToAcc>>(),
        (BinForm::Ss, Dst::Slot) => handler::<Bin<O, Ss, ToSlot>>(),
        (BinForm::Rs, Dst::Slot) => handler::<Bin<O, Rs, ToSlot>>(),
        (BinForm::Sr, Dst::Slot) => handler::<Bin<O, Sr, ToSlot>>(),
        (BinForm::Si, Dst::Slot) => handler::<Bin<O, Si, ToSlot>>(),
        (BinForm::Ri, Dst::Slot) => handler::<Bin<O, Ri, ToSlot>>(),
        (BinForm::Is, Dst::Slot) => handler::<Bin<O, Is, ToSlot>>(),
        (BinForm::Ir, Dst::Slot) => handler::<Bin<O, Ir, ToSlot>>(),
    }
}

const fn of_un(op: UnOp, src: Src, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $fun:ident $operand:tt $result:tt,)*) => {
            match op { $(UnOp::$name => un::<unary::$name>(src, dst),)* }
        };
    }
    for_each_un_op!(rows)
}

const fn un<O: Unary>(src: Src, dst: Dst) -> Handler {
    match (src, dst) {
        (Src::R, Dst::Acc) => handler::<Un<O, FromAcc, ToAcc>>(),
        (Src::R, Dst::Slot) => handler::<Un<O, FromAcc, ToSlot>>(),
        (Src::S, Dst::Acc) => handler::<Un<O, FromSlot, ToAcc>>(),
        (Src::S, Dst::Slot) => handler::<Un<O, FromSlot, ToSlot>>(),
    }
}

const fn select<T: Value>(src: Src, dst: Dst) -> Handler {
    match (src, dst) {
        (Src::R, Dst::Acc) => handler::<Select<T, FromAcc, ToAcc>>(),
        (Src::R, Dst::Slot) => handler::<Select<T, FromAcc, ToSlot>>(),
        (Src::S, Dst::Acc) => handler::<Select<T, FromSlot, ToAcc>>(),
        (Src::S, Dst::Slot) => handler::<Select<T, FromSlot, ToSlot>>(),
    }
}

const fn of_br(op: BrOp, form: BrForm, dir: Dir) -> Handler {
    macro_rules! rows {
        ($($name:ident $fun:ident $operand:tt $when:tt,)*) => {
            match op { $(BrOp::$name => br::<compare::$name>(form, dir),)* }
        };
    }
    for_each_br_op!(rows)
}

const fn br<O: Compare>(form: BrForm, dir: Dir) -> Handler {
    use control::{Ri, Rs, Si, Ss};
    match (form, dir) {
        (BrForm::Ss, Dir::Fwd) => handler::<Branch<O, Ss, false>>(),
        (BrForm::Rs, Dir::Fwd) => handler::<Branch<O, Rs, false>>(),
        (BrForm::Si, Dir::Fwd) => handler::<Branch<O, Si, false>>(),
        (BrForm::Ri, Dir::Fwd) => handler::<Branch<O, Ri, false>>(),
        (BrForm::Ss, Dir::Back) => handler::<Branch<O, Ss, true>>(),
        (BrForm::Rs, Dir::Back) => handler::<Branch<O, Rs, true>>(),
        (BrForm::Si, Dir::Back) => handler::<Branch<O, Si, true>>(),
        (BrForm::Ri, Dir::Back) => handler::<Branch<O, Ri, true>>(),
    }
}

const fn of_step(op: BrOp, form: StepForm) -> Handler {
    macro_rules! rows {
        ($($name:ident)*) => {
            match op {
                $(BrOp::$name => match form {
                    StepForm::S => handler::<Step<compare::$name, false>>(),
                    StepForm::I => handler::<Step<compare::$name, true>>(),
                },)*
                _ => handler::<control::TrapNow>(),
            }
        };
    }
    rows!(I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU)
}

const fn of_fused(op: FusedOp, form: FusedForm, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $ty:tt $mul:ident $then:ident,)*) => {
            match op { $(FusedOp::$name => fused::<fusion::$name>(form, dst),)* }
        };
    }
    for_each_fused_op!(rows)
}

const fn fused<O: Fusion>(form: FusedForm, dst: Dst) -> Handler {
    match (form, dst) {
        (FusedForm::Sss, Dst::Acc) => handler::<Fused<O, ToAcc, false>>(),
        (FusedForm::Rss, Dst::Acc) => handler::<Fused<O, ToAcc, true>>(),
        (FusedForm::Sss, Dst::Slot) => handler::<Fused<O, ToSlot, false>>(),
        (FusedForm::Rss, Dst::Slot) => handler::<Fused<O, ToSlot, true>>(),
    }
}

const fn of_load<A: Access>(op: LoadOp, addr: AddrForm, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $memory:tt $result:tt,)*) => {
            match op { $(LoadOp::$name => load::<$memory, $result, A>(addr, dst),)* }
        };
    }
    for_each_load_op!(rows)
}

const fn load<M: Stored + Extend<T>, T: Value, A: Access>(addr: AddrForm, dst: Dst) -> Handler {
    match (addr, dst) {
        (AddrForm::R, Dst::Acc) => handler::<Load<M, T, A, FromAcc, ToAcc>>(),
        (AddrForm::S, Dst::Acc) => handler::<Load<M, T, A, FromSlot, ToAcc>>(),
        (AddrForm::Ss, Dst::Acc) => handler::<LoadSum<M, T, A, SumSs, ToAcc>>(),
        (AddrForm::Rs, Dst::Acc) => handler::<LoadSum<M, T, A, SumRs, ToAcc>>(),
        (AddrForm::Si, Dst::Acc) => handler::<LoadSum<M, T, A, SumSi, ToAcc>>(),
        (AddrForm::Ri, Dst::Acc) => handler::<LoadSum<M, T, A, SumRi, ToAcc>>(),
        (AddrForm::Ss, Dst::Slot) => handler::<LoadSum<M, T, A, SumSs, ToSlot>>(),
        (AddrForm::Rs, Dst::Slot) => handler::<LoadSum<M, T, A, SumRs, ToSlot>>(),
        (AddrForm::Si, Dst::Slot) => handler::<LoadSum<M, T, A, SumSi, ToSlot>>(),
        (AddrForm::Ri, Dst::Slot) => handler::<LoadSum<M, T, A, SumRi, ToSlot>>(),
        (AddrForm::G, Dst::Acc) => handler::<LoadAny<M, T, ToAcc>>(),
        (AddrForm::R, Dst::Slot) => handler::<Load<M, T, A, FromAcc, ToSlot>>(),
        (AddrForm::S, Dst::Slot) => handler::<Load<M, T, A, FromSlot, ToSlot>>(),
        (AddrForm::G, Dst::Slot) => handler::<LoadAny<M, T, ToSlot>>(),
    }
}

const fn of_store<A: Access>(op: StoreOp, form: StoreForm) -> Handler {
    macro_rules! rows {
        ($($name:ident $value:tt $memory:tt,)*) => {
            match op { $(StoreOp::$name => store::<$memory, $value, A>(form),)* }
        };
    }
    for_each_store_op!(rows)
}

const fn store<M: Stored + Extend<T>, T: Value, A: Access>(form: StoreForm) -> Handler {
    use memory::{Ri, Rr, Rs, Si, Sr, Ss};
    match form {
        StoreForm::Ss => handler::<Store<M, T, A, Ss>>(),
        StoreForm::Rs => handler::<Store<M, T, A, Rs>>(),
        StoreForm::Sr => handler::<Store<M, T, A, Sr>>(),
        StoreForm::Rr => handler::<Store<M, T, A, Rr>>(),
        StoreForm::Si => handler::<Store<M, T, A, Si>>(),
        StoreForm::Ri => handler::<Store<M, T, A, Ri>>(),
        StoreForm::G => handler::<StoreAny<M, T>>(),
    }
}

const fn of_field_get(op: FieldOp, src: Src, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $memory:tt $result:tt,)*) => {
            match op { $(FieldOp::$name => field_get::<$memory, $result>(src, dst),)* }
        };
    }
    for_each_field_op!(rows)
}

const fn field_get<M: Extend<T> + Copy, T: Value>(src: Src, dst: Dst) -> Handler {
    match (src, dst) {
        (Src::R, Dst::Acc) => handler::<FieldGet<M, T, FromAcc, ToAcc>>(),
        (Src::R, Dst::Slot) => handler::<FieldGet<M, T, FromAcc, ToSlot>>(),
        (Src::S, Dst::Acc) => handler::<FieldGet<M, T, FromSlot, ToAcc>>(),
        (Src::S, Dst::Slot) => handler::<FieldGet<M, T, FromSlot, ToSlot>>(),
    }
}

const fn of_elem_get(op: FieldOp, src: Src, dst: Dst) -> Handler {
    macro_rules! rows {
        ($($name:ident $memory:tt $result:tt,)*) => {
            match op { $(FieldOp::$name => elem_get::<$memory, $result>(src, dst),)* }
        };
    }
    for_each_field_op!(rows)
}

const fn elem_get<M: Extend<T> + Copy, T: Value>(src: Src, dst: Dst) -> Handler {
    match (src, dst) {
        (Src::R, Dst::Acc) => handler::<ElemGet<M, T, FromAcc, ToAcc>>(),
        (Src::R, Dst::Slot) => handler::<ElemGet<M, T, FromAcc, ToSlot>>(),
        (Src::S, Dst::Acc) => handler::<ElemGet<M, T, FromSlot, ToAcc>>(),
        (Src::S, Dst::Slot) => handler::<ElemGet<M, T, FromSlot, ToSlot>>(),
    }
}

const fn of_field_set(op: FieldSetOp, src: Src) -> Handler {
    macro_rules! rows {
        ($($name:ident $value:tt $memory:tt,)*) => {
            match op { $(FieldSetOp::$name => field_set::<cell::$name>(src),)* }
        };
    }
    for_each_field_set_op!(rows)
}

const fn field_set<C: Cell>(src: Src) -> Handler {
    match src {
        Src::R => handler::<FieldSet<C, FromAcc>>(),
        Src::S => handler::<FieldSet<C, FromSlot>>(),
    }
}

const fn of_elem_set(op: FieldSetOp, src: Src) -> Handler {
    macro_rules! rows {
        ($($name:ident $value:tt $memory:tt,)*) => {
            match op { $(FieldSetOp::$name => elem_set::<cell::$name>(src),)* }
        };
    }
    for_each_field_set_op!(rows)
}

const fn elem_set<C: Cell>(src: Src) -> Handler {
    match src {
        Src::R => handler::<ElemSet<C, FromAcc>>(),
        Src::S => handler::<ElemSet<C, FromSlot>>(),
    }
}

const fn of_simd(op: SimdOp) -> Handler {
    macro_rules! rows {
        ($($name:ident $fun:ident $shape:ident,)*) => {
            match op { $(SimdOp::$name => handler::<simd::$name>(),)* }
        };
    }
    for_each_simd_op!(rows)
}

const fn of_atomic(op: AtomicOp) -> Handler {
    macro_rules! rows {
        ($($name:ident $shape:ident $memory:ident $value:ident $fun:ident,)*) => {
            match op { $(AtomicOp::$name => handler::<atomic::$name>(),)* }
        };
    }
    for_each_atomic_op!(rows)
}

const fn of_plain(op: PlainOp) -> Handler {
    macro_rules! rows {
        ($($family:ident: $($name:ident)*;)*) => {
            match op {
                PlainOp::Trap => handler::<control::TrapNow>(),
                $($(PlainOp::$name => handler::<$family::$name>(),)*)*
            }
        };
    }
    rows! {
        control: Fuel BrFwd BrBack BrTableR BrTableS Return ReturnIntR ReturnIntS ReturnF32R
            ReturnF32S ReturnF64R ReturnF64S ReturnSpan Exit EnterNative Look;
        numeric: Copy Copy2 CopyWide CopySpan Const32 Const64 ConstVec CanonF32 CanonF32Slot
            CanonF64 CanonF64Slot CanonF32x4 CanonF64x2 SpillInt SpillF32 SpillF64
            SelectVec I64Add128 I64Sub128 I64MulWideS I64MulWideU;
        table: GlobalGetInt GlobalGetIntSlot GlobalGetF32 GlobalGetF32Slot GlobalGetF64
            GlobalGetF64Slot GlobalGetVec GlobalSet GlobalSetInt GlobalSetF32 GlobalSetF64
            GlobalSetVec TableGet TableSet TableSize TableGrow TableFill TableCopy TableInit
            ElemDrop RefFunc RefAsNonNull;
        call: Call CallImport CallIndirectR CallIndirectS CallRef ReturnCall ReturnCallImport
            ReturnCallIndirect ReturnCallRef;
        gc: StructNew StructNewDefault ArrayNew ArrayNewDefault ArrayNewFixed ArrayNewData
            ArrayNewElem StructGetVec StructGetFunc StructSetVec StructSetFunc ArrayLen ArrayLenSlot
            ArrayGetVec ArrayGetFunc ArraySetVec ArraySetFunc ArrayFill ArrayCopy ArrayInitData
            ArrayInitElem RefTest RefTestSlot RefCast;
        exception: Throw ThrowRef;
        continuation: ContNew ContBind Suspend Resume ResumeThrow ResumeThrowRef Switch ContReturn;
        atomic: AtomicFence MemoryAtomicNotify MemoryAtomicWait32 MemoryAtomicWait64;
        memory: MemorySize MemoryGrow MemoryFill MemoryCopy MemoryInit DataDrop;
    }
}
