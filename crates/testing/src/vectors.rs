//! Every vector instruction on an array of operands, in a loop: tiers can be compared on thousands of
//! operands of each in a second.

use std::fmt::Write;

use crate::forms::{self, Instruction};
use crate::random::Random;

/// Bytes of one set of operands: three, and the result.
const SET_BYTES: usize = 64;
/// Where the result of a set is.
const RESULT_AT: usize = 48;

/// A vector instruction, immediates included.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its text, as in `i8x16.extract_lane_s 3`; the function that executes it has this name.
    pub name: String,
    params: Vec<&'static str>,
    result: &'static str,
}

/// Every vector instruction that accesses no memory, with every lane, and with shuffles of all sorts.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = forms::vector()
        .into_iter()
        .map(|Instruction { name, params, result }| Case { name, params, result })
        .collect();
    let shapes = [
        ("i8x16", 16, "i32", ["_s", "_u"].as_slice()),
        ("i16x8", 8, "i32", &["_s", "_u"]),
        ("i32x4", 4, "i32", &[""]),
        ("i64x2", 2, "i64", &[""]),
        ("f32x4", 4, "f32", &[""]),
        ("f64x2", 2, "f64", &[""]),
    ];
    for (shape, count, scalar, signs) in shapes {
        for lane in 0..count {
            cases.extend(signs.iter().map(|sign| Case {
                name: format!("{shape}.extract_lane{sign} {lane}"),
                params: vec!["v128"],
                result: scalar,
            }));
            cases.push(Case {
                name: format!("{shape}.replace_lane {lane}"),
                params: vec!["v128", scalar],
                result: "v128",
            });
        }
    }
    cases.extend(shuffles().into_iter().map(|lanes| Case {
        name: format!("i8x16.shuffle {}", lanes.map(|lane| lane.to_string()).join(" ")),
        params: vec!["v128", "v128"],
        result: "v128",
    }));
    cases
}

/// Shuffles that machines have an instruction for, and some that they have none for.
fn shuffles() -> Vec<[u8; 16]> {
    let mut shuffles = Vec::new();
    let mut random = Random::new(1);
    for width in [1, 2, 4, 8] {
        let lanes = 16 / width;
        // Byte `i` of the result is in the lane that `pick` gives for its own lane.
        let mut by_lane = |pick: &dyn Fn(usize) -> usize| {
            let byte = |i: usize| (pick(i / width) % (2 * lanes) * width + i % width) as u8;
            shuffles.push(std::array::from_fn(byte));
        };
        by_lane(&|lane| lane / 2 + lane % 2 * lanes);
        by_lane(&|lane| lanes / 2 + lane / 2 + lane % 2 * lanes);
        by_lane(&|lane| lanes - 1 - lane);
        by_lane(&|lane| lane + lane % 2 * lanes);
        for shift in [1, lanes / 2, lanes, lanes + 1] {
            by_lane(&|lane| lane + shift);
        }
        for _ in 0..4 {
            let bits = random.next();
            by_lane(&|lane| (bits >> (4 * lane)) as usize);
            // From one operand only, and each half within itself.
            by_lane(&|lane| (bits >> (4 * lane)) as usize % lanes);
            by_lane(&|lane| lanes + (bits >> (4 * lane)) as usize % lanes);
            let half = (lanes / 2).max(1);
            by_lane(&|lane| (bits >> (4 * lane)) as usize % half + lane / half * half);
        }
        by_lane(&|_| 0);
        by_lane(&|_| lanes);
    }
    shuffles.sort_unstable();
    shuffles.dedup();
    shuffles
}

/// A module, as text, that exports the memory `memory`, made for `sets` sets of operands, and a function
/// for each case, named after it, that puts the results where they belong.
pub fn module(cases: &[Case], sets: usize) -> String {
    let bytes = sets * SET_BYTES;
    let mut text =
        format!("(module (memory (export \"memory\") {})\n", bytes.div_ceil(1 << 16).max(1));
    for Case { name, params, result } in cases {
        let load =
            |(n, ty): (usize, &&str)| format!(" ({ty}.load offset={} (local.get $at))", 16 * n);
        let operands: String = params.iter().enumerate().map(load).collect();
        let _ = writeln!(
            text,
            "(func (export \"{name}\") (local $at i32)
               (loop $next
                 ({result}.store offset={RESULT_AT} (local.get $at) ({name}{operands}))
                 (local.set $at (i32.add (local.get $at) (i32.const {SET_BYTES})))
                 (br_if $next (i32.lt_u (local.get $at) (i32.const {bytes})))))"
        );
    }
    text.push(')');
    text
}

