//! Operands: edges of every format, and numbers from a small generator.

use crate::exact::{build, classes, mask};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }
}

/// The integers around zero, around the ends of the signed and unsigned range, and some bits.
pub(crate) fn int_edges(width: u32) -> Vec<u64> {
    let (top, all) = (1u64 << (width - 1), mask(width) as u64);
    let near = |x: u64| [x.wrapping_sub(2), x.wrapping_sub(1), x, x.wrapping_add(1)];
    let mut edges: Vec<u64> = [0, 3, top, top >> 1, all / 3, all, 1 << (width / 2)]
        .into_iter()
        .flat_map(near)
        .chain([u64::from(width), 100, 0x5a5a_5a5a_1234_89ab])
        .map(|x| x & all)
        .collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Floats as bits: where formats, roundings, conversions and classes change.
pub(crate) fn float_edges(width: u32) -> Vec<u64> {
    let mut edges: Vec<u64> = vec![0.0, 0.1, 1.0, 1.5, 2.5, 3.5, 4.5, 5.0, 127.0, 255.0, 1e9, 1e19]
        .into_iter()
        .chain([22, 23, 24, 31, 32, 51, 52, 53, 63, 64, 65].map(|n| 2f64.powi(n)))
        .chain([0.5, 0.25, 0.75, 4194304.5, 8388607.5, 2251799813685248.5, 4503599627370495.5])
        .map(|x| if width == 32 { u64::from((x as f32).to_bits()) } else { x.to_bits() })
        .flat_map(|bits| [bits.saturating_sub(1), bits, bits + 1])
        .collect();
    let (infinity, quiet) = classes(width);
    // Least and greatest subnormal and normal, infinity, and NaNs: signalling, canonical, others.
    let normal = if width == 32 { 1 << 23 } else { 1 << 52 };
    edges.extend([1, normal - 1, normal, normal + 1, infinity - 1, infinity]);
    edges.extend([infinity + 1, infinity + 0x1234, infinity | quiet, (infinity | quiet) + 0x321]);
    let sign = 1 << (width - 1);
    edges.iter().flat_map(|&bits| [bits & !sign, bits | sign]).collect()
}

pub(crate) fn scalars(width: u32, float: bool, random: &mut Random) -> u64 {
    let shaped = match random.next() % 4 {
        0 if float => random.pick(&float_edges(width)),
        0 => random.pick(&int_edges(width)),
        // A float of moderate size, or an integer of few bits.
        1 if float => {
            let x = (random.next() as i64 as f64) / 2f64.powi((random.next() % 70) as i32);
            if width == 32 { u64::from((x as f32).to_bits()) } else { x.to_bits() }
        }
        1 => random.next() >> (random.next() % 64),
        _ => random.next(),
    };
    shaped & mask(width) as u64
}

/// Vectors for instructions on lanes of `width`: every edge in every lane, edges mixed, and noise.
pub(crate) fn vectors(width: u32, float: bool, random: &mut Random) -> Vec<u128> {
    let edges = if float { float_edges(width) } else { int_edges(width) };
    let splats = edges.iter().map(|&x| build(width, |_| i128::from(x))).collect::<Vec<_>>();
    let mixed = (0..300).map(|_| build(width, |_| i128::from(scalars(width, float, random))));
    mixed.collect::<Vec<_>>().into_iter().chain(splats).collect()
}

/// Calls `check` with pairs: all pairs of splatted edges, and random pairs of vectors.
pub(crate) fn vector_pairs(width: u32, float: bool, mut check: impl FnMut(u128, u128)) {
    let mut random = Random(u64::from(width));
    let all = vectors(width, float, &mut random);
    for &a in &all[300..] {
        all[300..].iter().for_each(|&b| check(a, b));
    }
    for _ in 0..2000 {
        check(random.pick(&all), random.pick(&all));
    }
}

pub(crate) fn scalar_pairs(width: u32, float: bool, mut check: impl FnMut(u64, u64)) {
    let edges = if float { float_edges(width) } else { int_edges(width) };
    for &a in &edges {
        edges.iter().for_each(|&b| check(a, b));
    }
    let mut random = Random(u64::from(width));
    for _ in 0..5000 {
        let (a, b) = (scalars(width, float, &mut random), scalars(width, float, &mut random));
        check(a, b);
    }
}
