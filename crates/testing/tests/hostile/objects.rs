//! Garbage-collected objects, exceptions and their types, as many and as large as they can be.

use std::fmt::Write;

use dunlin_engine::{Engine, Module, Trap, Val};
use dunlin_script::wat_to_wasm;
use dunlin_testing::hostile::{Case, Verdict};

use super::{check, long, on_small_stack, patience};

fn case(name: &'static str, text: &str, verdict: Verdict) -> Case {
    let wasm = wat_to_wasm(text, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    Case { name, wasm, arguments: Vec::new(), verdict }
}

fn returns(name: &'static str, text: &str, value: i32) -> Case {
    case(name, text, Verdict::Returns(vec![Val::I32(value)]))
}

/// What every case may use.
const TYPES: &str = r#"
    (type $f (func)) (type $box (struct (field i32)))
    (type $node (struct (field (mut (ref null $node))) (field (mut i32))))
    (type $bytes (array (mut i8))) (type $nodes (array (mut (ref null $node))))
    (tag $t (param i32)) (func $nothing) (elem declare func $nothing)
    (elem $some (ref null $node) (struct.new_default $node) (ref.null $node))
    (data $d "abcdefgh")"#;

/// Instructions that a loop without end is made of.
const ENDLESS: [(&str, &str); 16] = [
    ("call_ref", "(call_ref $f (ref.func $nothing))"),
    (
        "throw",
        "(block $b (result i32) (try_table (catch $t $b) (throw $t (i32.const 1)))
                 (unreachable)) (drop)",
    ),
    (
        "throw_ref",
        "(block $b (result exnref) (try_table (catch_all_ref $b)
                 (throw $t (i32.const 1))) (unreachable))
               (block $c (param exnref) (try_table (param exnref) (catch_all $c) (throw_ref)))",
    ),
    ("struct.new", "(drop (struct.new $box (i32.const 1)))"),
    ("struct.set", "(struct.set $node 0 (global.get $n) (struct.new_default $node))"),
    ("array.new", "(drop (array.new $bytes (i32.const 1) (i32.const 100000)))"),
    ("array.new_default", "(drop (array.new_default $nodes (i32.const 100)))"),
    ("array.new_fixed", "(drop (array.new_fixed $bytes 1 (i32.const 1)))"),
    ("array.new_data", "(drop (array.new_data $bytes $d (i32.const 0) (i32.const 8)))"),
    ("array.new_elem", "(drop (array.new_elem $nodes $some (i32.const 0) (i32.const 2)))"),
    (
        "array.fill",
        "(array.fill $nodes (global.get $a) (i32.const 0) (global.get $n)
                 (i32.const 1000))",
    ),
    (
        "array.copy",
        "(array.copy $nodes $nodes (global.get $a) (i32.const 0) (global.get $a)
                 (i32.const 1) (i32.const 999))",
    ),
    (
        "array.init_data",
        "(array.init_data $bytes $d (array.new_default $bytes (i32.const 8))
                 (i32.const 0) (i32.const 0) (i32.const 8))",
    ),
    (
        "array.init_elem",
        "(array.init_elem $nodes $some (global.get $a) (i32.const 0) (i32.const 0)
                 (i32.const 2))",
    ),
    (
        "br_on_cast",
        "(block $b (result (ref $node)) (br_on_cast $b anyref (ref $node)
                 (global.get $n)) (unreachable)) (drop)",
    ),
    ("ref.test", "(drop (ref.test (ref i31) (ref.i31 (i32.const 1))))"),
];

#[test]
fn loops_end_by_fuel_and_deadline() {
    let cases: Vec<Case> = ENDLESS
        .iter()
        .map(|(name, body)| {
            let text = format!(
                "(module {TYPES}
                   (global $n (ref $node) (struct.new_default $node))
                   (global $a (ref $nodes) (array.new_default $nodes (i32.const 1000)))
                   (func (export \"f\") (loop $l {body} (br $l))))"
            );
            case(name, &text, Verdict::Endless)
        })
        .collect();
    check(&cases, patience);
}

#[test]
fn large_operations_end_by_fuel_and_deadline() {
    // Without a loop: each of them is long itself.
    let large = [
        (
            "array.fill",
            "(array.fill $bytes (local.get $a) (i32.const 0) (i32.const 7) (local.get $n))",
        ),
        (
            "array.copy",
            "(array.copy $bytes $bytes (local.get $a) (i32.const 0)
             (local.get $a) (i32.const 1) (i32.sub (local.get $n) (i32.const 1)))",
        ),
        ("array.new", "(drop (array.new $bytes (i32.const 7) (local.get $n)))"),
        ("array.new_default", "(drop (array.new_default $bytes (local.get $n)))"),
    ];
    let cases: Vec<Case> = large
        .iter()
        .map(|(name, body)| {
            let text = format!(
                "(module {TYPES} (func (export \"f\") (local $a (ref $bytes)) (local $n i32)
                   (local.set $n (i32.const 0x400_0000))
                   (local.set $a (array.new_default $bytes (local.get $n))) {}))",
                body.repeat(5_000)
            );
            case(name, &text, Verdict::Endless)
        })
        .collect();
    check(&cases, patience);
}

