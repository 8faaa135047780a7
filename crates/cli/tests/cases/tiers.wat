;; `--tiers` says what was compiled: with `--tier interp` nothing, and the result is the same.
;; RUN: run --tier interp --tiers --invoke work %s
;; RUN: run --tier interp --tiers=json --invoke work %s
;; RUN: run --tier auto --invoke work %s
;; RUN: run --tiers=xml %s
;; EXIT: 2
(module
  (func (export "work") (result i32)
    (local $i i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $i)))
      (br_if $again
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))
    (local.get $sum)))
