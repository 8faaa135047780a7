//! The instructions that come in one form only, and their operand words.

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident $words:literal,)*) => {
        /// An instruction with operands in fixed places. In the descriptions `lo` and `hi` are the
        /// 32-bit halves of a word; `base` is the first of consecutive home slots that hold the
        /// wasm operands and receive the results.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        pub enum PlainOp { $($(#[$doc])* $name),* }

        impl PlainOp {
            /// All of them, in order of their encoding.
            pub const ALL: &'static [PlainOp] = &[$(PlainOp::$name),*];
            pub(super) const COUNT: u16 = Self::ALL.len() as u16;

            /// Words of the instruction, without the table of `br_table`.
            pub const fn words(self) -> usize {
                match self { $(PlainOp::$name => $words),* }
            }
        }
    };
}

plain! {
    /// Trap with the code in hi.
    Trap 2,
    /// Spend hi units of fuel.
    Fuel 2,
    /// Jump by hi words.
    BrFwd 2,
    /// Jump back by hi words, looking for interruption.
    BrBack 2,
    /// Jump through a table: index in the accumulator, hi = last entry (the default); entries are
    /// 32-bit word offsets from this instruction, two to a word.
    BrTableR 2,
    /// The same, index in slot a.
    BrTableS 2,
    /// Slot a = slot b.
    Copy 2,
    /// Slot a = slot b, then slot c = slot d.
    Copy2 2,
    /// Slot lo = slot hi, any slots.
    CopyWide 2,
    /// Slots from lo = as many slots from hi, as second word lo says; ranges may overlap.
    CopySpan 3,
    /// Slot a = hi, zero-extended.
    Const32 2,
    /// Slot a = the second word.
    Const64 3,
    /// Slots a, a+1 = the two words that follow.
    ConstVec 4,
    /// Slot lo = the integer accumulator.
    SpillInt 2,
    /// Slot lo = the `f32` accumulator.
    SpillF32 2,
    /// Slot lo = the `f64` accumulator.
    SpillF64 2,
    /// `f32` accumulator = the same, or the canonical NaN for any NaN.
    CanonF32 2,
    /// The same, stored to slot a too.
    CanonF32Slot 2,
    /// `f64` accumulator = the same, or the canonical NaN for any NaN.
    CanonF64 2,
    /// The same, stored to slot a too.
    CanonF64Slot 2,
    /// Slots a, a+1 = slots b, b+1 with canonical NaNs, as lanes of `f32`.
    CanonF32x4 2,
    /// Slots a, a+1 = slots b, b+1 with canonical NaNs, as lanes of `f64`.
    CanonF64x2 2,
    /// Integer accumulator = global hi.
    GlobalGetInt 2,
    /// The same, stored to slot a too.
    GlobalGetIntSlot 2,
    /// `f32` accumulator = global hi.
    GlobalGetF32 2,
    /// The same, stored to slot a too.
    GlobalGetF32Slot 2,
    /// `f64` accumulator = global hi.
    GlobalGetF64 2,
    /// The same, stored to slot a too.
    GlobalGetF64Slot 2,
    /// Slots a, a+1 = global hi.
    GlobalGetVec 2,
    /// Global hi = slot a.
    GlobalSet 2,
    /// Global hi = the integer accumulator.
    GlobalSetInt 2,
    /// Global hi = the `f32` accumulator.
    GlobalSetF32 2,
    /// Global hi = the `f64` accumulator.
    GlobalSetF64 2,
    /// Global hi = slots a, a+1.
    GlobalSetVec 2,
    /// Call defined function lo with the frame at slot hi.
    Call 2,
    /// Call imported function lo with the frame at slot hi.
    CallImport 2,
    /// Call through a table: index in the accumulator, hi = frame; second word: lo = table,
    /// hi = module type index.
    CallIndirectR 3,
    /// The same, index in slot a.
    CallIndirectS 3,
    /// Call the reference in slot a, hi = frame.
    CallRef 2,
    /// Tail call of defined function lo, arguments from slot hi; second word: lo = argument slots,
    /// hi = header slot of this frame.
    ReturnCall 3,
    /// Tail call of imported function lo, otherwise as above.
    ReturnCallImport 3,
    /// Tail call through a table: index in slot a, hi = arguments; second word: lo = table,
    /// hi = type; third word: lo = argument slots, hi = header slot.
    ReturnCallIndirect 4,
    /// Tail call of the reference in slot a, hi = arguments; second word: lo = argument slots,
    /// hi = header slot.
    ReturnCallRef 3,
    /// Return nothing; hi = header slot.
    Return 2,
    /// Return the integer accumulator; hi = header slot.
    ReturnIntR 2,
    /// Return the integer in slot a; hi = header slot.
    ReturnIntS 2,
    /// Return the `f32` accumulator; hi = header slot.
    ReturnF32R 2,
    /// Return the `f32` in slot a; hi = header slot.
    ReturnF32S 2,
    /// Return the `f64` accumulator; hi = header slot.
    ReturnF64R 2,
    /// Return the `f64` in slot a; hi = header slot.
    ReturnF64S 2,
    /// Return hi slots from slot lo; second word: lo = header slot.
    ReturnSpan 3,
    /// Enter native code; the operand word is an address. Only in published code.
    EnterNative 2,
    /// Find out what is wanted of a branch back that found the interrupt word set. Only in code of the
    /// runtime.
    Look 1,
    /// Leave the interpreter: where the outermost frame returns to.
    Exit 1,
    /// Throw an exception with tag lo and the payload from slot hi on; second word: lo = slots of
    /// the payload.
    Throw 3,
    /// Throw the exception in slot hi.
    ThrowRef 2,
    /// base a: a function to a continuation of type hi that will call it.
    ContNew 2,
    /// Values from slot lo on and a continuation behind them, to one that wants fewer, in slot lo;
    /// hi = slots of the values; second word: lo = type of the continuation, hi = type of the new one.
    ContBind 3,
    /// Suspend with tag lo and the payload from slot hi on, where the results will be; second word:
    /// lo = slots of the payload.
    Suspend 3,
    /// Resume the continuation behind the arguments, which are from slot lo on, where the results
    /// will be; hi = slots of the arguments; second word: hi = slots of the results; third word:
    /// lo = number of handlers, which follow. Three words for each: lo = tag, hi = offset of the
    /// target; lo = first slot of the payload, hi = slot of the continuation, or all ones if the
    /// handler is for switching; lo = type of the continuation.
    Resume 4,
    /// The same, but throws an exception there with the tag in the second word's lo, whose payload
    /// is what the arguments are.
    ResumeThrow 4,
    /// The same, but throws the exception there to which the one argument refers.
    ResumeThrowRef 4,
    /// Suspend for tag lo and resume the continuation behind the arguments, which are from slot hi
    /// on, where the results will be; second word: lo = slots of the arguments, hi = type of the
    /// continuation that is suspended.
    Switch 3,
    /// Leave a continuation: where its outermost frame returns to.
    ContReturn 1,
    /// Slot a = pages of memory b, hi = base-two logarithm of the page size.
    MemorySize 2,
    /// base a, memory b, c = 1 if the index type is 64-bit.
    MemoryGrow 2,
    /// base a, memory b.
    MemoryFill 2,
    /// base a, destination memory b, source memory c.
    MemoryCopy 2,
    /// base a, memory b, hi = data segment.
    MemoryInit 2,
    /// hi = data segment.
    DataDrop 2,
    /// A sequentially consistent fence.
    AtomicFence 2,
    /// base a, memory b; second word: offset.
    MemoryAtomicNotify 3,
    /// base a, memory b; second word: offset.
    MemoryAtomicWait32 3,
    /// base a, memory b; second word: offset.
    MemoryAtomicWait64 3,
    /// base a, table b.
    TableGet 2,
    /// base a, table b.
    TableSet 2,
    /// Slot a = elements of table b.
    TableSize 2,
    /// base a, table b, c = 1 if the index type is 64-bit.
    TableGrow 2,
    /// base a, table b.
    TableFill 2,
    /// base a, destination table b, source table c.
    TableCopy 2,
    /// base a, table b, hi = element segment.
    TableInit 2,
    /// hi = element segment.
    ElemDrop 2,
    /// Slot a = reference to function hi.
    RefFunc 2,
    /// Trap if slot a is null.
    RefAsNonNull 2,
    /// Slot hi = a new struct of module type lo; its fields are in the slots from hi on. A safepoint,
    /// like all that make objects.
    StructNew 2,
    /// Slot hi = a new struct of module type lo, all zero and null.
    StructNewDefault 2,
    /// Slot hi = a new array of module type lo; the slots from hi on hold the value of all elements
    /// and their number.
    ArrayNew 2,
    /// Slot hi = a new array of module type lo, all zero and null; its length is in slot hi.
    ArrayNewDefault 2,
    /// Slot hi = a new array of module type lo of as many elements as second word lo says, which are
    /// in the slots from hi on.
    ArrayNewFixed 3,
    /// Slot hi = a new array of module type lo, from data segment second word lo; offset and length
    /// are in the slots from hi on.
    ArrayNewData 3,
    /// The same from an element segment.
    ArrayNewElem 3,
    /// Slots a, a+1 = the vector at offset hi of the struct in slot b.
    StructGetVec 2,
    /// Slot a = the function at offset hi of the struct in slot b.
    StructGetFunc 2,
    /// The vector at offset hi of the struct in slot a = slots b, b+1.
    StructSetVec 2,
    /// The function at offset hi of the struct in slot a = slot b.
    StructSetFunc 2,
    /// Integer accumulator = length of the array in slot b.
    ArrayLen 2,
    /// The same, stored to slot a too.
    ArrayLenSlot 2,
    /// Slots a, a+1 = element slot c of the array in slot b.
    ArrayGetVec 2,
    /// Slot a = element slot c of the array in slot b.
    ArrayGetFunc 2,
    /// Element slot b of the array in slot a = slots c, c+1.
    ArraySetVec 2,
    /// Element slot b of the array in slot a = slot c.
    ArraySetFunc 2,
    /// Elements of an array of module type lo; from slot hi on: array, start, value, count.
    ArrayFill 2,
    /// Elements of an array of module type lo; from slot hi on: destination, start, source, start,
    /// count.
    ArrayCopy 2,
    /// Elements of an array of module type lo from data segment second word lo; from slot hi on:
    /// array, start, start in the segment, count.
    ArrayInitData 3,
    /// The same from an element segment.
    ArrayInitElem 3,
    /// Integer accumulator = whether the reference in slot b is of a type: see [`CastTarget`], encoded
    /// in second word lo; hi = module type index.
    RefTest 3,
    /// The same, stored to slot a too.
    RefTestSlot 3,
    /// Trap unless the reference in slot a is of a type: second word lo as for `RefTest`, hi = module
    /// type index.
    RefCast 3,
    /// Slots a, a+1 = condition in slot b ? slots c, c+1 : slots d, d+1.
    SelectVec 2,
    /// base a: two 128-bit integers to their sum.
    I64Add128 2,
    /// base a: two 128-bit integers to their difference.
    I64Sub128 2,
    /// base a: two signed 64-bit integers to their 128-bit product.
    I64MulWideS 2,
    /// base a: two unsigned 64-bit integers to their 128-bit product.
    I64MulWideU 2,
}

