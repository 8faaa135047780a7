;; An exception that nobody catches ends the program as a trap does; what it carries is told.
;; RUN: run %s
;; EXIT: 134
;; RUN: run --invoke many %s
;; EXIT: 134
;; RUN: run --invoke nameless %s
;; EXIT: 134
(module
  (tag $not-found (param i32 i64 f32 f64 v128 externref))
  (tag (export "ten\1b[31m") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32))
  (tag)
  (func $look
    (throw $not-found (i32.const -1) (i64.const 9000000000) (f32.const 0.5) (f64.const -inf)
      (v128.const i64x2 1 0x10) (ref.null extern)))
  (func (export "_start") (call $look))
  (func (export "many")
    (throw 1 (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6)
      (i32.const 7) (i32.const 8) (i32.const 9) (i32.const 10)))
  (func (export "nameless") (throw 2)))