#[test]
fn many_objects_are_made_and_dropped() {
    let scale = if long() { 10 } else { 1 };
    let count = 1_000_000 * scale;
    let loops = |body: &str, count: usize| {
        format!(
            "(local.set $n (i32.const {count})) (loop $l {body}
               (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        )
    };
    let cons = "(local.set $list (struct.new $node (local.get $list) (local.get $n)))";
    let cycle = "(local.set $x (struct.new $node (ref.null $node) (i32.const 1)))
         (struct.set $node 0 (local.get $x) (struct.new $node (local.get $x) (i32.const 2)))";
    let garbage = "(drop (struct.new $box (i32.const 1)))";
    let of = |body: String| {
        format!(
            "(module {TYPES} (func (export \"f\") (result i32) (local $n i32)
               (local $list (ref null $node)) (local $x (ref null $node)) {body}))"
        )
    };
    let head = "(struct.get $node 1 (local.get $list))";
    let list = loops(cons, 1_000_000);
    let cases = [
        returns("garbage", &of(loops(garbage, count) + "(i32.const 1)"), 1),
        returns("cycles", &of(loops(cycle, count) + "(i32.const 2)"), 2),
        returns("a long list", &of(list.clone() + &loops(garbage, count) + head), 1),
        returns(
            "a long list that is dropped",
            &of(list
                + "(local.set $list (ref.null $node))"
                + &loops(garbage, count)
                + "(i32.const 3)"),
            3,
        ),
        case("a list without end", &of(loops(cons, 0) + head), Verdict::Traps(Trap::HeapExhausted)),
    ];
    let cases = if long() { &cases[..] } else { &cases[..4] };
    check(cases, patience);
}

#[test]
fn many_references_are_alive_at_many_calls() {
    // Each call has a thousand references below it, and each frame of the recursion is at another.
    let calls = 1_500;
    let mut text = format!(
        "(module {TYPES} (func $rec (export \"rec\") (param $n i32) (result i32) (local $x anyref)
           (local.set $x (ref.i31 (i32.const 1)))
           (if (i32.eqz (local.get $n)) (then
             (local.set $n (i32.const 200000))
             (loop $l (drop (struct.new $box (i32.const 1)))
               (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
             (return (i32.const 1))))"
    );
    for _ in 0..1_000 {
        text.push_str("(struct.new $box (local.get $n))");
    }
    for call in 0..calls {
        let _ = write!(
            text,
            "(if (i32.eq (i32.rem_u (local.get $n) (i32.const {calls})) (i32.const {call}))
               (then (drop (call $rec (i32.sub (local.get $n) (i32.const 1))))))"
        );
    }
    text.push_str("(struct.get $box 0)");
    text.push_str("(local.set $n)");
    text.push_str(&"(drop)".repeat(999));
    text.push_str(
        "(local.get $n)) (func (export \"f\") (result i32) (call $rec (i32.const 300))))",
    );
    check(&[returns("root maps", &text, 300)], patience);
}

#[test]
fn exceptions_are_many_and_far_from_who_catches_them() {
    let fields = "i64 ".repeat(1_000);
    let values = "(i64.const 1)".repeat(1_000);
    let large = format!(
        "(module (tag $t (param {fields})) (func (export \"f\") (result i32) (local $n i32)
           (local.set $n (i32.const 10000))
           (loop $l (block $b (try_table (catch_all $b) (throw $t {values})))
             (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
           (i32.const 1)))"
    );
    let deep = "(module (tag $t (param i32))
        (func $down (param i32) (result i32)
          (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 5))))
          (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
        (func (export \"f\") (result i32)
          (block $b (result i32) (try_table (catch $t $b) (drop (call $down (i32.const 50000))))
            (unreachable))))";
    let cases = [returns("large exceptions", &large, 1), returns("through many frames", deep, 5)];
    check(&cases, patience);
}

/// A chain of `depth` supertypes, and a module that casts from the last to each.
fn chain(depth: usize) -> String {
    let mut text = "(module (type $t0 (sub (struct)))".to_string();
    for at in 1..=depth {
        let _ = write!(text, "(type $t{at} (sub $t{} (struct)))", at - 1);
    }
    text.push_str("(func (export \"f\") (result i32) (local $x anyref)");
    let _ = write!(text, "(local.set $x (struct.new $t{depth})) (i32.const 0)");
    for at in 0..=depth {
        let _ = write!(text, "(i32.add (ref.test (ref $t{at}) (local.get $x)))");
        let _ = write!(text, "(i32.add (ref.test (ref $t{depth}) (struct.new $t{at})))");
    }
    text.push_str("))");
    text
}

#[test]
fn types_are_deep_and_many() {
    let cases = [
        returns("the deepest chain", &chain(63), 65),
        case("too deep a chain", &chain(64), Verdict::Rejected("")),
    ];
    check(&cases, patience);
    on_small_stack(|| {
        // The registry shrinks back, whatever was in it.
        let engine = Engine::default();
        let count = if long() { 100_000 } else { 5_000 };
        let equal = format!("(module {})", "(rec (type (struct)) (type (array i8)))".repeat(count));
        let mut group = "(module (rec ".to_string();
        for at in 0..count {
            let _ = write!(group, "(type (struct (field (ref null {}))))", (at + 1) % count);
        }
        group.push_str("))");
        for text in [equal, group] {
            let wasm = wat_to_wasm(&text, None).expect("the text is well-formed");
            for _ in 0..10 {
                drop(Module::new(&engine, &wasm).expect("the module is valid"));
            }
        }
    });
}
