//! Vectors: one handler per instruction, made from its shape and its function.

use dunlin_code::Trap;
use dunlin_code::sem;

use crate::interp::access::{self, Place, Stored};
use crate::interp::regs::{Exec, Flow, Regs};

/// The address a vector load or store names: memory c at slot b plus the second word.
#[inline(always)]
unsafe fn place(r: &Regs, size: u64) -> Result<Place, Trap> {
    // SAFETY: V3, V7.
    unsafe { access::place(r, r.c(), r.get(r.b()), r.word(2), size) }
}

/// What a load reads: how many bytes, and how.
macro_rules! load {
    ($at:ident V128Load) => {
        access::read_vec($at)
    };
    ($at:ident V128Load8Splat) => {
        sem::v128_load8_splat(u8::read($at))
    };
    ($at:ident V128Load16Splat) => {
        sem::v128_load16_splat(u16::read($at))
    };
    ($at:ident V128Load32Splat) => {
        sem::v128_load32_splat(u32::read($at))
    };
    ($at:ident V128Load64Splat) => {
        sem::v128_load64_splat(u64::read($at))
    };
    ($at:ident V128Load32Zero) => {
        sem::v128_load32_zero(u32::read($at))
    };
    ($at:ident V128Load64Zero) => {
        sem::v128_load64_zero(u64::read($at))
    };
    ($at:ident V128Load8x8S) => {
        sem::v128_load8x8_s(access::read_low($at))
    };
    ($at:ident V128Load8x8U) => {
        sem::v128_load8x8_u(access::read_low($at))
    };
    ($at:ident V128Load16x4S) => {
        sem::v128_load16x4_s(access::read_low($at))
    };
    ($at:ident V128Load16x4U) => {
        sem::v128_load16x4_u(access::read_low($at))
    };
    ($at:ident V128Load32x2S) => {
        sem::v128_load32x2_s(access::read_low($at))
    };
    ($at:ident V128Load32x2U) => {
        sem::v128_load32x2_u(access::read_low($at))
    };
}

/// Bytes that a load reads.
macro_rules! load_size {
    (V128Load) => {
        16
    };
    (V128Load8Splat) => {
        1
    };
    (V128Load16Splat) => {
        2
    };
    (V128Load32Splat) => {
        4
    };
    (V128Load32Zero) => {
        4
    };
    ($name:ident) => {
        8
    };
}

/// The integer type of a lane in memory.
macro_rules! lane {
    (V128Load8Lane) => {
        u8
    };
    (V128Load16Lane) => {
        u16
    };
    (V128Load32Lane) => {
        u32
    };
    (V128Load64Lane) => {
        u64
    };
    (V128Store8Lane) => {
        u8
    };
    (V128Store16Lane) => {
        u16
    };
    (V128Store32Lane) => {
        u32
    };
    (V128Store64Lane) => {
        u64
    };
}

