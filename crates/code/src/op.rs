//! The op table: every instruction of the bytecode, its encoding and its operands.
//!
//! A function's bytecode is a list of 64-bit words. An instruction is one opcode word followed by
//! a fixed number of operand words, given by [`Op::words`]; only `br_table` is followed by a table.
//! While at rest the opcode word holds the number of the op; the runtime replaces it by the address
//! of the handler when it publishes the code.
//!
//! # Operands
//!
//! A value lives in a *slot* of the frame. Beside the slots there are three *accumulators*, one
//! for integers and references, one for `f32`, one for `f64`: the result of an instruction is always
//! left in the accumulator of its class, and its [`Dst`] says whether it is stored to a slot as
//! well. The letters of a form name where the operands come from, in the order of the wasm
//! instruction: `s` a slot, `r` the accumulator, `i` an immediate.
//!
//! Operand words (little-endian fields): `a b c d` are 16-bit slots, low to high; `imm32`, `off32`
//! are the upper half of the first word; `imm64` is a word of its own. Branch offsets count words
//! from the opcode word of the branch.
//!
//! | kind | first word | further words |
//! |---|---|---|
//! | `Bin` | a = dst, b = lhs, c = rhs; with an immediate: a = dst, b = the slot, imm32 | imm64 for 64-bit types |
//! | `Un` | a = dst, b = operand | |
//! | `Br` | a = lhs, b = rhs, off32 | immediate: imm64 |
//! | `Load` | a = dst, b = address, off32 = offset; sums: a, b, c = terms; general: a, b, c = memory | sums: lo = offset, hi = immediate; general: offset64 |
//! | `Store` | a = address, b = value, off32 = offset; general: a, b, c = memory | immediate: imm64; general: offset64 |
//! | `Step` | a = dst, b = term, off32 | lo = immediate added, hi = right-hand slot or immediate |
//! | `Fused` | a = dst, b, c = factors, d = term | |
//! | `Select` | a = dst, b = condition, c = first, d = second | |
//! | `FieldGet` | a = dst, b = object, imm32 = offset | |
//! | `FieldSet` | a = object, b = value, imm32 = offset | |
//! | `ElemGet` | a = dst, b = array, c = index | |
//! | `ElemSet` | a = array, b = index, c = value | |
//! | `Simd…` | a = dst, b, c, d = operands | lanes or shuffle where needed |
//! | `Atomic` | a = address, operands in the slots behind; b = memory | offset64 |
//! | `Plain` | see [`PlainOp`] | |

mod lists;
mod nan;
mod plain;
mod simd;

pub use lists::{
    AtomicOp, AtomicShape, BinOp, BrOp, FieldOp, FieldSetOp, FusedOp, LoadOp, SimdOp, SimdShape,
    StoreOp, UnOp,
};
pub use plain::{CastTarget, PlainOp};
pub use simd::SimdImmediate;

/// Which accumulator and which slot width a value uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Integers and references.
    Int = 0,
    /// `f32`.
    F32 = 1,
    /// `f64`.
    F64 = 2,
    /// `v128`: two slots, no accumulator.
    Vec = 3,
}

/// The scalar type an instruction computes with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the types'")]
pub enum Scalar {
    I32,
    I64,
    F32,
    F64,
}

impl Scalar {
    /// The accumulator class of the type.
    pub const fn class(self) -> Class {
        match self {
            Scalar::I32 | Scalar::I64 => Class::Int,
            Scalar::F32 => Class::F32,
            Scalar::F64 => Class::F64,
        }
    }

    /// Whether an immediate of this type needs a word of its own.
    pub const fn wide(self) -> bool {
        matches!(self, Scalar::I64 | Scalar::F64)
    }
}

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the letters are explained at the top of the file")]
        pub enum $name { $($variant),* }

        impl $name {
            /// All forms, in order of their encoding.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            const COUNT: u16 = Self::ALL.len() as u16;
        }
    )*};
}

