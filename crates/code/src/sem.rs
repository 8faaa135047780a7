//! What the numeric and SIMD instructions compute: a pure function per instruction, named after it.
//!
//! Every tier and the constant folder share these, so that they agree. The numerics chapter of the
//! WebAssembly specification documents each function. Integers are unsigned and carry bits;
//! comparisons give a `bool`; what can trap gives a `Result`. Lane immediates are taken modulo the
//! number of lanes, since validation has already bounded them.
//!
//! Results of float arithmetic that are NaN carry the payload the hardware gives them; they are
//! always quiet, and canonical where all NaN operands are. Sign operations move bits only. With
//! [`Settings::deterministic`](crate::Settings::deterministic), lowering makes them all canonical.
#![allow(missing_docs, reason = "each function is the instruction of the same name")]

mod canonical;
mod convert_lanes;
mod float_lanes;
mod int_lanes;
mod permute;
mod relaxed;
mod scalar;

pub use canonical::*;
pub use convert_lanes::*;
pub use float_lanes::*;
pub use int_lanes::*;
pub use permute::*;
pub use relaxed::*;
pub use scalar::*;

/// A `v128` value: sixteen bytes in memory order, lane 0 first, each lane little-endian.
///
/// It is an array and not a `u128` because the optimizer keeps an array in one vector register
/// and turns lane-wise loops over it into single vector instructions; a `u128` is an integer to it,
/// split over two general registers and taken apart by shifts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct V128([u8; 16]);

impl V128 {
    /// All bits zero.
    pub const ZERO: V128 = V128([0; 16]);

    /// The value whose lane 0 is in the low bits of `bits`.
    #[inline(always)]
    pub const fn from_bits(bits: u128) -> V128 {
        V128(bits.to_le_bytes())
    }

    /// All 128 bits, lane 0 in the low ones.
    #[inline(always)]
    pub const fn to_bits(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// The value stored in linear memory as these bytes.
    #[inline(always)]
    pub const fn from_le_bytes(bytes: [u8; 16]) -> V128 {
        V128(bytes)
    }

    /// The bytes as linear memory holds them.
    #[inline(always)]
    pub const fn to_le_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl From<u128> for V128 {
    #[inline(always)]
    fn from(bits: u128) -> V128 {
        V128::from_bits(bits)
    }
}

impl From<V128> for u128 {
    #[inline(always)]
    fn from(value: V128) -> u128 {
        value.to_bits()
    }
}

impl std::fmt::Debug for V128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "V128({:#034x})", self.to_bits())
    }
}

/// The lane shapes: for each, how a value comes apart into an array of lanes and goes back.
macro_rules! shapes {
    ($($shape:ident: [$lane:ty; $count:literal], $bytes:literal, $mask:ty;)*) => {$(
        pub(crate) mod $shape {
            #![allow(dead_code, reason = "the shapes are uniform; not every one needs all")]
            use super::V128;
            use std::array::from_fn;

            pub(crate) type Lanes = [$lane; $count];

            #[inline(always)]
            pub(crate) fn unpack(v: V128) -> Lanes {
                let (chunks, _) = v.0.as_chunks::<$bytes>();
                from_fn(|i| <$lane>::from_le_bytes(chunks[i]))
            }

            #[inline(always)]
            pub(crate) fn pack(lanes: Lanes) -> V128 {
                let mut out = V128::ZERO;
                let (chunks, _) = out.0.as_chunks_mut::<$bytes>();
                for (chunk, lane) in chunks.iter_mut().zip(lanes) {
                    *chunk = lane.to_le_bytes();
                }
                out
            }

            /// The value whose lane `i` is `f(i)`.
            #[inline(always)]
            pub(crate) fn make(f: impl FnMut(usize) -> $lane) -> V128 {
                pack(from_fn(f))
            }

            #[inline(always)]
            pub(crate) fn map(v: V128, f: impl Fn($lane) -> $lane) -> V128 {
                let v = unpack(v);
                make(|i| f(v[i]))
            }

            #[inline(always)]
            pub(crate) fn zip(a: V128, b: V128, f: impl Fn($lane, $lane) -> $lane) -> V128 {
                let (a, b) = (unpack(a), unpack(b));
                make(|i| f(a[i], b[i]))
            }

            /// All ones in the lanes where `f` holds, all zeros in the others.
            #[inline(always)]
            pub(crate) fn test(a: V128, b: V128, f: impl Fn(&$lane, &$lane) -> bool) -> V128 {
                let (a, b) = (unpack(a), unpack(b));
                let mut out = V128::ZERO;
                let (chunks, _) = out.0.as_chunks_mut::<$bytes>();
                for (i, chunk) in chunks.iter_mut().enumerate() {
                    let mask: $mask = if f(&a[i], &b[i]) { !0 } else { 0 };
                    *chunk = mask.to_le_bytes();
                }
                out
            }
        }
    )*};
}

shapes! {
    i8x16: [i8; 16], 1, u8;
    u8x16: [u8; 16], 1, u8;
    i16x8: [i16; 8], 2, u16;
    u16x8: [u16; 8], 2, u16;
    i32x4: [i32; 4], 4, u32;
    u32x4: [u32; 4], 4, u32;
    i64x2: [i64; 2], 8, u64;
    u64x2: [u64; 2], 8, u64;
    f32x4: [f32; 4], 4, u32;
    f64x2: [f64; 2], 8, u64;
}

/// Defines instructions from `v128` operands to a `v128` result, one per line.
macro_rules! lanewise {
    ($($name:ident($($arg:ident),*) = $body:expr;)*) => {$(
        #[inline(always)]
        pub fn $name($($arg: $crate::sem::V128),*) -> $crate::sem::V128 {
            $body
        }
    )*};
}
pub(crate) use lanewise;
