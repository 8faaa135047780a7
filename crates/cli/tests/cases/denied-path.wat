;; A program is refused what was not granted, and exits with the error number it got.
;; RUN: run --invoke read_outside %s
;; EXIT: 8
;; RUN: run --dir data::/elsewhere --invoke read_outside %s
;; EXIT: 76
;; RUN: run --dir data::/data:ro --invoke read_outside %s
;; EXIT: 76
;; RUN: run --dir data::/data:ro --invoke write_inside %s
;; EXIT: 69
;; RUN: run --dir data::/data:ro --invoke read_inside %s
;; RUN: run --invoke accept %s
;; EXIT: 8
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "input.txt")
  (data (i32.const 32) "../secret/key")
  ;; Descriptor 3 is the first directory; the rights are those to read (2) and to write (64).
  (func $try (param $path i32) (param $len i32) (param $flags i32) (param $rights i64)
    (call $exit
      (call $open (i32.const 3) (i32.const 0) (local.get $path) (local.get $len)
        (local.get $flags) (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 0))))
  (func (export "read_inside")
    (call $try (i32.const 16) (i32.const 9) (i32.const 0) (i64.const 2)))
  (func (export "read_outside")
    (call $try (i32.const 32) (i32.const 13) (i32.const 0) (i64.const 2)))
  (func (export "write_inside")
    (call $try (i32.const 16) (i32.const 9) (i32.const 0) (i64.const 64)))
  (func (export "accept")
    (call $exit (call $accept (i32.const 3) (i32.const 0) (i32.const 0)))))
