;; Blocks, branches and the operand stack: values that must be moved while other values still refer
;; to the places they come from.

;; Locals that are read, then overwritten while the value read is still on the stack.
(module
  (func (export "set-under") (param i32) (result i32)
    local.get 0
    i32.const 100
    local.set 0
    local.get 0
    i32.sub)
  (func (export "tee-under") (param i32) (result i32)
    local.get 0
    i32.const 7
    local.tee 0
    i32.mul
    local.get 0
    i32.add)
  (func (export "tee-chain") (param i32) (result i32) (local i32 i32 i32)
    local.get 0
    local.tee 1
    local.tee 2
    local.tee 3
    local.get 1
    i32.const 1
    i32.add
    local.tee 1
    i32.mul
    local.get 2
    i32.add
    local.get 3
    i32.add
    local.get 1
    i32.add)
  (func (export "swap") (param i32 i32) (result i32 i32)
    local.get 0
    local.get 1
    local.set 0
    local.set 1
    local.get 0
    local.get 1)
  (func (export "rotate") (param i32 i64 f32 f64) (result f64 i32 i64 f32) (local i32 i64 f32 f64)
    local.get 0
    local.get 1
    local.get 2
    local.get 3
    i32.const 0
    local.set 0
    i64.const 0
    local.set 1
    f32.const 0
    local.set 2
    f64.const 0
    local.set 3
    local.set 7
    local.set 6
    local.set 5
    local.set 4
    local.get 7
    local.get 4
    local.get 5
    local.get 6)
  (func (export "self-set") (param i32) (result i32)
    local.get 0
    local.get 0
    local.get 0
    i32.const 1
    i32.add
    local.set 0
    local.get 0
    i32.const 1
    i32.add
    local.set 0
    local.get 0
    i32.mul
    i32.add)
  (func (export "many-reads") (param i32) (result i32)
    (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0) (local.get 0)
    (local.set 0 (i32.const 1000))
    (i32.add (local.get 0))
    (i32.sub) (i32.mul) (i32.xor) (i32.add) (i32.sub))
  (func (export "set-in-block") (param i32) (result i32)
    local.get 0
    block
      i32.const 5
      local.set 0
    end
    local.get 0
    i32.sub)
  (func (export "set-in-if") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    if
      i32.const 50
      local.set 0
    end
    local.get 0
    i32.sub)
  (func (export "set-in-loop") (param i32) (result i32) (local i32)
    local.get 0
    loop
      (local.set 0 (i32.add (local.get 0) (i32.const 3)))
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get 1) (i32.const 4)))
    end
    local.get 0
    i32.sub)
  (func (export "set-skipped") (param i32 i32) (result i32)
    local.get 0
    block
      local.get 1
      br_if 0
      i32.const 9
      local.set 0
    end
    local.get 0
    i32.add)
)
(assert_return (invoke "set-under" (i32.const 3)) (i32.const -97))
(assert_return (invoke "tee-under" (i32.const 6)) (i32.const 49))
(assert_return (invoke "tee-chain" (i32.const 5)) (i32.const 46))
(assert_return (invoke "swap" (i32.const 1) (i32.const 2)) (i32.const 2) (i32.const 1))
(assert_return (invoke "rotate" (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4))
  (f64.const 4) (i32.const 1) (i64.const 2) (f32.const 3))
(assert_return (invoke "self-set" (i32.const 4)) (i32.const 28))
(assert_return (invoke "many-reads" (i32.const 3)) (i32.const 2997))
(assert_return (invoke "set-in-block" (i32.const 12)) (i32.const 7))
(assert_return (invoke "set-in-if" (i32.const 12) (i32.const 0)) (i32.const 0))
(assert_return (invoke "set-in-if" (i32.const 12) (i32.const 1)) (i32.const -38))
(assert_return (invoke "set-in-loop" (i32.const 12)) (i32.const -12))
(assert_return (invoke "set-skipped" (i32.const 4) (i32.const 1)) (i32.const 8))
(assert_return (invoke "set-skipped" (i32.const 4) (i32.const 0)) (i32.const 13))

