;; RUN: wast %s
;; EXIT: 1
;; RUN: wast --verbose %s
;; EXIT: 1
;; RUN: wast data/passes.wast nowhere.wast
;; EXIT: 1
;; RUN: wast data/passes.wast
;; RUN: wast --wasm -multi-value,-wide-arithmetic data/passes.wast
;; EXIT: 1
;; RUN: wast --timeout 50ms data/spins.wast
;; EXIT: 1
;; RUN: wast trap-nested.wat data/broken.wast
;; EXIT: 1
(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "fail") (unreachable)))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))
(assert_trap (invoke "fail") "unreachable")
(assert_trap (invoke "add" (i32.const 1) (i32.const 2)) "unreachable")
(assert_invalid (module (func (result i32))) "type mismatch")
(invoke "missing")
