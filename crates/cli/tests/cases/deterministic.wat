;; With `--deterministic` clocks, random bytes and NaNs are the same at every run.
;; RUN: run --deterministic --invoke time %s
;; RUN: run --deterministic --invoke random %s
;; RUN: run --deterministic --seed 1 --invoke random %s
;; RUN: run --deterministic --invoke nan %s 0xffc12345
;; RUN: run --invoke nan %s 0xffc12345
;; RUN: run --seed 1 --invoke random %s
;; EXIT: 2
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "time") (result i64 i64)
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 8)))
    (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 16)))
    (i64.load (i32.const 8)) (i64.load (i32.const 16)))
  (func (export "random") (result i64)
    (drop (call $random (i32.const 8) (i32.const 8)))
    (i64.load (i32.const 8)))
  (func (export "nan") (param i32) (result i32)
    (i32.reinterpret_f32
      (f32.add (f32.reinterpret_i32 (local.get 0)) (f32.const 1)))))