;; Parameters and results of blocks, of every width, permuted by the branch that carries them.
(module
  (func (export "block-params") (param i32 i64) (result i64)
    local.get 0
    local.get 1
    block (param i32 i64) (result i64)
      local.set 1
      i64.extend_i32_u
      local.get 1
      i64.sub
    end)
  (func (export "loop-params") (param i32) (result i32 i32)
    ;; (a, b) → (b, a + b), n times: each turn needs both old values.
    i32.const 0
    i32.const 1
    loop (param i32 i32) (result i32 i32) (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      call $step
      local.get 0
      br_if 0
    end)
  (func $step (param i32 i32) (result i32 i32)
    local.get 1
    local.get 0
    local.get 1
    i32.add)
  (func (export "loop-swap") (param i32) (result i32 i32) (local i32 i32)
    i32.const 10
    i32.const 20
    loop (param i32 i32) (result i32 i32)
      local.set 1
      local.set 2
      local.get 1
      local.get 2
      (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
      br_if 0
    end)
  (func (export "wide-loop") (param i32) (result v128 i32 v128) (local v128 i32 v128)
    (v128.const i64x2 1 2)
    i32.const 3
    (v128.const i64x2 4 5)
    loop (param v128 i32 v128) (result v128 i32 v128)
      local.set 3
      local.set 2
      local.set 1
      local.get 3
      (i32.add (local.get 2) (i32.const 1))
      (i64x2.add (local.get 1) (v128.const i64x2 10 10))
      (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))
      br_if 0
    end)
  (func (export "mixed-block") (param i32) (result i64 v128 f32 i32)
    i64.const 1
    v128.const i32x4 2 3 4 5
    f32.const 6
    i32.const 7
    local.get 0
    if (param i64 v128 f32 i32) (result i64 v128 f32 i32)
      drop drop drop drop
      i64.const -1
      v128.const i32x4 -2 -3 -4 -5
      f32.const -6
      i32.const -7
    end)
  (func (export "branch-drops") (param i32) (result i32 i64)
    ;; The values carried lie above three others that the branch removes.
    block $out (result i32 i64)
      i32.const 1
      v128.const i64x2 8 9
      f64.const 2
      i32.const 30
      i64.const 40
      local.get 0
      br_if $out
      drop
      i32.const 1
      i32.add
      i64.const 41
      br $out
    end)
  (func (export "branch-drops-wide") (param i32) (result v128 v128)
    block $out (result v128 v128)
      i32.const 1
      v128.const i64x2 1 2
      v128.const i64x2 3 4
      local.get 0
      br_if $out
      i32.const 5
      drop
      br $out
    end)
  (func (export "overlap-up") (param i32) (result i64 i64 i64 i64)
    ;; The five carried slots move down by one: source and destination overlap.
    block $out (result i64 i64 i64 i64)
      i32.const 1
      i64.const 1
      i64.const 2
      i64.const 3
      i64.const 4
      br $out
    end)
  (func (export "nested-results") (param i32) (result i32)
    i32.const 1
    block (result i32)
      i32.const 2
      block (result i32)
        i32.const 3
        block (result i32)
          i32.const 4
          local.get 0
          br_table 0 1 2 3
        end
        i32.add
      end
      i32.add
    end
    i32.add)
)
(assert_return (invoke "block-params" (i32.const 10) (i64.const 3)) (i64.const 7))
(assert_return (invoke "loop-params" (i32.const 10)) (i32.const 55) (i32.const 89))
(assert_return (invoke "loop-swap" (i32.const 1)) (i32.const 20) (i32.const 10))
(assert_return (invoke "loop-swap" (i32.const 2)) (i32.const 10) (i32.const 20))
(assert_return (invoke "loop-swap" (i32.const 7)) (i32.const 20) (i32.const 10))
(assert_return (invoke "wide-loop" (i32.const 1))
  (v128.const i64x2 4 5) (i32.const 4) (v128.const i64x2 11 12))
(assert_return (invoke "wide-loop" (i32.const 4))
  (v128.const i64x2 21 22) (i32.const 7) (v128.const i64x2 24 25))
(assert_return (invoke "mixed-block" (i32.const 0))
  (i64.const 1) (v128.const i32x4 2 3 4 5) (f32.const 6) (i32.const 7))
(assert_return (invoke "mixed-block" (i32.const 1))
  (i64.const -1) (v128.const i32x4 -2 -3 -4 -5) (f32.const -6) (i32.const -7))
(assert_return (invoke "branch-drops" (i32.const 1)) (i32.const 30) (i64.const 40))
(assert_return (invoke "branch-drops" (i32.const 0)) (i32.const 31) (i64.const 41))
(assert_return (invoke "branch-drops-wide" (i32.const 1))
  (v128.const i64x2 1 2) (v128.const i64x2 3 4))
(assert_return (invoke "branch-drops-wide" (i32.const 0))
  (v128.const i64x2 1 2) (v128.const i64x2 3 4))
(assert_return (invoke "overlap-up" (i32.const 0))
  (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))
(assert_return (invoke "nested-results" (i32.const 0)) (i32.const 10))
(assert_return (invoke "nested-results" (i32.const 1)) (i32.const 7))
(assert_return (invoke "nested-results" (i32.const 2)) (i32.const 5))
(assert_return (invoke "nested-results" (i32.const 3)) (i32.const 4))
(assert_return (invoke "nested-results" (i32.const -1)) (i32.const 4))

;; Branches that carry unread locals, constants, and values still being computed.
(module
  (func (export "carry-local") (param i32 i32) (result i32)
    block (result i32)
      local.get 0
      local.get 1
      br_if 0
      drop
      i32.const -1
    end)
  (func (export "carry-overwritten") (param i32 i32) (result i32)
    block (result i32)
      local.get 0
      (local.set 0 (i32.const 77))
      local.get 1
      br_if 0
      local.get 0
      i32.add
    end)
  (func (export "carry-both") (param i32 i32 i32) (result i32 i32)
    block (result i32 i32)
      local.get 1
      local.get 0
      local.get 2
      br_if 0
      i32.add
      i32.const 0
    end)
  (func (export "loop-carry-locals") (param i32 i32 i32) (result i32 i32)
    ;; Each turn swaps the two by carrying one local into the place of the other.
    local.get 0
    local.get 1
    loop (param i32 i32) (result i32 i32)
      local.set 0
      local.set 1
      local.get 0
      local.get 1
      (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))
      br_if 0
    end)
  (func (export "table-carries") (param i32) (result i32)
    block $a (result i32)
      block $b (result i32)
        block $c (result i32)
          i32.const 5
          i32.const 6
          i32.const 7
          local.get 0
          br_table $a $b $c $b $a
        end
        i32.const 100
        i32.add
        br $a
      end
      i32.const 1000
      i32.add
    end)
  (func (export "table-carries-wide") (param i32) (result v128 i32)
    block $a (result v128 i32)
      block $b (result v128 i32)
        i32.const 5
        v128.const i32x4 1 2 3 4
        local.get 0
        local.get 0
        br_table $a $b $a
      end
      i32.const 10
      i32.add
    end)
  (func (export "table-to-loop") (param i32) (result i32) (local i32)
    i32.const 0
    loop $again (param i32) (result i32)
      i32.const 1
      i32.add
      block $out (param i32) (result i32)
        local.get 0
        (local.set 0 (i32.const 2))
        br_table $again $out
      end
    end)
)
(assert_return (invoke "carry-local" (i32.const 4) (i32.const 1)) (i32.const 4))
(assert_return (invoke "carry-local" (i32.const 4) (i32.const 0)) (i32.const -1))
(assert_return (invoke "carry-overwritten" (i32.const 4) (i32.const 1)) (i32.const 4))
(assert_return (invoke "carry-overwritten" (i32.const 4) (i32.const 0)) (i32.const 81))
(assert_return (invoke "carry-both" (i32.const 1) (i32.const 2) (i32.const 1))
  (i32.const 2) (i32.const 1))
