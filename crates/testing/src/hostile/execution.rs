//! Modules that are hostile by what they do.

use dunlin_engine::{Trap, Val};

use super::Verdict::{Limited, Loads, Returns, Traps};
use super::binary::{Binary, unsigned};
use super::{Case, Verdict, flow};

/// A case in text form.
pub(super) fn case(name: &'static str, text: &str, verdict: Verdict) -> Case {
    let wasm = dunlin_script::wat_to_wasm(text, None)
        .unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
    Case::new(name, wasm, verdict)
}

/// The body of an endless loop, with everything around it that it needs.
fn looping(instructions: &str) -> String {
    format!(
        r#"(module
          (type $v (func))
          (type $k (cont $v))
          (tag $e (param i64)) (tag $pause)
          (memory 4) (memory $other 1)
          (table $t 100 funcref) (table $x 100 externref)
          (elem $e declare func $empty $g $f $pauses)
          (elem (table $t) (i32.const 0) func $empty $f)
          (data $d "some bytes")
          (global $n (mut i64) (i64.const 0))
          (func $empty)
          (func $g)
          (func $pauses (suspend $pause))
          (func $two (result i32 i64) (i32.const 1) (i64.const 2))
          (func $f (export "f") (local $i i32) (local $v v128) (local $x exnref)
            (loop $again
              (global.set $n (i64.add (global.get $n) (i64.const 1)))
              {instructions}
              (br $again)))
          (func (export "count") (result i64) (global.get $n)))"#
    )
}

/// Instructions that are executed again and again; a case for each, all of them endless.
const LOOPED: &[(&str, &str)] = &[
    ("nothing", ""),
    ("br_if", "(br_if $again (i32.const 1))"),
    ("br_table", "(br_table $again $again (local.get $i))"),
    ("if", "(if (i64.eqz (global.get $n)) (then (br $again)) (else (br $again)))"),
    ("return at the end", "(if (i64.eqz (global.get $n)) (then (return)))"),
    ("call", "(call $empty)"),
    ("call with results", "(call $two) (drop) (drop)"),
    ("call_indirect", "(call_indirect (type $v) (i32.const 0))"),
    ("return_call", "(return_call $f)"),
    ("return_call_indirect", "(return_call_indirect (type $v) (i32.const 1))"),
    ("global.set", "(global.set $n (global.get $n))"),
    ("select", "(local.set $i (select (local.get $i) (i32.const 3) (local.get $i)))"),
    ("load and store", "(i32.store (i32.const 8) (i32.load8_u (i32.const 9)))"),
    ("vectors", "(local.set $v (i64x2.add (local.get $v) (v128.load (i32.const 16))))"),
    ("memory.size", "(drop (memory.size)) (drop (memory.size $other))"),
    ("memory.grow by 0", "(drop (memory.grow (i32.const 0)))"),
    ("memory.grow", "(drop (memory.grow (i32.const 1)))"),
    ("memory.grow by -1", "(drop (memory.grow $other (i32.const -1)))"),
    ("memory.fill of nothing", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0))"),
    ("memory.fill", "(memory.fill (i32.const 9) (i32.const 1) (i32.const 0x3fff0))"),
    ("memory.copy of nothing", "(memory.copy (i32.const 0) (i32.const 1) (i32.const 0))"),
    ("memory.copy", "(memory.copy (i32.const 7) (i32.const 1) (i32.const 0x3fff0))"),
    ("memory.init", "(memory.init $d (i32.const 9) (i32.const 0) (i32.const 10))"),
    ("data.drop", "(data.drop $d)"),
    ("ref.func", "(drop (ref.func $g))"),
    ("ref.is_null", "(drop (ref.is_null (table.get $x (i32.const 1))))"),
    ("table.set", "(table.set $t (i32.const 2) (ref.func $g))"),
    ("table.size", "(drop (table.size $x))"),
    ("table.grow by 0", "(drop (table.grow $t (ref.null func) (i32.const 0)))"),
    ("table.grow", "(drop (table.grow $t (ref.null func) (i32.const 1)))"),
    ("table.grow by -1", "(drop (table.grow $x (ref.null extern) (i32.const -1)))"),
    ("table.fill", "(table.fill $t (i32.const 3) (ref.null func) (i32.const 90))"),
    ("table.copy", "(table.copy $t $t (i32.const 3) (i32.const 2) (i32.const 90))"),
    ("table.init", "(table.init $t $e (i32.const 3) (i32.const 0) (i32.const 0))"),
    ("elem.drop", "(elem.drop $e)"),
    (
        "wide arithmetic",
        "(i64.add128 (i64.const 1) (i64.const 2) (global.get $n) (global.get $n)) (drop) (drop)",
    ),
];

