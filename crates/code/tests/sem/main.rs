//! Every numeric and SIMD instruction against a second definition, written from the specification
//! in exact integers: lanes are cut out of a `u128` by shifts, computed as `i128`, and put back;
//! floats are taken apart into mantissa and exponent.

mod exact;
mod operands;
mod tables;

use std::collections::BTreeSet;

use dunlin_code::sem::{self, V128};
use dunlin_code::{for_each_bin_op, for_each_simd_op, for_each_un_op};

use exact::*;
use operands::*;
use tables::*;

fn same(name: &str, operands: &[u128], got: V128, want: u128) {
    assert!(got.to_bits() == want, "{name} of {operands:x?}: {got:x?}, expected {want:032x}");
}

#[test]
fn integer_lanes() {
    for &(name, f, width, define) in LANES_1 {
        for v in vectors(width, false, &mut Random(1)) {
            let want = build(width, |i| define(lane(v, width, i)));
            same(name, &[v], f(v.into()), want);
        }
    }
    for (table, ones) in [(LANES_2, 1), (LANE_TESTS, -1)] {
        for &(name, f, width, define) in table {
            vector_pairs(width, false, |a, b| {
                let want = build(width, |i| ones * define(lane(a, width, i), lane(b, width, i)));
                same(name, &[a, b], f(a.into(), b.into()), want);
            });
        }
    }
    for &(name, f, width, define) in SHIFTS {
        let amounts = (0..130).chain([255, 256, 1 << 31, u32::MAX]).collect::<Vec<_>>();
        for v in vectors(width, false, &mut Random(2)) {
            for &n in &amounts {
                let amount = Lane { width, u: i128::from(n), s: i128::from(n) };
                let want = build(width, |i| define(lane(v, width, i), amount));
                same(name, &[v, u128::from(n)], f(v.into(), n), want);
            }
        }
    }
}

#[test]
fn lanes_of_other_widths() {
    for &(name, f, width, define) in WIDENING_1 {
        for v in vectors(width, false, &mut Random(3)) {
            same(name, &[v], f(v.into()), build(2 * width, |i| define(v, i)));
        }
    }
    for &(name, f, width, define) in LOADS_EXTENDING {
        for v in vectors(width, false, &mut Random(12)) {
            let low = v & u128::from(u64::MAX);
            same(name, &[low], f(low.into()), build(2 * width, |i| define(lane(v, width, i))));
        }
    }
    for &(name, f, width, define) in WIDENING_2 {
        vector_pairs(width, false, |a, b| {
            same(name, &[a, b], f(a.into(), b.into()), build(2 * width, |i| define(a, b, i)));
        });
    }
    for &(name, f, width, define) in NARROWING {
        let count = 128 / width;
        vector_pairs(width, false, |a, b| {
            let want = build(width / 2, |i| {
                let from = if i < count { lane(a, width, i) } else { lane(b, width, i - count) };
                define(from.s, width / 2)
            });
            same(name, &[a, b], f(a.into(), b.into()), want);
        });
    }
}

#[test]
fn whole_vectors() {
    for &(name, f, width, define) in WHOLE_TESTS {
        // Single bits and single missing lanes besides the usual.
        let singles = (0..128).map(|i| 1u128 << i);
        let holes = (0..16).map(|i| !(0xff << (8 * i)));
        for v in vectors(width, false, &mut Random(4)).into_iter().chain(singles).chain(holes) {
            let lanes = (0..128 / width).map(|i| lane(v, width, i)).collect::<Vec<_>>();
            assert_eq!(f(v.into()), define(&lanes), "{name} of {v:032x}");
        }
    }
    vector_pairs(64, false, |a, b| {
        let c = a.rotate_left(37) ^ b;
        let choose = |i: u32| if (c >> i) & 1 == 1 { a } else { b };
        let want = (0..128).fold(0, |v, i| v | choose(i) & (1 << i));
        same("v128_bitselect", &[a, b, c], sem::v128_bitselect(a.into(), b.into(), c.into()), want);
    });
}