(assert_return (invoke "carry-both" (i32.const 1) (i32.const 2) (i32.const 0))
  (i32.const 3) (i32.const 0))
(assert_return (invoke "loop-carry-locals" (i32.const 1) (i32.const 2) (i32.const 3))
  (i32.const 2) (i32.const 1))
(assert_return (invoke "loop-carry-locals" (i32.const 1) (i32.const 2) (i32.const 4))
  (i32.const 1) (i32.const 2))
(assert_return (invoke "table-carries" (i32.const 0)) (i32.const 7))
(assert_return (invoke "table-carries" (i32.const 1)) (i32.const 1007))
(assert_return (invoke "table-carries" (i32.const 2)) (i32.const 107))
(assert_return (invoke "table-carries" (i32.const 3)) (i32.const 1007))
(assert_return (invoke "table-carries" (i32.const 4)) (i32.const 7))
(assert_return (invoke "table-carries" (i32.const 0x80000000)) (i32.const 7))
(assert_return (invoke "table-carries-wide" (i32.const 0))
  (v128.const i32x4 1 2 3 4) (i32.const 0))
(assert_return (invoke "table-carries-wide" (i32.const 1))
  (v128.const i32x4 1 2 3 4) (i32.const 11))
(assert_return (invoke "table-carries-wide" (i32.const 9))
  (v128.const i32x4 1 2 3 4) (i32.const 9))