/// A case for each instruction that could be executed again and again without the look at fuel or
/// deadline that loops and calls take. Exports `count`, the rounds it made.
pub fn endless() -> Vec<Case> {
    let looped = |&(name, instructions): &(&'static str, &str)| {
        case(name, &looping(instructions), Verdict::Endless)
    };
    LOOPED.iter().chain(flow::LOOPED).map(looped).collect()
}

/// The cases that end, or do not, in their own ways.
pub fn execution() -> Vec<Case> {
    let mut cases = vec![
        case("start never ends", "(module (start $f) (func $f (loop br 0)))", Verdict::Endless),
        case(
            "fill of 2 GiB, again and again",
            r#"(module (memory 32768) (func (export "f") (loop
                 (memory.fill (i32.const 0) (i32.const 0) (i32.const 0x7fff_0000)) (br 0))))"#,
            Verdict::Endless,
        ),
        case(
            "two that call each other at the tail",
            r#"(module
                 (func $f (export "f") (return_call $g (i64.const 1) (i32.const 2)))
                 (func $g (param i64 i32) (return_call $f)))"#,
            Verdict::Endless,
        ),
    ];
    cases.extend(recursion());
    cases.extend(traps());
    cases.extend(segments());
    cases.extend(resources());
    cases.extend(flow::cases());
    cases
}

fn recursion() -> Vec<Case> {
    let overflow = |name, text: &str| case(name, text, Traps(Trap::StackOverflow));
    let large =
        format!(r#"(module (func $f (export "f") (local {}) (call $f)))"#, "i64 ".repeat(20_000));
    let frames = format!(
        r#"(module (func $f (export "f") (param {0}) (result {0}) {1} (call $f)))"#,
        "v128 ".repeat(500),
        (0..500).map(|i| format!("(local.get {i})")).collect::<String>(),
    );
    vec![
        overflow("recursion", r#"(module (func $f (export "f") (call $f)))"#),
        overflow("recursion with large frames", &large),
        overflow("recursion with many arguments", &frames).with((0..500).map(Val::V128)),
        overflow(
            "recursion through a table",
            r#"(module (type $t (func)) (table funcref (elem $f))
                 (func $f (export "f") (call_indirect (type $t) (i32.const 0))))"#,
        ),
        overflow(
            "recursion that returns at the tail",
            r#"(module
                 (func $f (export "f") (result i32) (drop (call $g)) (return_call $g))
                 (func $g (result i32) (return_call $f)))"#,
        ),
        overflow("recursion in the start function", "(module (start $f) (func $f (call $f)))"),
    ]
}

