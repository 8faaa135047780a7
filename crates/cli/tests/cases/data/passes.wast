(module
  (import "spectest" "print_i32" (func $print (param i32)))
  (func (export "swap") (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))
  (func (export "print") (call $print (i32.const 5))))
(assert_return (invoke "swap" (i32.const 1) (i32.const 2)) (i32.const 2) (i32.const 1))
(invoke "print")