(assert_return (invoke "table-to-loop" (i32.const 0)) (i32.const 2))
(assert_return (invoke "table-to-loop" (i32.const 1)) (i32.const 1))

;; Conditions: a comparison directly before its branch, negated, reused, or of a constant.
(module
  (func (export "eqz-eqz") (param i32) (result i32)
    (if (result i32) (i32.eqz (i32.eqz (local.get 0))) (then (i32.const 1)) (else (i32.const 2))))
  (func (export "not-less") (param f64 f64) (result i32)
    ;; With a NaN, neither less nor not-less-or-equal may be turned into its opposite.
    (if (result i32) (i32.eqz (f64.lt (local.get 0) (local.get 1)))
      (then (i32.const 1)) (else (i32.const 2))))
  (func (export "not-ge") (param f32 f32) (result i32)
    block
      (br_if 0 (i32.eqz (f32.ge (local.get 0) (local.get 1))))
      (return (i32.const 2))
    end
    i32.const 1)
  (func (export "float-eq") (param f32 f32) (result i32)
    (select (i32.const 1) (i32.const 2) (f32.eq (local.get 0) (local.get 1))))
  (func (export "float-ne") (param f64 f64) (result i32)
    block
      (br_if 0 (f64.ne (local.get 0) (local.get 1)))
      (return (i32.const 2))
    end
    i32.const 1)
  (func (export "kept") (param i32 i32) (result i32) (local i32)
    ;; The comparison is the condition and is used again.
    (if (local.tee 2 (i32.lt_s (local.get 0) (local.get 1)))
      (then (local.set 0 (i32.const 10)))
      (else (local.set 0 (i32.const 20))))
    (i32.add (local.get 0) (local.get 2)))
  (func (export "const-condition") (result i32)
    (if (result i32) (i32.const 0) (then (i32.const 1)) (else
      (if (result i32) (i32.const -1) (then (i32.const 3)) (else (i32.const 4))))))
  (func (export "const-left") (param i32) (result i32)
    (if (result i32) (i32.gt_u (i32.const 5) (local.get 0))
      (then (i32.const 1)) (else (i32.const 2))))
  (func (export "const-left-64") (param i64) (result i32)
    block
      (br_if 0 (i64.le_s (i64.const -5) (local.get 0)))
      (return (i32.const 2))
    end
    i32.const 1)
  (func (export "wrapped-condition") (param i64) (result i32)
    ;; Only the low half decides.
    (if (result i32) (i32.wrap_i64 (local.get 0)) (then (i32.const 1)) (else (i32.const 2))))
  (func (export "i64-condition") (param i64) (result i32)
    (select (i32.const 1) (i32.const 2) (i64.eqz (local.get 0))))
  (func (export "condition-is-local") (param i32) (result i32)
    (if (local.get 0) (then (local.set 0 (i32.const 0))) (else (local.set 0 (i32.const 9))))
    (local.get 0))
  (func (export "if-without-else") (param i32) (result i32)
    i32.const 3
    local.get 0
    if (param i32) (result i32)
      i32.const 4
      i32.mul
    end)
  (func (export "and-condition") (param i32 i32) (result i32)
    (if (result i32) (i32.and (local.get 0) (local.get 1))
      (then (i32.const 1)) (else (i32.const 2))))
)
(assert_return (invoke "eqz-eqz" (i32.const 0)) (i32.const 2))
(assert_return (invoke "eqz-eqz" (i32.const 256)) (i32.const 1))
(assert_return (invoke "not-less" (f64.const 1) (f64.const 2)) (i32.const 2))
(assert_return (invoke "not-less" (f64.const 2) (f64.const 2)) (i32.const 1))
(assert_return (invoke "not-less" (f64.const nan) (f64.const 2)) (i32.const 1))
(assert_return (invoke "not-less" (f64.const 2) (f64.const nan)) (i32.const 1))
(assert_return (invoke "not-ge" (f32.const 1) (f32.const 2)) (i32.const 1))
(assert_return (invoke "not-ge" (f32.const 2) (f32.const 2)) (i32.const 2))
(assert_return (invoke "not-ge" (f32.const nan) (f32.const 2)) (i32.const 1))
(assert_return (invoke "float-eq" (f32.const -0) (f32.const 0)) (i32.const 1))
(assert_return (invoke "float-eq" (f32.const nan) (f32.const nan)) (i32.const 2))
(assert_return (invoke "float-ne" (f64.const nan) (f64.const nan)) (i32.const 1))
(assert_return (invoke "float-ne" (f64.const -0) (f64.const 0)) (i32.const 2))
(assert_return (invoke "kept" (i32.const -1) (i32.const 0)) (i32.const 11))
(assert_return (invoke "kept" (i32.const 1) (i32.const 0)) (i32.const 20))
(assert_return (invoke "const-condition") (i32.const 3))
(assert_return (invoke "const-left" (i32.const 4)) (i32.const 1))
(assert_return (invoke "const-left" (i32.const 5)) (i32.const 2))
(assert_return (invoke "const-left" (i32.const -1)) (i32.const 2))
(assert_return (invoke "const-left-64" (i64.const -6)) (i32.const 2))
(assert_return (invoke "const-left-64" (i64.const -5)) (i32.const 1))
(assert_return (invoke "wrapped-condition" (i64.const 0x100000000)) (i32.const 2))
(assert_return (invoke "wrapped-condition" (i64.const 0x100000001)) (i32.const 1))
(assert_return (invoke "i64-condition" (i64.const 0x100000000)) (i32.const 2))
(assert_return (invoke "i64-condition" (i64.const 0)) (i32.const 1))
(assert_return (invoke "condition-is-local" (i32.const 0)) (i32.const 9))
(assert_return (invoke "condition-is-local" (i32.const 5)) (i32.const 0))
(assert_return (invoke "if-without-else" (i32.const 0)) (i32.const 3))
(assert_return (invoke "if-without-else" (i32.const 1)) (i32.const 12))
(assert_return (invoke "and-condition" (i32.const 6) (i32.const 9)) (i32.const 2))
(assert_return (invoke "and-condition" (i32.const 6) (i32.const 3)) (i32.const 1))