#[test]
fn permutations() {
    let mut random = Random(5);
    for _ in 0..3000 {
        let (a, b) = (scalar_vector(&mut random), scalar_vector(&mut random));
        let lanes: [u8; 16] = std::array::from_fn(|_| (random.next() % 32) as u8);
        let want = build(8, |i| match u32::from(lanes[i as usize]) {
            from @ 0..16 => lane(a, 8, from).u,
            from => lane(b, 8, from - 16).u,
        });
        same("i8x16_shuffle", &[a, b], sem::i8x16_shuffle(a.into(), b.into(), lanes), want);

        // Indices of all sizes, half of them small.
        let s = build(8, |_| i128::from(random.next() % random.pick(&[20, 256])));
        let want = build(8, |i| match lane(s, 8, i).u {
            from @ 0..16 => lane(a, 8, from as u32).u,
            _ => 0,
        });
        same("i8x16_swizzle", &[a, s], sem::i8x16_swizzle(a.into(), s.into()), want);
    }
}

fn scalar_vector(random: &mut Random) -> u128 {
    u128::from(random.next()) << 64 | u128::from(random.next())
}

#[test]
fn single_lanes() {
    let mut random = Random(6);
    for _ in 0..500 {
        let (v, x) = (scalar_vector(&mut random), random.next());
        for &(name, f, width) in SPLATS {
            same(name, &[x.into()], f(x), build(width, |_| i128::from(x)));
        }
        same("v128_load32_zero", &[x.into()], sem::v128_load32_zero(x as u32), x as u32 as u128);
        same("v128_load64_zero", &[x.into()], sem::v128_load64_zero(x), x.into());
        for &(name, f, width) in REPLACES.iter().chain(LANE_LOADS) {
            for at in 0..128 / width {
                let new = |i| if i == at { i128::from(x) } else { lane(v, width, i).u };
                same(name, &[v, x.into(), at.into()], f(v.into(), at as u8, x), build(width, new));
            }
        }
        for &(name, f, width, signed) in EXTRACTS {
            for at in 0..128 / width {
                let lane = lane(v, width, at);
                let want = if signed { lane.s as u32 as u64 } else { lane.u as u64 };
                assert_eq!(f(v.into(), at as u8), want, "{name} {at} of {v:032x}");
            }
        }
    }
}

#[test]
fn float_lanes() {
    let bits = |v: u128, width, i| lane(v, width, i).u as u64;
    for &(name, f, width, define) in FLOATS_1 {
        for v in vectors(width, true, &mut Random(7)) {
            let got = f(v.into()).to_bits();
            for i in 0..128 / width {
                let a = bits(v, width, i);
                check_float(
                    name,
                    width,
                    &[a],
                    width,
                    define(number(a, width)),
                    bits(got, width, i),
                );
            }
        }
    }
    for &(name, f, width, define) in FLOATS_2 {
        vector_pairs(width, true, |a, b| {
            let got = f(a.into(), b.into()).to_bits();
            for i in 0..128 / width {
                let (a, b) = (bits(a, width, i), bits(b, width, i));
                let want = define(number(a, width), number(b, width));
                check_float(name, width, &[a, b], width, want, bits(got, width, i));
            }
        });
    }
    for &(name, f, width, define) in FLOAT_TESTS {
        vector_pairs(width, true, |a, b| {
            let holds =
                |i| define(number(bits(a, width, i), width), number(bits(b, width, i), width));
            let want = build(width, |i| -truth(holds(i)));
            same(name, &[a, b], f(a.into(), b.into()), want);
        });
    }
    for &(name, f, width, second) in FLOAT_CHOICES {
        vector_pairs(width, true, |a, b| {
            let want = build(width, |i| {
                let (a, b) = (bits(a, width, i), bits(b, width, i));
                i128::from(if second(number(a, width), number(b, width)) { b } else { a })
            });
            same(name, &[a, b], f(a.into(), b.into()), want);
        });
    }
    for &(name, f, width, define) in FLOAT_SIGNS {
        for v in vectors(width, true, &mut Random(8)) {
            same(name, &[v], f(v.into()), build(width, |i| define(lane(v, width, i))));
        }
    }
}

