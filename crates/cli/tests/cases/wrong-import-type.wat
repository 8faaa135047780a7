;; RUN: run %s
;; EXIT: 1
(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i64) (result i32)))
  (func (export "_start")))