;; `select` of every type, with operands that are locals, constants and results.
(module
  (func (export "i32") (param i32 i32 i32) (result i32)
    (select (local.get 0) (local.get 1) (local.get 2)))
  (func (export "i64") (param i64 i64 i32) (result i64)
    (select (i64.add (local.get 0) (i64.const 1)) (local.get 1) (local.get 2)))
  (func (export "f32") (param f32 f32 i32) (result f32)
    (select (f32.const 0.5) (f32.neg (local.get 1)) (local.get 2)))
  (func (export "f64") (param f64 f64 i32) (result f64)
    (select (f64.neg (local.get 0)) (f64.neg (local.get 1)) (local.get 2)))
  (func (export "v128") (param v128 v128 i32) (result v128)
    (select (local.get 0) (local.get 1) (local.get 2)))
  (func (export "v128-computed") (param v128 v128 i32) (result v128)
    (select (v128.not (local.get 0)) (v128.not (local.get 1)) (i32.eqz (local.get 2))))
  (func (export "funcref") (param i32) (result i32)
    (ref.is_null (select (result funcref) (ref.null func) (ref.func 0) (local.get 0))))
  (func (export "externref") (param externref externref i32) (result externref)
    (select (result externref) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "typed-i64") (param i64 i64 i32) (result i64)
    (select (result i64) (local.get 0) (local.get 1) (local.get 2)))
  (func (export "same") (param i32 i32) (result i32)
    (select (local.get 0) (local.get 0) (local.get 1)))
  (func (export "if-zero") (param i32) (result i32)
    (select (i32.const 1) (i32.const 2) (i32.eqz (local.get 0))))
  (func (export "if-equal-zero") (param i32 i32 i32) (result i32)
    (select (local.get 1) (local.get 2) (i32.eq (local.get 0) (i32.const 0))))
  (func (export "if-zero-unequal") (param i32 i32) (result i32)
    (select (i32.const 1) (i32.const 2)
      (i32.ne (i32.const 0) (i32.xor (local.get 0) (local.get 1)))))
  (func (export "if-64-equal") (param i64 i64) (result i64)
    (select (local.get 0) (i64.const 2) (i64.eq (local.get 0) (local.get 1))))
  (func (export "into-operand") (param i32) (result i32)
    (select (local.get 0) (i32.const 3) (local.get 0))
    (local.tee 0)
    (local.get 0)
    (i32.mul))
  (func (export "of-comparison") (param i64 i64) (result i64)
    (select (local.get 0) (local.get 1) (i64.lt_u (local.get 0) (local.get 1))))
  (func (export "of-float-comparison") (param f64 f64) (result f64)
    (select (local.get 0) (local.get 1) (f64.lt (local.get 0) (local.get 1))))
)
(assert_return (invoke "i32" (i32.const 1) (i32.const 2) (i32.const 0)) (i32.const 2))
(assert_return (invoke "i32" (i32.const 1) (i32.const 2) (i32.const -1)) (i32.const 1))
(assert_return (invoke "i64" (i64.const -1) (i64.const 2) (i32.const 1)) (i64.const 0))
(assert_return (invoke "i64" (i64.const -1) (i64.const 2) (i32.const 0)) (i64.const 2))
(assert_return (invoke "f32" (f32.const 1) (f32.const nan:0x200001) (i32.const 0))
  (f32.const -nan:0x200001))
