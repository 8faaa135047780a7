;; RUN: run %s
;; EXIT: 1
;; RUN: run --stub-unknown-imports %s
;; EXIT: 134
(module
  (import "env" "log" (func $log (param i32 i64) (result f32)))
  (func (export "_start") (drop (call $log (i32.const 1) (i64.const 2)))))
