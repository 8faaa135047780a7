//! The vector instructions and the shapes of their operands.

/// Vector instructions: `Variant function shape`; the function is in [`crate::sem`] but for
/// loads and stores. Shapes are explained at [`SimdShape`].
#[macro_export]
macro_rules! for_each_simd_op {
    ($m:ident) => {
        $m! {
            V128Not v128_not Un, I8x16Abs i8x16_abs Un, I8x16Neg i8x16_neg Un,
            I16x8Abs i16x8_abs Un, I16x8Neg i16x8_neg Un, I32x4Abs i32x4_abs Un,
            I32x4Neg i32x4_neg Un, I64x2Abs i64x2_abs Un, I64x2Neg i64x2_neg Un,
            I8x16Popcnt i8x16_popcnt Un,
            I16x8ExtAddPairwiseI8x16S i16x8_extadd_pairwise_i8x16_s Un,
            I16x8ExtAddPairwiseI8x16U i16x8_extadd_pairwise_i8x16_u Un,
            I32x4ExtAddPairwiseI16x8S i32x4_extadd_pairwise_i16x8_s Un,
            I32x4ExtAddPairwiseI16x8U i32x4_extadd_pairwise_i16x8_u Un,
            I16x8ExtendLowI8x16S i16x8_extend_low_i8x16_s Un,
            I16x8ExtendLowI8x16U i16x8_extend_low_i8x16_u Un,
            I16x8ExtendHighI8x16S i16x8_extend_high_i8x16_s Un,
            I16x8ExtendHighI8x16U i16x8_extend_high_i8x16_u Un,
            I32x4ExtendLowI16x8S i32x4_extend_low_i16x8_s Un,
            I32x4ExtendLowI16x8U i32x4_extend_low_i16x8_u Un,
            I32x4ExtendHighI16x8S i32x4_extend_high_i16x8_s Un,
            I32x4ExtendHighI16x8U i32x4_extend_high_i16x8_u Un,
            I64x2ExtendLowI32x4S i64x2_extend_low_i32x4_s Un,
            I64x2ExtendLowI32x4U i64x2_extend_low_i32x4_u Un,
            I64x2ExtendHighI32x4S i64x2_extend_high_i32x4_s Un,
            I64x2ExtendHighI32x4U i64x2_extend_high_i32x4_u Un, F32x4Abs f32x4_abs Un,
            F32x4Neg f32x4_neg Un, F32x4Sqrt f32x4_sqrt Un, F32x4Ceil f32x4_ceil Un,
            F32x4Floor f32x4_floor Un, F32x4Trunc f32x4_trunc Un, F32x4Nearest f32x4_nearest Un,
            F64x2Abs f64x2_abs Un, F64x2Neg f64x2_neg Un, F64x2Sqrt f64x2_sqrt Un,
            F64x2Ceil f64x2_ceil Un, F64x2Floor f64x2_floor Un, F64x2Trunc f64x2_trunc Un,
            F64x2Nearest f64x2_nearest Un, I32x4TruncSatF32x4S i32x4_trunc_sat_f32x4_s Un,
            I32x4TruncSatF32x4U i32x4_trunc_sat_f32x4_u Un,
            I32x4TruncSatF64x2SZero i32x4_trunc_sat_f64x2_s_zero Un,
            I32x4TruncSatF64x2UZero i32x4_trunc_sat_f64x2_u_zero Un,
            F32x4ConvertI32x4S f32x4_convert_i32x4_s Un,
            F32x4ConvertI32x4U f32x4_convert_i32x4_u Un,
            F64x2ConvertLowI32x4S f64x2_convert_low_i32x4_s Un,
            F64x2ConvertLowI32x4U f64x2_convert_low_i32x4_u Un,
            F32x4DemoteF64x2Zero f32x4_demote_f64x2_zero Un,
            F64x2PromoteLowF32x4 f64x2_promote_low_f32x4 Un, V128And v128_and Bin,
            V128AndNot v128_andnot Bin, V128Or v128_or Bin, V128Xor v128_xor Bin,
            I8x16Swizzle i8x16_swizzle Bin, I8x16Eq i8x16_eq Bin, I8x16Ne i8x16_ne Bin,
            I8x16LtS i8x16_lt_s Bin, I8x16LtU i8x16_lt_u Bin, I8x16GtS i8x16_gt_s Bin,
            I8x16GtU i8x16_gt_u Bin, I8x16LeS i8x16_le_s Bin, I8x16LeU i8x16_le_u Bin,
            I8x16GeS i8x16_ge_s Bin, I8x16GeU i8x16_ge_u Bin, I16x8Eq i16x8_eq Bin,
            I16x8Ne i16x8_ne Bin, I16x8LtS i16x8_lt_s Bin, I16x8LtU i16x8_lt_u Bin,
            I16x8GtS i16x8_gt_s Bin, I16x8GtU i16x8_gt_u Bin, I16x8LeS i16x8_le_s Bin,
            I16x8LeU i16x8_le_u Bin, I16x8GeS i16x8_ge_s Bin, I16x8GeU i16x8_ge_u Bin,
            I32x4Eq i32x4_eq Bin, I32x4Ne i32x4_ne Bin, I32x4LtS i32x4_lt_s Bin,
            I32x4LtU i32x4_lt_u Bin, I32x4GtS i32x4_gt_s Bin, I32x4GtU i32x4_gt_u Bin,
            I32x4LeS i32x4_le_s Bin, I32x4LeU i32x4_le_u Bin, I32x4GeS i32x4_ge_s Bin,
            I32x4GeU i32x4_ge_u Bin, I64x2Eq i64x2_eq Bin, I64x2Ne i64x2_ne Bin,
            I64x2LtS i64x2_lt_s Bin, I64x2GtS i64x2_gt_s Bin, I64x2LeS i64x2_le_s Bin,
            I64x2GeS i64x2_ge_s Bin, F32x4Eq f32x4_eq Bin, F32x4Ne f32x4_ne Bin,
            F32x4Lt f32x4_lt Bin, F32x4Gt f32x4_gt Bin, F32x4Le f32x4_le Bin, F32x4Ge f32x4_ge Bin,
            F32x4Add f32x4_add Bin, F32x4Sub f32x4_sub Bin, F32x4Mul f32x4_mul Bin,
            F32x4Div f32x4_div Bin, F32x4Min f32x4_min Bin, F32x4Max f32x4_max Bin,
            F32x4PMin f32x4_pmin Bin, F32x4PMax f32x4_pmax Bin, F64x2Eq f64x2_eq Bin,
            F64x2Ne f64x2_ne Bin, F64x2Lt f64x2_lt Bin, F64x2Gt f64x2_gt Bin, F64x2Le f64x2_le Bin,
            F64x2Ge f64x2_ge Bin, F64x2Add f64x2_add Bin, F64x2Sub f64x2_sub Bin,
            F64x2Mul f64x2_mul Bin, F64x2Div f64x2_div Bin, F64x2Min f64x2_min Bin,
            F64x2Max f64x2_max Bin, F64x2PMin f64x2_pmin Bin, F64x2PMax f64x2_pmax Bin,
            I8x16Add i8x16_add Bin, I8x16Sub i8x16_sub Bin, I16x8Add i16x8_add Bin,
            I16x8Sub i16x8_sub Bin, I32x4Add i32x4_add Bin, I32x4Sub i32x4_sub Bin,
            I64x2Add i64x2_add Bin, I64x2Sub i64x2_sub Bin, I16x8Mul i16x8_mul Bin,
            I32x4Mul i32x4_mul Bin, I64x2Mul i64x2_mul Bin, I8x16AddSatS i8x16_add_sat_s Bin,
            I8x16AddSatU i8x16_add_sat_u Bin, I8x16SubSatS i8x16_sub_sat_s Bin,
            I8x16SubSatU i8x16_sub_sat_u Bin, I8x16AvgrU i8x16_avgr_u Bin,
            I16x8AddSatS i16x8_add_sat_s Bin, I16x8AddSatU i16x8_add_sat_u Bin,
            I16x8SubSatS i16x8_sub_sat_s Bin, I16x8SubSatU i16x8_sub_sat_u Bin,
            I16x8AvgrU i16x8_avgr_u Bin, I8x16MinS i8x16_min_s Bin, I8x16MinU i8x16_min_u Bin,
            I8x16MaxS i8x16_max_s Bin, I8x16MaxU i8x16_max_u Bin, I16x8MinS i16x8_min_s Bin,
            I16x8MinU i16x8_min_u Bin, I16x8MaxS i16x8_max_s Bin, I16x8MaxU i16x8_max_u Bin,
            I32x4MinS i32x4_min_s Bin, I32x4MinU i32x4_min_u Bin, I32x4MaxS i32x4_max_s Bin,
            I32x4MaxU i32x4_max_u Bin, I8x16NarrowI16x8S i8x16_narrow_i16x8_s Bin,
            I8x16NarrowI16x8U i8x16_narrow_i16x8_u Bin, I16x8NarrowI32x4S i16x8_narrow_i32x4_s Bin,
            I16x8NarrowI32x4U i16x8_narrow_i32x4_u Bin, I16x8Q15MulrSatS i16x8_q15mulr_sat_s Bin,
            I32x4DotI16x8S i32x4_dot_i16x8_s Bin,
            I16x8ExtMulLowI8x16S i16x8_extmul_low_i8x16_s Bin,
            I16x8ExtMulLowI8x16U i16x8_extmul_low_i8x16_u Bin,
            I16x8ExtMulHighI8x16S i16x8_extmul_high_i8x16_s Bin,
            I16x8ExtMulHighI8x16U i16x8_extmul_high_i8x16_u Bin,
            I32x4ExtMulLowI16x8S i32x4_extmul_low_i16x8_s Bin,
            I32x4ExtMulLowI16x8U i32x4_extmul_low_i16x8_u Bin,
            I32x4ExtMulHighI16x8S i32x4_extmul_high_i16x8_s Bin,
            I32x4ExtMulHighI16x8U i32x4_extmul_high_i16x8_u Bin,
            I64x2ExtMulLowI32x4S i64x2_extmul_low_i32x4_s Bin,
            I64x2ExtMulLowI32x4U i64x2_extmul_low_i32x4_u Bin,
            I64x2ExtMulHighI32x4S i64x2_extmul_high_i32x4_s Bin,
            I64x2ExtMulHighI32x4U i64x2_extmul_high_i32x4_u Bin,
            I16x8RelaxedDotI8x16I7x16S i16x8_relaxed_dot_i8x16_i7x16_s Bin,
            V128Bitselect v128_bitselect Ter, F32x4RelaxedMadd f32x4_relaxed_madd Ter,
            F32x4RelaxedNmadd f32x4_relaxed_nmadd Ter, F64x2RelaxedMadd f64x2_relaxed_madd Ter,
            F64x2RelaxedNmadd f64x2_relaxed_nmadd Ter,
            I32x4RelaxedDotI8x16I7x16AddS i32x4_relaxed_dot_i8x16_i7x16_add_s Ter,
            I8x16Shl i8x16_shl Shift, I8x16ShrS i8x16_shr_s Shift, I8x16ShrU i8x16_shr_u Shift,
            I16x8Shl i16x8_shl Shift, I16x8ShrS i16x8_shr_s Shift, I16x8ShrU i16x8_shr_u Shift,
            I32x4Shl i32x4_shl Shift, I32x4ShrS i32x4_shr_s Shift, I32x4ShrU i32x4_shr_u Shift,
            I64x2Shl i64x2_shl Shift, I64x2ShrS i64x2_shr_s Shift, I64x2ShrU i64x2_shr_u Shift,
            I8x16Splat i8x16_splat SplatU32, I16x8Splat i16x8_splat SplatU32,
            I32x4Splat i32x4_splat SplatU32, I64x2Splat i64x2_splat SplatU64,
            F32x4Splat f32x4_splat SplatF32, F64x2Splat f64x2_splat SplatF64,
            V128AnyTrue v128_any_true Test, I8x16AllTrue i8x16_all_true Test,
            I8x16Bitmask i8x16_bitmask Test, I16x8AllTrue i16x8_all_true Test,
            I16x8Bitmask i16x8_bitmask Test, I32x4AllTrue i32x4_all_true Test,
            I32x4Bitmask i32x4_bitmask Test, I64x2AllTrue i64x2_all_true Test,
            I64x2Bitmask i64x2_bitmask Test, I8x16ExtractLaneS i8x16_extract_lane_s ExtractU32,
            I8x16ExtractLaneU i8x16_extract_lane_u ExtractU32,
            I16x8ExtractLaneS i16x8_extract_lane_s ExtractU32,
            I16x8ExtractLaneU i16x8_extract_lane_u ExtractU32,
            I32x4ExtractLane i32x4_extract_lane ExtractU32,
            I64x2ExtractLane i64x2_extract_lane ExtractU64,
            F32x4ExtractLane f32x4_extract_lane ExtractF32,
            F64x2ExtractLane f64x2_extract_lane ExtractF64,
            I8x16ReplaceLane i8x16_replace_lane ReplaceU32,
            I16x8ReplaceLane i16x8_replace_lane ReplaceU32,
            I32x4ReplaceLane i32x4_replace_lane ReplaceU32,
            I64x2ReplaceLane i64x2_replace_lane ReplaceU64,
            F32x4ReplaceLane f32x4_replace_lane ReplaceF32,
            F64x2ReplaceLane f64x2_replace_lane ReplaceF64, I8x16Shuffle i8x16_shuffle Shuffle,
            V128Load v128_load Load, V128Load8x8S v128_load8x8_s Load,
            V128Load8x8U v128_load8x8_u Load, V128Load16x4S v128_load16x4_s Load,
            V128Load16x4U v128_load16x4_u Load, V128Load32x2S v128_load32x2_s Load,
            V128Load32x2U v128_load32x2_u Load, V128Load8Splat v128_load8_splat Load,
            V128Load16Splat v128_load16_splat Load, V128Load32Splat v128_load32_splat Load,
            V128Load64Splat v128_load64_splat Load, V128Load32Zero v128_load32_zero Load,
            V128Load64Zero v128_load64_zero Load, V128Load8Lane v128_load8_lane LoadLane,
            V128Load16Lane v128_load16_lane LoadLane, V128Load32Lane v128_load32_lane LoadLane,
            V128Load64Lane v128_load64_lane LoadLane, V128Store v128_store Store,
            V128Store8Lane v128_store8_lane StoreLane, V128Store16Lane v128_store16_lane StoreLane,
            V128Store32Lane v128_store32_lane StoreLane,
            V128Store64Lane v128_store64_lane StoreLane,
        }
    };
}