forms! {
    /// Where a result goes: the accumulator alone, or a slot as well.
    Dst { Acc, Slot }
    /// Where a single operand comes from.
    Src { R, S }
    /// Where the two operands of a binary instruction come from.
    BinForm { Ss, Rs, Sr, Si, Ri, Is, Ir }
    /// Where the two operands of a compare-and-branch come from.
    BrForm { Ss, Rs, Si, Ri }
    /// What the sum of a step is compared with.
    StepForm { S, I }
    /// Where the first factor of a fused instruction comes from; the rest is in slots.
    FusedForm { Sss, Rss }
    /// Whether a branch goes forward, or back and must look for interruption.
    Dir { Fwd, Back }
    /// Where the address of a load comes from; two letters are a sum of 32 bits, `G` is any memory,
    /// 64-bit index and offset.
    AddrForm { R, S, Ss, Rs, Si, Ri, G }
    /// Where address and value of a store come from; `G` as for loads, both from slots.
    StoreForm { Ss, Rs, Sr, Rr, Si, Ri, G }
}

/// The opcode of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Op(pub u16);

/// An opcode taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the parts are explained at their types")]
pub enum OpKind {
    Bin(BinOp, BinForm, Dst),
    Un(UnOp, Src, Dst),
    Br(BrOp, BrForm, Dir),
    Load(LoadOp, AddrForm, Dst),
    Store(StoreOp, StoreForm),
    /// `i32.add` of a slot and an immediate to a slot, then a compare-and-branch back on the sum;
    /// the right-hand side is a slot or an immediate.
    Step(BrOp, StepForm),
    /// A multiplication and an addition or subtraction, each rounded.
    Fused(FusedOp, FusedForm, Dst),
    /// A `select` of one-slot values of a class, condition from `Src`.
    Select(Class, Src, Dst),
    Simd(SimdOp),
    /// A field of a struct; the object from `Src`.
    FieldGet(FieldOp, Src, Dst),
    /// The value from `Src`.
    FieldSet(FieldSetOp, Src),
    /// An element of an array; the index from `Src`.
    ElemGet(FieldOp, Src, Dst),
    /// The value from `Src`.
    ElemSet(FieldSetOp, Src),
    /// An atomic access; operands and result in consecutive home slots.
    Atomic(AtomicOp),
    Plain(PlainOp),
}

const BIN: u16 = 0;
const UN: u16 = BIN + BinOp::COUNT * BinForm::COUNT * Dst::COUNT;
const BR: u16 = UN + UnOp::COUNT * Src::COUNT * Dst::COUNT;
const LOAD: u16 = BR + BrOp::COUNT * BrForm::COUNT * Dir::COUNT;
const STORE: u16 = LOAD + LoadOp::COUNT * AddrForm::COUNT * Dst::COUNT;
const SELECT: u16 = STORE + StoreOp::COUNT * StoreForm::COUNT;
const STEP: u16 = SELECT + 3 * Src::COUNT * Dst::COUNT;
const FUSED: u16 = STEP + BrOp::I32_COUNT * StepForm::COUNT;
const SIMD: u16 = FUSED + FusedOp::COUNT * FusedForm::COUNT * Dst::COUNT;
const FIELD_GET: u16 = SIMD + SimdOp::COUNT;
const FIELD_SET: u16 = FIELD_GET + FieldOp::COUNT * Src::COUNT * Dst::COUNT;
const ELEM_GET: u16 = FIELD_SET + FieldSetOp::COUNT * Src::COUNT;
const ELEM_SET: u16 = ELEM_GET + FieldOp::COUNT * Src::COUNT * Dst::COUNT;
const ATOMIC: u16 = ELEM_SET + FieldSetOp::COUNT * Src::COUNT;
const PLAIN: u16 = ATOMIC + AtomicOp::COUNT;
const END: u16 = PLAIN + PlainOp::COUNT;

impl Op {
    /// How many opcodes there are.
    pub const COUNT: usize = END as usize;

    /// A binary instruction.
    pub const fn bin(op: BinOp, form: BinForm, dst: Dst) -> Op {
        Op(BIN + (op as u16 * BinForm::COUNT + form as u16) * Dst::COUNT + dst as u16)
    }

    /// A unary instruction.
    pub const fn un(op: UnOp, src: Src, dst: Dst) -> Op {
        Op(UN + (op as u16 * Src::COUNT + src as u16) * Dst::COUNT + dst as u16)
    }

    /// A compare-and-branch.
    pub const fn br(op: BrOp, form: BrForm, dir: Dir) -> Op {
        Op(BR + (op as u16 * BrForm::COUNT + form as u16) * Dir::COUNT + dir as u16)
    }

