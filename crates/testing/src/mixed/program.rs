//! Random modules as text: functions that call each other in every way there is, make objects that live
//! across calls and loops, throw and catch, and recur until something gives out.
//!
//! What a value is never depends on the bits of a NaN, so that all tiers must agree on everything.

use std::fmt::Write;

use crate::random::Random;

/// Types of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ty {
    I32,
    I64,
    F32,
    F64,
    V128,
    /// A struct with a reference to another and a number.
    Node,
    Any,
    Extern,
    Exn,
    /// A function of the first signature.
    Func,
}

use Ty::{Any, Exn, Extern, F32, F64, Func, I32, I64, Node, V128};

const TYPES: [Ty; 10] = [I32, I64, F32, F64, V128, Node, Any, Extern, Exn, Func];

impl Ty {
    fn text(self) -> &'static str {
        match self {
            I32 => "i32",
            I64 => "i64",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
            Node => "(ref null $node)",
            Any => "anyref",
            Extern => "externref",
            Exn => "exnref",
            Func => "(ref null $f0)",
        }
    }

    /// A constant.
    fn zero(self) -> &'static str {
        match self {
            I32 => "(i32.const 0)",
            I64 => "(i64.const 0)",
            F32 => "(f32.const 0)",
            F64 => "(f64.const 0)",
            V128 => "(v128.const i64x2 0 0)",
            Node => "(ref.null $node)",
            Any => "(ref.null any)",
            Extern => "(ref.null extern)",
            Exn => "(ref.null exn)",
            Func => "(ref.null $f0)",
        }
    }
}

/// Parameters and results. The first is that of exports; there are more parameters and results than
/// registers, and vectors among both.
const SIGNATURES: [(&[Ty], &[Ty]); 7] = [
    (&[I32], &[I32]),
    (&[I32, I64, F32, F64, V128, Node], &[I32]),
    (
        &[
            I32, I64, I32, I64, I32, I64, I32, F64, F32, F64, V128, F64, F64, F32, F64, V128, F64,
            Node,
        ],
        &[I64],
    ),
    (
        &[I32, Node, Any, Func],
        &[
            Node, I32, I64, F64, V128, Node, I32, I64, I32, F32, I32, Any, F64, F64, F32, F64,
            V128, F64, F32, I32,
        ],
    ),
    (&[I32], &[]),
    (&[Extern, Any], &[Any, Extern]),
    (&[Node, I32], &[Node]),
];

/// Which signatures the functions of a module have.
const FUNCTIONS: [usize; 14] = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 1, 6, 4];
/// Those that are small enough to be put in place of calls of them.
const SMALL_FROM: usize = 10;
/// Locals of each type in every function, behind the parameters.
const LOCALS_EACH: usize = 2;

/// How many functions a module exports, as `e0` and so on.
pub(super) const EXPORTS: usize = 4;

/// Writes one module.
pub(super) struct Writer {
    random: Random,
    /// The function that is written, and its signature.
    number: usize,
    signature: usize,
    /// Open blocks, the innermost last: whether branches to them take nothing.
    labels: Vec<bool>,
    /// How much more may be written.
    left: usize,
    /// Loops so far, for their counters.
    loops: usize,
    may_loop: bool,
}