/// Where the operands of a vector instruction are. `v` stands for two consecutive slots.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SimdShape {
    /// v a = f(v b)
    Un,
    /// v a = f(v b, v c)
    Bin,
    /// v a = f(v b, v c, v d)
    Ter,
    /// v a = f(v b, slot c)
    Shift,
    /// v a = f(slot b), an `i32`
    SplatU32,
    /// v a = f(slot b), an `i64`
    SplatU64,
    /// v a = f(slot b), an `f32`
    SplatF32,
    /// v a = f(slot b), an `f64`
    SplatF64,
    /// slot a = f(v b), an `i32`
    Test,
    /// slot a = lane c of v b
    ExtractU32,
    /// slot a = lane c of v b
    ExtractU64,
    /// slot a = lane c of v b
    ExtractF32,
    /// slot a = lane c of v b
    ExtractF64,
    /// v a = v b with lane d replaced by slot c
    ReplaceU32,
    /// v a = v b with lane d replaced by slot c
    ReplaceU64,
    /// v a = v b with lane d replaced by slot c
    ReplaceF32,
    /// v a = v b with lane d replaced by slot c
    ReplaceF64,
    /// v a = bytes of v b and v c picked by the two words that follow
    Shuffle,
    /// v a = memory c at slot b + the second word
    Load,
    /// v a = v d with the lane in the third word from memory c at slot b + the second word
    LoadLane,
    /// memory c at slot b + the second word = v a
    Store,
    /// memory c at slot b + the second word = the lane in the third word of v a
    StoreLane,
}

impl SimdShape {
    /// Whether the result goes to slot a.
    pub const fn writes_slot(self) -> bool {
        !matches!(self, SimdShape::Store | SimdShape::StoreLane)
    }

    /// Words of an instruction of this shape.
    pub const fn words(self) -> usize {
        match self {
            SimdShape::Shuffle | SimdShape::LoadLane | SimdShape::StoreLane => 4,
            SimdShape::Load | SimdShape::Store => 3,
            _ => 2,
        }
    }
}

macro_rules! simd {
    ($($variant:ident $fun:ident $shape:ident,)*) => {
        /// A vector instruction.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u16)]
        #[expect(missing_docs, reason = "the names are the instructions'")]
        pub enum SimdOp { $($variant),* }

        impl SimdOp {
            /// All of them, in order of their encoding.
            pub const ALL: &'static [SimdOp] = &[$(SimdOp::$variant),*];
            pub(in crate::op) const COUNT: u16 = Self::ALL.len() as u16;

            /// Where its operands are.
            pub const fn shape(self) -> SimdShape {
                match self { $(SimdOp::$variant => SimdShape::$shape),* }
            }
        }
    };
}
for_each_simd_op!(simd);