impl PlainOp {
    /// The variant that stores its result to slot a too.
    pub const fn with_slot(self) -> Option<PlainOp> {
        Some(match self {
            PlainOp::GlobalGetInt => PlainOp::GlobalGetIntSlot,
            PlainOp::GlobalGetF32 => PlainOp::GlobalGetF32Slot,
            PlainOp::GlobalGetF64 => PlainOp::GlobalGetF64Slot,
            PlainOp::ArrayLen => PlainOp::ArrayLenSlot,
            PlainOp::RefTest => PlainOp::RefTestSlot,
            PlainOp::CanonF32 => PlainOp::CanonF32Slot,
            PlainOp::CanonF64 => PlainOp::CanonF64Slot,
            _ => return None,
        })
    }
}

/// How a cast decides whether a reference that is not null is of a type. The reference is known to be
/// of the type's hierarchy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CastTarget {
    /// None is.
    Bottom,
    /// All are.
    Top,
    /// All but values of the host.
    Eq,
    /// `i31`.
    I31,
    /// Any struct.
    Struct,
    /// Any array.
    Array,
    /// Objects of the module type, or of a subtype.
    Object,
    /// Functions of the module type, or of a subtype.
    Func,
}

impl CastTarget {
    const ALL: [CastTarget; 8] = [
        CastTarget::Bottom,
        CastTarget::Top,
        CastTarget::Eq,
        CastTarget::I31,
        CastTarget::Struct,
        CastTarget::Array,
        CastTarget::Object,
        CastTarget::Func,
    ];

    /// As operand, with whether null is of the type.
    pub const fn encode(self, nullable: bool) -> u32 {
        self as u32 | (nullable as u32) << 8
    }

    /// From an operand; `None` if it is out of range.
    #[inline(always)]
    pub const fn decode(operand: u32) -> Option<(CastTarget, bool)> {
        let n = operand & 0xff;
        if n < 8 { Some((Self::ALL[n as usize], operand & 0x100 != 0)) } else { None }
    }
}
