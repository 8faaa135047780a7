;; RUN: run %s
;; EXIT: 1
(module (memory (export "memory") 1))