(assert_return (invoke "f32" (f32.const 1) (f32.const 2) (i32.const 1)) (f32.const 0.5))
(assert_return (invoke "f64" (f64.const -0) (f64.const 2) (i32.const 1)) (f64.const 0))
(assert_return (invoke "f64" (f64.const -0) (f64.const 2) (i32.const 0)) (f64.const -2))
(assert_return (invoke "v128" (v128.const i64x2 1 2) (v128.const i64x2 3 4) (i32.const 0))
  (v128.const i64x2 3 4))
(assert_return (invoke "v128" (v128.const i64x2 1 2) (v128.const i64x2 3 4) (i32.const 2))
  (v128.const i64x2 1 2))
(assert_return (invoke "v128-computed" (v128.const i64x2 1 2) (v128.const i64x2 3 4) (i32.const 0))
  (v128.const i64x2 -2 -3))
(assert_return (invoke "v128-computed" (v128.const i64x2 1 2) (v128.const i64x2 3 4) (i32.const 1))
  (v128.const i64x2 -4 -5))
(assert_return (invoke "funcref" (i32.const 0)) (i32.const 0))
(assert_return (invoke "funcref" (i32.const 1)) (i32.const 1))
(assert_return (invoke "externref" (ref.extern 1) (ref.extern 2) (i32.const 0)) (ref.extern 2))
(assert_return (invoke "externref" (ref.extern 1) (ref.null extern) (i32.const 0))
  (ref.null extern))
