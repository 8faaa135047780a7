;; Threads: as many as allowed at a time, a trap of one ends all, and who waits is stopped as well.
;; RUN: run --invoke count --max-threads 3 %s
;; RUN: run --invoke count --max-threads 0 %s
;; RUN: run --invoke count --deterministic %s
;; RUN: run --invoke count --deterministic --max-threads 1 %s
;; RUN: run --invoke fail %s
;; EXIT: 134
;; RUN: run --invoke exit %s
;; EXIT: 9
;; RUN: run --invoke wait --timeout 50ms %s
;; EXIT: 124
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func $wait (export "wait")
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
  (func $thread (export "wasi_thread_start") (param $tid i32) (param $what i32)
    (if (i32.eq (local.get $what) (i32.const 1)) (then unreachable))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (call $exit (i32.const 9))))
    (call $wait))
  (func (export "count") (result i32) (local $started i32)
    (loop
      (if (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0))
        (then (local.set $started (i32.add (local.get $started) (i32.const 1))) (br 1))))
    (local.get $started))
  (func (export "fail") (drop (call $spawn (i32.const 1))) (call $wait))
  (func (export "exit") (drop (call $spawn (i32.const 2))) (call $wait)))