/// The body of a handler by shape.
macro_rules! shape {
    (Un $r:ident $name:ident $fun:ident) => {{
        let value = sem::$fun($r.get_vec($r.b()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (Bin $r:ident $name:ident $fun:ident) => {{
        let value = sem::$fun($r.get_vec($r.b()), $r.get_vec($r.c()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (Ter $r:ident $name:ident $fun:ident) => {{
        let value = sem::$fun($r.get_vec($r.b()), $r.get_vec($r.c()), $r.get_vec($r.d()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (Shift $r:ident $name:ident $fun:ident) => {{
        let value = sem::$fun($r.get_vec($r.b()), $r.get::<u32>($r.c()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (SplatU32 $r:ident $name:ident $fun:ident) => { shape!(@splat $r $fun u32) };
    (SplatU64 $r:ident $name:ident $fun:ident) => { shape!(@splat $r $fun u64) };
    (SplatF32 $r:ident $name:ident $fun:ident) => { shape!(@splat $r $fun f32) };
    (SplatF64 $r:ident $name:ident $fun:ident) => { shape!(@splat $r $fun f64) };
    (@splat $r:ident $fun:ident $ty:ty) => {{
        let value = sem::$fun($r.get::<$ty>($r.b()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (Test $r:ident $name:ident $fun:ident) => {{
        let value: u32 = sem::$fun($r.get_vec($r.b()));
        $r.set($r.a(), value);
        $r.next(2)
    }};
    (ExtractU32 $r:ident $name:ident $fun:ident) => { shape!(@extract $r $fun) };
    (ExtractU64 $r:ident $name:ident $fun:ident) => { shape!(@extract $r $fun) };
    (ExtractF32 $r:ident $name:ident $fun:ident) => { shape!(@extract $r $fun) };
    (ExtractF64 $r:ident $name:ident $fun:ident) => { shape!(@extract $r $fun) };
    (@extract $r:ident $fun:ident) => {{
        let value = sem::$fun($r.get_vec($r.b()), $r.c() as u8);
        $r.set($r.a(), value);
        $r.next(2)
    }};
    (ReplaceU32 $r:ident $name:ident $fun:ident) => { shape!(@replace $r $fun u32) };
    (ReplaceU64 $r:ident $name:ident $fun:ident) => { shape!(@replace $r $fun u64) };
    (ReplaceF32 $r:ident $name:ident $fun:ident) => { shape!(@replace $r $fun f32) };
    (ReplaceF64 $r:ident $name:ident $fun:ident) => { shape!(@replace $r $fun f64) };
    (@replace $r:ident $fun:ident $ty:ty) => {{
        let value = sem::$fun($r.get_vec($r.b()), $r.d() as u8, $r.get::<$ty>($r.c()));
        $r.set_vec($r.a(), value);
        $r.next(2)
    }};
    (Shuffle $r:ident $name:ident $fun:ident) => {{
        let lanes = [$r.word(2).to_le_bytes(), $r.word(3).to_le_bytes()];
        let lanes: [u8; 16] = std::array::from_fn(|i| lanes[i / 8][i % 8]);
        let value = sem::$fun($r.get_vec($r.b()), $r.get_vec($r.c()), lanes);
        $r.set_vec($r.a(), value);
        $r.next(4)
    }};
    (Load $r:ident $name:ident $fun:ident) => {{
        match place($r, load_size!($name)) {
            Ok(at) => {
                let value = load!(at $name);
                $r.set_vec($r.a(), value);
                $r.next(3)
            }
            Err(trap) => $r.trap(trap),
        }
    }};
    (Store $r:ident $name:ident $fun:ident) => {{
        match place($r, 16) {
            Ok(at) => {
                access::write_vec(at, $r.get_vec($r.a()));
                $r.next(3)
            }
            Err(trap) => $r.trap(trap),
        }
    }};
    (LoadLane $r:ident $name:ident $fun:ident) => {{
        match place($r, <lane!($name)>::SIZE) {
            Ok(at) => {
                let lane = <lane!($name)>::read(at);
                let value = sem::$fun(lane, $r.get_vec($r.d()), $r.word(3) as u8);
                $r.set_vec($r.a(), value);
                $r.next(4)
            }
            Err(trap) => $r.trap(trap),
        }
    }};
    (StoreLane $r:ident $name:ident $fun:ident) => {{
        match place($r, <lane!($name)>::SIZE) {
            Ok(at) => {
                let lane: lane!($name) = sem::$fun($r.get_vec($r.a()), $r.word(3) as u8);
                lane.write(at);
                $r.next(4)
            }
            Err(trap) => $r.trap(trap),
        }
    }};
}

macro_rules! handlers {
    ($($name:ident $fun:ident $shape:ident,)*) => {$(
        pub(in crate::interp) struct $name;
        impl Exec for $name {
            #[inline(always)]
            unsafe fn exec(r: &mut Regs) -> Flow {
                // SAFETY: V3, V7: the operands are those of this op; addresses are checked for
                // the size that is read or written.
                unsafe { shape!($shape r $name $fun) }
            }
        }
    )*};
}
dunlin_code::for_each_simd_op!(handlers);