(assert_return (invoke "typed-i64" (i64.const 1) (i64.const 2) (i32.const 0)) (i64.const 2))
(assert_return (invoke "same" (i32.const 8) (i32.const 0)) (i32.const 8))
(assert_return (invoke "if-zero" (i32.const 0)) (i32.const 1))
(assert_return (invoke "if-zero" (i32.const 5)) (i32.const 2))
(assert_return (invoke "if-equal-zero" (i32.const 0) (i32.const 1) (i32.const 2)) (i32.const 1))
(assert_return (invoke "if-equal-zero" (i32.const -1) (i32.const 1) (i32.const 2)) (i32.const 2))
(assert_return (invoke "if-zero-unequal" (i32.const 6) (i32.const 6)) (i32.const 2))
(assert_return (invoke "if-zero-unequal" (i32.const 6) (i32.const 7)) (i32.const 1))
(assert_return (invoke "if-64-equal" (i64.const 6) (i64.const 6)) (i64.const 6))
(assert_return (invoke "if-64-equal" (i64.const 6) (i64.const 0x100000006)) (i64.const 2))
(assert_return (invoke "into-operand" (i32.const 0)) (i32.const 9))
(assert_return (invoke "into-operand" (i32.const 5)) (i32.const 25))
(assert_return (invoke "of-comparison" (i64.const -1) (i64.const 1)) (i64.const 1))
(assert_return (invoke "of-comparison" (i64.const 0) (i64.const 1)) (i64.const 0))
(assert_return (invoke "of-float-comparison" (f64.const nan) (f64.const 1)) (f64.const 1))
(assert_return (invoke "of-float-comparison" (f64.const -0) (f64.const 0)) (f64.const 0))

;; Code that cannot be reached: typed by any types, and never run.
(module
  (func (export "after-return") (result i32)
    i32.const 1
    return
    i32.add
    i32.eqz
    select
    drop
    f64.neg
    drop
    unreachable)
  (func (export "after-br") (result i32)
    block (result i32)
      i32.const 2
      br 0
      block (param i32) (result i32 i64)
        loop (param i32) (result i32)
          i32.const 1
          br_if 0
          br 0
        end
        i64.const 5
        unreachable
        br_table 0 0 0
      end
      drop
      drop
      if (result i32)
        i32.const 1
      else
        unreachable
      end
    end)
  (func (export "after-table") (param i32) (result i64)
    block (result i64)
      block (result i64)
        i64.const 7
        local.get 0
        br_table 0 1
        i64.load
        drop
        memory.grow
        drop
        v128.not
        i8x16.extract_lane_s 3
        i64.extend_i32_u
        br 0
      end
      i64.const 1
      i64.add
    end)
  (memory 1)
  (func (export "after-unreachable") (local i32)
    unreachable
    (local.set 0)
    (drop (select (result v128)))
    (if (then (br 1)) (else (return))))
  (func (export "dead-else") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return (i32.const 5)) (i32.const 6) (i32.add))
      (else (i32.const 7) (br 0) (i32.mul))))
  (func (export "dead-tail") (param i32) (result i32)
    (loop (br_if 0 (i32.eqz (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1)))))
      (return (local.get 0)))
    (unreachable))
  (func (export "polymorphic-params") (result i32)
    block (result i32)
      i32.const 9
      br 0
      call $two
      drop
      drop
      call $two
      drop
    end)
  (func $two (param i32 f32 v128) (result i32 i64) (i32.const 0) (i64.const 0))
)
(assert_return (invoke "after-return") (i32.const 1))
(assert_return (invoke "after-br") (i32.const 2))
(assert_return (invoke "after-table" (i32.const 0)) (i64.const 8))
(assert_return (invoke "after-table" (i32.const 1)) (i64.const 7))
(assert_trap (invoke "after-unreachable") "unreachable")
(assert_return (invoke "dead-else" (i32.const 1)) (i32.const 5))
(assert_return (invoke "dead-else" (i32.const 0)) (i32.const 7))
(assert_return (invoke "dead-tail" (i32.const 8)) (i32.const 4))
(assert_return (invoke "polymorphic-params") (i32.const 9))

