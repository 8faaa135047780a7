;; RUN: run --invoke size %s
;; EXIT: 1
;; RUN: run --invoke size --stub-unknown-imports %s
(module
  (import "env" "log" (func $log (param i32)))
  (import "env" "memory" (memory 2))
  (import "env" "table" (table 3 funcref))
  (import "env" "\1b[31mred" (global i32))
  (func (export "size") (result i32 i32 i32) (memory.size) (table.size 0) (global.get 0)))
