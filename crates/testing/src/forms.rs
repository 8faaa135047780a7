//! One function per instruction, shape of its operands and use of its result.
//!
//! An interpreter that fuses instructions has several implementations of each: with an operand
//! that was just computed, that is a constant on either side, that lies in a local, in the local
//! that takes the result, or too far away to be named directly. The modules made here call each.

use std::fmt::Write;

/// An instruction without immediates.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Its name.
    pub name: String,
    pub(crate) params: Vec<&'static str>,
    pub(crate) result: &'static str,
}

/// Where the values a function works with lie in its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the first slots.
    Near,
    /// In locals behind more than 65 536 slots of others.
    FarLocals,
    /// On top of more than 65 536 slots of operands.
    FarOperands,
}

/// `(iNN.const …)` operands that matter to some instruction or other.
fn constants(ty: &str) -> &'static [&'static str] {
    match ty {
        "i32" => &["0", "1", "-1", "31", "0x80000000", "0x7fffffff"],
        "i64" => &["0", "1", "-1", "0x80000000", "0x8000000000000000", "0x123456789abcdef0"],
        "f32" | "f64" => &["0", "-0", "1.5", "nan", "-inf", "1e10"],
        _ => &["i64x2 0 0", "i64x2 -1 1", "i32x4 0x3fc00000 0x80000000 0x7f800000 0x12345678"],
    }
}

/// Every numeric instruction on scalars.
pub fn scalar() -> Vec<Instruction> {
    let mut list = Vec::new();
    for ty in ["i32", "i64"] {
        for op in
            "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr".split(' ')
        {
            list.push(instruction(ty, op, &[ty, ty], ty));
        }
        for op in "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(' ') {
            list.push(instruction(ty, op, &[ty, ty], "i32"));
        }
        for op in "clz ctz popcnt extend8_s extend16_s".split(' ') {
            list.push(instruction(ty, op, &[ty], ty));
        }
        list.push(instruction(ty, "eqz", &[ty], "i32"));
    }
    for ty in ["f32", "f64"] {
        for op in "add sub mul div min max copysign".split(' ') {
            list.push(instruction(ty, op, &[ty, ty], ty));
        }
        for op in "eq ne lt gt le ge".split(' ') {
            list.push(instruction(ty, op, &[ty, ty], "i32"));
        }
        for op in "abs neg ceil floor trunc nearest sqrt".split(' ') {
            list.push(instruction(ty, op, &[ty], ty));
        }
    }
    list.push(instruction("i64", "extend32_s", &["i64"], "i64"));
    for int in ["i32", "i64"] {
        for float in ["f32", "f64"] {
            for sign in ["s", "u"] {
                list.push(instruction(int, &format!("trunc_{float}_{sign}"), &[float], int));
                list.push(instruction(int, &format!("trunc_sat_{float}_{sign}"), &[float], int));
                list.push(instruction(float, &format!("convert_{int}_{sign}"), &[int], float));
            }
        }
    }
    list.push(instruction("i64", "extend_i32_s", &["i32"], "i64"));
    list.push(instruction("i64", "extend_i32_u", &["i32"], "i64"));
    list.push(instruction("i32", "wrap_i64", &["i64"], "i32"));
    list.push(instruction("f64", "promote_f32", &["f32"], "f64"));
    list.push(instruction("f32", "demote_f64", &["f64"], "f32"));
    list.push(instruction("i32", "reinterpret_f32", &["f32"], "i32"));
    list.push(instruction("i64", "reinterpret_f64", &["f64"], "i64"));
    list.push(instruction("f32", "reinterpret_i32", &["i32"], "f32"));
    list.push(instruction("f64", "reinterpret_i64", &["i64"], "f64"));
    list
}