;; Loops: the frame at the header is the same whichever way it is reached.
(module
  (func (export "operands-below") (param i32) (result i32)
    ;; Five values wait below the loop; its body uses the same locals they were read from.
    local.get 0
    i32.const 11
    local.get 0
    i32.const 1
    i32.add
    local.get 0
    loop
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if 0 (local.get 0))
    end
    i32.mul
    i32.add
    i32.sub)
  (func (export "nested") (param i32) (result i32) (local i32 i32 i32)
    loop $outer
      (local.set 2 (i32.const 0))
      loop $inner
        (local.set 3 (i32.add (local.get 3) (i32.mul (local.get 1) (local.get 2))))
        (local.set 2 (i32.add (local.get 2) (i32.const 1)))
        (br_if $inner (i32.lt_u (local.get 2) (local.get 0)))
      end
      (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get 1) (local.get 0)))
    end
    local.get 3)
  (func (export "continue-from-depth") (param i32) (result i32) (local i32)
    loop $top
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      i32.const 1
      i64.const 2
      v128.const i64x2 3 4
      block
        block
          (br_if $top (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
        end
      end
      drop
      drop
      drop
    end
    local.get 1)
  (func (export "while-64") (param i64) (result i64) (local i64)
    block
      loop
        (br_if 1 (i64.eqz (local.get 0)))
        (local.set 1 (i64.xor (i64.rotl (local.get 1) (i64.const 5)) (local.get 0)))
        (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
        br 0
      end
    end
    local.get 1)
  (func (export "float-loop") (param f64) (result f64) (local f64)
    (local.set 1 (f64.const 1))
    loop
      (local.set 1 (f64.mul (local.get 1) (local.get 0)))
      (local.set 0 (f64.sub (local.get 0) (f64.const 1)))
      (br_if 0 (f64.gt (local.get 0) (f64.const 1)))
    end
    local.get 1)
  (func (export "loop-result") (param i32) (result i32)
    loop (result i32)
      (local.set 0 (i32.sub (local.get 0) (i32.const 3)))
      local.get 0
      (br_if 0 (i32.gt_s (local.get 0) (i32.const 0)))
    end)
)
(assert_return (invoke "operands-below" (i32.const 6)) (i32.const -47))
(assert_return (invoke "nested" (i32.const 10)) (i32.const 2025))
(assert_return (invoke "continue-from-depth" (i32.const 10)) (i32.const 55))
(assert_return (invoke "while-64" (i64.const 4)) (i64.const 0x20c41))
(assert_return (invoke "float-loop" (f64.const 10)) (f64.const 3628800))
(assert_invalid
  (module (func (param i32) (result i32) loop (result i32) (local.get 0) (br_if 0 (local.get 0)) i64.const 0 end))
  "type mismatch")
(assert_return (invoke "loop-result" (i32.const 10)) (i32.const -2))

;; An operand of an outer loop, used behind a branch that does not come past the inner one.
(module
  (func (export "past-the-inner-loop") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $sum i32)
    (loop $outer
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $sum
        (i32.add
          (i32.mul (local.get $i) (i32.const 100))
          (block $b (result i32)
            (drop (br_if $b (i32.const 0) (i32.and (local.get $i) (i32.const 1))))
            (local.set $j (i32.const 0))
            (loop $inner
              (local.set $j (i32.add (local.get $j) (i32.const 1)))
              (br_if $inner (i32.lt_u (local.get $j) (i32.const 3))))
            (local.get $sum))))
      (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum))
)
(assert_return (invoke "past-the-inner-loop" (i32.const 4)) (i32.const 700))
(assert_return (invoke "past-the-inner-loop" (i32.const 5)) (i32.const 500))
(assert_return (invoke "past-the-inner-loop" (i32.const 6)) (i32.const 1100))
(assert_return (invoke "past-the-inner-loop" (i32.const 7)) (i32.const 700))