#[test]
fn lane_conversions() {
    for &(name, f, width, define) in LANE_TRUNCATIONS {
        for v in vectors(width, true, &mut Random(9)) {
            let want = build(32, |i| match i < 128 / width {
                true => define(number(lane(v, width, i).u as u64, width)).unwrap(),
                false => 0,
            });
            same(name, &[v], f(v.into()), want);
        }
    }
    for &(name, f, width, define) in LANE_CONVERSIONS {
        for v in vectors(32, false, &mut Random(10)) {
            let got = f(v.into()).to_bits();
            for i in 0..128 / width {
                let want = nearest_float(define(lane(v, 32, i)), if width == 32 { 24 } else { 53 });
                check_float(name, 32, &[], width, want, lane(got, width, i).u as u64);
            }
        }
    }
    let changes: [(&str, V1, u32, u32); 2] = [
        ("f32x4_demote_f64x2_zero", sem::f32x4_demote_f64x2_zero, 64, 32),
        ("f64x2_promote_low_f32x4", sem::f64x2_promote_low_f32x4, 32, 64),
    ];
    for (name, f, from, to) in changes {
        for v in vectors(from, true, &mut Random(11)) {
            let got = f(v.into()).to_bits();
            for i in 0..2 {
                let a = lane(v, from, i).u as u64;
                check_float(name, from, &[a], to, number(a, from), lane(got, to, i).u as u64);
            }
            assert!(to == 64 || got >> 64 == 0, "{name} of {v:032x}: {got:032x}");
        }
    }
}

/// Relaxed instructions of three operands, by others that are checked above.
#[test]
fn relaxed_instructions() {
    vector_pairs(8, false, |a, b| {
        let c = a.rotate_left(41) ^ b;
        let dot = sem::i16x8_relaxed_dot_i8x16_i7x16_s(a.into(), b.into());
        let sums = sem::i32x4_extadd_pairwise_i16x8_s(dot);
        let want = sem::i32x4_add(sums, c.into()).to_bits();
        let got = sem::i32x4_relaxed_dot_i8x16_i7x16_add_s(a.into(), b.into(), c.into());
        same("i32x4_relaxed_dot_i8x16_i7x16_add_s", &[a, b, c], got, want);
    });
    type V3 = fn(V128, V128, V128) -> V128;
    let table: [(&str, u32, V3, V3, V1); 4] = [
        (
            "f32x4_relaxed_madd",
            32,
            sem::f32x4_relaxed_madd,
            |a, b, c| sem::f32x4_add(sem::f32x4_mul(a, b), c),
            sem::f32x4_canonical,
        ),
        (
            "f32x4_relaxed_nmadd",
            32,
            sem::f32x4_relaxed_nmadd,
            |a, b, c| sem::f32x4_add(sem::f32x4_mul(sem::f32x4_neg(a), b), c),
            sem::f32x4_canonical,
        ),
        (
            "f64x2_relaxed_madd",
            64,
            sem::f64x2_relaxed_madd,
            |a, b, c| sem::f64x2_add(sem::f64x2_mul(a, b), c),
            sem::f64x2_canonical,
        ),
        (
            "f64x2_relaxed_nmadd",
            64,
            sem::f64x2_relaxed_nmadd,
            |a, b, c| sem::f64x2_add(sem::f64x2_mul(sem::f64x2_neg(a), b), c),
            sem::f64x2_canonical,
        ),
    ];
    for (name, width, f, define, canonical) in table {
        let thirds = vectors(width, true, &mut Random(13));
        let mut random = Random(14);
        vector_pairs(width, true, |a, b| {
            let c = random.pick(&thirds);
            let want = canonical(define(a.into(), b.into(), c.into())).to_bits();
            same(name, &[a, b, c], canonical(f(a.into(), b.into(), c.into())), want);
        });
    }
}

