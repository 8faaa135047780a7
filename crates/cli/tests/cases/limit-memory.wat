;; More memory than allowed from the start on cannot be had; growing beyond the limit fails.
;; RUN: run --max-memory 1MiB --invoke grow %s 1
;; EXIT: 1
;; RUN: run --max-memory 2MiB --invoke grow %s 0
;; RUN: run --max-memory 2MiB --invoke grow %s 1
(module
  (memory 32)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
