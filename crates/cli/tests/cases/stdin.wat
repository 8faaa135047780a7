;; RUN: run --invoke answer -
;; STDIN-FILE: stdin.wat
;; RUN: validate -
;; STDIN-FILE: stdin.wat
;; RUN: inspect -
;; STDIN-FILE: stdin.wat
;; RUN: run -
;; EXIT: 1
;; STDIN-FILE: data/noise.wasm
(module (func (export "answer") (result i32) (i32.const 42)))
