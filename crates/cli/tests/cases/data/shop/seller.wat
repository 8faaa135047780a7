;; Everything costs 42 cents.
(module
  (import "acme:shop/log@1.2.0" "write" (func $write (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "acme:shop/prices@1.2.0#price") (param i32) (result i64)
    (call $write (i32.const 2) (i32.const 0) (i32.const 0))
    (i64.const 42)))
