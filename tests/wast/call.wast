;; Calls: arguments and results that overlap with the caller's operands, tail calls that need more or
;; less room than their caller, and what happens at the ends of the stack.

;; Arguments of every type in places that differ in width.
(module
  (func $mixed (export "mixed") (param i32 v128 f32 i64 v128 f64) (result f64 v128 i64 f32 v128 i32)
    local.get 5
    local.get 4
    local.get 3
    local.get 2
    local.get 1
    local.get 0)
  (func (export "twice") (param i32 v128 f32 i64 v128 f64) (result i32 v128 f32 i64 v128 f64)
    (call $back
      (call $mixed (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)
        (local.get 5))))
  (func $back (param f64 v128 i64 f32 v128 i32) (result i32 v128 f32 i64 v128 f64)
    local.get 5
    local.get 4
    local.get 3
    local.get 2
    local.get 1
    local.get 0)
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func $sub (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
  (func (export "nested") (param i32) (result i32)
    (call $sub
      (call $add (call $add (local.get 0) (i32.const 1)) (call $sub (i32.const 100) (local.get 0)))
      (call $add (local.get 0) (call $add (local.get 0) (local.get 0)))))
  (func (export "operands-survive") (param i32) (result i32)
    local.get 0
    (local.set 0 (i32.const 1000))
    i32.const 7
    local.get 0
    (call $add (i32.const 1) (i32.const 2))
    i32.mul
    i32.add
    i32.sub)
  (func $clobber (param i32) (result i32) (local i64 v128 i32)
    (local.set 1 (i64.const -1))
    (local.set 2 (v128.const i64x2 -1 -1))
    (local.set 3 (i32.const -1))
    (local.set 0 (i32.const -1))
    i32.const -1
    i64.const -1
    v128.const i64x2 -1 -1
    drop
    drop)
  (func (export "locals-survive") (param i32 v128) (result i32 v128) (local i64)
    (local.set 2 (i64.const 5))
    (drop (call $clobber (i32.const 0)))
    (i32.add (local.get 0) (i32.wrap_i64 (local.get 2)))
    (drop (call $clobber (i32.const 0)))
    local.get 1)
  (func $zeroed (result i32 i64 f32 f64 v128 i32) (local i32 i64 f32 f64 v128 funcref)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    local.get 4
    (ref.is_null (local.get 5)))
  (func (export "zeroed") (result i32 i64 f32 f64 v128 i32)
    ;; The frame of the second call lies where the first one left its values.
    (drop (call $clobber (i32.const 0)))
    (call $zeroed))
  (func $pair (param i32) (result i32 i32)
    local.get 0
    (i32.mul (local.get 0) (local.get 0)))
  (func (export "results-as-arguments") (param i32) (result i32)
    (call $add (call $pair (call $add (call $pair (local.get 0))))))
  (func (export "result-then-branch") (param i32) (result i32)
    block (result i32 i32)
      (call $pair (local.get 0))
      (br_if 0 (i32.gt_u (local.get 0) (i32.const 3)))
      i32.const 1
      i32.add
    end
    i32.sub)
  (func (export "unused-results") (param i32) (result i32)
    local.get 0
    (call $pair (i32.const 9))
    drop
    drop
    (call $zeroed)
    drop drop drop drop drop drop)
)
(assert_return (invoke "mixed" (i32.const 1) (v128.const i64x2 2 3) (f32.const 4) (i64.const 5)
    (v128.const i64x2 6 7) (f64.const 8))
  (f64.const 8) (v128.const i64x2 6 7) (i64.const 5) (f32.const 4) (v128.const i64x2 2 3)
  (i32.const 1))
(assert_return (invoke "twice" (i32.const 1) (v128.const i64x2 2 3) (f32.const 4) (i64.const 5)
    (v128.const i64x2 6 7) (f64.const 8))
  (i32.const 1) (v128.const i64x2 2 3) (f32.const 4) (i64.const 5) (v128.const i64x2 6 7)
  (f64.const 8))
(assert_return (invoke "nested" (i32.const 4)) (i32.const 89))
(assert_return (invoke "operands-survive" (i32.const 4)) (i32.const -3003))
(assert_return (invoke "locals-survive" (i32.const 4) (v128.const i64x2 6 7))
  (i32.const 9) (v128.const i64x2 6 7))
(assert_return (invoke "zeroed")
  (i32.const 0) (i64.const 0) (f32.const 0) (f64.const 0) (v128.const i64x2 0 0) (i32.const 1))
(assert_return (invoke "results-as-arguments" (i32.const 3)) (i32.const 156))
(assert_return (invoke "result-then-branch" (i32.const 2)) (i32.const -3))
(assert_return (invoke "result-then-branch" (i32.const 5)) (i32.const -20))
(assert_return (invoke "unused-results" (i32.const 6)) (i32.const 6))

;; Recursion: direct, mutual, through tables and between modules.
(module $even
  (type $f (func (param i32) (result i32)))
  (table (export "table") 4 funcref)
  (elem (i32.const 0) func $even)
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else
        (i32.add
          (call $fib (i32.sub (local.get 0) (i32.const 1)))
          (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $ackermann (export "ackermann") (param i32 i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.add (local.get 1) (i32.const 1)))))
    (if (i32.eqz (local.get 1))
      (then (return (call $ackermann (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))))
    (call $ackermann
      (i32.sub (local.get 0) (i32.const 1))
      (call $ackermann (local.get 0) (i32.sub (local.get 1) (i32.const 1)))))
  (func $even (export "even") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1)))
      (else (i32.const 1))))
  (global $depth (mut i32) (i32.const 0))
  (func $runaway (export "runaway") (param i64) (result i64)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (i64.add (call $runaway (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
  (func $runaway-indirect (export "runaway-indirect")
    (call_indirect (i32.const 2)))
  (elem (i32.const 2) func $runaway-indirect)
  (func $runaway-wide (export "runaway-wide") (param v128) (result v128)
    (local v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128)
    (v128.not (call $runaway-wide (v128.not (local.get 0)))))
)
(register "even" $even)
(module $odd
  (type $f (func (param i32) (result i32)))
  (import "even" "table" (table 4 funcref))
  (import "even" "even" (func $even (param i32) (result i32)))
  (elem (i32.const 1) func $odd)
  (func $odd (export "odd") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (call $even (i32.sub (local.get 0) (i32.const 1))))
      (else (i32.const 0))))
)
(assert_return (invoke $even "fib" (i32.const 20)) (i32.const 6765))
(assert_return (invoke $even "ackermann" (i32.const 2) (i32.const 9)) (i32.const 21))
(assert_return (invoke $even "even" (i32.const 1000)) (i32.const 1))
(assert_return (invoke $even "even" (i32.const 1001)) (i32.const 0))
(assert_return (invoke $odd "odd" (i32.const 1001)) (i32.const 1))
(assert_exhaustion (invoke $even "runaway" (i64.const 0)) "call stack exhausted")
(assert_exhaustion (invoke $even "runaway-indirect") "call stack exhausted")
(assert_exhaustion (invoke $even "runaway-wide" (v128.const i64x2 1 2)) "call stack exhausted")
;; The stack is whole again afterwards.
(assert_return (invoke $even "fib" (i32.const 15)) (i32.const 610))
(assert_return (invoke $odd "odd" (i32.const 100)) (i32.const 0))

;; Indirect calls: which check fails, and on which table.
(module
  (type $none (func))
  (type $i32 (func (result i32)))
  (type $also-i32 (func (result i32)))
  (type $i64 (func (result i64)))
  (type $unary (func (param i32) (result i32)))
  (table $a 3 3 funcref)
  (table $b 2 10 funcref)
  (table $c i64 2 funcref)
  (elem (table $a) (i32.const 0) func $one $wide)
  (elem (table $b) (i32.const 1) func $two)
  (elem (table $c) (i64.const 1) func $three)
  (func $one (type $i32) (i32.const 1))
  (func $wide (type $i64) (i64.const 0x100000002))
  (func $two (type $also-i32) (i32.const 2))
  (func $three (type $unary) (i32.add (local.get 0) (i32.const 3)))
  (func (export "a") (param i32) (result i32) (call_indirect $a (type $i32) (local.get 0)))
  (func (export "a-as-i64") (param i32) (result i64) (call_indirect $a (type $i64) (local.get 0)))
  (func (export "b") (param i32) (result i32) (call_indirect $b (type $i32) (local.get 0)))
  (func (export "c") (param i64) (result i32)
    (call_indirect $c (type $unary) (i32.const 10) (local.get 0)))
  (func (export "index-is-evaluated-last") (param i32) (result i32)
    local.get 0
    (local.tee 0 (i32.const 1))
    i32.add
    (call_indirect $b (type $i32) (local.get 0))
    i32.add)
  (func (export "wrapped-index") (param i64) (result i32)
    ;; The upper half of the index is cut off, not kept.
    (call_indirect $a (type $i32) (i32.wrap_i64 (local.get 0))))
  (func (export "grow-b") (result i32) (table.grow $b (ref.func $one) (i32.const 3)))
)
(assert_return (invoke "a" (i32.const 0)) (i32.const 1))
(assert_trap (invoke "a" (i32.const 1)) "indirect call type mismatch")
(assert_trap (invoke "a" (i32.const 2)) "uninitialized element")
(assert_trap (invoke "a" (i32.const 3)) "undefined element")
(assert_trap (invoke "a" (i32.const -1)) "undefined element")
(assert_return (invoke "a-as-i64" (i32.const 1)) (i64.const 0x100000002))
(assert_trap (invoke "a-as-i64" (i32.const 0)) "indirect call type mismatch")
(assert_return (invoke "b" (i32.const 1)) (i32.const 2))
(assert_trap (invoke "b" (i32.const 0)) "uninitialized element")
(assert_return (invoke "c" (i64.const 1)) (i32.const 13))
(assert_trap (invoke "c" (i64.const 0)) "uninitialized element")
(assert_trap (invoke "c" (i64.const 2)) "undefined element")
(assert_trap (invoke "c" (i64.const 0x100000001)) "undefined element")
(assert_trap (invoke "c" (i64.const -1)) "undefined element")
(assert_return (invoke "index-is-evaluated-last" (i32.const 40)) (i32.const 43))
(assert_return (invoke "wrapped-index" (i64.const 0x500000000)) (i32.const 1))
(assert_trap (invoke "wrapped-index" (i64.const 0x500000003)) "undefined element")
(assert_trap (invoke "b" (i32.const 4)) "undefined element")
(assert_return (invoke "grow-b") (i32.const 2))
(assert_return (invoke "b" (i32.const 4)) (i32.const 1))
(assert_trap (invoke "b" (i32.const 5)) "undefined element")

;; Tail calls: the callee's frame replaces the caller's, however large either is.
(module
  (type $count (func (param i64) (result i64)))
  (type $ladder (func (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (table funcref (elem $count $down $ladder-0 $stop))
  (func $count (export "count") (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 42))))
    (return_call $count (i64.sub (local.get 0) (i64.const 1))))
  (func $down (export "down") (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 43))))
    (return_call_indirect (type $count) (i64.sub (local.get 0) (i64.const 1)) (i32.const 1)))
  ;; Argument counts go up and down: 1, 8, 2, and v128s in between.
  (func $narrow (export "ladder") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
    (return_call $broad
      (i32.sub (local.get 0) (i32.const 1)) (v128.const i64x2 1 2) (i64.const 3) (f32.const 4)
      (v128.const i64x2 5 6) (f64.const 7) (v128.const i64x2 8 9) (i32.const 10)))
  (func $broad (param i32 v128 i64 f32 v128 f64 v128 i32) (result i32)
    (local i32)
    (if (i32.eqz (local.get 0))
      (then (return (i32.add (local.get 7) (i64x2.extract_lane 0 (local.get 6)) (i32.wrap_i64)))))
    (return_call $middle (local.get 4) (i32.sub (local.get 0) (i32.const 1))))
  (func $middle (param v128 i32) (result i32)
    (if (i32.eqz (local.get 1))
      (then (return (i32.wrap_i64 (i64x2.extract_lane 1 (local.get 0))))))
    (return_call $narrow (i32.sub (local.get 1) (i32.const 1))))
  (func $ladder-0 (type $ladder)
    (if (i32.eqz (local.get 0)) (then (return (local.get 7))))
    ;; Every argument moves by one place and the last becomes the first.
    (return_call_indirect (type $ladder)
      (i32.sub (local.get 0) (i32.const 1)) (local.get 7) (local.get 1) (local.get 2)
      (local.get 3) (local.get 4) (local.get 5) (local.get 6) (i32.const 2)))
  (func (export "rotate-arguments") (param i32) (result i32)
    (return_call $ladder-0 (local.get 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
      (i32.const 5) (i32.const 6) (i32.const 7)))
  (func $stop (unreachable))
  (func $to-trap (param i32) (result i32)
    (if (i32.eqz (local.get 0))
      (then (return_call_indirect (result i32) (i32.const 3))))
    (return_call $to-trap (i32.sub (local.get 0) (i32.const 1))))
  (func (export "mismatch-at-end") (param i32) (result i32)
    (i32.add (call $to-trap (local.get 0)) (i32.const 1)))
  (func (export "out-of-table") (param i32)
    (return_call_indirect (local.get 0)))
  (func $result-shape (param i32) (result i32 v128 i64)
    (if (i32.eqz (local.get 0))
      (then (return (i32.const 1) (v128.const i64x2 2 3) (i64.const 4))))
    (return_call $result-shape (i32.sub (local.get 0) (i32.const 1))))
  (func (export "results-through") (param i32) (result i32 v128 i64)
    i64.const -1
    v128.const i64x2 -1 -1
    (call $result-shape (local.get 0))
    (return))
  (func (export "below-operands") (param i64) (result i64)
    i64.const 100
    (call $count (local.get 0))
    i64.add
    (call $down (local.get 0))
    i64.add)
  (func $zero-locals (param i32) (result i64) (local i64 v128)
    (if (i64.ne (local.get 1) (i64.const 0)) (then (return (i64.const -1))))
    (if (v128.any_true (local.get 2)) (then (return (i64.const -2))))
    (if (i32.eqz (local.get 0)) (then (return (i64.const 9))))
    (local.set 1 (i64.const 5))
    (local.set 2 (v128.const i64x2 6 7))
    (return_call $zero-locals (i32.sub (local.get 0) (i32.const 1))))
  (func (export "zero-locals") (param i32) (result i64) (call $zero-locals (local.get 0)))
)
(assert_return (invoke "count" (i64.const 1000000)) (i64.const 42))
(assert_return (invoke "down" (i64.const 100000)) (i64.const 43))
(assert_return (invoke "ladder" (i32.const 0)) (i32.const 7))
(assert_return (invoke "ladder" (i32.const 1)) (i32.const 18))
(assert_return (invoke "ladder" (i32.const 2)) (i32.const 6))
(assert_return (invoke "ladder" (i32.const 300000)) (i32.const 7))
(assert_return (invoke "ladder" (i32.const 300001)) (i32.const 18))
(assert_return (invoke "rotate-arguments" (i32.const 0)) (i32.const 7))
(assert_return (invoke "rotate-arguments" (i32.const 1)) (i32.const 6))
(assert_return (invoke "rotate-arguments" (i32.const 70000)) (i32.const 7))
(assert_return (invoke "rotate-arguments" (i32.const 70003)) (i32.const 4))
(assert_trap (invoke "mismatch-at-end" (i32.const 1000)) "indirect call type mismatch")
(assert_trap (invoke "out-of-table" (i32.const 4)) "undefined element")
(assert_trap (invoke "out-of-table" (i32.const 0)) "indirect call type mismatch")
(assert_trap (invoke "out-of-table" (i32.const 3)) "unreachable")
(assert_return (invoke "results-through" (i32.const 5))
  (i32.const 1) (v128.const i64x2 2 3) (i64.const 4))