/// One NaN for all, and nothing else changed.
#[test]
fn canonical_nans() {
    let nans: [(u32, u128, u128, V1); 2] = [
        (32, 0x7f80_0000, 0x7fc0_0000, sem::f32x4_canonical),
        (64, 0x7ff0 << 48, 0x7ff8 << 48, sem::f64x2_canonical),
    ];
    for (width, infinity, nan, f) in nans {
        let magnitude = mask(width) >> 1;
        for v in vectors(width, true, &mut Random(15)) {
            let want = build(width, |i| {
                let bits = lane(v, width, i).u as u128;
                (if bits & magnitude > infinity { nan } else { bits }) as i128
            });
            same("canonical", &[v], f(v.into()), want);
            let low = v as u64;
            match width {
                32 => {
                    let got = sem::f32_canonical(f32::from_bits(low as u32)).to_bits();
                    assert_eq!(u128::from(got), want & mask(32), "{low:x}");
                }
                _ => {
                    let got = sem::f64_canonical(f64::from_bits(low)).to_bits();
                    assert_eq!(u128::from(got), want & mask(64), "{low:x}");
                }
            }
        }
    }
}

#[test]
fn small_integers_keep_31_bits() {
    for value in scalar_operands(32, false) {
        let value = value as u32;
        let reference = sem::ref_i31(value);
        assert_eq!(reference & 1, 1, "told from objects by the lowest bit");
        assert_eq!(sem::i31_get_u(reference), Ok(value & 0x7fff_ffff));
        let signed = i64::from(value & 0x3fff_ffff) - i64::from(value & 0x4000_0000);
        assert_eq!(sem::i31_get_s(reference), Ok(signed as u32), "{value:#x}");
    }
    assert_eq!(sem::i31_get_s(0), Err(dunlin_code::Trap::NullI31));
    assert_eq!(sem::i31_get_u(0), Err(dunlin_code::Trap::NullI31));
}

fn scalar_operands(width: u32, float: bool) -> Vec<u64> {
    let mut random = Random(u64::from(width));
    let mut all = if float { float_edges(width) } else { int_edges(width) };
    all.extend((0..20_000).map(|_| scalars(width, float, &mut random)));
    all
}

#[test]
fn integer_scalars() {
    for &(name, f, (from, to), define) in SCALARS_1 {
        for a in scalar_operands(from, name.contains('f')) {
            let want = define(lane_of(a, from)) as u64 & mask(to) as u64;
            assert_eq!(f(a), Ok(want), "{name} of {a:x}");
        }
    }
    for &(name, f, (from, to), define) in SCALARS_2 {
        scalar_pairs(from, name.starts_with('f'), |a, b| {
            let want = define(lane_of(a, from), lane_of(b, from)) as u64 & mask(to) as u64;
            assert_eq!(f(a, b), Ok(want), "{name} of {a:x}, {b:x}");
        });
    }
    for &(name, f, (from, to), define) in DIVISIONS {
        scalar_pairs(from, false, |a, b| {
            let want = define(lane_of(a, from), lane_of(b, from));
            let want = want.map(|x| x as u64 & mask(to) as u64);
            assert_eq!(f(a, b), want, "{name} of {a:x}, {b:x}");
        });
    }
}

#[test]
fn float_scalars() {
    for &(name, f, (from, to), define) in FLOAT_SCALARS_1 {
        for a in scalar_operands(from, true) {
            check_float(name, from, &[a], to, define(number(a, from)), f(a).unwrap());
        }
    }
    for &(name, f, (from, to), define) in FLOAT_SCALARS_2 {
        scalar_pairs(from, true, |a, b| {
            let want = define(number(a, from), number(b, from));
            check_float(name, from, &[a, b], to, want, f(a, b).unwrap());
        });
    }
    for &(name, f, (from, _), define) in FLOAT_SCALAR_TESTS {
        scalar_pairs(from, true, |a, b| {
            let want = define(number(a, from), number(b, from));
            assert_eq!(f(a, b), Ok(u64::from(want)), "{name} of {a:x}, {b:x}");
        });
    }
}

#[test]
fn scalar_conversions() {
    for &(name, f, (from, to), define) in CONVERSIONS {
        for a in scalar_operands(from, false) {
            let want = nearest_float(define(lane_of(a, from)), if to == 32 { 24 } else { 53 });
            check_float(name, from, &[], to, want, f(a).unwrap());
        }
    }
    for &(name, f, (from, to), define) in TRUNCATIONS {
        for a in scalar_operands(from, true) {
            let want = define(number(a, from)).map(|x| x as u64 & mask(to) as u64);
            assert_eq!(f(a), want, "{name} of {a:x}");
        }
    }
}

