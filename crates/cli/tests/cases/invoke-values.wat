;; RUN: run --invoke add %s 0x10 -3
;; RUN: run --invoke numbers %s -1 0x8000000000000000 1.5 -0x1.8p1
;; RUN: run --invoke numbers %s 4294967295 -9_000 nan:0x200000 -inf
;; RUN: run --invoke vector %s i32x4:1,2,3,-4
;; RUN: run --invoke vector %s 0x10
;; RUN: run --invoke vector %s f64x2:1.5,nan
;; RUN: run --invoke references %s null null
;; RUN: run --invoke nothing %s
(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "numbers") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (local.get 3) (local.get 2) (local.get 1) (local.get 0))
  (func (export "vector") (param v128) (result v128) (local.get 0))
  (func $f (export "references") (param externref funcref) (result externref funcref funcref)
    (local.get 0) (local.get 1) (ref.func $f))
  (func (export "nothing")))
