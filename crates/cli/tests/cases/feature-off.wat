;; RUN: validate %s
;; RUN: validate --quiet %s
;; RUN: validate --wasm -tail-call %s
;; EXIT: 1
;; RUN: run --wasm mvp --invoke f %s
;; EXIT: 1
;; RUN: validate --wasm wasm1,+tail-call %s
(module (func $f (export "f") (return_call $f)))
