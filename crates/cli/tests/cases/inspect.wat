;; RUN: inspect %s
;; RUN: inspect --json %s
(module $example
  (@producers (language "C" "23") (processed-by "an \1b[31massembler" "1.0"))
  (@custom "note" (after last) "x")
  (import "wasi_snapshot_preview1" "path_open"
    (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "env" "log" (func (param f32)))
  (import "env" "table" (table 1 4 funcref))
  (memory (export "memory") 2 16)
  (memory i64 1)
  (table 10 externref)
  (global (export "version") i32 (i32.const 7))
  (func (export "_start"))
  (func (export "sum") (param i64 i64) (result i64 i64)
    (i64.extend8_s (local.get 0)) (local.get 1))
  (data (i32.const 0) "hello"))
