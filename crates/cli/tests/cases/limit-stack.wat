;; RUN: run --max-stack 16KiB %s
;; EXIT: 134
(module
  (func $recurse (export "_start") (call $recurse)))
