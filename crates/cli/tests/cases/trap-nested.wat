;; A trap in nested calls: the backtrace names the functions.
;; RUN: run %s
;; EXIT: 134
(module $program
  (func $divide (param $a i32) (param $b i32) (result i32)
    (i32.div_s (local.get $a) (local.get $b)))
  (func $middle (param $b i32) (result i32)
    (i32.add (i32.const 1) (call $divide (i32.const 7) (local.get $b))))
  (func $main (export "_start")
    (drop (call $middle (i32.const 0)))))
