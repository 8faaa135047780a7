;; RUN: run --fuel 10_000 %s
;; EXIT: 124
;; RUN: run --fuel 10000 --invoke few %s
(module
  (func $spin (export "_start") (loop $again (br $again)))
  (func (export "few") (result i32) (i32.const 1)))
