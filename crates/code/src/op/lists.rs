//! The instructions of each kind, one row each; other crates expand the same rows.

use super::Scalar;

mod atomic;
mod simd;
pub use atomic::{AtomicOp, AtomicShape};
pub use simd::{SimdOp, SimdShape};

/// Binary instructions: `Variant function operand result`; the function is in [`crate::sem`].
#[macro_export]
macro_rules! for_each_bin_op {
    ($m:ident) => {
        $m! {
            I32Add i32_add u32 u32, I32Sub i32_sub u32 u32, I32Mul i32_mul u32 u32,
            I32DivS i32_div_s u32 u32, I32DivU i32_div_u u32 u32,
            I32RemS i32_rem_s u32 u32, I32RemU i32_rem_u u32 u32,
            I32And i32_and u32 u32, I32Or i32_or u32 u32, I32Xor i32_xor u32 u32,
            I32Shl i32_shl u32 u32, I32ShrS i32_shr_s u32 u32, I32ShrU i32_shr_u u32 u32,
            I32Rotl i32_rotl u32 u32, I32Rotr i32_rotr u32 u32,
            I64Add i64_add u64 u64, I64Sub i64_sub u64 u64, I64Mul i64_mul u64 u64,
            I64DivS i64_div_s u64 u64, I64DivU i64_div_u u64 u64,
            I64RemS i64_rem_s u64 u64, I64RemU i64_rem_u u64 u64,
            I64And i64_and u64 u64, I64Or i64_or u64 u64, I64Xor i64_xor u64 u64,
            I64Shl i64_shl u64 u64, I64ShrS i64_shr_s u64 u64, I64ShrU i64_shr_u u64 u64,
            I64Rotl i64_rotl u64 u64, I64Rotr i64_rotr u64 u64,
            F32Add f32_add f32 f32, F32Sub f32_sub f32 f32, F32Mul f32_mul f32 f32,
            F32Div f32_div f32 f32, F32Min f32_min f32 f32, F32Max f32_max f32 f32,
            F32Copysign f32_copysign f32 f32,
            F64Add f64_add f64 f64, F64Sub f64_sub f64 f64, F64Mul f64_mul f64 f64,
            F64Div f64_div f64 f64, F64Min f64_min f64 f64, F64Max f64_max f64 f64,
            F64Copysign f64_copysign f64 f64,
            I32Eq i32_eq u32 bool, I32Ne i32_ne u32 bool,
            I32LtS i32_lt_s u32 bool, I32LtU i32_lt_u u32 bool,
            I32GtS i32_gt_s u32 bool, I32GtU i32_gt_u u32 bool,
            I32LeS i32_le_s u32 bool, I32LeU i32_le_u u32 bool,
            I32GeS i32_ge_s u32 bool, I32GeU i32_ge_u u32 bool,
            I64Eq i64_eq u64 bool, I64Ne i64_ne u64 bool,
            I64LtS i64_lt_s u64 bool, I64LtU i64_lt_u u64 bool,
            I64GtS i64_gt_s u64 bool, I64GtU i64_gt_u u64 bool,
            I64LeS i64_le_s u64 bool, I64LeU i64_le_u u64 bool,
            I64GeS i64_ge_s u64 bool, I64GeU i64_ge_u u64 bool,
            F32Eq f32_eq f32 bool, F32Ne f32_ne f32 bool, F32Lt f32_lt f32 bool,
            F32Gt f32_gt f32 bool, F32Le f32_le f32 bool, F32Ge f32_ge f32 bool,
            F64Eq f64_eq f64 bool, F64Ne f64_ne f64 bool, F64Lt f64_lt f64 bool,
            F64Gt f64_gt f64 bool, F64Le f64_le f64 bool, F64Ge f64_ge f64 bool,
        }
    };
}

