;; This case documents the format of cases by being one.
;;
;; A case is a `.wat`, `.wast` or `.case` file with header lines, each a comment. It is run in this
;; directory. `%s` is its own name, `%t` a directory that is made for the case and removed after it.
;;
;; A command, without `dunlin`; blanks split words but between single quotes:
;; RUN: run --env 'GREETING=hello, world' %s
;;
;; What follows a command belongs to it: its exit code if it is not 0,
;; EXIT: 3
;; its standard input as a line, or from a file (`STDIN-FILE:`),
;; STDIN: abc
;; and variables of its environment.
;; ENV: NO_COLOR=1
;;
;; With more than one command, each is named where it prints something.
;; RUN: validate %s
;;
;; What they print is in `readme.wat.stdout` and `readme.wat.stderr`; a file that is not there means
;; that nothing is printed. BLESS=1 in the environment of the test writes them anew.
(module
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    ;; The variable goes to 32, what is read to 128.
    (drop (call $environ_get (i32.const 16) (i32.const 32)))
    (i32.store (i32.const 0) (i32.const 128))
    (i32.store (i32.const 4) (i32.const 16))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    ;; The variable to stdout, the input to stderr.
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 32))
    (i32.store (i32.const 4) (i32.const 21))
    (i32.store8 (i32.const 53) (i32.const 10))
    (i32.store (i32.const 4) (i32.const 22))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $proc_exit (i32.const 3))))
