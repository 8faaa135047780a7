;; What is not there, what is no function, too few values, and values of other types.
;; RUN: run --invoke sub %s 1 2
;; EXIT: 1
;; RUN: run --invoke memory %s
;; EXIT: 1
;; RUN: run --invoke add %s 1
;; EXIT: 2
;; RUN: run --invoke add %s 1 2 3
;; EXIT: 2
;; RUN: run --invoke add %s 1 two
;; EXIT: 2
;; RUN: run --invoke add %s 4294967296 2
;; EXIT: 2
;; RUN: run --invoke all %s 1.5 1 1 1
;; EXIT: 2
;; RUN: run --invoke all %s 1 1,5 1 1
;; EXIT: 2
;; RUN: run --invoke all %s 1 1 1 1
;; EXIT: 2
;; RUN: run --invoke all %s 1 1 i32x4:1 1
;; EXIT: 2
(module
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "all") (param i64 f32 v128 funcref)))