/// The module with a seed.
pub(super) fn text(seed: u64) -> String {
    let random = Random::new(seed);
    let mut w = Writer {
        random,
        number: 0,
        signature: 0,
        labels: Vec::new(),
        left: 0,
        loops: 0,
        may_loop: true,
    };
    let mut text = String::from("(module\n");
    for (at, (params, results)) in SIGNATURES.iter().enumerate() {
        let list =
            |types: &[Ty]| types.iter().map(|ty| format!(" {}", ty.text())).collect::<String>();
        if at == 0 {
            text += "(type $f0 (func (param i32) (result i32)))\n";
            text += "(rec (type $node (sub (struct (field (mut (ref null $node))) (field (mut i32)))))
                (type $wide (sub $node (struct (field (mut (ref null $node))) (field (mut i32))
                  (field (mut v128)) (field (mut (ref null $f0))) (field (mut anyref)) (field i8)))))
              (type $items (array (mut anyref))) (type $bytes (array (mut i8)))\n";
        } else {
            let (params, results) = (list(params), list(results));
            let _ = writeln!(text, "(type $f{at} (func (param{params}) (result{results})))");
        }
    }
    text += r#"(import "h" "note" (func $note (param i32)))
        (import "h" "mix" (func $mix (param i64 f64) (result f64)))
        (import "h" "again" (func $again (param i32) (result i32)))
        (import "h" "fail" (func $fail (param i32) (result i32)))
        (import "h" "pass" (func $pass (param externref) (result externref)))
        (import "h" "shared" (table $shared 16 funcref))
        (import "h" "base" (global $base i32))
        (tag $t0 (param i32)) (tag $t1 (param i64 f64 (ref null $node) v128)) (tag $t2)
        (memory $m0 (export "m0") 1 3) (memory $m1 (export "m1") i64 1 2)
        (table $nodes (export "nodes") 4 12 (ref null $node))
        (global $left (export "left") (mut i32) (i32.const 0))
        (global $gi (export "gi") (mut i32) (i32.const 1))
        (global $gn (mut (ref null $node)) (ref.null $node))
        (global $ga (mut anyref) (ref.null any))
        (elem declare func $a0 $a1 $a2 $a3)
        (elem $funcs func $a0 $a1 $a2 $a3 $a4 $a7 $a10 $a13)
        (func (export "fill") (table.init $shared $funcs (global.get $base) (i32.const 0) (i32.const 8)))
        "#;
    for (number, signature) in FUNCTIONS.iter().enumerate() {
        text += &w.function(number, *signature);
    }
    text + ")"
}

impl Writer {
    fn function(&mut self, number: usize, signature: usize) -> String {
        let (params, results) = SIGNATURES[signature];
        (self.number, self.signature) = (number, signature);
        self.labels.clear();
        self.loops = 0;
        let small = number >= SMALL_FROM;
        self.may_loop = !small;
        self.left = if small { 3 } else { 14 };
        let mut text = format!("(func $a{number}");
        if number < EXPORTS {
            let _ = write!(text, " (export \"e{number}\")");
        }
        let _ = write!(text, " (type $f{signature})");
        for ty in TYPES {
            text += &format!(" (local {})", ty.text()).repeat(if small { 1 } else { LOCALS_EACH });
        }
        text += " (local $n0 i32) (local $n1 i32) (local $n2 i32)\n";
        let zeros: String = results.iter().map(|ty| ty.zero()).collect();
        if !small {
            let _ = writeln!(
                text,
                "(if (i32.le_s (global.get $left) (i32.const 0)) (then (return {zeros})))
                 (global.set $left (i32.sub (global.get $left) (i32.const 1)))"
            );
        }
        let count = if small { 1 } else { 3 + self.random.below(5) };
        for _ in 0..count {
            text += &self.statement(3);
        }
        // Sometimes in place of itself it calls another with the same results.
        if !small && self.random.below(4) == 0 {
            text += &self.tail_call(signature, params);
        }
        for ty in results {
            text += &self.value(*ty, 2);
        }
        text + ")\n"
    }

    /// A tail call of a function with this signature, now and then.
    fn tail_call(&mut self, signature: usize, params: &[Ty]) -> String {
        let condition = self.value(I32, 1);
        let args: String = params.iter().map(|ty| self.value(*ty, 1)).collect();
        let call = match (signature, self.random.below(3)) {
            (0, 0) => {
                let at = self.value(I32, 1);
                let place = self.place(at);
                format!("(return_call_indirect $shared (type $f0) {args} {place})")
            }
            (0, 1) => format!("(return_call_ref $f0 {args} {})", self.reference(1)),
            _ => format!("(return_call $a{} {args})", self.callee(signature)),
        };
        format!("(if {condition} (then {call}))")
    }

    /// An index of the table of functions, mostly of one that fits.
    fn place(&mut self, index: String) -> String {
        // Small functions count nothing, and so must not call each other in a circle.
        let mask = if self.may_loop && self.random.below(12) == 0 { 15 } else { 11 };
        format!("(i32.and {index} (i32.const {mask}))")
    }

