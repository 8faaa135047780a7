;; RUN: run %s
;; EXIT: 1
(module (func (export "_start") (param i32)))