fn traps() -> Vec<Case> {
    let trapping = |name, body: &str, trap| {
        let text = format!(
            r#"(module (memory 1) (type $v (func)) (type $i (func (param i32)))
                 (table $null 1 funcref) (table $one funcref (elem $g))
                 (func $g)
                 (func (export "f") {body}))"#
        );
        case(name, &text, Traps(trap))
    };
    let returning = |name, result: &str, body: &str, value| {
        let text = format!(r#"(module (memory 1) (func (export "f") (result {result}) {body}))"#);
        case(name, &text, Returns(vec![value]))
    };
    let memory = Trap::MemoryOutOfBounds;
    vec![
        trapping(
            "1 / 0",
            "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        trapping(
            "1 % 0",
            "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        trapping(
            "least / -1",
            "(drop (i32.div_s (i32.const 0x8000_0000) (i32.const -1)))",
            Trap::IntegerOverflow,
        ),
        trapping(
            "least / -1, wide",
            "(drop (i64.div_s (i64.const 0x8000_0000_0000_0000) (i64.const -1)))",
            Trap::IntegerOverflow,
        ),
        returning(
            "least % -1",
            "i32",
            "(i32.rem_s (i32.const 0x8000_0000) (i32.const -1))",
            Val::I32(0),
        ),
        trapping(
            "NaN as integer",
            "(drop (i32.trunc_f32_s (f32.const nan)))",
            Trap::BadConversionToInteger,
        ),
        trapping(
            "2^63 as integer",
            "(drop (i64.trunc_f64_s (f64.const 0x1p63)))",
            Trap::IntegerOverflow,
        ),
        trapping(
            "call of null",
            "(call_indirect $null (type $v) (i32.const 0))",
            Trap::UninitializedElement,
        ),
        trapping(
            "call by a wrong type",
            "(call_indirect $one (type $i) (i32.const 0) (i32.const 0))",
            Trap::BadSignature,
        ),
        trapping(
            "call beyond the table",
            "(call_indirect $one (type $v) (i32.const -1))",
            Trap::UndefinedElement,
        ),
        trapping(
            "tail call beyond the table",
            "(return_call_indirect $one (type $v) (i32.const 1))",
            Trap::UndefinedElement,
        ),
        trapping(
            "load at the end of all",
            "(drop (i32.load offset=0xffff_ffff (i32.const -1)))",
            memory,
        ),
        trapping("store over the end", "(i32.store (i32.const 65533) (i32.const -1))", memory),
        trapping(
            "copy whose end wraps",
            "(memory.copy (i32.const -1) (i32.const 0) (i32.const 2))",
            memory,
        ),
        returning(
            "copysign of the last bytes",
            "f64",
            "(f64.copysign (f64.const 1) (f64.load (i32.const 65528)))",
            Val::F64(1f64.to_bits()),
        ),
        returning(
            "splat of the last bytes",
            "v128",
            "(f64x2.splat (f64.load (i32.const 65528)))",
            Val::V128(0),
        ),
        returning(
            "shift by more than the width",
            "v128",
            "(i64x2.shr_s (v128.const i64x2 -256 256) (i32.const 68))",
            Val::V128(16 << 64 | u128::from(-16i64 as u64)),
        ),
        returning(
            "shift of lanes by more than the width",
            "v128",
            "(i32x4.shr_u (v128.const i32x4 -1 -1 -1 -1) (i32.const 40))",
            Val::V128(0x00ff_ffff_00ff_ffff_00ff_ffff_00ff_ffff),
        ),
        returning(
            "bitselect of equals",
            "v128",
            "(v128.bitselect (v128.const i64x2 5 6) (v128.const i64x2 5 6) (v128.const i64x2 3 9))",
            Val::V128(6 << 64 | 5),
        ),
        returning(
            "swizzle by every index",
            "v128",
            "(i8x16.swizzle (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
               (v128.const i8x16 15 16 17 127 128 255 0 1 2 3 4 5 6 7 8 9))",
            Val::V128(u128::from_le_bytes([16, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])),
        ),
    ]
}

