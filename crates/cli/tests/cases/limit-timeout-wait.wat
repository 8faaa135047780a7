;; The time is up for a program that waits as well: here for input from a clock an hour away.
;; RUN: run --timeout 50ms %s
;; EXIT: 124
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $wait (export "_start")
    ;; Clock 1 (monotonic), relative, 3600 s.
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3_600_000_000_000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
