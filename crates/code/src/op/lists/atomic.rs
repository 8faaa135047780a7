//! The atomic instructions, one row each.

/// Atomic accesses: `Variant shape memory-type value-type function`.
#[macro_export]
macro_rules! for_each_atomic_op {
    ($m:ident) => {
        $m! {
            I32AtomicLoad Load u32 u32 load, I32AtomicLoad8U Load u8 u32 load, I32AtomicLoad16U
            Load u16 u32 load,
            I64AtomicLoad Load u64 u64 load, I64AtomicLoad8U Load u8 u64 load, I64AtomicLoad16U
            Load u16 u64 load, I64AtomicLoad32U Load u32 u64 load,
            I32AtomicStore Store u32 u32 store, I32AtomicStore8 Store u8 u32 store,
            I32AtomicStore16 Store u16 u32 store,
            I64AtomicStore Store u64 u64 store, I64AtomicStore8 Store u8 u64 store,
            I64AtomicStore16 Store u16 u64 store, I64AtomicStore32 Store u32 u64 store,
            I32AtomicRmwAdd Rmw u32 u32 add, I32AtomicRmw8AddU Rmw u8 u32 add,
            I32AtomicRmw16AddU Rmw u16 u32 add,
            I64AtomicRmwAdd Rmw u64 u64 add, I64AtomicRmw8AddU Rmw u8 u64 add,
            I64AtomicRmw16AddU Rmw u16 u64 add, I64AtomicRmw32AddU Rmw u32 u64 add,
            I32AtomicRmwSub Rmw u32 u32 sub, I32AtomicRmw8SubU Rmw u8 u32 sub,
            I32AtomicRmw16SubU Rmw u16 u32 sub,
            I64AtomicRmwSub Rmw u64 u64 sub, I64AtomicRmw8SubU Rmw u8 u64 sub,
            I64AtomicRmw16SubU Rmw u16 u64 sub, I64AtomicRmw32SubU Rmw u32 u64 sub,
            I32AtomicRmwAnd Rmw u32 u32 and, I32AtomicRmw8AndU Rmw u8 u32 and,
            I32AtomicRmw16AndU Rmw u16 u32 and,
            I64AtomicRmwAnd Rmw u64 u64 and, I64AtomicRmw8AndU Rmw u8 u64 and,
            I64AtomicRmw16AndU Rmw u16 u64 and, I64AtomicRmw32AndU Rmw u32 u64 and,
            I32AtomicRmwOr Rmw u32 u32 or, I32AtomicRmw8OrU Rmw u8 u32 or, I32AtomicRmw16OrU Rmw
            u16 u32 or,
            I64AtomicRmwOr Rmw u64 u64 or, I64AtomicRmw8OrU Rmw u8 u64 or, I64AtomicRmw16OrU Rmw
            u16 u64 or, I64AtomicRmw32OrU Rmw u32 u64 or,
            I32AtomicRmwXor Rmw u32 u32 xor, I32AtomicRmw8XorU Rmw u8 u32 xor,
            I32AtomicRmw16XorU Rmw u16 u32 xor,
            I64AtomicRmwXor Rmw u64 u64 xor, I64AtomicRmw8XorU Rmw u8 u64 xor,
            I64AtomicRmw16XorU Rmw u16 u64 xor, I64AtomicRmw32XorU Rmw u32 u64 xor,
            I32AtomicRmwXchg Rmw u32 u32 xchg, I32AtomicRmw8XchgU Rmw u8 u32 xchg,
            I32AtomicRmw16XchgU Rmw u16 u32 xchg,
            I64AtomicRmwXchg Rmw u64 u64 xchg, I64AtomicRmw8XchgU Rmw u8 u64 xchg,
            I64AtomicRmw16XchgU Rmw u16 u64 xchg, I64AtomicRmw32XchgU Rmw u32 u64 xchg,
            I32AtomicRmwCmpxchg Cmpxchg u32 u32 cmpxchg, I32AtomicRmw8CmpxchgU Cmpxchg u8 u32
            cmpxchg, I32AtomicRmw16CmpxchgU Cmpxchg u16 u32 cmpxchg,
            I64AtomicRmwCmpxchg Cmpxchg u64 u64 cmpxchg, I64AtomicRmw8CmpxchgU Cmpxchg u8 u64
            cmpxchg, I64AtomicRmw16CmpxchgU Cmpxchg u16 u64 cmpxchg, I64AtomicRmw32CmpxchgU
            Cmpxchg u32 u64 cmpxchg,
        }
    };
}

/// What an atomic access takes and gives, in consecutive home slots from the address on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AtomicShape {
    /// Address to value.
    Load,
    /// Address and value to nothing.
    Store,
    /// Address and operand to the value before.
    Rmw,
    /// Address, expected value and replacement to the value before.
    Cmpxchg,
}

impl AtomicShape {
    /// Slots of the operands.
    pub const fn operands(self) -> usize {
        match self {
            AtomicShape::Load => 1,
            AtomicShape::Store | AtomicShape::Rmw => 2,
            AtomicShape::Cmpxchg => 3,
        }
    }

    /// Whether there is a result, in the slot of the address.
    pub const fn has_result(self) -> bool {
        !matches!(self, AtomicShape::Store)
    }
}

macro_rules! atomic_ops {
    ($($name:ident $shape:ident $memory:tt $value:tt $fun:ident,)*) => {
        /// An atomic access to any memory.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the names are the instructions'")]
        pub enum AtomicOp { $($name),* }

        impl AtomicOp {
            /// All of them, in order of their encoding.
            pub const ALL: &'static [AtomicOp] = &[$(AtomicOp::$name),*];
            pub(in crate::op) const COUNT: u16 = Self::ALL.len() as u16;

            /// What it takes and gives.
            pub const fn shape(self) -> AtomicShape {
                match self { $(AtomicOp::$name => AtomicShape::$shape),* }
            }
        }
    };
}
crate::for_each_atomic_op!(atomic_ops);
