;; RUN: run --tier interp --timeout 50ms %s
;; EXIT: 124
;; RUN: run --tier interp --timeout 1h --invoke quick %s
(module
  (func $spin (export "_start") (loop $again (br $again)))
  (func (export "quick") (result i32) (i32.const 1)))