/// Compare-and-branch: `Variant compare operand taken-when`. For floats, "taken when false" is an
/// instruction of its own, as unordered operands make every comparison false.
#[macro_export]
macro_rules! for_each_br_op {
    ($m:ident) => {
        $m! {
            I32Eq i32_eq u32 true, I32Ne i32_ne u32 true,
            I32LtS i32_lt_s u32 true, I32LtU i32_lt_u u32 true,
            I32GtS i32_gt_s u32 true, I32GtU i32_gt_u u32 true,
            I32LeS i32_le_s u32 true, I32LeU i32_le_u u32 true,
            I32GeS i32_ge_s u32 true, I32GeU i32_ge_u u32 true,
            I64Eq i64_eq u64 true, I64Ne i64_ne u64 true,
            I64LtS i64_lt_s u64 true, I64LtU i64_lt_u u64 true,
            I64GtS i64_gt_s u64 true, I64GtU i64_gt_u u64 true,
            I64LeS i64_le_s u64 true, I64LeU i64_le_u u64 true,
            I64GeS i64_ge_s u64 true, I64GeU i64_ge_u u64 true,
            F32Eq f32_eq f32 true, F32Ne f32_ne f32 true, F32Lt f32_lt f32 true,
            F32Gt f32_gt f32 true, F32Le f32_le f32 true, F32Ge f32_ge f32 true,
            F32NotLt f32_lt f32 false, F32NotGt f32_gt f32 false,
            F32NotLe f32_le f32 false, F32NotGe f32_ge f32 false,
            F64Eq f64_eq f64 true, F64Ne f64_ne f64 true, F64Lt f64_lt f64 true,
            F64Gt f64_gt f64 true, F64Le f64_le f64 true, F64Ge f64_ge f64 true,
            F64NotLt f64_lt f64 false, F64NotGt f64_gt f64 false,
            F64NotLe f64_le f64 false, F64NotGe f64_ge f64 false,
            I32AndNz i32_and_nz u32 true, I32AndZ i32_and_nz u32 false,
        }
    };
}

/// Fused instructions: `Variant type function`; the function takes the product and the term.
#[macro_export]
macro_rules! for_each_fused_op {
    ($m:ident) => {
        $m! {
            F32MulAdd f32 f32_mul f32_add, F32MulSub f32 f32_mul f32_sub,
            F64MulAdd f64 f64_mul f64_add, F64MulSub f64 f64_mul f64_sub,
        }
    };
}

/// Unary instructions: `Variant function operand result`.
#[macro_export]
macro_rules! for_each_un_op {
    ($m:ident) => {
        $m! {
            I32Clz i32_clz u32 u32, I32Ctz i32_ctz u32 u32, I32Popcnt i32_popcnt u32 u32,
            I32Eqz i32_eqz u32 bool,
            I64Clz i64_clz u64 u64, I64Ctz i64_ctz u64 u64, I64Popcnt i64_popcnt u64 u64,
            I64Eqz i64_eqz u64 bool,
            RefI31 ref_i31 u32 u32, I31GetS i31_get_s u32 u32, I31GetU i31_get_u u32 u32,
            I32Extend8S i32_extend8_s u32 u32, I32Extend16S i32_extend16_s u32 u32,
            I64Extend8S i64_extend8_s u64 u64, I64Extend16S i64_extend16_s u64 u64,
            I64Extend32S i64_extend32_s u64 u64,
            F32Abs f32_abs f32 f32, F32Neg f32_neg f32 f32, F32Ceil f32_ceil f32 f32,
            F32Floor f32_floor f32 f32, F32Trunc f32_trunc f32 f32,
            F32Nearest f32_nearest f32 f32, F32Sqrt f32_sqrt f32 f32,
            F64Abs f64_abs f64 f64, F64Neg f64_neg f64 f64, F64Ceil f64_ceil f64 f64,
            F64Floor f64_floor f64 f64, F64Trunc f64_trunc f64 f64,
            F64Nearest f64_nearest f64 f64, F64Sqrt f64_sqrt f64 f64,
            I32WrapI64 i32_wrap_i64 u64 u32,
            I64ExtendI32S i64_extend_i32_s u32 u64, I64ExtendI32U i64_extend_i32_u u32 u64,
            I32TruncF32S i32_trunc_f32_s f32 u32, I32TruncF32U i32_trunc_f32_u f32 u32,
            I32TruncF64S i32_trunc_f64_s f64 u32, I32TruncF64U i32_trunc_f64_u f64 u32,
            I64TruncF32S i64_trunc_f32_s f32 u64, I64TruncF32U i64_trunc_f32_u f32 u64,
            I64TruncF64S i64_trunc_f64_s f64 u64, I64TruncF64U i64_trunc_f64_u f64 u64,
            I32TruncSatF32S i32_trunc_sat_f32_s f32 u32,
            I32TruncSatF32U i32_trunc_sat_f32_u f32 u32,
            I32TruncSatF64S i32_trunc_sat_f64_s f64 u32,
            I32TruncSatF64U i32_trunc_sat_f64_u f64 u32,
            I64TruncSatF32S i64_trunc_sat_f32_s f32 u64,
            I64TruncSatF32U i64_trunc_sat_f32_u f32 u64,
            I64TruncSatF64S i64_trunc_sat_f64_s f64 u64,
            I64TruncSatF64U i64_trunc_sat_f64_u f64 u64,
            F32ConvertI32S f32_convert_i32_s u32 f32, F32ConvertI32U f32_convert_i32_u u32 f32,
            F32ConvertI64S f32_convert_i64_s u64 f32, F32ConvertI64U f32_convert_i64_u u64 f32,
            F64ConvertI32S f64_convert_i32_s u32 f64, F64ConvertI32U f64_convert_i32_u u32 f64,
            F64ConvertI64S f64_convert_i64_s u64 f64, F64ConvertI64U f64_convert_i64_u u64 f64,
            F32DemoteF64 f32_demote_f64 f64 f32, F64PromoteF32 f64_promote_f32 f32 f64,
            I32ReinterpretF32 i32_reinterpret_f32 f32 u32,
            I64ReinterpretF64 i64_reinterpret_f64 f64 u64,
            F32ReinterpretI32 f32_reinterpret_i32 u32 f32,
            F64ReinterpretI64 f64_reinterpret_i64 u64 f64,
        }
    };
}

