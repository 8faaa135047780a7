;; Text to binary to text, names and custom sections kept both ways; and the result still runs.
;; RUN: wat %s -o %t/a.wasm
;; RUN: print %t/a.wasm -o %t/b.wat
;; RUN: wat %t/b.wat -o %t/b.wasm
;; RUN: print %t/b.wasm
;; RUN: print --skeleton %t/b.wasm
;; RUN: print --fold %t/b.wasm
;; RUN: run --invoke twice %t/b.wasm 21
;; RUN: print -
;; EXIT: 1
;; STDIN: not a module
(module $named
  (@custom "note" (after last) "kept\00\ff")
  (memory $m 1)
  (data $d (i32.const 8) "\00text")
  (func $twice (export "twice") (param $x i32) (result i32)
    (local $unused i64)
    (i32.mul (local.get $x) (i32.const 2))))