    /// A load of a scalar.
    pub const fn load(op: LoadOp, addr: AddrForm, dst: Dst) -> Op {
        Op(LOAD + (op as u16 * AddrForm::COUNT + addr as u16) * Dst::COUNT + dst as u16)
    }

    /// A store of a scalar.
    pub const fn store(op: StoreOp, form: StoreForm) -> Op {
        Op(STORE + op as u16 * StoreForm::COUNT + form as u16)
    }

    /// A `select` of one-slot values; `class` is not `Vec`.
    pub const fn select(class: Class, src: Src, dst: Dst) -> Op {
        Op(SELECT + (class as u16 * Src::COUNT + src as u16) * Dst::COUNT + dst as u16)
    }

    /// A step; `op` compares `i32`.
    pub const fn step(op: BrOp, form: StepForm) -> Op {
        assert!((op as u16) < BrOp::I32_COUNT);
        Op(STEP + op as u16 * StepForm::COUNT + form as u16)
    }

    /// A fused instruction.
    pub const fn fused(op: FusedOp, form: FusedForm, dst: Dst) -> Op {
        Op(FUSED + (op as u16 * FusedForm::COUNT + form as u16) * Dst::COUNT + dst as u16)
    }

    /// A vector instruction.
    pub const fn simd(op: SimdOp) -> Op {
        Op(SIMD + op as u16)
    }

    /// A load of a field of a struct.
    pub const fn field_get(op: FieldOp, src: Src, dst: Dst) -> Op {
        Op(FIELD_GET + (op as u16 * Src::COUNT + src as u16) * Dst::COUNT + dst as u16)
    }

    /// A store to a field of a struct.
    pub const fn field_set(op: FieldSetOp, src: Src) -> Op {
        Op(FIELD_SET + op as u16 * Src::COUNT + src as u16)
    }

    /// A load of an element of an array.
    pub const fn elem_get(op: FieldOp, src: Src, dst: Dst) -> Op {
        Op(ELEM_GET + (op as u16 * Src::COUNT + src as u16) * Dst::COUNT + dst as u16)
    }

    /// A store to an element of an array.
    pub const fn elem_set(op: FieldSetOp, src: Src) -> Op {
        Op(ELEM_SET + op as u16 * Src::COUNT + src as u16)
    }

    /// An atomic access.
    pub const fn atomic(op: AtomicOp) -> Op {
        Op(ATOMIC + op as u16)
    }

    /// Any other instruction.
    pub const fn plain(op: PlainOp) -> Op {
        Op(PLAIN + op as u16)
    }