/// Scalar loads: `Variant memory-type result`; the value is read as the first and converted.
#[macro_export]
macro_rules! for_each_load_op {
    ($m:ident) => {
        $m! {
            I32Load u32 u32, I32Load8S i8 u32, I32Load8U u8 u32, I32Load16S i16 u32,
            I32Load16U u16 u32,
            I64Load u64 u64, I64Load8S i8 u64, I64Load8U u8 u64, I64Load16S i16 u64,
            I64Load16U u16 u64, I64Load32S i32 u64, I64Load32U u32 u64,
            F32Load f32 f32, F64Load f64 f64,
        }
    };
}

/// Scalar stores: `Variant value memory-type`.
#[macro_export]
macro_rules! for_each_store_op {
    ($m:ident) => {
        $m! {
            I32Store u32 u32, I32Store8 u32 u8, I32Store16 u32 u16,
            I64Store u64 u64, I64Store8 u64 u8, I64Store16 u64 u16, I64Store32 u64 u32,
            F32Store f32 f32, F64Store f64 f64,
        }
    };
}

/// Loads of fields and elements of objects: `Variant stored-type result`; references are `W32`.
#[macro_export]
macro_rules! for_each_field_op {
    ($m:ident) => {
        $m! {
            S8 i8 u32, U8 u8 u32, S16 i16 u32, U16 u16 u32, W32 u32 u32, W64 u64 u64,
            F32 f32 f32, F64 f64 f64,
        }
    };
}

/// Stores to fields and elements of objects: `Variant value stored-type`.
#[macro_export]
macro_rules! for_each_field_set_op {
    ($m:ident) => {
        $m! {
            B8 u32 u8, B16 u32 u16, W32 u32 u32, W64 u64 u64, F32 f32 f32, F64 f64 f64,
            Ref u32 u32,
        }
    };
}

macro_rules! scalar {
    (u32) => {
        Scalar::I32
    };
    (bool) => {
        Scalar::I32
    };
    (u64) => {
        Scalar::I64
    };
    (f32) => {
        Scalar::F32
    };
    (f64) => {
        Scalar::F64
    };
}

macro_rules! op_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the names are the instructions'")]
        pub enum $name { $($variant),* }

        impl $name {
            /// All of them, in order of their encoding.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            pub(super) const COUNT: u16 = Self::ALL.len() as u16;
        }
    };
}