/// The product by long multiplication in digits of 32 bits.
fn long_product(a: u64, b: u64) -> (u64, u64) {
    let digits = |x: u64| [x & 0xffff_ffff, x >> 32];
    let mut sum = [0u64; 4];
    for (i, x) in digits(a).into_iter().enumerate() {
        let mut carry = 0;
        for (j, y) in digits(b).into_iter().enumerate() {
            let cell = x * y + sum[i + j] + carry;
            (sum[i + j], carry) = (cell & 0xffff_ffff, cell >> 32);
        }
        sum[i + 2] = carry;
    }
    (sum[0] | sum[1] << 32, sum[2] | sum[3] << 32)
}

#[test]
fn wide_arithmetic() {
    scalar_pairs(64, false, |a, b| {
        let (low, high) = long_product(a, b);
        assert_eq!(sem::i64_mul_wide_u(a, b), (low, high), "{a:x} * {b:x}");
        // A negative operand read as unsigned is 2^64 too large.
        let excess = |x: u64, y: u64| if x >> 63 == 1 { y } else { 0 };
        let signed = high.wrapping_sub(excess(a, b)).wrapping_sub(excess(b, a));
        assert_eq!(sem::i64_mul_wide_s(a, b), (low, signed), "{a:x} * {b:x}");

        for (c, d) in [(b, a), (a, a), (!a, !b), (a.rotate_left(9), b.rotate_left(31))] {
            let (low, carry) = a.overflowing_add(c);
            let high = b.wrapping_add(d).wrapping_add(u64::from(carry));
            assert_eq!(sem::i64_add128(a, b, c, d), (low, high), "{a:x} {b:x} + {c:x} {d:x}");
            let (low, borrow) = a.overflowing_sub(c);
            let high = b.wrapping_sub(d).wrapping_sub(u64::from(borrow));
            assert_eq!(sem::i64_sub128(a, b, c, d), (low, high), "{a:x} {b:x} - {c:x} {d:x}");
        }
    });
}

#[test]
fn values_keep_their_bytes() {
    let v = V128::from_bits(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);
    assert_eq!(v.to_le_bytes(), std::array::from_fn(|i| i as u8));
    assert_eq!(V128::from_le_bytes(v.to_le_bytes()), v);
    assert_eq!(u128::from(v), v.to_bits());
    assert_eq!(format!("{v:?}"), "V128(0x0f0e0d0c0b0a09080706050403020100)");
}

/// No instruction that the op tables compute by a function here is missing above.
#[test]
fn every_instruction_is_checked() {
    let mut checked = BTreeSet::new();
    macro_rules! add {
        ($($table:ident)*) => { $(checked.extend($table.iter().map(|row| row.0));)* };
    }
    add! {
        LANES_1 LANES_2 LANE_TESTS SHIFTS WIDENING_1 WIDENING_2 NARROWING WHOLE_TESTS SPLATS
        EXTRACTS REPLACES LANE_LOADS LOADS_EXTENDING FLOATS_1 FLOATS_2 FLOAT_TESTS FLOAT_CHOICES
        FLOAT_SIGNS LANE_TRUNCATIONS LANE_CONVERSIONS SCALARS_1 SCALARS_2 DIVISIONS FLOAT_SCALARS_1
        FLOAT_SCALARS_2 FLOAT_SCALAR_TESTS CONVERSIONS TRUNCATIONS
    }
    checked.extend(OTHERS);
    // These move all bytes as they are, without a function.
    checked.extend(["v128_load", "v128_store"]);

    let mut missing: Vec<&str> = Vec::new();
    macro_rules! look_for {
        ($($variant:ident $fun:ident $($shape:ident)*,)*) => {
            missing.extend([$(stringify!($fun)),*].iter().filter(|name| !checked.contains(*name)));
        };
    }
    for_each_simd_op!(look_for);
    for_each_bin_op!(look_for);
    for_each_un_op!(look_for);
    assert_eq!(missing, Vec::<&str>::new());
}
