//! Modules that are hostile by how they throw, suspend and resume.

use dunlin_engine::{Trap, Val};

use super::Verdict::{Returns, Traps};
use super::execution::case;
use super::{Case, Verdict};

/// Instructions that are executed again and again, in the module of [`endless`](super::endless).
pub(super) const LOOPED: &[(&str, &str)] = &[
    (
        "throw and catch",
        "(block $h (result i64)
           (try_table (catch $e $h) (throw $e (global.get $n)))
           (unreachable))
         (drop)",
    ),
    ("catch at the loop", "(try_table (catch_all $again) (throw $e (i64.const 1)))"),
    (
        "throw_ref",
        "(block $h (result exnref)
           (try_table (catch_all_ref $h) (throw $e (i64.const 1)))
           (unreachable))
         (local.set $x)
         (block $h (try_table (catch_all $h) (throw_ref (local.get $x))))",
    ),
    ("try that nothing is thrown in", "(block $h (try_table (catch_all $h)))"),
    ("a continuation", "(resume $k (cont.new $k (ref.func $empty)))"),
    ("a continuation that is not used", "(drop (cont.new $k (ref.func $empty)))"),
    ("cont.bind", "(drop (cont.bind $k $k (cont.new $k (ref.func $empty))))"),
    (
        "suspend and drop",
        "(block $on (result (ref $k))
           (resume $k (on $pause $on) (cont.new $k (ref.func $pauses)))
           (unreachable))
         (drop)",
    ),
    (
        "suspend and resume",
        "(block $on (result (ref $k))
           (resume $k (on $pause $on) (cont.new $k (ref.func $pauses)))
           (unreachable))
         (resume $k)",
    ),
    (
        "suspend and resume_throw",
        "(block $h (result i64)
           (try_table (catch $e $h)
             (i64.const 4)
             (block $on (result (ref $k))
               (resume $k (on $pause $on) (cont.new $k (ref.func $pauses)))
               (unreachable))
             (resume_throw $k $e))
           (unreachable))
         (drop)",
    ),
];

/// The cases that end, or do not, in their own ways.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = exceptions();
    cases.extend(continuations());
    cases
}

fn exceptions() -> Vec<Case> {
    const MANY: usize = 20_000;
    let module = |body: &str| {
        format!(
            r#"(module (tag $a) (tag $b)
                 (func (export "f") (result i32) (local $i i32)
                   {body}
                   i32.const 7))"#
        )
    };
    let nested = format!(
        "loop $again
           block $out
             try_table (catch_all $out)
               {} throw $b {}
             end
           end
           local.get $i i32.const 1 i32.add local.tee $i i32.const 200 i32.lt_u br_if $again
         end",
        "try_table (catch $a 0) ".repeat(MANY),
        "end ".repeat(MANY),
    );
    let in_a_row = format!(
        "loop $again
           block $out
             try_table (catch_all $out)
               {} throw $b {}
             end
           end
           local.get $i i32.const 1 i32.add local.tee $i i32.const 2000 i32.lt_u br_if $again
         end",
        "block try_table (catch $b 0) nop end end ".repeat(MANY),
        "block try_table (catch $b 0) nop end end ".repeat(MANY),
    );
    let clauses = format!(
        "block $out try_table {} (catch $b $out) throw $b end unreachable end",
        "(catch $a $out) ".repeat(5000)
    );
    let types = " v128".repeat(1000);
    let wide = format!(
        r#"(module (tag $e (param{types}))
             (func (export "f") (local v128)
               (loop $again (param{types})
                 (try_table (param{types}) (catch $e $again) (throw $e))
                 (unreachable))))"#
    );
    let wide =
        wide.replace("(loop $again", &format!("{} (loop $again", "(local.get 0)".repeat(1000)));
    let seven = || Returns(vec![Val::I32(7)]);
    vec![
        case("throw in 20 000 blocks that do not catch it", &module(&nested), seven()),
        case("throw between 40 000 blocks", &module(&in_a_row), seven()),
        case("5 000 clauses", &module(&clauses), seven()),
        case("payload of 1000 vectors, again and again", &wide, Verdict::Endless),
        case(
            "throw out of recursion, again and again",
            r#"(module (tag $e)
                 (func $down (param i32)
                   (if (i32.eqz (local.get 0)) (then (throw $e)))
                   (call $down (i32.sub (local.get 0) (i32.const 1))))
                 (func (export "f")
                   (loop $l (try_table (catch_all $l) (call $down (i32.const 10000))))))"#,
            Verdict::Endless,
        ),
        case(
            "traps are not caught",
            r#"(module (func (export "f")
                 (block $h (try_table (catch_all $h) (unreachable)))))"#,
            Traps(Trap::Unreachable),
        ),
    ]
}

fn continuations() -> Vec<Case> {
    let with = |name, body: &str, verdict| {
        let text = format!(
            r#"(module
                 (type $v (func)) (type $k (cont $v))
                 (rec (type $s (func (param (ref null $ks)))) (type $ks (cont $s)))
                 (tag $pause) (tag $swap)
                 (global $depth (mut i32) (i32.const 0))
                 (func $endless (loop (br 0)))
                 (func $recursion (call $recursion))
                 (func $trap unreachable)
                 (func $pauses (suspend $pause))
                 (func $swaps (type $s) (param (ref null $ks))
                   (loop (switch $ks $swap (local.get 0)) (local.set 0) (br 0)))
                 (func $nest
                   (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
                   (if (i32.eqz (global.get $depth))
                     (then (loop (suspend $pause) (br 0)))
                     (else (resume $k (cont.new $k (ref.func $nest))))))
                 (elem declare func $endless $recursion $trap $pauses $swaps $nest)
                 (func (export "f") {body}))"#
        );
        case(name, &text, verdict)
    };
    vec![
        with(
            "endless continuation",
            "(resume $k (cont.new $k (ref.func $endless)))",
            Verdict::Endless,
        ),
        with(
            "recursion in a continuation",
            "(resume $k (cont.new $k (ref.func $recursion)))",
            Traps(Trap::StackOverflow),
        ),
        with(
            "trap in a continuation",
            "(resume $k (cont.new $k (ref.func $trap)))",
            Traps(Trap::Unreachable),
        ),
        with("suspend without a handler", "(suspend $pause)", Traps(Trap::UnhandledTag)),
        with(
            "two that switch to each other",
            "(resume $ks (on $swap switch) (cont.new $ks (ref.func $swaps))
               (cont.new $ks (ref.func $swaps)))",
            Verdict::Endless,
        ),
        with(
            "suspend through 5 000 continuations, again and again",
            "(local $c (ref null $k))
             (global.set $depth (i32.const 5000))
             (local.set $c (cont.new $k (ref.func $nest)))
             (loop $again
               (block $on (result (ref $k))
                 (resume $k (on $pause $on) (local.get $c))
                 (unreachable))
               (local.set $c)
               (br $again))",
            Verdict::Endless,
        ),
        with("null continuation", "(resume $k (ref.null $k))", Traps(Trap::NullContinuation)),
        with(
            "continuation of no function",
            "(drop (cont.new $k (ref.null $v)))",
            Traps(Trap::NullFunction),
        ),
        with(
            "continuation used twice",
            "(local $c (ref null $k))
             (local.set $c (cont.new $k (ref.func $pauses)))
             (block $on (result (ref $k))
               (resume $k (on $pause $on) (local.get $c))
               (unreachable))
             (drop)
             (resume $k (local.get $c))",
            Traps(Trap::ContinuationConsumed),
        ),
    ]
}