/// Every vector instruction without immediates.
pub fn vector() -> Vec<Instruction> {
    const V: &str = "v128";
    let mut list = Vec::new();
    let mut binary = |shapes: &str, ops: &str| {
        for shape in shapes.split(' ') {
            list.extend(ops.split(' ').map(|op| instruction(shape, op, &[V, V], V)));
        }
    };
    binary("v128", "and or xor andnot");
    binary("i8x16 i16x8 i32x4 i64x2", "eq ne lt_s gt_s le_s ge_s add sub");
    binary("i8x16 i16x8 i32x4", "lt_u gt_u le_u ge_u min_s min_u max_s max_u");
    binary("i8x16 i16x8", "add_sat_s add_sat_u sub_sat_s sub_sat_u avgr_u");
    binary("i16x8 i32x4 i64x2", "mul");
    binary("i8x16", "swizzle relaxed_swizzle narrow_i16x8_s narrow_i16x8_u");
    binary("i16x8", "narrow_i32x4_s narrow_i32x4_u q15mulr_sat_s relaxed_q15mulr_s");
    binary("i16x8", "relaxed_dot_i8x16_i7x16_s");
    binary("i32x4", "dot_i16x8_s");
    for (shape, half) in [("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4")] {
        for part in ["low", "high"] {
            for sign in ["s", "u"] {
                binary(shape, &format!("extmul_{part}_{half}_{sign}"));
            }
        }
    }
    binary("f32x4 f64x2", "add sub mul div min max pmin pmax relaxed_min relaxed_max");
    binary("f32x4 f64x2", "eq ne lt gt le ge");
    let mut unary = |shapes: &str, ops: &str| {
        for shape in shapes.split(' ') {
            list.extend(ops.split(' ').map(|op| instruction(shape, op, &[V], V)));
        }
    };
    unary("v128", "not");
    unary("i8x16 i16x8 i32x4 i64x2", "abs neg");
    unary("i8x16", "popcnt");
    unary("f32x4 f64x2", "abs neg sqrt ceil floor trunc nearest");
    unary("i16x8", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u");
    unary("i32x4", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u");
    for (shape, half) in [("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4")] {
        for part in ["low", "high"] {
            for sign in ["s", "u"] {
                unary(shape, &format!("extend_{part}_{half}_{sign}"));
            }
        }
    }
    for trunc in ["trunc_sat", "relaxed_trunc"] {
        for from in ["f32x4_s", "f32x4_u", "f64x2_s_zero", "f64x2_u_zero"] {
            unary("i32x4", &format!("{trunc}_{from}"));
        }
    }
    unary("f32x4", "convert_i32x4_s convert_i32x4_u demote_f64x2_zero");
    unary("f64x2", "convert_low_i32x4_s convert_low_i32x4_u promote_low_f32x4");
    for shape in ["i8x16", "i16x8", "i32x4", "i64x2"] {
        for op in ["shl", "shr_s", "shr_u"] {
            list.push(instruction(shape, op, &[V, "i32"], V));
        }
        for op in ["all_true", "bitmask"] {
            list.push(instruction(shape, op, &[V], "i32"));
        }
    }
    list.push(instruction("v128", "any_true", &[V], "i32"));
    list.push(instruction("v128", "bitselect", &[V, V, V], V));
    for shape in ["i8x16", "i16x8", "i32x4", "i64x2"] {
        list.push(instruction(shape, "relaxed_laneselect", &[V, V, V], V));
    }
    for shape in ["f32x4", "f64x2"] {
        list.push(instruction(shape, "relaxed_madd", &[V, V, V], V));
        list.push(instruction(shape, "relaxed_nmadd", &[V, V, V], V));
    }
    list.push(instruction("i32x4", "relaxed_dot_i8x16_i7x16_add_s", &[V, V, V], V));
    let lanes = [("i8x16", "i32"), ("i16x8", "i32"), ("i32x4", "i32"), ("i64x2", "i64")];
    for (shape, lane) in lanes.into_iter().chain([("f32x4", "f32"), ("f64x2", "f64")]) {
        list.push(instruction(shape, "splat", &[lane], V));
    }
    list
}

fn instruction(
    prefix: &str,
    op: &str,
    params: &[&'static str],
    result: &'static str,
) -> Instruction {
    Instruction { name: format!("{prefix}.{op}"), params: params.to_vec(), result }
}

/// A module, as text with a line for each function, whose exported functions each hold
/// `instruction` in another form: of all forms, every `stride`-th. The exports of modules that
/// differ in `place` only are the same and
/// return the same.
pub fn module(instruction: &Instruction, place: Place, stride: usize) -> String {
    let data = "\\01\\82\\43\\c4\\e5\\36\\97\\78".repeat(8);
    let mut text = format!("(module\n(memory 1)\n(data (i32.const 0) \"{data}\")\n");
    if place == Place::FarOperands {
        let (types, values) = (" i64".repeat(1000), " (local.get 0)".repeat(1000));
        let _ = writeln!(text, "(func $operands (result{types}) (local i64){values})");
    }
    let bodies = operands(&instruction.params).into_iter().flat_map(|o| bodies(instruction, &o));
    for (i, body) in bodies.enumerate().step_by(stride) {
        text.push_str(&function(instruction, i, &body, place));
    }
    text.push(')');
    text
}

/// The operands of one form.
struct Operands {
    expressions: Vec<String>,
    /// Whether nothing is left to compute when the function runs.
    constant: bool,
}

/// Every combination of shapes of operands: in its parameter, just computed, or constant.
fn operands(params: &[&'static str]) -> Vec<Operands> {
    let mut combinations = vec![Operands { expressions: Vec::new(), constant: true }];
    for (i, ty) in params.iter().enumerate() {
        let parameter = format!("(local.get {i})");
        let mut shapes = vec![(computed(ty, &parameter), false), (parameter, false)];
        if i > 0 && params[0] == *ty {
            shapes.push(("(local.get 0)".to_string(), false));
        }
        for (n, value) in constants(ty).iter().enumerate() {
            let constant = format!("({ty}.const {value})");
            if n == 1 {
                shapes.push((computed(ty, &constant), true));
            }
            shapes.push((constant, true));
        }
        let longer = |shorter: &Operands| -> Vec<Operands> {
            let with = |(shape, constant): &(String, bool)| {
                let mut expressions = shorter.expressions.clone();
                expressions.push(shape.clone());
                Operands { expressions, constant: shorter.constant && *constant }
            };
            shapes.iter().map(with).collect()
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    combinations
}

/// An expression that yields `value` by computing it.
fn computed(ty: &str, value: &str) -> String {
    match ty {
        "i32" | "i64" | "v128" => format!("({ty}.xor {value} (local.get ${ty}))"),
        float => format!("({float}.neg ({float}.neg {value}))"),
    }
}

/// Every use of the result of `instruction` applied to `operands`, as bodies of functions.
fn bodies(instruction: &Instruction, operands: &Operands) -> Vec<String> {
    let Instruction { name, params, result } = instruction;
    let applied = format!("({name} {})", operands.expressions.join(" "));
    let local = format!("(local.get ${result})");
    let mut bodies = vec![applied.clone()];
    if operands.constant {
        return bodies;
    }
    bodies.push(format!("(local.set ${result} {applied}) {local}"));
    bodies.push(computed(result, &applied));
    for (i, _) in params.iter().enumerate().filter(|(_, ty)| *ty == result) {
        bodies.push(format!("(local.set {i} {applied}) (local.get {i})"));
        bodies.push(format!("(local.tee {i} {applied}) (drop) (local.get {i})"));
    }
    // The result waits while something else is computed.
    bodies.push(format!("{applied} (local.set $i64 (i64.clz (local.get $i64)))"));
    bodies.push(format!("(select {applied} {local} (i32.const 1))"));
    bodies.push(format!("(block (result {result}) (br 0 {applied}))"));
    bodies.push(format!(
        "({result}.store offset=8 (i32.const 8) {applied}) ({result}.load (i32.const 16))"
    ));
    bodies.extend(fusions(instruction, operands));
    if *result != "i32" {
        return bodies;
    }
    for condition in [applied.clone(), format!("(i32.eqz {applied})")] {
        bodies.push(format!(
            "(if (result i32) {condition} (then (i32.const 1)) (else (i32.const 2)))"
        ));
        bodies.push(format!("(block (br_if 0 {condition}) (return (i32.const 1))) (i32.const 2)"));
        bodies.push(format!(
            "(block (loop (local.set $i32 (i32.add (local.get $i32) (i32.const 1)))
             (br_if 1 (i32.gt_u (local.get $i32) (i32.const 2))) (br_if 0 {condition})))
             (local.get $i32)"
        ));
    }
    bodies.push(format!("(select (i32.const 1) (i32.const 2) {applied})"));
    bodies.push(format!(
        "(block (result i32) (br_if 0 (i32.const 5) {applied}) (drop) (i32.const 6))"
    ));
    bodies
}

/// Uses of the result that are one instruction with what makes it: a term added to a product or taken
/// from it, a load from a sum, and a step, which is a sum, a comparison of it and a branch back.
fn fusions(instruction: &Instruction, operands: &Operands) -> Vec<String> {
    let Instruction { name, params, .. } = instruction;
    let applied = format!("({name} {})", operands.expressions.join(" "));
    let mut bodies = Vec::new();
    if let Some(ty) = name.strip_suffix(".mul").filter(|ty| ty.starts_with('f') && ty.len() == 3) {
        let parameter = "(local.get 0)".to_string();
        let terms = [computed(ty, "(local.get 1)"), parameter, format!("({ty}.const -2.5)")];
        for (op, term) in
            ["add", "sub"].into_iter().flat_map(|op| terms.iter().map(move |t| (op, t)))
        {
            bodies.push(format!("({ty}.{op} {applied} {term})"));
            bodies.push(format!("({ty}.{op} {term} {applied})"));
            bodies.push(format!("(local.set 0 ({ty}.{op} {term} {applied})) (local.get 0)"));
        }
    }
    if name == "i32.add" {
        for (load, to_result) in LOADS {
            for offset in [0, 7, 65_528] {
                bodies.push(format!("({to_result} ({load} offset={offset} {applied}))"));
            }
        }
        bodies.push(format!(
            "(i64.store offset=3 {applied} (i64.const 0x1122334455667788)) (i32.load (i32.const 37))"
        ));
    }
    let compares = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
    if params[0] == "i32" && name.strip_prefix("i32.").is_some_and(|op| compares.contains(&op)) {
        let right = &operands.expressions[1];
        for (to, by) in [("0", "1"), ("0", "-3"), ("$i32", "0x40000000")] {
            let sum = format!("(i32.add (local.get 0) (i32.const {by}))");
            for step in [
                format!("(br_if 0 ({name} (local.tee {to} {sum}) {right}))"),
                format!("(local.set {to} {sum}) (br_if 0 ({name} (local.get {to}) {right}))"),
            ] {
                bodies.push(format!(
                    "(block (loop (local.set $i64 (i64.add (local.get $i64) (i64.const 1)))
                     (br_if 1 (i64.gt_u (local.get $i64) (i64.const 5))) {step}))
                     (i32.xor (local.get {to}) (i32.shl (i32.wrap_i64 (local.get $i64)) (i32.const 8)))"
                ));
            }
        }
    }
    bodies
}

/// Loads, and what makes an `i32` of what they give.
const LOADS: [(&str, &str); 14] = [
    ("i32.load", "i32.popcnt"),
    ("i32.load8_s", "i32.popcnt"),
    ("i32.load8_u", "i32.clz"),
    ("i32.load16_s", "i32.popcnt"),
    ("i32.load16_u", "i32.clz"),
    ("i64.load", "i32.wrap_i64"),
    ("i64.load8_s", "i32.wrap_i64"),
    ("i64.load8_u", "i32.wrap_i64"),
    ("i64.load16_s", "i32.wrap_i64"),
    ("i64.load16_u", "i32.wrap_i64"),
    ("i64.load32_s", "i32.wrap_i64"),
    ("i64.load32_u", "i64.eqz"),
    ("f32.load", "i32.reinterpret_f32"),
    ("f64.load", "i32.trunc_sat_f64_s"),
];

fn function(instruction: &Instruction, number: usize, body: &str, place: Place) -> String {
    let Instruction { name, params, result } = instruction;
    let mut body = body.to_string();
    let mut locals = String::new();
    match place {
        Place::Near => {}
        // Parameters always lie near, so the values are taken to locals that do not.
        Place::FarLocals => {
            locals = format!("(local{})", " v128".repeat(33_000));
            for (i, ty) in params.iter().enumerate() {
                locals += &format!(" (local $p{i} {ty})");
                for access in ["get", "set", "tee"] {
                    body = body
                        .replace(&format!("local.{access} {i} "), &format!("local.{access} $p{i} "))
                        .replace(
                            &format!("local.{access} {i})"),
                            &format!("local.{access} $p{i})"),
                        );
                }
                body = format!("(local.set $p{i} (local.get {i})) {body}");
            }
        }
        Place::FarOperands => body = format!("{}\n{body}", "(call $operands)".repeat(66)),
    }
    for ty in ["i32", "i64", "f32", "f64", "v128"] {
        locals += &format!(" (local ${ty} {ty})");
    }
    // Engines may choose among NaNs, so vectors of floats are compared without them. The result of
    // a comparison is a mask.
    let shape = name.get(..5).filter(|shape| matches!(*shape, "f32x4" | "f64x2"));
    let is_mask =
        ["eq", "ne", "lt", "gt", "le", "ge"].iter().any(|op| name[5..] == format!(".{op}"));
    if let Some(shape) = shape.filter(|_| *result == "v128" && !is_mask) {
        body += &format!(
            " (local.set $v128) (v128.bitselect (local.get $v128) (v128.const i64x2 0 0)
             ({shape}.eq (local.get $v128) (local.get $v128)))"
        );
    }
    let params = params.join(" ");
    let head = format!("(func (export \"{name} {number}\") (param {params}) (result {result})");
    format!("{head} {locals} {} (return))\n", body.replace('\n', " "))
}