(assert_return (invoke "below-operands" (i64.const 1000)) (i64.const 185))
(assert_return (invoke "zero-locals" (i32.const 3)) (i64.const 9))

;; Tail calls into another module and into the host.
(module $callee
  (func (export "big") (param i32 i32 i32 i32 i32 i32) (result i32)
    (local i64 i64 i64 i64)
    (i32.sub (local.get 0) (local.get 5)))
  (memory 1)
  (data (i32.const 0) "\2a")
  (func (export "load") (result i32) (i32.load8_u (i32.const 0)))
)
(register "callee" $callee)
(module
  (import "callee" "big" (func $big (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "callee" "load" (func $load (result i32)))
  (import "spectest" "print_i32" (func $print (param i32)))
  (memory 1)
  (data (i32.const 0) "\07")
  (table funcref (elem $load $print))
  (func (export "tail-big") (param i32) (result i32)
    (return_call $big (i32.const 50) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
      (local.get 0)))
  (func $tail-load (result i32) (return_call $load))
  (func $tail-load-indirect (result i32) (return_call_indirect (result i32) (i32.const 0)))
  (func (export "own-memory-afterwards") (result i32)
    ;; The callee runs in its own module; its caller's caller is back in this one.
    (i32.add
      (i32.mul (call $tail-load) (i32.load8_u (i32.const 0)))
      (i32.mul (call $tail-load-indirect) (i32.load8_u (i32.const 0)))))
  (func $tail-host (param i32) (return_call $print (local.get 0)))
  (func $tail-host-indirect (param i32)
    (return_call_indirect (param i32) (local.get 0) (i32.const 1)))
  (func (export "host") (result i32)
    (call $tail-host (i32.const 1))
    (call $tail-host-indirect (i32.const 2))
    (call $print (i32.const 3))
    (i32.load8_u (i32.const 0)))
)
(assert_return (invoke "tail-big" (i32.const 8)) (i32.const 42))
(assert_return (invoke "own-memory-afterwards") (i32.const 588))
(assert_return (invoke "host") (i32.const 7))