fn segments() -> Vec<Case> {
    let with = |name, body: &str, verdict| {
        let text = format!(
            r#"(module (memory 1) (table $t 3 externref) (elem $e externref (ref.null extern))
                 (data $d "abc")
                 (func (export "f") {body}))"#
        );
        case(name, &text, verdict)
    };
    let (table, memory) = (Trap::TableOutOfBounds, Trap::MemoryOutOfBounds);
    let none = || Returns(Vec::new());
    vec![
        with(
            "init from a dropped segment",
            "(elem.drop $e) (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))",
            Traps(table),
        ),
        with(
            "init of nothing from a dropped segment",
            "(elem.drop $e) (elem.drop $e)
             (table.init $t $e (i32.const 3) (i32.const 0) (i32.const 0))
             (data.drop $d) (data.drop $d)
             (memory.init $d (i32.const 65536) (i32.const 0) (i32.const 0))",
            none(),
        ),
        with(
            "init of nothing behind the end",
            "(table.init $t $e (i32.const 4) (i32.const 0) (i32.const 0))",
            Traps(table),
        ),
        with(
            "init of nothing from behind the end",
            "(memory.init $d (i32.const 0) (i32.const 4) (i32.const 0))",
            Traps(memory),
        ),
        case(
            "segment outside the memory",
            r#"(module (memory 1) (data (i32.const 65535) "a") (data (i32.const 65536) "b"))"#,
            Traps(memory),
        ),
        case(
            "segment outside the table",
            "(module (table 1 funcref) (elem (i32.const 1) func $f) (func $f))",
            Traps(table),
        ),
        case(
            "segment outside comes before the start function",
            "(module (memory 1) (data (i32.const -1) \"a\") (start $f) (func $f (loop br 0)))",
            Traps(memory),
        ),
    ]
}

fn resources() -> Vec<Case> {
    let grows = |name, before: &str, body: &str, result: i32| {
        let text = format!(r#"(module {before} (func (export "f") (result i32) {body}))"#);
        case(name, &text, Returns(vec![Val::I32(result)]))
    };
    let until = |grow: &str, size: &str| {
        format!("(loop (br_if 0 (i32.ne ({grow}) (i32.const -1)))) ({size})")
    };
    let binary = |name, id, item: Vec<u8>, verdict| {
        Case::new(name, Binary::new().list(id, &[item]).finish(), verdict)
    };
    let memories = Binary::new().repeated(5, 100, &[&[0][..], &unsigned(65_536)].concat());
    vec![
        grows("grow by -1", "(memory 1)", "(memory.grow (i32.const -1))", -1),
        grows("grow by all but one", "(memory 1)", "(memory.grow (i32.const 65536))", -1),
        grows("grow beyond the maximum", "(memory 1 2)", "(memory.grow (i32.const 2))", -1),
        grows(
            "table.grow by -1",
            "(table 1 externref)",
            "(table.grow (ref.null extern) (i32.const -1))",
            -1,
        ),
        grows(
            "grow to the end of all",
            "(memory 1)",
            &until("memory.grow (i32.const 16)", "memory.size"),
            65_521,
        ),
        grows(
            "grow a table to the limit",
            "(table 0 funcref)",
            &until("table.grow (ref.null func) (i32.const 0x10000)", "table.size"),
            16 << 20,
        ),
        binary("a memory of 4 GiB", 5, [vec![0], unsigned(65_536)].concat(), Loads),
        Case::new("100 memories of 4 GiB", memories.finish(), Limited("memory_bytes")),
        binary("2^40 pages", 5, [vec![4], unsigned(1 << 40)].concat(), Limited("memory")),
        binary("2^48 pages", 5, [vec![4], unsigned(1 << 48)].concat(), Limited("memory")),
        binary("4 G pages of a byte", 5, [vec![8], unsigned(0xffff_ffff), vec![0]].concat(), Loads),
        binary("a table of 10 million", 4, [vec![0x70, 0], unsigned(10_000_000)].concat(), Loads),
        binary(
            "a table of 4 billion",
            4,
            [vec![0x70, 0], unsigned(0xffff_ffff)].concat(),
            Limited("table_elements"),
        ),
        binary(
            "a table of 2^63",
            4,
            [vec![0x70, 4], unsigned(1 << 63)].concat(),
            Limited("table_elements"),
        ),
        binary(
            "a table of 2^64 - 1",
            4,
            [vec![0x70, 4], unsigned(u64::MAX)].concat(),
            Limited("table_elements"),
        ),
    ]
}
