;; The program's own exit code, silently; beyond 255 it is 255.
;; RUN: run --invoke exit %s 42
;; EXIT: 42
;; RUN: run --invoke exit %s 0
;; RUN: run --invoke exit %s 256
;; EXIT: 255
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "exit") (param i32) (call $exit (local.get 0))))
