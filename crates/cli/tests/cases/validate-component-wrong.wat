;; What is wrong may be in a core module of it. It cannot be compiled as a whole yet.
;; RUN: validate %s
;; EXIT: 1
;; RUN: compile %s -o /dev/null
;; EXIT: 1
(component
  (core module $m (func $half (export "f") (result i32) (f32.const 0.5))))
