;; The time counts from the start function on.
;; RUN: run --tier interp --timeout 50ms --invoke quick %s
;; EXIT: 124
(module
  (func $spin (loop $again (br $again)))
  (func (export "quick"))
  (start $spin))