    /// A function, mostly not null.
    fn reference(&mut self, depth: usize) -> String {
        match self.random.below(8) {
            0 => self.value(Func, depth),
            _ => format!("(ref.func $a{})", self.random.below(4)),
        }
    }

    /// A function with a signature.
    fn callee(&mut self, signature: usize) -> usize {
        let small = self.number >= SMALL_FROM;
        let fits = |at: &usize| {
            FUNCTIONS[*at] == signature && !(small && (SMALL_FROM..=self.number).contains(at))
        };
        let all: Vec<usize> = (0..FUNCTIONS.len()).filter(fits).collect();
        self.random.pick(&all)
    }

    /// A local of a type.
    fn local(&mut self, ty: Ty) -> usize {
        let (params, _) = SIGNATURES[self.signature];
        let each = if self.may_loop { LOCALS_EACH } else { 1 };
        let mut all: Vec<usize> = (0..params.len()).filter(|at| params[*at] == ty).collect();
        let own = TYPES.iter().position(|other| *other == ty).expect("one of them") * each;
        all.extend((0..each).map(|at| params.len() + own + at));
        self.random.pick(&all)
    }

    fn one(&mut self, of: &[&str]) -> String {
        self.random.pick(of).to_string()
    }

    /// An expression of a type.
    fn value(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.random.below(4) == 0 {
            return match self.random.below(3) {
                0 if ty == I32 => format!("(i32.const {})", self.random.below(9)),
                0 if ty == I64 => format!("(i64.const {})", self.random.next() as i64),
                0 if ty == F64 => "(f64.const 1.5)".to_string(),
                0 => ty.zero().to_string(),
                _ => format!("(local.get {})", self.local(ty)),
            };
        }
        match ty {
            I32 => self.int(depth - 1),
            I64 => self.long(depth - 1),
            F32 | F64 => self.float(ty, depth - 1),
            V128 => self.vector(depth - 1),
            Node => self.node(depth - 1),
            Any => self.any(depth - 1),
            Extern => match self.random.below(3) {
                0 => format!("(extern.convert_any {})", self.value(Any, depth - 1)),
                _ => format!("(call $pass {})", self.value(Extern, depth - 1)),
            },
            Exn => format!("(local.get {})", self.local(Exn)),
            Func => match self.random.below(3) {
                0 => format!("(ref.func $a{})", self.random.below(4)),
                1 => format!(
                    "(ref.cast (ref null $f0) (table.get $shared (i32.and {} (i32.const 3))))",
                    self.value(I32, depth - 1)
                ),
                _ => format!("(local.get {})", self.local(Func)),
            },
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let kind = self.random.below(26);
        let (a, b) = (self.value(I32, depth), self.value(I32, depth));
        let at = format!("(i32.and {a} (i32.const 0xffff))");
        match kind {
            0..=3 => {
                let op = self.one(&["add", "sub", "mul", "xor", "shl", "rotl", "lt_s", "ge_u"]);
                format!("(i32.{op} {a} {b})")
            }
            4 => format!("(i32.div_s {a} (i32.or {b} (i32.const 4)))"),
            5 if self.random.below(4) == 0 => format!("(i32.rem_u {a} {b})"),
            5 | 6 => format!("(i32.load offset=2 {at})"),
            7 => format!("(i32.load8_u $m1 (i64.extend_i32_u {at}))"),
            8 if self.random.below(6) == 0 => format!("(i32.load {a})"),
            8 | 9 => "(global.get $gi)".to_string(),
            10 => format!("(ref.is_null {})", self.value(Any, depth)),
            11 => format!("(ref.test (ref $wide) {})", self.value(Any, depth)),
            12 | 13 => {
                let node = self.value(Node, depth);
                if self.random.below(20) == 0 {
                    return format!("(struct.get $node 1 {node})");
                }
                // Not null, so that it mostly goes on.
                format!(
                    "(block $got (result i32) (br $got (struct.get $node 1 (block $some (result \
                     (ref $node)) (br $got (block (result i32) (br_on_non_null $some {node}) \
                     (i32.const 3)))))))"
                )
            }
            14..=16 => format!("(call $a{} {a})", self.callee(0)),
            17 => format!("(call_indirect $shared (type $f0) {a} {})", self.place(b)),
            18 => format!("(call_ref $f0 {a} {})", self.reference(depth)),
            19 => format!("(call $again {a})"),
            20 => {
                let op = self.one(&["(memory.size)", "(table.size $nodes)"]);
                format!("(i32.add {a} {op})")
            }
            21 if self.random.below(3) == 0 => {
                format!("(memory.grow (i32.and {a} (i32.const 1)))")
            }
            21 if self.random.below(2) == 0 => format!("(call $fail {a})"),
            21 => format!(
                "(table.grow $nodes {} (i32.and {a} (i32.const 1)))",
                self.value(Node, depth)
            ),
            22 => {
                let lane = self.random.below(16);
                format!("(i8x16.extract_lane_s {lane} {})", self.value(V128, depth))
            }
            23 => format!("(i32.wrap_i64 {})", self.value(I64, depth)),
            24 => format!("(f64.lt {} {})", self.value(F64, depth), self.value(F64, depth)),
            _ => {
                let args = self.arguments(1, depth);
                format!("(call $a{} {args})", self.callee(1))
            }
        }
    }

    fn arguments(&mut self, signature: usize, depth: usize) -> String {
        SIGNATURES[signature].0.iter().map(|ty| self.value(*ty, depth.min(1))).collect()
    }

    fn long(&mut self, depth: usize) -> String {
        match self.random.below(6) {
            0 => format!("(i64.extend_i32_s {})", self.value(I32, depth)),
            1 => format!("(i64.load (i32.and {} (i32.const 0x7fff)))", self.value(I32, depth)),
            2 => {
                let args = self.arguments(2, depth);
                format!("(call $a5 {args})")
            }
            3 => format!("(i64x2.extract_lane 1 {})", self.value(V128, depth)),
            _ => {
                let op = self.one(&["add", "mul", "xor", "rotr", "shr_u"]);
                format!("(i64.{op} {} {})", self.value(I64, depth), self.value(I64, depth))
            }
        }
    }

    fn float(&mut self, ty: Ty, depth: usize) -> String {
        let name = ty.text();
        match self.random.below(5) {
            0 => format!("({name}.convert_i32_s {})", self.value(I32, depth)),
            1 if ty == F64 => {
                format!("(call $mix {} {})", self.value(I64, depth), self.value(F64, depth))
            }
            1 => format!("(f32.demote_f64 {})", self.value(F64, depth)),
            _ => {
                let op = self.one(&["add", "sub", "mul", "min", "max", "div"]);
                format!("({name}.{op} {} {})", self.value(ty, depth), self.value(ty, depth))
            }
        }
    }

    fn vector(&mut self, depth: usize) -> String {
        match self.random.below(5) {
            0 => format!("(i64x2.splat {})", self.value(I64, depth)),
            1 => format!(
                "(i32x4.replace_lane 2 {} {})",
                self.value(V128, depth),
                self.value(I32, depth)
            ),
            2 => format!("(v128.load (i32.and {} (i32.const 0x7fff)))", self.value(I32, depth)),
            _ => {
                let op =
                    self.one(&["i8x16.add", "i16x8.mul", "v128.xor", "i8x16.swizzle", "i32x4.sub"]);
                format!("({op} {} {})", self.value(V128, depth), self.value(V128, depth))
            }
        }
    }

    fn node(&mut self, depth: usize) -> String {
        match self.random.below(9) {
            0..=2 => {
                format!("(struct.new $node {} {})", self.value(Node, depth), self.value(I32, depth))
            }
            3 => format!(
                "(struct.new $wide {} {} {} {} {} {})",
                self.value(Node, depth),
                self.value(I32, depth),
                self.value(V128, depth),
                self.value(Func, depth),
                self.value(Any, depth),
                self.value(I32, depth)
            ),
            4 => "(global.get $gn)".to_string(),
            5 => format!("(table.get $nodes (i32.and {} (i32.const 3)))", self.value(I32, depth)),
            6 => format!(
                "(select (result (ref null $node)) {} {} {})",
                self.value(Node, depth),
                self.value(Node, depth),
                self.value(I32, depth)
            ),
            7 => format!(
                "(block $no (result (ref null $node)) (drop (br_on_cast $no anyref (ref null $node) \
                 {})) (ref.null $node))",
                self.value(Any, depth)
            ),
            _ => {
                let args = self.arguments(6, depth);
                format!("(call $a{} {args})", self.callee(6))
            }
        }
    }

    fn any(&mut self, depth: usize) -> String {
        match self.random.below(8) {
            0 | 1 => self.value(Node, depth),
            2 => format!("(ref.i31 {})", self.value(I32, depth)),
            3 => format!(
                "(array.new_fixed $items 3 {} {} {})",
                self.value(Any, depth),
                self.value(Any, depth),
                self.value(Any, depth)
            ),
            4 => format!(
                "(array.new $items {} (i32.and {} (i32.const 127)))",
                self.value(Any, depth),
                self.value(I32, depth)
            ),
            5 => format!(
                "(array.new_default $bytes (i32.and {} (i32.const 0xfff)))",
                self.value(I32, depth)
            ),
            6 => "(global.get $ga)".to_string(),
            _ => format!("(any.convert_extern {})", self.value(Extern, depth)),
        }
    }

    /// Statements that leave nothing on the stack, in so many more blocks.
    fn block(&mut self, within: &[bool], depth: usize) -> String {
        self.labels.extend(within);
        let count = 1 + self.random.below(3);
        let text = (0..count).map(|_| self.statement(depth)).collect();
        self.labels.truncate(self.labels.len() - within.len());
        text
    }

    /// A label that takes nothing, counted from the innermost.
    fn label(&mut self) -> Option<usize> {
        let all: Vec<usize> =
            self.labels.iter().rev().enumerate().filter(|l| *l.1).map(|l| l.0).collect();
        (!all.is_empty()).then(|| self.random.pick(&all))
    }

    fn statement(&mut self, depth: usize) -> String {
        if self.left == 0 || depth == 0 {
            return self.simple();
        }
        self.left -= 1;
        if !self.may_loop {
            return if self.random.below(4) == 0 { self.condition(1) } else { self.simple() };
        }
        match self.random.below(11) {
            0 | 1 => self.condition(depth - 1),
            2 | 3 => self.repeat(depth - 1),
            4 | 5 => self.catching(depth - 1),
            6 => format!("(block {})\n", self.block(&[true], depth - 1)),
            7 => self.many_results(),
            8 => self.choose(depth - 1),
            _ => self.simple(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let condition = self.value(I32, 2);
        let then = self.block(&[true], depth);
        let otherwise = match self.random.below(2) {
            0 => format!("(else {})", self.block(&[true], depth)),
            _ => String::new(),
        };
        format!("(if {condition} (then {then}) {otherwise})\n")
    }

    /// A loop with a counter of its own.
    fn repeat(&mut self, depth: usize) -> String {
        let counter = self.loops;
        if counter >= 3 {
            return self.simple();
        }
        self.loops += 1;
        let times = 2 + self.random.below(12);
        let body = self.block(&[true, true], depth);
        self.loops -= 1;
        format!(
            "(local.set $n{counter} (i32.const {times}))
             (block (loop
               (br_if 1 (i32.le_s (global.get $left) (i32.const 0)))
               (global.set $left (i32.sub (global.get $left) (i32.const 1)))
               {body}
               (local.set $n{counter} (i32.sub (local.get $n{counter}) (i32.const 1)))
               (br_if 0 (i32.gt_s (local.get $n{counter}) (i32.const 0)))))\n"
        )
    }

    /// A block whose exceptions are caught, some of them.
    fn catching(&mut self, depth: usize) -> String {
        let kind = self.random.below(5);
        let within: &[bool] = if kind == 2 { &[true, true] } else { &[true, false, true] };
        let body = self.block(within, depth);
        let (number, node, exn) = (self.local(I32), self.local(Node), self.local(Exn));
        match kind {
            0 => format!(
                "(block $done (local.set {number} (block $caught (result i32)
                   (try_table (catch $t0 $caught) {body}) (br $done))))\n"
            ),
            1 => format!(
                "(block $done
                   (block $caught (result i64 f64 (ref null $node) v128)
                     (try_table (catch $t1 $caught) {body}) (br $done))
                   (drop) (local.set {node}) (drop) (drop))\n"
            ),
            2 => format!("(block $done (try_table (catch_all $done) {body}))\n"),
            3 => {
                let again = self.value(I32, 1);
                format!(
                    "(block $done (local.set {exn} (block $caught (result exnref)
                       (try_table (catch_all_ref $caught) {body}) (br $done)))
                     (if {again} (then (throw_ref (local.get {exn})))))\n"
                )
            }
            _ => format!(
                "(block $done (block $caught (result i32 exnref)
                   (try_table (catch $t2 $done) (catch_ref $t0 $caught) {body}) (br $done))
                 (local.set {exn}) (local.set {number}))\n"
            ),
        }
    }

    /// A call with more results than registers.
    fn many_results(&mut self) -> String {
        let (signature, callee) = self.random.pick(&[(3, 6), (3, 6), (5, 8)]);
        let args = self.arguments(signature, 1);
        let mut text = format!("(call $a{callee} {args})");
        for ty in SIGNATURES[signature].1.iter().rev() {
            let _ = write!(text, " (local.set {})", self.local(*ty));
        }
        text + "\n"
    }

    /// Branches by a table.
    fn choose(&mut self, depth: usize) -> String {
        let (a, b) = (self.block(&[true, true], depth), self.block(&[true], depth));
        let index = self.value(I32, 2);
        let to = self.label().map_or(2, |to| to + 3);
        format!("(block (block (block (br_table 0 1 2 {to} 0 1 {index})) {a}) {b})\n")
    }

    fn simple(&mut self) -> String {
        match self.random.below(17) {
            0..=3 => {
                let ty = self.random.pick(&TYPES);
                format!("(local.set {} {})\n", self.local(ty), self.value(ty, 2))
            }
            4 => format!("(global.set $gi {})\n", self.value(I32, 2)),
            5 => format!("(global.set $gn {})\n", self.value(Node, 2)),
            6 => format!("(global.set $ga {})\n", self.value(Any, 2)),
            7 => {
                let (local, next) = (self.local(Node), self.value(Node, 2));
                format!(
                    "(if (i32.eqz (ref.is_null (local.get {local}))) (then \
                     (struct.set $node 0 (local.get {local}) {next})))\n"
                )
            }
            8 => {
                let (any, value, at) = (self.value(Any, 2), self.value(Any, 1), self.value(I32, 1));
                format!(
                    "(block $none (block $array (result (ref $items)) (drop (br_on_cast $array \
                     anyref (ref $items) {any})) (br $none)) (i32.and {at} (i32.const 1)) {value} \
                     (array.set $items))\n"
                )
            }
            9 => format!(
                "(i32.store (i32.and {} (i32.const 0x7fff)) {})\n",
                self.value(I32, 1),
                self.value(I32, 2)
            ),
            10 => format!(
                "(v128.store $m1 (i64.and {} (i64.const 0x7fff)) {})\n",
                self.value(I64, 1),
                self.value(V128, 2)
            ),
            11 => format!(
                "(table.set $nodes (i32.and {} (i32.const 3)) {})\n",
                self.value(I32, 1),
                self.value(Node, 2)
            ),
            12 => format!("(call $note {})\n", self.value(I32, 2)),
            13 => format!("(call $a{} {})\n", self.callee(4), self.value(I32, 1)),
            14 => {
                let condition = self.value(I32, 2);
                let thrown = match self.random.below(3) {
                    0 => format!("(throw $t0 {})", self.value(I32, 1)),
                    1 => format!(
                        "(throw $t1 {} {} {} {})",
                        self.value(I64, 1),
                        self.value(F64, 1),
                        self.value(Node, 1),
                        self.value(V128, 1)
                    ),
                    _ => "(throw $t2)".to_string(),
                };
                format!("(if (i32.eqz (i32.and {condition} (i32.const 3))) (then {thrown}))\n")
            }
            15 => match self.label() {
                Some(to) => format!("(br_if {to} {})\n", self.value(I32, 1)),
                None => String::new(),
            },
            _ => format!("(local.set {} {})\n", self.local(I32), self.value(I32, 3)),
        }
    }
}
