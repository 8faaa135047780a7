;; `_initialize` comes first, once.
;; RUN: run --invoke get %s
;; RUN: run --invoke _initialize %s
;; RUN: run %s
;; EXIT: 1
(module
  (global $count (mut i32) (i32.const 40))
  (func (export "_initialize") (global.set $count (i32.add (global.get $count) (i32.const 1))))
  (func (export "get") (result i32) (global.get $count)))
