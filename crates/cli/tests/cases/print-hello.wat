;; Streams to files, and a file that both share.
;; RUN: run %s
;; RUN: run --stdout %t/out --stderr %t/err %s
;; RUN: run --stdout %t/both --stderr %t/both %s
;; RUN: run --invoke copy --stdin %t/out %s
;; RUN: run --invoke copy --stdin %t/err %s
;; RUN: run --invoke copy --stdin %t/both %s
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\06\00\00\00")
  (data (i32.const 16) "hello\n")
  (func $write (param $fd i32)
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $write (i32.const 1))
    (i32.store8 (i32.const 16) (i32.const 106))
    (call $write (i32.const 2)))
  (func (export "copy")
    (i32.store (i32.const 4) (i32.const 64))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (call $write (i32.const 1))))