/// What the memory has to hold before the first call: operands of which many are special in one shape of
/// lanes or other.
pub fn operands(sets: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = vec![0; sets * SET_BYTES];
    for set in bytes.as_chunks_mut::<SET_BYTES>().0 {
        let (operands, _) = set[..RESULT_AT].as_chunks_mut::<16>();
        // All operands of one shape, so that special values meet.
        let width = [1, 2, 4, 8, 4, 8][random.below(6)];
        let floats = random.below(2) == 0;
        for operand in operands {
            for bytes in operand.chunks_exact_mut(width) {
                bytes.copy_from_slice(&lane(&mut random, width, floats).to_le_bytes()[..width]);
            }
        }
    }
    bytes
}

/// The first set in which the results of a case in two memories differ, as text. Only if `exact` is not
/// set, a NaN that arithmetic yields may be any that is quiet.
pub fn difference(case: &Case, memories: [&[u8]; 2], exact: bool) -> Option<String> {
    let width = match case.result {
        "i32" | "f32" => 4,
        "i64" | "f64" => 8,
        _ => 16,
    };
    let sets = memories.map(|memory| memory.as_chunks::<SET_BYTES>().0);
    for (a, b) in sets[0].iter().zip(sets[1]) {
        let results = [a, b].map(|set| &set[RESULT_AT..RESULT_AT + width]);
        let same = results[0] == results[1]
            || !exact
                && match case.nan_lanes() {
                    Some(4) => same_floats(results, 4, 0x7f80_0000, 0x0040_0000),
                    Some(_) => same_floats(results, 8, 0x7ff << 52, 1 << 51),
                    None => false,
                };
        if !same {
            let hex = |bytes: &[u8]| {
                bytes.iter().rev().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
            };
            let operands: Vec<String> =
                (0..case.params.len()).map(|n| hex(&a[16 * n..16 * n + 16])).collect();
            let results = results.map(hex);
            return Some(format!(
                "{} of {}: {} and {}",
                case.name,
                operands.join(", "),
                results[0],
                results[1]
            ));
        }
    }
    None
}

impl Case {
    /// Bytes of the lanes that may be NaNs made by arithmetic.
    fn nan_lanes(&self) -> Option<usize> {
        let (shape, op) = self.name.split_once('.')?;
        let width = match shape {
            "f32x4" => 4,
            "f64x2" => 8,
            _ => return None,
        };
        let makes_nans = op.starts_with("demote")
            || op.starts_with("promote")
            || "add sub mul div min max sqrt ceil floor trunc nearest relaxed_min relaxed_max \
                relaxed_madd relaxed_nmadd"
                .split_whitespace()
                .any(|name| name == op);
        makes_nans.then_some(width)
    }
}

/// Whether lanes are the same or both quiet NaNs.
fn same_floats(results: [&[u8]; 2], width: usize, exponent: u64, quiet: u64) -> bool {
    let lanes = results.map(|bytes| {
        let lanes = bytes.chunks_exact(width);
        lanes.map(|lane| lane.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte)))
    });
    let [a, b] = lanes;
    let is_quiet = |bits: u64| bits & (exponent | quiet) == exponent | quiet;
    a.zip(b).all(|(a, b)| a == b || is_quiet(a) && is_quiet(b))
}

/// A lane of `width` bytes in the low bits.
fn lane(random: &mut Random, width: usize, floats: bool) -> u64 {
    let bits = 8 * width as u32;
    let sign = 1 << (bits - 1);
    let near = random.next() % 5;
    let flip = [0, sign][random.below(2)];
    match (random.below(3), floats, width) {
        (0, ..) => random.next(),
        (1, true, 4) => {
            let float = random.below(FLOATS.len());
            u64::from((FLOATS[float] as f32).to_bits()).wrapping_add(near).wrapping_sub(2) ^ flip
        }
        (1, true, 8) => {
            let float = random.below(FLOATS.len());
            FLOATS[float].to_bits().wrapping_add(near).wrapping_sub(2) ^ flip
        }
        // Floats of any size, so that some are between integers.
        (2, true, 4) => {
            u64::from(((random.next() as i64 >> random.below(64)) as f32 / 4.0).to_bits())
        }
        (2, true, 8) => ((random.next() as i64 >> random.below(64)) as f64 / 4.0).to_bits(),
        (1, ..) => {
            let power = 1u64 << random.below(bits as usize);
            power.wrapping_add(near).wrapping_sub(2) ^ flip
        }
        _ => near.wrapping_sub(2),
    }
}

/// Floats at which something changes.
const FLOATS: [f64; 21] = [
    0.0,
    0.5,
    1.0,
    1.5,
    2.5,
    127.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    2_147_483_648.0,
    4_294_967_296.0,
    4_503_599_627_370_496.0,
    9_223_372_036_854_775_808.0,
    18_446_744_073_709_551_616.0,
    f64::MAX,
    f64::MIN_POSITIVE,
    f32::MAX as f64,
    f32::MIN_POSITIVE as f64,
    f64::INFINITY,
    f64::NAN,
    1e-310,
];
