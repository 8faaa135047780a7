;; RUN: run --invoke load %s -1
;; EXIT: 134
;; RUN: run --invoke call_null %s
;; EXIT: 134
;; RUN: run --invoke wrong_type %s
;; EXIT: 134
;; RUN: run --invoke convert %s nan
;; EXIT: 134
(module
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 1) func $load)
  (func $load (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call_null") (call_indirect (i32.const 0)))
  (func (export "wrong_type") (call_indirect (i32.const 1)))
  (func (export "convert") (param f64) (result i32) (i32.trunc_f64_s (local.get 0))))
