;; RUN: run --max-table 1000 --invoke grow %s 1
;; EXIT: 1
;; RUN: run --max-table 2_000 --invoke grow %s 0
;; RUN: run --max-table 2000 --invoke grow %s 1
(module
  (table 2000 funcref)
  (func (export "grow") (param i32) (result i32)
    (table.grow 0 (ref.null func) (local.get 0))))