macro_rules! computing {
    ($name:ident, $doc:literal, $($variant:ident $fun:ident $operand:tt $result:tt,)*) => {
        op_enum! { #[doc = $doc] $name { $($variant)* } }

        impl $name {
            /// The type of the operands.
            pub const fn operand(self) -> Scalar {
                match self { $($name::$variant => scalar!($operand),)* }
            }

            /// The type of the result.
            pub const fn result(self) -> Scalar {
                match self { $($name::$variant => scalar!($result),)* }
            }
        }
    };
}

macro_rules! bin { ($($t:tt)*) => { computing! { BinOp, "A binary instruction.", $($t)* } }; }
for_each_bin_op!(bin);
macro_rules! un { ($($t:tt)*) => { computing! { UnOp, "A unary instruction.", $($t)* } }; }
for_each_un_op!(un);

macro_rules! br {
    ($($variant:ident $fun:ident $operand:tt $when:tt,)*) => {
        op_enum! {
            /// A comparison that decides a branch.
            BrOp { $($variant)* }
        }

        impl BrOp {
            /// The type of the operands.
            pub const fn operand(self) -> Scalar {
                match self { $(BrOp::$variant => scalar!($operand),)* }
            }
        }
    };
}
for_each_br_op!(br);

macro_rules! fused {
    ($($variant:ident $ty:tt $mul:ident $then:ident,)*) => {
        op_enum! {
            /// A multiplication and what follows it: `product + term`, or `term - product`.
            FusedOp { $($variant)* }
        }

        impl FusedOp {
            /// The type of operands and result.
            pub const fn ty(self) -> Scalar {
                match self { $(FusedOp::$variant => scalar!($ty),)* }
            }
        }
    };
}
for_each_fused_op!(fused);

impl BrOp {
    /// How many of them compare two `i32` for order or equality; they come first.
    pub(super) const I32_COUNT: u16 = BrOp::I64Eq as u16;

    /// Whether it compares two `i32` for order or equality.
    pub const fn compares_i32(self) -> bool {
        (self as u16) < BrOp::I32_COUNT
    }
}

macro_rules! load {
    ($($variant:ident $memory:tt $result:tt,)*) => {
        op_enum! {
            /// A load of a scalar.
            LoadOp { $($variant)* }
        }

        impl LoadOp {
            /// The type of the result.
            pub const fn result(self) -> Scalar {
                match self { $(LoadOp::$variant => scalar!($result),)* }
            }
        }
    };
}
for_each_load_op!(load);

macro_rules! store {
    ($($variant:ident $value:tt $memory:tt,)*) => {
        op_enum! {
            /// A store of a scalar.
            StoreOp { $($variant)* }
        }

        impl StoreOp {
            /// The type of the value.
            pub const fn value(self) -> Scalar {
                match self { $(StoreOp::$variant => scalar!($value),)* }
            }
        }
    };
}
for_each_store_op!(store);

macro_rules! field {
    ($($variant:ident $memory:tt $result:tt,)*) => {
        op_enum! {
            /// A load of a field or element of an object.
            FieldOp { $($variant)* }
        }
    };
}
for_each_field_op!(field);

macro_rules! field_set {
    ($($variant:ident $value:tt $memory:tt,)*) => {
        op_enum! {
            /// A store to a field or element of an object; `Ref` follows it by the write barrier.
            FieldSetOp { $($variant)* }
        }
    };
}
for_each_field_set_op!(field_set);

impl BinOp {
    /// Whether the operands may be exchanged.
    pub const fn commutes(self) -> bool {
        use BinOp::*;
        matches!(
            self,
            I32Add
                | I32Mul
                | I32And
                | I32Or
                | I32Xor
                | I64Add
                | I64Mul
                | I64And
                | I64Or
                | I64Xor
                | F32Add
                | F32Mul
                | F64Add
                | F64Mul
                | I32Eq
                | I32Ne
                | I64Eq
                | I64Ne
                | F32Eq
                | F32Ne
                | F64Eq
                | F64Ne
        )
    }

    /// The comparison that gives the same with its operands exchanged.
    pub const fn swapped(self) -> Option<BinOp> {
        use BinOp::*;
        Some(match self {
            I32LtS => I32GtS,
            I32LtU => I32GtU,
            I32GtS => I32LtS,
            I32GtU => I32LtU,
            I32LeS => I32GeS,
            I32LeU => I32GeU,
            I32GeS => I32LeS,
            I32GeU => I32LeU,
            I64LtS => I64GtS,
            I64LtU => I64GtU,
            I64GtS => I64LtS,
            I64GtU => I64LtU,
            I64LeS => I64GeS,
            I64LeU => I64GeU,
            I64GeS => I64LeS,
            I64GeU => I64LeU,
            F32Lt => F32Gt,
            F32Gt => F32Lt,
            F32Le => F32Ge,
            F32Ge => F32Le,
            F64Lt => F64Gt,
            F64Gt => F64Lt,
            F64Le => F64Ge,
            F64Ge => F64Le,
            op if op.commutes() => op,
            _ => return None,
        })
    }

    /// The integer comparison that is true when this one is false.
    pub const fn negated(self) -> Option<BinOp> {
        use BinOp::*;
        Some(match self {
            I32Eq => I32Ne,
            I32Ne => I32Eq,
            I32LtS => I32GeS,
            I32LtU => I32GeU,
            I32GtS => I32LeS,
            I32GtU => I32LeU,
            I32LeS => I32GtS,
            I32LeU => I32GtU,
            I32GeS => I32LtS,
            I32GeU => I32LtU,
            I64Eq => I64Ne,
            I64Ne => I64Eq,
            I64LtS => I64GeS,
            I64LtU => I64GeU,
            I64GtS => I64LeS,
            I64GtU => I64LeU,
            I64LeS => I64GtS,
            I64LeU => I64GtU,
            I64GeS => I64LtS,
            I64GeU => I64LtU,
            F32Eq => F32Ne,
            F32Ne => F32Eq,
            F64Eq => F64Ne,
            F64Ne => F64Eq,
            _ => return None,
        })
    }

    /// The branch taken when this comparison gives `when`.
    pub const fn branch(self, when: bool) -> Option<BrOp> {
        use BinOp::*;
        Some(match (self, when) {
            (I32Eq, true) | (I32Ne, false) => BrOp::I32Eq,
            (I32Ne, true) | (I32Eq, false) => BrOp::I32Ne,
            (I32LtS, true) | (I32GeS, false) => BrOp::I32LtS,
            (I32LtU, true) | (I32GeU, false) => BrOp::I32LtU,
            (I32GtS, true) | (I32LeS, false) => BrOp::I32GtS,
            (I32GtU, true) | (I32LeU, false) => BrOp::I32GtU,
            (I32LeS, true) | (I32GtS, false) => BrOp::I32LeS,
            (I32LeU, true) | (I32GtU, false) => BrOp::I32LeU,
            (I32GeS, true) | (I32LtS, false) => BrOp::I32GeS,
            (I32GeU, true) | (I32LtU, false) => BrOp::I32GeU,
            (I64Eq, true) | (I64Ne, false) => BrOp::I64Eq,
            (I64Ne, true) | (I64Eq, false) => BrOp::I64Ne,
            (I64LtS, true) | (I64GeS, false) => BrOp::I64LtS,
            (I64LtU, true) | (I64GeU, false) => BrOp::I64LtU,
            (I64GtS, true) | (I64LeS, false) => BrOp::I64GtS,
            (I64GtU, true) | (I64LeU, false) => BrOp::I64GtU,
            (I64LeS, true) | (I64GtS, false) => BrOp::I64LeS,
            (I64LeU, true) | (I64GtU, false) => BrOp::I64LeU,
            (I64GeS, true) | (I64LtS, false) => BrOp::I64GeS,
            (I64GeU, true) | (I64LtU, false) => BrOp::I64GeU,
            (F32Eq, true) | (F32Ne, false) => BrOp::F32Eq,
            (F32Ne, true) | (F32Eq, false) => BrOp::F32Ne,
            (F32Lt, true) => BrOp::F32Lt,
            (F32Lt, false) => BrOp::F32NotLt,
            (F32Gt, true) => BrOp::F32Gt,
            (F32Gt, false) => BrOp::F32NotGt,
            (F32Le, true) => BrOp::F32Le,
            (F32Le, false) => BrOp::F32NotLe,
            (F32Ge, true) => BrOp::F32Ge,
            (F32Ge, false) => BrOp::F32NotGe,
            (F64Eq, true) | (F64Ne, false) => BrOp::F64Eq,
            (F64Ne, true) | (F64Eq, false) => BrOp::F64Ne,
            (F64Lt, true) => BrOp::F64Lt,
            (F64Lt, false) => BrOp::F64NotLt,
            (F64Gt, true) => BrOp::F64Gt,
            (F64Gt, false) => BrOp::F64NotGt,
            (F64Le, true) => BrOp::F64Le,
            (F64Le, false) => BrOp::F64NotLe,
            (F64Ge, true) => BrOp::F64Ge,
            (F64Ge, false) => BrOp::F64NotGe,
            (I32And, true) => BrOp::I32AndNz,
            (I32And, false) => BrOp::I32AndZ,
            _ => return None,
        })
    }
}