    /// Takes the opcode apart; `None` when it is out of range.
    pub const fn kind(self) -> Option<OpKind> {
        let n = self.0;
        const fn split(n: u16, by: u16) -> (usize, usize) {
            ((n / by) as usize, (n % by) as usize)
        }
        Some(if n < UN {
            let (n, dst) = split(n - BIN, Dst::COUNT);
            let (op, form) = split(n as u16, BinForm::COUNT);
            OpKind::Bin(BinOp::ALL[op], BinForm::ALL[form], Dst::ALL[dst])
        } else if n < BR {
            let (n, dst) = split(n - UN, Dst::COUNT);
            let (op, src) = split(n as u16, Src::COUNT);
            OpKind::Un(UnOp::ALL[op], Src::ALL[src], Dst::ALL[dst])
        } else if n < LOAD {
            let (n, dir) = split(n - BR, Dir::COUNT);
            let (op, form) = split(n as u16, BrForm::COUNT);
            OpKind::Br(BrOp::ALL[op], BrForm::ALL[form], Dir::ALL[dir])
        } else if n < STORE {
            let (n, dst) = split(n - LOAD, Dst::COUNT);
            let (op, addr) = split(n as u16, AddrForm::COUNT);
            OpKind::Load(LoadOp::ALL[op], AddrForm::ALL[addr], Dst::ALL[dst])
        } else if n < SELECT {
            let (op, form) = split(n - STORE, StoreForm::COUNT);
            OpKind::Store(StoreOp::ALL[op], StoreForm::ALL[form])
        } else if n < STEP {
            let (n, dst) = split(n - SELECT, Dst::COUNT);
            let (class, src) = split(n as u16, Src::COUNT);
            let class = match class {
                0 => Class::Int,
                1 => Class::F32,
                _ => Class::F64,
            };
            OpKind::Select(class, Src::ALL[src], Dst::ALL[dst])
        } else if n < FUSED {
            let (op, form) = split(n - STEP, StepForm::COUNT);
            OpKind::Step(BrOp::ALL[op], StepForm::ALL[form])
        } else if n < SIMD {
            let (n, dst) = split(n - FUSED, Dst::COUNT);
            let (op, form) = split(n as u16, FusedForm::COUNT);
            OpKind::Fused(FusedOp::ALL[op], FusedForm::ALL[form], Dst::ALL[dst])
        } else if n < FIELD_GET {
            OpKind::Simd(SimdOp::ALL[(n - SIMD) as usize])
        } else if n < FIELD_SET {
            let (n, dst) = split(n - FIELD_GET, Dst::COUNT);
            let (op, src) = split(n as u16, Src::COUNT);
            OpKind::FieldGet(FieldOp::ALL[op], Src::ALL[src], Dst::ALL[dst])
        } else if n < ELEM_GET {
            let (op, src) = split(n - FIELD_SET, Src::COUNT);
            OpKind::FieldSet(FieldSetOp::ALL[op], Src::ALL[src])
        } else if n < ELEM_SET {
            let (n, dst) = split(n - ELEM_GET, Dst::COUNT);
            let (op, src) = split(n as u16, Src::COUNT);
            OpKind::ElemGet(FieldOp::ALL[op], Src::ALL[src], Dst::ALL[dst])
        } else if n < ATOMIC {
            let (op, src) = split(n - ELEM_SET, Src::COUNT);
            OpKind::ElemSet(FieldSetOp::ALL[op], Src::ALL[src])
        } else if n < PLAIN {
            OpKind::Atomic(AtomicOp::ALL[(n - ATOMIC) as usize])
        } else if n < END {
            OpKind::Plain(PlainOp::ALL[(n - PLAIN) as usize])
        } else {
            return None;
        })
    }

    /// Words of the instruction, the opcode included and the table of `br_table` excluded.
    pub const fn words(self) -> usize {
        match self.kind() {
            None => 1,
            Some(OpKind::Bin(op, form, _)) => match form {
                BinForm::Ss | BinForm::Rs | BinForm::Sr => 2,
                _ if op.operand().wide() => 3,
                _ => 2,
            },
            Some(OpKind::Un(..)) => 2,
            Some(OpKind::Br(_, form, _)) => match form {
                BrForm::Ss | BrForm::Rs => 2,
                BrForm::Si | BrForm::Ri => 3,
            },
            Some(OpKind::Load(_, addr, _)) => match addr {
                AddrForm::R | AddrForm::S => 2,
                _ => 3,
            },
            Some(OpKind::Store(_, form)) => match form {
                StoreForm::Si | StoreForm::Ri | StoreForm::G => 3,
                _ => 2,
            },
            Some(
                OpKind::Select(..)
                | OpKind::Fused(..)
                | OpKind::FieldGet(..)
                | OpKind::FieldSet(..)
                | OpKind::ElemGet(..)
                | OpKind::ElemSet(..),
            ) => 2,
            Some(OpKind::Step(..) | OpKind::Atomic(..)) => 3,
            Some(OpKind::Simd(op)) => op.shape().words(),
            Some(OpKind::Plain(op)) => op.words(),
        }
    }

    /// The same instruction with its result stored to a slot too, for ops that have a [`Dst`].
    pub const fn with_slot(self) -> Option<Op> {
        Some(match self.kind() {
            Some(OpKind::Bin(op, form, _)) => Op::bin(op, form, Dst::Slot),
            Some(OpKind::Un(op, src, _)) => Op::un(op, src, Dst::Slot),
            Some(OpKind::Load(op, addr, _)) => Op::load(op, addr, Dst::Slot),
            Some(OpKind::Select(class, src, _)) => Op::select(class, src, Dst::Slot),
            Some(OpKind::Fused(op, form, _)) => Op::fused(op, form, Dst::Slot),
            Some(OpKind::FieldGet(op, src, _)) => Op::field_get(op, src, Dst::Slot),
            Some(OpKind::ElemGet(op, src, _)) => Op::elem_get(op, src, Dst::Slot),
            Some(OpKind::Plain(op)) => match op.with_slot() {
                Some(op) => Op::plain(op),
                None => return None,
            },
            _ => return None,
        })
    }
}
