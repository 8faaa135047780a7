;; Well-formed and not valid: the function is named.
;; RUN: validate %s
;; EXIT: 1
;; RUN: run %s
;; EXIT: 1
(module
  (func $half (result i32) (f32.const 0.5))
  (func (export "_start") (drop (call $half))))
